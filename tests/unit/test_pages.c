// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster's dealings with guest pages. */
#include "policy/registry.h"

#include "pages_fixture.h"

static void test_hello_and_tracer(void)
{
	begin();
	pages_set(pages, SLOT, &page, false, T0);
	CHECK_INT(pages_due(pages, T0), SLOT);
	CHECK_INT(look(T0), 0); /* no hello yet */
	CHECK_U64(account->page_address, 0);
	CHECK_U64(pages_next_ns(pages), T0 + PAGES_LOOK_NS);
	say_hello();
	CHECK_INT(look(T0 + PAGES_LOOK_NS), PAGES_STATUS);
	CHECK_INT(guest->status, PVSCHED_STATUS_ENABLED);
	CHECK_U64(account->page_address, ADDRESS);
	CHECK_U64(account->page_generation, GENERATION);
	CHECK(!(account->flags & PVS_FLAG_AGENT));
	guest->agent_generation = 5;
	look(T0 + 2 * PAGES_LOOK_NS);
	CHECK(account->flags & PVS_FLAG_AGENT);
	/* it says hello to somebody else: not heard any more */
	guest->generation_echo = 1;
	CHECK_INT(look(T0 + 3 * PAGES_LOOK_NS), PAGES_STATUS);
	CHECK_INT(guest->status, PVSCHED_STATUS_DISABLED);
	CHECK_U64(account->page_address, 0);
	CHECK_U64(read_view(T0).hellos_total, 2);
	guest->generation_echo = GENERATION;
	CHECK_INT(look(T0 + 4 * PAGES_LOOK_NS), PAGES_STATUS);
	pages_set(pages, SLOT, &GUEST_PAGE_NULL, false, T0);
	CHECK_U64(pages_next_ns(pages), NSEC_NEVER);
	CHECK(!read_view(T0).present);
	serve(T0);
	CHECK_INT(guest->status, PVSCHED_STATUS_DISABLED); /* it is told */
	end();
}

/* A guest that sleeps costs nothing; its next run is asked for. */
static void test_nothing_while_it_sleeps(void)
{
	begin();
	enable(false);
	sleep_vcpu(T0 + MS);
	look(T0 + PAGES_LOOK_NS);
	CHECK_U64(pages_next_ns(pages), NSEC_NEVER);
	CHECK(account->flags & PVS_FLAG_REPORT_RUN);
	account->in_ns = T0 + PAGES_LOOK_NS + 5 * MS;
	pages_switched_in(pages, SLOT, account->in_ns);
	CHECK(!(account->flags & PVS_FLAG_REPORT_RUN));
	/* not more often than ten times a second */
	CHECK_U64(pages_next_ns(pages), T0 + 2 * PAGES_LOOK_NS);
	end();
}

static void test_polling_adapts(void)
{
	uint64_t now_ns = T0, last_ns = T0, gap_ns = 0;

	begin();
	enable(true);
	CHECK_U64(account->page_address, 0); /* not for the tracer */
	for (int i = 0; i < 20; i++) {
		now_ns = pages_next_ns(pages);
		gap_ns = now_ns - last_ns;
		last_ns = now_ns;
		CHECK(gap_ns <= PAGES_POLL_MAX_NS);
		CHECK_INT(look(now_ns), 0);
	}
	CHECK(gap_ns > PAGES_POLL_MAX_NS / 2);
	guest->request = pvsched_request(PVSCHED_POLICY_FIFO | 50 << 16, 1);
	now_ns = pages_next_ns(pages);
	CHECK_INT(look(now_ns), PAGES_REQUESTED);
	CHECK_INT(read_view(now_ns).urgency, PVSCHED_URGENCY_URGENT);
	CHECK_U64(pages_next_ns(pages), now_ns + PAGES_POLL_MIN_NS);
	sleep_vcpu(now_ns);
	look(now_ns + PAGES_POLL_MIN_NS);
	CHECK_U64(pages_next_ns(pages), NSEC_NEVER);
	end();
}

/* A page that is not resident is read here instead, and the tracer tries again later. */
static void test_faults(void)
{
	uint64_t now_ns = T0;

	begin();
	enable(false);
	account->page_faults = 4;
	now_ns += PAGES_LOOK_NS;
	look(now_ns);
	CHECK(read_view(now_ns).polled);
	CHECK_U64(account->page_address, 0);
	CHECK_INT(read_view(now_ns).faults_total, 4);
	for (int i = 0; i < 110; i++) {
		now_ns += PAGES_LOOK_NS;
		look(now_ns);
	}
	CHECK(!read_view(now_ns).polled);
	CHECK_U64(account->page_address, ADDRESS);
	/* one fault beside readings that succeed changes nothing */
	account->page_faults = 5;
	account->request.read_ns = now_ns + PAGES_LOOK_NS - 1;
	now_ns += PAGES_LOOK_NS;
	look(now_ns);
	CHECK(!read_view(now_ns).polled);
	end();
}

static void test_facts(void)
{
	struct policy_facts facts = {.whereabouts = POLICY_RUNNING, .ran_ns = 1000};
	const uint64_t t1 = T0 + PAGES_LOOK_NS;

	begin();
	enable(false);
	guest->expect = pvsched_expect(2000, 9);
	guest->request = pvsched_request(PVSCHED_POLICY_NORMAL, 9);
	look(t1);
	pages_facts(pages, SLOT, t1 + 1, &facts);
	CHECK_INT(facts.urgency, PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(facts.expected_ns, T0 + 2 * MS); /* written since the copy before */
	/* the tracer saw the same word: the nearer of two lower bounds counts */
	account->request.generation = page.generation;
	account->request.words[0] = guest->request;
	account->request.urgency = PVSCHED_URGENCY_ORDINARY;
	account->request.changed_ns = t1 + 5;
	account->request.request_ns = t1 + 5;
	account->request.expected_ns = t1 + 2 * MS;
	account->request.read_ns = t1 + 10;
	pages_facts(pages, SLOT, t1 + 20, &facts);
	CHECK_U64(facts.expected_ns, T0 + 2 * MS);
	/* urgent words promise nothing */
	account->request.words[0] = pvsched_request(PVSCHED_POLICY_FIFO | 50 << 16, 10);
	account->request.changed_ns = t1 + 30;
	account->request.request_ns = t1 + 30;
	account->request.read_ns = t1 + 30;
	pages_facts(pages, SLOT, t1 + 40, &facts);
	CHECK_INT(facts.urgency, PVSCHED_URGENCY_URGENT);
	CHECK_U64(facts.expected_ns, 0);
	/* a copy that is older than what the tracer saw changes nothing */
	pages_publish(pages, SLOT, &view, t1 + 40);
	serve(t1 + 25);
	pages_facts(pages, SLOT, t1 + 50, &facts);
	CHECK_INT(facts.urgency, PVSCHED_URGENCY_URGENT);
	/* a later one does */
	guest->request = pvsched_request(PVSCHED_POLICY_NORMAL, 11);
	pages_publish(pages, SLOT, &view, t1 + 60);
	serve(t1 + 60);
	pages_facts(pages, SLOT, t1 + 70, &facts);
	CHECK_INT(facts.urgency, PVSCHED_URGENCY_ORDINARY);
	end();
}

/* Of a guest with an agent: its scheduler's words, and the policy that its hello names. */
static void test_facts_of_an_agent(void)
{
	struct policy_facts facts = {.whereabouts = POLICY_RUNNING, .ran_ns = 1000};
	const uint64_t t1 = T0 + PAGES_LOOK_NS;

	begin();
	say_hello();
	strcpy(guest->policy_name, "urgent-only");
	guest->agent_generation = 5;
	guest->task_intent = PVSCHED_POLICY_FIFO | 40 << 16;
	pages_set(pages, SLOT, &page, false, T0);
	look(T0);
	look(t1);
	pages_facts(pages, SLOT, t1 + 1, &facts);
	CHECK_INT(guest->status, PVSCHED_STATUS_ENABLED);
	CHECK_INT(facts.urgency, PVSCHED_URGENCY_URGENT);
	CHECK(facts.agent);
	CHECK_INT(facts.priority, 40);
	CHECK_INT(facts.speaks, registry_find("urgent-only", 1));
	CHECK_INT(read_view(t1).policy, facts.speaks);
	/* a hello that is refused names none */
	strcpy(guest->policy_name, "urgent-onlx");
	look(t1 + 2 * PAGES_LOOK_NS);
	look(t1 + 4 * PAGES_LOOK_NS);
	CHECK_INT(guest->status, PVSCHED_STATUS_UNKNOWN_POLICY);
	CHECK_INT(read_view(t1 + 4 * PAGES_LOOK_NS).policy, REGISTRY_NONE);
	facts = (struct policy_facts){.whereabouts = POLICY_RUNNING};
	pages_facts(pages, SLOT, t1 + 4 * PAGES_LOOK_NS, &facts);
	CHECK_INT(facts.speaks, REGISTRY_NONE);
	end();
}

/* Its words hold while it cannot change them, and while it gives signs of life. */
static void test_words_of_an_agent_hold(void)
{
	uint64_t t = T0 + PAGES_LOOK_NS;

	begin();
	say_hello();
	guest->agent_generation = 5;
	guest->task_intent = PVSCHED_POLICY_FIFO | 40 << 16;
	pages_set(pages, SLOT, &page, false, T0);
	look(T0);
	look(t);
	/* preempted, for a minute */
	account->run_ns = PAGES_LOOK_NS;
	account->in_ns = 0;
	account->out_ns = t;
	account->out = PVS_OUT_PREEMPTED;
	t += 60 * NSEC_PER_SEC;
	CHECK_INT(read_view(t).urgency, PVSCHED_URGENCY_URGENT);
	/* it runs for three seconds, and says the same */
	account->in_ns = t;
	for (int i = 0; i < 30; i++) {
		guest->pulse++;
		t += PAGES_LOOK_NS;
		look(t);
		CHECK_INT(read_view(t).urgency, PVSCHED_URGENCY_URGENT);
	}
	/* its agent was killed */
	for (int i = 0; i < 10; i++) {
		t += PAGES_LOOK_NS;
		look(t);
		CHECK_INT(read_view(t).urgency, PVSCHED_URGENCY_URGENT);
	}
	CHECK_INT(read_view(t + PAGES_LOOK_NS).urgency, PVSCHED_URGENCY_NONE);
	end();
}

/* A slot that gets another page takes no copy of the earlier one. */
static void test_another_page(void)
{
	struct guest_page other;
	struct board_copy copy = {.generation = GENERATION, .read_ns = T0 + 1};
	unsigned int from = 0;

	begin();
	enable(false);
	CHECK_INT(guest_page_read(&file, &copy.words), 0);
	copy.words.request = 1;
	other = page;
	other.generation = GENERATION + 1;
	pages_set(pages, SLOT, &other, false, T0 + MS);
	board_put(board, SLOT, &copy); /* by a reader that was slow */
	CHECK_INT(board_next_news(board, &from), SLOT);
	CHECK_INT(pages_news(pages, SLOT, &view, T0 + MS), 0);
	CHECK_INT(read_view(T0 + MS).status, PVSCHED_STATUS_DISABLED);
	other.index = 5;
	other.generation = GENERATION;
	pages_set(pages, SLOT, &other, false, T0 + MS);
	copy.words.request = 2;
	board_put(board, SLOT, &copy);
	CHECK_INT(pages_news(pages, SLOT, &view, T0 + MS), 0);
	CHECK_INT(read_view(T0 + MS).status, PVSCHED_STATUS_DISABLED);
	end();
}

/* A reader that hangs in a page, or in another of the same QEMU, costs the page and no wait. */
static void test_stuck(void)
{
	begin();
	enable(false);
	board_lane_set_busy(board, page.lane, T0);
	CHECK_INT(pages_look(pages, SLOT, &view, T0 + BOARD_STUCK_NS), 0);
	CHECK(!read_view(T0).lost);
	CHECK_INT(pages_look(pages, SLOT, &view, T0 + BOARD_STUCK_NS + 1), PAGES_LOST);
	CHECK(read_view(T0).lost && !read_view(T0).present);
	CHECK_INT(read_view(T0).loss, PAGES_STUCK);
	CHECK_U64(account->page_address, 0);
	CHECK_U64(pages_next_ns(pages), NSEC_NEVER);
	end();
}

/* The region has another generation, as after a migration: lost, and said so. */
static void test_overwritten(void)
{
	struct board_copy copy = {.result = -ESTALE};

	begin();
	enable(false);
	copy.generation = page.generation;
	copy.index = page.index;
	board_put(board, SLOT, &copy);
	CHECK_INT(pages_news(pages, SLOT, &view, T0), PAGES_LOST);
	CHECK(read_view(T0).lost && !read_view(T0).present);
	CHECK_INT(read_view(T0).loss, PAGES_OVERWRITTEN);
	end();
}

static void test_publish(void)
{
	begin();
	enable(false);
	account->wait_ns = 11;
	account->used_ns = 12;
	account->cpu = 1;
	view.state = POLICY_ARMED;
	view.boosts_total = 4;
	pages_publish(pages, SLOT, &view, T0 + MS);
	serve(T0 + MS);
	CHECK_INT(pvsched_applied_boost(guest->applied_state), PVSCHED_BOOST_TASK);
	CHECK_INT(guest->host_flags, PVSCHED_HOST_ARMED);
	CHECK_U64(guest->run_delay_ns, 11);
	CHECK_U64(guest->boosted_ns, 12);
	CHECK_U64(guest->boosts, 4);
	view.state = POLICY_THROTTLED;
	view.reason = POLICY_REASON_BUDGET;
	view.throttles_total = 2;
	pages_publish(pages, SLOT, &view, T0 + 2 * MS);
	serve(T0 + 2 * MS);
	CHECK_INT(pvsched_applied_throttled(guest->applied_state), PVSCHED_THROTTLED_BURST);
	CHECK_INT(pvsched_applied_boost(guest->applied_state), PVSCHED_BOOST_NONE);
	CHECK_U64(guest->throttles, 2);
	end();
}

static void test_lost(void)
{
	begin();
	pages_set(pages, SLOT, &page, false, T0);
	CHECK_INT(ftruncate(file.fd, 0), 0);
	CHECK_INT(look(T0), PAGES_LOST);
	CHECK(read_view(T0).lost && !read_view(T0).present);
	CHECK_U64(pages_next_ns(pages), NSEC_NEVER);
	CHECK_INT(look(T0 + MS), 0);
	end();
}

/* A page of an agent: its guest is told through the channel, and not a byte of it changes. */
static void test_in_ram(void)
{
	struct pvsched_page before;
	struct board_ask said;

	begin();
	page.in_ram = true;
	page.index = 6;
	page.apic_id = 4;
	say_hello();
	strcpy(guest->policy_name, "another"); /* the channel has agreed on one */
	guest->apic_id = 4;
	guest->agent_generation = 9;
	before = *guest;
	pages_set(pages, SLOT, &page, false, T0);
	CHECK_INT(look(T0) & PAGES_STATUS, PAGES_STATUS);
	CHECK_INT(read_view(T0).status, PVSCHED_STATUS_ENABLED);
	CHECK_U64(account->page_address, ADDRESS);
	CHECK(account->flags & PVS_FLAG_AGENT);
	view.state = POLICY_ARMED;
	view.boosts_total = 4;
	CHECK(pages_publish(pages, SLOT, &view, T0 + MS));
	CHECK(board_said(board, SLOT, &said));
	CHECK(said.generation == GENERATION && said.index == 6);
	CHECK_INT(said.status, PVSCHED_STATUS_ENABLED);
	CHECK_U64(said.snapshot.boosts, 4);
	CHECK_INT(pvsched_applied_boost(said.snapshot.applied_state), PVSCHED_BOOST_TASK);
	/* the main thread is not told of each, but what it reads is the last */
	view.boosts_total = 5;
	CHECK(!pages_publish(pages, SLOT, &view, T0 + 2 * MS));
	CHECK(board_said(board, SLOT, &said) && said.snapshot.boosts == 5);
	CHECK(pages_publish(pages, SLOT, &view, T0 + MS + PAGES_TELL_NS));
	/* times and counts, ten times a second */
	CHECK_INT(look(T0 + PAGES_LOOK_NS), PAGES_TELL);
	CHECK_INT(look(T0 + PAGES_LOOK_NS + MS), 0);
	CHECK(memcmp(&before, guest, sizeof(before)) == 0);
	/* it is another CPU's page now */
	guest->apic_id = 5;
	CHECK_INT(look(T0 + 2 * PAGES_LOOK_NS) & PAGES_STATUS, PAGES_STATUS);
	CHECK_U64(account->page_address, 0);
	CHECK(board_said(board, SLOT, &said) && said.status == PVSCHED_STATUS_PROTOCOL);
	/* taken away: it is told, and nothing is written */
	guest->apic_id = 4;
	CHECK_INT(look(T0 + 3 * PAGES_LOOK_NS) & PAGES_STATUS, PAGES_STATUS);
	pages_set(pages, SLOT, &GUEST_PAGE_NULL, false, T0);
	serve(T0);
	CHECK(memcmp(&before, guest, sizeof(before)) == 0);
	end();
}

TEST_MAIN({"hello_and_tracer", test_hello_and_tracer},
          {"nothing_while_it_sleeps", test_nothing_while_it_sleeps},
          {"polling_adapts", test_polling_adapts}, {"faults", test_faults}, {"facts", test_facts},
          {"facts_of_an_agent", test_facts_of_an_agent},
          {"words_of_an_agent_hold", test_words_of_an_agent_hold},
          {"another_page", test_another_page}, {"stuck", test_stuck},
          {"overwritten", test_overwritten}, {"publish", test_publish}, {"lost", test_lost},
          {"in_ram", test_in_ram})
