// SPDX-License-Identifier: GPL-2.0-only
//
// Chapter 5: what becomes of an interrupt, entry by entry and bit by bit, and what a unit may do
// with it while tables, caches and commands change.

#include "tests/units.h"

namespace {

using namespace vtd::test;

constexpr u64 present_bit = 1, fpd = 2, im = bit(15), cm = bit(7), pi = bit(59);
constexpr IrteIndex index_5{5};
constexpr u32 running = command::translation | command::ire | command::sirtp;

class Interrupts : public WithUnit {
protected:
    explicit Interrupts(const Capabilities& can = legacy_unit, u64 mode = 0) : WithUnit(can) {
        // 256 entries
        unit.leave(running, root_table.value, interrupt_table.value | mode | 7);
    }

    // Fixed, to processor 3, vector 0x41.
    static constexpr u64 xapic = u64{3} << 40 | 0x41 << 16 | present_bit;

    static Hpa entry(IrteIndex index, Hpa table = interrupt_table) {
        return table + index.value * 16;
    }
    void enter(u64 low, u64 high = 0, IrteIndex index = index_5, Hpa table = interrupt_table) {
        memory.store(entry(index, table), low);
        memory.store(entry(index, table) + 8, high);
        settle();
    }
    // Past all caches.
    std::set<InterruptOutcome> fresh(const InterruptRequest& request) {
        unit.caches().forget_interrupts();
        const auto found = unit.explore(request).outcomes;
        unit.caches().forget_interrupts();
        return found;
    }
    std::set<InterruptOutcome> fresh(u64 low, u64 high = 0, Rid rid = nic) {
        enter(low, high);
        return fresh(InterruptRequest::remappable(rid, index_5));
    }
    std::set<InterruptOutcome> now(IrteIndex index = index_5) {
        return unit.explore(InterruptRequest::remappable(nic, index)).outcomes;
    }

    using All = std::set<InterruptOutcome>;
    static All refused(Reason reason, bool recorded = true, IrteIndex index = index_5) {
        return {InterruptFault{reason, recorded, index}};
    }
    static All vector(u8 vector, u32 destination = 3) {
        return {RemappedInterrupt{.destination = destination, .vector = vector}};
    }
    void set_table(u64 irta) {
        unit.write64(reg::irta, irta);
        unit.write32(reg::gcmd, (running & ~command::one_shot) | command::sirtp);
    }
};

TEST_F(Interrupts, AreRemappedByAnEntry) {
    EXPECT_EQ(unit.read64(reg::irta), interrupt_table.value | 7);
    EXPECT_EQ(fresh(xapic), vector(0x41));
    EXPECT_EQ(fresh(xapic | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5),
              (All{RemappedInterrupt{.destination = 3,
                                     .vector = 0x41,
                                     .delivery = irte::Delivery::lowest,
                                     .logical = true,
                                     .level = true,
                                     .redirection = true}}));
    EXPECT_EQ(fresh(xapic | 0xf00), vector(0x41)); // software's own bits
}

TEST_F(Interrupts, AreKnownByAddressAndData) {
    enter(xapic, 0, {0x85});
    // Bit 2 is the upper bit of the handle; with SHV the data is added.
    EXPECT_EQ(fresh({nic, 0xfee00010 | 0x85 << 5, 0xffff'ffff}), vector(0x41));
    EXPECT_EQ(fresh({nic, 0xfee00018 | 0x80 << 5, 5}), vector(0x41));
    EXPECT_EQ(fresh(InterruptRequest::remappable(nic, {0x80}, 5)), vector(0x41));
    EXPECT_EQ(fresh({nic, 0xfee00018 | 0x80 << 5, 0x10005}),
              refused(Reason::interrupt_reserved, true, {}));
    EXPECT_EQ(fresh({nic, 0xfee00014 | 0x85 << 5, 0}),
              refused(Reason::interrupt_beyond_table, true, {0x8085}));
    EXPECT_EQ(fresh(InterruptRequest::remappable(nic, {0xffff}, 0xffff)),
              refused(Reason::interrupt_beyond_table, true, {0x1fffe}));
}

TEST_F(Interrupts, TheTableIsAsLargeAsItSays) {
    enter(xapic, 0, {255});
    EXPECT_EQ(now({255}), vector(0x41));
    EXPECT_EQ(now({256}), refused(Reason::interrupt_beyond_table, true, {256}));
    unit.leave(running, root_table.value, interrupt_table.value | 3);
    enter(xapic, 0, {15});
    EXPECT_EQ(now({15}), vector(0x41));
    EXPECT_EQ(now({16}), refused(Reason::interrupt_beyond_table, true, {16}));
    unit.leave(running, root_table.value, (ram.value + ram_size) | 3);
    EXPECT_EQ(now({2}), refused(Reason::interrupt_access, true, {2}));
    // The platform has no such address.
    unit.leave(running, root_table.value, bit(46) | 3);
    EXPECT_EQ(now({2}), refused(Reason::interrupt_beyond_table, true, {2}));
    unit.leave(running, root_table.value, bit(45) | 3);
    EXPECT_EQ(now({2}), refused(Reason::interrupt_access, true, {2}));
}

TEST_F(Interrupts, FaultsOfEntries) {
    EXPECT_EQ(fresh(0), refused(Reason::interrupt_not_present));
    EXPECT_EQ(fresh(fpd), refused(Reason::interrupt_not_present, false));
    for (const unsigned reserved : {12U, 13U, 14U, 15U, 24U, 31U, 32U, 39U, 48U, 63U}) {
        EXPECT_EQ(fresh(xapic | bit(reserved)), refused(Reason::interrupt_entry_reserved))
            << reserved;
        EXPECT_EQ(fresh(xapic | fpd | bit(reserved)),
                  refused(Reason::interrupt_entry_reserved, false))
            << reserved;
    }
    for (const unsigned reserved : {20U, 63U})
        EXPECT_EQ(fresh(xapic, bit(reserved)), refused(Reason::interrupt_entry_reserved));
    EXPECT_EQ(fresh(bit(12)), refused(Reason::interrupt_not_present)); // looked at first
}

TEST_F(Interrupts, AreThoseOfARequester) {
    const auto ours = [&](unsigned svt, unsigned sq, u16 sid, Rid rid) {
        const auto found = fresh(xapic, u64{svt} << 18 | u64{sq} << 16 | sid, rid);
        if (found != vector(0x41)) {
            EXPECT_EQ(found, refused(Reason::interrupt_source));
        }
        return found == vector(0x41);
    };
    const u16 sid = nic.value;
    EXPECT_TRUE(ours(0, 0, sid, disk));
    EXPECT_TRUE(ours(1, 0, sid, nic));
    EXPECT_FALSE(ours(1, 0, sid, disk));
    const Rid third = Rid::of(0, 3, 4), upper = Rid::of(0, 3, 6), any = Rid::of(0, 3, 7);
    EXPECT_FALSE(ours(1, 0, sid, third));
    EXPECT_TRUE(ours(1, 1, sid, third));
    EXPECT_FALSE(ours(1, 1, sid, upper));
    EXPECT_TRUE(ours(1, 2, sid, upper));
    EXPECT_FALSE(ours(1, 2, sid, any));
    EXPECT_TRUE(ours(1, 3, sid, any));
    EXPECT_FALSE(ours(1, 3, sid, disk));
    for (const unsigned bus : {4U, 5U, 7U, 8U})
        EXPECT_EQ(ours(2, 0, 5 << 8 | 7, Rid::of(bus, 1, 0)), bus >= 5 && bus <= 7) << bus;
    EXPECT_FALSE(ours(3, 0, sid, nic));
    EXPECT_EQ(fresh(xapic | fpd, u64{1} << 18 | sid, disk),
              refused(Reason::interrupt_source, false));
}

TEST_F(Interrupts, ThatAreNotRemappable) {
    const auto request = InterruptRequest::compatible(nic, 3, 0x41);
    EXPECT_EQ(fresh(request), refused(Reason::interrupt_compatibility, true, {}));
    unit.leave(running | command::cfi, root_table.value, interrupt_table.value | 7);
    EXPECT_EQ(fresh(request), (All{PassedInterrupt{0xfee03000, 0x41}}));
    unit.leave(running | command::cfi, root_table.value, interrupt_table.value | 7 | 1 << 11);
    EXPECT_EQ(fresh(request), refused(Reason::interrupt_compatibility, true, {}));
    unit.leave(command::translation, root_table.value);
    EXPECT_EQ(fresh(request), (All{PassedInterrupt{0xfee03000, 0x41}}));
    EXPECT_EQ(now(), (All{PassedInterrupt{0xfee000b0, 0}}));
}

class X2apic : public Interrupts {
protected:
    X2apic() : Interrupts(legacy_unit, 1 << 11) {}
};

TEST_F(X2apic, DestinationsAreWide) {
    EXPECT_EQ(fresh(u64{0x12345678} << 32 | 0x41 << 16 | present_bit), vector(0x41, 0x12345678));
}

TEST_F(Interrupts, X2apicIsACapability) {
    Capabilities can = legacy_unit;
    can.ecap &= ~bit(4);
    Unit old(can, memory);
    old.leave(running, root_table.value, interrupt_table.value | 7 | 1 << 11);
    enter(xapic);
    EXPECT_EQ(old.explore(InterruptRequest::remappable(nic, index_5)).outcomes, vector(0x41));
    old.write64(reg::irta, interrupt_table.value | 1 << 11);
    old.write32(reg::gcmd, running);
    EXPECT_EQ(old.misuse.back(), "x2APIC mode on a unit that has none");
}

class Posting : public Interrupts {
protected:
    Posting() : Interrupts({.cap = legacy_unit.cap | pi, .ecap = legacy_unit.ecap}, 1 << 11) {
        memory.add(far, page_size, Owner::old_kernel);
        memory.store(far + 32, u64{9} << 32 | 0xf2 << 16);
        settle();
    }
    // Its address has bits in both halves.
    static constexpr Hpa far{0x5'8000'0000};
    static constexpr u64 low = (far.value >> 6 & 0x3ffffff) << 38 | 0x41 << 16 | im | present_bit;
    static constexpr u64 high = far.value >> 32 << 32;
};

TEST_F(Posting, GoesToADescriptor) {
    EXPECT_EQ(fresh(low, high), (All{PostedInterrupt{far, 0x41, false}}));
    EXPECT_EQ(fresh(low | 1 << 14, high), (All{PostedInterrupt{far, 0x41, true}}));
    EXPECT_EQ(fresh(low, high | u64{1} << 18 | disk.value), refused(Reason::interrupt_source));
    enter(low, high);
    const auto read = unit.explore(InterruptRequest::remappable(nic, index_5)).read;
    EXPECT_TRUE(std::ranges::binary_search(read, far + 32));
    EXPECT_TRUE(std::ranges::binary_search(read, entry(index_5) + 8));
    EXPECT_EQ(read.size(), 3U);
}

TEST_F(Posting, FaultsOfEntriesAndDescriptors) {
    for (const unsigned reserved : {2U, 7U, 12U, 13U, 24U, 37U})
        EXPECT_EQ(fresh(low | bit(reserved), high), refused(Reason::interrupt_entry_reserved))
            << reserved;
    for (const unsigned reserved : {20U, 31U})
        EXPECT_EQ(fresh(low, high | bit(reserved)), refused(Reason::interrupt_entry_reserved));
    EXPECT_EQ(fresh(low, 0), refused(Reason::posted_access));
    EXPECT_EQ(fresh(low | fpd, 0), refused(Reason::posted_access, false));
    for (const unsigned reserved : {2U, 15U, 24U, 31U}) {
        memory.store(far + 32, bit(reserved));
        EXPECT_EQ(fresh(low, high), refused(Reason::posted_reserved)) << reserved;
        EXPECT_EQ(fresh(low | fpd, high), refused(Reason::posted_reserved, false));
    }
}

// The entry may be read as it was; the descriptor is not.
TEST_F(Posting, IsCoherent) {
    Capabilities can = unit.capabilities();
    can.ecap &= ~u64{1};
    Unit distant(can, memory);
    distant.leave(running, root_table.value, interrupt_table.value | 7 | 1 << 11);
    enter(low, high);
    memory.store(far + 32, 1 << 2); // reserved
    EXPECT_EQ(distant.explore(InterruptRequest::remappable(nic, index_5)).outcomes,
              refused(Reason::posted_reserved));
}

TEST_F(Posting, IsACapability) {
    Unit old(legacy_unit, memory);
    old.leave(running, root_table.value, interrupt_table.value | 7 | 1 << 11);
    enter(low, high);
    EXPECT_EQ(old.explore(InterruptRequest::remappable(nic, index_5)).outcomes,
              refused(Reason::interrupt_entry_reserved));
}

TEST_F(Posting, TellsTheProcessorOnce) {
    EXPECT_EQ(unit.post({far, 0x41, false}), (Notification{9, 0xf2}));
    EXPECT_EQ(memory.load(far + 8), u64{2});
    EXPECT_EQ(memory.load(far + 32) & 3, 1U);
    EXPECT_EQ(unit.post({far, 0xff, true}), std::nullopt);
    EXPECT_EQ(memory.load(far + 24), bit(63));
    memory.store(far + 32, u64{0x0900} << 32 | 0xf2 << 16 | 2); // suppressed
    EXPECT_EQ(unit.post({far, 0x41, false}), std::nullopt);
    unit.leave(running, root_table.value, interrupt_table.value);
    EXPECT_EQ(unit.post({far, 0x41, true}), (Notification{9, 0xf2})); // it urges; xAPIC
    ASSERT_FALSE(memory.by_hardware().empty());
    for (const HardwareStore& store : memory.by_hardware())
        EXPECT_EQ(store.writer, Writer::posted_interrupt);
}

TEST_F(Interrupts, AreForgottenByInvalidationOnly) {
    enter(xapic);
    EXPECT_EQ(now(), vector(0x41));
    enter(xapic ^ 0x3 << 16); // 0x42
    All both = vector(0x41);
    both.merge(vector(0x42));
    EXPECT_EQ(now(), both);
    EXPECT_EQ(now(), both);
    queue_on();
    const auto forget = [&](u64 low) {
        unit.write64(reg::iqt, 0);
        command_complete(running & ~command::one_shot);
        queue_on();
        describe(0, 4 | low);
        submit(1);
        EXPECT_EQ(done(), 1U);
        unit.leave(running, root_table.value, interrupt_table.value | 7);
    };
    unit.leave(running, root_table.value, interrupt_table.value | 7);
    forget(1 << 4 | u64{4} << 32);
    EXPECT_EQ(now(), both);
    forget(1 << 4 | u64{1} << 27 | u64{6} << 32); // 6 and 7
    EXPECT_EQ(now(), both);
    forget(1 << 4 | u64{5} << 32);
    EXPECT_EQ(now(), vector(0x42));
    enter(xapic);
    EXPECT_EQ(now(), both);
    forget(1 << 4 | u64{2} << 27 | u64{7} << 32); // 4 to 7
    EXPECT_EQ(now(), vector(0x41));
    enter(0);
    forget(0);
    EXPECT_EQ(now(), refused(Reason::interrupt_not_present));
}

TEST_F(Interrupts, AreCheckedForEachRequester) {
    enter(xapic, u64{1} << 18 | nic.value);
    EXPECT_EQ(unit.explore(InterruptRequest::remappable(disk, index_5)).outcomes,
              refused(Reason::interrupt_source));
    EXPECT_EQ(unit.caches().interrupts.size(), 1U); // good for another
    enter(xapic);
    EXPECT_EQ(unit.explore(InterruptRequest::remappable(disk, index_5)).outcomes.size(), 2U);
}

// 6.1
TEST_F(Interrupts, WhatIsNotThereIsCachedInCachingMode) {
    enter(0);
    now();
    enter(xapic);
    EXPECT_EQ(now(), vector(0x41));
    Unit caching({.cap = legacy_unit.cap | cm, .ecap = legacy_unit.ecap}, memory);
    caching.leave(running, root_table.value, interrupt_table.value | 7);
    enter(0);
    const auto request = InterruptRequest::remappable(nic, index_5);
    caching.explore(request);
    enter(xapic);
    EXPECT_EQ(caching.explore(request).outcomes.size(), 2U);
    caching.caches().forget_interrupts(index_5, 0);
    EXPECT_EQ(caching.explore(request).outcomes, vector(0x41));
}

TEST_F(Interrupts, AUnitThatDoesNotSnoopSeesFlushedLines) {
    Capabilities can = legacy_unit;
    can.ecap &= ~u64{1};
    Unit far(can, memory);
    far.leave(running, root_table.value, interrupt_table.value | 7);
    const auto request = InterruptRequest::remappable(nic, index_5);
    memory.store(entry(index_5), xapic);
    EXPECT_EQ(far.explore(request).outcomes.size(), 2U);
    memory.flush(entry(index_5), 16);
    EXPECT_EQ(far.explore(request).outcomes, vector(0x41));
    // The halves reach it in any order.
    memory.store(entry(index_5) + 8, u64{1} << 18 | disk.value);
    memory.store(entry(index_5), xapic ^ 3 << 16);
    far.caches().forget_interrupts();
    All all = vector(0x41);
    all.merge(vector(0x42));
    all.merge(refused(Reason::interrupt_source));
    EXPECT_EQ(far.explore(request).outcomes, all);
}

TEST_F(Interrupts, EitherTableUntilTheCommandIsSeenToComplete) {
    enter(xapic);
    enter(xapic ^ 3 << 16, 0, index_5, other_interrupt_table);
    All both = vector(0x41);
    both.merge(vector(0x42));
    unit.write64(reg::irta, other_interrupt_table.value | 7);
    EXPECT_EQ(now(), vector(0x41)); // the register alone does nothing
    unit.caches().forget_interrupts();
    unit.write32(reg::gcmd, running);
    EXPECT_EQ(now(), both);
    EXPECT_EQ(unit.interrupt_tables().size(), 2U);
    unit.completes = [](u32) { return false; };
    EXPECT_EQ(unit.read32(reg::gsts), running & ~command::sirtp);
    unit.completes = [](u32) { return true; };
    EXPECT_EQ(unit.read32(reg::gsts), running);
    EXPECT_EQ(now(), both); // from the cache
    unit.caches().forget_interrupts();
    EXPECT_EQ(now(), vector(0x42));
    EXPECT_TRUE(unit.misuse.empty());
}

// ESIRTPS
TEST_F(Interrupts, ANewTableMayEmptyTheCache) {
    Unit flushing({.cap = legacy_unit.cap | bit(62), .ecap = legacy_unit.ecap}, memory);
    flushing.leave(running, root_table.value, interrupt_table.value | 7);
    enter(xapic);
    const auto request = InterruptRequest::remappable(nic, index_5);
    flushing.explore(request);
    flushing.write64(reg::irta, other_interrupt_table.value | 7);
    flushing.write32(reg::gcmd, running);
    EXPECT_EQ(flushing.explore(request).outcomes.size(), 2U);
    flushing.read32(reg::gsts);
    EXPECT_EQ(flushing.explore(request).outcomes, refused(Reason::interrupt_not_present));
}

TEST_F(Interrupts, RemappingIsSwitched) {
    enter(xapic);
    const All passed{PassedInterrupt{0xfee000b0, 0}};
    All both = vector(0x41);
    both.merge(All(passed));
    unit.write32(reg::gcmd, command::translation);
    EXPECT_EQ(now(), both);
    unit.read32(reg::gsts);
    EXPECT_EQ(now(), passed);
    unit.write32(reg::gcmd, command::translation | command::ire);
    EXPECT_EQ(now(), both);
    unit.read32(reg::gsts);
    EXPECT_EQ(now(), vector(0x41));
    EXPECT_TRUE(unit.misuse.empty());
    unit.write32(reg::gcmd, command::translation | command::ire | command::cfi);
    EXPECT_EQ(unit.explore(InterruptRequest::compatible(nic, 3, 0x41)).outcomes.size(), 2U);
    Unit fresh(legacy_unit, memory);
    fresh.write32(reg::gcmd, command::ire);
    EXPECT_EQ(fresh.misuse, std::vector<std::string>{"interrupt remapping without a table"});
}

} // namespace
