// SPDX-License-Identifier: GPL-2.0-only
//
// See fields.h. The names are the specification's, in small letters.

#include "fields.h"

#include <algorithm>

#include <fmt/format.h>

#include "dump.h"
#include "model/registers.h"

namespace vtd::inspect {

namespace {

namespace fmt_ = vtd::model;

constexpr Named rtaddr_fields[] = {{"ttm", fmt_::rtaddr::ttm},
                                   {"rta", fmt_::rtaddr::address, true}};
constexpr Named irta_fields[] = {
    {"s", fmt_::irta::size}, {"eime", fmt_::irta::eime}, {"irta", fmt_::irta::address, true}};
constexpr Named root_fields[] = {
    {"p", fmt_::present}, {"reserved", fmt_::root::reserved}, {"ctp", fmt_::root::ctp, true}};
constexpr Named context_fields[] = {{"p", fmt_::present},
                                    {"fpd", fmt_::fault_disable},
                                    {"tt", fmt_::context::tt},
                                    {"reserved", fmt_::context::reserved_0},
                                    {"ssptptr", fmt_::context::ssptptr, true},
                                    {"aw", fmt_::context::aw},
                                    {"did", fmt_::context::did}};
constexpr Named sm_context_fields[] = {{"p", fmt_::present},
                                       {"fpd", fmt_::fault_disable},
                                       {"dte", fmt_::sm_context::dte},
                                       {"paside", fmt_::sm_context::paside},
                                       {"pre", fmt_::sm_context::pre},
                                       {"reserved", fmt_::sm_context::reserved_0},
                                       {"pdts", fmt_::sm_context::pdts},
                                       {"pasiddirptr", fmt_::sm_context::pasiddirptr, true},
                                       {"rid_pasid", fmt_::sm_context::rid_pasid},
                                       {"rid_priv", fmt_::sm_context::rid_priv}};
constexpr Named directory_fields[] = {{"p", fmt_::present},
                                      {"fpd", fmt_::fault_disable},
                                      {"reserved", fmt_::pasid_directory::reserved},
                                      {"smptblptr", fmt_::pasid_directory::smptblptr, true}};
constexpr Named pasid_fields[] = {{"p", fmt_::present},
                                  {"fpd", fmt_::fault_disable},
                                  {"aw", fmt_::pasid_entry::aw},
                                  {"pgtt", fmt_::pasid_entry::pgtt},
                                  {"ssade", fmt_::pasid_entry::ssade},
                                  {"ssptptr", fmt_::pasid_entry::ssptptr, true},
                                  {"did", fmt_::pasid_entry::did},
                                  {"pwsnp", fmt_::pasid_entry::pwsnp},
                                  {"pgsnp", fmt_::pasid_entry::pgsnp},
                                  {"sre", fmt_::pasid_entry::sre},
                                  {"ere", fmt_::pasid_entry::ere},
                                  {"fspm", fmt_::pasid_entry::fspm},
                                  {"wpe", fmt_::pasid_entry::wpe},
                                  {"nxe", fmt_::pasid_entry::nxe},
                                  {"fsptptr", fmt_::pasid_entry::fsptptr, true}};
constexpr Named first_fields[] = {{"p", fmt_::first_stage::p},
                                  {"rw", fmt_::first_stage::rw},
                                  {"us", fmt_::first_stage::us},
                                  {"a", fmt_::first_stage::accessed},
                                  {"d", fmt_::first_stage::dirty},
                                  {"ps", fmt_::first_stage::ps},
                                  {"addr", fmt_::first_stage::address, true},
                                  {"xd", fmt_::first_stage::xd}};
constexpr Named second_fields[] = {{"r", fmt_::second_stage::r},
                                   {"w", fmt_::second_stage::w},
                                   {"ps", fmt_::second_stage::ps},
                                   {"a", fmt_::second_stage::accessed},
                                   {"d", fmt_::second_stage::dirty},
                                   {"snp", fmt_::second_stage::snp},
                                   {"addr", fmt_::second_stage::address, true}};
constexpr Named irte_fields[] = {{"p", fmt_::present},
                                 {"fpd", fmt_::fault_disable},
                                 {"dm", fmt_::irte::logical},
                                 {"rh", fmt_::irte::redirection},
                                 {"tm", fmt_::irte::level},
                                 {"dlm", fmt_::irte::delivery},
                                 {"im", fmt_::irte::posted},
                                 {"v", fmt_::irte::vector},
                                 {"dst", fmt_::irte::destination},
                                 {"sid", fmt_::irte::sid},
                                 {"sq", fmt_::irte::sq},
                                 {"svt", fmt_::irte::svt}};
constexpr Named posted_fields[] = {{"p", fmt_::present},
                                   {"fpd", fmt_::fault_disable},
                                   {"urg", fmt_::posted_irte::urgent},
                                   {"im", fmt_::irte::posted},
                                   {"v", fmt_::irte::vector},
                                   {"pda_low", fmt_::posted_irte::address_low},
                                   {"sid", fmt_::irte::sid},
                                   {"sq", fmt_::irte::sq},
                                   {"svt", fmt_::irte::svt},
                                   {"pda_high", fmt_::posted_irte::address_high}};

struct Kind {
    std::string_view name;
    std::span<const Named> fields;
};

Kind kind(Structure structure) {
    switch (structure) {
    case Structure::rtaddr:
        return {"RTADDR", rtaddr_fields};
    case Structure::irta:
        return {"IRTA", irta_fields};
    case Structure::root:
        return {"root entry", root_fields};
    case Structure::context:
        return {"context entry", context_fields};
    case Structure::sm_context:
        return {"scalable-mode context entry", sm_context_fields};
    case Structure::pasid_directory:
        return {"PASID-directory entry", directory_fields};
    case Structure::pasid:
        return {"PASID entry", pasid_fields};
    case Structure::first_stage:
        return {"first-stage entry", first_fields};
    case Structure::second_stage:
        return {"second-stage entry", second_fields};
    case Structure::irte:
        return {"interrupt entry", irte_fields};
    case Structure::irte_posted:
        break;
    }
    return {"posted interrupt entry", posted_fields};
}

} // namespace

std::string_view name(Structure structure) { return kind(structure).name; }
std::span<const Named> fields(Structure structure) { return kind(structure).fields; }

u64 value(const Named& named, std::span<const u64> words) {
    return named.address ? words[named.field.word] & named.field.mask() : named.field.of(words);
}

void set(Structure structure, std::span<u64> words, const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos)
        throw Problem(fmt::format("--set {}: write FIELD=VALUE", assignment));
    const std::string wanted = assignment.substr(0, equals);
    const u64 to = number(assignment.substr(equals + 1));
    const auto all = fields(structure);
    const auto found = std::ranges::find_if(all, [&wanted](const Named& named) {
        return wanted == "pointer" ? named.address : named.name == wanted;
    });
    if (found == all.end()) {
        std::string names;
        for (const Named& named : all)
            names += fmt::format(" {}", named.name);
        throw Problem(
            fmt::format("a {} has no field {}; it has{}", name(structure), wanted, names));
    }
    u64& word = words[found->field.word];
    const u64 mask = found->field.mask();
    const u64 bits = found->address ? to : found->field.make(to);
    if (bits & ~mask || (!found->address && found->field.in(bits) != to))
        throw Problem(fmt::format("--set {}: the field has no place for that", assignment));
    word = (word & ~mask) | bits;
}

} // namespace vtd::inspect
