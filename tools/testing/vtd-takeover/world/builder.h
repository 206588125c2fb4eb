// SPDX-License-Identifier: GPL-2.0-only
//
// The tables of a crashed kernel, made from a description, in the memory that was its own; and the
// words in them that the description damages.

#pragma once

#include <span>
#include <utility>

#include "model/memory.h"
#include "world/description.h"

namespace vtd::world {

// The map of the crashed kernel's RAM, as kexec leaves it for the dump: starts and sizes.
void write_core_header(Memory& memory, Hpa at, std::span<const std::pair<Hpa, u64>> ram);

class Builder {
public:
    Builder(const Description& description, Memory& memory);

    // Changes the words that are to be damaged; nobody invalidates anything.
    void damage();

    // Of each unit.
    std::vector<u64> rtaddr, irta, pqa;
    struct Queue {
        u64 address{}, tail{};
    };
    std::vector<Queue> queues;

private:
    struct Tables { // of a domain
        Hpa second, first, leaf;
        std::vector<Hpa> pointers;
    };
    struct Way { // where the words begin that lead to a device's pages
        Hpa root, context, directory, pasid, paging;
        std::vector<Hpa> pointers;
    };

    Hpa table(u64 size = page_size);
    Hpa put(Hpa top, unsigned levels, const Page& page, u64 leaf, u64 above,
            std::vector<Hpa>* pointers = nullptr);
    Tables second_stage(const Domain& domain);
    Tables first_stage(const Domain& domain, bool nested);
    void pasid_entry(Hpa at, const Domain& domain, const Tables& tables);
    Hpa directory(const Device& device, Way& way);
    void enter(const Device& device, Way& way);
    u64 interrupts(std::size_t unit);
    Queue queue(const Unit& unit);

    const Description& description_;
    Memory& memory_;
    Hpa next_ = old_memory;
    std::vector<Tables> tables_;
    std::vector<Way> ways_;
};

} // namespace vtd::world
