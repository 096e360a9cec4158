// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/steal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of user, nice, system, idle, iowait, irq, softirq, steal: guests' time is in user and nice. */
#define FIELDS  8
#define IDLE    3
#define IO_WAIT 4
#define STOLEN  7

#define OTHERS_WEIGHT 10000

static int parse_line(const char *line, struct steal_sample *ret)
{
	uint64_t ran = 0, ticks;
	unsigned int cpu;
	int n;

	if (sscanf(line, "cpu%9u%n", &cpu, &n) != 1)
		return -EBADMSG;
	for (int i = 0; i < FIELDS; i++) {
		line += n;
		line += strspn(line, " ");
		/* sscanf() would take a sign */
		if (*line < '0' || *line > '9' || sscanf(line, "%18" SCNu64 "%n", &ticks, &n) != 1)
			return -EBADMSG;
		if (cpu >= STEAL_CPUS_MAX)
			continue;
		if (i == STOLEN)
			ret->stolen[cpu] = ticks;
		else if (i != IDLE && i != IO_WAIT)
			ran += ticks;
	}
	if (cpu < STEAL_CPUS_MAX)
		ret->ran[cpu] = ran;
	return 0;
}

int steal_parse(const char *text, uint64_t ticks_per_s, struct steal_sample *ret)
{
	bool found = false;

	*ret = (struct steal_sample){.ticks_per_s = ticks_per_s};
	while (*text) {
		/* "cpu " begins the sum */
		if (strncmp(text, "cpu", 3) == 0 && text[3] != ' ') {
			if (parse_line(text, ret) < 0)
				return -EBADMSG;
			found = true;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return found ? 0 : -EBADMSG;
}

void steal_init(struct steal *steal)
{
	*steal = (struct steal){.rule = GOVERNOR_RULE_INIT};
}

static uint64_t ns_of(const struct steal_sample *sample, uint64_t ticks, uint64_t before,
                      uint64_t interval_ns)
{
	uint64_t more = ticks > before ? MIN(ticks - before, UINT64_C(1000000)) : 0;

	return MIN(more * (NSEC_PER_SEC / sample->ticks_per_s), interval_ns);
}

/* Of this machine, whose CPUs are numbered without gaps here. Returns how many there are. */
static size_t fill(const struct steal *steal, const struct steal_sample *sample,
                   const struct cpu_set_bits *online, uint64_t interval_ns,
                   struct governor_vcpu vcpus[STEAL_CPUS_MAX])
{
	size_t n = 0;

	CPU_SET_BITS_FOREACH(cpu, online)
	{
		if (cpu >= STEAL_CPUS_MAX)
			break;
		vcpus[n++] = (struct governor_vcpu){
		        .index = cpu,
		        .run_ns = ns_of(sample, sample->ran[cpu], steal->before.ran[cpu],
		                        interval_ns),
		        .wait_ns = ns_of(sample, sample->stolen[cpu], steal->before.stolen[cpu],
		                         interval_ns),
		        .avoided = steal->avoided[cpu],
		};
	}
	return n;
}

static void step(struct steal *steal, struct governor_vcpu *vcpus, size_t n, uint64_t interval_ns,
                 uint64_t now_ns, struct governor_domain *ret)
{
	static struct governor_vcpu others[STEAL_CPUS_MAX]; /* which want all that they can get */
	static struct governor_cpu cpus[STEAL_CPUS_MAX];
	struct governor_course course = {0};
	uint64_t online[STEAL_CPUS_MAX / 64] = {0};
	struct governor_domain domains[] = {
	        {.governed = true,
	         .cpus = online,
	         .weight = 1,
	         .n_vcpus = n,
	         .vcpus = vcpus,
	         .course = &steal->course},
	        {.cpus = online,
	         .weight = OTHERS_WEIGHT,
	         .n_vcpus = n,
	         .vcpus = others,
	         .course = &course},
	};
	struct governor_step step = {
	        .rule = &steal->rule,
	        .n_domains = ARRAY_SIZE(domains),
	        .domains = domains,
	        .cpu_words = STEAL_CPUS_MAX / 64,
	        .online = online,
	        .cpus = cpus,
	        .interval_ns = interval_ns,
	        .now_ns = now_ns,
	};

	for (size_t i = 0; i < n; i++) {
		online[i / 64] |= UINT64_C(1) << i % 64;
		others[i] =
		        (struct governor_vcpu){.index = (unsigned int)i, .wait_ns = interval_ns};
	}
	governor_run(&step);
	*ret = domains[0];
}

bool steal_look(struct steal *steal, const struct steal_sample *sample,
                const struct cpu_set_bits *online, uint64_t now_ns, struct cpu_set_bits *avoid)
{
	static struct governor_vcpu vcpus[STEAL_CPUS_MAX];
	uint64_t interval_ns = now_ns - steal->looked_ns;
	bool first = !steal->looked_ns || !cpu_set_bits_equal(online, &steal->online) ||
	             !interval_ns || interval_ns > 100 * GOVERNOR_INTERVAL_NS;
	struct governor_domain domain;
	size_t n;

	*avoid = CPU_SET_BITS_NULL;
	if (first) { /* also after hotplug: what was learned is of another machine */
		steal->course = (struct governor_course){0};
		memset(steal->avoided, 0, sizeof(steal->avoided));
		steal->contention_permille = 0;
	} else {
		n = fill(steal, sample, online, interval_ns, vcpus);
		step(steal, vcpus, n, interval_ns, now_ns, &domain);
		steal->contention_permille = domain.contention_permille;
		for (size_t i = 0; i < n; i++) {
			steal->avoided[vcpus[i].index] = vcpus[i].avoided;
			if (vcpus[i].avoided)
				cpu_set_bits_add(avoid, vcpus[i].index);
		}
	}
	steal->before = *sample;
	steal->online = *online;
	steal->looked_ns = now_ns;
	return !first && governor_is_busy(&steal->rule, &domain);
}
