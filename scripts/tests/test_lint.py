# SPDX-License-Identifier: GPL-2.0-only
"""What of checkpatch's output counts."""

from __future__ import annotations

import pytest

import lint

SAID = "{kind}: words\n#28: FILE: drivers/iommu/intel/takeover/{file}:28:\n+\tTP_STRUCT__entry(\n"


@pytest.mark.parametrize(("kind", "file", "counts"), [
    ("CHECK:OPEN_ENDED_LINE", "trace.h", False),
    ("CHECK:SPACING", "trace.h", False),
    ("CHECK:OPEN_ENDED_LINE", "trace.c", True),
    ("WARNING:LONG_LINE", "trace.h", True),
])
def test_the_macros_of_tracepoints_are_no_calls(kind: str, file: str, counts: bool) -> None:
    said = SAID.format(kind=kind, file=file)
    assert bool(lint.complaints(said)) == counts
    other = SAID.format(kind="ERROR:X", file="glue.c")
    assert "glue.c" in lint.complaints(f"{said}\n{other}\n")
