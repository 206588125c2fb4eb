/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For people who watch a takeover: between glue.c, trace.c and debugfs.c.
 */
#ifndef VTD_TAKEOVER_WATCH_H
#define VTD_TAKEOVER_WATCH_H

struct takeover_unit;

/* trace.c */
void takeover_trace_adopted(struct takeover_unit *unit);

/* glue.c: calls @fn for each unit that was probed, none of which goes away. */
typedef void (*takeover_unit_fn)(struct takeover_unit *unit, void *data);
void takeover_visit_units(takeover_unit_fn fn, void *data);

#endif /* VTD_TAKEOVER_WATCH_H */
