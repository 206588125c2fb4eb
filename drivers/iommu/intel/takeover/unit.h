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
	TAKEOVER_BLOCK,
	TAKEOVER_OFF,
};

/* Requester ids of one PCI segment. */
#define TAKEOVER_RIDS		65536

/* Lines about single entries and tables of one unit; the rest is counted. */
#define TAKEOVER_REPORTS_MAX	16

/**
 * enum takeover_state - where a unit stands
 * @TAKEOVER_IDLE:	translation was off, or is none of our business
 * @TAKEOVER_FOUND:	found translating, still on the old kernel's root
 * @TAKEOVER_INSTALLED:	translating through our root table
 * @TAKEOVER_DEAD:	did not take our root table: nothing can be attached
 */
enum takeover_state {
	TAKEOVER_IDLE,
	TAKEOVER_FOUND,
	TAKEOVER_INSTALLED,
	TAKEOVER_DEAD,
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
 * @blocked:	nothing was adopted: every requester starts out blocked
 * @adopted:	bitmap over requester ids: the entry is still the old kernel's,
 *		or maps reserved memory in its stead
 * @confined:	bitmap over requester ids: was given reserved memory only
 * @nr_adopted:	entries adopted
 * @nr_buses:	buses they are on
 * @nr_dropped:	entries that could not be adopted
 * @nr_tables_dropped: context tables that could not be adopted
 * @nr_flawed:	entries adopted that the unit will fault
 * @nr_reports:	lines about single entries and tables, printed or not
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
	bool			blocked;
	unsigned long		*adopted;
	unsigned long		*confined;
	unsigned int		nr_adopted;
	unsigned int		nr_buses;
	unsigned int		nr_dropped;
	unsigned int		nr_tables_dropped;
	unsigned int		nr_flawed;
	unsigned int		nr_reports;
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
void takeover_adopt(struct takeover_unit *unit, u64 *root,
		    enum takeover_mode mode);
int takeover_install(struct takeover_unit *unit);

/* tables.c */
int takeover_copy_tables(struct takeover_unit *unit);
unsigned int takeover_entry_words(const struct takeover_unit *unit);
u64 *takeover_root_word(const struct takeover_unit *unit, u16 rid);
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid);

/* block.c */
u64 takeover_blocked_table(void);
bool takeover_blocks_rid(const struct takeover_unit *unit, u16 rid);
void takeover_block_unit(struct takeover_unit *unit);
int takeover_own_table(struct takeover_unit *unit, u16 rid);
void takeover_map_reserved(struct takeover_unit *unit);

/* release.c */
bool takeover_holds_rid(const struct takeover_unit *unit, u16 rid);
bool takeover_holds_device(struct takeover_unit *unit, struct device *dev);
unsigned int takeover_release_device(struct takeover_unit *unit,
				     struct device *dev);

/* oldmem.c */
int takeover_oldmem_learn(phys_addr_t elfcorehdr);
bool takeover_oldmem_plausible(phys_addr_t addr, size_t size);

#endif /* VTD_TAKEOVER_UNIT_H */
