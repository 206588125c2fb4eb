# SPDX-License-Identifier: GPL-2.0-only
"""Results as kdump.py writes them, made up: for tests of what is made from results."""

from __future__ import annotations

import copy
from typing import Any

import scenarios
from runs import Run, Table, read_run, table

CELLS = {"first": {"dma": "intel_iommu=on,sm_off", "pt": "intel_iommu=on,sm_off iommu=pt"},
         "crash": {"none": "", "pt": "intel_iommu=on,sm_off iommu=pt"}}


def verdicts(fails: list[str], names: list[str]) -> dict[str, Any]:
    return {name: {"verdict": "fail" if name in fails else "pass", "text": f"about {name}"}
            for name in names}


def result(row: str, kernel: str = "6.12", flavour: str = "takeover", **keys: Any
           ) -> dict[str, Any]:
    """A run that was clean; keys replace what it says."""
    fails = keys.get("fails", [])
    stock = " --stock" if flavour == "stock" else ""
    data: dict[str, Any] = {
        "row": row, "kernel": kernel, "flavour": flavour, "verdict": "FAIL" if fails else "PASS",
        "fails": fails,
        "invariants": verdicts(fails, ["ON", "ALIVE", "SHIELD"]),
        "checks": verdicts(fails, ["dump", "release"]),
        "facts": {"first": "console=ttyS0 a", "crash": "console=ttyS0 b", "faults": 0,
                  "devices": ["0000:00:01.0 8086:10d3 e1000e DMA-FQ"]},
        "timeline": {
            "marks": {"panic": 0.0, "kdump kernel": 2.0, "new root": 3.0, "dump begun": 4.6,
                      "dump saved": 6.1},
            "bucket": 0.1, "translation": [[0.0, 1]],
            "devices": [
                {"name": "e1000e (00:01.0)", "sid": 8, "id": "8086:10d3", "released": 4.5,
                 "in_flight": [[0.0, 1], [3.1, 60]],
                 "translated": [[0.0, 1], [3.1, 60], [5.0, 300]], "faulted": []},
                {"name": "ahci (00:1f.2)", "sid": 250, "id": "8086:2922", "released": 3.3,
                 "in_flight": [[0.0, 33]], "translated": [[0.0, 33], [6.0, 4911]],
                 "faulted": []}]},
        "no_results": 0, "folder": f"out/made-up/{kernel}-{flavour}/{row}",
        "repeat": f"scripts/kdump --kernel {kernel}{stock} --scenario {row}",
        "date": "2026-01-02T03:04:05Z", "qemu": "7.2.22", "accel": "tcg", "key": "0"}
    return copy.deepcopy({**data, **keys})


def lost(row: str, kernel: str = "6.12", **keys: Any) -> dict[str, Any]:
    """A run on the stock kernel that lost the dump after a long wait."""
    data = result(row, kernel, "stock", fails=["ALIVE", "dump", "release"],
                  expected=["ALIVE", "dump"], as_measured=True, **keys)
    data["checks"]["dump"]["text"] = "kdump kernel: DUMP LOST: no disk /dev/sda"
    data["facts"]["faults"] = 6001
    line = data["timeline"]
    del line["marks"]["dump begun"], line["marks"]["dump saved"]
    for lane in line["devices"]:
        lane["released"] = None
        lane["translated"] = lane["in_flight"]
    line["devices"][0]["faulted"] = [[52.4, 6000], [60.1, 1]]
    return data


def switched_off(row: str, kernel: str = "6.12") -> dict[str, Any]:
    """A run on the stock kernel that switched translation off and on."""
    data = result(row, kernel, "stock", fails=["ON", "ALIVE"], expected=["ON"], as_measured=True)
    data["timeline"]["translation"] = [[0.0, 1], [2.85, 0], [3.6, 1]]
    for lane in data["timeline"]["devices"]:
        lane["released"] = None
    data["timeline"]["devices"][0]["translated"] = [[0.0, 1], [5.0, 300]]
    return data


def alive(row: str, kernel: str, flavour: str) -> dict[str, Any]:
    """A run in which nothing panics."""
    data = result(row, kernel, flavour)
    del data["timeline"], data["checks"]["dump"]
    return data


def whole(kernels: tuple[str, ...] = ("6.12",)) -> list[dict[str, Any]]:
    """A result of every row on every kernel, but for a few that have none."""
    found: list[dict[str, Any]] = []
    for kernel in kernels:
        for name, row in scenarios.load().items():
            if not row.runs_on(kernel):
                continue
            if row.road == "life":
                found += [alive(name, kernel, flavour) for flavour in ("takeover", "stock")]
                continue
            asked = row.takeover if isinstance(row.takeover, list) else []
            found.append(result(name, kernel, fails=asked, expected=row.takeover,
                                as_measured=True) if asked else result(name, kernel))
            stock = row.stock if isinstance(row.stock, list) else []
            found.append(lost(name, kernel) if "dump" in stock else
                         switched_off(name, kernel) if "ON" in stock else
                         result(name, kernel, "stock", fails=stock, as_measured=True))
    return [r for r in found if (r["row"], r["flavour"]) != ("dev-nvme", "stock")]


def runs(found: list[dict[str, Any]]) -> list[Run]:
    return [read_run(data, "test") for data in found]


def laid_out(found: list[dict[str, Any]]) -> tuple[Table, dict[str, scenarios.Row]]:
    rows = scenarios.load()
    return table(runs(found), list(rows), lambda row, kernel: rows[row].runs_on(kernel)), rows
