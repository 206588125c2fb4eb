// SPDX-License-Identifier: GPL-2.0-only
//
// Forbidden memory, and a dead machine whose tables lead there: what the old ones and ours say of
// an address, by the model's walk.

#pragma once

#include <map>
#include <optional>

#include "model/translation.h"
#include "tests/dead_machine.h"

extern "C" {
#include "guard.h"
}

namespace vtd {

inline constexpr u64 page = 0x1000;
inline constexpr u64 rw = 3;
inline constexpr u64 crash_start = 0x20003000, crash_end = 0x2fff5000;
inline constexpr u64 low_end = 0x9f000;
// Where this process has its memory, and so our tables.
inline constexpr u64 ours_start = 0x500000000000, ours_end = 0x800000000000;

inline bool forbidden(u64 at, u64 size = 1) {
    const auto meets = [=](u64 start, u64 end) { return at < end && at + size > start; };
    return meets(0, low_end) || meets(crash_start, crash_end) || meets(ours_start, ours_end);
}

// This process's memory lies so that nothing is harmless at the first look.
inline void forbid(bool ours = true) {
    takeover_forbid_nothing();
    takeover_forbid(crash_start, 0x2a000000);
    if (ours)
        takeover_forbid(ours_start, ours_end);
    takeover_forbid(1, low_end);
    takeover_forbid(0x29fffff0, crash_end);
}

// What the unit would find in memory, of the crashed kernel's and of ours.
class Source final : public model::Source {
public:
    explicit Source(Machine& machine) {
        for (u64 at = old_root.value; at < old_root.value + ram_size; at += page)
            if (const auto words = machine.peek_old({at}); !words.empty())
                pages_[at] = words.data();
        for (const std::span<u64> table : machine.tables())
            pages_[reinterpret_cast<u64>(table.data())] = table.data();
        // The scratch page, and the tables that lead to it.
        for (unsigned n = 0; n < 3; n++) {
            const u64 at = takeover_scratch_page() + n * page;
            pages_[at] = reinterpret_cast<const u64*>(at);
        }
    }
    std::optional<u64> word(model::Table, model::Hpa at) override {
        const auto found = pages_.find(at.value & ~(page - 1));
        if (found == pages_.end())
            return {};
        return found->second[at.value % page / sizeof(u64)];
    }

private:
    std::map<u64, const u64*> pages_;
};

class Guarded : public DeadMachine {
protected:
    static constexpr u64 first_table = 0x10100000;
    static constexpr Did own{0x21};

    Guarded() {
        forbid();
        machine.unit.unguarded = false;
        machine.budget(2000);
        // MGAW 48 bits, pages of 2 MiB and 1 GiB in both stages, 48 and 57 bits, ECAP.FSTS, PT,
        // RPS.
        machine.unit.cap = 2 | 6 << 9 | u64{56} << 16 | u64{3} << 34 | u64{1} << 56 | u64{1} << 60;
        machine.unit.ecap |= u64{1} << 43 | u64{1} << 47 | 1 << 6 | u64{1} << 49;
        for (const Entry& entry : entries)
            old(entry.rid)[0] = 0;
    }
    ~Guarded() override { takeover_forbid_nothing(); }

    Phys table() {
        next_ += page;
        machine.old_page({next_ - page});
        return {next_ - page};
    }
    u64& word(Phys table, unsigned at) { return machine.old_page(table)[at]; }
    // Tables of four levels, by a table of the second one.
    u64 above(Phys two) {
        const Phys four = table(), three = table();
        word(four, 0) = three.value | rw;
        word(three, 0) = two.value | rw;
        return four.value;
    }

    // What the card has: of either stage, or nothing but addresses as they are.
    void give(u64 top, unsigned levels, u64 type = 2, bool sre = false, Rid rid = nic) {
        const bool first = type == 1 || type == 3;
        if (!scalable()) {
            old(rid)[1] = u64{own.value} << 8 | (levels - 2);
            old(rid)[0] = top | (type == 4 ? 2 << 2 : 0) | 1;
            return;
        }
        directory_ = table();
        pasids_ = table();
        u64* const entry = machine.old_page(pasids_).data();
        entry[0] = type << 6 | (levels - 2) << 2 | 1 | (first ? 0 : top);
        entry[1] = own.value;
        entry[2] = first ? top | (levels == 5) << 2 | sre : 0;
        word(directory_, 0) = pasids_.value | 1;
        old(rid)[1] = 0;
        old(rid)[0] = directory_.value | 1;
    }

    model::Outcome walk(u64 rtaddr, u64 iova, model::Access access = model::Access::read,
                        bool privileged = false, Rid rid = nic) {
        if (!source_)
            source_.emplace(machine);
        return translate(
            {{.cap = machine.unit.cap, .ecap = machine.unit.ecap, .host_width = 52}, rtaddr},
            {.rid = {rid.value}, .iova = {iova}, .access = access, .privileged = privileged},
            *source_);
    }
    void adopt() {
        DeadMachine::adopt();
        source_.reset();
    }
    // Where an address leads to in the old tables, and in ours.
    static std::optional<u64> target(const model::Outcome& outcome, u64 iova) {
        const auto* found = std::get_if<model::Translation>(&outcome);
        if (!found)
            return {};
        return found->address.value + (iova & ((u64{1} << found->page_bits) - 1) & ~(page - 1));
    }
    std::optional<u64> before(u64 iova) { return target(walk(old_rtaddr(), iova), iova); }
    std::optional<u64> now(u64 iova) { return target(walk(new_rtaddr(), iova), iova); }

    u64 old_rtaddr() const { return old_root.value | (scalable() ? 1ULL << 10 : 0); }
    u64 new_rtaddr() const {
        return reinterpret_cast<u64>(machine.unit.root) | (scalable() ? 1ULL << 10 : 0);
    }

    // SHIELD, ALIVE and CLOSED of one address.
    void compare(u64 iova) {
        for (const auto access : {model::Access::read, model::Access::write})
            for (const bool privileged : {false, true}) {
                const auto old = target(walk(old_rtaddr(), iova, access, privileged), iova);
                const auto found = target(walk(new_rtaddr(), iova, access, privileged), iova);
                if (old && !forbidden(*old, page))
                    ASSERT_EQ(found, old) << std::hex << iova;
                else if (old && access == model::Access::write && has_scratch)
                    ASSERT_EQ(found, takeover_scratch_page()) << std::hex << iova;
                else
                    ASSERT_EQ(found, std::nullopt) << std::hex << iova;
                compared += old.has_value();
                shielded += old && forbidden(*old, page);
            }
    }

    unsigned compared = 0, shielded = 0;
    bool has_scratch = false;
    Phys directory_{}, pasids_{};

private:
    u64 next_ = first_table;
    std::optional<Source> source_; // of what is in memory since the adoption
};

} // namespace vtd
