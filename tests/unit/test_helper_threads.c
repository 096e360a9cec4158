// SPDX-License-Identifier: GPL-2.0-or-later
/* Which threads of a domain are watched, when that begins and ends. The tracer is a stand-in. */
#include "apply_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"

static struct pvs_helper_account accounts_of_helpers[PVS_HELPERS_MAX];
static const struct accounts accounts = {.helpers = accounts_of_helpers};
static struct helper_threads *helpers;
static struct inventory inventory;

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	(void)d;
}

/* A domain of QEMU 100 with the helpers 100 (its first thread), 110, 111, ... */
static struct inventory_domain *begin(size_t n, enum helper_role role)
{
	struct domain *domain = domain_make_helpers(WEB, n, role);
	struct inventory_domain *d;

	inventory_clear(&inventory);
	inventory_init(&inventory, NULL, on_gone, NULL);
	CHECK_INT(inventory_seen(&inventory, domain, &d), INVENTORY_NEW);
	helper_threads_free(helpers);
	helpers = helper_threads_new((struct tracer *)&inventory, &accounts);
	memset(accounts_of_helpers, 0, sizeof(accounts_of_helpers));
	answer_register = 0;
	n_calls = n_logged = 0;
	return d;
}

/* QEMU's first thread and iothreads are watched; it first, since vCPUs' identity rests on it. */
static void test_watched(void)
{
	struct inventory_domain *d = begin(2, HELPER_IOTHREAD);

	d->vcpus[0].slot = 5;
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("helper 0 100", "leader 0", "helper 1 110", "epoch 5");
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("epoch 5");
	CHECK(helper_threads_account(helpers, d, &d->seen->helpers[1].id));
}

/* QEMU's other threads are not. */
static void test_other_threads(void)
{
	struct inventory_domain *d = begin(2, HELPER_EMULATOR);

	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("helper 0 100", "leader 0");
	CHECK(!helper_threads_account(helpers, d, &d->seen->helpers[1].id));
}

/* None where the domain is not boosted. */
static void test_not_boosted(void)
{
	struct inventory_domain *d = begin(2, HELPER_VHOST);

	helper_threads_apply(helpers, d, false);
	CHECK_NO_CALLS();
	helper_threads_apply(helpers, d, true);
	n_calls = 0;
	helper_threads_apply(helpers, d, false);
	CHECK_CALLS("unhelper 0", "unhelper 1");
}

/* A thread that went is watched no more; one of the same TID that is younger is another one. */
static void test_threads_go(void)
{
	struct inventory_domain *d = begin(3, HELPER_IOTHREAD);

	helper_threads_apply(helpers, d, true);
	n_calls = 0;
	d->seen->n_helpers = 2;
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("unhelper 2");
	/* as the stand-in for /proc knows no such thread, it is not kept either */
	d->seen->helpers[1].id.start_ticks++;
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("unhelper 1", "helper 1 110", "unhelper 1");
}

/* There is room for some; the others are not watched. */
static void test_room(void)
{
	struct inventory_domain *d = begin(PVS_HELPERS_OF_DOMAIN + 2, HELPER_IOTHREAD);
	size_t n = 0;

	helper_threads_apply(helpers, d, true);
	for (size_t i = 0; i < d->seen->n_helpers; i++)
		n += helper_threads_account(helpers, d, &d->seen->helpers[i].id) != NULL;
	CHECK_INT(n, PVS_HELPERS_OF_DOMAIN);
	CHECK_INT(helper_threads_left_out(helpers, d), 2);
	helper_threads_apply(helpers, d, false);
	CHECK_INT(helper_threads_left_out(helpers, d), 0); /* none is to be watched */
	n_calls = 0;
}

/* One that the kernel does not let be watched is tried again. */
static void test_refused(void)
{
	struct inventory_domain *d = begin(1, HELPER_IOTHREAD);

	answer_register = -ENOMEM;
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("helper 0 100");
	answer_register = 0;
	helper_threads_apply(helpers, d, true);
	CHECK_CALLS("helper 0 100", "leader 0");
}

/* That room is made for it is said once for a domain, and again for the next one of its slot. */
static void test_made_room(void)
{
	struct inventory_domain *d = begin(1, HELPER_IOTHREAD);

	helper_threads_apply(helpers, d, true);
	helper_threads_made_room(helpers, d, &d->vcpus[0], 0);
	helper_threads_made_room(helpers, d, &d->vcpus[0], 0);
	helper_threads_made_room(helpers, d, &d->vcpus[0], -1);
	CHECK_INT(n_logged, 1);
	helper_threads_end(helpers, d->slot);
	helper_threads_made_room(helpers, d, &d->vcpus[0], 0);
	CHECK_INT(n_logged, 2);
	n_calls = 0;
}

static void test_sheds(void)
{
	struct inventory_domain *d = begin(2, HELPER_IOTHREAD);

	accounts_of_helpers[0].sheds = 2;
	accounts_of_helpers[1].sheds = 3;
	CHECK_U64(helper_threads_sheds(helpers, d), 0);
	helper_threads_apply(helpers, d, true);
	CHECK_U64(helper_threads_sheds(helpers, d), 5);
	n_calls = 0;
}

TEST_MAIN(TEST(test_watched), TEST(test_other_threads), TEST(test_not_boosted),
          TEST(test_threads_go), TEST(test_room), TEST(test_refused), TEST(test_made_room),
          TEST(test_sheds))
