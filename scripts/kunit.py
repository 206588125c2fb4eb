#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the KUnit suites of the takeover in the built kernel.

The kernel is the one that the rows run; it tests itself when its command line says so. Its log is
read by the kernel's own kunit.py. What is tested is in *_test.c beside the code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import emulator
from common import OUT, Failure, die, run, step
from guest import accelerator
from source import DEFAULT, find
from tally import Tally
from verdict import SPLAT

LINE = ("console=ttyS0 no_timer_check panic=-1 kunit.enable=1 kunit.filter_glob=vtd_takeover_* "
        "kunit_shutdown=poweroff")
LIMIT = 180
"""Seconds for booting and testing."""
ALARMED_LIMIT, ALARMED_MEMORY = 900, "2G"


def boot(image: Path, log: Path, alarms: bool) -> None:
    """Boot the kernel until it has tested itself and switched the machine off."""
    memory, limit = (ALARMED_MEMORY, ALARMED_LIMIT) if alarms else ("512M", LIMIT)
    qemu = emulator.find()
    command = [qemu.program, *qemu.options, "-nodefaults", "-no-user-config", "-display", "none",
               "-M", f"q35,accel={accelerator()},kernel-irqchip=split", "-cpu", "max",
               "-device", "intel-iommu,intremap=on", "-device", "pcie-root-port", "-m", memory,
               "-no-reboot", "-serial", f"file:{log}", "-kernel", str(image), "-append", LINE]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit,
                       check=True)
    except subprocess.TimeoutExpired:
        die(f"the kernel did not end its tests within {limit} s: {log}")
    except subprocess.CalledProcessError as error:
        die(f"QEMU ended with status {error.returncode}: {error.stderr.decode().strip()[-300:]}")


def cases(group: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Name the tests in a report of kunit.py, each with its outcome."""
    for case in group["test_cases"]:
        yield f"{path}{case['name']}", case["status"]
    for part in group["sub_groups"]:
        yield from cases(part, f"{path}{part['name']}.")


def outcomes(version: str, image: Path, folder: Path, alarms: bool = False
             ) -> tuple[list[tuple[str, str]], str]:
    """Boot, and read the log: each test with its outcome, and what ails the whole, if anything."""
    folder.mkdir(parents=True, exist_ok=True)
    log, report = folder / "serial.log", folder / "report.json"
    for old in (log, report):
        old.unlink(missing_ok=True)
    with step(f"KUnit in Linux {version}"):
        boot(image, log, alarms)
        parser = find(version).path / "tools/testing/kunit/kunit.py"
        read = run([sys.executable, "-B", parser, "parse", f"--json={report}", log], check=False)
    (folder / "kunit.txt").write_text(read.stdout)
    if not report.exists():
        raise Failure(f"kunit.py finds no tests in {log}: {read.stdout.strip()[-300:]}")
    found = list(cases(json.loads(report.read_text())))
    # A suite that breaks off, or a test that never ended, is in the parser's status alone.
    failed = any(status not in ("PASS", "SKIP") for _, status in found)
    whole = found and (failed or not read.returncode)
    if not whole:
        return found, read.stdout.strip()[-500:] or "no test was run"
    raised = [line for line in log.read_text(errors="replace").splitlines() if SPLAT.search(line)]
    return found, "\n".join(raised)


def kunit(tally: Tally, version: str, image: Path, variant: str = "") -> None:
    """Run all tests, count each."""
    name = f"{version}-{variant}" if variant else version
    folder = OUT / "kunit" / name
    found, problem = outcomes(version, image, folder, bool(variant))
    for test, status in found:
        if status == "SKIP" and version != DEFAULT:
            # 6.1 cannot attach a device without hardware.
            print(f"SKIP kunit {name}: {test}", flush=True)
            continue
        tally.add(f"kunit {name}: {test}",
                  "" if status == "PASS" else f"{status}, see {folder}/kunit.txt")
    tally.add(f"kunit {name}: the log is whole, without an alarm", problem)
