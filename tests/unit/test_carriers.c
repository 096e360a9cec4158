// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of guest pages: which domain may use it, and that nothing is unmapped that the booster
 * may still read. Searches are stand-ins: a test says what they find.
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

struct carrier {
	ino_t inode;
};

static struct inventory inventory;
static struct carriers *carriers;
static struct config_host host;
static carrier_found_fn *found_fn;
static void *found_userdata;
static unsigned int n_begun, n_ended, n_freed, n_changed;
static bool last_known;

/* ---- stand-ins ---- */

dev_t carrier_device(const struct carrier *carrier)
{
	(void)carrier;
	return 1;
}

ino_t carrier_inode(const struct carrier *carrier)
{
	return carrier->inode;
}

struct carrier *carrier_free(struct carrier *carrier)
{
	n_freed += carrier != NULL;
	free(carrier);
	return NULL;
}

const char *carrier_problem_text(enum carrier_problem problem)
{
	(void)problem;
	return "a problem";
}

struct guest_page guest_region_page(const struct carrier *carrier, const struct topology *topology,
                                    unsigned int vcpu, uint64_t generation)
{
	(void)topology;
	return (struct guest_page){.fd = (int)(carrier->inode + vcpu), .generation = generation};
}

const char *guest_status_name(enum pvsched_status status)
{
	(void)status;
	return "a status";
}

int carrier_search_new(struct carrier_search **ret, sd_event *event, carrier_found_fn *fn,
                       void *userdata)
{
	(void)event;
	found_fn = fn;
	found_userdata = userdata;
	*ret = (struct carrier_search *)&inventory;
	return 0;
}

int carrier_search_begin(struct carrier_search *search, const struct thread_id *qemu,
                         uint32_t n_pages, const struct carrier_object *known)
{
	(void)search;
	(void)qemu;
	(void)n_pages;
	n_begun++;
	last_known = known != NULL;
	return 0;
}

void carrier_search_end(struct carrier_search *search, const struct thread_id *qemu,
                        struct carrier *carrier, uint32_t n_pages, uint64_t generation)
{
	(void)search;
	(void)qemu;
	(void)n_pages;
	(void)generation;
	n_ended += carrier != NULL;
	free(carrier);
}

struct carrier_search *carrier_search_free(struct carrier_search *search)
{
	(void)search;
	return NULL;
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
	inventory_init(&inventory, NULL, on_gone, NULL);
	CHECK_INT(carriers_new(&carriers, NULL, &inventory, on_changed, NULL), 0);
	host.guest_pages = CONFIG_GUEST_PAGES_AUTO;
	carriers_configure(carriers, &host);
	n_begun = n_ended = n_freed = n_changed = n_logged = 0;
}

/* A search in the QEMU of a domain finds memory. */
static void find(const struct inventory_domain *d, ino_t inode, uint64_t generation)
{
	struct carrier_found found = {
	        .qemu = d->seen->qemu, .n_pages = 2, .generation = generation};

	found.carrier = calloc(1, sizeof(*found.carrier));
	found.carrier->inode = inode;
	found_fn(found_userdata, &found);
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
	CHECK_INT(carriers_page(carriers, d, 1).fd, 51);
	carriers_read(carriers, d, &view);
	CHECK(view.carrier);
	CHECK_INT(view.n_pages, 2);
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
	/* not before the booster has let go of the pages, in which a search begins a generation */
	CHECK_INT(n_begun, 1);
	carriers_settle(carriers);
	CHECK_INT(n_begun, 2);
	CHECK(!last_known);
	find(d, 50, 8);
	CHECK_U64(usable(d), 8);
	/* the same memory, begun anew: it is let go of, and its region does not end */
	carriers_settle(carriers);
	CHECK_INT(n_freed, 1);
	CHECK_INT(n_ended, 0);
}

/* What is let go of stays mapped until a pass has taken its pages from the booster. */
static void test_unmapped_after_the_pass(void)
{
	struct inventory_domain *d;

	begin();
	d = see(WEB, "web", 100);
	find(d, 50, 7);
	n_changed = 0;
	carriers_lost(carriers, d);
	CHECK_U64(usable(d), 0);
	CHECK_INT(n_freed + n_ended, 0);
	CHECK(n_changed > 0);
	carriers_settle(carriers);
	CHECK_INT(n_ended, 1);
	find(d, 51, 8);
	inventory_drop(&inventory, d);
	CHECK_INT(n_ended, 1);
	carriers_settle(carriers);
	CHECK_INT(n_ended, 2);
}

/* Two domains with the same memory: neither is heard, until one of them is alone with it. */
static void test_shared(void)
{
	struct inventory_domain *web, *db;
	struct carrier_view view;

	begin();
	web = see(WEB, "web", 100);
	db = see(DB, "db", 200);
	find(web, 50, 7);
	find(db, 50, 8);
	CHECK_U64(usable(web), 0);
	CHECK_U64(usable(db), 0);
	carriers_read(carriers, web, &view);
	CHECK(view.shared);
	CHECK_INT(n_logged, 2);
	n_begun = 0;
	inventory_drop(&inventory, db);
	/* the region is not ended under the other domain, which begins it anew */
	carriers_settle(carriers);
	CHECK_INT(n_ended, 0);
	CHECK_INT(n_begun, 1);
	find(web, 50, 9);
	CHECK_U64(usable(web), 9);
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
	carriers_settle(carriers);
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

TEST_MAIN(TEST(test_found), TEST(test_reset), TEST(test_unmapped_after_the_pass), TEST(test_shared),
          TEST(test_off), TEST(test_found_too_late), TEST(test_lines_are_few))
