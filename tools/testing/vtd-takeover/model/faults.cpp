// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 7: faults in words, for people.

#include "model/faults.h"

namespace vtd::model {

const char* text(Reason reason) {
    switch (reason) {
    case Reason::root_not_present:
    case Reason::sm_root_not_present:
        return "root entry not present";
    case Reason::context_not_present:
    case Reason::sm_context_not_present:
        return "context entry not present";
    case Reason::context_invalid:
    case Reason::sm_context_invalid:
        return "context entry asks for what the unit lacks";
    case Reason::beyond_width:
    case Reason::sm_beyond_width:
    case Reason::second_beyond_width:
    case Reason::nested_beyond_width:
        return "address beyond the width";
    case Reason::no_write:
    case Reason::sm_no_write:
    case Reason::nested_no_write:
        return "no right to write";
    case Reason::no_read:
    case Reason::sm_no_read:
    case Reason::nested_no_read:
    case Reason::nested_root_no_read:
        return "no right to read";
    case Reason::paging_access:
    case Reason::first_access:
    case Reason::second_access:
        return "no memory where a page table should be";
    case Reason::first_root_access:
    case Reason::second_root_access:
        return "no memory where the top page table should be";
    case Reason::root_access:
    case Reason::sm_root_access:
        return "no memory where the root table should be";
    case Reason::context_access:
    case Reason::sm_context_access:
        return "no memory where a context table should be";
    case Reason::root_reserved:
    case Reason::sm_root_reserved:
        return "reserved bits in the root entry";
    case Reason::context_reserved:
    case Reason::sm_context_reserved:
        return "reserved bits in the context entry";
    case Reason::paging_reserved:
    case Reason::first_reserved:
    case Reason::second_reserved:
        return "reserved bits in a paging entry";
    case Reason::context_blocks_at:
    case Reason::sm_no_dte:
        return "the device may not use a device-TLB";
    case Reason::interrupt_address:
    case Reason::sm_interrupt_address:
        return "an interrupt's address";
    case Reason::rtaddr_invalid:
        return "abort mode, or a mode that is reserved";
    case Reason::rtaddr_ttm_pasid:
        return "PASID in legacy mode";
    case Reason::sm_no_paside:
        return "PASID where the context entry allows none";
    case Reason::sm_pasid_too_large:
        return "PASID beyond the directory";
    case Reason::sm_no_pre:
        return "page request where the context entry allows none";
    case Reason::sm_rid_pasid:
        return "RID_PASID beyond the directory";
    case Reason::pasid_directory_access:
        return "no memory where the PASID directory should be";
    case Reason::pasid_directory_not_present:
        return "PASID-directory entry not present";
    case Reason::pasid_directory_reserved:
        return "reserved bits in the PASID-directory entry";
    case Reason::pasid_access:
        return "no memory where the PASID table should be";
    case Reason::pasid_not_present:
        return "PASID-table entry not present";
    case Reason::pasid_reserved:
        return "reserved bits in the PASID-table entry";
    case Reason::pasid_invalid:
        return "PASID-table entry asks for what the unit lacks";
    case Reason::pasid_no_ere:
    case Reason::first_no_execute:
        return "no right to execute";
    case Reason::pasid_no_sre:
        return "privileged request where the PASID-table entry allows none";
    case Reason::first_not_present:
        return "first-stage entry not present";
    case Reason::second_not_present:
        return "second-stage entry without the right";
    case Reason::not_canonical:
        return "address not canonical";
    case Reason::first_privilege:
        return "a page of the supervisor";
    case Reason::interrupt_reserved:
        return "reserved bits in an interrupt request";
    case Reason::interrupt_beyond_table:
        return "interrupt index beyond the table";
    case Reason::interrupt_not_present:
        return "interrupt entry not present";
    case Reason::interrupt_access:
        return "no memory where the interrupt table should be";
    case Reason::interrupt_entry_reserved:
        return "reserved bits in an interrupt entry";
    case Reason::interrupt_compatibility:
        return "an interrupt in compatibility format";
    case Reason::interrupt_source:
        return "an interrupt of another requester";
    case Reason::posted_access:
        return "no memory where a posted-interrupt descriptor should be";
    case Reason::posted_reserved:
        return "reserved bits in a posted-interrupt descriptor";
    case Reason::interrupt_last:
        break;
    }
    return "unknown";
}

} // namespace vtd::model
