/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The booster's dealings with guest pages, with accounts and a reader of the test's own. */

#include "boost/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define SLOT       3
#define GENERATION UINT64_C(77)
#define ADDRESS    UINT64_C(0x7f0000001000)
#define T0         (10 * NSEC_PER_SEC)
#define MS         NSEC_PER_MSEC

static struct pvs_bucket_rule cpu_rule;
static struct accounts accounts;
static struct board *board;
static struct pages *pages;
static struct pvsched_page *guest;
static struct guest_page page;
static struct guest_page_file file;
static struct policy_view view;

#define account (&accounts.vcpus[SLOT])

static void begin(void)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, PVSCHED_PAGE_SIZE) == 0);
	guest = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(guest != MAP_FAILED);
	accounts = (struct accounts){
	        .vcpus = aligned_alloc(64, 8 * sizeof(*accounts.vcpus)),
	        .domains = aligned_alloc(64, sizeof(*accounts.domains)),
	        .cpus = aligned_alloc(64, sizeof(*accounts.cpus)),
	        .cpu_rule = &cpu_rule,
	};
	CHECK(accounts.vcpus && accounts.domains && accounts.cpus);
	memset(accounts.vcpus, 0, 8 * sizeof(*accounts.vcpus));
	memset(accounts.domains, 0, sizeof(*accounts.domains));
	memset(accounts.cpus, 0, sizeof(*accounts.cpus));
	account->in_ns = T0; /* it runs */
	CHECK_INT(board_new(&board), 0);
	pages = pages_new(8, &accounts, board);
	CHECK(pages);
	file = (struct guest_page_file){fd, 0};
	page = (struct guest_page){
	        .address = ADDRESS, .generation = GENERATION, .apic_id = PVSCHED_APIC_ID_NONE};
	view = (struct policy_view){.state = POLICY_UNBOOSTED, .reason = POLICY_REASON_AWAKE};
}

static void end(void)
{
	pages_free(pages);
	board_free(board);
	free(accounts.vcpus);
	free(accounts.domains);
	free(accounts.cpus);
	munmap(guest, PVSCHED_PAGE_SIZE);
	close(file.fd);
}

static void say_hello(void)
{
	guest->abi_version = PVSCHED_ABI_VERSION;
	guest->policy_version = PVSCHED_POLICY_VERSION;
	strcpy(guest->policy_name, PVSCHED_POLICY_NAME);
	guest->generation_echo = GENERATION;
}

/* The reader's turn, at @now_ns. Returns what the booster finds then. */
static int serve(uint64_t now_ns)
{
	unsigned int from = 0, slot;
	struct board_ask ask;
	int found = 0;

	while (board_next_ask(board, page.lane, &from, &slot, &ask)) {
		struct board_copy copy = {.generation = ask.generation,
		                          .index = ask.index,
		                          .writes = ask.writes,
		                          .read_ns = now_ns};

		if (!page.in_ram && !board_is_written(board, slot, &ask)) {
			guest_page_publish(&file, &ask.snapshot);
			guest_page_answer(&file, (enum pvsched_status)ask.status);
		}
		copy.result = guest_page_read(&file, &copy.words);
		board_put(board, slot, &copy);
	}
	from = 0;
	board_news_begin(board);
	while (board_next_news(board, &from) == SLOT)
		found |= pages_news(pages, SLOT, &view, now_ns);
	return found;
}

/* A look, and what comes of it. */
static int look(uint64_t now_ns)
{
	int found = pages_look(pages, SLOT, &view, now_ns);

	found |= serve(now_ns);
	serve(now_ns); /* the answer */
	return found;
}

static struct pages_view read_view(uint64_t now_ns)
{
	struct pages_view ret;

	pages_read(pages, SLOT, now_ns, &ret);
	return ret;
}

static void sleep_vcpu(uint64_t now_ns)
{
	account->in_ns = 0;
	account->out_ns = now_ns;
	account->out = PVS_OUT_HALTED;
}

static void enable(bool poll)
{
	say_hello();
	pages_set(pages, SLOT, &page, poll, T0);
	CHECK_INT(look(T0) & PAGES_STATUS, PAGES_STATUS);
	CHECK_INT(guest->status, PVSCHED_STATUS_ENABLED);
}
