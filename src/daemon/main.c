// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boost/ledger.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "daemon/regions_left.h"
#include "daemon/runtime_lock.h"
#include "daemon/usable_config.h"
#include "reader/reader.h"
#include "util/cgroup.h"
#include "util/log.h"

/* Exit statuses: 0, 1 failed, 2 usage; see pvschedd(8). */
#define EXIT_USAGE 2

static int check_config(const struct options *options)
{
	struct config *config = NULL;
	char error[512] = "";
	int r = usable_config_load(options->config_path, &config, error, sizeof(error));

	if (r < 0) {
		fprintf(stderr, "pvschedd: %s\n", error);
		return EXIT_FAILURE;
	}
	printf("%s: valid, %zu file(s)\n", options->config_path, config_n_files(config));
	config_free(config);
	return EXIT_SUCCESS;
}

/* Safe beside a guardian that does the same: what is given back once is not found again. */
static int restore(const struct options *options)
{
	struct ledger_result result;
	struct cgroup_cpu cgroup;
	struct regions_left regions;
	struct ledger *ledger;
	char path[4096];
	pid_t holder;
	int r = runtime_lock(options->runtime_dir, &holder);

	if (r == -ENOENT) {
		printf("nothing to give back: %s does not exist\n", options->runtime_dir);
		return EXIT_SUCCESS;
	}
	if (r < 0) {
		fprintf(stderr, "pvschedd: %s\n",
		        r == -EWOULDBLOCK ? "a pvschedd runs and manages its boosts itself; "
		                            "`pvschedctl release` gives them back"
		                          : strerror(-r));
		return EXIT_FAILURE;
	}
	snprintf(path, sizeof(path), "%s/ledger", options->runtime_dir);
	r = ledger_open(path, &ledger);
	if (r < 0) {
		fprintf(stderr, "pvschedd: %s: %s\n", path, ledger_strerror(r));
		return EXIT_FAILURE;
	}
	if (r == LEDGER_REPLACED)
		fprintf(stderr, "pvschedd: %s was not valid; put aside as %s.bad\n", path, path);
	if (cgroup_cpu_find(&cgroup) == 0)
		ledger_set_mount(ledger, cgroup.mount);
	ledger_restore(ledger, &result);
	printf("%u given back, %u changed by others since, %u gone, %u failed, %u not valid\n",
	       result.restored, result.foreign, result.gone, result.failed, result.invalid);
	regions_left_end(ledger, &regions);
	if (regions.ended + regions.gone + regions.stuck)
		printf("guest pages: %u regions ended, %u gone, %u not reached\n", regions.ended,
		       regions.gone, regions.stuck);
	ledger_finish(ledger);
	return result.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const struct options *options)
{
	struct daemon *daemon;
	int r = daemon_new(&daemon, options);

	if (r < 0)
		return EXIT_FAILURE;
	r = daemon_run(daemon);
	daemon_free(daemon);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;

	if (argc > 0 && strcmp(argv[0], READER_NAME) == 0)
		return reader_main(argc > 1 ? argv[1] : NULL);
	if (options_parse(argc, argv, &options) < 0)
		return EXIT_USAGE;
	if (options.verbose)
		log_set_level(LOG_DEBUG);
	switch (options.action) {
	case OPTIONS_RUN:
		return run(&options);
	case OPTIONS_CHECK_CONFIG:
		return check_config(&options);
	case OPTIONS_RESTORE:
		return restore(&options);
	case OPTIONS_VERSION:
		puts("pvschedd " PVSCHEDD_VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_HELP:
		fputs(options_help(), stdout);
		return EXIT_SUCCESS;
	}
	return EXIT_USAGE;
}
