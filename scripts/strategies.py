#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table of what each way to deal with DMA in flight loses, in README and in the admin guide.

The figures are vtd-sim's (tools/testing/vtd-takeover/sim), which this asks; nothing is counted
here. `make docs` writes the tables; `make check` fails if they are not what vtd-sim says now.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from common import OUT, TOP, Failure, die, main, run, write_whole
from tally import Tally

PROGRAM = OUT / "core" / "vtd-sim"
README = TOP / "README"
GUIDE = TOP / "Documentation/admin-guide/kdump/vtd-takeover.rst"
COLUMNS = {
    "dumps_lost": "dumps lost",
    "crash_pages": "kdump kernel's pages overwritten",
    "old_pages": "crashed kernel's pages overwritten",
    "old_changed": "words of old tables changed",
    "blocks_nulled": "disk blocks nulled",
    "blocks_garbled": "disk blocks garbled",
    "aborts": "master aborts",
    "devices_dead": "devices lost",
}
MARKS = {
    README: ("<!-- strategies: made by scripts/strategies.py -->", "<!-- end of strategies -->"),
    # This one will lie in Linux, as the tool will.
    GUIDE: (".. what vtd-sim says (tools/testing/vtd-takeover)", ".. end of what vtd-sim says"),
}


def figures() -> dict[str, Any]:
    """Ask vtd-sim."""
    if not PROGRAM.exists():
        raise Failure("vtd-sim is not built: make model builds it")
    return dict(json.loads(run([PROGRAM, "--json"]).stdout))


def cells(found: dict[str, Any]) -> list[list[str]]:
    """The table, its heading first."""
    rows = [["", f"in {len(found['machines'])} machines", *COLUMNS.values()]]
    for one in found["strategies"]:
        rows.append([one["number"], one["name"],
                     *(str(one["losses"][name] or "-") for name in COLUMNS)])
    return rows


def markdown(rows: list[list[str]]) -> str:
    """For README."""
    rule = ["---", "---", *["---:"] * len(COLUMNS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def restructured(rows: list[list[str]]) -> str:
    """For the admin guide."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'*' if not index else ' '} - {cell}".rstrip()
                  for index, cell in enumerate(row)]
    return "\n".join(lines)


def renewed(path: Path, found: dict[str, Any]) -> str:
    """A document with the table of now in it."""
    begin, end = MARKS[path]
    table = (markdown if path == README else restructured)(cells(found))
    text = path.read_text()
    pattern = re.compile(f"{re.escape(begin)}\n.*?\n{re.escape(end)}\n", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        die(f"{path.relative_to(TOP)}: no place for the table ({begin} ... {end})")
    return pattern.sub(lambda _: f"{begin}\n\n{table}\n\n{end}\n", text)


def check(tally: Tally) -> None:
    """Count whether each document has the table of now."""
    for path in MARKS:
        def compare(path: Path = path) -> str:
            return ("" if renewed(path, figures()) == path.read_text()
                    else "the table is not what vtd-sim says: make docs")
        tally.test(f"strategies in {path.relative_to(TOP)}", compare)


def command() -> int:
    """Entry point of `make docs`."""
    argparse.ArgumentParser(description="Write what vtd-sim says into the documents.").parse_args()
    found = figures()
    for path in MARKS:
        write_whole(path, renewed(path, found))
    return 0


if __name__ == "__main__":
    main(command)
