/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The manager owns every part of the daemon and knows everybody; private to daemon/. One file for
 * each of its concerns:
 *   manager.c   construction, the loop, the end
 *   boosting.c  the booster's start, and configurations that it can't have here
 *   domains.c   what virt/ has seen -> slots, terms and holds of the booster
 *   choose.c    which profile a domain gets, and who says so
 *   terms.c     which share a domain's vCPUs get
 *   carriers.c  the guest pages of domains that have some; carrier_search.c: looking for them
 *   helpers.c   the threads that work for a domain
 *   discovery.c who finds domains, and whose they are
 *   sources.c   tracer, proc connector, notes of the booster
 *   guard.c     the guardian and the watchdog
 *   requests.c  the verbs of the control socket
 *   report.c    what is told: JSON; report_page.c: of guest pages; report_threads.c: of threads
 *               that are no vCPUs; report_interrupts.c; report_tracer.c: of the tracer's parts;
 *               report_doctor.c: what stands in the way
 *   summary.c   per-domain summaries in the journal
 */

#include <systemd/sd-event.h>

#include "boost/booster.h"
#include "boost/guardian.h"
#include "config/config.h"
#include "control/control.h"
#include "daemon/carrier_search.h"
#include "daemon/options.h"
#include "util/slots.h"
#include "daemon/state.h"
#include "guest/region.h"
#include "model/domain.h"
#include "trace/tracer.h"
#include "util/cgroup.h"
#include "virt/libvirt.h"
#include "virt/processes.h"
#include "virt/procconn.h"

/** A vCPU we look after. */
struct managed_vcpu {
	struct vcpu_thread thread;
	struct cpu_set_bits affinity;
	unsigned int slot; /* SLOT_NONE: not traced, its profile is off */
	uint32_t holds;    /* its own, as the booster was told */
	struct account_terms terms;
	uint32_t granted_permille; /* RT budget its cgroup has from us; 0: none */
	uint64_t page_generation;  /* of the guest page that its slot has; 0: none */
	bool refusal_logged;
	struct {
		uint64_t boosts, interrupts, used_ns, run_ns;
		uint64_t at_ns;
	} last_summary;
};

/** What became of what a domain's metadata asks for. */
enum metadata_use {
	METADATA_USE_NONE,      /* it asks for nothing */
	METADATA_USE_IGNORED,   /* host.metadata says so */
	METADATA_USE_INVALID,   /* managed_domain::metadata_error */
	METADATA_USE_OBSERVED,  /* host.metadata says so */
	METADATA_USE_OVERRULED, /* by command or by an entry of the configuration */
	METADATA_USE_HONOURED,
};

/** The memory that a domain's guest writes its requests to. */
struct managed_carrier {
	struct carrier *carrier; /* NULL: @problem, or @error */
	int problem;             /* enum carrier_problem; 0: none, or not looked for */
	int error;               /* -errno of the look */
	bool shared;             /* another domain has the same: nobody may use it */
	struct topology topology;
	uint32_t n_pages;
	uint32_t wanted_pages;    /* that a search was begun for */
	uint64_t generation;      /* that its region was begun as */
	bool stale;               /* its guest was reset since: that one is not heard any more */
	unsigned int looks_left;  /* whether it is there still, after a device came or went */
	sd_event_source *again;   /* the next of them */
	uint64_t losses_total;    /* it was cut off under us */
	uint64_t log_ns;          /* of the last line about it */
	unsigned int log_skipped; /* since then */
};

/** A domain we look after. */
struct managed_domain {
	struct managed_domain *next; /* manager::domains */
	struct domain *seen;
	unsigned int slot; /* of its account */
	bool migrating;
	sd_event_source *migration_timer; /* ends that, should nothing else */
	bool released;                    /* by command */
	char override[PROFILE_NAME_MAX];  /* profile set by command for now; "" if none */
	uint64_t override_until_ns;       /* 0: until changed */
	sd_event_source *override_timer;
	struct config_choice choice; /* what holds, and why */
	enum metadata_use metadata_use;
	char metadata_error[192]; /* METADATA_USE_INVALID: why; else "" */
	sd_event_source *death;   /* pidfd of QEMU */
	struct manager *manager;  /* for the two event sources */
	struct managed_carrier pages;
	size_t n_vcpus;
	struct managed_vcpu *vcpus;
	struct thread_id helpers[PVS_HELPERS_OF_DOMAIN]; /* that are watched; tid 0: none */
	bool room_logged;                                /* that vCPUs make room for these */
	uint64_t last_summary_sheds;
};

struct manager {
	struct options options;
	sd_event *event;
	struct config *config;
	struct state *state;
	struct ledger *ledger;
	uint64_t started_ns;
	unsigned int recovered; /* given back at start */

	struct guardian *guardian;
	sd_event_source *guardian_child;
	uint64_t guardian_started_ns;
	unsigned int guardian_failures; /* starts in vain, and deaths soon after one, in a row */
	sd_event_source *guardian_retry;
	sd_event_source *summary_timer;

	struct tracer *tracer;            /* NULL: tracer_why */
	sd_event_source *deadlines_retry; /* ends the hold of deadlines that the kernel refuses */
	char tracer_why[512];
	struct accounts accounts;
	struct booster *booster;
	struct sched_boost boost; /* what it gives: fixed at its start */
	bool booster_realtime;

	struct virt_source *virt; /* NULL: not configured */
	sd_event_source *virt_io;
	struct process_source *processes; /* NULL: not configured */
	sd_event_source *processes_io;
	bool virt_up;
	char virt_why[256];
	struct carrier_search *carrier_search;
	struct procconn *procconn; /* NULL: procconn_why */
	sd_event_source *procconn_io;
	char procconn_why[128];

	struct cgroup_cpu cgroup;
	bool has_cgroup;
	struct control_server *control;

	uint32_t holds; /* of everybody */
	struct managed_domain *domains;
	uint64_t domain_slots[PVS_DOMAINS_MAX / 64]; /* bitmaps of slots in use */
	uint64_t vcpu_slots[PVS_VCPUS_MAX / 64];
	uint64_t domains_refused; /* no slot left */
};

/* manager.c */

/** Sets everything up. Returns 0, or -errno after having logged why. */
int manager_new(struct manager **ret, const struct options *options);

/** Runs until a signal or an error ends it. Returns an exit status. */
int manager_run(struct manager *m);

/** Gives everything back and takes all down. Takes NULL; returns NULL. */
struct manager *manager_free(struct manager *m);

/** Reads the configuration anew. On an error the old one stays; @error, 512 bytes, says why. */
int manager_reload(struct manager *m, char *error, size_t size);

/** Is boosting switched off, by command or in the configuration? */
bool manager_switched_off(const struct manager *m);

/** Brings all domains in line with the configuration and the switch. */
void manager_apply(struct manager *m);

/** Sets or clears a hold of everybody. */
void manager_hold(struct manager *m, enum policy_reason reason, bool on);

/* domains.c */

/** A domain as virt/ saw it; takes it over. */
void domains_seen(struct manager *m, struct domain *seen, unsigned int causes);
void domains_gone(struct manager *m, enum domain_source source, const char *uuid);
struct managed_domain *domains_find(struct manager *m, const char *name_or_uuid);
struct managed_domain *domains_by_qemu(struct manager *m, pid_t pid);
struct managed_vcpu *domains_by_slot(struct manager *m, unsigned int slot,
                                     struct managed_domain **ret_domain);
void domains_free_all(struct manager *m);

/** Gives back and forgets what came from a source. */
void domains_drop_of(struct manager *m, enum domain_source source);

/** Looks again at what was believed foreign or refused in a domain. */
void domains_rescan(struct manager *m, struct managed_domain *d);

/* boosting.c */

/** As config_load(), and -EBADMSG for CPUs that the booster can't have on this host. */
int boosting_load_config(const char *path, struct config **ret, char *error, size_t size);

/** Starts the booster. Returns 0, or -errno. */
int boosting_start(struct manager *m);

/** The configuration is another one than @before. */
void boosting_configure(struct manager *m, const struct config_host *before);

/** Where it runs and how it waits, in a line. */
void boosting_describe(struct manager *m, char *text, size_t size);

/* choose.c */

/** Chooses the profile of a domain anew: fills in choice and what became of its metadata. */
void domain_choose(struct manager *m, struct managed_domain *d);

const char *metadata_use_name(enum metadata_use use);

/* terms.c */

/** Chooses profile and shares of all domains anew and tells the booster what changed. */
void terms_apply(struct manager *m);

/** Sets or ends a policy by command. @profile "" ends it. Returns 0, -ENOENT: no such profile. */
int terms_override(struct manager *m, struct managed_domain *d, const char *profile,
                   uint64_t for_ns);

/** Its thread is in another cgroup now: what the old one was granted is withdrawn. Before the new
 * is known. */
void terms_moved(struct manager *m, struct managed_vcpu *v);

/** A guardian gave everything back, RT budgets too: grants them again. */
void terms_grant_again(struct manager *m);

/** Ends the care for a vCPU: lowered, not traced any more, its RT budget withdrawn. */
void terms_end(struct manager *m, struct managed_vcpu *v);

/* carriers.c */

/** Once the loop is there. Returns 0, or -errno. */
int carriers_start(struct manager *m);

/** Looks for the carrier of a domain that has none yet; @again: also where there was none before.
 */
void carriers_find(struct manager *m, struct managed_domain *d, bool again);

/** A device of it came or went: that may have been its carrier. */
void carriers_device(struct manager *m, struct managed_domain *d);

/** Its guest was reset: what stands in its pages is of the past. */
void carriers_reset(struct manager *m, struct managed_domain *d);

/** Lets go of it. */
void carriers_drop(struct manager *m, struct managed_domain *d);

/** Gives every slot its page, and takes away those that hold no more. */
void carriers_apply(struct manager *m);

/** The configuration is another one. */
void carriers_configure(struct manager *m);

/** A page has another status: enum pvsched_status. */
void carriers_hello(struct managed_domain *d, const struct managed_vcpu *v, int status);

/** The booster could not read a page any more. */
void carriers_lost(struct manager *m, struct managed_domain *d);

/* helpers.c */

/** Has the threads watched that work for domains that are boosted, and no others. */
void helpers_apply(struct manager *m);

/** None of a domain's any more. */
void helpers_drop(struct manager *m, struct managed_domain *d);

/** A vCPU made room, for the first time, for the one at @place. */
void helpers_made_room(struct managed_domain *d, const struct managed_vcpu *v, int place);

/** How often vCPUs made room for those that are watched now. */
uint64_t helpers_sheds_total(const struct manager *m, const struct managed_domain *d);

/** What is known of such a thread; NULL: it is not watched. */
const struct pvs_helper_account *helpers_account(const struct manager *m,
                                                 const struct managed_domain *d,
                                                 const struct thread_id *id);

/* discovery.c */

/** Starts the sources that are configured and do not run. Returns 0 or more, or -errno. */
int discovery_start(struct manager *m);
void discovery_stop(struct manager *m);

/** Whether two configurations differ in who finds domains; @only_processes: in what is QEMU alone.
 */
bool discovery_differs(const struct config_host *a, const struct config_host *b,
                       bool *only_processes);

/** Starts anew with another configuration; domains are found again. */
void discovery_restart(struct manager *m, bool only_processes);

/** A thread of process @pid was named like a vCPU or an iothread. */
void discovery_hint(struct manager *m, pid_t pid);

/** Such news were lost. */
void discovery_hint_all(struct manager *m);

/** The threads of a domain changed, or it may be gone. */
void discovery_rescan(struct manager *m, const struct managed_domain *d);

/** The place of a source in the configuration: the lower one has a domain that both know. */
unsigned int discovery_rank(const struct manager *m, enum domain_source source);

/* sources.c */
int sources_start(struct manager *m);
void sources_stop(struct manager *m);

/* guard.c */

/** Starts a guardian; before any other thread, the first time. */
int guard_start(struct manager *m);

/** Ties it to the loop and the tracer, once there are these. */
int guard_attach(struct manager *m);

/** Does not wait any longer where the last ones died soon, or could not be started. */
void guard_try_now(struct manager *m);
int guard_watchdog(struct manager *m);
bool guard_answers(const struct manager *m);

/* requests.c */
int requests_handle(void *userdata, const struct control_request *request, struct cJSON **result,
                    char *error, size_t error_size);

/* report.c, report_doctor.c, report_page.c, report_threads.c */
struct cJSON *report_status(struct manager *m);
struct cJSON *report_list(struct manager *m);
struct cJSON *report_show(struct manager *m, struct managed_domain *d);
struct cJSON *report_explain(struct manager *m, struct managed_domain *d, int vcpu);
/** Boosts a vCPU, and says what came of it. */
struct cJSON *report_boost(struct manager *m, const struct managed_vcpu *v, uint64_t until_ns);
struct cJSON *report_policy(struct manager *m, struct managed_domain *d);
struct cJSON *report_doctor(struct manager *m);

/** What `show` tells of a domain's carrier, and of a vCPU's page. */
void report_carrier(const struct managed_domain *d, struct cJSON *object);
void report_page(const struct pages_view *page, struct cJSON *object);

/** What `show` tells of the threads that work for a domain. */
void report_helpers(const struct manager *m, const struct managed_domain *d, struct cJSON *object);

/** The name of a domain in a report: valid UTF-8, whatever it is. */
void report_name(const struct managed_domain *d, char *buffer, size_t size);

/* report_interrupts.c */

/** Adds what is known of a vCPU's interrupts and of its guest's spinning. */
void report_interrupts(const struct pvs_vcpu_account *account, const struct policy_view *view,
                       struct cJSON *object);

/** Adds what the policy made of them, and of a CPU whose bucket was empty. */
void report_signs(const struct policy_view *view, struct cJSON *object);

/** Adds the counts of the whole host. */
void report_interrupt_counts(const struct pvs_interrupt_counts *counts, struct cJSON *object);

/** How much of all interrupts it can see, as a sentence. */
void report_interrupts_seen(const struct tracer *tracer, const struct pvs_interrupt_counts *counts,
                            char *text, size_t size);

/* report_tracer.c */

/** What the tracer sees, and what is missing, as a sentence. */
void report_tracer_sources(const struct tracer *tracer, char *text, size_t size);

/** Adds "tracer_parts": which of them the kernel took, and what is lost without the others. */
void report_tracer_parts(const struct tracer *tracer, struct cJSON *root);

/** Says in the journal which parts the kernel refused. */
void report_tracer_start(const struct tracer *tracer);

/* summary.c */

/** Starts the interval, or starts it anew with another length. Returns 0, or -errno. */
int summary_start(struct manager *m);
