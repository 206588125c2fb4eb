// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 11.4: where the registers lie, and the bits in them that are no fields of a table. What a
// register does is said in the file of its chapter.

#pragma once

#include "model/format.h"

namespace vtd::model {

namespace reg {
inline constexpr unsigned version = 0x00, cap = 0x08, ecap = 0x10, gcmd = 0x18, gsts = 0x1c,
                          rtaddr = 0x20, ccmd = 0x28, fsts = 0x34, fectl = 0x38, iqh = 0x80,
                          iqt = 0x88, iqa = 0x90, ics = 0x9c, iectl = 0xa0, iqercd = 0xb0,
                          irta = 0xb8, pqh = 0xc0, pqt = 0xc8, pqa = 0xd0, prs = 0xdc, pectl = 0xe0;
}

// 11.4.4: bits of the command and the status register
namespace command {
inline constexpr u32 translation = 1U << 31, srtp = 1U << 30, wbf = 1U << 27, qie = 1U << 26,
                     ire = 1U << 25, sirtp = 1U << 24, cfi = 1U << 23;
inline constexpr u32 one_shot = srtp | 1U << 29 | wbf | sirtp;
} // namespace command

// FSTS_REG: fault status
namespace fault_status {
inline constexpr u32 pfo = 1 << 0, ppf = 1 << 1, iqe = 1 << 4, ice = 1 << 5, ite = 1 << 6;
inline constexpr Field fri{0, 15, 8};
} // namespace fault_status

// FECTL_REG, IECTL_REG, PECTL_REG: control of an event
namespace event_control {
inline constexpr u32 im = 1U << 31, ip = 1U << 30;
}

namespace irta { // IRTA_REG
inline constexpr Field size{0, 3, 0};
inline constexpr Field eime{0, 11, 11};
inline constexpr Field address{0, 63, 12};
constexpr u64 entries(u64 value) { return u64{2} << size.in(value); }
} // namespace irta

namespace queue_address { // IQA_REG, PQA_REG
inline constexpr Field size{0, 2, 0};
inline constexpr Field wide{0, 11, 11}; // DW, of the invalidation queue
inline constexpr Field address{0, 63, 12};
} // namespace queue_address

namespace page_request_status { // PRS_REG
inline constexpr u32 ppr = 1 << 0, pro = 1 << 1;
}

} // namespace vtd::model
