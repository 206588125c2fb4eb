#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which QEMU runs a row: the machine's own, or a newer one unpacked beside it.

Debian 12 has QEMU 7.2. A row that needs a newer one gets it from bookworm-backports, through an
apt configuration of its own (lists, sources and archives in the cache): the machine's packages and
sources stay as they are, and no root rights are needed. Nothing here starts a guest.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from apt import PrivateApt
from common import CACHE, Failure, die, locked, run, step, which

QEMU = "qemu-system-x86_64"
ROOT = CACHE / "qemu"
SUITE = "bookworm"
PACKAGE = "qemu-system-x86"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


@dataclass(frozen=True)
class Emulator:
    """A QEMU: how it is called, and which one it is."""

    program: str
    version: str
    options: list[str] = field(default_factory=list)
    """Where its firmware lies."""
    environment: dict[str, str] = field(default_factory=dict)
    """Where its modules and libraries lie."""

    @property
    def number(self) -> list[int]:
        """The version, for comparing."""
        return [int(part) for part in re.findall(r"\d+", self.version)]


def wanted(needs: str) -> int:
    """Return the major version that a row's "needs" asks for; 0: any will do."""
    match = re.fullmatch(r"qemu>=(\d+)", needs)
    if needs and not match:
        die(f"needs = {needs!r} is not understood")
    return int(match[1]) if match else 0


def find(needs: str = "") -> Emulator:
    """Return a QEMU that a row can run on; a Failure says why there is none."""
    major = wanted(needs)
    own = probe(Emulator(which(QEMU) or die(f"{QEMU} is not installed"), "0"))
    if own.number[0] >= major:
        return own
    ROOT.mkdir(parents=True, exist_ok=True)
    with locked(ROOT / ".lock", "the folder of newer QEMUs"):
        return _kept(major) or _fetch(major, own.version)


def probe(emulator: Emulator) -> Emulator:
    """Ask a QEMU for its version; that shows as well that it starts."""
    done = run(["env", *(f"{k}={v}" for k, v in emulator.environment.items()),
                emulator.program, "--version"], check=False)
    match = re.search(r"version (\d+(?:\.\d+)+)", done.stdout)
    if not match:
        said = (done.stderr.strip() or "it tells no version").splitlines()[-1]
        die(f"{emulator.program} does not run: {said}")
    return Emulator(emulator.program, match[1], emulator.options, emulator.environment)


def unpacked(root: Path) -> Emulator:
    """Describe a QEMU that lies in a folder of its own."""
    share = root / "usr/share"
    return Emulator(
        str(root / "usr/bin" / QEMU), root.name,
        [word for name in ("qemu", "seabios") for word in ("-L", str(share / name))],
        {"QEMU_MODULE_DIR": str(root / LIBRARIES[0] / "qemu"),
         "LD_LIBRARY_PATH": os.pathsep.join(str(root / part) for part in LIBRARIES)})


def _kept(major: int) -> Emulator | None:
    """Return the newest QEMU in the cache that will do."""
    have = [unpacked(path) for path in ROOT.glob("[0-9]*")]
    fit = [e for e in have if e.number[0] >= major]
    return max(fit, key=lambda e: e.number) if fit else None


def _fetch(major: int, own: str) -> Emulator:
    """Download and unpack; what has a version's name is whole."""
    why = f"needs QEMU {major}, this machine has {own}"
    if platform.freedesktop_os_release().get("VERSION_CODENAME") != SUITE:
        die(f"{why}; only for Debian 12 a newer one can be fetched")
    scratch = Path(tempfile.mkdtemp(dir=ROOT, prefix=".fetch-"))
    try:
        with step(f"fetching QEMU {major} from {SUITE}-backports"):
            debs = _download(scratch)
            for deb in debs:
                run(["dpkg-deb", "-x", deb, scratch / "root"])
        version = probe(unpacked(scratch / "root")).version
        if int(version.partition(".")[0]) < major:
            die(f"{SUITE}-backports has {version}")
        shutil.rmtree(ROOT / version, ignore_errors=True)
        (scratch / "root").rename(ROOT / version)
    except Failure as failure:
        raise Failure(f"{why}, and none can be fetched: {failure}") from failure
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return unpacked(ROOT / version)


def _download(folder: Path) -> list[Path]:
    """Fetch the package and what it needs."""
    backports = f"{SUITE}-backports"
    return PrivateApt(folder, [SUITE, backports]).download_with_dependencies(PACKAGE, backports)
