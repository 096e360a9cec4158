// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/notes.h"

#include <poll.h>

#include "test.h"

static struct notes notes;

static bool is_readable(void)
{
	struct pollfd pfd = {.fd = notes.fd, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

static void begin(void)
{
	notes = (struct notes){0};
	CHECK_INT(notes_init(&notes), 0);
}

static void test_oldest_first(void)
{
	struct booster_note note;

	begin();
	CHECK(!is_readable());
	CHECK(!notes_take(&notes, &note));
	notes_add(&notes, BOOSTER_NOTE_FAILED, 7, -1);
	notes_add(&notes, BOOSTER_NOTE_QUOTA, 8, 1);
	CHECK(is_readable());
	CHECK(notes_take(&notes, &note));
	CHECK(note.type == BOOSTER_NOTE_FAILED && note.slot == 7 && note.arg == -1);
	CHECK(notes_take(&notes, &note));
	CHECK(note.type == BOOSTER_NOTE_QUOTA && note.slot == 8 && note.arg == 1);
	CHECK(!notes_take(&notes, &note));
	CHECK(!is_readable());
	notes_close(&notes);
}

/* The booster does not wait for room: the newest ones are lost, and counted. */
static void test_full(void)
{
	struct booster_note note;

	begin();
	for (unsigned int i = 0; i < NOTES_MAX - NOTES_HOST + 3; i++)
		notes_add(&notes, BOOSTER_NOTE_GONE, i, 0);
	CHECK_U64(notes.lost, 3);
	for (unsigned int i = 0; i < NOTES_MAX - NOTES_HOST; i++) {
		CHECK(notes_take(&notes, &note));
		CHECK_INT(note.slot, i);
	}
	CHECK(!notes_take(&notes, &note));
	notes_add(&notes, BOOSTER_NOTE_GONE, 1, 0);
	CHECK(notes_take(&notes, &note));
	CHECK_U64(notes.lost, 3);
	notes_close(&notes);
}

/* What concerns the host is not lost by what domains cause; forks leave room for other notes. */
static void test_room_for_the_host(void)
{
	struct booster_note note, last = {0};

	begin();
	for (unsigned int i = 0; i < NOTES_MAX; i++)
		notes_add(&notes, BOOSTER_NOTE_FORK, i, 1);
	CHECK_U64(notes.lost, NOTES_MAX - NOTES_FORKS_MAX);
	for (unsigned int i = NOTES_FORKS_MAX; i < NOTES_MAX; i++)
		notes_add(&notes, BOOSTER_NOTE_QUOTA, i, 1);
	CHECK_U64(notes.lost, NOTES_MAX - NOTES_FORKS_MAX + NOTES_HOST);
	notes.lost = 0;
	notes_add(&notes, BOOSTER_NOTE_DEADLINE, 0, 0);
	notes_add(&notes, BOOSTER_NOTE_GUARDIAN, 0, 0);
	CHECK_U64(notes.lost, 0);
	while (notes_take(&notes, &note))
		last = note;
	CHECK(last.type == BOOSTER_NOTE_GUARDIAN);
	notes_close(&notes);
}

/* What the channel is told leaves room for the rest, and what has none is told soon. */
static void test_tells(void)
{
	struct booster_note note;
	unsigned int n = 0;

	begin();
	for (unsigned int i = 0; i < NOTES_MAX; i++)
		notes_add(&notes, BOOSTER_NOTE_TELL, i, 1);
	CHECK_U64(notes.lost, 0);
	notes_add(&notes, BOOSTER_NOTE_GONE, 7, 0);
	CHECK_U64(notes.lost, 0);
	while (notes_take(&notes, &note))
		n++;
	CHECK_INT(n, NOTES_TELLS_MAX + 1);
	CHECK(note.type == BOOSTER_NOTE_GONE && note.slot == 7);
	notes_close(&notes);
}

TEST_MAIN({"oldest_first", test_oldest_first}, {"full", test_full},
          {"room_for_the_host", test_room_for_the_host}, {"tells", test_tells})
