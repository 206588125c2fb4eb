#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pull a card out of a stopped guest, as a hand would: nobody asks the kernel in it.

QEMU takes a device out of a PCI Express slot when the slot loses its power, which is for the guest
to switch off: here the host does, in the port's configuration space. The row names a device that
has `id=pulled` and sits below a port.
"""

from __future__ import annotations

from common import die
from guest import Guest

ID = "pulled"  # of the device, among QEMU's
# Slots are PCI Express's own; otherwise QEMU waits for the guest's ACPI.
MACHINE = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
ECAM = 0xB0000000  # where q35's firmware puts configuration space
HEADER_TYPE, BRIDGE = 0x0E, 1
BUSES = 0x18  # of a bridge: its own bus, the bus behind it
STATUS, CAPABILITIES, HAS_CAPABILITIES = 0x06, 0x34, 0x10
EXPRESS = 0x10  # capability
# In it: what the slot is told. Power off, and both indicators off.
SLOT_CONTROL, NO_POWER = 0x18, 0x0400 | 0x0300 | 0x00C0


def pull(guest: Guest, bus: int) -> None:
    """Take the device away that is alone on a bus. The guest must be stopped."""
    port = port_of(guest, bus)
    guest.qtest.write(port + express(guest, port) + SLOT_CONTROL, NO_POWER, "w")
    if f'id "{ID}"' in guest.monitor("info qtree"):
        die(f"QEMU keeps the device on bus {bus:#x}, which has no power")
    # Other cards are not to wait until this one has told of its frames.
    if guest.frames:
        guest.frames.tells = False


def port_of(guest: Guest, bus: int) -> int:
    """Where the configuration space lies of the port on bus 0 that leads to a bus."""
    for function in range(256):
        here = ECAM + (function << 12)
        header = guest.qtest.read(here + HEADER_TYPE, "b") & 0x7F
        if header == BRIDGE and guest.qtest.read(here + BUSES + 1, "b") == bus:
            return here
    return die(f"no port leads to bus {bus:#x}")


def express(guest: Guest, port: int) -> int:
    """The offset of a port's PCI Express capability."""
    at = 0
    if guest.qtest.read(port + STATUS, "w") & HAS_CAPABILITIES:
        at = guest.qtest.read(port + CAPABILITIES, "b")
    while at:
        if guest.qtest.read(port + at, "b") == EXPRESS:
            return at
        at = guest.qtest.read(port + at + 1, "b")
    return die(f"{port:#x}: no PCI Express port")
