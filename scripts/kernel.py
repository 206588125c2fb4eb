#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Build a kernel: stock, or with the takeover series, from one configuration.

A build tree is a copy of the pristine tree made of hard links, and is built in place: that keeps
absolute paths off the compiler's command line, so that ccache serves the takeover tree with what
the stock tree compiled. The price is a rule: never write through a link, always replace the file.
Nothing here knows what the patches say (series.py) or where sources come from (source.py).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import series
from common import CACHE, TOP, die, locked, main, need, run, say, step, write_whole
from source import DEFAULT, Source, find

BUILD = CACHE / "build"
FRAGMENT = TOP / "scripts/kernel.config"
TAKEOVER = "CONFIG_INTEL_IOMMU_TAKEOVER=y\nCONFIG_INTEL_IOMMU_TAKEOVER_KUNIT_TEST=y\n"
TAKEOVER_SYMBOLS = frozenset(line.partition("=")[0] for line in TAKEOVER.splitlines())
NO_TAKEOVER = "CONFIG_INTEL_IOMMU_TAKEOVER=n\nCONFIG_INTEL_IOMMU_TAKEOVER_KUNIT_TEST=n\n"
# Each run unpacks the image twice or more, under emulation: not the way that is slowest at it.
PACKED = "CONFIG_KERNEL_GZIP=y\n"


def alarms(name: str) -> str:
    """Return the configuration of a kernel with alarms on."""
    return (TOP / f"scripts/kernel-{name}.config").read_text()


# Kernels that differ in their configuration: more lines, and the symbols that may go with them.
VARIANTS: dict[str, tuple[str, frozenset[str]]] = {
    "": ("", frozenset()),
    "no-crash-dump": (
        "CONFIG_CRASH_DUMP=n\nCONFIG_PROC_VMCORE=n\nCONFIG_PROC_VMCORE_DEVICE_DUMP=n\n",
        frozenset({"CONFIG_VMCORE_INFO", *TAKEOVER_SYMBOLS})),
    # A kdump kernel that knows nothing of virtual functions which the first one left enabled.
    "no-iov": ("CONFIG_PCI_IOV=n\n", frozenset()),
    # What who does not want the takeover builds. Stock is built without it anyway.
    "no-takeover": (NO_TAKEOVER, TAKEOVER_SYMBOLS),
    "debug": (alarms("debug"), frozenset()),
    "kcsan": (alarms("kcsan"), frozenset()),
}
BZIMAGE = "arch/x86/boot/bzImage"
STATE = ".vtd-takeover.json"
# The kind of tree that lint builds in, with other flags, and never to the end.
LINT = "lint"
# A build from nothing prints about this many lines; only for the percentage.
COLD_STEPS = 2470
MAKE = ("make", "CC=ccache gcc", "HOSTCC=ccache gcc")
ENVIRONMENT = {
    "CCACHE_DIR": str(CACHE / "ccache"),
    # Debug paths would keep two trees from sharing objects.
    "CCACHE_NOHASHDIR": "1",
    # The same source gives the same kernel, whoever builds it and when.
    "KBUILD_BUILD_TIMESTAMP": "@0",
    "KBUILD_BUILD_USER": "vtd-takeover",
    "KBUILD_BUILD_HOST": "lab",
}


class Tree:
    """A build tree, what was done to it last, and the lock that guards both."""

    def __init__(self, source: Source, kind: str) -> None:
        self.source = source
        self.kind = kind
        self.path = BUILD / f"{source.key}-{kind}"
        self.log = BUILD / f"{source.key}-{kind}.log"

    def lock(self) -> AbstractContextManager[bool]:
        """Keep other builds out."""
        return locked(self.lock_file, self.path.name)

    @property
    def lock_file(self) -> Path:
        """Beside the tree, which may have to be removed."""
        return self.path.with_suffix(self.path.suffix + ".lock")

    @property
    def state(self) -> dict[str, object]:
        """What is noted about the tree."""
        try:
            noted = json.loads((self.path / STATE).read_text())
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def note(self, **facts: object) -> None:
        """Note facts beside those that are there."""
        write_whole(self.path / STATE, json.dumps({**self.state, **facts}, indent=1))

    def prepare(self) -> None:
        """Make the tree, or bring it up to date with a source that changes."""
        pristine = self.source.path
        noted = self.state.get("pristine")
        if self.path.exists() and noted != str(pristine):
            makefile = self.path / "Makefile"
            if not (makefile.exists() and makefile.samefile(pristine / "Makefile")):
                with step(f"removing {self.path.name}, which was made of another source"):
                    shutil.rmtree(self.path)
        if not self.path.exists():
            if not self._seeded():
                with step(f"linking a build tree for Linux {self.source.label}"):
                    self._make(self.source.path, _link)
        elif self.source.foreign:
            self._relink()
        self.note(pristine=str(pristine))

    def _make(self, model: Path, copy: Callable[[str, str], object]) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            shutil.copytree(model, scratch, copy_function=copy, symlinks=True,
                            ignore=shutil.ignore_patterns(".git"))
            scratch.rename(self.path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _seeded(self) -> bool:
        """Begin with what another tree of this source has built: most of it is the same.

        What was compiled is copied with its times, what is pristine is linked as always.
        """
        if self.kind == LINT:
            return False
        pristine = str(self.source.path)
        kinds = [state.parent.name.removeprefix(f"{self.source.key}-")
                 for state in BUILD.glob(f"{self.source.key}-*/{STATE}")]
        # One with alarms on has nothing that one without could use.
        own = set(self.kind.split("-"))
        for kind in sorted(kinds, key=lambda kind: (len(own ^ set(kind.split("-"))), kind)):
            other = Tree(self.source, kind)
            if kind == LINT or other.state.get("pristine") != pristine:
                continue
            with locked(other.lock_file, other.path.name, wait=False) as free:
                if not free or not (other.path / "vmlinux").exists():
                    continue

                def copy(old: str, new: str) -> None:
                    theirs = self.source.path / os.path.relpath(old, other.path)
                    if theirs.is_file() and os.path.samefile(old, theirs):
                        _link(old, new)
                    else:
                        shutil.copy2(old, new)

                with step(f"copying {other.path.name}, as far as it was built"):
                    self._make(other.path, copy)
                return True
        return False

    def _relink(self) -> None:
        """Take over what the user changed in a tree of his own since the last time."""
        ours = self._ours()
        for folder, subfolders, files in os.walk(self.source.path):
            if ".git" in subfolders:
                subfolders.remove(".git")
            here = self.path / os.path.relpath(folder, self.source.path)
            for name in files:
                theirs, mine = Path(folder, name), here / name
                if str(mine.relative_to(self.path)) in ours or theirs.is_symlink():
                    continue
                if not mine.exists() or not _same(theirs, mine):
                    here.mkdir(parents=True, exist_ok=True)
                    mine.unlink(missing_ok=True)
                    _link(str(theirs), str(mine))

    def _ours(self) -> set[str]:
        noted = self.state.get("patched", [])
        assert isinstance(noted, list)
        return set(noted)

    def apply(self, files: dict[str, str]) -> None:
        """Give the tree these files instead of the pristine ones, and no others.

        Files that are right already are not touched, so that make rebuilds little.
        """
        old = self._ours()
        # Noted before the first write: whatever happens, the next run knows what to put right.
        self.note(patched=sorted(old | set(files)), done="")
        for path in sorted(old - set(files)):
            (self.path / path).unlink(missing_ok=True)
            pristine = self.source.path / path
            if pristine.is_file():
                # A copy, not a link: make must see that this is newer than what it built.
                write_whole(self.path / path, pristine.read_text())
        for path, text in files.items():
            file = self.path / path
            if not file.is_file() or file.read_text() != text:
                write_whole(file, text)
        self.note(patched=sorted(files))

    def make(self, *args: str, env: dict[str, str] | None = None) -> None:
        """Run make quietly."""
        run([*MAKE, *args], cwd=self.path, env={**ENVIRONMENT, **(env or {})})

    def configure(self, wanted: str, files: dict[str, str], excused: Iterable[str] = ()) -> None:
        """Make .config of tinyconfig and these lines, unless it is that already."""
        kconfig = {p: t for p, t in sorted(files.items()) if Path(p).name.startswith("Kconfig")}
        mark = digest(wanted, json.dumps(kconfig))
        config = self.path / ".config"
        if self.state.get("config") == mark and config.exists():
            return
        with step(f"configuring {self.path.name}"):
            scratch = self.path / ".config.new"
            env = {"KCONFIG_CONFIG": scratch.name}
            try:
                self.make("tinyconfig", env=env)
                scratch.write_text(scratch.read_text() + wanted)
                self.make("olddefconfig", env=env)
                text = scratch.read_text()
                if lost := [s for s in not_survived(wanted, text)
                            if symbol(s) not in self.source.lost | set(excused)]:
                    die(f"Linux {self.source.label} drops from scripts/kernel.config: "
                        f"{', '.join(lost)}")
                if not config.exists() or config.read_text() != text:
                    write_whole(config, text)
            finally:
                for left in self.path.glob(".config.new*"):
                    left.unlink()
        self.note(config=mark)

    def compile(self, targets: Sequence[str], jobs: int) -> None:
        """Run make with progress on the way and its output in a log."""
        cold = "bzImage" in targets and not (self.path / "vmlinux").exists()
        begin = said = time.monotonic()
        steps = 0
        with self.log.open("w") as log, subprocess.Popen(
            [*MAKE, f"-j{jobs}", *targets], cwd=self.path, env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    steps += line.startswith("  ")
                    now = time.monotonic()
                    if now - said >= 30:
                        said = now
                        share = f", about {min(99, 100 * steps // COLD_STEPS)} %" if cold else ""
                        say(f"       {self.path.name}: {steps} steps{share}, {now - begin:.0f} s")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            lines = [s.strip() for s in self.log.read_text(errors="replace").splitlines()]
            errors = [s for s in lines if re.search(r"\berror:|undefined reference", s)]
            for line in errors[1:10]:
                say(f"       {line}")
            first = next(iter(errors or [s for s in lines if "***" in s]), "make says not why")
            die(f"{self.path.name} does not build: {first} (all of it: {self.log})")


def _link(source: str, target: str) -> None:
    """Link, or copy where the cache is on another file system."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _same(a: Path, b: Path) -> bool:
    one, two = a.stat(), b.stat()
    return one.st_ino == two.st_ino or (one.st_size, one.st_mtime_ns) == (
        two.st_size, two.st_mtime_ns)


def digest(*texts: str) -> str:
    """Name a set of texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def symbol(line: str) -> str:
    """CONFIG_X=y is about CONFIG_X."""
    return line.partition("=")[0]


def not_survived(wanted: str, config: str) -> list[str]:
    """Return the wanted lines that a finished .config does not have."""
    have = {s for s in config.splitlines() if s.startswith("CONFIG_")}
    symbols = {symbol(s) for s in have}
    # A later line outranks an earlier one, for kconfig too.
    last = {symbol(s): s for s in wanted.splitlines() if s.startswith("CONFIG_")}
    return [s for name, s in last.items()
            if (name in symbols if s.endswith("=n") else s not in have)]


def inputs(source: Source, stock: bool, variant: str = "", mutant: Path | None = None) -> str:
    """Name everything a build depends on; cheaper than applying the series to see."""
    files = [FRAGMENT, *(TOP / "scripts" / f"{n}.py" for n in ("kernel", "series", "hooks"))]
    if not stock:
        files += [TOP / "MAINTAINERS", *series.SERIES.rglob("*")]
        for folder in series.OVERLAY:
            files += (TOP / folder).rglob("*")
    texts = [f"{f}\n{hashlib.sha256(f.read_bytes()).hexdigest()}"
             for f in sorted(files) if f.is_file()]
    return digest(source.label, VARIANTS[variant][0], *texts, mutant.read_text() if mutant else "")


def needed() -> None:
    """Ask for what a kernel build calls."""
    need("gcc", "make", "ccache", "flex", "bison", "bc", "perl", "xz", "libelf-dev", "libssl-dev")


def build(version: str | None = DEFAULT, stock: bool = False, kdir: str | None = None,
          jobs: int = 0, variant: str = "", mutant: Path | None = None) -> Path:
    """Return the bzImage of a kernel, built if it is not up to date.

    mutant: a semantic patch that breaks the series; all of them are built in one tree in turn.
    """
    if variant not in VARIANTS:
        known = ", ".join(filter(None, VARIANTS))
        die(f"no such variant of a kernel: {variant} (there is {known})")
    source = find(version, kdir)
    if stock and VARIANTS[variant][0] == NO_TAKEOVER:
        variant = ""
    kind = "-".join(["stock" if stock else "takeover", *([variant] if variant else []),
                     *(["broken"] if mutant else [])])
    tree = Tree(source, kind)
    mark = inputs(source, stock, variant, mutant)
    image = tree.path / BZIMAGE
    with tree.lock():
        # Not for a tree of the user's own: to see what changed there, make has to look.
        if tree.state.get("done") == mark and image.exists() and not source.foreign:
            return image
        # A series that does not fit should fail before anything is done.
        files = {} if stock else series.patched(source)
        if mutant:
            files = series.broken(files, mutant)
        needed()
        tree.prepare()
        tree.apply(files)
        wanted, excused = VARIANTS[variant]
        lines = FRAGMENT.read_text() + PACKED + ("" if stock else TAKEOVER) + wanted
        tree.configure(lines, files, excused)
        what = ", ".join(["stock" if stock else "with the takeover",
                          *([variant] if variant else []), *([mutant.stem] if mutant else [])])
        with step(f"building Linux {source.label}, {what}"):
            tree.compile(["bzImage"], jobs or os.cpu_count() or 1)
        tree.note(done=mark)
    return image


def command() -> int:
    """Entry point of `make kernel`."""
    parser = argparse.ArgumentParser(description="Build a kernel; print the path of its bzImage.")
    parser.add_argument("--kernel", metavar="VERSION", help=f"default: {DEFAULT}")
    parser.add_argument("--stock", action="store_true", help="without the takeover")
    parser.add_argument("--kdir", metavar="DIR", help="a clean Linux tree of your own")
    parser.add_argument("--variant", default="", choices=list(VARIANTS), help="configuration")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="default: all CPUs")
    args = parser.parse_args()
    print(build(args.kernel, args.stock, args.kdir, args.jobs, args.variant))
    return 0


if __name__ == "__main__":
    main(command)
