// SPDX-License-Identifier: GPL-2.0-only
//
// Remapping units as real machines report them: hardware/units.tsv. What they do is the model's;
// here they are read, and told apart by what a takeover depends on.

#pragma once

#include <string>
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

} // namespace vtd
