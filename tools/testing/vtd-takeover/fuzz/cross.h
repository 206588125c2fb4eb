// SPDX-License-Identifier: GPL-2.0-only
//
// What two inputs have to pass on to a third.

#pragma once

#include <random>
#include <vector>

namespace vtd::fuzz {

// Three quarters of the one's parts, and behind them half of the other's.
template <typename Part>
void cross(std::vector<Part>& one, const std::vector<Part>& other, unsigned seed) {
    std::minstd_rand random(seed);
    std::erase_if(one, [&](const Part&) { return random() % 4 == 0; });
    for (const Part& part : other)
        if (random() % 2)
            one.push_back(part);
}

} // namespace vtd::fuzz
