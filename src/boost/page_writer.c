// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/page_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/thread.h"

/* How long the end waits for a write that is under way. */
#define END_NS (200 * NSEC_PER_MSEC)

/* Where to write; shared by the slot and the write under way. */
struct target {
	unsigned int users; /* under page_writer::lock */
	struct guest_page page;
};

/* What the booster left, with a sequence count: the reader never waits. */
struct word {
	_Atomic uint32_t sequence; /* odd: being written */
	struct page_news news;
};

struct page_writer {
	unsigned int n;
	int wake_fd; /* eventfd: a bit of @dirty is set, or it is to end */
	bool running;
	pthread_t thread;
	_Atomic bool ends;
	pthread_mutex_t lock; /* of targets: main thread and writer, never the booster */
	struct target **targets;
	struct word *words;
	_Atomic uint64_t *dirty; /* bitmap of slots */
};

struct page_writer *page_writer_new(unsigned int n)
{
	struct page_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->n = n;
	pthread_mutex_init(&writer->lock, NULL);
	writer->wake_fd = eventfd(0, EFD_CLOEXEC);
	writer->targets = calloc(n, sizeof(struct target *));
	writer->words = calloc(n, sizeof(*writer->words));
	writer->dirty = calloc((n + 63) / 64, sizeof(*writer->dirty));
	if (writer->wake_fd < 0 || !writer->targets || !writer->words || !writer->dirty)
		return page_writer_free(writer);
	return writer;
}

/* Drops a reference; takes NULL. To be called under the lock. */
static void target_unref(struct target *target)
{
	if (!target || --target->users > 0)
		return;
	close_fd(target->page.fd);
	free(target);
}

static void wake(struct page_writer *writer)
{
	uint64_t one = 1;

	/* fails only at 2^64 - 1, when it is readable as well */
	if (write(writer->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* False while the booster writes it: the booster sets the bit when it has done so. */
static bool word_read(struct word *word, struct page_news *ret)
{
	uint32_t before = atomic_load_explicit(&word->sequence, memory_order_acquire);

	if (before & 1)
		return false;
	memcpy(ret, &word->news, sizeof(*ret));
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&word->sequence, memory_order_relaxed) == before;
}

static void write_slot(struct page_writer *writer, unsigned int slot)
{
	struct page_news news;
	struct target *target;
	bool stale;

	if (!word_read(&writer->words[slot], &news))
		return;
	pthread_mutex_lock(&writer->lock);
	target = writer->targets[slot];
	if (target && target->page.generation != news.generation)
		target = NULL; /* the news are for an earlier page of the slot */
	if (target)
		target->users++;
	pthread_mutex_unlock(&writer->lock);
	if (!target)
		return;
	/* a page that is lost is found when it is read */
	guest_page_publish(&target->page, &news.snapshot);
	guest_page_answer(&target->page, news.status);
	pthread_mutex_lock(&writer->lock);
	stale = writer->targets[slot] != target;
	pthread_mutex_unlock(&writer->lock);
	/* in a region that was begun anew meanwhile no guest has said hello yet */
	if (stale)
		guest_page_answer(&target->page, PVSCHED_STATUS_DISABLED);
	pthread_mutex_lock(&writer->lock);
	target_unref(target);
	pthread_mutex_unlock(&writer->lock);
}

static void *writer_main(void *userdata)
{
	struct page_writer *writer = userdata;
	uint64_t count, bits;

	while (!atomic_load(&writer->ends)) {
		if (read(writer->wake_fd, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
		for (unsigned int i = 0; i < (writer->n + 63) / 64; i++) {
			for (bits = atomic_exchange(&writer->dirty[i], 0); bits; bits &= bits - 1)
				write_slot(writer, 64 * i + (unsigned int)__builtin_ctzll(bits));
		}
	}
	return NULL;
}

static int start(struct page_writer *writer)
{
	int r;

	if (writer->running)
		return 0;
	r = thread_begin(&writer->thread, 0, writer_main, writer);
	writer->running = r == 0;
	return r;
}

int page_writer_set(struct page_writer *writer, unsigned int slot, const struct guest_page *page)
{
	struct target *target = NULL;
	int r = 0;

	if (page->fd >= 0) {
		r = start(writer);
		target = r == 0 ? calloc(1, sizeof(*target)) : NULL;
		if (r == 0 && !target)
			r = -ENOMEM;
	}
	if (target) {
		*target = (struct target){.users = 1, .page = *page};
		target->page.fd = fcntl(page->fd, F_DUPFD_CLOEXEC, 0);
		if (target->page.fd < 0) {
			r = -errno;
			free(target);
			target = NULL;
		}
	}
	pthread_mutex_lock(&writer->lock);
	target_unref(writer->targets[slot]);
	writer->targets[slot] = target;
	pthread_mutex_unlock(&writer->lock);
	return r;
}

void page_writer_post(struct page_writer *writer, unsigned int slot, const struct page_news *news)
{
	struct word *word = &writer->words[slot];
	uint32_t sequence = atomic_load_explicit(&word->sequence, memory_order_relaxed);

	atomic_store_explicit(&word->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(&word->news, news, sizeof(*news));
	atomic_store_explicit(&word->sequence, sequence + 2, memory_order_release);
	atomic_fetch_or(&writer->dirty[slot / 64], UINT64_C(1) << (slot % 64));
	wake(writer);
}

struct page_writer *page_writer_free(struct page_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->running) {
		atomic_store(&writer->ends, true);
		wake(writer);
		if (!thread_join_within(writer->thread, END_NS))
			return NULL; /* it hangs in a write, and ends with the process */
	}
	for (unsigned int i = 0; writer->targets && i < writer->n; i++)
		target_unref(writer->targets[i]);
	close_fd(writer->wake_fd);
	pthread_mutex_destroy(&writer->lock);
	free(writer->targets);
	free(writer->words);
	free(writer->dirty);
	free(writer);
	return NULL;
}
