/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scenario.h"

#include <string.h>

#include "policy/profile.h"

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

/* Each time it empties its bucket, and needs the booster to be boosted again. */
static const struct behaviour bursts = {
        "700us/40ms",
        {{.run_ns = 700 * US, .sleep_ns = 40 * MS, .vary_permille = 100, .periodic = true}}};
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
/* Ordinary work that empties a bucket, and urgent work beside it. */
static const struct behaviour honest_timer = {
        "honest, 1ms/4ms and 60us/2ms urgent",
        {{.run_ns = MS, .sleep_ns = 4 * MS, .vary_permille = 800}},
        .requests = REQUESTS_HONEST,
        .urgent_every_ns = 2 * MS,
        .urgent_run_ns = 60 * US};
/* Within the budget, asked or not. */
static const struct behaviour honest_light = {
        "honest, 300us/4ms and 50us/2ms urgent",
        {{.run_ns = 300 * US, .sleep_ns = 4 * MS, .vary_permille = 500}},
        .requests = REQUESTS_HONEST,
        .urgent_every_ns = 2 * MS,
        .urgent_run_ns = 50 * US};
static const struct behaviour honest_busy = {
        "honest, 8ms/1ms and 100us/5ms urgent",
        {{.run_ns = 8 * MS, .sleep_ns = MS, .vary_permille = 900}},
        .requests = REQUESTS_HONEST,
        .urgent_every_ns = 5 * MS,
        .urgent_run_ns = 100 * US};
static const struct behaviour honest_hog = {"honest, without end and 100us/5ms urgent",
                                            {{.run_ns = NSEC_NEVER}},
                                            .requests = REQUESTS_HONEST,
                                            .urgent_every_ns = 5 * MS,
                                            .urgent_run_ns = 100 * US};
/* What a stock guest does whose scheduler says what runs: a real-time task, and ordinary timers. */
#define HINTS(name_, mode, run_us, sleep_us)                                                       \
	static const struct behaviour name_ = {                                                    \
	        #name_ ", " #run_us "us/" #sleep_us "us and 40us/1ms urgent",                      \
	        {{.run_ns = (run_us)*US, .sleep_ns = (sleep_us)*US, .vary_permille = 300}},        \
	        .requests = mode,                                                                  \
	        .urgent_every_ns = MS,                                                             \
	        .urgent_run_ns = 40 * US}
HINTS(agent, REQUESTS_AGENT, 300, 2500);
HINTS(silent_agent, REQUESTS_SILENT_AGENT, 300, 2500);
HINTS(busy_agent, REQUESTS_SILENT_AGENT, 450, 3000);
/* What a guest can do and say to be boosted for longer than it may. */
#define HOSTILE(name_, mode, ...)                                                                  \
	static const struct behaviour name_ = {#name_, {__VA_ARGS__}, .requests = mode}
#define AS_240                                                                                     \
	CALM,                                                                                      \
	{                                                                                          \
		.lasts_ns = 45 * MS, .run_ns = 240 * US, .sleep_ns = 5 * US                        \
	}
#define AS_5                                                                                       \
	CALM,                                                                                      \
	{                                                                                          \
		.lasts_ns = 45 * MS, .run_ns = 5 * US, .sleep_ns = 20 * US                         \
	}
#define AS_FULL                                                                                    \
	{                                                                                          \
		.lasts_ns = 20 * MS, .run_ns = NSEC_NEVER, .sleep_ns = 50 * US                     \
	}
#define AS_VARIO                                                                                   \
	{.lasts_ns = 40 * MS, .run_ns = 60 * US, .sleep_ns = 900 * US, .vary_permille = 900},      \
	        {.lasts_ns = 30 * MS,                                                              \
	         .run_ns = 300 * US,                                                               \
	         .sleep_ns = 100 * US,                                                             \
	         .vary_permille = 900},                                                            \
	{                                                                                          \
		.lasts_ns = 10 * MS, .run_ns = NSEC_NEVER, .sleep_ns = 3 * MS                      \
	}
HOSTILE(liar_240, REQUESTS_LIAR, AS_240);
HOSTILE(liar_5, REQUESTS_LIAR, AS_5);
HOSTILE(liar_full, REQUESTS_LIAR, AS_FULL);
HOSTILE(liar_vario, REQUESTS_LIAR, AS_VARIO);
HOSTILE(toggler_240, REQUESTS_TOGGLER, AS_240);
HOSTILE(toggler_full, REQUESTS_TOGGLER, AS_FULL);
HOSTILE(toggler_vario, REQUESTS_TOGGLER, AS_VARIO);
HOSTILE(shirker_240, REQUESTS_SHIRKER, AS_240);
HOSTILE(shirker_full, REQUESTS_SHIRKER, AS_FULL);
HOSTILE(shirker_vario, REQUESTS_SHIRKER, AS_VARIO);
HOSTILE(random_240, REQUESTS_RANDOM, AS_240);
HOSTILE(random_full, REQUESTS_RANDOM, AS_FULL);
HOSTILE(random_vario, REQUESTS_RANDOM, AS_VARIO);
/* An iothread, and a busy one. */
static const struct behaviour iothread = {
        "iothread", {{.run_ns = 30 * US, .sleep_ns = 200 * US, .vary_permille = 800}}};
static const struct behaviour busy_iothread = {
        "busy iothread", {{.run_ns = 2 * MS, .sleep_ns = 500 * US, .vary_permille = 900}}};
/* Too rare to be armed ahead. */
static const struct behaviour rare_iothread = {
        "rare iothread", {{.run_ns = 60 * US, .sleep_ns = 30 * MS, .vary_permille = 300}}};
/* Interrupted, and busy with what need not be soon. */
static const struct behaviour interrupted_busy = {
        "8ms/1ms and 40us for an interrupt each 3ms",
        {{.run_ns = 8 * MS, .sleep_ns = MS, .vary_permille = 900}},
        .interrupt_every_ns = 3 * MS,
        .interrupt_run_ns = 40 * US};
static const struct behaviour interrupted_good = {
        "100us/1ms and 20us for an interrupt each 2ms",
        {{.run_ns = 100 * US, .sleep_ns = MS, .vary_permille = 100, .periodic = true}},
        .interrupt_every_ns = 2 * MS,
        .interrupt_run_ns = 20 * US};
/* Busy at times, and then as the good one, which is what the tokens are for. */
static const struct behaviour interrupted_vario = {
        "varying, interrupted each 300us",
        {{.lasts_ns = 30 * MS, .run_ns = 6 * MS, .sleep_ns = MS, .vary_permille = 900},
         {.lasts_ns = 40 * MS, .run_ns = 100 * US, .sleep_ns = MS, .vary_permille = 200},
         {.lasts_ns = 20 * MS, .run_ns = 8 * US, .sleep_ns = 30 * US, .vary_permille = 500}},
        .interrupt_every_ns = 300 * US,
        .interrupt_run_ns = 10 * US};
/* What a sender that means ill can do: as many as it likes. */
static const struct behaviour storm_240 = {
        "240/5, an interrupt each 10us",
        {CALM, {.lasts_ns = 45 * MS, .run_ns = 240 * US, .sleep_ns = 5 * US}},
        .interrupt_every_ns = 10 * US,
        .interrupt_run_ns = 1 * US};
static const struct behaviour storm_full = {
        "full speed, an interrupt each 10us",
        {{.lasts_ns = 20 * MS, .run_ns = NSEC_NEVER, .sleep_ns = 50 * US}},
        .interrupt_every_ns = 10 * US,
        .interrupt_run_ns = 1 * US};
/* It waits for a lock, by spinning; at times, a little or for ever. */
static const struct behaviour spins = {
        "300us/700us, spinning",
        {{.run_ns = 300 * US, .sleep_ns = 700 * US, .vary_permille = 300}},
        .spin_every_ns = 20 * US};
static const struct behaviour spins_long = {
        "spinning, interrupted each 500us",
        {CALM, {.lasts_ns = 30 * MS, .run_ns = 4 * MS, .sleep_ns = 100 * US, .vary_permille = 800}},
        .interrupt_every_ns = 500 * US,
        .interrupt_run_ns = 10 * US,
        .spin_every_ns = 5 * US};
/* Busy, and it waits for others of its guest: for one to serve an interrupt, or to leave a section.
 */
static const struct behaviour awaits = {
        "waits for another each ms", {{.run_ns = NSEC_NEVER}}, .waits_every_ns = MS};
static const struct behaviour sections = {"critical sections, awaited each ms",
                                          {{.run_ns = NSEC_NEVER}},
                                          .requests = REQUESTS_CRITICAL,
                                          .waits_every_ns = MS,
                                          .critical_permille = 400};
/* One after the other: they never meet. The host is busy when the first one begins. */
#define IN_TURN(name_, after_us)                                                                   \
	static const struct behaviour name_ = {                                                    \
	        #name_,                                                                            \
	        {{.run_ns = 100 * US, .sleep_ns = MS, .periodic = true}},                          \
	        .starts_ns = US,                                                                   \
	        .after_ns = (after_us)*US}
IN_TURN(first_turn, 2000);
IN_TURN(second_turn, 2250);
IN_TURN(third_turn, 2500);
IN_TURN(fourth_turn, 2750);
static const struct behaviour rare = {
        "10us/40ms", {{.run_ns = 10 * US, .sleep_ns = 40 * MS, .vary_permille = 500}}};
static const struct behaviour spinner = {"spinner", {{.run_ns = NSEC_NEVER}}, 0};
static const struct behaviour foreign = {
        "foreign RT", {{.run_ns = MS, .sleep_ns = 10 * MS, .vary_permille = 300}}, 0};
/* More than a sheet by itself. */
static const struct behaviour foreign_hog = {
        "foreign RT hog", {{.run_ns = 4 * MS, .sleep_ns = MS, .vary_permille = 300}}, 0};
/* For a while more than the sheet leaves for boosts; then nothing. */
static const struct behaviour foreign_waves = {
        "foreign RT in waves",
        {{.lasts_ns = 700 * MS, .run_ns = 3 * MS, .sleep_ns = 2 * MS, .vary_permille = 300},
         {.lasts_ns = 900 * MS, .run_ns = 100 * US, .sleep_ns = 50 * MS, .vary_permille = 300}},
        0};

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
	/* every second vCPU begins on the first CPU, and nothing ever takes it away from there */
	{"good-clustered", .n_cpus = 2, .spinners_per_cpu = 3, .served_permille = 990,
	 .casts = {{&first_turn, 1, 1, false}, {&rare, 1, 1, false}, {&second_turn, 1, 1, false},
		   {&rare, 1, 1, false}, {&third_turn, 1, 1, false}, {&rare, 1, 1, false},
		   {&fourth_turn, 1, 1, false}}},
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
	{"foreign-rt", .n_cpus = 2, .spinners_per_cpu = 1, .foreign = &foreign,
	 .casts = {{&rogue_240, 2, 1, false}, {&rogue_490, 2, 1, false}, {&good, 1, 1, false}}},
	/* the buckets of vCPUs, domains and CPUs alone would allow more than the sheet */
	{"sheet", .n_cpus = 1, .spinners_per_cpu = 1, .foreign = &foreign, .cpu_share_permille = 950,
	 .lasts_ns = 3 * NSEC_PER_SEC, .casts = {{&good, 8, 1, true}}},
	{"sheet-two-cpus", .n_cpus = 2, .spinners_per_cpu = 1, .foreign = &foreign_waves,
	 .cpu_share_permille = 950, .lasts_ns = 3 * NSEC_PER_SEC,
	 .casts = {{&good, 12, 1, false}, {&rogue_240, 2, 1, false}, {&liar_vario, 1, 2, false},
		   {&interrupted_good, 2, 1, true}}},
	{"sheet-foreign-hog", .n_cpus = 1, .spinners_per_cpu = 1, .foreign = &foreign_hog,
	 .cpu_share_permille = 950, .lasts_ns = 3 * NSEC_PER_SEC, .casts = {{&good, 8, 1, true}}},
	{"static-rt", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&good, 16, 1, true}, {&good, 2, 1, true, 5}}},
	{"helpers", .n_cpus = 2, .spinners_per_cpu = 3,
	 .casts = {{&good, 4, 1, true, 0, &iothread}, {&vario, 2, 2, true, 0, &iothread}}},
	{"helpers-one-cpu", .n_cpus = 1, .spinners_per_cpu = 3,
	 .casts = {{&vario, 1, 4, true, 0, &iothread}, {&good, 1, 3, true, 0, &busy_iothread}}},
	{"helpers-moved", .n_cpus = 4, .spinners_per_cpu = 2,
	 .casts = {{&vario, 1, 6, false, 0, &iothread}, {&rogue_240, 1, 4, false, 0, &busy_iothread},
		   {&locks, 2, 2, false, 0, &iothread}}},
	{"follow", .n_cpus = 2, .spinners_per_cpu = 3, .follows = FOLLOWS_SOONER,
	 .casts = {{&good, 2, 1, true, 0, &iothread}, {&vario, 1, 2, true, 0, &iothread}}},
	{"follow-rare", .n_cpus = 2, .spinners_per_cpu = 3, .follows = FOLLOWS_SOONER,
	 .casts = {{&good, 2, 1, true, 0, &rare_iothread}}},
	{"follow-rogue", .n_cpus = 1, .spinners_per_cpu = 2, .follows = FOLLOWS,
	 .casts = {{&good, 1, 2, true, 0, &full_speed}, {&vario, 1, 1, true, 0, &rogue_5}}},
	{"follow-full-domain", .n_cpus = 4, .spinners_per_cpu = 1, .follows = FOLLOWS,
	 .casts = {{&vario, 1, 6, false, 0, &busy_iothread}, {&rogue_240, 1, 4, false, 0, &iothread}}},
	{"follow-pauses", .n_cpus = 2, .spinners_per_cpu = 2, .holds = true, .follows = FOLLOWS,
	 .casts = {{&good, 2, 1, false, 0, &iothread}, {&rogue_490, 1, 2, false, 0, &iothread}}},
	/* what is within its part keeps its boosts beside guests that flip requests and halt */
	{"flood", .n_cpus = 4, .spinners_per_cpu = 1, .is_flooded = true, .served_permille = 990,
	 .casts = {{&bursts, 1, 1, false}, {&toggler_240, 1, 8, false}, {&rogue_5, 1, 8, false},
		   {&random_vario, 1, 8, false}}},
	{"pauses", .n_cpus = 2, .spinners_per_cpu = 2, .holds = true,
	 .casts = {{&good, 1, 2, false}, {&vario, 2, 1, false}, {&rogue_5, 1, 1, false}}},
	{"requests-honest", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_TIME,
	 .casts = {{&honest_light, 1, 1, false}}},
	{"requests-honest-one-cpu", .n_cpus = 1, .spinners_per_cpu = 2, .gain = GAIN_TIME,
	 .casts = {{&honest_light, 1, 1, false}, {&locks, 1, 1, false}}},
	/* eight vCPUs that ask 500 times a second each: far more than the booster's time as shipped */
	{"requests-honest-many", .n_cpus = 4, .spinners_per_cpu = 1, .gain = GAIN_TIME, .booster_permille = 200,
	 .casts = {{&honest_light, 2, 4, false}, {&vario, 1, 4, false}, {&good, 2, 1, false}}},
	{"requests-honest-polled", .n_cpus = 2, .spinners_per_cpu = 2, .polls = true, .gain = GAIN_SAME,
	 .casts = {{&honest_light, 1, 2, false}, {&good, 1, 1, false}}},
	{"requests-honest-timer", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_DELAY,
	 .casts = {{&honest_timer, 1, 1, false}}},
	{"requests-honest-timer-one-cpu", .n_cpus = 1, .spinners_per_cpu = 2, .gain = GAIN_DELAY,
	 .casts = {{&honest_timer, 1, 1, false}, {&vario, 1, 1, false}}},
	{"requests-honest-busy", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_DELAY,
	 .casts = {{&honest_busy, 2, 1, false}, {&locks, 1, 1, false}}},
	{"requests-honest-hog", .n_cpus = 1, .spinners_per_cpu = 2, .served_permille = -1,
	 .gain = GAIN_SAME, .casts = {{&honest_hog, 1, 1, false}}},
	/* a stock guest with an agent: its scheduler says what runs, and when its timer is due, or not */
	{"hints", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_HINTS,
	 .casts = {{&agent, 1, 1, false}}},
	{"hints-silent", .n_cpus = 1, .spinners_per_cpu = 2, .gain = GAIN_HINTS,
	 .casts = {{&silent_agent, 1, 1, false}}},
	/* where its fair entitlement is less than its share: without hints its tokens end too soon */
	{"hints-crowded", .n_cpus = 1, .spinners_per_cpu = 6, .gain = GAIN_DELAY,
	 .casts = {{&busy_agent, 1, 1, false}}},
	/* what runs boosted is charged, whatever the guest says of it */
	{"requests-shirker", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&shirker_240, 1, 1, false}, {&shirker_full, 1, 1, false},
		   {&shirker_vario, 1, 2, false}}},
	{"requests-shirker-one-cpu", .n_cpus = 1, .spinners_per_cpu = 1,
	 .casts = {{&shirker_240, 1, 1, false}, {&shirker_vario, 1, 1, false}, {&good, 1, 1, false}}},
	{"requests-liar", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&liar_240, 1, 1, false}, {&liar_full, 1, 1, false}, {&vario, 1, 1, false}}},
	{"requests-liar-one-cpu", .n_cpus = 1, .spinners_per_cpu = 2,
	 .casts = {{&liar_240, 1, 1, false}, {&liar_5, 1, 1, false}, {&good, 1, 1, false}}},
	{"requests-liar-domain", .n_cpus = 4, .spinners_per_cpu = 1,
	 .casts = {{&liar_vario, 1, 8, false}, {&liar_full, 1, 4, false}}},
	{"requests-toggler", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&toggler_240, 1, 1, false}, {&toggler_full, 1, 1, false},
		   {&toggler_vario, 1, 2, false}}},
	{"requests-toggler-one-cpu", .n_cpus = 1, .spinners_per_cpu = 1,
	 .casts = {{&toggler_vario, 1, 1, false}, {&toggler_full, 1, 1, false}}},
	{"requests-random", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&random_240, 1, 1, false}, {&random_full, 1, 1, false},
		   {&random_vario, 1, 2, false}}},
	{"requests-random-one-cpu", .n_cpus = 1, .spinners_per_cpu = 1,
	 .casts = {{&random_full, 1, 1, false}, {&random_vario, 1, 1, false}}},
	{"requests-random-polled", .n_cpus = 2, .spinners_per_cpu = 1, .polls = true,
	 .casts = {{&random_240, 2, 1, false}, {&random_full, 1, 2, false},
		   {&toggler_vario, 2, 1, false}}},
	{"requests-mixed", .n_cpus = 4, .spinners_per_cpu = 1, .holds = true,
	 .casts = {{&honest_timer, 1, 4, false}, {&liar_vario, 1, 4, false},
		   {&toggler_vario, 1, 4, false}, {&random_vario, 1, 4, false},
		   {&vario, 1, 4, false}, {&rogue_240, 2, 1, true}, {&good, 1, 2, false},
		   {&honest_hog, 1, 1, false}}},
	{"interrupts", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_DELAY,
	 .casts = {{&interrupted_busy, 2, 1, false}}},
	{"interrupts-one-cpu", .n_cpus = 1, .spinners_per_cpu = 2, .gain = GAIN_SAME,
	 .casts = {{&interrupted_busy, 1, 1, false}, {&vario, 1, 1, false}}},
	{"interrupts-good", .n_cpus = 2, .spinners_per_cpu = 3, .served_permille = 990, .gain = GAIN_SAME,
	 .casts = {{&interrupted_good, 2, 1, false}}},
	{"interrupts-varying", .n_cpus = 2, .spinners_per_cpu = 2, .gain = GAIN_SAME,
	 .casts = {{&interrupted_vario, 2, 1, false}, {&locks, 1, 1, false}}},
	{"interrupts-storm", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&storm_240, 2, 1, false}, {&storm_full, 2, 1, false}, {&good, 1, 1, false}}},
	{"interrupts-storm-domain", .n_cpus = 4, .spinners_per_cpu = 1, .holds = true,
	 .casts = {{&storm_full, 1, 8, false}, {&storm_240, 1, 4, false}}},
	{"spins", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&spins, 2, 1, false}}},
	{"waits-for", .served_permille = -1, .n_cpus = 2, .spinners_per_cpu = 1, .help = PROFILE_HELP_IPI, .gain = GAIN_DELAY,
	 .casts = {{&awaits, 2, 4, false}}},
	{"waits-for-guessed", .served_permille = -1, .n_cpus = 2, .spinners_per_cpu = 2, .help = PROFILE_HELP_RELAXED,
	 .gain = GAIN_SAME, .casts = {{&awaits, 1, 2, false}, {&good, 1, 1, false}}},
	{"waits-for-and-holds", .served_permille = -1, .n_cpus = 2, .spinners_per_cpu = 1, .help = PROFILE_HELP_ALL,
	 .gain = GAIN_SAME, .casts = {{&awaits, 2, 4, false}, {&vario, 1, 2, false}}},
	/* with caps that the pulses of 16 vCPUs reach */
	{"waits-for-capped", .served_permille = -1, .n_cpus = 4, .spinners_per_cpu = 1, .help = PROFILE_HELP_ALL,
	 .domain_share_permille = 20, .casts = {{&awaits, 1, 16, false}}},
	{"critical-sections", .served_permille = -1, .n_cpus = 2, .spinners_per_cpu = 1, .help = PROFILE_HELP_IPI,
	 .gain = GAIN_DELAY, .casts = {{&sections, 1, 6, false}}},
	{"spins-interrupted", .n_cpus = 2, .spinners_per_cpu = 1,
	 .casts = {{&spins_long, 2, 2, false}, {&good, 1, 1, false}, {&liar_vario, 1, 1, false}}},
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
                uint32_t group, int only_cpu, int priority)
{
	struct thread thread = {
	        .behaviour = behaviour,
	        .vcpu = vcpu,
	        .domain = domain,
	        .group = group,
	        .only_cpu = only_cpu,
	        .priority = priority,
	        .own_priority = priority,
	};

	world_add(world, &thread);
}

/* In a group of its own, where libvirt puts it. One that follows has a slot, as vCPUs have. */
static uint32_t add_helpers(const struct scenario *scenario, struct world *world, uint32_t group)
{
	uint32_t vcpu = 0, domain = 0;

	for (size_t c = 0; c < SCENARIO_CASTS_MAX && scenario->casts[c].behaviour; c++) {
		const struct cast *cast = &scenario->casts[c];

		for (uint32_t d = 0; d < cast->domains; d++, domain++, vcpu += cast->vcpus)
			if (cast->helper) {
				int slot = scenario->follows ? (int)world->n_threads : -1;

				add(world, cast->helper, slot, (int)domain, group++,
				    cast->pinned ? (int)(vcpu % world->n_cpus) : -1, 0);
				world->threads[world->n_threads - 1].follows = scenario->follows;
			}
	}
	return group;
}

static void add_host(const struct scenario *scenario, struct world *world, uint32_t group)
{
	for (uint32_t cpu = 0; cpu < world->n_cpus; cpu++) {
		for (uint32_t i = 0; i < scenario->spinners_per_cpu; i++)
			add(world, &spinner, -1, -1, group++, (int)cpu, 0);
		if (scenario->foreign)
			add(world, scenario->foreign, -1, -1, group++, (int)cpu, FOREIGN_PRIORITY);
	}
}

unsigned int scenario_populate(const struct scenario *scenario, struct world *world, uint32_t vcpus)
{
	uint32_t n_vcpus = 0, domain = 0;

	for (size_t c = 0; c < SCENARIO_CASTS_MAX && scenario->casts[c].behaviour; c++) {
		const struct cast *cast = &scenario->casts[c];

		for (uint32_t d = 0; d < cast->domains; d++, domain++) {
			for (uint32_t v = 0; v < cast->vcpus; v++) {
				int cpu = (int)(n_vcpus % world->n_cpus);

				if (vcpus && n_vcpus >= vcpus)
					break;
				add(world, cast->behaviour, (int)n_vcpus++, (int)domain, domain,
				    cast->pinned ? cpu : -1, cast->priority);
			}
		}
	}
	domain = add_helpers(scenario, world, domain);
	n_vcpus = scenario->follows ? world->n_threads : n_vcpus;
	add_host(scenario, world, domain);
	return n_vcpus;
}
