# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make O=DIR builds out of tree, make SAN=address,undefined with sanitizers, make V=1 shows commands.

CC = gcc
CLANG = clang
BPFTOOL = $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
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

LIBS := -lcapstone -ldw -lelf -liberty -llzma -lzstd -lpthread -lm
ifndef REPORT_ONLY
LIBS += -lbpf
endif

ROOMS = common format report $(if $(REPORT_ONLY),,record)
SOURCES := $(foreach room,$(ROOMS),$(sort $(wildcard $(room)/*.c)))
OBJECTS := $(SOURCES:%.c=$(O)/%.o)
RECORD_OBJECTS := $(filter $(O)/record/%,$(OBJECTS))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
HOSTBPF_TESTS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/hostbpf/test_*.c)))
FUZZERS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
MAN_PAGES := $(patsubst Documentation/%.adoc,$(O)/man/%,$(sort $(wildcard Documentation/*.[15].adoc)))
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
	$(Q)rm -f $@ && $(AR) qcs $@ $^

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

## report-only: build ./pyrec without libbpf, clang and bpftool: all commands but record
.PHONY: report-only
report-only:
	$(Q)$(MAKE) --no-print-directory REPORT_ONLY=1 O=$(O)/report-only $(O)/report-only/pyrec
	$(Q)install -m 0755 $(O)/report-only/pyrec pyrec

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# What the compiled rows and the unwinder are held against: libdw and libunwind.
$(O)/tests/unit/test_cfi_table: $(O)/tests/native/cfi_oracle.o
$(O)/tests/unit/test_unwind: $(O)/tests/native/libunwind_walk.o
$(O)/tests/unit/test_unwind $(O)/tests/native/unwind_file: LIBS += -lunwind-x86_64 -lunwind

## unit-tests: build the unit tests
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

## unit: build and run the unit tests
.PHONY: unit
unit: $(UNIT_TESTS)
	$(Q)for test in $(UNIT_TESTS); do $$test || exit 1; done

$(O)/tests/hostbpf/%: $(O)/tests/hostbpf/%.o $(O)/tests/hostbpf/process_image.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

## hostbpf-tests: build the tests that run the BPF walk as plain C
.PHONY: hostbpf-tests
hostbpf-tests: $(HOSTBPF_TESTS)

$(O)/tests/native/%: $(O)/tests/native/%.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(O)/tests/native/compare_cfi: $(O)/tests/native/cfi_oracle.o
$(O)/tests/native/unwind_file: $(O)/tests/native/libunwind_walk.o

## native-tools: build what compares native stacks and code with perf, libunwind, libdw and objdump
.PHONY: native-tools
native-tools: $(addprefix $(O)/tests/native/,compare_cfi disassemble unwind_file unwind_target)

# libFuzzer comes with clang: the fuzzers and all they link are built apart, in $(O)/fuzz.
$(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/libpyrec.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: fuzzers-clang
fuzzers-clang:
	$(Q)$(MAKE) --no-print-directory O=$(O)/fuzz CC=$(CLANG) SAN=address,fuzzer-no-link fuzzers

# What `make sanitize` runs, with ASan and UBSan, in $(O)/san.
.PHONY: sanitized
sanitized:
	$(Q)$(MAKE) --no-print-directory O=$(O)/san SAN=address,undefined pyrec unit-tests hostbpf-tests

$(O)/man/%: Documentation/%.adoc
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)asciidoctor -b manpage -a reproducible -o $@ $<

## man: build the man pages
.PHONY: man
man: $(MAN_PAGES)

CHECK = O=$(O) MAKE="$(MAKE)" PYTHON=$(PYTHON) tests/check.sh

## check: install what is missing, build, run every test; REQUIRE=all fails on a needless skip, ALSO=pythons adds check-pythons
.PHONY: check
check:
	$(Q)tests/install-packages check
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(CHECK)

## layers: check from the sources which room includes which
## lint: check format, spelling, shell scripts and layers, as tests/pre-commit does
## hostbpf: run the BPF walk as plain C over images of real processes
## golden: files in, text out
## sanitize: unit, hostbpf and golden tests with ASan and UBSan
## fuzz-smoke: each fuzzer for a short while
## docs-test: man pages against --help, and the format page against the code
## test-e2e: record and report real programs (root)
.PHONY: layers lint hostbpf golden sanitize fuzz-smoke docs-test test-e2e
layers lint hostbpf golden sanitize fuzz-smoke docs-test test-e2e:
	$(Q)$(CHECK) $(@:test-e2e=e2e)

## fuzz: each fuzzer for ten minutes, FUZZ_SECONDS=; never part of check
.PHONY: fuzz
fuzz:
	$(Q)FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(CHECK) fuzz-smoke

$(O)/tests/kernels/load_objects.o: $(SKELETONS)

$(O)/tests/kernels/%: $(O)/tests/kernels/%.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lbpf

## kernels: boot other kernels in QEMU and record there; never part of check
.PHONY: kernels
kernels:
	$(Q)tests/install-packages kernels
	$(Q)$(MAKE) -s --no-print-directory $(O)/pyrec $(O)/tests/kernels/load_objects
	$(Q)PYREC=$(O)/pyrec LOAD_OBJECTS=$(O)/tests/kernels/load_objects OUT=$(O)/kernels \
		$(PYTHON) tests/kernels/run.py $(KERNELS)

## check-pythons: every CPython found here or unpacked from Debian's archive (root); PYTHONS="3.14 …"
.PHONY: check-pythons
check-pythons: all
	$(Q)tests/install-packages pythons
	$(Q)PYREC=$(realpath $(O)/pyrec) $(PYTHON) tests/pythons/check_pythons.py $(PYTHONS)
	$(Q)$(MAKE) --no-print-directory hostbpf-tests
	$(if $(PYTHONS),,$(Q)$(PYTHON) tests/pythons/readme_table.py --check $(O)/pythons/result.json README.md)
	$(Q)PYTHON_TREES=$${XDG_CACHE_HOME:-$$HOME/.cache}/pyrec-tests/pythons $(O)/tests/hostbpf/test_walk_images

## check-lines: line tables of every CPython found here or unpacked, over its whole library; PYTHONS=
.PHONY: check-lines
check-lines:
	$(Q)$(PYTHON) tests/pythons/check_lines.py $(PYTHONS)

## readme-pythons: write README's table of versions from the last result of check-pythons
.PHONY: readme-pythons
readme-pythons:
	$(Q)$(PYTHON) tests/pythons/readme_table.py $(O)/pythons/result.json README.md

## tidy: clang-tidy over the sources
.PHONY: tidy
tidy: | $(SKELETONS)
	$(Q)! printf '%s\n' $(SOURCES) pyrec.c | xargs -P 2 -I SOURCE \
		clang-tidy --quiet SOURCE -- -std=gnu11 $(filter -D% -I%,$(ALL_CFLAGS)) 2>&1 | \
		grep -v 'warnings generated\|^Suppressed\|^Use -header-filter'

## bench: cost per sample beside perf's, from one run (root); never part of check
.PHONY: bench
bench: all
	$(Q)$(PYTHON) tests/bench/cost.py

## bench-report: speed and memory of report and script beside perf's (root); never part of check
.PHONY: bench-report
bench-report: all
	$(Q)$(PYTHON) tests/bench/report_speed.py

## bench-report-instructions: the same in instructions, by callgrind, where time is too noisy (root)
.PHONY: bench-report-instructions
bench-report-instructions: all
	$(Q)$(PYTHON) tests/bench/report_instructions.py

## demo: install what is missing, build, record a small program and show where its time goes
.PHONY: demo
demo:
	$(Q)tests/install-packages build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/demo/demo.sh

BIN_DIR = $(DESTDIR)$(PREFIX)/bin
MAN_DIR = $(DESTDIR)$(PREFIX)/share/man
HAS_ASCIIDOCTOR = $(shell command -v asciidoctor)

## install: install pyrec and its man pages below PREFIX= (/usr/local), staged in DESTDIR=
.PHONY: install
install: all $(if $(HAS_ASCIIDOCTOR),$(MAN_PAGES))
	$(Q)install -d $(BIN_DIR)
	$(Q)install -m 0755 $(O)/pyrec $(BIN_DIR)/pyrec
ifneq ($(HAS_ASCIIDOCTOR),)
	$(Q)$(foreach page,$(MAN_PAGES),install -D -m 0644 $(page) \
		$(MAN_DIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)) &&) true
else
	@echo '  asciidoctor is not installed: the man pages are left out'
endif

## uninstall: remove what install put there
.PHONY: uninstall
uninstall:
	$(Q)rm -f $(BIN_DIR)/pyrec $(foreach page,$(MAN_PAGES), \
		$(MAN_DIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST)) | awk -F': ' '{printf "  %-16s %s\n", $$1, $$2}'

## clean: remove what was built
.PHONY: clean
clean:
	$(Q)rm -rf build pyrec

-include $(OBJECTS:.o=.d) $(O)/pyrec.d $(wildcard $(O)/tests/*/*.d)
