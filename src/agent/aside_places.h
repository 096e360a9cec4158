/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where stepping aside reads and writes. Tests pass other paths. */

#include "util/base.h"
#include "util/cpulist.h"

struct aside_places {
	const char *asked;      /* "/run/pvsched/step-aside": what the agent asks for, a list */
	const char *record;     /* "/run/pvsched-aside/record" */
	const char *outcome;    /* "/run/pvsched-aside/outcome" */
	const char *online;     /* CPUs, as a list */
	const char *cgroup;     /* where cgroup v2 is mounted */
	const char *systemd;    /* is there if systemd runs this machine */
	const char *systemctl;  /* a path, or a name to look for in PATH */
	const char *irqs;       /* "/proc/irq" */
	const char *workqueue;  /* a mask */
	const char *irqbalance; /* the directory of its socket */
	const char *governor;   /* is there if the kernel's own governor of steal time is */
	const char *preferred;  /* the CPUs that it prefers; it writes them itself */
	const char *avoid;      /* the kernel's list of CPUs to avoid, which may be written */
	bool keeps_affinities;  /* the kernel gives tasks their own affinity back, from 6.2 on */
};

/** The places of this machine. */
struct aside_places aside_places(void);

/** True: the release is @major.@minor or later, as far as it has numbers. */
bool aside_release_is(const char *release, unsigned int major, unsigned int minor);

/** Reads a small file with a list of CPUs, or with a mask in hexadecimal words. 0, or -errno. */
int aside_read_list(const char *path, struct cpu_set_bits *ret);
int aside_read_mask(const char *path, struct cpu_set_bits *ret);

/** Writes one; an empty list as "\n". 0, or -errno as the kernel refuses it. */
int aside_write_list(const char *path, const struct cpu_set_bits *set);
int aside_write_mask(const char *path, const struct cpu_set_bits *set);

/** The kernel's format of masks: words of 32 bits in hexadecimal, the highest first, and commas. */
int aside_mask_parse(const char *text, struct cpu_set_bits *ret);
size_t aside_mask_format(const struct cpu_set_bits *set, char *ret, size_t size);
