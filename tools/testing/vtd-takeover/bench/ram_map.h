// SPDX-License-Identifier: GPL-2.0-only
//
// The ELF core header of what is measured: which memory was the crashed kernel's RAM.

#pragma once

#include <array>
#include <span>

#include <elf.h>

#include <linux/types.h>

namespace bench {

// At a page of its own; each range is where it begins and where it has ended.
inline void write_core_header(void* at, std::span<const std::array<u64, 2>> ram) {
    auto* header = static_cast<Elf64_Ehdr*>(at);
    *header = {};
    for (unsigned i = 0; i < SELFMAG; i++)
        header->e_ident[i] = static_cast<unsigned char>(ELFMAG[i]);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_type = ET_CORE;
    header->e_phentsize = sizeof(Elf64_Phdr);
    header->e_phoff = sizeof(*header);
    header->e_phnum = static_cast<Elf64_Half>(ram.size());
    auto* program = reinterpret_cast<Elf64_Phdr*>(header + 1);
    for (const auto& [start, end] : ram)
        *program++ = {.p_type = PT_LOAD,
                      .p_flags = 0,
                      .p_offset = 0,
                      .p_vaddr = 0,
                      .p_paddr = start,
                      .p_filesz = 0,
                      .p_memsz = end - start,
                      .p_align = 0};
}

} // namespace bench
