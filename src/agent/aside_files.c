// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define DEFAULT "default"

/* Returns true if the file has a list; false: a mask. */
bool aside_file_of(const struct aside_places *places, const struct aside_entry *entry, char *path,
                   size_t size)
{
	if (entry->kind == ASIDE_WORKQUEUE) {
		snprintf(path, size, "%s", places->workqueue);
		return false;
	}
	if (entry->kind == ASIDE_KERNEL) {
		snprintf(path, size, "%s", places->avoid);
		return true;
	}
	if (strcmp(entry->name, DEFAULT) == 0) {
		snprintf(path, size, "%s/default_smp_affinity", places->irqs);
		return false;
	}
	snprintf(path, size, "%s/%s/smp_affinity_list", places->irqs, entry->name);
	return true;
}

static int read_now(const struct aside_places *places, const struct aside_entry *entry,
                    struct cpu_set_bits *ret)
{
	char path[PATH_MAX];
	bool list = aside_file_of(places, entry, path, sizeof(path));

	return list ? aside_read_list(path, ret) : aside_read_mask(path, ret);
}

static int write_set(const struct aside_places *places, const struct aside_entry *entry,
                     const struct cpu_set_bits *set)
{
	char path[PATH_MAX];
	bool list = aside_file_of(places, entry, path, sizeof(path));

	return list ? aside_write_list(path, set) : aside_write_mask(path, set);
}

/* One that is not there, or cannot be read, is passed over. */
static int plan_one(const struct aside_places *places, enum aside_kind kind, const char *name,
                    const struct cpu_set_bits *avoided, struct aside_record *record)
{
	struct aside_entry *entry = aside_record_find(record, kind, name);
	struct aside_entry look = {.kind = kind};
	struct cpu_set_bits now, ours;

	snprintf(look.name, sizeof(look.name), "%s", name);
	if (read_now(places, &look, &now) < 0)
		return 0;
	look.prior = entry && (record->changing || cpu_set_bits_equal(&now, &entry->ours))
	                     ? entry->prior
	                     : now;
	ours = look.prior;
	aside_set_remove(&ours, avoided);
	if (cpu_set_bits_empty(&ours))
		ours = look.prior;
	if (!entry && cpu_set_bits_equal(&ours, &look.prior))
		return 0;
	if (!entry)
		entry = aside_record_add(record, kind, name);
	if (!entry)
		return -ENOMEM;
	entry->prior = look.prior;
	entry->ours = ours;
	return 0;
}

static bool is_number(const char *name)
{
	size_t size = strspn(name, "0123456789");

	return size && size < 8 && !name[size];
}

int aside_files_plan(const struct aside_places *places, const struct cpu_set_bits *avoided,
                     struct aside_record *record)
{
	DIR *dir CLEANUP(cleanup_dir) = opendir(places->irqs);
	const struct dirent *irq;
	int r = plan_one(places, ASIDE_WORKQUEUE, "unbound", avoided, record);

	if (r == 0)
		r = plan_one(places, ASIDE_IRQ, DEFAULT, avoided, record);
	while (r == 0 && dir && (irq = readdir(dir)))
		if (is_number(irq->d_name))
			r = plan_one(places, ASIDE_IRQ, irq->d_name, avoided, record);
	return r;
}

/* Returns true if the kernel does not let it be moved. */
static bool apply_one(const struct aside_places *places, const struct aside_record *record,
                      struct aside_entry *entry, bool back)
{
	const struct cpu_set_bits *set = back ? &entry->prior : &entry->ours;
	struct cpu_set_bits now;
	int r = read_now(places, entry, &now);
	bool known = r == 0;

	if (known && back && !record->changing && !cpu_set_bits_equal(&now, &entry->ours)) {
		entry->gone = true; /* another program's, since */
		return false;
	}
	if (known && !cpu_set_bits_equal(&now, set))
		r = write_set(places, entry, set);
	/* a device that was unplugged has taken its interrupts with it */
	entry->gone = back || r < 0 || cpu_set_bits_equal(&entry->ours, &entry->prior);
	return known && r < 0;
}

unsigned int aside_files_apply(const struct aside_places *places, struct aside_record *record,
                               bool back)
{
	unsigned int fixed = 0;

	for (size_t i = 0; i < record->n; i++) {
		struct aside_entry *entry = &record->entries[i];

		if (!entry->gone && (entry->kind == ASIDE_IRQ || entry->kind == ASIDE_WORKQUEUE ||
		                     entry->kind == ASIDE_KERNEL))
			fixed += apply_one(places, record, entry, back);
	}
	return fixed;
}
