#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""One patch folder under scripts/series: read it, and apply it to the text of kernel files.

A folder changes a kernel in three ways, described in scripts/series/README: files of ours added
whole, Coccinelle semantic patches, inserted lines. Each says how many places it expects to find,
because Coccinelle is silent when it finds none. Works on texts in memory: nothing here writes to
a kernel tree, or knows of git and of the order of patches.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from common import die, need, run
from source import Source

HEADER = re.compile(r"^// *(file|matches|only)(?:\[([^\]]*)\])?: *(.*?) *$", re.MULTILINE)
BOUND = re.compile(r"(>=|<)(\d+)\.(\d+)")
RANGED = re.compile(r"\[([^\]]*)\]\n")
SWITCH = "TAKEOVER_KERNEL"
# Between the core and a kernel; and the test that holds the formats against the driver's own.
KNOWING = ("glue.c", "format_test.c")
PLACES = {"before", "after", "instead"}


class Texts:
    """Kernel files by path: as in the base tree until one is changed."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.changed: dict[str, str] = {}

    def has(self, path: str) -> bool:
        """Say whether there is such a file."""
        return path in self.changed or (self.base / path).is_file()

    def read(self, path: str) -> str:
        """Return a file's text as it is by now."""
        if path in self.changed:
            return self.changed[path]
        return (self.base / path).read_text()


@dataclass(frozen=True)
class Folder:
    """A patch folder; `top` is the checkout whose files it adds."""

    path: Path
    top: Path

    @property
    def name(self) -> str:
        """How errors call it."""
        return self.path.name

    def message(self, version: str) -> str:
        """Return the commit message for one kernel, without a sign-off."""
        file = self.path / "message"
        if not file.is_file():
            die(f"{self.name}: no file 'message'")
        text = told(file.read_text(), version)
        subject, _, rest = text.partition("\n")
        if len(subject) > 75 or (rest and not rest.startswith("\n")):
            die(f"{self.name}: message: want a subject of at most 75 characters, then a blank line")
        if "Signed-off-by:" in text:
            die(f"{self.name}: message: the sign-off comes from whoever makes the series")
        return text

    def files(self) -> dict[str, Path]:
        """Return the files added whole: path in the kernel, and where its text comes from."""
        listing = self.path / "files"
        found: dict[str, Path] = {}
        for line in listing.read_text().splitlines() if listing.exists() else []:
            entry, _, early = (part.strip() for part in line.partition("#")[0].partition("<-"))
            if not entry:
                continue
            found[entry] = self.path / early if early else self.top / entry
            if not found[entry].is_file():
                die(f"{self.name}: files: {found[entry].name}: no such file")
        return found

    def apply(self, source: Source, texts: Texts) -> dict[str, str]:
        """Apply this patch; return what it changed."""
        before = dict(texts.changed)
        for path, origin in self.files().items():
            texts.changed[path] = resolve(origin.read_text(), path, source.number)
        for cocci in sorted(self.path.glob("*.cocci")):
            _apply_cocci(f"{self.name}/{cocci.name}", cocci.read_text(), source, texts)
        if (self.path / "insert.toml").exists():
            _apply_inserts(self, source, texts)
        delta = {p: t for p, t in texts.changed.items() if before.get(p) != t}
        if not delta:
            die(f"{self.name}: this patch changes nothing")
        return delta


# Versions ------------------------------------------------------------------------------------


def fits(versions: str, version: str) -> bool:
    """Say whether a version lies in a range like ">=6.12 <7.0"."""
    major, minor = (int(part) for part in version.split("."))
    holds = []
    for word in versions.split():
        bound = BOUND.fullmatch(word)
        if not bound:
            die(f"versions '{versions}': want a range like '>=6.12 <7.0'")
        after = (major, minor) >= (int(bound[2]), int(bound[3]))
        holds.append(after == (bound[1] == ">="))
    if not holds:
        die("versions: an empty range")
    return all(holds)


def told(text: str, version: str) -> str:
    """Keep of a text the paragraphs that are for this kernel, without the ranges before them."""
    kept = []
    for paragraph in re.split(r"\n{2,}", text.strip()):
        match = RANGED.match(paragraph)
        if not match or fits(match[1], version):
            kept.append(paragraph[match.end():] if match else paragraph)
    return "\n\n".join(kept) + "\n"


def resolve(text: str, path: str, number: int) -> str:
    """Keep of `#if TAKEOVER_KERNEL >= N` only the branch that is for this kernel."""
    if SWITCH not in text:
        return text
    if Path(path).name not in KNOWING:
        die(f"{path}: only {' and '.join(KNOWING)} may ask for {SWITCH}")
    need("unifdef")
    # Status 1 means that something changed; -B takes the blank lines away that would double up.
    done = run(["unifdef", "-B", f"-D{SWITCH}={number}"], stdin=text, check=False)
    if done.returncode > 1:
        die(f"{path}: unifdef: {done.stderr.strip()}")
    for number_of_line, line in enumerate(done.stdout.splitlines(), 1):
        if SWITCH in line:
            die(f"{path}: unifdef cannot decide '{line.strip()}' (line {number_of_line} of what"
                " it left): compare with plain numbers, mix with nothing")
    return done.stdout


# Coccinelle ----------------------------------------------------------------------------------


@dataclass
class Target:
    """A kernel file that a semantic patch changes, and how often each rule must match in it."""

    file: str
    general: dict[str, int] = field(default_factory=dict)
    special: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Expected matches by rule: a line for this version outranks a line for all."""
        return {**self.general, **self.special}


def rules(text: str) -> dict[str, str]:
    """Return each named rule of a semantic patch with its declarations."""
    found: dict[str, str] = {}
    name: str | None = None
    for line in text.splitlines():
        if not (line.startswith("@") and line.rstrip().endswith("@")):
            if name is not None:
                found[name] += line + "\n"
        elif name is not None:
            name = None  # the @@ that ends the declarations
        else:
            name = re.split(r"[\s@]", line[1:].strip())[0]
            if name in found or not name.isidentifier():
                die(f"line '{line}': each rule needs a name of its own")
            found[name] = ""
    return found


def targets(text: str, version: str) -> list[Target]:
    """Read the header lines of a semantic patch, as they count for one kernel version."""
    found: list[Target] = []
    for what, versions, value in HEADER.findall(text):
        if what == "only":
            if not fits(value, version):
                return []
        elif what == "file":
            found.append(Target(value))
        elif not versions or fits(versions, version):
            rule, _, count = value.rpartition(" ")
            if not found or not count.isdigit() or not rule:
                die(f"'// {what}: {value}': want '// file: PATH', then '// matches: RULE COUNT'")
            (found[-1].special if versions else found[-1].general)[rule] = int(count)
    return found


def _apply_cocci(name: str, text: str, source: Source, texts: Texts) -> None:
    declared = rules(text)
    for rule, declarations in declared.items():
        if not re.search(r"\bposition p\b", declarations):
            die(f"{name}: rule {rule} declares no 'position p' to be counted by")
    counted = text + "".join(_counter(rule) for rule in declared)
    for target in targets(text, source.version):
        if strange := set(target.counts) ^ set(declared):
            die(f"{name}: {target.file}: rules and '// matches:' lines differ: "
                f"{', '.join(sorted(strange))}")
        if not any(target.counts.values()):
            continue
        if not texts.has(target.file):
            die(f"{name}: Linux {source.label} has no {target.file}")
        result, found = spatch(name, counted, texts.read(target.file))
        for rule, wanted in target.counts.items():
            if found[rule] != wanted:
                die(f"{name}: rule {rule} matches {found[rule]} places in {target.file} of "
                    f"Linux {source.label}, expected {wanted}")
        if result == texts.read(target.file):
            die(f"{name}: changes nothing in {target.file} of Linux {source.label}")
        texts.changed[target.file] = result


def _counter(rule: str) -> str:
    """A rule that reports where another one matched."""
    return (f"\n@script:python@\np << {rule}.p;\n@@\n"
            f'for q in p:\n\tprint("MATCH {rule} %s %s" % (q.line, q.column))\n')


def spatch(name: str, semantic_patch: str, text: str) -> tuple[str, Counter[str]]:
    """Apply a semantic patch to one file; count the distinct places each rule matched at."""
    need("spatch", "libpython3-dev")
    with tempfile.TemporaryDirectory(prefix="hook-") as scratch:
        hook, old, new = (Path(scratch) / n for n in ("hook.cocci", "old.c", "new.c"))
        hook.write_text(semantic_patch)
        old.write_text(text)
        done = run(["spatch", "--very-quiet", "--no-show-diff", "--sp-file", hook, old, "-o", new],
                   check=False)
        # Without a match it fails to write what is not changed.
        if done.returncode and "no modified files" not in done.stderr:
            lines = [s.strip() for s in done.stderr.splitlines()
                     if s.strip() and not s.startswith(("init_defs", "warning"))]
            die(f"{name}: spatch failed: {' '.join(lines)[:400]}")
        places = {s for s in done.stdout.splitlines() if s.startswith("MATCH ")}
        result = new.read_text() if new.exists() else text
    return result, Counter(place.split()[1] for place in places)


# Inserted lines ------------------------------------------------------------------------------


def _apply_inserts(folder: Folder, source: Source, texts: Texts) -> None:
    with (folder.path / "insert.toml").open("rb") as file:
        try:
            table = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            die(f"{folder.name}/insert.toml: {error}")
    for entry in table.get("insert", []):
        name = f"{folder.name}/insert.toml: {entry.get('file', '?')}"
        unknown = set(entry) - {*PLACES, "file", "inside", "lines", "from", "only"}
        if unknown or "file" not in entry or len(PLACES & set(entry)) != 1 \
                or ("lines" in entry) == ("from" in entry):
            die(f"{name}: want file, before, after or instead, lines or from; perhaps inside, "
                "only")
        if "only" in entry and not fits(entry["only"], source.version):
            continue
        if not texts.has(entry["file"]):
            die(f"{name}: Linux {source.label} has no such file")
        new = entry["lines"] if "lines" in entry else _section(folder.top / entry["from"], entry)
        try:
            texts.changed[entry["file"]] = insert(
                texts.read(entry["file"]), new, entry.get("before"), entry.get("after"),
                entry.get("instead"), entry.get("inside"))
        except ValueError as error:
            die(f"{name} of Linux {source.label}: {error}")


def _section(file: Path, entry: dict[str, str]) -> str:
    """A whole file of ours becomes a section of theirs, apart from its neighbour."""
    text = file.read_text().strip("\n") + "\n"
    return text + "\n" if "before" in entry else "\n" + text


def insert(text: str, new: str, before: str | None = None, after: str | None = None,
           instead: str | None = None, inside: str | None = None) -> str:
    """Insert lines before or after the one line that an expression matches, or in its place.

    `inside` matches the one line that opens a function; only lines up to its closing brace, the
    next line that begins with one, are looked at.
    """
    lines = text.splitlines(keepends=True)
    first, end = 0, len(lines)
    if inside is not None:
        first = _only(lines, inside, 0, end)
        end = next((n for n in range(first, end) if lines[n].startswith("}")), end)
    anchor = before or after or instead
    assert anchor is not None
    place = _only(lines, anchor, first, end) + (after is not None)
    if new and not new.endswith("\n"):
        new += "\n"
    lines[place:place + (instead is not None)] = [new]
    return "".join(lines)


def _only(lines: list[str], expression: str, first: int, end: int) -> int:
    found = [n for n in range(first, end) if re.search(expression, lines[n])]
    if len(found) != 1:
        raise ValueError(f"'{expression}' matches {len(found)} lines, expected 1")
    return found[0]
