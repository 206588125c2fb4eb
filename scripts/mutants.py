#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Break the takeover in every way that is known, and see whether the model's tests notice.

A mutant is a semantic patch in tools/testing/vtd-takeover/mutants that says which invariant it
breaks, and perhaps which tests are to notice, instead of the world's; cmake/mutant.cmake there
builds these on a copy of the code with the patch applied. Here all are built and run, several at a
time. A mutant is killed if the tests break off with the invariant that it names. What was killed,
or survived, is not run again as long as the program is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import OUT, TOP, die, main, need, run, say, step, write_whole

PROJECT = TOP / "tools/testing/vtd-takeover"
FOLDER = PROJECT / "mutants"
BUILD = OUT / "mutants"
RESULTS = BUILD / "results.json"
LIMIT = 600  # seconds; who never ends is killed, too
ARGUMENTS = ["--gtest_fail_fast", "--gtest_brief=1"]
# First what takes little time: two kinds of unit, without the tests that take as long as all others
# together; then four kinds, then all, and each single bit, for those that survive it. Machines at
# random would break by this invariant today and by another one tomorrow.
RANDOM = "Random.*:Properties.*"
SLOW = "*Races.*:*.ReadsOfOldMemory/*:*.EveryTypeBesideEveryOther/*"
FILTERS = [f"*/0:*/12-{RANDOM}:*.SingleBits/*:{SLOW}",
           f"*/0:*/1:*/12:*/13-{RANDOM}:*.SingleBits/*", f"-{RANDOM}:*.SingleBits/*",
           "*.SingleBits/*"]
# A mutant's head may name other tests than the world's. Of floor_test a terabyte of pages takes
# longest.
OF_TESTS = {"core": ["*"], "window": ["*"],
            "floor": ["-*ATerabyteOfPages*", "*ATerabyteOfPages*"]}
# Where a file has tests of its own these come before all others.
GUARD = ("*GuardWorlds.PagesOfEachSize/0:*GuardWorlds.PagesOfEachSize/3:*GuardWorlds.Pointers/0:"
         "*GuardWorlds.RightsOfPages/3:*GuardWorlds.TooLittleMemory/0:*GuardUnits*/0:"
         "*GuardUnits*/1:*GuardStreams*")
OF_FILE = {"guard.c": GUARD, "memo.c": GUARD, "shield.c": GUARD,
           "irte.c": "*InterruptWorlds*", "prq.c": "*PageWorlds*", "unit.c": "Option.*",
           "quiet.c": "*Storms*", "tags.c": "*FewIds*:*Worlds.Ids*:*TheIdOf*",
           "pasid.c": "*Worlds.Ids*:*TheIdOf*"}
BROKEN = re.compile(r"\b([A-Z]{2,6}): ")
TIMEOUT, CRASH, WRONG = "TIMEOUT", "CRASH", "EXPECT"


@dataclass(frozen=True)
class Mutant:
    """One semantic patch."""

    name: str
    file: str  # of the takeover
    breaks: str  # the invariant, or how else the tests end
    tests: str = "world"  # which are run: one of OF_TESTS, or the world's

    @staticmethod
    def read(path: Path) -> Mutant:
        """Read what a patch says of itself."""
        said = dict(re.findall(r"^// (file|breaks|tests): (\S+)$", path.read_text(), re.MULTILINE))
        if not {"file", "breaks"} <= set(said):
            die(f"{path.name}: its head names no file, or nothing that it breaks")
        if said.get("tests", "core") not in OF_TESTS:
            die(f"{path.name}: no such tests: {said['tests']} (there are {', '.join(OF_TESTS)})")
        return Mutant(path.stem, **said)

    @property
    def program(self) -> Path:
        """The tests on the broken code."""
        return BUILD / f"mutant-{self.name}"

    def key(self) -> str:
        """What a result depends on."""
        return hashlib.sha256(self.program.read_bytes()).hexdigest()


def load(names: Sequence[str] = ()) -> list[Mutant]:
    """All mutants, or those of these names."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("*.cocci"))}
    if unknown := set(names) - set(paths):
        die(f"no such mutant: {', '.join(sorted(unknown))} (they are in {FOLDER.relative_to(TOP)})")
    return [Mutant.read(path) for name, path in paths.items() if not names or name in names]


def build(mutants: Sequence[Mutant]) -> None:
    """Build them all; a patch that finds no place is an error."""
    need("cmake", "ninja", "g++", "spatch", "libgtest-dev", "libfmt-dev", "librapidcheck-dev",
         "libcli11-dev", "nlohmann-json3-dev")
    with step(f"building {len(mutants)} mutants"):
        # Without symbols: a hundred programs have a hundred times as many.
        run(["cmake", "-S", PROJECT, "-B", BUILD, "-G", "Ninja", "-DALL_MUTANTS=ON",
             "-DCMAKE_BUILD_TYPE=Plain", "-DCMAKE_C_FLAGS=-O2", "-DCMAKE_CXX_FLAGS=-O2"])
        done = run(["cmake", "--build", BUILD, "--target", *(m.program.name for m in mutants)],
                   check=False)
        if done.returncode:
            errors = [s for s in done.stdout.splitlines() if "FAILED" in s or "error" in s]
            die("\n".join(errors) or done.stdout[-2000:])


def ended(status: int, output: str) -> str:
    """How the tests ended: the invariant that broke; nothing if they noticed nothing."""
    if status == 0:
        return ""
    if match := BROKEN.search(output):
        return match[1]
    return CRASH if status < 0 else WRONG


def filters(mutant: Mutant) -> list[str]:
    """Which tests to run on a mutant, one set after the other."""
    if mutant.tests in OF_TESTS:
        return OF_TESTS[mutant.tests]
    return [*([OF_FILE[mutant.file]] if mutant.file in OF_FILE else []), *FILTERS]


def attempt(mutant: Mutant) -> str:
    """Run the tests on a mutant."""
    for tests in filters(mutant):
        try:
            done = subprocess.run([mutant.program, *ARGUMENTS, f"--gtest_filter={tests}"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return TIMEOUT
        if how := ended(done.returncode, done.stdout):
            return how
    return ""


def run_all(mutants: Sequence[Mutant], fresh: bool, jobs: int) -> dict[str, str]:
    """Run them, and keep how each ended."""
    kept: dict[str, Any] = {}
    if RESULTS.exists() and not fresh:
        kept = json.loads(RESULTS.read_text())
    found: dict[str, str] = {}
    waiting = []
    for mutant in mutants:
        old = kept.get(mutant.name)
        if old and old["key"] == mutant.key():
            found[mutant.name] = old["ended"]
        else:
            waiting.append(mutant)
    if found:
        say(f"{len(found)} results of before are kept")
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for mutant, how in zip(waiting, pool.map(attempt, waiting)):
            found[mutant.name] = how
            kept[mutant.name] = {"key": mutant.key(), "ended": how}
            write_whole(RESULTS, json.dumps(kept, indent=1) + "\n")
            say(verdict(mutant, how))
    return found


def verdict(mutant: Mutant, how: str) -> str:
    """A result, for people."""
    if not how:
        return f"SURVIVED {mutant.name}: a test is missing, or a line of {mutant.file} does nothing"
    if how != mutant.breaks:
        return f"OTHER {mutant.name}: breaks {how}, and says {mutant.breaks}"
    return f"killed {mutant.name}: {how}"


def check(fresh: bool = False, names: Sequence[str] = (), jobs: int = 0
          ) -> list[tuple[Mutant, str]]:
    """Build and run; return each mutant and what is wrong with its result: nothing, if dead."""
    mutants = load(names)
    build(mutants)
    found = run_all(mutants, fresh, jobs or os.cpu_count() or 1)
    return [(m, "" if found[m.name] == m.breaks else verdict(m, found[m.name])) for m in mutants]


def command() -> int:
    """Entry point of `make mutants`."""
    parser = argparse.ArgumentParser(description="Break the takeover, and see who notices.")
    parser.add_argument("name", nargs="*", help="these alone")
    parser.add_argument("--fresh", action="store_true", help="run what was run before, too")
    parser.add_argument("--jobs", type=int, default=0, help="at a time (the processors)")
    parser.add_argument("--list", action="store_true", help="list them and end")
    args = parser.parse_args()
    if args.list:
        for mutant in load(args.name):
            print(f"{mutant.name:40} {mutant.file:10} {mutant.breaks}")
        return 0
    results = check(args.fresh, args.name, args.jobs)
    for _, problem in results:
        if problem:
            print(problem)
    dead = sum(not problem for _, problem in results)
    print(f"{dead} of {len(results)} mutants killed")
    return 0 if dead == len(results) else 1


if __name__ == "__main__":
    main(command)
