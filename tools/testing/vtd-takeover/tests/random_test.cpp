// SPDX-License-Identifier: GPL-2.0-only
//
// The takeover in machines at random, with units at random and of each shape that somebody has seen
// (hardware/units.tsv). What fails is made smaller before it is shown: the machine, the steps, and
// what the code did. RC_PARAMS="seed=... max_success=..." repeats or prolongs.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "harness/crash_kernel.h"
#include "harness/hardware.h"
#include "world/random.h"

namespace {

using namespace vtd::harness;
using vtd::world::buffers_of;
using vtd::world::Plan;
using vtd::world::Scope;

rc::Gen<Plan> plans(Scope scope) {
    static const auto units = [] {
        std::vector<Capabilities> all;
        for (const vtd::RealUnit& unit : vtd::shapes(vtd::real_units(HARDWARE))) {
            Capabilities& can = all.emplace_back(unit.capabilities);
            // The worlds lie below 2^39.
            can.host_width = std::min(unit.address_bits, 39U);
        }
        return all;
    }();
    scope.units = units;
    return vtd::world::plans(scope);
}

// Devices in some order: at the first mention released, later mapping.
class Run {
public:
    Run(World& world, Hpa buffer) : world_(world), kernel_(world), buffer_(buffer) {}

    void boot(const Plan& plan) { kernel_.boot(plan.block ? TAKEOVER_BLOCK : TAKEOVER_ADOPT); }
    void step(std::size_t device) {
        if (begun_[device])
            kernel_.fill(device, {iova_ += 0x1000}, buffer_);
        else
            kernel_.release(device);
        begun_[device] = true;
    }
    void steps(const std::vector<std::size_t>& devices) {
        for (const std::size_t device : devices)
            step(device);
    }
    // Those that have not been released are, then all map.
    void rest(const std::vector<std::size_t>& order) {
        for (const std::size_t device : order)
            if (!begun_[device])
                step(device);
        steps(order);
    }

private:
    World& world_;
    CrashKernel kernel_;
    Hpa buffer_;
    std::vector<bool> begun_ = std::vector<bool>(world_.devices.size());
    u64 iova_ = 0;
};

void run(const Plan& plan) {
    World world(plan.description, {.allocation = plan.failing_allocation});
    Run kernel(world, buffers_of(0));
    kernel.boot(plan);
    kernel.steps(plan.steps);
    World::totals.schedules++;
}

RC_GTEST_PROP(Random, SoundMachines, ()) { run(*plans({})); }
RC_GTEST_PROP(Random, Streams, ()) { run(*plans({.streams = true})); }
RC_GTEST_PROP(Random, DamagedTables, ()) { run(*plans({.damage = true})); }
RC_GTEST_PROP(Random, FailingAllocations, ()) { run(*plans({.failures = true})); }

// All devices, in any order.
std::vector<std::size_t> any_order(const Plan& plan) {
    std::vector<std::size_t> order(plan.description.devices.size());
    for (std::size_t n = 1; n < order.size(); n++) {
        order[n] = n;
        std::swap(order[n], order[*rc::gen::inRange<std::size_t>(0, n + 1)]);
    }
    return order;
}

// Machines have buses up to 0x0d.
constexpr u32 rids = 0x1000;

bool of_a_device(const World& world, std::size_t unit, Rid rid) {
    return world.requesters.contains({unit, rid});
}

bool present_entry(const World& world, std::size_t unit, Rid rid) {
    const u64* const entry = takeover_context_entry(&world.units[unit]->core, rid.value);
    return entry && *entry & present.mask();
}

// FRESH: when all are released, what can be reached is what the drivers mapped, to the page, and
// nobody else reaches anything.
void only_what_drivers_mapped(World& world) {
    for (std::size_t unit = 0; unit < world.units.size(); unit++)
        for (u32 value = 0; value < rids; value++) {
            const Rid rid{static_cast<u16>(value)};
            if (!of_a_device(world, unit, rid))
                RC_ASSERT(!present_entry(world, unit, rid));
        }
    for (const auto& [who, state] : world.requesters) {
        std::set<u64> places{0, 0x1000, u64{1} << 30};
        for (const auto& [iova, page] : state.mapped)
            for (const u64 at : {iova.value - page_size, iova.value, iova.value + page_size})
                places.insert(at);
        for (const u64 at : places)
            for (const Access access : {Access::read, Access::write}) {
                const Request request{.rid = who.second, .iova = {at}, .access = access};
                const auto mapped = state.mapped.find({at});
                for (const Outcome& outcome :
                     world.units[who.first]->hardware.explore(request).outcomes) {
                    const auto* page = std::get_if<Translation>(&outcome);
                    RC_ASSERT((page != nullptr) == (mapped != state.mapped.end()));
                    if (page)
                        RC_ASSERT(page->address.value == mapped->second.address.value);
                }
            }
    }
}

RC_GTEST_PROP(Properties, ReleasedInAnyOrder, ()) {
    const Plan plan = *plans({.streams = true});
    const auto order = any_order(plan);
    World world(plan.description);
    Run kernel(world, buffers_of(0));
    kernel.boot(plan);
    kernel.steps(plan.steps);
    kernel.rest(order);
    only_what_drivers_mapped(world);
    World::totals.schedules++;
}

// A second crash at any moment: who waited for a driver waits for the next one, entries and ids are
// as they were, and it goes on from there.
RC_GTEST_PROP(Properties, TheCrashKernelCrashes, ()) {
    const Plan plan = *plans({.streams = true});
    const bool all_ram = *rc::gen::arbitrary<bool>();
    const auto order = any_order(plan);
    World world(plan.description);
    Run first(world, buffers_of(0));
    first.boot(plan);
    first.steps(plan.steps);
    std::set<std::pair<std::size_t, u32>> waiting;
    for (std::size_t unit = 0; unit < world.units.size(); unit++)
        for (u32 rid = 0; rid < rids; rid++)
            if (takeover_holds_rid(&world.units[unit]->core, static_cast<u16>(rid)) ||
                present_entry(world, unit, {static_cast<u16>(rid)}))
                waiting.emplace(unit, rid);

    world.crash_again(all_ram);
    Run second(world, buffers_of(1));
    second.boot({});
    for (std::size_t unit = 0; unit < world.units.size(); unit++)
        for (u32 rid = 0; rid < rids; rid++)
            RC_ASSERT(takeover_holds_rid(&world.units[unit]->core, static_cast<u16>(rid)) ==
                      waiting.contains({unit, rid}));
    second.rest(order);
    only_what_drivers_mapped(world);
    World::totals.schedules++;
}

bool through_page_tables(const vtd::world::Damage& damage) {
    using Where = vtd::world::Damage::Where;
    return damage.where == Where::paging || damage.where == Where::pointer;
}

bool same_place(const Translation& a, const Translation& b, Iova iova) {
    return a.read == b.read && a.write == b.write &&
           vtd::world::target(a, iova) == vtd::world::target(b, iova);
}

bool is_forbidden(Hpa where) {
    takeover_span free;
    return takeover_forbidden(where.value & ~(page_size - 1), page_size, &free);
}

bool is_there(const World& world, Hpa where) {
    return where.value - vtd::world::old_memory.value < vtd::world::old_memory_size ||
           world.is_populated(where, 1);
}

bool is_scratch(const Translation& page) {
    return !page.read && (page.address.value & ~(page_size - 1)) == takeover_scratch_page();
}

// Until somebody is released the new tables say of every request what the old ones say; of damaged
// ones that, or nothing in silence. Tables alone, as a unit with empty caches reads them.
void identity(const Plan& plan) {
    World world(plan.description);
    CrashKernel kernel(world);
    kernel.learn();
    const auto streams = *rc::gen::container<std::vector<u32>>(4, rc::gen::inRange(0U, 1U << 20));
    for (std::size_t index = 0; index < world.units.size(); index++) {
        World::Unit& unit = *world.units[index];
        const u64 old = unit.hardware.read64(reg::rtaddr);
        kernel.snapshot(index);
        kernel.adopt(index);
        const u64 ours =
            reinterpret_cast<u64>(unit.core.root) | rtaddr::ttm.make(rtaddr::ttm.in(old));

        std::vector<Request> requests;
        for (const vtd::world::Dma& dma : vtd::world::dma_in_flight(plan.description))
            requests.push_back(dma.request);
        for (std::size_t n = requests.size(); n--;) {
            Request request = requests[n];
            request.iova.value ^= u64{1} << *rc::gen::inRange(12, 48);
            requests.push_back(request);
            request.pasid = Pasid{streams[n % streams.size()]};
            requests.push_back(request);
            request.rid.value ^= static_cast<u16>(1 << *rc::gen::inRange(0, 16));
            requests.push_back(request);
        }
        for (const Request& request : requests) {
            const Outcome before = world.plain(unit, old, request);
            const Outcome now = world.plain(unit, ours, request);
            const auto* refused = std::get_if<Fault>(&before);
            // Reserved bits of a root entry: the takeover does not go by them.
            if (refused && (refused->reason == Reason::root_reserved ||
                            refused->reason == Reason::sm_root_reserved))
                continue;
            const auto* page = std::get_if<Translation>(&before);
            const auto* found = std::get_if<Translation>(&now);
            // What leads through page tables into the kdump kernel is cut, and that is no secret.
            const bool cut = std::ranges::any_of(plan.description.damage, through_page_tables);
            // What passes through has a table of what there is.
            const bool nowhere = page && page->pass_through &&
                                 !is_there(world, vtd::world::target(*page, request.iova));
            if (const auto* fault = std::get_if<Fault>(&now)) {
                const bool silent = !plan.description.damage.empty() && !fault->recorded;
                RC_ASSERT(refused || cut || silent || nowhere);
            } else if (page && is_forbidden(vtd::world::target(*page, request.iova))) {
                RC_ASSERT(cut && is_scratch(*found));
            } else if (page && (page->pass_through || cut)) {
                // There is a table where there was none, or small pages where a large one was:
                // they say the same.
                RC_ASSERT(same_place(*found, *page, request.iova));
                RC_ASSERT(page->pass_through || found->did == page->did);
            } else {
                RC_ASSERT(now == before);
            }
        }
    }
}

RC_GTEST_PROP(Properties, AdoptionIsTheIdentity, ()) { identity(*plans({.streams = true})); }
RC_GTEST_PROP(Properties, OfDamagedTablesToo, ()) {
    identity(*plans({.damage = true, .streams = true}));
}

} // namespace
