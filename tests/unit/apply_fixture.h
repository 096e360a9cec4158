/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Stand-ins for the booster, the tracer and the RT budgets, that write down in which order they are
 * called: "hold 0 +paused". A test sets what they answer.
 */

#include <errno.h>
#include <stdarg.h>

#include "boost/booster.h"
#include "boost/children.h"
#include "boost/rt_budget.h"
#include "daemon/apply.h"
#include "util/log.h"
#include "util/procfs.h"
#include "util/thread_id.h"

#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define CALLS_MAX 256

static char calls[CALLS_MAX][96];
static size_t n_calls;
static int answer_add, answer_remove, answer_register, answer_grant, answer_take_back;
static enum standing_state answer_give;
static bool answer_short;
static struct standing_view standing_views[PVS_VCPUS_MAX];

static void call(const char *format, ...) PRINTF_FORMAT(1, 2);

static void call(const char *format, ...)
{
	va_list args;

	CHECK(n_calls < CALLS_MAX);
	va_start(args, format);
	vsnprintf(calls[n_calls++], sizeof(calls[0]), format, args);
	va_end(args);
}

/** What was called since the last one is exactly this; then it is forgotten. */
#define CHECK_CALLS(...)                                                                           \
	do {                                                                                       \
		static const char *const expected_[] = {__VA_ARGS__};                              \
                                                                                                   \
		for (size_t i_ = 0; i_ < MIN(ARRAY_SIZE(expected_), n_calls); i_++)                \
			CHECK_STR(calls[i_], expected_[i_]);                                       \
		CHECK_INT(n_calls, ARRAY_SIZE(expected_));                                         \
		n_calls = 0;                                                                       \
	} while (0)

#define CHECK_NO_CALLS() CHECK_INT(n_calls, 0)

/** "released,paused": the names of holds. */
static inline const char *holds_text(uint32_t holds)
{
	static char text[4][128];
	static unsigned int turn;
	char *ret = text[turn++ % 4];

	*ret = '\0';
	for (int i = 0; i < _POLICY_REASON_HOLD_MAX; i++) {
		if (!(holds & POLICY_HOLD(i)))
			continue;
		if (*ret)
			strcat(ret, ",");
		strcat(ret, policy_reason_name((enum policy_reason)i));
	}
	return ret;
}

/* ---- the booster ---- */

int booster_hold_all(struct booster *booster, uint32_t holds)
{
	(void)booster;
	call("hold-all %s", holds_text(holds));
	return 0;
}

int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear)
{
	(void)booster;
	if (set)
		call("hold %u +%s", slot, holds_text(set));
	if (clear)
		call("hold %u -%s", slot, holds_text(clear));
	return 0;
}

int booster_add(struct booster *booster, unsigned int slot, const struct thread_id *thread,
                const struct account_terms *terms, uint32_t holds)
{
	(void)booster;
	CHECK_INT(terms->tid, thread->tid);
	call("add %u %d %s %s%s", slot, thread->tid, terms->profile.name, holds_text(holds),
	     terms->resets_forks ? " resets-forks" : "");
	return answer_add;
}

int booster_remove(struct booster *booster, unsigned int slot)
{
	(void)booster;
	call("remove %u", slot);
	return answer_remove;
}

int booster_set_terms(struct booster *booster, unsigned int slot, const struct account_terms *terms)
{
	(void)booster;
	call("set %u %s %u%s", slot, terms->profile.name, terms->profile.share_permille,
	     terms->resets_forks ? " resets-forks" : "");
	return 0;
}

int booster_rescan(struct booster *booster, unsigned int slot)
{
	(void)booster;
	call("rescan %u", slot);
	return 0;
}

int booster_set_page(struct booster *booster, unsigned int slot, const struct guest_page *page,
                     bool poll)
{
	(void)booster;
	call("page %u %s%s", slot, page->generation == 0 ? "none" : "given", poll ? " polled" : "");
	return 0;
}

/* ---- standing levers ---- */

const struct standing_view *standing_view(const struct standing *standing, unsigned int slot)
{
	(void)standing;
	return &standing_views[slot];
}

bool standing_resets_forks(const struct standing *standing, unsigned int slot)
{
	(void)standing;
	return standing_views[slot].states[STANDING_SLICE] == STANDING_GIVEN;
}

bool standing_is_short(const struct standing *standing, unsigned int slot, pid_t tid)
{
	(void)standing;
	(void)tid;
	return answer_short || standing_views[slot].states[STANDING_SLICE] == STANDING_OWN;
}

int standing_take_back(struct standing *standing, unsigned int slot)
{
	int r = 0;

	if (standing_resets_forks(standing, slot)) {
		call("take back %u", slot);
		r = answer_take_back;
	}
	if (r == 0)
		standing_views[slot] = (struct standing_view){0};
	return r;
}

int standing_set(struct standing *standing, unsigned int slot, const struct thread_id *thread,
                 const struct standing_wanted *wanted)
{
	int r = standing_take_back(standing, slot);

	if (r < 0 || (!wanted->slice_ns && !wanted->util_min))
		return r;
	call("give %u %d %llu %u", slot, thread->tid,
	     (unsigned long long)(wanted->slice_ns / NSEC_PER_USEC), wanted->util_min);
	standing_views[slot] = (struct standing_view){
	        .wanted = *wanted,
	        .states[STANDING_SLICE] = wanted->slice_ns ? answer_give : STANDING_NONE,
	        .states[STANDING_CLAMP] = wanted->util_min ? STANDING_GIVEN : STANDING_NONE,
	};
	return 0;
}

/* ---- the tracer ---- */

int tracer_register(struct tracer *tracer, unsigned int slot, pid_t tid)
{
	(void)tracer;
	call("trace %u %d", slot, tid);
	return answer_register;
}

int tracer_set_address(struct tracer *tracer, unsigned int slot, pid_t process, uint32_t apic_id)
{
	(void)tracer;
	call("address %u %d %u", slot, process, apic_id);
	return 0;
}

void tracer_unregister(struct tracer *tracer, unsigned int slot, pid_t tid)
{
	(void)tracer;
	call("untrace %u %d", slot, tid);
}

void tracer_join_epoch(struct tracer *tracer, unsigned int slot)
{
	(void)tracer;
	call("epoch %u", slot);
}

int tracer_register_helper(struct tracer *tracer, unsigned int helper, pid_t tid)
{
	(void)tracer;
	call("helper %u %d", helper, tid);
	return answer_register;
}

void tracer_set_leader(struct tracer *tracer, unsigned int helper)
{
	(void)tracer;
	call("leader %u", helper);
}

void tracer_unregister_helper(struct tracer *tracer, unsigned int helper)
{
	(void)tracer;
	call("unhelper %u", helper);
}

int tracer_follow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid)
{
	(void)tracer;
	call("follow %u %u %d", slot, helper, tid);
	return answer_register;
}

void tracer_unfollow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid)
{
	(void)tracer;
	call("unfollow %u %u %d", slot, helper, tid);
}

/* ---- RT budgets ---- */

int procfs_cgroup(pid_t pid, pid_t tid, enum procfs_cgroup_kind *kind, char *path, size_t path_size)
{
	(void)pid;
	*kind = PROCFS_CGROUP_V1;
	snprintf(path, path_size, "/group-of-%d", tid);
	return 0;
}

int rt_budget_grant(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group,
                    uint32_t share_permille, char *failed)
{
	(void)ledger;
	(void)cpu;
	call("grant %s %u", group, share_permille);
	strcpy(failed, "/failed");
	return answer_grant;
}

void rt_budget_withdraw(struct ledger *ledger, const struct cgroup_cpu *cpu, const char *group)
{
	(void)ledger;
	(void)cpu;
	call("withdraw %s", group);
}

/* ---- what else is linked ---- */

void account_reset_domain(const struct accounts *accounts, unsigned int domain)
{
	(void)accounts;
	call("domain %u", domain);
}

void account_set_domain_rule(const struct accounts *accounts, unsigned int domain,
                             const struct pvs_bucket_rule *rule)
{
	(void)accounts;
	(void)domain;
	(void)rule;
}

int children_mend(const struct ledger *ledger, unsigned int slot, const struct thread_id *parent,
                  pid_t child)
{
	(void)ledger;
	call("mend %u %d %d", slot, parent->tid, child);
	return 0;
}

bool thread_id_is_current(const struct thread_id *id)
{
	return id->start_ticks == (uint64_t)id->tid * 10; /* as inventory_fixture.h makes them */
}
