#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Count named tests: one PASS or FAIL line each, a closing line, an exit status.

Does not know what is tested.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from xml.etree import ElementTree

from common import Failure

SHOWN = 15


class Tally:
    """What passed and what failed so far; may be used from several threads."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._lock = threading.Lock()

    def add(self, name: str, problem: str = "") -> bool:
        """Count one test; it passed if there is no problem to tell."""
        with self._lock:
            if not problem:
                self.passed += 1
                print(f"PASS {name}", flush=True)
                return True
            self.failed += 1
            lines = problem.strip().splitlines()
            text = "\n".join(f"     {line}" for line in lines[:SHOWN])
            more = f"\n     ... {len(lines) - SHOWN} more lines" if len(lines) > SHOWN else ""
            print(f"FAIL {name}\n{text}{more}", flush=True)
            return False

    def test(self, name: str, what: Callable[..., str | None], *args: object) -> bool:
        """Run a test that returns its problem, or raises Failure."""
        try:
            problem = what(*args)
        except Failure as failure:
            problem = str(failure) or "failed"
        return self.add(name, problem or "")

    def junit(self, prefix: str, xml: str) -> int:
        """Count the tests in a JUnit report, as pytest and GoogleTest write them."""
        cases = list(ElementTree.fromstring(xml).iter("testcase"))
        for case in cases:
            bad = [e for e in case if e.tag in ("failure", "error")]
            if any(e.tag == "skipped" for e in case):
                # A skipped test proves nothing, so it cannot count as passed.
                problem = "skipped"
            else:
                problem = "\n".join(e.text or e.get("message") or "failed" for e in bad)
            name = case.get("name") or "?"
            # pytest's class is the file, GoogleTest's is half of the name.
            suite = f"{case.get('classname')}." if case.get("result") else ""
            self.add(f"{prefix} {suite}{name}", problem)
        return len(cases)

    def close(self) -> int:
        """Print the closing line; return the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.passed and not self.failed else 1
