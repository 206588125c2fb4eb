// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 4: a device with a device-TLB. It may send a request as it is, ask for its translation
// and keep that, and send what it was once told as translated. Which of these it does is its own
// affair, and so is what it keeps; it forgets what an invalidation tells it to.

#include "model/unit.h"

namespace vtd::model {

namespace {

bool permits(const Translation& page, Access access) {
    switch (access) {
    case Access::read:
    case Access::zero_length_read:
        return page.read;
    case Access::write:
        return page.write;
    case Access::atomic:
        return page.read && page.write;
    }
    return false;
}

Iova start(Iova iova, unsigned bits) { return {iova.value >> bits << bits}; }

} // namespace

Explored Unit::explore_ats(const Request& request) {
    Explored all = explore(request);
    const auto merge = [&](const Explored& more) {
        all.read.insert(all.read.end(), more.read.begin(), more.read.end());
        all.walks += more.walks;
    };

    // 4.1.2: an answer that grants nothing is nothing to keep.
    Request asked = request;
    asked.kind = Kind::translation_request;
    const Explored answers = explore(asked);
    merge(answers);
    if (translates())
        for (const Outcome& answer : answers.outcomes)
            if (const auto* page = std::get_if<Translation>(&answer))
                caches_.devices.insert(
                    {request.rid, request.pasid, start(request.iova, page->page_bits), *page});

    // 4.1: the unit only looks whether the device may.
    std::set<Translation> kept;
    for (auto line = caches_.devices.lower_bound({request.rid, request.pasid, {}, {}});
         line != caches_.devices.end() && line->rid == request.rid && line->pasid == request.pasid;
         ++line)
        if (start(request.iova, line->page.page_bits) == line->base &&
            permits(line->page, request.access))
            kept.insert(line->page);
    for (const Translation& page : kept) {
        Request translated = request;
        translated.kind = Kind::translated;
        translated.iova.value =
            page.address.value + (request.iova.value & ((u64{1} << page.page_bits) - 1));
        const Explored let = explore(translated);
        merge(let);
        for (const Outcome& outcome : let.outcomes) {
            if (std::holds_alternative<Fault>(outcome))
                all.outcomes.insert(outcome);
            else
                all.outcomes.insert(page);
        }
    }
    return all;
}

} // namespace vtd::model
