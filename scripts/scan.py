#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Look for a wire's frames in the kdump kernel's memory, from outside.

All frames on a wire are full of the same words (guest.frame_mark). A card that no driver of the
kdump kernel's has taken into use must leave none of them in its memory. Once the dump is begun they
may be there by right: the dump is of memory that holds such frames.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence

from evidence import LOW, PAGE, Landed, Span
from guest import Guest, frame_mark


def scan(guest: Guest, wire: int, crash: Sequence[Span]) -> Landed:
    """Search low memory and what was set aside; the guest must be stopped."""
    mark = frame_mark(wire)
    words, searched = 0, 0
    pages: set[int] = set()
    with guest.ram.open("rb") as ram, \
            mmap.mmap(ram.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        for span in (Span(0, LOW - 1), *crash):
            first = guest.offset(span.first)
            end = first + span.last + 1 - span.first
            searched += end - first
            at = memory.find(mark, first, end)
            while at >= 0:
                words += 1
                pages.add((at - first + span.first) & -PAGE)
                at = memory.find(mark, at + len(mark), end)
    return Landed(words, sorted(pages), searched)
