#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs the tests, stage by stage, and sums them up in one last line. Without arguments: all stages.
#
#   check.sh [lint unit layers golden hostbpf sanitize fuzz-smoke docs-test e2e pythons]
#
# Environment: O (build folder), PYTHON, MAKE, REQUIRE=all (a skip of what this machine can do fails),
# ALSO (stages beside all; pythons is run only when named), FUZZ_SECONDS (of each fuzzer).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

O=${O:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
read -ra make <<<"${MAKE:-make} --no-print-directory"
fuzz_seconds=${FUZZ_SECONDS:-15}
passed=0 failed=0 skipped=0
failed_stages=()
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

heading() {
	printf '== %s\n' "$*"
}

# add NAME PASSED FAILED SKIPPED: count, and show the whole log of what failed.
add() {
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	if [ "$3" -gt 0 ]; then
		failed_stages+=("$1")
		echo "-- $1: $3 failed"
	else
		echo "   $1: $2 passed$([ "$4" -eq 0 ] || echo ", $4 skipped")"
	fi
}

last_number_before() { # last_number_before WORD: 12 of "… 12 passed …" in the log's last summary
	grep -Eo "[0-9]+ $1" "$log" | tail -n 1 | grep -Eo '^[0-9]+' || echo 0
}

run_plain() { # run_plain NAME COMMAND…: one test, passed when it exits 0
	local name=$1
	shift
	if "$@" >"$log" 2>&1 </dev/null; then
		add "$name" 1 0 0
	else
		cat "$log"
		add "$name" 0 1 0
	fi
}

run_cmocka() { # run_cmocka BINARY…: counts what cmocka prints; a crash is one failure more
	local binary status ok bad
	for binary in "$@"; do
		timeout 300 "$binary" >"$log" 2>&1 </dev/null
		status=$?
		ok=$(grep -c '^\[ *OK \]' "$log")
		bad=$(last_number_before 'test\(s\), listed below' | tail -n 1)
		if [ "$status" -ne 0 ]; then
			cat "$log"
			[ "$bad" -gt 0 ] || bad=1
		elif [ "$ok" -eq 0 ]; then
			echo "$binary ran no test"
			bad=1
		fi
		add "$(basename "$binary")" "$ok" "$bad" 0
	done
}

run_pytest() { # run_pytest NAME ARGUMENT…
	local name=$1 status bad
	shift
	"$PYTHON" -m pytest -p no:cacheprovider -q -ra --tb=short "$@" </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	tail -n 1 "$log" >"$log.last" && mv "$log.last" "$log"
	bad=$(($(last_number_before failed) + $(last_number_before 'errors?')))
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	add "$name" "$(last_number_before passed)" "$bad" "$(last_number_before skipped)"
}

build() { # build TARGET…: a build that fails is a failed test of its stage
	if ! "${make[@]}" O="$O" "$@" </dev/null; then
		add "build of $*" 0 1 0
		return 1
	fi
}

binaries() { # binaries FOLDER SOURCE_GLOB_FOLDER PREFIX: the test binaries of a source folder
	local source
	for source in "$2/$3"*.c; do
		[ -e "$source" ] && echo "$1/${source%.c}"
	done
}

stage_lint() {
	heading "lint: format, spelling, shell scripts, layers"
	run_plain lint tests/pre-commit --all
}

stage_unit() {
	heading "unit"
	build unit-tests || return
	mapfile -t tests < <(binaries "$O" tests/unit test_)
	run_cmocka "${tests[@]}"
}

stage_layers() {
	heading "layers"
	run_plain layers "$PYTHON" tests/layers.py
	run_pytest "tests of layers" tests/test_layers.py
}

stage_golden() {
	heading "golden"
	build all || return
	PYREC=$(realpath -m "$O/pyrec") run_pytest golden tests/golden
}

stage_hostbpf() {
	heading "hostbpf"
	build hostbpf-tests || return
	mapfile -t tests < <(binaries "$O" tests/hostbpf test_)
	[ ${#tests[@]} -eq 0 ] || run_cmocka "${tests[@]}"
}

stage_sanitize() {
	heading "sanitize: unit, hostbpf and golden with ASan and UBSan"
	build sanitized || return
	export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	mapfile -t tests < <(
		binaries "$O/san" tests/unit test_
		binaries "$O/san" tests/hostbpf test_
	)
	run_cmocka "${tests[@]}"
	PYREC=$(realpath -m "$O/san/pyrec") run_pytest "golden, sanitized" tests/golden
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

make_corpus() { # make_corpus FUZZER FOLDER: files that are there for all, and its own script's
	local script="tests/fuzz/$1_corpus.py"
	find tests/golden tests/fuzz/corpus -type f -size -256k -exec cp -t "$2" {} + 2>/dev/null
	[ ! -x "$script" ] || "$PYTHON" "$script" "$2"
}

stage_fuzz_smoke() {
	local fuzzer name corpus
	heading "fuzz-smoke: $fuzz_seconds s each"
	build fuzzers-clang || return
	for fuzzer in $(binaries "$O/fuzz" tests/fuzz fuzz_); do
		name=$(basename "$fuzzer")
		corpus=$(mktemp -d) || return
		make_corpus "$name" "$corpus" || add "corpus of $name" 0 1 0
		run_plain "$name" timeout $((fuzz_seconds + 60)) "$fuzzer" \
			-max_total_time="$fuzz_seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=512 -verbosity=1 \
			-artifact_prefix="$O/fuzz/" "$corpus"
		rm -rf "$corpus"
	done
}

stage_docs_test() {
	heading "docs-test"
	[ -d tests/docs ] || return 0
	build all || return
	PYREC=$(realpath -m "$O/pyrec") run_pytest docs-test tests/docs
}

stage_e2e() {
	heading "e2e"
	build all native-tools || return
	PYREC=$(realpath -m "$O/pyrec") run_pytest e2e -v tests/e2e
}

stage_pythons() {
	local status bad
	heading "pythons: every CPython that is here or in Debian's archive"
	"${make[@]}" O="$O" check-pythons </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	bad=$(last_number_before 'failed$')
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	add pythons "$(last_number_before 'passed, [0-9]+ failed$')" "$bad" 0
}

stages=("$@")
read -ra also <<<"${ALSO:-}"
[ $# -gt 0 ] || stages=(lint unit layers golden hostbpf sanitize fuzz-smoke docs-test e2e "${also[@]}")
for stage in "${stages[@]}"; do
	if ! declare -F "stage_${stage//-/_}" >/dev/null; then
		echo "check.sh: no stage is called '$stage'" >&2
		exit 129
	fi
	"stage_${stage//-/_}"
done

echo
[ ${#failed_stages[@]} -eq 0 ] || printf 'failed: %s\n' "${failed_stages[@]}"
summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary+=", $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
