/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scenario.h"

#include <string.h>

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC

#define FOREIGN_PRIORITY 10

static const struct behaviour good = {
        "100us/1ms",
        {{.run_ns = 100 * US, .sleep_ns = MS, .vary_permille = 100, .periodic = true}},
        0};
/* A rogue is calm at times, as if to be armed: otherwise a slow booster never meets it asleep. */
#define CALM                                                                                       \
	{                                                                                          \
		.lasts_ns = 5 * MS, .run_ns = 20 * US, .sleep_ns = 800 * US                        \
	}

static const struct behaviour rogue_240 = {
        "240/5", {CALM, {.lasts_ns = 45 * MS, .run_ns = 240 * US, .sleep_ns = 5 * US}}, 0};
static const struct behaviour rogue_490 = {
        "490/10", {CALM, {.lasts_ns = 45 * MS, .run_ns = 490 * US, .sleep_ns = 10 * US}}, 0};
static const struct behaviour rogue_5 = {
        "5/20", {CALM, {.lasts_ns = 45 * MS, .run_ns = 5 * US, .sleep_ns = 20 * US}}, 0};
static const struct behaviour full_speed = {
        "full speed", {{.lasts_ns = 20 * MS, .run_ns = NSEC_NEVER, .sleep_ns = 50 * US}}, 0};
static const struct behaviour vario = {
        "varying",
        {{.lasts_ns = 40 * MS, .run_ns = 60 * US, .sleep_ns = 900 * US, .vary_permille = 900},
         {.lasts_ns = 30 * MS, .run_ns = 300 * US, .sleep_ns = 100 * US, .vary_permille = 900},
         {.lasts_ns = 10 * MS, .run_ns = NSEC_NEVER, .sleep_ns = 3 * MS},
         {.lasts_ns = 20 * MS, .run_ns = 8 * US, .sleep_ns = 30 * US, .vary_permille = 500}},
        0};
static const struct behaviour locks = {
        "with locks", {{.run_ns = 80 * US, .sleep_ns = 300 * US, .vary_permille = 800}}, 300};
static const struct behaviour spinner = {"spinner", {{.run_ns = NSEC_NEVER}}, 0};
static const struct behaviour foreign = {
        "foreign RT", {{.run_ns = MS, .sleep_ns = 10 * MS, .vary_permille = 300}}, 0};

/* clang-format off */
const struct scenario scenarios[] = {
	{"good-alone", .n_cpus = 2, .spinners_per_cpu = 3, .served_permille = 990,
	 .casts = {{&good, 1, 1, false}}},
	{"good-each-cpu", .n_cpus = 4, .spinners_per_cpu = 3, .served_permille = 990,
	 .casts = {{&good, 4, 1, true}}},
	{"good-two-per-cpu", .n_cpus = 2, .spinners_per_cpu = 3, .served_permille = 990,
	 .casts = {{&good, 4, 1, true}}},
	{"good-eight-per-cpu", .n_cpus = 2, .spinners_per_cpu = 3,
	 .casts = {{&good, 16, 1, true}}},
	{"good-domain-of-eight", .n_cpus = 4, .spinners_per_cpu = 1,
	 .casts = {{&good, 1, 8, false}}},
	{"rogue-240-5", .n_cpus = 2, .spinners_per_cpu = 1, .casts = {{&rogue_240, 2, 1, false}}},
	{"rogue-490-10", .n_cpus = 2, .spinners_per_cpu = 1, .casts = {{&rogue_490, 2, 1, false}}},
	{"rogue-5-20", .n_cpus = 2, .spinners_per_cpu = 1, .casts = {{&rogue_5, 2, 1, false}}},
	{"rogue-full-speed", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&full_speed, 2, 1, false}}},
	{"rogue-crowded", .n_cpus = 2, .spinners_per_cpu = 6,
	 .casts = {{&rogue_240, 1, 1, false}, {&rogue_5, 1, 1, false}}},
	{"good-beside-rogue", .n_cpus = 2, .spinners_per_cpu = 2, .served_permille = 990,
	 .casts = {{&good, 1, 1, true}, {&rogue_240, 1, 1, true}}},
	{"domain-of-eight", .n_cpus = 4, .spinners_per_cpu = 1,
	 .casts = {{&rogue_240, 1, 8, false}, {&good, 1, 1, false}}},
	{"rogues-eight-per-cpu", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&rogue_240, 4, 1, true}, {&rogue_490, 4, 1, true}, {&rogue_5, 4, 1, true},
		   {&full_speed, 4, 1, true}}},
	{"mixed", .n_cpus = 8, .spinners_per_cpu = 1,
	 .casts = {{&vario, 1, 8, false}, {&rogue_240, 1, 7, false}, {&vario, 1, 6, false},
		   {&locks, 1, 5, false}, {&good, 1, 4, false}, {&rogue_5, 1, 3, false},
		   {&full_speed, 1, 2, false}, {&good, 1, 1, false}}},
	{"varying", .n_cpus = 2, .spinners_per_cpu = 2,
	 .casts = {{&vario, 3, 1, false}, {&vario, 1, 2, false}}},
	{"locks", .n_cpus = 2, .spinners_per_cpu = 2,
	 .casts = {{&locks, 2, 2, false}}},
	{"foreign-rt", .n_cpus = 2, .spinners_per_cpu = 1, .foreign_rt = true,
	 .casts = {{&rogue_240, 2, 1, false}, {&rogue_490, 2, 1, false}, {&good, 1, 1, false}}},
	{"static-rt", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&good, 16, 1, true}, {&good, 2, 1, true, 5}}},
	{"pauses", .n_cpus = 2, .spinners_per_cpu = 2, .holds = true,
	 .casts = {{&good, 1, 2, false}, {&vario, 2, 1, false}, {&rogue_5, 1, 1, false}}},
};
/* clang-format on */

const size_t n_scenarios = ARRAY_SIZE(scenarios);

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < n_scenarios; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static void add(struct world *world, const struct behaviour *behaviour, int vcpu, int domain,
                uint32_t group, uint64_t allowed, int priority)
{
	if (world->n_threads == WORLD_THREADS_MAX || group >= WORLD_GROUPS_MAX)
		return;
	world->threads[world->n_threads++] = (struct thread){
	        .behaviour = behaviour,
	        .vcpu = vcpu,
	        .domain = domain,
	        .group = group,
	        .allowed = allowed,
	        .priority = priority,
	        .own_priority = priority,
	};
}

static void add_host(const struct scenario *scenario, struct world *world, uint32_t group)
{
	for (uint32_t cpu = 0; cpu < world->n_cpus; cpu++) {
		for (uint32_t i = 0; i < scenario->spinners_per_cpu; i++)
			add(world, &spinner, -1, -1, group++, UINT64_C(1) << cpu, 0);
		if (scenario->foreign_rt)
			add(world, &foreign, -1, -1, group++, UINT64_C(1) << cpu, FOREIGN_PRIORITY);
	}
}

unsigned int scenario_populate(const struct scenario *scenario, struct world *world, uint32_t vcpus)
{
	uint64_t all = (UINT64_C(1) << world->n_cpus) - 1;
	uint32_t n_vcpus = 0, domain = 0;

	for (size_t c = 0; c < SCENARIO_CASTS_MAX && scenario->casts[c].behaviour; c++) {
		const struct cast *cast = &scenario->casts[c];

		for (uint32_t d = 0; d < cast->domains; d++, domain++) {
			for (uint32_t v = 0; v < cast->vcpus; v++) {
				uint64_t one = UINT64_C(1) << (n_vcpus % world->n_cpus);

				if (vcpus && n_vcpus >= vcpus)
					break;
				add(world, cast->behaviour, (int)n_vcpus++, (int)domain, domain,
				    cast->pinned ? one : all, cast->priority);
			}
		}
	}
	add_host(scenario, world, domain);
	return n_vcpus;
}
