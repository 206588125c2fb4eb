/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the takeover: which device was adopted, dropped and released,
 * and what the guard cut from its tables. intel_iommu's own have the hardware's
 * commands; with both a trace tells which invalidation belongs to what.
 *
 * Most of it happens before there is a filesystem: trace_event=vtd_takeover:*
 * on the command line of the kdump kernel, perhaps with tp_printk.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vtd_takeover

#if !defined(VTD_TAKEOVER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VTD_TAKEOVER_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "format.h"
#include "unit.h"

#define TAKEOVER_TRACE_NAME	16

/* A context entry as it is installed, the guard's repairs in it. */
TRACE_EVENT(takeover_adopt,
	TP_PROTO(const struct takeover_unit *unit, u16 rid, u64 low, u64 high),
	TP_ARGS(unit, rid, low, high),
	TP_STRUCT__entry(
		__array(char, unit, TAKEOVER_TRACE_NAME)
		__field(u16, rid)
		__field(u64, low)
		__field(u64, high)
	),
	TP_fast_assign(
		strscpy(__entry->unit, unit->name, TAKEOVER_TRACE_NAME);
		__entry->rid = rid;
		__entry->low = low;
		__entry->high = high;
	),
	TP_printk("%s %02x:%02x.%x entry=%#llx,%#llx", __entry->unit,
		  VTD_RID_BUS(__entry->rid), VTD_RID_SLOT(__entry->rid),
		  VTD_RID_FUNCTION(__entry->rid), __entry->low, __entry->high)
);

/* An entry that is left out of our tables; error 0: a line of the log says why. */
TRACE_EVENT(takeover_drop,
	TP_PROTO(const struct takeover_unit *unit, u16 rid, u64 low, int error),
	TP_ARGS(unit, rid, low, error),
	TP_STRUCT__entry(
		__array(char, unit, TAKEOVER_TRACE_NAME)
		__field(u16, rid)
		__field(u64, low)
		__field(int, error)
	),
	TP_fast_assign(
		strscpy(__entry->unit, unit->name, TAKEOVER_TRACE_NAME);
		__entry->rid = rid;
		__entry->low = low;
		__entry->error = error;
	),
	TP_printk("%s %02x:%02x.%x entry=%#llx error=%d", __entry->unit,
		  VTD_RID_BUS(__entry->rid), VTD_RID_SLOT(__entry->rid),
		  VTD_RID_FUNCTION(__entry->rid), __entry->low, __entry->error)
);

/* A word of a table; level 0: of a PASID table or directory. */
TRACE_EVENT(takeover_cut,
	TP_PROTO(const struct takeover_unit *unit, unsigned int level,
		 u64 before, u64 now),
	TP_ARGS(unit, level, before, now),
	TP_STRUCT__entry(
		__array(char, unit, TAKEOVER_TRACE_NAME)
		__field(unsigned int, level)
		__field(u64, before)
		__field(u64, now)
	),
	TP_fast_assign(
		strscpy(__entry->unit, unit->name, TAKEOVER_TRACE_NAME);
		__entry->level = level;
		__entry->before = before;
		__entry->now = now;
	),
	TP_printk("%s level=%u word=%#llx now=%#llx", __entry->unit,
		  __entry->level, __entry->before, __entry->now)
);

/* A requester id is its driver's: nothing old is left of it anywhere. */
TRACE_EVENT(takeover_release,
	TP_PROTO(const struct takeover_unit *unit, u16 rid),
	TP_ARGS(unit, rid),
	TP_STRUCT__entry(
		__array(char, unit, TAKEOVER_TRACE_NAME)
		__field(u16, rid)
	),
	TP_fast_assign(
		strscpy(__entry->unit, unit->name, TAKEOVER_TRACE_NAME);
		__entry->rid = rid;
	),
	TP_printk("%s %02x:%02x.%x", __entry->unit, VTD_RID_BUS(__entry->rid),
		  VTD_RID_SLOT(__entry->rid), VTD_RID_FUNCTION(__entry->rid))
);

#endif /* VTD_TAKEOVER_TRACE_H */

/* Seen from include/trace. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH ../../drivers/iommu/intel/takeover
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
