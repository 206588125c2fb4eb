# SPDX-License-Identifier: GPL-2.0-only
"""A Linux tree of a few lines and a checkout that patches it, for tests that need no kernel."""

from __future__ import annotations

from pathlib import Path

from source import Source

DRIVER = "drivers/iommu/intel/iommu.c"
GLUE = "drivers/iommu/intel/takeover/glue.c"

CODE = """\
#include "iommu.h"

static int gone(int a,
\t\tint b)
{
\treturn a + b;
}

static int keep(struct unit *u)
{
\tint ret;

\tret = gone(1, 2);
\tif (!ret)
\t\tret = gone(3, 4);
\treturn ret;
}
"""

SWAP = """\
// file: drivers/iommu/intel/iommu.c
// matches: swap 2
// matches: removal 1
@swap@
expression a, b;
position p;
@@
keep(...)
{
<...
- gone@p(a, b)
+ ours(a, b)
...>
}

@removal@
position p;
@@
- static int gone@p(...)
- { ... }
"""

INSERT = """\
[[insert]]
file = "drivers/iommu/intel/Makefile"
after = '^obj-y'
lines = "obj-y += takeover/"
"""


def tree(path: Path, version: tuple[int, int, int] = (6, 12, 117)) -> Source:
    """Write the tree."""
    files = {
        "Makefile": "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\n".format(*version),
        "Kconfig": "",
        "drivers/iommu/intel/Makefile": "obj-y += iommu.o\n",
        DRIVER: CODE,
    }
    write(path, files)
    return Source(f"{version[0]}.{version[1]}", path, ".".join(map(str, version)), foreign=True)


def checkout(path: Path) -> Path:
    """Write a checkout with a series of two patches; return its series folder."""
    write(path, {
        GLUE: "#if TAKEOVER_KERNEL >= 61200\nint a;\n#else\nint b;\n#endif\n",
        "scripts/series/cover-letter": "subsystem: Cover\n\nText.\n",
        "scripts/series/01-add/message": "subsystem: Add\n\nBody.\n",
        "scripts/series/01-add/files": f"{GLUE}  # ours\n",
        "scripts/series/01-add/insert.toml": INSERT,
        "scripts/series/02-swap/message": "subsystem: Swap\n\nBody.\n",
        "scripts/series/02-swap/swap.cocci": SWAP,
    })
    return path / "scripts/series"


def write(path: Path, files: dict[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
