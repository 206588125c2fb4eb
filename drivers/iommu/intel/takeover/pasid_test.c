// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID tables and domain ids in a real kernel: ids are those of the driver,
 * old memory is read through the kernel's own mappings.
 *
 * The cases are few. The userspace tests go through the many.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/string.h>

#include "env.h"
#include "kunit.h"

/* Pages of old RAM, and what they hold. */
enum {
	ROOT,
	CONTEXTS,
	DIRECTORY,
	TABLE,		/* of PASIDs 0 to 63 */
	NEXT_TABLE,	/* of PASIDs 64 to 127 */
	BEHIND,		/* what entries point to */
};

#define CARD		0x0008
#define IDS		256
#define PASID_OF_NEXT	(VTD_PASIDS_PER_TABLE + 5)

static u64 address(struct kunit *test, unsigned int page)
{
	return virt_to_phys(takeover_kunit_page(test->priv, page));
}

static u64 *old_context(struct kunit *test)
{
	return takeover_kunit_page(test->priv, CONTEXTS) +
	       CARD * VTD_SM_CTX_WORDS;
}

static u64 *old_pasid(struct kunit *test, unsigned int pasid)
{
	unsigned int page = TABLE + pasid / VTD_PASIDS_PER_TABLE;

	return takeover_kunit_page(test->priv, page) +
	       pasid % VTD_PASIDS_PER_TABLE * VTD_PTE_WORDS;
}

static void write_pasid(struct kunit *test, unsigned int pasid,
			unsigned int did)
{
	u64 *entry = old_pasid(test, pasid);

	entry[0] = address(test, BEHIND) | VTD_CTX_PRESENT |
		   FIELD_PREP(VTD_PTE_PGTT, VTD_PGTT_SECOND_STAGE) |
		   FIELD_PREP(VTD_PTE_AW, 2);
	entry[1] = FIELD_PREP(VTD_PTE_DID, did);
}

/* A crashed kernel with one device, which has three PASIDs. */
static struct takeover_unit *dead_kernel(struct kunit *test, u64 bits)
{
	struct takeover_kunit *place = test->priv;
	struct takeover_unit *unit = place->unit;
	u64 *directory = takeover_kunit_page(place, DIRECTORY);

	unit->scalable = true;
	unit->ecap |= VTD_ECAP_PASID;
	unit->state = TAKEOVER_FOUND;
	unit->rtaddr = address(test, ROOT) |
		       FIELD_PREP(VTD_RTADDR_TTM, VTD_TTM_SCALABLE);
	takeover_kunit_page(place, ROOT)[0] = address(test, CONTEXTS) |
					      VTD_ROOT_PRESENT;
	old_context(test)[0] = address(test, DIRECTORY) | bits |
			       VTD_CTX_PRESENT;
	directory[0] = address(test, TABLE) | VTD_CTX_PRESENT;
	directory[1] = address(test, NEXT_TABLE) | VTD_CTX_PRESENT;
	write_pasid(test, 0, 9);
	write_pasid(test, 1, 10);
	write_pasid(test, PASID_OF_NEXT, 11);
	return unit;
}

static void adopt(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;

	takeover_adopt(place->unit, place->unit->root, TAKEOVER_ADOPT);
	KUNIT_ASSERT_TRUE(test, takeover_holds_rid(place->unit, CARD));
	KUNIT_ASSERT_FALSE(test, takeover_blocks_rid(place->unit, CARD));
}

/* Takes all ids that are left, and notes which they were. */
static void take_free_ids(struct takeover_unit *unit, unsigned long *ids)
{
	int did;

	bitmap_zero(ids, IDS);
	while ((did = vtd_new_did(unit)) >= 0)
		__set_bit(did, ids);
}

/* The id of PASID 0 is kept. Are those of the others free? */
static void expect_ids(struct kunit *test, u64 bits, bool others_free)
{
	struct takeover_unit *unit = dead_kernel(test, bits);
	DECLARE_BITMAP(ids, IDS);

	adopt(test);
	take_free_ids(unit, ids);
	KUNIT_EXPECT_FALSE(test, test_bit(9, ids));
	KUNIT_EXPECT_EQ(test, test_bit(10, ids), others_free);
	KUNIT_EXPECT_EQ(test, test_bit(11, ids), others_free);
	KUNIT_EXPECT_TRUE(test, test_bit(12, ids));
}

static void keeps_the_id_without_pasids(struct kunit *test)
{
	expect_ids(test, 0, true);
}

static void keeps_the_ids_of_pasids(struct kunit *test)
{
	expect_ids(test, VTD_SM_CTX_PASIDE, false);
}

static void gives_ids_back(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test, VTD_SM_CTX_PASIDE);
	DECLARE_BITMAP(ids, IDS);

	adopt(test);
	unit->state = TAKEOVER_INSTALLED;
	take_free_ids(unit, ids);
	/* As a release does at its end. */
	clear_bit(CARD, unit->adopted);
	KUNIT_EXPECT_TRUE(test, takeover_spare_did(unit));
	take_free_ids(unit, ids);
	KUNIT_EXPECT_EQ(test, bitmap_weight(ids, IDS), 3);
	KUNIT_EXPECT_TRUE(test, test_bit(9, ids));
	KUNIT_EXPECT_TRUE(test, test_bit(11, ids));
	KUNIT_EXPECT_FALSE(test, takeover_spare_did(unit));
}

/* 6.2.3.1: the driver's id is no page table's. */
static void replaces_the_id_of_the_driver(struct kunit *test)
{
	struct takeover_unit *unit = dead_kernel(test, VTD_SM_CTX_PASIDE);
	const u64 *entry, *directory, *table;
	u64 before[VTD_PTE_WORDS];

	write_pasid(test, PASID_OF_NEXT, TAKEOVER_DID_OF_DRIVER);
	memcpy(before, old_pasid(test, PASID_OF_NEXT), sizeof(before));
	adopt(test);

	entry = takeover_context_entry(unit, CARD);
	directory = phys_to_virt(entry[0] & VTD_SM_CTX_PASIDDIRPTR);
	KUNIT_EXPECT_PTR_NE(test, directory,
			    takeover_kunit_page(test->priv, DIRECTORY));
	KUNIT_EXPECT_EQ(test, directory[0],
			address(test, TABLE) | VTD_CTX_PRESENT);
	table = phys_to_virt(directory[1] & VTD_PDE_SMPTBLPTR);
	table += PASID_OF_NEXT % VTD_PASIDS_PER_TABLE * VTD_PTE_WORDS;
	KUNIT_EXPECT_EQ(test, table[0], before[0]);
	KUNIT_EXPECT_NE(test, FIELD_GET(VTD_PTE_DID, table[1]),
			(u64)TAKEOVER_DID_OF_DRIVER);

	/* Nothing of the crashed kernel's was written. */
	KUNIT_EXPECT_EQ(test, memcmp(before, old_pasid(test, PASID_OF_NEXT),
				     sizeof(before)), 0);
	KUNIT_EXPECT_EQ(test, unit->nr_copies, 2);
}

static struct kunit_case pasid_cases[] = {
	KUNIT_CASE(keeps_the_id_without_pasids),
	KUNIT_CASE(keeps_the_ids_of_pasids),
	KUNIT_CASE(gives_ids_back),
	KUNIT_CASE(replaces_the_id_of_the_driver),
	{}
};

static struct kunit_suite __refdata pasid_suite = {
	.name = "vtd_takeover_pasid",
	.init = takeover_kunit_init,
	.exit = takeover_kunit_exit,
	.test_cases = pasid_cases,
};

kunit_test_init_section_suite(pasid_suite);

MODULE_DESCRIPTION("KUnit tests of the VT-d takeover's pasid.c and tags.c");
MODULE_LICENSE("GPL");
