// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 7: why a unit refuses a request. Names and numbers are those of table 27, where legacy
// mode (L...) and scalable mode (S...) have their own for the same condition.

#pragma once

#include <compare>

#include "model/types.h"

namespace vtd::model {

enum class Reason : u8 {
    // Legacy mode
    root_not_present = 0x01,    // LRT.2
    context_not_present = 0x02, // LCT.2
    context_invalid = 0x03,     // LCT.4.x
    beyond_width = 0x04,        // LGN.1
    no_write = 0x05,            // LGN.2
    no_read = 0x06,             // LGN.3
    paging_access = 0x07,       // LSL.1
    root_access = 0x08,         // LRT.1
    context_access = 0x09,      // LCT.1
    root_reserved = 0x0a,       // LRT.3
    context_reserved = 0x0b,    // LCT.3
    paging_reserved = 0x0c,     // LSL.2
    context_blocks_at = 0x0d,   // LCT.5: translated or translation request
    interrupt_address = 0x0e,   // LGN.4
    // Interrupts
    interrupt_reserved = 0x20,     // the request itself
    interrupt_beyond_table = 0x21, // IRTA.S
    interrupt_not_present = 0x22,
    interrupt_access = 0x23,
    interrupt_entry_reserved = 0x24,
    interrupt_compatibility = 0x25, // a request of the other format is blocked
    interrupt_source = 0x26,        // SVT, SQ, SID
    posted_access = 0x27,
    posted_reserved = 0x28,
    interrupt_first = interrupt_reserved,
    interrupt_last = 0x2f,
    // Scalable mode
    rtaddr_invalid = 0x30,              // RTA.1
    rtaddr_ttm_pasid = 0x31,            // RTA.2: request with PASID, TTM legacy
    sm_root_access = 0x38,              // SRT.1
    sm_root_not_present = 0x39,         // SRT.2
    sm_root_reserved = 0x3a,            // SRT.3
    sm_context_access = 0x40,           // SCT.1
    sm_context_not_present = 0x41,      // SCT.2
    sm_context_reserved = 0x42,         // SCT.3
    sm_context_invalid = 0x43,          // SCT.4
    sm_no_dte = 0x44,                   // SCT.5
    sm_no_paside = 0x45,                // SCT.6
    sm_pasid_too_large = 0x46,          // SCT.7
    sm_no_pre = 0x47,                   // SCT.8
    sm_rid_pasid = 0x48,                // SCT.9
    pasid_directory_access = 0x50,      // SPD.1
    pasid_directory_not_present = 0x51, // SPD.2
    pasid_directory_reserved = 0x52,    // SPD.3
    pasid_access = 0x58,                // SPT.1
    pasid_not_present = 0x59,           // SPT.2
    pasid_reserved = 0x5a,              // SPT.3
    pasid_invalid = 0x5b,               // SPT.4
    pasid_no_ere = 0x5c,                // SPT.5
    pasid_no_sre = 0x5d,                // SPT.6
    first_access = 0x70,                // SFS.1
    first_not_present = 0x71,           // SFS.2
    first_reserved = 0x72,              // SFS.3
    first_root_access = 0x73,           // SFS.4
    nested_beyond_width = 0x74,         // SFS.5
    nested_root_no_read = 0x75,         // SFS.6
    nested_no_read = 0x76,              // SFS.7
    nested_no_write = 0x77,             // SFS.8
    second_access = 0x78,               // SSS.1
    second_not_present = 0x79,          // SSS.2
    second_reserved = 0x7a,             // SSS.3
    second_root_access = 0x7b,          // SSS.4
    not_canonical = 0x80,               // SGN.1
    first_privilege = 0x81,             // SGN.2
    first_no_execute = 0x82,            // SGN.3
    sm_beyond_width = 0x83,             // SGN.4
    second_beyond_width = 0x84,         // SGN.5
    sm_no_write = 0x85,                 // SGN.6
    sm_no_read = 0x86,                  // SGN.7
    sm_interrupt_address = 0x87,        // SGN.8
};

// The request is refused; FPD decides whether it is recorded (7.2.1).
struct Fault {
    Reason reason;
    bool recorded = true;
    auto operator<=>(const Fault&) const = default;
};

const char* text(Reason reason);

} // namespace vtd::model
