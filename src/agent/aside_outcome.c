// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 8192

static const char *const results[_ASIDE_RESULT_MAX] = {
        [ASIDE_BACK] = "back",
        [ASIDE_AWAY] = "away",
        [ASIDE_REFUSED] = "refused",
        [ASIDE_FAILED] = "failed",
};

static const char *const irqbalances[_ASIDE_IRQBALANCE_MAX] = {
        [ASIDE_IRQBALANCE_ABSENT] = "absent",
        [ASIDE_IRQBALANCE_TOLD] = "told",
        [ASIDE_IRQBALANCE_FAILED] = "failed",
};

static const struct {
	const char *name, *text;
} reasons[_ASIDE_REASON_MAX] = {
        [ASIDE_NO_REASON] = {"none", "nothing is wrong"},
        [ASIDE_NO_SYSTEMD] = {"no-systemd", "systemd does not run this machine"},
        [ASIDE_NO_CPUSET] = {"no-cpuset",
                             "this machine has no cgroup v2 with the controller cpuset"},
        [ASIDE_CPUSET_OFF] = {"cpuset-off",
                              "cpuset is not enabled for each top unit, and a kernel before 6.2 "
                              "forgets tasks' affinities when it is; enable it first: systemctl "
                              "set-property UNIT AllowedCPUs=CPUS, or a newer kernel"},
        [ASIDE_KERNEL_GOVERNOR] = {"kernel-governor",
                                   "the kernel's own governor of steal time steps aside"},
        [ASIDE_NOT_ALLOWED] = {"not-allowed",
                               "interrupts may not be moved: it is not root, or /proc and /sys "
                               "cannot be written"},
        [ASIDE_TASKS_BOUND] = {"tasks-bound", "tasks are bound to each CPU to be avoided"},
        [ASIDE_ONE_CPU] = {"one-cpu", "one CPU has to stay"},
        [ASIDE_SYSTEMD_REFUSED] = {"systemd-refused",
                                   "AllowedCPUs of a unit could not be changed: see the journal"},
        [ASIDE_RECORD] = {"record", "the files in /run/pvsched-aside cannot be used"},
        [ASIDE_TIME] = {"time", "it took too long"},
        [ASIDE_PROCESS] = {"process", "pvsched-aside.service could not do it: see its journal"},
};

const char *aside_result_name(enum aside_result result)
{
	return results[result];
}

const char *aside_reason_name(enum aside_reason reason)
{
	return reasons[reason].name;
}

const char *aside_reason_text(enum aside_reason reason)
{
	return reasons[reason].text;
}

const char *aside_irqbalance_name(enum aside_irqbalance irqbalance)
{
	return irqbalances[irqbalance];
}

size_t aside_outcome_format(const struct aside_outcome *o, char *ret, size_t size)
{
	char avoided[LIST_MAX], left_out[LIST_MAX];
	int n;

	cpulist_format(&o->avoided, avoided, sizeof(avoided));
	cpulist_format(&o->left_out, left_out, sizeof(left_out));
	n = snprintf(ret, size,
	             "%u %u %u %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32
	             "\n%s\n%s\n",
	             (unsigned int)o->result, (unsigned int)o->reason, (unsigned int)o->irqbalance,
	             o->tasks_bound, o->tasks_kept, o->units, o->units_left, o->irqs, o->irqs_fixed,
	             avoided, left_out);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* The line at *text, without its end. Returns NULL if there is none that fits. */
static const char *next_line(const char **text, char *ret, size_t size)
{
	const char *end = strchr(*text, '\n');
	size_t n = end ? (size_t)(end - *text) : size;

	if (n >= size)
		return NULL;
	memcpy(ret, *text, n);
	ret[n] = '\0';
	*text = end + 1;
	return ret;
}

static int parse_numbers(const char *line, struct aside_outcome *ret)
{
	uint32_t *const numbers[] = {&ret->tasks_bound, &ret->tasks_kept, &ret->units,
	                             &ret->units_left,  &ret->irqs,       &ret->irqs_fixed};
	unsigned int result, reason, irqbalance;
	int n = 0;

	if (sscanf(line, "%2u %2u %2u%n", &result, &reason, &irqbalance, &n) != 3 ||
	    result >= _ASIDE_RESULT_MAX || reason >= _ASIDE_REASON_MAX ||
	    irqbalance >= _ASIDE_IRQBALANCE_MAX)
		return -EBADMSG;
	ret->result = result;
	ret->reason = reason;
	ret->irqbalance = irqbalance;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		line += n;
		if (line[0] != ' ' || line[1] < '0' || line[1] > '9' ||
		    sscanf(line, " %9" SCNu32 "%n", numbers[i], &n) != 1)
			return -EBADMSG;
	}
	return line[n] ? -EBADMSG : 0;
}

int aside_outcome_parse(const char *text, struct aside_outcome *ret)
{
	char line[LIST_MAX];

	*ret = (struct aside_outcome){0};
	if (!next_line(&text, line, sizeof(line)) || parse_numbers(line, ret) < 0)
		return -EBADMSG;
	if (!next_line(&text, line, sizeof(line)) || cpulist_parse(line, &ret->avoided) < 0)
		return -EBADMSG;
	if (!next_line(&text, line, sizeof(line)) || cpulist_parse(line, &ret->left_out) < 0)
		return -EBADMSG;
	return *text ? -EBADMSG : 0;
}
