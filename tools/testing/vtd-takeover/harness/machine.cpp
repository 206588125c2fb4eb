// SPDX-License-Identifier: GPL-2.0-only
//
// env.h for userspace, and the state behind it. Judges nothing: tests do.

#include "harness/machine.h"

#include <algorithm>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "world/core_header.h"

extern "C" {
#include <linux/delay.h>
#include <linux/printk.h>
}

namespace vtd {

namespace {

// Functions that have no unit to tell the machine by serve the one that lives.
Machine* current = nullptr;

constexpr std::size_t table_size = VTD_TABLE_SIZE;

u64* page_of_zeroes() {
    void* page = std::aligned_alloc(table_size, table_size);
    std::memset(page, 0, table_size);
    return static_cast<u64*>(page);
}

} // namespace

Machine::Machine() {
    assert(current == nullptr);
    current = this;
    unit.name = "dmar0";
    unit.address_bits = 42;
    unit.unguarded = true; // page tables are the business of a few tests
    unit.pool = &pool;
    pool.left = 2 * budget_;
    unit.adopted = adopted_.data();
    unit.confined = confined_.data();
    unit.silent = silent_.data();
    unit.dids = dids_.data();
}

Machine::~Machine() { current = nullptr; }

Machine& Machine::of(takeover_unit* unit) {
    assert(unit == &current->unit);
    return *current;
}

Page& Machine::old_page(Phys at) {
    assert(at.value % table_size == 0);
    return old_.try_emplace(at, VTD_TABLE_WORDS).first->second;
}

std::span<const u64> Machine::peek_old(Phys at) const {
    const auto found = old_.find(at);
    return found == old_.end() ? std::span<const u64>{} : found->second;
}

void Machine::add_old_ram(Phys start, u64 size) { ram_.emplace_back(start, size); }

void Machine::write_elfcorehdr(Phys at, std::span<const std::pair<Phys, u64>> ranges) {
    const std::string bytes = core_header(ranges);
    for (std::size_t done = 0; done < bytes.size(); done += table_size) {
        const auto part = bytes.substr(done, table_size);
        std::memcpy(old_page({at.value + done}).data(), part.data(), part.size());
    }
}

void Machine::begin_unit(const takeover_unit& before) {
    adopted_.fill(0);
    confined_.fill(0);
    silent_.fill(0);
    dids_.fill(0);
    unit = {};
    unit.name = before.name;
    unit.scalable = before.scalable;
    unit.cap = before.cap;
    unit.ecap = before.ecap;
    unit.unguarded = before.unguarded;
    unit.strict = before.strict;
    unit.address_bits = before.address_bits;
    unit.pool = &pool;
    unit.adopted = adopted_.data();
    unit.confined = confined_.data();
    unit.silent = silent_.data();
    unit.dids = dids_.data();
    reserved.clear();
}

void Machine::next_unit() { begin_unit(takeover_unit{unit}); }

const u64* Machine::our_page(u64 at) const {
    const auto found = tables_.find(reinterpret_cast<void*>(at));
    if (found != tables_.end())
        return found->second.get();
    const u64 scratch = takeover_scratch_page();
    return at >= scratch && at - scratch < VTD_LARGE_LEVELS * table_size
               ? reinterpret_cast<const u64*>(at)
               : nullptr;
}

void Machine::forget() {
    takeover_unit before = unit;

    before.address_bits = 42;
    begin_unit(before);
    pool.left = 2 * budget_;
    std::ranges::fill(pool.identities, takeover_identity{});
    answers = true;
    allocations.reset();
    events.clear();
    log.clear();
    traced.clear();
    tables_.clear();
    live_tables = 0;
    most_tables = 0;
    reads = 0;
    rests = 0;
}

u64* Machine::new_root() {
    u64* page = page_of_zeroes();
    tables_.emplace(page, decltype(tables_)::mapped_type(page, std::free));
    return page;
}

void Machine::note(Op op, u64 value, Did did, Rid rid) {
    events.push_back({op, value, did, rid, watched ? *watched : 0, 0, 0});
}

// The queue moves by one descriptor each time somebody looks, unless an error stops it.
u32 Machine::queue_head() {
    if (drains && iqh != iqt && !(fsts & (VTD_FSTS_IQE | VTD_FSTS_ITE)))
        iqh += 16;
    return iqh;
}

bool Machine::may_allocate() { return !allocations || (*allocations)-- > 0; }

u64* Machine::allocate(gfp_t gfp) {
    allocations_that_panic += !(gfp & (GFP_ATOMIC | __GFP_NORETRY));
    if (!may_allocate())
        return nullptr;
    most_tables = std::max(most_tables, ++live_tables);
    return new_root();
}

void Machine::free(void* table) {
    const auto erased = tables_.erase(table);
    assert(erased == 1);
    live_tables -= erased;
}

int Machine::new_did() {
    if (no_did)
        return no_did;
    // The driver keeps 0 and 1 to itself.
    for (unsigned did = 2; did < vtd_domain_ids(unit.cap); did++)
        if (reserved.insert({static_cast<u16>(did)}).second)
            return static_cast<int>(did);
    return -ENOSPC;
}

int Machine::read_old(void* dst, Phys src, std::size_t size) {
    assert(size <= table_size);
    reads++;
    on_read(src, size);
    for (auto* to = static_cast<char*>(dst); size;) {
        const u64 offset = src.value % table_size;
        const Phys page{src.value - offset};
        const std::size_t here = std::min<std::size_t>(size, table_size - offset);
        const auto found = old_.find(page);

        if (unmappable.contains(page))
            return -ENOMEM;
        std::array<u64, VTD_TABLE_WORDS> made;
        if (poisoned.contains(page) || (found == old_.end() && !synthesize(page, made)))
            return -EIO;
        const u64* const words = found == old_.end() ? made.data() : found->second.data();
        std::memcpy(to, reinterpret_cast<const char*>(words) + offset, here);
        to += here;
        src.value += here;
        size -= here;
    }
    return 0;
}

std::vector<std::span<u64>> Machine::tables() const {
    std::vector<std::span<u64>> found;
    for (const auto& [at, table] : tables_)
        found.emplace_back(table.get(), VTD_TABLE_WORDS);
    return found;
}

bool Machine::old_ram(Phys at, std::size_t size) const {
    for (const auto& [start, length] : ram_)
        if (at >= start && size <= length && at.value - start.value <= length - size)
            return true;
    return false;
}

} // namespace vtd

using vtd::Machine;
using vtd::Op;

extern "C" {

u32 vtd_read32(takeover_unit* unit, unsigned int reg) {
    Machine& machine = Machine::of(unit);
    switch (reg) {
    case VTD_REG_GSTS:
        return machine.gsts;
    case VTD_REG_FSTS:
        return machine.fsts;
    case VTD_REG_IQH:
        return machine.queue_head();
    default:
        assert(reg == VTD_REG_IQT);
        return machine.iqt;
    }
}

u64 vtd_read64(takeover_unit* unit, unsigned int reg) {
    Machine& machine = Machine::of(unit);
    if (reg == VTD_REG_RTADDR)
        return machine.rtaddr;
    if (reg == VTD_REG_IRTA)
        return machine.irta;
    if (reg == VTD_REG_PQA)
        return machine.pqa;
    if (reg == VTD_REG_PQH)
        return machine.pqh;
    if (reg == VTD_REG_PQT) {
        machine.on_pqt();
        return machine.pqt;
    }
    if (const auto at = machine.fault_records.find(reg); at != machine.fault_records.end())
        return at->second;
    // A command is as good as done when it is seen to. Bits 60:59 and 58:57 say how much of it.
    assert(reg == VTD_REG_CCMD || reg == VTD_IOTLB_REG(unit->ecap));
    if (!machine.answers)
        return u64{VTD_CCMD_ICC};
    if (machine.refuses)
        return 0;
    return u64{1} << (reg == VTD_REG_CCMD ? 59 : 57);
}

// 11.4.4: one command at a time; the enable bits take the state that is written.
void vtd_write32(takeover_unit* unit, unsigned int reg, u32 value) {
    Machine& machine = Machine::of(unit);
    const u32 one_shot = VTD_GSTS_ONE_SHOT;
    const u32 kept = machine.answers ? 0 : machine.gsts & u32{VTD_GSTS_QIES};

    if (reg == VTD_REG_FSTS) {
        machine.note(Op::WriteFsts, value);
        machine.fsts &= ~value;
        return;
    }
    if (reg == VTD_REG_FECTL) {
        machine.note(Op::WriteFectl, value);
        return;
    }
    if (reg == VTD_REG_PECTL) {
        machine.note(Op::WritePectl, value);
        return;
    }
    if (reg == VTD_REG_PRS) {
        machine.note(Op::WritePrs, value);
        machine.prs &= ~value;
        return;
    }
    assert(reg == VTD_REG_GCMD);
    machine.note(Op::WriteGcmd, value);
    machine.gsts = (machine.gsts & one_shot & ~u32{VTD_GSTS_RTPS}) | (value & ~one_shot) | kept;
    if (machine.answers && (value & VTD_GCMD_SRTP))
        machine.gsts |= u32{VTD_GSTS_RTPS};
}

void vtd_write64(takeover_unit* unit, unsigned int reg, u64 value) {
    Machine& machine = Machine::of(unit);
    switch (reg) {
    case VTD_REG_PQH:
        machine.on_pqh();
        machine.note(Op::WritePqh, value);
        machine.pqh = value;
        return;
    case VTD_REG_PQT:
        machine.note(Op::WritePqt, value);
        machine.pqt = value;
        return;
    case VTD_REG_PQA:
        machine.note(Op::WritePqa, value);
        machine.pqa = value;
        return;
    case VTD_REG_CCMD:
        machine.note(Op::WriteCcmd, value);
        return;
    default:
        if (reg == VTD_IOTLB_REG(unit->ecap)) {
            machine.note(Op::WriteIotlb, value);
            return;
        }
        assert(reg == VTD_REG_RTADDR);
        machine.note(Op::WriteRtaddr, value);
        machine.rtaddr = value;
    }
}

unsigned long vtd_lock_registers(takeover_unit*) { return 0; }
void vtd_unlock_registers(takeover_unit*, unsigned long) {}

void vtd_flush_lines(const void* addr, size_t size) {
    vtd::current->note(Op::FlushLines, reinterpret_cast<uintptr_t>(addr));
    vtd::current->events.back().size = size;
}

void vtd_flush_write_buffer(takeover_unit* unit) { Machine::of(unit).note(Op::FlushWriteBuffer); }

void vtd_inv_context(takeover_unit* unit, u16 did, u16 rid) {
    Machine::of(unit).note(Op::InvContext, 0, {did}, {rid});
}

void vtd_inv_context_all(takeover_unit* unit) { Machine::of(unit).note(Op::InvContextAll); }
void vtd_inv_pasid_all(takeover_unit* unit) { Machine::of(unit).note(Op::InvPasidAll); }

void vtd_inv_iotlb_domain(takeover_unit* unit, u16 did) {
    Machine::of(unit).note(Op::InvIotlbDomain, 0, {did});
    unit->stale |= !Machine::of(unit).forgets;
}

void vtd_inv_iotlb_all(takeover_unit* unit) {
    Machine::of(unit).note(Op::InvIotlbAll);
    unit->stale |= !Machine::of(unit).forgets;
}

int vtd_inv_devtlb(takeover_unit* unit, device*, u16 rid, bool pasids) {
    Machine& machine = Machine::of(unit);
    machine.note(pasids ? Op::InvDevtlbPasids : Op::InvDevtlb, 0, {}, {rid});
    if (machine.functions_answer)
        return machine.cannot_ask;
    // 6.5.2.10: all waits are aborted, and queued again until the core says that it was enough.
    const u64 command =
        pasids ? VTD_QI_PASID_DEVTLB | u64{rid} << 16 : VTD_QI_DEVTLB | u64{rid} << 32;
    for (unsigned aborts = 1; aborts < 100; aborts++) {
        machine.time_outs++;
        if (takeover_gives_up_device(unit, command, aborts))
            return 0;
    }
    std::abort();
}

unsigned int vtd_device_off(device* dev, u16 rid, unsigned int off) {
    if (dev->rids.front() != rid)
        return 0;
    if (off)
        vtd::current->note(Op::DeviceOff, off, {}, {rid});
    dev->on &= ~off;
    return dev->on;
}

device* vtd_find_device(takeover_unit* unit, u16 rid) {
    auto& found = Machine::of(unit).functions;
    const auto at = found.find({rid});
    return at == found.end() ? nullptr : &at->second;
}
void vtd_put_device(device*) {}
bool vtd_hidden_function_answers(takeover_unit* unit, u16) { return Machine::of(unit).strangers; }

int vtd_submit(takeover_unit* unit, u64 low, u64 high) {
    Machine& machine = Machine::of(unit);
    machine.note(Op::Submit, low);
    machine.events.back().high = high;
    return machine.submits;
}

void vtd_reserve_dids(takeover_unit* unit, unsigned first, unsigned long dids) {
    for (unsigned i = 0; i < 64; i++)
        if (dids >> i & 1)
            Machine::of(unit).reserved.insert({static_cast<u16>(first + i)});
}

void vtd_free_did(takeover_unit* unit, u16 did) {
    [[maybe_unused]] const auto erased = Machine::of(unit).reserved.erase({did});
    assert(erased == 1);
}

int vtd_new_did(takeover_unit* unit) { return Machine::of(unit).new_did(); }

void vtd_reserve_irte(takeover_unit* unit, unsigned int index) {
    Machine::of(unit).reserved_irtes.insert(index);
}

void* vtd_alloc_table(takeover_unit* unit, gfp_t gfp) { return Machine::of(unit).allocate(gfp); }
void vtd_free_table(void* table) { vtd::current->free(table); }

int vtd_read_oldmem(void* dst, phys_addr_t src, size_t size) {
    return vtd::current->read_old(dst, {src}, size);
}

// There is nothing to be won.
const void* vtd_oldmem_ahead(phys_addr_t addr) {
    const auto words = vtd::current->peek_old({addr});
    return words.empty() ? nullptr : words.data();
}

bool vtd_may_be_old_ram(phys_addr_t addr, size_t size) {
    return vtd::current->old_ram({addr}, size);
}

bool vtd_is_populated(u64 start, u64 size) { return vtd::current->populated(start, size); }

void vtd_trace(takeover_unit* unit, vtd_trace_event event, unsigned what, u64 before, u64 now) {
    Machine::of(unit).traced.push_back({event, what, before, now});
}

int vtd_visit_rids(device* dev, vtd_rid_fn fn, void* data) {
    for (const u16 rid : dev->rids)
        if (const int ret = fn(rid, data))
            return ret;
    return 0;
}

int vtd_visit_reserved(takeover_unit* unit, vtd_reserved_fn fn, void* data) {
    for (const auto& [rid, start, end] : Machine::of(unit).firmware)
        if (const int ret = fn(rid.value, start, end, data))
            return ret;
    return 0;
}

void udelay(unsigned long us) { vtd::current->waited += us; }

void cond_resched() { vtd::current->rests++; }

void shim_printk(const char* format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    vtd::current->log.emplace_back(line);
}

} // extern "C"
