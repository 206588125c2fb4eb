// SPDX-License-Identifier: GPL-2.0-only
//
// Chapters 9 and 11.4: where a field lies. The kernel's format.h is the other place that knows;
// format_test.cpp holds the two against each other. What a field means is said where it is used.

#pragma once

#include <span>

#include "model/types.h"

namespace vtd::model {

// Bits high..low of one of the words of a structure.
struct Field {
    unsigned word, high, low;

    constexpr u64 mask() const { return ~u64{0} >> (63 - high) & ~u64{0} << low; }
    constexpr u64 in(u64 bits) const { return (bits & mask()) >> low; }
    constexpr u64 of(std::span<const u64> words) const { return in(words[word]); }
    constexpr u64 make(u64 value) const { return value << low & mask(); }
    constexpr void set(std::span<u64> words, u64 value) const {
        words[word] = (words[word] & ~mask()) | make(value);
    }
};

// Present and FPD lie alike in context, PASID-directory and PASID-table entries.
inline constexpr Field present{0, 0, 0};
inline constexpr Field fault_disable{0, 1, 1};

// Every table is a page.
inline constexpr u64 table_words = page_size / sizeof(u64);

namespace root { // 9.1; 9.2: word 0 for devices 0-15, word 1 for 16-31
inline constexpr unsigned words = 2;
inline constexpr unsigned entries = 256;
inline constexpr Field ctp{0, 63, 12};
inline constexpr Field reserved{0, 11, 1};
} // namespace root

namespace context { // 9.3
inline constexpr unsigned words = 2;
inline constexpr Field tt{0, 3, 2};
inline constexpr Field reserved_0{0, 11, 4};
inline constexpr Field ssptptr{0, 63, 12};
inline constexpr Field aw{1, 2, 0};
inline constexpr Field did{1, 23, 8};
inline constexpr Field reserved_1{1, 63, 24};
inline constexpr Field reserved_7{1, 7, 7};
enum class Tt { untranslated = 0, all = 1, pass_through = 2, reserved = 3 };
} // namespace context

namespace sm_context { // 9.4
inline constexpr unsigned words = 4;
inline constexpr Field dte{0, 2, 2};
inline constexpr Field paside{0, 3, 3};
inline constexpr Field pre{0, 4, 4};
inline constexpr Field reserved_0{0, 8, 5};
inline constexpr Field pdts{0, 11, 9};
inline constexpr Field pasiddirptr{0, 63, 12};
constexpr u64 directory_entries(u64 pdts) { return u64{128} << pdts; }
inline constexpr Field rid_pasid{1, 19, 0};
inline constexpr Field rid_priv{1, 20, 20};
inline constexpr Field reserved_1{1, 63, 21};
} // namespace sm_context

namespace pasid_directory { // 9.5
inline constexpr Field smptblptr{0, 63, 12};
inline constexpr Field reserved{0, 11, 2};
} // namespace pasid_directory

namespace pasid_entry { // 9.6
inline constexpr unsigned words = 8;
inline constexpr unsigned per_table = 64;
inline constexpr Field aw{0, 4, 2};
inline constexpr Field pgtt{0, 8, 6};
inline constexpr Field ssade{0, 9, 9};
inline constexpr Field ssptptr{0, 63, 12};
inline constexpr Field did{1, 15, 0};
inline constexpr Field pwsnp{1, 23, 23};
inline constexpr Field pgsnp{1, 24, 24};
inline constexpr Field sre{2, 0, 0};
inline constexpr Field ere{2, 1, 1};
inline constexpr Field fspm{2, 3, 2};
inline constexpr Field wpe{2, 4, 4};
inline constexpr Field nxe{2, 5, 5};
inline constexpr Field fsptptr{2, 63, 12};
enum class Pgtt { first = 1, second = 2, nested = 3, pass_through = 4 };
} // namespace pasid_entry

namespace first_stage { // 9.7
inline constexpr Field p{0, 0, 0};
inline constexpr Field rw{0, 1, 1};
inline constexpr Field us{0, 2, 2};
inline constexpr Field accessed{0, 5, 5};
inline constexpr Field dirty{0, 6, 6};
inline constexpr Field ps{0, 7, 7};
inline constexpr Field extended_accessed{0, 10, 10}; // EA
inline constexpr Field address{0, 51, 12};
inline constexpr Field xd{0, 63, 63};
} // namespace first_stage

namespace second_stage { // 9.8
inline constexpr Field r{0, 0, 0};
inline constexpr Field w{0, 1, 1};
inline constexpr Field ps{0, 7, 7};
inline constexpr Field accessed{0, 8, 8};
inline constexpr Field dirty{0, 9, 9};
inline constexpr Field snp{0, 11, 11};
inline constexpr Field reserved_62{0, 62, 62}; // TM before revision 4.0
inline constexpr Field address{0, 51, 12};
} // namespace second_stage

namespace rtaddr { // 11.4.5
inline constexpr Field ttm{0, 11, 10};
inline constexpr Field address{0, 63, 12};
enum class Ttm { legacy = 0, scalable = 1, reserved = 2, abort = 3 };
} // namespace rtaddr

namespace irte { // 9.10: of an interrupt that is remapped
inline constexpr unsigned words = 2;
inline constexpr u64 most = 65536; // entries of the largest table
inline constexpr Field logical{0, 2, 2};
inline constexpr Field redirection{0, 3, 3};
inline constexpr Field level{0, 4, 4};
inline constexpr Field delivery{0, 7, 5};
inline constexpr Field reserved_12{0, 14, 12};
inline constexpr Field posted{0, 15, 15}; // IM
inline constexpr Field vector{0, 23, 16};
inline constexpr Field reserved_24{0, 31, 24};
inline constexpr Field destination{0, 63, 32};
inline constexpr Field destination_xapic{0, 47, 40}; // IRTA.EIME clear, and then:
inline constexpr Field reserved_48_xapic{0, 63, 48};
inline constexpr Field reserved_32_xapic{0, 39, 32};
inline constexpr Field sid{1, 15, 0};
inline constexpr Field sq{1, 17, 16};
inline constexpr Field svt{1, 19, 18};
inline constexpr Field reserved_1{1, 63, 20};
enum class Delivery { fixed = 0, lowest = 1, smi = 2, nmi = 4, init = 5, external = 7 };
enum class Svt { none = 0, requester = 1, buses = 2, reserved = 3 };
} // namespace irte

namespace posted_irte { // 9.11: of one that is posted, where it differs
inline constexpr Field reserved_2{0, 7, 2};
inline constexpr Field reserved_12{0, 13, 12};
inline constexpr Field urgent{0, 14, 14};
inline constexpr Field reserved_24{0, 37, 24};
inline constexpr Field address_low{0, 63, 38}; // 31 to 6
inline constexpr Field reserved_1{1, 31, 20};
inline constexpr Field address_high{1, 63, 32};
inline constexpr unsigned address_low_shift = 6;
} // namespace posted_irte

namespace posted_descriptor { // 9.12
inline constexpr u64 size = 64;
inline constexpr unsigned request_words = 4; // a bit a vector
inline constexpr u64 control = 32;           // offset of the word with these:
inline constexpr Field outstanding{0, 0, 0};
inline constexpr Field suppress{0, 1, 1};
inline constexpr Field reserved_2{0, 15, 2};
inline constexpr Field vector{0, 23, 16};
inline constexpr Field reserved_24{0, 31, 24};
inline constexpr Field destination{0, 63, 32};
inline constexpr Field destination_xapic{0, 47, 40};
} // namespace posted_descriptor

// 5.1.2: an interrupt on the bus is a write of four bytes. Of the address:
namespace interrupt_address {
inline constexpr Field handle_15{0, 2, 2};
inline constexpr Field subhandle_valid{0, 3, 3};
inline constexpr Field remappable{0, 4, 4};
inline constexpr Field handle{0, 19, 5};
inline constexpr Field range{0, 31, 20};
inline constexpr u64 here = 0xfee; // of the range
} // namespace interrupt_address
namespace interrupt_data {
inline constexpr Field subhandle{0, 15, 0};
inline constexpr Field reserved{0, 31, 16};
} // namespace interrupt_data

namespace fault_record { // 11.4, FRCD_REG
inline constexpr u64 size = 16;
inline constexpr Field address{0, 63, 12};
inline constexpr Field index{0, 63, 48}; // of an interrupt
inline constexpr Field sid{1, 15, 0};
inline constexpr Field t2{1, 28, 28};
inline constexpr Field privileged{1, 29, 29};
inline constexpr Field has_pasid{1, 31, 31};
inline constexpr Field reason{1, 39, 32};
inline constexpr Field pasid{1, 59, 40};
inline constexpr Field at{1, 61, 60};
inline constexpr Field t1{1, 62, 62};
inline constexpr Field f{1, 63, 63};
} // namespace fault_record

// 3.6, 3.7: nine bits of address a level.
inline constexpr unsigned level_bits = 9;
constexpr unsigned level_shift(unsigned level) { return page_bits + (level - 1) * level_bits; }
inline constexpr unsigned aw_levels = 2; // AW encodes the number of levels, less this

} // namespace vtd::model
