// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/startup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/regions_left.h"
#include "daemon/report_tracer.h"
#include "daemon/runtime_lock.h"
#include "daemon/usable_config.h"
#include "trace/host.h"
#include "util/log.h"
#include "util/log_ids.h"
#include "util/memory.h"
#include "util/preempt_rt.h"
#include "util/procfs.h"

/*
 * A thread of ours that computes this long at real-time priority without a sleep is ended by the
 * kernel (SIGXCPU, then SIGKILL), and the guardian gives everything back.
 */
#define RT_RUN_MAX_US      200000
#define RT_RUN_HARD_MAX_US 400000

static int make_directory(const char *path, char *why)
{
	int r;

	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	r = -errno;
	snprintf(why, STARTUP_WHY_MAX, "%s can't be made: %s", path, strerror(-r));
	return r;
}

int startup_directories(const struct options *options, char *why)
{
	int r = make_directory(options->runtime_dir, why);
	pid_t holder;

	if (r == 0)
		r = make_directory(options->state_dir, why);
	if (r < 0)
		return r;
	r = runtime_lock(options->runtime_dir, &holder);
	if (r == -EWOULDBLOCK && holder > 0)
		snprintf(why, STARTUP_WHY_MAX, "%s/lock: another pvschedd runs, with pid %d",
		         options->runtime_dir, holder);
	else if (r < 0)
		snprintf(why, STARTUP_WHY_MAX, "%s/lock: %s", options->runtime_dir,
		         r == -EWOULDBLOCK ? "another pvschedd runs" : strerror(-r));
	return r;
}

int startup_config(const struct options *options, struct config **ret, char *why)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CONFIG_REFUSED};
	char error[512] = "";
	int r = usable_config_load(options->config_path, ret, error, sizeof(error));

	if (r == 0)
		return 0;
	if (options->config_given) {
		snprintf(why, STARTUP_WHY_MAX, "%s", error);
		return r;
	}
	/* a boot must not fail for a word in a file: observe, and say so loudly */
	if (r == -ENOENT)
		log_notice("%s does not exist: everything is observed, nothing boosted",
		           options->config_path);
	else
		log_write(LOG_ERR, &ctx, "%s; everything is observed, nothing boosted", error);
	*ret = config_default();
	return *ret ? 0 : -ENOMEM;
}

int startup_cgroup(struct cgroup_cpu *ret)
{
	int r = cgroup_cpu_find(ret);

	if (r < 0)
		log_warning("no hierarchy of the cpu controller is found (%s): CFS quotas are not "
		            "seen, and RT budgets not granted",
		            r == -ENOENT ? "none is mounted whole" : strerror(-r));
	else
		log_info("the hierarchy of the cpu controller (cgroup v%d) is at %s",
		         ret->kind == PROCFS_CGROUP_V1 ? 1 : 2, ret->mount);
	return r;
}

int startup_ledger(const struct options *options, const struct cgroup_cpu *cgroup,
                   struct ledger **ret, unsigned int *recovered, char *why)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_RECOVERED_AT_START};
	struct ledger_result result;
	struct regions_left regions;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/ledger", options->runtime_dir);
	r = ledger_open(path, ret);
	if (r < 0) {
		snprintf(why, STARTUP_WHY_MAX, "%s/ledger can't be opened: %s",
		         options->runtime_dir, ledger_strerror(r));
		return r;
	}
	if (r == LEDGER_REPLACED)
		log_warning("%s was not valid and was put aside as %s.bad", path, path);
	ledger_take_over(*ret);
	ledger_set_mount(*ret, cgroup ? cgroup->mount : NULL);
	ledger_restore(*ret, &result);
	*recovered = result.restored;
	if (result.restored + result.foreign + result.gone + result.failed + result.invalid)
		log_write(LOG_WARNING, &ctx,
		          "left by an earlier run: %u given back, %u changed by others since, %u "
		          "gone, %u failed, %u not valid",
		          result.restored, result.foreign, result.gone, result.failed,
		          result.invalid);
	regions_left_end(*ret, &regions);
	if (regions.ended + regions.stuck)
		log_notice("left by an earlier run: %u regions of guest pages ended, %u not "
		           "reached",
		           regions.ended, regions.stuck);
	return 0;
}

int startup_state(const struct options *options, struct state **ret, bool *unclean, char *why)
{
	char warning[512];
	int r = state_open(ret, options->runtime_dir, options->state_dir, warning, sizeof(warning));

	if (r < 0) {
		snprintf(why, STARTUP_WHY_MAX, "%s can't be read: %s", options->state_dir,
		         strerror(-r));
		return r;
	}
	if (warning[0])
		log_warning("%s; put aside, policies set with --persist are lost", warning);
	r = state_begin(*ret, unclean);
	if (r < 0)
		log_error("%s/running can't be written: %s; should pvschedd be killed, the circuit "
		          "breaker will not count it",
		          options->runtime_dir, strerror(-r));
	if (*unclean)
		log_notice("the last pvschedd did not end by itself");
	return 0;
}

/* Without a tracer there are accounts all the same; nothing is written to them. */
static int accounts_alloc(const struct pvs_bucket_rule *cpu_rule, struct accounts *accounts)
{
	*accounts = (struct accounts){
	        .vcpus = calloc(PVS_VCPUS_MAX, sizeof(*accounts->vcpus)),
	        .domains = calloc(PVS_DOMAINS_MAX, sizeof(*accounts->domains)),
	        .cpus = calloc(PVS_CPUS_MAX, sizeof(*accounts->cpus)),
	        .cpu_rule = calloc(1, sizeof(*accounts->cpu_rule)),
	        .prices = calloc(1, sizeof(*accounts->prices)),
	};
	if (!accounts->vcpus || !accounts->domains || !accounts->cpus || !accounts->cpu_rule ||
	    !accounts->prices)
		return -ENOMEM;
	account_set_cpu_rule(accounts, cpu_rule);
	return 0;
}

void startup_accounts_free(struct accounts *accounts)
{
	free(accounts->vcpus);
	free(accounts->domains);
	free(accounts->cpus);
	free(accounts->cpu_rule);
	free(accounts->prices);
	*accounts = (struct accounts){0};
}

int startup_tracer(const struct pvs_bucket_rule *cpu_rule, struct tracer **ret,
                   struct accounts *accounts, char *tracer_why)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_TRACER_REFUSED};

	if (tracer_check_host("", tracer_why, 512) == 0 &&
	    tracer_new(ret, cpu_rule, tracer_why, 512) == 0) {
		*accounts = (struct accounts){
		        .vcpus = tracer_vcpus(*ret),
		        .domains = tracer_domains(*ret),
		        .cpus = tracer_cpus(*ret),
		        .cpu_rule = tracer_cpu_rule(*ret),
		        .prices = tracer_prices(*ret),
		        .helpers = tracer_helpers(*ret),
		        .moved = tracer_moved(*ret),
		        .events_lost = tracer_events_lost(*ret),
		};
		report_tracer_start(*ret);
		return 0;
	}
	*ret = NULL;
	log_write(LOG_ERR, &ctx,
	          "no tracer: %s; domains are listed, nothing is measured or boosted", tracer_why);
	return accounts_alloc(cpu_rule, accounts);
}

/*
 * On PREEMPT_RT soft timers and ring-buffer wake-ups run in threads at low priority: below a
 * boosted vCPU, which would so keep away the very thing that ends its boost.
 */
bool startup_is_preempt_rt(void)
{
	enum preempt_rt found = preempt_rt_look("");

	if (found == PREEMPT_RT_NO)
		return false;
	log_warning("%s: everything is observed, nothing boosted",
	            found == PREEMPT_RT_YES ? "this is a PREEMPT_RT kernel"
	                                    : "/proc/sys/kernel/version cannot be read, and it "
	                                      "says whether this is a PREEMPT_RT kernel");
	return true;
}

void startup_limit_self(void)
{
	struct rlimit limit = {.rlim_cur = RT_RUN_MAX_US, .rlim_max = RT_RUN_HARD_MAX_US}, files;
	int r;

	setrlimit(RLIMIT_RTTIME, &limit);
	/* two for each vCPU, and those of guest pages; a shell's default is 1024 */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* what the booster touches is touched now; what comes later is the main thread's */
	r = memory_lock();
	if (r < 0)
		log_notice("memory can't be locked (%s): a boost may wait for the disk",
		           strerror(-r));
}

int startup_event_loop(sd_event **ret, sd_event_signal_handler_t on_reload, void *userdata)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(ret);
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGHUP, on_reload, userdata);
	return MIN(r, 0);
}
