/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/report.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "lib/silence.h"

/* No sane writer changes the word this often between two instructions. */
#define EXCHANGE_TRIES 100

#define ORDINARY pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0)

static uint32_t next_sequence(uint64_t word)
{
	uint32_t sequence = pvsched_request_sequence(word) + 1;

	return sequence ? sequence : 1; /* 0 is no request */
}

/* The host translates this to its own clock, to know when the CPU will be urgent again. */
static uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Replaces the request on the page, no matter which lease made it. Returns 0, or -EAGAIN. */
static int word_write(struct pvsched_page *page, uint64_t tuple, uint64_t *ret)
{
	__u64 old = __atomic_load_n(&page->request, __ATOMIC_RELAXED);

	for (int i = 0; i < EXCHANGE_TRIES; i++) {
		*ret = pvsched_request(tuple, next_sequence(old));
		if (__atomic_compare_exchange_n(&page->request, &old, *ret, 0, __ATOMIC_RELEASE,
		                                __ATOMIC_RELAXED))
			return 0;
	}
	return -EAGAIN;
}

/* Makes the CPU of the lease ordinary if the lease's request is still in force there. */
static int lease_end(struct pvsched *host, struct pvsched_lease *lease, uint32_t expected_us)
{
	struct pvsched_place place;
	struct pvsched_page *page;
	__u64 word = lease->word;
	uint32_t sequence = next_sequence(word);
	int r;

	if (!lease->held)
		return PVSCHED_NOT_OURS;
	lease->held = 0;
	/* A new generation forgets older requests, and its pages may belong to other CPUs. */
	r = pvsched_place_again(host, lease->generation, lease->page, &place);
	if (r)
		return r;
	page = place.page;
	if (__atomic_load_n(&page->request, __ATOMIC_RELAXED) != word)
		return PVSCHED_NOT_OURS;
	/*
	 * Another thread may make a newer request between this store and the exchange. That request
	 * has another sequence number or is urgent. In both cases the host ignores @expect.
	 */
	if (expected_us)
		__atomic_store_n(&page->written_ns, clock_now_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&page->expect, pvsched_expect(expected_us, sequence), __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&page->request, &word, pvsched_request(ORDINARY, sequence),
	                                 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return PVSCHED_NOT_OURS;
	pvsched_agent_look(&host->agent, place.map, place.number);
	return 0;
}

static int lease_write(struct pvsched *host, struct pvsched_lease *lease, uint64_t tuple,
                       struct pvsched_place *place, int *ret_cpu)
{
	int r, cpu = sched_getcpu();
	uint64_t word;

	*ret_cpu = cpu;

	if (cpu < 0)
		return -errno;
	r = pvsched_place_find(host, (uint32_t)cpu, place);
	if (lease->held &&
	    (r || lease->page != place->number || lease->generation != place->generation))
		lease_end(host, lease, 0);
	if (r)
		return r;
	r = word_write(place->page, tuple, &word);
	if (r)
		return r;
	pvsched_agent_look(&host->agent, place->map, place->number);
	lease->word = word;
	lease->generation = place->generation;
	lease->page = place->number;
	lease->held = 1;
	return 0;
}

/* Starts the account. Called after the request was written, which must not wait for the reads. */
static void lease_begin(struct pvsched *host, struct pvsched_lease *lease,
                        const struct pvsched_place *place, int cpu)
{
	struct pvsched_report before = {.state = PVSCHED_STATE_WAITING};

	pvsched_page_report(place, &before);
	pvsched_silence_look(host, (uint32_t)cpu, 1, &before);
	lease->counted = before.state != PVSCHED_STATE_WAITING;
	lease->boosts = before.boosts;
	lease->throttles = before.throttles;
	lease->run_delay_ns = before.run_delay_ns;
	lease->boosted_ns = before.boosted_ns;
	lease->boosted = before.boosted;
	lease->throttled = before.throttled;
}

int pvsched_lease_request(struct pvsched *host, struct pvsched_lease *lease, int policy,
                          int rt_priority)
{
	struct pvsched_place place;
	int r, cpu;

	if ((policy != PVSCHED_POLICY_FIFO && policy != PVSCHED_POLICY_RR) || rt_priority < 1 ||
	    rt_priority > 99)
		return -EINVAL;
	if (!host)
		return PVSCHED_NO_DEVICE;
	r = lease_write(host, lease, pvsched_tuple((uint32_t)policy, 0, (uint32_t)rt_priority),
	                &place, &cpu);
	if (r)
		return r;
	lease_begin(host, lease, &place, cpu);
	return 0;
}

int pvsched_lease_renew(struct pvsched *host, struct pvsched_lease *lease)
{
	struct pvsched_place place;
	uint32_t page = lease->page;
	uint64_t generation = lease->generation;
	int r, cpu;

	if (!host)
		return PVSCHED_NO_DEVICE;
	if (!lease->held)
		return PVSCHED_NOT_OURS;
	r = lease_write(host, lease, lease->word & 0xffffff, &place, &cpu);
	if (r == 0 && (lease->page != page || lease->generation != generation))
		lease_begin(host, lease, &place,
		            cpu); /* figures of two pages cannot be subtracted */
	return r;
}

int pvsched_lease_release(struct pvsched *host, struct pvsched_lease *lease, uint32_t expected_us)
{
	if (!host)
		return PVSCHED_NO_DEVICE;
	return lease_end(host, lease, expected_us);
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

int pvsched_lease_account(struct pvsched *host, const struct pvsched_lease *lease,
                          struct pvsched_account *ret)
{
	struct pvsched_report now = {.state = PVSCHED_STATE_WAITING};
	struct pvsched_place place;
	int r;

	*ret = (struct pvsched_account){0};
	if (!host)
		return PVSCHED_NO_DEVICE;
	r = pvsched_place_again(host, lease->generation, lease->page, &place);
	if (r)
		return r;
	if (!lease->counted)
		return PVSCHED_NOT_OURS;
	pvsched_page_report(&place, &now);
	if (now.state == PVSCHED_STATE_WAITING)
		return PVSCHED_NOT_OURS;
	ret->boosted = lease->boosted || now.boosted || now.boosts > lease->boosts;
	ret->throttled = lease->throttled | now.throttled;
	if (now.throttles > lease->throttles)
		ret->throttled |= PVSCHED_BY_PAST;
	ret->waited_ns = since(now.run_delay_ns, lease->run_delay_ns);
	ret->boosted_ns = since(now.boosted_ns, lease->boosted_ns);
	return 0;
}
