// SPDX-License-Identifier: GPL-2.0-only
//
// See interrupts.h. Where the specification calls an encoding reserved, and not a field, as two of
// the delivery modes, the interrupt is delivered: software has to expect that.

#include "model/interrupts.h"

#include <algorithm>

namespace vtd::model {

namespace {

using Entry = std::array<u64, irte::words>;

u32 to_u32(u64 bits) { return static_cast<u32>(bits); }

// 9.10, SVT and SQ: whose interrupt an entry takes.
bool from_whom(const Entry& entry, Rid rid) {
    const auto sid = static_cast<u16>(irte::sid.of(entry));
    switch (static_cast<irte::Svt>(irte::svt.of(entry))) {
    case irte::Svt::none:
        return true;
    case irte::Svt::requester: {
        // Function numbers: all bits count, or not the third, not the upper two, none.
        constexpr u16 left_out[] = {0, 4, 6, 7};
        const u16 mask = static_cast<u16>(~left_out[irte::sq.of(entry)]);
        return (rid.value & mask) == (sid & mask);
    }
    case irte::Svt::buses:
        return rid.bus() >= sid >> 8 && rid.bus() <= (sid & 0xff);
    case irte::Svt::reserved:
        break;
    }
    return false;
}

class Remapping {
public:
    Remapping(InterruptMoment& moment, const InterruptRequest& request, ExploredInterrupt& found)
        : moment_(moment), request_(request), found_(found) {}

    void run() {
        for (const InterruptMode& mode : moment_.modes)
            for (const u64 table : moment_.tables)
                run(mode, table);
    }

private:
    // 5.1.4
    void run(const InterruptMode& mode, u64 table) {
        x2apic_ = moment_.capabilities.x2apic() && irta::eime.in(table);
        if (!mode.remaps) {
            outcome(PassedInterrupt{request_.address, request_.data});
            return;
        }
        if (!interrupt_address::remappable.in(request_.address)) {
            if (x2apic_ || !mode.compatible)
                refuse(Reason::interrupt_compatibility);
            else
                outcome(PassedInterrupt{request_.address, request_.data});
            return;
        }

        const bool sub = interrupt_address::subhandle_valid.in(request_.address);
        if (sub && interrupt_data::reserved.in(request_.data)) {
            refuse(Reason::interrupt_reserved);
            return;
        }
        index_.value = to_u32(interrupt_address::handle.in(request_.address) |
                              interrupt_address::handle_15.in(request_.address) << 15);
        if (sub)
            index_.value += to_u32(interrupt_data::subhandle.in(request_.data));
        if (index_.value >= irta::entries(table)) {
            refuse(Reason::interrupt_beyond_table);
            return;
        }
        for (auto line = moment_.caches.interrupts.lower_bound({index_, {}});
             line != moment_.caches.interrupts.end() && line->index == index_; ++line)
            by(line->words);
        fetch(table);
    }

    // Each word may be one of several.
    void fetch(u64 table) {
        const Hpa at{(table & irta::address.mask()) + index_.value * sizeof(Entry)};
        const Hpa high_at = at + sizeof(u64);
        if (at.value >> moment_.capabilities.host_width) {
            refuse(Reason::interrupt_beyond_table);
            return;
        }
        found_.read.push_back(at);
        found_.read.push_back(high_at);
        const auto lows = moment_.memory.seen(at, moment_.capabilities);
        const auto highs = moment_.memory.seen(high_at, moment_.capabilities);
        if (lows.empty() || highs.empty()) {
            refuse(Reason::interrupt_access);
            return;
        }
        for (const u64 low : lows)
            for (const u64 high : highs) {
                const Entry entry{low, high};
                // 6.1: what faults is cached by units in caching mode only.
                if (!flaw(entry) || moment_.capabilities.caching_mode())
                    moment_.caches.interrupts.insert({index_, entry});
                by(entry);
            }
    }

    // 9.10, 9.11
    std::optional<Reason> flaw(const Entry& entry) const {
        if (!present.of(entry))
            return Reason::interrupt_not_present;
        const auto any = [&](std::initializer_list<Field> fields) {
            return std::ranges::any_of(fields, [&](const Field& field) { return field.of(entry); });
        };
        bool reserved;
        if (irte::posted.of(entry))
            reserved = !moment_.capabilities.posts() ||
                       any({posted_irte::reserved_2, posted_irte::reserved_12,
                            posted_irte::reserved_24, posted_irte::reserved_1});
        else
            reserved = any({irte::reserved_12, irte::reserved_24, irte::reserved_1}) ||
                       (!x2apic_ && any({irte::reserved_32_xapic, irte::reserved_48_xapic}));
        return reserved ? std::optional{Reason::interrupt_entry_reserved} : std::nullopt;
    }

    // 7.2.1: FPD counts in an entry that is not present, too.
    void by(const Entry& entry) {
        const bool silent = fault_disable.of(entry);
        if (const auto reason = flaw(entry)) {
            refuse(*reason, silent);
            return;
        }
        if (!from_whom(entry, request_.rid)) {
            refuse(Reason::interrupt_source, silent);
            return;
        }
        if (irte::posted.of(entry)) {
            by_posting(entry, silent);
            return;
        }
        const Field& where = x2apic_ ? irte::destination : irte::destination_xapic;
        outcome(RemappedInterrupt{
            .destination = to_u32(where.of(entry)),
            .vector = static_cast<u8>(irte::vector.of(entry)),
            .delivery = static_cast<irte::Delivery>(irte::delivery.of(entry)),
            .logical = irte::logical.of(entry) != 0,
            .level = irte::level.of(entry) != 0,
            .redirection = irte::redirection.of(entry) != 0,
        });
    }

    // 5.2.3: the descriptor is read and written in one go, past whatever is not coherent.
    void by_posting(const Entry& entry, bool silent) {
        const Hpa at{posted_irte::address_high.of(entry) << 32 |
                     posted_irte::address_low.of(entry) << posted_irte::address_low_shift};
        const Hpa control = at + posted_descriptor::control;
        found_.read.push_back(control);
        Capabilities coherent = moment_.capabilities;
        coherent.ecap |= 1;
        const auto words = moment_.memory.seen(control, coherent);
        if (words.empty()) {
            refuse(Reason::posted_access, silent);
            return;
        }
        for (const u64 word : words) {
            if (posted_descriptor::reserved_2.in(word) || posted_descriptor::reserved_24.in(word))
                refuse(Reason::posted_reserved, silent);
            else
                outcome(PostedInterrupt{at, static_cast<u8>(irte::vector.of(entry)),
                                        posted_irte::urgent.of(entry) != 0});
        }
    }

    void refuse(Reason reason, bool silent = false) {
        outcome(InterruptFault{reason, !silent, index_});
    }
    void outcome(const InterruptOutcome& what) { found_.outcomes.insert(what); }

    InterruptMoment& moment_;
    const InterruptRequest& request_;
    ExploredInterrupt& found_;
    IrteIndex index_{};
    bool x2apic_ = false;
};

} // namespace

InterruptRequest InterruptRequest::remappable(Rid rid, IrteIndex index) {
    const u64 address = interrupt_address::range.make(interrupt_address::here) |
                        interrupt_address::remappable.mask() |
                        interrupt_address::handle.make(index.value & 0x7fff) |
                        interrupt_address::handle_15.make(index.value >> 15);
    return {rid, to_u32(address), 0};
}

InterruptRequest InterruptRequest::remappable(Rid rid, IrteIndex index, u16 sub) {
    InterruptRequest request = remappable(rid, index);
    request.address |= to_u32(interrupt_address::subhandle_valid.mask());
    request.data = sub;
    return request;
}

InterruptRequest InterruptRequest::compatible(Rid rid, u8 destination, u8 vector) {
    const u64 address = interrupt_address::range.make(interrupt_address::here) | u64{destination}
                                                                                     << 12;
    return {rid, to_u32(address), vector};
}

// What is fetched for one table may be used for another: until nothing new is cached.
ExploredInterrupt explore(InterruptMoment& moment, const InterruptRequest& request) {
    ExploredInterrupt found;
    std::size_t before;
    do {
        before = moment.caches.interrupts.size();
        Remapping(moment, request, found).run();
    } while (moment.caches.interrupts.size() != before);
    in_order(found.read);
    return found;
}

// 5.2.3: the vector joins the requests. A processor that has not been told yet is told, unless
// that is suppressed and the interrupt does not urge.
std::optional<Notification> post(Memory& memory, const PostedInterrupt& interrupt, bool x2apic) {
    const Hpa at = interrupt.descriptor + interrupt.vector / 64 * sizeof(u64);
    memory.store(at, memory.load(at) | u64{1} << interrupt.vector % 64, Writer::posted_interrupt);

    const Hpa control_at = interrupt.descriptor + posted_descriptor::control;
    const u64 control = memory.load(control_at);
    if (posted_descriptor::outstanding.in(control) ||
        (posted_descriptor::suppress.in(control) && !interrupt.urgent))
        return {};
    memory.store(control_at, control | posted_descriptor::outstanding.mask(),
                 Writer::posted_interrupt);
    const Field& where =
        x2apic ? posted_descriptor::destination : posted_descriptor::destination_xapic;
    return Notification{to_u32(where.in(control)),
                        static_cast<u8>(posted_descriptor::vector.in(control))};
}

} // namespace vtd::model
