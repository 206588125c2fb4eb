// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt-remapping table in a real kernel.
 *
 * The cases are few. The userspace tests go through the many.
 */
#include <linux/bitops.h>
#include <linux/io.h>

#include <asm/irq_vectors.h>

#include "kunit.h"

/* Four pages of table, 1024 entries; then what they point to. */
#define TABLE_PAGES	4
#define TABLE_S		9
#define DESCRIPTOR	TABLE_PAGES

#define OLD_APIC_ID	3
#define VECTOR		0x41

static u64 *old_entry(struct takeover_kunit *place, unsigned int index)
{
	return place->old + index * VTD_IRTE_WORDS;
}

static u64 *our_entry(struct takeover_kunit *place, unsigned int index)
{
	return place->irt + index * VTD_IRTE_WORDS;
}

static void expect_copied(struct kunit *test, unsigned int index)
{
	const u64 *ours = our_entry(test->priv, index);
	const u64 *old = old_entry(test->priv, index);

	KUNIT_EXPECT_EQ(test, ours[0], old[0]);
	KUNIT_EXPECT_EQ(test, ours[1], old[1]);
}

static u64 remapped(unsigned int delivery, unsigned int vector)
{
	return VTD_IRTE_PRESENT | FIELD_PREP(VTD_IRTE_DELIVERY, delivery) |
	       FIELD_PREP(VTD_IRTE_VECTOR, vector) |
	       FIELD_PREP(VTD_IRTE_DST_XAPIC, OLD_APIC_ID);
}

static struct takeover_unit *dead_kernel(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;

	place->unit->irta = virt_to_phys(place->old) |
			    FIELD_PREP(VTD_IRTA_S, TABLE_S);
	old_entry(place, 5)[0] = remapped(VTD_DELIVERY_FIXED, VECTOR);
	old_entry(place, 5)[1] = 0x00fa | 4 << 16;
	return place->unit;
}

static void __init adopts_at_the_same_index(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;

	KUNIT_ASSERT_EQ(test, takeover_adopt_irtes(unit, place->irt, false), 0);
	expect_copied(test, 5);
	KUNIT_EXPECT_EQ(test, our_entry(place, 6)[0], 0ULL);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes, 1);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes_dropped, 0);
}

static void __init drops_what_would_stop_us(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;
	unsigned int i;

	for (i = 2; i < 8; i++)
		old_entry(place, 100 + i)[0] = remapped(i, VECTOR);
	old_entry(place, 110)[0] = remapped(VTD_DELIVERY_FIXED, 31);
	old_entry(place, 111)[0] = remapped(VTD_DELIVERY_FIXED, 0xff);
	KUNIT_ASSERT_EQ(test, takeover_adopt_irtes(unit, place->irt, false), 0);

	for (i = 102; i < 108; i++)
		KUNIT_EXPECT_EQ(test, our_entry(place, i)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, our_entry(place, 110)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, our_entry(place, 111)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes_dropped, 8);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes, 1);
}

/*
 * What the IDT of this kernel says, by the headers and the configuration. All
 * below the timer is a device's in a healthy kernel of some version.
 */
static void __init knows_what_would_stop_us(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;
	const unsigned long *fatal = place->unit->fatal_vectors;
	unsigned int i;

	for (i = FIRST_EXTERNAL_VECTOR; i < LOCAL_TIMER_VECTOR; i++)
		KUNIT_EXPECT_EQ_MSG(test, test_bit(i, fatal),
				    i == IA32_SYSCALL_VECTOR &&
				    IS_ENABLED(CONFIG_IA32_EMULATION),
				    "vector %#x", i);
	KUNIT_EXPECT_TRUE(test, test_bit(LOCAL_TIMER_VECTOR, fatal));
	KUNIT_EXPECT_FALSE(test, test_bit(POSTED_INTR_VECTOR, fatal));
	KUNIT_EXPECT_FALSE(test, test_bit(POSTED_INTR_WAKEUP_VECTOR, fatal));
	KUNIT_EXPECT_FALSE(test, test_bit(POSTED_INTR_NESTED_VECTOR, fatal));
	KUNIT_EXPECT_EQ(test, test_bit(REBOOT_VECTOR, fatal),
			IS_ENABLED(CONFIG_SMP));
	KUNIT_EXPECT_TRUE(test, test_bit(ERROR_APIC_VECTOR, fatal));
	KUNIT_EXPECT_TRUE(test, test_bit(SPURIOUS_APIC_VECTOR, fatal));
}

static void __init names_processors_anew(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;
	u64 low;

	KUNIT_ASSERT_EQ(test, takeover_adopt_irtes(unit, place->irt, true), 0);
	low = our_entry(place, 5)[0];
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_DST, low), (u64)OLD_APIC_ID);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_IRTE_VECTOR, low), (u64)VECTOR);
}

static void point_to_descriptor(u64 *entry, u64 address)
{
	entry[0] = VTD_IRTE_PRESENT | VTD_IRTE_POSTED |
		   FIELD_PREP(VTD_IRTE_VECTOR, VECTOR) |
		   FIELD_PREP(VTD_POSTED_ADDR_LOW, (u32)address >> 6);
	entry[1] = address & VTD_POSTED_ADDR_HIGH;
}

static void __init judges_descriptors(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;
	u64 *good = takeover_kunit_page(place, DESCRIPTOR);
	u64 *bad = good + VTD_PID_SIZE / sizeof(u64);
	u64 *worse = bad + VTD_PID_SIZE / sizeof(u64);

	unit->cap |= VTD_CAP_PI;
	good[VTD_PID_CONTROL / sizeof(u64)] =
		FIELD_PREP(VTD_PID_NV, POSTED_INTR_VECTOR);
	bad[VTD_PID_CONTROL / sizeof(u64)] =
		FIELD_PREP(VTD_PID_NV, NMI_VECTOR);
	worse[VTD_PID_CONTROL / sizeof(u64)] =
		FIELD_PREP(VTD_PID_NV, LOCAL_TIMER_VECTOR);
	point_to_descriptor(old_entry(place, 200), virt_to_phys(good));
	point_to_descriptor(old_entry(place, 201), virt_to_phys(bad));
	point_to_descriptor(old_entry(place, 202), virt_to_phys(place->irt));
	point_to_descriptor(old_entry(place, 203), virt_to_phys(worse));
	KUNIT_ASSERT_EQ(test, takeover_adopt_irtes(unit, place->irt, false), 0);

	expect_copied(test, 200);
	KUNIT_EXPECT_EQ(test, our_entry(place, 201)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, our_entry(place, 202)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, our_entry(place, 203)[0], VTD_IRTE_FPD);
}

static void __init blocks_a_table_elsewhere(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;

	unit->irta = 0xfee00000 | FIELD_PREP(VTD_IRTA_S, TABLE_S);
	KUNIT_EXPECT_EQ(test, takeover_adopt_irtes(unit, place->irt, false),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, our_entry(place, 5)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes, 0);
}

/* The registers say 65536 entries, the RAM ends after 4096. */
static void __init adopts_what_there_is_of_a_table(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;

	unit->irta |= VTD_IRTA_S;
	KUNIT_EXPECT_EQ(test, takeover_adopt_irtes(unit, place->irt, false), 0);
	KUNIT_EXPECT_EQ(test, unit->nr_irtes, 1);
	KUNIT_EXPECT_EQ(test, our_entry(place, 4095)[0], 0ULL);
	KUNIT_EXPECT_EQ(test, our_entry(place, 4096)[0], VTD_IRTE_FPD);
	KUNIT_EXPECT_EQ(test, our_entry(place, 65535)[0], VTD_IRTE_FPD);
}

static struct kunit_case __refdata irte_cases[] = {
	KUNIT_CASE(adopts_at_the_same_index),
	KUNIT_CASE(drops_what_would_stop_us),
	KUNIT_CASE(knows_what_would_stop_us),
	KUNIT_CASE(names_processors_anew),
	KUNIT_CASE(judges_descriptors),
	KUNIT_CASE(blocks_a_table_elsewhere),
	KUNIT_CASE(adopts_what_there_is_of_a_table),
	{}
};

static struct kunit_suite __refdata irte_suite = {
	.name = "vtd_takeover_irte",
	.init = takeover_kunit_init,
	.exit = takeover_kunit_exit,
	.test_cases = irte_cases,
};

kunit_test_init_section_suite(irte_suite);

MODULE_DESCRIPTION("KUnit tests of the VT-d takeover's irte.c");
MODULE_LICENSE("GPL");
