// SPDX-License-Identifier: GPL-2.0-only
//
// See world.h.

#include "harness/world.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

extern "C" {
#include <linux/elf.h>
// Where the program's own data lies: the core keeps a table there.
extern char __data_start[], _end[]; // NOLINT(bugprone-reserved-identifier)
}

namespace vtd::harness {

namespace {

World* the_world = nullptr;

constexpr Hpa old_ram{0x10000000};
constexpr u64 old_ram_size = 32 << 20;
constexpr Hpa header{old_ram.value + old_ram_size - 0x10000};
constexpr std::size_t arena_pages = 1024;
// What a page of the allocator may have held: a present entry of any table, to nowhere good.
constexpr u64 left_over = 0xdead0003;

} // namespace

const char* name(Invariant invariant) {
    constexpr const char* names[] = {"ON",   "ALIVE", "SHIELD", "INTACT", "FRESH",
                                     "TAGS", "WARY",  "CLOSED", "ACCESS"};
    return names[static_cast<int>(invariant)];
}

World& World::current() {
    assert(the_world);
    return *the_world;
}

World::World(const Description& description)
    : unit(description.capabilities, memory), description_(description), next_table_(old_ram),
      arena_(static_cast<std::byte*>(std::aligned_alloc(page_size, arena_pages * page_size)),
             [](void* at) { std::free(at); }),
      adopted_(TAKEOVER_RIDS / 64), confined_(TAKEOVER_RIDS / 64) {
    assert(!the_world);
    the_world = this;
    memory.add(old_ram, old_ram_size, Owner::old_kernel);
    const auto attach = [&](std::byte* first, std::size_t size) {
        memory.attach({reinterpret_cast<u64>(first)},
                      {reinterpret_cast<u64*>(first), size / sizeof(u64)}, Owner::crash_kernel);
    };
    std::memset(arena_.get(), 0, arena_pages * page_size);
    attach(arena_.get(), arena_pages * page_size);
    for (std::size_t page = arena_pages; page--;)
        free_pages_.push_back(arena_.get() + page * page_size);
    const u64 data = reinterpret_cast<u64>(__data_start) & ~(page_size - 1);
    const u64 end = (reinterpret_cast<u64>(_end) + page_size - 1) & ~(page_size - 1);
    attach(reinterpret_cast<std::byte*>(data), end - data);

    core.name = "dmar0";
    core.scalable = description.scalable;
    core.cap = description.capabilities.cap;
    core.ecap = description.capabilities.ecap;
    core.adopted = adopted_.data();
    core.confined = confined_.data();
    build(description);
}

World::~World() { the_world = nullptr; }

// The dead kernel's side ---------------------------------------------------------------------

Hpa World::old_table() {
    const Hpa table = next_table_;
    next_table_ = table + page_size;
    return table;
}

void World::put(Hpa table, unsigned levels, Iova iova, u64 leaf) {
    for (unsigned level = levels;; level--) {
        const Hpa slot = table + (iova.value >> level_shift(level) & 511) * sizeof(u64);
        if (level == 1) {
            memory.store(slot, leaf);
            return;
        }
        if (!memory.load(slot))
            memory.store(slot, old_table().value | 3);
        table = {memory.load(slot) & second_stage::address.mask()};
    }
}

Hpa World::build_pages(const OldDomain& domain) {
    const Hpa top = old_table();
    for (const OldPage& page : domain.pages)
        put(top, description_.aw + aw_levels, page.iova,
            page.page.value | (page.read ? 1 : 0) | (page.write ? 2 : 0));
    if (!description_.scalable)
        return top;

    using pasid_entry::Pgtt;
    const Hpa directory = old_table(), table = old_table();
    const Pgtt pgtt = domain.pass_through ? Pgtt::pass_through : Pgtt::second;
    memory.store(directory, table.value | 1);
    memory.store(table + 8, domain.did.value);
    memory.store(table, top.value | pasid_entry::pgtt.make(static_cast<u64>(pgtt)) |
                            pasid_entry::aw.make(description_.aw) | 1);
    return directory;
}

void World::enter(const OldDevice& device) {
    const OldDomain& domain = description_.domains[device.domain];
    const Hpa root{rtaddr::address.mask() & unit.read64(reg::rtaddr)};
    const unsigned per_bus = description_.scalable ? 2 : 1;
    const u64 bytes = description_.scalable ? 32 : 16;

    for (const Rid rid : device.rids) {
        const unsigned half = description_.scalable ? rid.devfn() >> 7 : 0;
        Hpa& table = context_of_bus_[rid.bus()][half];
        if (!table.value) {
            table = old_table();
            memory.store(root + rid.bus() * 16U + half * 8, table.value | 1);
        }
        const Hpa entry = table + rid.devfn() % (256 / per_bus) * bytes;
        if (description_.scalable) {
            memory.store(entry, tops_[device.domain].value | sm_context::dte.make(device.ats) | 1);
            continue;
        }
        using context::Tt;
        const Tt tt = domain.pass_through ? Tt::pass_through
                      : device.ats        ? Tt::all
                                          : Tt::untranslated;
        memory.store(entry + 8, context::did.make(domain.did.value) | description_.aw);
        memory.store(entry,
                     tops_[device.domain].value | context::tt.make(static_cast<u64>(tt)) | 1);
    }
}

void World::build(const Description& description) {
    unit.leave(command::translation | command::srtp,
               old_table().value |
                   rtaddr::ttm.make(static_cast<u64>(description.scalable ? rtaddr::Ttm::scalable
                                                                          : rtaddr::Ttm::legacy)));
    for (const OldDomain& domain : description.domains)
        tops_.push_back(build_pages(domain));
    for (const OldDevice& device : description.devices) {
        enter(device);
        const OldDomain& domain = description.domains[device.domain];
        Device& here = devices_.emplace_back();
        here.dev.rids = device.rids;
        for (const Rid rid : device.rids)
            for (const OldPage& page : domain.pages)
                for (const Access access : {Access::read, Access::write}) {
                    if (!domain.pass_through && !(access == Access::read ? page.read : page.write))
                        continue;
                    const Hpa to = domain.pass_through ? Hpa{page.iova.value} : page.page;
                    const bool read = domain.pass_through || page.read;
                    const bool write = domain.pass_through || page.write;
                    here.old.push_back(
                        {{.rid = rid, .iova = page.iova, .access = access},
                         {to, page_bits, read, write, domain.did, domain.pass_through}});
                }
    }
    // The map of the old RAM, as kexec leaves it.
    elf64_hdr ehdr{};
    std::memcpy(ehdr.e_ident, ELFMAG, SELFMAG);
    ehdr.e_ident[EI_CLASS] = ELFCLASS64;
    ehdr.e_type = ET_CORE;
    ehdr.e_phoff = sizeof(ehdr);
    ehdr.e_phentsize = sizeof(elf64_phdr);
    ehdr.e_phnum = 1;
    elf64_phdr phdr{};
    phdr.p_type = PT_LOAD;
    phdr.p_paddr = old_ram.value;
    phdr.p_memsz = old_ram_size;
    u64 words[(sizeof(ehdr) + sizeof(phdr)) / sizeof(u64)];
    std::memcpy(words, &ehdr, sizeof(ehdr));
    std::memcpy(reinterpret_cast<std::byte*>(words) + sizeof(ehdr), &phdr, sizeof(phdr));
    for (std::size_t i = 0; i < std::size(words); i++)
        memory.store(header + i * sizeof(u64), words[i]);
    memory.flush(old_ram, old_ram_size);
    memory.drain();
    check();
}

// The crash kernel's side --------------------------------------------------------------------

void World::adopt(takeover_mode mode) {
    [[maybe_unused]] const int ret = takeover_oldmem_learn(header.value);
    assert(!ret);
    takeover_snapshot(&core);
    takeover_adopt(&core, static_cast<u64*>(allocate()), mode);
    settle();
}

int World::install() {
    const int ret = takeover_install(&core);
    settle();
    check();
    return ret;
}

void World::map(std::size_t index, Iova iova, Hpa page) {
    Device& device = devices_[index];
    device.stage = Stage::releasing;
    takeover_release_device(&core, &device.dev);
    settle();
    device.stage = Stage::released;
    check();
    forgotten(description_.devices[index].domain);

    // What intel-iommu does next, in the order that it does it.
    const Did did{static_cast<u16>(new_did())};
    const auto write = [&](u64* at, u64 value) {
        const u64 before = *at;
        *at = value;
        memory.stored({reinterpret_cast<u64>(at)}, before);
        memory.flush({reinterpret_cast<u64>(at)}, sizeof(u64));
        memory.drain();
    };
    const auto table = [&] {
        auto* words = static_cast<u64*>(allocate());
        memory.flush({reinterpret_cast<u64>(words)}, page_size);
        memory.drain();
        return words;
    };
    u64* const top = table();
    u64* level_table = top;
    for (unsigned level = description_.aw + aw_levels; level > 1; level--) {
        u64* const next = table();
        write(&level_table[iova.value >> level_shift(level) & 511],
              reinterpret_cast<u64>(next) | 3);
        level_table = next;
    }
    write(&level_table[iova.value >> page_bits & 511], page.value | 3);

    u64* directory = nullptr;
    if (description_.scalable) {
        directory = table();
        u64* const pasids = table();
        write(&pasids[1], did.value);
        write(&pasids[0], reinterpret_cast<u64>(top) |
                              pasid_entry::pgtt.make(static_cast<u64>(pasid_entry::Pgtt::second)) |
                              pasid_entry::aw.make(description_.aw) | 1);
        write(&directory[0], reinterpret_cast<u64>(pasids) | 1);
    }
    for (const Rid rid : device.dev.rids) {
        for (const Access access : {Access::read, Access::write})
            device.mapped[{.rid = rid, .iova = iova, .access = access}] = {page, page_bits, true,
                                                                           true, did,       false};
        takeover_own_table(&core, rid.value);
        settle();
        u64* const entry = takeover_context_entry(&core, rid.value);
        settle();
        if (!entry)
            continue;
        if (!description_.scalable) {
            write(&entry[1], context::did.make(did.value) | description_.aw);
            write(&entry[0], reinterpret_cast<u64>(top) | 1);
        } else {
            write(&entry[0], reinterpret_cast<u64>(directory) | 1);
        }
        if (description_.capabilities.caching_mode())
            unit.caches().forget_contexts({0}, rid, 0, description_.scalable);
        check();
    }
}

// What env.cpp and watch.cpp call -----------------------------------------------------------------

void* World::allocate() {
    if (free_pages_.empty())
        return nullptr;
    auto* const page = reinterpret_cast<u64*>(free_pages_.back());
    free_pages_.pop_back();
    pages_.insert(page);
    // The zeroes are the crash kernel's stores: a unit may yet see what was there before.
    for (std::size_t i = 0; i < page_size / sizeof(u64); i++) {
        page[i] = 0;
        memory.stored({reinterpret_cast<u64>(page + i)}, left_over);
    }
    return page;
}

void World::release_page(void* page) {
    if (!pages_.erase(page))
        throw Violation(Invariant::access, "a page is freed that was not allocated");
    if (read_by_hardware_.lower_bound({reinterpret_cast<u64>(page)}) !=
        read_by_hardware_.lower_bound({reinterpret_cast<u64>(page) + page_size}))
        throw Violation(Invariant::alive, "a table is freed that hardware reads");
    free_pages_.push_back(static_cast<std::byte*>(page));
}

int World::new_did() {
    for (u16 did = 1; did < description_.capabilities.domain_ids(); did++)
        if (reserved.insert({did}).second)
            return did;
    return -1;
}

void World::forget(const std::function<void(Caches&)>& what) {
    settle();
    memory.drain(); // 6.8: implied
    what(unit.caches());
    check();
}

void World::about_to_write(const void* at, std::size_t size, bool once) {
    settle();
    const auto address = reinterpret_cast<u64>(at);
    const Hpa word{address & ~u64{7}};
    if (memory.owner(word) == Owner::nobody)
        return; // the core's own variables
    if (read_by_hardware_.contains(word) && (size != sizeof(u64) || address % 8 || !once))
        throw Violation(Invariant::access,
                        fmt::format("a store of {} bytes, {}, to a table that hardware reads", size,
                                    once ? "once" : "plain"));
    pending_ = {reinterpret_cast<u64*>(word.value), memory.load(word)};
}

void World::about_to_read(const void* at, std::size_t, bool) {
    settle();
    const auto address = reinterpret_cast<u64>(at);
    if (address - old_ram.value < old_ram_size)
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
    if (read_by_hardware_.contains(at)) {
        trace.push_back(fmt::format("store {:#x} -> {:#x}", pending.before, *pending.word));
        check();
    }
}

// The invariants -------------------------------------------------------------------------------

void World::broken(Invariant invariant, const Request& request, const std::string& what) const {
    std::string text =
        fmt::format("{:02x}:{:02x}.{:x} {} {:#x} {}", request.rid.bus(), request.rid.devfn() >> 3,
                    request.rid.devfn() & 7, request.access == Access::read ? "reads" : "writes",
                    request.iova.value, what);
    for (const std::string& step : trace)
        text += "\n  " + step;
    throw Violation(invariant, text);
}

// FRESH: once nobody uses an old domain any more, its id may be given away again, so nothing may be
// kept of it, reachable or not.
void World::forgotten(std::size_t domain) const {
    for (std::size_t i = 0; i < devices_.size(); i++)
        if (description_.devices[i].domain == domain && devices_[i].stage != Stage::released)
            return;
    const Did did = description_.domains[domain].did;
    const auto of_it = [=](const auto& line) { return line.tag.did == did; };
    if (std::ranges::any_of(unit.caches().pages, of_it) ||
        std::ranges::any_of(unit.caches().walks, of_it))
        throw Violation(
            Invariant::fresh,
            fmt::format("domain id {} is in the caches, and nobody uses it", did.value));
}

void World::judge(const Device& device, const Request& request, const std::set<Outcome>& outcomes,
                  const Translation* old) const {
    const auto mapped = device.mapped.find(request);
    for (const Outcome& outcome : outcomes) {
        const auto* page = std::get_if<Translation>(&outcome);
        if (!page) {
            if (device.stage == Stage::adopted && old)
                broken(Invariant::alive, request,
                       fmt::format("and may fault: {}", text(std::get<Fault>(outcome).reason)));
            continue;
        }
        const bool is_old = old && page->address == old->address && page->read == old->read &&
                            page->write == old->write;
        const bool is_new =
            mapped != device.mapped.end() && page->address == mapped->second.address;
        if (device.stage == Stage::released && !is_new)
            broken(Invariant::fresh, request,
                   fmt::format("and may reach {:#x}", page->address.value));
        if (device.stage != Stage::released && memory.owner(page->address) == Owner::crash_kernel)
            broken(Invariant::shield, request,
                   fmt::format("and may reach {:#x}, the crash kernel's", page->address.value));
        if (device.stage != Stage::released && !is_old)
            broken(Invariant::alive, request,
                   fmt::format("and may reach {:#x}", page->address.value));
    }
}

void World::check() {
    checks++;
    if (!unit.translates())
        throw Violation(Invariant::on, "translation is off");
    if (!unit.misuse.empty())
        throw Violation(Invariant::access, unit.misuse.front());

    // To the end of what any of them brings into the caches.
    std::vector<std::pair<const Device*, std::pair<Request, const Translation*>>> all;
    for (const Device& device : devices_) {
        for (const auto& [request, translation] : device.old)
            all.push_back({&device, {request, &translation}});
        for (const auto& [request, translation] : device.mapped)
            if (std::ranges::none_of(device.old,
                                     [&](const auto& old) { return old.first == request; }))
                all.push_back({&device, {request, nullptr}});
    }
    read_by_hardware_.clear();
    std::vector<Explored> found(all.size());
    std::size_t before;
    do {
        before = unit.caches().size();
        for (std::size_t i = 0; i < all.size(); i++) {
            found[i] = unit.explore(all[i].second.first);
            walks += found[i].walks;
            read_by_hardware_.merge(found[i].read);
        }
    } while (unit.caches().size() != before);
    for (std::size_t i = 0; i < all.size(); i++)
        judge(*all[i].first, all[i].second.first, found[i].outcomes, all[i].second.second);
}

} // namespace vtd::harness
