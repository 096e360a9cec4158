// SPDX-License-Identifier: GPL-2.0-or-later
/* The main thread's side of the booster: its life, and commands to it. */
#include "boost/booster.h"

#include <errno.h>
#include <stdlib.h>

#include "boost/booster_private.h"
#include "boost/booster_thread.h"
#include "boost/page_writer.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/thread.h"

static struct booster *booster_free(struct booster *b)
{
	if (!b)
		return NULL;
	mailbox_close(&b->mailbox);
	wait_close(b->wait);
	actuator_free(b->actuator);
	policy_free(b->policy);
	pages_free(b->pages);
	page_writer_free(b->page_writer);
	canary_stop(b->canary);
	free(b);
	return NULL;
}

static int booster_init(struct booster *b, const struct booster_options *options)
{
	int fds[] = {
	        [BOOSTER_WAITS_FOR_COMMAND] = -1,
	        [BOOSTER_WAITS_FOR_EVENTS] = options->source.fd,
	};
	int r;

	b->options = *options;
	r = mailbox_init(&b->mailbox);
	if (r < 0)
		return r;
	b->guardian_acts = ledger_guardian_acts(options->ledger);
	b->policy = policy_new(PVS_VCPUS_MAX, &options->caps);
	b->actuator =
	        actuator_new(options->ledger, options->accounts, PVS_VCPUS_MAX, &options->boost);
	b->page_writer = page_writer_new(PVS_VCPUS_MAX);
	b->pages = pages_new(PVS_VCPUS_MAX, options->accounts, b->page_writer);
	b->push.accounts = options->accounts;
	b->push.affinity = &b->affinity;
	if (!b->policy || !b->actuator || !b->page_writer || !b->pages)
		return -ENOMEM;
	policy_hold_all(b->policy, options->holds);
	fds[BOOSTER_WAITS_FOR_COMMAND] = b->mailbox.request_fd;
	return wait_open(&b->wait, fds, options->source.drain ? 2 : 1);
}

int booster_start(struct booster **ret, const struct booster_options *options)
{
	struct booster *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	r = booster_init(b, options);
	/* a net that nobody has fallen into yet: without it all else goes on, and `status` says so
	 */
	if (r == 0 && canary_start(&b->canary) < 0)
		b->canary = NULL;
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

/* One that hangs may hold boosts: let the guardian see us die. */
static int call(struct booster *b, struct command command)
{
	int r = mailbox_call(&b->mailbox, &command);

	if (r != -ETIMEDOUT)
		return r;
	log_error("the booster thread does not answer: aborting, so that the guardian gives "
	          "everything back");
	abort();
}

struct booster *booster_stop(struct booster *booster)
{
	if (!booster)
		return NULL;
	call(booster, (struct command){.type = COMMAND_STOP});
	pthread_join(booster->thread, NULL);
	return booster_free(booster);
}

int booster_notes_fd(const struct booster *booster)
{
	return booster->mailbox.notes_fd;
}

bool booster_next_note(struct booster *booster, struct booster_note *ret)
{
	return mailbox_next_note(&booster->mailbox, ret);
}

int booster_add(struct booster *booster, unsigned int slot, const struct thread_id *thread,
                const struct account_terms *terms, uint32_t holds)
{
	int r = actuator_open(booster->actuator, slot, thread);

	if (r != 0)
		return r;
	return call(booster, (struct command){
	                             .type = COMMAND_ADD,
	                             .slot = slot,
	                             .terms = terms,
	                             .set = holds,
	                     });
}

int booster_remove(struct booster *booster, unsigned int slot)
{
	int r = call(booster, (struct command){.type = COMMAND_REMOVE, .slot = slot});

	if (r == 0)
		actuator_close(booster->actuator, slot);
	page_writer_set(booster->page_writer, slot, &GUEST_PAGE_NULL);
	return r;
}

int booster_set_terms(struct booster *booster, unsigned int slot, const struct account_terms *terms)
{
	return call(booster, (struct command){.type = COMMAND_TERMS, .slot = slot, .terms = terms});
}

int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear)
{
	return call(booster, (struct command){
	                             .type = COMMAND_HOLD,
	                             .slot = slot,
	                             .set = set,
	                             .clear = clear,
	                     });
}

int booster_hold_all(struct booster *booster, uint32_t holds)
{
	return call(booster, (struct command){.type = COMMAND_HOLD_ALL, .set = holds});
}

int booster_rescan(struct booster *booster, unsigned int slot)
{
	return call(booster, (struct command){.type = COMMAND_RESCAN, .slot = slot});
}

int booster_set_page(struct booster *booster, unsigned int slot, const struct guest_page *page,
                     bool poll)
{
	const struct guest_page none = GUEST_PAGE_NULL;
	bool by_file = page->fd >= 0 && !page->memory;
	int r = page_writer_set(booster->page_writer, slot, by_file ? page : &none);

	if (r < 0)
		page = &none;
	return call(booster, (struct command){
	                             .type = COMMAND_PAGE,
	                             .slot = slot,
	                             .page = page,
	                             .poll = poll,
	                     });
}

int booster_boost(struct booster *booster, unsigned int slot, uint64_t until_ns)
{
	return call(booster, (struct command){
	                             .type = COMMAND_BOOST,
	                             .slot = slot,
	                             .until_ns = until_ns,
	                     });
}

int booster_set_caps(struct booster *booster, const struct host_caps *caps)
{
	return call(booster, (struct command){.type = COMMAND_CAPS, .caps = caps});
}

int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret)
{
	return call(booster, (struct command){.type = COMMAND_READ, .slot = slot, .vcpu = ret});
}

int booster_read_totals(struct booster *booster, struct booster_totals *ret)
{
	return call(booster, (struct command){.type = COMMAND_TOTALS, .totals = ret});
}

int booster_set_cpus(struct booster *booster, const struct cpu_set_bits *cpus)
{
	bool anywhere = cpu_set_bits_empty(cpus);
	struct cpu_set_bits own, home, missing;
	int r;

	if (anywhere) {
		r = sched_get_cpus(0, &own);
		if (r < 0)
			return r;
		sched_get_home(&own, &home);
	}
	/* by itself: it may be about to visit a CPU, and would come back to where it was before */
	return call(booster, (struct command){
	                             .type = COMMAND_CPUS,
	                             .cpus = anywhere ? &home : cpus,
	                             .anywhere = anywhere,
	                             .missing = &missing,
	                     });
}

int booster_ping(struct booster *booster)
{
	return call(booster, (struct command){.type = COMMAND_PING});
}
