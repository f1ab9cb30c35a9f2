#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Records the whole machine while a small program builds a string from chr() and %, and compresses
# it; then shows which of its operations cost most.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=5
pyrec=${PYREC:-./pyrec}
data=${DATA:-pyrec.data}
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
grep -n '' "$program" | sed -n '/:def build_text/,/return zlib/p'

say "It runs for a while: /usr/bin/python3 $program"
/usr/bin/python3 "$program" $((seconds + 10)) &
workload=$!
trap 'kill "$workload" 2>/dev/null || true' EXIT

say "$pyrec record -a -F 499 -d $seconds -o $data"
"$pyrec" record -a -F 499 -d "$seconds" -o "$data"
kill "$workload"
wait "$workload" 2>/dev/null || true
trap - EXIT

say "$pyrec report -i $data --sort=symbol --percent-limit 0.7"
echo "# [p] Python, [.] native, [k] kernel; each with all that it calls"
"$pyrec" report -i "$data" --sort=symbol --percent-limit 0.7 </dev/null

by_line=(--pid="$workload" --python-only --no-children "--sort=symbol,srcline")
say "$pyrec report -i $data ${by_line[*]}"
echo "# the answer: every sample of the program counted for the Python line that was running"
"$pyrec" report -i "$data" "${by_line[@]}" --percent-limit 1 </dev/null | grep -v '^#' | grep -v '^$'

say "The recording is $data ($(stat -c %s "$data") bytes). It needs nothing else; try:"
cat <<END
  $pyrec report -i $data -g                   the call tree
  $pyrec report -i $data --format=folded      stacks for flamegraph.pl
  $pyrec script -i $data                      every sample
  $pyrec info -i $data                        header, counts, losses
  perf report -i $data                         stock perf reads it too (package linux-perf)
END
