// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/booster_setup.h"

#include <sched.h>
#include <string.h>

#include "util/log.h"

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	return tracer_drain(source, fn, userdata) == TRACER_MORE ? BOOSTER_MORE_EVENTS : 0;
}

static enum booster_wait wait_wanted(const struct config_host *host)
{
	switch (host->booster_wait) {
	case CONFIG_BOOSTER_WAIT_AUTO:
		break;
	case CONFIG_BOOSTER_WAIT_EPOLL:
		return BOOSTER_WAIT_EPOLL;
	case CONFIG_BOOSTER_WAIT_IO_URING:
		return BOOSTER_WAIT_IO_URING;
	}
	return BOOSTER_WAIT_DEFAULT;
}

static void place(struct booster *booster, const struct config_host *host)
{
	int r = booster_set_cpus(booster, &host->booster_cpus);

	/* they were there when the configuration was read */
	if (r != 0)
		log_warning("host.booster_cpus: the booster stays on the CPUs it had: %s",
		            r < 0 ? strerror(-r) : "some are not there any more");
}

struct sched_boost booster_setup_boost(const struct config_host *host)
{
	return (struct sched_boost){
	        .policy = host->round_robin ? SCHED_RR : SCHED_FIFO,
	        .priority = (uint32_t)host->rt_priority,
	};
}

static void say_start(struct booster *booster, bool realtime)
{
	struct booster_totals totals;

	if (!realtime)
		log_error("the kernel refuses the booster a real-time priority; give pvschedd "
		          "CAP_SYS_NICE and, with RT_GROUP_SCHED, its cgroup a budget; observing "
		          "only");
	booster_read_totals(booster, &totals);
	if (totals.wait_error < 0)
		log_notice("io_uring can't be had (%s): the booster waits by epoll",
		           strerror(-totals.wait_error));
}

int booster_setup_start(struct booster **ret, const struct booster_setup *setup)
{
	struct booster_options options = {
	        .accounts = setup->accounts,
	        .ledger = setup->ledger,
	        .board = setup->board,
	        .boost = booster_setup_boost(setup->host),
	        .caps = setup->host->caps,
	        .holds = setup->holds,
	        .wait = wait_wanted(setup->host),
	};
	int r;

	if (setup->tracer)
		options.source = (struct booster_source){
		        .fd = tracer_events_fd(setup->tracer),
		        .drain = drain,
		        .source = setup->tracer,
		};
	r = booster_start(ret, &options);
	if (r < 0)
		return r;
	say_start(*ret, r != BOOSTER_NOT_REALTIME);
	if (!cpu_set_bits_empty(&setup->host->booster_cpus))
		place(*ret, setup->host);
	return r;
}

void booster_setup_configure(struct booster *booster, const struct sched_boost *boost,
                             const struct config_host *before, const struct config_host *host)
{
	struct sched_boost wanted = booster_setup_boost(host);

	if (!cpu_set_bits_equal(&before->booster_cpus, &host->booster_cpus))
		place(booster, host);
	if (before->booster_wait != host->booster_wait)
		log_notice("host.booster_wait takes effect when pvschedd is started again");
	if (boost->priority != wanted.priority || boost->policy != wanted.policy)
		log_notice("host.rt_priority and host.rt_policy take effect when pvschedd is "
		           "started again");
}
