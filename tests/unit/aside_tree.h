/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A machine of four CPUs as stepping aside sees it, in a directory: groups, interrupts, and a
 * systemctl that writes AllowedCPUs into the group. Its processes are those of this machine, which
 * has no tasks that are bound to CPUs 2 and 3 alone unless it has these.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/aside_places.h"

#include "test.h"

static char tree[128];
static struct aside_places places;

static inline const char *tree_path(const char *format, ...) PRINTF_FORMAT(1, 2);
static inline const char *tree_path(const char *format, ...)
{
	static char paths[16][256];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];
	int n = snprintf(path, sizeof(paths[0]), "%s/", tree);
	va_list args;

	va_start(args, format);
	vsnprintf(path + n, sizeof(paths[0]) - (size_t)n, format, args);
	va_end(args);
	return path;
}

static inline void tree_write(const char *name, const char *text)
{
	FILE *f = fopen(tree_path("%s", name), "we");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Without its newline. */
static inline const char *tree_read(const char *name)
{
	static char texts[4][4096];
	static unsigned int next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];
	FILE *f = fopen(tree_path("%s", name), "re");
	size_t n;

	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(texts[0]) - 1, f);
	fclose(f);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static inline void tree_unit(const char *name, const char *cpus)
{
	char file[128];

	CHECK(mkdir(tree_path("cgroup/%s", name), 0755) == 0);
	snprintf(file, sizeof(file), "cgroup/%s/cgroup.procs", name);
	tree_write(file, "");
	snprintf(file, sizeof(file), "cgroup/%s/cpuset.cpus", name);
	if (cpus)
		tree_write(file, cpus);
}

static inline void tree_irq(const char *name, const char *list)
{
	char file[64];

	CHECK(mkdir(tree_path("irq/%s", name), 0755) == 0);
	snprintf(file, sizeof(file), "irq/%s/smp_affinity_list", name);
	tree_write(file, list);
}

/* --no-ask-password --quiet set-property --runtime -- UNIT AllowedCPUs=LIST */
static inline void tree_systemctl(const char *last)
{
	char script[1024];

	snprintf(script, sizeof(script),
	         "#!/bin/sh\n"
	         "echo \"$6 $7\" >>%s/asked.log\n"
	         "test \"$3 $4 $5\" = 'set-property --runtime --' || exit 9\n"
	         "test \"$6\" != broken.slice || exit 1\n"
	         "test ! -d %s/cgroup/\"$6\" || "
	         "echo \"${7#AllowedCPUs=}\" >%s/cgroup/\"$6\"/cpuset.cpus\n%s",
	         tree, tree, tree, last);
	tree_write("systemctl", script);
	CHECK(chmod(tree_path("systemctl"), 0755) == 0);
}

static inline void tree_make(void)
{
	static const char *const directories[] = {"cgroup", "irq", "systemd", "run", "irqbalance"};

	snprintf(tree, sizeof(tree), "/tmp/pvsched-aside-XXXXXX");
	CHECK(mkdtemp(tree));
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		CHECK(mkdir(tree_path("%s", directories[i]), 0755) == 0);
	tree_write("cgroup/cgroup.controllers", "cpuset cpu io memory\n");
	tree_unit("system.slice", "\n");
	tree_unit("user.slice", "1-3\n");
	tree_unit("init.scope", NULL);
	tree_write("online", "0-3\n");
	tree_write("workqueue", "f\n");
	tree_write("irq/default_smp_affinity", "00000000,0000000f\n");
	tree_irq("9", "0-3\n");
	tree_irq("24", "3\n");
	tree_irq("25", "0\n");
	tree_systemctl("");
	places = (struct aside_places){
	        .asked = strdup(tree_path("asked")),
	        .record = strdup(tree_path("run/record")),
	        .outcome = strdup(tree_path("run/outcome")),
	        .online = strdup(tree_path("online")),
	        .cgroup = strdup(tree_path("cgroup")),
	        .systemd = strdup(tree_path("systemd")),
	        .systemctl = strdup(tree_path("systemctl")),
	        .irqs = strdup(tree_path("irq")),
	        .workqueue = strdup(tree_path("workqueue")),
	        .irqbalance = strdup(tree_path("irqbalance")),
	        .governor = strdup(tree_path("steal_governor")),
	        .preferred = strdup(tree_path("preferred")),
	        .avoid = strdup(tree_path("paravirt")),
	        .keeps_affinities = true,
	};
}

static inline void tree_remove(void)
{
	char command[256];
	const char *const texts[] = {places.asked,      places.record,   places.outcome,
	                             places.online,     places.cgroup,   places.systemd,
	                             places.systemctl,  places.irqs,     places.workqueue,
	                             places.irqbalance, places.governor, places.preferred,
	                             places.avoid};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free((char *)texts[i]);
	snprintf(command, sizeof(command), "rm -rf %s", tree);
	CHECK_INT(system(command), 0);
}
