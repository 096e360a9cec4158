// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that changes its words between and during the reads of them: what is decided follows from
 * one value of each word, and each word is read once. Linked with -Wl,--wrap=pread64.
 */
#include "guest/page.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/registry.h"

#include "test.h"

#define GENERATION UINT64_C(0x1234567890abcdef)
#define NOW        (100 * NSEC_PER_SEC)
#define EXPECT_US  700
#define LOOKS      200000

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);

static struct pvsched_page *guest;
static struct guest_page_file file;
static const struct guest_page page = {.generation = GENERATION, .apic_id = 6};
static bool flips; /* after each read */
static unsigned int reads;

/* The two things that the guest says. Each word differs, and the sequence ties two of them. */
static void say(bool urgent)
{
	guest->expect = pvsched_expect(urgent ? 0 : EXPECT_US, urgent ? 1 : 2);
	guest->written_ns = urgent ? 0 : NOW;
	guest->abi_version = urgent ? PVSCHED_ABI_VERSION : UINT32_MAX;
	guest->generation_echo = urgent ? GENERATION : GENERATION + 1;
	__atomic_store_n(&guest->request,
	                 pvsched_request(urgent ? pvsched_tuple(1, 0, 50) : pvsched_tuple(0, 0, 0),
	                                 urgent ? 1 : 2),
	                 __ATOMIC_RELEASE);
}

ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset)
{
	ssize_t n = __real_pread64(fd, buffer, size, offset);

	reads++;
	if (flips)
		say(reads % 2 == 0);
	return n;
}

static void begin(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("page", MFD_CLOEXEC);
		CHECK(fd >= 0 && ftruncate(fd, PVSCHED_PAGE_SIZE) == 0);
		guest = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(guest != MAP_FAILED);
		file = (struct guest_page_file){.fd = fd};
	}
	memset(guest, 0, PVSCHED_PAGE_SIZE);
	guest->policy_version = PVSCHED_POLICY_VERSION;
	strcpy(guest->policy_name, PVSCHED_POLICY_NAME);
	guest->protocol_id = PVSCHED_PROTOCOL;
	guest->requested_mode = PVSCHED_MODE;
	guest->apic_id = 6;
	say(true);
	reads = 0;
	flips = false;
}

struct decision {
	enum pvsched_status status;
	uint32_t urgency;
	uint64_t expected_ns;
};

/* As booster and reader do: a copy, and everything from that. The generation's own test is above:
 * here it is taken as it was read. */
static struct decision decide(void)
{
	struct pvs_request request = {0};
	enum pvsched_status policy;
	struct guest_words words;
	uint32_t number;

	CHECK_INT(guest_page_read(&file, &words), 0);
	policy = registry_judge(words.hello.policy_name, words.hello.policy_version, &number);
	guest_words_look(&words, words.hello.generation_echo, NOW - 1, NOW, NOW, &request);
	return (struct decision){guest_hello_judge(&words.hello, &page, policy), request.urgency,
	                         request.expected_ns};
}

/* Of one value of each word; where the two words of a request do not belong together, without an
 * expectation. */
static bool is_consistent(const struct decision *d)
{
	bool status = d->status == PVSCHED_STATUS_ENABLED || d->status == PVSCHED_STATUS_ABI ||
	              d->status == PVSCHED_STATUS_DISABLED;

	if (d->urgency == PVSCHED_URGENCY_URGENT)
		return status && d->expected_ns == 0;
	return status && d->urgency == PVSCHED_URGENCY_ORDINARY &&
	       (d->expected_ns == 0 || (d->expected_ns > NOW - NSEC_PER_MSEC &&
	                                d->expected_ns <= NOW + EXPECT_US * NSEC_PER_USEC));
}

/* All words change right after each read: a second read of any would see other values. */
static void test_between_reads(void)
{
	begin();
	flips = true;
	for (unsigned int i = 0; i < 1000; i++) {
		bool urgent = i % 2 == 0;
		struct decision d = decide();

		CHECK_U64(reads, i + 1);
		CHECK_INT(d.status, urgent ? PVSCHED_STATUS_ENABLED : PVSCHED_STATUS_DISABLED);
		CHECK_INT(d.urgency, urgent ? PVSCHED_URGENCY_URGENT : PVSCHED_URGENCY_ORDINARY);
		CHECK_U64(d.expected_ns, urgent ? 0 : NOW + EXPECT_US * NSEC_PER_USEC);
	}
}

static _Atomic bool ends;

static void *flip(void *userdata)
{
	for (bool urgent = false; !ends; urgent = !urgent)
		say(urgent);
	return userdata;
}

/* All words change during the reads, as fast as memory takes it. */
static void test_during_reads(void)
{
	unsigned int urgent = 0, ordinary = 0, torn = 0;
	pthread_t thread;

	begin();
	ends = false;
	CHECK_INT(pthread_create(&thread, NULL, flip, NULL), 0);
	for (unsigned int i = 0; i < LOOKS; i++) {
		struct decision d = decide();

		if (!is_consistent(&d)) {
			fprintf(stderr, "status %d, urgency %u, expected %" PRIu64 "\n", d.status,
			        d.urgency, d.expected_ns);
			test_fail();
		}
		urgent += d.urgency == PVSCHED_URGENCY_URGENT;
		ordinary += d.urgency == PVSCHED_URGENCY_ORDINARY;
		torn += d.urgency == PVSCHED_URGENCY_ORDINARY && d.expected_ns == 0;
	}
	ends = true;
	pthread_join(thread, NULL);
	printf("# %u urgent, %u ordinary, of these %u torn\n", urgent, ordinary, torn);
	CHECK_GE(urgent, 1);
	CHECK_GE(ordinary, 1);
	CHECK_U64(reads, LOOKS);
}

TEST_MAIN(TEST(test_between_reads), TEST(test_during_reads))
