// SPDX-License-Identifier: GPL-2.0-only
/*
 * The place in which the KUnit suites of the takeover run.
 *
 * They run in an ordinary kernel, which has no old RAM; an ELF core header of
 * their own says that some of its pages are. In a kdump kernel, where the map
 * is in use, they skip themselves. Nothing here touches a remapping unit.
 */
#include <linux/crash_dump.h>
#include <linux/elf.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/string.h>

#include "kunit.h"

#define OLD_SIZE	(TAKEOVER_KUNIT_PAGES * VTD_TABLE_SIZE)

/* The header lies outside of the RAM that it describes, as in a real one. */
static int __init learn(struct kunit *test, u64 *old)
{
	struct elf64_hdr *ehdr = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct elf64_phdr *phdr;

	if (!ehdr)
		return -ENOMEM;

	memcpy(ehdr->e_ident, ELFMAG, SELFMAG);
	ehdr->e_ident[EI_CLASS] = ELFCLASS64;
	ehdr->e_type = ET_CORE;
	ehdr->e_phoff = sizeof(*ehdr);
	ehdr->e_phentsize = sizeof(*phdr);
	ehdr->e_phnum = 1;

	phdr = (struct elf64_phdr *)(ehdr + 1);
	phdr->p_type = PT_LOAD;
	phdr->p_paddr = virt_to_phys(old);
	phdr->p_memsz = OLD_SIZE;

	return takeover_oldmem_learn(virt_to_phys(ehdr));
}

/**
 * takeover_kunit_init - set up the place of a test
 * @test: test
 *
 * Return: 0, or a negative errno that fails the test.
 */
int __init takeover_kunit_init(struct kunit *test)
{
	struct takeover_kunit *place;

	if (is_kdump_kernel())
		kunit_skip(test, "the map of the old RAM is in use");

	place = kunit_kzalloc(test, sizeof(*place), GFP_KERNEL);
	if (!place)
		return -ENOMEM;
	test->priv = place;

	place->old = alloc_pages_exact(OLD_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!place->old)
		return -ENOMEM;
	place->unit = takeover_test_unit(&place->irt);
	if (!place->unit)
		return -ENOMEM;
	return learn(test, place->old);
}

/**
 * takeover_kunit_exit - clean up after a test
 * @test: test
 *
 * Tables that the test made stay allocated: nobody frees those of a real unit.
 */
void takeover_kunit_exit(struct kunit *test)
{
	struct takeover_kunit *place = test->priv;

	if (!place)
		return;
	if (place->unit)
		takeover_free_test_unit(place->unit);
	if (place->old)
		free_pages_exact(place->old, OLD_SIZE);
}
