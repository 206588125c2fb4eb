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

World& world(const char* what) {
    World& here = World::current();
    here.settle();
    here.trace.emplace_back(what);
    return here;
}

} // namespace

extern "C" {

u32 vtd_read32(takeover_unit*, unsigned int at) {
    World& here = World::current();
    here.settle();
    const u32 value = here.unit.read32(at);
    here.check();
    return value;
}

u64 vtd_read64(takeover_unit*, unsigned int at) {
    World& here = World::current();
    here.settle();
    return here.unit.read64(at);
}

void vtd_write32(takeover_unit*, unsigned int at, u32 value) {
    World& here = world("write of a register");
    here.unit.write32(at, value);
    here.check();
}

void vtd_write64(takeover_unit*, unsigned int at, u64 value) {
    World& here = world("write of a register");
    here.unit.write64(at, value);
    here.check();
}

unsigned long vtd_lock_registers(takeover_unit*) { return 0; }
void vtd_unlock_registers(takeover_unit*, unsigned long) {}

void vtd_flush_lines(const void* at, size_t size) {
    World& here = world("flush of lines");
    here.memory.flush({reinterpret_cast<u64>(at)}, size);
    here.check();
}

void vtd_flush_write_buffer(takeover_unit*) {
    World& here = world("flush of the write buffer");
    here.memory.drain();
    here.check();
}

void vtd_inv_context(takeover_unit* unit, u16 did, u16 rid) {
    world("context entry invalidated").forget([&](Caches& caches) {
        caches.forget_contexts({did}, {rid}, 0, unit->scalable);
    });
}
void vtd_inv_context_all(takeover_unit*) {
    world("context cache invalidated").forget([](Caches& caches) { caches.forget_contexts(); });
}
void vtd_inv_pasid_all(takeover_unit*) {
    world("PASID cache invalidated").forget([](Caches& caches) { caches.forget_pasids(); });
}
void vtd_inv_iotlb_domain(takeover_unit*, u16 did) {
    world("IOTLB invalidated, a domain").forget([&](Caches& caches) {
        caches.forget_pages({did});
    });
}
void vtd_inv_iotlb_all(takeover_unit*) {
    world("IOTLB invalidated").forget([](Caches& caches) { caches.forget_pages(); });
}
void vtd_inv_devtlb(takeover_unit*, device*, u16 rid) {
    world("device-TLB invalidated").forget([&](Caches& caches) { caches.forget_device({rid}); });
}

void vtd_reserve_did(takeover_unit*, u16 did) { World::current().reserved.insert({did}); }
int vtd_new_did(takeover_unit*) { return World::current().new_did(); }
void vtd_reserve_irte(takeover_unit*, unsigned int) {}

void* vtd_alloc_table(takeover_unit*, gfp_t) { return world("page allocated").allocate(); }
void vtd_free_table(void* table) { world("page freed").release_page(table); }

int vtd_read_oldmem(void* to, phys_addr_t from, size_t size) {
    World& here = World::current();
    here.settle();
    auto* out = static_cast<char*>(to);
    for (size_t done = 0; done < size;) {
        const u64 at = from + done;
        const Hpa word{at & ~u64{7}};
        if (here.memory.owner(word) != Owner::old_kernel)
            return -EIO;
        const u64 value = here.memory.load(word);
        const size_t part = std::min<size_t>(size - done, 8 - at % 8);
        std::memcpy(out + done, reinterpret_cast<const char*>(&value) + at % 8, part);
        done += part;
    }
    return 0;
}

bool vtd_may_be_old_ram(phys_addr_t at, size_t size) {
    World& here = World::current();
    return here.memory.owner({at & ~u64{7}}) == Owner::old_kernel &&
           here.memory.owner({(at + size - 1) & ~u64{7}}) == Owner::old_kernel;
}

int vtd_visit_rids(device* dev, vtd_rid_fn fn, void* data) {
    for (const Rid rid : dev->rids)
        if (const int ret = fn(rid.value, data))
            return ret;
    return 0;
}

int vtd_visit_reserved(takeover_unit*, vtd_reserved_fn, void*) { return 0; }

void udelay(unsigned long) {}

void shim_printk(const char* format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    World::current().log.emplace_back(line);
}

} // extern "C"
