// SPDX-License-Identifier: GPL-2.0-only
//
// What can be done about DMA in flight, as programs: each begins where the kdump kernel does, ends
// when its drivers have the devices, and tells what was lost. All but the last are written here,
// from the discussion that named them (README); the last is the takeover's own C.

#pragma once

#include <span>

#include "sim/machine.h"

namespace vtd::sim {

struct Strategy {
    std::string_view number, name;
    Losses (*run)(const Scene& scene);
};

std::span<const Strategy> strategies();

} // namespace vtd::sim
