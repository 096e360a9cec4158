// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/board.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#define WORDS ((BOARD_SLOTS + 63) / 64)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Booster and reader write to different cache lines. */
struct slot {
	_Alignas(64) _Atomic uint32_t ask_sequence; /* odd: being written */
	struct board_ask ask;
	_Alignas(64) _Atomic uint32_t copy_sequence;
	struct board_copy copy;
};

struct lane_words {
	_Alignas(64) _Atomic uint32_t calls;
	_Atomic uint32_t sleeps;
	_Atomic uint64_t busy_since_ns; /* 0: it is not */
	_Atomic int32_t pid;            /* of its QEMU */
	_Atomic uint64_t start_ticks;
};

struct memory {
	_Atomic uint64_t asked[WORDS]; /* bitmap of slots */
	_Atomic uint64_t news[WORDS];
	struct lane_words lanes[BOARD_LANES];
	struct slot slots[BOARD_SLOTS];
};

struct board {
	struct memory *memory;
	int memory_fd, news_fd;
};

_Static_assert(sizeof(struct guest_words) == sizeof(struct guest_hello) + 6 * sizeof(uint64_t),
               "words are compared as bytes");

/* ---- its life ---- */

static int map(struct board *board)
{
	void *memory = mmap(NULL, sizeof(struct memory), PROT_READ | PROT_WRITE, MAP_SHARED,
	                    board->memory_fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	board->memory = memory;
	return 0;
}

static int make_memory(struct board *board)
{
	board->memory_fd = memfd_create("pvschedd-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	board->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (board->memory_fd < 0 || board->news_fd < 0)
		return -errno;
	if (ftruncate(board->memory_fd, sizeof(struct memory)) < 0 ||
	    fcntl(board->memory_fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return map(board);
}

int board_new(struct board **ret)
{
	struct board *board = calloc(1, sizeof(*board));
	int r;

	if (!board)
		return -ENOMEM;
	board->memory_fd = board->news_fd = -1;
	r = make_memory(board);
	if (r < 0) {
		board_free(board);
		return r;
	}
	*ret = board;
	return 0;
}

/* A file that could shrink under us, or has another layout, is refused. */
static int check_memory(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	return (seals & SEALS) == SEALS && st.st_size == (off_t)sizeof(struct memory) ? 0 : -EINVAL;
}

int board_map(struct board **ret, int memory_fd, int news_fd)
{
	struct board *board = calloc(1, sizeof(*board));
	int r;

	if (!board) {
		close_fd(memory_fd);
		close_fd(news_fd);
		return -ENOMEM;
	}
	board->memory_fd = memory_fd;
	board->news_fd = news_fd;
	r = check_memory(memory_fd);
	if (r == 0)
		r = map(board);
	if (r < 0) {
		board_free(board);
		return r;
	}
	*ret = board;
	return 0;
}

struct board *board_free(struct board *board)
{
	if (!board)
		return NULL;
	if (board->memory)
		munmap(board->memory, sizeof(*board->memory));
	close_fd(board->memory_fd);
	close_fd(board->news_fd);
	free(board);
	return NULL;
}

int board_memory_fd(const struct board *board)
{
	return board->memory_fd;
}

int board_news_fd(const struct board *board)
{
	return board->news_fd;
}

/* ---- texts under a sequence count ---- */

static void text_write(_Atomic uint32_t *sequence, void *to, const void *from, size_t size)
{
	uint32_t before = atomic_load_explicit(sequence, memory_order_relaxed) & ~1U;

	atomic_store_explicit(sequence, before + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(to, from, size);
	atomic_store_explicit(sequence, before + 2, memory_order_release);
}

/* One try. Returns false while it is being written. */
static bool text_read(const _Atomic uint32_t *sequence, void *to, const void *from, size_t size)
{
	uint32_t before = atomic_load_explicit(sequence, memory_order_acquire);

	if (before & 1)
		return false;
	memcpy(to, from, size);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(sequence, memory_order_relaxed) == before;
}

static void set_bit(_Atomic uint64_t *bitmap, unsigned int slot)
{
	atomic_fetch_or(&bitmap[slot / 64], UINT64_C(1) << (slot % 64));
}

static void clear_bit(_Atomic uint64_t *bitmap, unsigned int slot)
{
	atomic_fetch_and(&bitmap[slot / 64], ~(UINT64_C(1) << (slot % 64)));
}

/* The first slot from @from on whose bit is set; -1: none. */
static int first_bit(const _Atomic uint64_t *bitmap, unsigned int from)
{
	uint64_t bits, mask = UINT64_MAX << (from % 64);

	for (unsigned int i = from / 64; i < WORDS; i++, mask = UINT64_MAX) {
		bits = atomic_load(&bitmap[i]) & mask;
		if (bits)
			return (int)(64 * i) + __builtin_ctzll(bits);
	}
	return -1;
}

/* ---- the booster's ---- */

void board_say(struct board *board, unsigned int slot, const struct board_ask *ask)
{
	struct slot *s = &board->memory->slots[slot];

	text_write(&s->ask_sequence, &s->ask, ask, sizeof(*ask));
}

void board_post(struct board *board, unsigned int slot, const struct board_ask *ask)
{
	board_say(board, slot, ask);
	set_bit(board->memory->asked, slot);
	board_lane_call(board, ask->lane);
}

bool board_said(const struct board *board, unsigned int slot, struct board_ask *ret)
{
	const struct slot *s = &board->memory->slots[slot];

	/* the booster is a real-time thread: it has written by then, unless it writes again */
	for (int tries = 0; tries < 3; tries++)
		if (text_read(&s->ask_sequence, ret, &s->ask, sizeof(*ret)))
			return true;
	return false;
}

bool board_take(const struct board *board, unsigned int slot, uint32_t *seen,
                struct board_copy *ret)
{
	const struct slot *s = &board->memory->slots[slot];
	uint32_t now = atomic_load_explicit(&s->copy_sequence, memory_order_acquire);

	if (now == *seen || !text_read(&s->copy_sequence, ret, &s->copy, sizeof(*ret)))
		return false;
	*seen = now;
	return true;
}

void board_news_begin(struct board *board)
{
	uint64_t count;

	/* it may have been read by an earlier round, which found the same slots */
	if (read(board->news_fd, &count, sizeof(count)) < 0)
		return;
}

int board_next_news(struct board *board, unsigned int *from)
{
	int slot = *from < BOARD_SLOTS ? first_bit(board->memory->news, *from) : -1;

	if (slot < 0)
		return -1;
	clear_bit(board->memory->news, (unsigned int)slot);
	*from = (unsigned int)slot + 1;
	return slot;
}

/* ---- the reader's ---- */

bool board_next_ask(struct board *board, unsigned int lane, unsigned int *from, unsigned int *slot,
                    struct board_ask *ret)
{
	struct memory *m = board->memory;
	int next;

	while (*from < BOARD_SLOTS && (next = first_bit(m->asked, *from)) >= 0) {
		struct slot *s = &m->slots[next];

		*from = (unsigned int)next + 1;
		/* a racy look that saves the bits of other lanes; it is repeated on the copy */
		if (__atomic_load_n(&s->ask.lane, __ATOMIC_RELAXED) != lane)
			continue;
		clear_bit(m->asked, (unsigned int)next);
		/* the booster sets the bit again when it has written */
		if (!text_read(&s->ask_sequence, ret, &s->ask, sizeof(*ret)))
			continue;
		*slot = (unsigned int)next;
		if (ret->lane == lane)
			return true;
		set_bit(m->asked, *slot);
		board_lane_call(board, ret->lane);
	}
	return false;
}

static bool is_same_page(const struct board_copy *a, uint64_t generation, uint32_t index)
{
	return a->generation == generation && a->index == index;
}

bool board_is_written(const struct board *board, unsigned int slot, const struct board_ask *ask)
{
	const struct board_copy *last = &board->memory->slots[slot].copy;

	return is_same_page(last, ask->generation, ask->index) && last->writes == ask->writes;
}

/* A pulse alone is none: the booster finds it when it looks, before the words lapse. */
static bool is_news(const struct board_copy *a, const struct board_copy *b)
{
	return !is_same_page(a, b->generation, b->index) || a->result != b->result ||
	       memcmp(&a->words, &b->words, offsetof(struct guest_words, pulse)) != 0;
}

void board_put(struct board *board, unsigned int slot, const struct board_copy *copy)
{
	struct slot *s = &board->memory->slots[slot];
	struct board_ask wanted;
	uint64_t one = 1;
	bool news;

	/* one that is being written asks again */
	if (!text_read(&s->ask_sequence, &wanted, &s->ask, sizeof(wanted)) ||
	    !is_same_page(copy, wanted.generation, wanted.index))
		return;
	news = is_news(&s->copy, copy);
	text_write(&s->copy_sequence, &s->copy, copy, sizeof(*copy));
	if (!news)
		return;
	set_bit(board->memory->news, slot);
	/* fails only at 2^64 - 1, when it is readable as well */
	if (write(board->news_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- lanes ---- */

static struct lane_words *words_of(const struct board *board, unsigned int lane)
{
	return &board->memory->lanes[lane];
}

uint32_t board_lane_calls(const struct board *board, unsigned int lane)
{
	return atomic_load(&words_of(board, lane)->calls);
}

/* The word is shared with another process, so not FUTEX_PRIVATE. */
static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

void board_lane_sleep(struct board *board, unsigned int lane, uint32_t calls)
{
	struct lane_words *words = words_of(board, lane);

	atomic_store(&words->sleeps, 1);
	/* one that was called before that is not woken: it does not sleep */
	futex(&words->calls, FUTEX_WAIT, calls);
	atomic_store(&words->sleeps, 0);
}

void board_lane_call(struct board *board, unsigned int lane)
{
	struct lane_words *words;

	if (lane >= BOARD_LANES)
		return; /* the other process may write anything here */
	words = words_of(board, lane);
	atomic_fetch_add(&words->calls, 1);
	/* one that works looks at @calls before it sleeps */
	if (atomic_load(&words->sleeps))
		futex(&words->calls, FUTEX_WAKE, 1);
}

void board_lane_begin(struct board *board, unsigned int lane, const struct thread_id *qemu)
{
	struct lane_words *words = words_of(board, lane);

	atomic_store(&words->busy_since_ns, 0);
	atomic_store(&words->pid, qemu->tid);
	atomic_store(&words->start_ticks, qemu->start_ticks);
}

void board_lane_set_busy(struct board *board, unsigned int lane, uint64_t now_ns)
{
	atomic_store(&words_of(board, lane)->busy_since_ns, now_ns);
}

bool board_lane_is_stuck(const struct board *board, unsigned int lane, uint64_t now_ns)
{
	uint64_t since_ns =
	        lane < BOARD_LANES ? atomic_load(&words_of(board, lane)->busy_since_ns) : 0;

	return since_ns && now_ns > since_ns && now_ns - since_ns > BOARD_STUCK_NS;
}

unsigned int board_stuck(const struct board *board, uint64_t now_ns, pid_t *pids, unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < BOARD_LANES; i++) {
		if (!board_lane_is_stuck(board, i, now_ns))
			continue;
		if (n < max)
			pids[n] = atomic_load(&words_of(board, i)->pid);
		n++;
	}
	return n;
}

bool board_works_for(const struct board *board, const struct thread_id *qemu)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++) {
		const struct lane_words *words = words_of(board, i);

		if (atomic_load(&words->pid) == qemu->tid &&
		    atomic_load(&words->start_ticks) == qemu->start_ticks &&
		    atomic_load(&words->busy_since_ns))
			return true;
	}
	return false;
}

void board_forget_lanes(struct board *board)
{
	for (unsigned int i = 0; i < BOARD_LANES; i++) {
		atomic_store(&words_of(board, i)->sleeps, 0);
		atomic_store(&words_of(board, i)->busy_since_ns, 0);
	}
}
