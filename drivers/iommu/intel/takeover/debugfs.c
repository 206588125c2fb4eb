// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtd_takeover in debugfs: a paragraph for each unit, what its summary lines
 * said when it was taken over and which devices still have their old mappings.
 */
#include <linux/bitops.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/seq_file.h>

#include "format.h"
#include "unit.h"
#include "watch.h"

static const char *state_of(const struct takeover_unit *unit)
{
	switch (unit->state) {
	case TAKEOVER_INSTALLED:
		return unit->blocked ? "all its devices were blocked" :
				       "taken over";
	case TAKEOVER_FOUND:
		return "found translating";
	case TAKEOVER_DEAD:
		return "does not answer";
	default:
		return "was not translating";
	}
}

static void show_guard(struct seq_file *file, const struct takeover_unit *unit)
{
	if (unit->unguarded) {
		seq_puts(file, "  not guarded\n");
		return;
	}
	seq_printf(file, "  guarded %u tables, repaired %u entries, cut %u words, in %u pages\n",
		   unit->nr_guarded, unit->nr_repaired, unit->nr_cut,
		   unit->nr_guard_pages);
	/* Hardware has no counter of writes to a page. */
	seq_puts(file, "  scratch hits unknown\n");
}

static void show_unit(struct takeover_unit *unit, void *data)
{
	struct seq_file *file = data;
	unsigned int rid;

	seq_printf(file, "%s: %s\n", unit->name, state_of(unit));
	if (unit->state == TAKEOVER_IDLE)
		return;
	seq_printf(file, "  %s mode, RTADDR was %#llx\n",
		   unit->scalable ? "scalable" : "legacy", unit->rtaddr);
	seq_printf(file, "  adopted %u devices on %u buses, dropped %u entries and %u tables\n",
		   unit->nr_adopted, unit->nr_buses, unit->nr_dropped,
		   unit->nr_tables_dropped);
	show_guard(file, unit);
	seq_puts(file, "  not released:");
	for_each_set_bit(rid, unit->adopted, TAKEOVER_RIDS)
		seq_printf(file, " %02x:%02x.%x", VTD_RID_BUS(rid),
			   VTD_RID_SLOT(rid), VTD_RID_FUNCTION(rid));
	seq_putc(file, '\n');
}

static int vtd_takeover_show(struct seq_file *file, void *unused)
{
	takeover_visit_units(show_unit, file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vtd_takeover);

static void found_one(struct takeover_unit *unit, void *data)
{
	*(bool *)data = true;
}

/* Units are probed long before there is a debugfs. */
static int __init make_file(void)
{
	bool found = false;

	takeover_visit_units(found_one, &found);
	if (found)
		debugfs_create_file("vtd_takeover", 0400, NULL, NULL,
				    &vtd_takeover_fops);
	return 0;
}
late_initcall(make_file);
