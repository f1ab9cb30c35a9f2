# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Packages of any Debian suite, unpacked into a folder, nothing installed.

Each suite has an apt configuration of its own in the cache; the system's own sources are only asked
for the mirror.
"""

import pathlib
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TIMEOUT_SECONDS = 600


class NoArchive(OSError):
    """There is no network, no mirror on it, or the mirror lacks what its index lists."""


def run(command, timeout_seconds=TIMEOUT_SECONDS, **options):
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
        **options,
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise OSError(f"{words}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def find_mirror():
    """The archive that the system itself uses for Debian's main suites."""
    form = "$(REPO_URI)|$(ORIGIN)|$(LABEL)"
    targets = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    rows = [line.split("|") for line in targets.splitlines()]
    mirrors = [uri for uri, origin, label in rows if (origin, label) == ("Debian", "Debian")]
    if not mirrors:
        raise OSError("apt knows of no Debian mirror: is this Debian, and was apt-get update run?")
    return mirrors[0]


class Archive:
    """apt over one suite, its state and its downloads in folder; kind: deb or deb-src."""

    def __init__(self, suite, folder, kind="deb"):
        self.folder = pathlib.Path(folder)
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        sources = self.folder / "sources.list"
        sources.write_text(f"{kind} [signed-by={KEYRING}] {find_mirror()} {suite} main\n")
        self.options = []
        for option in (
            f"Dir::Etc::sourcelist={sources}",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State={self.folder}/state",
            "Dir::State::status=/dev/null",
            f"Dir::Cache={self.folder}/cache",
            "Acquire::Check-Valid-Until=false",
            "Acquire::Languages=none",
            "APT::Install-Recommends=false",
            "APT::Sandbox::User=root",
            "Debug::NoLocking=true",
        ):
            self.options += ["-o", option]

    def fetch(self, *arguments, **options):
        """apt-get, for what needs the mirror."""
        try:
            run(["apt-get", *self.options, "-q", *arguments], **options)
        except OSError as error:
            raise NoArchive(error) from error

    def update(self):
        self.fetch("update", "--error-on=any")

    def has(self, package):
        return bool(run(["apt-cache", *self.options, "pkgnames", package]).split().count(package))

    def unpack(self, packages, alone, tree):
        """Unpack packages with all that they depend on, and those of alone without it."""
        self.fetch("-y", "--download-only", "install", *packages)
        archives = self.folder / "cache" / "archives"
        if alone:
            self.fetch("download", *alone, cwd=archives)
        for package in sorted(archives.glob("*.deb")):
            run(["dpkg", "-x", package, tree])

    def download_source(self, package, folder):
        """Its source package's files into folder; the archive must be of the kind deb-src."""
        self.fetch("--download-only", "source", package, cwd=folder)
