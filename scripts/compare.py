#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hold the model of VT-d against QEMU's intel-iommu: which runs, and with which QEMU.

What is compared, and what of QEMU is known to differ, is in tools/testing/vtd-takeover/compare.
Here are only the modes: legacy tables, scalable ones of the second stage, and of the first, which
QEMU has since version 10. The check's seed is fixed: there each difference that is known has to be
seen, or the list of them is stale. By hand it is random, unless one is given, and it is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import emulator
from common import OUT, Failure, main
from tally import Tally

CHECK_SEED = 1
PROGRAM = OUT / "core" / "vtd-compare"


@dataclass(frozen=True)
class Run:
    """One kind of tables, one width, one QEMU."""

    mode: str
    width: int
    needs: str = ""
    options: str = ""

    @property
    def name(self) -> str:
        """How it is called in a report."""
        more = [what for what in (self.options, self.needs) if what]
        return " ".join([self.mode, f"{self.width} bits", *more])


RUNS = [
    Run("legacy", 48),
    Run("legacy", 39),
    Run("legacy", 48, options="caching-mode=on"),
    Run("second", 48),
    Run("legacy", 48, needs="qemu>=10"),
    Run("second", 48, needs="qemu>=10"),
    Run("first", 48, needs="qemu>=10"),
]


def compare(run: Run, pairs: int, seed: int, *options: str) -> tuple[bool, str]:
    """Run one; return whether model and QEMU agree, and what was said."""
    found = emulator.find(run.needs)
    command = [str(PROGRAM), "--mode", run.mode, "--width", str(run.width), "--pairs", str(pairs),
               "--seed", str(seed), "--version", str(found.number[0]), *options]
    if run.options:
        command += ["--options", run.options]
    done = subprocess.run([*command, "--", found.program, *found.options], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, **found.environment})
    return done.returncode == 0, f"QEMU {found.version}: {done.stdout.strip()}"


def check(tally: Tally, pairs: int = 2500) -> None:
    """Count all runs, as many at a time as there are processors.

    A run whose QEMU cannot be had says so and counts for nothing."""
    def one(run: Run) -> tuple[bool, str] | Failure:
        try:
            return compare(run, pairs, CHECK_SEED, "--complete")
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(one, RUNS))
    for run, result in zip(RUNS, results):
        if isinstance(result, Failure):
            print(f"SKIP model against QEMU, {run.name}: {result}", flush=True)
            continue
        agree, said = result
        print("\n".join(f"  {line}" for line in said.splitlines() if "agree" in line), flush=True)
        tally.add(f"model against QEMU: {run.name}", "" if agree else said)


def command() -> int:
    """Entry point by hand."""
    parser = argparse.ArgumentParser(description="Compare the model of VT-d with QEMU.")
    parser.add_argument("--pairs", type=int, default=2000, help="that have to agree in each run")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--mode", choices=sorted({run.mode for run in RUNS}))
    args = parser.parse_args()
    if not PROGRAM.exists():
        raise Failure("vtd-compare is not built: make model")
    good = True
    for run in RUNS:
        if args.mode in (None, run.mode):
            agree, said = compare(run, args.pairs, args.seed)
            print(f"== {run.name}\n{said}", flush=True)
            good &= agree
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(command))
