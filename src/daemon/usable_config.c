// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/usable_config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "boost/sched.h"
#include "util/cpulist.h"

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

/* In a thread that ends with it: one that was confined once is not as it was before. */
static int try_cpus(struct trial *trial)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, trial_main, trial);

	if (r)
		return -r;
	pthread_join(thread, NULL);
	return trial->result;
}

int usable_config_load(const char *path, struct config **ret, char *error, size_t size)
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
