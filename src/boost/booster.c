// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster's life, and each call: a do_*() that runs on the booster thread, and its wrapper. */
#include "boost/booster.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "boost/booster_private.h"
#include "boost/booster_thread.h"
#include "boost/helping.h"
#include "boost/step.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/thread.h"

/* Most turns take less than that: at first they are waited for without sleeping. */
#define READ_SPINS_NS   (20 * NSEC_PER_USEC)
#define READ_PAUSES_MAX 20
#define READ_PAUSE_US   50

/* ---- the call ---- */

static int booster_call(struct booster *booster, call_fn *fn, void *arg)
{
	int r = calls_run(&booster->calls, fn, arg);

	if (r != -ETIMEDOUT)
		return r;
	log_error("the booster thread does not answer: aborting, so that the guardian gives "
	          "everything back");
	abort();
}

static int do_nothing(struct booster *b, void *arg)
{
	(void)b;
	(void)arg;
	return 0;
}

int booster_ping(struct booster *booster)
{
	return booster_call(booster, do_nothing, NULL);
}

/* ---- its life ---- */

static struct booster *booster_free(struct booster *b)
{
	if (!b)
		return NULL;
	calls_close(&b->calls);
	notes_close(&b->notes);
	wait_close(b->wait);
	actuator_free(b->actuator);
	policy_free(b->policy);
	attention_free(b->attention);
	pages_free(b->pages);
	free(b);
	return NULL;
}

static struct booster *booster_new(const struct booster_options *options)
{
	struct booster *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->calls = CALLS_NULL;
	b->notes.fd = -1;
	b->accounts = options->accounts;
	b->ledger = options->ledger;
	b->source = options->source;
	b->priority = options->boost.priority + 1;
	b->wait_wanted = options->wait;
	b->holds = options->holds;
	boosted_lists_init(&b->of_domain);
	b->guardian_acts = ledger_guardian_acts(options->ledger);
	b->push.accounts = options->accounts;
	b->push.affinity = &b->affinity;
	b->policy = policy_new(PVS_VCPUS_MAX, &options->caps);
	b->attention = attention_new(PVS_DOMAINS_MAX, options->caps.booster_permille);
	b->actuator =
	        actuator_new(options->ledger, options->accounts, PVS_VCPUS_MAX, &options->boost);
	b->board = options->board;
	b->pages = pages_new(PVS_VCPUS_MAX, options->accounts, options->board);
	if (!b->policy || !b->attention || !b->actuator || !b->pages)
		return booster_free(b);
	policy_hold_all(b->policy, options->holds);
	return b;
}

static int booster_open(struct booster *b)
{
	int fds[] = {
	        [BOOSTER_WAITS_FOR_CALL] = -1,
	        [BOOSTER_WAITS_FOR_PAGES] = board_news_fd(b->board),
	        [BOOSTER_WAITS_FOR_EVENTS] = b->source.fd,
	};
	int r = calls_init(&b->calls);

	if (r == 0)
		r = notes_init(&b->notes);
	if (r < 0)
		return r;
	fds[BOOSTER_WAITS_FOR_CALL] = b->calls.request_fd;
	return wait_open(&b->wait, fds, b->source.drain ? 3 : 2);
}

int booster_start(struct booster **ret, const struct booster_options *options)
{
	struct booster *b = booster_new(options);
	int r;

	if (!b)
		return -ENOMEM;
	r = booster_open(b);
	if (r == 0)
		r = thread_begin(&b->thread, BOOSTER_STACK_BYTES, booster_main, b);
	if (r < 0) {
		booster_free(b);
		return r;
	}
	*ret = b;
	r = booster_ping(b); /* start_result is set before the first answer */
	if (r < 0)
		return r;
	return b->start_result < 0 ? BOOSTER_NOT_REALTIME : 0;
}

/* Of the domains that have such a vCPU, each has a part of the booster's time. */
static void count_boosts(struct booster *b, unsigned int slot, bool boosts)
{
	struct booster_slot *s = &b->slots[slot];

	if (s->boosts != boosts)
		attention_count(b->attention, s->domain, boosts ? 1 : -1, clock_now_ns());
	s->boosts = boosts;
}

/* Returns 0; -EBUSY: the boost cannot be ended; the slot stays in use, and its record stays. */
static int slot_remove(struct booster *b, unsigned int slot)
{
	if (actuator_is_boosted(b->actuator, slot))
		step_unboost(b, slot);
	account_report_halt(b->accounts, slot, false);
	account_report(b->accounts, slot, &(struct policy_view){0});
	pages_set(b->pages, slot, &GUEST_PAGE_NULL, false, clock_now_ns());
	pages_set_avoid(b->pages, slot, false, &(struct policy_view){0}, clock_now_ns());
	policy_remove(b->policy, slot);
	count_boosts(b, slot, false);
	if (actuator_is_boosted(b->actuator, slot))
		return -EBUSY;
	helping_leave(b, slot);
	b->slots[slot] = (struct booster_slot){0};
	return 0;
}

static int do_stop(struct booster *b, void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++)
		if (b->slots[i].used)
			slot_remove(b, i);
	b->ends = true;
	return 0;
}

struct booster *booster_stop(struct booster *booster)
{
	if (!booster)
		return NULL;
	booster_call(booster, do_stop, NULL);
	pthread_join(booster->thread, NULL);
	return booster_free(booster);
}

/* ---- notes ---- */

int booster_notes_fd(const struct booster *booster)
{
	return booster->notes.fd;
}

bool booster_next_note(struct booster *booster, struct booster_note *ret)
{
	return notes_take(&booster->notes, ret);
}

/* ---- slots ---- */

struct terms_args {
	unsigned int slot;
	const struct account_terms *terms;
	uint32_t holds; /* of a new slot */
};

static int do_add(struct booster *b, void *arg)
{
	const struct terms_args *add = arg;

	account_reset(b->accounts, add->slot);
	account_set_terms(b->accounts, add->slot, add->terms);
	b->slots[add->slot] = (struct booster_slot){.used = true, .domain = add->terms->domain};
	helping_join(b, add->slot);
	count_boosts(b, add->slot, add->terms->profile.mode == PROFILE_BOOST);
	policy_add(b->policy, add->slot, &add->terms->profile, add->holds, clock_now_ns());
	step_vcpu(b, add->slot, POLICY_EVENT_LOOK);
	return 0;
}

int booster_add(struct booster *booster, unsigned int slot, const struct thread_id *thread,
                const struct account_terms *terms, uint32_t holds)
{
	struct terms_args add = {slot, terms, holds};
	int r = actuator_open(booster->actuator, slot, thread);

	return r != 0 ? r : booster_call(booster, do_add, &add);
}

static int do_remove(struct booster *b, void *arg)
{
	return slot_remove(b, *(const unsigned int *)arg);
}

int booster_remove(struct booster *booster, unsigned int slot)
{
	int r = booster_call(booster, do_remove, &slot);

	if (r == 0)
		actuator_close(booster->actuator, slot);
	return r;
}

static int do_set_terms(struct booster *b, void *arg)
{
	const struct terms_args *set = arg;

	account_set_terms(b->accounts, set->slot, set->terms);
	policy_set_profile(b->policy, set->slot, &set->terms->profile);
	if (b->slots[set->slot].domain != set->terms->domain)
		count_boosts(b, set->slot, false);
	helping_leave(b, set->slot);
	b->slots[set->slot].domain = set->terms->domain;
	helping_join(b, set->slot);
	actuator_domain_changed(b->actuator, set->slot);
	count_boosts(b, set->slot, set->terms->profile.mode == PROFILE_BOOST);
	step_vcpu(b, set->slot, POLICY_EVENT_LOOK);
	return 0;
}

int booster_set_terms(struct booster *booster, unsigned int slot, const struct account_terms *terms)
{
	return booster_call(booster, do_set_terms, &(struct terms_args){slot, terms, 0});
}

struct hold_args {
	unsigned int slot;
	uint32_t set, clear;
};

static int do_hold(struct booster *b, void *arg)
{
	const struct hold_args *hold = arg;

	policy_hold(b->policy, hold->slot, hold->set, hold->clear);
	step_vcpu(b, hold->slot, POLICY_EVENT_LOOK);
	return 0;
}

int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear)
{
	return booster_call(booster, do_hold, &(struct hold_args){slot, set, clear});
}

static int do_note_denied(struct booster *b, void *arg)
{
	(void)arg;
	b->notes_denied = true;
	return 0;
}

int booster_note_denied(struct booster *booster)
{
	return booster_call(booster, do_note_denied, NULL);
}

static int do_hold_all(struct booster *b, void *arg)
{
	b->holds = *(const uint32_t *)arg;
	policy_hold_all(b->policy, b->holds);
	step_all(b, POLICY_EVENT_LOOK);
	return 0;
}

int booster_hold_all(struct booster *booster, uint32_t holds)
{
	return booster_call(booster, do_hold_all, &holds);
}

static int do_rescan(struct booster *b, void *arg)
{
	step_vcpu(b, *(const unsigned int *)arg, POLICY_EVENT_RESCAN);
	return 0;
}

int booster_rescan(struct booster *booster, unsigned int slot)
{
	return booster_call(booster, do_rescan, &slot);
}

struct set_page_args {
	unsigned int slot;
	const struct guest_page *page;
	bool poll, avoid;
};

static int do_set_page(struct booster *b, void *arg)
{
	const struct set_page_args *set = arg;

	pages_set(b->pages, set->slot, set->page, set->poll, clock_now_ns());
	step_vcpu(b, set->slot, POLICY_EVENT_LOOK);
	return 0;
}

int booster_set_page(struct booster *booster, unsigned int slot, const struct guest_page *page,
                     bool poll)
{
	return booster_call(booster, do_set_page, &(struct set_page_args){slot, page, poll, false});
}

static int do_set_avoid(struct booster *b, void *arg)
{
	const struct set_page_args *set = arg;

	if (pages_set_avoid(b->pages, set->slot, set->avoid, policy_view(b->policy, set->slot),
	                    clock_now_ns()))
		notes_add(&b->notes, BOOSTER_NOTE_TELL, set->slot, 1);
	return 0;
}

int booster_set_avoid(struct booster *booster, unsigned int slot, bool avoid)
{
	return booster_call(booster, do_set_avoid,
	                    &(struct set_page_args){slot, NULL, false, avoid});
}

struct boost_args {
	unsigned int slot;
	uint64_t until_ns;
};

static int do_boost(struct booster *b, void *arg)
{
	const struct boost_args *boost = arg;

	policy_boost(b->policy, boost->slot, boost->until_ns);
	step_vcpu(b, boost->slot, POLICY_EVENT_LOOK);
	return 0;
}

int booster_boost(struct booster *booster, unsigned int slot, uint64_t until_ns)
{
	return booster_call(booster, do_boost, &(struct boost_args){slot, until_ns});
}

/*
 * @fn reads what the booster changes, and changes nothing. It is run here, and again if the booster
 * had a turn meanwhile: what it read then may be torn. A booster that is awake all the time is
 * asked.
 */
static int read_between_turns(struct booster *booster, call_fn *fn, void *arg)
{
	uint64_t spins_until_ns = clock_now_ns() + READ_SPINS_NS;

	for (int pauses = 0; pauses < READ_PAUSES_MAX;) {
		uint32_t turn = atomic_load_explicit(&booster->turn, memory_order_acquire);

		if (turn % 2 == 0) {
			fn(booster, arg);
			atomic_thread_fence(memory_order_acquire);
			if (atomic_load_explicit(&booster->turn, memory_order_relaxed) == turn)
				return 0;
		}
		if (clock_now_ns() < spins_until_ns)
			continue;
		usleep(READ_PAUSE_US);
		pauses++;
	}
	return booster_call(booster, fn, arg);
}

struct read_args {
	unsigned int slot;
	struct booster_vcpu *ret;
};

static int do_read(struct booster *b, void *arg)
{
	const struct read_args *args = arg;
	const struct booster_slot *slot = &b->slots[args->slot];

	args->ret->view = *policy_view(b->policy, args->slot);
	args->ret->holds = policy_holds(b->policy, args->slot);
	args->ret->request_to_applied = slot->request_to_applied;
	pages_read(b->pages, args->slot, clock_now_ns(), &args->ret->page);
	return 0;
}

int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret)
{
	return read_between_turns(booster, do_read, &(struct read_args){slot, ret});
}

/* ---- the host ---- */

struct read_domain_args {
	unsigned int domain;
	struct attention_view *ret;
};

static int do_read_domain(struct booster *b, void *arg)
{
	const struct read_domain_args *args = arg;

	attention_read(b->attention, args->domain, clock_now_ns(), args->ret);
	return 0;
}

int booster_read_domain(struct booster *booster, unsigned int domain, struct attention_view *ret)
{
	return read_between_turns(booster, do_read_domain, &(struct read_domain_args){domain, ret});
}

static int do_set_caps(struct booster *b, void *arg)
{
	const struct host_caps *caps = arg;

	policy_set_caps(b->policy, caps);
	attention_set_share(b->attention, caps->booster_permille, clock_now_ns());
	return 0;
}

int booster_set_caps(struct booster *booster, const struct host_caps *caps)
{
	struct host_caps copy = *caps;

	return booster_call(booster, do_set_caps, &copy);
}

static int do_read_totals(struct booster *b, void *arg)
{
	struct booster_totals *ret = arg;

	*ret = b->totals;
	ret->notes_lost = b->notes.lost;
	ret->wait = wait_uses_io_uring(b->wait) ? BOOSTER_WAIT_IO_URING : BOOSTER_WAIT_EPOLL;
	ret->boosted = actuator_boosted(b->actuator)->n;
	return 0;
}

int booster_read_totals(struct booster *booster, struct booster_totals *ret)
{
	return read_between_turns(booster, do_read_totals, ret);
}

struct set_cpus_args {
	const struct cpu_set_bits *cpus;
	bool anywhere;
	struct cpu_set_bits missing;
};

static int do_set_cpus(struct booster *b, void *arg)
{
	struct set_cpus_args *set = arg;

	return affinity_set_home(&b->affinity, set->cpus, set->anywhere, &set->missing);
}

int booster_set_cpus(struct booster *booster, const struct cpu_set_bits *cpus)
{
	struct set_cpus_args set = {.cpus = cpus, .anywhere = cpu_set_bits_empty(cpus)};
	struct cpu_set_bits own, home;
	int r;

	if (set.anywhere) {
		r = sched_get_cpus(0, &own);
		if (r < 0)
			return r;
		sched_get_home(&own, &home);
		set.cpus = &home;
	}
	/* not from here: the booster may be on a visit to a CPU, and returns to its old home then
	 */
	return booster_call(booster, do_set_cpus, &set);
}
