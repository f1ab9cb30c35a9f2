# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs in namespaces, in roots and mounts of their own, over files that were taken away: every
sample is the target's own stack, seen from outside."""

import os
import re
import shutil

import pytest

from containers import (
    RUNS,
    SHIFT_NS,
    TIME_NAMESPACE,
    Inside,
    descendants,
    in_mount_namespace,
    make_root,
    need_namespaces,
    own_cgroup,
    read,
    run_attached,
    run_from_start,
)
from pyrec_harness import (
    PYREC,
    SYSTEM_PYTHON,
    build_extension,
    find_python,
    need_program,
    need_root,
    pyrec,
    recording,
    run,
    run_target,
    script,
    started,
    wait_until,
)

NAMESPACES = {
    "pid": ["-p", "-f", "--mount-proc"],
    "user": ["-U", "-r"],
    "net_ipc_uts": ["-n", "-i", "-u"],
    "cgroup": ["-C"],
    "time": TIME_NAMESPACE,
    "nested_pid": ["-p", "-f", "unshare", "-p", "-f", "--mount-proc"],
    "all": ["-U", "-r", "-m", "-p", "-n", "-i", "-u", "-C", *TIME_NAMESPACE],
}


def fixed_stack(python, workdir, seconds=3):
    return run_target(python, "fixed_stack.py", seconds, build_extension(python, workdir))


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("namespace", NAMESPACES)
def test_namespaces(namespace, how, workdir):
    arguments = NAMESPACES[namespace]
    need_namespaces(*arguments)
    command = fixed_stack(find_python("3.12"), workdir)
    inside = RUNS[how](["unshare", *arguments, *command], workdir)
    inside.check(shift_ns=SHIFT_NS if "-T" in arguments else 0)
    inside.check_numbers()
    is_numbered = "-p" in arguments
    assert (inside.declaration()["pid"] != inside.outer) == is_numbered


# ---- Numbers ----

NUMBERED = """
import json, os, sys, threading, time

def spin(name):
    ids = {"name": name, "pid": os.getpid(), "tid": threading.get_native_id()}
    os.write(1, (json.dumps(ids) + "\\n").encode())
    code = f"def {name}(end):\\n    while time.monotonic() < end: pass"
    scope = {"time": time}
    exec(code, scope)
    scope[name](time.monotonic() + float(sys.argv[1]))

children = []
for nr in range(2):
    pid = os.fork()
    if pid == 0:
        thread = threading.Thread(target=spin, args=(f"thread_{nr}",))
        thread.start()
        spin(f"child_{nr}")
        thread.join()
        os._exit(0)
    children.append(pid)
spin("parent")
for pid in children:
    os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("is_late", [False, True], ids=["from_start", "attached"])
def test_numbers_of_children_and_threads(is_late, workdir):
    """Processes and threads are told apart by the numbers that they themselves have, those that are
    forked while it records and those that are there."""
    need_namespaces(*NAMESPACES["pid"])
    seconds = "3" if is_late else "0.7"
    command = ["unshare", *NAMESPACES["pid"], find_python("3.12"), "-c", NUMBERED, seconds]
    if is_late:
        inside = run_attached(command, workdir, options=["-a"], lines=5)
    else:
        inside = run_from_start(command, workdir)
    told = [eval(line) for line in inside.output.splitlines()]
    assert len(told) == 5
    samples = script(inside.path, "--ns-pid", "--python-only")
    for ids in told:
        own = [s for s in samples if ids["name"] in s.python_names()]
        assert len(own) > 1, ids
        assert {(s.pid, s.tid) for s in own} == {(ids["pid"], ids["tid"])}, ids


# ---- Clocks ----


def test_recorder_in_time_namespace_attaches(workdir):
    """stat(5) tells start times by the clock of who reads it, the kernel compares its own."""
    need_namespaces(*TIME_NAMESPACE)
    command = fixed_stack(find_python("3.12"), workdir)
    run_attached(command, workdir, recorder=["unshare", *TIME_NAMESPACE]).check()


@pytest.mark.parametrize("form", [[], ["--legacy"]], ids=["loop", "legacy"])
def test_recorder_in_time_namespace_starts(form, workdir):
    need_namespaces(*TIME_NAMESPACE)
    path = f"{workdir}/x.data"
    command = fixed_stack(find_python("3.12"), workdir)
    recorder = ["unshare", *TIME_NAMESPACE, PYREC, "record", "-F", "499", *form, "-o", path]
    result = run([*recorder, "--", *command])
    assert result.returncode == 0, result.stderr
    outer = {s.pid for s in script(path)}
    assert len(outer) == 1
    Inside(path, result.stdout, outer.pop()).check(shift_ns=SHIFT_NS)
    assert "out of order" not in pyrec("report", "-i", path).stdout


# ---- Mounts and roots ----

OVERLAY = """
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay none -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$2"
test -z "$3" || touch "$2"/lib/libpython3*.so.1.0 "$2"/bin/python3.*
shift 3
exec "$@"
"""


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("copied_up", ["", "yes"], ids=["lower", "upper"])
def test_overlay(copied_up, how, workdir):
    """The interpreter's files are an overlay's, whose devices stat(2) and the memory map tell differently."""
    need_namespaces("-m")
    python = find_python("3.12")
    prefix = os.path.dirname(os.path.dirname(python))
    os.mkdir(f"{workdir}/layer")
    command = fixed_stack(python, workdir)
    overlay = in_mount_namespace(OVERLAY, f"{workdir}/layer", prefix, copied_up, *command)
    RUNS[how](overlay, workdir).check()


# Not map_files, so that files are looked for by path below the process's root.
BY_PATH = ["setpriv", "--bounding-set", "-sys_admin,-checkpoint_restore"]
BY_PATH += ["--inh-caps", "-sys_admin,-checkpoint_restore"]


def test_overlay_by_path(workdir):
    need_namespaces("-m")
    need_program("setpriv")
    python = find_python("3.12")
    prefix = os.path.dirname(os.path.dirname(python))
    os.mkdir(f"{workdir}/layer")
    command = fixed_stack(python, workdir)
    overlay = in_mount_namespace(OVERLAY, f"{workdir}/layer", prefix, "", *command)
    run_attached(overlay, workdir, recorder=BY_PATH).check()


UNFRIENDLY = """
mount -t tmpfs -o noexec none "$1"
cd "$1"
mount -o remount,ro,noexec "$1"
shift
exec "$@"
"""


def test_read_only_working_folder(workdir):
    need_namespaces("-m")
    os.mkdir(f"{workdir}/folder")
    command = fixed_stack(find_python("3.12"), workdir)
    run_from_start(in_mount_namespace(UNFRIENDLY, f"{workdir}/folder", *command), workdir).check()


@pytest.mark.parametrize("how", RUNS)
def test_chroot(how, workdir):
    need_root()
    for name in ("extension", "root"):
        os.mkdir(f"{workdir}/{name}")
    extension = build_extension(SYSTEM_PYTHON, f"{workdir}/extension")
    command = make_root(f"{workdir}/root", extension)
    inside = RUNS[how](["chroot", f"{workdir}/root", *command], workdir)
    paths = {frame.dso for sample in inside.check() for frame in sample.frames}
    assert not [path for path in paths if path.startswith(workdir)], "named as they are inside"


TWINS = """
mount --bind "$1" "$2"
shift 2
exec unshare -p -f --mount-proc sh -c '"$@"; true' sh "$@"
"""


def twin(version, workdir):
    """An interpreter at a path at which others see another one, as process 2 of its namespace."""
    python = find_python(version)
    place = f"{workdir}/opt"
    command = fixed_stack(python, workdir, 3)[1:]
    environment = ["env", f"LD_LIBRARY_PATH={place}/lib", f"PYTHONHOME={place}"]
    prefix = os.path.dirname(os.path.dirname(python))
    return in_mount_namespace(TWINS, prefix, place, *environment, f"{place}/bin/python3", *command)


@pytest.mark.parametrize("is_late", [False, True], ids=["from_start", "attached"])
def test_twins(is_late, workdir):
    """Two versions, the same path, the same pid: each is walked and named by its own."""
    need_namespaces("-m", "-p", "-f")
    os.mkdir(f"{workdir}/opt")
    path = f"{workdir}/x.data"
    outputs = [f"{workdir}/output{nr}" for nr in range(2)]
    commands = [twin(version, workdir) for version in ("3.11", "3.12")]
    with open(outputs[0], "w", encoding="utf-8") as one, open(outputs[1], "w", encoding="utf-8") as two:
        if is_late:
            with started(commands[0], stdout=one) as a, started(commands[1], stdout=two) as b:
                outers = twins_outside(outputs, a, b)
                pyrec("record", "-p", ",".join(map(str, outers)), "-F", "499", "-d", "2", "-o", path)
                assert (a.wait(30), b.wait(30)) == (0, 0)
        else:
            with recording(path, "-F", "499"):
                with started(commands[0], stdout=one) as a, started(commands[1], stdout=two) as b:
                    outers = twins_outside(outputs, a, b)
                    assert (a.wait(30), b.wait(30)) == (0, 0)
    assert outers[0] != outers[1]
    for output, outer in zip(outputs, outers):
        inside = Inside(path, read(output), outer)
        inside.check(samples_min=20)
        assert inside.declaration()["pid"] == 2
        assert {(s.pid, s.tid) for s in script(path, "--ns-pid", "--pid=2")} == {(2, 2)}
    libraries = re.findall(r"CPython (3\.1[12])\S*,.*/opt/lib/libpython", pyrec("info", "-i", path).stdout)
    assert sorted(libraries) == ["3.11", "3.12"]


def twins_outside(outputs, *processes):
    wait_until(lambda: all("\n" in read(output) for output in outputs), "both declarations")
    return [descendants(process.pid)[-1] for process in processes]


# ---- Files that went away ----


def build_id(path):
    need_program("readelf")
    return re.search(r"Build ID: (\w+)", run(["readelf", "-n", path]).stdout)[1]


def bundled(path):
    return re.findall(r"^ +\d+  ([0-9a-f]{40})  ", pyrec("info", "-i", path).stdout, re.MULTILINE)


def shared_copy(workdir):
    """(command, the file that holds its interpreter, another version's)"""
    python = find_python("3.12")
    other = find_python("3.11")
    library, other_library = (
        os.path.join(os.path.dirname(os.path.dirname(of)), "lib", f"libpython{minor}.so.1.0")
        for of, minor in ((python, "3.12"), (other, "3.11"))
    )
    os.mkdir(f"{workdir}/lib")
    file = shutil.copy(library, f"{workdir}/lib")
    command = fixed_stack(python, workdir)
    return ["env", f"LD_LIBRARY_PATH={workdir}/lib", *command], file, other_library


def static_copy(workdir):
    file = shutil.copy(os.path.realpath(SYSTEM_PYTHON), f"{workdir}/python3.11")
    os.mkdir(f"{workdir}/extension")
    extension = build_extension(SYSTEM_PYTHON, f"{workdir}/extension")
    other = find_python("3.12")
    other = os.path.join(os.path.dirname(os.path.dirname(other)), "lib", "libpython3.12.so.1.0")
    return run_target(file, "fixed_stack.py", 3, extension), file, other


COPIES = {"shared": shared_copy, "static": static_copy}


@pytest.mark.parametrize("form", COPIES)
def test_deleted(form, workdir):
    need_root()
    command, file, _ = COPIES[form](workdir)
    own = build_id(file)
    inside = run_attached(command, workdir, meanwhile=lambda: os.unlink(file))
    inside.check()
    assert own in bundled(inside.path)


@pytest.mark.parametrize("form", COPIES)
def test_replaced(form, workdir):
    """An upgrade under a running program: what is mapped counts, not what has its path now."""
    need_root()
    command, file, other = COPIES[form](workdir)
    own = build_id(file)
    shutil.copy(other, f"{workdir}/new")
    inside = run_attached(command, workdir, meanwhile=lambda: os.replace(f"{workdir}/new", file))
    assert build_id(file) != own
    inside.check()
    assert own in bundled(inside.path) and build_id(file) not in bundled(inside.path)


@pytest.mark.parametrize("form", COPIES)
def test_replaced_and_out_of_reach(form, workdir):
    """Without the right to open what is mapped: nothing is told by the new file, also not in report."""
    need_root()
    need_program("setpriv")
    command, file, other = COPIES[form](workdir)
    shutil.copy(other, f"{workdir}/new")
    inside = run_attached(
        command,
        workdir,
        meanwhile=lambda: os.replace(f"{workdir}/new", file),
        recorder=BY_PATH,
        options=["--all-processes"],
    )
    samples = script(inside.path, f"--pid={inside.outer}")
    assert len(samples) > 20
    frames = [frame for sample in samples for frame in sample.frames]
    assert not [frame for frame in frames if frame.kind == "p"]
    assert {f.name for f in frames if f.dso.startswith(file)} == {"[unknown]"}
    assert build_id(file) not in bundled(inside.path)


# ---- All of it ----

PIVOT = """
echo $$ >"$1/cgroup.procs"
root=$2
shift 2
exec unshare -U -r -m -p -f -n -i -u -C sh -c '
    set -e
    mount --bind "$1" "$1"
    cd "$1"
    pivot_root . old
    shift
    exec /old/usr/sbin/chroot . "$@"
' sh "$root" "$@"
"""
CONTAINER = "5ca1ab1e" * 8


@pytest.mark.parametrize("how", RUNS)
def test_container(how, workdir):
    need_namespaces("-U", "-r", "-m", "-p", "-n", "-i", "-u", "-C", "-f")
    for name in ("extension", "root"):
        os.mkdir(f"{workdir}/{name}")
    command = make_root(f"{workdir}/root", build_extension(SYSTEM_PYTHON, f"{workdir}/extension"))
    with own_cgroup(f"pyrec-{os.getpid()}.slice", f"docker-{CONTAINER}.scope") as (folder, cgroup):
        contained = ["sh", "-c", PIVOT, "sh", folder, f"{workdir}/root", *command]
        inside = RUNS[how](contained, workdir)
    samples = inside.check()
    inside.check_numbers()
    assert inside.declaration()["pid"] == 1
    named = script(inside.path, f"--cgroup={CONTAINER[:12]}", f"--pid={inside.outer}")
    assert {s.time_ns for s in samples} <= {s.time_ns for s in named}
    report = ["report", "-i", inside.path, f"--pid={inside.outer}", "--no-children"]
    rows = pyrec(*report, "--sort=cgroup,container").stdout.splitlines()
    cells = [row.split()[-2:] for row in rows if not row.startswith("#")]
    assert cells == [[cgroup, CONTAINER[:12]]]
    assert f"  {CONTAINER[:12]}        {cgroup}\n" in pyrec("info", "-i", inside.path).stdout
