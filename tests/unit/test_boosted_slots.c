// SPDX-License-Identifier: GPL-2.0-or-later
/* The lists of boosted vCPUs per CPU and per domain, while vCPUs come, go and move. */
#include "boost/boosted_slots.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/moved.h"

#include "test.h"

static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static struct pvs_moved moved;
static const struct accounts accounts = {.vcpus = vcpus, .moved = &moved};
static struct boosted_slots boosted;

/* The first @n slots are boosted, on CPU 0, four to a domain. */
static void start(unsigned int n)
{
	boosted_slots_init(&boosted);
	moved = (struct pvs_moved){0};
	for (unsigned int slot = 0; slot < n; slot++) {
		vcpus[slot] = (struct pvs_vcpu_account){.cpu = 0, .domain = slot / 4};
		boosted_slots_put(&boosted, &accounts, slot);
	}
}

/* As the tracer does at a switch-in. */
static void move(unsigned int slot, uint32_t cpu)
{
	__atomic_store_n(&vcpus[slot].cpu, cpu, __ATOMIC_RELAXED);
	pvs_moved_set(&moved, slot);
}

static unsigned int length(const struct boosted_lists *lists, unsigned int list)
{
	unsigned int n = 0;

	for (int slot = boosted_first(lists, list); slot >= 0 && n <= PVS_VCPUS_MAX;
	     slot = boosted_next(lists, (unsigned int)slot))
		n++;
	return n;
}

static bool is_on(const struct boosted_lists *lists, unsigned int list, unsigned int wanted)
{
	for (int slot = boosted_first(lists, list); slot >= 0;
	     slot = boosted_next(lists, (unsigned int)slot))
		if ((unsigned int)slot == wanted)
			return true;
	return false;
}

static void test_comes_and_goes(void)
{
	start(9);
	CHECK_INT(length(&boosted.of_cpu, 0), 9);
	CHECK_INT(length(&boosted.of_cpu, 1), 0);
	CHECK_INT(length(&boosted.of_domain, 0), 4);
	CHECK_INT(length(&boosted.of_domain, 2), 1);
	CHECK_INT(boosted_first(&boosted.of_cpu, 0), 0);
	CHECK_INT(boosted_next(&boosted.of_cpu, 8), -1);
	for (unsigned int slot = 0; slot < 9; slot++) {
		boosted_slots_drop(&boosted, slot);
		boosted_slots_drop(&boosted, slot);
		CHECK(!boosted_slots_has(&boosted, slot));
		CHECK_INT(length(&boosted.of_cpu, 0), 8 - slot);
	}
	CHECK_INT(boosted.n, 0);
	for (unsigned int domain = 0; domain < 3; domain++)
		CHECK_INT(length(&boosted.of_domain, domain), 0);
}

static void test_last_cpu_and_domain(void)
{
	start(0);
	vcpus[5] =
	        (struct pvs_vcpu_account){.cpu = PVS_CPUS_MAX - 1, .domain = PVS_DOMAINS_MAX - 1};
	boosted_slots_put(&boosted, &accounts, 5);
	CHECK_INT(boosted_first(&boosted.of_cpu, PVS_CPUS_MAX - 1), 5);
	CHECK_INT(boosted_first(&boosted.of_domain, PVS_DOMAINS_MAX - 1), 5);
	/* the tracer's number of a CPU is not bounded */
	vcpus[5].cpu = 3 * PVS_CPUS_MAX + 2;
	boosted_slots_put(&boosted, &accounts, 5);
	CHECK_INT(boosted_first(&boosted.of_cpu, 2), 5);
	CHECK_INT(length(&boosted.of_cpu, PVS_CPUS_MAX - 1), 0);
	CHECK_INT(boosted.n, 1);
}

static void test_another_domain(void)
{
	start(8);
	vcpus[1].domain = 1;
	boosted_slots_put(&boosted, &accounts, 1);
	CHECK_INT(length(&boosted.of_domain, 0), 3);
	CHECK_INT(length(&boosted.of_domain, 1), 5);
	CHECK(is_on(&boosted.of_domain, 1, 1));
	CHECK_INT(boosted.n, 8);
}

/* What moved is found on its new list; one that is not boosted any more is on none. */
static void test_follows(void)
{
	start(200);
	move(3, 1);
	move(70, 2);
	move(199, 1);
	boosted_slots_drop(&boosted, 70);
	boosted_slots_follow(&boosted, &accounts);
	CHECK_INT(length(&boosted.of_cpu, 0), 197);
	CHECK_INT(length(&boosted.of_cpu, 1), 2);
	CHECK_INT(length(&boosted.of_cpu, 2), 0);
	CHECK(is_on(&boosted.of_cpu, 1, 3) && is_on(&boosted.of_cpu, 1, 199));
	/* boosted anew, it is where its account says, whatever was noted meanwhile */
	boosted_slots_put(&boosted, &accounts, 70);
	CHECK_INT(length(&boosted.of_cpu, 2), 1);
	move(3, 0);
	boosted_slots_follow(&boosted, &accounts);
	CHECK_INT(length(&boosted.of_cpu, 1), 1);
	CHECK(is_on(&boosted.of_cpu, 0, 3));
}

/* All move at once: each time a bounded number is followed, and in the end each one is. */
static void test_bounded(void)
{
	unsigned int there = 0, times = 0;

	start(PVS_VCPUS_MAX);
	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++)
		move(slot, 1);
	while (there < PVS_VCPUS_MAX && times <= PVS_VCPUS_MAX / BOOSTED_MOVES_MAX) {
		unsigned int before = there;

		boosted_slots_follow(&boosted, &accounts);
		there = length(&boosted.of_cpu, 1);
		CHECK(there - before < BOOSTED_MOVES_MAX + 64);
		CHECK_INT(length(&boosted.of_cpu, 0), PVS_VCPUS_MAX - there);
		times++;
	}
	CHECK_INT(there, PVS_VCPUS_MAX);
	printf("# %u times\n", times);
}

#define MOVERS       3
#define MOVES        200000
#define SLOTS_OF_ONE 64

static atomic_uint movers_left;

/* Each vCPU is switched in on one CPU at a time: each mover has vCPUs of its own. */
static void *mover_main(void *userdata)
{
	unsigned int mover = (unsigned int)(uintptr_t)userdata, seed = mover + 1;

	for (unsigned int i = 0; i < MOVES; i++)
		move(MOVERS * ((unsigned int)rand_r(&seed) % SLOTS_OF_ONE) + mover,
		     (uint32_t)rand_r(&seed) % 8);
	atomic_fetch_sub(&movers_left, 1);
	return NULL;
}

/* However moves and looks meet: once the last one was followed, each list is right. */
static void test_moves_meet_looks(void)
{
	pthread_t threads[MOVERS];
	unsigned int n = MOVERS * SLOTS_OF_ONE, looks = 0;

	start(n);
	atomic_store(&movers_left, MOVERS);
	for (uintptr_t i = 0; i < MOVERS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, mover_main, (void *)i), 0);
	while (atomic_load(&movers_left)) {
		boosted_slots_follow(&boosted, &accounts);
		looks++;
	}
	for (unsigned int i = 0; i < MOVERS; i++)
		pthread_join(threads[i], NULL);
	boosted_slots_follow(&boosted, &accounts);
	printf("# %u looks\n", looks);
	for (unsigned int slot = 0; slot < n; slot++)
		CHECK(is_on(&boosted.of_cpu, vcpus[slot].cpu, slot));
	CHECK_INT(boosted.n, n);
}

/* Of its domain, a helper that follows is none. */
static void test_has_vcpu(void)
{
	start(6);
	CHECK(boosted_has_vcpu(&boosted, &accounts, 1));
	CHECK(!boosted_has_vcpu(&boosted, &accounts, 2));
	vcpus[4].helper = 33;
	CHECK(boosted_has_vcpu(&boosted, &accounts, 1));
	vcpus[5].helper = 34;
	CHECK(!boosted_has_vcpu(&boosted, &accounts, 1));
}

TEST_MAIN(TEST(test_has_vcpu), TEST(test_comes_and_goes), TEST(test_last_cpu_and_domain),
          TEST(test_another_domain), TEST(test_follows), TEST(test_bounded),
          TEST(test_moves_meet_looks))
