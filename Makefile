# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make O=DIR builds out of tree, make SAN=address,undefined with sanitizers, make V=1 shows commands.

CC = gcc
CLANG = clang
BPFTOOL = $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG = pkg-config
PREFIX = /usr/local
PYTHON = /usr/bin/python3
O = build
VERSION := 0.1

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

WARNINGS = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith \
	-Wformat=2 -Wvla -Wundef -Werror=implicit-function-declaration
CFLAGS = -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -I$(O) -MMD -MP $(WARNINGS) $(CFLAGS) \
	-DPYREC_VERSION='"$(VERSION)"' $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) \
	$(if $(REPORT_ONLY),-DPYREC_REPORT_ONLY) $(WERROR)
ALL_LDFLAGS = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))

PACKAGES = libelf libdw libunwind-ptrace libunwind-generic libzstd capstone
LIBS := -lelf -ldw -lunwind-x86_64 -lunwind -lzstd -lcapstone -lpthread
ifndef REPORT_ONLY
LIBS += -lbpf
endif

ROOMS = common format report $(if $(REPORT_ONLY),,record)
SOURCES := $(foreach room,$(ROOMS),$(sort $(wildcard $(room)/*.c)))
OBJECTS := $(SOURCES:%.c=$(O)/%.o)
RECORD_OBJECTS := $(filter $(O)/record/%,$(OBJECTS))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
BPF_FLAVOURS = loop legacy
SKELETONS := $(if $(REPORT_ONLY),,$(BPF_FLAVOURS:%=$(O)/bpf/pyrec_%.skel.h))

.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

## all: build ./pyrec (the default)
.PHONY: all
all: pyrec

# The front door of this tree, whatever O= is; other build folders keep their own beside it.
.PHONY: pyrec
pyrec: $(O)/pyrec
ifeq ($(O),build)
	$(Q)cmp -s $< pyrec || install -m 0755 $< pyrec
endif

$(O)/pyrec: $(O)/pyrec.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(O)/libpyrec.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Order-only and explicit: a second pattern rule would be passed over in silence.
$(RECORD_OBJECTS): | $(SKELETONS)

$(O)/bpf/pyrec_%.bpf.o: bpf/pyrec.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -D__TARGET_ARCH_x86 -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -I. \
		$(if $(filter legacy,$*),-DPYREC_BPF_LEGACY) -c -o $@ $<

$(O)/bpf/pyrec_%.skel.h: $(O)/bpf/pyrec_%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name pyrec_$* >$@

## report-only: build ./pyrec without libbpf, clang and bpftool: report, script, dump, info
.PHONY: report-only
report-only:
	$(Q)$(MAKE) --no-print-directory REPORT_ONLY=1 O=$(O)/report-only $(O)/report-only/pyrec
	$(Q)install -m 0755 $(O)/report-only/pyrec pyrec

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

## unit-tests: build the unit tests
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

## unit: build and run the unit tests
.PHONY: unit
unit: $(UNIT_TESTS)
	$(Q)for test in $(UNIT_TESTS); do $$test || exit 1; done

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST)) | awk -F': ' '{printf "  %-16s %s\n", $$1, $$2}'

## clean: remove what was built
.PHONY: clean
clean:
	$(Q)rm -rf build pyrec

-include $(OBJECTS:.o=.d) $(O)/pyrec.d $(UNIT_TESTS:%=%.d)
