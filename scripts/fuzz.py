#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Feed the takeover with arbitrary bytes as the crashed kernel's registers and tables.

The fuzzers are tools/testing/vtd-takeover/fuzz, built with clang's libFuzzer and its sanitizers for
addresses and undefined behaviour; what must hold is said there. Here they are built, run on the
inputs that are checked in, and set to look for more. An input that breaks something is made smaller
and kept in out/fuzz/found.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from common import OUT, TOP, Failure, die, main, need, run, say, step, write_whole
from tally import Tally
from verdict import INVARIANTS

PROJECT = TOP / "tools/testing/vtd-takeover/fuzz"
BUILD = OUT / "fuzz"
LIMITS = ("-max_len=2048", "-timeout=60", "-rss_limit_mb=2048")
# In `make check`: a number of tries, not a time, from a seed, so that it does the same each time.
SMOKE = 1500
LONG = 600  # seconds of each, in `make check-all`
SMALLER = 60  # seconds spent on making an input smaller

# What each has to judge at least once on the inputs that are checked in: if tables are not reached
# any more nothing is found, and nobody notices.
FUZZERS = {
    "tables": ("ways alive", "ways alive with a PASID", "ways dropped", "ways under another id",
               "entries blocked", "units blocked", "units deaf", "devices released",
               "pages of firmware reached", "bombs"),
    "interrupts": ("interrupts alive", "interrupts in the other mode", "interrupts posted",
                   "interrupts blocked"),
    "page_requests": ("page requests answered", "page request queues refused",
                      "devices that never stop asking"),
    "core_header": ("maps of old RAM", "maps refused"),
    "guard": ("guarded ways alive", "guarded ways alive with a PASID",
              "forbidden pages out of reach", "writes taken by the scratch page",
              "ways that ended with a table", "addresses let through", "PASIDs silenced",
              "devices that cannot be guarded", "devices out of budget", "devices made to forget",
              "ways that go on as on stock",
              "devices that do not forget", "reserved pages let be", "notes kept",
              "shields of too many pieces"),
}
BROKEN = re.compile(rf"({'|'.join(INVARIANTS)}): ")
# A file that was given a name is there for a reason.
NAMELESS = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Result:
    """What a fuzzer did."""

    name: str
    tries: int = 0
    coverage: int = 0
    inputs: int = 0
    problem: str = ""
    judged: frozenset[str] = frozenset()


def checked_in(name: str) -> Path:
    """Where a fuzzer's inputs lie in the repository."""
    return PROJECT / "corpus" / name


def collected(name: str) -> Path:
    """Where what it finds here is kept."""
    return BUILD / "corpus" / name


def needed() -> None:
    """Install what the build needs."""
    need("cmake", "ninja", "clang", "libclang-rt-14-dev", "libfmt-dev")


def build() -> None:
    """Build all fuzzers."""
    needed()
    with step("building the fuzzers"):
        run(["cmake", "-S", PROJECT, "-B", BUILD / "build", "-G", "Ninja"],
            env={"CC": "clang", "CXX": "clang++", "LIB_FUZZING_ENGINE": ""})
        done = run(["cmake", "--build", BUILD / "build"], check=False)
        if done.returncode:
            errors = [s for s in done.stdout.splitlines() if "error" in s]
            die("\n".join(errors) or done.stdout[-2000:])


def program(name: str) -> Path:
    """Return the fuzzer's path."""
    return BUILD / "build" / f"{name}_fuzzer"


def what_broke(output: str) -> str:
    """Return the lines that say what is wrong: an invariant, or a sanitizer's words."""
    said = [line for line in output.splitlines()
            if BROKEN.match(line) or "runtime error:" in line
            or re.search(r"ERROR: (AddressSanitizer|libFuzzer): (?!deadly signal)", line)
            or "Assertion" in line]
    return "\n".join(said[:3]) or output[-1000:]


def read(name: str, status: int, output: str) -> Result:
    """Make a result of what libFuzzer prints."""
    # The last line of progress, whatever it says it is.
    progress = re.findall(r"^#(\d+)\s.*? cov: (\d+) .*? corp: (\d+)/", output, re.MULTILINE)
    tries, coverage, inputs = (int(n) for n in progress[-1]) if progress else (0, 0, 0)
    judged = frozenset(re.findall(r"^judged: \d+ (.*)$", output, re.MULTILINE))
    problem = what_broke(output) if status else "" if tries else "nothing was tried"
    return Result(name, tries, coverage, inputs, problem, judged)


def shrink(name: str, found: Path) -> Path:
    """Make an input smaller that breaks something; return where the smaller one lies."""
    small = found.with_name(found.name + ".small")
    run([program(name), "-minimize_crash=1", f"-max_total_time={SMALLER}",
         f"-exact_artifact_path={small}", *LIMITS, found], check=False)
    return small if small.exists() else found


def in_order(name: str) -> str:
    """Return the option for what is checked in, in an order that is the same on every machine."""
    listed = BUILD / f"{name}.inputs"
    write_whole(listed, ",".join(map(str, sorted(checked_in(name).iterdir()))))
    return f"-seed_inputs=@{listed}"


def attempt(name: str, options: Sequence[str], new: Path | None = None) -> Result:
    """Run a fuzzer, with what is checked in and what was found here before, or is in `new`."""
    new = new or collected(name)
    found = BUILD / "found" / name
    for folder in (new, checked_in(name), found):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    done = subprocess.run(
        [program(name), *LIMITS, *options, in_order(name), f"-artifact_prefix={found}/", new],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    result = read(name, done.returncode, done.stdout)
    for path in sorted(set(found.iterdir()) - before):
        path = shrink(name, path)
        result = Result(name, result.tries, result.coverage, result.inputs,
                        f"{result.problem}\nrepeat: {program(name)} {path}\nmended, it becomes a "
                        f"test as {checked_in(name).relative_to(TOP)}/NAME", result.judged)
    return result


def replay(name: str) -> Result:
    """Run a fuzzer on what is checked in alone."""
    done = subprocess.run([program(name), *LIMITS, "-runs=0", checked_in(name)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    result = read(name, done.returncode, done.stdout)
    missing = [what for what in FUZZERS[name] if what not in result.judged]
    if missing and not result.problem:
        return Result(name, result.tries, result.coverage, result.inputs,
                      f"its inputs do not reach: {', '.join(missing)}", result.judged)
    return result


def smoke(tally: Tally) -> None:
    """Count what is checked in, and a number of tries."""
    try:
        build()
    except Failure as failure:
        tally.add("fuzz: build", str(failure))
        return
    for name in FUZZERS:
        result = replay(name)
        tally.add(f"fuzz: {name}, {result.inputs} inputs", result.problem)
        with tempfile.TemporaryDirectory() as nothing:
            result = attempt(name, ["-seed=1", f"-runs={SMOKE + result.tries}"], Path(nothing))
        tally.add(f"fuzz: {name}, {SMOKE} tries", result.problem)


def look(names: Sequence[str], seconds: int) -> list[Result]:
    """Let fuzzers look for so long each, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda name: attempt(name, [f"-max_total_time={seconds}"]), names))


def check(tally: Tally, seconds: int = LONG) -> None:
    """Count long runs."""
    try:
        build()
        for result in look(list(FUZZERS), seconds):
            tally.add(f"fuzz: {result.name}, {seconds} s", result.problem)
    except Failure as failure:
        tally.add("fuzz: run", str(failure))


def keep(name: str) -> str:
    """Put into the repository what reaches something new; what reaches nothing more leaves it."""
    scratch = BUILD / "merged" / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    # By the code that is reached, not by how often: that would be ten times as many.
    run([program(name), *LIMITS, "-use_counters=0", "-merge=1", scratch, checked_in(name),
         collected(name)])
    before = {p.name for p in checked_in(name).iterdir()}
    merged = {p.name for p in scratch.iterdir()}
    for gone in before - merged:
        if NAMELESS.fullmatch(gone):
            (checked_in(name) / gone).unlink()
    for new in merged - before:
        shutil.copy(scratch / new, checked_in(name))
    return f"{name}: {len(merged)} inputs, {len(merged - before)} of them new"


def command() -> int:
    """Entry point of `make fuzz`."""
    parser = argparse.ArgumentParser(description="Look for bytes that break the takeover.")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(FUZZERS)}; all")
    parser.add_argument("--seconds", type=int, default=60, help="for each (60)")
    parser.add_argument("--keep", action="store_true",
                        help="then put what reaches something new into the repository")
    args = parser.parse_args()
    if unknown := set(args.name) - set(FUZZERS):
        die(f"no such fuzzer: {', '.join(sorted(unknown))} (there are {', '.join(FUZZERS)})")
    names = args.name or list(FUZZERS)
    build()
    with step(f"{args.seconds} seconds for each of {', '.join(names)}"):
        results = look(names, args.seconds)
    for result in results:
        say(f"{result.name}: {result.tries} tries, {result.inputs} inputs, {result.coverage} "
            f"places reached{', BROKEN' if result.problem else ''}")
        if result.problem:
            print(result.problem)
    if args.keep:
        for name in names:
            say(keep(name))
    broken = sum(bool(result.problem) for result in results)
    print(f"{sum(r.tries for r in results)} tries, {broken} of {len(results)} fuzzers found "
          "something broken")
    return 1 if broken else 0


if __name__ == "__main__":
    main(command)
