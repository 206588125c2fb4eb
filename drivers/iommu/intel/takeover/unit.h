/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The takeover's core: its state for one remapping unit, and its functions.
 *
 * glue.c and the test harness drive these; intel-iommu itself sees only
 * takeover.h.
 */
#ifndef VTD_TAKEOVER_UNIT_H
#define VTD_TAKEOVER_UNIT_H

#include <linux/bitops.h>
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

/* Domain ids that an entry can name; a unit may implement fewer. */
#define TAKEOVER_DIDS		65536

/*
 * Linux tags pass-through entries with it in both modes, and first-stage ones
 * in scalable mode. glue.c holds it against the driver's own number.
 */
#define TAKEOVER_DID_OF_DRIVER	1

/* Pages of struct takeover_tag, of a unit. */
#define TAKEOVER_TAG_PAGES	16

/* Requesters with reserved memory that are remembered, of a unit. */
#define TAKEOVER_FIRMWARE_MAX	32

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

/*
 * Times that an invalidation is aborted before its device is given up. Another
 * device's fault aborts it as well.
 */
#define TAKEOVER_ABORTS_MAX	2

/* Fault records of the old kernel that are kept. */
#define TAKEOVER_FAULTS		8

/**
 * struct takeover_fault - a fault record, as it was found
 * @low:	word 0
 * @high:	word 1
 */
struct takeover_fault {
	u64	low;
	u64	high;
};

/**
 * struct takeover_tag - a requester uses a domain id
 * @rid:	requester id
 * @did:	domain id of one of its PASIDs, or of several
 */
struct takeover_tag {
	u16	rid;
	u16	did;
};

/* Requesters whose faults are counted, at a time. */
#define TAKEOVER_NOISY		16

/**
 * struct takeover_noise - a requester that faults before it is released
 * @rid:	requester id
 * @count:	faults heard of it; 0: this place is free
 * @reason:	of the last one
 */
struct takeover_noise {
	u16	rid;
	u8	count;
	u8	reason;
};

/* Kinds of context entries: TT in legacy mode, PASIDE and DTE in scalable. */
#define TAKEOVER_KIND		VTD_CTX_TT
#define TAKEOVER_KINDS		4

/**
 * struct takeover_good - what context entries of a kind without a flaw are like
 * @first:	the least that word 0 may be; others are whole pages away
 * @size:	less than this
 * @word_1:	word 1 of such an entry
 * @mask_1:	the bits of it that have to be the same
 *
 * All zeroes, it is like no entry.
 */
struct takeover_good {
	u64	first;
	u64	size;
	u64	word_1;
	u64	mask_1;
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
 * @root:	our root table, 2 words an entry; owned by the driver; NULL in a
 *		unit that is not taken over
 * @blocked:	nothing was adopted: every requester starts out blocked
 * @adopted:	bitmap over requester ids: the entry is still the old kernel's,
 *		or maps reserved memory in its stead
 * @confined:	bitmap over requester ids: was given reserved memory only
 * @nr_confined: number of bits in it
 * @good:	the last context entry of each kind that had no flaw
 * @nr_adopted:	entries adopted
 * @nr_buses:	buses they are on
 * @nr_dropped:	entries that could not be adopted
 * @nr_tables_dropped: context tables that could not be adopted
 * @nr_flawed:	entries adopted that the unit will fault
 * @nr_pasid_pages: pages of PASID directories and tables that were read
 * @nr_copies:	pages of copies of them
 * @dids:	bitmap over domain ids: those that adopted entries use, or used
 *		when the driver last ran out of ids
 * @max_did:	the highest of them
 * @live:	the same size, while it is seen which are used no more
 * @shared:	and which by more than one requester
 * @tags:	in scalable mode, which requester uses which, in pages
 * @nr_tags:	their number
 * @retagged_table: the last second-stage table that got another domain id
 * @retagged_did: which; 0: there is none yet
 * @firmware:	requester ids for which firmware reserves memory
 * @nr_firmware: their number
 * @nr_reports:	lines about single entries and tables, printed or not
 * @irta:	interrupt-remapping table address as the old kernel left it
 * @fsts:	fault status as the old kernel left it
 * @faults:	the first of the old kernel's fault records
 * @nr_faults:	number of records in @faults
 * @noise:	who faults
 * @nr_heard:	faults heard since the work last ran
 * @deaf:	enough faults were heard: the handler leaves what it finds
 * @nr_silenced: requesters whose faults are not recorded any more
 * @system_vector: first interrupt vector that this kernel keeps to itself
 * @nr_irtes:	interrupt entries adopted
 * @nr_irtes_dropped: present interrupt entries that were not
 * @nr_irtes_reserved: adopted ones that have reserved bits set
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
	unsigned int		nr_confined;
	struct takeover_good	good[TAKEOVER_KINDS];
	unsigned int		nr_adopted;
	unsigned int		nr_buses;
	unsigned int		nr_dropped;
	unsigned int		nr_tables_dropped;
	unsigned int		nr_flawed;
	unsigned int		nr_pasid_pages;
	unsigned int		nr_copies;
	unsigned long		*dids;
	unsigned int		max_did;
	unsigned long		*live;
	unsigned long		*shared;
	struct takeover_tag	*tags[TAKEOVER_TAG_PAGES];
	unsigned int		nr_tags;
	u64			retagged_table;
	u16			retagged_did;
	u16			firmware[TAKEOVER_FIRMWARE_MAX];
	unsigned int		nr_firmware;
	unsigned int		nr_reports;
	u64			irta;
	u32			fsts;
	struct takeover_fault	faults[TAKEOVER_FAULTS];
	unsigned int		nr_faults;
	struct takeover_noise	noise[TAKEOVER_NOISY];
	unsigned int		nr_heard;
	bool			deaf;
	unsigned int		nr_silenced;
	unsigned int		system_vector;
	unsigned int		nr_irtes;
	unsigned int		nr_irtes_dropped;
	unsigned int		nr_irtes_reserved;
};

/**
 * struct takeover_policy - what the units, as found, ask of the driver
 * @found:	some unit translates: the driver has to run
 * @scalable:	it has to run in scalable mode
 * @remaps:	some unit remaps interrupts: that has to go on
 */
struct takeover_policy {
	bool	found;
	bool	scalable;
	bool	remaps;
};

/**
 * struct takeover_span - where a table of some size may begin
 * @first:	lowest address
 * @last:	highest address
 */
struct takeover_span {
	u64	first;
	u64	last;
};

/* unit.c */
int takeover_parse_mode(const char *arg, enum takeover_mode *mode, bool *reset);
void takeover_judge_unit(struct takeover_policy *policy, u64 cap, u64 ecap,
			 u32 gsts, u64 rtaddr);
void takeover_snapshot(struct takeover_unit *unit);
void takeover_adopt(struct takeover_unit *unit, u64 *root,
		    enum takeover_mode mode);
int takeover_install(struct takeover_unit *unit);
void takeover_forget_all(struct takeover_unit *unit);
int takeover_stop_queue(struct takeover_unit *unit);

/* tables.c */
int takeover_copy_tables(struct takeover_unit *unit);
bool takeover_may_report(struct takeover_unit *unit);
unsigned int takeover_entry_words(const struct takeover_unit *unit);
u64 *takeover_root_word(const struct takeover_unit *unit, u16 rid);
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid);

/* pasid.c */
int takeover_reserve_pasids(struct takeover_unit *unit, u16 rid,
			    const u64 *entry);
int takeover_retag_pasids(struct takeover_unit *unit, u16 rid, u64 *entry);

/* tags.c */
/* For each entry. takeover_settle_dids() does the rest for all at once. */
static __always_inline void takeover_keep_did(struct takeover_unit *unit,
					      unsigned int did)
{
	__set_bit(did, unit->dids);
	if (did > unit->max_did)
		unit->max_did = did;
}

int takeover_tag(struct takeover_unit *unit, u16 rid, unsigned int did);
int takeover_new_did(struct takeover_unit *unit, u16 rid);
int takeover_retag_pasid(struct takeover_unit *unit, u16 rid, u64 *entry);
void takeover_settle_dids(struct takeover_unit *unit);
bool takeover_spare_did(struct takeover_unit *unit);

/* block.c */
u64 takeover_blocked_table(void);
bool takeover_blocks_rid(const struct takeover_unit *unit, u16 rid);
void takeover_block_unit(struct takeover_unit *unit);
int takeover_own_table(struct takeover_unit *unit, u16 rid);
void takeover_map_reserved(struct takeover_unit *unit);
void takeover_admit_reserved(struct takeover_unit *unit);

/* irte.c */
int takeover_adopt_irtes(struct takeover_unit *unit, u64 *table, bool eim);

/* quiet.c */
bool takeover_hear_fault(struct takeover_unit *unit, unsigned int reg);
void takeover_quiet(struct takeover_unit *unit);
void takeover_hear_again(struct takeover_unit *unit);

/* device.c */
void takeover_settle_device(struct takeover_unit *unit, struct device *dev,
			    u16 rid, unsigned int on);
bool takeover_gives_up_device(const struct takeover_unit *unit, u64 descriptor,
			      unsigned int aborts);

/* prq.c */
void takeover_switch_pages(struct takeover_unit *unit, u64 pqa);

/* release.c */
bool takeover_holds_rid(const struct takeover_unit *unit, u16 rid);
bool takeover_holds_device(struct takeover_unit *unit, struct device *dev);
void takeover_evict_rid(struct takeover_unit *unit, u16 rid);
void takeover_forget_entry(struct takeover_unit *unit, u16 rid);
unsigned int takeover_release_device(struct takeover_unit *unit,
				     struct device *dev);

/* oldmem.c */
int takeover_oldmem_learn(phys_addr_t elfcorehdr);
bool takeover_oldmem_span(phys_addr_t addr, size_t size,
			  struct takeover_span *span);
bool takeover_oldmem_plausible(phys_addr_t addr, size_t size);

#endif /* VTD_TAKEOVER_UNIT_H */
