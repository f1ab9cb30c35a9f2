# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A recorder inside a pid namespace sees the programs of that namespace, by their numbers there."""

import json
import os

from pyrec_harness import PYREC, need_program, need_root, run, script

INSIDE = """
/usr/bin/python3 {target} 60 > {out} &
sleep 0.5
{pyrec} record -q -F 499 -d 1.5 -o {data}
status=$?
echo $! >> {out}
kill $!
exit $status
"""


def test_recorder_inside_a_pid_namespace(workdir):
    need_root()
    need_program("unshare")
    target, out, data = (f"{workdir}/{name}" for name in ("target.py", "out", "x.data"))
    with open(target, "w", encoding="utf-8") as file:
        file.write(
            "import json, os, sys, time\n"
            "def inside_work(end):\n"
            "    while time.monotonic() < end: pass\n"
            "inside_work(time.monotonic() + float(sys.argv[1]))\n"
        )
    inside = INSIDE.format(target=target, out=out, data=data, pyrec=PYREC)
    result = run(["unshare", "-p", "-f", "--mount-proc", "sh", "-c", inside])
    assert result.returncode == 0, result.stderr
    with open(out, encoding="utf-8") as file:
        pid = json.loads(file.read().split()[-1])
    assert pid < 100, "the namespace counts its own processes"
    samples = script(data)
    own = [sample for sample in samples if sample.pid == pid]
    named = [sample for sample in own if "inside_work" in sample.python_names()]
    assert len(named) > 10, f"{len(named)} of {len(samples)} samples"
    assert len(own) == len(samples), "nothing else ran Python in that namespace"


def test_proc_of_another_pid_namespace(workdir):
    """It tells of other processes under the same numbers: refused, in one sentence."""
    need_root()
    need_program("unshare")
    data = f"{workdir}/x.data"
    result = run(["unshare", "-p", "-f", PYREC, "record", "-d", "1", "-o", data])
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("pyrec: /proc is not mounted or is that of another pid namespace")
    assert not os.path.exists(data)


def test_without_ptrace_capability(workdir):
    """CAP_BPF and CAP_PERFMON alone: names come from BPF."""
    need_root()
    need_program("setpriv")
    data = f"{workdir}/y.data"
    capabilities = "+bpf,+perfmon"
    command = [
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
        "--inh-caps", f"-all,{capabilities}", "--ambient-caps", f"-all,{capabilities}",
        PYREC, "record", "-q", "-a", "-F", "499", "-d", "2", "-o", data,
    ]
    result = run(["sh", "-c", 'chmod 777 "$1"; shift; "$@"', "sh", workdir,
                  "sh", "-c", WORKING.format(work=WORK), "sh", *command])
    assert result.returncode == 0, result.stderr
    named = [s for s in script(data) if "seen_by_bpf" in s.python_names()]
    assert len(named) > 10, f"{len(named)} samples; {result.stderr}"


WORK = (
    "import time\n"
    "def seen_by_bpf():\n"
    "    end = time.monotonic() + 60\n"
    "    while time.monotonic() < end: pass\n"
    "seen_by_bpf()\n"
)
WORKING = """
/usr/bin/python3 -c "{work}" &
"$@"
status=$?
kill $!
exit $status
"""
