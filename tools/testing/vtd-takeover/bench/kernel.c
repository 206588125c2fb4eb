// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel around both sides, where it is no inline function: memory,
 * mappings of old memory, the processor's caches. See kernel.h.
 */
#include "bench.h"
#include "kernel.h"

/* The kdump kernel's memory: tables, bitmaps, an interrupt table of 1 MiB. */
#define MEMORY_PAGES	1024
#define LINE_SIZE	64

struct bench_figures bench_figures;

static u8 memory[MEMORY_PAGES * PAGE_SIZE] __aligned(PAGE_SIZE);
static unsigned int pages_used;

/* Next to each other, and never given out twice in one world. */
void *bench_pages(unsigned int number)
{
	void *page = memory + (size_t)pages_used * PAGE_SIZE;

	if (number > MEMORY_PAGES - pages_used)
		return NULL;
	pages_used += number;
	bench_zero(page, (size_t)number * PAGE_SIZE);
	return page;
}

void bench_free(void *memory_of_old)
{
	asm volatile("" : : "r"(memory_of_old));
}

void bench_forget_memory(void)
{
	pages_used = 0;
}

void *bench_map(phys_addr_t addr, size_t size)
{
	bench_figures.mappings++;
	bench_figures.bytes += size;
	if (addr >= bench_pasids_begin && addr < bench_pasids_end) {
		bench_figures.pasid_mappings++;
		bench_figures.pasid_bytes += size;
	}
	return phys_to_virt(addr);
}

void bench_unmap(void *window)
{
	asm volatile("" : : "r"(window));
}

/* A prefetch stands for the flush of a line: one instruction without effect. */
void clflush_cache_range(void *addr, unsigned int size)
{
	u8 *line = (u8 *)((uintptr_t)addr & ~(uintptr_t)(LINE_SIZE - 1));
	u8 *end = (u8 *)addr + size;

	asm volatile("mfence" : : : "memory");
	for (; line < end; line += LINE_SIZE)
		asm volatile("prefetcht0 %0" : : "m"(*line));
	asm volatile("mfence" : : : "memory");
}

void bench_make_devices(struct bench_device *devices, struct intel_iommu *iommu,
			unsigned int number)
{
	unsigned int i;

	if (number > BENCH_DEVICES_MAX)
		__builtin_trap();
	for (i = 0; i < number; i++)
		devices[i] = (struct bench_device){
			.pdev = { .dev.info = &devices[i].info, .rid = i },
			.info = { .iommu = iommu, .bus = i >> 8, .devfn = i & 0xff },
		};
}

int pci_for_each_dma_alias(struct pci_dev *pdev,
			   int (*fn)(struct pci_dev *pdev, u16 alias, void *data),
			   void *data)
{
	return fn(pdev, pdev->rid, data);
}

void bench_idle(unsigned int rid)
{
	(void)rid;
}
