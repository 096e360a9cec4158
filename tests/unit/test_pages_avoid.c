// SPDX-License-Identifier: GPL-2.0-or-later
/* Which vCPUs a guest should avoid: how it is told. */
#include "pages_fixture.h"

/* Told at once, kept for a page that comes later, and taken back with the page. */
static void test_page(void)
{
	begin();
	enable(false);
	CHECK_INT(guest->host_flags & PVSCHED_HOST_AVOID, 0);
	pages_set_avoid(pages, SLOT, true, &view, T0 + MS);
	serve(T0 + MS);
	CHECK(guest->host_flags & PVSCHED_HOST_AVOID);
	CHECK(read_view(T0 + MS).avoid);
	pages_publish(pages, SLOT, &view, T0 + 2 * MS);
	serve(T0 + 2 * MS);
	CHECK(guest->host_flags & PVSCHED_HOST_AVOID);
	pages_set_avoid(pages, SLOT, false, &view, T0 + 3 * MS);
	serve(T0 + 3 * MS);
	CHECK_INT(guest->host_flags & PVSCHED_HOST_AVOID, 0);
	pages_set_avoid(pages, SLOT, true, &view, T0 + 4 * MS);
	pages_set(pages, SLOT, &GUEST_PAGE_NULL, false, T0 + 5 * MS);
	serve(T0 + 5 * MS);
	CHECK_INT(guest->host_flags, 0);
	pages_set(pages, SLOT, &page, false, T0 + 200 * MS);
	look(T0 + 200 * MS);
	CHECK(guest->host_flags & PVSCHED_HOST_AVOID);
	end();
}

/* Of an agent's page: through the channel, each change at once, although the vCPU sleeps. */
static void test_in_ram(void)
{
	struct board_ask said;

	begin();
	page.in_ram = true;
	say_hello();
	guest->agent_generation = 9;
	pages_set(pages, SLOT, &page, false, T0);
	CHECK_INT(look(T0) & PAGES_STATUS, PAGES_STATUS);
	sleep_vcpu(T0 + MS);
	view.state = POLICY_ARMED;
	CHECK(pages_publish(pages, SLOT, &view, T0 + MS));
	CHECK(board_said(board, SLOT, &said));
	CHECK_INT(said.snapshot.host_flags, PVSCHED_HOST_ARMED);
	CHECK(pages_set_avoid(pages, SLOT, true, &view, T0 + 2 * MS));
	CHECK(board_said(board, SLOT, &said));
	CHECK_INT(said.snapshot.host_flags, PVSCHED_HOST_ARMED | PVSCHED_HOST_AVOID);
	CHECK_U64(said.snapshot.published_ns, T0 + 2 * MS);
	CHECK(!pages_set_avoid(pages, SLOT, true, &view, T0 + 3 * MS));
	CHECK(pages_set_avoid(pages, SLOT, false, &view, T0 + 4 * MS));
	CHECK(board_said(board, SLOT, &said));
	CHECK_INT(said.snapshot.host_flags, PVSCHED_HOST_ARMED);
	/* it ends with the page, and nothing is written into the guest's memory */
	CHECK(pages_set_avoid(pages, SLOT, true, &view, T0 + 5 * MS));
	pages_set(pages, SLOT, &GUEST_PAGE_NULL, false, T0 + 6 * MS);
	CHECK(board_said(board, SLOT, &said));
	CHECK_INT(said.snapshot.host_flags, 0);
	CHECK_INT(guest->host_flags, 0);
	CHECK(!pages_set_avoid(pages, SLOT, false, &view, T0 + 7 * MS));
	end();
}

TEST_MAIN(TEST(test_page), TEST(test_in_ram))
