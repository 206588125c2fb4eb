// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the crashed kernel's memory.
 *
 * It is not in this kernel's map of memory, and mapping a page takes longer than
 * reading it: so large windows are mapped, which share a large page of the
 * processor's each, and stay until the takeover has read what it wants. There is
 * one place for each window; another one with the same takes it.
 *
 * This file judges no address (oldmem.c does), and keeps nothing that it read.
 * Only the driver's initialisation and resume get here, one after the other.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/uaccess.h>

#include <asm/early_ioremap.h>

#include "env.h"
#include "unit.h"

struct window {
	struct takeover_span	span;
	void			*at;	/* NULL: nothing is mapped */
};

#define WINDOWS		512

static struct window windows[WINDOWS];
static unsigned int nr_windows;

static struct window *window_of(phys_addr_t addr)
{
	return &windows[addr / TAKEOVER_WINDOW_SIZE % WINDOWS];
}

/* Where old memory is mapped already; NULL: it is not. */
static const void *in_window(phys_addr_t addr, size_t size)
{
	const struct window *window = window_of(addr);

	if (!window->at || addr < window->span.first ||
	    addr > window->span.last || window->span.last - addr < size - 1)
		return NULL;
	return window->at + (addr - window->span.first);
}

static void close_window(struct window *window)
{
	if (window->at)
		memunmap(window->at);
	window->at = NULL;
}

/**
 * takeover_close_windows - unmap the crashed kernel's memory
 *
 * Whatever is read next maps it again.
 */
void takeover_close_windows(void)
{
	unsigned int i;

	for (i = 0; i < WINDOWS; i++)
		close_window(&windows[i]);
	if (nr_windows)
		pr_debug("%u windows on old memory\n", nr_windows);
	nr_windows = 0;
}

/* Return: where old memory is mapped, NULL if it has to be mapped alone. */
static const void *open_window(phys_addr_t addr, size_t size)
{
	struct window *window = window_of(addr);
	struct takeover_span span;

	if (!takeover_oldmem_window(addr, size, &span))
		return NULL;
	close_window(window);
	window->at = memremap(span.first, span.last - span.first + 1,
			      MEMREMAP_WB);
	window->span = span;
	nr_windows++;
	return in_window(addr, size);
}

/* Return: 0, or -EIO if there is poison. */
static int copy_oldmem(void *dst, const void *src, size_t size)
{
	return copy_mc_to_kernel(dst, src, size) ? -EIO : 0;
}

/* Detection runs before there is a vmalloc space for memremap(). */
static int __ref read_early(void *dst, phys_addr_t src, size_t size)
{
	void *page = early_memremap(src, size);
	int ret;

	if (!page)
		return -ENOMEM;
	ret = copy_oldmem(dst, page, size);
	early_memunmap(page, size);
	return ret;
}

static int read_alone(void *dst, phys_addr_t src, size_t size)
{
	void *page = memremap(src, size, MEMREMAP_WB);
	int ret;

	if (!page)
		return -ENOMEM;
	ret = copy_oldmem(dst, page, size);
	memunmap(page);
	return ret;
}

int vtd_read_oldmem(void *dst, phys_addr_t src, size_t size)
{
	const void *from;

	if (!slab_is_available())
		return read_early(dst, src, size);
	from = in_window(src, size);
	if (!from)
		from = open_window(src, size);
	if (!from)
		return read_alone(dst, src, size);
	return copy_oldmem(dst, from, size);
}

const void *vtd_oldmem_ahead(phys_addr_t table)
{
	return in_window(table, VTD_TABLE_SIZE);
}
