// SPDX-License-Identifier: GPL-2.0-only
//
// See unit.h.

#include "model/unit.h"

#include <algorithm>

namespace vtd::model {

namespace {

u32 half(u64 word, unsigned at) { return static_cast<u32>(at % 8 ? word >> 32 : word); }
u64 with_half(u64 word, unsigned at, u32 value) {
    const unsigned shift = at % 8 ? 32 : 0;
    return (word & ~(u64{~0U} << shift)) | u64{value} << shift;
}

} // namespace

Unit::Unit(Capabilities capabilities, Memory& memory)
    : capabilities_(capabilities), memory_(memory), roots_{0}, interrupt_tables_{0},
      faults_(capabilities.fault_records()), pages_(memory, misuse),
      invalidation_({capabilities_, memory_, caches_, faults_, pages_, misuse,
                     [this] { return scalable(); }}) {
    invalidation_.answers = [this](Rid rid) { return !silent.contains(rid); };
}

bool Unit::scalable() const {
    return rtaddr::ttm.in(*roots_.begin()) == static_cast<u64>(rtaddr::Ttm::scalable);
}

void Unit::leave(u32 status, u64 rtaddr, u64 irta) {
    status_ = status;
    rtaddr_ = rtaddr;
    irta_ = irta;
    roots_ = {rtaddr};
    interrupt_tables_ = {irta};
    if (status & command::qie)
        invalidation_.leave(invalidation_.queue(), invalidation_.head(), invalidation_.tail());
    else
        invalidation_.on(false);
}

void Unit::flush_everything() {
    memory_.drain();
    caches_.forget_contexts();
    caches_.forget_pasids();
    caches_.forget_pages();
}

// Registers --------------------------------------------------------------------------------------

Event* Unit::event(unsigned at, unsigned& offset) {
    for (const auto& [first, found] : {std::pair{reg::fectl, &faults_.event},
                                       {reg::iectl, &invalidation_.event},
                                       {reg::pectl, &pages_.event}}) {
        offset = at - first;
        if (at >= first && offset < Event::size)
            return found;
    }
    return nullptr;
}

bool Unit::is_record(unsigned at) const {
    const unsigned first = capabilities_.fault_register();
    return at >= first && at < first + capabilities_.fault_records() * fault_record::size;
}

bool Unit::is_wide(unsigned at) const {
    constexpr unsigned wide[] = {reg::cap, reg::ecap,   reg::rtaddr, reg::ccmd, reg::iqh, reg::iqt,
                                 reg::iqa, reg::iqercd, reg::irta,   reg::pqh,  reg::pqt, reg::pqa};
    const unsigned start = at & ~7U;
    return std::ranges::find(wide, start) != std::end(wide) || is_record(start) ||
           start == capabilities_.iotlb_register() || start == capabilities_.iotlb_register() + 8;
}

u32 Unit::read32(unsigned at) {
    unsigned offset = 0;
    if (const Event* found = event(at, offset))
        return found->read(offset);
    switch (at) {
    case reg::gsts:
        complete();
        invalidation_.run();
        return status_;
    case reg::fsts:
        invalidation_.run();
        return faults_.status();
    case reg::ics:
        invalidation_.run();
        return invalidation_.completion();
    case reg::prs:
        return pages_.status();
    default:
        // Chapter 11: software may take a register of 64 bits in halves.
        if (is_wide(at))
            return half(read64(at & ~7U), at);
        misuse.emplace_back("32-bit read of a register that has none");
        return ~0U;
    }
}

u64 Unit::read64(unsigned at) {
    if (is_record(at) && at % 8 == 0) {
        const FaultRecord& record =
            faults_.record((at - capabilities_.fault_register()) / fault_record::size);
        return at % fault_record::size ? record.high : record.low;
    }
    if (at == capabilities_.iotlb_register())
        return invalidation_.address_register();
    if (at == capabilities_.iotlb_register() + 8)
        return invalidation_.iotlb_command();
    switch (at) {
    case reg::cap:
        return capabilities_.cap;
    case reg::ecap:
        return capabilities_.ecap;
    case reg::rtaddr:
        return rtaddr_;
    case reg::ccmd:
        return invalidation_.context_command();
    case reg::iqh:
        invalidation_.run();
        return invalidation_.head();
    case reg::iqt:
        return invalidation_.tail();
    case reg::iqa:
        return invalidation_.queue();
    case reg::iqercd:
        return invalidation_.error();
    case reg::irta:
        return irta_;
    case reg::pqh:
        return pages_.head();
    case reg::pqt:
        return pages_.tail();
    case reg::pqa:
        return pages_.address();
    default:
        misuse.emplace_back("64-bit read of a register that has none");
        return ~u64{0};
    }
}

void Unit::write32(unsigned at, u32 value) {
    unsigned offset = 0;
    if (Event* found = event(at, offset)) {
        found->write(offset, value);
        return;
    }
    switch (at) {
    case reg::gcmd:
        return global_command(value);
    case reg::fsts:
        faults_.clear_status(value);
        return invalidation_.run();
    case reg::ics:
        return invalidation_.completion(value);
    case reg::prs:
        return pages_.clear_status(value);
    default:
        if (!is_wide(at)) {
            misuse.emplace_back("32-bit write of a register that has none");
            return;
        }
        // F is cleared by writing 1: the other half must not do that.
        const u64 old = is_record(at & ~7U) ? 0 : read64(at & ~7U);
        write64(at & ~7U, with_half(old, at, value));
    }
}

void Unit::write64(unsigned at, u64 value) {
    if (is_record(at) && at % 8 == 0) {
        if (at % fault_record::size && fault_record::f.in(value))
            faults_.clear_record((at - capabilities_.fault_register()) / fault_record::size);
        return;
    }
    if (at == capabilities_.iotlb_register())
        return invalidation_.address_register(value);
    if (at == capabilities_.iotlb_register() + 8)
        return invalidation_.iotlb_command(value);
    switch (at) {
    case reg::rtaddr:
        rtaddr_ = value;
        return;
    case reg::ccmd:
        return invalidation_.context_command(value);
    case reg::iqt:
        invalidation_.tail(value);
        return invalidation_.run();
    case reg::iqa:
        return invalidation_.queue(value);
    case reg::irta:
        irta_ = value;
        return;
    case reg::pqh:
        return pages_.set_head(value);
    case reg::pqt:
        return pages_.set_tail(value);
    case reg::pqa:
        return pages_.set_address(value);
    default:
        misuse.emplace_back("64-bit write of a register that has none");
    }
}

// Commands ---------------------------------------------------------------------------------------

// 11.4.4: one command at a time; the enable bits take the state that is written.
void Unit::global_command(u32 value) {
    const u32 changed = (status_ ^ value) & ~command::one_shot;
    const u32 asked = changed | (value & command::one_shot);

    check_command(value, asked);
    if (value & command::srtp) {
        roots_.insert(rtaddr_);
        status_ &= ~command::srtp;
    }
    if (value & command::sirtp) {
        interrupt_tables_.insert(irta_);
        status_ &= ~command::sirtp;
    }
    pending_ = asked;
    wanted_ = value;
}

void Unit::check_command(u32 value, u32 asked) {
    if (pending_)
        misuse.emplace_back("a command while another one is not complete");
    if (asked & (asked - 1))
        misuse.emplace_back("two commands at once");
    if (value & command::srtp) {
        const auto mode = static_cast<rtaddr::Ttm>(rtaddr::ttm.in(rtaddr_));
        // 11.4.5
        if (translates() && rtaddr::ttm.in(rtaddr_) != rtaddr::ttm.in(*roots_.begin()))
            misuse.emplace_back("the mode of the tables changes while translation is on");
        if (mode == rtaddr::Ttm::reserved ||
            (mode == rtaddr::Ttm::scalable && !capabilities_.scalable()) ||
            (mode == rtaddr::Ttm::abort && !capabilities_.abort_mode()))
            misuse.emplace_back("a mode of tables that the unit does not have");
    }
    const u32 interrupts = command::sirtp | command::ire | command::cfi;
    if (asked & interrupts && !capabilities_.remaps_interrupts())
        misuse.emplace_back("interrupt remapping on a unit that has none");
    if (value & command::sirtp && irta::eime.in(irta_) && !capabilities_.x2apic())
        misuse.emplace_back("x2APIC mode on a unit that has none");
    if (asked & value & command::ire && !(status_ & command::sirtp))
        misuse.emplace_back("interrupt remapping without a table");
    if (asked & command::qie && !capabilities_.queue())
        misuse.emplace_back("an invalidation queue on a unit that has none");
}

void Unit::complete() {
    const u32 now = pending_;
    if (!now || !completes(now))
        return;
    pending_ = 0;
    moves_++;
    if (now & command::srtp) {
        roots_ = {rtaddr_};
        status_ |= command::srtp;
        if (capabilities_.flushes_on_srtp())
            flush_everything();
    } else if (now & command::wbf) {
        memory_.drain();
    } else if (now & command::sirtp) {
        interrupt_tables_ = {irta_};
        status_ |= command::sirtp;
        if (capabilities_.flushes_on_sirtp()) {
            memory_.drain();
            caches_.forget_interrupts();
        }
    } else {
        status_ = (status_ & ~now) | (wanted_ & now);
        if (now & command::qie)
            invalidation_.on(status_ & command::qie);
    }
}

// Requests ---------------------------------------------------------------------------------------

// What an enable bit may be, until the command is complete.
std::set<bool> Unit::may_be(u32 enable) const {
    const bool now = status_ & enable;
    return pending_ & enable ? std::set{now, !now} : std::set{now};
}

Explored Unit::explore(const Request& request) {
    const bool between = pending_ & command::translation; // either, until the command is complete
    Explored found;
    if (translates() || between) {
        Moment moment{capabilities_, roots_, memory_, caches_};
        found = model::explore(moment, request);
    }
    if (!translates() || between)
        found.outcomes.insert(
            Translation{{request.iova.value & ~(page_size - 1)}, page_bits, true, true, {}, true});
    return found;
}

ExploredInterrupt Unit::explore(const InterruptRequest& request) {
    InterruptMoment moment{capabilities_, {}, interrupt_tables_, memory_, caches_};
    for (const bool remaps : may_be(command::ire))
        for (const bool compatible : may_be(command::cfi))
            moment.modes.insert({remaps, compatible});
    return model::explore(moment, request);
}

void Unit::mark(const Explored& explored) {
    for (const auto& [at, bits] : explored.marks)
        memory_.store(at, memory_.load(at) | bits, Writer::mark);
}

// While a table is being replaced its mode may be either; a table in use does not change it.
bool Unit::x2apic() const {
    return capabilities_.x2apic() && irta::eime.in(*interrupt_tables_.begin());
}

std::optional<Notification> Unit::post(const PostedInterrupt& interrupt) {
    return model::post(memory_, interrupt, x2apic());
}

// 7.4: one that may be let through is: it is the one that software has to answer.
bool Unit::ask(const PageRequest& asked) {
    Request request{.rid = asked.rid,
                    .iova = asked.address,
                    .access = asked.write ? Access::write : Access::read,
                    .kind = Kind::page_request,
                    .pasid = asked.pasid};
    request.privileged = asked.privileged;
    if (!translates() || !capabilities_.page_requests()) {
        pages_.refuse(asked, Response::invalid);
        return false;
    }
    const auto outcomes = explore(request).outcomes;
    for (const Outcome& outcome : outcomes)
        if (std::holds_alternative<Translation>(outcome)) {
            pages_.accept(asked);
            return true;
        }
    record(request, std::get<Fault>(*outcomes.begin()));
    pages_.refuse(asked, Response::invalid);
    return false;
}

// Faults -----------------------------------------------------------------------------------------

// 11.4, FRCD_REG: T1 and T2 say whether it was a write, a page request, a read or an atomic
// operation.
void Unit::record(const Request& request, Fault fault) {
    using namespace fault_record;
    if (!fault.recorded)
        return;
    const bool page = request.kind == Kind::page_request;
    const bool reads = !page && request.access != Access::write;
    FaultRecord record;
    record.low = request.iova.value & address.mask();
    record.high = sid.make(request.rid.value) | reason.make(static_cast<u8>(fault.reason)) |
                  t1.make(reads) | t2.make(page || request.access == Access::atomic) |
                  at.make(page ? 0 : static_cast<u64>(request.kind)) |
                  privileged.make(request.privileged);
    if (request.pasid)
        record.high |= has_pasid.mask() | pasid.make(request.pasid->value);
    faults_.report(record);
}

void Unit::record(const InterruptRequest& request, const InterruptFault& fault) {
    using namespace fault_record;
    if (!fault.recorded)
        return;
    faults_.report({index.make(fault.index.value),
                    sid.make(request.rid.value) | reason.make(static_cast<u8>(fault.reason))});
}

} // namespace vtd::model
