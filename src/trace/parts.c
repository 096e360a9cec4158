// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace/parts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/base.h"

static const struct {
	const char *name;
	const char *loss;
} descriptions[PVS_PARTS] = {
        {"softirq", "a vCPU does not make room for ksoftirqd; up to Linux 6.4 its boost may then "
                    "last until pvschedd looks at it for another reason"},
        {"helpers", "a vCPU does not make room for QEMU's own threads that wait behind it"},
        {"interrupts", "a vCPU that waits is not boosted when an interrupt comes for it"},
        {"spinning", "a boosted vCPU that spins on a lock keeps its boost"},
        {"entitlement", "the price of a boost does not depend on how many threads compete for the "
                        "CPU, and a CFS quota is noticed only when the domain is looked at"},
        {"exec", "a vCPU thread that calls exec is unboosted a little later"},
        {"levers", "no vCPU gets a slice or a clamp, since one that it has of its own could not be "
                   "given back"},
        {"blockers", "pvschedctl latency can't say what ran while a vCPU waited"},
        {"relations",
         "the vCPU that another one waits for is helped only if it is the one that was "
         "preempted longest"},
};

const char *tracer_part_name(unsigned int part)
{
	return descriptions[part].name;
}

const char *tracer_part_loss(unsigned int part)
{
	return descriptions[part].loss;
}

int tracer_parts_choose(struct tracer_parts *ret, tracer_parts_load_fn *load, void *userdata,
                        char cause[TRACER_CAUSE_MAX])
{
	int r;

	*ret = (struct tracer_parts){.loaded = PVS_PARTS_ALL};
	if (load(userdata, PVS_PARTS_ALL, cause) == 0)
		return 0;
	ret->loaded = 0;
	r = load(userdata, 0, cause);
	/* one after the other, added to those that load: two may be too much together */
	for (unsigned int part = 0; r == 0 && part < PVS_PARTS; part++) {
		if (load(userdata, ret->loaded | (1U << part), ret->cause[part]) < 0)
			continue;
		ret->loaded |= 1U << part;
		ret->cause[part][0] = '\0';
	}
	return r;
}

/* True for lines that the verifier adds about itself after the one that names the cause. */
static bool is_about_itself(const char *line)
{
	static const char *const beginnings[] = {
	        "processed ", "verification time", "stack depth", "-- ", "mark_precise: ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(line, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return line[0] == '\0';
}

static void keep(char cause[TRACER_CAUSE_MAX], const char *line, size_t length)
{
	snprintf(cause, TRACER_CAUSE_MAX, "%.*s", (int)MIN(length, (size_t)TRACER_CAUSE_MAX), line);
}

/* Finds the line of a verifier's log that names the cause. Returns its length; 0: none. */
static size_t find_cause(const char *log, const char **ret)
{
	const char *line = strstr(log, "failed to resolve CO-RE relocation");
	size_t length, found = 0;

	if (line) {
		*ret = line;
		return strcspn(line, "\n");
	}
	/* else the verifier's last line before those about itself */
	for (line = log; *line; line += length + (line[length] == '\n')) {
		length = strcspn(line, "\n");
		if (length == 0 || is_about_itself(line))
			continue;
		*ret = line;
		found = length;
	}
	return found;
}

/* libbpf begins with "prog 'NAME': -- BEGIN PROG LOAD LOG --". */
static void keep_from_log(char cause[TRACER_CAUSE_MAX], const char *text)
{
	size_t name = strcspn(text, ":"), length;
	const char *line = NULL;

	length = find_cause(text + strcspn(text, "\n"), &line);
	if (length)
		snprintf(cause, TRACER_CAUSE_MAX, "%.*s: %.*s", (int)MIN(name, (size_t)64), text,
		         (int)MIN(length, (size_t)TRACER_CAUSE_MAX), line);
}

/*
 * libbpf says "prog 'x': BPF program load failed: Invalid argument", then the verifier's log, then
 * messages about the object. The cause from the log replaces the first of these. Messages after a
 * cause name none.
 */
void tracer_cause_note(char cause[TRACER_CAUSE_MAX], const char *text)
{
	static const char prefix[] = "libbpf: ";

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	if (strstr(text, "BEGIN PROG LOAD LOG"))
		keep_from_log(cause, text);
	else if (cause[0] == '\0')
		keep(cause, text, strcspn(text, "\n"));
}
