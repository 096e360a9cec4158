// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "control/control.h"
#include "daemon/booster_setup.h"
#include "daemon/cpu_caps.h"
#include "daemon/engine.h"
#include "daemon/note_handler.h"
#include "daemon/publish.h"
#include "daemon/reader_process.h"
#include "daemon/requests.h"
#include "daemon/softirq_threads.h"
#include "daemon/startup.h"
#include "daemon/usable_config.h"
#include "daemon/views.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/log_ids.h"

struct daemon {
	struct options options;
	char why[STARTUP_WHY_MAX]; /* a step of the construction failed; "": errno says it */
	sd_event *event;
	struct config *config;
	struct ledger *ledger;
	struct state *state;
	struct sched_boost boost; /* what the booster gives: fixed at its start */
	struct reader_process *reader;
	struct switches *switches;
	struct guard *guard;
	struct cgroup_cpu cgroup_cpu;
	const struct cgroup_cpu *cgroup; /* NULL: there is none */
	struct tracer *tracer;           /* NULL: tracer_why */
	char tracer_why[512];
	uint32_t sheet_permille; /* what a CPU's sheet holds on this kernel */
	struct accounts accounts;
	struct booster *booster;
	struct pass *pass; /* NULL: not yet */
	struct domains *domains;
	struct engine *engine; /* NULL: not yet */
	struct note_handler *notes;
	struct views views;
	struct publish *publish;
	struct requests requests;
	struct control_server *control;
};

/* ---- news of the parts ---- */

static int make_pass(void *userdata)
{
	struct daemon *d = userdata;

	return d->engine ? engine_run(d->engine, switches_now(d->switches)) : 0;
}

static void on_switches_changed(void *userdata)
{
	struct daemon *d = userdata;

	if (d->pass)
		pass_changed(d->pass);
}

static void on_guarded(void *userdata, bool guarded)
{
	struct daemon *d = userdata;

	switches_set_guarded(d->switches, guarded);
	if (!guarded)
		pass_now(d->pass);
}

static void on_guard_renewed(void *userdata)
{
	struct daemon *d = userdata;

	if (!d->engine)
		return;
	rt_grants_forget_all(d->engine->grants);
	domains_rescan_all(d->domains);
}

static void on_override_ended(void *userdata, const struct policy_entry *policy)
{
	struct daemon *d = userdata;

	pass_now(d->pass);
	log_info("domain \"%s\": the policy set for a time, profile %s, has ended",
	         policy->name[0] ? policy->name : policy->uuid, policy->profile);
}

/* ---- configuration ---- */

/* Hands the configuration to every part that reads it. */
static int configure(struct daemon *d)
{
	const struct config_host *host = config_host(d->config);

	d->views.config = d->config;
	domains_configure(d->domains, host);
	engine_configure(d->engine, d->config);
	switches_configure(d->switches, host->enabled);
	return publish_configure(d->publish, host);
}

/* Takes the configuration over. */
static void reconfigure(struct daemon *d, struct config *config)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CONFIG_LOADED};
	struct config *before = d->config;
	int r;

	d->config = config;
	cpu_caps_apply(&d->accounts, d->sheet_permille, &config_host(config)->caps);
	booster_set_caps(d->booster, &config_host(config)->caps);
	r = configure(d);
	if (r < 0)
		log_warning("summaries or the metrics file can't be begun: %s", strerror(-r));
	domains_rescan_all(d->domains);
	r = domains_rediscover(d->domains, config_host(before), config_host(config));
	if (r < 0)
		log_error("domains can't be looked for: %s; start pvschedd again", strerror(-r));
	pass_now(d->pass);
	log_write(LOG_INFO, &ctx, "%s: loaded, %zu file(s)", d->options.config_path,
	          config_n_files(config));
	booster_setup_configure(d->booster, &d->boost, config_host(before), config_host(config));
	config_free(before);
}

/* Reads the configuration anew. On an error the old one stays; @error says why. */
static int reload(void *userdata, char *error, size_t size)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_CONFIG_REFUSED};
	struct daemon *d = userdata;
	struct config *config;
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ns() / NSEC_PER_USEC);
	r = usable_config_load(d->options.config_path, &config, error, size);
	if (r == -ENOENT && !d->options.config_given) {
		config = config_default();
		r = config ? 0 : -ENOMEM;
	}
	if (r < 0)
		log_write(LOG_ERR, &ctx, "%s; the configuration stays as it was", error);
	else
		reconfigure(d, config);
	sd_notify(0, "READY=1");
	return r;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	char error[512];

	(void)source, (void)si;
	reload(userdata, error, sizeof(error)); /* says itself how it went */
	return 0;
}

/* ---- construction: steps, in the order in which the parts need each other ---- */

/* Before there is a lock or a ledger, and before any thread exists. */
static int begin_reader(struct daemon *d)
{
	int r = reader_process_new(&d->reader, d->options.pve_dir);

	if (r < 0)
		snprintf(d->why, sizeof(d->why), "memory for the reader can't be had: %s",
		         strerror(-r));
	return r;
}

/* What must be there before any other process or thread but the reader. */
static int begin_files(struct daemon *d)
{
	bool unclean = false;
	int r = startup_directories(&d->options, d->why);

	d->views.cgroup_error = startup_cgroup(&d->cgroup_cpu);
	if (d->views.cgroup_error == 0)
		d->cgroup = &d->cgroup_cpu;
	if (r == 0)
		r = startup_config(&d->options, &d->config, d->why);
	if (r == 0)
		r = startup_ledger(&d->options, d->cgroup, &d->ledger, &d->views.recovered, d->why);
	if (r == 0)
		r = startup_state(&d->options, &d->state, &unclean, d->why);
	if (r < 0)
		return r;
	d->boost = booster_setup_boost(config_host(d->config));
	r = switches_new(&d->switches, d->state, on_switches_changed, d);
	if (r < 0)
		return r;
	if (unclean)
		switches_unclean_end(d->switches);
	switches_configure(d->switches, config_host(d->config)->enabled);
	return 0;
}

/* Before any thread exists: a fork takes only the calling one along. */
static int begin_guard(struct daemon *d)
{
	struct guard_news news = {
	        .guarded = on_guarded, .renewed = on_guard_renewed, .userdata = d};
	int r = guard_new(&d->guard, d->ledger, d->boost.priority, &news);

	if (r == 0)
		switches_set_guarded(d->switches, guard_answers(d->guard));
	return r;
}

static int begin_loop(struct daemon *d)
{
	int r = startup_event_loop(&d->event, on_reload, d);

	if (r == 0)
		r = pass_new(&d->pass, d->event, make_pass, d);
	if (r >= 0)
		r = switches_attach(d->switches, d->event);
	if (r >= 0)
		r = reader_process_attach(d->reader, d->event);
	return MIN(r, 0);
}

static int begin_control(struct daemon *d)
{
	struct control_ops ops = {.handle = requests_handle, .userdata = &d->requests};
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/control.sock", d->options.runtime_dir);
	r = control_server_new(&d->control, d->event, path, "pvsched", &ops);
	if (r < 0)
		snprintf(d->why, sizeof(d->why), "%.600s: %s", path, strerror(-r));
	return r;
}

static int begin_tracer(struct daemon *d)
{
	const struct host_caps *caps = &config_host(d->config)->caps;
	struct pvs_bucket_rule rule = cpu_caps_rule(caps);
	struct kernel_net net;
	int r;

	if (startup_is_preempt_rt())
		switches_set_preempt_rt(d->switches);
	r = startup_tracer(&rule, &d->tracer, &d->accounts, d->tracer_why);
	switches_set_tracer(d->switches, d->tracer != NULL);
	if (r < 0)
		return r;
	kernel_net_look("", &net);
	d->sheet_permille = cpu_caps_sheet_permille(&net);
	cpu_caps_apply(&d->accounts, d->sheet_permille, caps);
	return guard_attach(d->guard, d->event, d->tracer);
}

static int begin_booster(struct daemon *d, uint32_t holds)
{
	struct booster_setup setup = {
	        .host = config_host(d->config),
	        .accounts = &d->accounts,
	        .ledger = d->ledger,
	        .board = reader_process_board(d->reader),
	        .tracer = d->tracer,
	        .holds = holds,
	};
	int r = booster_setup_start(&d->booster, &setup);

	if (r < 0) {
		snprintf(d->why, sizeof(d->why), "the booster can't be started: %s", strerror(-r));
		return r;
	}
	switches_set_booster(d->switches, r != BOOSTER_NOT_REALTIME);
	return 0;
}

/* @holds: those that the booster was started with. */
static int begin_domains(struct daemon *d, uint32_t holds)
{
	struct domains_options options = {
	        .event = d->event,
	        .pass = d->pass,
	        .reader = d->reader,
	        .ledger = d->ledger,
	        .cgroup = d->cgroup,
	        .libvirt_uri = d->options.libvirt_uri,
	        .override_ended = on_override_ended,
	        .userdata = d,
	};
	struct engine_parts parts = {
	        .event = d->event,
	        .pass = d->pass,
	        .state = d->state,
	        .booster = d->booster,
	        .ledger = d->ledger,
	        .tracer = d->tracer,
	        .accounts = &d->accounts,
	        .cgroup = d->cgroup,
	        .priority = d->boost.priority,
	        .holds = holds,
	        .sheet_permille = d->sheet_permille,
	        .views = &d->views,
	};
	int r = domains_new(&d->domains, &options);

	if (r < 0)
		return r;
	parts.domains = d->domains;
	return engine_new(&d->engine, &parts);
}

static void begin_views(struct daemon *d)
{
	d->views = (struct views){
	        .config = d->config,
	        .inventory = &d->domains->inventory,
	        .planning = d->engine->planning,
	        .apply = d->engine->apply,
	        .changes = d->engine->changes,
	        .trials = d->engine->trials,
	        .overrides = d->domains->overrides,
	        .state = d->state,
	        .lifecycle = d->domains->lifecycle,
	        .carriers = d->domains->carriers,
	        .agents = d->domains->agents,
	        .helpers = d->engine->helpers,
	        .followers = d->engine->followers,
	        .standing = d->engine->standing,
	        .clamps = d->engine->clamps,
	        .avoid = d->engine->avoid,
	        .comparing = d->engine->comparing,
	        .costs = d->engine->costs,
	        .evaluations = d->engine->evaluations,
	        .switches = d->switches,
	        .guard = d->guard,
	        .reader = d->reader,
	        .hints = d->domains->hints,
	        .discovery = d->domains->discovery,
	        .booster = d->booster,
	        .accounts = &d->accounts,
	        .tracer = d->tracer,
	        .tracer_why = d->tracer_why,
	        .sheet_permille = d->sheet_permille,
	        .cgroup = d->cgroup,
	        .cgroup_error = d->views.cgroup_error,
	        .started_ns = clock_now_ns(),
	        .recovered = d->views.recovered,
	};
	d->requests = (struct requests){
	        .views = &d->views,
	        .domains = d->domains,
	        .switches = d->switches,
	        .state = d->state,
	        .guard = d->guard,
	        .leases = d->engine->leases,
	        .pass = d->pass,
	        .reload = reload,
	        .userdata = d,
	};
}

/* What reads all that, and the first look at the host. */
static int begin_work(struct daemon *d)
{
	struct note_handler_parts parts = {
	        .event = d->event,
	        .booster = d->booster,
	        .ledger = d->ledger,
	        .tracer = d->tracer,
	        .cgroup = d->cgroup,
	        .domains = d->domains,
	        .engine = d->engine,
	        .switches = d->switches,
	};
	int r;

	begin_views(d);
	r = publish_new(&d->publish, d->event, &d->views);
	d->requests.tally = publish_tally(d->publish);
	if (r == 0)
		r = configure(d);
	if (r == 0)
		r = note_handler_new(&d->notes, &parts);
	if (r < 0)
		return r;
	pass_now(d->pass);
	if (d->tracer && softirq_threads_find(d->tracer) < 0)
		log_notice("the kernel's softirq threads were not all found");
	r = domains_discover(d->domains, config_host(d->config));
	return r == 0 ? guard_watchdog(d->guard, d->booster) : r;
}

static int construct(struct daemon *d)
{
	uint32_t holds;
	int r = begin_reader(d);

	if (r == 0)
		r = begin_files(d);
	if (r == 0)
		r = begin_guard(d);
	if (r == 0)
		r = begin_loop(d);
	if (r == 0)
		r = begin_control(d);
	if (r == 0)
		r = begin_tracer(d);
	if (r < 0)
		return r;
	holds = plan_host_holds(switches_now(d->switches));
	r = begin_booster(d, holds);
	if (r < 0)
		return r;
	startup_limit_self();
	r = begin_domains(d, holds);
	return r < 0 ? r : begin_work(d);
}

int daemon_new(struct daemon **ret, const struct options *options)
{
	struct daemon *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (d) {
		d->options = *options;
		r = construct(d);
	}
	if (r < 0) {
		log_error("pvschedd can't start: %s", d && d->why[0] ? d->why : strerror(-r));
		daemon_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

int daemon_run(struct daemon *d)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_DAEMON_READY};
	int r;

	log_write(LOG_NOTICE, &ctx,
	          "pvschedd %s is ready: tracer %s, guardian %s, proc connector %s, boosting %s",
	          PVSCHEDD_VERSION, d->tracer ? "ok" : "missing",
	          guard_answers(d->guard) ? "ok" : "missing",
	          hints_ok(d->domains->hints) ? "ok" : "missing",
	          apply_holds(d->engine->apply) ? "off" : "on");
	sd_notify(0, "READY=1\nSTATUS=Managing the vCPUs of running domains");
	r = sd_event_loop(d->event);
	sd_notify(0, "STOPPING=1");
	log_info("leaving: everything is given back");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Gives back what is boosted, and ends guest pages: a pass with no domain does that. */
static void give_back(struct daemon *d)
{
	if (!d->engine)
		return;
	domains_clear(d->domains);
	pass_now(d->pass);
}

struct daemon *daemon_free(struct daemon *d)
{
	if (!d)
		return NULL;
	control_server_free(d->control);
	publish_free(d->publish);
	give_back(d);
	note_handler_free(d->notes);
	booster_stop(d->booster);
	domains_free(d->domains);
	reader_process_free(d->reader);
	guard_free(d->guard);
	switches_free(d->switches);
	engine_free(d->engine);
	pass_free(d->pass);
	if (d->tracer)
		tracer_free(d->tracer);
	else
		startup_accounts_free(&d->accounts);
	sd_event_unref(d->event);
	if (d->state && state_end_cleanly(d->state) < 0)
		log_error("%s/running can't be removed: the next start takes this end for unclean",
		          d->options.runtime_dir);
	state_free(d->state);
	ledger_finish(d->ledger);
	config_free(d->config);
	free(d);
	return NULL;
}
