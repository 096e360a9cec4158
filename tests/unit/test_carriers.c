// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of guest pages: which domain may use it, and what becomes of one whose QEMU hangs.
 * Searches are stand-ins: a test says what they find.
 */
#include "daemon/carriers.h"

#include "boost/sched.h"
#include "daemon/carrier_search.h"
#include "util/log.h"

#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static struct inventory inventory;
static struct carriers *carriers;
static struct config_host host;
static struct carrier_search_news search_news;
static unsigned int n_begun, n_ended, n_dropped, n_changed;
static bool last_known, last_refused;
static sd_event *event;

/* ---- stand-ins ---- */

const char *carrier_problem_text(enum carrier_problem problem)
{
	(void)problem;
	return "a problem";
}

struct guest_page guest_region_page(uint64_t address, const struct topology *topology,
                                    uint32_t vcpu, uint64_t generation)
{
	(void)topology;
	return (struct guest_page){.address = address, .index = vcpu, .generation = generation};
}

const char *guest_status_name(enum pvsched_status status)
{
	(void)status;
	return "a status";
}

int carrier_search_new(struct carrier_search **ret, sd_event *event, struct reader_process *reader,
                       enum reader_user user, const struct carrier_search_news *news)
{
	CHECK(user == READER_USER_CARRIERS);
	(void)event;
	(void)reader;
	search_news = *news;
	*ret = (struct carrier_search *)&inventory;
	return 0;
}

int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known, bool refused)
{
	(void)search;
	(void)qemu;
	(void)n_pages;
	n_begun++;
	last_known = known != NULL;
	last_refused = refused;
	return 0;
}

void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        uint64_t generation, bool ends)
{
	(void)search;
	(void)qemu;
	CHECK(generation != 0);
	n_ended += ends;
	n_dropped += !ends;
}

struct carrier_search *carrier_search_free(struct carrier_search *search)
{
	(void)search;
	return NULL;
}

static struct ledger_region region; /* of the first domain */

void ledger_put_region(struct ledger *ledger, unsigned int slot, const struct ledger_region *r)
{
	(void)ledger;
	if (slot == 0)
		region = *r;
}

void ledger_drop_region(struct ledger *ledger, unsigned int slot)
{
	(void)ledger;
	if (slot == 0)
		region = (struct ledger_region){0};
}

/* ---- fixture ---- */

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	carriers_end(carriers, d);
}

static void on_changed(void *userdata)
{
	(void)userdata;
	n_changed++;
}

static struct inventory_domain *see(const char *uuid, const char *name, pid_t pid)
{
	struct inventory_domain *d;

	CHECK(inventory_seen(&inventory, domain_make(uuid, name, pid, 2), &d) >= 0);
	return d;
}

static void begin(void)
{
	if (carriers)
		inventory_clear(&inventory);
	carriers_free(carriers);
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	inventory_init(&inventory, NULL, on_gone, NULL);
	CHECK_INT(carriers_new(&carriers,
	                       &(struct carriers_options){.event = event,
	                                                  .inventory = &inventory,
	                                                  .ledger = (struct ledger *)&inventory,
	                                                  .changed = on_changed}),
	          0);
	host.guest_pages = CONFIG_GUEST_PAGES_AUTO;
	carriers_configure(carriers, &host);
	n_begun = n_ended = n_dropped = n_changed = n_logged = 0;
}

/* A search in the QEMU of a domain finds memory. */
static void find(const struct inventory_domain *d, ino_t inode, uint64_t generation)
{
	struct carrier_found found = {
	        .qemu = d->seen->qemu,
	        .n_pages = 2,
	        .carrier = {.object = {1, inode}, .generation = generation, .lane = 9},
	};

	search_news.found(search_news.userdata, &found);
}

/* It finds a problem. */
static void find_problem(const struct inventory_domain *d, int result)
{
	struct carrier_found found = {.qemu = d->seen->qemu, .n_pages = 2, .result = result};

	search_news.found(search_news.userdata, &found);
}

static int problem_of(const struct inventory_domain *d)
{
	struct carrier_view view;

	carriers_read(carriers, d, &view);
	return view.problem;
}

static uint64_t usable(const struct inventory_domain *d)
{
	uint32_t n;

	return carriers_usable(carriers, d, &n);
}

/* Found: the plan may use it, and is told that something changed. */
static void test_found(void)
{
	struct inventory_domain *d;
	struct carrier_view view;

	begin();
	d = see(WEB, "web", 100);
	carriers_find(carriers, d, true);
	CHECK_INT(n_begun, 1);
	CHECK_U64(usable(d), 0);
	find(d, 50, 7);
	CHECK_U64(usable(d), 7);
	CHECK(n_changed > 0);
	CHECK_INT(carriers_page(carriers, d, 1).index, 1);
	CHECK_INT(carriers_page(carriers, d, 1).lane, 9);
	CHECK_U64(carriers_page(carriers, d, 1).generation, 7);
	carriers_read(carriers, d, &view);
	CHECK(view.carrier);
	CHECK_INT(view.n_pages, 2);
	/* named in the ledger, as long as it is there */
	CHECK(region.pid == 100 && region.start_ticks == 1000 && region.n_pages == 2);
	CHECK_U64(region.generation, 7);
	/* not looked for again, unless something happened or a vCPU came */
	carriers_find(carriers, d, false);
	CHECK_INT(n_begun, 1);
	carriers_find(carriers, d, true);
	CHECK_INT(n_begun, 2);
	CHECK(last_known);
}

/* The guest was reset: not heard, and searched for as if nothing was known; then it is again. */
static void test_reset(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	n_begun = 1;
	carriers_reset(carriers, d);
	CHECK_U64(usable(d), 0);
	CHECK_INT(n_begun, 2);
	CHECK(!last_known);
	find(d, 50, 8);
	CHECK_U64(usable(d), 8);
	/* the same memory, begun anew: its region does not end */
	CHECK_INT(n_ended + n_dropped, 0);
}

/* Cut off, or gone with its domain: let go of, and the plan is told. */
static void test_lost(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	n_changed = 0;
	carriers_lost(carriers, d, PAGES_CUT_OFF);
	carriers_lost(carriers, d, PAGES_CUT_OFF); /* another vCPU says so, too */
	CHECK_U64(usable(d), 0);
	CHECK_INT(problem_of(d), CARRIER_WRONG_SIZE);
	CHECK(n_changed > 0);
	CHECK_INT(n_ended, 1);
	CHECK_INT(region.pid, 0);
	find(d, 51, 8);
	CHECK_U64(region.generation, 8);
	inventory_drop(&inventory, d);
	CHECK_INT(n_ended, 2);
	CHECK_INT(region.pid, 0);
}

/* A QEMU that hangs is said, and not looked at again while it lives. */
static void test_stuck(void)
{
	struct inventory_domain *web, *db;

	begin();
	web = see(WEB, "web", 100);
	db = see(DB, "db", 200);
	find_problem(web, CARRIER_STUCK);
	CHECK_INT(problem_of(web), CARRIER_STUCK);
	CHECK_INT(n_logged, 1);
	find(db, 50, 7);
	carriers_lost(carriers, db,
	              PAGES_STUCK); /* the booster found a page that does not answer */
	CHECK_INT(problem_of(db), CARRIER_STUCK);
	CHECK_INT(n_logged, 2);
	n_begun = 0;
	carriers_find(carriers, web, true);
	carriers_reset(carriers, web);
	carriers_device(carriers, db);
	search_news.room(search_news.userdata);
	search_news.lost(search_news.userdata);
	CHECK_INT(n_begun, 0);
	/* another QEMU of the domain is another one */
	web = see(WEB, "web", 101);
	carriers_find(carriers, web, true);
	CHECK_INT(n_begun, 1);
}

/* Not looked at since others hang: its turn comes when one of these has ended. */
static void test_not_tried(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find_problem(d, CARRIER_NOT_TRIED);
	CHECK_INT(problem_of(d), CARRIER_NOT_TRIED);
	CHECK_INT(n_logged, 1);
	n_begun = 0;
	search_news.room(search_news.userdata);
	CHECK_INT(n_begun, 1);
	find(d, 50, 7);
	CHECK_U64(usable(d), 7);
	search_news.room(search_news.userdata);
	CHECK_INT(n_begun, 1);
}

/* Another reader has nothing: all are looked for anew, and nothing is ended in vain. */
static void test_reader_lost(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	n_begun = n_changed = 0;
	search_news.lost(search_news.userdata);
	CHECK_U64(region.generation, 7); /* its guest believes it still */
	CHECK_U64(usable(d), 0);
	CHECK(n_changed > 0);
	CHECK_INT(n_begun, 1);
	CHECK(!last_known);
	CHECK_INT(n_ended + n_dropped, 0);
	find(d, 50, 8);
	CHECK_U64(usable(d), 8);
}

/*
 * Two domains with the same memory: the first keeps it, and begins its region anew, which the
 * search in the other one has begun. The other one is refused, until the first lets go of it.
 */
static void test_shared(void)
{
	struct inventory_domain *web, *db;

	begin();
	web = see(WEB, "web", 100);
	db = see(DB, "db", 200);
	find(web, 50, 7);
	n_begun = 0;
	find(db, 50, 8);
	CHECK_U64(usable(db), 0);
	CHECK_INT(problem_of(db), CARRIER_SHARED);
	CHECK_INT(n_logged, 1);
	/* the region does not end under its owner */
	CHECK_INT(n_ended, 0);
	CHECK_INT(n_dropped, 1);
	CHECK_INT(n_begun, 1);
	CHECK(!last_known);
	find(web, 50, 9);
	CHECK_U64(usable(web), 9);
	/* whatever happens to the other one: that memory is not begun for it */
	carriers_find(carriers, db, true);
	CHECK(last_known && last_refused);
	carriers_reset(carriers, db);
	CHECK(last_known && last_refused);
	CHECK_U64(usable(web), 9);
	n_begun = 0;
	inventory_drop(&inventory, web);
	CHECK_INT(n_begun, 1);
	CHECK(!last_known && !last_refused);
	find(db, 50, 10);
	CHECK_U64(usable(db), 10);
}

/* A refused domain that gets memory of its own is heard. */
static void test_shared_no_longer(void)
{
	struct inventory_domain *web, *db;

	begin();
	web = see(WEB, "web", 100);
	db = see(DB, "db", 200);
	find(web, 50, 7);
	find(db, 50, 8);
	find(web, 50, 9);
	find(db, 51, 10);
	CHECK_U64(usable(db), 10);
	CHECK_INT(problem_of(db), 0);
	CHECK_U64(usable(web), 9);
}

/* After the reader was lost the owner is the same one, whichever search ends first. */
static void test_shared_and_reader_lost(void)
{
	struct inventory_domain *web, *db;

	begin();
	web = see(WEB, "web", 100);
	db = see(DB, "db", 200);
	find(web, 50, 7);
	find(db, 50, 8);
	find(web, 50, 9);
	search_news.lost(search_news.userdata);
	find(db, 50, 10);
	CHECK_U64(usable(db), 0);
	find(web, 50, 11);
	CHECK_U64(usable(web), 11);
	CHECK_INT(problem_of(db), CARRIER_SHARED);
}

/*
 * A domain that does not run may be one whose memory a migration is bringing: nothing is written
 * there before its guest runs with all of it.
 */
static void test_memory_that_arrives(void)
{
	struct inventory_domain *d;
	struct domain *seen = domain_make(WEB, "web", 100, 2);

	begin();
	seen->state = DOMAIN_PAUSED;
	CHECK(inventory_seen(&inventory, seen, &d) >= 0);
	carriers_find(carriers, d, true);
	carriers_reset(carriers, d);
	carriers_device(carriers, d);
	CHECK_INT(n_begun, 0);
	d = see(WEB, "web", 100);
	carriers_find(carriers, d, false);
	CHECK_INT(n_begun, 1);
	find(d, 50, 7);
	CHECK_U64(usable(d), 7);
	/* one that is suspended later keeps what it has */
	seen = domain_make(WEB, "web", 100, 2);
	seen->state = DOMAIN_PAUSED;
	CHECK(inventory_seen(&inventory, seen, &d) >= 0);
	carriers_find(carriers, d, true);
	CHECK_U64(usable(d), 7);
}

/* A region with another host's generation is begun anew, once in a second at most. */
static void test_overwritten(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	carriers_lost(carriers, d, PAGES_OVERWRITTEN);
	carriers_lost(carriers, d, PAGES_OVERWRITTEN); /* another vCPU says so, too */
	CHECK_U64(usable(d), 0);
	CHECK(sd_event_run(event, 1000000) > 0);
	CHECK_INT(n_begun, 1);
	CHECK(!last_known);
	find(d, 50, 8);
	CHECK_U64(usable(d), 8);
	CHECK_INT(n_ended + n_dropped, 0);
	carriers_lost(carriers, d, PAGES_OVERWRITTEN);
	CHECK_INT(sd_event_run(event, 10000), 0);
	CHECK_INT(n_begun, 1);
}

/* Switched off: let go of, not looked for, and what a search finds yet is not taken. */
static void test_off(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	host.guest_pages = CONFIG_GUEST_PAGES_OFF;
	carriers_configure(carriers, &host);
	CHECK_U64(usable(d), 0);
	CHECK_INT(n_ended, 1);
	find(d, 50, 8);
	CHECK_U64(usable(d), 0);
	CHECK_INT(n_ended, 2);
}

/* Found for a QEMU that is not there any more: ended. */
static void test_found_too_late(void)
{
	struct inventory_domain *d;
	struct inventory_domain old;
	struct domain seen;

	begin();
	d = see(WEB, "web", 100);
	seen = *d->seen;
	old = *d;
	old.seen = &seen;
	d = see(WEB, "web", 200);
	find(&old, 50, 7);
	CHECK_U64(usable(d), 0);
	CHECK_INT(n_ended, 1);
}

/* A guest that changes its status as often as it can has one line in a minute. */
static void test_lines_are_few(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	for (int i = 0; i < 100; i++)
		carriers_hello(carriers, d, &d->vcpus[0], PVSCHED_STATUS_ENABLED);
	CHECK_INT(n_logged, 1);
}

TEST_MAIN(TEST(test_found), TEST(test_reset), TEST(test_lost), TEST(test_stuck),
          TEST(test_not_tried), TEST(test_reader_lost), TEST(test_shared),
          TEST(test_shared_no_longer), TEST(test_shared_and_reader_lost),
          TEST(test_memory_that_arrives), TEST(test_overwritten), TEST(test_off),
          TEST(test_found_too_late), TEST(test_lines_are_few))
