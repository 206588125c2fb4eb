// SPDX-License-Identifier: GPL-2.0-only
//
// See text.h.

#include "text.h"

#include <fmt/format.h>

namespace vtd::inspect {

namespace {

std::string str(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string joined(const Json& list) {
    std::string all;
    for (const Json& one : list)
        all += (all.empty() ? "" : " ") + str(one);
    return all;
}

// Fields that are zero say nothing.
std::string fields_text(const Json& fields) {
    std::string all;
    for (const auto& [name, value] : fields.items()) {
        if (value != 0 && value != "0x0")
            all += fmt::format(" {}={}", name, str(value));
    }
    return all;
}

std::string who(const Json& found) {
    std::string all = str(found["unit"]);
    if (found.contains("bdf"))
        all += " " + str(found["bdf"]);
    if (found.contains("pasid"))
        all += " PASID " + str(found["pasid"]);
    return all;
}

std::string destination_text(const Json& to) {
    const std::string kind = str(to["kind"]);
    if (kind == "fault")
        return fmt::format("faults: {} ({}{})", str(to["fault"]["text"]),
                           str(to["fault"]["reason"]),
                           to["fault"]["recorded"] == true ? "" : ", not recorded");
    std::string all = fmt::format("{}, domain {}", kind, str(to["domain"]));
    if (to.contains("top"))
        all += fmt::format(", {} levels at {}", str(to["levels"]), str(to["top"]));
    if (to.contains("second_top"))
        all += fmt::format(" through {} levels at {}", str(to["second_levels"]),
                           str(to["second_top"]));
    return all;
}

std::string missing_text(const Json& found) {
    if (!found.contains("missing"))
        return "";
    return fmt::format("; its {} at {} is in no memory", str(found["missing"]["table"]),
                       str(found["missing"]["at"]));
}

std::string page_requests_text(const Json& queue) {
    if (queue.is_null())
        return "";
    return fmt::format("    page requests: {} of {} wait at {}{}\n", str(queue["waiting"]),
                       str(queue["entries"]), str(queue["queue"]),
                       queue["overflow"] == true ? ", more were lost" : "");
}

} // namespace

std::string units_text(const Json& found) {
    std::string all;
    for (const Json& unit : found["units"]) {
        all += fmt::format(
            "{}: segment {}, translation {}, {} mode, root table at {}\n"
            "    interrupt remapping {}, {} entries at {}{}\n{}    can:{}\n",
            str(unit["unit"]), str(unit["segment"]), unit["translation"] == true ? "on" : "off",
            str(unit["mode"]), str(unit["root_table"]),
            unit["interrupt_remapping"] == true ? "on" : "off", str(unit["interrupt_entries"]),
            str(unit["interrupt_table"]), unit["x2apic"] == true ? ", x2APIC" : "",
            page_requests_text(unit["page_requests"]), [&unit] {
                std::string can;
                for (const auto& [name, value] : unit["can"].items()) {
                    if (value.is_boolean() && value == true)
                        can += " " + name;
                    else if (value.is_number())
                        can += fmt::format(" {}={}", name, str(value));
                }
                return can;
            }());
    }
    return all;
}

std::string devices_text(const Json& found) {
    std::string all;
    for (const Json& device : found["devices"]) {
        all += fmt::format("{}: {}{}", who(device), destination_text(device["leads_to"]),
                           missing_text(device));
        if (device.contains("entry"))
            all += fmt::format("; {} at {}", str(device["entry"]["table"]),
                               str(device["entry"]["at"]));
        all += '\n';
    }
    return all.empty() ? "no device has an entry\n" : all;
}

std::string map_text(const Json& found) {
    std::string all = fmt::format("{}: {}\n", who(found), destination_text(found["leads_to"]));
    for (const Json& range : found["ranges"])
        all +=
            fmt::format("{:>18}-{:<18} -> {:<18} {} pages of {:#x}{}\n", str(range["iova"]),
                        str(range["last"]), str(range["address"]), str(range["rights"]),
                        range["page"].get<u64>(), range["user"] == true ? "" : ", supervisor only");
    if (found["complete"] == false)
        all += "... and more: see --limit\n";
    return all;
}

std::string translate_text(const Json& found) {
    std::string all;
    for (const Json& step : found["steps"]) {
        all += str(step["table"]);
        if (step.contains("level"))
            all += fmt::format(", level {},", str(step["level"]));
        all += fmt::format(" at {}: {} {}\n", str(step["at"]), joined(step["words"]),
                           fields_text(step["fields"]));
    }
    all += fmt::format("{} {}: ", who(found), str(found["iova"]));
    if (found.contains("fault"))
        all += fmt::format("fault {:#x}, {}{}{}", found["fault"]["reason"].get<unsigned>(),
                           str(found["fault"]["text"]),
                           found["fault"]["recorded"] == true ? "" : ", not recorded",
                           missing_text(found));
    else
        all += fmt::format("{}{}, {}, page of {:#x}, domain {}{}", str(found["address"]),
                           found["pass_through"] == true ? " (passed through)" : "",
                           str(found["rights"]), found["page"].get<u64>(), str(found["domain"]),
                           found["memory"] == true ? "" : ", no memory there");
    return all + '\n';
}

std::string check_text(const Json& found) {
    std::string all;
    for (const Json& finding : found["findings"]) {
        all += fmt::format("{}: {}:", who(finding), str(finding["what"]));
        for (const auto& [name, value] : finding["where"].items()) {
            if (name == "fields")
                continue;
            all += fmt::format(" {} {}", name, value.is_array() ? joined(value) : str(value));
        }
        all += '\n';
    }
    if (found["not_shown"] != 0)
        all += fmt::format("... and {} more: see --limit\n", str(found["not_shown"]));
    return all + fmt::format("{} page tables, {} findings\n", str(found["tables"]),
                             found["findings"].size() + found["not_shown"].get<u64>());
}

std::string interrupts_text(const Json& found) {
    std::string all;
    for (const Json& entry : found["present"])
        all += fmt::format("{}: {} {}\n", str(entry["index"]), joined(entry["words"]),
                           fields_text(entry["fields"]));
    return all + fmt::format("{} of {} entries at {} are present\n", found["present"].size(),
                             str(found["entries"]), str(found["at"]));
}

std::string diff_text(const Json& found) {
    std::string all;
    for (const Json& change : found["tables"])
        all +=
            fmt::format("{}: {} at {}: {} became {}{}\n", str(change["unit"]), str(change["what"]),
                        str(change["at"]), str(change["before"]), str(change["after"]),
                        change["by_hardware"] == true ? " (hardware's own bits)" : "");
    for (const Json& page : found["pages"])
        all += str(page) + '\n';
    return all + fmt::format("{} pages changed; {} pages of tables looked at, {} words changed\n",
                             found["pages"].size(), str(found["tables_looked_at"]),
                             found["tables"].size());
}

std::string entry_text(const Json& found) {
    return fmt::format("{} {} at {}: {} {}\n", who(found), str(found["table"]),
                       str(found.contains("at") ? found["at"] : found["register"]),
                       joined(found["words"]), fields_text(found["fields"]));
}

} // namespace vtd::inspect
