# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the end-to-end tests share: running pyrec and targets, reading `pyrec script`, finding
interpreters, and prerequisites with a named reason to skip.

REQUIRE=all in the environment turns the skip of anything that a machine set up by
tests/install-packages can do into a failure.
"""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from dataclasses import dataclass, field

import pytest

import extensions
from extensions import ROOT, TARGETS

PYREC = os.environ.get("PYREC", os.path.join(ROOT, "pyrec"))
# The build folder; the front door of the tree is built in build/.
BUILD = os.path.join(ROOT, "build") if os.path.dirname(PYREC) == ROOT else os.path.dirname(PYREC)
SYSTEM_PYTHON = "/usr/bin/python3"
PYENV_ROOT = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
MINORS = ["3.11", "3.12", "3.13"]
# One C evaluation loop for each Python frame; the walk has no anchors there.
HEAP_FRAME_MINORS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"]
TIMEOUT_SECONDS = 120


def skip(reason, is_possible=True):
    """Skip the running test, or fail it where the machine could have run it."""
    if is_possible and os.environ.get("REQUIRE") == "all":
        pytest.fail(f"REQUIRE=all forbids this skip: {reason}")
    pytest.skip(reason)


def need_program(name, is_possible=True):
    path = shutil.which(name)
    if not path:
        skip(f"prerequisite {name}: not installed", is_possible)
    return path


def need_root():
    if os.geteuid() != 0:
        skip("prerequisite root: recording needs it")


def find_python(version):
    """An interpreter by minor version from $PYENV_ROOT, or Debian's own for "system"."""
    if version == "system":
        if not os.path.exists(SYSTEM_PYTHON):
            skip(f"prerequisite {SYSTEM_PYTHON}: not installed")
        return SYSTEM_PYTHON
    name = "python2.7" if version == "2.7" else "python3"
    found = glob.glob(os.path.join(PYENV_ROOT, "versions", version + ".*", "bin", name))
    if not found:
        skip(f"prerequisite CPython {version}: none below {PYENV_ROOT}/versions")
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path)])


def find_headers(python):
    """Where the headers of one interpreter are."""
    query = (
        "import sysconfig as s; "
        "print(s.get_path('include') + ' ' + (s.get_config_var('EXT_SUFFIX') or '.so'))"
    )
    answer = subprocess.run([python, "-c", query], capture_output=True, text=True, check=True)
    headers = extensions.Headers(*answer.stdout.split())
    if not headers.has_python_h():
        skip(f"prerequisite Python.h of {python}: not in {headers.include}")
    return headers


def build_extension(python, folder):
    """Compile spinext for one interpreter, with its own headers, into folder."""
    complaint = extensions.build_c(find_headers(python), folder)
    assert not complaint, complaint
    return folder


def clean_environment(**extra):
    """The environment without what would change a target's stacks or pyrec's output."""
    dropped = ("PYTHON", "COVERAGE", "LD_", "PYREC", "DEBUGINFOD")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **extra}


def run(command, timeout=TIMEOUT_SECONDS, **options):
    """One command to its end; text in result.stdout and result.stderr; stopped by timeout."""
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=options.pop("env", clean_environment()),
        start_new_session=True,
        **options,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"{command} still ran after {timeout} s\n{err.decode()[-2000:]}")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(
        command, process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    )


def pyrec(*arguments, timeout=TIMEOUT_SECONDS, status=0, **options):
    result = run([PYREC, *arguments], timeout, **options)
    if status is not None:
        assert result.returncode == status, (
            f"pyrec {' '.join(map(str, arguments))}: exit {result.returncode}\n"
            f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
        )
    return result


@contextlib.contextmanager
def started(command, **options):
    """A process in its own session; it and its children are gone when the block ends."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        env=options.pop("env", clean_environment()),
        start_new_session=True,
        **options,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_SECONDS)


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds} s")


@contextlib.contextmanager
def recording(path, *arguments):
    """A recorder that is ready to see new processes; stopped by SIGINT when the block ends.

    Yields the process; its .messages hold stderr after the block.
    """
    need_root()
    with open(f"{path}.messages", "w+", encoding="utf-8") as messages:
        with started([PYREC, "record", "-o", path, *arguments], stderr=messages) as process:
            wait_until(lambda: is_recording(process, path), "recorder's first checkpoint")
            process.messages = ""
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_SECONDS)
            messages.seek(0)
            process.messages = messages.read()
    os.unlink(f"{path}.messages")


def is_recording(process, path):
    """The first checkpoint has made the file whole: its data.size (header offset 48) is set."""
    assert process.poll() is None, f"the recorder ended at once with {process.returncode}"
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as data:
        header = data.read(104)
        return len(header) == 104 and int.from_bytes(header[48:56], "little") > 0
    return False


def record_command(path, command, *arguments, status=0, **options):
    """pyrec record … -- command, to its end."""
    need_root()
    return pyrec("record", "-o", path, *arguments, "--", *command, status=status, **options)


def documents(text):
    """The JSON lines of a target."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def run_target(python, name, *arguments):
    return [python, os.path.join(TARGETS, name), *map(str, arguments)]


@dataclass
class Frame:
    kind: str  # "p" Python, "n" native, "k" kernel
    name: str  # without py:: and offset
    dso: str
    line: int = 0  # executing line of a Python frame; 0: not printed
    ip: int = 0  # as printed
    position: tuple = ()  # as co_positions() has it, where columns are printed


@dataclass
class Sample:
    comm: str
    pid: int
    tid: int
    time_ns: int
    event: str
    frames: list = field(default_factory=list)  # root first

    def python_names(self):
        return [frame.name for frame in self.frames if frame.kind == "p"]


HEADER = re.compile(
    r"^(?P<comm>\S.*?)\s+(?P<pid>-?\d+)/(?P<tid>-?\d+)\s+(?:\[(?P<cpu>\d+)\]\s+)?"
    r"(?P<s>\d+)\.(?P<us>\d{6}):\s+(?P<period>\d+)\s+(?P<event>\S+?):\s*$"
)
# Names of Python have no blanks there, their files no blanks but any bracket.
PYTHON_FRAME = re.compile(r"^\s+(?P<ip>[0-9a-f]+) (?P<symbol>py::\S*) \((?P<dso>\S*)\)$")
FRAME = re.compile(r"^\s+(?P<ip>[0-9a-f]+) (?P<symbol>.*) \((?P<dso>[^()]*(?:\([^()]*\))?)\)$")
# --lines: FILE:LINE or FILE:?; --columns: FILE:LINE:COLUMN-END, FILE:LINE:COLUMN-ENDLINE:END
PLACE = re.compile(r"^(.*?)(?::(\d+|\?)(?::(\d+)(?:-(?:(\d+):)?(\d+))?)?)?$")
KERNEL_BEGIN = 0xFFFF800000000000


def parse_frame(line):
    match = PYTHON_FRAME.match(line) or FRAME.match(line)
    assert match, f"no frame of the perf-script grammar: {line!r}"
    symbol, dso, ip = match["symbol"], match["dso"], int(match["ip"], 16)
    if symbol.startswith("py::"):
        file, line, column, end_line, end = PLACE.match(dso).groups()
        line = int((line or "?").replace("?", "0"))
        position = ()
        if column:
            begin = int(column) - 1
            position = (line, int(end_line or line), begin, int(end or begin))
        return Frame("p", symbol[4:], file, line, ip, position)
    kind = "k" if ip >= KERNEL_BEGIN else "n"
    return Frame(kind, re.sub(r"\+0x[0-9a-f]+$", "", symbol), dso, ip=ip)


def parse_script(text):
    """Samples of perf-script text, frames turned root first. Any other line is an error."""
    samples = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            samples[-1].frames.insert(0, parse_frame(line))
            continue
        match = HEADER.match(line)
        assert match, f"no sample header of the perf-script grammar: {line!r}"
        time_ns = (int(match["s"]) * 10**6 + int(match["us"])) * 1000
        pid, tid = int(match["pid"]), int(match["tid"])
        samples.append(Sample(match["comm"], pid, tid, time_ns, match["event"]))
    return samples


def script(path, *arguments):
    """Without inlined functions: which there are depends on the debug information on this machine."""
    return parse_script(pyrec("script", "--columns", "--no-inline", "-i", path, *arguments).stdout)


def within(samples, begin_ns, end_ns):
    """Samples inside a window; script's times are cut to µs, so one is left out at each end."""
    return [s for s in samples if begin_ns + 1000 <= s.time_ns <= end_ns - 1000]


def info_rows(path, section):
    """{name: number} of one section of `pyrec info`: rows are "  name   number …"."""
    text = pyrec("info", "-i", path).stdout
    match = re.search(rf"^{section}\n((?:  .*\n?)*)", text, re.MULTILINE)
    rows = re.findall(r"^  (\S+(?: \S+)*?)\s+(\d+)", match[1], re.MULTILINE) if match else []
    return {name: int(number) for name, number in rows}


def samples_nr(path):
    """As many samples as pyrec wrote."""
    return info_rows(path, "samples")["all"]


def losses(path):
    """Losses by reason. Samples of tasks that were exiting are none: their memory was gone, there
    was no stack to record."""
    counts = info_rows(path, "losses")
    counts.pop("no_memory_map", None)
    return counts
