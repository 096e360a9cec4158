// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing pages that are not mapped: the booster never waits, whatever a write does. */
#include "boost/page_writer.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest/file.h"
#include "test.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)

/* In place of guest/file.c: a file whose writes can be held up, as by one who has its lock. */
static atomic_bool held;
static atomic_int waiting;
static sem_t go_on;

int guest_file_write(int fd, const void *buffer, size_t size, uint64_t offset)
{
	if (atomic_load(&held)) {
		atomic_fetch_add(&waiting, 1);
		sem_wait(&go_on);
		atomic_fetch_sub(&waiting, 1);
	}
	return pwrite(fd, buffer, size, (off_t)offset) == (ssize_t)size ? 0 : -1;
}

static struct pvsched_page *page_of(int fd)
{
	struct pvsched_page *page = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

static struct guest_page make_page(uint64_t generation)
{
	struct guest_page page = {.fd = memfd_create("page", MFD_CLOEXEC),
	                          .generation = generation};

	CHECK(page.fd >= 0 && ftruncate(page.fd, PVSCHED_PAGE_SIZE) == 0);
	return page;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ns = now_ns() + PATIENCE_NS;                                        \
		while (!(condition)) {                                                             \
			CHECK(now_ns() < until_ns);                                                \
			sched_yield();                                                             \
		}                                                                                  \
	} while (0)

static void post(struct page_writer *writer, unsigned int slot, uint64_t generation,
                 enum pvsched_status status, uint64_t boosts)
{
	struct page_news news = {
	        .generation = generation, .status = status, .snapshot = {.boosts = boosts}};

	page_writer_post(writer, slot, &news);
}

static void test_writes(void)
{
	struct page_writer *writer = page_writer_new(70);
	struct guest_page one = make_page(1), two = make_page(2);
	struct pvsched_page *first = page_of(one.fd), *second = page_of(two.fd);

	CHECK(writer);
	CHECK_INT(page_writer_set(writer, 0, &one), 0);
	CHECK_INT(page_writer_set(writer, 69, &two), 0);
	close(one.fd); /* it has a descriptor of its own */
	close(two.fd);
	post(writer, 0, 1, PVSCHED_STATUS_ENABLED, 5);
	post(writer, 69, 2, PVSCHED_STATUS_MODE, 6);
	WAIT_FOR(__atomic_load_n(&first->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_ENABLED);
	CHECK_U64(first->boosts, 5);
	WAIT_FOR(__atomic_load_n(&second->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_MODE);
	CHECK_U64(second->boosts, 6);
	page_writer_free(writer);
}

/* While a write is held up the booster posts as before, and only the last word counts. */
static void test_never_waits(void)
{
	struct page_writer *writer = page_writer_new(4);
	struct guest_page one = make_page(1), none = GUEST_PAGE_NULL;
	struct pvsched_page *page = page_of(one.fd);

	CHECK_INT(page_writer_set(writer, 1, &one), 0);
	atomic_store(&held, true);
	post(writer, 1, 1, PVSCHED_STATUS_ENABLED, 1);
	WAIT_FOR(atomic_load(&waiting) == 1);
	for (uint64_t i = 2; i <= 100000; i++)
		post(writer, 1, 1, PVSCHED_STATUS_ENABLED, i);
	CHECK_U64(page->boosts, 0);
	/* nor does the main thread, which takes the page away meanwhile */
	CHECK_INT(page_writer_set(writer, 1, &none), 0);
	atomic_store(&held, false);
	sem_post(&go_on);
	/* what was under way when the page was taken away does not leave a status behind */
	WAIT_FOR(atomic_load(&waiting) == 0);
	CHECK_INT(page_writer_set(writer, 2, &one), 0);
	post(writer, 2, 1, PVSCHED_STATUS_MODE, 7);
	WAIT_FOR(__atomic_load_n(&page->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_MODE);
	CHECK_U64(page->boosts, 7);
	page_writer_free(writer);
}

static void test_a_status_of_the_past_is_taken_back(void)
{
	struct page_writer *writer = page_writer_new(2);
	struct guest_page one = make_page(1), other = make_page(2), none = GUEST_PAGE_NULL;
	struct pvsched_page *page = page_of(one.fd), *marker = page_of(other.fd);

	CHECK_INT(page_writer_set(writer, 0, &one), 0);
	CHECK_INT(page_writer_set(writer, 1, &other), 0);
	atomic_store(&held, true);
	post(writer, 0, 1, PVSCHED_STATUS_ENABLED, 1);
	WAIT_FOR(atomic_load(&waiting) == 1);
	CHECK_INT(page_writer_set(writer, 0, &none), 0);
	atomic_store(&held, false);
	sem_post(&go_on);
	/* the writer does one after the other: when it is here, it is done there */
	post(writer, 1, 2, PVSCHED_STATUS_MODE, 1);
	WAIT_FOR(__atomic_load_n(&marker->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_MODE);
	CHECK_INT(page->status, PVSCHED_STATUS_DISABLED);
	page_writer_free(writer);
}

/* What was left for the page before is not written to the one that came in its place. */
static void test_word_for_another_page(void)
{
	struct page_writer *writer = page_writer_new(2);
	struct guest_page first = make_page(1), one = make_page(2), other = make_page(3);
	struct pvsched_page *page = page_of(one.fd), *marker = page_of(other.fd);

	CHECK_INT(page_writer_set(writer, 0, &first), 0);
	CHECK_INT(page_writer_set(writer, 1, &other), 0);
	atomic_store(&held, true);
	post(writer, 1, 3, PVSCHED_STATUS_ENABLED, 1);
	WAIT_FOR(atomic_load(&waiting) == 1);
	post(writer, 0, 1, PVSCHED_STATUS_ENABLED, 77);
	CHECK_INT(page_writer_set(writer, 0, &one), 0);
	atomic_store(&held, false);
	sem_post(&go_on);
	post(writer, 1, 3, PVSCHED_STATUS_MODE, 1);
	WAIT_FOR(__atomic_load_n(&marker->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_MODE);
	/* the writer went through all slots before it came to that one again, or in that round */
	CHECK_INT(page->status, PVSCHED_STATUS_DISABLED);
	CHECK_U64(page->boosts, 0);
	page_writer_free(writer);
}

/* A write that never comes back does not keep the daemon from ending. */
static void test_ends_beside_a_write_that_hangs(void)
{
	struct page_writer *writer = page_writer_new(2);
	struct guest_page one = make_page(1);
	uint64_t begin_ns;

	CHECK_INT(page_writer_set(writer, 0, &one), 0);
	atomic_store(&held, true);
	post(writer, 0, 1, PVSCHED_STATUS_ENABLED, 1);
	WAIT_FOR(atomic_load(&waiting) == 1);
	begin_ns = now_ns();
	page_writer_free(writer);
	CHECK(now_ns() - begin_ns < PATIENCE_NS);
}

TEST_MAIN({"writes", test_writes}, {"never_waits", test_never_waits},
          {"a_status_of_the_past_is_taken_back", test_a_status_of_the_past_is_taken_back},
          {"word_for_another_page", test_word_for_another_page},
          {"ends_beside_a_write_that_hangs", test_ends_beside_a_write_that_hangs})
