// SPDX-License-Identifier: GPL-2.0-only
//
// See explore.h. The choices of a walk are the digits of a number that counts through all of them.

#include "model/explore.h"

#include <algorithm>

namespace vtd::model {

namespace {

class Chooser {
public:
    std::size_t choose(std::size_t options) {
        if (at_ == digits_.size())
            digits_.push_back({0, options});
        return digits_[at_++].value;
    }
    // To the next number; false after the last.
    bool next() {
        at_ = 0;
        while (!digits_.empty() && ++digits_.back().value == digits_.back().options)
            digits_.pop_back();
        return !digits_.empty();
    }

private:
    struct Digit {
        std::size_t value, options;
    };
    std::vector<Digit> digits_;
    std::size_t at_ = 0;
};

Iova aligned(Iova iova, unsigned bits) { return {iova.value >> bits << bits}; }

class May final : public Source {
public:
    explicit May(Moment& moment) : moment_(moment) {}

    std::optional<u64> word(Table, Hpa at) override {
        explored.read.insert(at);
        const auto values = moment_.memory.seen(at, moment_.capabilities);
        if (values.empty())
            return {};
        return values[chooser.choose(values.size())];
    }

    std::optional<ContextEntry> cached(Rid rid) override {
        std::vector<ContextEntry> found;
        for (auto at = moment_.caches.contexts.lower_bound({rid, {}, {}});
             at != moment_.caches.contexts.end() && at->rid == rid; ++at)
            found.push_back(at->entry);
        return pick(found);
    }

    std::optional<PasidEntry> cached(Rid rid, Pasid pasid) override {
        std::vector<PasidEntry> found;
        for (auto at = moment_.caches.pasids.lower_bound({rid, pasid, {}, {}});
             at != moment_.caches.pasids.end() && at->rid == rid && at->pasid == pasid; ++at)
            found.push_back(at->entry);
        return pick(found);
    }

    std::optional<Position> cached(const Tag& tag, Iova iova) override {
        std::vector<Position> found;
        for (auto at = moment_.caches.walks.lower_bound({tag, {}, {}});
             at != moment_.caches.walks.end() && at->tag == tag; ++at)
            if (aligned(iova, level_shift(at->position.level + 1)) == at->base)
                found.push_back(at->position);
        return pick(found);
    }

    std::optional<Translation> cached_page(const Tag& tag, Iova iova) override {
        std::vector<Translation> found;
        for (auto at = moment_.caches.pages.lower_bound({tag, {}, {}});
             at != moment_.caches.pages.end() && at->tag == tag; ++at)
            if (aligned(iova, at->page.page_bits) == at->base)
                found.push_back(at->page);
        return pick(found);
    }

    void keep(Rid rid, Did did, const ContextEntry& entry) override {
        grow(moment_.caches.contexts, {rid, did, entry});
    }
    void keep(Rid rid, Pasid pasid, Did did, const PasidEntry& entry) override {
        grow(moment_.caches.pasids, {rid, pasid, did, entry});
    }
    void keep(const Tag& tag, Iova iova, const Position& position) override {
        grow(moment_.caches.walks, {tag, aligned(iova, level_shift(position.level + 1)), position});
    }
    void keep_page(const Tag& tag, Iova iova, const Translation& page) override {
        grow(moment_.caches.pages, {tag, aligned(iova, page.page_bits), page});
    }

    Chooser chooser;
    Explored explored;
    bool grown = false;

private:
    // One of the lines, or a miss.
    template <class Line> std::optional<Line> pick(const std::vector<Line>& found) {
        const std::size_t choice = chooser.choose(found.size() + 1);
        return choice ? std::optional{found[choice - 1]} : std::nullopt;
    }

    template <class Line> void grow(std::set<Line>& lines, const Line& line) {
        grown |= lines.insert(line).second;
    }

    Moment& moment_;
};

} // namespace

// While the caches grow, an answer may stand for another line than it did before. The last round
// is one in which they did not.
Explored explore(Moment& moment, const Request& request) {
    May source(moment);
    do {
        source.grown = false;
        for (const u64 root : moment.roots) {
            const Hardware unit{moment.capabilities, root};
            do {
                source.explored.outcomes.insert(translate(unit, request, source));
                source.explored.walks++;
            } while (source.chooser.next());
        }
    } while (source.grown);
    return source.explored;
}

std::map<Request, Explored> explore(Moment& moment, const std::set<Request>& requests) {
    std::map<Request, Explored> all;
    std::size_t before;
    do {
        before = moment.caches.size();
        for (const Request& request : requests) {
            const auto found = explore(moment, request);
            Explored& sum = all[request];
            sum.outcomes.insert(found.outcomes.begin(), found.outcomes.end());
            sum.read.insert(found.read.begin(), found.read.end());
            sum.walks += found.walks;
        }
    } while (moment.caches.size() != before);
    return all;
}

} // namespace vtd::model
