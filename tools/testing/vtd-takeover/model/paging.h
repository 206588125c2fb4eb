// SPDX-License-Identifier: GPL-2.0-only
//
// 3.6 to 3.8: walks of first-stage and second-stage page tables, and of one through the other.

#pragma once

#include "model/translation.h"

namespace vtd::model {

enum class Mode { legacy, scalable };

// What all walks of a request share.
struct Paging {
    const Capabilities& capabilities;
    Mode mode;
    Access access;
    Source& source;
};

struct SecondStage {
    Tag tag;
    Hpa top;
    unsigned levels;
};

struct FirstStage {
    Tag tag;
    Hpa top; // of a nested pair: what the second stage translates
    unsigned levels;
    bool privileged;
    bool write_protect;
    std::optional<SecondStage> second;
};

using Page = std::variant<Translation, Reason>;

Page second_stage_walk(const Paging& paging, const Tag& tag, Hpa top, unsigned levels, Iova iova);
Page first_stage_walk(const Paging& paging, const FirstStage& stage, Iova iova);

} // namespace vtd::model
