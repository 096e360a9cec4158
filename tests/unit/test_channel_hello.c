// SPDX-License-Identifier: GPL-2.0-or-later
/* What an agent says of itself: what is taken, and each rule that it may break. */
#include "hello_fixture.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

static int parse(const void *frame, size_t size, struct channel_hello **ret)
{
	const char *why = NULL;
	int r;

	*ret = NULL;
	r = channel_hello_parse(frame, size, ret, &why);
	CHECK(r == 0 || (why && why[0]));
	return r;
}

static void test_taken(void)
{
	struct hello_frame f = hello_frame();
	CLEANUP(cleanup_free) struct channel_hello *hello = NULL;

	CHECK_INT(parse(&f, sizeof(f), &hello), 0);
	memset(&f, 0xff, sizeof(f)); /* it is a copy */
	CHECK_U64(hello->abi_version, 1);
	CHECK_U64(hello->agent_generation, 7);
	CHECK_U64(hello->cs_unavailable, PVSCHED_CS_NMI | PVSCHED_CS_PREEMPT);
	CHECK_STR(hello->agent_version, "0.1.0");
	CHECK_STR(hello->kernel, "6.1.0-42-amd64");
	CHECK_U64(hello->n_policies, 2);
	CHECK_STR(hello->policies[1].name, "pvschedd");
	CHECK_U64(hello->n_cpus, HELLO_CPUS);
	CHECK_U64(hello->cpus[2].apic_id, 4);
	CHECK_U64(hello->cpus[2].address, 18 * PVSCHED_PAGE_SIZE);
}

/* A guest of an architecture without APIC ids. */
static void test_no_apic_ids(void)
{
	struct hello_frame f = hello_frame();
	CLEANUP(cleanup_free) struct channel_hello *hello = NULL;

	for (int i = 0; i < HELLO_CPUS; i++)
		f.cpus[i].apic_id = PVSCHED_APIC_ID_NONE;
	CHECK_INT(parse(&f, sizeof(f), &hello), 0);
}

/* The most that there may be. */
static void test_largest(void)
{
	static struct {
		struct pvsched_channel_hello hello;
		struct pvsched_channel_policy policies[PVSCHED_CHANNEL_POLICIES_MAX];
		struct pvsched_channel_cpu cpus[PVSCHED_CHANNEL_CPUS_MAX];
	} f;
	CLEANUP(cleanup_free) struct channel_hello *hello = NULL;

	f.hello = hello_frame().hello;
	f.hello.head = frame_head(PVSCHED_CHANNEL_HELLO, sizeof(f));
	f.hello.n_policies = PVSCHED_CHANNEL_POLICIES_MAX;
	f.hello.n_cpus = PVSCHED_CHANNEL_CPUS_MAX;
	for (uint32_t i = 0; i < PVSCHED_CHANNEL_POLICIES_MAX; i++)
		f.policies[i] = (struct pvsched_channel_policy){"pvschedd", i + 2, 0};
	for (uint32_t i = 0; i < PVSCHED_CHANNEL_CPUS_MAX; i++)
		f.cpus[i] = (struct pvsched_channel_cpu){
		        511 - i, i * 3, (UINT64_C(1) << 52) - (i + 1) * PVSCHED_PAGE_SIZE};
	CHECK_INT(parse(&f, sizeof(f), &hello), 0);
	CHECK_U64(hello->cpus[511].cpu_index, 0);
}

#define REFUSED(change)                                                                            \
	({                                                                                         \
		struct hello_frame f = hello_frame();                                              \
		struct channel_hello *hello_;                                                      \
		change;                                                                            \
		CHECK_INT(parse(&f, sizeof(f), &hello_), -EBADMSG);                                \
	})

static void test_refused_words(void)
{
	REFUSED(f.hello.head.magic++);
	REFUSED(f.hello.head.version++);
	REFUSED(f.hello.head.type = PVSCHED_CHANNEL_STORED);
	REFUSED(f.hello.head.size += 8);
	REFUSED(f.hello.head.reserved = 1);
	REFUSED(f.hello.agent_generation = 0);
	REFUSED(f.hello.cs_unavailable = PVSCHED_CS_ALL + 1);
	REFUSED(f.hello.reserved[1] = 1);
	REFUSED(f.hello.n_policies = 0);
	REFUSED(f.hello.n_policies = PVSCHED_CHANNEL_POLICIES_MAX + 1);
	REFUSED(f.hello.n_cpus = 0);
	REFUSED(f.hello.n_cpus--);
	REFUSED(f.hello.n_cpus = PVSCHED_CHANNEL_CPUS_MAX + 1);
	REFUSED(f.hello.n_cpus = UINT32_MAX);
	REFUSED(f.hello.agent_version[1] = '\n');
	REFUSED(f.hello.agent_version[20] = 'x'); /* behind its end */
	REFUSED(memset(f.hello.kernel, 'x', sizeof(f.hello.kernel)));
	REFUSED(f.hello.kernel[0] = '\x1b');
}

static void test_refused_lists(void)
{
	REFUSED(f.policies[0].name[0] = '\0');
	REFUSED(memset(f.policies[0].name, 'x', sizeof(f.policies[0].name)));
	REFUSED(f.policies[0].name[31] = 'x');
	REFUSED(f.policies[1].reserved = 1);
	REFUSED(f.policies[1] = f.policies[0]);
	REFUSED(f.cpus[0].address++);
	REFUSED(f.cpus[0].address = UINT64_C(1) << 52);
	REFUSED(f.cpus[2].address = f.cpus[0].address);
	REFUSED(f.cpus[2].cpu_index = f.cpus[0].cpu_index);
	REFUSED(f.cpus[2].apic_id = f.cpus[0].apic_id);
	REFUSED(f.cpus[1].apic_id = PVSCHED_APIC_ID_NONE);
}

/* Each prefix, each with the size that it has. */
static void test_cut(void)
{
	for (size_t size = 0; size < sizeof(struct hello_frame); size++) {
		struct hello_frame f = hello_frame();
		struct channel_hello *hello;

		f.hello.head.size = (uint32_t)size;
		CHECK_INT(parse(&f, size, &hello), -EBADMSG);
	}
}

static void test_stored(void)
{
	struct pvsched_channel_stored stored = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(stored)), .nonce = 5};
	uint64_t nonce = 0;
	const char *why;

	CHECK_INT(channel_stored_parse(&stored, sizeof(stored), &nonce, &why), 0);
	CHECK_U64(nonce, 5);
	CHECK_INT(channel_stored_parse(&stored, sizeof(stored) - 1, &nonce, &why), -EBADMSG);
	stored.head.reserved = 1;
	CHECK_INT(channel_stored_parse(&stored, sizeof(stored), &nonce, &why), -EBADMSG);
}

TEST_MAIN({"taken", test_taken}, {"no-apic-ids", test_no_apic_ids}, {"largest", test_largest},
          {"refused-words", test_refused_words}, {"refused-lists", test_refused_lists},
          {"cut", test_cut}, {"stored", test_stored})
