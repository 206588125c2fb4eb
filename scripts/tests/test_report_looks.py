# SPDX-License-Identifier: GPL-2.0-only
"""The report's looks, in headless Chromium: phone and desk, light and dark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import madeup
import page
import report
import summary
from browser import DARK, LIGHT, ask, screenshot
from madeup import laid_out

WIDE, TALL = 360, 800
GROUND = {LIGHT: (255, 255, 255), DARK: (20, 23, 28)}
# Colours of the drawings, from timeline.css.
OLD = {LIGHT: (0, 114, 178), DARK: (86, 180, 233)}
FAULT = {LIGHT: (204, 78, 0), DARK: (255, 138, 61)}

OPEN = "page.querySelectorAll('details').forEach(d => d.open = true)"
SIDEWAYS = f"""({OPEN}, {{
    width: page.documentElement.clientWidth, scroll: page.documentElement.scrollWidth,
    closed: page.querySelectorAll('details:not([open])').length,
    out: [...page.body.querySelectorAll('*')].filter(e => !e.closest('.scroll') &&
        e.getBoundingClientRect().right > page.documentElement.clientWidth + 1)
        .slice(0, 5).map(e => e.outerHTML.slice(0, 120)) }})"""

# Of every element with text of its own: how it stands out from what lies behind it. In drawings
# that is the page, or the outline around a letter, or the strip's colour.
CONTRAST = f"""({OPEN}, (() => {{
    const view = page.defaultView;
    const rgb = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => {{
        const [r, g, b] = rgb(c).map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }};
    const ratio = (a, b) => {{
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    }};
    const behind = e => {{
        for (; e; e = e.parentElement) {{
            const c = view.getComputedStyle(e).backgroundColor;
            if (rgb(c).length < 4 || rgb(c)[3] > 0) return c;
        }}
        return 'rgb(255, 255, 255)';
    }};
    const found = {{}};
    for (const e of page.body.querySelectorAll('*')) {{
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        if (['title', 'desc', 'style'].includes(e.tagName.toLowerCase())) continue;
        const style = view.getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
        const strip = svg && e.classList.contains('on-strip') && e.closest('svg')
            .querySelector('.on');
        const back = strip ? view.getComputedStyle(strip).fill
            : svg && style.stroke !== 'none' ? style.stroke : behind(e);
        const front = svg ? style.fill : style.color;
        const key = `${{e.tagName}} ${{front}} on ${{back}}`;
        found[key] = Math.round(ratio(front, back) * 100) / 100;
    }}
    return found;
}})())"""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("looks")


@pytest.fixture(name="url", scope="module")
def _url(folder: Path) -> str:
    """The report of three kernels, all rows."""
    tab, rows = laid_out(madeup.whole(("6.1", "6.12", "7.3")))
    place = folder / "index.html"
    place.write_text(page.page(tab, rows, report.cells()))
    return place.as_uri()


@pytest.fixture(name="picture", scope="module")
def _picture(folder: Path) -> str:
    """README's picture where README shows it: in an <img>, the page's own ground beneath."""
    data = summary.summarise(*laid_out(madeup.whole()), madeup.CELLS)
    data = json.loads(summary.dumped(data))
    (folder / "iommu-pt.svg").write_text(summary.picture(summary.read(data)))
    place = folder / "readme.html"
    place.write_text('<!DOCTYPE html><meta name="color-scheme" content="light dark">'
                     '<body style="margin:0;background:#777"><img src="iommu-pt.svg" alt="">')
    return place.as_uri()


@pytest.mark.parametrize("width", [WIDE, 700, 1280])
def test_page_does_not_scroll_sideways(folder: Path, url: str, width: int) -> None:
    told = ask(folder, url, width, SIDEWAYS)
    assert told["closed"] == 0
    assert told == {"width": width, "scroll": width, "closed": 0, "out": []}


def test_link_opens_its_row(folder: Path, url: str) -> None:
    told = ask(folder, f"{url}#row-cmd-sm-off", WIDE,
               "[...page.querySelectorAll('details[open]')].map(d => d.innerText.split(/\\s/)[0])")
    assert told == ["cmd-sm-off"]


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_text_stands_out(folder: Path, url: str, scheme: int) -> None:
    told = ask(folder, url, 1280, CONTRAST, scheme)
    assert len(told) > 20
    faint = {what: ratio for what, ratio in told.items() if ratio < 4.5}
    assert not faint


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_phone(folder: Path, url: str, scheme: int) -> None:
    shot = screenshot(folder, url, WIDE, TALL, scheme)
    assert shot.at(WIDE // 2, TALL - 1)  # it is that large
    assert shot.has(GROUND[scheme]) and not shot.has(GROUND[1 - scheme])
    assert shot.colours() > 20


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_drawing_in_the_page(folder: Path, url: str, scheme: int) -> None:
    shot = screenshot(folder, f"{url}#row-cmd-dma-pt", 1000, TALL, scheme)
    assert shot.has(OLD[scheme]) and shot.has(FAULT[scheme])


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_picture_as_image(folder: Path, picture: str, scheme: int) -> None:
    shot = screenshot(folder, picture, 800, 600, scheme)
    assert shot.has(GROUND[scheme]) and shot.has(OLD[scheme]) and shot.has(FAULT[scheme])
    assert shot.colours() > 20
    assert shot.at(799, 599) == (0x77, 0x77, 0x77)
