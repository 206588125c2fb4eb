// SPDX-License-Identifier: GPL-2.0-only
//
// The crashed kernel's interrupt table: of any size, in either mode, damaged in
// every way that an entry can be; and the registers around it, fault records
// and the invalidation queue.

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "harness/machine.h"
#include "harness/vectors.h"

extern "C" {
#include <linux/errno.h>
}

using namespace vtd;

namespace {

constexpr Phys header{0x2a000000};
constexpr Phys ram{0x10000000};
constexpr u64 ram_size = 0x400000;
constexpr Phys table_at{0x10200000};
constexpr Phys descriptor{0x10100040};
constexpr unsigned first_kept = 57344;
constexpr u64 blocked = 2; // P = 0, FPD = 1
constexpr u64 pi = 1ULL << 59;

struct Irte {
    u64 low, high;
    bool operator==(const Irte&) const = default;
};
constexpr Irte silent{blocked, 0};

constexpr u64 logical = 1 << 2;
constexpr u64 hint = 1 << 3;
constexpr u64 lowest = 1 << 5;

constexpr u64 delivery(u64 mode) { return mode << 5; }
constexpr u64 vector(u64 v) { return v << 16; }
constexpr u64 x2apic(u64 id) { return id << 32; }
constexpr u64 xapic(u64 id) { return id << 40; }

// Source id of a device, to be verified: every entry has another.
constexpr u64 source(unsigned index) { return 0x40000 | (index & 0xffff); }
constexpr u64 plain = 1 | hint | vector(0x41);

constexpr Irte posted(Phys at) {
    return {1 | 1 << 15 | vector(0x41) | at.value >> 6 << 38, source(7) | at.value >> 32 << 32};
}

class Interrupts : public testing::Test {
protected:
    Interrupts() {
        learn_vectors(machine.unit);
        machine.unit.cap = 0;
        machine.gsts = 0x06000000; // QIES, IRES
        map({std::pair{ram, ram_size}});
    }

    void map(std::vector<std::pair<Phys, u64>> ranges) {
        machine.write_elfcorehdr(header, ranges);
        EXPECT_EQ(takeover_oldmem_learn(header.value), 0);
    }

    // An old table of 2^(s + 1) entries.
    void old_table(unsigned s, bool eim = false, Phys at = table_at) {
        machine.irta = at.value | s | (eim ? 1 << 11 : 0);
        for (u64 done = 0; done < (2ULL << s) * 16; done += 4096)
            std::ranges::fill(machine.old_page({at.value + done}), 0);
    }

    void write(unsigned index, Irte entry) {
        const u64 at = (machine.irta & ~0xfffULL) + index * 16ULL;
        Page& page = machine.old_page({at & ~0xfffULL});
        page[at % 4096 / 8] = entry.low;
        page[at % 4096 / 8 + 1] = entry.high;
    }

    int adopt(bool eim = false) {
        takeover_snapshot(&machine.unit);
        machine.events.clear();
        machine.reserved_irtes.clear();
        machine.unit.nr_irtes = 0;
        machine.unit.nr_irtes_dropped = 0;
        machine.unit.nr_irtes_reserved = 0;
        machine.log.clear();
        ours.assign(65536, {});
        return takeover_adopt_irtes(&machine.unit, &ours[0].low, eim);
    }

    // The fate of one entry: adopted as it was returned, or blocked.
    Irte fate(Irte entry, bool old_eim, bool eim) {
        old_table(7, old_eim);
        write(3, entry);
        EXPECT_EQ(adopt(eim), 0);
        EXPECT_EQ(machine.unit.nr_irtes + machine.unit.nr_irtes_dropped, 1U);
        EXPECT_EQ(machine.reserved_irtes, std::set{3U});
        EXPECT_EQ(machine.unit.nr_irtes_dropped, ours[3] == silent);
        return ours[3];
    }

    bool kept(Irte entry, bool eim = false) { return fate(entry, eim, eim) == entry; }
    bool dropped(Irte entry, bool old_eim = false, bool eim = false) {
        return fate(entry, old_eim, eim) == silent;
    }

    bool logged(std::string_view part) const {
        return std::ranges::any_of(machine.log,
                                   [&](const auto& line) { return line.find(part) != line.npos; });
    }

    std::size_t count_of(Irte entry, unsigned from = 0, unsigned to = 65536) const {
        return static_cast<std::size_t>(std::count(ours.begin() + from, ours.begin() + to, entry));
    }

    Machine machine;
    std::vector<Irte> ours;
};

TEST_F(Interrupts, AdoptsATableOfAnySize) {
    for (unsigned s = 0; s < 16; s++) {
        SCOPED_TRACE(s);
        const unsigned last = (2U << s) - 1;
        old_table(s);
        for (const unsigned index : {0U, last / 2, last})
            write(index, {plain | xapic(1), source(index)});
        // Beyond the end: in memory, and not in the table.
        write(last + 1, {plain | xapic(1), source(1)});

        ASSERT_EQ(adopt(), 0);
        for (const unsigned index : {0U, last / 2, last}) {
            const bool mine = index >= first_kept;
            EXPECT_EQ(ours[index], mine ? silent : (Irte{plain | xapic(1), source(index)}));
            EXPECT_EQ(machine.reserved_irtes.contains(index), !mine);
        }
        const std::size_t used = std::set{0U, last / 2, last}.size();
        EXPECT_EQ(count_of({0, 0}), 65536 - used);
        EXPECT_EQ(machine.unit.nr_irtes, used - machine.unit.nr_irtes_dropped);
        EXPECT_EQ(machine.unit.nr_irtes_dropped, s == 15 ? 1U : 0U);
        EXPECT_EQ(machine.live_tables, 0U);
    }
    EXPECT_TRUE(
        logged("interrupt table adopted: 2 entries, 1 dropped, xAPIC mode, was 0x1020000f"));
}

TEST_F(Interrupts, FlushesWhatTheHardwareWillRead) {
    old_table(9);
    ASSERT_EQ(adopt(), 0);
    ASSERT_EQ(machine.events.size(), 1U);
    EXPECT_EQ(machine.events[0].op, Op::FlushLines);
    EXPECT_EQ(machine.events[0].value, reinterpret_cast<uintptr_t>(ours.data()));
    EXPECT_EQ(machine.events[0].size, 1024U * 16);
}

TEST_F(Interrupts, KeepsSomeIndicesWhateverTheOldTableClaims) {
    old_table(15);
    for (unsigned index = 0; index < 65536; index++)
        write(index, {plain | xapic(1), source(index)});
    ASSERT_EQ(adopt(), 0);

    EXPECT_EQ(machine.reserved_irtes.size(), first_kept);
    EXPECT_EQ(*machine.reserved_irtes.rbegin(), first_kept - 1);
    EXPECT_EQ(machine.unit.nr_irtes, first_kept);
    EXPECT_EQ(count_of(silent, first_kept), 8192U);
    EXPECT_EQ(ours[first_kept - 1], (Irte{plain | xapic(1), source(first_kept - 1)}));
    // The first eight are reported, then the summary.
    EXPECT_EQ(machine.log.size(), 9U);
    EXPECT_TRUE(logged("interrupt entry 57351 dropped: its index is left to this kernel"));
    EXPECT_TRUE(logged("57344 entries, 8192 dropped"));
}

TEST_F(Interrupts, KeepsTheDeliveryModesOfDevices) {
    for (const bool eim : {false, true})
        for (u64 mode = 0; mode < 8; mode++) {
            SCOPED_TRACE(mode);
            const Irte entry{plain | delivery(mode) | (eim ? x2apic(1) : xapic(1)), source(3)};
            EXPECT_EQ(kept(entry, eim), mode < 2);
            EXPECT_EQ(dropped(entry, eim, eim), mode >= 2);
            EXPECT_EQ(logged("entry 3 dropped: its delivery mode is not a device's"), mode >= 2);
        }
}

TEST_F(Interrupts, KeepsTheVectorsOfDevices) {
    for (unsigned v = 0; v < 256; v++) {
        SCOPED_TRACE(v);
        const Irte entry{1 | vector(v) | xapic(1), source(3)};
        EXPECT_EQ(kept(entry), !is_fatal(v));
        EXPECT_EQ(dropped(entry), is_fatal(v));
        EXPECT_EQ(logged("it would raise an exception"), v < 32);
        EXPECT_EQ(logged("it would raise one of this kernel's own vectors"),
                  v >= 32 && is_fatal(v));
    }
}

// A kernel that has no use for a vector, int $0x80 least of all, is not hurt by it.
TEST_F(Interrupts, KeepsWhatThisKernelHasNoUseFor) {
    clear_bit(int80, machine.unit.fatal_vectors);
    EXPECT_TRUE(kept({1 | vector(int80) | xapic(1), source(3)}));
    // The processor has, whatever the kernel says.
    clear_bit(2, machine.unit.fatal_vectors);
    EXPECT_TRUE(dropped({1 | vector(2) | xapic(1), source(3)}));
}

TEST_F(Interrupts, LeavesAbsentEntriesEmpty) {
    old_table(7);
    write(3, {(plain | xapic(1)) & ~1ULL, source(3)});
    write(4, silent);
    ASSERT_EQ(adopt(), 0);
    EXPECT_EQ(count_of({0, 0}), 65536U);
    EXPECT_TRUE(machine.reserved_irtes.empty());
    EXPECT_TRUE(logged("0 entries, 0 dropped"));
}

TEST_F(Interrupts, LeavesReservedBitsToTheHardware) {
    for (unsigned bit = 0; bit < 128; bit++) {
        SCOPED_TRACE(bit);
        const u64 one = 1ULL << bit % 64;
        const bool low = bit < 64;
        Irte entry{plain | x2apic(1), source(3)};
        const bool reserved =
            low ? (bit >= 12 && bit < 16) || (bit >= 24 && bit < 32) : bit >= 64 + 20;
        if (!reserved)
            continue;
        (low ? entry.low : entry.high) |= one;
        EXPECT_TRUE(kept(entry, true));
        EXPECT_EQ(machine.unit.nr_irtes_reserved, 1U);
        EXPECT_TRUE(logged("interrupt entries with reserved bits set: 1, left"));
    }
    // Half the destination is reserved in xAPIC mode, and only there.
    EXPECT_TRUE(kept({plain | xapic(1) | x2apic(1), source(3)}, false));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 1U);
    EXPECT_TRUE(kept({plain | x2apic(0xffff0101), source(3)}, true));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 0U);
    EXPECT_FALSE(logged("reserved bits"));
}

TEST_F(Interrupts, KeepsTheSourceThatIsVerified) {
    const Irte entry{plain | xapic(1), 0x7ffff};
    EXPECT_TRUE(kept(entry));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 0U);
    // In the other mode as well.
    EXPECT_EQ(fate(entry, false, true), (Irte{plain | x2apic(1), 0x7ffff}));
}

// From one mode to the other.

TEST_F(Interrupts, NamesAProcessorInXapicMode) {
    const auto as_xapic = [&](u64 entry) { return fate({entry, source(3)}, true, false); };

    for (const u64 id : {0, 1, 8, 254})
        EXPECT_EQ(as_xapic(plain | lowest | x2apic(id)),
                  (Irte{plain | lowest | xapic(id), source(3)}));
    for (const u64 id : {0xffULL, 0x100ULL, 0x1000001ULL, 0xffffffffULL})
        EXPECT_EQ(as_xapic(plain | x2apic(id)), silent);
    EXPECT_TRUE(logged("entry 3 dropped: its destination has no name in this mode"));
}

TEST_F(Interrupts, NamesTheOnlyMemberOfAClusterInXapicMode) {
    const auto as_xapic = [&](u64 id) {
        return fate({plain | logical | lowest | x2apic(id), source(3)}, true, false);
    };

    for (u64 cluster = 0; cluster < 18; cluster++)
        for (u64 member = 0; member < 16; member++) {
            const u64 id = cluster * 16 + member;
            EXPECT_EQ(as_xapic(cluster << 16 | 1ULL << member),
                      id < 255 ? (Irte{plain | xapic(id), source(3)}) : silent);
        }
    EXPECT_EQ(as_xapic(0x00000000), silent);
    EXPECT_EQ(as_xapic(0x00000003), silent);
    EXPECT_EQ(as_xapic(0x00018001), silent);
    EXPECT_EQ(as_xapic(0x10000001), silent);
    EXPECT_EQ(as_xapic(0xffffffff), silent);
}

TEST_F(Interrupts, NamesAProcessorInX2apicMode) {
    const auto as_x2apic = [&](u64 entry) { return fate({entry, source(3)}, false, true); };

    for (const u64 id : {0, 1, 8, 254})
        EXPECT_EQ(as_x2apic(plain | lowest | xapic(id)),
                  (Irte{plain | lowest | x2apic(id), source(3)}));
    EXPECT_EQ(as_x2apic(plain | xapic(255)), silent);
    EXPECT_EQ(as_x2apic(plain | logical | xapic(1)), silent);
    // Refused by the hardware before, and not after: no.
    EXPECT_EQ(as_x2apic(plain | xapic(1) | x2apic(1)), silent);
    EXPECT_EQ(as_x2apic(plain | xapic(0x101)), silent);
}

TEST_F(Interrupts, KeepsAnyDestinationInItsMode) {
    for (const bool eim : {false, true})
        for (const u64 id : {0ULL, 3ULL, 0xffULL, 0x18001ULL, 0xffffffffULL})
            for (const u64 mode : {0ULL, logical})
                EXPECT_TRUE(
                    kept({plain | mode | (eim ? x2apic(id) : xapic(id & 0xff)), source(3)}, eim));
}

TEST_F(Interrupts, SaysWhichModeItIsIn) {
    old_table(3, true);
    ASSERT_EQ(adopt(true), 0);
    EXPECT_TRUE(logged("0 dropped, x2APIC mode, was 0x10200803"));
    ASSERT_EQ(adopt(false), 0);
    EXPECT_TRUE(logged("0 dropped, xAPIC mode, was 0x10200803"));
}

// Posted interrupts.

class Posted : public Interrupts {
protected:
    Posted() {
        machine.unit.cap = pi;
        notify(0xf2);
    }
    void notify(u64 nv, Phys at = descriptor) {
        Page& page = machine.old_page({at.value & ~0xfffULL});
        page[at.value % 4096 / 8 + 4] = nv << 16 | 0xff00ffff;
    }
};

TEST_F(Posted, KeepsAGoodOne) {
    for (const bool eim : {false, true})
        EXPECT_TRUE(kept(posted(descriptor), eim));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 0U);
    // Delivery mode and vector mean nothing here: the vector is the guest's.
    Irte entry = posted(descriptor);
    entry.low &= ~vector(0xff);
    EXPECT_TRUE(kept(entry));
    entry.low |= delivery(2);
    EXPECT_TRUE(kept(entry));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 1U);
}

TEST_F(Posted, AreNotAllThatAUnitHasThatPosts) {
    EXPECT_TRUE(kept({plain | xapic(1), source(3)}));
    EXPECT_TRUE(dropped({plain | delivery(2) | xapic(1), source(3)}));
}

TEST_F(Posted, CountsReservedBits) {
    for (const unsigned bit : {2, 3, 4, 5, 6, 7, 12, 13, 24, 31, 37, 64 + 20, 64 + 31}) {
        SCOPED_TRACE(bit);
        Irte entry = posted(descriptor);
        (bit < 64 ? entry.low : entry.high) |= 1ULL << bit % 64;
        EXPECT_TRUE(kept(entry));
        EXPECT_EQ(machine.unit.nr_irtes_reserved, 1U);
    }
    // The urgent bit and those for software are not among them.
    Irte entry = posted(descriptor);
    entry.low |= 1 << 14 | 0xf00;
    EXPECT_TRUE(kept(entry));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 0U);
}

TEST_F(Posted, LeavesItToHardwareThatDoesNotPost) {
    machine.unit.cap = ~pi;
    machine.unit.cap &= ~0xff00000000ULL; // no fault registers to speak of
    Irte entry = posted({0xfee00000});
    EXPECT_TRUE(kept(entry));
    EXPECT_EQ(machine.unit.nr_irtes_reserved, 1U);
}

TEST_F(Posted, DropsADescriptorThatIsNotInOldRam) {
    EXPECT_TRUE(dropped(posted({0})));
    EXPECT_TRUE(dropped(posted({0xfee00000})));
    // It would be readable.
    notify(0xf2, {ram.value + ram_size});
    EXPECT_TRUE(dropped(posted({ram.value + ram_size})));
    EXPECT_TRUE(dropped(posted({descriptor.value | 1ULL << 32})));
    EXPECT_TRUE(dropped(posted({descriptor.value | 1ULL << 63})));
    EXPECT_TRUE(logged("entry 3 dropped: its descriptor is not in old RAM"));

    // All of it has to be.
    map({std::pair{ram, descriptor.value + 63 - ram.value}, std::pair{table_at, u64{0x1000}}});
    EXPECT_TRUE(dropped(posted(descriptor)));
    map({std::pair{ram, descriptor.value + 64 - ram.value}, std::pair{table_at, u64{0x1000}}});
    EXPECT_TRUE(kept(posted(descriptor)));
}

// kexec may describe as old RAM what it gives to this kernel, too.
TEST_F(Posted, DropsADescriptorInThisKernelsMemory) {
    takeover_forbid(descriptor.value + 63, descriptor.value + 64);
    EXPECT_TRUE(dropped(posted(descriptor)));
    EXPECT_TRUE(logged("entry 3 dropped: its descriptor is not in old RAM"));
    takeover_forbid_nothing();
    EXPECT_TRUE(kept(posted(descriptor)));
}

TEST_F(Posted, FindsADescriptorAbove4G) {
    constexpr Phys high{0x7fe87654fc0};
    map({std::pair{ram, ram_size}, std::pair{Phys{0x7fe00000000}, u64{1} << 32}});
    notify(0xf2, high);
    EXPECT_TRUE(kept(posted(high)));
}

TEST_F(Posted, DropsADescriptorThatCannotBeRead) {
    machine.poisoned.insert({descriptor.value & ~0xfffULL});
    EXPECT_TRUE(dropped(posted(descriptor)));
    EXPECT_TRUE(logged("its descriptor cannot be read"));
}

// The processor does not know whether an interrupt was posted.
TEST_F(Posted, KeepsTheNotificationsThatDoNoHarm) {
    for (unsigned nv = 0; nv < 256; nv++) {
        SCOPED_TRACE(nv);
        notify(nv);
        EXPECT_EQ(kept(posted(descriptor)), !is_fatal(nv));
        EXPECT_EQ(dropped(posted(descriptor)), is_fatal(nv));
        EXPECT_EQ(logged("it would raise an exception"), nv < 32);
        EXPECT_EQ(logged("it would raise one of this kernel's own vectors"),
                  nv >= 32 && is_fatal(nv));
    }
}

TEST_F(Posted, DropsOneWhoseProcessorHasNoNameInThisMode) {
    EXPECT_TRUE(dropped(posted(descriptor), true, false));
    EXPECT_TRUE(dropped(posted(descriptor), false, true));
    EXPECT_TRUE(logged("posted to a processor of the other mode"));
}

// Damage to the table as a whole.

TEST_F(Interrupts, LosesThePagesThatAreNoRam) {
    constexpr Phys at{ram.value + ram_size - 2 * 4096};
    old_table(15, false, at);
    for (unsigned index = 0; index < 65536; index++)
        write(index, {plain | xapic(1), source(index)});
    ASSERT_EQ(adopt(), 0);
    EXPECT_EQ(machine.unit.nr_irtes, 512U);
    EXPECT_EQ(machine.reserved_irtes.size(), 512U);
    EXPECT_EQ(count_of(silent, 512), 65536U - 512);
    EXPECT_EQ(ours[511], (Irte{plain | xapic(1), source(511)}));
    EXPECT_TRUE(logged("254 of 256 pages of the interrupt table not read"));
}

TEST_F(Interrupts, LosesThePagesThatCannotBeRead) {
    old_table(9);
    for (unsigned index = 0; index < 1024; index++)
        write(index, {plain | xapic(1), source(index)});
    machine.poisoned.insert({table_at.value + 4096});
    ASSERT_EQ(adopt(), 0);
    EXPECT_EQ(count_of(silent), 256U);
    EXPECT_EQ(count_of(silent, 256, 512), 256U);
    EXPECT_EQ(machine.reserved_irtes.size(), 768U);
    EXPECT_FALSE(machine.reserved_irtes.contains(256));
    EXPECT_TRUE(logged("1 of 4 pages of the interrupt table not read"));
}

TEST_F(Interrupts, NeedsNoMoreOfAPageThanTheTable) {
    // 16 entries at the very end of what is RAM.
    map({std::pair{ram, table_at.value + 256 - ram.value}});
    old_table(3);
    write(15, {plain | xapic(1), source(15)});
    ASSERT_EQ(adopt(), 0);
    EXPECT_EQ(ours[15], (Irte{plain | xapic(1), source(15)}));
    map({std::pair{ram, table_at.value + 255 - ram.value}});
    EXPECT_EQ(adopt(), -EFAULT);
}

TEST_F(Interrupts, BlocksATableThatIsNotInOldRam) {
    old_table(8, false, {ram.value + ram_size});
    write(0, {plain | xapic(1), source(0)});
    EXPECT_EQ(adopt(), -EFAULT);
    EXPECT_EQ(count_of(silent, 0, 512), 512U);
    EXPECT_EQ(count_of({0, 0}, 512), 65536U - 512);
    EXPECT_TRUE(machine.reserved_irtes.empty());
    EXPECT_TRUE(
        logged("interrupt table at 0x10400000 not adopted (-14): its interrupts are blocked"));
    EXPECT_EQ(machine.live_tables, 0U);
    ASSERT_EQ(machine.events.size(), 1U);
    EXPECT_EQ(machine.events[0].size, 512U * 16);
}

TEST_F(Interrupts, BlocksATableWhoseFirstPageCannotBeRead) {
    old_table(15);
    for (const unsigned index : {0U, 300U})
        write(index, {plain | xapic(1), source(index)});
    machine.poisoned.insert(table_at);
    EXPECT_EQ(adopt(), -EIO);
    EXPECT_EQ(count_of(silent), 65536U);
    EXPECT_TRUE(machine.reserved_irtes.empty());
    EXPECT_TRUE(logged("not adopted (-5)"));
}

TEST_F(Interrupts, SurvivesTheFailureOfEveryAllocation) {
    old_table(7);
    write(0, {plain | xapic(1), source(0)});
    machine.allocations = 0;
    EXPECT_EQ(adopt(), -ENOMEM);
    EXPECT_EQ(count_of(silent), 256U);
    EXPECT_TRUE(logged("not adopted (-12)"));
    // One page is all it takes.
    machine.allocations = 1;
    EXPECT_EQ(adopt(), 0);
    EXPECT_EQ(ours[0], (Irte{plain | xapic(1), source(0)}));
}

TEST_F(Interrupts, AsksForThemWhenTranslationIsOff) {
    takeover_policy policy{};
    takeover_judge_unit(&policy, 2, 0, 0x02000000, 0);
    EXPECT_TRUE(policy.remaps);
    EXPECT_FALSE(policy.found);

    policy = {};
    takeover_judge_unit(&policy, ~0ULL, ~0ULL, ~0U, ~0ULL);
    takeover_judge_unit(&policy, 2, 0, 0x80000000, 0);
    EXPECT_FALSE(policy.remaps);
    takeover_judge_unit(&policy, 2, 0, 0x02000000, 0);
    takeover_judge_unit(&policy, 2, 0, 0, 0);
    EXPECT_TRUE(policy.remaps);
    EXPECT_TRUE(policy.found);

    takeover_snapshot(&machine.unit);
    EXPECT_EQ(machine.unit.state, TAKEOVER_IDLE);
}

// Fault records.

class Faults : public Interrupts {
protected:
    // CAP: `number` records, the first at 0x220.
    void ring(unsigned number, unsigned first, unsigned used) {
        machine.unit.cap = 0x22ULL << 24 | u64{number - 1} << 40;
        machine.fsts = 2U | first << 8;
        machine.fault_records.clear();
        for (unsigned i = 0; i < number; i++) {
            const unsigned reg = 0x220 + 16 * i;
            const bool in_use = (i + number - first) % number < used;
            machine.fault_records[reg] = 0x1000 * (i + 1) + 0xabc;
            machine.fault_records[reg + 8] = (in_use ? 1ULL << 63 : 0) | 5ULL << 32 | 0x10;
        }
    }
    void one(u64 low, u64 high) {
        ring(1, 0, 1);
        machine.fault_records[0x220] = low;
        machine.fault_records[0x228] = 1ULL << 63 | high;
        machine.log.clear();
        takeover_snapshot(&machine.unit);
    }
};

TEST_F(Faults, KeepsThemInTheirOrder) {
    ring(4, 2, 3);
    takeover_snapshot(&machine.unit);
    ASSERT_EQ(machine.unit.nr_faults, 3U);
    EXPECT_EQ(machine.unit.fsts, 0x202U);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(machine.unit.faults[i].low, 0x1000U * ((i + 2) % 4 + 1) + 0xabc);
    EXPECT_EQ(machine.unit.faults[0].high, 1ULL << 63 | 5ULL << 32 | 0x10);
    ASSERT_EQ(machine.log.size(), 3U);
    EXPECT_NE(machine.log[2].find("dmar0: fault the crashed kernel left: 00:02.0 write 0x1000, "
                                  "reason 0x5"),
              std::string::npos);
}

TEST_F(Faults, KeepsAsManyAsThereIsRoomFor) {
    ring(256, 250, 256);
    takeover_snapshot(&machine.unit);
    EXPECT_EQ(machine.unit.nr_faults, unsigned{TAKEOVER_FAULTS});
    EXPECT_EQ(machine.unit.faults[7].low, 0x1000U * 2 + 0xabc);
    EXPECT_EQ(machine.log.size(), 8U);

    ring(2, 0, 2);
    takeover_snapshot(&machine.unit);
    EXPECT_EQ(machine.unit.nr_faults, 2U);
}

TEST_F(Faults, KeepsNoneWhereNoneIsPending) {
    ring(4, 0, 4);
    machine.fsts = 0x70;
    takeover_snapshot(&machine.unit);
    EXPECT_EQ(machine.unit.nr_faults, 0U);
    EXPECT_EQ(machine.unit.fsts, 0x70U);
    EXPECT_TRUE(machine.log.empty());
}

TEST_F(Faults, SaysWhatTheyWere) {
    one(0x12345abc, 5ULL << 32 | 0x00fa);
    EXPECT_TRUE(logged("left: 00:1f.2 write 0x12345000, reason 0x5"));
    one(0x12345abc, 1ULL << 62 | 6ULL << 32 | 0xffff);
    EXPECT_TRUE(logged("left: ff:1f.7 read 0x12345000, reason 0x6"));
    one(0x12345abc, 1ULL << 28 | 0x71ULL << 32 | 0x100);
    EXPECT_TRUE(logged("left: 01:00.0 page request 0x12345000, reason 0x71"));
    one(0x12345abc, 1ULL << 62 | 1ULL << 28 | 0x85ULL << 32 | 0x100);
    EXPECT_TRUE(logged("left: 01:00.0 atomic 0x12345000, reason 0x85"));
    for (const u64 reason : {0x1fULL, 0x20ULL, 0x22ULL, 0x2fULL, 0x30ULL}) {
        one(0x1234000000005000, reason << 32 | 0x100);
        EXPECT_EQ(logged("left: 01:00.0 interrupt 0x1234, reason"),
                  reason >= 0x20 && reason < 0x30);
    }
}

TEST_F(Faults, AreNotClearedAndTheirEventIsMasked) {
    ring(4, 0, 4);
    takeover_snapshot(&machine.unit);
    ASSERT_EQ(machine.events.size(), 1U);
    EXPECT_EQ(machine.events[0].op, Op::WriteFectl);
    EXPECT_EQ(machine.events[0].value, 0x80000000U);
    EXPECT_EQ(machine.fsts, 2U);
}

// The invalidation queue.

class Queue : public Interrupts {
protected:
    Queue() {
        machine.gsts = 0xc7000000; // TES, RTPS, QIES, IRES, IRTPS
        machine.iqh = 0x40;
        machine.iqt = 0x80;
    }
    std::vector<Op> ops() const {
        std::vector<Op> found;
        for (const Event& event : machine.events)
            found.push_back(event.op);
        return found;
    }
};

TEST_F(Queue, IsDrainedAndStopped) {
    EXPECT_EQ(takeover_stop_queue(&machine.unit), 0);
    EXPECT_EQ(machine.iqh, machine.iqt);
    EXPECT_GT(machine.waited, 0U);
    EXPECT_LT(machine.waited, 1000U);
    EXPECT_EQ(ops(), (std::vector{Op::WriteGcmd, Op::WriteFsts}));
    EXPECT_FALSE(machine.unit.queue_lost);
    // Everything else stays as it was.
    EXPECT_EQ(machine.events[0].value, 0x82000000U);
    EXPECT_TRUE(machine.log.empty());
}

TEST_F(Queue, IsNotDrainedAfterAnError) {
    for (const u32 error : {0x10U, 0x40U}) {
        machine.gsts = 0xc7000000;
        machine.iqh = 0x40;
        machine.fsts = error | 0x22; // a fault and a completion error as well
        EXPECT_EQ(takeover_stop_queue(&machine.unit), 0);
        EXPECT_EQ(machine.iqh, 0x40U);
        EXPECT_EQ(machine.waited, 0U);
        // The queue's errors are gone, the fault is the driver's.
        EXPECT_EQ(machine.fsts, 2U);
        EXPECT_FALSE(machine.gsts & VTD_GSTS_QIES);
    }
}

TEST_F(Queue, GetsATenthOfASecond) {
    machine.drains = false;
    EXPECT_EQ(takeover_stop_queue(&machine.unit), 0);
    EXPECT_EQ(machine.waited, 100000U);
    EXPECT_FALSE(machine.gsts & VTD_GSTS_QIES);
}

TEST_F(Queue, ThatIsOffIsLeftAlone) {
    machine.gsts &= ~u32{VTD_GSTS_QIES};
    machine.fsts = 0x70;
    machine.drains = false;
    EXPECT_EQ(takeover_stop_queue(&machine.unit), 0);
    EXPECT_EQ(ops(), std::vector{Op::WriteFsts});
    EXPECT_EQ(machine.fsts, 0U);
    EXPECT_EQ(machine.waited, 0U);
}

TEST_F(Queue, ThatDoesNotStopIsReported) {
    machine.answers = false;
    EXPECT_EQ(takeover_stop_queue(&machine.unit), -ETIMEDOUT);
    EXPECT_GE(machine.waited, 10000000U); // as long as the driver waits
    EXPECT_LT(machine.waited, 10200000U);
    EXPECT_TRUE(logged("does not let go of the invalidation queue"));
    EXPECT_TRUE(machine.unit.queue_lost);

    // Interrupt remapping stopped it, the driver's own start wants to as well.
    machine.waited = 0;
    EXPECT_EQ(takeover_stop_queue(&machine.unit), -ETIMEDOUT);
    EXPECT_EQ(machine.waited, 0U);
}

// This kernel's own: ten seconds, five minutes once a device was asked, a second after an error
// that the driver does not clear, and not even that if there is no unit any more.
TEST_F(Queue, IsNotWaitedForWithoutEnd) {
    struct Case {
        u64 command; // one that was given before
        u32 fsts;
        u64 most;
    };
    constexpr u64 context = 1, iotlb = 2, device = 3, device_of_pasid = 8;
    for (const auto& [command, fsts, most] : {Case{context, 0, 10000},
                                              {iotlb, 0, 10000},
                                              {device, 0, 300000},
                                              {device_of_pasid, 0, 300000},
                                              {device, 0x10, 1000},
                                              {device, 0x40, 300000},
                                              {iotlb, 0x10, 1000},
                                              {device, ~u32{0}, 0}}) {
        machine.unit.queue_lost = false;
        machine.unit.asks_devices = false;
        machine.unit.ecap = VTD_ECAP_DT;
        takeover_note_command(&machine.unit, command | ~u64{0xff});
        takeover_note_command(&machine.unit, iotlb);
        machine.gsts = 0xc7000000;
        machine.fsts = fsts;
        machine.log.clear();
        if (most) {
            EXPECT_FALSE(takeover_gives_up_queue(&machine.unit, most - 1));
            EXPECT_TRUE(machine.gsts & VTD_GSTS_QIES);
            EXPECT_FALSE(machine.unit.queue_lost);
        }
        EXPECT_TRUE(takeover_gives_up_queue(&machine.unit, most));
        EXPECT_FALSE(machine.gsts & VTD_GSTS_QIES);
        EXPECT_EQ(machine.log.size(), 1U);
        EXPECT_TRUE(logged("the invalidation queue does not move, going on without"));
        // Nor does anybody else wait for it.
        EXPECT_TRUE(takeover_gives_up_queue(&machine.unit, 0));
        EXPECT_EQ(machine.log.size(), 1U);
    }
}

// 6.5.1: everything is forgotten, by registers.
TEST_F(Queue, ThatIsLostIsDoneWithout) {
    machine.unit.ecap = 0x50 << 8;
    for (const u64 type : {1U, 2U, 6U, 7U}) {
        machine.events.clear();
        EXPECT_EQ(takeover_do_without_queue(&machine.unit, type | ~u64{15}), 0);
        EXPECT_EQ(ops(), (std::vector{Op::FlushWriteBuffer, Op::WriteCcmd, Op::WriteIotlb}));
        EXPECT_EQ(machine.events[1].value, 0xa000'0000'0000'0000U);
        EXPECT_EQ(machine.events[2].value, 0x9003'0000'0000'0000U);
    }
    machine.events.clear();
    EXPECT_EQ(takeover_do_without_queue(&machine.unit, 5), 0);
    for (const u64 type : {0U, 3U, 4U, 8U, 9U})
        EXPECT_EQ(takeover_do_without_queue(&machine.unit, type), -EOPNOTSUPP);
    EXPECT_TRUE(ops().empty());
    EXPECT_FALSE(machine.unit.stale);
    machine.answers = false;
    EXPECT_EQ(takeover_do_without_queue(&machine.unit, 2), -ETIMEDOUT);
    EXPECT_TRUE(machine.unit.stale);
    EXPECT_EQ(ops(), (std::vector{Op::FlushWriteBuffer, Op::WriteCcmd}));
}

// A unit not taken over has nothing of the crashed kernel's: its devices are attached as on stock.
TEST_F(Queue, ThatIsLostHoldsUpNobodyWithoutATakeover) {
    device dev{{8}};
    machine.unit.root = nullptr;
    machine.answers = false;
    EXPECT_EQ(takeover_do_without_queue(&machine.unit, 2), -ETIMEDOUT);
    EXPECT_TRUE(machine.unit.stale);
    EXPECT_EQ(takeover_release_device(&machine.unit, &dev), 0);
}

// 11.4.6: a unit does nothing as long as its queue is on; of others what the driver believes, too.
TEST_F(Queue, ThatDoesNotStopHasRegistersRefused) {
    machine.unit.ecap = 0x50 << 8;
    machine.refuses = true;
    EXPECT_EQ(takeover_do_without_queue(&machine.unit, 1), 0);
    EXPECT_FALSE(machine.unit.stale);
    machine.unit.queue_lost = true;
    EXPECT_EQ(takeover_do_without_queue(&machine.unit, 1), -EIO);
    EXPECT_TRUE(machine.unit.stale);
}

// In scalable mode by the root table that the unit has, if that empties the caches. The crashed
// kernel's is not set again: to install ours does all. A unit that was not taken over has the
// driver's, and one that did not take ours is not waited for again.
TEST_F(Queue, ThatIsLostInScalableMode) {
    constexpr u64 old_root = 0x7000 | 1 << 10, new_root = 0x9000 | 1 << 10;
    struct Case {
        takeover_state state;
        u64 rtaddr;
        int ret; // where the unit empties its caches then
    };
    machine.unit.scalable = true;
    machine.unit.rtaddr = old_root;
    for (const auto& [state, rtaddr, ret] : {Case{TAKEOVER_FOUND, old_root, 0},
                                             {TAKEOVER_FOUND, new_root, 0},
                                             {TAKEOVER_INSTALLED, new_root, 0},
                                             {TAKEOVER_IDLE, old_root, 0},
                                             {TAKEOVER_IDLE, new_root, 0},
                                             {TAKEOVER_DEAD, new_root, -ETIMEDOUT}})
        for (const bool esrtps : {false, true}) {
            machine.unit.state = state;
            machine.unit.cap = u64{esrtps} << 63;
            machine.rtaddr = rtaddr;
            machine.events.clear();
            machine.unit.stale = false;
            const bool sets = esrtps && !ret && (state != TAKEOVER_FOUND || rtaddr == new_root);
            EXPECT_EQ(takeover_do_without_queue(&machine.unit, 7), esrtps ? ret : -EOPNOTSUPP);
            EXPECT_EQ(machine.unit.stale, !esrtps || ret);
            EXPECT_EQ(ops(),
                      sets ? (std::vector{Op::WriteRtaddr, Op::WriteGcmd}) : std::vector<Op>{});
            EXPECT_EQ(machine.rtaddr, rtaddr);
        }
}

} // namespace
