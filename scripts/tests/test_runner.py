# SPDX-License-Identifier: GPL-2.0-only
"""Several runs at a time: what ends early, what is told to end, and which kernels are built."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import emulator
import runner
import scenarios
from common import Failure
from course import Images, Kernel
from runner import Job, Shelf, pool

HERE = Path(__file__).resolve().parent


def double(number: int) -> dict[str, Any]:
    return {"twice": 2 * number}


def test_pool() -> None:
    orders = [(n,) for n in range(5)]
    assert sorted(d["twice"] for d in pool(double, orders, 2)) == [0, 2, 4, 6, 8]
    assert list(pool(double, [], 2)) == []


def test_pool_passes_on_a_failure_and_a_death() -> None:
    def fail(_: int) -> dict[str, Any]:
        raise Failure("no disk")

    def die(_: int) -> dict[str, Any]:
        os._exit(3)

    with pytest.raises(Failure, match="no disk"):
        list(pool(fail, [(1,)], 1))
    with pytest.raises(Failure, match="status 3"):
        list(pool(die, [(1,)], 1))


def gone(pid: int) -> bool:
    """Has a process ended, its children's last words included?"""
    return not Path(f"/proc/{pid}").exists()


def test_pool_closed_early_leaves_no_process(tmp_path: Path) -> None:
    def stay(number: int) -> dict[str, Any]:
        if number:
            # Whole or not there: a worker is ended at any point, while it writes as well.
            begun = tmp_path / f"{number}.half"
            begun.write_text(str(os.getpid()))
            begun.rename(tmp_path / f"{number}.begun")
            time.sleep(600)
            (tmp_path / f"{number}.stayed").write_text("")
        return {}

    with closing(pool(stay, [(n,) for n in range(9)], 3)) as results:
        assert next(results) == {}
        while not list(tmp_path.glob("*.begun")):
            time.sleep(0.01)
    begun = list(tmp_path.glob("*.begun"))
    assert all(gone(int(file.read_text())) for file in begun)
    assert len(begun) <= 3
    assert not list(tmp_path.glob("*.stayed"))


LAB = """
import os, sys, time
from contextlib import closing
from pathlib import Path
import runner

folder = Path(sys.argv[1])

def work(number):
    try:
        half = folder / f"{number}.half"
        half.write_text(str(os.getpid()))
        half.rename(folder / f"{number}.begun")
        time.sleep(600)
    finally:
        time.sleep(0.2)
        (folder / f"{number}.cleaned").write_text("")
    return {}

runner.end_on_signal()
with closing(runner.pool(work, [(n,) for n in range(6)], 2)) as results:
    list(results)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_parent_alone_ends_all(tmp_path: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", LAB, str(tmp_path)],
                              env={**os.environ, "PYTHONPATH": str(HERE.parent)})
    limit = time.monotonic() + 200
    while len(list(tmp_path.glob("*.begun"))) < 2 and time.monotonic() < limit:
        time.sleep(0.01)
    parent.send_signal(number)
    assert parent.wait(200) == (143 if number == signal.SIGTERM else -9)
    begun = sorted(tmp_path.glob("*.begun"))
    while len(list(tmp_path.glob("*.cleaned"))) < 2 and time.monotonic() < limit:
        time.sleep(0.01)
    # Those that ran have cleaned up, no other was begun, and nobody is left.
    assert [f.name for f in begun] == ["0.begun", "1.begun"]
    assert sorted(f.name for f in tmp_path.glob("*.cleaned")) == ["0.cleaned", "1.cleaned"]
    while not all(gone(int(f.read_text())) for f in begun) and time.monotonic() < limit:
        time.sleep(0.01)
    assert all(gone(int(f.read_text())) for f in begun)
    assert sorted(tmp_path.glob("*.begun")) == begun


class Builds(Shelf):
    """Builds nothing, but says what it was asked for."""

    asked: list[tuple[str, bool, str]] = []

    @staticmethod
    def build(version: str, stock: bool, variant: str) -> Path:
        Builds.asked.append((version, stock, variant))
        if version == "6.1":
            raise Failure("does not compile")
        return Path("-".join([version, "stock" if stock else "ours", variant]))


def job(version: str, stock: bool, **keys: Any) -> Job:
    row = scenarios.load()["cmd-dma-dma"]
    return Job(row.__class__(**{**vars(row), **keys}), Kernel(version, stock))


def test_images_of_a_row() -> None:
    shelf = Builds()
    Builds.asked = []
    ours, stock = Path("6.12-ours-"), Path("6.12-stock-")
    assert shelf.images(job("6.12", False)) == Images(ours, ours)
    assert shelf.images(job("6.12", True, first_kernel="stock")) == Images(stock, stock)
    assert shelf.images(job("6.12", False, first_kernel="stock")) == Images(ours, stock)
    assert shelf.images(job("6.12", False, first_kernel="7.3")) == Images(ours, Path("7.3-stock-"))
    bare = Path("6.12-ours-no-crash-dump")
    assert shelf.images(job("6.12", False, variant="no-crash-dump")) == Images(bare, bare)
    # The kernel that panics as usual, the one that saves the dump as the row wants it.
    assert shelf.images(job("6.12", True, crash_variant="no-iov")) == Images(
        Path("6.12-stock-no-iov"), Path("6.12-stock-"))
    for _ in range(2):
        with pytest.raises(Failure, match="does not compile"):
            shelf.images(job("6.12", False, first_kernel="6.1"))
    assert len(Builds.asked) == len(set(Builds.asked)) == 6
    given = Path("bzImage")
    assert Builds(given).images(job("6.1", False, variant="x")) == Images(given, given)


def test_a_kernel_that_does_not_build_costs_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run_row", lambda row, kernel, images, qemu, resume: {
        "kernel": kernel.name, "good": isinstance(images, Images)})
    monkeypatch.setattr(emulator, "find", lambda needs: None)
    jobs = [job("6.1", False), job("6.12", False), job("6.12", False, first_kernel="6.1")]
    got = list(runner.run_jobs(jobs, Builds(), 1, True))
    assert got == [{"kernel": "6.1-takeover", "good": False},
                   {"kernel": "6.12-takeover", "good": True},
                   {"kernel": "6.12-takeover", "good": False}]
