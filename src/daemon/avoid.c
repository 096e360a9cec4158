// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/avoid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cgroup.h"
#include "util/clock.h"

#define CPU_WORDS (PVS_CPUS_MAX / 64)

/* Several timers that are due about now need one wake-up. */
#define ACCURACY_US 100000

/* A look that comes somewhat early counts as one. */
#define LOOK_NS (GOVERNOR_INTERVAL_NS - 100 * NSEC_PER_MSEC)

#define WEIGHT_USUAL 100

/* A weight is the administrator's, and changes rarely. */
#define WEIGHT_NS (60 * NSEC_PER_SEC)

struct avoid_domain {
	uint64_t serial; /* of the domain that the slot belongs to */
	enum avoid_mode mode;
	uint64_t these[AVOID_WORDS];
	uint64_t cpus[CPU_WORDS]; /* that its vCPUs may run on */
	uint32_t weight;
	uint64_t weighed_ns; /* 0: not yet */
	struct governor_course course;
	uint32_t contention_permille, entitled_permille;
};

struct avoid_vcpu {
	pid_t tid; /* of the thread that the slot belongs to */
	bool looked_at;
	uint64_t run_ns, wait_ns; /* at the last look */
	uint32_t avoided;         /* as struct governor_vcpu */
	bool told;
};

struct avoid {
	struct avoid_parts parts;
	struct governor_rule rule;
	sd_event_source *post, *timer;
	uint64_t looked_ns;
	uint64_t online[CPU_WORDS]; /* CPUs on which any vCPU may run */
	struct avoid_domain domains[PVS_DOMAINS_MAX];
	struct avoid_vcpu vcpus[PVS_VCPUS_MAX];
	/* of one step */
	struct governor_domain step_domains[PVS_DOMAINS_MAX];
	struct governor_vcpu step_vcpus[PVS_VCPUS_MAX];
	struct governor_cpu step_cpus[PVS_CPUS_MAX];
};

const char *avoid_mode_name(enum avoid_mode mode)
{
	static const char *const names[_AVOID_MODE_MAX] = {
	        [AVOID_BY_PROFILE] = "profile",
	        [AVOID_AUTO] = "auto",
	        [AVOID_NONE] = "none",
	        [AVOID_THESE] = "these",
	};

	return mode < _AVOID_MODE_MAX ? names[mode] : "?";
}

static bool is_governed(const struct avoid *avoid, const struct inventory_domain *d)
{
	const struct plan_domain *plan = planning_domain(avoid->parts.planning, d);

	switch (avoid->domains[d->slot].mode) {
	case AVOID_BY_PROFILE:
		return plan->profile.avoid == PROFILE_AVOID_AUTO;
	case AVOID_AUTO:
		return true;
	case AVOID_NONE:
	case AVOID_THESE:
	case _AVOID_MODE_MAX:
		break;
	}
	return false;
}

/* ---- domains and vCPUs ---- */

/*
 * The weight of the whole domain is that of the group above those of its threads. Where no group
 * tells, all weigh the same. v1 has shares, of which 1024 are usual.
 */
static uint32_t weight_of(const struct avoid *avoid, const struct inventory_domain *d)
{
	const struct cgroup_cpu *cgroup = avoid->parts.cgroup;
	char group[CGROUP_PATH_MAX];
	int64_t value;
	char *slash;

	if (!cgroup || !d->n_vcpus || !d->vcpus[0].thread.cgroup[0])
		return WEIGHT_USUAL;
	memcpy(group, d->vcpus[0].thread.cgroup, sizeof(group));
	slash = strrchr(group, '/');
	if (slash && strncmp(slash, "/vcpu", strlen("/vcpu")) == 0)
		*slash = '\0';
	slash = strrchr(group, '/');
	if (slash && strcmp(slash, "/libvirt") == 0)
		*slash = '\0';
	if (cgroup->kind == PROCFS_CGROUP_V1)
		return cgroup_read_number(cgroup, group, "cpu.shares", &value) == 0 && value > 0
		               ? (uint32_t)MAX(MIN(value, 262144) * WEIGHT_USUAL / 1024, 1)
		               : WEIGHT_USUAL;
	return cgroup_read_number(cgroup, group, "cpu.weight", &value) == 0 && value > 0
	               ? (uint32_t)MIN(value, 10000)
	               : WEIGHT_USUAL;
}

static void look_at_domain(struct avoid *avoid, const struct inventory_domain *d)
{
	struct avoid_domain *a = &avoid->domains[d->slot];

	if (a->serial != d->serial)
		*a = (struct avoid_domain){.serial = d->serial};
	memset(a->cpus, 0, sizeof(a->cpus));
	for (size_t i = 0; i < d->n_vcpus; i++)
		for (size_t word = 0; word < CPU_WORDS; word++)
			a->cpus[word] |= d->vcpus[i].affinity.words[word];
	for (size_t word = 0; word < CPU_WORDS; word++)
		avoid->online[word] |= a->cpus[word];
}

/* The set of CPUs that are online is not known where no thread's is. */
static void look_at_cpus(struct avoid *avoid)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	memset(avoid->online, 0, sizeof(avoid->online));
	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next)
		look_at_domain(avoid, d);
	for (size_t word = 0; word < CPU_WORDS; word++)
		if (avoid->online[word])
			return;
	for (long cpu = 0; cpu < MIN(MAX(n, 1L), (long)PVS_CPUS_MAX); cpu++)
		avoid->online[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

#define READ(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && now_ns > then_ns ? now_ns - then_ns : 0;
}

/* What it did since the last look. While it is switched, it may seem to do more or less. */
static void sample(struct avoid *avoid, const struct inventory_vcpu *v, uint64_t now_ns,
                   uint64_t interval_ns, struct governor_vcpu *ret)
{
	const struct pvs_vcpu_account *account = &avoid->parts.accounts->vcpus[v->slot];
	struct avoid_vcpu *a = &avoid->vcpus[v->slot];
	uint64_t in_ns = READ(account->in_ns);
	uint64_t run_ns = READ(account->run_ns) + since(in_ns, now_ns);
	uint64_t wait_ns = READ(account->wait_ns);

	if (!in_ns)
		wait_ns += since(pvs_ready_since(READ(account->out), READ(account->out_ns),
		                                 READ(account->wake_ns)),
		                 now_ns);
	*ret = (struct governor_vcpu){.index = v->thread.index};
	if (a->tid != v->thread.id.tid)
		*a = (struct avoid_vcpu){.tid = v->thread.id.tid};
	ret->avoided = a->avoided;
	if (a->looked_at) {
		ret->run_ns = run_ns > a->run_ns ? MIN(run_ns - a->run_ns, interval_ns) : 0;
		ret->wait_ns = wait_ns > a->wait_ns ? MIN(wait_ns - a->wait_ns, interval_ns) : 0;
	}
	a->looked_at = true;
	a->run_ns = run_ns;
	a->wait_ns = wait_ns;
}

/* ---- what guests are told ---- */

static bool is_named(const struct avoid_domain *a, unsigned int index)
{
	return index && a->mode == AVOID_THESE && index < DOMAIN_VCPUS_MAX &&
	       a->these[index / 64] & UINT64_C(1) << index % 64;
}

/* A slot that another thread has by now was told nothing: the booster forgets with the vCPU. */
static void tell(struct avoid *avoid, const struct inventory_domain *d)
{
	const struct avoid_domain *domain = &avoid->domains[d->slot];

	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct inventory_vcpu *v = &d->vcpus[i];
		struct avoid_vcpu *a;
		bool wanted;

		if (v->slot == SLOT_NONE)
			continue;
		a = &avoid->vcpus[v->slot];
		if (a->tid != v->thread.id.tid)
			*a = (struct avoid_vcpu){.tid = v->thread.id.tid};
		wanted = is_named(domain, v->thread.index) || (a->avoided && is_governed(avoid, d));
		if (wanted == a->told)
			continue;
		booster_set_avoid(avoid->parts.booster, v->slot, wanted);
		a->told = wanted;
	}
}

static void tell_all(struct avoid *avoid)
{
	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next)
		tell(avoid, d);
}

/* ---- the governor's look ---- */

/* Fills in @step; its vCPUs are those that have slots, one after the other. */
static void fill(struct avoid *avoid, uint64_t now_ns, struct governor_step *step)
{
	size_t n = 0;

	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next) {
		struct governor_domain *g = &avoid->step_domains[step->n_domains++];
		struct avoid_domain *a = &avoid->domains[d->slot];

		*g = (struct governor_domain){
		        .governed = is_governed(avoid, d),
		        .cpus = a->cpus,
		        .weight = a->weight,
		        .yield_order =
		                planning_domain(avoid->parts.planning, d)->profile.yield_order,
		        .vcpus = &avoid->step_vcpus[n],
		        .course = &a->course,
		};
		for (size_t i = 0; i < d->n_vcpus; i++) {
			if (d->vcpus[i].slot == SLOT_NONE)
				continue;
			sample(avoid, &d->vcpus[i], now_ns, step->interval_ns,
			       &avoid->step_vcpus[n++]);
			g->n_vcpus++;
		}
	}
}

/* Takes over what was decided. Returns true if a domain is contended, or avoids vCPUs. */
static bool keep(struct avoid *avoid, const struct governor_step *step)
{
	const struct governor_domain *g = step->domains;
	bool busy = false;

	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d;
	     d = d->next, g++) {
		const struct governor_vcpu *decided = g->vcpus;

		avoid->domains[d->slot].contention_permille = g->contention_permille;
		avoid->domains[d->slot].entitled_permille = g->entitled_permille;
		busy |= governor_is_busy(&avoid->rule, g);
		for (size_t i = 0; i < d->n_vcpus; i++)
			if (d->vcpus[i].slot != SLOT_NONE)
				avoid->vcpus[d->vcpus[i].slot].avoided = (decided++)->avoided;
	}
	return busy;
}

static void set_timer(struct avoid *avoid, bool on)
{
	sd_event_source_set_time_relative(avoid->timer, GOVERNOR_INTERVAL_NS / NSEC_PER_USEC);
	sd_event_source_set_enabled(avoid->timer, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void look(struct avoid *avoid, uint64_t now_ns)
{
	struct governor_step step = {
	        .rule = &avoid->rule,
	        .domains = avoid->step_domains,
	        .cpu_words = CPU_WORDS,
	        .online = avoid->online,
	        .cpus = avoid->step_cpus,
	        .interval_ns = now_ns - avoid->looked_ns,
	        .now_ns = now_ns,
	};

	avoid->looked_ns = now_ns;
	fill(avoid, now_ns, &step);
	governor_run(&step);
	set_timer(avoid, keep(avoid, &step));
	tell_all(avoid);
}

/* After whatever the main thread was awake for. */
static int on_post(sd_event_source *source, void *userdata)
{
	struct avoid *avoid = userdata;
	uint64_t now_ns = clock_now_ns();

	(void)source;
	if (now_ns - avoid->looked_ns >= LOOK_NS)
		look(avoid, now_ns);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)userdata; /* that the main thread is awake is enough */
	return 0;
}

/* What the governor has decided for a domain that it does not govern any more. */
static void let_go(struct avoid *avoid, const struct inventory_domain *d)
{
	avoid->domains[d->slot].course = (struct governor_course){0};
	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE)
			avoid->vcpus[d->vcpus[i].slot].avoided = 0;
}

/* The booster forgets what a vCPU was told that loses its slot, and so does this. */
static void forget_gone(struct avoid *avoid)
{
	uint64_t used[PVS_VCPUS_MAX / 64] = {0};

	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			if (d->vcpus[i].slot != SLOT_NONE)
				used[d->vcpus[i].slot / 64] |= UINT64_C(1) << d->vcpus[i].slot % 64;
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++)
		if (!(used[slot / 64] & UINT64_C(1) << slot % 64))
			avoid->vcpus[slot] = (struct avoid_vcpu){0};
}

static void weigh(struct avoid *avoid)
{
	uint64_t now_ns = clock_now_ns();

	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next) {
		struct avoid_domain *a = &avoid->domains[d->slot];

		if (a->weighed_ns && now_ns - a->weighed_ns < WEIGHT_NS)
			continue;
		a->weight = weight_of(avoid, d);
		a->weighed_ns = now_ns;
	}
}

void avoid_follow(struct avoid *avoid)
{
	bool governs = false;

	look_at_cpus(avoid);
	forget_gone(avoid);
	for (const struct inventory_domain *d = avoid->parts.inventory->domains; d; d = d->next) {
		governs |= is_governed(avoid, d);
		if (!is_governed(avoid, d))
			let_go(avoid, d);
	}
	if (governs)
		weigh(avoid);
	tell_all(avoid);
	sd_event_source_set_enabled(avoid->post, governs ? SD_EVENT_ON : SD_EVENT_OFF);
	if (!governs)
		set_timer(avoid, false);
}

/* ---- commands and reports ---- */

void avoid_set(struct avoid *avoid, const struct inventory_domain *domain, enum avoid_mode mode,
               const uint64_t *vcpus)
{
	struct avoid_domain *a = &avoid->domains[domain->slot];

	a->mode = mode;
	memset(a->these, 0, sizeof(a->these));
	if (mode == AVOID_THESE)
		memcpy(a->these, vcpus, sizeof(a->these));
	avoid_follow(avoid);
}

void avoid_read(const struct avoid *avoid, const struct inventory_domain *domain,
                struct avoid_view *ret)
{
	const struct avoid_domain *a = &avoid->domains[domain->slot];

	*ret = (struct avoid_view){.governed = is_governed(avoid, domain)};
	if (a->serial != domain->serial)
		return;
	ret->mode = a->mode;
	ret->reversals_total = a->course.reversals_total;
	if (ret->governed) {
		ret->contention_permille = a->contention_permille;
		ret->entitled_permille = a->entitled_permille;
	}
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		const struct inventory_vcpu *v = &domain->vcpus[i];

		if (v->slot != SLOT_NONE && avoid->vcpus[v->slot].told &&
		    avoid->vcpus[v->slot].tid == v->thread.id.tid)
			ret->vcpus[v->thread.index / 64] |= UINT64_C(1) << v->thread.index % 64;
	}
}

/* ---- its life ---- */

int avoid_new(struct avoid **ret, const struct avoid_parts *parts)
{
	struct avoid *avoid = calloc(1, sizeof(*avoid));
	int r;

	if (!avoid)
		return -ENOMEM;
	avoid->parts = *parts;
	avoid->rule = GOVERNOR_RULE_INIT;
	r = sd_event_add_post(parts->event, &avoid->post, on_post, avoid);
	if (r >= 0)
		r = sd_event_source_set_enabled(avoid->post, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(parts->event, &avoid->timer, CLOCK_MONOTONIC, UINT64_MAX,
		                      ACCURACY_US, on_timer, avoid);
	if (r >= 0)
		r = sd_event_source_set_enabled(avoid->timer, SD_EVENT_OFF);
	if (r < 0) {
		avoid_free(avoid);
		return r;
	}
	*ret = avoid;
	return 0;
}

struct avoid *avoid_free(struct avoid *avoid)
{
	if (!avoid)
		return NULL;
	sd_event_source_disable_unref(avoid->post);
	sd_event_source_disable_unref(avoid->timer);
	free(avoid);
	return NULL;
}
