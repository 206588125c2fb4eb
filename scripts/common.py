#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What every script here shares: where things lie, how to stop, how to run a program.

Nothing in this file knows about VT-d, kernels or guests.
"""

from __future__ import annotations

import fcntl
import json
import lzma
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

TOP = Path(__file__).resolve().parent.parent
OUT = TOP / "out"
CACHE = Path(os.environ.get("VTD_TAKEOVER_CACHE", "~/.cache/vtd-takeover")).expanduser()


class Failure(Exception):
    """A condition the user can mend; its text says how. Ends a script with status 1."""


def die(message: str) -> NoReturn:
    """End the script with one clear line."""
    raise Failure(message)


def say(message: str) -> None:
    """Progress goes to standard error: standard output carries results only."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step and how long it took."""
    begin = time.monotonic()
    say(f"[....] {what}")
    yield
    say(f"[{time.monotonic() - begin:3.0f}s] {what}: done")


def main(entry: object) -> NoReturn:
    """Run a script's entry point; a Failure becomes one line and status 1."""
    assert callable(entry)
    try:
        sys.exit(entry())
    except Failure as failure:
        say(f"{Path(sys.argv[0]).name}: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def run(
    args: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    stdin: str | None = None,
    env: dict[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it printed."""
    done = subprocess.run(
        [str(a) for a in args],
        cwd=cwd,
        input=stdin,
        env=None if env is None else {**os.environ, **env},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        die(f"{args[0]} failed ({done.returncode}): {' | '.join(tail)}")
    return done


def read_json(path: Path) -> Any:
    """Read a JSON file, packed if its name ends in .xz. Raises OSError and ValueError."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        try:
            data = lzma.decompress(data)
        except lzma.LZMAError as error:
            raise ValueError(f"not packed with xz: {error}") from error
    return json.loads(data)


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file so that it is never seen half done, nor written through a hard link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(text.encode() if isinstance(text, str) else text)
        scratch.rename(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, what: str, wait: bool = True) -> Iterator[bool]:
    """Hold a file's lock, or say that we wait for it; without waiting, tell whether we have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            say(f"waiting: {what} is in use")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield True


# Programs the scripts call, and the Debian package that holds each.
PACKAGES = {
    "bc": "bc",
    "bison": "bison",
    "busybox": "busybox-static",
    "ccache": "ccache",
    "chromium": "chromium",
    "clang": "clang",
    "clang-format": "clang-format",
    "cmake": "cmake",
    "codespell": "codespell",
    "cpio": "cpio",
    "debugfs": "e2fsprogs",
    "flake8": "flake8",
    "flex": "flex",
    "g++": "g++",
    "gcc": "gcc",
    "gcovr": "gcovr",
    "gdb": "gdb",
    "git": "git",
    "iasl": "acpica-tools",
    "kexec": "kexec-tools",
    "make": "make",
    "makedumpfile": "makedumpfile",
    "mypy": "mypy",
    "ninja": "ninja-build",
    "perl": "perl",
    "qemu-system-x86_64": "qemu-system-x86",
    "shellcheck": "shellcheck",
    "sparse": "sparse",
    "spatch": "coccinelle",
    "unifdef": "unifdef",
    "valgrind": "valgrind",
    "xz": "xz-utils",
}

# Packages that bring no program of their own: the file that shows they are there.
LIBRARIES = {
    "libbenchmark-dev": Path("/usr/include/benchmark/benchmark.h"),
    "libclang-rt-14-dev": Path("/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/"
                               "libclang_rt.fuzzer-x86_64.a"),
    "libelf-dev": Path("/usr/include/libelf.h"),
    "libssl-dev": Path("/usr/include/openssl/opensslv.h"),
    "libfmt-dev": Path("/usr/include/fmt/format.h"),
    "libcli11-dev": Path("/usr/include/CLI/CLI.hpp"),
    "nlohmann-json3-dev": Path("/usr/include/nlohmann/json.hpp"),
    "libgtest-dev": Path("/usr/include/gtest/gtest.h"),
    "librapidcheck-dev": Path("/usr/include/rapidcheck/gtest.h"),
    # Coccinelle's Python rules load it under the name that only the -dev package has.
    "libpython3-dev": Path(f"{sysconfig.get_config_var('LIBDIR')}",
                           f"{sysconfig.get_config_var('LDLIBRARY')}"),
    "python3-docutils": Path("/usr/lib/python3/dist-packages/docutils/__init__.py"),
    "python3-pytest": Path("/usr/lib/python3/dist-packages/pytest/__init__.py"),
}


def which(program: str) -> str | None:
    """Find a program, also where only root usually looks."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path)


def _as_root() -> list[str] | None:
    """What to put before a command that only root may run; None if there is no way."""
    if os.geteuid() == 0:
        return []
    if which("sudo") and run(["sudo", "-n", "true"], check=False).returncode == 0:
        return ["sudo", "-n"]
    return None


def apt_update() -> None:
    """Refresh apt's lists, which may be as old as the machine; without the right to, leave it."""
    prefix = _as_root()
    if prefix is not None and which("apt-get"):
        run([*prefix, "apt-get", "update"], check=False)


def apt_install(packages: Sequence[str]) -> None:
    """Install Debian packages, as root or through sudo; else say which and stop."""
    if not packages:
        return
    line = "apt-get install -y --no-install-recommends " + " ".join(packages)
    if which("apt-get") is None:
        die(f"this is no Debian system; install what stands for: {' '.join(packages)}")
    prefix = _as_root()
    if prefix is None:
        die(f"packages are missing; as root run: {line}")
    with step(f"installing {' '.join(packages)}"):
        apt_update()
        # env rather than our environment: sudo would drop it.
        run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *line.split()])


def need(*things: str) -> None:
    """Make sure that programs (by name) and libraries (by package) are there."""
    missing = [PACKAGES[t] for t in things if t in PACKAGES and which(t) is None]
    missing += [t for t in things if t in LIBRARIES and not LIBRARIES[t].exists()]
    unknown = [t for t in things if t not in PACKAGES and t not in LIBRARIES]
    assert not unknown, unknown
    apt_install(sorted(set(missing)))
