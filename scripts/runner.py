#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many runs: their kernels, a few guests at a time, and a clean end whatever ends it.

A run's course is course.py's. Which rows on which kernels, and what becomes of the results, is for
kdump.py (one kernel) and matrix.py (all of them) to say.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import groupby
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, TypeVar

import emulator
import hostile
import inspector
from common import Failure, die, need, say
from course import Images, Kernel, run_row
from guest import accelerator
from scenarios import Row

PATIENCE = 20  # seconds that a guest has to go away
PR_SET_PDEATHSIG = 1
ENDING = {signal.SIGINT, signal.SIGTERM}
Result = dict[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Job:
    """A row on a kernel."""

    row: Row
    kernel: Kernel

    @property
    def name(self) -> str:
        return f"{self.kernel.name}/{self.row.name}"


def attempt(what: Callable[..., Found], *asked: object) -> Found | Failure:
    """Look for what some rows need; the others shall run without it."""
    try:
        return what(*asked)
    except Failure as failure:
        return failure


class Shelf:
    """The kernels' images, each built once and only when a row needs it.

    given: a ready image that stands for whatever kernel saves the dump; only other first kernels
    are built then.
    """

    def __init__(self, given: Path | None = None) -> None:
        self.given = given
        self.have: dict[tuple[str, bool, str], Path | Failure] = {}

    def image(self, version: str, stock: bool, variant: str = "") -> Path:
        """Return an image. What failed once fails again, at once."""
        what = (version, stock, variant)
        if what not in self.have:
            self.have[what] = attempt(self.build, *what)
        image = self.have[what]
        if isinstance(image, Failure):
            raise image
        return image

    @staticmethod
    def build(version: str, stock: bool, variant: str) -> Path:
        """Have kernel.py build an image."""
        import kernel  # here, so that given images work where no kernel can be built
        build: Callable[..., Path] = kernel.build
        return build(version, stock, variant=variant) if variant else build(version, stock)

    def images(self, job: Job) -> Images:
        """Return the images of both kernels of a run."""
        row, kernel = job.row, job.kernel
        if row.crash_variant:
            return Images(self.image(kernel.version, kernel.stock, row.crash_variant),
                          self.given or self.image(kernel.version, kernel.stock))
        crash = self.given or self.image(kernel.version, kernel.stock, row.variant)
        if not row.first_kernel or row.first_kernel == "stock" and kernel.stock:
            return Images(crash, crash)
        version = kernel.version if row.first_kernel == "stock" else row.first_kernel
        return Images(crash, self.image(version, True, row.variant))


def prepare(rows: Sequence[Row]) -> None:
    """Ask for what all runs need, before the first one."""
    if bad := [why for why in map(hostile.problem, rows) if why]:
        die("; ".join(bad))
    # mkfs and its like live where only root usually looks.
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    need("qemu-system-x86_64", "kexec", "makedumpfile", "busybox", "debugfs",
         *(["gdb"] if any(row.enomem for row in rows) else []),
         *(["iasl"] if any(row.outward for row in rows) else []))
    inspector.build()
    accelerator()


def run_jobs(jobs: Sequence[Job], shelf: Shelf, guests: int, resume: bool
             ) -> Generator[Result, None, None]:
    """Run jobs, those of a kernel after each other's, and tell each result when it is there.

    While a kernel is built no guest runs: on a busy machine they miss their limits. Close the
    generator (contextlib.closing) to end all runs.
    """
    qemus = {needs: attempt(emulator.find, needs) for needs in {j.row.needs for j in jobs}}
    for _, group in groupby(jobs, lambda job: job.kernel):
        orders = []
        for job in group:
            images = attempt(shelf.images, job)
            orders.append((job.row, job.kernel, images, qemus[job.row.needs], resume))
        yield from pool(run_row, orders, guests)


def pool(work: Callable[..., Result], orders: Sequence[tuple[Any, ...]], size: int
         ) -> Generator[Result, None, None]:
    """Call work with each of the orders, so many at a time, each in a process of its own.

    A process that ends by itself takes nobody with it. However this ends, no process stays: each
    is told, cleans up, and takes nothing new.
    """
    waiting = list(orders)
    running: dict[Connection, tuple[ForkProcess, tuple[Any, ...]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(1, size):
                order = waiting.pop(0)
                ours, theirs = multiprocessing.Pipe(duplex=False)
                process = multiprocessing.get_context("fork").Process(
                    target=_worker, args=(work, order, theirs, os.getpid()))
                # A signal between the start and the note of it would leave a process that nobody
                # ends.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
                process.start()
                running[ours] = process, order
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                theirs.close()
            for each in wait(list(running)):
                assert isinstance(each, Connection)
                process, order = running[each]
                try:
                    answer = each.recv()
                except EOFError:
                    process.join()
                    answer = Failure(f"the process of a run ended with status {process.exitcode}")
                del running[each]
                each.close()
                process.join()
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join(PATIENCE)
            process.kill()


def _worker(work: Callable[..., Result], order: tuple[Any, ...], answers: Connection, parent: int
            ) -> None:
    """One process: do it and say what came of it, or clean up and be gone."""
    # Control-C reaches all processes of a terminal: the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_on_signal()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    try:
        answers.send(work(*order))
    except Failure as failure:
        answers.send(failure)


def end_on_signal() -> None:
    """Let SIGTERM end this process as an exception does, so that every "finally" is run.

    Once only: a second signal would break off the cleaning up.
    """
    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def progress(number: int, total: int) -> None:
    say(f"{number} of {total} rows done")
