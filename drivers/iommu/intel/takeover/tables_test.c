// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root and context tables in a real kernel: old memory is read through the
 * kernel's own mappings, tables come from its page allocator.
 *
 * The cases are few. The userspace tests go through the many.
 */
#include <linux/io.h>

#include "env.h"
#include "kunit.h"

/* Pages of old RAM, and what they hold. */
enum {
	ROOT,
	TABLE,		/* of bus 0, its lower half in scalable mode */
	UPPER,
	TABLE_OF_BUS_3,
	BEHIND,		/* what entries point to */
};

#define DISK	0x00fa
#define CARD	0x0008
#define SOUND	0x0320
#define NOBODY	0x0310

static const bool modes[] = { false, true };

static void mode_name(const bool *scalable, char *name)
{
	strscpy(name, *scalable ? "scalable" : "legacy", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mode, modes, mode_name);

static u64 address(struct takeover_kunit *place, unsigned int page)
{
	return virt_to_phys(takeover_kunit_page(place, page));
}

/* Where the crashed kernel keeps an entry. */
static u64 *old_entry(struct takeover_kunit *place, u16 rid)
{
	unsigned int words = takeover_entry_words(place->unit);
	unsigned int entries = VTD_TABLE_WORDS / words;
	unsigned int page = TABLE;

	if (VTD_RID_BUS(rid))
		page = TABLE_OF_BUS_3;
	else if ((rid & 0xff) >= entries)
		page = UPPER;
	return takeover_kunit_page(place, page) + (rid & 0xff) % entries * words;
}

static void write_entry(struct takeover_kunit *place, u16 rid, u64 pointer)
{
	u64 *entry = old_entry(place, rid);

	entry[0] = pointer | VTD_CTX_PRESENT;
	entry[1] = place->unit->scalable ? 0 : FIELD_PREP(VTD_CTX_DID, 7) |
					       FIELD_PREP(VTD_CTX_AW, 2);
}

/* A crashed kernel with three devices on two buses. */
static struct takeover_unit *dead_kernel(struct kunit *test)
{
	const bool *scalable = test->param_value;
	struct takeover_kunit *place = test->priv;
	struct takeover_unit *unit = place->unit;
	u64 *root = takeover_kunit_page(place, ROOT);

	unit->scalable = *scalable;
	unit->state = TAKEOVER_FOUND;
	unit->rtaddr = address(place, ROOT) |
		       (*scalable ? FIELD_PREP(VTD_RTADDR_TTM, VTD_TTM_SCALABLE)
				  : 0);
	root[0] = address(place, TABLE) | VTD_ROOT_PRESENT;
	if (*scalable)
		root[1] = address(place, UPPER) | VTD_ROOT_PRESENT;
	root[2 * 3] = address(place, TABLE_OF_BUS_3) | VTD_ROOT_PRESENT;

	write_entry(place, DISK, address(place, BEHIND));
	write_entry(place, CARD, address(place, BEHIND));
	write_entry(place, SOUND, address(place, TAKEOVER_KUNIT_PAGES - 1));
	return unit;
}

static void adopt(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;

	takeover_adopt(place->unit, place->unit->root, TAKEOVER_ADOPT);
}

static bool is_copied(struct takeover_kunit *place, u16 rid)
{
	const u64 *ours = takeover_context_entry(place->unit, rid);

	return ours && takeover_holds_rid(place->unit, rid) &&
	       !memcmp(ours, old_entry(place, rid),
		       takeover_entry_words(place->unit) * sizeof(u64));
}

static void adopts_present_entries(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);

	adopt(test);
	KUNIT_EXPECT_TRUE(test, is_copied(test->priv, DISK));
	KUNIT_EXPECT_TRUE(test, is_copied(test->priv, CARD));
	KUNIT_EXPECT_TRUE(test, is_copied(test->priv, SOUND));
	KUNIT_EXPECT_FALSE(test, takeover_holds_rid(unit, NOBODY));
	KUNIT_EXPECT_EQ(test, unit->nr_adopted, 3);
	KUNIT_EXPECT_EQ(test, unit->nr_buses, 2);
	KUNIT_EXPECT_EQ(test, unit->nr_dropped, 0);
	KUNIT_EXPECT_NE(test, vtd_new_did(unit), 7);
}

static void drops_what_leads_astray(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	struct takeover_kunit *place = test->priv;

	/* Registers of the local APIC; and RAM, but this kernel's. */
	write_entry(place, DISK, 0xfee00000);
	write_entry(place, SOUND, virt_to_phys(unit->root));
	adopt(test);
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, DISK));
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, SOUND));
	KUNIT_EXPECT_TRUE(test, is_copied(place, CARD));
	KUNIT_EXPECT_EQ(test, unit->nr_dropped, 2);
}

static void keeps_what_hardware_faults(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);

	old_entry(test->priv, CARD)[1] |= BIT_ULL(40);
	adopt(test);
	KUNIT_EXPECT_TRUE(test, is_copied(test->priv, CARD));
	KUNIT_EXPECT_EQ(test, unit->nr_flawed, 1);
	KUNIT_EXPECT_EQ(test, unit->nr_dropped, 0);
}

static void drops_one_table(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	u64 *root = takeover_kunit_page(test->priv, ROOT);

	root[2 * 3] = ~0ULL;
	adopt(test);
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, SOUND));
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, NOBODY));
	KUNIT_EXPECT_TRUE(test, is_copied(test->priv, DISK));
	KUNIT_EXPECT_EQ(test, unit->nr_tables_dropped, 1);
}

static void blocks_a_unit(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test);
	u64 *mine;

	unit->rtaddr = 0xfed90000 | (unit->rtaddr & VTD_RTADDR_TTM);
	adopt(test);
	KUNIT_EXPECT_TRUE(test, unit->blocked);
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, DISK));
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, 0xffff));

	/* A driver that writes its entry writes no other. */
	KUNIT_ASSERT_EQ(test, takeover_own_table(unit, DISK), 0);
	mine = takeover_context_entry(unit, DISK);
	WRITE_ONCE(mine[0], VTD_CTX_PRESENT);
	KUNIT_EXPECT_FALSE(test, takeover_holds_rid(unit, DISK));
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, CARD));
	KUNIT_EXPECT_TRUE(test, takeover_blocks_rid(unit, 0x0300 | DISK));
}

static void knows_old_ram(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;
	u64 start = address(place, 0);
	u64 end = start + TAKEOVER_KUNIT_PAGES * VTD_TABLE_SIZE;
	u64 word = 0;

	KUNIT_EXPECT_TRUE(test, takeover_oldmem_plausible(start, end - start));
	KUNIT_EXPECT_FALSE(test, takeover_oldmem_plausible(end, 1));
	KUNIT_EXPECT_FALSE(test, takeover_oldmem_plausible(start - 8, 16));

	place->old[5] = 0x1234;
	KUNIT_EXPECT_EQ(test, vtd_read_oldmem(&word, start + 40, 8), 0);
	KUNIT_EXPECT_EQ(test, word, 0x1234ULL);
}

static struct kunit_case tables_cases[] = {
	KUNIT_CASE_PARAM(adopts_present_entries, mode_gen_params),
	KUNIT_CASE_PARAM(drops_what_leads_astray, mode_gen_params),
	KUNIT_CASE_PARAM(keeps_what_hardware_faults, mode_gen_params),
	KUNIT_CASE_PARAM(drops_one_table, mode_gen_params),
	KUNIT_CASE_PARAM(blocks_a_unit, mode_gen_params),
	KUNIT_CASE(knows_old_ram),
	{}
};

static struct kunit_suite __refdata tables_suite = {
	.name = "vtd_takeover_tables",
	.init = takeover_kunit_init,
	.exit = takeover_kunit_exit,
	.test_cases = tables_cases,
};

kunit_test_init_section_suite(tables_suite);

MODULE_DESCRIPTION("KUnit tests of the VT-d takeover's tables.c and block.c");
MODULE_LICENSE("GPL");
