// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 4: a device with a device-TLB. It may send a request as it is, ask for its translation
// and keep that, and send what it was once told as translated. Which of these it does is its own
// affair, and so is what it keeps; it forgets what an invalidation tells it to. See device.h.

#include "model/device.h"

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
        for (const auto& [at, bits] : more.marks)
            all.marks[at] |= bits;
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

Explored Device::explore(Request request) const {
    request.rid = rid_;
    if (request.pasid && !can_.pasid)
        return {}; // it has no way to send that
    return can_.ats ? unit_.explore_ats(request) : unit_.explore(request);
}

bool Device::ask(PageRequest request) const {
    request.rid = rid_;
    if (!can_.pri || (request.pasid && !can_.pasid))
        return false;
    return unit_.ask(request);
}

// What it knows from before it was switched off is no longer true for it.
void Device::set_ats(bool on) {
    if (on && !can_.ats)
        unit_.caches().forget_device(rid_);
    can_.ats = on;
}

void Device::set_silent(bool on) {
    if (on)
        unit_.silent.insert(rid_);
    else
        unit_.silent.erase(rid_);
}

void Device::reset() {
    can_ = {};
    unit_.caches().forget_device(rid_);
    unit_.pages().forget(rid_);
}

} // namespace vtd::model
