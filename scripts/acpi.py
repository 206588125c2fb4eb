#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A DMAR table that replaces the guest's, for what QEMU's own never says.

That is: memory that firmware reserved for a device (RMRR), that firmware opts out of remapping, or
insists on it because a port leads out of the machine, and what Linux cannot use (WRONG).

Linux takes it from the initramfs (CONFIG_ACPI_TABLE_UPGRADE) if its OEM names are those of the
firmware's table and its revision is higher. Only what a row needs is in it: one unit for all
devices, the IOAPIC, at most one RMRR for one device. Chapters are those of the VT-d specification,
revision 4.1.

That a port leads out of the machine stands in a table of its own (SSDT), which iasl makes.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from common import run
from guest import REGISTERS

# Where Linux looks for them in an uncompressed initramfs.
FILE = "kernel/firmware/acpi/DMAR.aml"
PORT_FILE = "kernel/firmware/acpi/SSDT.aml"

# QEMU's names; its revision is 1.
OEM, OEM_TABLE, OEM_REVISION = b"BOCHS ", b"BXPC    ", 2
CREATOR = b"VTDT"
HEADER = struct.Struct("<4sIBB6s8sI4sI")

# 8.1: address width, less one; interrupt remapping is supported.
WIDTH = 39 - 1
INTR_REMAP = 1 << 0
# The platform wants DMA remapping on. Linux heeds it where a port leads out of the machine.
PLATFORM_OPT_IN = 1 << 2
# Firmware opts out of DMA remapping; Linux heeds it since 7.3 (include/linux/dmar.h).
REMAP_OPT_OUT = 1 << 3
# 8.2, 8.3, 8.4
DRHD, RMRR_TYPE = 0, 1
INCLUDE_PCI_ALL = 1 << 0
ENDPOINT, BRIDGE, IOAPIC = 1, 2, 3
# QEMU's q35: the IOAPIC's number and requester id.
IOAPIC_ID, IOAPIC_BUS = 0, 0xFF

# A unit where there is none: the registers of no function of bus 255 read all ones.
NO_UNIT = {"unit-zero": 0, "unit-ones": 0xB0000000 + (255 << 20) + (31 << 15)}
# What may be wrong with a table: the reserved memory is that of a bridge, which the device is not,
# or there is such a unit. Linux then does without all of the table.
WRONG = ("bridge", *NO_UNIT)

# The RMRR of a guest of 1 GiB: RAM that its firmware reserves in both kernels' maps, above the
# ACPI tables in it.
RMRR = (0x3FFF0000, 0x3FFF0FFF)

# A port that leads out of the machine, as firmware of Thunderbolt machines describes it. QEMU names
# a function on bus 0 by its device and function number.
PORT = """
DefinitionBlock ("", "SSDT", 2, "BOCHS ", "VTDT", 1)
{{
    External (\\_SB.PCI0.S{name:02X}, DeviceObj)
    Scope (\\_SB.PCI0.S{name:02X})
    {{
        Name (_DSD, Package () {{
            ToUUID ("efcc06cc-73ac-4bc3-bff0-76143807c389"),
            Package () {{ Package () {{ "ExternalFacingPort", 1 }} }} }})
    }}
}}
"""


def outward(slot: int) -> bytes:
    """The table that says of a root port on bus 0 that it leads out of the machine."""
    with tempfile.TemporaryDirectory(prefix="acpi-") as name:
        source = Path(name) / "port.asl"
        source.write_text(PORT.format(name=slot << 3))
        run(["iasl", "-p", source.with_suffix(""), source])
        return source.with_suffix(".aml").read_bytes()


def scope(kind: int, number: int, bus: int, slot: int, function: int) -> bytes:
    """A device of a unit or an RMRR (8.3.1)."""
    return struct.pack("<BBHBBBB", kind, 8, 0, number, bus, slot, function)


def dmar(slot: int | None, opt_out: bool = False, wrong: str = "", opt_in: bool = False) -> bytes:
    """The table, with RMRR as reserved memory of a device on bus 0, if there is one.

    opt_out, opt_in: what firmware wants; wrong: of WRONG, what Linux does not understand about it.
    """
    ioapic = scope(IOAPIC, IOAPIC_ID, IOAPIC_BUS, 0, 0)
    units = b""
    if wrong in NO_UNIT:
        nobody = scope(ENDPOINT, 0, 0xFF, 0x1F, 7)
        units = struct.pack("<HHBBHQ", DRHD, 16 + len(nobody), 0, 0, 0, NO_UNIT[wrong]) + nobody
    units += struct.pack("<HHBBHQ", DRHD, 16 + len(ioapic), INCLUDE_PCI_ALL, 0, 0,
                         REGISTERS) + ioapic
    reserved = b""
    if slot is not None:
        device = scope(BRIDGE if wrong == "bridge" else ENDPOINT, 0, 0, slot, 0)
        reserved = struct.pack("<HHHHQQ", RMRR_TYPE, 24 + len(device), 0, 0, *RMRR) + device
    flags = INTR_REMAP | opt_out * REMAP_OPT_OUT | opt_in * PLATFORM_OPT_IN
    body = struct.pack("<BB10x", WIDTH, flags) + units + reserved
    length = HEADER.size + len(body)

    def table(checksum: int) -> bytes:
        return HEADER.pack(b"DMAR", length, 1, checksum, OEM, OEM_TABLE, OEM_REVISION, CREATOR,
                           1) + body

    return table(-sum(table(0)) % 256)
