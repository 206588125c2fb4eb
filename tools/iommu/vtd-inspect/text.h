// SPDX-License-Identifier: GPL-2.0-only
//
// What view.h finds, for people: a line for each thing.

#pragma once

#include <string>

#include "view.h"

namespace vtd::inspect {

std::string units_text(const Json& found);
std::string devices_text(const Json& found);
std::string map_text(const Json& found);
std::string translate_text(const Json& found);
std::string check_text(const Json& found);
std::string interrupts_text(const Json& found);
std::string diff_text(const Json& found);
std::string entry_text(const Json& found);

} // namespace vtd::inspect
