// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "untimed/untimed.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define OVERSHOOTS_MAX 65536

bool keeper_parse(const char *way, struct keeper *ret)
{
	const char check[] = "check-";

	ret->pinged = strcmp(way, "backstop") == 0;
	if (strcmp(way, "none") == 0 || ret->pinged)
		ret->way = KEEPER_NONE;
	else if (strcmp(way, "timer") == 0)
		ret->way = KEEPER_TIMER;
	else if (strcmp(way, "check-run") == 0)
		ret->way = KEEPER_RUN;
	else if (strncmp(way, check, strlen(check)) == 0)
		ret->way = KEEPER_PERIOD;
	else
		return false;
	if (ret->way == KEEPER_PERIOD)
		ret->period_ns = strtoul(way + strlen(check), NULL, 10) * NSEC_PER_USEC;
	return ret->way != KEEPER_PERIOD || ret->period_ns;
}

/* What its own bucket had at @now_ns, if it ran then; else when it ran last. */
static int64_t tokens(const struct keeper *keeper, unsigned int slot, uint64_t now_ns)
{
	const struct accounts *accounts = &keeper->stack->accounts;
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	struct policy_facts facts;

	account_facts(accounts, slot, now_ns, &facts);
	if (facts.whereabouts != POLICY_RUNNING)
		now_ns = MIN(now_ns, __atomic_load_n(&a->out_ns, __ATOMIC_RELAXED));
	return pvs_bucket_tokens(&a->rule, facts.full_at_ns, now_ns);
}

static uint64_t price(const struct keeper *keeper, unsigned int slot, uint64_t ran_ns)
{
	const struct pvs_vcpu_account *a = &keeper->stack->accounts.vcpus[slot];

	return pvs_bucket_price(&a->rule, ran_ns, a->entitled_permille);
}

static uint32_t tokens_min_ns(const struct keeper *keeper)
{
	return account_prices(&keeper->stack->accounts).tokens_min_ns;
}

/* It was unboosted, with so many tokens: since when had it, running, no more than count as none? */
static void note(struct keeper *keeper, unsigned int slot, int64_t left)
{
	int64_t past = (int64_t)price(keeper, slot, tokens_min_ns(keeper)) - left;
	/* of a millisecond's run: what it costs, and what comes back meanwhile */
	int64_t net = (int64_t)(price(keeper, slot, NSEC_PER_MSEC) -
	                        keeper->stack->accounts.vcpus[slot].rule.share_permille *
	                                NSEC_PER_MSEC / 1000);

	if (keeper->n == keeper->max || net <= 0)
		return;
	keeper->overshoot_ns[keeper->n++] =
	        past > 0 ? (uint64_t)past * NSEC_PER_MSEC / (uint64_t)net : 0;
}

static bool boosted(const struct keeper *keeper, unsigned int slot)
{
	return keeper->stack->accounts.vcpus[slot].flags & PVS_FLAG_BOOSTED;
}

static void pass_on(struct keeper *keeper, const struct pvs_event *event)
{
	bool ends = event->type == PVS_EVENT_EXHAUSTED && event->arg == PVS_BUCKET_VCPU &&
	            event->slot < keeper->n_vcpus && boosted(keeper, event->slot);

	keeper->fn(keeper->userdata, event);
	if (ends && !boosted(keeper, event->slot))
		note(keeper, event->slot,
		     tokens(keeper, event->slot,
		            keeper->stack->accounts.vcpus[event->slot].unboosted_at_ns));
}

/* Looks at one: unboosted if it has no tokens. Returns when to look again; NSEC_NEVER: not needed.
 */
static uint64_t look(struct keeper *keeper, unsigned int slot, uint64_t now_ns)
{
	const struct pvs_vcpu_account *a = &keeper->stack->accounts.vcpus[slot];
	struct pvs_event event = {
	        .at_ns = now_ns,
	        .type = PVS_EVENT_EXHAUSTED,
	        .slot = slot,
	        .tid = a->tid,
	        .arg = PVS_BUCKET_VCPU,
	};
	struct policy_facts facts;

	if (!boosted(keeper, slot))
		return NSEC_NEVER;
	account_facts(&keeper->stack->accounts, slot, now_ns, &facts);
	if (facts.tokens_ns <= facts.prices.tokens_min_ns) {
		pass_on(keeper, &event);
		return NSEC_NEVER;
	}
	/* one that waits may wait for us alone */
	return facts.whereabouts == POLICY_RUNNING || facts.whereabouts == POLICY_WAITING
	               ? now_ns + (uint64_t)facts.tokens_ns
	               : NSEC_NEVER;
}

static void look_at_all(struct keeper *keeper)
{
	uint64_t now_ns = clock_now_ns(), next_ns = NSEC_NEVER;
	struct itimerspec at = {0};

	if (keeper->way == KEEPER_PERIOD && now_ns < keeper->next_ns)
		return;
	for (unsigned int slot = 0; slot < keeper->n_vcpus; slot++)
		next_ns = MIN(next_ns, look(keeper, slot, now_ns));
	if (keeper->way == KEEPER_PERIOD)
		next_ns = keeper->next_ns + keeper->period_ns > now_ns
		                  ? keeper->next_ns + keeper->period_ns
		                  : now_ns + keeper->period_ns;
	keeper->next_ns = next_ns;
	if (next_ns != NSEC_NEVER) /* else none: its time has come, and is forgotten by this */
		at.it_value = (struct timespec){(time_t)(next_ns / NSEC_PER_SEC),
		                                (long)(next_ns % NSEC_PER_SEC)};
	timerfd_settime(keeper->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void on_event(void *userdata, const struct pvs_event *event)
{
	/* one that says that a vCPU runs is for us: all are looked at after it */
	if (event->type != PVS_EVENT_RUN)
		pass_on(userdata, event);
}

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	struct keeper *keeper = source;
	int r;

	keeper->fn = fn;
	keeper->userdata = userdata;
	r = tracer_drain(keeper->stack->tracer, on_event, keeper);
	if (keeper->way == KEEPER_PERIOD || keeper->way == KEEPER_RUN)
		look_at_all(keeper);
	/* here, by the thread that alone writes the flags, which are cleared as a vCPU is taken on
	 */
	for (unsigned int slot = 0; keeper->way == KEEPER_RUN && slot < keeper->n_vcpus; slot++)
		__atomic_or_fetch(&keeper->stack->accounts.vcpus[slot].flags, UNTIMED_FLAG_TELL,
		                  __ATOMIC_RELEASE);
	return r == TRACER_MORE ? BOOSTER_MORE_EVENTS : 0;
}

/* One descriptor that is readable when there are events, and when it is time to look. */
static int wait_for_both(struct keeper *keeper)
{
	struct epoll_event event = {.events = EPOLLIN};

	keeper->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	keeper->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (keeper->epoll_fd < 0 || keeper->timer_fd < 0 ||
	    epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, keeper->timer_fd, &event) < 0 ||
	    epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, tracer_events_fd(keeper->stack->tracer),
	              &event) < 0)
		return -errno;
	return 0;
}

int keeper_open(struct keeper *keeper, struct stack *stack, struct booster_source *ret)
{
	int r = 0;

	keeper->stack = stack;
	keeper->epoll_fd = keeper->timer_fd = -1;
	keeper->max = OVERSHOOTS_MAX;
	keeper->overshoot_ns = calloc(keeper->max, sizeof(*keeper->overshoot_ns));
	if (!keeper->overshoot_ns)
		return -ENOMEM;
	/* no fault later */
	memset(keeper->overshoot_ns, 0xff, keeper->max * sizeof(*keeper->overshoot_ns));
	if (keeper->way == KEEPER_PERIOD || keeper->way == KEEPER_RUN)
		r = wait_for_both(keeper);
	*ret = (struct booster_source){
	        keeper->epoll_fd >= 0 ? keeper->epoll_fd : tracer_events_fd(stack->tracer),
	        drain,
	        keeper,
	};
	return r;
}

void keeper_close(struct keeper *keeper)
{
	if (!keeper->stack)
		return;
	close_fd(keeper->epoll_fd);
	close_fd(keeper->timer_fd);
	free(keeper->overshoot_ns);
}
