/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The takeover's core: its state for one remapping unit, and its functions.
 *
 * glue.c and the test harness drive these; intel-iommu itself sees only
 * takeover.h.
 */
#ifndef VTD_TAKEOVER_UNIT_H
#define VTD_TAKEOVER_UNIT_H

#include <linux/types.h>

#include "format.h"

struct device;

/* What intel_iommu_takeover= asks for. */
enum takeover_mode {
	TAKEOVER_ADOPT,
	TAKEOVER_OFF,
};

/**
 * enum takeover_state - where a unit stands
 * @TAKEOVER_IDLE:	translation was off, or is none of our business
 * @TAKEOVER_FOUND:	found translating, still on the old kernel's root
 * @TAKEOVER_INSTALLED:	translating through our root table
 */
enum takeover_state {
	TAKEOVER_IDLE,
	TAKEOVER_FOUND,
	TAKEOVER_INSTALLED,
};

/**
 * struct takeover_unit - the takeover of one remapping unit
 * @name:	for messages
 * @state:	see above
 * @scalable:	mode of the tables, the old ones and ours
 * @cap:	capability register
 * @ecap:	extended capability register
 * @gsts:	global status as the old kernel left it
 * @rtaddr:	root-table address as the old kernel left it
 * @root:	our root table, 2 words an entry; owned by the driver
 * @adopted:	bitmap over requester ids: the entry in our context table is
 *		still the old kernel's
 * @nr_adopted:	entries adopted, for the summary
 * @nr_buses:	buses they are on, for the summary
 * @nr_dropped:	context tables that could not be adopted
 */
struct takeover_unit {
	const char		*name;
	enum takeover_state	state;
	bool			scalable;
	u64			cap;
	u64			ecap;
	u32			gsts;
	u64			rtaddr;
	u64			*root;
	unsigned long		*adopted;
	unsigned int		nr_adopted;
	unsigned int		nr_buses;
	unsigned int		nr_dropped;
};

/**
 * struct takeover_policy - what the units found translating ask of the driver
 * @found:	some unit translates: the driver has to run
 * @scalable:	it has to run in scalable mode
 */
struct takeover_policy {
	bool	found;
	bool	scalable;
};

/* unit.c */
int takeover_parse_mode(const char *arg, enum takeover_mode *mode);
void takeover_judge_unit(struct takeover_policy *policy, u64 cap, u64 ecap,
			 u32 gsts, u64 rtaddr);
void takeover_snapshot(struct takeover_unit *unit);
void takeover_adopt(struct takeover_unit *unit, u64 *root);
int takeover_install(struct takeover_unit *unit);

/* tables.c */
int takeover_copy_tables(struct takeover_unit *unit);
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid);

/* release.c */
bool takeover_holds_rid(const struct takeover_unit *unit, u16 rid);
bool takeover_holds_device(struct takeover_unit *unit, struct device *dev);
unsigned int takeover_release_device(struct takeover_unit *unit,
				     struct device *dev);

/* oldmem.c */
int takeover_oldmem_learn(phys_addr_t elfcorehdr);
bool takeover_oldmem_plausible(phys_addr_t addr, size_t size);

#endif /* VTD_TAKEOVER_UNIT_H */
