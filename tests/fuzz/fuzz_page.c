/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest page: the input is what a guest wrote, 320 bytes for each look. Whatever it is, one of
 * seven statuses and one of three opinions comes of it, and nothing that an earlier look found
 * counts beyond its lease; an application's word is bound by time, an agent's by the vCPU's run
 * time, which is half of it here.
 */
#include "guest/page.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/registry.h"

#include "fuzz.h"

#define LOOK       offsetof(struct pvsched_page, reserved6)
#define GENERATION UINT64_C(0x1122334455667788)
#define STEP_NS    (300 * NSEC_PER_MSEC)

static void check_request(const struct pvs_request *request, uint64_t now_ns)
{
	const uint64_t lease_ns = PVSCHED_REQUEST_LEASE_NS, run_ns = now_ns / 2;
	enum pvsched_urgency now = pvs_request_urgency(request, now_ns, run_ns);

	FUZZ_CHECK(request->urgency <= PVSCHED_URGENCY_URGENT);
	FUZZ_CHECK(now == request->urgency || now == PVSCHED_URGENCY_NONE);
	FUZZ_CHECK(pvs_request_urgency(request, now_ns + 2 * lease_ns,
	                               run_ns + PVSCHED_AGENT_LEASE_NS + 1) ==
	           PVSCHED_URGENCY_NONE);
	FUZZ_CHECK(pvs_request_priority(request, now_ns + 2 * lease_ns,
	                                run_ns + PVSCHED_AGENT_LEASE_NS + 1) == 0);
	FUZZ_CHECK(request->lived_ns <= run_ns);
	FUZZ_CHECK(request->changed_ns <= now_ns && request->read_ns == now_ns);
	FUZZ_CHECK(request->expected_ns <= now_ns + UINT64_C(4294967296) * NSEC_PER_USEC);
}

static void look(const struct guest_page_file *file, const struct guest_page *page, uint64_t now_ns,
                 struct pvs_request *request)
{
	struct guest_words words;
	enum pvsched_status status, policy;
	uint32_t number;

	FUZZ_CHECK(guest_page_read(file, &words) == 0);
	policy = registry_judge(words.hello.policy_name, words.hello.policy_version, &number);
	FUZZ_CHECK((policy == PVSCHED_STATUS_ENABLED) == (number != REGISTRY_NONE));
	FUZZ_CHECK(number <= registry_n);
	status = guest_hello_judge(&words.hello, page, policy);
	FUZZ_CHECK(status <= PVSCHED_STATUS_MODE);
	FUZZ_CHECK(status == PVSCHED_STATUS_DISABLED || words.hello.generation_echo == GENERATION);
	guest_words_look(&words, GENERATION, now_ns - 1000, now_ns, now_ns / 2, request);
	if (words.hello.generation_echo != GENERATION)
		FUZZ_CHECK(request->urgency == PVSCHED_URGENCY_NONE);
	check_request(request, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_page page = {.generation = GENERATION, .apic_id = 0};
	static struct guest_page_file file;
	static struct pvsched_page *memory;
	struct pvs_request request = {0};
	uint64_t now_ns = NSEC_PER_SEC;

	if (!memory) {
		int fd = memfd_create("page", MFD_CLOEXEC);

		FUZZ_CHECK(fd >= 0 && ftruncate(fd, PVSCHED_PAGE_SIZE) == 0);
		memory = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		FUZZ_CHECK(memory != MAP_FAILED);
		file = (struct guest_page_file){fd, 0};
	}
	memset(memory, 0, sizeof(*memory));
	while (size > 0) {
		size_t n = MIN(size, LOOK);

		memcpy(memory, data, n);
		look(&file, &page, now_ns, &request);
		data += n;
		size -= n;
		now_ns += STEP_NS;
	}
	return 0;
}
