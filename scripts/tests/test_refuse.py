# SPDX-License-Identifier: GPL-2.0-only
"""A function of the kdump kernel is found, and a gdb that does not work is an error."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

import refuse
from common import Failure
from guest import Guest


def image(folder: Path) -> Path:
    (folder / "System.map").write_text("ffffffff81000000 T _text\n"
                                       "ffffffff81000100 t dmar_enable_qi.cold\n"
                                       "ffffffff81000200 T dmar_enable_qi\n"
                                       "ffffffff81000300 D dmar_global_lock\n")
    return folder / "arch" / "x86" / "boot" / "bzImage"


def test_a_function_has_one_address(tmp_path: Path) -> None:
    assert refuse.address_of(image(tmp_path), "dmar_enable_qi") == 0xFFFFFFFF81000200


def test_what_is_no_function(tmp_path: Path) -> None:
    for name in ("dmar_global_lock", "dmar"):
        with pytest.raises(Failure, match=f"no function {name}"):
            refuse.address_of(image(tmp_path), name)


def test_a_kernel_without_symbols(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="System.map: No such file"):
        refuse.address_of(tmp_path / "arch" / "x86" / "boot" / "bzImage", "dmar_enable_qi")


class Deaf:
    """A guest that no gdb gets to."""

    def __init__(self, folder: Path) -> None:
        self.private = self.folder = folder
        self.qmp = self
        self.events: list[str] = ["RESUME"]

    def monitor(self, _: str) -> str:
        return ""


def test_a_gdb_that_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gdb"
    program.write_text("#!/bin/sh\necho no such server\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    (tmp_path / "guest").mkdir()
    with pytest.raises(Failure, match="gdb does not start: no such server"):
        refuse.Refusal(cast(Guest, Deaf(tmp_path / "guest")), image(tmp_path), "dmar_enable_qi")


class Running(Deaf):
    """A guest that goes on as soon as somebody looks."""

    looks = 0

    @property
    def events(self) -> list[str]:
        self.looks += 1
        return ["RESUME"] * self.looks

    @events.setter
    def events(self, _: list[str]) -> None:
        pass


@pytest.mark.parametrize(("gdb", "called"), [
    ("echo 'Thread 1 hit Breakpoint 1, 0x0 in ?? ()'", True),
    ("echo 'Thread 1 hit Breakpoint 1, 0x0 in ?? ()'; sleep 1", True),  # the guest dies sooner
    ("echo 'Thread 1 hit Breakpoint 1, 0x0 in ?? ()'; exit 1", False),  # and then it failed
    ("echo 'Breakpoint 1 at 0x0'", False),
    ("exec sleep 60", False),
])
def test_whether_the_function_was_called(gdb: str, called: bool, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gdb"
    program.write_text(f"#!/bin/sh\n{gdb}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(refuse, "FAREWELL", 2)
    (tmp_path / "guest").mkdir()
    refusal = refuse.Refusal(cast(Guest, Running(tmp_path / "guest")), image(tmp_path),
                             "dmar_enable_qi")
    assert refusal.happened() == called
    refusal.close()
