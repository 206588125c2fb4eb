// SPDX-License-Identifier: GPL-2.0-only
//
// See explore.h. The choices of a walk are the digits of a number that counts through all of them.
// What is left of a walk depends on where it has got to, not on the way there: it is made once, and
// a walk that gets there by other choices is broken off.

#include "model/explore.h"

#include <algorithm>

namespace vtd::model {

namespace {

class Chooser {
public:
    std::size_t choose(std::size_t options) {
        if (at_ == digits_.size())
            digits_.push_back({0, options});
        const std::size_t value = digits_[at_++].value;
        // Tells the choices so far from others; of a walk's twenty a few have more than two
        // options.
        way_ = way_ * (options + 1) + value + 1;
        return value;
    }
    // To the next number; false after the last.
    bool next() {
        at_ = 0;
        way_ = 0;
        while (!digits_.empty() && ++digits_.back().value == digits_.back().options)
            digits_.pop_back();
        return !digits_.empty();
    }
    // The choices so far.
    unsigned __int128 way() const { return way_; }

private:
    struct Digit {
        std::size_t value, options;
    };
    std::vector<Digit> digits_;
    std::size_t at_ = 0;
    unsigned __int128 way_ = 0;
};

Iova aligned(Iova iova, unsigned bits) { return {iova.value >> bits << bits}; }

// Gives equal things equal numbers, from 1 on.
template <class T> class Numbers {
public:
    std::size_t operator()(const T& thing) {
        const auto found = std::ranges::find(things_, thing);
        if (found == things_.end())
            things_.push_back(thing);
        return static_cast<std::size_t>(found - things_.begin()) + 1;
    }

private:
    std::vector<T> things_;
};

// Where a walk has got to: the entries that it goes by, and its place in the page tables.
struct State {
    std::size_t context{}, pasid{}; // by number
    bool silent{};                  // by the PASID directory
    Position outer{};               // of a nested pair
    Tag tag{};
    Iova iova{};
    Position position{};
    auto operator<=>(const State&) const = default;
};

class May final : public Source {
public:
    explicit May(Moment& moment) : moment_(moment) {}

    // All walks of a request from one root table.
    void begin() {
        reached_.clear();
        state_ = {};
        broken_off = false;
    }
    // To the next of them; false after the last.
    bool next() {
        state_ = {};
        broken_off = false;
        return chooser_.next();
    }

    std::optional<u64> word(Table, Hpa at) override {
        if (broken_off)
            return {};
        read.push_back(at);
        moment_.memory.seen(at, moment_.capabilities, values_);
        if (values_.empty())
            return {};
        return values_[chooser_.choose(values_.size())];
    }

    std::optional<ContextEntry> cached(Rid rid) override {
        contexts_.clear();
        for (auto at = moment_.caches.contexts.lower_bound({rid, {}, {}});
             at != moment_.caches.contexts.end() && at->rid == rid; ++at)
            contexts_.push_back(at->entry);
        const auto entry = pick(contexts_);
        if (entry)
            state_.context = context_number_(*entry);
        return entry;
    }

    std::optional<PasidEntry> cached(Rid rid, Pasid pasid) override {
        reach();
        pasids_.clear();
        for (auto at = moment_.caches.pasids.lower_bound({rid, pasid, {}, {}});
             at != moment_.caches.pasids.end() && at->rid == rid && at->pasid == pasid; ++at)
            pasids_.push_back(at->entry);
        const auto entry = pick(pasids_);
        if (entry)
            state_.pasid = pasid_number_(*entry);
        return entry;
    }

    std::optional<Position> cached(const Tag& tag, Iova iova) override {
        positions_.clear();
        for (auto at = moment_.caches.walks.lower_bound({tag, {}, {}});
             at != moment_.caches.walks.end() && at->tag == tag; ++at)
            if (aligned(iova, level_shift(at->position.level + 1)) == at->base)
                positions_.push_back(at->position);
        const auto position = pick(positions_);
        if (position)
            reach(tag, iova, *position);
        return position;
    }

    std::optional<Translation> cached_page(const Tag& tag, Iova iova) override {
        reach(tag, iova, {});
        pages_.clear();
        for (auto at = moment_.caches.pages.lower_bound({tag, {}, {}});
             at != moment_.caches.pages.end() && at->tag == tag; ++at)
            if (aligned(iova, at->page.page_bits) == at->base)
                pages_.push_back(at->page);
        return pick(pages_);
    }

    void step(Table table, Hpa, std::span<const u64> words) override {
        if (table == Table::context) {
            ContextEntry entry;
            std::ranges::copy(words, entry.words.begin());
            state_.context = context_number_(entry);
        } else if (table == Table::pasid_directory) {
            state_.silent = fault_disable.of(words);
        } else if (table == Table::pasid_table) {
            PasidEntry entry;
            std::ranges::copy(words, entry.words.begin());
            state_.pasid = pasid_number_(entry);
        }
    }

    void keep(Rid rid, Did did, const ContextEntry& entry) override {
        grow(moment_.caches.contexts, {rid, did, entry});
    }
    void keep(Rid rid, Pasid pasid, Did did, const PasidEntry& entry) override {
        grow(moment_.caches.pasids, {rid, pasid, did, entry});
    }
    void keep(const Tag& tag, Iova iova, const Position& position) override {
        grow(moment_.caches.walks, {tag, aligned(iova, level_shift(position.level + 1)), position});
        reach(tag, iova, position);
    }
    void keep_page(const Tag& tag, Iova iova, const Translation& page) override {
        grow(moment_.caches.pages, {tag, aligned(iova, page.page_bits), page});
    }

    void mark(Hpa at, u64 bits) override {
        if (!broken_off)
            marks[at] |= bits;
    }

    std::vector<Hpa> read;
    std::map<Hpa, u64> marks;
    bool grown = false;
    bool broken_off = false; // from here on this walk has been made

private:
    void reach(const Tag& tag, Iova iova, const Position& position) {
        if (tag.stage == Table::first_stage)
            state_.outer = position;
        state_.tag = tag;
        state_.iova = iova;
        state_.position = position;
        reach();
    }

    void reach() {
        const auto way = chooser_.way();
        if (reached_.try_emplace(state_, way).first->second != way)
            broken_off = true;
    }

    // One of the lines, or a miss.
    template <class Line> std::optional<Line> pick(const std::vector<Line>& found) {
        if (broken_off)
            return {};
        const std::size_t choice = chooser_.choose(found.size() + 1);
        return choice ? std::optional{found[choice - 1]} : std::nullopt;
    }

    template <class Line> void grow(std::set<Line>& lines, const Line& line) {
        if (!broken_off)
            grown |= lines.insert(line).second;
    }

    Moment& moment_;
    Chooser chooser_;
    State state_;
    std::map<State, unsigned __int128> reached_;
    Numbers<ContextEntry> context_number_;
    Numbers<PasidEntry> pasid_number_;
    // What the last look found: here, so that they keep their room.
    std::vector<u64> values_;
    std::vector<ContextEntry> contexts_;
    std::vector<PasidEntry> pasids_;
    std::vector<Position> positions_;
    std::vector<Translation> pages_;
};

} // namespace

// While the caches grow, an answer may stand for another line than it did before. The last round
// is one in which they did not.
Explored explore(Moment& moment, const Request& request) {
    Explored explored;
    May source(moment);
    do {
        source.grown = false;
        for (const u64 root : moment.roots) {
            const Hardware unit{moment.capabilities, root};
            source.begin();
            do {
                const Outcome outcome = translate(unit, request, source);
                if (!source.broken_off)
                    explored.outcomes.insert(outcome);
                explored.walks++;
            } while (source.next());
        }
    } while (source.grown);
    in_order(source.read);
    explored.read = std::move(source.read);
    explored.marks = std::move(source.marks);
    return explored;
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
            sum.read.insert(sum.read.end(), found.read.begin(), found.read.end());
            sum.walks += found.walks;
            for (const auto& [at, bits] : found.marks)
                sum.marks[at] |= bits;
        }
    } while (moment.caches.size() != before);
    return all;
}

} // namespace vtd::model
