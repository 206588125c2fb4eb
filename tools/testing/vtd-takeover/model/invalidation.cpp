// SPDX-License-Identifier: GPL-2.0-only
//
// See invalidation.h.

#include "model/invalidation.h"

#include <algorithm>

namespace vtd::model {

namespace {

constexpr u64 go = u64{1} << 63;

// 11.4, CCMD_REG and IOTLB_REG: the granularity that is asked for, and the one that was carried
// out.
constexpr Field ccmd_granularity{0, 62, 61}, ccmd_actual{0, 60, 59}, ccmd_fm{0, 33, 32},
    ccmd_sid{0, 31, 16}, ccmd_did{0, 15, 0};
constexpr Field iotlb_granularity{0, 61, 60}, iotlb_actual{0, 58, 57}, iotlb_did{0, 47, 32};
constexpr Field iva_order{0, 5, 0}, iva_hint{0, 6, 6};
enum Granularity : unsigned { none = 0, global = 1, domain = 2, narrow = 3 };
// 6.5.2.2, 6.5.2.4
enum PasidGranularity : unsigned { of_domain = 0, of_pasid = 1, of_all = 3 };
enum PasidPages : unsigned { pasid_all = 2, pasid_pages = 3 };

constexpr u64 set(u64 word, Field field, u64 value) {
    return (word & ~field.mask()) | field.make(value);
}

constexpr u64 mask(std::initializer_list<Field> fields) {
    u64 all = 0;
    for (const Field field : fields)
        all |= field.mask();
    return all;
}

constexpr u64 types = mask({descriptor::type, descriptor::type_high});

u32 word32(u64 bits) { return static_cast<u32>(bits); }

} // namespace

// Registers --------------------------------------------------------------------------------------

void Invalidation::refuse_registers() {
    if (on_)
        around_.misuse.emplace_back("a register-based invalidation while the queue is on");
    else if (around_.scalable())
        around_.misuse.emplace_back("a register-based invalidation in scalable mode"); // 6.5.1
}

void Invalidation::context_command(u64 value) {
    ccmd_ = value & ~go;
    if (!(value & go))
        return;
    refuse_registers();
    around_.memory.drain();
    const Did did{static_cast<u16>(ccmd_did.in(value))};
    const bool scalable = around_.scalable();
    switch (ccmd_granularity.in(value)) {
    case global:
        around_.caches.forget_contexts();
        break;
    case domain:
        around_.caches.forget_contexts(did, scalable);
        break;
    case narrow:
        around_.caches.forget_contexts(did, Rid{static_cast<u16>(ccmd_sid.in(value))},
                                       static_cast<unsigned>(ccmd_fm.in(value)), scalable);
        break;
    default:
        around_.misuse.emplace_back("a context-cache invalidation of nothing");
    }
    ccmd_ = set(ccmd_, ccmd_actual, ccmd_granularity.in(value));
}

// 6.5.1.2: a unit that cannot be that exact removes all of the domain.
void Invalidation::forget_pages(Did did, Iova first, unsigned order, bool leaves_only) {
    const Capabilities& can = around_.capabilities;
    if (!can.page_selective() || order > can.max_address_mask())
        around_.caches.forget_pages(did);
    else
        around_.caches.forget_pages(did, first, order, leaves_only);
}

void Invalidation::iotlb_command(u64 value) {
    iotlb_ = value & ~go;
    if (!(value & go))
        return;
    refuse_registers();
    around_.memory.drain();
    const Capabilities& can = around_.capabilities;
    const Did did{static_cast<u16>(iotlb_did.in(value))};
    const auto order = static_cast<unsigned>(iva_order.in(iva_));
    u64 actual = iotlb_granularity.in(value);
    switch (actual) {
    case global:
        around_.caches.forget_pages();
        break;
    case domain:
        around_.caches.forget_pages(did);
        break;
    case narrow:
        forget_pages(did, {iva_ & ~(page_size - 1)}, order, iva_hint.in(iva_));
        if (!can.page_selective() || order > can.max_address_mask())
            actual = domain;
        break;
    default:
        around_.misuse.emplace_back("an IOTLB invalidation of nothing");
    }
    iotlb_ = set(iotlb_, iotlb_actual, actual);
}

u64 Invalidation::error() const {
    return u64{strange_.value} << 48 | u64{late_.value} << 32 | static_cast<u64>(why_);
}

void Invalidation::tail(u64 value) {
    iqt_ = value;
    if (check_registers() == QueueError::tail)
        around_.misuse.emplace_back("the tail is beyond the queue");
    else if (check_registers() == QueueError::misaligned)
        around_.misuse.emplace_back("the tail is within a descriptor");
}

void Invalidation::queue(u64 value) {
    if (on_)
        around_.misuse.emplace_back("the queue is moved while it is on"); // 11.4, IQA_REG
    iqa_ = value;
}

// 11.4, ICS_REG: IWC is cleared by writing 1, and with it an event that could not be sent.
void Invalidation::completion(u32 written) {
    ics_ &= ~(written & 1);
    if (!ics_)
        event.withdraw();
}

// 11.4, IQH_REG: the head is 0 when the queue is switched on, and so the tail has to be.
void Invalidation::on(bool on) {
    if (on && !on_ && iqt_)
        around_.misuse.emplace_back("the queue is switched on with a tail that is not 0");
    if (!on) {
        iqh_ = 0;
        unanswered_.clear();
    }
    on_ = on;
}

void Invalidation::leave(u64 queue, u64 head, u64 tail) {
    iqa_ = queue;
    iqh_ = head;
    iqt_ = tail;
    on_ = true;
}

void Invalidation::unexpected_answer(Rid rid) {
    strange_ = rid;
    around_.faults.fail(fault_status::ice);
}

// The queue --------------------------------------------------------------------------------------

// 6.5.2.10: an error or a device that did not answer stops it until software clears that.
void Invalidation::run() {
    for (unsigned left = pace; on_ && moves && left; left--) {
        if (around_.faults.has(fault_status::iqe | fault_status::ite))
            return;
        // Late answers.
        std::erase_if(unanswered_, [this](const Unanswered& one) {
            if (!answers(one.rid))
                return false;
            one.lines();
            return true;
        });
        if (iqh_ == iqt_) {
            if (!unanswered_.empty() && patience != Patience::endless)
                give_up();
            return;
        }
        const auto error = next();
        if (!error)
            return;
        if (*error != QueueError::none) {
            why_ = *error;
            around_.faults.fail(fault_status::iqe);
            return;
        }
        iqh_ = (iqh_ + width()) % bytes();
        done++;
    }
}

void Invalidation::give_up() {
    late_ = unanswered_.front().rid;
    unanswered_.clear();
    around_.faults.fail(fault_status::ite);
}

QueueError Invalidation::check_registers() const {
    if (iqt_ >= bytes())
        return QueueError::tail;
    if (iqt_ % width())
        return QueueError::misaligned;
    return QueueError::none;
}

// Nothing, if the queue does not get on.
std::optional<QueueError> Invalidation::next() {
    const Capabilities& can = around_.capabilities;
    const bool wide = width() == 32;
    // 11.4, IQA_REG: DW is there with scalable or abort mode only, and scalable mode needs it.
    if ((wide && !can.scalable() && !can.abort_mode()) || (!wide && around_.scalable()))
        return QueueError::width;
    if (const QueueError error = check_registers(); error != QueueError::none)
        return error;

    Words words{};
    if (const QueueError error = fetch(words); error != QueueError::none)
        return error;
    const auto type = static_cast<descriptor::Type>(descriptor::type.of(words));
    if (type == descriptor::Type::wait && !unanswered_.empty()) {
        if (patience == Patience::endless)
            return {};
        give_up();
        if (patience == Patience::before_wait)
            return {};
        aborted++;
        return QueueError::none;
    }
    around_.memory.drain();
    return carry_out(words);
}

// Software has flushed what it wrote, or the unit reads something else: the oldest value.
QueueError Invalidation::fetch(Words& words) const {
    const Hpa at{(iqa_ & queue_address::address.mask()) + iqh_};
    for (std::size_t i = 0; i < width() / sizeof(u64); i++) {
        const auto seen = around_.memory.seen(at + i * sizeof(u64), around_.capabilities);
        if (seen.empty())
            return QueueError::fetch;
        words[i] = seen.back();
    }
    return QueueError::none;
}

// 6.5.2: a type that the unit has no use for is as bad as one that there is not.
QueueError Invalidation::carry_out(const Words& words) {
    using descriptor::Type;
    const Capabilities& can = around_.capabilities;
    if (descriptor::type_high.of(words))
        return QueueError::type;
    const auto type = static_cast<Type>(descriptor::type.of(words));
    if (type != Type::group_response && (words[2] || words[3]))
        return QueueError::reserved;
    switch (type) {
    case Type::context_cache:
        return context_cache(words);
    case Type::iotlb:
        return iotlb(words);
    case Type::device_tlb:
        return can.device_tlb() ? device_tlb(words) : QueueError::type;
    case Type::interrupt:
        return can.remaps_interrupts() ? interrupt(words) : QueueError::type;
    case Type::wait:
        return wait(words);
    case Type::pasid_iotlb:
        return can.scalable() ? pasid_iotlb(words) : QueueError::type;
    case Type::pasid_cache:
        return can.scalable() ? pasid_cache(words) : QueueError::type;
    case Type::pasid_device_tlb:
        return can.scalable() && can.device_tlb() ? pasid_device_tlb(words) : QueueError::type;
    case Type::group_response:
        return can.page_requests() ? group_response(words) : QueueError::type;
    }
    return QueueError::type;
}

QueueError Invalidation::context_cache(const Words& words) {
    using namespace descriptor;
    if (words[0] & ~mask({granularity, descriptor::did, sid, fm}) & ~types || words[1])
        return QueueError::reserved;
    const Did domain_id{static_cast<u16>(descriptor::did.of(words))};
    switch (granularity.of(words)) {
    case global:
        around_.caches.forget_contexts();
        return QueueError::none;
    case domain:
        around_.caches.forget_contexts(domain_id, around_.scalable());
        return QueueError::none;
    case narrow:
        around_.caches.forget_contexts(domain_id, Rid{static_cast<u16>(sid.of(words))},
                                       static_cast<unsigned>(fm.of(words)), around_.scalable());
        return QueueError::none;
    default:
        return QueueError::reserved;
    }
}

QueueError Invalidation::iotlb(const Words& words) {
    using namespace descriptor;
    constexpr Field drains{0, 7, 6};
    if (words[0] & ~mask({granularity, drains, descriptor::did}) & ~types ||
        words[1] & ~mask({order, hint, address}))
        return QueueError::reserved;
    const Did domain_id{static_cast<u16>(descriptor::did.of(words))};
    switch (granularity.of(words)) {
    case global:
        around_.caches.forget_pages();
        return QueueError::none;
    case domain:
        around_.caches.forget_pages(domain_id);
        return QueueError::none;
    case narrow:
        if (around_.capabilities.page_selective() &&
            order.of(words) > around_.capabilities.max_address_mask())
            return QueueError::reserved;
        forget_pages(domain_id, {words[1] & address.mask()}, static_cast<unsigned>(order.of(words)),
                     hint.of(words));
        return QueueError::none;
    default:
        return QueueError::reserved;
    }
}

// 6.5.2.4: translations that went through a first stage.
QueueError Invalidation::pasid_iotlb(const Words& words) {
    using namespace descriptor;
    if (words[0] & ~mask({granularity, descriptor::did, descriptor::pasid}) & ~types)
        return QueueError::reserved;
    const Did domain_id{static_cast<u16>(descriptor::did.of(words))};
    const Pasid of{static_cast<u32>(descriptor::pasid.of(words))};
    switch (granularity.of(words)) {
    case pasid_all:
        if (words[1])
            return QueueError::reserved;
        around_.caches.forget_pages(domain_id, of);
        return QueueError::none;
    case pasid_pages:
        if (words[1] & ~mask({order, hint, address}))
            return QueueError::reserved;
        if (!around_.capabilities.page_selective()) {
            around_.caches.forget_pages(domain_id, of);
            return QueueError::none;
        }
        if (order.of(words) > around_.capabilities.max_address_mask())
            return QueueError::reserved;
        around_.caches.forget_pages(domain_id, of, {words[1] & address.mask()},
                                    static_cast<unsigned>(order.of(words)), hint.of(words));
        return QueueError::none;
    default:
        return QueueError::reserved;
    }
}

QueueError Invalidation::pasid_cache(const Words& words) {
    using namespace descriptor;
    if (words[0] & ~mask({granularity, descriptor::did, descriptor::pasid}) & ~types || words[1])
        return QueueError::reserved;
    const Did domain_id{static_cast<u16>(descriptor::did.of(words))};
    switch (granularity.of(words)) {
    case of_domain:
        around_.caches.forget_pasids(domain_id);
        return QueueError::none;
    case of_pasid:
        around_.caches.forget_pasids(domain_id,
                                     Pasid{static_cast<u32>(descriptor::pasid.of(words))});
        return QueueError::none;
    case of_all:
        around_.caches.forget_pasids();
        return QueueError::none;
    default:
        return QueueError::reserved;
    }
}

namespace {

struct Extent {
    Iova first;
    u64 size; // 0: everything
};

// 6.5.2.5, S: the lowest zero bit of the address tells the size.
Extent extent(u64 word, bool sized) {
    const u64 frame = word >> page_bits;
    const u64 pages = sized ? (~frame & (frame + 1)) << 1 : 1;
    const u64 size = pages << page_bits;
    return {{word & ~(page_size - 1) & ~(size - 1)}, size};
}

} // namespace

void Invalidation::forget_device(Rid rid, const std::function<void()>& lines) {
    if (answers(rid))
        lines();
    else
        unanswered_.push_back({rid, lines});
}

QueueError Invalidation::device_tlb(const Words& words) {
    using namespace descriptor;
    constexpr Field function_low{0, 15, 12}, pending{0, 20, 16}, function_high{0, 63, 52};
    if (words[0] & ~mask({function_low, pending, sid, function_high}) & ~types ||
        words[1] & ~mask({sized, address}))
        return QueueError::reserved;
    const Rid rid{static_cast<u16>(sid.of(words))};
    const Extent what = extent(words[1], sized.of(words));
    forget_device(
        rid, [this, rid, what] { around_.caches.forget_device(rid, {}, what.first, what.size); });
    return QueueError::none;
}

QueueError Invalidation::pasid_device_tlb(const Words& words) {
    using namespace descriptor;
    constexpr Field pending{0, 8, 4}, function_low{0, 15, 12}, function_high{0, 63, 52};
    if (words[0] & ~mask({pending, function_low, pasid_sid, descriptor::pasid, function_high}) &
            ~types ||
        words[1] & ~mask({all_pasids, pasid_sized, address}))
        return QueueError::reserved;
    const Rid rid{static_cast<u16>(pasid_sid.of(words))};
    const Pasid of{static_cast<u32>(descriptor::pasid.of(words))};
    const Extent what = extent(words[1], pasid_sized.of(words));
    const bool all = all_pasids.of(words);
    forget_device(rid, [this, rid, of, what, all] {
        if (all)
            around_.caches.forget_device_pasids(rid, what.first, what.size);
        else
            around_.caches.forget_device(rid, of, what.first, what.size);
    });
    return QueueError::none;
}

QueueError Invalidation::interrupt(const Words& words) {
    using namespace descriptor;
    if (words[0] & ~mask({index_selective, index_order, index}) & ~types || words[1])
        return QueueError::reserved;
    if (!index_selective.of(words)) {
        around_.caches.forget_interrupts();
        return QueueError::none;
    }
    if (index_order.of(words) > around_.capabilities.max_handle_mask())
        return QueueError::reserved;
    around_.caches.forget_interrupts({static_cast<u32>(index.of(words))},
                                     static_cast<unsigned>(index_order.of(words)));
    return QueueError::none;
}

// 6.5.2.8: what comes before it has been carried out: the queue is in order here, so that the
// fence flag has nothing to do. 7.10: the drain of page requests is reserved without ECAP.PDS.
QueueError Invalidation::wait(const Words& words) {
    using namespace descriptor;
    if (words[0] & ~mask({interrupts, writes, fence, drain, status_data}) & ~types ||
        words[1] & ~status_address.mask() ||
        (drain.of(words) && !around_.capabilities.drains_pages()))
        return QueueError::reserved;
    if (drain.of(words))
        around_.pages.arrive();
    if (writes.of(words) &&
        !around_.memory.store_half({words[1]}, word32(status_data.of(words)), Writer::wait_status))
        around_.misuse.emplace_back("the status of a wait goes where there is no memory");
    if (interrupts.of(words) && !ics_) {
        ics_ = 1;
        event.raise();
    }
    return QueueError::none;
}

QueueError Invalidation::group_response(const Words& words) {
    using namespace descriptor;
    constexpr Field last{1, 2, 2};
    if (words[0] & ~mask({response_pasid, response_code, response_rid, descriptor::pasid}) &
            ~types ||
        words[1] & ~mask({last, response_group}) || words[2] || words[3])
        return QueueError::reserved;
    GroupResponse response{.rid = {static_cast<u16>(response_rid.of(words))},
                           .group = static_cast<u16>(response_group.of(words)),
                           .code = static_cast<Response>(response_code.of(words))};
    if (response_pasid.of(words))
        response.pasid = Pasid{static_cast<u32>(descriptor::pasid.of(words))};
    around_.pages.respond(response);
    return QueueError::none;
}

} // namespace vtd::model
