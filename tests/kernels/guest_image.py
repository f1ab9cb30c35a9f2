# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""An initramfs with busybox, pyrec and a stripped Python, as one gzip'd cpio archive."""

import gzip
import pathlib
import re
import shutil
import stat
import subprocess
import sysconfig

HERE = pathlib.Path(__file__).parent
PYTHON = "/usr/bin/python3"
# Empty, but an interpreter recognizes its home by it.
DYNLOAD = sysconfig.get_path("stdlib").lstrip("/") + "/lib-dynload"


class Cpio:
    """Writer of the "newc" form that the kernel unpacks."""

    def __init__(self, stream):
        self.stream = stream
        self.inode = 1
        self.folders = {"."}

    def add(self, name, mode, data=b""):
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        self.inode += 1
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        head += name.encode() + b"\0"
        self.stream.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def add_folder(self, name):
        if name not in self.folders:
            self.folders.add(name)
            self.add_folder(str(pathlib.PurePath(name).parent))
            self.add(name, stat.S_IFDIR | 0o755)

    def add_file(self, path, data):
        name = str(path).lstrip("/")
        self.add_folder(str(pathlib.PurePath(name).parent))
        self.add(name, stat.S_IFREG | 0o755, data)

    def close(self):
        self.add("TRAILER!!!", 0)


def shared_objects(binary):
    """What the loader would map for a program: paths as they are written in its dynamic section."""
    text = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(/\S+) \(0x", text))


def stripped(path, scratch):
    target = scratch / pathlib.Path(path).name
    subprocess.run(["strip", "--strip-debug", "-o", target, path], check=True)
    return target.read_bytes()


def python_modules():
    """Files of the modules that an interpreter loads to run a program like the target."""
    listing = (
        "import sys, encodings.ascii;"
        "print(*(getattr(module, '__file__', '') for module in sys.modules.values()))"
    )
    done = subprocess.run([PYTHON, "-c", listing], capture_output=True, text=True, check=True)
    return set(re.findall(r"/usr/lib/python3\.\d+/\S*\.py\b", done.stdout))


def build_image(target, binaries, scratch):
    """Write the initramfs to @target. @binaries: name in the guest's /bin -> path here."""
    python = str(pathlib.Path(PYTHON).resolve())
    busybox = shutil.which("busybox")
    files = {"/init": (HERE / "init.sh").read_bytes(), "/spin.py": (HERE / "spin.py").read_bytes()}
    programs = {**{f"/bin/{name}": path for name, path in binaries.items()}, PYTHON: python}
    for name, path in programs.items():
        files[name] = stripped(path, scratch)
        for library in shared_objects(path):
            files[library] = pathlib.Path(library).read_bytes()
    files["/bin/busybox"] = pathlib.Path(busybox).read_bytes()
    for name in python_modules():
        files[name] = pathlib.Path(name).read_bytes()
    with gzip.open(target, "wb", compresslevel=1) as stream:
        archive = Cpio(stream)
        for name in ("proc", "sys", "dev", "tmp", "out", DYNLOAD):
            archive.add_folder(name)
        for name in sorted(files):
            archive.add_file(name, files[name])
        archive.close()
