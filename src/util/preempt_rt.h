/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * Is the kernel a PREEMPT_RT one? In the mainline, only the text of `uname -v` says so
 * (/proc/sys/kernel/version): init/version-timestamp.c puts PREEMPT_RT into it, and
 * scripts/mkcompile_h did before Linux 6.1. The patches outside of the mainline, as Red Hat's
 * kernels have them, add /sys/kernel/realtime.
 */
enum preempt_rt {
	PREEMPT_RT_NO,
	PREEMPT_RT_YES,
	PREEMPT_RT_UNKNOWN, /* the text cannot be read, and the file is not there */
};

/** @root is put before both paths: "" for the running kernel. */
enum preempt_rt preempt_rt_look(const char *root);
