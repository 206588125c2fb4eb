// SPDX-License-Identifier: GPL-2.0-only
//
// See judge.h.

#include "fuzz/judge.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <elf.h>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "fuzz/must.h"
#include "model/interrupts.h"
#include "model/invalidation.h"
#include "model/memory.h"
#include "model/page_requests.h"
#include "model/translation.h"

namespace vtd::fuzz {

namespace {

using model::Hpa;
using model::Owner;

Count ways_alive("ways alive"), ways_with_pasid("ways alive with a PASID"),
    ways_dropped("ways dropped"), ways_retagged("ways under another id"),
    entries_blocked("entries blocked"), units_blocked("units blocked"), units_deaf("units deaf"),
    released("devices released"), reserved_reached("pages of firmware reached"), bombs("bombs"),
    remapped("interrupts alive"), re_encoded("interrupts in the other mode"),
    posted("interrupts posted"), interrupts_blocked("interrupts blocked"),
    answered("page requests answered"), refused("page request queues refused"),
    endless("devices that never stop asking"), maps("maps of old RAM"), no_maps("maps refused");

// Which memory was RAM, read off the ELF core header without regard to order or number.
class Ram {
public:
    explicit Ram(Machine& machine) {
        Elf64_Ehdr head;
        if (!read(machine, memory.value, head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
            head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_type != ET_CORE ||
            head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phoff > 1 << 20)
            return;
        for (unsigned n = 0; n < head.e_phnum; n++) {
            Elf64_Phdr part;
            if (!read(machine, memory.value + head.e_phoff + n * sizeof(part), part)) {
                parts_.clear();
                return;
            }
            if (part.p_type == PT_LOAD && part.p_memsz &&
                part.p_paddr + part.p_memsz > part.p_paddr)
                parts_.emplace_back(part.p_paddr, part.p_paddr + part.p_memsz);
        }
    }

    bool known() const { return !parts_.empty(); }

    // All of it is in one part: the code under test has to know. A map of more parts than any
    // machine has may be cut short.
    bool surely(u64 at, u64 size) const {
        const auto end = parts_.begin() + std::min<std::ptrdiff_t>(std::ssize(parts_), 512);
        return at && at + size > at && std::any_of(parts_.begin(), end, [=](const auto& part) {
                   return at >= part.first && at + size <= part.second;
               });
    }

    // There may be parts side by side.
    bool maybe(u64 at, u64 size) const {
        u64 reached = at;
        for (bool grown = true; grown && reached < at + size;) {
            grown = false;
            for (const auto& [start, end] : parts_)
                if (start <= reached && end > reached) {
                    reached = end;
                    grown = true;
                }
        }
        return at + size > at && reached >= at + size;
    }

    const std::vector<std::pair<u64, u64>>& parts() const { return parts_; }

private:
    template <class T> static bool read(Machine& machine, u64 at, T& into) {
        return !machine.read_old(&into, {at}, sizeof(into));
    }

    std::vector<std::pair<u64, u64>> parts_;
};

// The crashed kernel's RAM as the code under test has learnt it. What is read of it is watched.
class Learnt {
public:
    Learnt(const Image& image, Machine& machine) : machine_(machine) {
        // The first page may hold anything, and say that anything is RAM.
        if (!image.has(headless))
            known_ = !takeover_oldmem_learn(memory.value);
        else
            takeover_oldmem_learn(0);
        ram_.emplace(machine);
        machine.on_read = [this](Phys at, std::size_t size) {
            must(maybe(at.value, size), "WARY: {:#x} is read, and is no RAM", at.value);
        };
    }
    Learnt(const Learnt&) = delete;
    Learnt& operator=(const Learnt&) = delete;

    bool surely(u64 at, u64 size) const {
        return known_ ? ram_->surely(at, size) : at && machine_.old_ram({at}, size);
    }
    bool maybe(u64 at, u64 size) const {
        return known_ ? ram_->maybe(at, size) : machine_.old_ram({at}, size);
    }

private:
    Machine& machine_;
    std::optional<Ram> ram_;
    bool known_ = false;
};

// Memory as hardware sees it: pages of either kernel, by address.
class View {
public:
    void add(u64 at, const u64* words) { pages_[at / page_size] = words; }
    const u64* word(u64 at) const {
        const auto found = pages_.find(at / page_size);
        return found == pages_.end() ? nullptr : found->second + at % page_size / sizeof(u64);
    }
    u64 load(u64 at) const {
        const u64* const here = word(at);
        return here ? *here : 0;
    }

private:
    std::unordered_map<u64, const u64*> pages_;
};

// What a unit would find in memory now.
class Source final : public model::Source {
public:
    enum class Root { old_legacy, old_scalable, ours };
    Source(const View& view, Root root) : view_(view), root_(root) {}

    std::optional<u64> word(model::Table table, Hpa at) override {
        const u64* const here = view_.word(at.value);
        if (!here)
            return {};
        if (table != model::Table::root || root_ == Root::ours)
            return *here;
        // Of the old root table reserved bits do not count: the takeover does not go by them.
        if (root_ == Root::old_legacy && at.value % 16)
            return 0;
        return *here & ~model::root::reserved.mask();
    }
    void step(model::Table table, Hpa at, std::span<const u64> words) override {
        steps.push_back({table, at, {words.begin(), words.end()}});
    }

    struct Step {
        model::Table table;
        Hpa at;
        std::vector<u64> words;
    };
    std::vector<Step> steps;

private:
    const View& view_;
    Root root_;
};

struct Way {
    model::Outcome outcome;
    std::vector<Source::Step> steps;
    bool reaches() const { return std::holds_alternative<model::Translation>(outcome); }
    bool silent() const {
        const auto* fault = std::get_if<model::Fault>(&outcome);
        return fault && !fault->recorded;
    }
};

class Tables {
public:
    explicit Tables(const Image& image) : image_(image) { image.load(machine_); }

    void run() {
        learnt_.emplace(image_, machine_);
        takeover_policy policy{};
        const Head& head = image_.head;
        takeover_judge_unit(&policy, head.cap, head.ecap, machine_.gsts, head.rtaddr);
        const bool left_on = machine_.gsts & VTD_GSTS_TES;
        must(policy.found == (left_on && ~(head.cap & head.ecap)), "CLOSED: a unit is overlooked");

        takeover_snapshot(&machine_.unit);
        takeover_stop_queue(&machine_.unit);
        must(machine_.waited < 10'200'000, "WARY: {} us of waiting", machine_.waited);
        if (machine_.unit.state != TAKEOVER_FOUND)
            return;
        adopt();
        if (takeover_install(&machine_.unit)) {
            must(image_.has(deaf), "ON: a unit that answers is given up");
            units_deaf++;
            return;
        }
        must(machine_.gsts & VTD_GSTS_TES, "ON: translation is off");
        if (machine_.unit.blocked)
            units_blocked++;
        if (machine_.unit.nr_pasid_pages > 65536)
            bombs++;
        compare_words();
        compare_ways();
        release();
    }

private:
    void adopt() {
        machine_.reads = 0;
        takeover_adopt(&machine_.unit, machine_.new_root(),
                       image_.has(block) ? TAKEOVER_BLOCK : TAKEOVER_ADOPT);
        // The root table, two tables a bus; of an entry the directory and one table; and what the
        // takeover allows itself for PASIDs: eight parts of each of 65536 pages.
        constexpr std::size_t most_reads = 1 + 512 + 2 * 65536 + 8 * 65536;
        must(machine_.reads <= most_reads, "WARY: {} reads of old memory", machine_.reads);
        // The root table, two a bus; notes of domain ids; copies of PASID tables, which take half
        // of what units share, and their addresses.
        const std::size_t most_tables =
            1 + 512 + TAKEOVER_TAG_PAGES + TAKEOVER_COPY_PAGES + machine_.budget();
        must(machine_.live_tables <= most_tables, "WARY: {} tables", machine_.live_tables);
        must(machine_.log.size() <= 64, "WARY: {} lines", machine_.log.size());
        view();
    }

    void view() {
        view_ = {};
        for (unsigned n = 0; n < pages; n++)
            view_.add(page(n).value, machine_.old_page(page(n)).data());
        for (const std::span<u64> table : machine_.tables())
            view_.add(reinterpret_cast<u64>(table.data()), table.data());
        const u64 shared = takeover_blocked_table() & VTD_ROOT_ADDR;
        view_.add(shared, reinterpret_cast<u64*>(shared));
    }

    model::Hardware hardware(bool old) const {
        return {{.cap = image_.head.cap, .ecap = image_.head.ecap, .host_width = 52},
                old ? image_.head.rtaddr : machine_.rtaddr};
    }

    Way way(bool old, const model::Request& request) const {
        using Root = Source::Root;
        const Root root = image_.in_scalable_mode() ? Root::old_scalable : Root::old_legacy;
        Source source(view_, old ? root : Root::ours);
        model::Outcome outcome = translate(hardware(old), request, source);
        return {outcome, std::move(source.steps)};
    }

    std::size_t words() const {
        return image_.in_scalable_mode() ? model::sm_context::words : model::context::words;
    }

    // The table with the context entry of a requester, and of its neighbours; or nothing.
    const u64* contexts(u64 rtaddr, model::Rid first) const {
        const unsigned half = image_.in_scalable_mode() ? first.devfn() >> 7 : 0;
        const u64 word = view_.load((rtaddr & model::rtaddr::address.mask()) + first.bus() * 16 +
                                    half * sizeof(u64));
        return model::present.in(word) ? view_.word(word & model::root::ctp.mask()) : nullptr;
    }

    bool reserved(model::Rid rid) const {
        return std::ranges::any_of(machine_.firmware,
                                   [=](const auto& range) { return range.rid.value == rid.value; });
    }

    void compare_words() {
        const unsigned many = static_cast<unsigned>(VTD_TABLE_WORDS / words());
        for (u32 first = 0; first < 65536; first += many) {
            const u64* const ours = contexts(machine_.rtaddr, {static_cast<u16>(first)});
            const u64* const old = contexts(image_.head.rtaddr, {static_cast<u16>(first)});
            for (unsigned n = 0; ours && n < many; n++)
                compare_words({static_cast<u16>(first + n)}, {ours + n * words(), words()},
                              old ? std::span{old + n * words(), words()} : std::span<const u64>{});
        }
    }

    // Does an entry differ in its id alone, or in that it leads to a directory of ours?
    bool is_retagged(std::span<const u64> ours, std::span<const u64> old) const {
        if (old.empty())
            return false;
        u64 may[4] = {};
        if (image_.in_scalable_mode()) {
            may[0] = model::sm_context::pasiddirptr.mask() | model::sm_context::pdts.mask();
            const u64 directory = ours[0] & model::sm_context::pasiddirptr.mask();
            if (std::ranges::none_of(machine_.tables(), [=](const auto& table) {
                    return reinterpret_cast<u64>(table.data()) == directory;
                }))
                return false;
        } else {
            may[1] = model::context::did.mask();
            if (model::context::did.of(old) != TAKEOVER_DID_OF_DRIVER)
                return false;
        }
        for (std::size_t word = 0; word < ours.size(); word++)
            if ((ours[word] ^ old[word]) & ~may[word])
                return false;
        return true;
    }

    // CLOSED: an entry of ours is the old one, or blocks in silence, or there was none.
    void compare_words(model::Rid rid, std::span<const u64> ours, std::span<const u64> old) {
        if (ours.front() & 1) {
            candidates_.push_back(rid);
            must(std::ranges::equal(ours, old) || is_retagged(ours, old) || reserved(rid),
                 "CLOSED: {:#x} has an entry of nobody's", rid.value);
            must(takeover_holds_rid(&machine_.unit, rid.value), "FRESH: {:#x} is not waited for",
                 rid.value);
            return;
        }
        must(ours.front() == 0 || ours.front() == VTD_CTX_FPD, "CLOSED: {:#x} has half an entry",
             rid.value);
        if (!old.empty() && old.front() & 1) {
            must(ours.front() == VTD_CTX_FPD, "CLOSED: {:#x} is blocked aloud", rid.value);
            entries_blocked++;
            candidates_.push_back(rid);
        }
    }

    // Of many requesters some; those that will be released in any case.
    std::vector<model::Rid> sample() const {
        constexpr std::size_t most = 32;
        std::vector<model::Rid> some;
        const std::size_t step = std::max<std::size_t>(candidates_.size() / most, 1);
        for (std::size_t n = 0; n < candidates_.size(); n += step)
            some.push_back(candidates_[n]);
        for (const u16 rid : image_.head.rids)
            some.push_back({rid});
        return some;
    }

    std::vector<model::Request> requests(model::Rid rid) const {
        const model::Iova iova{image_.head.iova};
        std::vector<model::Request> all{{.rid = rid, .iova = iova},
                                        {.rid = rid, .iova = iova, .access = model::Access::write},
                                        {.rid = rid, .iova = {0x1000}}};
        if (image_.in_scalable_mode())
            all.push_back(
                {.rid = rid, .iova = iova, .pasid = model::Pasid{image_.head.pasid & 0xfffff}});
        return all;
    }

    // May the takeover have kept this way out? It may if something on it is not where tables are.
    bool excused(const Way& old) const {
        if (image_.has(block) || image_.head.allocations || image_.head.poisoned)
            return true;
        const u64 rtaddr = image_.head.rtaddr;
        const auto mode =
            image_.in_scalable_mode() ? model::rtaddr::Ttm::scalable : model::rtaddr::Ttm::legacy;
        if (model::rtaddr::ttm.in(rtaddr) != static_cast<u64>(mode) ||
            !learnt_->surely(rtaddr & model::rtaddr::address.mask(), page_size))
            return true;
        for (const auto& step : old.steps) {
            if (step.table == model::Table::root) {
                // Of which half is for the requester to say: both tables have to be good.
                for (const u64 word : step.words)
                    if (model::present.in(word) &&
                        !learnt_->surely(word & model::root::ctp.mask(), page_size))
                        return true;
            } else if (step.table == model::Table::context && image_.in_scalable_mode()) {
                const u64 size =
                    model::sm_context::directory_entries(model::sm_context::pdts.of(step.words)) *
                    sizeof(u64);
                if (!learnt_->surely(step.words[0] & model::sm_context::pasiddirptr.mask(), size))
                    return true;
            } else if (step.table == model::Table::context) {
                const bool through = model::context::tt.of(step.words) ==
                                     static_cast<u64>(model::context::Tt::pass_through);
                if (!through &&
                    !learnt_->surely(step.words[0] & model::context::ssptptr.mask(), page_size))
                    return true;
            }
        }
        return false;
    }

    // Or if it has more ids than the unit, or than one device may have, or too many tables.
    bool greedy(model::Rid rid) const {
        if (machine_.unit.nr_reports > TAKEOVER_REPORTS_MAX)
            return true;
        const std::string its = fmt::format("{:02x}:{:02x}.{}: entry dropped: ", rid.bus(),
                                            rid.devfn() >> 3, rid.devfn() & 7);
        return std::ranges::any_of(machine_.log, [&](const std::string& line) {
            return line.find(its + "too many PASIDs") != line.npos ||
                   line.find(its + "its domain id is the driver's") != line.npos;
        });
    }

    // TAGS: a second-stage table may not go on under the driver's id.
    static model::Outcome as_it_may_go_on(const Way& old, const Way& now) {
        auto page = std::get<model::Translation>(old.outcome);
        bool second = !page.pass_through;
        for (const auto& step : old.steps)
            if (step.table == model::Table::pasid_table) {
                using model::pasid_entry::Pgtt;
                const auto type = static_cast<Pgtt>(model::pasid_entry::pgtt.of(step.words));
                second = type == Pgtt::second || type == Pgtt::nested;
            }
        if (second && page.did.value == TAKEOVER_DID_OF_DRIVER) {
            page.did = std::get<model::Translation>(now.outcome).did;
            must(page.did.value > TAKEOVER_DID_OF_DRIVER, "TAGS: {} is the driver's",
                 page.did.value);
            ways_retagged++;
        }
        return page;
    }

    void compare_ways() {
        for (const model::Rid rid : sample())
            for (const model::Request& request : requests(rid)) {
                const Way old = way(true, request), now = way(false, request);
                if (now.reaches())
                    same(request, old, now);
                else if (old.reaches()) {
                    must((excused(old) || greedy(rid)) && now.silent(),
                         "ALIVE: {:#x} had {:#x} mapped, and has it no more", rid.value,
                         request.iova.value);
                    ways_dropped++;
                } else
                    // An empty table is none now, which is another reason, and as loud.
                    must(now.silent() || !old.silent(), "CLOSED: {:#x} faults aloud now",
                         rid.value);
                before_.emplace(request, now.outcome);
            }
    }

    void same(const model::Request& request, const Way& old, const Way& now) {
        const u64 to = std::get<model::Translation>(now.outcome).address.value;
        if (image_.has(block) || !old.reaches() || as_it_may_go_on(old, now) != now.outcome) {
            must(reserved(request.rid) && to == (request.iova.value & ~(page_size - 1)) &&
                     std::ranges::any_of(machine_.firmware,
                                         [&](const auto& range) {
                                             return range.rid.value == request.rid.value &&
                                                    to >= range.start && to <= range.end;
                                         }),
                 "CLOSED: {:#x} reaches {:#x}", request.rid.value, to);
            reserved_reached++;
            return;
        }
        ways_alive++;
        if (request.pasid)
            ways_with_pasid++;
        // TAGS
        const model::Did did = std::get<model::Translation>(now.outcome).did;
        if (did.value > TAKEOVER_DID_OF_DRIVER && did.value < vtd_domain_ids(image_.head.cap) &&
            !image_.head.poisoned)
            must(machine_.reserved.contains({did.value}), "TAGS: {} is free", did.value);
    }

    // FRESH: who is released reaches nothing, and nobody else notices.
    void release() {
        std::vector<device> devices;
        for (const u16 rid : image_.head.rids)
            devices.push_back({{rid}});
        if (image_.has(aliased))
            devices[0].rids.push_back(image_.head.rids[1]);

        std::set<u16> gone;
        for (device& dev : devices) {
            const int ret = takeover_release_device(&machine_.unit, &dev);
            must(ret >= 0 || machine_.allocations, "FRESH: {:#x} gets no table", dev.rids.front());
            if (ret < 0)
                return; // some of its entries may be gone
            if (ret)
                released++;
            gone.insert(dev.rids.begin(), dev.rids.end());
            view();
            for (const auto& [request, outcome] : before_) {
                const Way now = way(false, request);
                if (gone.contains(request.rid.value))
                    must(!now.reaches(), "FRESH: {:#x} still reaches {:#x}", request.rid.value,
                         request.iova.value);
                else
                    must(now.outcome == outcome, "ALIVE: {:#x} notices the release of {:#x}",
                         request.rid.value, dev.rids.front());
            }
        }
    }

    const Image& image_;
    Machine machine_;
    std::optional<Learnt> learnt_;
    View view_;
    std::vector<model::Rid> candidates_;
    std::map<model::Request, model::Outcome> before_;
};

// The interrupt table, each of its entries held against the old one.
class Interrupts {
public:
    explicit Interrupts(const Image& image) : image_(image) {
        image.load(machine_);
        for (unsigned n = 0; n < pages; n++) {
            view_.add(page(n).value, machine_.old_page(page(n)).data());
            memory_.attach({page(n).value}, machine_.old_page(page(n)), Owner::old_kernel);
        }
        std::ranges::fill(table_, 0);
        memory_.attach({reinterpret_cast<u64>(table_.data())}, table_, Owner::crash_kernel);
    }

    void run() {
        if (image_.has(headless) || takeover_oldmem_learn(memory.value))
            takeover_oldmem_learn(0);
        takeover_snapshot(&machine_.unit);
        machine_.reads = 0;
        const bool adopted =
            !takeover_adopt_irtes(&machine_.unit, table_.data(), image_.has(x2apic));
        // A page at a time; of a posted entry its descriptor.
        must(machine_.reads <= 256 + model::irte::most, "WARY: {} reads", machine_.reads);
        must(machine_.log.size() <= 32, "WARY: {} lines", machine_.log.size());
        must(machine_.live_tables == 0, "WARY: a page is lost");

        unsigned compared = 0;
        for (u32 index = 0; index < model::irte::most; index++)
            if (words(index, adopted) && compared++ < 64)
                outcomes(index, adopted);
    }

private:
    static constexpr u64 bytes = model::irte::words * sizeof(u64);

    u64 old(u32 index, unsigned word) const {
        const u64 at =
            (image_.head.irta & model::irta::address.mask()) + index * bytes + word * sizeof(u64);
        return index < model::irta::entries(image_.head.irta) ? view_.load(at) : 0;
    }

    // An entry is as it was but for where it goes, or blocks in silence; nothing comes from
    // nothing. Tells whether there is anything.
    bool words(u32 index, bool adopted) {
        const u64 low = table_[index * model::irte::words];
        const u64 high = table_[index * model::irte::words + 1];
        const bool was = model::present.in(old(index, 0));
        if (!model::present.in(low)) {
            must(low == 0 || low == model::fault_disable.mask(), "CLOSED: {} has half an entry",
                 index);
            must(!high, "CLOSED: {} has half an entry", index);
            must(low || !was, "CLOSED: {} is blocked aloud", index);
            return low;
        }
        must(adopted && was, "CLOSED: {} has an entry of nobody's", index);
        must(high == old(index, 1), "WARY: {} takes other interrupts now", index);
        constexpr u64 may = model::irte::destination.mask() | model::irte::logical.mask() |
                            model::irte::delivery.mask();
        must(((low ^ old(index, 0)) & ~may) == 0, "WARY: {} is another entry now", index);
        must(machine_.reserved_irtes.contains(index), "TAGS: index {} is free", index);
        return true;
    }

    std::optional<model::InterruptOutcome> outcome(u64 irta, u32 index, model::Rid rid) {
        const model::Capabilities can{.cap = image_.head.cap,
                                      .ecap = image_.head.ecap | 1 << 4, // EIM
                                      .host_width = 52};
        model::Caches caches{};
        model::InterruptMoment moment{
            .capabilities = can,
            .modes = {{.remaps = true, .compatible = false}},
            .tables = {irta},
            .memory = memory_,
            .caches = caches,
        };
        const auto found =
            explore(moment, model::InterruptRequest::remappable(rid, {static_cast<u16>(index)}));
        must(found.outcomes.size() == 1, "the model is not sure");
        return *found.outcomes.begin();
    }

    void outcomes(u32 index, bool adopted) {
        const u64 ours = reinterpret_cast<u64>(table_.data()) |
                         model::irta::eime.make(image_.has(x2apic)) | model::irta::size.make(15);
        const model::Rid rid{static_cast<u16>(model::irte::sid.in(old(index, 1)))};
        const auto before = outcome(image_.head.irta, index, rid);
        const auto now = outcome(ours, index, rid);
        const bool old_x2apic = model::irta::eime.in(image_.head.irta);

        if (const auto* to = std::get_if<model::RemappedInterrupt>(&*now)) {
            const auto* from = std::get_if<model::RemappedInterrupt>(&*before);
            must(adopted && from, "CLOSED: {} was no interrupt", index);
            must(!fatal(to->vector), "WARY: {} is vector {:#x}", index, to->vector);
            must(to->delivery == model::irte::Delivery::fixed ||
                     to->delivery == model::irte::Delivery::lowest,
                 "WARY: {} is no plain interrupt", index);
            if (old_x2apic == image_.has(x2apic))
                must(*to == *from, "ALIVE: {} is another interrupt", index);
            else
                must(processor(*to) == processor(*from) && to->level == from->level,
                     "ALIVE: {} goes to another processor", index);
            (old_x2apic == image_.has(x2apic) ? remapped : re_encoded)++;
        } else if (const auto* to = std::get_if<model::PostedInterrupt>(&*now)) {
            must(adopted && now == before, "CLOSED: {} was not posted", index);
            must(machine_.old_ram({to->descriptor.value}, VTD_PID_SIZE) || !image_.has(headless),
                 "SHIELD: {} is posted to {:#x}", index, to->descriptor.value);
            const u64 notification = model::posted_descriptor::vector.in(
                view_.load(to->descriptor.value + model::posted_descriptor::control));
            must(!fatal(notification), "WARY: {} notifies by vector {:#x}", index, notification);
            posted++;
        } else {
            const auto& fault = std::get<model::InterruptFault>(*now);
            must(!fault.recorded || now == before, "CLOSED: {} is blocked aloud, for {}", index,
                 text(fault.reason));
            interrupts_blocked++;
        }
    }

    bool fatal(u64 vector) const {
        return vector < 32 || machine_.unit.fatal_vectors[vector / 64] >> vector % 64 & 1;
    }

    // One, by its physical id; in logical mode of x2APIC the only member of its cluster.
    static std::optional<u32> processor(const model::RemappedInterrupt& to) {
        if (!to.logical)
            return to.destination;
        const u32 members = to.destination & 0xffff;
        if (members == 0 || (members & (members - 1)) != 0)
            return {};
        return (to.destination >> 16) * 16 + static_cast<u32>(__builtin_ctz(members));
    }

    const Image& image_;
    Machine machine_;
    View view_;
    model::Memory memory_;
    alignas(page_size) static inline std::array<u64, model::irte::most * model::irte::words> table_;
};

// The page-request queue: what is answered, and how it is left.
class PageRequests {
public:
    explicit PageRequests(const Image& image) : image_(image) {
        image.load(machine_);
        size_ = page_size << model::queue_address::size.in(machine_.pqa);
        base_ = machine_.pqa & model::queue_address::address.mask();
        begin_ = machine_.pqh & offset;
        asking_ = image.head.asking;
        machine_.unit.state = image.has(deaf) ? TAKEOVER_DEAD : TAKEOVER_INSTALLED;
        machine_.submits = image.has(stuck) ? -EIO : 0;
        // One that asks all the time soon finds the queue full. One that asks at the wrong moment
        // may go on.
        if (asking_ % 2)
            machine_.on_pqt = [this] { ask(); };
        machine_.on_pqh = [this] { ask(); };
    }

    void run() {
        const Learnt learnt(image_, machine_);
        const u64 ours = reinterpret_cast<u64>(queue_.data());
        const u64 left =
            (((machine_.pqt & offset) - begin_) & (size_ - 1)) / model::page_request::size;
        const bool inside = base_ && begin_ < size_ && (machine_.pqt & offset) < size_;
        machine_.reads = 0;
        takeover_switch_pages(&machine_.unit, ours);

        must(machine_.reads <= most(), "WARY: {} reads", machine_.reads);
        must(machine_.log.size() <= 3, "WARY: {} lines", machine_.log.size());
        must(machine_.pqa == ours, "FRESH: the queue is at {:#x}", machine_.pqa);
        must(machine_.pqh < page_size && machine_.pqh == (machine_.pqt & offset),
             "FRESH: the new queue begins at {:#x} and ends at {:#x}", machine_.pqh, machine_.pqt);

        must_be_full_at_the_change();

        std::vector<std::pair<u64, u64>> must_be;
        if (inside && learnt.surely(base_, size_))
            must_be = answers(left);
        else if (!inside || !learnt.maybe(base_, size_))
            refused++;
        else
            return; // in two parts of RAM: let it be either
        compare(must_be);
    }

private:
    static constexpr u64 offset = 0x7ffe0; // 11.4, PQH_REG and PQT_REG

    // As many as fit into the queue twice.
    u64 most() const { return 2 * size_ / model::page_request::size; }

    // The unit answers by itself when the queue is full.
    void ask() {
        const u64 tail = machine_.pqt & offset;
        const u64 next = (tail + model::page_request::size) & (size_ - 1);
        if (!asking_ || tail >= size_ || next == (machine_.pqh & offset))
            return;
        asking_--;
        accepted_++;
        machine_.pqt = next;
    }

    // 7.5: what comes while the address changes is answered by the unit, and not lost.
    void must_be_full_at_the_change() const {
        std::optional<u64> head;
        for (const Event& event : machine_.events) {
            if (event.op == Op::WritePqh)
                head = event.value;
            if (event.op == Op::WritePqa)
                break;
        }
        const u64 tail = machine_.pqt & offset;
        must(head && *head == ((tail + model::page_request::size) & (size_ - 1)),
             "ALIVE: the queue is changed while there is room in it");
    }

    // To all that was in the queue and came into it, in this order.
    std::vector<std::pair<u64, u64>> answers(u64 left) {
        namespace request = model::page_request;
        namespace answer = model::descriptor;
        if (left + accepted_ > most())
            endless++;
        std::vector<std::pair<u64, u64>> all;
        for (u64 n = 0; n < std::min(left + accepted_, most()); n++) {
            const u64 at = base_ + ((begin_ + n * request::size) & (size_ - 1));
            u64 words[4];
            if (machine_.read_old(words, {at}, sizeof(words)))
                continue;
            const std::span<const u64> asked{words};
            const bool pasid = request::has_pasid.of(asked);
            const bool marker = pasid && !request::read.of(asked) && !request::write.of(asked);
            if (request::type.of(asked) != request::request || !request::last.of(asked) || marker)
                continue;
            u64 low = answer::type.make(static_cast<u64>(answer::Type::group_response)) |
                      answer::response_pasid.make(pasid) |
                      answer::response_code.make(static_cast<u64>(model::Response::invalid)) |
                      answer::response_rid.make(request::rid.of(asked));
            if (pasid)
                low |= answer::pasid.make(request::pasid.of(asked));
            all.emplace_back(low, answer::response_group.make(request::group.of(asked)));
        }
        return all;
    }

    // A dead unit is given nothing, and one that fails once nothing any more.
    void compare(std::span<const std::pair<u64, u64>> must_be) const {
        const auto all = given();
        const bool fails = image_.has(stuck) && !must_be.empty();
        must(!image_.has(deaf) || all.empty(), "WARY: a dead unit answers");
        must(!fails || all.size() <= 1, "WARY: {} answers of a queue that fails", all.size());
        const std::size_t many = image_.has(deaf) || fails ? all.size() : must_be.size();
        must(all.size() == many && std::ranges::equal(all, must_be.first(many)),
             "ALIVE: {} answers to devices, and not {}", all.size(), must_be.size());
        for (std::size_t n = 0; n < all.size(); n++)
            answered++;
    }

    std::vector<std::pair<u64, u64>> given() const {
        std::vector<std::pair<u64, u64>> all;
        for (const Event& event : machine_.events)
            if (event.op == Op::Submit &&
                model::descriptor::type.in(event.value) ==
                    static_cast<u64>(model::descriptor::Type::group_response))
                all.emplace_back(event.value, event.high);
        return all;
    }

    const Image& image_;
    Machine machine_;
    u64 size_, base_, begin_, asking_, accepted_ = 0;
    alignas(page_size) static inline std::array<u64, VTD_TABLE_WORDS> queue_;
};

} // namespace

void tables(const Image& image) { Tables(image).run(); }
void interrupts(const Image& image) { Interrupts(image).run(); }
void page_requests(const Image& image) { PageRequests(image).run(); }

void core_header(const Image& image) {
    Machine machine;
    image.load(machine);
    machine.reads = 0;
    const bool learnt = !takeover_oldmem_learn(memory.value);
    must(machine.reads <= 1 + 65535, "WARY: {} reads", machine.reads);
    const Ram ram(machine);
    must(learnt == ram.known(), "WARY: {}", learnt ? "a map of nothing" : "a good map is refused");
    (learnt ? maps : no_maps)++;
    must(!takeover_oldmem_plausible(0, page_size), "WARY: there is a table at 0");

    std::vector<u64> places{image.head.iova, image.head.firmware, page(1).value};
    for (const auto& [start, end] : ram.parts())
        if (places.size() < 256)
            for (const u64 at : {start, end})
                places.insert(places.end(), {at, at - 1, at + 1, at - page_size, at + page_size});
    for (const u64 at : places)
        for (const u64 size : {u64{1}, u64{8}, page_size, 32 * page_size}) {
            const bool found = takeover_oldmem_plausible(at, size);
            if (!learnt)
                must(found == (at && machine.old_ram({at}, size)), "WARY: no map, and {:#x}", at);
            else if (found)
                must(ram.maybe(at, size), "WARY: {:#x} is no RAM", at);
            else
                must(!ram.surely(at, size), "ALIVE: {:#x} is RAM", at);
        }
}

} // namespace vtd::fuzz
