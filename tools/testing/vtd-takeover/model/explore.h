// SPDX-License-Identifier: GPL-2.0-only
//
// All that a unit may do with a request at one moment. Wherever hardware has a choice, which of
// several visible values it reads, whether a cache still holds a line and which, the walk is
// repeated with each answer; what the walks fetch joins the caches.

#pragma once

#include <map>
#include <set>

#include "model/caches.h"
#include "model/memory.h"

namespace vtd::model {

// What a unit's behaviour depends on, beside the request. Of two root tables after a command that
// has not been seen to complete (11.4.4), each may be the one in use.
struct Moment {
    Capabilities capabilities;
    std::set<u64> roots; // values of RTADDR
    const Memory& memory;
    Caches& caches;
};

struct Explored {
    std::set<Outcome> outcomes;
    std::vector<Hpa> read;    // every word of memory that mattered, in order
    unsigned long walks{};    // that were made
    std::map<Hpa, u64> marks; // bits that the unit may set in the tables
};

Explored explore(Moment& moment, const Request& request);

// All requests, until none of them brings anything new into the caches.
std::map<Request, Explored> explore(Moment& moment, const std::set<Request>& requests);

} // namespace vtd::model
