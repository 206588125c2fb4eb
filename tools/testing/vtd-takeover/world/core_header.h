// SPDX-License-Identifier: GPL-2.0-only
//
// The ELF core header that a crashed kernel prepared for its dump: ranges of its RAM, none of them
// moved.

#pragma once

#include <cstring>
#include <elf.h>
#include <ranges>
#include <string>

namespace vtd {

// Start and size of each range, in bytes; a start may be one of the model's addresses.
template <std::ranges::sized_range Ranges> std::string core_header(const Ranges& ranges) {
    Elf64_Ehdr head{};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_type = ET_CORE;
    head.e_phoff = sizeof(head);
    head.e_phentsize = sizeof(Elf64_Phdr);
    head.e_phnum = static_cast<Elf64_Half>(std::ranges::size(ranges));

    std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
    for (const auto& range : ranges) {
        Elf64_Phdr part{};
        part.p_type = PT_LOAD;
        if constexpr (requires { range.first.value; })
            part.p_paddr = range.first.value;
        else
            part.p_paddr = range.first;
        part.p_offset = part.p_paddr;
        part.p_filesz = part.p_memsz = range.second;
        bytes.append(reinterpret_cast<const char*>(&part), sizeof(part));
    }
    return bytes;
}

} // namespace vtd
