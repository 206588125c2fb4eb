// SPDX-License-Identifier: GPL-2.0-only
//
// See world.h.

#include "harness/world.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cerrno>
#include <sys/mman.h>
#include <utility>

#include <fmt/format.h>

extern "C" {
// Where the program's own data lies: the core keeps a table there.
extern char __data_start[], _end[]; // NOLINT(bugprone-reserved-identifier)
}

namespace vtd::harness {

namespace {

World* the_world = nullptr;

// What a page of the allocator may have held: a present entry of any table, to nowhere good.
constexpr u64 left_over = 0xdead0003;

// For the guards.
constexpr unsigned enough_pages = 60;

// Of the drivers of a kdump kernel.
constexpr u64 buffers_size = 1 << 20;

// The same addresses in every run, and such as a unit of 39 bits can name.
std::span<u64> words_at(Hpa first, u64 size) {
    void* const mapped = mmap(reinterpret_cast<void*>(first.value), size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert(mapped != MAP_FAILED);
    return {static_cast<u64*>(mapped), size / sizeof(u64)};
}

// Of the first kdump kernel and the one after it.
constexpr unsigned crash_kernels = 2;

std::span<u64> crash_memory(unsigned n) {
    static const std::array words{
        words_at(world::crash_memory_of(0), world::crash_memory_size),
        words_at(world::crash_memory_of(1), world::crash_memory_size),
    };
    static_assert(words.size() == crash_kernels);
    return words.at(n);
}

constexpr u64 interrupt_bytes = irte::most * irte::words * sizeof(u64);
constexpr std::size_t interrupt_units = 2;
static_assert(interrupt_units * interrupt_bytes == world::interrupt_memory_size);

std::span<u64> interrupt_words() {
    static const auto words = words_at(world::interrupt_memory, world::interrupt_memory_size);
    return words;
}

bool same(const Translation& found, const Translation& old, Iova iova) {
    return world::target(found, iova) == world::target(old, iova) && found.read == old.read &&
           found.write == old.write;
}

std::string text(const InterruptOutcome& outcome) {
    if (const auto* to = std::get_if<RemappedInterrupt>(&outcome))
        return fmt::format("vector {:#x} at {:#x}, delivery mode {}{}", to->vector, to->destination,
                           static_cast<unsigned>(to->delivery), to->logical ? ", logical" : "");
    if (const auto* to = std::get_if<PostedInterrupt>(&outcome))
        return fmt::format("vector {:#x} posted to {:#x}", to->vector, to->descriptor.value);
    if (const auto* to = std::get_if<PassedInterrupt>(&outcome))
        return fmt::format("{:#x}/{:#x}, passed on", to->address, to->data);
    return vtd::model::text(std::get<InterruptFault>(outcome).reason);
}

// A walk of the tables as they are, past all caches.
class Plain final : public Source {
public:
    explicit Plain(const Memory& memory) : memory_(memory) {}
    std::optional<u64> word(Table, Hpa at) override {
        if (memory_.owner(at) == Owner::nobody || memory_.is_poisoned(at, sizeof(u64)))
            return {};
        return memory_.load(at);
    }
    void step(Table table, Hpa, std::span<const u64> words) override {
        if (table == Table::context && words.size() == context::words)
            dids.insert({static_cast<u16>(context::did.of(words))});
        if (table == Table::pasid_table)
            dids.insert({static_cast<u16>(pasid_entry::did.of(words))});
    }

    std::set<Did> dids; // that entries on the way named

private:
    const Memory& memory_;
};

std::string text(const Request& request) {
    std::string pasid;
    if (request.pasid)
        pasid = fmt::format(" with PASID {:#x}", request.pasid->value);
    return fmt::format("{:02x}:{:02x}.{:x} {} {:#x}{}", request.rid.bus(), request.rid.devfn() >> 3,
                       request.rid.devfn() & 7, request.access == Access::read ? "reads" : "writes",
                       request.iova.value, pasid);
}

} // namespace

const char* name(Invariant invariant) {
    constexpr const char* names[] = {"ON",   "ALIVE", "SHIELD", "INTACT", "FRESH",
                                     "TAGS", "WARY",  "CLOSED", "ACCESS"};
    return names[static_cast<int>(invariant)];
}

Totals World::totals;

World& World::current() {
    assert(the_world);
    return *the_world;
}

World::Unit::Unit(std::string called, const world::Unit& description, Memory& memory)
    : name(std::move(called)), hardware(description.capabilities, memory),
      adopted(TAKEOVER_RIDS / 64), confined(TAKEOVER_RIDS / 64), silent(TAKEOVER_RIDS / 64),
      dids(TAKEOVER_DIDS / 64) {
    begin(description.scalable);
}

void World::Unit::begin(bool scalable) {
    core = {};
    core.name = name.c_str();
    core.scalable = scalable;
    core.cap = hardware.capabilities().cap;
    core.ecap = hardware.capabilities().ecap;
    core.address_bits = hardware.capabilities().host_width;
    for (auto* bits : {&adopted, &confined, &silent, &dids})
        std::ranges::fill(*bits, 0);
    core.adopted = adopted.data();
    core.confined = confined.data();
    core.silent = silent.data();
    core.dids = dids.data();
    used = {{0}, of_driver};
    given.clear();
    exhausted = false;
    closed = false;
}

World::World(const Description& of, Failures failures)
    : description(of), live(TAKEOVER_DIDS / 64), shared(TAKEOVER_DIDS / 64), failures_(failures),
      // The ranges come before the tables in them.
      builder_((memory.add(world::old_memory, world::old_memory_size, Owner::old_kernel),
                memory.add(world::firmware_memory, world::firmware_size, Owner::firmware),
                description),
               memory) {
    assert(!the_world);
    the_world = this;
    totals.worlds++;
    budget(enough_pages);

    own_memory(0);
    const u64 data = reinterpret_cast<u64>(__data_start) & ~(page_size - 1);
    const u64 end = (reinterpret_cast<u64>(_end) + page_size - 1) & ~(page_size - 1);
    memory.attach({data}, {reinterpret_cast<u64*>(data), (end - data) / sizeof(u64)},
                  Owner::crash_kernel);

    for (const world::Unit& unit : description.units) {
        Unit& here = *units.emplace_back(
            std::make_unique<Unit>(fmt::format("dmar{}", units.size()), unit, memory));
        here.core.pool = &pool;
        const world::Builder::Queue& queue = builder_.queues[index(here)];
        here.hardware.leave(command::translation | command::srtp | (unit.queue ? command::qie : 0) |
                                (unit.interrupt_entries ? command::ire | command::sirtp : 0),
                            builder_.rtaddr[index(here)], builder_.irta[index(here)]);
        if (unit.queue)
            here.hardware.invalidation().leave(queue.address, 0, queue.tail);
        if (unit.pages) {
            const u64 pqa = builder_.pqa[index(here)];
            here.hardware.write64(reg::pqa, pqa);
            here.hardware.write64(reg::pqt, unit.pages->begin);
            here.hardware.write64(reg::pqh, unit.pages->begin);
            here.hardware.write32(reg::pectl, 0);
            here.pages.queue({pqa & queue_address::address.mask()}, page_size << unit.pages->order);
        }
    }
    for (const world::Device& device : description.devices) {
        devices.push_back({device.unit, device.rids});
        const bool scalable = description.units[device.unit].scalable;
        functions.push_back({{units[device.unit]->hardware,
                              device.rids.front(),
                              {device.ats, !device.streams.empty(), device.ats && scalable}}});
        for (const Rid rid : device.rids)
            requesters[{device.unit, rid}];
    }
    try {
        track_interrupts();
        track();
    } catch (...) {
        the_world = nullptr;
        throw;
    }
}

// The memory of the n-th kdump kernel, and its drivers' buffers.
void World::own_memory(unsigned n) {
    const auto words = crash_memory(n);
    std::ranges::fill(words, 0);
    memory.attach(world::crash_memory_of(n), words, Owner::crash_kernel);
    memory.add(world::buffers_of(n), buffers_size, Owner::crash_kernel);
    free_pages_.clear();
    for (std::size_t at = words.size(); at; at -= page_size / sizeof(u64))
        free_pages_.push_back(&words[at - page_size / sizeof(u64)]);
}

std::array<std::pair<Hpa, u64>, 3> World::own() const {
    return {{{world::crash_memory_of(crashes - 1), world::crash_memory_distance},
             {world::interrupt_memory, world::interrupt_memory_size},
             {core_header, page_size}}};
}

bool World::is_forbidden(Hpa where) const {
    return memory.owner(where) == Owner::crash_kernel ||
           std::ranges::any_of(own(), [=](const auto& range) {
               return where.value - range.first.value < range.second;
           });
}

bool World::is_populated(Hpa first, u64 size) const {
    const auto meets = [&](Hpa at, u64 bytes) {
        return first.value < at.value + bytes && at.value < first.value + size;
    };
    return meets(world::firmware_memory, world::firmware_size) ||
           meets(world::registers, page_size) || std::ranges::any_of(own(), [&](const auto& range) {
               return meets(range.first, range.second);
           });
}

World::~World() {
    the_world = nullptr;
    totals.steps += steps;
    totals.walks += walks;
}

// The pages of the core's own that hardware reads stay where they are in this process, and belong
// to the kdump kernel that follows. The one before it had them elsewhere.
void World::relocate() {
    for (auto& unit : units)
        unit->busy = true; // the kernel is dead: nobody else writes
    const u64 shared = takeover_blocked_table() & root::ctp.mask();
    std::map<u64, u64> moved;
    const auto move = [&](u64 page) {
        u64* const copy = allocate();
        std::copy_n(reinterpret_cast<const u64*>(page), table_words, copy);
        moved[page] = reinterpret_cast<u64>(copy);
    };
    move(shared);
    for (unsigned level = 0; level < VTD_LARGE_LEVELS; level++)
        move(takeover_scratch_page() + level * page_size);
    settle();
    for (auto& unit : units)
        unit->busy = false;
    for (const void* const page : pages_)
        for (u64& word : std::span(static_cast<u64*>(const_cast<void*>(page)), table_words))
            if (const auto found = moved.find(word & root::ctp.mask()); found != moved.end())
                word = found->second | (word & ~root::ctp.mask());
    memory.flush({}, ~u64{0} >> 1);
    memory.drain();
}

// What our tables say of a request.
std::optional<Translation> World::now(const Tracked& dma) const {
    const Unit& unit = *units[devices[dma.device].unit];
    const Outcome outcome = plain(unit, *unit.hardware.roots().begin(), dma.request);
    const auto* const page = std::get_if<Translation>(&outcome);
    return page ? std::optional{*page} : std::nullopt;
}

void World::name_identity(const Unit& unit) {
    for (Tracked& dma : tracked_)
        if (units[devices[dma.device].unit].get() == &unit && dma.old && dma.old->pass_through)
            if (const auto page = now(dma))
                dma.old->did = page->did;
}

// What a request of before the second crash has to get from now on: what the kdump kernel's driver
// mapped, what the crashed kernel did, or nothing.
void World::outlive(Tracked& dma) const {
    const std::size_t unit = devices[dma.device].unit;
    const Requester& who = requesters.at({unit, dma.request.rid});
    const Iova iova = dma.request.iova;
    if (who.stage == Stage::held && !blocking) {
        // What was this kernel's memory is another page now, or none.
        if (dma.old && is_forbidden(world::target(*dma.old, iova)))
            dma.old = now(dma);
        return;
    }
    if (who.stage == Stage::held && description.devices[dma.device].reserved &&
        memory.owner({iova.value}) == Owner::firmware) {
        // Each page where it is. Only the id, which is the kdump kernel's choice, is read off.
        if (const auto page = now(dma))
            dma.old = Translation{
                {iova.value & ~(page_size - 1)}, page_bits, true, true, page->did, false};
        return;
    }
    const auto mapped = who.mapped.find({iova.value & ~(page_size - 1)});
    dma.old = dma.request.pasid || mapped == who.mapped.end() ? std::nullopt
                                                              : std::optional{mapped->second};
}

void World::crash_again(bool all_ram) {
    assert(crashes < crash_kernels && description.damage.empty() && description.interrupts.empty());
    // What it has mapped is in flight, too.
    for (std::size_t device = 0; device < devices.size(); device++)
        for (const Rid rid : devices[device].rids)
            for (const auto& [iova, page] : requesters.at({devices[device].unit, rid}).mapped)
                for (const Access access : {Access::read, Access::write}) {
                    const Request request{.rid = rid, .iova = iova, .access = access};
                    if (std::ranges::none_of(tracked_, [&](const Tracked& dma) {
                            return dma.device == device && dma.request == request;
                        }))
                        tracked_.push_back({device, request, {}});
                }
    relocate();
    for (Tracked& dma : tracked_) {
        const Stage stage = requesters.at({devices[dma.device].unit, dma.request.rid}).stage;
        dma.out_of_sight = !all_ram && stage == Stage::held;
        outlive(dma);
    }

    std::vector<std::pair<Hpa, u64>> ram{
        {world::crash_memory_of(crashes - 1), world::crash_memory_size},
        {world::buffers_of(crashes - 1), buffers_size}};
    if (all_ram)
        ram.emplace_back(world::old_memory, world::old_memory_size);
    core_header = {reinterpret_cast<u64>(allocate())};
    world::write_core_header(memory, core_header, ram);
    memory.flush(core_header, page_size);
    memory.drain();

    memory.pass(world::crash_memory_of(crashes - 1), Owner::old_kernel);
    memory.pass(world::buffers_of(crashes - 1), Owner::old_kernel);
    pages_.clear();
    own_memory(crashes++);
    budget(enough_pages);
    for (const auto& unit : units) {
        unit->begin(unit->core.scalable);
        unit->core.pool = &pool;
    }
    for (auto& [rid, who] : requesters)
        who = {};
    for (Function& function : functions)
        function.ours = 0;
    blocking = false;
    trace.push_back("a second crash");
    check();
}

// First what the caches were filled from, then what has been done to it since.
void World::track() {
    for (world::Dma& dma : world::dma_in_flight(description))
        tracked_.push_back({dma.device, dma.request, dma.old});
    check();
    if (description.damage.empty())
        return;

    builder_.damage();
    std::set<std::pair<std::size_t, Did>> mixed;
    for (const auto& unit : units)
        unit->hardware.leave(command::translation | command::srtp, builder_.rtaddr[index(*unit)]);
    for (Tracked& dma : tracked_) {
        const std::size_t unit = devices[dma.device].unit;
        const Hardware hardware{description.units[unit].capabilities, builder_.rtaddr[unit]};
        Plain source(memory);
        Outcome now = translate(hardware, dma.request, source);
        // 4.2: who has a device-TLB asks first, and may not be allowed to.
        if (description.devices[dma.device].ats && std::holds_alternative<Translation>(now)) {
            Request question = dma.request;
            question.kind = Kind::translation_request;
            const Outcome answer = translate(hardware, question, source);
            if (std::holds_alternative<Fault>(answer))
                now = answer;
        }
        const auto* page = std::get_if<Translation>(&now);
        if (dma.old ? !page || !same(*page, *dma.old, dma.request.iova) || page->did != dma.old->did
                    : page != nullptr) {
            dma.damaged = now;
            for (const Did did : source.dids)
                mixed.insert({unit, did});
            if (dma.old)
                mixed.insert({unit, dma.old->did});
        }
    }
    for (Tracked& dma : tracked_)
        dma.mixed = mixed.contains({devices[dma.device].unit, domain_of(dma).did});
    check();
}

void World::track_interrupts() {
    for (const world::Interrupt& sent : description.interrupts) {
        TrackedInterrupt tracked{
            sent.unit, InterruptRequest::remappable(sent.rid, {sent.index}), {}, false, {}};
        if (sent.descriptor && memory.owner(*sent.descriptor) == Owner::nobody)
            tracked.old = {}; // a fault, recorded or not
        else if (sent.descriptor)
            tracked.old = PostedInterrupt{*sent.descriptor, sent.vector, false};
        else
            tracked.old = RemappedInterrupt{.destination = sent.destination,
                                            .vector = sent.vector,
                                            .delivery = sent.delivery,
                                            .logical = sent.logical};
        const auto by = [&](world::Interrupt::Fate fate) -> std::optional<InterruptOutcome> {
            if (fate == world::Interrupt::Fate::blocked)
                return {};
            if (fate == world::Interrupt::Fate::stays)
                return tracked.old;
            // To one processor, by its physical id: 16 logical ids a cluster.
            const u32 id = sent.logical ? (sent.destination >> 16) * 16 +
                                              static_cast<u32>(std::countr_zero(sent.destination))
                                        : sent.destination;
            return RemappedInterrupt{.destination = id,
                                     .vector = sent.vector,
                                     .delivery =
                                         sent.logical ? irte::Delivery::fixed : sent.delivery};
        };
        tracked.now = {by(sent.xapic), by(sent.x2apic)};
        tracked_interrupts_.push_back(tracked);
        const Rid other{static_cast<u16>(sent.rid.value ^ 0x100)};
        tracked_interrupts_.push_back(
            {sent.unit, InterruptRequest::remappable(other, {sent.index}), {}, true, {}});
    }
}

std::span<u64> World::interrupt_table(Unit& unit) {
    assert(index(unit) < interrupt_units);
    constexpr std::size_t size = interrupt_bytes / sizeof(u64);
    const auto words = interrupt_words().subspan(index(unit) * size, size);
    const Hpa first{reinterpret_cast<u64>(words.data())};
    std::ranges::fill(words, 0);
    memory.attach(first, words, Owner::crash_kernel);
    // What devices of the crashed kernel may name; the driver zeroed it, and flushed nothing.
    const std::size_t named =
        description.units[index(unit)].interrupt_entries * std::size_t{irte::words};
    for (std::size_t at = 0; at < named; at++)
        memory.stored(first + at * sizeof(u64), left_over);
    unit.interrupt_table = words;
    return words;
}

World::Unit& World::unit(const takeover_unit* core) {
    const auto found =
        std::ranges::find_if(units, [=](const auto& unit) { return &unit->core == core; });
    assert(found != units.end());
    return **found;
}

std::size_t World::index(const Unit& unit) const {
    const auto found =
        std::ranges::find_if(units, [&](const auto& each) { return each.get() == &unit; });
    return static_cast<std::size_t>(found - units.begin());
}

// Memory -----------------------------------------------------------------------------------------

u64* World::allocate() {
    if (free_pages_.empty())
        return nullptr;
    u64* const page = free_pages_.back();
    free_pages_.pop_back();
    pages_.insert(page);
    // The zeroes are the kdump kernel's stores: a unit may yet see what was there before.
    for (std::size_t i = 0; i < page_size / sizeof(u64); i++) {
        page[i] = 0;
        memory.stored({reinterpret_cast<u64>(page + i)}, left_over);
    }
    return page;
}

u64* World::allocate_in_a_row(std::size_t pages) {
    // The lowest page last, where the next is taken from.
    std::ranges::sort(free_pages_, std::greater<>{});
    for (std::size_t end = free_pages_.size(); end >= pages; end--) {
        if (free_pages_[end - pages] != free_pages_[end - 1] + (pages - 1) * table_words)
            continue;
        std::rotate(free_pages_.begin() + static_cast<std::ptrdiff_t>(end - pages),
                    free_pages_.begin() + static_cast<std::ptrdiff_t>(end), free_pages_.end());
        u64* const first = allocate();
        for (std::size_t page = 1; page < pages; page++)
            allocate();
        return first;
    }
    return nullptr;
}

void World::release_page(void* page) {
    if (!pages_.erase(page))
        throw Violation(Invariant::access, "a page is freed that was not allocated");
    const Hpa first{reinterpret_cast<u64>(page)};
    for (const auto& unit : units)
        if (unit->reads(first, page_size))
            throw Violation(Invariant::alive, "a table is freed that hardware reads");
    free_pages_.push_back(static_cast<u64*>(page));
}

void World::event(std::string what) {
    settle();
    if (schedule)
        schedule->point();
    trace.push_back(std::move(what));
}

void World::forget(Unit& unit, const std::function<void(Caches&)>& what) {
    memory.drain(); // 6.8: implied
    what(unit.hardware.caches());
    check(unit);
}

void World::lock(bool& busy) {
    while (busy) {
        if (!schedule)
            throw Violation(Invariant::access, "a lock is taken twice");
        schedule->wait();
    }
    busy = true;
}

void World::about_to_write(const void* at, std::size_t size, bool once) {
    settle();
    const auto address = reinterpret_cast<u64>(at);
    const Hpa word{address & ~u64{7}};
    switch (memory.owner(word)) {
    case Owner::nobody:
        return; // the core's own variables
    case Owner::old_kernel:
    case Owner::firmware:
        throw Violation(Invariant::intact, fmt::format("a store to {:#x}", address));
    case Owner::crash_kernel:
        break;
    }
    const bool visible = std::ranges::any_of(
        units, [=](const auto& unit) { return unit->reads(word, sizeof(u64)); });
    if (visible && (size != sizeof(u64) || address % sizeof(u64) || !once))
        throw Violation(Invariant::access,
                        fmt::format("a store of {} bytes, {}, to a table that hardware reads", size,
                                    once ? "once" : "plain"));
    // Whose root table is ours others write to as well.
    for (const auto& unit : units)
        if (unit->reads(word, sizeof(u64)) && unit->core.state == TAKEOVER_INSTALLED && !unit->busy)
            throw Violation(Invariant::access,
                            unit->name + ": a store to a table in use without the driver's lock");
    if (visible && schedule)
        schedule->point();
    pending_ = {reinterpret_cast<u64*>(word.value), memory.load(word)};
}

void World::about_to_read(const void* at, std::size_t, bool) {
    settle();
    const Owner owner = memory.owner({reinterpret_cast<u64>(at) & ~u64{7}});
    if (owner == Owner::old_kernel || owner == Owner::firmware)
        throw Violation(Invariant::access, "old memory is read past vtd_read_oldmem()");
}

// Callbacks come before an access: what it did shows at the next one.
void World::settle() {
    const Pending pending = pending_;
    pending_ = {};
    if (!pending.word || *pending.word == pending.before)
        return;
    const Hpa at{reinterpret_cast<u64>(pending.word)};
    memory.stored(at, pending.before);
    bool told = false;
    for (const auto& unit : units) {
        if (!unit->reads(at, sizeof(u64)))
            continue;
        if (!told)
            trace.push_back(fmt::format("store at {:#x}: {:#x} -> {:#x}", at.value, pending.before,
                                        *pending.word));
        told = true;
        check(*unit);
    }
}

// The invariants ---------------------------------------------------------------------------------

void World::broken(Invariant invariant, const Request& request, const std::string& what) const {
    std::string all = text(request) + " " + what;
    for (const std::string& step : trace)
        all += "\n  " + step;
    throw Violation(invariant, all);
}

// TAGS: an id tags what the caches hold of a domain until the last of its devices is released.
bool World::lives(const Unit& unit, Did did) const {
    for (const Tracked& dma : tracked_) {
        const world::Device& device = description.devices[dma.device];
        if (units[device.unit].get() != &unit || excused(dma))
            continue;
        if (requesters.at({device.unit, dma.request.rid}).stage == Stage::released)
            continue;
        if (dma.old && dma.old->did == did)
            return true;
    }
    return false;
}

int World::new_did(Unit& unit) {
    for (u32 did = 0; did < unit.hardware.capabilities().domain_ids(); did++) {
        const Did here{static_cast<u16>(did)};
        if (!unit.used.insert(here).second)
            continue;
        if (lives(unit, here) || translates(unit, here))
            throw Violation(Invariant::tags,
                            fmt::format("{}: domain id {} goes to a new domain, and the old one is "
                                        "in use",
                                        unit.name, did));
        unit.given.insert(here);
        return static_cast<int>(did);
    }
    unit.exhausted = true;
    return -ENOSPC;
}

void World::free_did(Unit& unit, Did did) {
    if (did.value <= of_driver.value || !unit.used.erase(did))
        throw Violation(
            Invariant::access,
            fmt::format("{}: domain id {} is given back, and was not taken", unit.name, did.value));
    const bool probed = unit.given.erase(did); // and nobody has used it
    if (!probed && (lives(unit, did) || translates(unit, did)))
        throw Violation(Invariant::tags, fmt::format("{}: domain id {} is given back, and in use",
                                                     unit.name, did.value));
    if (unit.closed && cached(unit, did))
        throw Violation(
            Invariant::tags,
            fmt::format("{}: domain id {} is given back, and in the caches", unit.name, did.value));
}

// What is reserved memory's is used when all caches have been emptied.
bool World::cached(const Unit& unit, Did did) {
    const Caches& caches = unit.hardware.caches();
    const auto is_tagged = [=](const auto& line) { return line.tag.did == did; };
    return std::ranges::any_of(caches.pages, is_tagged) ||
           std::ranges::any_of(caches.walks, is_tagged);
}

// Does an entry of a device that was not released have this id? Our tables say, whatever they
// were made from.
bool World::translates(const Unit& unit, Did did) const {
    if (!unit.closed)
        return false;
    const u64 rtaddr = *unit.hardware.roots().begin();
    return std::ranges::any_of(tracked_, [&](const Tracked& dma) {
        const std::size_t at = description.devices[dma.device].unit;
        if (units[at].get() != &unit ||
            requesters.at({at, dma.request.rid}).stage == Stage::released)
            return false;
        const Outcome now = plain(unit, rtaddr, dma.request);
        const auto* page = std::get_if<Translation>(&now);
        return page && page->did == did;
    });
}

int World::old_read_fails() {
    chances.old_reads++;
    if (chances.old_reads == failures_.window)
        return -ENOMEM;
    return chances.old_reads == failures_.old_read ? -EIO : 0;
}

// What may be blocked rather than alive.
bool World::excused(const Tracked& dma) const {
    return blocking || dma.damaged || dma.mixed || dma.out_of_sight ||
           functions[function_of(dma.device)].hung ||
           units[description.devices[dma.device].unit]->exhausted ||
           (failures_.allocation && chances.allocations >= failures_.allocation) ||
           (failures_.window && chances.old_reads >= failures_.window) || is_poisoned();
}

// Is there a table by now that nobody can read, the unit neither?
bool World::is_poisoned() const {
    return failures_.old_read && chances.old_reads >= failures_.old_read;
}

const world::Domain& World::domain_of(const Tracked& dma) const {
    const world::Device& device = description.devices[dma.device];
    std::size_t domain = device.domain;
    for (const world::Stream& stream : device.streams)
        if (dma.request.pasid == stream.pasid)
            domain = stream.domain;
    return description.domains[domain];
}

bool World::may_have_id_of_driver(const Tracked& dma) const {
    // What let everything through has a table now, which is second-stage where the unit has that.
    return domain_of(dma).paging == world::Paging::first;
}

void World::judge(const Unit& unit, const Tracked& dma, const std::set<Outcome>& outcomes) const {
    const Requester& who = requesters.at({index(unit), dma.request.rid});
    const world::Device& device = description.devices[dma.device];
    const Iova iova = dma.request.iova;
    const bool dead = unit.core.state == TAKEOVER_DEAD; // either root table, for good
    const bool held = who.stage == Stage::held;
    const auto* const damaged = dma.damaged ? std::get_if<Translation>(&*dma.damaged) : nullptr;
    const bool shielded = (dma.old && is_forbidden(world::target(*dma.old, iova))) ||
                          (damaged && is_forbidden(world::target(*damaged, iova)));
    // Its tables are the kdump kernel's memory, which nobody can keep from being written, until
    // they are not its tables any more.
    const bool adrift =
        !unit.closed && std::ranges::any_of(description.damage, [&](const world::Damage& damage) {
            return damage.where == world::Damage::Where::pointer &&
                   is_forbidden({damage.put & second_stage::address.mask()});
        });
    const auto of_firmware = [&](const Translation& page) {
        return device.reserved && memory.owner(world::target(page, iova)) == Owner::firmware;
    };

    for (const Outcome& outcome : outcomes) {
        if (adrift)
            continue;
        const auto* const found = std::get_if<Translation>(&outcome);
        const bool as_damaged =
            dma.damaged &&
            (outcome == *dma.damaged || // or an identity table in place of none
             (found && damaged && damaged->pass_through && same(*found, *damaged, iova)));
        if (const auto* fault = std::get_if<Fault>(&outcome)) {
            if (!held || dead || !dma.old || shielded)
                continue;
            if (!excused(dma))
                broken(Invariant::alive, dma.request,
                       fmt::format("and may fault: {}", model::text(fault->reason)));
            if (blocking && unit.closed && of_firmware(*dma.old) && !failures_.allocation)
                broken(Invariant::alive, dma.request, "and may not get at its reserved memory");
            const auto* expected = dma.damaged ? std::get_if<Fault>(&*dma.damaged) : nullptr;
            // A page table that was poison is cut off, as a unit that reads it would have it.
            const bool poison = failures_.old_read && chances.old_reads >= failures_.old_read;
            if (unit.closed && fault->recorded && !(expected && expected->recorded) && !dma.mixed &&
                !poison)
                broken(
                    Invariant::closed, dma.request,
                    fmt::format("and its fault may be recorded: {}", model::text(fault->reason)));
            continue;
        }

        const auto& page = std::get<Translation>(outcome);
        const Hpa where = world::target(page, iova);
        const std::string there = fmt::format("and may reach {:#x}", where.value);
        if (who.stage == Stage::released && !dead) {
            const auto mapped = who.mapped.find({iova.value & ~(page_size - 1)});
            if (dma.request.pasid || mapped == who.mapped.end() ||
                world::target(mapped->second, iova) != where)
                broken(Invariant::fresh, dma.request, there);
            continue;
        }
        // Nobody reads the scratch page, devices least of all; nor is it for units that do not let
        // write-only pages be asked for.
        if (shielded && dma.request.access == Access::write &&
            unit.hardware.capabilities().zero_length_reads() &&
            (where.value & ~(page_size - 1)) == takeover_scratch_page())
            continue;
        if (is_forbidden(where) && (unit.closed || !shielded))
            broken(Invariant::shield, dma.request, there + ", the kdump kernel's");
        // What firmware needs is let through beside all else.
        const bool reserved = excused(dma) && of_firmware(page) && where.value == iova.value;
        if (!(dma.old && same(page, *dma.old, iova)) && !as_damaged && !reserved && !dma.mixed)
            broken(Invariant::alive, dma.request, there);
        if (blocking && unit.closed && held && !reserved)
            broken(Invariant::closed, dma.request, there);
        // A device-TLB has no ids: what a device learnt before is as good as ever.
        if (unit.closed && held && page.did == of_driver && !device.ats &&
            !may_have_id_of_driver(dma))
            broken(Invariant::tags, dma.request, there + " under the driver's domain id");
    }
}

void World::judge(const Unit& unit, const TrackedInterrupt& interrupt,
                  const std::set<InterruptOutcome>& outcomes) const {
    using Interrupts = Unit::Interrupts;
    const auto broken = [&](Invariant invariant, const std::string& what) {
        std::string all =
            fmt::format("interrupt {:#x}/{:#x} of {:#x} {}", interrupt.request.address,
                        interrupt.request.data, interrupt.request.rid.value, what);
        for (const std::string& step : trace)
            all += "\n  " + step;
        throw Violation(invariant, all);
    };
    const auto& now = interrupt.now[unit.x2apic];
    const bool may_be_old = unit.interrupts != Interrupts::ours;
    const bool may_be_now = unit.interrupts != Interrupts::old;

    // An entry of the old table that is yet cached may be read in the new mode: until the cache is
    // emptied its destination is anybody's, and no software can help it.
    const bool misread = unit.interrupts == Interrupts::either &&
                         unit.x2apic != description.units[interrupt.unit].x2apic;
    const auto vector = [](const InterruptOutcome& of) {
        const auto* to = std::get_if<RemappedInterrupt>(&of);
        return to ? to->vector : -1;
    };

    for (const InterruptOutcome& outcome : outcomes) {
        if (interrupt.stranger) {
            if (!std::holds_alternative<InterruptFault>(outcome))
                broken(Invariant::wary, "is somebody else's, and may become " + text(outcome));
            continue;
        }
        if (may_be_old && outcome == interrupt.old)
            continue;
        if (misread && interrupt.old &&
            (std::holds_alternative<InterruptFault>(outcome) ||
             vector(outcome) == vector(*interrupt.old)))
            continue;
        if (may_be_now && now && outcome == *now)
            continue;
        if (const auto* fault = std::get_if<InterruptFault>(&outcome)) {
            if (may_be_old && (!interrupt.old || is_poisoned()))
                continue;
            if (!may_be_now || now)
                broken(Invariant::alive, fmt::format("may be blocked: {}", text(fault->reason)));
            if (fault->recorded)
                broken(Invariant::closed, "is blocked, and that may be recorded");
            continue;
        }
        broken(may_be_now && !now ? Invariant::closed : Invariant::alive,
               "may become " + text(outcome));
    }
}

Outcome World::plain(const Unit& unit, u64 rtaddr, const Request& request) const {
    Plain source(memory);
    return translate({unit.hardware.capabilities(), rtaddr}, request, source);
}

void World::reaches(Unit& unit, Rid rid, Iova iova, Hpa page) const {
    if (unit.core.state == TAKEOVER_DEAD ||
        (failures_.allocation && chances.allocations >= failures_.allocation))
        return;
    for (const Access access : {Access::read, Access::write}) {
        const Request request{.rid = rid, .iova = iova, .access = access};
        for (const Outcome& outcome : unit.hardware.explore(request).outcomes) {
            if (const auto* fault = std::get_if<Fault>(&outcome))
                broken(Invariant::fresh, request,
                       fmt::format("which its driver mapped, and may fault: {}",
                                   model::text(fault->reason)));
            if (world::target(std::get<Translation>(outcome), iova) != page)
                broken(Invariant::fresh, request, "and may not get where its driver mapped it");
        }
    }
}

// FRESH: when nobody uses an old domain any more its id may be given away again, so that nothing
// may be kept of it, reachable or not.
void World::forgotten(const Unit& unit) const {
    const auto gone = [&](const auto& line) {
        const Did did = line.tag.did;
        return !unit.given.contains(did) && !lives(unit, did) &&
               std::ranges::any_of(tracked_, [&](const Tracked& dma) {
                   const std::size_t at = description.devices[dma.device].unit;
                   return units[at].get() == &unit && dma.old && dma.old->did == did &&
                          !excused(dma) &&
                          requesters.at({at, dma.request.rid}).stage == Stage::released;
               });
    };
    if (unit.core.state == TAKEOVER_DEAD)
        return; // and no id goes to anybody
    const Caches& caches = unit.hardware.caches();
    for (const auto& line : caches.pages)
        if (gone(line))
            throw Violation(Invariant::fresh,
                            fmt::format("{}: domain id {} is in the IOTLB, and nobody uses it",
                                        unit.name, line.tag.did.value));
    for (const auto& line : caches.walks)
        if (gone(line))
            throw Violation(Invariant::fresh,
                            fmt::format("{}: domain id {} is in the paging-structure caches, and "
                                        "nobody uses it",
                                        unit.name, line.tag.did.value));
}

void World::reset(std::size_t device) {
    event("device " + std::to_string(device) + " reset");
    World::Unit& unit = *units[devices[device].unit];
    for (const Rid rid : devices[device].rids)
        unit.hardware.caches().forget_device(rid);
    reset_.insert(device);
    settle();
}

void World::check() {
    for (const auto& unit : units)
        check(*unit);
}

void World::note_changes() {
    const auto changes = memory.changes();
    for (const auto& unit : units)
        if (changes)
            unit->changed.insert(unit->changed.end(), changes->begin(), changes->end());
        else
            unit->known_state.reset();
}

// All requests, to the end of what any of them brings into the caches. One of which nothing has
// changed that it depends on is not looked at again: it is the same.
void World::explore(Unit& unit) {
    model::Unit& hardware = unit.hardware;
    note_changes();
    in_order(unit.changed);
    const bool same =
        unit.known_state == hardware.state() && unit.known_caches == hardware.caches();
    const auto is_changed = [&](const std::vector<Hpa>& read) {
        return std::ranges::any_of(unit.changed,
                                   [&](Hpa at) { return std::ranges::binary_search(read, at); });
    };

    const auto explored = [&](const Unit::Known& known) {
        const Request& request = tracked_[known.dma].request;
        return known.ats ? hardware.explore_ats(request) : hardware.explore(request);
    };

    std::vector<Unit::Known> before = std::exchange(unit.known, {});
    std::vector<std::size_t> sizes; // of the caches, when each was explored last
    auto old = before.begin();
    for (std::size_t at = 0; at < tracked_.size(); at++) {
        const Tracked& dma = tracked_[at];
        if (units[devices[dma.device].unit].get() != &unit || reset_.contains(dma.device))
            continue;
        const model::Device& from = functions[function_of(dma.device)].device;
        const bool ats = from.can().ats && dma.request.rid == from.rid();
        while (old != before.end() && old->dma < at)
            ++old;
        if (same && old != before.end() && old->dma == at && old->ats == ats &&
            !is_changed(old->explored.read)) {
            unit.known.push_back(std::move(*old));
            sizes.push_back(hardware.caches().size());
        } else {
            unit.known.push_back({at, ats, {}});
            sizes.push_back(~std::size_t{0});
        }
    }

    bool settled;
    do {
        settled = true;
        for (std::size_t at = 0; at < unit.known.size(); at++) {
            const std::size_t size = hardware.caches().size();
            if (std::exchange(sizes[at], size) == size)
                continue;
            Unit::Known& known = unit.known[at];
            known.explored = explored(known);
            walks += known.explored.walks;
            settled = false;
        }
    } while (!settled);

    if (doubts && std::ranges::any_of(unit.known, [&](const Unit::Known& known) {
            const Explored again = explored(known);
            return again.outcomes != known.explored.outcomes || again.read != known.explored.read;
        }))
        throw std::logic_error("something has changed that a request depends on");

    unit.changed.clear();
    unit.known_state = hardware.state();
    if (!(unit.known_caches == hardware.caches()))
        unit.known_caches = hardware.caches();
}

void World::check(Unit& unit) {
    steps++;
    if (!unit.hardware.translates())
        throw Violation(Invariant::on, unit.name + ": translation is off");
    if (!unit.hardware.misuse.empty())
        throw Violation(Invariant::access, unit.name + ": " + unit.hardware.misuse.front());

    explore(unit);
    unit.read.clear();
    for (const auto& known : unit.known)
        unit.read.insert(unit.read.end(), known.explored.read.begin(), known.explored.read.end());
    for (const TrackedInterrupt& interrupt : tracked_interrupts_) {
        if (units[interrupt.unit].get() != &unit)
            continue;
        const ExploredInterrupt explored = unit.hardware.explore(interrupt.request);
        unit.read.insert(unit.read.end(), explored.read.begin(), explored.read.end());
        judge(unit, interrupt, explored.outcomes);
    }
    in_order(unit.read);
    for (const auto& known : unit.known)
        judge(unit, tracked_[known.dma], known.explored.outcomes);
    forgotten(unit);
}

} // namespace vtd::harness
