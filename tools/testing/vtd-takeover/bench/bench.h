/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the program, which builds old tables and brackets what is counted,
 * and the two sides that are held against each other.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was mapped of old memory since it was last set to zero. */
struct bench_figures {
    unsigned long mappings;
    unsigned long bytes;
    /* Of these, of PASID structures. */
    unsigned long pasid_mappings;
    unsigned long pasid_bytes;
};
extern struct bench_figures bench_figures;

/* Where the PASID structures of the crashed kernel lie. */
extern phys_addr_t bench_pasids_begin;
extern phys_addr_t bench_pasids_end;

/* A kdump kernel and the unit that it finds. */
struct bench_unit {
    bool scalable;
    bool snoops;          /* the processor's caches, when it reads tables */
    unsigned int devices; /* requester ids from 0 on */
    phys_addr_t elfcorehdr;
    u64 rtaddr;
    u64 irta;
};

/* 48 bits, an id for each device, SRTP that empties no cache. */
static inline u64 bench_cap(void) { return 6 | 1ULL << (8 + 2); }

/* Device-TLBs, pass-through; and PASIDs, scalable mode and its second stage. */
static inline u64 bench_ecap(const struct bench_unit* unit) {
    return (unit->snoops ? 1 : 0) | 1 << 2 | 1 << 6 |
           (unit->scalable ? 1ULL << 40 | 1ULL << 43 | 1ULL << 46 : 0);
}

/*
 * A side, in the order in which it is called. begin() is what the driver has
 * done by then: a unit with an empty root table and an empty interrupt table.
 * release() is for each device: what its driver's first mapping pays for the
 * old entry. fill() is that without an old entry; only stock has it, which
 * does both at once.
 */
struct bench_side {
    void (*begin)(const struct bench_unit* unit);
    int (*adopt)(void);
    int (*interrupts)(void);
    void (*release)(unsigned int rid);
    void (*fill)(unsigned int rid); /* NULL: release() does not */
    void (*idle)(unsigned int rid); /* nothing, for comparison */
    /* For the program, which looks at what came of it. */
    const u64* (*root)(void);
    const u64* (*interrupt_table)(void);
    bool (*id_is_taken)(unsigned int did);
    bool (*index_is_taken)(unsigned int index);
    bool (*is_held)(unsigned int rid);
};
extern const struct bench_side bench_takeover;
extern const struct bench_side bench_stock;

/* For sides: does nothing. */
void bench_idle(unsigned int rid);

/* Lines that were printed to warn; there has to be none. */
extern unsigned int bench_warnings;

#ifdef __cplusplus
}
#endif

#endif /* BENCH_BENCH_H */
