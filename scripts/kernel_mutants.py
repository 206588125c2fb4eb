#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Break what no model sees: glue.c and the places where the driver calls the takeover.

A mutant is a semantic patch in tools/testing/vtd-takeover/mutants/kernel for a file of the patched
kernel. Its head names the file, and either a KUnit test that has to fail or a row and the judgement
that it has to fail by:

    // file: drivers/iommu/intel/takeover/glue.c
    // row: crash-nolapic
    // breaks: dump

Each is a kernel of its own, built where the one before was, so they are run one after the other.
What was noticed is not run again as long as kernel, mutant, row and
judges are the same. The mutants of the core are mutants.py's.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import course
import emulator
import kernel
import kunit
import mutants
import scenarios
from common import OUT, Failure, die, main, read_json, say, write_whole
from course import Kernel, run_row
from runner import Job, Shelf, prepare
from source import DEFAULT, find

KILLED = OUT / "mutants/kernel.json"
FOLDER = mutants.FOLDER / "kernel"
# What the results of its rows are kept under, apart from those of a kernel that is whole.
BROKEN = Kernel(DEFAULT, False, "broken")


@dataclass(frozen=True)
class Mutant:
    """One semantic patch."""

    path: Path
    row: str  # or nothing, and
    breaks: str  # is a KUnit test

    @staticmethod
    def read(path: Path) -> Mutant:
        """Read what a patch says of itself."""
        said = dict(re.findall(r"^// (file|row|kunit|breaks): (\S+)$", path.read_text(),
                               re.MULTILINE))
        if set(said) == {"file", "kunit"}:
            return Mutant(path, "", said["kunit"])
        if set(said) == {"file", "row", "breaks"}:
            return Mutant(path, said["row"], said["breaks"])
        die(f"{path.name}: its head has to name a file, and a KUnit test or a row and what breaks")

    @property
    def name(self) -> str:
        return self.path.stem

    def key(self) -> str:
        """What its result depends on: the broken kernel, the test, and its judges."""
        sources = [*course.SOURCES, *course.JUDGE] if self.row else ["kunit.py"]
        texts = [(course.HERE / name).read_text() for name in sources]
        if self.row:
            row = scenarios.load()[self.row]
            texts += [row.definition(), row.judged()]
        return kernel.digest(kernel.inputs(find(DEFAULT, None), False, mutant=self.path), *texts)


def load(names: Sequence[str] = ()) -> list[Mutant]:
    """All mutants, or those of these names."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("*.cocci"))}
    if unknown := set(names) - set(paths):
        die(f"no such mutant of a kernel: {', '.join(sorted(unknown))}")
    return [Mutant.read(path) for name, path in paths.items() if not names or name in names]


def attempt(mutant: Mutant) -> str:
    """Build the broken kernel and run its test; return what is wrong: nothing, if it is noticed."""
    image = kernel.build(DEFAULT, mutant=mutant.path)
    if not mutant.row:
        found, _ = kunit.outcomes(DEFAULT, image, OUT / "kunit" / BROKEN.name)
        # SUITE.TEST, and .PARAMETER of a test that has some.
        failed = {name.split(".")[1] for name, status in found if status == "FAIL"}
    else:
        row = scenarios.load()[mutant.row]
        images = Shelf(image).images(Job(row, BROKEN))
        result = run_row(row, BROKEN, images, emulator.find(row.needs), resume=False)
        if result["verdict"] == "NO RESULT":
            return f"NO RESULT {mutant.name}: {result['why']}"
        failed = set(result["fails"])
    if mutant.breaks in failed:
        return ""
    if failed:
        return f"OTHER {mutant.name}: breaks {', '.join(sorted(failed))}, and says {mutant.breaks}"
    return f"SURVIVED {mutant.name}: {mutant.row or 'KUnit'} does not notice"


def check(names: Sequence[str] = ()) -> Iterator[tuple[Mutant, str]]:
    """Try one after the other; tell each mutant and what is wrong with its result."""
    found = load(names)
    rows = scenarios.load()
    if unknown := {m.row for m in found if m.row} - set(rows):
        die(f"mutants name rows that there are not: {', '.join(sorted(unknown))}")
    prepare([rows[m.row] for m in found if m.row])
    killed = read_json(KILLED) if KILLED.exists() else {}
    for mutant in found:
        key = mutant.key()
        try:
            problem = "" if killed.get(mutant.name) == key else attempt(mutant)
        except Failure as failure:
            problem = str(failure)
        if not problem:
            killed[mutant.name] = key
            write_whole(KILLED, json.dumps(killed, indent=1) + "\n")
        yield mutant, problem


def command() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Break glue and hooks, and see who notices.")
    parser.add_argument("name", nargs="*", help="these alone")
    parser.add_argument("--list", action="store_true", help="list them and end")
    args = parser.parse_args()
    if args.list:
        for mutant in load(args.name):
            print(f"{mutant.name:40} {mutant.row or 'KUnit':24} {mutant.breaks}")
        return 0
    results = []
    for mutant, problem in check(args.name):
        say(problem or f"killed {mutant.name}: {mutant.breaks}")
        results.append(problem)
    dead = results.count("")
    print(f"{dead} of {len(results)} mutants of the kernel killed")
    return 0 if dead == len(results) else 1


if __name__ == "__main__":
    main(command)
