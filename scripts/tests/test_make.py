# SPDX-License-Identifier: GPL-2.0-only
"""What make passes on to the scripts, and what it refuses."""

from __future__ import annotations

import subprocess

import pytest

from common import TOP


def make(*words: str) -> tuple[int, str]:
    done = subprocess.run(["make", "-n", *words], cwd=TOP, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_option_reaches_the_script_whole() -> None:
    status, said = make("kernel", "KDIR=/my trees/it's", "STOCK=1")
    assert status == 0 and r"--kdir '/my trees/it'\''s'" in said and "--stock" in said
    assert "--stock" not in make("kernel", "STOCK=0")[1]


@pytest.mark.parametrize(("target", "option"), [
    ("kdump", "KDIR=/tree"), ("check", "KERNEL=6.1"), ("kunit", "VARIANT=debug"),
    ("matrix", "STOCK=1")])
def test_an_option_that_a_target_does_not_take_is_an_error(target: str, option: str) -> None:
    status, said = make(target, option)
    assert status and f"{target} takes no {option.partition('=')[0]}" in said
