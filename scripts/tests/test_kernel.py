# SPDX-License-Identifier: GPL-2.0-only
"""Build trees and sources, without building: links are never written through, nothing is lost."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

import fake
import kernel
import scenarios
import source as sources
from common import Failure, write_whole
from kernel import Tree, not_survived
from source import Source, find


@pytest.fixture(name="tree")
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(kernel, "BUILD", tmp_path / "build")
    tree = Tree(fake.tree(tmp_path / "linux"), "takeover")
    tree.prepare()
    return tree


def test_tree_is_made_of_links(tree: Tree) -> None:
    assert (tree.path / fake.DRIVER).samefile(tree.source.path / fake.DRIVER)
    assert not list(tree.path.parent.glob(".*"))


def test_patched_files_replace_links(tree: Tree) -> None:
    tree.apply({fake.DRIVER: "new\n", fake.GLUE: "added\n"})
    assert (tree.path / fake.DRIVER).read_text() == "new\n"
    assert (tree.source.path / fake.DRIVER).read_text() == fake.CODE
    assert (tree.path / fake.GLUE).read_text() == "added\n"


def test_right_files_are_not_touched(tree: Tree) -> None:
    tree.apply({fake.DRIVER: "new\n"})
    before = (tree.path / fake.DRIVER).stat()
    tree.apply({fake.DRIVER: "new\n", fake.GLUE: "added\n"})
    assert (tree.path / fake.DRIVER).stat().st_ino == before.st_ino


def test_files_no_longer_patched_become_pristine_and_newer(tree: Tree) -> None:
    os.utime(tree.source.path / fake.DRIVER, (1, 1))
    tree.apply({fake.DRIVER: "new\n", fake.GLUE: "added\n"})
    built = (tree.path / fake.DRIVER).stat().st_mtime_ns
    tree.apply({})
    assert (tree.path / fake.DRIVER).read_text() == fake.CODE
    assert (tree.path / fake.DRIVER).stat().st_mtime_ns >= built
    assert not (tree.path / fake.GLUE).exists()


def test_broken_off_apply_is_put_right(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, text: str) -> None:
        if path.name == "Kconfig":
            raise Failure("disk full")
        write_whole(path, text)

    tree.apply({fake.GLUE: "added\n"})
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "write_whole", broken)
        with pytest.raises(Failure):
            tree.apply({fake.DRIVER: "new\n", "Kconfig": "new\n"})
    assert (tree.path / fake.DRIVER).read_text() == "new\n"
    tree.apply({})
    assert (tree.path / fake.DRIVER).read_text() == fake.CODE
    assert not (tree.path / fake.GLUE).exists()


def test_changes_in_a_tree_of_the_users_own_arrive(tree: Tree) -> None:
    tree.apply({fake.GLUE: "added\n"})
    theirs = tree.source.path / fake.DRIVER
    write_whole(theirs, "edited by its owner\n")
    fake.write(tree.source.path, {"drivers/new/file.c": "x\n"})
    tree.prepare()
    assert (tree.path / fake.DRIVER).read_text() == theirs.read_text()
    assert (tree.path / "drivers/new/file.c").exists()
    assert (tree.path / fake.GLUE).read_text() == "added\n"


def test_second_tree_begins_with_what_the_first_built(tree: Tree) -> None:
    tree.apply({fake.DRIVER: "new\n", fake.GLUE: "added\n"})
    built = tree.path / "vmlinux"
    built.write_text("built")
    os.utime(built, (1, 1))
    second = Tree(tree.source, "stock")
    with tree.lock():
        second.prepare()
    assert not (second.path / "vmlinux").exists(), "copied while somebody built there"
    shutil.rmtree(second.path)
    second.prepare()
    copied = second.path / "vmlinux"
    assert copied.stat().st_mtime == 1 and not copied.samefile(built)
    assert (second.path / "Makefile").samefile(tree.source.path / "Makefile")
    second.apply({})
    assert (second.path / fake.DRIVER).read_text() == fake.CODE
    assert (tree.path / fake.DRIVER).read_text() == "new\n"
    assert not (second.path / fake.GLUE).exists()


def test_the_tree_that_is_most_alike_is_copied(tree: Tree) -> None:
    for kind in ("stock-kcsan", "takeover-kcsan", "stock"):
        other = Tree(tree.source, kind)
        other.prepare()
        (other.path / "vmlinux").write_text(kind)
    for kind, like in {"stock-no-iov": "stock", "takeover-kcsan-debug": "takeover-kcsan"}.items():
        new = Tree(tree.source, kind)
        new.prepare()
        assert (new.path / "vmlinux").read_text() == like


def test_tree_of_another_source_is_made_anew(tree: Tree, tmp_path: Path) -> None:
    (tree.path / "vmlinux").touch()
    other = fake.tree(tmp_path / "other")
    again = Tree(Source(other.version, other.path, other.label), "takeover")
    again.path = tree.path
    again.prepare()
    assert not (again.path / "vmlinux").exists()
    assert (again.path / "Makefile").samefile(other.path / "Makefile")


def test_lost_lines_are_found() -> None:
    wanted = "# a comment\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=5\nCONFIG_D=y\nCONFIG_D=n\n"
    assert not not_survived(wanted, "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=5\n")
    assert not_survived(wanted, "CONFIG_B=y\nCONFIG_C=50\nCONFIG_D=y\n") == [
        "CONFIG_A=y", "CONFIG_B=n", "CONFIG_C=5", "CONFIG_D=n"]


@pytest.mark.parametrize("version", ["5.4", "6", "six", ""])
def test_unknown_versions(version: str) -> None:
    with pytest.raises(Failure, match=f"KERNEL={version}:"):
        find(version)


def test_6_1_is_not_taken_for_6_12(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"linux-{sources.KNOWN['6.1'].tested}"
    path.mkdir()
    (tmp_path / "linux-6.12.1").mkdir()
    monkeypatch.setattr(sources, "SRC", tmp_path)
    assert find("6.1").path == path


def test_newest_kernel_comes_from_another_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[list[str]] = []

    class Offline:
        """An apt without a network."""

        def __init__(self, _: Path, suites: list[str]) -> None:
            asked.append(suites)
            raise Failure("cannot be reached")

    monkeypatch.setattr(sources, "SRC", tmp_path)
    monkeypatch.setattr(sources, "PrivateApt", Offline)
    monkeypatch.setattr(sources, "TARBALLS", tmp_path)
    with pytest.raises(Failure, match="linux-source-7.3 cannot be had here.*KDIR"):
        find("7.3")
    assert asked == [["trixie-backports"]] * 2
    assert "cannot be reached" in capsys.readouterr().err
    assert not list(tmp_path.glob("linux*"))


def test_no_such_variant() -> None:
    with pytest.raises(Failure, match="no such variant of a kernel: odd"):
        kernel.build("6.12", variant="odd")


def test_kdir(tmp_path: Path) -> None:
    path = fake.tree(tmp_path / "linux", (6, 12, 5)).path
    found = find(None, str(path))
    assert (found.version, found.label, found.number) == ("6.12", "6.12.5", 61200)
    assert found.key.startswith("6.12-")
    with pytest.raises(Failure, match="is Linux 6.12, not KERNEL=6.1"):
        find("6.1", str(path))
    with pytest.raises(Failure, match="no such directory"):
        find(None, str(tmp_path / "none"))
    with pytest.raises(Failure, match="not a Linux source tree"):
        find(None, str(tmp_path))
    (path / ".config").touch()
    with pytest.raises(Failure, match="not clean"):
        find(None, str(path))


def test_newest_package_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str | None] = []

    def fetch(package: str, version: str | None, suite: str) -> Path | None:
        assert (package, suite) == ("linux-source-6.12", "")
        asked.append(version)
        return None if version else tmp_path / "linux-6.12.999-1"

    monkeypatch.setattr(sources, "SRC", tmp_path)
    monkeypatch.setattr(sources, "_fetch", fetch)
    assert find("6.12").label == "6.12.999-1"
    assert asked == [sources.KNOWN["6.12"].tested, None]
    assert "warning" in capsys.readouterr().err


def test_version_numbers() -> None:
    assert Source("6.1", Path(), "6.1.5").number == 60100
    assert Source("7.3", Path(), "7.3.4").number == 70300


def test_kernels_with_alarms_on_exist() -> None:
    for name in scenarios.ALARMS:
        wanted, excused = kernel.VARIANTS[name]
        assert "CONFIG_SLUB_TINY=n" in wanted and not excused
    assert "CONFIG_KASAN=y" in kernel.VARIANTS["debug"][0]
    assert "CONFIG_KCSAN=y" in kernel.VARIANTS["kcsan"][0]


def test_stock_is_built_without_the_takeover_only_once(tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    source = dataclasses.replace(fake.tree(tmp_path / "linux"), foreign=False)
    monkeypatch.setattr(kernel, "BUILD", tmp_path / "build")
    monkeypatch.setattr(kernel, "find", lambda version, kdir: source)
    made = Tree(source, "stock")
    made.prepare()
    write_whole(made.path / kernel.BZIMAGE, "image")
    made.note(done=kernel.inputs(source, True))
    assert kernel.build("6.12", stock=True, variant="no-takeover") == made.path / kernel.BZIMAGE


def test_another_configuration_of_a_variant_is_another_kernel(tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch
                                                              ) -> None:
    source = fake.tree(tmp_path / "linux")
    before = [kernel.inputs(source, True, name) for name in ("", "debug", "kcsan")]
    assert len(set(before)) == 3
    monkeypatch.setitem(kernel.VARIANTS, "debug", ("CONFIG_KASAN=n\n", frozenset()))
    assert kernel.inputs(source, True, "debug") not in before
    assert kernel.inputs(source, True) == before[0]
