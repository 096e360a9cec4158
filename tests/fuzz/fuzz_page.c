/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest page: the input is what a guest wrote, 320 bytes for each look. Whatever it is, one of
 * seven statuses and one of three opinions comes of it, the same mapped and by file, and nothing
 * that an earlier look found counts beyond its lease.
 */
#include "guest/page.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define LOOK       offsetof(struct pvsched_page, reserved6)
#define GENERATION UINT64_C(0x1122334455667788)
#define STEP_NS    (300 * NSEC_PER_MSEC)

static void check_request(const struct pvs_request *request, uint64_t now_ns)
{
	enum pvsched_urgency now = pvs_request_urgency(request, now_ns);

	FUZZ_CHECK(request->urgency <= PVSCHED_URGENCY_URGENT);
	FUZZ_CHECK(now == request->urgency || now == PVSCHED_URGENCY_NONE);
	FUZZ_CHECK(pvs_request_urgency(request, now_ns + 2 * PVSCHED_REQUEST_LEASE_NS) ==
	           PVSCHED_URGENCY_NONE);
	FUZZ_CHECK(request->changed_ns <= now_ns && request->read_ns == now_ns);
	FUZZ_CHECK(request->expected_ns <= now_ns + UINT64_C(4294967296) * NSEC_PER_USEC);
}

static void look(const struct guest_page *mapped, const struct guest_page *by_file, uint64_t now_ns,
                 struct pvs_request *request, struct pvs_request *request_by_file)
{
	struct guest_hello hello, hello_by_file;
	enum pvsched_status status;
	bool agent;

	FUZZ_CHECK(guest_page_read_hello(mapped, &hello) == 0);
	FUZZ_CHECK(guest_page_read_hello(by_file, &hello_by_file) == 0);
	FUZZ_CHECK(guest_hello_equal(&hello, &hello_by_file));
	status = guest_hello_judge(&hello, mapped);
	FUZZ_CHECK(status <= PVSCHED_STATUS_MODE);
	FUZZ_CHECK(status == PVSCHED_STATUS_DISABLED || hello.generation_echo == GENERATION);
	agent = hello.agent_generation != 0;
	FUZZ_CHECK(guest_page_read_request(mapped, agent, now_ns - 1000, now_ns, request) == 0);
	FUZZ_CHECK(guest_page_read_request(by_file, agent, now_ns - 1000, now_ns,
	                                   request_by_file) == 0);
	FUZZ_CHECK(memcmp(request, request_by_file, sizeof(*request)) == 0);
	if (hello.generation_echo != GENERATION)
		FUZZ_CHECK(request->urgency == PVSCHED_URGENCY_NONE);
	check_request(request, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest_page mapped, by_file;
	static struct pvsched_page *page;
	struct pvs_request request = {0}, request_by_file = {0};
	uint64_t now_ns = NSEC_PER_SEC;

	if (!page) {
		int fd = memfd_create("page", MFD_CLOEXEC);

		FUZZ_CHECK(fd >= 0 && ftruncate(fd, PVSCHED_PAGE_SIZE) == 0);
		page = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		FUZZ_CHECK(page != MAP_FAILED);
		by_file = (struct guest_page){.fd = fd, .generation = GENERATION, .apic_id = 0};
		mapped = by_file;
		mapped.memory = page;
	}
	memset(page, 0, sizeof(*page));
	while (size > 0) {
		size_t n = MIN(size, LOOK);

		memcpy(page, data, n);
		look(&mapped, &by_file, now_ns, &request, &request_by_file);
		data += n;
		size -= n;
		now_ns += STEP_NS;
	}
	return 0;
}
