// SPDX-License-Identifier: GPL-2.0-only
//
// 11.4.2, 11.4.3: what a unit can do. Only bits that change what hardware does with tables, caches,
// interrupts and faults, and so what software must do.

#pragma once

#include "model/format.h"

namespace vtd::model {

struct Capabilities {
    u64 cap{};
    u64 ecap{};
    unsigned host_width = 46; // bits of a physical address that the platform has

    static constexpr Field nd{0, 2, 0}, sagaw{0, 12, 8}, mgaw{0, 21, 16}, fault_offset{0, 33, 24},
        fault_count{0, 47, 40}, mamv{0, 53, 48};
    static constexpr Field iro{0, 17, 8}, mhmv{0, 23, 20};

    constexpr unsigned domain_ids() const { return 1U << (4 + 2 * nd.in(cap)); }
    constexpr bool write_buffer() const { return bit(cap, 4); }          // RWBF
    constexpr bool caching_mode() const { return bit(cap, 7); }          // CM
    constexpr bool walks(unsigned aw) const { return bit(cap, 8 + aw); } // SAGAW
    constexpr unsigned max_guest_width() const {                         // MGAW
        return static_cast<unsigned>(mgaw.in(cap)) + 1;
    }
    constexpr bool zero_length_reads() const { return bit(cap, 22); } // ZLR
    constexpr unsigned fault_register() const {
        return static_cast<unsigned>(16 * fault_offset.in(cap));
    }
    constexpr bool large_second(unsigned level) const { // SSLPS: 2 MiB, 1 GiB
        return level >= 2 && level <= 3 && bit(cap, 34 + level - 2);
    }
    constexpr bool page_selective() const { return bit(cap, 39); } // PSI
    constexpr unsigned fault_records() const {
        return static_cast<unsigned>(fault_count.in(cap)) + 1;
    }
    constexpr unsigned max_address_mask() const { // MAMV
        return static_cast<unsigned>(mamv.in(cap));
    }
    constexpr bool first_1g() const { return bit(cap, 56); }         // FS1GP
    constexpr bool posts() const { return bit(cap, 59); }            // PI
    constexpr bool first_5_levels() const { return bit(cap, 60); }   // FS5LP
    constexpr bool flushes_on_sirtp() const { return bit(cap, 62); } // ESIRTPS
    constexpr bool flushes_on_srtp() const { return bit(cap, 63); }  // ESRTPS

    constexpr bool coherent() const { return bit(ecap, 0); }          // C
    constexpr bool queue() const { return bit(ecap, 1); }             // QI
    constexpr bool device_tlb() const { return bit(ecap, 2); }        // DT
    constexpr bool remaps_interrupts() const { return bit(ecap, 3); } // IR
    constexpr bool x2apic() const { return bit(ecap, 4); }            // EIM
    constexpr bool pass_through() const { return bit(ecap, 6); }      // PT
    constexpr bool snoop_control() const { return bit(ecap, 7); }     // SC
    constexpr unsigned iotlb_register() const {                       // IRO
        return static_cast<unsigned>(16 * iro.in(ecap));
    }
    constexpr unsigned max_handle_mask() const { // MHMV
        return static_cast<unsigned>(mhmv.in(ecap));
    }
    constexpr bool nested() const { return bit(ecap, 26); }        // NEST
    constexpr bool page_requests() const { return bit(ecap, 29); } // PRS
    constexpr bool supervisor() const { return bit(ecap, 31); }    // SRS
    constexpr bool pasid() const { return bit(ecap, 40); }         // PASID
    constexpr bool drains_pages() const { return bit(ecap, 42); }  // PDS
    constexpr bool scalable() const { return bit(ecap, 43); }      // SMTS
    constexpr bool marks_second() const { return bit(ecap, 45); }  // SSADS
    constexpr bool second_stage() const { return bit(ecap, 46); }  // SSTS
    constexpr bool first_stage() const { return bit(ecap, 47); }   // FSTS
    constexpr bool walk_coherent() const { return bit(ecap, 48); } // SMPWCS
    constexpr bool rid_pasid() const { return bit(ecap, 49); }     // RPS
    constexpr bool abort_mode() const { return bit(ecap, 52); }    // ADMS

private:
    static constexpr bool bit(u64 word, unsigned number) { return word >> number & 1; }
};

} // namespace vtd::model
