# SPDX-License-Identifier: GPL-2.0-only
"""A browser for tests that look at what the report draws: headless Chromium, without a network.

The window of a headless Chromium has a least width, so a page is looked at through a frame of the
width that is asked for. The frame's page may run a script; the report's has none.
"""

from __future__ import annotations

import html
import json
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common import which

LIMIT = 120
DARK, LIGHT = 0, 1


def chromium(folder: Path, url: str, *options: str, scheme: int = LIGHT) -> str:
    """Run Chromium on a page to its end; return its standard output."""
    program = which("chromium")
    if program is None:
        pytest.fail("the Debian package chromium is missing", pytrace=False)
    done = subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--disable-dev-shm-usage", "--allow-file-access-from-files", "--no-first-run",
         "--force-color-profile=srgb", "--proxy-server=127.0.0.1:9",
         f"--user-data-dir={folder / 'profile'}",
         f"--blink-settings=preferredColorScheme={scheme}", *options, url],
        capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def frame(folder: Path, url: str, width: int, height: int, script: str = "") -> str:
    """Write a page that holds another in a frame, and return where it lies."""
    page = folder / "frame.html"
    run = f"<script>frames[0].addEventListener('load', () => {{{script}}})</script>"
    page.write_text(
        '<!DOCTYPE html><meta name="color-scheme" content="light dark">'
        f'<body style="margin:0"><iframe width="{width}" height="{height}" style="border:0" '
        f'src="{html.escape(url)}"></iframe><pre id="answer"></pre>{run if script else ""}')
    return page.as_uri()


def ask(folder: Path, url: str, width: int, expression: str, scheme: int = LIGHT) -> Any:
    """What a JavaScript expression says of a page that is `width` wide; `page` is its document."""
    script = ("const page = frames[0].document; document.getElementById('answer').textContent = "
              f"'<<<' + JSON.stringify({expression}) + '>>>';")
    # An onload of the frame itself runs in the outer page, however the two are loaded.
    outer = frame(folder, url, width, 800, "")
    path = folder / "frame.html"
    path.write_text(path.read_text() + "<script>document.querySelector('iframe').onload = () => {"
                    + script + "}</script>")
    told = chromium(folder, outer, "--window-size=1400,900", "--dump-dom", scheme=scheme)
    assert "&lt;&lt;&lt;" in told, told[-500:]
    return json.loads(html.unescape(told.split("&lt;&lt;&lt;")[1].split("&gt;&gt;&gt;")[0]))


@dataclass(frozen=True)
class Picture:
    """A screenshot's pixels."""

    width: int
    height: int
    rows: list[bytes]
    depth: int  # bytes a pixel

    def at(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green, blue."""
        red, green, blue = self.rows[y][x * self.depth:x * self.depth + 3]
        return red, green, blue

    def colours(self, step: int = 3) -> int:
        """How many different colours there are, at every few pixels."""
        return len({self.at(x, y) for y in range(0, self.height, step)
                    for x in range(0, self.width, step)})

    def has(self, colour: tuple[int, int, int]) -> bool:
        """Is there a pixel of just this colour?"""
        wanted = bytes(colour)
        return any(row[i:i + 3] == wanted for row in self.rows
                   for i in range(0, len(row), self.depth))


def fourth(left: int, up: int, corner: int) -> int:
    """PNG's fourth way to guess a byte from its neighbours."""
    guess = left + up - corner
    near = abs(guess - left), abs(guess - up), abs(guess - corner)
    return left if near[0] <= near[1] and near[0] <= near[2] else up if near[1] <= near[2] \
        else corner


def read_png(data: bytes) -> Picture:
    """Decode a PNG as Chromium writes it: 8 bits, RGB or RGBA, not interlaced."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, bits, kind, _, _, laced = struct.unpack(">IIBBBBB", data[16:29])
    assert (bits, laced) == (8, 0) and kind in (2, 6)
    depth = 3 if kind == 2 else 4
    packed, at = b"", 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(packed)
    rows: list[bytes] = []
    above = bytes(width * depth)
    for y in range(height):
        start = y * (width * depth + 1)
        method, row = raw[start], bytearray(raw[start + 1:start + 1 + width * depth])
        for i in range(len(row) if method else 0):
            left = row[i - depth] if i >= depth else 0
            corner = above[i - depth] if i >= depth else 0
            row[i] = row[i] + (left, above[i], (left + above[i]) // 2,
                               fourth(left, above[i], corner))[method - 1] & 255
        above = bytes(row)
        rows.append(above)
    return Picture(width, height, rows, depth)


def screenshot(folder: Path, url: str, width: int, height: int, scheme: int = LIGHT) -> Picture:
    """Look at a page that is `width` wide."""
    shot = folder / "shot.png"
    shot.unlink(missing_ok=True)
    chromium(folder, frame(folder, url, width, height), f"--screenshot={shot}",
             f"--window-size={max(width, 500)},{height}", scheme=scheme)
    picture = read_png(shot.read_bytes())
    return Picture(width, picture.height, [r[:width * picture.depth] for r in picture.rows],
                   picture.depth)
