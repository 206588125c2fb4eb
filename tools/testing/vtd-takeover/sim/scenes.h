// SPDX-License-Identifier: GPL-2.0-only
//
// The machines on which the strategies are compared, and others out of files.

#pragma once

#include <stdexcept>

#include <nlohmann/json_fwd.hpp>

#include "sim/machine.h"

namespace vtd::sim {

// What is wrong with a file; main() prints it.
struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::vector<Scene> scenes();
Scene read(const nlohmann::json& from);
nlohmann::ordered_json as_json(const Scene& scene);

} // namespace vtd::sim
