// SPDX-License-Identifier: GPL-2.0-only
//
// Names of the fields of each structure, for printing one and for making another. Where a field
// lies is model/format.h's to say.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/format.h"
#include "model/types.h"

namespace vtd::inspect {

using namespace vtd::model;

enum class Structure {
    rtaddr,
    irta,
    root,
    context,
    sm_context,
    pasid_directory,
    pasid,
    first_stage,
    second_stage,
    irte,
    irte_posted
};

struct Named {
    std::string_view name;
    Field field;
    bool address = false; // the value is a physical address, whose low bits are not stored
};

std::string_view name(Structure structure);
std::span<const Named> fields(Structure structure);

u64 value(const Named& named, std::span<const u64> words);
// Puts NAME=VALUE into a structure. "pointer" stands for the field that leads to the next table.
void set(Structure structure, std::span<u64> words, const std::string& assignment);

} // namespace vtd::inspect
