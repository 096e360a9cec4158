// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/requests.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/pages.h"
#include "core/intent.h"

/* Users that are remembered: what one used up is not forgotten when it connects anew. */
#define USERS_MAX 128

#define REQUESTERS_MAX (SETTINGS_CLIENTS_MAX + 1)

/* A user: an entry is free if @allowances is NULL. */
struct user {
	uid_t uid;
	uint32_t connections;
	uint64_t left_ns; /* when its last program went */
	struct merge_allowance *allowances;
};

/* What the page of a CPU says. */
struct written {
	enum pvsched_urgency urgency;
	uint32_t rt_priority;
	uint64_t expected_ns;
	uint32_t sequence;
	uint64_t due_ns;
};

struct requester {
	struct requests *requests;
	struct user *user;
	const struct settings_user *limits;
	struct merge_request *words; /* by CPU */
	uint64_t second_ns;          /* when the second began whose messages are counted */
	uint32_t in_second;
	uint64_t looks, dropped;
};

struct requests {
	const struct settings *settings;
	struct pvsched_page *pages;
	uint32_t n_cpus;
	bool served;
	struct written *written; /* by CPU */
	struct requester *requesters[REQUESTERS_MAX];
	uint32_t n;
	struct user users[USERS_MAX];
};

struct requests *requests_new(const struct settings *settings, struct pvsched_page *pages,
                              uint32_t n_cpus)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return NULL;
	requests->settings = settings;
	requests->pages = pages;
	requests->n_cpus = n_cpus;
	requests->written = calloc(n_cpus, sizeof(*requests->written));
	if (!requests->written)
		return requests_free(requests);
	for (uint32_t i = 0; i < n_cpus; i++)
		requests->written[i].due_ns = NSEC_NEVER;
	return requests;
}

struct requests *requests_free(struct requests *requests)
{
	if (!requests)
		return NULL;
	for (size_t i = 0; i < USERS_MAX; i++)
		free(requests->users[i].allowances);
	free(requests->written);
	free(requests);
	return NULL;
}

static void write_page(struct requests *requests, uint32_t cpu, const struct merge_result *result,
                       uint64_t now_ns)
{
	struct written *w = &requests->written[cpu];
	uint64_t tuple = pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0), us = 0;

	w->urgency = result->urgency;
	w->rt_priority = result->rt_priority;
	w->expected_ns = result->expected_ns;
	if (result->urgency == PVSCHED_URGENCY_NONE) {
		page_request(&requests->pages[cpu], 0, 0, 0, now_ns);
		return;
	}
	if (result->urgency == PVSCHED_URGENCY_URGENT)
		tuple = pvsched_tuple(PVSCHED_POLICY_FIFO, 0, result->rt_priority);
	if (result->expected_ns > now_ns)
		us = MIN((result->expected_ns - now_ns) / NSEC_PER_USEC, UINT32_MAX);
	if (++w->sequence == 0)
		w->sequence = 1; /* 0 is no request */
	page_request(&requests->pages[cpu], tuple, w->sequence, (uint32_t)us, now_ns);
}

/* @renewed: one of the programs has renewed its request, so that of the page is renewed, too. */
static void merge_cpu(struct requests *requests, uint32_t cpu, bool renewed, uint64_t now_ns)
{
	struct written *w = &requests->written[cpu];
	struct merge_request *of_cpu[REQUESTERS_MAX];
	struct merge_result result;
	size_t n = 0;

	for (uint32_t i = 0; i < requests->n; i++)
		if (requests->requesters[i]->words[cpu].seen_ns)
			of_cpu[n++] = &requests->requesters[i]->words[cpu];
	result = merge(of_cpu, n, now_ns);
	w->due_ns = result.due_ns;
	if (!requests->served)
		return;
	if (renewed || result.urgency != w->urgency || result.rt_priority != w->rt_priority ||
	    result.expected_ns != w->expected_ns)
		write_page(requests, cpu, &result, now_ns);
}

void requests_serve(struct requests *requests, bool served, uint64_t now_ns)
{
	requests->served = served;
	for (uint32_t i = 0; i < requests->n_cpus; i++) {
		/* the pages were cleared, with the requests in them */
		requests->written[i].urgency = PVSCHED_URGENCY_NONE;
		requests->written[i].rt_priority = 0;
		requests->written[i].expected_ns = 0;
		merge_cpu(requests, i, false, now_ns);
	}
}

/* The user's entry, a free one, or that of a user who went longest ago. NULL: all are in use. */
static struct user *find_user(struct requests *requests, uid_t uid)
{
	struct user *ret = NULL;

	for (size_t i = 0; i < USERS_MAX; i++) {
		struct user *user = &requests->users[i];

		if (user->allowances && user->uid == uid)
			return user;
		if (user->connections)
			continue;
		if (!ret ||
		    (ret->allowances && (!user->allowances || user->left_ns < ret->left_ns)))
			ret = user;
	}
	return ret;
}

static int take_user(struct requests *requests, uid_t uid, const struct settings_user *limits,
                     struct user **ret)
{
	struct user *user = find_user(requests, uid);
	struct merge_allowance *allowances;

	if (!user)
		return -EUSERS;
	if (!user->allowances || user->uid != uid) {
		allowances = calloc(requests->n_cpus, sizeof(*allowances));
		if (!allowances)
			return -ENOMEM;
		free(user->allowances);
		*user = (struct user){.uid = uid, .allowances = allowances};
		for (uint32_t i = 0; i < requests->n_cpus; i++) {
			allowances[i].urgent_permille = limits->urgent_permille;
			allowances[i].rt_priority_max = limits->rt_priority_max;
		}
	}
	if (user->connections >= limits->connections_max)
		return -EUSERS;
	*ret = user;
	return 0;
}

int requester_new(struct requests *requests, uid_t uid, struct requester **ret)
{
	const struct settings_user *limits = settings_user(requests->settings, uid);
	struct requester *requester;
	struct user *user;
	int r;

	if (!limits || !limits->connections_max)
		return -EACCES;
	if (requests->n >= requests->settings->clients_max)
		return -EUSERS;
	r = take_user(requests, uid, limits, &user);
	if (r < 0)
		return r;
	requester = calloc(1, sizeof(*requester));
	if (requester)
		requester->words = calloc(requests->n_cpus, sizeof(*requester->words));
	if (!requester || !requester->words) {
		free(requester);
		return -ENOMEM;
	}
	requester->requests = requests;
	requester->user = user;
	requester->limits = limits;
	for (uint32_t i = 0; i < requests->n_cpus; i++)
		requester->words[i].of = &user->allowances[i];
	user->connections++;
	requests->requesters[requests->n++] = requester;
	*ret = requester;
	return 0;
}

struct requester *requester_free(struct requester *requester, uint64_t now_ns)
{
	struct requests *requests;

	if (!requester)
		return NULL;
	requests = requester->requests;
	for (uint32_t i = 0; i < requests->n_cpus; i++) {
		if (!requester->words[i].seen_ns)
			continue;
		/* counts its last time to the user, and ends */
		requester->words[i].word = 0;
		merge_cpu(requests, i, false, now_ns);
	}
	for (uint32_t i = 0; i < requests->n; i++)
		if (requests->requesters[i] == requester)
			requests->requesters[i] = requests->requesters[--requests->n];
	requester->user->connections--;
	requester->user->left_ns = now_ns;
	free(requester->words);
	free(requester);
	return NULL;
}

static bool may_look(struct requester *requester, uint64_t now_ns)
{
	if (now_ns - requester->second_ns >= NSEC_PER_SEC) {
		requester->second_ns = now_ns;
		requester->in_second = 0;
	}
	if (requester->in_second >= requester->limits->looks_per_s) {
		requester->dropped++;
		return false;
	}
	requester->in_second++;
	requester->looks++;
	return true;
}

bool requester_look(struct requester *requester, uint32_t cpu, const struct pvsched_page *page,
                    uint64_t now_ns)
{
	struct merge_request look;

	if (cpu >= requester->requests->n_cpus || !may_look(requester, now_ns))
		return false;
	/* the program may write meanwhile: the word first, as its expectation is written before */
	look.word = __atomic_load_n(&page->request, __ATOMIC_ACQUIRE);
	look.expect = PVS_LOAD(page->expect);
	look.written_ns = PVS_LOAD(page->written_ns);
	if (merge_note(&requester->words[cpu], &look, now_ns))
		merge_cpu(requester->requests, cpu, true, now_ns);
	return true;
}

uint64_t requests_due(const struct requests *requests)
{
	uint64_t due_ns = NSEC_NEVER;

	for (uint32_t i = 0; i < requests->n_cpus; i++)
		due_ns = MIN(due_ns, requests->written[i].due_ns);
	return due_ns;
}

uint64_t requests_tick(struct requests *requests, uint64_t now_ns)
{
	for (uint32_t i = 0; i < requests->n_cpus; i++)
		if (requests->written[i].due_ns <= now_ns)
			merge_cpu(requests, i, false, now_ns);
	return requests_due(requests);
}

struct requester_figures requester_figures(const struct requester *requester, uint64_t now_ns)
{
	struct requester_figures ret = {
	        .uid = requester->user->uid,
	        .looks = requester->looks,
	        .dropped = requester->dropped,
	};

	for (uint32_t i = 0; i < requester->requests->n_cpus; i++) {
		const struct merge_request *r = &requester->words[i];

		ret.urgent += r->seen_ns && now_ns < r->seen_ns + PVSCHED_REQUEST_LEASE_NS &&
		              pvsched_request_urgency(r->word) == PVSCHED_URGENCY_URGENT;
	}
	return ret;
}
