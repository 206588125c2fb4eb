// SPDX-License-Identifier: GPL-2.0-only
//
// See unit.h.

#include "model/unit.h"

#include <cassert>

namespace vtd::model {

namespace {

constexpr u64 bit(unsigned number) { return u64{1} << number; }

// 11.4.6, 11.4.7: register-based invalidation. The same encodings of granularity are in the
// descriptors of the queue.
constexpr Field ccmd_granularity{0, 62, 61}, ccmd_fm{0, 33, 32}, ccmd_sid{0, 31, 16},
    ccmd_did{0, 15, 0};
constexpr u64 ccmd_go = bit(63);
constexpr Field iotlb_granularity{0, 61, 60}, iotlb_did{0, 47, 32};
constexpr u64 iotlb_go = bit(63);
constexpr Field iva_order{0, 5, 0};
constexpr u64 iva_hint = bit(6);
enum Granularity : unsigned { none = 0, global = 1, domain = 2, narrow = 3 };

// 6.5.2: types and fields of descriptors
enum Type : unsigned {
    context_cache = 1,
    iotlb = 2,
    device_tlb = 3,
    interrupt = 4,
    wait = 5,
    pasid_iotlb = 6,
    pasid_cache = 7,
    pasid_device_tlb = 8
};
constexpr Field type{0, 3, 0}, granularity{0, 5, 4}, did_16{0, 31, 16}, sid_32{0, 47, 32},
    fm_48{0, 49, 48}, pasid_32{0, 51, 32}, order_1{1, 5, 0};
constexpr u64 wait_writes = bit(5);

} // namespace

Unit::Unit(Capabilities capabilities, Memory& memory)
    : capabilities_(capabilities), memory_(memory), faults_(capabilities.fault_records()) {}

bool Unit::scalable() const {
    return rtaddr::ttm.in(*roots_.begin()) == static_cast<u64>(rtaddr::Ttm::scalable);
}

void Unit::leave(u32 status, u64 rtaddr, u64 irta) {
    status_ = status;
    rtaddr_ = rtaddr;
    irta_ = irta;
    roots_ = {rtaddr};
}

void Unit::flush_everything() {
    memory_.drain();
    caches_.forget_contexts();
    caches_.forget_pasids();
    caches_.forget_pages();
}

u32 Unit::read32(unsigned at) {
    switch (at) {
    case reg::gsts:
        complete();
        return status_;
    case reg::fsts:
        return fsts_;
    case reg::fectl:
        return fectl_;
    case reg::iqh:
        run_queue();
        return iqh_;
    case reg::iqt:
        return iqt_;
    default:
        misuse.push_back("32-bit read of a register that has none");
        return ~0U;
    }
}

u64 Unit::read64(unsigned at) {
    if (at >= capabilities_.fault_register() &&
        at < capabilities_.fault_register() + capabilities_.fault_records() * 16) {
        const FaultRecord& record = faults_[(at - capabilities_.fault_register()) / 16];
        return at % 16 ? record.high : record.low;
    }
    if (at == capabilities_.iotlb_register() + 8) {
        iotlb_ &= ~iotlb_go;
        return iotlb_;
    }
    switch (at) {
    case reg::cap:
        return capabilities_.cap;
    case reg::ecap:
        return capabilities_.ecap;
    case reg::rtaddr:
        return rtaddr_;
    case reg::ccmd:
        ccmd_ &= ~ccmd_go;
        return ccmd_;
    case reg::iqa:
        return iqa_;
    case reg::irta:
        return irta_;
    default:
        misuse.push_back("64-bit read of a register that has none");
        return ~u64{0};
    }
}

void Unit::write32(unsigned at, u32 value) {
    switch (at) {
    case reg::gcmd:
        return global_command(value);
    case reg::fsts:
        fsts_ &= ~(value &
                   (fault_status::pfo | fault_status::iqe | fault_status::ice | fault_status::ite));
        return;
    case reg::fectl:
        fectl_ = value & 1U << 31;
        return;
    case reg::iqt:
        iqt_ = value;
        return run_queue();
    default:
        misuse.push_back("32-bit write of a register that has none");
    }
}

void Unit::write64(unsigned at, u64 value) {
    if (at == capabilities_.iotlb_register()) {
        iva_ = value;
        return;
    }
    if (at == capabilities_.iotlb_register() + 8)
        return iotlb_command(value);
    switch (at) {
    case reg::rtaddr:
        rtaddr_ = value;
        return;
    case reg::ccmd:
        return context_command(value);
    case reg::iqa:
        iqa_ = value;
        iqh_ = iqt_ = 0;
        return;
    case reg::irta:
        irta_ = value;
        return;
    default:
        misuse.push_back("64-bit write of a register that has none");
    }
}

// 11.4.4: one command at a time; the enable bits take the state that is written.
void Unit::global_command(u32 value) {
    const u32 enables = ~command::one_shot;
    const u32 changed = (status_ ^ value) & enables;
    const u32 asked = changed | (value & command::one_shot);

    if (pending_)
        misuse.push_back("a command while another one is not complete");
    if (asked & (asked - 1))
        misuse.push_back("two commands at once");
    if (value & command::srtp) {
        const bool same_mode =
            rtaddr::ttm.in(rtaddr_) == rtaddr::ttm.in(roots_.empty() ? rtaddr_ : *roots_.begin());
        if (translates() && !same_mode)
            misuse.push_back("the mode of the tables changes while translation is on"); // 11.4.5
        roots_.insert(rtaddr_);
        status_ &= ~command::srtp;
    }
    pending_ = asked;
    wanted_ = value;
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
        status_ |= command::sirtp;
    } else {
        status_ = (status_ & ~now) | (wanted_ & now);
    }
}

void Unit::context_command(u64 value) {
    if (status_ & command::qie)
        misuse.push_back("a register-based invalidation while the queue is on");
    ccmd_ = value;
    if (!(value & ccmd_go))
        return;
    memory_.drain();
    const Did did{static_cast<u16>(ccmd_did.in(value))};
    switch (ccmd_granularity.in(value)) {
    case global:
        return caches_.forget_contexts();
    case domain:
        return caches_.forget_contexts(did, scalable());
    case narrow:
        return caches_.forget_contexts(did, Rid{static_cast<u16>(ccmd_sid.in(value))},
                                       static_cast<unsigned>(ccmd_fm.in(value)), scalable());
    default:
        misuse.push_back("a context-cache invalidation of nothing");
    }
}

void Unit::iotlb_command(u64 value) {
    if (status_ & command::qie)
        misuse.push_back("a register-based invalidation while the queue is on");
    iotlb_ = value;
    if (!(value & iotlb_go))
        return;
    memory_.drain();
    const Did did{static_cast<u16>(iotlb_did.in(value))};
    switch (iotlb_granularity.in(value)) {
    case global:
        return caches_.forget_pages();
    case domain:
        return caches_.forget_pages(did);
    case narrow:
        return caches_.forget_pages(did, {iva_ & ~(page_size - 1)},
                                    static_cast<unsigned>(iva_order.in(iva_)), iva_ & iva_hint);
    default:
        misuse.push_back("an IOTLB invalidation of nothing");
    }
}

// 6.5.2.10: an error stops the queue until software clears it.
void Unit::run_queue() {
    if (!(status_ & command::qie) || !queue_moves)
        return;
    const u32 size = 16U << (iqa_ & bit(11) ? 1 : 0);
    const u32 bytes = static_cast<u32>(page_size) << (iqa_ & 7);
    while (iqh_ != iqt_ && !(fsts_ & (fault_status::iqe | fault_status::ite))) {
        if (!descriptor(Hpa{iqa_ & ~(page_size - 1)} + iqh_)) {
            fsts_ |= fault_status::iqe;
            return;
        }
        moves_++;
        iqh_ = (iqh_ + size) % bytes;
    }
}

bool Unit::descriptor(Hpa at) {
    // Software has flushed what it wrote, or the unit reads something else: the oldest value.
    const auto low = memory_.seen(at, capabilities_);
    const auto high = memory_.seen(at + sizeof(u64), capabilities_);
    if (low.empty() || high.empty())
        return false;
    const std::array<u64, 2> words{low.back(), high.back()};
    const Did did{static_cast<u16>(did_16.of(words))};
    const Rid rid{static_cast<u16>(sid_32.of(words))};
    const Iova address{words[1] & ~(page_size - 1)};

    memory_.drain();
    switch (type.of(words)) {
    case context_cache:
        switch (granularity.of(words)) {
        case global:
            caches_.forget_contexts();
            return true;
        case domain:
            caches_.forget_contexts(did, scalable());
            return true;
        case narrow:
            caches_.forget_contexts(did, rid, static_cast<unsigned>(fm_48.of(words)), scalable());
            return true;
        default:
            return false;
        }
    case iotlb:
        switch (granularity.of(words)) {
        case global:
            caches_.forget_pages();
            return true;
        case domain:
            caches_.forget_pages(did);
            return true;
        case narrow:
            caches_.forget_pages(did, address, static_cast<unsigned>(order_1.of(words)),
                                 words[1] & bit(6));
            return true;
        default:
            return false;
        }
    case pasid_cache:
        switch (granularity.of(words)) {
        case 0: // domain-selective
            caches_.forget_pasids(did);
            return true;
        case 1: // PASID-selective
            caches_.forget_pasids(did, Pasid{static_cast<u32>(pasid_32.of(words))});
            return true;
        case 3: // global
            caches_.forget_pasids();
            return true;
        default:
            return false;
        }
    case pasid_iotlb:
        caches_.forget_pages(did, Pasid{static_cast<u32>(pasid_32.of(words))});
        return true;
    case device_tlb: {
        // 6.5.2.5, S: the lowest zero bit of the address tells the size.
        const u64 frame = words[1] >> page_bits;
        const u64 pages = words[1] & 1 ? (~frame & (frame + 1)) << 1 : 1;
        const u64 size = pages ? pages << page_bits : 0;
        if (!size) {
            caches_.forget_device(rid);
            return true;
        }
        caches_.forget_device(rid, {}, {address.value & ~(size - 1)}, size);
        return true;
    }
    case interrupt:
        return true;
    case wait:
        if (words[0] & wait_writes)
            memory_.store({words[1] & ~u64{3} & ~u64{4}},
                          words[0] >> 32); // hardware's own write: INTACT does not speak of it
        return true;
    default:
        return false;
    }
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

void Unit::record(const Request& request, Fault fault) {
    if (!fault.recorded)
        return;
    if (fsts_ & fault_status::pfo)
        return;
    FaultRecord& record = faults_[next_fault_];
    if (record.high & bit(63)) {
        fsts_ |= fault_status::pfo;
        return;
    }
    record.low = request.iova.value & ~(page_size - 1);
    record.high = bit(63) | u64{request.access != Access::write} << 62 |
                  u64{static_cast<u8>(fault.reason)} << 32 | request.rid.value;
    fsts_ |= fault_status::ppf;
    next_fault_ = (next_fault_ + 1) % capabilities_.fault_records();
}

} // namespace vtd::model
