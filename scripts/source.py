#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pristine kernel sources: which versions are known, where they come from, where they lie.

A source is a Debian package linux-source-X.Y, unpacked once into the cache and never written to
again, or a tree of the user's own (KDIR). Nothing in this file patches, configures or builds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from apt import PrivateApt
from common import CACHE, Failure, apt_update, die, locked, need, run, say, step

SRC = CACHE / "src"
TARBALLS = Path("/usr/src")


@dataclass(frozen=True)
class Known:
    """A kernel version that was tested here."""

    tested: str
    """The exact version of the Debian package."""
    lost: frozenset[str] = frozenset()
    """Configuration symbols of kernel.config that this version does not have."""
    suite: str = ""
    """Where the package is, if that is not the machine's own Debian."""
    sparse: bool = True
    """Debian's sparse understands its headers."""


KNOWN = {
    "6.1": Known(tested="6.1.192-2",
                 lost=frozenset({"CONFIG_VMCORE_INFO", "CONFIG_X86_POSTED_MSI"})),
    "6.12": Known(tested="6.12.117-1~deb12u1"),
    "7.3": Known(tested="7.3.4-1~bpo13+1",
                 lost=frozenset({"CONFIG_CRYPTO_SHA256", "CONFIG_DMA_API_DEBUG_SG"}),
                 suite="trixie-backports", sparse=False),
}
DEFAULT = "6.12"


@dataclass(frozen=True)
class Source:
    """One pristine tree."""

    version: str
    """As people say it: 6.12."""
    path: Path
    label: str
    """With its last digits: 6.12.117-1."""
    foreign: bool = False
    """A tree of the user's own, which may change under us."""

    @property
    def number(self) -> int:
        """What TAKEOVER_KERNEL stands for: 6.12 is 61200."""
        major, minor = self.version.split(".")
        return int(major) * 10000 + int(minor) * 100

    @property
    def key(self) -> str:
        """Names the build trees made from this source."""
        if not self.foreign:
            return self.version
        return f"{self.version}-{hashlib.sha256(str(self.path).encode()).hexdigest()[:8]}"

    @property
    def no_sparse(self) -> bool:
        """Is sparse of no use on it?"""
        return self.version in KNOWN and not KNOWN[self.version].sparse

    @property
    def lost(self) -> frozenset[str]:
        """Configuration symbols that need not survive."""
        return KNOWN[self.version].lost if self.version in KNOWN else frozenset()


def find(version: str | None = None, kdir: str | None = None) -> Source:
    """Return the pristine source for a version, fetching it if need be, or check a KDIR."""
    if version is not None and not re.fullmatch(r"\d+\.\d+", version):
        die(f"KERNEL={version}: not a kernel version like {DEFAULT}")
    if kdir:
        return _own_tree(version, Path(kdir))
    version = version or DEFAULT
    if version not in KNOWN:
        die(f"KERNEL={version}: known are {', '.join(KNOWN)} (another tree: KDIR=path)")
    return _packaged(version)


def _own_tree(version: str | None, path: Path) -> Source:
    path = path.expanduser().resolve()
    if not path.is_dir():
        die(f"KDIR={path}: no such directory")
    if not all((path / part).exists() for part in ("Makefile", "Kconfig", "drivers/iommu/intel")):
        die(f"KDIR={path}: not a Linux source tree")
    # The build tree is made of hard links: a compiler would write through them into objects that
    # lie in a used tree. The kernel's own out-of-tree build refuses such trees too.
    used = [p for p in (".config", "include/config", "vmlinux") if (path / p).exists()]
    if used:
        die(f"KDIR={path}: the tree is not clean ({used[0]}); run make mrproper there")
    text = (path / "Makefile").read_text()
    found = {k: m[1] for k in ("VERSION", "PATCHLEVEL", "SUBLEVEL")
             if (m := re.search(rf"^{k} = (\d+)$", text, re.MULTILINE))}
    if len(found) != 3:
        die(f"KDIR={path}: its Makefile tells no version")
    short = f"{found['VERSION']}.{found['PATCHLEVEL']}"
    if version not in (None, short):
        die(f"KDIR={path} is Linux {short}, not KERNEL={version}")
    if short not in KNOWN:
        say(f"warning: Linux {short} is untested; tested are {', '.join(KNOWN)}")
    return Source(short, path, f"{short}.{found['SUBLEVEL']}", foreign=True)


def _short(package_version: str) -> str:
    """Drop the suffix of a Debian update: it says where a package was built, not what is in it."""
    return package_version.partition("~")[0]


def _packaged(version: str) -> Source:
    tested = KNOWN[version].tested
    wanted = SRC / f"linux-{_short(tested)}"
    # Lint and a build ask at the same time; the second of them finds what the first fetched.
    with locked(SRC / f".{version}.lock", f"the source of Linux {version}"):
        return _found(version, tested, wanted)


def _found(version: str, tested: str, wanted: Path) -> Source:
    if wanted.is_dir():
        return Source(version, wanted, _short(tested))
    others = sorted(SRC.glob(f"linux-{version}.*"), key=lambda p: p.stat().st_mtime)
    package = f"linux-source-{version}"
    suite = KNOWN[version].suite
    got = _fetch(package, tested, suite) or (None if others else _fetch(package, None, suite))
    if got is None and not others:
        die(f"package {package} cannot be had here; give a tree of your own with KDIR=path")
    path = got or others[-1]
    label = path.name.removeprefix("linux-")
    if path != wanted:
        say(f"warning: {package} {tested} is what was tested; this is {label}")
    return Source(version, path, label)


def _fetch(package: str, version: str | None, suite: str) -> Path | None:
    """Unpack a source package, the given version or the newest; None if apt has it not."""
    installed = run(["dpkg-query", "-W", "-f", "${Version}", package], check=False).stdout
    tarball = TARBALLS / f"{package}.tar.xz"
    if installed and installed == version and tarball.exists():
        return _unpack(tarball, installed)
    SRC.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SRC, prefix=".fetch-") as name:
        folder = Path(name)
        what = f"{package}={version}" if version else package
        with step(f"downloading {what}"):
            deb = _from_suite(what, suite, folder) if suite else _from_here(what, folder)
        if deb is None:
            return None
        run(["dpkg-deb", "-x", deb, folder / "root"])
        got = run(["dpkg-deb", "-f", deb, "Version"]).stdout.strip()
        return _unpack(next(folder.glob("root/usr/src/*.tar.xz")), got)


def _from_here(what: str, folder: Path) -> Path | None:
    """Download a package of the machine's own Debian."""
    for _ in range(2):
        run(["apt-get", "download", what], cwd=folder, check=False)
        if deb := next(folder.glob("*.deb"), None):
            return deb
        # The lists may be older than the package, or missing on a fresh machine.
        apt_update()
    return None


def _from_suite(what: str, suite: str, folder: Path) -> Path | None:
    """Download a package of another Debian."""
    try:
        return PrivateApt(folder / "apt", [suite]).download(what, folder)
    except Failure as failure:
        say(f"{what}: {failure}")
        return None


def _unpack(tarball: Path, version: str) -> Path:
    """Unpack beside its final place and rename: a tree that is there is whole."""
    need("xz")
    path = SRC / f"linux-{_short(version)}"
    if path.is_dir():
        return path
    SRC.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=SRC, prefix=".unpack-"))
    try:
        with step(f"unpacking {tarball.name}"):
            run(["tar", "-C", scratch, "-xf", tarball])
        os.rename(next(scratch.iterdir()), path)
    except OSError:
        if not path.is_dir():
            raise
        # Another machine with the same cache was faster.
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path
