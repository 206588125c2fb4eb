// SPDX-License-Identifier: GPL-2.0-only
//
// What a kernel as distributions build it would do with an interrupt's vector. Said by hand, for
// there is no IDT here: glue.c asks the kernel's, and KUnit holds that against what is said here.

#ifndef VTD_HARNESS_VECTORS_H
#define VTD_HARNESS_VECTORS_H

extern "C" {
#include "unit.h"
}

namespace vtd {

constexpr unsigned int80 = 0x80, reboot = 0xf8;

// Exceptions, int $0x80, and what the kernel has from 0xec on: its timer, what processors tell
// each other, what the APIC tells. Not the notifications of posted interrupts, whose handlers find
// nothing to do: of KVM 0xf0, 0xf1 and 0xf2, of the kernel's own interrupts 0xeb.
constexpr bool is_fatal(unsigned vector) {
    return vector < 32 || vector == int80 || (vector >= 0xec && (vector < 0xf0 || vector > 0xf2));
}

// Of the exceptions the kernel names those that it has a handler for; it dies of the others, too.
inline void learn_vectors(takeover_unit& unit) {
    for (unsigned vector = 0; vector < VTD_VECTORS; vector++)
        if (is_fatal(vector) && (vector < 20 || vector >= 32))
            __set_bit(vector, unit.fatal_vectors);
}

} // namespace vtd

#endif
