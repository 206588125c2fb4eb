/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The takeover's core: its state for one remapping unit, and its functions.
 *
 * glue.c and the test harness drive these; intel-iommu itself sees only
 * takeover.h.
 */
#ifndef VTD_TAKEOVER_UNIT_H
#define VTD_TAKEOVER_UNIT_H

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "format.h"

struct device;

/* What intel_iommu_takeover= asks for. */
enum takeover_mode {
	TAKEOVER_ADOPT,
	TAKEOVER_BLOCK,
	TAKEOVER_OFF,
};

/**
 * enum takeover_quarantine - what becomes of DMA to forbidden memory
 * @TAKEOVER_SCRATCH:	writes get to a page that nobody reads, where hardware
 *			allows that; what else there is faults
 * @TAKEOVER_CUT:	all of it faults
 */
enum takeover_quarantine {
	TAKEOVER_SCRATCH,
	TAKEOVER_CUT,
};

/**
 * struct takeover_options - what intel_iommu_takeover= says
 * @mode:	what is done with the old tables
 * @quarantine:	see above
 * @reset:	devices are reset before their drivers start
 * @noguard:	devices may reach this kernel's memory as long as they are held
 * @strict:	a device that cannot be guarded is blocked, whatever the reason
 */
struct takeover_options {
	enum takeover_mode		mode;
	enum takeover_quarantine	quarantine;
	bool				reset;
	bool				noguard;
	bool				strict;
};

/*
 * Memory of a kdump kernel is scarce, and a page that is not to be had before
 * there is a process to kill would end in a panic. Without one there is a way on.
 */
#define TAKEOVER_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/* Kinds of identity tables: a machine's units are of two or three kinds. */
#define TAKEOVER_IDENTITIES	4

/**
 * struct takeover_identity - a table of addresses that mean themselves
 * @key:	the kind of unit that it is for, 0: there is none
 * @top:	physical address
 * @error:	why it could not be made, 0 if it was
 */
struct takeover_identity {
	u64	key;
	u64	top;
	int	error;
};

/**
 * struct takeover_pool - what all units share
 * @left:	pages of this kernel's memory that their guards, and copies of PASID
 *		tables, may take
 * @identities:	tables of addresses that mean themselves
 * @live:	bitmap over domain ids, while it is seen which are used no more; by
 *		one unit at a time
 * @shared:	and which by more than one requester
 */
struct takeover_pool {
	unsigned int		left;
	struct takeover_identity identities[TAKEOVER_IDENTITIES];
	unsigned long		*live;
	unsigned long		*shared;
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

/* Pages of addresses of copies of PASID tables, of a unit. */
#define TAKEOVER_COPY_PAGES	2

/* Requesters with reserved memory that are remembered, of a unit. */
#define TAKEOVER_FIRMWARE_MAX	32

/* Lines about single entries and tables of one unit; the rest is counted. */
#define TAKEOVER_REPORTS_MAX	16

/**
 * enum takeover_state - where a unit stands
 * @TAKEOVER_IDLE:	translation was off, or is none of our business
 * @TAKEOVER_FOUND:	found translating; takeover_install() is still to come,
 *			or at work: nobody else writes to our tables
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
 * Times that an invalidation of the driver's is aborted before its device is
 * given up. Another device's fault aborts it as well.
 */
#define TAKEOVER_ABORTS_MAX	2

/* Fault records of the crashed kernel that are kept. */
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
 * @gsts:	global status as the crashed kernel left it
 * @rtaddr:	root-table address as the crashed kernel left it
 * @root:	our root table, 2 words an entry; owned by the driver; NULL in a
 *		unit that is not taken over
 * @blocked:	nothing was adopted: every requester starts out blocked
 * @adopted:	bitmap over requester ids: the entry is still the crashed
 *		kernel's, or maps reserved memory in its stead
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
 * @copies:	their addresses, in pages
 * @unguarded:	devices may reach this kernel's memory as long as they are held
 * @strict:	none may, whatever the reason
 * @address_bits: of physical addresses, as the processor has them
 * @pool:	what all units share
 * @quarantine:	what becomes of DMA to forbidden memory
 * @nr_guarded:	page tables that the guard visited
 * @nr_repaired: entries that lead to copies because of forbidden memory
 * @nr_cut:	words of tables that led there, or nowhere
 * @nr_guard_pages: pages that the guard keeps
 * @nr_unguarded: entries that could not be guarded, and nothing speaks against
 * @unguarded_error: why not, of the last one; 0: nobody wanted a guard
 * @nr_unanswered: times that a device was asked to forget, and did not answer
 * @silent:	bitmap over requester ids: did not answer the last time
 * @queue_lost:	the invalidation queue does not work, and is not used any more
 * @stale:	its caches could not be emptied without
 * @asks_devices: a device was asked to forget, by whomever
 * @asks:	the takeover asks a device to forget,
 * @asked:	the one with this requester id
 * @dids:	bitmap over domain ids: those that adopted entries use, or used
 *		when the driver last ran out of ids
 * @ids_unknown: there are others, of a table that could not be read
 * @max_did:	the highest of them
 * @tags:	in scalable mode, which requester uses which, in pages
 * @nr_tags:	their number
 * @retagged_table: the last second-stage table that got another domain id
 * @retagged_did: which; 0: there is none yet
 * @firmware:	requester ids for which firmware reserves memory
 * @nr_firmware: their number
 * @nr_reports:	lines about single entries and tables, printed or not
 * @irta:	interrupt-remapping table address as the crashed kernel left it
 * @fsts:	fault status as the crashed kernel left it
 * @faults:	the first of the crashed kernel's fault records
 * @nr_faults:	number of records in @faults
 * @noise:	who faults
 * @nr_heard:	faults heard since the work last ran
 * @deaf:	enough faults were heard: the handler leaves what it finds
 * @nr_silenced: requesters whose faults are not recorded any more
 * @fatal_vectors: interrupt vectors that this kernel may not survive
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
	u64			*copies[TAKEOVER_COPY_PAGES];
	bool			unguarded;
	bool			strict;
	unsigned int		address_bits;
	struct takeover_pool	*pool;
	enum takeover_quarantine quarantine;
	unsigned int		nr_guarded;
	unsigned int		nr_repaired;
	unsigned int		nr_cut;
	unsigned int		nr_guard_pages;
	unsigned int		nr_unguarded;
	int			unguarded_error;
	unsigned int		nr_unanswered;
	unsigned long		*silent;
	bool			queue_lost;
	bool			stale;
	bool			asks_devices;
	bool			asks;
	u16			asked;
	unsigned long		*dids;
	bool			ids_unknown;
	unsigned int		max_did;
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
	DECLARE_BITMAP(fatal_vectors, VTD_VECTORS);
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

/* Old memory is mapped so much at a time; a large page of the processor's. */
#define TAKEOVER_WINDOW_SIZE	((u64)SZ_1G)

/*
 * Memory is looked at in blocks where most of it is to be told from what is
 * forbidden: a terabyte of them has a byte for each in a page.
 */
#define TAKEOVER_BLOCK_SIZE	((u64)SZ_256M)
#define TAKEOVER_BLOCKS		4096

/* unit.c */
int takeover_parse_options(const char *arg, struct takeover_options *options);
void takeover_judge_unit(struct takeover_policy *policy, u64 cap, u64 ecap,
			 u32 gsts, u64 rtaddr);
void takeover_snapshot(struct takeover_unit *unit);
void takeover_adopt(struct takeover_unit *unit, u64 *root,
		    enum takeover_mode mode);
int takeover_install(struct takeover_unit *unit);
void takeover_forget_all(struct takeover_unit *unit);
int takeover_stop_queue(struct takeover_unit *unit);
bool takeover_gives_up_queue(struct takeover_unit *unit, u64 waited_ms);
int takeover_do_without_queue(struct takeover_unit *unit, u64 descriptor);

/* tables.c */
int takeover_copy_tables(struct takeover_unit *unit);
bool takeover_may_report(struct takeover_unit *unit);
unsigned int takeover_entry_words(const struct takeover_unit *unit);
u64 *takeover_root_word(const struct takeover_unit *unit, u16 rid);
u64 *takeover_context_entry(const struct takeover_unit *unit, u16 rid);
void takeover_drop_entry(struct takeover_unit *unit, u16 rid, u64 *entry,
			 const char *why, int error);

/* pasid.c */
unsigned int takeover_rid_pasid(const struct takeover_unit *unit,
				const u64 *entry);
int takeover_reserve_pasids(struct takeover_unit *unit, u16 rid,
			    const u64 *entry);
int takeover_retag_pasids(struct takeover_unit *unit, u16 rid, u64 *entry);
bool takeover_is_copy(const struct takeover_unit *unit, u64 addr);

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
int takeover_other_did(struct takeover_unit *unit, u16 rid);
int takeover_retag_pasid(struct takeover_unit *unit, u16 rid, u64 *entry);
void takeover_settle_dids(struct takeover_unit *unit);
bool takeover_spare_did(struct takeover_unit *unit);
bool takeover_is_spared(const struct takeover_unit *unit, u16 rid);

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
int takeover_make_forget(struct takeover_unit *unit, u16 rid);
bool takeover_is_silent(const struct takeover_unit *unit, u16 rid);
void takeover_note_command(struct takeover_unit *unit, u64 descriptor);
bool takeover_gives_up_device(struct takeover_unit *unit, u64 descriptor,
			      unsigned int aborts);

/* prq.c */
void takeover_switch_pages(struct takeover_unit *unit, u64 pqa);

/* release.c */
bool takeover_holds_rid(const struct takeover_unit *unit, u16 rid);
bool takeover_holds_device(struct takeover_unit *unit, struct device *dev);
void takeover_evict_rid(struct takeover_unit *unit, u16 rid, int error);
bool takeover_lose_rid(struct takeover_unit *unit, u16 rid);
void takeover_forget_entry(struct takeover_unit *unit, u16 rid);
int takeover_release_device(struct takeover_unit *unit, struct device *dev);

/* shield.c */
void takeover_forbid_nothing(void);
void takeover_forbid(u64 start, u64 end);
bool takeover_allow(u64 start, u64 end);
bool takeover_forbidden(u64 start, u64 size, struct takeover_span *free);
bool takeover_all_forbidden(u64 start, u64 size);
void takeover_forbidden_blocks(u8 *blocks);
u64 takeover_forbidden_pages(void);
void takeover_tell_forbidden(void);

/* guard.c */
void takeover_guard(struct takeover_unit *unit);
void takeover_guard_devices(struct takeover_unit *unit);
phys_addr_t takeover_scratch_page(void);

/* oldmem.c */
int takeover_oldmem_learn(phys_addr_t elfcorehdr);
bool takeover_oldmem_span(phys_addr_t addr, size_t size,
			  struct takeover_span *span);
bool takeover_oldmem_plausible(phys_addr_t addr, size_t size);
bool takeover_oldmem_window(phys_addr_t addr, size_t size,
			    struct takeover_span *window);
u64 takeover_oldmem_pages(void);
bool takeover_populated(u64 start, u64 size);

/* window.c */
void takeover_close_windows(void);

#endif /* VTD_TAKEOVER_UNIT_H */
