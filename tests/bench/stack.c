// SPDX-License-Identifier: GPL-2.0-or-later
#include "stack.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boost/measure.h"
#include "util/cleanup.h"
#include "util/procfs.h"

static int failed(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return error < 0 ? error : -error;
}

int stack_open(struct stack *stack, const char *ledger_path)
{
	int r;

	stack->caps = HOST_CAPS_INIT;
	stack->wait = BOOSTER_WAIT_DEFAULT;
	stack->ledger_path = ledger_path;
	r = board_new(&stack->board);
	if (r < 0)
		return failed("memory for pages", r);
	r = ledger_open(ledger_path, &stack->ledger);
	if (r < 0)
		return failed("the ledger cannot be opened", r);
	r = guardian_start(&stack->guardian, stack->ledger, STACK_PRIORITY + 2);
	if (r < 0)
		return failed("the guardian does not start", r);
	if (!guardian_realtime(stack->guardian))
		return failed(
		        "the guardian gets no real-time priority; run as root in the root group "
		        "of the cpu controller",
		        -EPERM);
	return 0;
}

/* As the daemon does: who waits behind a boost is seen only if it is known who it is. */
static void name_softirqds(struct tracer *tracer)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], comm[32];
		unsigned int cpu;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (atoi(entry->d_name) <= 0)
			continue;
		n = procfs_read_file(path, comm, sizeof(comm) - 1);
		if (n <= 0)
			continue;
		comm[n] = '\0';
		if (sscanf(comm, "ksoftirqd/%u", &cpu) == 1)
			tracer_set_softirqd(tracer, cpu, atoi(entry->d_name));
	}
}

static int read_levers(void *tracer, pid_t tid, struct pvs_levers *ret)
{
	return tracer_read_levers(tracer, tid, ret);
}

/* As the daemon does at its start. */
static void set_prices(struct stack *stack)
{
	struct pvs_prices prices;
	struct pvs_costs costs;

	measure_costs(&costs); /* what could not be measured has the usual price */
	prices = pvs_prices_of(&costs);
	account_set_prices(&stack->accounts, &prices);
}

int stack_trace(struct stack *stack)
{
	struct pvs_bucket_rule rule = {
	        .burst_ns = stack->caps.cpu_burst_ns,
	        .share_permille = stack->caps.cpu_share_permille,
	};
	char why[512];
	int r = tracer_new(&stack->tracer, &rule, why, sizeof(why));

	if (r < 0)
		return failed(why, r);
	name_softirqds(stack->tracer);
	stack->accounts = (struct accounts){
	        .vcpus = tracer_vcpus(stack->tracer),
	        .domains = tracer_domains(stack->tracer),
	        .cpus = tracer_cpus(stack->tracer),
	        .cpu_rule = tracer_cpu_rule(stack->tracer),
	        .prices = tracer_prices(stack->tracer),
	        .moved = tracer_moved(stack->tracer),
	};
	set_prices(stack);
	/* what is measured is another limit: this one is the daemon's on a kernel with a fair
	 * server */
	account_set_sheets(&stack->accounts, 870 * NSEC_PER_MSEC);
	stack->standing = standing_new(&(struct standing_parts){
	        .ledger = stack->ledger,
	        .read_levers = read_levers,
	        .userdata = stack->tracer,
	});
	if (!stack->standing)
		return failed("slices", -ENOMEM);
	r = guardian_watch_overdue(stack->guardian, tracer_overdue_fd(stack->tracer));
	return r < 0 ? failed("the guardian does not watch", r) : 0;
}

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	return tracer_drain(source, fn, userdata) == TRACER_MORE ? BOOSTER_MORE_EVENTS : 0;
}

int stack_start(struct stack *stack, const struct booster_source *source)
{
	struct booster_options options = {
	        .accounts = &stack->accounts,
	        .ledger = stack->ledger,
	        .board = stack->board,
	        .boost = {SCHED_FIFO, STACK_PRIORITY},
	        .caps = stack->caps,
	        .wait = stack->wait,
	};
	struct booster_totals totals;
	int r;

	if (source)
		options.source = *source;
	else
		options.source = (struct booster_source){tracer_events_fd(stack->tracer), drain,
		                                         stack->tracer};
	r = booster_start(&stack->booster, &options);
	if (r != 0)
		return failed("the booster does not start as a real-time thread",
		              r < 0 ? r : -EPERM);
	booster_read_totals(stack->booster, &totals);
	/* or the figures are of something else */
	return totals.wait == stack->wait ? 0 : failed("io_uring", totals.wait_error);
}

bool stack_wait_by_name(const char *name, enum booster_wait *ret)
{
	*ret = strcmp(name, "io_uring") == 0 ? BOOSTER_WAIT_IO_URING : BOOSTER_WAIT_EPOLL;
	return *ret == BOOSTER_WAIT_IO_URING || strcmp(name, "epoll") == 0;
}

/* The thread's slice, where its profile has one, and what the booster is to know. */
static int prepare(struct stack *stack, unsigned int slot, const struct thread_id *id,
                   struct account_terms *terms)
{
	int r;

	if (!stack->standing || terms->profile.mode != PROFILE_BOOST ||
	    !(terms->profile.levers & PROFILE_LEVER_SLICE))
		return 0;
	r = standing_set(stack->standing, slot, id,
	                 &(struct standing_wanted){.slice_ns = terms->profile.slice_ns});
	terms->resets_forks = standing_resets_forks(stack->standing, slot);
	return r;
}

static struct account_terms terms_of(unsigned int domain, pid_t tid, const struct profile *profile)
{
	return (struct account_terms){
	        .tid = tid,
	        .domain = domain,
	        .priority = STACK_PRIORITY,
	        .profile = *profile,
	};
}

int stack_set(struct stack *stack, unsigned int slot, unsigned int domain, pid_t tid,
              const struct profile *profile)
{
	struct thread_id id = {.tid = tid};
	struct account_terms terms = terms_of(domain, tid, profile);
	int r = procfs_start_ticks(0, tid, &id.start_ticks);

	if (r == 0)
		r = prepare(stack, slot, &id, &terms);
	if (r == 0)
		r = booster_set_terms(stack->booster, slot, &terms);
	return r ? failed("another profile", r) : 0;
}

int stack_add(struct stack *stack, unsigned int slot, unsigned int domain, pid_t tid,
              const struct profile *profile)
{
	struct thread_id id = {.tid = tid};
	struct account_terms terms = terms_of(domain, tid, profile);
	int r = procfs_start_ticks(0, tid, &id.start_ticks);

	stack->accounts.domains[domain].rule = (struct pvs_bucket_rule){
	        .burst_ns = stack->caps.domain_burst_ns,
	        .share_permille = stack->caps.domain_share_permille,
	};
	if (r == 0)
		r = prepare(stack, slot, &id, &terms);
	if (r == 0)
		r = booster_add(stack->booster, slot, &id, &terms, 0);
	if (r == 0 && stack->tracer)
		r = tracer_register(stack->tracer, slot, tid);
	return r ? failed("a thread cannot be taken on", r) : 0;
}

void stack_remove(struct stack *stack, unsigned int slot, pid_t tid)
{
	booster_remove(stack->booster, slot);
	if (stack->standing)
		standing_take_back(stack->standing, slot);
	if (stack->tracer)
		tracer_unregister(stack->tracer, slot, tid);
}

void stack_close(struct stack *stack)
{
	stack->booster = booster_stop(stack->booster);
	stack->standing = standing_free(stack->standing);
	stack->tracer = tracer_free(stack->tracer);
	stack->guardian = guardian_stop(stack->guardian);
	stack->ledger = ledger_close(stack->ledger);
	if (stack->ledger_path)
		unlink(stack->ledger_path);
}
