#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the tests: what `make check` and `make check-all` stand for.

Nine parts: lint, the scripts' own tests, the core in userspace, the core on the model of VT-d,
fuzzers, what the tests execute, what it costs in instructions, KUnit in the kernel, rows in QEMU. A
check that ran nothing has failed. What a test asks is in lint.py, scripts/tests,
tools/testing/vtd-takeover, counts.py, the kernel's *_test.c and scenarios.toml; here they are only
started and counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import compare
import counts
import fuzz
import gcov
import inspector
import kernel
import kernel_mutants
import kunit
import lint
import matrix
import mutants
import scenarios
import strategies
from common import OUT, TOP, Failure, main, need, run, say, step
from source import DEFAULT, KNOWN
from tally import SHOWN, Tally

CORE = TOP / "tools/testing/vtd-takeover"
PARTS = ("lint", "scripts", "core", "model", "coverage", "fuzz", "counts", "kunit", "rows")
BOOTING = {"kunit", "rows"}
# Kernels that are built with alarms on as well.
ALARMED = ("6.12", "7.3")
# Names of pieces (tools/testing/vtd-takeover/cmake/pieces.cmake); what ctest is to keep of outputs.
PIECE = re.compile(r"_test-\d+$")
WHOLE_OUTPUT = ("--test-output-size-passed=9999999", "--test-output-size-failed=9999999")
# Tests of the core's project that have this label, or another one.
USERSPACE = {"core", "model"}
# Rows that stock passes too, run by turns on both kernels: how long from panic to dump. The
# bounds are ratios within one run; what they allow above 1 is the noise of an emulated machine.
# Before the kdump kernel's first line runs nothing that the takeover could make slower.
PACE = ("cmd-dma-dma", "cmd-sm-sm", "dev-nvme")
PACE_ROUNDS = 3
PACE_BOUNDS = {"panic": 1.1, "kdump kernel": 1.1}


def needed(parts: list[str]) -> None:
    """Install what the parts call, once, before threads do."""
    if "lint" in parts or "scripts" in parts:
        lint.needed()
    if "scripts" in parts:
        inspector.needed()
        need("iasl")
    if USERSPACE & set(parts):
        need("cmake", "ninja", "g++", "spatch", "libgtest-dev", "libfmt-dev", "librapidcheck-dev",
             "libcli11-dev", "nlohmann-json3-dev")
    if "coverage" in parts:
        gcov.needed()
    if "model" in parts:
        need("qemu-system-x86_64")
    if "fuzz" in parts:
        fuzz.needed()
    if "counts" in parts:
        counts.needed()
    if BOOTING & set(parts):
        kernel.needed()
        need("qemu-system-x86_64")
    if "rows" in parts:
        need("kexec", "makedumpfile", "busybox", "debugfs")


def check_scripts(tally: Tally) -> None:
    """Run the scripts' own tests."""
    report = OUT / "check/scripts.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    with step("tests of the scripts"):
        done = run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"], cwd=TOP,
                   check=False)
    _count(tally, "scripts:", report, done)


def check_userspace(tally: Tally, parts: set[str]) -> None:
    """Compile the core against its shims, and the model; run the tests of these parts."""
    folder = OUT / "core"

    def build() -> None:
        if not (CORE / "CMakeLists.txt").exists():
            raise Failure(f"there is no {CORE.relative_to(TOP)}/CMakeLists.txt")
        run(["cmake", "-S", CORE, "-B", folder, "-G", "Ninja"])
        done = run(["cmake", "--build", folder], check=False)
        if done.returncode:
            errors = [s for s in done.stdout.splitlines() if "error" in s] or [done.stdout[-2000:]]
            raise Failure("\n".join(errors))

    with step("building the core and the model in userspace"):
        if not tally.test("core and model: build", build):
            return
    shutil.rmtree(folder / "reports", ignore_errors=True)
    for part in sorted(parts):
        report = folder / f"{part}.xml"
        report.unlink(missing_ok=True)
        with step(f"tests of the {part} in userspace"):
            done = run(["ctest", "--test-dir", folder, f"-j{os.cpu_count() or 1}",
                        "-L" if part == "core" else "-LE", "core", *WHOLE_OUTPUT,
                        "--output-junit", report], check=False)
        if report.exists():
            count_pieces(tally, f"{part}:", report.read_text(), folder / "reports")
        else:
            tally.add(f"{part}: run", (done.stdout + done.stderr).strip() or "no test was run")
        if part == "model" and report.exists():
            print(explored(report.read_text()), flush=True)
            strategies.check(tally)
            with step("the model against QEMU"):
                compare.check(tally)


def count_pieces(tally: Tally, prefix: str, report: str, reports: Path) -> None:
    """Count what ctest ran: the tests that a piece reports (pieces.cmake), or a test of its own."""
    for case in ElementTree.fromstring(report).iter("testcase"):
        name = case.get("name") or "?"
        piece = reports / f"{name}.xml"
        failed = tally.failed
        count = tally.junit(prefix, piece.read_text()) if piece.exists() else 0
        problem = ""
        if case.get("status") != "run":
            output = (case.findtext("system-out") or "").strip()
            problem = "\n".join(output.splitlines()[-SHOWN:]) or "failed"
        elif PIECE.search(name) and not count:
            problem = "no test was run"
        # A piece that broke off may have reported nothing, or nothing that failed.
        if not count or (problem and tally.failed == failed):
            tally.add(f"{prefix} {name}", problem)


def explored(report: str) -> str:
    """Add up what the tests of the model say of themselves."""
    total: Counter[str] = Counter()
    for line in re.findall(r"^explored: (.*)$", report, re.MULTILINE):
        for number, what in re.findall(r"(\d+) (\w+)", line):
            total[what] += int(number)
    return "explored: " + ", ".join(f"{n} {what}" for what, n in total.items())


def _count(tally: Tally, prefix: str, report: Path, done: subprocess.CompletedProcess[str]) -> None:
    """Count a report; a runner that fails without a failed test failed itself."""
    failed = tally.failed
    count = tally.junit(prefix, report.read_text()) if report.exists() else 0
    if not count or (done.returncode and tally.failed == failed):
        tally.add(f"{prefix} run", (done.stdout + done.stderr).strip() or "no test was run")


def check_kunit(tally: Tally, version: str, variant: str = "") -> None:
    """Boot a kernel and let it test itself."""
    try:
        kunit.kunit(tally, version, kernel.build(version, variant=variant), variant)
    except Failure as failure:
        tally.add(f"kunit {version}: run", str(failure))


def check_rows(tally: Tally, image: Path) -> None:
    """Run the most telling rows in QEMU and count their verdicts."""
    chosen = [r for r in scenarios.load().values() if "check" in r.tags and r.runs_on(DEFAULT)]
    jobs = matrix.product(chosen, [DEFAULT], ["takeover"])
    count_rows(tally, "rows", [job.name for job in jobs],
               ["kdump", "--kernel", DEFAULT, "--bzimage", image,
                *(f"--scenario={row.name}" for row in chosen)])


def check_matrix(tally: Tally) -> None:
    """Run all rows on all kernels and count their verdicts."""
    jobs = matrix.product(scenarios.load().values(), list(KNOWN), matrix.FLAVOURS)
    count_rows(tally, "matrix", [job.name for job in jobs], ["matrix.py"])


def check_alarms(tally: Tally) -> None:
    """Run some rows of every kind, and KUnit, on kernels with alarms on."""
    chosen = [row for row in scenarios.load().values() if "alarms" in row.tags]
    for variant in scenarios.ALARMS:
        for version in ALARMED:
            check_kunit(tally, version, variant)
        jobs = matrix.product(chosen, ALARMED, ["takeover"], variant)
        count_rows(tally, f"rows-{variant}", [job.name for job in jobs],
                   ["matrix.py", "--variant", variant,
                    *(f"--kernel={version}" for version in ALARMED)])


def count_rows(tally: Tally, what: str, planned: list[str], command: list[str | Path]) -> None:
    """Run a script that runs rows; what it prints is progress here, what counts is its data."""
    report = OUT / "check" / f"{what}.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    say(f"{what}: {len(planned)} runs")
    done = subprocess.run([TOP / "scripts" / command[0], *command[1:], "--json", report],
                          stdout=sys.stderr, check=False)
    rows = {matrix.name_of(row): row for row in
            (json.loads(report.read_text())["rows"] if report.exists() else [])}
    for name in planned:
        if name not in rows:
            continue
        test = matrix.as_test(rows[name])
        kernel, _, row = name.partition("/")
        if test.skipped:
            # Neither: it says nothing about the kernel.
            print(f"SKIP row: {row} on {kernel}: {test.skipped}", flush=True)
        else:
            tally.add(f"row: {row} on {kernel}", "" if test.good else "\n".join(test.lines))
    missing = sorted(set(planned) - set(rows))
    if missing or not rows:
        tally.add(f"{what}: all run",
                  f"no result of {', '.join(missing) or 'any'} (status {done.returncode})")


def check_pace(tally: Tally, images: dict[bool, Path]) -> None:
    """Compare the time from the panic, and from the kdump kernel's start, with stock's."""
    seconds = {(start, stock): 0.0 for start in PACE_BOUNDS for stock in images}
    report = OUT / "check/pace.json"
    for number in range(PACE_ROUNDS):
        for stock in (True, False) if number % 2 else (False, True):
            report.unlink(missing_ok=True)
            subprocess.run(
                [TOP / "scripts/kdump", "--kernel", DEFAULT, "--bzimage", images[stock],
                 "--jobs", "1", "--json", report, *(f"--scenario={name}" for name in PACE),
                 *(["--stock"] if stock else [])], stdout=sys.stderr, check=False)
            rows = json.loads(report.read_text())["rows"] if report.exists() else []
            marks = [row.get("facts", {}).get("seconds", {}) for row in rows]
            if sum("dump saved" in m for m in marks) != len(PACE):
                tally.add("pace: panic to dump beside stock", "a row saved no dump")
                return
            for start in PACE_BOUNDS:
                seconds[start, stock] += sum(m["dump saved"] - m[start] for m in marks)
    for start, bound in PACE_BOUNDS.items():
        ours, theirs = seconds[start, False], seconds[start, True]
        text = (f"{ours / theirs:.3f} times stock's ({ours:.1f} s and {theirs:.1f} s over "
                f"{PACE_ROUNDS * len(PACE)} runs)")
        say(f"{start} to dump: {text}")
        tally.add(f"pace: {start} to dump at most {bound} times stock's",
                  "" if ours <= bound * theirs else text)


def check_mutants(tally: Tally, what: str, broken: ModuleType) -> None:
    """Break the takeover in every way that a module knows, and count who noticed."""
    try:
        for mutant, problem in broken.check():
            tally.add(f"{what}: {mutant.name}", problem)
    except Failure as failure:
        tally.add(f"{what}: run", str(failure))


def check_coverage(tally: Tally) -> None:
    """Count what tests and fuzzer execute of the takeover; tell what they do of the model."""
    try:
        figures = gcov.check()
    except Failure as failure:
        tally.add("coverage: run", str(failure))
        return
    print(gcov.summary(figures), flush=True)
    tally.add("coverage: enough, and the rest is explained", "\n".join(figures.problems))


class Build(threading.Thread):
    """Builds a kernel beside the other parts: their pieces that use one CPU leave it the other."""

    def __init__(self, stock: bool) -> None:
        super().__init__(daemon=True)
        self.stock = stock
        self.image: Path | None = None
        self.problem = "the build broke off"

    def run(self) -> None:
        """Build; keep the image or the problem."""
        try:
            self.image = kernel.build(DEFAULT, self.stock)
        except Failure as failure:
            self.problem = str(failure)


def check(parts: list[str], everything: bool) -> int:
    """Run the parts; return the exit status."""
    tally = Tally()
    needed(parts)
    build = Build(stock=False)
    booting = bool(BOOTING & set(parts))
    if booting:
        build.start()
    if "lint" in parts:
        lint.lint(tally, list(KNOWN) if everything else [DEFAULT],
                  jobs=1 if booting else os.cpu_count() or 1, thorough=everything)
    if "scripts" in parts:
        check_scripts(tally)
    if USERSPACE & set(parts):
        check_userspace(tally, USERSPACE & set(parts))
    if "coverage" in parts:
        check_coverage(tally)
    if "fuzz" in parts:
        fuzz.smoke(tally)
        if everything:
            fuzz.check(tally)
    if "model" in parts and everything:
        check_mutants(tally, "mutant", mutants)
    if "counts" in parts:
        counts.check(tally)
    if booting:
        # No guest runs before all else is done: on a busy machine they miss their limits.
        build.join()
        tally.add("kernel: builds", "" if build.image else build.problem)
    if "kunit" in parts:
        for version in KNOWN if everything else [DEFAULT]:
            check_kunit(tally, version)
    if "rows" in parts and everything:
        check_matrix(tally)
        check_alarms(tally)
        check_mutants(tally, "mutant of the kernel", kernel_mutants)
        try:
            stock = kernel.build(DEFAULT, stock=True)
            if build.image:
                check_pace(tally, {True: stock, False: build.image})
        except Failure as failure:
            tally.add("stock kernel: builds", str(failure))
    elif "rows" in parts and build.image:
        check_rows(tally, build.image)
    return tally.close()


def command() -> int:
    """Entry point of `make check`, `make check-all`, `make core`, `make model` and `make kunit`."""
    parser = argparse.ArgumentParser(description="Run the tests and count them.")
    parser.add_argument("--all", action="store_true",
                        help="the whole matrix of rows and kernels; keeps fresh results")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone")
    args = parser.parse_args()
    return check(args.only or list(PARTS), args.all)


if __name__ == "__main__":
    main(command)
