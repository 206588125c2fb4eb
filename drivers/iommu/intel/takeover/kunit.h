/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit suites of the takeover share: a unit to try things on, and
 * some pages of this kernel that pose as the crashed kernel's RAM.
 */
#ifndef VTD_TAKEOVER_KUNIT_H
#define VTD_TAKEOVER_KUNIT_H

#include <kunit/test.h>

#include "unit.h"

/* Pages of old RAM, in one piece. */
#define TAKEOVER_KUNIT_PAGES	16

/**
 * struct takeover_kunit - the place of a test, in its @test->priv
 * @unit: has ids, tables and an empty root table, and no hardware
 * @irt: its interrupt table
 * @old: the first page of old RAM
 */
struct takeover_kunit {
	struct takeover_unit	*unit;
	u64			*irt;
	u64			*old;
};

int takeover_kunit_init(struct kunit *test);
void takeover_kunit_exit(struct kunit *test);

/* A page of old RAM, and its address as the crashed kernel's tables have it. */
static inline u64 *takeover_kunit_page(struct takeover_kunit *place,
				       unsigned int page)
{
	return place->old + page * VTD_TABLE_WORDS;
}

/* glue.c: a unit without hardware; @irt is where to put its interrupt table */
struct takeover_unit *takeover_test_unit(u64 **irt);
struct device *takeover_test_device(struct kunit *test,
				    struct takeover_unit *unit, u16 rid);
int takeover_test_attach(struct device *dev, bool block);
bool takeover_test_is_attached(struct device *dev);
bool takeover_test_defers(struct device *dev);
int takeover_test_leaves_vf(struct device *vf, struct device *pf);
void takeover_free_test_unit(struct takeover_unit *unit);

#endif /* VTD_TAKEOVER_KUNIT_H */
