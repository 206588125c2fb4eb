// SPDX-License-Identifier: GPL-2.0-only
//
// Machines at random, and what is done in them. Made of small picks, so that RapidCheck can make
// what fails smaller.

#pragma once

#include <iosfwd>

#include <rapidcheck.h>

#include "world/description.h"

namespace vtd::world {

struct Plan {
    Description description;
    bool block = false;             // the policy is to adopt nothing
    unsigned failing_allocation{};  // the n-th; 0: none
    std::vector<std::size_t> steps; // devices: at the first mention released, later mapping
};

std::ostream& operator<<(std::ostream& out, const Plan& plan);

struct Scope {
    bool damage = false;   // a word of the old tables is damaged
    bool failures = false; // an allocation fails
    bool streams = false;  // devices use PASIDs
    // Half of the units are these; the others have capabilities at random.
    std::vector<Capabilities> units{};
};

rc::Gen<Plan> plans(const Scope& scope);

} // namespace vtd::world
