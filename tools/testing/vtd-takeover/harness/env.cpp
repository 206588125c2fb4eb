// SPDX-License-Identifier: GPL-2.0-only
//
// env.h on the model: what glue.c does in the kernel.

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "harness/world.h"

extern "C" {
#include <linux/delay.h>
#include <linux/printk.h>
}

using namespace vtd::harness;

namespace {

// 11.4: a device may ask before any of these is looked at or changed.
void about_to_access(World::Unit& unit, unsigned at) {
    if (at >= reg::pqh && at <= reg::pectl)
        unit.pages.about_to_access();
}

// Something that is about to be done to a unit.
template <class... Values>
World::Unit& event(const takeover_unit* core, fmt::format_string<Values...> what,
                   Values&&... values) {
    World& here = World::current();
    World::Unit& unit = here.unit(core);
    here.event(unit.name + ": " + fmt::format(what, std::forward<Values>(values)...));
    return unit;
}

} // namespace

extern "C" {

u32 vtd_read32(takeover_unit* core, unsigned int at) {
    World& here = World::current();
    here.settle();
    World::Unit& unit = here.unit(core);
    about_to_access(unit, at);
    // Commands complete when they are seen to: only then is there anything new.
    const auto before = unit.hardware.moves();
    const u32 value = unit.hardware.read32(at);
    if (unit.hardware.moves() != before) {
        here.event(fmt::format("{}: register {:#x} reads {:#x}", unit.name, at, value));
        here.check(unit);
    }
    return value;
}

u64 vtd_read64(takeover_unit* core, unsigned int at) {
    World& here = World::current();
    here.settle();
    about_to_access(here.unit(core), at);
    return here.unit(core).hardware.read64(at);
}

void vtd_write32(takeover_unit* core, unsigned int at, u32 value) {
    World::Unit& unit = event(core, "register {:#x} <- {:#x}", at, value);
    about_to_access(unit, at);
    World& here = World::current();
    if (at == reg::gcmd && here.command_fails())
        unit.hardware.completes = [](u32) { return false; };
    unit.hardware.write32(at, value);
    here.check(unit);
}

void vtd_write64(takeover_unit* core, unsigned int at, u64 value) {
    World::Unit& unit = event(core, "register {:#x} <- {:#x}", at, value);
    about_to_access(unit, at);
    unit.hardware.write64(at, value);
    World::current().check(unit);
}

unsigned long vtd_lock_registers(takeover_unit* core) {
    World& here = World::current();
    here.settle();
    here.lock(here.unit(core).registers_busy);
    return 0;
}

void vtd_unlock_registers(takeover_unit* core, unsigned long) {
    World& here = World::current();
    here.settle();
    here.unit(core).registers_busy = false;
}

void vtd_flush_lines(const void* at, size_t size) {
    World& here = World::current();
    const Hpa first{reinterpret_cast<u64>(at)};
    here.event(fmt::format("flush of {} bytes at {:#x}", size, first.value));
    here.memory.flush(first, size);
    for (const auto& unit : here.units)
        if (unit->reads(first, size))
            here.check(*unit);
}

void vtd_flush_write_buffer(takeover_unit* core) {
    World::Unit& unit = event(core, "write buffer flushed");
    World& here = World::current();
    here.memory.drain();
    if (unit.hardware.capabilities().write_buffer())
        here.check(unit);
}

// As the driver does, without a queue.
static bool done_without_queue(takeover_unit* core, u64 type) {
    if (core->queue_lost)
        takeover_do_without_queue(core, type);
    return core->queue_lost;
}

void vtd_inv_context(takeover_unit* core, u16 did, u16 rid) {
    if (done_without_queue(core, VTD_QI_CONTEXT))
        return;
    World::Unit& unit = event(core, "context entry {:#x} of domain {} invalidated", rid, did);
    World::current().forget(
        unit, [&](Caches& caches) { caches.forget_contexts({did}, {rid}, 0, unit.core.scalable); });
}
void vtd_inv_context_all(takeover_unit* core) {
    if (done_without_queue(core, VTD_QI_CONTEXT))
        return;
    World::Unit& unit = event(core, "context cache invalidated");
    World::current().forget(unit, [](Caches& caches) { caches.forget_contexts(); });
}
void vtd_inv_pasid_all(takeover_unit* core) {
    if (done_without_queue(core, VTD_QI_PASID_CACHE))
        return;
    World::Unit& unit = event(core, "PASID cache invalidated");
    World::current().forget(unit, [](Caches& caches) { caches.forget_pasids(); });
}
void vtd_inv_iotlb_domain(takeover_unit* core, u16 did) {
    if (done_without_queue(core, VTD_QI_IOTLB))
        return;
    World::Unit& unit = event(core, "IOTLB invalidated, domain {}", did);
    World::current().forget(unit, [&](Caches& caches) { caches.forget_pages({did}); });
}
void vtd_inv_iotlb_all(takeover_unit* core) {
    if (done_without_queue(core, VTD_QI_IOTLB))
        return;
    World::Unit& unit = event(core, "IOTLB invalidated");
    World::current().forget(unit, [](Caches& caches) { caches.forget_pages(); });
}
int vtd_inv_devtlb(takeover_unit* core, device*, u16 rid, bool pasids) {
    World::Unit& unit =
        event(core, "device-TLB of {:#x} invalidated{}", rid, pasids ? ", all PASIDs" : "");
    // There is no register that would ask a device.
    if (core->queue_lost)
        return takeover_do_without_queue(core, pasids ? VTD_QI_PASID_DEVTLB : VTD_QI_DEVTLB);
    World::current().forget_function(unit, {rid}, pasids);
    return 0;
}
unsigned int vtd_device_off(device* dev, u16 rid, unsigned int off) {
    World& here = World::current();
    here.settle();
    World::Function& function = here.function(*dev);
    if (function.gone || function.device.rid().value != rid)
        return 0;
    if (function.header)
        return VTD_DEVICE_HIDDEN;
    if (off)
        here.switch_off(function, off);
    return function.on() & ~function.ours;
}

device* vtd_find_device(takeover_unit* core, u16 rid) {
    World& here = World::current();
    here.settle();
    device* const found = here.find_device(here.unit(core), {rid});
    return found && !here.function(*found).unseen ? found : nullptr;
}
void vtd_put_device(device*) {}
bool vtd_hidden_function_answers(takeover_unit* core, u16 rid) {
    World& here = World::current();
    here.settle();
    const device* const found = here.find_device(here.unit(core), {rid});
    return found && here.function(*found).unseen && !here.function(*found).gone;
}

int vtd_submit(takeover_unit* core, u64 low, u64 high) {
    World::Unit& unit = event(core, "descriptor {:#x} {:#x}", low, high);
    unit.pages.about_to_access();
    if (unit.hardware.invalidation().run({low, high, 0, 0}) != QueueError::none)
        throw Violation(Invariant::access, unit.name + ": a descriptor that the unit refuses");
    World::current().check(unit);
    return 0;
}

void vtd_reserve_dids(takeover_unit* core, unsigned first, unsigned long dids) {
    World::Unit& unit = event(core, "domain ids from {} on reserved: {:#x}", first, dids);
    for (unsigned i = 0; i < 64; i++)
        if (dids >> i & 1)
            unit.used.insert({static_cast<u16>(first + i)});
}
void vtd_free_did(takeover_unit* core, u16 did) {
    World::current().free_did(event(core, "domain id {} given back", did), {did});
}
int vtd_new_did(takeover_unit* core) {
    World::Unit& unit = event(core, "domain id asked for");
    return World::current().new_did(unit);
}
void vtd_reserve_irte(takeover_unit* core, unsigned int index) {
    World::current().unit(core).reserved.insert(index);
}

void* vtd_alloc_table(takeover_unit* core, gfp_t) {
    event(core, "page allocated");
    World& here = World::current();
    return here.allocation_fails() ? nullptr : here.allocate();
}
void vtd_free_table(void* table) {
    World& here = World::current();
    here.event("page freed");
    here.release_page(table);
}

int vtd_read_oldmem(void* to, phys_addr_t from, size_t size) {
    World& here = World::current();
    here.settle();
    const int error = here.old_read_fails();
    if (error == -EIO)
        here.memory.poison({from}, size);
    if (error || here.memory.is_poisoned({from}, size))
        return error ? error : -EIO;
    auto* out = static_cast<char*>(to);
    for (size_t done = 0; done < size;) {
        const u64 at = from + done;
        const Hpa word{at & ~u64{7}};
        // Registers have side effects when they are read, and what is firmware's is not ours to
        // read.
        if (here.memory.owner(word) != Owner::old_kernel)
            throw Violation(
                Invariant::wary,
                fmt::format("{:#x} is read, and is no RAM of the crashed kernel's", at));
        const u64 value = here.memory.load(word);
        const size_t part = std::min<size_t>(size - done, 8 - at % 8);
        std::memcpy(out + done, reinterpret_cast<const char*>(&value) + at % 8, part);
        done += part;
    }
    return 0;
}

// There is nothing to be won.
const void* vtd_oldmem_ahead(phys_addr_t) { return nullptr; }

bool vtd_may_be_old_ram(phys_addr_t at, size_t size) {
    World& here = World::current();
    return here.memory.owner({at & ~u64{7}}) == Owner::old_kernel &&
           here.memory.owner({(at + size - 1) & ~u64{7}}) == Owner::old_kernel;
}

bool vtd_is_populated(u64 start, u64 size) { return World::current().is_populated({start}, size); }

void vtd_trace(takeover_unit*, vtd_trace_event, unsigned, u64, u64) {}

int vtd_visit_rids(device* dev, vtd_rid_fn fn, void* data) {
    for (const Rid rid : dev->rids)
        if (const int ret = fn(rid.value, data))
            return ret;
    return 0;
}

int vtd_visit_reserved(takeover_unit* core, vtd_reserved_fn fn, void* data) {
    World& here = World::current();
    World::Unit& unit = here.unit(core);
    for (const vtd::world::Device& device : here.description.devices) {
        if (!device.reserved || here.units[device.unit].get() != &unit)
            continue;
        for (const Rid rid : device.rids) {
            const u64 first = vtd::world::firmware_memory.value;
            const int ret = fn(rid.value, first, first + vtd::world::firmware_reserved - 1, data);
            here.settle();
            if (ret)
                return ret;
        }
    }
    return 0;
}

void udelay(unsigned long) {}

void cond_resched() {}

void shim_printk(const char* format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    World::current().log.emplace_back(line);
}

} // extern "C"
