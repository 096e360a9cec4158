// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster's start: where it runs, how it waits; and configurations that say so. */
#include "daemon/manager.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

/* ---- CPUs that this host does not have, or not for us ---- */

struct trial {
	const struct cpu_set_bits *cpus;
	struct cpu_set_bits missing;
	int result; /* of sched_set_cpus() */
};

static void *trial_main(void *userdata)
{
	struct trial *trial = userdata;

	trial->result = sched_set_cpus(0, trial->cpus, &trial->missing);
	return NULL;
}

/* By a thread that ends with it: one that was confined once is not as it was before. */
static int try_cpus(struct trial *trial)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, trial_main, trial);

	if (r)
		return -r;
	pthread_join(thread, NULL);
	return trial->result;
}

int boosting_load_config(const char *path, struct config **ret, char *error, size_t size)
{
	struct config *config = NULL;
	struct trial trial = {0};
	char list[256];
	int r = config_load(path, &config, error, size);

	if (r < 0)
		return r;
	trial.cpus = &config_host(config)->booster_cpus;
	if (!cpu_set_bits_empty(trial.cpus))
		r = try_cpus(&trial);
	if (r == 0) {
		*ret = config;
		return 0;
	}
	cpulist_format(&trial.missing, list, sizeof(list));
	if (r < 0)
		snprintf(error, size, "%s: .host.booster_cpus: %s", path, strerror(-r));
	else
		snprintf(error, size,
		         "%s: .host.booster_cpus: CPU %s is not online, or outside the cpuset of "
		         "pvschedd; name others, or \"\" for any",
		         path, list);
	config_free(config);
	return r < 0 ? r : -EBADMSG;
}

/* ---- the booster ---- */

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

static void place(struct manager *m, const struct config_host *host)
{
	int r = booster_set_cpus(m->booster, &host->booster_cpus);

	/* they were there when the configuration was read */
	if (r != 0)
		log_warning("host.booster_cpus: the booster stays on the CPUs it had: %s",
		            r < 0 ? strerror(-r) : "some are not there any more");
}

int boosting_start(struct manager *m)
{
	const struct config_host *host = config_host(m->config);
	struct booster_options options = {
	        .accounts = &m->accounts,
	        .ledger = m->ledger,
	        .boost = m->boost,
	        .caps = host->caps,
	        .holds = m->holds,
	        .wait = wait_wanted(host),
	};
	struct booster_totals totals;
	int r;

	if (m->tracer)
		options.source = (struct booster_source){
		        .fd = tracer_events_fd(m->tracer),
		        .drain = drain,
		        .source = m->tracer,
		};
	r = booster_start(&m->booster, &options);
	if (r < 0) {
		log_error("the booster thread can't be started: %s", strerror(-r));
		return r;
	}
	m->booster_realtime = r != BOOSTER_NOT_REALTIME;
	if (!m->booster_realtime) {
		log_error("the kernel refuses the booster a real-time priority; give pvschedd "
		          "CAP_SYS_NICE and, with RT_GROUP_SCHED, its cgroup a budget; observing "
		          "only");
		manager_hold(m, POLICY_REASON_FAILED, true);
	}
	booster_read_totals(m->booster, &totals);
	if (totals.wait_error < 0)
		log_notice("io_uring can't be had (%s): the booster waits by epoll",
		           strerror(-totals.wait_error));
	if (!cpu_set_bits_empty(&host->booster_cpus))
		place(m, host);
	return 0;
}

void boosting_configure(struct manager *m, const struct config_host *before)
{
	const struct config_host *host = config_host(m->config);

	if (!cpu_set_bits_equal(&before->booster_cpus, &host->booster_cpus))
		place(m, host);
	if (before->booster_wait != host->booster_wait)
		log_notice("host.booster_wait takes effect when pvschedd is started again");
	if (m->boost.priority != (uint32_t)host->rt_priority ||
	    (m->boost.policy == SCHED_RR) != host->round_robin)
		log_notice("host.rt_priority and host.rt_policy take effect when pvschedd is "
		           "started again");
}

void boosting_describe(struct manager *m, char *text, size_t size)
{
	const struct cpu_set_bits *cpus = &config_host(m->config)->booster_cpus;
	struct booster_totals totals = {0};
	char list[128] = "any";

	booster_read_totals(m->booster, &totals);
	if (!cpu_set_bits_empty(cpus))
		cpulist_format(cpus, list, sizeof(list));
	snprintf(text, size, "%swaits by %s, on CPUs: %s",
	         m->booster_realtime ? "" : "without a real-time priority; ",
	         totals.wait == BOOSTER_WAIT_IO_URING ? "io_uring" : "epoll", list);
	if (totals.wait_error < 0) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "; io_uring: %s",
		         strerror(-totals.wait_error));
	}
}
