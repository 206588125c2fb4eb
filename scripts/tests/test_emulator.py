# SPDX-License-Identifier: GPL-2.0-only
"""Which QEMU a row gets, without apt: programs that only tell a version stand for it."""

from __future__ import annotations

from pathlib import Path

import pytest

import emulator
from common import Failure


def program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'QEMU emulator version {version} (Debian)'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with QEMU 7.2 and nothing to fetch from."""
    def nothing(folder: Path) -> list[Path]:
        (folder / "half").write_text("done")
        raise Failure("offline")

    monkeypatch.setattr(emulator, "ROOT", tmp_path / "qemu")
    monkeypatch.setattr(emulator, "_download", nothing)
    monkeypatch.setattr("platform.freedesktop_os_release",
                        lambda: {"VERSION_CODENAME": emulator.SUITE})
    own = program(tmp_path / "bin" / emulator.QEMU, "7.2.22")
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    return own


def kept(version: str) -> Path:
    return program(emulator.ROOT / version / "usr/bin" / emulator.QEMU, version)


def test_needs() -> None:
    assert (emulator.wanted(""), emulator.wanted("qemu>=10")) == (0, 10)
    with pytest.raises(Failure, match="not understood"):
        emulator.wanted("qemu>10")


def test_own_where_it_will_do(machine: Path) -> None:
    for needs in ("", "qemu>=7"):
        found = emulator.find(needs)
        assert (found.program, found.version, found.options) == (str(machine), "7.2.22", [])


def test_newest_that_was_unpacked(machine: Path) -> None:
    for version in ("9.2.4", "10.0.2", "10.0.10"):
        kept(version)
    found = emulator.find("qemu>=10")
    assert found.program == str(emulator.ROOT / "10.0.10/usr/bin" / emulator.QEMU)
    assert found.version == "10.0.10" and "-L" in found.options
    assert emulator.probe(found) == found


def test_offline_is_a_reason_and_leaves_nothing(machine: Path) -> None:
    kept("9.2.4")
    with pytest.raises(Failure, match=r"needs QEMU 10, this machine has 7\.2\.22.*offline"):
        emulator.find("qemu>=10")
    assert {p.name for p in emulator.ROOT.iterdir()} == {".lock", "9.2.4"}


def test_only_debian_12_fetches(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"VERSION_CODENAME": "noble"})
    with pytest.raises(Failure, match="only for Debian 12"):
        emulator.find("qemu>=10")


def test_fetched_gets_its_version_as_name(machine: Path, monkeypatch: pytest.MonkeyPatch
                                          ) -> None:
    def download(folder: Path) -> list[Path]:
        program(folder / "root/usr/bin" / emulator.QEMU, "10.0.2")
        return []

    monkeypatch.setattr(emulator, "_download", download)
    assert emulator.find("qemu>=10").version == "10.0.2"
    assert {p.name for p in emulator.ROOT.iterdir()} == {".lock", "10.0.2"}
    with pytest.raises(Failure, match="bookworm-backports has 10.0.2"):
        emulator.find("qemu>=11")
