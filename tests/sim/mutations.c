/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mutations.h"

#include <stdio.h>
#include <string.h>

/* Some faults need a rare coincidence: one of so many histories must have it. */
#define MUTATION_SEEDS 20

/* What each fault must be caught at: that the checker can fail, and fails for the right cause. */
static const struct {
	enum mutation mutation;
	const char *name, *scenario, *cause;
} mutations[] = {
        {MUTATION_NEVER_CHARGE, "never charges", "rogue-240-5",
         "a vCPU was boosted beyond its cap"},
        {MUTATION_NO_VCPU, "no vCPU bucket", "rogue-490-10", "a vCPU was boosted beyond its cap"},
        {MUTATION_NO_DOMAIN, "no domain bucket", "good-domain-of-eight",
         "a domain was boosted beyond its cap"},
        {MUTATION_NO_CPU, "no CPU bucket", "good-eight-per-cpu",
         "a CPU ran real-time threads beyond its cap"},
        {MUTATION_NO_SHEET, "no sheet", "sheet",
         "a CPU was boosted on while its sheet was used up"},
        {MUTATION_NO_DEADLINE, "no deadline", "rogue-full-speed",
         "a vCPU was boosted beyond its cap"},
        {MUTATION_UNTOLD, "a refused deadline ends no boost", "rogue-full-speed",
         "a vCPU was boosted beyond its cap"},
        {MUTATION_LATE, "late booster", "varying", NULL},
        {MUTATION_STATIC_FREE, "a static RT vCPU is free", "static-rt",
         "a CPU ran real-time threads beyond its cap"},
        {MUTATION_YIELD_FILLS, "a yield fills the bucket", "requests-random",
         "a vCPU was boosted beyond its cap"},
        {MUTATION_YIELD_BLIND, "boosted after a yield without a look at the tokens",
         "requests-random-polled", "a vCPU was boosted beyond its cap"},
        {MUTATION_LAST_STRETCH, "one stretch of a run is charged", "requests-random-polled",
         "a vCPU was boosted beyond its cap"},
        {MUTATION_DEAF, "nobody hears what guests ask", "requests-honest",
         "asking saved no boosted time"},
        {MUTATION_NO_HELPER, "nobody looks at helpers", "helpers-one-cpu",
         "a thread waited too long behind the vCPUs that it works for"},
        {MUTATION_HELPER_AGAIN, "a helper's wait is reported at each look", "helpers-one-cpu",
         "one wait of a helper was reported twice"},
        {MUTATION_FOLLOW_FREE, "no domain pays for helpers that follow", "follow-full-domain",
         "a domain was boosted beyond its cap"},
        {MUTATION_FOLLOW_DEAF, "nobody says that a helper waits", "follow-rare",
         "helpers that follow waited as long as others"},
        {MUTATION_UNCHARGED, "no domain pays for the booster's time", "flood",
         "a domain took more of the booster's time than its part"},
        {MUTATION_MISCHARGED, "another domain pays", "flood",
         "a domain was not heard since another one floods the booster"},
        {MUTATION_NO_INTERRUPT, "nobody says that an interrupt waits", "interrupts",
         "what was heard made nothing faster"},
        {MUTATION_NO_SPIN, "nobody says that a guest spins", "spins",
         "a guest that spun stayed boosted"},
        {MUTATION_STAY, "nobody leaves a CPU whose bucket is empty", "good-clustered",
         "a vCPU within its budget was not boosted when it woke"},
        {MUTATION_HELPS_NOBODY, "helps nobody", "waits-for", "what was heard made nothing faster"},
        {MUTATION_PULSE_UNPAID, "pulse unpaid", "waits-for-capped",
         "a domain was boosted beyond its cap"},
        {MUTATION_NO_UNBOOST, "never unboosts", "good-alone",
         "a vCPU was still boosted after the end"},
};

void mutations_test(struct sim_options options, struct tally *tally)
{
	uint64_t seed = options.seed;

	options.lasts_ns = 500 * NSEC_PER_MSEC;
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		const struct scenario *scenario = scenario_find(mutations[i].scenario);
		struct sim_result r;
		bool ok;

		options.mutation = mutations[i].mutation;
		options.refused_permille = options.mutation == MUTATION_UNTOLD ? 50 : 0;
		options.seed = seed;
		do {
			sim_run(scenario, &options, &r);
			sim_judge_asking(scenario, &r);
		} while (!r.failed && ++options.seed < seed + MUTATION_SEEDS);
		ok = r.failed && (!mutations[i].cause || strcmp(r.failed, mutations[i].cause) == 0);
		tally_count(tally, ok);
		printf("%s fault \"%s\" in %s is found: %s\n", ok ? "ok" : "not ok",
		       mutations[i].name, mutations[i].scenario, r.failed ? r.failed : "no");
	}
}
