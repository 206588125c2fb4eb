# SPDX-License-Identifier: GPL-2.0-only
"""The series machinery on a small tree: what it makes, and that nothing is missed in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

import fake
import hooks
import series
from common import Failure, run
from source import Source

WHO = "Some One <one@example.org>"


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Source:
    return fake.tree(tmp_path / "linux")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return fake.checkout(tmp_path / "ours")


def assemble(source: Source, folder: Path) -> dict[str, str]:
    steps = series.assemble(source, folder, folder.parent.parent)
    return {path: text for one in steps for path, text in one.changes.items()}


def failure(source: Source, folder: Path) -> str:
    with pytest.raises(Failure) as caught:
        assemble(source, folder)
    return str(caught.value)


def test_end_of_the_series(source: Source, folder: Path) -> None:
    final = assemble(source, folder)
    assert set(final) == {fake.DRIVER, fake.GLUE, "drivers/iommu/intel/Makefile"}
    assert final[fake.GLUE] == "int a;\n"
    assert final["drivers/iommu/intel/Makefile"] == "obj-y += iommu.o\nobj-y += takeover/\n"
    assert "gone" not in final[fake.DRIVER]
    assert final[fake.DRIVER].count("ours(") == 2
    assert (source.path / fake.DRIVER).read_text() == fake.CODE


def test_patches_apply(source: Source, folder: Path, tmp_path: Path) -> None:
    steps = series.assemble(source, folder, folder.parent.parent)
    out = tmp_path / "out"
    names = [p.name for p in series.make(source, WHO, out, steps, folder)]
    assert names == ["0000-cover-letter.patch", "0001-subsystem-Add.patch",
                     "0002-subsystem-Swap.patch"]
    assert (out / "series").read_text().splitlines() == names[1:]
    cover = (out / names[0]).read_text()
    assert "subsystem: Cover" in cover and "***" not in cover and "Linux 6.12.117" in cover
    assert f"\nBody.\n\nSigned-off-by: {WHO}\n---\n" in (out / names[1]).read_text()
    again = series.Repository(tmp_path / "again", WHO)
    again.write(series.base(source, steps))
    again.commit("base\n")
    again.git("am", "-q", *(out / n for n in names[1:]))
    for path, text in assemble(source, folder).items():
        assert (again.path / path).read_text() == text


def test_series_is_the_same_each_time(source: Source, folder: Path, tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "_date", lambda: "2020-01-01T00:00:00+00:00")
    steps = series.assemble(source, folder, folder.parent.parent)
    one, two = (series.make(source, WHO, tmp_path / n, steps, folder) for n in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_empty_series(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no patch folder"):
        series.folders(tmp_path)


@pytest.mark.parametrize("count", [1, 3])
def test_other_count_is_an_error(source: Source, folder: Path, count: int) -> None:
    cocci = folder / "02-swap/swap.cocci"
    cocci.write_text(fake.SWAP.replace("swap 2", f"swap {count}"))
    said = failure(source, folder)
    for part in ("02-swap/swap.cocci", "rule swap", "2 places", fake.DRIVER, f"expected {count}"):
        assert part in said


def test_no_match_is_an_error(source: Source, folder: Path) -> None:
    (source.path / fake.DRIVER).write_text(fake.CODE.replace("gone", "other"))
    assert "rule swap matches 0 places" in failure(source, folder)


def test_count_by_version(tmp_path: Path, folder: Path) -> None:
    cocci = folder / "02-swap/swap.cocci"
    cocci.write_text(fake.SWAP.replace("swap 2", "swap 7\n// matches[>=6.12]: swap 2"))
    assemble(fake.tree(tmp_path / "new"), folder)
    old = fake.tree(tmp_path / "old", (6, 1, 1))
    assert "expected 7" in failure(old, folder)
    cocci.write_text("// only: >=7.3\n" + fake.SWAP)
    assert "02-swap: this patch changes nothing" == failure(old, folder)


def test_ranges_of_versions() -> None:
    assert [hooks.fits(">=6.2 <6.12", v) for v in ("6.1", "6.2", "6.9", "6.12", "7.0")] \
        == [False, True, True, False, False]
    for wrong in ("", "6.12", ">6.1", ">=6.1,<6.2"):
        with pytest.raises(Failure, match="range"):
            hooks.fits(wrong, "6.12")


def test_message_by_version(source: Source, folder: Path) -> None:
    message = folder / "01-add/message"
    message.write_text("subsystem: Add\n\n[<6.12]\nOld.\n\n[>=6.12]\nNew.\nTwo lines.\n\nBoth.\n")
    steps = series.assemble(source, folder, folder.parent.parent)
    assert steps[0].message == "subsystem: Add\n\nNew.\nTwo lines.\n\nBoth.\n"


def test_insert_by_version(source: Source, folder: Path) -> None:
    insert = folder / "01-add/insert.toml"
    insert.write_text(fake.INSERT + 'only = ">=6.12"\n')
    assert "takeover/" in assemble(source, folder)["drivers/iommu/intel/Makefile"]
    insert.write_text(fake.INSERT + 'only = "<6.12"\n')
    assert "drivers/iommu/intel/Makefile" not in assemble(source, folder)


def test_rule_without_count(source: Source, folder: Path) -> None:
    cocci = folder / "02-swap/swap.cocci"
    cocci.write_text(fake.SWAP.replace("// matches: removal 1\n", ""))
    assert "differ: removal" in failure(source, folder)


def test_rule_without_position(source: Source, folder: Path) -> None:
    cocci = folder / "02-swap/swap.cocci"
    cocci.write_text(fake.SWAP.replace("position p;\n", ""))
    assert "declares no 'position p'" in failure(source, folder)


def test_bad_semantic_patch(source: Source, folder: Path) -> None:
    (folder / "02-swap/swap.cocci").write_text(fake.SWAP + "- }}\n")
    assert "02-swap/swap.cocci: spatch failed" in failure(source, folder)


@pytest.mark.parametrize("anchor", ["^no such", "obj"])
def test_anchor_matches_one_line(source: Source, folder: Path, anchor: str) -> None:
    (source.path / "drivers/iommu/intel/Makefile").write_text("obj-y += a.o\nobj-y += b.o\n")
    (folder / "01-add/insert.toml").write_text(fake.INSERT.replace("^obj-y", anchor))
    said = failure(source, folder)
    assert said.startswith("01-add/insert.toml: drivers/iommu/intel/Makefile of Linux 6.12.117:")
    assert "expected 1" in said


def test_insert_inside_a_function() -> None:
    text = "int a(void);\nint a(void)\n{\n\tx;\n}\nint b(void)\n{\n\tx;\n}\n"
    place = r"^int b\([^;]*$"
    head = text.removesuffix("\tx;\n}\n")
    for how, body in (("after", "x;\n\ty;"), ("before", "y;\n\tx;"), ("instead", "y;")):
        assert hooks.insert(text, "\ty;", inside=place, **{how: r"^\tx;"}) \
            == f"{head}\t{body}\n}}\n"


def test_missing_file(source: Source, folder: Path) -> None:
    (source.path / fake.DRIVER).unlink()
    assert failure(source, folder) == \
        f"02-swap/swap.cocci: Linux 6.12.117 has no {fake.DRIVER}"


def test_early_text_of_a_file(source: Source, folder: Path) -> None:
    (folder / "01-add/files").write_text(f"{fake.GLUE} <- early\n")
    (folder / "01-add/early").write_text("int early;\n")
    (folder / "02-swap/files").write_text(f"{fake.GLUE}\n")
    steps = series.assemble(source, folder, folder.parent.parent)
    assert [s.changes[fake.GLUE] for s in steps] == ["int early;\n", "int a;\n"]


def test_version_switch_stays_in_glue() -> None:
    with pytest.raises(Failure, match="only glue.c"):
        hooks.resolve("#if TAKEOVER_KERNEL >= 61200\n#endif\n", "drivers/unit.c", 61200)
    with pytest.raises(Failure, match="cannot decide"):
        hooks.resolve("#if TAKEOVER_KERNEL >= 61200 && A\n#endif\n", fake.GLUE, 61200)
    text = "#if TAKEOVER_KERNEL >= 70300\nint a;\n#else\nint b;\n#endif\n"
    assert hooks.resolve(text, fake.GLUE, 61200) == "int b;\n"
    assert hooks.resolve(text, fake.GLUE, 70300) == "int a;\n"


def test_message_form(source: Source, folder: Path) -> None:
    message = folder / "01-add/message"
    message.write_text("subsystem: Add\nno blank line\n")
    assert "01-add: message: want a subject" in failure(source, folder)
    message.write_text("subsystem: Add\n\nSigned-off-by: x\n")
    assert "01-add: message: the sign-off" in failure(source, folder)


def test_identity() -> None:
    assert series.identity(WHO) == WHO
    with pytest.raises(Failure, match="SIGNOFF=me"):
        series.identity("me")


def test_git_configuration_of_the_user_is_not_used(tmp_path: Path) -> None:
    repository = series.Repository(tmp_path / "r", WHO)
    repository.write({"a": "b\n"})
    repository.commit("subject\n")
    assert run(["git", "log", "--format=%an <%ae>"], cwd=repository.path).stdout == f"{WHO}\n"
