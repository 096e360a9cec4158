/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of stepping aside: the record, which says the same when it is written again; the
 * outcome, masks, irqbalance's answer, and /proc/stat, from which the governor must not fail.
 */
#include <errno.h>
#include <unistd.h>

#include "agent/aside_outcome.h"
#include "agent/aside_places.h"
#include "agent/aside_record.h"
#include "agent/steal.h"

#include "fuzz.h"

static void check_record(const uint8_t *data, size_t size)
{
	struct aside_record record;
	int r = aside_record_parse((const char *)data, size, &record);

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	FUZZ_CHECK(r == 0 || !record.entries);
	for (size_t i = 0; i < record.n; i++) {
		const struct aside_entry *entry = &record.entries[i];

		FUZZ_CHECK(entry->kind < _ASIDE_KIND_MAX && !strchr(entry->name, '/'));
		FUZZ_CHECK(entry->name[0]
		                   ? aside_record_find(&record, entry->kind, entry->name) != NULL
		                   : entry->thread.tid > 0);
	}
	aside_record_free(&record);
}

static void check_outcome(const char *text)
{
	struct aside_outcome outcome, again;
	char written[ASIDE_OUTCOME_MAX];

	if (aside_outcome_parse(text, &outcome) < 0)
		return;
	fuzz_check_message(aside_reason_text(outcome.reason));
	fuzz_check_message(aside_result_name(outcome.result));
	FUZZ_CHECK(aside_outcome_format(&outcome, written, sizeof(written)) > 0);
	FUZZ_CHECK(aside_outcome_parse(written, &again) == 0);
	FUZZ_CHECK(again.irqs_fixed == outcome.irqs_fixed &&
	           cpu_set_bits_equal(&again.avoided, &outcome.avoided));
}

static void check_mask(const char *text)
{
	struct cpu_set_bits set, again;
	char written[2048];

	aside_irqbalance_parse(text, &set);
	if (aside_mask_parse(text, &set) < 0)
		return;
	FUZZ_CHECK(aside_mask_format(&set, written, sizeof(written)) < sizeof(written));
	FUZZ_CHECK(aside_mask_parse(written, &again) == 0 && cpu_set_bits_equal(&set, &again));
}

static void check_stat(const char *text)
{
	static struct steal_sample sample, none = {.ticks_per_s = 100};
	static struct steal steal;
	struct cpu_set_bits online = CPU_SET_BITS_NULL, avoid;

	if (steal_parse(text, 100, &sample) < 0)
		return;
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		cpu_set_bits_add(&online, cpu);
	steal_init(&steal);
	steal_look(&steal, &none, &online, NSEC_PER_SEC, &avoid);
	for (uint64_t i = 2; i < 6; i++) {
		steal_look(&steal, i % 2 ? &none : &sample, &online, i * NSEC_PER_SEC, &avoid);
		FUZZ_CHECK(steal.contention_permille <= 1000);
		FUZZ_CHECK(cpu_set_bits_subset(&avoid, &online) && !cpu_set_bits_has(&avoid, 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_record(data, size);
	check_outcome(text);
	check_mask(text);
	check_stat(text);
	free(text);
	return 0;
}
