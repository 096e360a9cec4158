// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_do.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/aside_files.h"
#include "agent/aside_record.h"
#include "agent/aside_slices.h"
#include "agent/aside_tasks.h"
#include "util/cleanup.h"
#include "util/replace_file.h"

/* One at a time: an agent that was killed may have left one at work. */
static int lock(const struct aside_places *places)
{
	char path[PATH_MAX];
	const char *slash = strrchr(places->record, '/');
	int fd;

	snprintf(path, sizeof(path), "%.*s", (int)(slash - places->record), places->record);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s.lock", places->record);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

bool aside_kernel_governs(const struct aside_places *places)
{
	struct cpu_set_bits preferred, online;

	if (access(places->governor, F_OK) == 0)
		return true;
	/* without a governor, all that are online are preferred */
	return aside_read_list(places->preferred, &preferred) == 0 &&
	       aside_read_list(places->online, &online) == 0 &&
	       !cpu_set_bits_subset(&online, &preferred);
}

static bool has_kernel_list(const struct aside_places *places)
{
	return access(places->avoid, W_OK) == 0;
}

static enum aside_reason refusal(const struct aside_places *places)
{
	if (aside_kernel_governs(places))
		return ASIDE_KERNEL_GOVERNOR;
	if (has_kernel_list(places))
		return ASIDE_NO_REASON;
	if (access(places->systemd, F_OK) < 0)
		return ASIDE_NO_SYSTEMD;
	if (!aside_cpuset_exists(places))
		return ASIDE_NO_CPUSET;
	if (access(places->workqueue, W_OK) < 0 && errno != ENOENT)
		return ASIDE_NOT_ALLOWED;
	if (!places->keeps_affinities && !aside_cpuset_enabled(places))
		return ASIDE_CPUSET_OFF;
	return ASIDE_NO_REASON;
}

static void fail(struct aside_outcome *ret, enum aside_reason reason)
{
	ret->result = ASIDE_FAILED;
	ret->reason = reason;
}

/* All that an own affinity is compared with. */
static struct cpu_set_bits full_set(const struct cpu_set_bits *online,
                                    const struct aside_record *record)
{
	struct cpu_set_bits full = *online;

	aside_set_remove(&full, &record->avoided);
	return full;
}

/* --- Back --- */

static void forget(struct aside_record *record, enum aside_kind kind)
{
	for (size_t i = 0; i < record->n; i++)
		if (record->entries[i].kind == kind)
			record->entries[i].gone = true;
}

static void give_back(const struct aside_places *places, const struct cpu_set_bits *online,
                      struct aside_record *record, struct aside_outcome *ret)
{
	struct cpu_set_bits full = full_set(online, record), none = CPU_SET_BITS_NULL;
	bool told = aside_record_find(record, ASIDE_IRQBALANCE, "banned");
	struct aside_tasks tasks = {
	        .online = online,
	        .full = &full,
	        .users = !places->keeps_affinities,
	};
	bool changing = record->changing;
	int r;

	ret->result = ASIDE_BACK;
	if (!record->n)
		return;
	r = aside_tasks_note(&tasks, &none, record);
	record->changing = true;
	if (r == 0)
		r = aside_record_store(places->record, record);
	if (r < 0) /* goes on all the same: the record that there is has what was before */
		fail(ret, ASIDE_RECORD);
	record->changing = changing;
	ret->units_left = aside_slices_apply(places, record, true);
	ret->tasks_kept = aside_tasks_apply(record, true);
	if (told)
		ret->irqbalance = aside_irqbalance_tell(places->irqbalance, &none, &none);
	forget(record, ASIDE_IRQBALANCE);
	ret->irqs_fixed = aside_files_apply(places, record, true);
	if (ret->units_left)
		fail(ret, ASIDE_SYSTEMD_REFUSED);
	record->avoided = CPU_SET_BITS_NULL;
	record->changing = true; /* of what is left */
	if (aside_record_store(places->record, record) < 0)
		fail(ret, ASIDE_RECORD);
}

/* --- Away --- */

/* Leaves out of *wanted what has to stay. */
static void choose(const struct cpu_set_bits *online, struct cpu_set_bits *wanted,
                   struct aside_outcome *ret)
{
	struct cpu_set_bits first = CPU_SET_BITS_NULL;
	struct aside_bound bound;

	cpu_set_bits_add(&first, 0);
	cpu_set_bits_add(&first, cpu_set_bits_next(online, 0));
	aside_set_keep(wanted, online);
	aside_set_remove(wanted, &first);
	if (cpu_set_bits_empty(wanted)) {
		ret->reason = ASIDE_ONE_CPU;
		return;
	}
	if (aside_tasks_bound(wanted, &bound) < 0) {
		*wanted = CPU_SET_BITS_NULL;
		fail(ret, ASIDE_PROCESS);
		return;
	}
	ret->tasks_bound = bound.tasks;
	ret->left_out = bound.cpus;
	aside_set_remove(wanted, &bound.cpus);
	if (cpu_set_bits_empty(wanted))
		ret->reason = ASIDE_TASKS_BOUND;
}

static int plan(const struct aside_places *places, const struct cpu_set_bits *online,
                const struct cpu_set_bits *wanted, struct aside_record *record,
                struct aside_outcome *ret)
{
	struct cpu_set_bits full = full_set(online, record);
	struct aside_tasks tasks = {
	        .online = online,
	        .full = &full,
	        .users = !places->keeps_affinities,
	};
	struct aside_entry *entry;
	int r;

	if (has_kernel_list(places)) {
		entry = aside_record_find(record, ASIDE_KERNEL, "avoid");
		if (!entry)
			entry = aside_record_add(record, ASIDE_KERNEL, "avoid");
		if (entry)
			entry->ours = *wanted;
		return entry ? 0 : -ENOMEM;
	}
	r = aside_slices_plan(places, online, wanted, record);
	if (r < 0)
		return r;
	ret->units_left = (uint32_t)r;
	r = aside_tasks_note(&tasks, wanted, record);
	return r < 0 ? r : aside_files_plan(places, wanted, record);
}

static void tell_irqbalance(const struct aside_places *places, const struct cpu_set_bits *wanted,
                            struct aside_record *record, struct aside_outcome *ret)
{
	struct aside_entry *entry = aside_record_find(record, ASIDE_IRQBALANCE, "banned");
	struct cpu_set_bits prior, none = CPU_SET_BITS_NULL;

	if (entry) /* its own list first, or ours would be taken for it */
		aside_irqbalance_tell(places->irqbalance, &none, &prior);
	else
		entry = aside_record_add(record, ASIDE_IRQBALANCE, "banned");
	ret->irqbalance = aside_irqbalance_tell(places->irqbalance, wanted, &prior);
	if (entry)
		*entry = (struct aside_entry){.kind = ASIDE_IRQBALANCE,
		                              .name = "banned",
		                              .gone = ret->irqbalance == ASIDE_IRQBALANCE_ABSENT,
		                              .prior = prior,
		                              .ours = *wanted};
}

static void count(const struct aside_record *record, struct aside_outcome *ret)
{
	for (size_t i = 0; i < record->n; i++) {
		const struct aside_entry *entry = &record->entries[i];

		ret->units += !entry->gone && entry->kind == ASIDE_SLICE;
		ret->irqs += !entry->gone &&
		             (entry->kind == ASIDE_IRQ || entry->kind == ASIDE_WORKQUEUE);
	}
}

static void move_away(const struct aside_places *places, const struct cpu_set_bits *online,
                      const struct cpu_set_bits *wanted, struct aside_record *record,
                      struct aside_outcome *ret)
{
	bool changing = record->changing;
	unsigned int failed;

	if (plan(places, online, wanted, record, ret) < 0) {
		fail(ret, ASIDE_RECORD);
		return;
	}
	record->avoided = *wanted;
	record->changing = true;
	if (aside_record_store(places->record, record) < 0) {
		record->changing = changing;
		fail(ret, ASIDE_RECORD);
		return;
	}
	failed = aside_slices_apply(places, record, false);
	ret->units_left += failed;
	ret->tasks_kept = aside_tasks_apply(record, false);
	ret->irqs_fixed = aside_files_apply(places, record, false);
	if (!has_kernel_list(places))
		tell_irqbalance(places, wanted, record, ret);
	ret->result = ASIDE_AWAY;
	ret->avoided = *wanted;
	if (failed)
		fail(ret, ASIDE_SYSTEMD_REFUSED);
	record->changing = false;
	if (aside_record_store(places->record, record) < 0)
		fail(ret, ASIDE_RECORD);
	count(record, ret);
}

void aside_do(const struct aside_places *places, const struct cpu_set_bits *wanted,
              struct aside_outcome *ret)
{
	int fd CLEANUP(cleanup_fd) = lock(places);
	struct cpu_set_bits away = *wanted, online;
	struct aside_record record;

	*ret = (struct aside_outcome){0};
	if (fd < 0 || aside_read_list(places->online, &online) < 0 ||
	    aside_record_load(places->record, &record) < 0) {
		fail(ret, fd == -EROFS || fd == -EACCES ? ASIDE_NOT_ALLOWED : ASIDE_RECORD);
		return;
	}
	if (!cpu_set_bits_empty(&away)) {
		ret->reason = refusal(places);
		if (ret->reason == ASIDE_NO_REASON)
			choose(&online, &away, ret);
		if (ret->reason != ASIDE_NO_REASON)
			away = CPU_SET_BITS_NULL;
	}
	if (cpu_set_bits_empty(&away)) {
		enum aside_reason reason = ret->reason;

		give_back(places, &online, &record, ret);
		if (reason != ASIDE_NO_REASON && ret->result == ASIDE_BACK) {
			ret->result = ASIDE_REFUSED;
			ret->reason = reason;
		}
	} else {
		move_away(places, &online, &away, &record, ret);
		/* half of it would be worse than none */
		if (ret->result == ASIDE_FAILED) {
			struct aside_outcome back = {0};

			give_back(places, &online, &record, &back);
			ret->avoided = CPU_SET_BITS_NULL;
		}
	}
	aside_record_free(&record);
}

/* What is to be avoided, in a file of the agent's. One that is gone asks for nothing. */
static int read_asked(const struct aside_places *places, struct cpu_set_bits *ret)
{
	int r = aside_read_list(places->asked, ret);

	if (r == -ENOENT)
		*ret = CPU_SET_BITS_NULL;
	return r == -ENOENT ? 0 : r;
}

int aside_command_in(const struct aside_places *places, const char *list)
{
	struct cpu_set_bits wanted = CPU_SET_BITS_NULL;
	char text[ASIDE_OUTCOME_MAX];
	struct aside_outcome outcome;
	size_t size;
	int r;

	if (strcmp(list, "asked") == 0)
		r = read_asked(places, &wanted);
	else
		r = strcmp(list, "none") == 0 ? 0 : cpulist_parse(list, &wanted);
	if (r < 0) {
		fprintf(stderr, "pvsched-agent: %s: no list of CPUs: %s\n", list, strerror(-r));
		return 2;
	}
	/* one that an agent has started, and that is still to begin, must not ask for it again */
	if (strcmp(list, "none") == 0)
		replace_file_remove(places->asked);
	if (cpu_set_bits_empty(&wanted) && strcmp(list, "none") == 0 &&
	    access(places->record, F_OK) < 0 && errno == ENOENT)
		return 0;
	aside_do(places, &wanted, &outcome);
	size = aside_outcome_format(&outcome, text, sizeof(text));
	r = replace_file(places->outcome, text, size);
	if (r < 0)
		fprintf(stderr, "pvsched-agent: %s: %s\n", places->outcome, strerror(-r));
	if (outcome.result != ASIDE_REFUSED && outcome.result != ASIDE_FAILED)
		return r < 0;
	fprintf(stderr, "pvsched-agent: %s (%s)\n", aside_reason_text(outcome.reason),
	        aside_reason_name(outcome.reason));
	return strcmp(list, "asked") != 0 || r < 0; /* the agent reads the outcome */
}

int aside_command(const char *list)
{
	struct aside_places places = aside_places();

	return aside_command_in(&places, list);
}
