# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Kernels of Debian suites, fetched once into a cache outside of the tree.

Each suite has an apt configuration of its own there: the system's sources are neither used nor
changed.
"""

import os
import pathlib
import re
import shutil
import subprocess

MIRROR = "http://deb.debian.org"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
META_PACKAGE = "linux-image-cloud-amd64"

# Kernel series to test -> suite that has it. A fresh Debian 12 comes first; sid has the newest.
SUITES = {"6.1": "bookworm", "5.10": "bullseye", "6.12": "trixie", "sid": "sid"}


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "pyrec-tests"


class Apt:
    """apt-get and apt-cache over one suite."""

    def __init__(self, suite, folder):
        sources = folder / "sources.list"
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        lines = [f"deb [signed-by={KEYRING}] {MIRROR}/debian {suite} main"]
        if suite != "sid":
            security = f"{MIRROR}/debian-security {suite}-security"
            lines.append(f"deb [signed-by={KEYRING}] {security} main")
        sources.write_text("\n".join(lines) + "\n")
        self.options = []
        for option in (
            f"Dir::Etc::sourcelist={sources}",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State={folder}",
            "Dir::State::status=/dev/null",
            f"Dir::Cache={folder}/cache",
            "Acquire::Check-Valid-Until=false",
            "Acquire::Languages=none",
            "APT::Sandbox::User=root",
        ):
            self.options += ["-o", option]

    def run(self, tool, *arguments, cwd=None):
        command = [tool, *self.options, "-q", *arguments]
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout


def find_package(apt):
    """The package that holds the image of the suite's newest cloud kernel, and its release."""
    depends = apt.run("apt-cache", "depends", META_PACKAGE)
    release = re.search(r"linux-image-([0-9]\S+)", depends)[1]
    names = apt.run("apt-cache", "pkgnames", "linux-binary-").split()
    binary = f"linux-binary-{release}"  # newer suites: linux-image-* depends on it
    return (binary if binary in names else f"linux-image-{release}"), release


def fetch_kernel(series, folder):
    """Download the newest cloud kernel of a series and unpack its image into folder/SERIES."""
    lists = folder / "apt" / SUITES[series]
    apt = Apt(SUITES[series], lists)
    apt.run("apt-get", "update")
    package, release = find_package(apt)
    work = folder / "unpacked"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    apt.run("apt-get", "download", package, cwd=work)
    subprocess.run(["dpkg", "-x", next(work.glob("*.deb")), work], check=True)
    image = next(path for path in work.rglob("vmlinuz*") if path.is_file())
    target = folder / series
    target.mkdir(exist_ok=True)
    image = image.rename(target / f"vmlinuz-{release}")
    shutil.rmtree(work)
    shutil.rmtree(lists)
    return image


def find_kernel(series):
    """The cached image of a series; without one it is downloaded."""
    folder = cache_folder() / "kernels"
    images = sorted((folder / series).glob("vmlinuz-*"))
    return images[-1] if images else fetch_kernel(series, folder)
