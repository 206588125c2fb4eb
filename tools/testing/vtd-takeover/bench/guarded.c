// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard's surroundings, for what it costs alone: env.h, as far as a walk
 * calls it, on memory of this process. window.c reads old memory as in the
 * kernel, but for the mappings, which are counted.
 *
 * Crash memory was touched before: a fault of this process is none of the
 * kernel's.
 */
#include <sys/mman.h>

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/early_ioremap.h>

#include "env.h"
#include "guarded.h"
#include "unit.h"

#define LINE_SIZE		64
#define CRASH_PAGES		(BENCH_CRASH_SIZE / VTD_TABLE_SIZE)
#define CONTEXTS_PER_TABLE	256
#define DEVICES_MAX		CONTEXTS_PER_TABLE

static u64 crash_used, crash_touched;
static u64 *crash_free;
static unsigned int crash_now;
static struct bench_walked figures;

static unsigned long adopted[TAKEOVER_RIDS / BITS_PER_LONG];
static struct takeover_unit unit;
static struct takeover_pool pool;

/* Crash memory */

static void *crash_page(void)
{
	u64 *page = crash_free;
	unsigned long words = VTD_TABLE_WORDS;
	void *at;

	if (page) {
		crash_free = (u64 *)page[0];
	} else if (crash_used < crash_touched) {
		page = (u64 *)(BENCH_CRASH_START +
			       crash_used++ * VTD_TABLE_SIZE);
	} else {
		return NULL;
	}
	at = page;
	asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0) : "memory");
	crash_now++;
	if (crash_now > figures.pages_most)
		figures.pages_most = crash_now;
	return page;
}

static void touch_crash_memory(u64 pages)
{
	u64 *page;

	for (; crash_touched < pages; crash_touched++) {
		page = (u64 *)(BENCH_CRASH_START +
			       crash_touched * VTD_TABLE_SIZE);
		WRITE_ONCE(*page, 0);
	}
}

/* env.h, what a walk calls */

void *vtd_alloc_table(struct takeover_unit *u, gfp_t gfp)
{
	return crash_page();
}

void vtd_free_table(void *table)
{
	*(u64 **)table = crash_free;
	crash_free = table;
	crash_now--;
}

void vtd_flush_lines(const void *addr, size_t size)
{
	const char *line = (const char *)((uintptr_t)addr & -LINE_SIZE);
	const char *end = (const char *)addr + size;

	asm volatile("mfence" : : : "memory");
	for (; line < end; line += LINE_SIZE)
		asm volatile("clflush %0" : : "m"(*line));
	asm volatile("mfence" : : : "memory");
}

/* What window.c calls: all is mapped, and mappings are counted. */

bool slab_is_available(void)
{
	return true;
}

void *memremap(phys_addr_t address, size_t size, unsigned long flags)
{
	figures.windows++;
	return phys_to_virt(address);
}

void memunmap(void *at)
{
}

unsigned long copy_mc_to_kernel(void *to, const void *from, unsigned long size)
{
	unsigned long words = size / sizeof(u64);

	figures.bytes += size;
	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)
		     : : "memory");
	return 0;
}

/* Nothing passes through. */
bool vtd_is_populated(u64 start, u64 size)
{
	return false;
}

/* A tracepoint that is off. */
void vtd_trace(struct takeover_unit *unit, enum vtd_trace_event event,
	       unsigned int what, u64 before, u64 now)
{
}

/* Firmware reserves no memory. */
int vtd_visit_reserved(struct takeover_unit *unit, vtd_reserved_fn fn,
		       void *data)
{
	return 0;
}

/* What is dropped is counted. */
void shim_printk(const char *format, ...)
{
}

/* env.h, what it does not call */

#define NEVER(function)			\
	function			\
	{				\
		__builtin_trap();	\
	}

NEVER(u32 vtd_read32(struct takeover_unit *u, unsigned int r))
NEVER(u64 vtd_read64(struct takeover_unit *u, unsigned int r))
NEVER(void vtd_write32(struct takeover_unit *u, unsigned int r, u32 v))
NEVER(void vtd_write64(struct takeover_unit *u, unsigned int r, u64 v))
NEVER(unsigned long vtd_lock_registers(struct takeover_unit *u))
NEVER(void vtd_unlock_registers(struct takeover_unit *u, unsigned long f))
NEVER(void vtd_flush_write_buffer(struct takeover_unit *u))
NEVER(void vtd_inv_context(struct takeover_unit *u, u16 d, u16 r))
NEVER(void vtd_inv_context_all(struct takeover_unit *u))
NEVER(void vtd_inv_pasid_all(struct takeover_unit *u))
NEVER(void vtd_inv_iotlb_domain(struct takeover_unit *u, u16 d))
NEVER(void vtd_inv_iotlb_all(struct takeover_unit *u))
NEVER(int vtd_inv_devtlb(struct takeover_unit *u, struct device *d, u16 r,
			 bool p))
NEVER(unsigned int vtd_device_off(struct device *d, u16 r, unsigned int o))
NEVER(struct device *vtd_find_device(struct takeover_unit *u, u16 r))
NEVER(bool vtd_hidden_function_answers(struct takeover_unit *u, u16 r))
NEVER(void vtd_put_device(struct device *d))
NEVER(int vtd_submit(struct takeover_unit *u, u64 l, u64 h))
NEVER(void vtd_reserve_dids(struct takeover_unit *u, unsigned int f,
			    unsigned long d))
NEVER(int vtd_new_did(struct takeover_unit *u))
NEVER(void vtd_free_did(struct takeover_unit *u, u16 d))
NEVER(void vtd_reserve_irte(struct takeover_unit *u, unsigned int i))
NEVER(bool vtd_may_be_old_ram(phys_addr_t a, size_t s))
NEVER(int vtd_visit_rids(struct device *d, vtd_rid_fn f, void *p))
NEVER(void udelay(unsigned long us))
NEVER(void *early_memremap(phys_addr_t a, unsigned long s))
NEVER(void early_memunmap(void *a, unsigned long s))

void cond_resched(void)
{
}

/* For the programs */

void bench_guarded_learn(phys_addr_t elfcorehdr)
{
	static void *memory;

	if (!memory) {
		memory = mmap((void *)BENCH_CRASH_START, BENCH_CRASH_SIZE,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			      MAP_FIXED_NOREPLACE, -1, 0);
		/* As the kernel maps all memory. */
		madvise(memory, BENCH_CRASH_SIZE, MADV_HUGEPAGE);
	}
	if (memory != (void *)BENCH_CRASH_START ||
	    takeover_oldmem_learn(elfcorehdr))
		__builtin_trap();
	takeover_forbid_nothing();
	takeover_forbid(0, BENCH_LOW_END);
	takeover_forbid(BENCH_CRASH_START, BENCH_CRASH_START + BENCH_CRASH_SIZE);
}

void bench_guarded_begin(const struct bench_guarded *guarded)
{
	unsigned int i;
	u64 *contexts;

	if (guarded->devices > DEVICES_MAX)
		__builtin_trap();
	takeover_close_windows();
	crash_used = 0;
	crash_free = NULL;
	crash_now = 0;
	touch_crash_memory(guarded->budget + 16);

	pool = (struct takeover_pool){ .left = 2 * guarded->budget };
	unit = (struct takeover_unit){
		.name = "unit",
		.cap = VTD_CAP_SAGAW | VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G |
		       VTD_CAP_ZLR | FIELD_PREP(VTD_CAP_MGAW, 47),
		.root = crash_page(),
		.adopted = adopted,
		.pool = &pool,
		.address_bits = 46,
		.quarantine = TAKEOVER_SCRATCH,
	};
	contexts = crash_page();
	unit.root[0] = virt_to_phys(contexts) | VTD_CTX_PRESENT;
	for (i = 0; i < DEVICES_MAX; i++)
		__clear_bit(i, adopted);
	for (i = 0; i < guarded->devices; i++) {
		contexts[2 * i] = guarded->top | VTD_CTX_PRESENT;
		contexts[2 * i + 1] =
			FIELD_PREP(VTD_CTX_AW, guarded->levels - 2);
		__set_bit(i, adopted);
		unit.nr_adopted++;
	}
	crash_now = 0;
	figures = (struct bench_walked){ 0 };
}

void bench_guarded_walk(void)
{
	takeover_guard(&unit);
}

void bench_guarded_result(struct bench_walked *walked)
{
	*walked = figures;
	walked->tables = unit.nr_guarded;
	walked->cut = unit.nr_cut;
	walked->dropped = unit.nr_dropped;
	walked->pages_kept = unit.nr_guard_pages;
}

u64 bench_read_plain(const u64 *const *tables, size_t number)
{
	u64 sum[4] = { 0 };
	unsigned int i;
	size_t n;

	for (n = 0; n < number; n++)
		for (i = 0; i < VTD_TABLE_WORDS; i += 4) {
			sum[0] += READ_ONCE(tables[n][i]);
			sum[1] += READ_ONCE(tables[n][i + 1]);
			sum[2] += READ_ONCE(tables[n][i + 2]);
			sum[3] += READ_ONCE(tables[n][i + 3]);
		}
	return sum[0] + sum[1] + sum[2] + sum[3];
}
