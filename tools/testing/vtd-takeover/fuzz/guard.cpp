// SPDX-License-Identifier: GPL-2.0-only
//
// See judge.h. Old memory is read here as the guard has to, and forbidden memory is a list of what
// was forbidden and allowed, the last word on a page being the one that counts.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "fuzz/judge.h"
#include "fuzz/must.h"
#include "model/translation.h"

extern "C" {
#include "guard.h"
}

namespace vtd::fuzz {

namespace {

using model::Access;
using model::Hpa;

Count alive("guarded ways alive"), alive_with_pasid("guarded ways alive with a PASID"),
    shielded("forbidden pages out of reach"), taken("writes taken by the scratch page"),
    cut_with_table("ways that ended with a table"), identical("addresses let through"),
    silenced("PASIDs silenced"), unguarded("devices that cannot be guarded"),
    out_of_budget("devices out of budget"), forgetful("devices made to forget"),
    unforgetful("devices that do not forget"), passing("ways that go on as on stock"),
    excepted("reserved pages let be"), kept("notes kept"), crowded("shields of too many pieces");

constexpr unsigned shield_ranges = 64;   // that there is room for
constexpr unsigned least_visits = 30000; // that one device is allowed, or nearly

u64 page_of(u64 at) { return at & ~(page_size - 1); }

// What was forbidden, piece by piece.
class Forbidden {
public:
    explicit Forbidden(std::vector<Ruling> rulings) : rulings_(std::move(rulings)) {
        std::vector<u64> at;
        for (const Ruling& ruling : rulings_)
            at.insert(at.end(), {ruling.start, ruling.end});
        std::ranges::sort(at);
        at.erase(std::unique(at.begin(), at.end()), at.end());
        for (std::size_t n = 0; n < at.size(); n++) {
            const u64 end = n + 1 < at.size() ? at[n + 1] : at[n] + page_size;
            const bool forbids = ruled(at[n]);
            if (forbids && !pieces_.empty() && pieces_.back().second == at[n])
                pieces_.back().second = end;
            else if (forbids)
                pieces_.emplace_back(at[n], end);
        }
    }

    bool holds(u64 at) const {
        const auto next = std::ranges::upper_bound(pieces_, at, {},
                                                   [](const auto& piece) { return piece.second; });
        return next != pieces_.end() && at >= next->first;
    }
    const std::vector<std::pair<u64, u64>>& pieces() const { return pieces_; }
    // There never was one too many, or else more is forbidden than was asked for.
    bool is_exact() const { return rulings_.size() < shield_ranges / 2; }

private:
    bool ruled(u64 at) const {
        for (auto ruling = rulings_.rbegin(); ruling != rulings_.rend(); ++ruling)
            if (at >= ruling->start && at < ruling->end)
                return ruling->forbids;
        return false;
    }

    std::vector<Ruling> rulings_;
    std::vector<std::pair<u64, u64>> pieces_; // in order
};

struct TableSeen {
    model::Table kind;
    u64 at;
};

struct Way {
    model::Outcome outcome;
    std::vector<TableSeen> tables;
    bool quiet = false; // FPD on the way
    unsigned levels = 0;
    bool first = false, nested = false;

    const model::Translation* page() const { return std::get_if<model::Translation>(&outcome); }
    bool recorded() const {
        const auto* fault = std::get_if<model::Fault>(&outcome);
        return fault && fault->recorded;
    }
};

// Memory as the unit finds it.
class Memory final : public model::Source {
public:
    void add(u64 at, const u64* words) { pages_[at / page_size] = words; }
    const u64* find(u64 at) const {
        const auto found = pages_.find(at / page_size);
        return found == pages_.end() ? nullptr : found->second;
    }
    std::optional<u64> word(model::Table, Hpa at) override {
        const u64* const words = find(at.value);
        if (!words)
            return {};
        return words[at.value % page_size / sizeof(u64)];
    }
    void step(model::Table table, Hpa at, std::span<const u64> words) override {
        using model::Table;
        way.tables.push_back({table, page_of(at.value)});
        if (table == Table::context) {
            way.quiet |= model::fault_disable.of(words);
            way.levels = static_cast<unsigned>(model::context::aw.of(words)) + model::aw_levels;
        } else if (table == Table::pasid_directory) {
            way.quiet |= model::fault_disable.of(words);
        } else if (table == Table::pasid_table) {
            way.quiet |= model::fault_disable.of(words);
            const u64 type = model::pasid_entry::pgtt.of(words);
            way.first = type == 1;
            way.nested = type == 3;
            way.levels =
                way.first || way.nested
                    ? (model::pasid_entry::fspm.of(words) ? 5U : 4U)
                    : static_cast<unsigned>(model::pasid_entry::aw.of(words)) + model::aw_levels;
        }
    }
    Way way;

private:
    std::unordered_map<u64, const u64*> pages_;
};

struct Stream {
    model::Rid rid;
    std::optional<model::Pasid> pasid;
};

class Guard {
public:
    explicit Guard(const Maze& maze) : maze_(maze) {
        takeover_forbid_nothing();
        maze_.load(machine_);
        for (const auto& [at, failing] : maze_.failing)
            reads_left_[at] = failing.reads;
        machine_.on_read = [this](Phys at, std::size_t) { read(page_of(at.value)); };
        takeover_forbid_nothing();
        for (const Ruling& ruling : maze_.rulings)
            takeover_forbid(ruling.start, ruling.end);
    }
    ~Guard() { takeover_forbid_nothing(); }

    void run() {
        const auto memory = contents();
        must(!takeover_oldmem_learn(elfcorehdr.value), "the core header is bad");
        takeover_tell_forbidden();
        must(machine_.log.size() <= shield_ranges, "WARY: {} ranges", machine_.log.size());
        machine_.log.clear();
        takeover_snapshot(&machine_.unit);
        crowd();
        takeover_adopt(&machine_.unit, machine_.new_root(), TAKEOVER_ADOPT);
        machine_.on_read = [](Phys, std::size_t) {};
        if (machine_.unit.unguarded) {
            must(!machine_.unit.nr_guarded && !machine_.unit.nr_guard_pages, "WARY: it is guarded");
            return;
        }
        rule();
        must(contents() == memory, "INTACT: old memory is changed");
        must(machine_.log.size() <= 32, "WARY: {} lines", machine_.log.size());
        look();
        shield();
        account();
        errors();
        compare(12);
        if (takeover_install(&machine_.unit))
            must(false, "ON: a unit that answers is given up");
        look();
        forget();
        compare(24);
    }

private:
    bool scalable() const { return maze_.has(MazeSwitch::scalable); }
    static const u64* in_ours(u64 at) { return reinterpret_cast<const u64*>(at); }

    // Devices that no step is about have noted what they use. In legacy mode nobody has to.
    void crowd() {
        constexpr unsigned all_tags = TAKEOVER_TAG_PAGES * page_size / sizeof(struct takeover_tag);
        takeover_unit& unit = machine_.unit;
        if (!scalable() || !maze_.tags())
            return;
        // By turns, or else one would be known already.
        while (unit.nr_tags < all_tags - maze_.tags())
            if (takeover_tag(&unit, Rid::of(255, 31, unit.nr_tags % 2).value, 2))
                return; // no memory
    }

    // A table fails from some time on, with the guard or before.
    void read(u64 at) {
        const auto left = reads_left_.find(at);
        if (left == reads_left_.end())
            return;
        if (left->second)
            left->second--;
        else if (maze_.failing.at(at).poisoned)
            machine_.poisoned.insert({at});
        else
            machine_.unmappable.insert({at});
    }

    // A unit of which nothing is adopted has nobody to allow anything for.
    void rule() {
        std::vector<Ruling> rulings = maze_.rulings;
        for (const auto& [rid, start, end] : machine_.firmware)
            if (!machine_.unit.blocked)
                rulings.push_back({page_of(start), page_of(end) + page_size, false});
        forbidden_.emplace(std::move(rulings));
    }

    std::vector<u64> contents() {
        std::vector<u64> all;
        for (unsigned number = 0; number < first_table; number++)
            append(all, page(number).value);
        for (unsigned number = 0; number + 1 < all_tables; number++)
            append(all, table_at(number));
        return all;
    }
    void append(std::vector<u64>& all, u64 at) {
        const Page& words = machine_.old_page({at});
        all.insert(all.end(), words.begin(), words.end());
    }

    void look() {
        memory_ = {};
        for (unsigned number = 0; number < first_table; number++)
            memory_.add(page(number).value, machine_.old_page(page(number)).data());
        for (unsigned number = 0; number + 1 < all_tables; number++)
            memory_.add(table_at(number), machine_.old_page({table_at(number)}).data());
        for (const std::span<u64> table : machine_.tables())
            memory_.add(reinterpret_cast<u64>(table.data()), table.data());
        for (unsigned n = 0; n < VTD_LARGE_LEVELS; n++) {
            const u64 at = takeover_scratch_page() + n * page_size;
            memory_.add(at, in_ours(at));
        }
        const u64 none = takeover_blocked_table() & VTD_ROOT_ADDR;
        memory_.add(none, in_ours(none));
    }

    // Is the memory map right, one page beside each border?
    void shield() const {
        if (!forbidden_->is_exact()) {
            crowded++;
            for (const auto& [start, end] : forbidden_->pieces())
                must(takeover_all_forbidden(start, end - start), "SHIELD: {:#x} is not forbidden",
                     start);
            return;
        }
        u64 all = 0;
        for (const auto& [start, end] : forbidden_->pieces()) {
            all += (end - start) / page_size;
            for (const u64 at : {start - page_size, start, end - page_size, end}) {
                takeover_span free{};
                const bool found = takeover_forbidden(at, page_size, &free);
                must(found == forbidden_->holds(at), "SHIELD: {:#x} is forbidden: {}", at, found);
                must(takeover_all_forbidden(at, page_size) == found,
                     "SHIELD: {:#x} is not forbidden as a whole", at);
                must(found || (free.first <= at && free.last >= at + page_size - 1 &&
                               std::ranges::none_of(forbidden_->pieces(),
                                                    [&](const auto& piece) {
                                                        return piece.first <= free.last &&
                                                               piece.second > free.first;
                                                    })),
                     "SHIELD: what is around {:#x} is not free", at);
            }
        }
        must(all == takeover_forbidden_pages(), "SHIELD: {} pages are forbidden, not {}",
             takeover_forbidden_pages(), all);
    }

    // Nothing that was asked for is lost, or more than there is.
    void account() {
        const takeover_unit& unit = machine_.unit;
        must(unit.nr_guard_pages <= machine_.budget(), "WARY: {} pages of {}", unit.nr_guard_pages,
             machine_.budget());
        // From the root table on, and from what the unit notes.
        std::unordered_set<u64> ours;
        for (const std::span<u64> table : machine_.tables())
            ours.insert(reinterpret_cast<u64>(table.data()));
        std::unordered_set<u64> seen;
        std::vector<u64> next{reinterpret_cast<u64>(unit.root)};
        for (const takeover_identity& identity : machine_.pool.identities)
            next.push_back(identity.top);
        for (const u64* copies : unit.copies)
            next.push_back(reinterpret_cast<u64>(copies));
        for (const struct takeover_tag* tags : unit.tags)
            next.push_back(reinterpret_cast<u64>(tags));
        while (!next.empty()) {
            const u64 at = next.back();
            next.pop_back();
            if (!ours.contains(at) || !seen.insert(at).second)
                continue;
            for (std::size_t n = 0; n < VTD_TABLE_WORDS; n++)
                next.push_back(page_of(in_ours(at)[n] & ~(u64{0xfff} << 52)));
        }
        const std::size_t lost = ours.size() - seen.size();
        must(lost <= unit.nr_guard_pages, "WARY: {} pages are lost", lost);
        if (!unit.nr_dropped && !machine_.allocations)
            must(!lost, "WARY: {} pages are lost, and nobody dropped", lost);
    }

    static std::string name(Rid rid) {
        return fmt::format("{:02x}:{:02x}.{}: ", rid.value >> 8, rid.value >> 3 & 31,
                           rid.value & 7);
    }
    // Why a device lost its entry.
    std::optional<int> error_of(Rid rid) const {
        const std::string its = name(rid) + "entry dropped: its tables cannot be guarded (";
        for (const std::string& line : machine_.log)
            if (const auto at = line.find(its); at != line.npos)
                return std::atoi(line.c_str() + at + its.size());
        return {};
    }
    // Others than the guard drop entries as well.
    bool is_told_of(Rid rid) const {
        return machine_.unit.nr_reports > TAKEOVER_REPORTS_MAX || machine_.unit.blocked ||
               machine_.unit.nr_tables_dropped ||
               std::ranges::any_of(machine_.log, [its = name(rid)](const std::string& line) {
                   return line.find(its) != line.npos;
               });
    }

    const u64* old_context(Rid rid) {
        const std::size_t words = scalable() ? 4 : 2;
        const unsigned number = scalable() && rid.value & 0x80 ? 3 : 2;
        return machine_.old_page(page(number)).data() +
               (rid.value & (scalable() ? 0x7f : 0xff)) * words;
    }

    bool is_adopted(Rid rid) const {
        return machine_.unit.adopted[rid.value / 64] >> rid.value % 64 & 1 &&
               !(machine_.unit.confined[rid.value / 64] >> rid.value % 64 & 1);
    }

    // More than the guard can need, with a copy of each table for each use that it may have, and
    // one of each part of each large page.
    u64 most_needed() {
        u64 present = 0, large = 0;
        for (unsigned number = 0; number + 1 < all_tables; number++)
            for (const u64 word : machine_.old_page({table_at(number)})) {
                present += word != 0;
                large += (word & 0x80) != 0;
            }
        const u64 parts = 1 + 2 * (forbidden_->is_exact() ? forbidden_->pieces().size() : 80);
        const bool identity_2m = !maze_.lacks(Lack::pages_2m) || maze_.lacks(Lack::second_stage);
        const u64 identity =
            !identity_2m || maze_.lacks(Lack::pages_1g) || maze_.lacks(Lack::first_1g)
                ? 40000
                : 32 + 4 * parts;
        const u64 copies = 16 * all_tables + 6 * large * parts + identity + 4 * (2 + present);
        return 32 + copies + copies / 512;
    }

    // An error is one for a reason.
    void errors() {
        for (const Rid rid : devices) {
            const auto error = error_of(rid);
            if (!error) {
                must(is_adopted(rid) || was_absent(rid) || is_told_of(rid),
                     "ALIVE: {:#x} is dropped for no reason", rid.value);
                continue;
            }
            unguarded++;
            const u64* const entry = old_context(rid);
            must(!is_adopted(rid), "CLOSED: {:#x} cannot be guarded, and has an entry", rid.value);
            switch (-*error) {
            case ENOMEM:
                out_of_budget++;
                must(machine_.allocations || !machine_.unmappable.empty() ||
                         most_needed() > maze_.budget(),
                     "ALIVE: {:#x} finds no memory where there is some", rid.value);
                break;
            case E2BIG:
                // With too little memory to remember them tables that hold each other have no end.
                must((scalable() && (model::sm_context::pdts.in(entry[0]) > 2 || maze_.tags())) ||
                         machine_.unit.nr_guarded + machine_.poisoned.size() >= least_visits,
                     "ALIVE: {:#x} has not too many tables", rid.value);
                break;
            case ENOSPC:
                must(machine_.no_did, "ALIVE: {:#x} finds no id", rid.value);
                break;
            case EIO:
            case EFAULT:
                must(!top_is_good(rid) || !machine_.poisoned.empty(),
                     "ALIVE: {:#x} has tables that can be read", rid.value);
                break;
            default:
                must(-*error == EOPNOTSUPP, "ALIVE: {:#x} has error {}", rid.value, *error);
                must(!is_understood(rid), "ALIVE: {:#x} is not understood", rid.value);
            }
        }
    }

    // Of page tables in legacy mode, of all that there is else: where none has to be missed.
    bool top_is_good(Rid rid) {
        const u64* const entry = old_context(rid);
        if (!scalable())
            return is_good(entry[0] & model::context::ssptptr.mask());
        const u64 size =
            model::sm_context::directory_entries(model::sm_context::pdts.in(entry[0])) *
            sizeof(u64);
        const u64 directory = entry[0] & model::sm_context::pasiddirptr.mask();
        for (u64 at = 0; at < size; at += page_size)
            if (!is_good(directory + at))
                return false;
        if (model::sm_context::paside.in(entry[0]))
            return true;
        const u64* const found = entry_without_pasid(entry);
        if (!found)
            return false;
        const u64 type = model::pasid_entry::pgtt.in(found[0]);
        return is_good(type == 1 ? found[2] & model::pasid_entry::fsptptr.mask()
                                 : found[0] & model::pasid_entry::ssptptr.mask());
    }

    // A legacy entry, or the one PASID of a scalable one: tables of a kind that the guard walks.
    bool is_understood(Rid rid) {
        const u64* const entry = old_context(rid);
        if (!scalable())
            return model::context::tt.in(entry[0]) < 2 && model::context::aw.in(entry[1]) <= 3;
        if (model::sm_context::paside.in(entry[0]))
            return true; // one of many is silenced
        const u64* const found = entry_without_pasid(entry);
        return found && is_understood(found);
    }
    bool is_understood(const u64* entry) const {
        switch (model::pasid_entry::pgtt.in(entry[0])) {
        case 1:
            return model::pasid_entry::fspm.in(entry[2]) <= 1;
        case 2:
        case 3:
            return model::pasid_entry::aw.in(entry[0]) <= 3;
        case 4:
            return !maze_.lacks(Lack::pass_through) && !maze_.lacks(Lack::second_stage) &&
                   !(maze_.head.sagaw & 0x1f) && !(entry[0] >> machine_.unit.address_bits) &&
                   !(entry[2] >> machine_.unit.address_bits);
        default:
            return false;
        }
    }

    const u64* entry_without_pasid(const u64* context) {
        const u64 pasid =
            maze_.lacks(Lack::rid_pasid) ? 0 : model::sm_context::rid_pasid.in(context[1]);
        const u64 at = (context[0] & model::sm_context::pasiddirptr.mask()) + pasid / 64 * 8;
        const u64* const directory = memory_.find(at);
        if (!directory)
            return nullptr;
        const u64* const table = memory_.find(directory[at % page_size / 8]);
        if (!table || !is_good(page_of(directory[at % page_size / 8])))
            return nullptr;
        return table + pasid % 64 * 8;
    }

    // May a table be there? It may not where the code under test takes too much for forbidden.
    bool is_good(u64 at) const {
        if (at < memory.value || at >= memory.value + pages * page_size)
            return false;
        if (!memory_.find(at) || machine_.poisoned.contains({at}) ||
            machine_.unmappable.contains({at}))
            return false;
        return !is_shut(at);
    }
    bool is_shut(u64 at) const {
        takeover_span free{};
        return forbidden_->is_exact() ? forbidden_->holds(at)
                                      : takeover_forbidden(at, page_size, &free);
    }

    Way way(bool old, const model::Request& request) {
        const u64 ttm = scalable() ? 1 << 10 : 0;
        const model::Hardware unit{
            {.cap = machine_.unit.cap, .ecap = machine_.unit.ecap, .host_width = 52},
            old ? page(1).value | ttm : reinterpret_cast<u64>(machine_.unit.root) | ttm};
        memory_.way = {};
        model::Outcome outcome = translate(unit, request, memory_);
        memory_.way.outcome = std::move(outcome);
        return std::move(memory_.way);
    }

    // An address that leads on, one level after the other.
    u64 interesting_address(bool old, const Stream& stream) {
        u64 iova = 0;
        unsigned level = 0;
        for (unsigned depth = 0; depth < 5; depth++) {
            const Way now = way(old, {.rid = stream.rid, .iova = {iova}, .pasid = stream.pasid});
            std::vector<u64> tables;
            for (const TableSeen& seen : now.tables)
                if (seen.kind == model::Table::first_stage ||
                    (seen.kind == model::Table::second_stage && !now.nested))
                    tables.push_back(seen.at);
            if (tables.size() <= depth) {
                return iova | below_page(now, level, iova);
            }
            level = now.levels - depth;
            if (!level || level > 6)
                break;
            u64 slot = some_slot(tables[depth]);
            iova |= slot << model::level_shift(level);
            // 3.6: an address of the first stage is as signed as a processor's.
            if (depth == 0 && (now.first || now.nested) && slot & 0x100)
                iova |= ~u64{0} << (model::level_shift(level) + 9);
        }
        return iova;
    }

    u64 some_slot(u64 table) {
        if (random_() % 8 == 0)
            return random_() % 512;
        auto [slots, is_new] = slots_.try_emplace(table);
        const u64* const words = memory_.find(table);
        if (is_new && words)
            for (u64 n = 0; n < VTD_TABLE_WORDS; n++)
                if (words[n])
                    slots->second.push_back(static_cast<u16>(n));
        return slots->second.empty() ? random_() % 512
                                     : slots->second[random_() % slots->second.size()];
    }

    // Where in a large page, or if there are no tables at all: beside a border, if there is one.
    u64 below_page(const Way& now, unsigned level, u64 iova) {
        const auto* found = now.page();
        const unsigned bits = found && found->pass_through ? machine_.unit.address_bits + 1
                              : found                      ? found->page_bits
                              : level > 1                  ? model::level_shift(level)
                                                           : 12;
        const u64 size = u64{1} << bits;
        const auto& pieces = forbidden_->pieces();
        if (found && !pieces.empty() && random_() % 4) {
            const auto& piece = pieces[random_() % pieces.size()];
            const u64 base = found->pass_through ? 0 : found->address.value;
            const u64 at =
                (random_() % 2 ? piece.first : piece.second) + (random_() % 4 - 2) * page_size;
            if (at - base < size)
                return (at - base) & ~(iova & (size - 1));
        }
        return page_of(u64{random_()} << 32 | random_()) & (size - 1) & ~(iova & (size - 1));
    }

    static std::optional<u64> target(const Way& way, u64 iova) {
        const auto* found = way.page();
        if (!found)
            return {};
        return found->address.value + page_of(iova & ((u64{1} << found->page_bits) - 1));
    }

    void compare(unsigned addresses) {
        slots_.clear();
        std::vector<std::optional<model::Pasid>> pasids{std::nullopt};
        if (scalable())
            for (const u32 pasid : maze_.used_pasids)
                if (pasids.size() < 4)
                    pasids.emplace_back(model::Pasid{pasid});
        for (const Rid rid : devices) {
            if (!(old_context(rid)[0] & 1))
                continue;
            for (const auto pasid : pasids) {
                const Stream stream{{rid.value}, pasid};
                for (unsigned n = 0; n < addresses; n++)
                    compare(stream, interesting_address(n % 4 != 3, stream));
            }
        }
    }

    void compare(const Stream& stream, u64 iova) {
        for (const Access access : {Access::read, Access::write})
            for (const bool privileged : {false, true}) {
                // Without a PASID it is the context entry that says so.
                if (privileged && (!stream.pasid || maze_.lacks(Lack::supervisors)))
                    continue;
                compare({.rid = stream.rid,
                         .iova = {iova},
                         .access = access,
                         .pasid = stream.pasid,
                         .privileged = privileged});
            }
    }

    // SHIELD, ALIVE and CLOSED of one request.
    void compare(const model::Request& request) {
        const u64 iova = request.iova.value;
        const Way old = way(true, request), now = way(false, request);
        const auto from = target(old, iova), to = target(now, iova);
        const Rid rid{request.rid.value};
        const bool held = is_adopted(rid);

        if (to && is_reserved(rid, *to) && *to == page_of(iova) && !held) {
            excepted++;
            return;
        }
        if (to == from && (to || has_same_tables(old, now)) && goes_on(now)) {
            passing++;
            return;
        }
        must_be_tables(rid, now);
        const bool scratch = to == takeover_scratch_page();
        must(!to || scratch || !forbidden_->holds(*to), "SHIELD: {:#x} reaches {:#x} at {:#x}",
             rid.value, *to, iova);
        // What is forbidden may have faulted, for reserved bits or since interrupts are there; what
        // is in its place does not.
        if (scratch && !from && is_flawed(old)) {
            taken++;
            return;
        }
        must(!to || from, "CLOSED: {:#x} reaches {:#x} at {:#x}, and did not", rid.value,
             to.value_or(0), iova);
        must(!scratch || (request.access == Access::write && from && is_shut(*from)),
             "CLOSED: {:#x} has the scratch page at {:#x}", rid.value, iova);
        if (!held) {
            must(!to, "CLOSED: {:#x} was dropped and reaches {:#x}", rid.value, to.value_or(0));
            must(!now.recorded() || was_absent(rid), "CLOSED: {:#x} was dropped and is heard",
                 rid.value);
            return;
        }
        const bool lost = from && (misses_table(old) || is_silenced(request));
        if (from && is_shut(*from)) {
            if (scratch)
                taken++;
            else
                must(!to, "SHIELD: {:#x} reaches {:#x} in place of {:#x}", rid.value,
                     to.value_or(0), *from);
            must(scratch || lost || request.access != Access::write || !has_scratch(old, *from),
                 "ALIVE: a write of {:#x} to {:#x} fails", rid.value, *from);
            shielded++;
        } else if (from) {
            must(!to || to == from, "ALIVE: {:#x} reaches {:#x}, not {:#x}", rid.value,
                 to.value_or(0), *from);
            must(to || lost || is_beyond(old, *from),
                 "ALIVE: {:#x} does not reach {:#x} at {:#x} any more, for {:#x}", rid.value, *from,
                 iova, reason(now));
            if (to)
                (request.pasid ? alive_with_pasid : alive)++;
            else
                cut_with_table++;
            if (old.page()->pass_through)
                identical++;
            if (to && is_reserved_for_any(*to))
                excepted++;
        }
        const bool may_record = old.recorded() || (from && !old.quiet);
        must(!now.recorded() || may_record, "CLOSED: {:#x} is heard at {:#x}, and was not",
             rid.value, iova);
    }

    // As on stock: it passes through for want of a table, or there was no memory to look at tables.
    bool goes_on(const Way& now) {
        const takeover_unit& unit = machine_.unit;
        if (!maze_.lenient())
            return false;
        if (unit.unguarded && !(maze_.head.odds & 2))
            return true;
        return unit.nr_unguarded &&
               ((now.page() && now.page()->pass_through) || machine_.allocations ||
                !machine_.unmappable.empty() || most_needed() > maze_.budget() ||
                unit.nr_guarded >= least_visits);
    }

    // Tables that nobody could read lead where they led, into forbidden memory as well.
    static bool has_same_tables(const Way& old, const Way& now) {
        const auto own = [](const Way& way) {
            std::vector<u64> tables;
            for (const TableSeen& seen : way.tables)
                if (seen.kind != model::Table::root && seen.kind != model::Table::context)
                    tables.push_back(seen.at);
            return tables;
        };
        return own(old) == own(now);
    }

    static bool is_flawed(const Way& way) {
        const auto why = static_cast<model::Reason>(reason(way));
        return why == model::Reason::paging_reserved || why == model::Reason::second_reserved ||
               why == model::Reason::interrupt_address ||
               why == model::Reason::sm_interrupt_address;
    }
    static unsigned reason(const Way& way) {
        const auto* fault = std::get_if<model::Fault>(&way.outcome);
        return fault ? static_cast<unsigned>(fault->reason) : 0;
    }

    bool is_reserved(Rid rid, u64 at) const {
        return std::ranges::any_of(machine_.firmware, [=](const auto& range) {
            return range.rid == rid && at >= page_of(range.start) && at <= range.end;
        });
    }
    bool is_reserved_for_any(u64 at) const {
        return std::ranges::any_of(machine_.firmware, [=](const auto& range) {
            return at >= page_of(range.start) && at <= range.end;
        });
    }

    // It had no entry before, whatever the driver's tables say of the neighbours.
    bool was_absent(Rid rid) { return !(old_context(rid)[0] & 1); }

    // What the unit reads on its way is old RAM, or ours. A guest's tables are the second stage's
    // to keep in it. Where nothing is forbidden there is no guard.
    void must_be_tables(Rid rid, const Way& now) const {
        if (!takeover_forbidden_pages())
            return;
        for (const TableSeen& seen : now.tables) {
            const bool ours = seen.at >= ours_start && seen.at < ours_end;
            const bool guests = now.nested && seen.kind == model::Table::first_stage;
            must(ours || !forbidden_->holds(seen.at), "SHIELD: {:#x} has a table at {:#x}",
                 rid.value, seen.at);
            must(ours || guests || machine_.old_ram({seen.at}, page_size),
                 "SHIELD: {:#x} has a table at {:#x}, which is no RAM", rid.value, seen.at);
        }
    }

    // Does the way lead by something that is no table for this kernel?
    bool misses_table(const Way& old) const {
        return std::ranges::any_of(old.tables, [&](const TableSeen& seen) {
            return seen.kind != model::Table::root && seen.kind != model::Table::context &&
                   !is_good(seen.at);
        });
    }

    // Is the stream one that may have been silenced alone? Then it is.
    bool is_silenced(const model::Request& request) {
        const u64* const context = old_context({request.rid.value});
        if (!scalable() || !model::sm_context::paside.in(context[0]))
            return false;
        const u64 number = request.pasid ? request.pasid->value
                           : maze_.lacks(Lack::rid_pasid)
                               ? 0
                               : model::sm_context::rid_pasid.in(context[1]);
        const u64* const ours = pasid_entry(machine_.unit.root, request.rid, number);
        const u64* const old = pasid_entry(machine_.old_page(page(1)).data(), request.rid, number);
        if (!old || !ours || ours[0] != model::fault_disable.mask() || is_understood(old))
            return false;
        silenced++;
        return true;
    }

    const u64* pasid_entry(const u64* root, model::Rid rid, u64 number) {
        const u64 context_at = page_of(root[rid.devfn() >> 7]) + (rid.devfn() & 0x7f) * 32;
        const u64* const contexts = memory_.find(context_at);
        if (!contexts)
            return nullptr;
        const u64 at = page_of(contexts[context_at % page_size / 8]) + number / 64 * 8;
        const u64* const directory = memory_.find(at);
        if (!directory)
            return nullptr;
        const u64* const table = memory_.find(directory[at % page_size / 8]);
        return table ? table + number % 64 * 8 : nullptr;
    }

    // Is a write to forbidden memory one that does not fail?
    bool has_scratch(const Way& old, u64 at) const {
        if (maze_.has(MazeSwitch::cuts) || maze_.lacks(Lack::zlr) || old.first)
            return false;
        if (!old.page()->pass_through)
            return true;
        // There is no table that is full of it for more than a gigabyte.
        constexpr u64 block = u64{1} << 39;
        return (!scalable() || has_second_stage()) && !is_beyond(old, at) &&
               !takeover_all_forbidden(at & -block, block);
    }

    u64 sagaw() const { return u64{0x0c} ^ (maze_.head.sagaw & 0x1f); }
    // Up to 48 bits.
    bool has_second_stage() const { return !maze_.lacks(Lack::second_stage) && sagaw() & 6; }

    // Where addresses were let through as they are, up to where there is memory and tables lead.
    bool is_beyond(const Way& old, u64 at) const {
        if (!old.page()->pass_through)
            return false;
        unsigned bits = 48;
        if (!scalable())
            bits = 12 + 9 * old.levels;
        else if (!has_second_stage())
            bits = 47;
        else
            bits = sagaw() & 4 ? 48 : 39;
        bits = std::min({bits,
                         static_cast<unsigned>(model::Capabilities::mgaw.in(machine_.unit.cap)) + 1,
                         machine_.unit.address_bits});
        return at >> bits;
    }

    // A device-TLB may know what was cut.
    void forget() {
        if (!maze_.has(MazeSwitch::remembering) || maze_.has(MazeSwitch::far))
            return;
        for (const Rid rid : devices) {
            const u64* const entry = takeover_context_entry(&machine_.unit, rid.value);
            if (!entry || !(entry[0] & 1) || !is_adopted(rid))
                continue;
            const u64* const old = old_context(rid);
            if (page_of(entry[0]) == page_of(old[0]) || maze_.lacks(Lack::device_tlb))
                continue;
            must(!maze_.has(MazeSwitch::unanswering),
                 "SHIELD: {:#x} remembers what it had access to", rid.value);
            must(std::ranges::any_of(machine_.events,
                                     [=](const Event& event) {
                                         return event.op == Op::InvDevtlb && event.rid == rid;
                                     }),
                 "SHIELD: {:#x} is not made to forget", rid.value);
            forgetful++;
        }
        if (machine_.unit.nr_unanswered)
            unforgetful++;
    }

    Maze maze_;
    Machine machine_;
    std::map<u64, unsigned> reads_left_;
    std::optional<Forbidden> forbidden_;
    Memory memory_;
    std::minstd_rand random_{1};
    std::unordered_map<u64, std::vector<u16>> slots_;
};

// The notes of tables: what is found is what was kept last. Some of it is forgotten.
class Notes {
public:
    explicit Notes(const Maze& maze) : maze_(maze) {
        budget_.unit = &machine_.unit;
        budget_.left = maze.budget();
        memo_.budget = &budget_;
    }

    void run() {
        takeover_memo_begin(&memo_);
        must(memo_.nr_pages <= maze_.budget(), "WARY: {} pages of notes", budget_.used);
        for (const Step& step : maze_.steps)
            if (step.kind % 16 == 15)
                run(step);
        for (const auto& [key, value] : all_)
            compare(key, value);
        takeover_memo_forget(&memo_);
        must(!budget_.used && !machine_.live_tables && budget_.left == maze_.budget(),
             "WARY: a page of notes is lost");
    }

private:
    // A run of tables, some of them once more.
    void run(const Step& step) {
        for (u64 n = 0; n <= step.count % 512; n++) {
            const u64 key =
                takeover_memo_key((step.number * u64{16} + n * (1 + step.table)) * page_size,
                                  1 + step.slot % 3, 1 + step.slot / 3 % 5);
            const auto known = all_.find(key);
            takeover_memo_ahead(&memo_, key);
            if (compare(key, known == all_.end() ? -ENOENT : known->second))
                continue;
            const unsigned value = step.how & 2 ? 1 + static_cast<unsigned>(n) % 0x7ffff : 0;
            takeover_memo_add(&memo_, key, value);
            all_[key] = static_cast<int>(value);
            must(!memo_.nr_pages == !compare(key, all_[key]), "WARY: a note is not kept");
            kept++;
        }
    }

    bool compare(u64 key, int value) {
        const int found = takeover_memo_find(&memo_, key);
        must(found == -ENOENT || found == value, "WARY: a note is {}, not {}", found, value);
        return found != -ENOENT;
    }

    const Maze& maze_;
    Machine machine_;
    takeover_budget budget_{};
    takeover_memo memo_{};
    std::unordered_map<u64, int> all_;
};

} // namespace

void guard(const Maze& maze) {
    Guard(maze).run();
    Notes(maze).run();
}

} // namespace vtd::fuzz
