/* SPDX-License-Identifier: GPL-2.0-only */
/* Userspace stand-in: messages go to the harness. */
#ifndef SHIM_LINUX_PRINTK_H
#define SHIM_LINUX_PRINTK_H

#ifdef __cplusplus
extern "C"
#endif
void shim_printk(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define pr_debug(format, ...)	shim_printk("debug: " pr_fmt(format), ##__VA_ARGS__)
#define pr_info(format, ...)	shim_printk("info: " pr_fmt(format), ##__VA_ARGS__)
#define pr_warn(format, ...)	shim_printk("warn: " pr_fmt(format), ##__VA_ARGS__)
#define pr_err(format, ...)	shim_printk("err: " pr_fmt(format), ##__VA_ARGS__)

#endif
