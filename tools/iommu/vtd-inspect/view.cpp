// SPDX-License-Identifier: GPL-2.0-only
//
// See view.h.

#include "view.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "model/page_requests.h"
#include "model/registers.h"

namespace vtd::inspect {

namespace {

std::string hex(u64 value) { return fmt::format("{:#x}", value); }
std::string hex(Hpa at) { return hex(at.value); }
std::string hex(Iova at) { return hex(at.value); }

Json hex_words(std::span<const u64> words) {
    Json list = Json::array();
    for (const u64 word : words)
        list.push_back(hex(word));
    return list;
}

Json named_fields(Structure structure, std::span<const u64> words) {
    Json found = Json::object();
    for (const Named& named : fields(structure)) {
        const u64 is = value(named, words);
        if (named.address)
            found[std::string(named.name)] = hex(is);
        else
            found[std::string(named.name)] = is;
    }
    return found;
}

Structure structure(const UnitState& unit, Table table) {
    switch (table) {
    case Table::root:
        return Structure::root;
    case Table::context:
        return unit.scalable() ? Structure::sm_context : Structure::context;
    case Table::pasid_directory:
        return Structure::pasid_directory;
    case Table::pasid_table:
        return Structure::pasid;
    case Table::first_stage:
        return Structure::first_stage;
    case Table::second_stage:
        break;
    }
    return Structure::second_stage;
}

Json step_json(const UnitState& unit, const Step& step) {
    const Structure kind = structure(unit, step.table);
    Json found{{"table", name(kind)}};
    if (step.level)
        found["level"] = step.level;
    found["at"] = hex(step.at);
    found["words"] = hex_words(step.words);
    found["fields"] = named_fields(kind, step.words);
    return found;
}

Json fault_json(const Fault& fault) {
    return {{"reason", static_cast<unsigned>(fault.reason)},
            {"text", text(fault.reason)},
            {"recorded", fault.recorded}};
}

Json missing_json(const UnitState& unit, const std::pair<Table, Hpa>& missing) {
    return {{"table", name(structure(unit, missing.first))}, {"at", hex(missing.second)}};
}

Json destination_json(const Stream& stream) {
    if (const auto* fault = std::get_if<Fault>(&stream.destination))
        return {{"kind", "fault"}, {"fault", fault_json(*fault)}};
    if (const auto* pass = std::get_if<PassThrough>(&stream.destination))
        return {{"kind", "pass-through"}, {"domain", pass->did.value}};
    if (const auto* second = std::get_if<SecondStage>(&stream.destination))
        return {{"kind", "second-stage"},
                {"domain", second->tag.did.value},
                {"top", hex(second->top)},
                {"levels", second->levels}};
    const auto& first = std::get<FirstStage>(stream.destination);
    Json found{{"kind", first.second ? "nested" : "first-stage"},
               {"domain", first.tag.did.value},
               {"top", hex(first.top)},
               {"levels", first.levels}};
    if (first.second) {
        found["second_top"] = hex(first.second->top);
        found["second_levels"] = first.second->levels;
    }
    return found;
}

std::string rights(const Translation& page) {
    return std::string(page.read ? "r" : "-") + (page.write ? "w" : "-");
}

std::vector<u64> structure_words(const Dump& dump, Hpa at, unsigned count) {
    std::vector<u64> found;
    for (unsigned index = 0; index < count; index++) {
        const auto word = dump.ram.word(at + index * sizeof(u64));
        if (!word)
            throw Problem(fmt::format("{} is in no memory", hex(at)));
        found.push_back(*word);
    }
    return found;
}

struct Interrupts {
    Hpa base;
    u64 count;
};

Interrupts interrupt_table(const UnitState& unit) {
    return {{irta::address.make(irta::address.in(unit.irta))}, irta::entries(unit.irta)};
}

Structure interrupt_kind(std::span<const u64> words) {
    return irte::posted.of(words) ? Structure::irte_posted : Structure::irte;
}

} // namespace

Bdf parse_bdf(const std::string& text) {
    const auto hexadecimal = [&text](std::size_t begin, std::size_t end, unsigned most) {
        unsigned value{};
        const char* last = text.data() + end;
        const auto [stopped, error] = std::from_chars(text.data() + begin, last, value, 16);
        if (begin >= end || error != std::errc{} || stopped != last || value > most)
            throw Problem(fmt::format("not a device: '{}' (write [SEGMENT:]BUS:DEVICE.FUNCTION, in "
                                      "hexadecimal)",
                                      text));
        return value;
    };
    const std::size_t first = text.find(':'), second = text.rfind(':');
    const std::size_t dot = text.rfind('.');
    if (first == std::string::npos || dot == std::string::npos || dot < second)
        hexadecimal(0, 0, 0);
    Bdf found;
    if (first != second)
        found.segment = hexadecimal(0, first, 0xffff);
    const std::size_t bus = first != second ? first + 1 : 0;
    found.rid = Rid::of(hexadecimal(bus, second, 0xff), hexadecimal(second + 1, dot, 0x1f),
                        hexadecimal(dot + 1, text.size(), 7));
    return found;
}

const UnitState& unit_of(const Dump& dump, std::optional<unsigned> segment,
                         const std::string& name) {
    const std::string where = segment ? fmt::format(" in segment {:04x}", *segment) : "";
    const UnitState* found = nullptr;
    for (const UnitState& unit : dump.units) {
        if ((segment && unit.segment != *segment) || (!name.empty() && unit.name != name))
            continue;
        if (found)
            throw Problem(
                fmt::format("there are several units{}: say which with --of NAME", where));
        found = &unit;
    }
    if (!found)
        throw Problem(fmt::format("there is no unit{}{}", name.empty() ? "" : " " + name, where));
    return *found;
}

namespace {

// 11.4: entries between head and tail wait for software; null if there is no queue.
Json page_requests(const UnitState& unit) {
    const u64 at = unit.pqa & queue_address::address.mask();
    if (!at)
        return nullptr;
    const u64 bytes = page_size << queue_address::size.in(unit.pqa);
    return {{"queue", hex(at)},
            {"entries", bytes / page_request::size},
            {"waiting", (unit.pqt - unit.pqh) % bytes / page_request::size},
            {"overflow", (unit.prs & page_request_status::pro) != 0}};
}

} // namespace

Json units(const Dump& dump) {
    Json list = Json::array();
    for (const UnitState& unit : dump.units) {
        const Capabilities& can = unit.hardware.capabilities;
        constexpr const char* modes[] = {"legacy", "scalable", "reserved", "abort"};
        const auto table = interrupt_table(unit);
        list.push_back({{"unit", unit.name},
                        {"segment", unit.segment},
                        {"translation", (unit.gsts & command::translation) != 0},
                        {"mode", modes[rtaddr::ttm.in(unit.hardware.rtaddr)]},
                        {"root_table", hex(unit.hardware.rtaddr & rtaddr::address.mask())},
                        {"interrupt_remapping", (unit.gsts & command::ire) != 0},
                        {"interrupt_table", hex(table.base)},
                        {"interrupt_entries", table.count},
                        {"x2apic", irta::eime.in(unit.irta) != 0},
                        {"queue", (unit.gsts & command::qie) != 0},
                        {"page_requests", page_requests(unit)},
                        {"registers",
                         {{"cap", hex(can.cap)},
                          {"ecap", hex(can.ecap)},
                          {"gsts", hex(unit.gsts)},
                          {"rtaddr", hex(unit.hardware.rtaddr)},
                          {"irta", hex(unit.irta)}}},
                        {"can",
                         {{"domain_ids", can.domain_ids()},
                          {"guest_bits", can.max_guest_width()},
                          {"caching_mode", can.caching_mode()},
                          {"coherent", can.coherent()},
                          {"pass_through", can.pass_through()},
                          {"device_tlb", can.device_tlb()},
                          {"scalable", can.scalable()},
                          {"first_stage", can.first_stage()},
                          {"second_stage", can.second_stage()},
                          {"nested", can.nested()},
                          {"pasid", can.pasid()}}}});
    }
    return {{"units", list}};
}

Json devices(const Dump& dump) {
    Json list = Json::array();
    for (const UnitState& unit : dump.units) {
        for_each_stream(dump, unit, [&list, &unit](const Stream& stream) {
            Json found{{"unit", unit.name}, {"bdf", bdf(unit, stream.rid)}};
            if (stream.pasid)
                found["pasid"] = stream.pasid->value;
            found["leads_to"] = destination_json(stream);
            if (!stream.steps.empty())
                found["entry"] = step_json(unit, stream.steps.back());
            if (stream.missing)
                found["missing"] = missing_json(unit, *stream.missing);
            list.push_back(std::move(found));
        });
    }
    return {{"devices", list}};
}

Json map(const Dump& dump, const UnitState& unit, Rid rid, const MapOptions& options) {
    const Stream found = stream(dump, unit, rid, options.pasid);
    Json list = Json::array();
    bool complete = true;

    struct Run {
        u64 iova, address, size;
        Translation page;
        bool user;
        bool goes_on(const Leaf& leaf) const {
            return leaf.first.value == iova + size && leaf.page.address.value == address + size &&
                   leaf.page.read == page.read && leaf.page.write == page.write &&
                   leaf.page.page_bits == page.page_bits && leaf.user == user;
        }
    };
    std::optional<Run> run;
    const auto close = [&] {
        if (!run)
            return true;
        if (options.limit && list.size() >= options.limit) {
            complete = false;
            return false;
        }
        list.push_back({{"iova", hex(run->iova)},
                        {"last", hex(run->iova + run->size - 1)},
                        {"address", hex(run->address)},
                        {"rights", rights(run->page)},
                        {"page", u64{1} << run->page.page_bits},
                        {"user", run->user}});
        return true;
    };
    PageTables pages(dump, unit);
    pages.once = false;
    pages.on_leaf = [&](const Leaf& leaf) {
        const u64 size = u64{1} << leaf.page.page_bits;
        if (run && run->goes_on(leaf)) {
            run->size += size;
            return true;
        }
        if (!close()) {
            run.reset();
            return false;
        }
        run = Run{leaf.first.value, leaf.page.address.value, size, leaf.page, leaf.user};
        return true;
    };
    pages.go(found.destination);
    close();
    return {{"unit", unit.name},
            {"bdf", bdf(unit, rid)},
            {"leads_to", destination_json(found)},
            {"ranges", list},
            {"complete", complete}};
}

Json translate(const Dump& dump, const UnitState& unit, Rid rid, Iova iova,
               const TranslateOptions& options) {
    const Request request{.rid = rid,
                          .iova = iova,
                          .access = options.access,
                          .pasid = options.pasid,
                          .privileged = options.privileged};
    Recorder recorder(dump.ram);
    const Outcome outcome = model::translate(unit.hardware, request, recorder);
    number_levels(stream(dump, unit, rid, options.pasid).destination, recorder.steps);

    Json found{{"unit", unit.name}, {"bdf", bdf(unit, rid)}, {"iova", hex(iova)}};
    Json steps = Json::array();
    for (const Step& step : recorder.steps)
        steps.push_back(step_json(unit, step));
    found["steps"] = std::move(steps);
    if (recorder.missing)
        found["missing"] = missing_json(unit, *recorder.missing);
    if (const auto* fault = std::get_if<Fault>(&outcome)) {
        found["fault"] = fault_json(*fault);
    } else {
        const auto& page = std::get<Translation>(outcome);
        const u64 offset = iova.value & ((u64{1} << page.page_bits) - 1);
        found["address"] = hex(page.address + offset);
        found["page"] = u64{1} << page.page_bits;
        found["rights"] = rights(page);
        found["domain"] = page.did.value;
        found["pass_through"] = page.pass_through;
        found["memory"] = dump.ram.holds(page.address + offset);
    }
    return found;
}

namespace {

class Check {
public:
    Check(const Dump& dump, const CheckOptions& options) : dump_(dump), options_(options) {}

    Json run() {
        for (const UnitState& unit : dump_.units) {
            unit_ = &unit;
            one_unit();
        }
        return {{"findings", findings_}, {"tables", tables_}, {"not_shown", not_shown_}};
    }

private:
    void one_unit() {
        PageTables pages(dump_, *unit_);
        pages.on_table = [this](Table kind, Hpa at, unsigned level) {
            tables_++;
            lies_in(name(structure(*unit_, kind)), at, page_size, level);
        };
        pages.on_flaw = [this](const Flaw& flaw) {
            Json where{{"table", name(structure(*unit_, flaw.table))},
                       {"level", flaw.level},
                       {"at", hex(flaw.at)},
                       {"words", Json::array({hex(flaw.word)})},
                       {"iova", hex(flaw.first)}};
            found("illegal", flaw.what, std::move(where));
        };
        pages.on_leaf = [this](const Leaf& leaf) {
            const u64 size = u64{1} << leaf.page.page_bits;
            for (const Range& range : options_.ranges) {
                const u64 first = std::max(range.first, leaf.page.address.value);
                const u64 last = std::min(range.last, leaf.page.address.value + size - 1);
                if (first > last)
                    continue;
                found("reaches", reach(range),
                      {{"iova", hex(leaf.first.value + (first - leaf.page.address.value))},
                       {"address", hex(first)},
                       {"bytes", last - first + 1},
                       {"rights", rights(leaf.page)},
                       {"level", leaf.level},
                       {"at", hex(leaf.at)}});
            }
            return true;
        };
        for_each_stream(dump_, *unit_, [&](const Stream& stream) { one(stream, pages); });
        who_ = Json::object();
        interrupts();
    }

    void one(const Stream& stream, PageTables& pages) {
        Json who{{"bdf", bdf(*unit_, stream.rid)}};
        if (stream.pasid)
            who["pasid"] = stream.pasid->value;
        if (who != who_) {
            who_ = std::move(who);
            count_ = 0;
        }
        if (const auto* fault = std::get_if<Fault>(&stream.destination)) {
            Json where = Json::object();
            if (stream.missing)
                where = missing_json(*unit_, *stream.missing);
            else if (!stream.steps.empty())
                where = step_json(*unit_, stream.steps.back());
            where["reason"] = static_cast<unsigned>(fault->reason);
            found("illegal", stream.missing ? "the table is not in memory" : text(fault->reason),
                  std::move(where));
        } else if (std::holds_alternative<PassThrough>(stream.destination)) {
            for (const Range& range : options_.ranges)
                found("reaches", reach(range),
                      {{"iova", hex(range.first)},
                       {"address", hex(range.first)},
                       {"bytes", range.last - range.first + 1},
                       {"rights", "rw"},
                       {"pass_through", true}});
        }
        for (const Step& step : stream.steps)
            lies_in(name(structure(*unit_, step.table)), step.at, step.words.size() * sizeof(u64),
                    0);
        pages.go(stream.destination);
    }

    void interrupts() {
        const auto table = interrupt_table(*unit_);
        if (!table.base.value)
            return;
        for (u64 index = 0; index < table.count; index++) {
            const Hpa at = table.base + index * irte::words * sizeof(u64);
            const auto low = dump_.ram.word(at), high = dump_.ram.word(at + sizeof(u64));
            if (!low || !high) {
                found("illegal", "the interrupt table is not in memory", {{"at", hex(at)}});
                return;
            }
            const std::array<u64, irte::words> words{*low, *high};
            if (!present.of(words))
                continue;
            const Structure kind = interrupt_kind(words);
            Json where{{"table", name(kind)},
                       {"index", index},
                       {"at", hex(at)},
                       {"words", hex_words(words)}};
            if (kind == Structure::irte) {
                // 5.1.5.1: 3 and 6 are no delivery modes.
                const u64 mode = irte::delivery.of(words);
                if (mode == 3 || mode == 6)
                    found("illegal", "no such delivery mode", std::move(where));
                continue;
            }
            const u64 descriptor =
                posted_irte::address_high.of(words) << 32 | posted_irte::address_low.of(words)
                                                                << posted_irte::address_low_shift;
            where["descriptor"] = hex(descriptor);
            if (!dump_.ram.holds({descriptor}))
                found("illegal", "the posted descriptor is not in memory", where);
            for (const Range& range : options_.ranges) {
                if (range.holds(descriptor))
                    found("reaches", reach(range), where);
            }
        }
    }

    void lies_in(std::string_view what, Hpa at, u64 size, unsigned level) {
        for (const Range& range : options_.ranges) {
            if (at.value > range.last || at.value + size - 1 < range.first)
                continue;
            Json where{{"table", what}, {"at", hex(at)}};
            if (level)
                where["level"] = level;
            found("table", fmt::format("a table lies in {}", text_of(range)), std::move(where));
        }
    }

    static std::string text_of(const Range& range) {
        return range.name.empty() ? fmt::format("{:#x}-{:#x}", range.first, range.last)
                                  : range.name;
    }
    static std::string reach(const Range& range) { return "reaches " + text_of(range); }

    void found(const char* kind, const std::string& what, Json where) {
        if (options_.limit && count_ >= options_.limit) {
            not_shown_++;
            return;
        }
        count_++;
        Json finding{{"kind", kind}, {"unit", unit_->name}};
        finding.update(who_);
        finding["what"] = what;
        finding["where"] = std::move(where);
        findings_.push_back(std::move(finding));
    }

    const Dump& dump_;
    const CheckOptions& options_;
    const UnitState* unit_{};
    Json who_ = Json::object();
    Json findings_ = Json::array();
    u64 count_{}, not_shown_{}, tables_{};
};

} // namespace

Json check(const Dump& dump, const CheckOptions& options) { return Check(dump, options).run(); }

Json interrupts(const Dump& dump, const UnitState& unit) {
    const auto table = interrupt_table(unit);
    Json list = Json::array();
    for (u64 index = 0; index < table.count; index++) {
        const Hpa at = table.base + index * irte::words * sizeof(u64);
        const auto words = structure_words(dump, at, irte::words);
        if (!present.of(words))
            continue;
        const Structure kind = interrupt_kind(words);
        list.push_back({{"index", index},
                        {"at", hex(at)},
                        {"words", hex_words(words)},
                        {"fields", named_fields(kind, words)}});
    }
    return {{"unit", unit.name},
            {"at", hex(table.base)},
            {"entries", table.count},
            {"entry_bytes", irte::words * sizeof(u64)},
            {"present", list}};
}

Json diff(const Dump& before, const Ram& after, const std::vector<Range>& where) {
    const auto pages = before.ram.changed(after, where);
    Json list = Json::array(), changes = Json::array();
    for (const Hpa page : pages)
        list.push_back(hex(page));

    u64 looked_at = 0;
    const auto compare = [&](const UnitState& unit, Hpa page, const std::string& what,
                             u64 hardware) {
        const bool asked = std::ranges::any_of(
            where, [page](const Range& range) { return range.holds(page.value); });
        if (!asked)
            return;
        looked_at++;
        if (!std::ranges::binary_search(pages, page))
            return;
        for (u64 offset = 0; offset < page_size; offset += sizeof(u64)) {
            const u64 old = before.ram.word(page + offset).value_or(0);
            const u64 now = after.word(page + offset).value_or(0);
            if (old == now)
                continue;
            const bool by_hardware = !(~old & now & ~hardware) && !(old & ~now);
            changes.push_back({{"unit", unit.name},
                               {"what", what},
                               {"at", hex(page + offset)},
                               {"before", hex(old)},
                               {"after", hex(now)},
                               {"by_hardware", by_hardware}});
        }
    };
    for (const UnitState& unit : before.units) {
        const Tables all = tables(before, unit);
        for (const auto& [page, table] : all.pages)
            compare(unit, page, table.what, table.by_hardware);
        if (all.interrupts) {
            const auto [at, bytes] = *all.interrupts;
            for (u64 offset = 0; offset < bytes; offset += page_size)
                compare(unit, at + offset, "interrupt table", 0);
        }
    }
    return {{"pages", list}, {"tables_looked_at", looked_at}, {"tables", changes}};
}

Json entry(const Dump& dump, const UnitState& unit, const EntryOptions& options) {
    Json found{{"unit", unit.name}};
    Structure kind{};
    std::vector<u64> is;

    const auto of_device = [&](Table table) {
        const Bdf device = parse_bdf(options.which);
        const Stream walk = stream(dump, unit, device.rid,
                                   table == Table::pasid_table ? options.pasid : std::nullopt);
        found["bdf"] = bdf(unit, device.rid);
        const auto step = std::ranges::find(walk.steps, table, &Step::table);
        if (step == walk.steps.end()) {
            const auto* fault = std::get_if<Fault>(&walk.destination);
            throw Problem(fmt::format("{} has no {}: {}", options.which,
                                      name(structure(unit, table)),
                                      fault ? text(fault->reason) : "no such table in this mode"));
        }
        kind = structure(unit, table);
        found["table"] = name(kind);
        found["at"] = hex(step->at);
        is = step->words; // of a root entry two in legacy mode, one half in scalable mode
    };
    const auto of_register = [&](Structure structure, unsigned offset, u64 value) {
        kind = structure;
        found["table"] = name(kind);
        found["register"] = hex(offset);
        is = {value};
    };

    if (options.what == "rtaddr") {
        of_register(Structure::rtaddr, reg::rtaddr, unit.hardware.rtaddr);
    } else if (options.what == "irta") {
        of_register(Structure::irta, reg::irta, unit.irta);
    } else if (options.what == "root") {
        of_device(Table::root);
    } else if (options.what == "context") {
        of_device(Table::context);
    } else if (options.what == "pasid") {
        of_device(Table::pasid_table);
    } else if (options.what == "irte") {
        const auto table = interrupt_table(unit);
        const u64 index = number(options.which);
        if (index >= table.count)
            throw Problem(fmt::format("the interrupt table has {} entries", table.count));
        const Hpa at = table.base + index * irte::words * sizeof(u64);
        is = structure_words(dump, at, irte::words);
        kind = interrupt_kind(is);
        found["table"] = name(kind);
        found["at"] = hex(at);
    } else {
        throw Problem(fmt::format("no such entry: {} (rtaddr, irta, root, context, pasid, irte)",
                                  options.what));
    }

    if (!options.words.empty()) {
        std::vector<u64> given;
        std::size_t begin = 0;
        while (begin <= options.words.size()) {
            const std::size_t end = std::min(options.words.find(',', begin), options.words.size());
            given.push_back(number(options.words.substr(begin, end - begin)));
            begin = end + 1;
        }
        if (given.size() != is.size())
            throw Problem(fmt::format("a {} has {} words", name(kind), is.size()));
        is = std::move(given);
    }
    for (const std::string& assignment : options.sets)
        set(kind, is, assignment);
    found["words"] = hex_words(is);
    found["fields"] = named_fields(kind, is);
    const auto all = fields(kind);
    const auto pointer = std::ranges::find_if(all, &Named::address);
    if (pointer != all.end())
        found["pointer"] = hex(value(*pointer, is));
    return found;
}

} // namespace vtd::inspect
