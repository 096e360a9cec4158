// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames of the channel out of a stream: whole, in pieces, several at once, and broken ones. */
#include "util/frames.h"

#include <errno.h>

#include "test.h"

static struct frames frames;

struct hello {
	struct pvsched_channel_hello hello;
	struct pvsched_channel_policy policy;
	struct pvsched_channel_cpu cpus[2];
};

static struct hello hello_of_two(void)
{
	struct hello h;

	memset(&h, 0, sizeof(h));
	h.hello.head = frame_head(PVSCHED_CHANNEL_HELLO, sizeof(h));
	h.hello.n_policies = 1;
	h.hello.n_cpus = 2;
	return h;
}

static void arrives(const void *bytes, size_t size)
{
	size_t room;
	void *space = frames_space(&frames, &room);

	CHECK(size <= room);
	memcpy(space, bytes, size);
	frames_added(&frames, size);
}

static void test_in_pieces(void)
{
	struct hello h = hello_of_two();
	const struct pvsched_channel_head *head = NULL;

	frames_init(&frames, FRAMES_OF_GUEST);
	for (size_t i = 0; i + 1 < sizeof(h); i++) {
		arrives((const char *)&h + i, 1);
		CHECK_INT(frames_next(&frames, &head), 0);
	}
	arrives((const char *)&h + sizeof(h) - 1, 1);
	CHECK_INT(frames_next(&frames, &head), 1);
	CHECK_INT(head->type, PVSCHED_CHANNEL_HELLO);
	CHECK(memcmp(head, &h, sizeof(h)) == 0);
	CHECK_INT(frames_next(&frames, &head), 0);
}

static void test_many_at_once(void)
{
	struct pvsched_channel_stored stored = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(stored)),
	};
	const struct pvsched_channel_head *head = NULL;
	uint64_t sent = 0, taken = 0;

	frames_init(&frames, FRAMES_OF_GUEST);
	for (int round = 0; round < 100; round++) {
		size_t room;

		for (frames_space(&frames, &room); room >= sizeof(stored); room -= sizeof(stored)) {
			stored.nonce = ++sent;
			arrives(&stored, sizeof(stored));
		}
		arrives(&stored, room); /* a part of the next one */
		while (frames_next(&frames, &head) > 0)
			CHECK_INT(
			        ((const struct pvsched_channel_stored *)(const void *)head)->nonce,
			        ++taken);
		CHECK_INT(taken, sent);
		stored.nonce = ++sent;
		arrives((const char *)&stored + room, sizeof(stored) - room);
		CHECK_INT(frames_next(&frames, &head), 1);
		taken++;
	}
}

#define REFUSED(accepted, change)                                                                  \
	do {                                                                                       \
		struct hello h = hello_of_two();                                                   \
		const struct pvsched_channel_head *head = NULL;                                    \
		change;                                                                            \
		frames_init(&frames, accepted);                                                    \
		arrives(&h, sizeof(h));                                                            \
		CHECK_INT(frames_next(&frames, &head), -EBADMSG);                                  \
		CHECK(!head);                                                                      \
	} while (0)

static void test_broken(void)
{
	REFUSED(FRAMES_OF_GUEST, h.hello.head.magic++);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.version++);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.reserved = 1);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.type = 0);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.type = 6);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.type = 0xffff);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.type = PVSCHED_CHANNEL_STATE);
	REFUSED(FRAMES_OF_HOST, (void)0);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.size = 0);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.size -= 8);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.size -= 1);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.size = PVSCHED_CHANNEL_SIZE_MAX);
	REFUSED(FRAMES_OF_GUEST, h.hello.head.size = UINT32_MAX);
	REFUSED(FRAMES_OF_GUEST, h.hello.n_cpus = 3);
	REFUSED(FRAMES_OF_GUEST, h.hello.n_cpus = 0);
	REFUSED(FRAMES_OF_GUEST, h.hello.n_cpus = UINT32_MAX);
	REFUSED(FRAMES_OF_GUEST, h.hello.n_policies = 0);
	REFUSED(FRAMES_OF_GUEST, h.hello.n_policies = PVSCHED_CHANNEL_POLICIES_MAX + 1);
	/* 40 bytes of a policy are not those of 2.5 CPUs, whatever the sum */
	REFUSED(FRAMES_OF_GUEST, (h.hello.n_policies = 0x66666667, h.hello.n_cpus = 2));
}

static void test_states(void)
{
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpus[3];
	} s;
	const struct pvsched_channel_head *head;

	memset(&s, 0, sizeof(s));
	s.state.head = frame_head(PVSCHED_CHANNEL_STATE, sizeof(s));
	for (uint32_t n = 0; n < 5; n++) {
		s.state.n_vcpus = n;
		frames_init(&frames, FRAMES_OF_HOST);
		arrives(&s, sizeof(s));
		CHECK_INT(frames_next(&frames, &head), n == 3 ? 1 : -EBADMSG);
	}
	s.state.n_vcpus = 0;
	s.state.head.size = sizeof(s.state);
	frames_init(&frames, FRAMES_OF_HOST);
	arrives(&s.state, sizeof(s.state));
	CHECK_INT(frames_next(&frames, &head), 1);
}

static void test_text(void)
{
	char text[8] = "abc d~";

	CHECK(frame_text_valid(text, sizeof(text)));
	CHECK(frame_text_valid("\0\0\0", 3));
	text[7] = 'x';
	CHECK(!frame_text_valid(text, sizeof(text)));
	CHECK(!frame_text_valid("abc", 3));
	CHECK(!frame_text_valid("a\033c", 4));
	CHECK(!frame_text_valid("a\xc3\xa4", 4));
	CHECK(!frame_text_valid("a\177", 3));
}

TEST_MAIN(TEST(test_in_pieces), TEST(test_many_at_once), TEST(test_broken), TEST(test_states),
          TEST(test_text))
