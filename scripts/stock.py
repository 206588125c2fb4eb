#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Take functions of Linux by name out of a pristine source, for `make counts` to compile.

They are written into the build folder, as they stand, and are never checked in. What they call is
in tools/testing/vtd-takeover/bench, for 6.12 alone; how they compare is for counts.py. Relies on
the kernel's style: a definition begins at the margin and ends with a brace at the margin.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from common import die, main, write_whole
from source import DEFAULT, Source, find

DRIVER = "drivers/iommu/intel"
Names = tuple[tuple[str, tuple[str, ...]], ...]
# By file to be made: what it holds, in an order in which it can be compiled.
WANTED: dict[str, Names] = {
    # What copies, releases and takes interrupts over, and what these need.
    "stock-code.inc": (
        (f"{DRIVER}/iommu.h", (
            "VTD_PAGE_SHIFT", "VTD_PAGE_SIZE", "VTD_PAGE_MASK", "CONTEXT_TT_MULTI_LEVEL",
            "CONTEXT_TT_DEV_IOTLB", "CONTEXT_PASIDE", "DMAR_GCMD_REG", "DMAR_GSTS_REG",
            "DMAR_RTADDR_REG", "DMAR_IRTA_REG", "dmar_readq", "dmar_writeq", "cap_esrtps",
            "cap_caching_mode", "cap_rwbf", "cap_ndoms", "ecap_smts", "ecap_coherent",
            "DMA_TLB_GLOBAL_FLUSH", "DMA_TLB_DSI_FLUSH", "DMA_GCMD_SRTP", "DMA_GCMD_WBF",
            "DMA_GSTS_RTPS", "DMA_GSTS_WBFS", "DMA_RTADDR_SMT", "DMA_CCMD_GLOBAL_INVL",
            "DMA_CCMD_DEVICE_INVL", "DMA_CCMD_MASK_NOBIT", "IOMMU_WAIT_OP", "QI_PC_GLOBAL",
            "INTR_REMAP_TABLE_REG_SIZE", "INTR_REMAP_TABLE_REG_SIZE_MASK",
            "INTR_REMAP_TABLE_ENTRIES", "sm_supported", "context_pdts", "struct root_entry",
            "struct context_entry", "struct dma_pte", "__iommu_flush_cache", "dma_pte_addr",
            "dma_pte_present", "context_present", "context_set_present", "context_clear_present",
            "context_set_fault_enable", "context_set_translation_type",
            "context_set_address_root", "context_set_address_width", "context_set_domain_id",
            "context_set_pasid", "context_domain_id", "context_clear_entry", "context_copied",
            "set_context_copied", "clear_context_copied", "context_set_sm_rid2pasid",
            "context_set_sm_dte")),
        (f"{DRIVER}/pasid.h", ("PASID_PDE_SHIFT", "MAX_NR_PASID_BITS")),
        ("include/linux/dmar.h", ("struct irte",)),
        (f"{DRIVER}/iommu.c", (
            "CONTEXT_SIZE", "root_entry_lctp", "root_entry_uctp", "iommu_context_addr",
            "iommu_flush_write_buffer", "iommu_set_root_entry", "copied_context_tear_down",
            "context_present_cache_flush", "domain_context_mapping_one",
            "domain_context_mapping_cb", "domain_context_mapping", "copy_context_table",
            "copy_translation_tables")),
        (f"{DRIVER}/pasid.c", (
            "devtlb_invalidation_with_pasid", "context_get_sm_pds",
            "context_entry_set_pasid_table", "device_pasid_table_setup", "pci_pasid_table_setup",
            "intel_pasid_setup_sm_context")),
        (f"{DRIVER}/irq_remapping.c", ("iommu_load_old_irte",)),
    ),
    # The invalidation queue, which the takeover uses as stock does.
    "queue-code.inc": (
        (f"{DRIVER}/iommu.h", (
            "VTD_PAGE_SHIFT", "VTD_PAGE_MASK", "DMAR_IQ_SHIFT", "DMAR_IQH_REG", "DMAR_IQT_REG",
            "DMAR_FSTS_REG", "DMAR_IQER_REG", "DMAR_IQER_REG_ITESID", "dmar_readq",
            "cap_read_drain", "cap_write_drain", "ecap_smts", "DMA_FSTS_IQE", "DMA_FSTS_ICE",
            "DMA_FSTS_ITE", "DMA_CCMD_INVL_GRANU_OFFSET", "DMA_TLB_FLUSH_GRANU_OFFSET",
            "QI_LENGTH", "QI_CC_TYPE", "QI_IOTLB_TYPE", "QI_DIOTLB_TYPE", "QI_IEC_TYPE",
            "QI_IWD_TYPE", "QI_EIOTLB_TYPE", "QI_PC_TYPE", "QI_DEIOTLB_TYPE",
            "QI_IWD_STATUS_DATA", "QI_IWD_STATUS_WRITE", "QI_IWD_PRQ_DRAIN", "QI_IOTLB_DID",
            "QI_IOTLB_DR", "QI_IOTLB_DW", "QI_IOTLB_GRAN", "QI_IOTLB_ADDR", "QI_IOTLB_IH",
            "QI_IOTLB_AM", "QI_CC_FM", "QI_CC_SID", "QI_CC_DID", "QI_CC_GRAN", "QI_PC_PASID",
            "QI_PC_DID", "QI_PC_GRAN", "QI_OPT_WAIT_DRAIN", "qi_shift", "struct qi_desc",
            "struct q_inval", "qi_desc_iotlb")),
        (f"{DRIVER}/dmar.c", (
            "reclaim_free_desc", "qi_check_fault", "qi_submit_sync", "qi_flush_context",
            "qi_flush_iotlb", "qi_flush_pasid_cache")),
    ),
}


def macro(text: str, name: str) -> str | None:
    """A macro's definition, its continued lines included."""
    found = re.search(rf"^#\s*define\s+{re.escape(name)}\b(?:.*\\\n)*.*\n", text, re.MULTILINE)
    return found[0] if found else None


def structure(text: str, name: str) -> str | None:
    """The definition of `struct NAME`."""
    found = re.search(rf"^{re.escape(name)} \{{\n.*?^\}}[^\n]*;\n", text, re.MULTILINE | re.DOTALL)
    return found[0] if found else None


def function(text: str, name: str) -> str | None:
    """A function's definition, not its declaration, with the lines that its type stands on."""
    lines = text.splitlines(keepends=True)
    named = re.compile(rf"(?:[a-z_][\w\s*]*[\s*])?{re.escape(name)}\(")
    for number, line in enumerate(lines):
        if not named.match(line):
            continue
        begin = next((n for n in range(number, len(lines))
                      if lines[n][0] == "{" or lines[n].rstrip().endswith(";")), None)
        if begin is None or lines[begin][0] != "{":
            continue
        end = next((n for n in range(begin, len(lines)) if lines[n][0] == "}"), None)
        if end is None:
            return None
        # "static inline void" may stand on a line of its own.
        if line.startswith(name) and number and re.match(r"[a-z][\w\s*]*$", lines[number - 1]):
            number -= 1
        return "".join(lines[number:end + 1])
    return None


def definition(text: str, name: str) -> str | None:
    """What defines a name: a structure, a macro or a function."""
    if name.startswith("struct "):
        return structure(text, name)
    return macro(text, name) or function(text, name)


def extract(source: Source, wanted: Names) -> str:
    """All that is wanted, as one text; stop with a line that says what is missing."""
    parts = [f"/* Made by scripts/stock.py from Linux {source.label}: not to be checked in. */\n"]
    for path, names in wanted:
        if not (source.path / path).is_file():
            die(f"Linux {source.label} has no {path}")
        text = (source.path / path).read_text()
        for name in names:
            found = definition(text, name)
            if found is None:
                die(f"no definition of {name} in {path} of Linux {source.label}")
            parts.append(found)
    return "\n".join(parts)


def write(source: Source, folder: Path) -> None:
    """Write each file to a folder; one that says the same already stays as it is."""
    for name, wanted in WANTED.items():
        text = extract(source, wanted)
        path = folder / name
        if not path.exists() or path.read_text() != text:
            write_whole(path, text)


def command() -> int:
    """Write the files to a folder."""
    parser = argparse.ArgumentParser(description="Take functions of Linux out of its source.")
    parser.add_argument("folder", type=Path, help="where to")
    args = parser.parse_args()
    write(find(DEFAULT), args.folder)
    return 0


if __name__ == "__main__":
    main(command)
