/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the programs that build page tables for the guard to walk, and what
 * is compiled as the kernel is: the guard with an env.h of its own, and plain
 * reads of the same tables.
 */
#ifndef BENCH_GUARDED_H
#define BENCH_GUARDED_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kdump kernel's memory, all that is forbidden but low memory. */
#define BENCH_CRASH_START 0x8000000000ULL
#define BENCH_CRASH_SIZE 0x40000000ULL
#define BENCH_LOW_END 0x9f000ULL

/* What the guard is given, and what it has to find. */
struct bench_guarded {
    u64 top; /* a second-stage table */
    unsigned int levels;
    unsigned int devices; /* that have it */
    unsigned int budget;  /* pages of crash memory */
};

/* What one walk took. */
struct bench_walked {
    unsigned int tables;
    unsigned int cut;
    unsigned int dropped;
    unsigned long bytes;
    unsigned long windows;   /* mapped to read through */
    unsigned int pages_most; /* of crash memory at a time */
    unsigned int pages_kept;
};

/*
 * Once: tell the core which memory is whose. Then, for each walk: what the
 * takeover has done before it, and the walk.
 */
void bench_guarded_learn(phys_addr_t elfcorehdr);
void bench_guarded_begin(const struct bench_guarded* guarded);
void bench_guarded_walk(void);
void bench_guarded_result(struct bench_walked* walked);

/* One pass over all words of tables, as fast as it can be read in order. */
u64 bench_read_plain(const u64* const* tables, size_t number);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_GUARDED_H */
