// SPDX-License-Identifier: GPL-2.0-or-later
/* What booster and reader share: asks, copies, and the sleep of a lane. */
#include "reader/board.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "util/clock.h"
#include "util/thread.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)

static struct board *board_make(void)
{
	struct board *board;

	CHECK_INT(board_new(&board), 0);
	return board;
}

static struct board_ask ask_of(uint64_t generation, uint32_t lane, uint32_t index)
{
	return (struct board_ask){.generation = generation, .lane = lane, .index = index};
}

static struct board_copy copy_of(const struct board_ask *ask, uint64_t request)
{
	return (struct board_copy){.generation = ask->generation,
	                           .index = ask->index,
	                           .writes = ask->writes,
	                           .read_ns = 1,
	                           .words = {.request = request}};
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_asks_reach_their_lane(void)
{
	struct board *board = board_make();
	unsigned int slots[] = {0, 63, 64, BOARD_SLOTS - 1}, from = 0, slot = 0;
	struct board_ask ask, seen;

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
		ask = ask_of(7, 1 + i % 2, i);
		board_post(board, slots[i], &ask);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i += 2) {
		CHECK(board_next_ask(board, 1, &from, &slot, &seen));
		CHECK_U64(slot, slots[i]);
		CHECK_INT(seen.index, i);
	}
	CHECK(!board_next_ask(board, 1, &from, &slot, &seen));
	from = 0;
	CHECK(!board_next_ask(board, 1, &from, &slot, &seen)); /* each once */
	from = 0;
	for (unsigned int i = 1; i < ARRAY_SIZE(slots); i += 2)
		CHECK(board_next_ask(board, 2, &from, &slot, &seen) && slot == slots[i]);
	/* a lane that does not exist is no harm */
	ask.lane = UINT32_MAX;
	board_post(board, 5, &ask);
	CHECK(!board_lane_is_stuck(board, UINT32_MAX, UINT64_MAX));
	board_free(board);
}

/* What is said, and not posted, wakes no lane: it is for the main thread. */
static void test_what_is_said(void)
{
	struct board *board = board_make();
	struct board_ask ask = ask_of(7, 1, 3), seen;
	uint32_t calls = board_lane_calls(board, 1);
	unsigned int from = 0, slot;

	ask.snapshot.boosts = 5;
	board_say(board, 9, &ask);
	CHECK(board_said(board, 9, &seen));
	CHECK(seen.generation == 7 && seen.index == 3 && seen.snapshot.boosts == 5);
	CHECK(!board_next_ask(board, 1, &from, &slot, &seen));
	CHECK_INT(board_lane_calls(board, 1), calls);
	ask.snapshot.boosts = 6;
	board_post(board, 9, &ask);
	CHECK(board_said(board, 9, &seen) && seen.snapshot.boosts == 6);
	board_free(board);
}

static void test_copies_and_news(void)
{
	struct board *board = board_make();
	struct board_ask ask = ask_of(7, 0, 3);
	struct board_copy copy = copy_of(&ask, 11), seen_copy;
	unsigned int from = 0;
	uint32_t seen = 0;

	board_post(board, 9, &ask);
	CHECK(!board_take(board, 9, &seen, &seen_copy));
	board_put(board, 9, &copy);
	CHECK(is_readable(board_news_fd(board)));
	board_news_begin(board);
	CHECK(!is_readable(board_news_fd(board)));
	CHECK_INT(board_next_news(board, &from), 9);
	CHECK_INT(board_next_news(board, &from), -1);
	CHECK(board_take(board, 9, &seen, &seen_copy));
	CHECK_U64(seen_copy.words.request, 11);
	CHECK(!board_take(board, 9, &seen, &seen_copy)); /* once */
	/* the same words later: there to be taken, but no reason to wake the booster */
	copy.read_ns = 2;
	copy.writes = 5;
	board_put(board, 9, &copy);
	CHECK(!is_readable(board_news_fd(board)));
	CHECK(board_take(board, 9, &seen, &seen_copy) && seen_copy.read_ns == 2);
	/* nor is a sign of life of its agent, which comes with each interrupt of its timer */
	copy.words.pulse++;
	board_put(board, 9, &copy);
	CHECK(!is_readable(board_news_fd(board)));
	CHECK(board_take(board, 9, &seen, &seen_copy) && seen_copy.words.pulse == copy.words.pulse);
	copy.result = -EIO;
	board_put(board, 9, &copy);
	CHECK(is_readable(board_news_fd(board)));
	board_free(board);
}

/* What is left of an earlier page of the slot neither comes nor counts. */
static void test_another_page_in_the_slot(void)
{
	struct board *board = board_make();
	struct board_ask before = ask_of(7, 0, 3), now = ask_of(8, 1, 3), other = ask_of(8, 1, 4);
	struct board_copy copy = copy_of(&before, 11), seen_copy;
	uint32_t seen = 0;

	board_post(board, 1, &before);
	board_post(board, 1, &now);
	board_put(board, 1, &copy); /* by a lane that was held up meanwhile */
	CHECK(!board_take(board, 1, &seen, &seen_copy));
	CHECK(!is_readable(board_news_fd(board)));
	copy = copy_of(&now, 12);
	board_put(board, 1, &copy);
	CHECK(board_is_written(board, 1, &now));
	CHECK(!board_is_written(board, 1, &before) && !board_is_written(board, 1, &other));
	now.writes++;
	CHECK(!board_is_written(board, 1, &now));
	/* the other page of the same generation */
	board_post(board, 1, &other);
	board_put(board, 1, &copy);
	CHECK(board_take(board, 1, &seen, &seen_copy));
	CHECK(!board_take(board, 1, &seen, &seen_copy));
	board_free(board);
}

/* Two threads at full speed: what is taken is whole, or nothing. */
struct race {
	struct board *board;
	atomic_bool ends;
};

static void *put_all(void *userdata)
{
	struct race *race = userdata;
	struct board_ask ask = ask_of(7, 0, 0);

	for (uint64_t i = 1; !atomic_load(&race->ends); i++) {
		struct board_copy copy = copy_of(&ask, i);

		copy.read_ns = i;
		copy.words.expect = copy.words.written_ns = copy.words.cs_state = i;
		board_put(race->board, 0, &copy);
	}
	return NULL;
}

static void test_a_torn_copy_says_nothing(void)
{
	struct race race = {.board = board_make()};
	struct board_ask ask = ask_of(7, 0, 0);
	struct board_copy copy;
	uint64_t taken = 0, until_ns = clock_now_ns() + PATIENCE_NS, last = 0;
	uint32_t seen = 0;
	pthread_t thread;

	board_post(race.board, 0, &ask);
	CHECK_INT(pthread_create(&thread, NULL, put_all, &race), 0);
	while (taken < 500) {
		CHECK(clock_now_ns() < until_ns);
		if (!board_take(race.board, 0, &seen, &copy))
			continue;
		taken++;
		CHECK(copy.words.request == copy.read_ns && copy.words.expect == copy.read_ns &&
		      copy.words.cs_state == copy.read_ns);
		CHECK(copy.read_ns >= last);
		last = copy.read_ns;
	}
	atomic_store(&race.ends, true);
	pthread_join(thread, NULL);
	board_free(race.board);
}

/* A call is never lost, whenever it comes. */
static void *count_asks(void *userdata)
{
	struct race *race = userdata;
	struct board_ask ask;

	for (uint32_t last = 0; last < 20000;) {
		uint32_t calls = board_lane_calls(race->board, 3);
		unsigned int from = 0, slot;

		while (board_next_ask(race->board, 3, &from, &slot, &ask))
			last = ask.writes;
		if (last < 20000)
			board_lane_sleep(race->board, 3, calls);
	}
	return NULL;
}

static void test_no_call_is_lost(void)
{
	struct race race = {.board = board_make()};
	pthread_t thread;

	CHECK_INT(pthread_create(&thread, NULL, count_asks, &race), 0);
	for (uint32_t i = 1; i <= 20000; i++) {
		struct board_ask ask = ask_of(7, 3, 0);

		ask.writes = i;
		board_post(race.board, 0, &ask);
	}
	CHECK(thread_join_within(thread, 10 * NSEC_PER_SEC));
	board_free(race.board);
}

static void test_stuck_lanes(void)
{
	struct board *board = board_make();
	struct thread_id qemu = {4711, 12}, other = {4711, 13};
	uint64_t t0 = NSEC_PER_SEC;
	pid_t pids[2] = {0, 0};

	for (unsigned int i = 0; i < 3; i++) {
		board_lane_begin(board, i, &(struct thread_id){4711 + (pid_t)i, 12});
		CHECK(!board_works_for(board, &qemu) || i > 0);
		board_lane_set_busy(board, i, t0);
	}
	CHECK(board_works_for(board, &qemu) && !board_works_for(board, &other));
	CHECK_INT(board_stuck(board, t0 + BOARD_STUCK_NS, pids, 2), 0);
	CHECK_INT(board_stuck(board, t0 + BOARD_STUCK_NS + 1, pids, 2), 3);
	CHECK(pids[0] == 4711 && pids[1] == 4712);
	CHECK(!board_lane_is_stuck(board, 0, t0 - 1)); /* clocks of two CPUs */
	board_lane_set_busy(board, 1, 0);
	CHECK_INT(board_stuck(board, t0 + 2 * BOARD_STUCK_NS, NULL, 0), 2);
	board_forget_lanes(board);
	CHECK_INT(board_stuck(board, t0 + 2 * BOARD_STUCK_NS, NULL, 0), 0);
	board_free(board);
}

static void test_shared_with_another_process(void)
{
	struct board *board = board_make(), *other;
	struct board_ask ask = ask_of(7, 0, 0), seen;
	unsigned int from = 0, slot;
	int fd;

	CHECK_INT(board_map(&other, dup(board_memory_fd(board)), dup(board_news_fd(board))), 0);
	board_post(board, 2, &ask);
	CHECK(board_next_ask(other, 0, &from, &slot, &seen) && slot == 2);
	board_free(other);
	/* it can't be made to shrink; and what could shrink, or has another size, is none */
	CHECK(ftruncate(board_memory_fd(board), 4096) < 0);
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
	CHECK_INT(board_map(&other, dup(fd), eventfd(0, 0)), -EINVAL);
	CHECK_INT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	CHECK_INT(board_map(&other, fd, eventfd(0, 0)), -EINVAL);
	CHECK(board_map(&other, -1, -1) < 0);
	board_free(board);
	CHECK(!board_free(NULL));
}

TEST_MAIN({"asks_reach_their_lane", test_asks_reach_their_lane},
          {"what_is_said", test_what_is_said}, {"copies_and_news", test_copies_and_news},
          {"another_page_in_the_slot", test_another_page_in_the_slot},
          {"a_torn_copy_says_nothing", test_a_torn_copy_says_nothing},
          {"no_call_is_lost", test_no_call_is_lost}, {"stuck_lanes", test_stuck_lanes},
          {"shared_with_another_process", test_shared_with_another_process})
