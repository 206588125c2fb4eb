// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 3: from the root table to the entry that says how a request is translated. The page
// tables behind it are paging.cpp's.

#include "model/translation.h"

#include "model/paging.h"

namespace vtd::model {

namespace {

constexpr Did no_did{};

u64 above(const Capabilities& capabilities) { return ~u64{0} << capabilities.host_width; }

// 3.14: no page is there; what gets there is an interrupt.
bool is_interrupt_address(Hpa address) { return address.value >> 20 == 0xfee; }

class Walk {
public:
    Walk(const Hardware& unit, const Request& request, Source& source)
        : unit_(unit), can_(unit.capabilities), request_(request), source_(source) {}

    Destination entries() {
        switch (static_cast<rtaddr::Ttm>(rtaddr::ttm.in(unit_.rtaddr))) {
        case rtaddr::Ttm::legacy:
            return request_.pasid ? refuse(Reason::rtaddr_ttm_pasid) : legacy();
        case rtaddr::Ttm::scalable:
            return can_.scalable() ? scalable() : refuse(Reason::rtaddr_invalid);
        default:
            return refuse(Reason::rtaddr_invalid);
        }
    }

    Outcome run() {
        const Destination found = entries();
        if (const auto* fault = std::get_if<Fault>(&found))
            return *fault;
        if (const auto* pass = std::get_if<PassThrough>(&found))
            return request_.kind == Kind::page_request ? let_through() : untranslated(pass->did);
        const Paging paging{can_, scalable_mode() ? Mode::scalable : Mode::legacy, request_.access,
                            source_};
        if (const auto* second = std::get_if<SecondStage>(&found))
            return finish(second_stage_walk(paging, *second, request_.iova));
        return finish(first_stage_walk(paging, std::get<FirstStage>(found), request_.iova));
    }

private:
    bool scalable_mode() const {
        return rtaddr::ttm.in(unit_.rtaddr) == static_cast<u64>(rtaddr::Ttm::scalable);
    }

    // 7.2.1: from the entry on in which FPD is set, nothing is recorded, but for entries that are
    // not to be believed: reserved bits in a context entry are no qualified fault.
    Fault refuse(Reason reason) const {
        const bool qualified =
            reason != Reason::context_reserved && reason != Reason::sm_context_reserved;
        return Fault{reason, !silent_ || !qualified};
    }

    template <std::size_t n> std::optional<std::array<u64, n>> fetch(Table table, Hpa at) {
        std::array<u64, n> words{};
        for (std::size_t i = 0; i < n; i++) {
            const auto word = source_.word(table, at + i * sizeof(u64));
            if (!word)
                return {};
            words[i] = *word;
        }
        source_.step(table, at, words);
        return words;
    }

    // 9.1, 9.3
    Destination legacy() {
        if (const auto known = source_.cached(request_.rid))
            return legacy(*known, false);

        const Hpa at{rtaddr::address.make(rtaddr::address.in(unit_.rtaddr)) +
                     request_.rid.bus() * root::words * sizeof(u64)};
        const auto entry = fetch<root::words>(Table::root, at);
        if (!entry)
            return refuse(Reason::root_access);
        if (!present.of(*entry))
            return refuse(Reason::root_not_present);
        if (root::reserved.of(*entry) || (*entry)[0] & above(can_) || (*entry)[1])
            return refuse(Reason::root_reserved);

        const Hpa where{root::ctp.mask() & (*entry)[0]};
        const auto words = fetch<context::words>(
            Table::context, where + request_.rid.devfn() * context::words * sizeof(u64));
        if (!words)
            return refuse(Reason::context_access);
        return legacy({{(*words)[0], (*words)[1]}}, true);
    }

    std::optional<Reason> flaw_legacy(std::span<const u64> words) const {
        using context::Tt;
        if (!present.of(words))
            return Reason::context_not_present;
        if (context::reserved_0.of(words) || context::reserved_1.of(words) ||
            context::reserved_7.of(words) || words[0] & above(can_))
            return Reason::context_reserved;
        const auto tt = static_cast<Tt>(context::tt.of(words));
        const auto aw = static_cast<unsigned>(context::aw.of(words));
        if (tt == Tt::reserved || (tt == Tt::all && !can_.device_tlb()) ||
            (tt == Tt::pass_through && !can_.pass_through()) || aw > 3 || !can_.walks(aw))
            return Reason::context_invalid;
        return {};
    }

    Destination legacy(const ContextEntry& entry, bool fetched) {
        using context::Tt;
        const std::span words{entry.words};
        const auto flaw = flaw_legacy(words);
        const Did did{static_cast<u16>(context::did.of(words))};

        silent_ = fault_disable.of(words);
        if (fetched && remembers(flaw))
            source_.keep(request_.rid, flaw ? no_did : did, entry);
        if (flaw)
            return refuse(*flaw);

        const auto tt = static_cast<Tt>(context::tt.of(words));
        // Legacy mode knows no page requests (7.4).
        if ((request_.kind != Kind::untranslated && tt != Tt::all) ||
            request_.kind == Kind::page_request)
            return refuse(Reason::context_blocks_at);
        if (request_.kind == Kind::translated || tt == Tt::pass_through)
            return PassThrough{did};

        const Hpa top{words[0] & context::ssptptr.mask()};
        const auto levels = static_cast<unsigned>(context::aw.of(words)) + aw_levels;
        return SecondStage{{did, {}, Table::second_stage}, top, levels, false};
    }

    // 9.2, 9.4
    Destination scalable() {
        if (const auto known = source_.cached(request_.rid))
            return scalable(*known, false);

        const Hpa at{rtaddr::address.make(rtaddr::address.in(unit_.rtaddr)) +
                     request_.rid.bus() * root::words * sizeof(u64)};
        const auto entry = fetch<1>(Table::root, at + (request_.rid.devfn() >> 7) * sizeof(u64));
        if (!entry)
            return refuse(Reason::sm_root_access);
        if (!present.of(*entry))
            return refuse(Reason::sm_root_not_present);
        if (root::reserved.of(*entry) || (*entry)[0] & above(can_))
            return refuse(Reason::sm_root_reserved);

        const Hpa where{root::ctp.mask() & (*entry)[0]};
        const auto words =
            fetch<sm_context::words>(Table::context, where + (request_.rid.devfn() & 0x7f) *
                                                                 sm_context::words * sizeof(u64));
        if (!words)
            return refuse(Reason::sm_context_access);
        return scalable({*words}, true);
    }

    std::optional<Reason> flaw_scalable(std::span<const u64> words) const {
        if (!present.of(words))
            return Reason::sm_context_not_present;
        if (sm_context::reserved_0.of(words) || sm_context::reserved_1.of(words) || words[2] ||
            words[3] || words[0] & above(can_))
            return Reason::sm_context_reserved;
        if ((sm_context::dte.of(words) && !can_.device_tlb()) ||
            (sm_context::paside.of(words) && !can_.pasid()) ||
            (sm_context::pre.of(words) && !can_.page_requests()))
            return Reason::sm_context_invalid;
        return {};
    }

    Destination scalable(const ContextEntry& entry, bool fetched) {
        const std::span words{entry.words};
        const auto flaw = flaw_scalable(words);

        silent_ = fault_disable.of(words);
        if (fetched && remembers(flaw))
            source_.keep(request_.rid, no_did, entry);
        if (flaw)
            return refuse(*flaw);
        const bool page_request = request_.kind == Kind::page_request;
        if (request_.kind != Kind::untranslated && !page_request && !sm_context::dte.of(words))
            return refuse(Reason::sm_no_dte);
        if (request_.pasid && !sm_context::paside.of(words))
            return refuse(Reason::sm_no_paside);
        if (page_request)
            return sm_context::pre.of(words) ? Destination{PassThrough{no_did}}
                                             : refuse(Reason::sm_no_pre);
        if (request_.kind == Kind::translated)
            return PassThrough{no_did};

        const Pasid rid_pasid{can_.rid_pasid() ? static_cast<u32>(sm_context::rid_pasid.of(words))
                                               : 0};
        pasid_ = request_.pasid.value_or(rid_pasid);
        privileged_ = request_.pasid ? request_.privileged
                                     : can_.supervisor() && sm_context::rid_priv.of(words);
        return directory(words);
    }

    // 9.5
    Destination directory(std::span<const u64> context) {
        const u64 entries = u64{1} << (7 + sm_context::pdts.of(context));
        const u64 index = pasid_.value / pasid_entry::per_table;
        if (index >= entries)
            return refuse(request_.pasid ? Reason::sm_pasid_too_large : Reason::sm_rid_pasid);
        if (const auto known = source_.cached(request_.rid, pasid_))
            return pasid(*known, false);

        const Hpa at{(context[0] & sm_context::pasiddirptr.mask()) + index * sizeof(u64)};
        const auto entry = fetch<1>(Table::pasid_directory, at);
        if (!entry)
            return refuse(Reason::pasid_directory_access);
        silent_ = silent_ || fault_disable.of(*entry);
        if (!present.of(*entry))
            return refuse(Reason::pasid_directory_not_present);
        if (pasid_directory::reserved.of(*entry) || (*entry)[0] & above(can_))
            return refuse(Reason::pasid_directory_reserved);

        const Hpa where{(*entry)[0] & pasid_directory::smptblptr.mask()};
        const u64 slot = pasid_.value % pasid_entry::per_table;
        const auto words = fetch<pasid_entry::words>(
            Table::pasid_table, where + slot * pasid_entry::words * sizeof(u64));
        if (!words)
            return refuse(Reason::pasid_access);
        return pasid({*words}, true);
    }

    // 9.6
    std::optional<Reason> flaw_pasid(std::span<const u64> words) const {
        using pasid_entry::Pgtt;
        if (!present.of(words))
            return Reason::pasid_not_present;
        if (words[0] & above(can_) || words[4] || words[5] || words[6] || words[7])
            return Reason::pasid_reserved;
        const auto pgtt = static_cast<Pgtt>(pasid_entry::pgtt.of(words));
        const auto aw = static_cast<unsigned>(pasid_entry::aw.of(words));
        const auto fspm = pasid_entry::fspm.of(words);
        const bool first = pgtt == Pgtt::first || pgtt == Pgtt::nested;
        const bool second = pgtt == Pgtt::second || pgtt == Pgtt::nested;
        if ((!first && !second && pgtt != Pgtt::pass_through) || (first && !can_.first_stage()) ||
            (second && (!can_.second_stage() || aw > 3 || !can_.walks(aw))) ||
            (first && second && !can_.nested()) ||
            (pgtt == Pgtt::pass_through && !can_.pass_through()) ||
            (first && (fspm > 1 || (fspm == 1 && !can_.first_5_levels()))))
            return Reason::pasid_invalid;
        return {};
    }

    Destination pasid(const PasidEntry& entry, bool fetched) {
        using pasid_entry::Pgtt;
        const std::span words{entry.words};
        const auto flaw = flaw_pasid(words);
        const Did did{static_cast<u16>(pasid_entry::did.of(words))};

        silent_ = silent_ || fault_disable.of(words);
        if (fetched && remembers(flaw))
            source_.keep(request_.rid, pasid_, flaw ? no_did : did, entry);
        if (flaw)
            return refuse(*flaw);

        const auto pgtt = static_cast<Pgtt>(pasid_entry::pgtt.of(words));
        const auto levels = static_cast<unsigned>(pasid_entry::aw.of(words)) + aw_levels;
        const bool first = pgtt == Pgtt::first || pgtt == Pgtt::nested;
        if (privileged_ && first && !pasid_entry::sre.of(words))
            return refuse(Reason::pasid_no_sre);

        if (pgtt == Pgtt::pass_through)
            return PassThrough{did};

        const SecondStage second{.tag = {did, {}, Table::second_stage},
                                 .top = {words[0] & pasid_entry::ssptptr.mask()},
                                 .levels = levels,
                                 .marks = can_.marks_second() && pasid_entry::ssade.of(words)};
        if (pgtt == Pgtt::second)
            return second;

        return FirstStage{
            .tag = {did, pasid_, Table::first_stage},
            .top = {words[2] & pasid_entry::fsptptr.mask()},
            .levels = pasid_entry::fspm.of(words) ? 5U : 4U,
            .privileged = privileged_,
            .write_protect = pasid_entry::wpe.of(words) != 0,
            .second = pgtt == Pgtt::nested ? std::optional{second} : std::nullopt,
        };
    }

    // 6.1: no cache holds what made a request fault, but for those of a unit in caching mode,
    // which know it by domain id 0.
    bool remembers(std::optional<Reason> flaw) const { return !flaw || can_.caching_mode(); }

    // A page request: software will look at the address.
    Outcome let_through() const {
        return Translation{
            {request_.iova.value & ~(page_size - 1)}, page_bits, false, false, no_did, true};
    }

    // A request that is passed on as it is.
    Outcome untranslated(Did did) const {
        const Hpa address{request_.iova.value};
        if (address.value & above(can_))
            return refuse(scalable_mode() ? Reason::sm_beyond_width : Reason::beyond_width);
        if (is_interrupt_address(address) && request_.kind != Kind::translated)
            return refuse(no_interrupt());
        return Translation{{address.value & ~(page_size - 1)}, page_bits, true, true, did, true};
    }

    // 3.14: nor may a page lie there.
    Outcome finish(const Page& found) const {
        if (const auto* reason = std::get_if<Reason>(&found))
            return refuse(*reason);
        const auto& page = std::get<Translation>(found);
        const u64 offset = request_.iova.value & ((u64{1} << page.page_bits) - 1);
        return is_interrupt_address(page.address + offset) ? Outcome{refuse(no_interrupt())}
                                                           : Outcome{page};
    }

    Reason no_interrupt() const {
        return scalable_mode() ? Reason::sm_interrupt_address : Reason::interrupt_address;
    }

    const Hardware& unit_;
    const Capabilities& can_;
    const Request& request_;
    Source& source_;
    Pasid pasid_{};
    bool privileged_ = false;
    bool silent_ = false;
};

} // namespace

Destination destination(const Hardware& unit, const Request& request, Source& source) {
    return Walk(unit, request, source).entries();
}

Outcome translate(const Hardware& unit, const Request& request, Source& source) {
    return Walk(unit, request, source).run();
}

} // namespace vtd::model
