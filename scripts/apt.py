#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packages of another suite than the machine's, for unpacking into a folder of our own.

An apt with lists, sources and archives of its own: the machine's packages and sources stay as they
are, and no root rights are needed. Nothing here installs anything, or unpacks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common import die, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"


class PrivateApt:
    """apt-get for some suites; everything it writes lies in one folder."""

    def __init__(self, folder: Path, suites: Sequence[str]) -> None:
        if not KEYRING.exists():
            die(f"{KEYRING} is missing: only a Debian system can fetch from {', '.join(suites)}")
        self.archives = folder / "cache/archives"
        for path in (folder / "lists/partial", self.archives / "partial"):
            path.mkdir(parents=True)
        sources = folder / "sources.list"
        sources.write_text("".join(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n"
                                   for suite in suites))
        settings = {
            "Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache",
            # Only our own folder is written to: no lock of the machine's is needed.
            "Debug::NoLocking": 1, "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any", "Acquire::Retries": 1,
            "Acquire::http::Timeout": 20,
        }
        self.command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in settings.items())]
        if run([*self.command, "update"], check=False).returncode:
            die(f"{MIRROR} cannot be reached, or has no {', '.join(suites)}")

    def download(self, package: str, folder: Path) -> Path | None:
        """Fetch one package alone; None if the suites have it not."""
        run([*self.command, "download", package], cwd=folder, check=False)
        return next(folder.glob("*.deb"), None)

    def download_with_dependencies(self, package: str, suite: str) -> list[Path]:
        """Fetch a package and all it depends on that this machine lacks or has too old."""
        run([*self.command, "-y", "--no-install-recommends", "--download-only", f"-t{suite}",
             "install", package])
        debs = sorted(self.archives.glob("*.deb"))
        # What apt takes for installed already is not downloaded.
        if not any(deb.name.startswith(f"{package}_") for deb in debs):
            die(f"apt did not fetch {package}")
        return debs
