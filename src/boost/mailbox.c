// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"

static void ring(int fd)
{
	ssize_t n = eventfd_write(fd, 1);

	(void)n; /* fails only at 2^64 - 1 unread rings */
}

static void quiet(int fd)
{
	eventfd_t value;
	int r = eventfd_read(fd, &value);

	(void)r; /* EAGAIN: it did not ring */
}

int mailbox_init(struct mailbox *mailbox)
{
	*mailbox = (struct mailbox){.request_fd = -1, .reply_fd = -1, .notes_fd = -1};
	mailbox->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mailbox->reply_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mailbox->notes_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->request_fd < 0 || mailbox->reply_fd < 0 || mailbox->notes_fd < 0)
		return -errno;
	return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
	mailbox->request_fd = close_fd(mailbox->request_fd);
	mailbox->reply_fd = close_fd(mailbox->reply_fd);
	mailbox->notes_fd = close_fd(mailbox->notes_fd);
}

int mailbox_call(struct mailbox *mailbox, struct command *command)
{
	struct pollfd pfd = {.fd = mailbox->reply_fd, .events = POLLIN};
	struct command *expected = NULL;
	int r;

	if (!atomic_compare_exchange_strong(&mailbox->command, &expected, command))
		return -ETIMEDOUT; /* the last one was never answered */
	ring(mailbox->request_fd);
	/*
	 * Twice: after the whole process was stopped for a while the first one is over at once,
	 * with a booster that is about to answer.
	 */
	for (int i = 0; i < 2; i++) {
		do
			r = poll(&pfd, 1, BOOSTER_TIMEOUT_MS);
		while (r < 0 && errno == EINTR);
		if (r != 0)
			break;
	}
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	quiet(mailbox->reply_fd);
	return command->result;
}

struct command *mailbox_take(struct mailbox *mailbox)
{
	quiet(mailbox->request_fd);
	return atomic_load_explicit(&mailbox->command, memory_order_acquire);
}

void mailbox_answer(struct mailbox *mailbox, struct command *command, int result)
{
	command->result = result;
	atomic_store_explicit(&mailbox->command, NULL, memory_order_release);
	ring(mailbox->reply_fd);
}

void mailbox_note(struct mailbox *mailbox, enum booster_note_type type, unsigned int slot,
                  int error)
{
	uint32_t head = atomic_load_explicit(&mailbox->notes_head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&mailbox->notes_tail, memory_order_acquire);

	if (head - tail >= MAILBOX_NOTES) {
		mailbox->notes_lost++;
		return;
	}
	mailbox->notes[head % MAILBOX_NOTES] = (struct booster_note){type, slot, error};
	atomic_store_explicit(&mailbox->notes_head, head + 1, memory_order_release);
	ring(mailbox->notes_fd);
}

bool mailbox_next_note(struct mailbox *mailbox, struct booster_note *ret)
{
	uint32_t tail = atomic_load_explicit(&mailbox->notes_tail, memory_order_relaxed);

	quiet(mailbox->notes_fd);
	if (tail == atomic_load_explicit(&mailbox->notes_head, memory_order_acquire))
		return false;
	*ret = mailbox->notes[tail % MAILBOX_NOTES];
	atomic_store_explicit(&mailbox->notes_tail, tail + 1, memory_order_release);
	return true;
}
