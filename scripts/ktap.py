#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Results as KTAP, which the kernel's own tools read (Documentation/dev-tools/ktap.rst).

Does not know what is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Test:
    """A test that was run, or that could not be."""

    name: str
    good: bool
    skipped: str = ""
    """Why it was not run."""
    lines: Sequence[str] = ()
    """What went wrong."""


class Ktap:
    """A report of groups of tests, line by line as results come in."""

    def __init__(self, groups: int, put: Callable[[str], object]) -> None:
        self.put = put
        self.done = 0  # groups
        self.number = 0  # of the test in its group
        self.bad = 0
        self.ran = 0
        self.put("KTAP version 1")
        self.put(f"1..{groups}")

    def begin(self, name: str, tests: int) -> None:
        """Open a group."""
        self.name = name
        self.number = self.bad = self.ran = 0
        for line in ("KTAP version 1", f"# Subtest: {name}", f"1..{tests}"):
            self.put(f"    {line}")

    def test(self, test: Test) -> None:
        """Tell of a test of the group."""
        self.number += 1
        for line in test.lines:
            self.put(f"    # {line}")
        self.bad += not test.good
        self.ran += not test.skipped
        skip = f" # SKIP {test.skipped}" if test.skipped else ""
        self.put(f"    {word(test.good)} {self.number} {test.name}{skip}")

    def end(self) -> None:
        """Close the group."""
        self.done += 1
        skip = "" if self.ran or self.bad else " # SKIP nothing was run"
        self.put(f"{word(not self.bad)} {self.done} {self.name}{skip}")

    def note(self, text: str) -> None:
        """Say something that is no result."""
        self.put(f"# {text}")


def word(good: bool) -> str:
    return "ok" if good else "not ok"
