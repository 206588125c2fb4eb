// SPDX-License-Identifier: GPL-2.0-only
//
// Remapping units as real machines report them: hardware/units.tsv. What they do is the model's;
// here they are read, and told apart by what a takeover depends on.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/capabilities.h"

namespace vtd {

struct RealUnit {
    std::string machine;
    model::Capabilities capabilities;
    unsigned address_bits = 0; // of physical addresses, as the firmware or the processor says
    bool hardware = true;      // not QEMU's
};

// In the order of the file. One that lists no capabilities, or that cannot be read, is an error.
std::vector<RealUnit> real_units(const std::string& path);

// What tells units apart for a takeover: coherence, queue, write buffer, caching mode, page sizes,
// widths, pass-through, zero-length reads, device-TLBs, scalable mode, ESRTPS, domain ids.
std::string shape(const RealUnit& unit);

// The first one of each shape.
std::vector<RealUnit> shapes(const std::vector<RealUnit>& units);

// What firmware says of a machine (8.1): hardware/machines/dmar-tables.tsv.
struct DmarTable {
    struct Unit {
        bool all = false; // it has what no other unit has (8.3, INCLUDE_PCI_ALL)
        std::vector<model::Rid> devices;
    };
    struct Reserved { // as it stands there, the last address too (8.4)
        model::u64 first, last;
        std::vector<model::Rid> devices;
    };
    std::string machine;
    unsigned host_width = 0;
    std::vector<Unit> units;
    std::vector<Reserved> reserved;
    // Of the unit that translates for a device: its number.
    std::size_t unit_of(model::Rid device) const;
};

// In the order of the file. One that cannot be read is an error.
std::vector<DmarTable> dmar_tables(const std::string& path);

} // namespace vtd
