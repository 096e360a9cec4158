// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of a guest's scheduler: tuples of tasks, a pending task. */
#include "core/intent.h"

#include <stdbool.h>

#include "test.h"

#define FIFO(p)   pvsched_tuple(PVSCHED_POLICY_FIFO, 0, (p))
#define NORMAL(n) pvsched_tuple(PVSCHED_POLICY_NORMAL, (n), 0)

static void test_tuples(void)
{
	CHECK_U64(pvs_intent_tuple(0, 120, 120), NORMAL(0));
	CHECK_U64(pvs_intent_tuple(0, 100, 100), NORMAL(-20));
	CHECK_U64(pvs_intent_tuple(0, 139, 139), NORMAL(19));
	CHECK_U64(pvs_intent_tuple(1, 49, 120), FIFO(50));
	CHECK_U64(pvs_intent_tuple(2, 98, 100), pvsched_tuple(PVSCHED_POLICY_RR, 0, 1));
	CHECK_U64(pvs_intent_tuple(3, 125, 125), pvsched_tuple(PVSCHED_POLICY_BATCH, 5, 0));
	CHECK_U64(pvs_intent_tuple(5, 120, 120), pvsched_tuple(PVSCHED_POLICY_IDLE, 0, 0));
	/* holds a lock of a real-time task; a deadline task; sched_ext */
	CHECK_U64(pvs_intent_tuple(0, 29, 120), FIFO(70));
	CHECK_U64(pvs_intent_tuple(6, -1, 120), FIFO(99));
	CHECK_U64(pvs_intent_tuple(7, 120, 120), NORMAL(0));
}

/* Whatever a kernel says, the host takes the word. */
static void test_valid(void)
{
	for (unsigned int policy = 0; policy < 9; policy++)
		for (int prio = -1; prio < 140; prio++)
			for (int nice = -20; nice < 20; nice++) {
				__u64 word = pvs_intent_tuple(policy, prio, 120 + nice);
				enum pvsched_urgency says = pvsched_intent_urgency(word, 0);

				CHECK_INT(says, prio < 100 ? PVSCHED_URGENCY_URGENT
				                           : PVSCHED_URGENCY_ORDINARY);
			}
	CHECK_INT(pvsched_intent_urgency(pvs_intent_idles(), 0), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvsched_intent_urgency(PVS_INTENT_UNSEEN, 0), PVSCHED_URGENCY_INVALID);
}

static void test_pending(void)
{
	__u64 word = pvs_intent_pend(NORMAL(0), FIFO(10));

	CHECK_INT(pvsched_intent_urgency(word, 0), PVSCHED_URGENCY_URGENT);
	CHECK_U64(word & 0xffffff, NORMAL(0));
	CHECK_U64(word >> 24 & 0xffffff, FIFO(10));
	/* a higher one counts; a lower or equal one does not */
	CHECK_U64(pvs_intent_pend(word, FIFO(9)), word);
	CHECK_U64(pvs_intent_pend(word, FIFO(10)), word);
	CHECK_U64(pvs_intent_pend(word, FIFO(11)) >> 24 & 0xffffff, FIFO(11));
	CHECK_U64(pvs_intent_pend(FIFO(50), FIFO(50)), FIFO(50));
	CHECK_U64(pvs_intent_pend(FIFO(50), NORMAL(-20)), FIFO(50));
	CHECK(pvs_intent_pend(pvs_intent_idles(), FIFO(1)) & PVS_INTENT_IDLE);
	CHECK_U64(pvs_intent_pend(PVS_INTENT_UNSEEN, FIFO(99)), PVS_INTENT_UNSEEN);
	/* it went to another CPU; another task did */
	CHECK_U64(pvs_intent_unpend(word, FIFO(10)), NORMAL(0));
	CHECK_U64(pvs_intent_unpend(word, FIFO(11)), word);
	CHECK_U64(pvs_intent_unpend(PVS_INTENT_UNSEEN, FIFO(10)), PVS_INTENT_UNSEEN);
}

TEST_MAIN(TEST(test_tuples), TEST(test_valid), TEST(test_pending))
