// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the takeover's core is told of this machine: which addresses and which
 * functions there are. It runs on any machine that has a PCI function with
 * registers in memory.
 */
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/processor.h>

#include "env.h"
#include "kunit.h"

/* The first address that the processor does not have. */
static phys_addr_t beyond(void)
{
	return BIT_ULL(boot_cpu_data.x86_phys_bits);
}

/* A page above 4 GiB where there is nothing. */
static phys_addr_t nowhere(struct kunit *test)
{
	struct resource hole = { .name = "test", .flags = IORESOURCE_MEM };

	KUNIT_ASSERT_EQ(test, allocate_resource(&iomem_resource, &hole,
						PAGE_SIZE, SZ_4G, beyond() - 1,
						PAGE_SIZE, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, release_resource(&hole), 0);
	return hole.start;
}

/* The next function that has registers in memory, and where they begin. */
static struct pci_dev *next_registers(struct pci_dev *pdev, phys_addr_t *start)
{
	unsigned int i;

	while ((pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev))) {
		for (i = 0; i < PCI_STD_NUM_BARS; i++) {
			*start = pci_resource_start(pdev, i);
			if (*start && pci_resource_flags(pdev, i) &
			    IORESOURCE_MEM)
				return pdev;
		}
	}
	return NULL;
}

static void knows_what_is_populated(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;
	struct pci_dev *pdev = NULL;
	unsigned int found = 0;
	phys_addr_t start;

	KUNIT_EXPECT_TRUE(test, vtd_is_populated(virt_to_phys(place->old),
						 PAGE_SIZE));
	while ((pdev = next_registers(pdev, &start))) {
		KUNIT_EXPECT_TRUE_MSG(test, vtd_is_populated(start, PAGE_SIZE),
				      "%s", pci_name(pdev));
		found++;
	}
	KUNIT_EXPECT_GT(test, found, 0);
	KUNIT_EXPECT_FALSE(test, vtd_is_populated(nowhere(test), PAGE_SIZE));
}

/* Of what it has no map of: whatever it does not know to be something else. */
static void knows_what_is_not_old_ram(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;
	struct pci_dev *pdev;
	phys_addr_t start;

	KUNIT_EXPECT_FALSE(test, vtd_may_be_old_ram(virt_to_phys(place->old),
						    PAGE_SIZE));
	pdev = next_registers(NULL, &start);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pci_dev_put(pdev);
	KUNIT_EXPECT_FALSE(test, vtd_may_be_old_ram(start, PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, vtd_may_be_old_ram(nowhere(test), PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, vtd_may_be_old_ram(beyond() - 1, 2));
}

/* Here no function is hidden. What Linux knows is not behind this unit. */
static void knows_which_functions_answer(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;
	unsigned int there = 0, absent = 0;
	struct pci_dev *pdev;
	bool answers;
	u16 rid;

	for (rid = 0; rid < BIT(8); rid++) {
		answers = vtd_hidden_function_answers(place->unit, rid);
		pdev = pci_get_domain_bus_and_slot(0, 0, rid);
		pci_dev_put(pdev);
		if (pdev)
			KUNIT_EXPECT_FALSE_MSG(test, answers, "%#x", rid);
		there += !!pdev;
		absent += !pdev && !answers;
	}
	KUNIT_EXPECT_GT(test, there, 0);
	KUNIT_EXPECT_GT(test, absent, 0);
}

/* Without ECAM, as with pci=nommconf, nobody sees whether ATS is on. */
static void suspects_what_is_hidden(struct kunit *test)
{
	struct pci_dev *pdev = NULL;
	int size;
	u16 rid;

	do {
		pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev);
	} while (pdev && !pci_is_pcie(pdev));
	if (!pdev)
		kunit_skip(test, "no PCI Express here");

	rid = pci_dev_id(pdev);
	size = pdev->cfg_size;
	pdev->cfg_size = PCI_CFG_SPACE_SIZE;
	KUNIT_EXPECT_EQ(test, vtd_device_off(&pdev->dev, rid, 0),
			VTD_DEVICE_HIDDEN);
	pdev->cfg_size = PCI_CFG_SPACE_EXP_SIZE;
	KUNIT_EXPECT_EQ(test, vtd_device_off(&pdev->dev, rid, 0), 0);
	pdev->cfg_size = size;
	pci_dev_put(pdev);
}

static struct kunit_case glue_cases[] = {
	KUNIT_CASE(knows_what_is_populated),
	KUNIT_CASE(knows_what_is_not_old_ram),
	KUNIT_CASE(knows_which_functions_answer),
	KUNIT_CASE(suspects_what_is_hidden),
	{}
};

static struct kunit_suite __refdata glue_suite = {
	.name = "vtd_takeover_glue",
	.init = takeover_kunit_init,
	.exit = takeover_kunit_exit,
	.test_cases = glue_cases,
};

kunit_test_init_section_suite(glue_suite);

MODULE_DESCRIPTION("KUnit tests of what the VT-d takeover is told of the machine");
MODULE_LICENSE("GPL");
