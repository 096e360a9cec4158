// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pages of agents: which vCPU has which, what is told and when, and what ends them. Proofs are
 * stand-ins: a test says what they find.
 */
#include "daemon/agent_pages.h"

#include <errno.h>
#include <string.h>

#include "daemon/carrier_search.h"
#include "boost/sched.h"
#include "host_fake.h"
#include "inventory_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct inventory inventory;
static struct agent_pages *pages;
static struct board *board;
static struct carrier_search_news search_news;
static struct reader_request last; /* proof that was begun */
static unsigned int n_begun, n_dropped;
static uint64_t last_dropped;
static int begin_result;

/* what was told */
static struct {
	unsigned int n_proven, n_lost, n_changed, n_plan, n_at_once;
	uint64_t generation;
	struct agent_pages_result result;
	enum agent_pages_loss loss;
} told;

/* ---- stand-ins ---- */

int carrier_search_new(struct carrier_search **ret, sd_event *e, struct reader_process *reader,
                       enum reader_user user, const struct carrier_search_news *news)
{
	(void)e;
	(void)reader;
	CHECK(user == READER_USER_AGENTS);
	search_news = *news;
	*ret = (struct carrier_search *)&inventory;
	return 0;
}

int carrier_search_prove(struct carrier_search *search, const struct reader_request *request)
{
	(void)search;
	memcpy(&last, request, reader_request_size(request->job));
	n_begun++;
	return begin_result;
}

void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        uint64_t generation, bool ends)
{
	(void)search;
	(void)qemu;
	CHECK(!ends);
	n_dropped++;
	last_dropped = generation;
}

struct carrier_search *carrier_search_free(struct carrier_search *search)
{
	(void)search;
	return NULL;
}

struct board *reader_process_board(const struct reader_process *reader)
{
	(void)reader;
	return board;
}

/* ---- the scene ---- */

static void on_proven(void *userdata, const struct inventory_domain *domain, uint64_t generation,
                      const struct agent_pages_result *result)
{
	(void)userdata;
	CHECK(domain);
	told.n_proven++;
	told.generation = generation;
	told.result = *result;
}

static void on_lost(void *userdata, const struct inventory_domain *domain,
                    enum agent_pages_loss loss)
{
	(void)userdata;
	CHECK(domain);
	told.n_lost++;
	told.loss = loss;
}

static void on_changed(void *userdata, const struct inventory_domain *domain, bool at_once)
{
	(void)userdata;
	CHECK(domain);
	told.n_changed++;
	told.n_at_once += at_once;
}

static void on_plan(void *userdata)
{
	(void)userdata;
	told.n_plan++;
}

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	agent_pages_end(pages, d);
}

/* Two vCPUs, whose processes are QEMUs of these pids. */
static struct inventory_domain *see(const char *uuid, const char *name, pid_t pid)
{
	struct inventory_domain *d;

	CHECK(inventory_seen(&inventory, domain_make(uuid, name, pid, 2), &d) >= 0);
	inventory_look(&inventory, d);
	return d;
}

static void begin(void)
{
	struct agent_pages_options options = {
	        .inventory = &inventory,
	        .news = {on_proven, on_lost, on_changed, on_plan, NULL},
	};

	memset(&told, 0, sizeof(told));
	n_begun = n_dropped = 0;
	begin_result = 0;
	CHECK(sd_event_new(&event) >= 0);
	CHECK_INT(board_new(&board), 0);
	options.event = event;
	inventory_init(&inventory, NULL, on_gone, NULL);
	CHECK_INT(agent_pages_new(&pages, &options), 0);
}

static void end(void)
{
	inventory_clear(&inventory);
	pages = agent_pages_free(pages);
	board_free(board);
	event = sd_event_unref(event);
}

/* What is to be told is told from the loop. */
static void run_loop(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

/* The guest calls its CPUs 0 and 1; the APIC id of the second is as its topology has it. */
static int claim(const struct inventory_domain *d, uint64_t generation, uint32_t n_cpus)
{
	static struct pvsched_channel_cpu cpus[PVSCHED_CHANNEL_CPUS_MAX];
	struct agent_pages_claim c = {.generation = generation,
	                              .nonce = generation + 1,
	                              .agent_generation = 3,
	                              .n_cpus = n_cpus,
	                              .cpus = cpus};

	/* in another order than the vCPUs */
	cpus[0] = (struct pvsched_channel_cpu){1, 2, 0x200000};
	cpus[1] = (struct pvsched_channel_cpu){0, 0, 0x100000};
	cpus[2] = (struct pvsched_channel_cpu){2, 4, 0x300000};
	return agent_pages_prove(pages, d, &c);
}

static struct reader_proof good_proof(void)
{
	return (struct reader_proof){.generation = last.generation,
	                             .n_cpus = last.claim.n_cpus,
	                             .lane = 5,
	                             .topology = {1, 3, 2}, /* APIC ids 0 1, 2 3, 4 5 */
	                             .address = {0x7f0000200000, 0x7f0000100000}};
}

static void answer(int result, const struct reader_proof *proof)
{
	search_news.proven(search_news.userdata, &last.qemu, last.generation, result, proof);
}

static struct inventory_domain *serve(const char *uuid, const char *name, pid_t pid,
                                      uint64_t generation)
{
	struct inventory_domain *d = see(uuid, name, pid);
	struct reader_proof proof;

	CHECK_INT(claim(d, generation, 2), 0);
	proof = good_proof();
	answer(0, &proof);
	run_loop();
	return d;
}

/* ---- */

static void test_proven(void)
{
	struct inventory_domain *d;
	struct reader_proof proof;
	struct guest_page page;
	struct agent_pages_view view;

	begin();
	d = see(WEB, "web", 100);
	CHECK_INT(claim(d, 77, 3), 0);
	CHECK_INT(n_begun, 1);
	CHECK(last.job == READER_PROVE && last.generation == 77 && last.claim.nonce == 78 &&
	      last.claim.n_cpus == 3 && last.qemu.tid == 100);
	agent_pages_read(pages, d, &view);
	CHECK(view.proving && view.n_pages == 0 && view.generation == 0);
	CHECK_U64(agent_pages_usable(pages, d), 0);
	CHECK_U64(agent_pages_page(pages, d, 0).generation, 0);
	proof = good_proof();
	answer(0, &proof);
	CHECK_INT(told.n_proven, 1);
	CHECK(told.generation == 77 && told.result.refusal == PVSCHED_CHANNEL_SERVED);
	CHECK_INT(told.result.n_found, 2);
	CHECK_U64(told.result.found[0], 3);
	CHECK_INT(told.n_plan, 0);
	run_loop();
	CHECK_INT(told.n_plan, 1);
	CHECK_U64(agent_pages_usable(pages, d), 77);
	/* vCPU 0 has APIC id 0, vCPU 2 (core 1, thread 0) has 2; nothing claims vCPU 1's */
	page = agent_pages_page(pages, d, 0);
	CHECK(page.in_ram && page.generation == 77 && page.lane == 5 && page.index == 1 &&
	      page.apic_id == 0 && page.address == 0x7f0000100000);
	CHECK_U64(agent_pages_page(pages, d, 1).generation, 0);
	page = agent_pages_page(pages, d, 2);
	CHECK(page.index == 0 && page.apic_id == 2 && page.address == 0x7f0000200000);
	/* it was claimed, and not found; and beyond all */
	CHECK_U64(agent_pages_page(pages, d, 4).generation, 0);
	CHECK_U64(agent_pages_page(pages, d, UINT32_MAX).generation, 0);
	agent_pages_read(pages, d, &view);
	CHECK(!view.proving && view.n_pages == 2 && view.generation == 77 &&
	      view.proofs_total == 1);
	end();
}

static void test_refused(void)
{
	static const struct {
		int result;
		enum pvsched_channel_refusal refusal;
		const char *why;
	} cases[] = {
	        {PVSCHED_CHANNEL_NOT_FOUND, PVSCHED_CHANNEL_NOT_FOUND, "none of its 2 pages"},
	        {PVSCHED_CHANNEL_ENCRYPTED, PVSCHED_CHANNEL_ENCRYPTED, "started with SEV-SNP"},
	        {PVSCHED_CHANNEL_HOST_CANNOT, PVSCHED_CHANNEL_HOST_CANNOT, "pvschedctl doctor"},
	        {-ETIMEDOUT, PVSCHED_CHANNEL_NOT_FOUND, "did not end"},
	        {-EBUSY, PVSCHED_CHANNEL_NOT_FOUND, "too many other QEMUs"},
	        {-ESRCH, PVSCHED_CHANNEL_NOT_FOUND, "No such process"},
	};
	struct reader_proof proof = {.encryption = RAM_SEV_SNP};
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(claim(d, 100 + i, 2), 0);
		answer(cases[i].result, cases[i].result >= 0 ? &proof : NULL);
		CHECK_INT(told.n_proven, i + 1);
		CHECK_INT(told.result.refusal, cases[i].refusal);
		CHECK_CONTAINS(told.result.why, cases[i].why);
		CHECK_U64(agent_pages_usable(pages, d), 0);
	}
	/* a reader that answers another question */
	CHECK_INT(claim(d, 200, 2), 0);
	proof = good_proof();
	proof.n_cpus = 3;
	answer(0, &proof);
	CHECK_INT(told.result.refusal, PVSCHED_CHANNEL_NOT_FOUND);
	CHECK_U64(last_dropped, 200);
	begin_result = -ENOMEM;
	CHECK_INT(claim(d, 201, 2), -ENOMEM);
	CHECK_INT(claim(d, 202, PVSCHED_CHANNEL_CPUS_MAX + 1), -EINVAL);
	run_loop();
	CHECK_INT(told.n_lost, 0);
	end();
}

/* Only the last claim counts, and a proof that comes after the end is let go of. */
static void test_too_late(void)
{
	struct inventory_domain *d;
	struct reader_request first;
	struct reader_proof proof;

	begin();
	d = see(WEB, "web", 100);
	CHECK_INT(claim(d, 1, 2), 0);
	first = last;
	CHECK_INT(claim(d, 2, 2), 0);
	proof = good_proof();
	search_news.proven(search_news.userdata, &first.qemu, 1, 0, &proof);
	CHECK_INT(told.n_proven, 0);
	CHECK_U64(last_dropped, 1);
	agent_pages_end(pages, d);
	answer(0, &proof);
	CHECK_INT(told.n_proven, 0);
	CHECK_U64(last_dropped, 2);
	CHECK_U64(agent_pages_usable(pages, d), 0);
	run_loop();
	CHECK(told.n_lost == 0 && told.n_changed == 0);
	end();
}

static void test_lost(void)
{
	struct inventory_domain *d;
	struct agent_pages_view view;

	begin();
	d = serve(WEB, "web", 100, 77);
	CHECK_INT(told.n_plan, 1);
	agent_pages_reset(pages, d);
	CHECK_U64(agent_pages_usable(pages, d), 0);
	CHECK_INT(told.n_lost, 0); /* not from within */
	CHECK_U64(last_dropped, 77);
	run_loop();
	CHECK(told.n_lost == 1 && told.loss == AGENT_PAGES_RESET && told.n_plan == 2);
	/* once */
	agent_pages_reset(pages, d);
	agent_pages_lost(pages, d, PAGES_CUT_OFF);
	run_loop();
	CHECK_INT(told.n_lost, 1);
	agent_pages_read(pages, d, &view);
	CHECK_U64(view.losses_total, 1);
	/* what the booster finds */
	serve(WEB, "web", 100, 78);
	agent_pages_lost(pages, d, PAGES_STUCK);
	agent_pages_lost(pages, d, PAGES_STUCK);
	run_loop();
	CHECK(told.n_lost == 2 && told.loss == AGENT_PAGES_MOVED);
	serve(WEB, "web", 100, 79);
	agent_pages_lost(pages, d, PAGES_OVERWRITTEN);
	run_loop();
	CHECK(told.n_lost == 3 && told.loss == AGENT_PAGES_RESET);
	/* a new claim makes an old loss no news */
	serve(WEB, "web", 100, 80);
	agent_pages_reset(pages, d);
	CHECK_INT(claim(d, 81, 2), 0);
	run_loop();
	CHECK_INT(told.n_lost, 3);
	end();
}

/* What is proven is gone with its reader; what it was proving is given to the next one, once. */
static void test_reader_lost(void)
{
	struct inventory_domain *web, *db;

	begin();
	web = serve(WEB, "web", 100, 77);
	db = see(DB, "db", 200);
	CHECK_INT(claim(db, 78, 2), 0);
	CHECK_INT(n_begun, 2);
	search_news.lost(search_news.userdata);
	CHECK_INT(n_begun, 3);
	CHECK_U64(last.generation, 78);
	CHECK_U64(agent_pages_usable(pages, web), 0);
	run_loop();
	CHECK(told.n_lost == 1 && told.loss == AGENT_PAGES_READER);
	search_news.lost(search_news.userdata);
	CHECK_INT(n_begun, 3);
	run_loop();
	CHECK_INT(told.n_lost, 2);
	end();
}

/* Two domains that have one memory: the first keeps it. */
static void test_shared_memory(void)
{
	struct inventory_domain *web, *db;
	struct reader_proof proof;

	begin();
	web = see(WEB, "web", 100);
	CHECK_INT(claim(web, 1, 2), 0);
	proof = good_proof();
	proof.n_objects = 2;
	proof.objects[0] = (struct carrier_object){1, 5};
	proof.objects[1] = (struct carrier_object){1, 6};
	answer(0, &proof);
	db = see(DB, "db", 200);
	CHECK_INT(claim(db, 2, 2), 0);
	proof.generation = 2;
	proof.n_objects = 1;
	proof.objects[0] = (struct carrier_object){1, 6};
	answer(0, &proof);
	CHECK_INT(told.result.refusal, PVSCHED_CHANNEL_AMBIGUOUS);
	CHECK_U64(last_dropped, 2);
	CHECK_U64(agent_pages_usable(pages, db), 0);
	CHECK_U64(agent_pages_usable(pages, web), 1);
	/* another one of that number on another device is another */
	CHECK_INT(claim(db, 3, 2), 0);
	proof.objects[0].device = 2;
	answer(0, &proof);
	CHECK_INT(told.result.refusal, PVSCHED_CHANNEL_SERVED);
	end();
}

static void test_states(void)
{
	struct pvsched_channel_vcpu states[2];
	struct board_ask said = {.generation = 77, .index = 1, .status = PVSCHED_STATUS_ENABLED};
	struct inventory_domain *d;

	begin();
	d = serve(WEB, "web", 100, 77);
	CHECK_INT(d->n_vcpus, 2);
	d->vcpus[0].slot = 8;
	d->vcpus[1].slot = SLOT_NONE;
	CHECK_INT(agent_pages_states(pages, d, states, 2), 0); /* nothing was said yet */
	said.snapshot = (struct guest_snapshot){.applied_state = 1,
	                                        .run_delay_ns = 2,
	                                        .boosted_ns = 3,
	                                        .boosts = 4,
	                                        .throttles = 5,
	                                        .published_ns = 6,
	                                        .host_cpu = 7,
	                                        .host_flags = 8};
	board_say(board, 8, &said);
	CHECK_INT(agent_pages_states(pages, d, states, 2), 1);
	CHECK(states[0].cpu_index == 0 && states[0].status == PVSCHED_STATUS_ENABLED &&
	      states[0].applied_state == 1 && states[0].run_delay_ns == 2 &&
	      states[0].boosted_ns == 3 && states[0].boosts == 4 && states[0].throttles == 5 &&
	      states[0].published_ns == 6 && states[0].host_cpu == 7 && states[0].host_flags == 8);
	/* the slot's words are of another page */
	said.generation++;
	board_say(board, 8, &said);
	CHECK_INT(agent_pages_states(pages, d, states, 2), 0);
	/* many notes are one piece of news */
	agent_pages_told(pages, d, false);
	agent_pages_told(pages, d, true);
	agent_pages_told(pages, d, false);
	run_loop();
	CHECK(told.n_changed == 1 && told.n_at_once == 1);
	agent_pages_told(pages, d, false);
	run_loop();
	CHECK(told.n_changed == 2 && told.n_at_once == 1);
	agent_pages_end(pages, d);
	agent_pages_told(pages, d, true);
	run_loop();
	CHECK_INT(told.n_changed, 2);
	end();
}

TEST_MAIN(TEST(test_proven), TEST(test_refused), TEST(test_too_late), TEST(test_lost),
          TEST(test_reader_lost), TEST(test_shared_memory), TEST(test_states))
