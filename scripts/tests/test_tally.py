# SPDX-License-Identifier: GPL-2.0-only
"""Counting: what must not be taken for a pass."""

from __future__ import annotations

import pytest

from common import die
from tally import Tally


def test_nothing_run_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert Tally().close() == 1
    assert capsys.readouterr().out == "0 passed, 0 failed\n"


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    assert tally.test("good", lambda: None)
    assert not tally.test("bad", lambda: "because")
    assert not tally.test("dead", lambda: die("broken"))
    assert tally.close() == 1
    assert capsys.readouterr().out.splitlines() == [
        "PASS good", "FAIL bad", "     because", "FAIL dead", "     broken", "1 passed, 2 failed"]


def test_junit() -> None:
    tally = Tally()
    xml = ('<testsuites><testsuite><testcase name="a"/>'
           '<testcase name="b"><failure message="m">text</failure></testcase>'
           '<testcase name="c"><skipped/></testcase></testsuite></testsuites>')
    assert tally.junit("x:", xml) == 3
    assert (tally.passed, tally.failed) == (1, 2)
