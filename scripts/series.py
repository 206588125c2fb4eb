#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The patch series: the folders under scripts/series, in order, as patches for one kernel.

`make series` writes what `git format-patch` would: numbered patches, a cover letter, a quilt
series file. The build takes the same texts without the detour through git. How one folder changes
a file is in hooks.py; whether the patches are any good is asked by lint.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from common import OUT, TOP, die, main, need, run, say, step
from hooks import HEADER, Folder, Texts, spatch, told
from source import KNOWN, Source, find

SERIES = TOP / "scripts/series"
# Where our own files lie as they will lie in Linux.
OVERLAY = ("drivers", "include", "Documentation")
NAME = re.compile(r"[^<>\n]+ <[^<>@\s]+@[^<>\s]+>")


@dataclass(frozen=True)
class Step:
    """One patch: its message, and the files it changes with their new text."""

    name: str
    message: str
    changes: dict[str, str]

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


def folders(series: Path = SERIES, top: Path = TOP) -> list[Folder]:
    """Return the patch folders in order."""
    found = sorted(p for p in series.glob("[0-9][0-9]-*") if p.is_dir())
    if not found:
        die(f"{series}: no patch folder NN-name there yet")
    return [Folder(path, top) for path in found]


def assemble(source: Source, series: Path = SERIES, top: Path = TOP) -> list[Step]:
    """Apply every folder in turn to the pristine texts."""
    texts = Texts(source.path)
    return [Step(folder.name, folder.message(source.version), folder.apply(source, texts))
            for folder in folders(series, top)]


def patched(source: Source) -> dict[str, str]:
    """Return every file that the series changes or adds, with its final text."""
    return {path: text for one in assemble(source) for path, text in one.changes.items()}


def broken(files: dict[str, str], patch: Path) -> dict[str, str]:
    """Return the files with a semantic patch applied to the one that its head names."""
    text = patch.read_text()
    path = next((value for what, _, value in HEADER.findall(text) if what == "file"), "")
    if path not in files:
        die(f"{patch.name}: the series has no file {path or '(its head names none)'}")
    result, _ = spatch(patch.name, text, files[path])
    if result == files[path]:
        die(f"{patch.name}: finds no place in {path}")
    return {**files, path: result}


def identity(signoff: str | None) -> str:
    """Return who signs off: what was asked for, or git's user."""
    if not signoff:
        name, mail = (run(["git", "config", f"user.{key}"], cwd=TOP, check=False).stdout.strip()
                      for key in ("name", "email"))
        if not name or not mail:
            die('no git user is configured: give SIGNOFF="Name <mail>"')
        signoff = f"{name} <{mail}>"
    if not NAME.fullmatch(signoff):
        die(f'SIGNOFF={signoff}: want "Name <mail>"')
    return signoff


class Repository:
    """A scratch git repository, untouched by the user's git configuration."""

    def __init__(self, path: Path, who: str) -> None:
        name, _, mail = who.rstrip(">").partition(" <")
        self.path = path
        self.env = {
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail,
            "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": mail,
        }
        if date := _date():
            self.env |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str | Path) -> str:
        """Run git here."""
        return run(["git", *args], cwd=self.path, env=self.env).stdout

    def write(self, files: dict[str, str]) -> None:
        """Put files into the work tree."""
        for path, text in files.items():
            file = self.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def commit(self, message: str) -> None:
        """Commit the whole work tree."""
        self.git("add", "-A", "-f")
        # The first commit is empty when a series only adds files.
        run(["git", "commit", "-q", "--allow-empty", "-F", "-"], cwd=self.path, env=self.env,
            stdin=message)


def _date() -> str:
    """Date patches like our last commit, so that the same commit makes the same series."""
    done = run(["git", "log", "-1", "--format=%cI"], cwd=TOP, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base(source: Source, steps: list[Step]) -> dict[str, str]:
    """Return the pristine text of every file the series changes."""
    touched = {path for one in steps for path in one.changes}
    return {p: (source.path / p).read_text() for p in sorted(touched)
            if (source.path / p).is_file()}


def _finish_cover(file: Path, source: Source, cover: Path) -> None:
    """Put our words into the cover letter that git left blanks in."""
    if not cover.is_file():
        die(f"{cover}: the cover letter (subject, blank line, text) is missing")
    subject, _, body = told(cover.read_text(), source.version).strip().partition("\n")
    text = file.read_text()
    text = text.replace("*** SUBJECT HERE ***", subject)
    blurb = f"{body.strip()}\n\nThese patches apply to Linux {source.label}."
    file.write_text(text.replace("*** BLURB HERE ***", blurb))


def make(source: Source, signoff: str, out: Path, steps: list[Step] | None = None,
         series: Path = SERIES) -> list[Path]:
    """Write the series into a directory, which appears only when it is complete."""
    need("git")
    steps = assemble(source) if steps is None else steps
    with tempfile.TemporaryDirectory(prefix="series-") as name:
        scratch = Path(name)
        repository = Repository(scratch / "linux", signoff)
        repository.write(base(source, steps))
        repository.commit(f"Linux {source.label}, the files this series touches\n")
        for one in steps:
            repository.write(one.changes)
            repository.commit(f"{one.message}\nSigned-off-by: {signoff}\n")
        made = scratch / "made"
        repository.git("format-patch", "-q", "--cover-letter", "--zero-commit", "--no-signature",
                       "-o", made, f"HEAD~{len(steps)}")
        patches = sorted(made.glob("*.patch"))
        _finish_cover(patches[0], source, series / "cover-letter")
        (made / "series").write_text("".join(f"{p.name}\n" for p in patches[1:]))
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(made, out)
    return sorted(out.glob("*.patch"))


def command() -> int:
    """Entry point of `make series`."""
    parser = argparse.ArgumentParser(description="Write the patch series.")
    parser.add_argument("--kernel", metavar="VERSION", help=f"default: all of {', '.join(KNOWN)}")
    parser.add_argument("--kdir", metavar="DIR", help="a clean Linux tree of your own instead")
    parser.add_argument("--signoff", metavar="'NAME <MAIL>'", help="default: git's user")
    args = parser.parse_args()
    who = identity(args.signoff)
    folders()
    for version in [args.kernel] if args.kernel or args.kdir else KNOWN:
        source = find(version, args.kdir)
        out = OUT / f"series-{source.version}"
        with step(f"series for Linux {source.label}"):
            patches = make(source, who, out)
        for patch in patches:
            say(f"  {patch.name}")
        print(out)
    return 0


if __name__ == "__main__":
    main(command)
