// SPDX-License-Identifier: GPL-2.0-or-later
/* The handshake: which order is right, what is stale, how long is waited, and when is told. */
#include "channel/session.h"

#include <errno.h>

#include "channel/rate.h"
#include "test.h"

#define NOW (100 * NSEC_PER_SEC)

static struct channel_session challenged(void)
{
	struct channel_session s;

	channel_session_begin(&s, NOW);
	channel_session_hello(&s, NOW);
	channel_session_challenge(&s, 11, 12, NOW);
	return s;
}

static struct channel_session served(void)
{
	struct channel_session s = challenged();

	CHECK_INT(channel_session_stored(&s, 12, NOW), 0);
	CHECK_INT(channel_session_proven(&s, 11), 0);
	channel_session_answer(&s, PVSCHED_CHANNEL_SERVED, PVSCHED_STATUS_ENABLED, 4, NOW);
	return s;
}

static void test_served(void)
{
	struct channel_session s = served();

	CHECK_STR(channel_session_state(&s), "served");
	CHECK_U64(s.n_pages, 4);
	CHECK_INT(channel_session_proven(&s, 11), CHANNEL_STALE);
	/* nothing was stored that was not asked for */
	CHECK_INT(channel_session_stored(&s, 12, NOW), -EBADMSG);
}

static void test_order(void)
{
	struct channel_session s;

	channel_session_begin(&s, NOW);
	CHECK_STR(channel_session_state(&s), "awaited");
	CHECK_INT(channel_session_stored(&s, 0, NOW), -EBADMSG);
	channel_session_hello(&s, NOW);
	CHECK_INT(channel_session_stored(&s, 0, NOW), -EBADMSG);
	CHECK_INT(channel_session_proven(&s, 0), CHANNEL_STALE);
	s = challenged();
	CHECK_INT(channel_session_proven(&s, 11), CHANNEL_STALE); /* not stored yet */
	CHECK_INT(channel_session_stored(&s, 13, NOW), -EBADMSG); /* another nonce */
}

/* A hello or a new challenge while an earlier one is under way: only the last one counts. */
static void test_crossing(void)
{
	struct channel_session s = challenged();

	channel_session_hello(&s, NOW);
	channel_session_challenge(&s, 21, 22, NOW);
	CHECK_INT(channel_session_stored(&s, 12, NOW), CHANNEL_STALE);
	CHECK_INT(channel_session_stored(&s, 22, NOW), 0);
	CHECK_INT(channel_session_proven(&s, 11), CHANNEL_STALE);
	CHECK_INT(channel_session_proven(&s, 21), 0);
	/* a guest may leave out the first */
	s = challenged();
	channel_session_challenge(&s, 21, 22, NOW);
	CHECK_INT(channel_session_stored(&s, 22, NOW), 0);
	CHECK_INT(channel_session_stored(&s, 12, NOW), -EBADMSG);
	/* refused, or heard anew, before it has stored */
	s = challenged();
	channel_session_answer(&s, PVSCHED_CHANNEL_NOT_ALLOWED, PVSCHED_STATUS_DISABLED, 0, NOW);
	CHECK_INT(channel_session_stored(&s, 12, NOW), CHANNEL_STALE);
	CHECK_STR(channel_session_state(&s), "refused");
	s = challenged();
	channel_session_hello(&s, NOW);
	CHECK_INT(channel_session_stored(&s, 12, NOW), CHANNEL_STALE);
	CHECK_STR(channel_session_state(&s), "heard");
}

/* The pages of a guest that was served are to be proven anew: it is not served meanwhile. */
static void test_renewed(void)
{
	struct channel_session s = served();

	channel_session_challenge(&s, 31, 32, NOW);
	CHECK_STR(channel_session_state(&s), "challenged");
	CHECK_U64(s.n_pages, 0);
	CHECK(!channel_session_tells(&s, NOW + NSEC_PER_SEC));
	CHECK_INT(channel_session_stored(&s, 32, NOW), 0);
	CHECK_STR(channel_session_state(&s), "proving");
}

static void test_patience(void)
{
	struct channel_session s;

	channel_session_begin(&s, NOW);
	CHECK_U64(channel_session_next_ns(&s), NOW + CHANNEL_PATIENCE_NS);
	CHECK(!channel_session_expired(&s, NOW + CHANNEL_PATIENCE_NS - 1));
	CHECK(channel_session_expired(&s, NOW + CHANNEL_PATIENCE_NS));
	s = challenged();
	CHECK(channel_session_expired(&s, NOW + CHANNEL_PATIENCE_NS));
	/* what the host does is not the guest's fault; a guest that is refused may stay */
	CHECK_INT(channel_session_stored(&s, 12, NOW), 0);
	CHECK_U64(channel_session_next_ns(&s), NSEC_NEVER);
	channel_session_answer(&s, PVSCHED_CHANNEL_NOT_FOUND, PVSCHED_STATUS_DISABLED, 0, NOW);
	CHECK_U64(channel_session_next_ns(&s), NSEC_NEVER);
	channel_session_changed(&s, true);
	CHECK_U64(channel_session_next_ns(&s), NSEC_NEVER);
}

/* Changes at once but not more often than every 10 ms, the rest ten times a second, and nothing
 * when there are no news. */
static void test_telling(void)
{
	struct channel_session s = served();
	uint64_t at = NOW;

	CHECK(channel_session_tells(&s, at));
	channel_session_told(&s, true, at);
	CHECK_U64(channel_session_next_ns(&s), at + CHANNEL_STATE_NS);
	CHECK(!channel_session_tells(&s, at + CHANNEL_STATE_NS - 1));
	channel_session_changed(&s, true);
	CHECK_U64(channel_session_next_ns(&s), at + CHANNEL_STATE_AT_ONCE_NS);
	at += CHANNEL_STATE_AT_ONCE_NS;
	CHECK(channel_session_tells(&s, at));
	channel_session_told(&s, true, at);
	at += CHANNEL_STATE_NS;
	CHECK(channel_session_tells(&s, at));
	channel_session_told(&s, false, at);
	CHECK_U64(channel_session_next_ns(&s), NSEC_NEVER);
	channel_session_changed(&s, false);
	CHECK_U64(channel_session_next_ns(&s), at + CHANNEL_STATE_NS);
	channel_session_changed(&s, true);
	channel_session_changed(&s, false); /* does not make it later */
	CHECK_U64(channel_session_next_ns(&s), at + CHANNEL_STATE_AT_ONCE_NS);
}

static void test_names(void)
{
	for (int i = PVSCHED_CHANNEL_NO_DOMAIN; i <= PVSCHED_CHANNEL_NO_POLICY; i++) {
		CHECK(channel_refusal_name((enum pvsched_channel_refusal)i)[0]);
		CHECK(channel_refusal_text((enum pvsched_channel_refusal)i)[0]);
	}
	CHECK_STR(channel_refusal_name(PVSCHED_CHANNEL_SERVED), "");
	CHECK_STR(channel_refusal_name((enum pvsched_channel_refusal)99), "unknown");
}

static void test_rate_of_one(void)
{
	static struct channel_rate rate;
	uint64_t at = NOW, until;

	for (int i = 0; i < CHANNEL_RATE_BURST; i++)
		CHECK_U64(channel_rate_take(&rate, 3, at), 0);
	until = channel_rate_take(&rate, 3, at);
	CHECK_U64(until, at + CHANNEL_RATE_NS);
	CHECK_U64(channel_rate_take(&rate, 3, until - 1), until);
	CHECK_U64(channel_rate_take(&rate, 4, until - 1), 0); /* the others do not wait for it */
	CHECK_U64(channel_rate_take(&rate, 3, until), 0);
	CHECK_GE(channel_rate_take(&rate, 3, until), until + 1);
}

/* All together, however many CIDs there are. */
static void test_rate_of_all(void)
{
	static struct channel_rate rate;
	unsigned int taken = 0;

	for (uint32_t cid = 3; cid < 100003; cid++)
		taken += channel_rate_take(&rate, cid, NOW) == 0;
	CHECK_U64(taken, CHANNEL_RATE_ALL_BURST);
	taken = 0;
	for (uint32_t cid = 3; cid < 100003; cid++)
		taken += channel_rate_take(&rate, cid, NOW + NSEC_PER_SEC) == 0;
	CHECK_LE(taken, NSEC_PER_SEC / CHANNEL_RATE_ALL_NS);
	CHECK_GE(taken, 100);
}

TEST_MAIN({"served", test_served}, {"order", test_order}, {"crossing", test_crossing},
          {"renewed", test_renewed}, {"patience", test_patience}, {"telling", test_telling},
          {"names", test_names}, {"rate-of-one", test_rate_of_one},
          {"rate-of-all", test_rate_of_all})
