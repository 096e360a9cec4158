// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest pages as the host reads and writes them. */
#include "guest/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/registry.h"

#include "test.h"

#define GENERATION UINT64_C(0x1234567890abcdef)
#define NOW        (100 * NSEC_PER_SEC)

/* A page in a memfd: what the guest maps, and what the host knows of it. */
struct fixture {
	int fd;
	struct pvsched_page *guest;
	struct guest_page_file file;
	struct guest_page page;
};

static struct fixture make(void)
{
	struct fixture f = {.fd = memfd_create("page", MFD_CLOEXEC)};

	CHECK(f.fd >= 0 && ftruncate(f.fd, 2 * PVSCHED_PAGE_SIZE) == 0);
	f.guest = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd,
	               PVSCHED_PAGE_SIZE);
	CHECK(f.guest != MAP_FAILED);
	f.file = (struct guest_page_file){f.fd, PVSCHED_PAGE_SIZE};
	f.page = (struct guest_page){.generation = GENERATION, .apic_id = 6};
	return f;
}

static void done(struct fixture *f)
{
	munmap(f->guest, PVSCHED_PAGE_SIZE);
	close(f->fd);
}

static void say_hello(struct pvsched_page *page)
{
	page->abi_version = PVSCHED_ABI_VERSION;
	page->policy_version = PVSCHED_POLICY_VERSION;
	strcpy(page->policy_name, PVSCHED_POLICY_NAME);
	page->protocol_id = PVSCHED_PROTOCOL;
	page->requested_mode = PVSCHED_MODE;
	page->apic_id = 6;
	page->cpu_index = 3;
	page->generation_echo = GENERATION;
}

static enum pvsched_status judge_policy(const struct guest_hello *hello)
{
	uint32_t number;

	return registry_judge(hello->policy_name, hello->policy_version, &number);
}

static enum pvsched_status judge(const struct fixture *f)
{
	struct guest_words words;

	CHECK_INT(guest_page_read(&f->file, &words), 0);
	return guest_hello_judge(&words.hello, &f->page, judge_policy(&words.hello));
}

#define CHECK_JUDGED(f, field, value, status)                                                      \
	do {                                                                                       \
		say_hello((f)->guest);                                                             \
		(f)->guest->field = (value);                                                       \
		CHECK_INT(judge(f), (status));                                                     \
	} while (0)

static void test_negotiation(void)
{
	struct fixture f = make();

	CHECK_INT(judge(&f), PVSCHED_STATUS_DISABLED);
	CHECK_JUDGED(&f, protocol_id, 0, PVSCHED_STATUS_ENABLED);
	CHECK_JUDGED(&f, generation_echo, GENERATION + 1, PVSCHED_STATUS_DISABLED);
	CHECK_JUDGED(&f, generation_echo, 0, PVSCHED_STATUS_DISABLED);
	CHECK_JUDGED(&f, abi_version, 0, PVSCHED_STATUS_ABI);
	CHECK_JUDGED(&f, abi_version, 0x01000000, PVSCHED_STATUS_ABI); /* the other endianness */
	CHECK_JUDGED(&f, policy_version, 2, PVSCHED_STATUS_POLICY_VERSION);
	CHECK_JUDGED(&f, protocol_id, 1, PVSCHED_STATUS_PROTOCOL);
	CHECK_JUDGED(&f, requested_mode, 1, PVSCHED_STATUS_MODE);
	CHECK_JUDGED(&f, apic_id, 7, PVSCHED_STATUS_PROTOCOL);
	CHECK_JUDGED(&f, apic_id, PVSCHED_APIC_ID_NONE, PVSCHED_STATUS_ENABLED);
	CHECK_JUDGED(&f, policy_name[0], 'P', PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_JUDGED(&f, policy_name[31], 'x', PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_JUDGED(&f, policy_name[8], 'x', PVSCHED_STATUS_UNKNOWN_POLICY);
	done(&f);
}

/* What an earlier host left is not found again. */
static void test_begin_answer_end(void)
{
	struct fixture f = make();

	memset(f.guest, 0xff, PVSCHED_PAGE_SIZE);
	CHECK_INT(guest_page_begin(&f.file, GENERATION), 0);
	CHECK_INT(f.guest->status, PVSCHED_STATUS_DISABLED);
	CHECK_U64(f.guest->generation, GENERATION);
	CHECK_U64(f.guest->run_delay_ns, 0);
	CHECK_U64(f.guest->applied_state, 0);
	CHECK_U64(f.guest->request, UINT64_MAX); /* the guest's words are the guest's */
	CHECK_U64(f.guest->abi_version, UINT32_MAX);
	CHECK_INT(guest_page_answer(&f.file, PVSCHED_STATUS_MODE), 0);
	CHECK_INT(f.guest->status, PVSCHED_STATUS_MODE);
	CHECK_INT(f.guest->host_abi_version, PVSCHED_ABI_VERSION);
	CHECK_INT(f.guest->accepted_mode, PVSCHED_MODE);
	f.guest->host_flags = PVSCHED_HOST_AVOID | PVSCHED_HOST_ARMED;
	guest_page_end(&f.file);
	CHECK_INT(f.guest->host_flags, 0);
	CHECK_INT(f.guest->status, PVSCHED_STATUS_DISABLED);
	CHECK_U64(f.guest->generation, 0);
	done(&f);
}

static void test_publish(void)
{
	struct fixture f = make();
	struct guest_snapshot s = {
	        .applied_state = pvsched_applied(PVSCHED_BOOST_CRITICAL, PVSCHED_THROTTLED_SHARE),
	        .run_delay_ns = 10,
	        .boosted_ns = 20,
	        .boosts = 30,
	        .throttles = 40,
	        .published_ns = 50,
	        .host_cpu = 7,
	        .host_flags = PVSCHED_HOST_ARMED,
	};

	CHECK_INT(guest_page_publish(&f.file, &s), 0);
	CHECK_INT(pvsched_applied_boost(f.guest->applied_state), PVSCHED_BOOST_CRITICAL);
	CHECK_INT(pvsched_applied_throttled(f.guest->applied_state), PVSCHED_THROTTLED_SHARE);
	CHECK_U64(f.guest->run_delay_ns, s.run_delay_ns);
	CHECK_U64(f.guest->boosted_ns, s.boosted_ns);
	CHECK_U64(f.guest->boosts, s.boosts);
	CHECK_U64(f.guest->throttles, s.throttles);
	CHECK_U64(f.guest->published_ns, s.published_ns);
	CHECK_INT(f.guest->host_cpu, 7);
	CHECK_INT(f.guest->host_flags, PVSCHED_HOST_ARMED);
	done(&f);
}

static const uint64_t fifo = UINT64_C(1) | 50 << 16, normal = 0;

/* The guest's words are copied and looked at; the vCPU runs since @since_ns, and ran before. */
static void look(const struct fixture *f, uint64_t since_ns, uint64_t now_ns,
                 struct pvs_request *request)
{
	struct guest_words words;

	CHECK_INT(guest_page_read(&f->file, &words), 0);
	guest_words_look(&words, GENERATION, since_ns, now_ns, now_ns, request);
}

static enum pvsched_urgency opinion_after(struct fixture *f, struct pvs_request *request,
                                          uint64_t now_ns)
{
	look(f, now_ns - 10, now_ns, request);
	return pvs_request_urgency(request, now_ns, now_ns);
}

static void test_request_and_lease(void)
{
	struct fixture f = make();
	struct pvs_request request = {0};

	say_hello(f.guest);
	CHECK_INT(opinion_after(&f, &request, NOW), PVSCHED_URGENCY_NONE);
	f.guest->request = pvsched_request(fifo, 1);
	CHECK_INT(opinion_after(&f, &request, NOW + 5), PVSCHED_URGENCY_URGENT);
	/* not renewed, it dies */
	CHECK_INT(opinion_after(&f, &request, NOW + 5 + PVSCHED_REQUEST_LEASE_NS),
	          PVSCHED_URGENCY_URGENT);
	CHECK_INT(opinion_after(&f, &request, NOW + 6 + PVSCHED_REQUEST_LEASE_NS),
	          PVSCHED_URGENCY_NONE);
	/* another number renews it, also the one after the last */
	f.guest->request = pvsched_request(fifo, UINT32_MAX);
	CHECK_INT(opinion_after(&f, &request, NOW + 3 * PVSCHED_REQUEST_LEASE_NS),
	          PVSCHED_URGENCY_URGENT);
	f.guest->request = pvsched_request(normal, 1);
	CHECK_INT(opinion_after(&f, &request, NOW + 4 * PVSCHED_REQUEST_LEASE_NS),
	          PVSCHED_URGENCY_ORDINARY);
	f.guest->generation_echo++;
	CHECK_INT(opinion_after(&f, &request, NOW + 4 * PVSCHED_REQUEST_LEASE_NS + 1),
	          PVSCHED_URGENCY_NONE);
	done(&f);
}

static void test_expectation(void)
{
	struct fixture f = make();
	struct pvs_request request = {0};

	say_hello(f.guest);
	f.guest->expect = pvsched_expect(700, 9);
	f.guest->request = pvsched_request(normal, 9);
	opinion_after(&f, &request, NOW);
	CHECK_U64(request.expected_ns, NOW - 10 + 700 * NSEC_PER_USEC); /* since it runs */
	/* the same words later are not another expectation */
	opinion_after(&f, &request, NOW + 1000);
	CHECK_U64(request.expected_ns, NOW - 10 + 700 * NSEC_PER_USEC);
	/* one that belongs to another request is none */
	f.guest->request = pvsched_request(normal, 10);
	opinion_after(&f, &request, NOW + 2000);
	CHECK_U64(request.expected_ns, 0);
	/* written since the last look, which was later than the switch-in */
	f.guest->expect = pvsched_expect(1, 11);
	f.guest->request = pvsched_request(normal, 11);
	opinion_after(&f, &request, NOW + 2005);
	CHECK_U64(request.expected_ns, NOW + 2000 + NSEC_PER_USEC);
	done(&f);
}

static void test_what_has_no_meaning(void)
{
	static const uint64_t bad[] = {
	        1ULL | 50 << 16 | 1ULL << 24 | 1ULL << 32, /* reserved byte */
	        1ULL | 0 << 16 | 1ULL << 32,               /* FIFO without priority */
	        1ULL | 100 << 16 | 1ULL << 32,             /* above 99 */
	        1ULL | 1 << 8 | 50 << 16 | 1ULL << 32,     /* FIFO with nice */
	        0ULL | 20 << 8 | 1ULL << 32,               /* nice 20 */
	        0ULL | 0xebULL << 8 | 1ULL << 32,          /* nice -21 */
	        0ULL | 1 << 16 | 1ULL << 32,               /* NORMAL with priority */
	        4ULL | 1ULL << 32,                         /* no such policy */
	        5ULL | 1 << 8 | 1ULL << 32,                /* IDLE with nice */
	        6ULL | 1ULL << 32,                         /* DEADLINE */
	        1ULL | 50 << 16,                           /* no sequence number */
	        UINT64_MAX,
	};
	struct fixture f = make();
	struct pvs_request request = {0};

	say_hello(f.guest);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f.guest->request = bad[i];
		CHECK_INT(opinion_after(&f, &request, NOW + i), PVSCHED_URGENCY_NONE);
		CHECK_INT(request.invalid_total, (int)i + 1);
	}
	opinion_after(&f, &request, NOW + 100); /* counted once each */
	CHECK_INT(request.invalid_total, ARRAY_SIZE(bad));
	done(&f);
}

static enum pvsched_urgency intent(uint64_t current, uint64_t pending, uint64_t flags, uint64_t cs)
{
	return pvsched_intent_urgency(current | pending << 24 | flags << 48, cs);
}

static void test_the_guests_scheduler(void)
{
	CHECK_INT(intent(normal, 0, 0, 0), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(intent(fifo, 0, 0, 0), PVSCHED_URGENCY_URGENT);
	CHECK_INT(intent(normal, fifo, PVSCHED_INTENT_PENDING, 0), PVSCHED_URGENCY_URGENT);
	CHECK_INT(intent(normal, fifo, 0, 0), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(intent(normal, 9, 0, 0), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(intent(normal, 9, PVSCHED_INTENT_PENDING, 0), PVSCHED_URGENCY_INVALID);
	CHECK_INT(intent(normal, 0, PVSCHED_INTENT_IDLE, 0), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(intent(normal, 0, 4, 0), PVSCHED_URGENCY_INVALID);
	CHECK_INT(intent(normal, 0, 0x100, 0), PVSCHED_URGENCY_INVALID);
	CHECK_INT(intent(normal, 0, 0, PVSCHED_CS_SOFTIRQ), PVSCHED_URGENCY_URGENT);
	CHECK_INT(intent(normal, 0, 0, 16), PVSCHED_URGENCY_INVALID);
	CHECK_INT(pvsched_urgency_merge(PVSCHED_URGENCY_INVALID, PVSCHED_URGENCY_ORDINARY),
	          PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvsched_urgency_merge(PVSCHED_URGENCY_URGENT, PVSCHED_URGENCY_ORDINARY),
	          PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvsched_urgency_merge(PVSCHED_URGENCY_INVALID, PVSCHED_URGENCY_INVALID),
	          PVSCHED_URGENCY_NONE);
}

static void test_an_agent_is_heard_only_if_there_is_one(void)
{
	struct fixture f = make();
	struct pvs_request request = {0};

	say_hello(f.guest);
	f.guest->task_intent = fifo;
	look(&f, NOW, NOW, &request);
	CHECK_INT(request.urgency, PVSCHED_URGENCY_NONE);
	f.guest->agent_generation = 1;
	look(&f, NOW, NOW, &request);
	CHECK_INT(request.urgency, PVSCHED_URGENCY_URGENT);
	f.guest->task_intent = normal;
	f.guest->request = pvsched_request(fifo, 1);
	look(&f, NOW, NOW, &request);
	CHECK_INT(request.urgency, PVSCHED_URGENCY_URGENT);
	done(&f);
}

/* What a dead program left does not live by an agent's renewals, nor the other way round. */
static void test_each_voice_is_renewed_by_itself(void)
{
	const uint64_t lease = PVSCHED_REQUEST_LEASE_NS;
	struct fixture f = make();
	struct pvs_request request = {0};

	say_hello(f.guest);
	f.guest->agent_generation = 1;
	f.guest->request = pvsched_request(fifo, 1);
	f.guest->task_intent = normal;
	look(&f, NOW, NOW, &request);
	CHECK_INT(pvs_request_urgency(&request, NOW, NOW), PVSCHED_URGENCY_URGENT);
	f.guest->cs_state = PVSCHED_CS_SOFTIRQ;
	look(&f, NOW, NOW + lease, &request);
	f.guest->cs_state = 0;
	look(&f, NOW, NOW + lease + 1, &request);
	CHECK_INT(pvs_request_urgency(&request, NOW + lease + 1, NOW + lease + 1),
	          PVSCHED_URGENCY_ORDINARY);
	/* now the agent is dead in the middle of a critical section, and the program renews */
	f.guest->cs_state = PVSCHED_CS_SOFTIRQ;
	look(&f, NOW, NOW + 2 * lease, &request);
	CHECK_INT(pvs_request_urgency(&request, NOW + 2 * lease, NOW + 2 * lease),
	          PVSCHED_URGENCY_URGENT);
	f.guest->request = pvsched_request(normal, 2);
	look(&f, NOW, NOW + 3 * lease + 1, &request);
	CHECK_INT(pvs_request_urgency(&request, NOW + 3 * lease + 1, NOW + 3 * lease + 1),
	          PVSCHED_URGENCY_ORDINARY);
	done(&f);
}

/* An object that is cut off or punched under the host is an error or zeros, never a signal. */
static void test_cut_off(void)
{
	struct fixture f = make();
	struct guest_words words;
	struct guest_snapshot s = {0};

	say_hello(f.guest);
	CHECK_INT(ftruncate(f.fd, PVSCHED_PAGE_SIZE + 100), 0);
	CHECK_INT(guest_page_read(&f.file, &words), -EIO);
	CHECK_INT(ftruncate(f.fd, 0), 0);
	CHECK_INT(guest_page_read(&f.file, &words), -EIO);
	CHECK_INT(guest_page_publish(&f.file, &s), 0); /* grows again: zeros */
	CHECK_INT(ftruncate(f.fd, 2 * PVSCHED_PAGE_SIZE), 0);
	CHECK_INT(judge(&f), PVSCHED_STATUS_DISABLED);
	say_hello(f.guest);
	CHECK_INT(judge(&f), PVSCHED_STATUS_ENABLED);
	CHECK_INT(fallocate(f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	                    2 * PVSCHED_PAGE_SIZE),
	          0);
	CHECK_INT(judge(&f), PVSCHED_STATUS_DISABLED);
	close(f.fd);
	CHECK_INT(guest_page_read(&f.file, &words), -EBADF);
	munmap(f.guest, PVSCHED_PAGE_SIZE);
}

static void test_names(void)
{
	CHECK_STR(guest_status_name(PVSCHED_STATUS_ENABLED), "enabled");
	CHECK_STR(guest_status_name((enum pvsched_status)99), "?");
	CHECK_STR(guest_urgency_name(PVSCHED_URGENCY_URGENT), "urgent");
	CHECK_STR(guest_urgency_name((enum pvsched_urgency)99), "?");
}

TEST_MAIN({"negotiation", test_negotiation}, {"begin_answer_end", test_begin_answer_end},
          {"publish", test_publish}, {"request_and_lease", test_request_and_lease},
          {"expectation", test_expectation}, {"what_has_no_meaning", test_what_has_no_meaning},
          {"the_guests_scheduler", test_the_guests_scheduler},
          {"agent", test_an_agent_is_heard_only_if_there_is_one},
          {"each_voice_is_renewed_by_itself", test_each_voice_is_renewed_by_itself},
          {"cut_off", test_cut_off}, {"names", test_names})
