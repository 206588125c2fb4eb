// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what the core tells to tracepoints. Nothing here decides anything.
 */
#include <linux/bitops.h>

#include "env.h"
#include "watch.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void vtd_trace(struct takeover_unit *unit, enum vtd_trace_event event,
	       unsigned int what, u64 before, u64 now)
{
	switch (event) {
	case VTD_TRACE_DROP:
		trace_takeover_drop(unit, what, before, (int)now);
		break;
	case VTD_TRACE_CUT:
		trace_takeover_cut(unit, what, before, now);
		break;
	case VTD_TRACE_RELEASE:
		trace_takeover_release(unit, what);
		break;
	}
}

/**
 * takeover_trace_adopted - tell which entries a unit goes by
 * @unit: unit that uses our root table
 *
 * After the fact, and so that copying tables takes no longer for it.
 */
void takeover_trace_adopted(struct takeover_unit *unit)
{
	const u64 *entry;
	unsigned int rid;

	if (!trace_takeover_adopt_enabled())
		return;
	for_each_set_bit(rid, unit->adopted, TAKEOVER_RIDS) {
		entry = takeover_context_entry(unit, rid);
		trace_takeover_adopt(unit, rid, READ_ONCE(entry[0]),
				     READ_ONCE(entry[1]));
	}
}
