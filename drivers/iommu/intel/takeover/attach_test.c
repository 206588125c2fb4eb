// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver's attach does with the takeover's answer: an entry that
 * could not be installed fails it, and the next one may succeed.
 */
#include <linux/bitops.h>

#include "env.h"
#include "kunit.h"

#define CARD	0x0008

static const bool modes[] = { false, true };

static void mode_name(const bool *scalable, char *name)
{
	strscpy(name, *scalable ? "scalable" : "legacy", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mode, modes, mode_name);

static bool is_present(const struct takeover_kunit *place)
{
	const u64 *entry = takeover_context_entry(place->unit, CARD);

	return entry && *entry & VTD_CTX_PRESENT;
}

/* A device of a unit with an empty root table, in a state. */
static struct device *device_in(struct kunit *test, enum takeover_state state)
{
	struct takeover_kunit *place = test->priv;
	struct device *dev;

	place->unit->scalable = *(const bool *)test->param_value;
	place->unit->state = state;
	dev = takeover_test_device(test, place->unit, CARD);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	return dev;
}

static void fails_where_the_unit_does_not_see_it(struct kunit *test)
{
	struct device *dev = device_in(test, TAKEOVER_DEAD);

	KUNIT_EXPECT_EQ(test, takeover_test_attach(dev, false), -EIO);
	KUNIT_EXPECT_FALSE(test, is_present(test->priv));
}

/* The device was released, and what came next found no memory. */
static void makes_up_for_what_failed(struct kunit *test)
{
	struct device *dev = device_in(test, TAKEOVER_INSTALLED);
	int ret = takeover_test_attach(dev, false);

	if (ret == -EOPNOTSUPP)
		kunit_skip(test, "an attach needs hardware here");
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, is_present(test->priv));
}

/* Who removes a device forgets it, whether it could be blocked or not. */
static void blocks_what_was_attached(struct kunit *test)
{
	struct device *dev = device_in(test, TAKEOVER_INSTALLED);
	struct takeover_kunit *place = test->priv;

	if (takeover_test_attach(dev, false) == -EOPNOTSUPP)
		kunit_skip(test, "an attach needs hardware here");
	KUNIT_EXPECT_TRUE(test, takeover_test_is_attached(dev));
	place->unit->state = TAKEOVER_DEAD;
	KUNIT_EXPECT_EQ(test, takeover_test_attach(dev, true), -EIO);
	KUNIT_EXPECT_FALSE(test, takeover_test_is_attached(dev));
}

static void waits_until_it_is_attached(struct kunit *test)
{
	struct device *dev = device_in(test, TAKEOVER_INSTALLED);
	struct takeover_kunit *place = test->priv;

	KUNIT_EXPECT_FALSE(test, takeover_test_defers(dev));
	set_bit(CARD, place->unit->adopted);
	KUNIT_EXPECT_TRUE(test, takeover_test_defers(dev));
	clear_bit(CARD, place->unit->adopted);
	KUNIT_EXPECT_TRUE(test, takeover_test_defers(dev));
}

/* 7.0 fails the probe of a virtual function whose physical one is not prepared. */
static void leaves_virtual_functions_too(struct kunit *test)
{
	struct device *pf = device_in(test, TAKEOVER_INSTALLED);
	struct takeover_kunit *place = test->priv;
	struct device *vf;
	int left;

	vf = takeover_test_device(test, place->unit, CARD + 1);
	KUNIT_ASSERT_NOT_NULL(test, vf);
	left = takeover_test_leaves_vf(vf, pf);
	if (left == -EOPNOTSUPP)
		kunit_skip(test, "a probe prepares nothing here");
	KUNIT_EXPECT_EQ(test, left, 0);

	set_bit(CARD, place->unit->adopted);
	KUNIT_EXPECT_EQ(test, takeover_test_leaves_vf(vf, pf), 1);
}

static struct kunit_case attach_cases[] = {
	KUNIT_CASE_PARAM(fails_where_the_unit_does_not_see_it, mode_gen_params),
	KUNIT_CASE_PARAM(makes_up_for_what_failed, mode_gen_params),
	KUNIT_CASE_PARAM(blocks_what_was_attached, mode_gen_params),
	KUNIT_CASE_PARAM(waits_until_it_is_attached, mode_gen_params),
	KUNIT_CASE_PARAM(leaves_virtual_functions_too, mode_gen_params),
	{}
};

static struct kunit_suite __refdata attach_suite = {
	.name = "vtd_takeover_attach",
	.init = takeover_kunit_init,
	.exit = takeover_kunit_exit,
	.test_cases = attach_cases,
};

kunit_test_init_section_suite(attach_suite);

MODULE_DESCRIPTION("KUnit tests of the VT-d takeover in the driver's attach");
MODULE_LICENSE("GPL");
