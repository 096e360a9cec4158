/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpvsched with a region of any content, which changes while it is open. The input: two bytes
 * (CPU, how to ask), two contents of CONTENT_SIZE bytes, /proc/cpuinfo. Whatever stands there, the
 * header is never written to, and no page behind those it counts. A header that changes without a
 * new generation breaks the contract: then the older one may be believed, too.
 */
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/open.h"
#include "pvsched/pvsched.h"

#include "fuzz.h"

#define REGION_SIZE PVSCHED_REGION_SIZE_MIN

static uint8_t *region, *before;
static char path[64];

static void region_create(void)
{
	int fd = memfd_create("region", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && ftruncate(fd, REGION_SIZE) == 0);
	region = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FUZZ_CHECK(region != MAP_FAILED);
	before = malloc(REGION_SIZE);
	FUZZ_CHECK(before);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

/* The header's words, the APIC ids of the first pages, and what stands in each of these pages. */
#define WORDS_SIZE   32
#define IDS_SIZE     16
#define PAGE_BYTES   320
#define CONTENT_SIZE (WORDS_SIZE + IDS_SIZE + PAGE_BYTES)

static void region_fill(const uint8_t *content)
{
	memset(region, 0, REGION_SIZE);
	memcpy(region, content, WORDS_SIZE);
	memcpy(region + 1024, content + WORDS_SIZE, IDS_SIZE);
	for (size_t page = 1; page <= IDS_SIZE / 4; page++)
		memcpy(region + page * PVSCHED_PAGE_SIZE, content + WORDS_SIZE + IDS_SIZE,
		       PAGE_BYTES);
}

/* How many bytes may be written to: none without a header that makes sense. */
static size_t writable(void)
{
	const struct pvsched_region *header = (const struct pvsched_region *)before;
	size_t most = REGION_SIZE / PVSCHED_PAGE_SIZE - 1;

	if (header->magic != PVSCHED_REGION_MAGIC || header->version != 1 ||
	    header->page_size != PVSCHED_PAGE_SIZE || header->generation == 0 ||
	    header->page_count == 0 || header->page_count > most)
		return 0;
	return header->page_count * PVSCHED_PAGE_SIZE;
}

/* Asks for all there is. @end: where what may be written to ended before; returns where it ends. */
static size_t ask(struct pvsched *host, struct pvsched_lease *lease, uint8_t cpu, uint8_t how,
                  size_t end)
{
	struct pvsched_report report;
	struct pvsched_account account;

	memcpy(before, region, REGION_SIZE);
	end = MAX(end, PVSCHED_PAGE_SIZE + writable());
	FUZZ_CHECK(pvsched_query(host, cpu, &report) >= 0);
	FUZZ_CHECK(report.page < REGION_SIZE / PVSCHED_PAGE_SIZE);
	FUZZ_CHECK((report.page != 0) == (report.state >= PVSCHED_STATE_WAITING));
	fuzz_check_message(pvsched_state_name(report.state));
	fuzz_check_message(pvsched_state_text(report.state));
	FUZZ_CHECK(pvsched_query(host, PVSCHED_CPU_CURRENT, &report) >= 0);
	if (how & 1)
		FUZZ_CHECK(pvsched_lease_request(host, lease, SCHED_FIFO, 1 + (how >> 2)) >= 0);
	FUZZ_CHECK(pvsched_lease_renew(host, lease) >= 0);
	FUZZ_CHECK(pvsched_lease_account(host, lease, &account) >= 0);
	if (how & 2)
		FUZZ_CHECK(pvsched_lease_release(host, lease, how) >= 0);
	FUZZ_CHECK(memcmp(before, region, PVSCHED_PAGE_SIZE) == 0);
	FUZZ_CHECK(memcmp(before + end, region + end, REGION_SIZE - end) == 0);
	return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t input[2 + 2 * CONTENT_SIZE] = {0};
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_cpu_lines lines = PVSCHED_CPU_LINES_INIT;
	struct pvsched *host = NULL;
	size_t end;
	bool same;
	int r;

	if (!region)
		region_create();
	if (size > 0)
		memcpy(input, data, size < sizeof(input) ? size : sizeof(input));
	region_fill(input + 2);
	r = pvsched_open(path, &host);
	FUZZ_CHECK((r == 0 || r == PVSCHED_NO_HOST) && host);
	if (size > sizeof(input))
		pvsched_cpus_feed(&host->cpus, &lines, (const char *)data + sizeof(input),
		                  size - sizeof(input));
	end = ask(host, &lease, input[0], input[1], 0);
	same = memcmp(before + 24, input + 2 + CONTENT_SIZE + 24, 8) == 0;
	region_fill(input + 2 + CONTENT_SIZE);
	ask(host, &lease, input[0], input[1], same ? end : 0);
	FUZZ_CHECK(!pvsched_close(host));
	return 0;
}
