// SPDX-License-Identifier: GPL-2.0-only
//
// Page requests around a crash: which device asks when, and whether each has what it waits for in
// the end, once. What is in the old queue is asked before the takeover looks; others ask while it
// works, just before any access of its to the unit.

#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "model/unit.h"

namespace vtd::harness {

using namespace vtd::model;

class PageTraffic {
public:
    // The request is let through by the tables. It may linger in the unit until requests are
    // drained, or until somebody asks again.
    void ask(model::Unit& unit, const PageRequest& request, bool lingers = false);

    // Before each access from now on.
    std::function<void(unsigned access)> before = [](unsigned) {};
    void about_to_access() { before(++accesses_); }
    unsigned accesses() const { return accesses_; }

    // The unit sends no message until there is a handler: it would go to one of the crashed
    // kernel's.
    void silent_from_now_on(const model::Unit& unit) { messages_ = messages(unit); }
    void judge_silence(const model::Unit& unit) const;
    // From then on: was there one since this was last asked?
    bool called(const model::Unit& unit) {
        return std::exchange(messages_, messages(unit)) != messages(unit);
    }

    // Where the unit may put requests, and where it has to put those that come from now on.
    void queue(Hpa at, u64 size) { queues_.emplace_back(at, size); }
    void changed(const Memory& memory);

    // Throws a violation if one waits in vain, got an answer that it did not wait for, or was told
    // anything else than that its request is invalid; unless the unit did it by itself.
    void judge(const model::Unit& unit, const Memory& memory) const;
    // Requests that wait in vain.
    std::vector<PageRequest> in_vain(const model::Unit& unit) const;
    // The number of answers that software gave.
    static std::size_t answers(const model::Unit& unit);

private:
    static std::size_t messages(const model::Unit& unit) { return unit.pages().event.sent.size(); }

    unsigned accesses_ = 0;
    std::size_t messages_ = 0;
    std::vector<PageRequest> asked_;
    std::vector<std::pair<Hpa, u64>> queues_;
    std::size_t stores_ = 0; // by hardware when the queue was changed
};

} // namespace vtd::harness
