// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/notes.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"

int notes_init(struct notes *notes)
{
	notes->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return notes->fd < 0 ? -errno : 0;
}

void notes_close(struct notes *notes)
{
	notes->fd = close_fd(notes->fd);
}

/* How full the ring may be for a note of that type. */
static uint32_t limit(enum booster_note_type type)
{
	switch (type) {
	case BOOSTER_NOTE_GUARDIAN:
	case BOOSTER_NOTE_DEADLINE:
	case BOOSTER_NOTE_LOST:
	case BOOSTER_NOTE_DENIED: /* once, until it was heard */
		return NOTES_MAX;
	case BOOSTER_NOTE_FORK:
		return NOTES_FORKS_MAX;
	case BOOSTER_NOTE_TELL:
		return NOTES_TELLS_MAX;
	case BOOSTER_NOTE_FOREIGN:
	case BOOSTER_NOTE_REFUSED:
	case BOOSTER_NOTE_GONE:
	case BOOSTER_NOTE_FAILED:
	case BOOSTER_NOTE_QUOTA:
	case BOOSTER_NOTE_HELLO:
	case BOOSTER_NOTE_PAGE_LOST:
	case BOOSTER_NOTE_HELPER:
		break;
	}
	return NOTES_MAX - NOTES_HOST;
}

void notes_add(struct notes *notes, enum booster_note_type type, unsigned int slot, int arg)
{
	uint32_t head = atomic_load_explicit(&notes->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&notes->tail, memory_order_acquire);
	ssize_t n;

	if (head - tail >= limit(type)) {
		notes->lost += type != BOOSTER_NOTE_TELL;
		return;
	}
	notes->ring[head % NOTES_MAX] = (struct booster_note){type, slot, arg};
	atomic_store_explicit(&notes->head, head + 1, memory_order_release);
	n = eventfd_write(notes->fd, 1);
	(void)n; /* fails only at 2^64 - 1 unread rings */
}

bool notes_take(struct notes *notes, struct booster_note *ret)
{
	uint32_t tail = atomic_load_explicit(&notes->tail, memory_order_relaxed);
	eventfd_t value;
	int r = eventfd_read(notes->fd, &value);

	(void)r; /* EAGAIN: it did not ring */
	if (tail == atomic_load_explicit(&notes->head, memory_order_acquire))
		return false;
	*ret = notes->ring[tail % NOTES_MAX];
	atomic_store_explicit(&notes->tail, tail + 1, memory_order_release);
	return true;
}
