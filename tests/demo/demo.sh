#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Records the whole machine while a small program builds a string and compresses it, then shows
# which of its operations cost most.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=5
data=pyrec.data
program=tests/targets/text_work.py
export PAGER=cat

say() {
	printf '\n## %s\n' "$*"
}

if [ "$(id -u)" -ne 0 ]; then
	echo "demo: recording needs root; try: sudo make demo" >&2
	exit 1
fi

say "The program: which operation costs most?"
sed -n '/^def build_text/,/^def build_and/p' "$program" | sed '$d'

say "It runs for a while: /usr/bin/python3 $program"
/usr/bin/python3 "$program" $((seconds + 10)) &
workload=$!
trap 'kill "$workload" 2>/dev/null || true' EXIT

say "./pyrec record -a -F 499 -d $seconds -o $data"
./pyrec record -a -F 499 -d "$seconds" -o "$data"
kill "$workload"
wait "$workload" 2>/dev/null || true
trap - EXIT

say "./pyrec report -i $data --sort=symbol,srcline"
./pyrec report -i "$data" --sort=symbol,srcline --percent-limit 1 --no-children </dev/null

say "The recording is $data ($(stat -c %s "$data") bytes). It needs nothing else; try:"
cat <<END
  ./pyrec report -i $data                      the call tree
  ./pyrec report -i $data --format=folded      stacks for flamegraph.pl
  ./pyrec script -i $data                      every sample
  ./pyrec info -i $data                        header, counts, losses
  perf report -i $data                         stock perf reads it too (package linux-perf)
END
