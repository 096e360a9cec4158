// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Agents of guests: to which domain a connection belongs, what it is answered, and what follows
 * when domains, configuration or pages change.
 */
#include "agents_fixture.h"

/* ---- tests ---- */

static void test_served(void)
{
	struct inventory_domain *d;
	struct agent_view view;
	struct agents_view all;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	CHECK(!view_of(d).said_hello);
	fd = serve(3);
	CHECK(pages.domain == d);
	view = view_of(d);
	CHECK(view.said_hello && view.peer);
	CHECK_U64(view.peer->session.n_pages, HELLO_CPUS);
	CHECK_STR(view.peer->policy.name, "pvschedd");
	agents_read_all(agents, &all);
	CHECK(all.listens);
	CHECK_U64(all.n_served, 1);
	CHECK_U64(all.n_unknown, 0);
	close(fd);
	pump();
	CHECK(!view_of(d).peer);
	CHECK(view_of(d).said_hello);
	CHECK_U64(pages.n_ended, 1);
	end();
}

/* An agent is there before its domain: it is challenged once the domain is known. */
static void test_before_its_domain(void)
{
	struct agents_view all;
	int fd;

	begin();
	fd = say_hello(3);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NO_DOMAIN);
	CHECK_U64(n_looks, 1);
	agents_read_all(agents, &all);
	CHECK_U64(all.n_unknown, 1);
	guest_hello(fd);
	pump();
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NO_DOMAIN);
	CHECK_U64(n_looks, 1); /* not as often as it likes */
	agents_review(agents);
	CHECK(guest_has_nothing(fd));
	see(UUID_1, 100, 3);
	agents_review(agents);
	store(fd);
	close(fd);
	end();
}

/* Two domains claim a CID: it belongs to neither, and what was proven ends. */
static void test_ambiguous(void)
{
	struct inventory_domain *other;
	int fd;

	begin();
	see(UUID_1, 100, 3);
	fd = serve(3);
	other = see(UUID_2, 200, 3);
	agents_review(agents);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_AMBIGUOUS);
	CHECK_U64(pages.n_ended, 1);
	agents_review(agents);
	CHECK(guest_has_nothing(fd));
	inventory_drop(&inventory, other);
	agents_review(agents);
	store(fd);
	close(fd);
	end();
}

/* The device was plugged out, or the QEMU is gone. */
static void test_gone(void)
{
	struct inventory_domain *d;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	fd = serve(3);
	see(UUID_1, 100, 4); /* the same domain, with another device */
	agents_review(agents);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NO_DOMAIN);
	CHECK_U64(pages.n_ended, 1);
	close(fd);
	pump();
	fd = serve(4);
	d = inventory_find_uuid(&inventory, UUID_1);
	inventory_drop(&inventory, d);
	CHECK_U64(pages.n_ended, 2);
	agents_review(agents);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NO_DOMAIN);
	close(fd);
	pump();
	end();
}

/* Its QEMU is gone, and what its guest sent is read before the next review. */
static void test_gone_meanwhile(void)
{
	struct pvsched_channel_challenge challenge;
	int fd;

	begin();
	see(UUID_1, 100, 3);
	fd = say_hello(3);
	challenge = guest_challenge(fd);
	inventory_drop(&inventory, inventory_find_uuid(&inventory, UUID_1));
	guest_stored(fd, challenge.nonce);
	pump();
	CHECK_U64(pages.n_claims, 0);
	agents_review(agents);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NO_DOMAIN);
	see(UUID_1, 200, 3);
	agents_review(agents);
	store(fd);
	prove(PVSCHED_CHANNEL_SERVED, HELLO_CPUS);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_SERVED);
	/* the timer that tells it of its vCPUs is armed */
	inventory_drop(&inventory, inventory_find_uuid(&inventory, UUID_1));
	for (int i = 0; i < 20; i++)
		CHECK(sd_event_run(event, 10 * 1000) >= 0);
	CHECK(guest_has_nothing(fd));
	close(fd);
	end();
}

static void test_not_allowed(void)
{
	struct inventory_domain *d;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	allows = false;
	fd = say_hello(3);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NOT_ALLOWED);
	CHECK_U64(view_of(d).refusals_total[PVSCHED_CHANNEL_NOT_ALLOWED], 1);
	allows = true;
	agents_review(agents);
	store(fd);
	prove(PVSCHED_CHANNEL_SERVED, 1);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_SERVED);
	/* the whole host's settings */
	config.agents = CONFIG_AGENTS_OFF;
	agents_configure(agents, &config);
	agents_review(agents);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NOT_ALLOWED);
	config.agents = CONFIG_AGENTS_AUTO;
	config.guest_pages = CONFIG_GUEST_PAGES_OFF;
	agents_configure(agents, &config);
	agents_review(agents);
	CHECK(guest_has_nothing(fd)); /* it knows */
	config.guest_pages = CONFIG_GUEST_PAGES_POLL;
	agents_review(agents);
	store(fd);
	close(fd);
	end();
}

static void test_no_policy(void)
{
	struct hello_frame f = hello_frame();
	struct pvsched_channel_answer answer;
	int fd;

	begin();
	see(UUID_1, 100, 3);
	fd = connect_from(3);
	f.policies[1].version = 99;
	guest_send(fd, &f, sizeof(f));
	pump();
	answer = guest_answer(fd);
	CHECK_U64(answer.refusal, PVSCHED_CHANNEL_NO_POLICY);
	CHECK_U64(answer.status, PVSCHED_STATUS_POLICY_VERSION);
	CHECK_U64(answer.policy_version, PVSCHED_POLICY_VERSION);
	f = hello_frame();
	f.hello.abi_version = 2;
	guest_send(fd, &f, sizeof(f));
	pump();
	answer = guest_answer(fd);
	CHECK_U64(answer.refusal, PVSCHED_CHANNEL_NO_POLICY);
	CHECK_U64(answer.status, PVSCHED_STATUS_ABI);
	CHECK_U64(answer.host_abi_version, PVSCHED_ABI_VERSION);
	CHECK_U64(pages.n_claims, 0);
	close(fd);
	end();
}

/* What the proof has shown, and a proof that is of the past. */
static void test_not_proven(void)
{
	struct inventory_domain *d;
	struct agent_pages_result late = {.refusal = PVSCHED_CHANNEL_SERVED, .n_found = 1};
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	fd = say_hello(3);
	store(fd);
	agents_proven(agents, d, pages.claim.generation + 1, &late);
	CHECK(guest_has_nothing(fd));
	prove(PVSCHED_CHANNEL_NOT_FOUND, 0);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_NOT_FOUND);
	CHECK_STR(view_of(d).why, "for a reason");
	prove(PVSCHED_CHANNEL_SERVED, 3); /* again */
	CHECK(guest_has_nothing(fd));
	agents_review(agents); /* nothing has changed that would make it true */
	CHECK(guest_has_nothing(fd));
	guest_hello(fd);
	pump();
	store(fd);
	/* it says hello again: the proof that is under way counts no more */
	guest_hello(fd);
	pump();
	prove(PVSCHED_CHANNEL_SERVED, 3);
	guest_challenge(fd);
	CHECK(guest_has_nothing(fd));
	pages.result = -EAGAIN;
	close(fd);
	pump();
	fd = say_hello(3);
	guest_stored(fd, guest_challenge(fd).nonce);
	pump();
	CHECK(guest_is_closed(fd)); /* it comes again by itself */
	close(fd);
	end();
}

/* Pages that are lost are proven anew, with other numbers, and not as often as a guest likes. */
static void test_lost(void)
{
	struct inventory_domain *d;
	uint64_t generation;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	fd = serve(3);
	generation = pages.claim.generation;
	agents_lost(agents, d, AGENT_PAGES_RESET);
	agents_lost(agents, d, AGENT_PAGES_MOVED);
	/* the one second since the first challenge */
	while (!view_of(d).peer || view_of(d).peer->session.phase == CHANNEL_ANSWERED)
		CHECK(sd_event_run(event, 2000 * 1000) >= 0);
	for (char byte; guest_has_nothing(fd) || recv(fd, &byte, 0, 0) < 0;)
		CHECK(sd_event_run(event, 1000 * 1000) >= 0);
	CHECK_U64(view_of(d).losses_total, 2);
	/* a frame STATE may have come before */
	while (!guest_has_nothing(fd)) {
		struct pvsched_channel_head head;
		char frame[4096];

		CHECK_INT(recv(fd, &head, sizeof(head), MSG_PEEK), sizeof(head));
		if (head.type == PVSCHED_CHANNEL_CHALLENGE)
			break;
		guest_receive(fd, PVSCHED_CHANNEL_STATE, frame, sizeof(frame));
	}
	store(fd);
	CHECK(pages.claim.generation != generation);
	prove(PVSCHED_CHANNEL_SERVED, 3);
	CHECK_ANSWER(fd, PVSCHED_CHANNEL_SERVED);
	close(fd);
	end();
}

/* What the host did for a vCPU. */
static void test_states(void)
{
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpu;
	} frame;
	struct inventory_domain *d;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	fd = serve(3);
	agents_changed(agents, d, true);
	while (guest_has_nothing(fd))
		CHECK(sd_event_run(event, 1000 * 1000) >= 0);
	guest_receive(fd, PVSCHED_CHANNEL_STATE, &frame, sizeof(frame));
	CHECK_U64(frame.state.generation, pages.claim.generation);
	CHECK_U64(frame.vcpu.cpu_index, 1);
	CHECK_U64(frame.vcpu.throttles, 4);
	close(fd);
	end();
}

/* Two devices, two agents: a domain has one, the last. */
static void test_two_of_one_domain(void)
{
	struct domain *seen = domain_make(UUID_1, "two", 100, 2);
	struct inventory_domain *d;
	int first, second;

	begin();
	cids_add(&seen->cids, 3);
	cids_add(&seen->cids, 4);
	CHECK(inventory_seen(&inventory, seen, &d) >= 0);
	first = serve(3);
	second = serve(4);
	pump();
	CHECK(guest_is_closed(first));
	CHECK(!guest_is_closed(second));
	CHECK_U64(view_of(d).peer->cid, 4);
	close(first);
	close(second);
	end();
}

/* A guest that says hello too often is served no more until its turn comes. */
static void test_too_often(void)
{
	struct inventory_domain *d;
	int fd;

	begin();
	d = see(UUID_1, 100, 3);
	fd = serve(3);
	for (int i = 0; i < CHANNEL_RATE_BURST; i++) {
		guest_hello(fd);
		pump();
	}
	CHECK_U64(view_of(d).refusals_total[PVSCHED_CHANNEL_TOO_OFTEN], 1);
	CHECK_U64(view_of(d).hellos_total, CHANNEL_RATE_BURST);
	CHECK_GE(pages.n_ended, CHANNEL_RATE_BURST);
	CHECK_U64(view_of(d).peer->session.refusal, PVSCHED_CHANNEL_TOO_OFTEN);
	close(fd);
	end();
}

/* Without a socket none can connect, and nothing is opened that was not asked for. */
static void test_no_socket(void)
{
	struct agents_view all;

	CHECK(sd_event_new(&event) >= 0);
	inventory_init(&inventory, NULL, on_gone, NULL);
	unsetenv("LISTEN_FDS");
	CHECK_INT(agents_new(&agents,
	                     &(struct agents_options){.event = event, .inventory = &inventory}),
	          0);
	config = (struct config_host){.agents = CONFIG_AGENTS_AUTO};
	agents_configure(agents, &config);
	agents_read_all(agents, &all);
	CHECK(!all.listens);
	CHECK_INT(all.error, 0);
	end();
}

TEST_MAIN({"served", test_served}, {"before-its-domain", test_before_its_domain},
          {"ambiguous", test_ambiguous}, {"gone", test_gone},
          {"gone-meanwhile", test_gone_meanwhile}, {"not-allowed", test_not_allowed},
          {"no-policy", test_no_policy}, {"not-proven", test_not_proven}, {"lost", test_lost},
          {"states", test_states}, {"two-of-one-domain", test_two_of_one_domain},
          {"too-often", test_too_often}, {"no-socket", test_no_socket})
