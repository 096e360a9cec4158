// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/learning.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/evaluation.h"
#include "util/clock.h"
#include "util/log.h"

#define FIRST_NS (10 * NSEC_PER_SEC)
#define BUSY_NS  (60 * NSEC_PER_SEC)
#define IDLE_NS  (480 * NSEC_PER_SEC)

/* Several looks that are due about now need one wake-up, and may come with another one. */
#define ACCURACY_US 5000000

/* An evaluation takes some 100 us: so many vCPUs at once, then others have their turn. */
#define TURN_VCPUS 64
#define PAUSE_NS   (50 * NSEC_PER_MSEC)

struct schedule {
	uint64_t serial; /* of the domain; 0: none */
	uint64_t due_ns, wait_ns;
	uint64_t wakeups; /* of all its vCPUs, at the last look */
};

struct learning {
	sd_event *event;
	sd_event_source *timer;
	struct learned_domains *learned;
	const struct views *views;
	struct pass *pass;
	struct schedule of[PVS_DOMAINS_MAX];
};

int learning_new(struct learning **ret, sd_event *event, struct learned_domains *learned,
                 const struct views *views, struct pass *pass)
{
	struct learning *learning = calloc(1, sizeof(*learning));

	if (!learning)
		return -ENOMEM;
	learning->event = event;
	learning->learned = learned;
	learning->views = views;
	learning->pass = pass;
	*ret = learning;
	return 0;
}

struct learning *learning_free(struct learning *learning)
{
	if (!learning)
		return NULL;
	sd_event_source_disable_unref(learning->timer);
	free(learning);
	return NULL;
}

/* ---- one domain ---- */

static bool learns(const struct learning *learning, const struct inventory_domain *d)
{
	return planning_domain(learning->views->planning, d)->learns;
}

/* A trial's windows are not its policy: what was learned stays, and nothing is learned meanwhile.
 */
static bool is_tried(const struct learning *learning, const struct inventory_domain *d)
{
	return planning_domain(learning->views->planning, d)->origin == PLAN_BY_TRIAL;
}

static uint64_t count_wakeups(const struct learning *learning, const struct inventory_domain *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			n += PVS_READ(learning->views->accounts->vcpus[d->vcpus[i].slot].wakeups);
	return n;
}

static void say(const struct inventory_domain *d, const struct learned *l)
{
	if (l->boosts)
		log_domain(LOG_INFO, d->seen->name,
		           "domain \"%s\": learned: boosted, burst %" PRIu64 " us, share %" PRIu32
		           " permille; these cover %" PRIu32 " permille of %" PRIu64 " wake-ups",
		           d->seen->name, l->burst_ns / NSEC_PER_USEC, l->share_permille,
		           l->covered_permille, l->wakeups);
	else
		log_domain(LOG_INFO, d->seen->name, "domain \"%s\": learned: observed. %s",
		           d->seen->name, recommend_verdict_text(l->verdict));
}

static void look(struct learning *learning, const struct inventory_domain *d, uint64_t now_ns)
{
	const struct recommend_limits limits = evaluation_limits(learning->views, d);
	struct learned *learned = learned_begin(learning->learned, d);
	struct recommend whole = RECOMMEND_NONE;

	for (size_t i = 0; i < d->n_vcpus; i++)
		recommend_join(&whole, &evaluation_of(learning->views, d, &d->vcpus[i])->recommend);
	if (!learn_look(learned, &whole, &limits, now_ns))
		return;
	say(d, learned);
	pass_changed(learning->pass);
}

/* Nothing can be learned anew of one that has hardly woken up: the looks become fewer. */
static void schedule_next(const struct learning *learning, const struct inventory_domain *d,
                          struct schedule *of, uint64_t now_ns)
{
	uint64_t wakeups = count_wakeups(learning, d);
	bool idle = wakeups >= of->wakeups && wakeups - of->wakeups < RECOMMEND_WAKEUPS_MIN;

	of->wait_ns = MIN(2 * of->wait_ns, idle ? IDLE_NS : BUSY_NS);
	of->due_ns = now_ns + of->wait_ns;
	of->wakeups = wakeups;
}

/* ---- all of them ---- */

uint64_t learning_look(struct learning *learning, uint64_t now_ns)
{
	uint64_t next_ns = NSEC_NEVER;
	size_t looked = 0;

	for (const struct inventory_domain *d = learning->views->inventory->domains; d;
	     d = d->next) {
		struct schedule *of = &learning->of[d->slot];

		if (of->serial != d->serial || d->seen->state != DOMAIN_RUNNING ||
		    is_tried(learning, d))
			continue;
		if (of->due_ns <= now_ns && looked >= TURN_VCPUS) {
			next_ns = MIN(next_ns, now_ns + PAUSE_NS);
			continue;
		}
		if (of->due_ns <= now_ns) {
			look(learning, d, now_ns);
			schedule_next(learning, d, of, now_ns);
			looked += d->n_vcpus;
		}
		next_ns = MIN(next_ns, of->due_ns);
	}
	return next_ns;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void settle(struct learning *learning, uint64_t next_ns)
{
	learning->timer = sd_event_source_disable_unref(learning->timer);
	if (next_ns == NSEC_NEVER || !learning->event)
		return;
	/* without a timer nothing is learned until the next pass, and nothing worse */
	(void)sd_event_add_time(learning->event, &learning->timer, CLOCK_MONOTONIC,
	                        next_ns / NSEC_PER_USEC + 1, ACCURACY_US, on_timer, learning);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct learning *learning = userdata;

	(void)source;
	(void)usec;
	settle(learning, learning_look(learning, clock_now_ns()));
	return 0;
}

/* It had slept, and this pass comes anyway. */
static void wake(const struct learning *learning, const struct inventory_domain *d,
                 struct schedule *of, uint64_t now_ns)
{
	uint64_t wakeups = count_wakeups(learning, d);

	if (of->wait_ns > BUSY_NS && wakeups - of->wakeups >= RECOMMEND_WAKEUPS_MIN)
		of->due_ns = MIN(of->due_ns, now_ns + FIRST_NS);
}

void learning_follow(struct learning *learning)
{
	uint64_t now_ns = clock_now_ns(), next_ns = NSEC_NEVER;

	if (!learning)
		return;
	for (const struct inventory_domain *d = learning->views->inventory->domains; d;
	     d = d->next) {
		struct schedule *of = &learning->of[d->slot];

		if (is_tried(learning, d))
			continue;
		if (!learns(learning, d)) {
			of->serial = 0;
			learned_forget(learning->learned, d);
			continue;
		}
		if (of->serial != d->serial)
			*of = (struct schedule){.serial = d->serial,
			                        .due_ns = now_ns + FIRST_NS,
			                        .wait_ns = FIRST_NS,
			                        .wakeups = count_wakeups(learning, d)};
		wake(learning, d, of, now_ns);
		if (d->seen->state == DOMAIN_RUNNING)
			next_ns = MIN(next_ns, of->due_ns);
	}
	settle(learning, MAX(next_ns, now_ns + PAUSE_NS));
}
