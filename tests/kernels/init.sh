#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=sh
#
# The guest's first process: records a command with both objects, then the whole machine, and
# tells the console what came out, in sections that run.py reads. Powers off at the end.
export PATH=/bin:/usr/bin LC_ALL=C PAGER=cat
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev

section() {
	echo "@@ $*"
}

# Through a pipe: on a terminal pyrec would show its progress between the lines.
print_report() { # print_report NAME OPTION...
	name=$1
	shift
	pyrec report -i "/out/$name" "$@" 2>&1 | busybox cat
}

record() { # record NAME ARGUMENT...
	name=$1
	shift
	section "record $name"
	pyrec record -v -F 99 -d 3 -o "/out/$name" "$@" >/tmp/log 2>&1
	status=$?
	busybox cat /tmp/log
	section "status $name $status"
	section "info $name"
	pyrec info -i "/out/$name" 2>&1 | busybox cat
	section "python $name"
	print_report "$name" --format=folded --no-pid --python-only
	section "merged $name"
	print_report "$name" --format=folded --no-pid --annotate-kinds
	section "text $name" # for people
	print_report "$name" --sort=symbol --percent-limit=2
}

section "kernel $(busybox uname -r)"
section verifier
load_objects 2>&1
record command -- /usr/bin/python3 /spin.py
record legacy --legacy -- /usr/bin/python3 /spin.py
/usr/bin/python3 /spin.py &
busybox sleep 3
record machine -a
section end
busybox poweroff -f
