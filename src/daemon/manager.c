// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/manager.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/runtime_lock.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/procfs.h"
#include "util/log_ids.h"

/*
 * A thread of ours that computes this long at real-time priority without a sleep is ended by the
 * kernel (SIGXCPU, then SIGKILL), and the guardian gives everything back.
 */
#define RT_RUN_MAX_US      200000
#define RT_RUN_HARD_MAX_US 400000

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct manager *m = userdata;
	char error[512];

	(void)source;
	(void)si;
	manager_reload(m, error, sizeof(error)); /* says itself how it went */
	return 0;
}

static struct pvs_bucket_rule cpu_rule(const struct manager *m)
{
	const struct host_caps *caps = &config_host(m->config)->caps;

	return (struct pvs_bucket_rule){
	        .burst_ns = caps->cpu_burst_ns,
	        .share_permille = caps->cpu_share_permille,
	};
}

int manager_reload(struct manager *m, char *error, size_t size)
{
	struct log_context ctx = {.vcpu = -1};
	bool discovery, only_processes;
	struct config *config, *before;
	struct pvs_bucket_rule rule;
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
	           (unsigned long long)(clock_now_ns() / NSEC_PER_USEC));
	r = boosting_load_config(m->options.config_path, &config, error, size);
	if (r == -ENOENT && !m->options.config_given) {
		config = config_default();
		r = config ? 0 : -ENOMEM;
	}
	if (r < 0) {
		ctx.message_id = LOG_ID_CONFIG_REFUSED;
		log_write(LOG_ERR, &ctx, "%s; the configuration stays as it was", error);
	} else {
		ctx.message_id = LOG_ID_CONFIG_LOADED;
		discovery = discovery_differs(config_host(m->config), config_host(config),
		                              &only_processes);
		before = m->config;
		m->config = config;
		rule = cpu_rule(m);
		account_set_cpu_rule(&m->accounts, &rule);
		booster_set_caps(m->booster, &config_host(config)->caps);
		manager_apply(m);
		carriers_configure(m);
		if (discovery)
			discovery_restart(m, only_processes);
		summary_start(m);
		log_write(LOG_INFO, &ctx, "%s: loaded, %zu file(s)", m->options.config_path,
		          config_n_files(config));
		boosting_configure(m, config_host(before));
		config_free(before);
	}
	sd_notify(0, "READY=1");
	return r;
}

bool manager_switched_off(const struct manager *m)
{
	return state_disabled(m->state) || !config_host(m->config)->enabled;
}

void manager_hold(struct manager *m, enum policy_reason reason, bool on)
{
	uint32_t holds = on ? m->holds | POLICY_HOLD(reason) : m->holds & ~POLICY_HOLD(reason);

	if (holds == m->holds)
		return;
	m->holds = holds;
	if (m->booster)
		booster_hold_all(m->booster, holds);
	if (on && reason == POLICY_REASON_BREAKER) {
		struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CIRCUIT_BREAKER};

		log_write(LOG_ERR, &ctx,
		          "%d unclean ends in ten minutes: nothing is boosted until "
		          "`pvschedctl enable`",
		          STATE_BREAKER_ENDS);
	}
}

void manager_apply(struct manager *m)
{
	bool off = manager_switched_off(m);

	/* lowered before RT budgets are withdrawn, raised after they were granted */
	if (off)
		manager_hold(m, POLICY_REASON_DISABLED, true);
	terms_apply(m);
	if (!off)
		manager_hold(m, POLICY_REASON_DISABLED, false);
	for (struct managed_domain *d = m->domains; d; d = d->next)
		domains_rescan(m, d);
}

/* ---- construction, in the order in which the parts need each other ---- */

static int make_directory(const char *path)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	log_error("%s can't be made: %s", path, strerror(errno));
	return -errno;
}

static int lock_runtime(const struct options *options)
{
	int r = runtime_lock(options->runtime_dir);

	if (r < 0)
		log_error("%s/lock: %s", options->runtime_dir,
		          r == -EWOULDBLOCK ? "another pvschedd runs" : strerror(-r));
	return r;
}

static int load_config(struct manager *m)
{
	char error[512] = "";
	int r = boosting_load_config(m->options.config_path, &m->config, error, sizeof(error));

	if (r == 0)
		return 0;
	if (r == -ENOENT && !m->options.config_given) {
		log_notice("%s does not exist: everything is observed, nothing boosted",
		           m->options.config_path);
	} else if (m->options.config_given) {
		log_error("%s", error);
		return r;
	} else {
		/* a boot must not fail for a word in a file: observe, and say so loudly */
		struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CONFIG_REFUSED};

		log_write(LOG_ERR, &ctx, "%s; everything is observed, nothing boosted", error);
	}
	m->config = config_default();
	return m->config ? 0 : -ENOMEM;
}

static int open_ledger(struct manager *m)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_RECOVERED_AT_START};
	struct ledger_result result;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/ledger", m->options.runtime_dir);
	r = ledger_open(path, &m->ledger);
	if (r < 0) {
		log_error("%s can't be opened: %s", path, ledger_strerror(r));
		return r;
	}
	if (r == LEDGER_REPLACED)
		log_warning("%s was not valid and was put aside as %s.bad", path, path);
	ledger_take_over(m->ledger);
	ledger_restore(m->ledger, &result);
	m->recovered = result.restored;
	if (result.restored + result.foreign + result.gone + result.failed + result.invalid)
		log_write(LOG_WARNING, &ctx,
		          "left by an earlier run: %u given back, %u changed by others since, %u "
		          "gone, %u failed, %u not valid",
		          result.restored, result.foreign, result.gone, result.failed,
		          result.invalid);
	return 0;
}

static int open_state(struct manager *m)
{
	char warning[512];
	int r = state_open(&m->state, m->options.runtime_dir, m->options.state_dir, warning,
	                   sizeof(warning));

	if (r < 0) {
		log_error("%s can't be read: %s", m->options.state_dir, strerror(-r));
		return r;
	}
	if (warning[0])
		log_warning("%s; put aside, policies set with --persist are lost", warning);
	if (state_begin(m->state, clock_now_ns()))
		log_notice("the last pvschedd did not end by itself");
	manager_hold(m, POLICY_REASON_BREAKER, state_breaker_open(m->state));
	manager_hold(m, POLICY_REASON_DISABLED, manager_switched_off(m));
	return 0;
}

/* Without a tracer there are accounts all the same; nothing is written to them. */
static int open_tracer(struct manager *m)
{
	static struct pvs_bucket_rule unused_rule;
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_TRACER_REFUSED};
	struct pvs_bucket_rule rule = cpu_rule(m);

	if (tracer_new(&m->tracer, &rule, m->tracer_why, sizeof(m->tracer_why)) == 0) {
		m->accounts = (struct accounts){
		        .vcpus = tracer_vcpus(m->tracer),
		        .domains = tracer_domains(m->tracer),
		        .cpus = tracer_cpus(m->tracer),
		        .cpu_rule = tracer_cpu_rule(m->tracer),
		        .helpers = tracer_helpers(m->tracer),
		};
		report_tracer_start(m->tracer);
		return 0;
	}
	log_write(LOG_ERR, &ctx,
	          "no tracer: %s; domains are listed, nothing is measured or boosted",
	          m->tracer_why);
	manager_hold(m, POLICY_REASON_NO_TRACER, true);
	unused_rule = rule;
	m->accounts = (struct accounts){
	        .vcpus = calloc(PVS_VCPUS_MAX, sizeof(*m->accounts.vcpus)),
	        .domains = calloc(PVS_DOMAINS_MAX, sizeof(*m->accounts.domains)),
	        .cpus = calloc(PVS_CPUS_MAX, sizeof(*m->accounts.cpus)),
	        .cpu_rule = &unused_rule,
	};
	return m->accounts.vcpus && m->accounts.domains && m->accounts.cpus ? 0 : -ENOMEM;
}

/*
 * On PREEMPT_RT soft timers and ring-buffer wake-ups run in threads at low priority: below a
 * boosted vCPU, which would so keep away the very thing that ends its boost.
 */
static void check_preempt_rt(struct manager *m)
{
	char text[8];
	ssize_t n = procfs_read_file("/sys/kernel/realtime", text, sizeof(text));

	if (n < 1 || text[0] != '1')
		return;
	log_warning("this is a PREEMPT_RT kernel: everything is observed, nothing boosted");
	manager_hold(m, POLICY_REASON_PREEMPT_RT, true);
}

static int start_loop(struct manager *m)
{
	struct control_ops ops = {.handle = requests_handle, .userdata = m};
	char path[4096];
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&m->event);
	if (r >= 0)
		r = sd_event_add_signal(m->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(m->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(m->event, NULL, SIGHUP, on_reload, m);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/control.sock", m->options.runtime_dir);
	r = control_server_new(&m->control, m->event, path, "pvsched", &ops);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r;
}

static void limit_self(void)
{
	struct rlimit limit = {.rlim_cur = RT_RUN_MAX_US, .rlim_max = RT_RUN_HARD_MAX_US}, files;
	int r;

	setrlimit(RLIMIT_RTTIME, &limit);
	/* two for each vCPU, and those of guest pages; who starts us by hand has 1024 */
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

static int construct(struct manager *m)
{
	int r = make_directory(m->options.runtime_dir);

	if (r == 0)
		r = make_directory(m->options.state_dir);
	if (r == 0)
		r = lock_runtime(&m->options);
	if (r == 0)
		r = load_config(m);
	if (r < 0)
		return r;
	m->boost.policy = config_host(m->config)->round_robin ? SCHED_RR : SCHED_FIFO;
	m->boost.priority = (uint32_t)config_host(m->config)->rt_priority;
	r = open_ledger(m);
	if (r == 0)
		r = open_state(m);
	if (r < 0)
		return r;
	/* before any thread exists: a fork takes only the calling one along */
	r = guard_start(m);
	if (r < 0) {
		log_error("the guardian can't be started: %s; nothing is boosted until one is",
		          strerror(-r));
		manager_hold(m, POLICY_REASON_GUARDIAN, true);
	}
	return 0;
}

static int construct_loop(struct manager *m)
{
	int r;

	m->has_cgroup = cgroup_cpu_find(&m->cgroup) == 0;
	check_preempt_rt(m);
	r = start_loop(m);
	if (r == 0)
		r = open_tracer(m);
	if (r == 0)
		r = guard_attach(m);
	if (r == 0)
		r = boosting_start(m);
	if (r < 0)
		return r;
	limit_self();
	r = carriers_start(m);
	if (r >= 0)
		r = sources_start(m);
	if (r >= 0)
		r = summary_start(m);
	if (r >= 0)
		r = guard_watchdog(m);
	return r;
}

int manager_new(struct manager **ret, const struct options *options)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->options = *options;
	m->started_ns = clock_now_ns();
	r = construct(m);
	if (r >= 0)
		r = construct_loop(m);
	if (r < 0) {
		log_error("pvschedd can't start: %s", strerror(-r));
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

int manager_run(struct manager *m)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_DAEMON_READY};
	int r;

	log_write(LOG_NOTICE, &ctx,
	          "pvschedd %s is ready: tracer %s, guardian %s, proc connector %s, boosting %s",
	          PVSCHEDD_VERSION, m->tracer ? "ok" : "missing",
	          guard_answers(m) ? "ok" : "missing", m->procconn ? "ok" : "missing",
	          m->holds ? "off" : "on");
	sd_notify(0, "READY=1\nSTATUS=Looking after the vCPUs of running domains");
	r = sd_event_loop(m->event);
	sd_notify(0, "STOPPING=1");
	log_info("leaving: everything is given back");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	m->control = control_server_free(m->control);
	if (m->booster)
		domains_free_all(m);
	m->booster = booster_stop(m->booster);
	if (m->virt || m->processes || m->procconn)
		sources_stop(m);
	m->carrier_search = carrier_search_free(m->carrier_search);
	m->guardian_child = sd_event_source_disable_unref(m->guardian_child);
	sd_event_source_disable_unref(m->guardian_retry);
	sd_event_source_disable_unref(m->summary_timer);
	m->guardian = guardian_stop(m->guardian);
	if (m->tracer) {
		tracer_free(m->tracer);
	} else {
		free(m->accounts.vcpus);
		free(m->accounts.domains);
		free(m->accounts.cpus);
	}
	sd_event_unref(m->event);
	if (m->state)
		state_end_cleanly(m->state);
	state_free(m->state);
	ledger_finish(m->ledger);
	config_free(m->config);
	free(m);
	return NULL;
}
