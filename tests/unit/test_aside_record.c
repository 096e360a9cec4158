// SPDX-License-Identifier: GPL-2.0-or-later
/* The texts of stepping aside: the record, masks, the outcome, irqbalance's answer. */
#include "agent/aside_record.h"

#include <errno.h>
#include <unistd.h>

#include "agent/aside_outcome.h"
#include "agent/aside_places.h"

#include "test.h"

static struct aside_record record;

static int parse(const char *text)
{
	aside_record_free(&record);
	return aside_record_parse(text, strlen(text), &record);
}

static const char *list_of(const struct cpu_set_bits *set)
{
	static char texts[4][256];
	static unsigned int next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];

	cpulist_format(set, text, sizeof(texts[0]));
	return text;
}

#define HEAD "pvsched-aside 1 applied 2-3\n"

static void test_record(void)
{
	char path[] = "/tmp/pvsched-aside-XXXXXX";
	struct thread_id thread = {.tid = 812, .start_ticks = 99};
	const struct aside_entry *entry;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_INT(parse(HEAD "slice system.slice - 0-1\nirq 24 0-3 0-1\nirq default 0-3 0-1\n"
	                     "task 812 99 0,2 0\nworkqueue unbound 0-3 0-1\n"),
	          0);
	CHECK_INT(record.n, 5);
	CHECK(!record.changing);
	record.entries[2].gone = true;
	record.changing = true;
	CHECK_INT(aside_record_store(path, &record), 0);
	aside_record_free(&record);
	CHECK_INT(aside_record_load(path, &record), 0);
	CHECK_INT(record.n, 4);
	CHECK(record.changing);
	CHECK_STR(list_of(&record.avoided), "2-3");
	entry = aside_record_find(&record, ASIDE_SLICE, "system.slice");
	CHECK(entry && cpu_set_bits_empty(&entry->prior));
	CHECK_STR(list_of(&entry->ours), "0-1");
	CHECK(!aside_record_find(&record, ASIDE_IRQ, "default"));
	entry = aside_record_task(&record, &thread);
	CHECK(entry);
	CHECK_STR(list_of(&entry->prior), "0,2");
	thread.start_ticks++;
	CHECK(!aside_record_task(&record, &thread));
	for (size_t i = 0; i < record.n; i++)
		record.entries[i].gone = true;
	CHECK_INT(aside_record_store(path, &record), 0);
	CHECK(access(path, F_OK) < 0);
	aside_record_free(&record);
	CHECK_INT(aside_record_load(path, &record), 0);
	CHECK_INT(record.n, 0);
	close(fd);
}

static void test_broken_records(void)
{
	static const char *const texts[] = {
	        "",
	        "\n",
	        "pvsched-aside 2 applied 2-3\n",
	        "pvsched-aside 1 done 2-3\n",
	        "pvsched-aside 1 applied\n",
	        "pvsched-aside 1 applied 2-3 4\n",
	        HEAD "slice system.slice - 0-1",
	        HEAD "slice system.slice - \n",
	        HEAD "slice system.slice - 0-1 5\n",
	        HEAD "slice a/b - 0-1\n",
	        HEAD "slices a - 0-1\n",
	        HEAD "irq 4 x 0\n",
	        HEAD "irq 4 4096 0\n",
	        HEAD "irq 4 , 0\n",
	        HEAD "task 0 1 0 0\n",
	        HEAD "task -1 1 0 0\n",
	        HEAD "task 1 18446744073709551616 0 0\n",
	        HEAD "task 99999999999 1 0 0\n",
	        HEAD "task 12 0 0\n",
	        HEAD HEAD,
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CHECK_INT(parse(texts[i]), -EBADMSG);
		CHECK(record.n == 0 && !record.entries);
	}
	CHECK_INT(aside_record_parse("pvsched-aside 1 applied 2\n\0", 27, &record), -EBADMSG);
}

static void test_masks(void)
{
	struct cpu_set_bits set;
	char text[64];

	CHECK_INT(aside_mask_parse("f\n", &set), 0);
	CHECK_STR(list_of(&set), "0-3");
	CHECK_INT(aside_mask_parse("1,80000001,00000000", &set), 0);
	CHECK_STR(list_of(&set), "32,63-64");
	CHECK_INT(aside_mask_format(&set, text, sizeof(text)), 26);
	CHECK_STR(text, "00000001,80000001,00000000");
	CHECK_INT(aside_mask_format(&set, text, 4), 26);
	set = CPU_SET_BITS_NULL;
	aside_mask_format(&set, text, sizeof(text));
	CHECK_STR(text, "00000000");
	CHECK_INT(aside_mask_parse("0", &set), 0);
	CHECK(cpu_set_bits_empty(&set));
	CHECK_INT(aside_mask_parse("", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("\n", &set), -EINVAL);
	CHECK_INT(aside_mask_parse(",1", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("1,", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("1,,1", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("123456789", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("g", &set), -EINVAL);
	CHECK_INT(aside_mask_parse("1 ", &set), -EINVAL);
}

static void test_outcome(void)
{
	struct aside_outcome outcome = {.result = ASIDE_AWAY,
	                                .tasks_bound = 2,
	                                .units = 3,
	                                .irqs = 7,
	                                .irqs_fixed = 1,
	                                .irqbalance = ASIDE_IRQBALANCE_TOLD},
	                     read;
	char text[ASIDE_OUTCOME_MAX];
	size_t n;

	cpu_set_bits_add(&outcome.avoided, 2);
	cpu_set_bits_add(&outcome.left_out, 3);
	n = aside_outcome_format(&outcome, text, sizeof(text));
	CHECK(n > 0);
	CHECK_INT(aside_outcome_parse(text, &read), 0);
	CHECK_INT(read.result, ASIDE_AWAY);
	CHECK_INT(read.irqbalance, ASIDE_IRQBALANCE_TOLD);
	CHECK_INT(read.tasks_bound, 2);
	CHECK_INT(read.irqs_fixed, 1);
	CHECK_STR(list_of(&read.avoided), "2");
	CHECK_STR(list_of(&read.left_out), "3");
	CHECK_INT(aside_outcome_format(&outcome, text, 8), 0);
	text[n - 1] = '\0';
	CHECK_INT(aside_outcome_parse(text, &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("9 0 0 0 0 0 0 0 0\n\n\n", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("1 99 0 0 0 0 0 0 0\n\n\n", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("1 0 0 0 0 0 0 0\n\n\n", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("1 0 0 0 0 0 0 0 0 0\n\n\n", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("1 0 0 0 0 0 0 0 0\n\n\nx", &read), -EBADMSG);
	CHECK_INT(aside_outcome_parse("1 0 0 0 0 0 0 0 0\nx\n\n", &read), -EBADMSG);
	for (int i = 0; i < _ASIDE_REASON_MAX; i++)
		CHECK(*aside_reason_name(i) && *aside_reason_text(i));
}

static void test_irqbalance(void)
{
	struct cpu_set_bits set;

	CHECK_INT(aside_irqbalance_parse("SLEEP 10 IRQ 3 LOAD 0 DIFF 0 CLASS 1 BANNED 0000000c",
	                                 &set),
	          0);
	CHECK_STR(list_of(&set), "2-3");
	CHECK_INT(aside_irqbalance_parse("SLEEP 10 ", &set), -EBADMSG);
	CHECK_INT(aside_irqbalance_parse("BANNED x", &set), -EBADMSG);
}

static void test_releases(void)
{
	CHECK(aside_release_is("6.2.0", 6, 2) && aside_release_is("6.12.1-amd64", 6, 2));
	CHECK(aside_release_is("7.0", 6, 2));
	CHECK(!aside_release_is("6.1.0-50-cloud-amd64", 6, 2) && !aside_release_is("5.19", 6, 2));
	CHECK(!aside_release_is("", 6, 2));
}

TEST_MAIN(TEST(test_record), TEST(test_broken_records), TEST(test_masks), TEST(test_outcome),
          TEST(test_irqbalance), TEST(test_releases))
