// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run pages: to copy what guests wrote into N pages, with one
 * pread() for each, or with one submission to an io_uring. Prints JSON: per variant the samples'
 * wall time and CPU time, of all threads of the process, those of the ring's worker threads too.
 *
 * usage: bench-pages PAGES BATCHES
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pvsched/page.h"
#include "util/base.h"

#define BYTES       offsetof(struct pvsched_page, reserved6)
#define PAGES_MAX   1024
#define FILE_PAGES  16 /* of one domain */
#define BATCHES_MAX 100000

enum variant {
	PREAD,
	URING,
	_VARIANT_MAX,
};

static const char *const names[] = {[PREAD] = "pread", [URING] = "io_uring"};

struct bench {
	unsigned int n;
	int fds[PAGES_MAX / FILE_PAGES + 1];
	struct io_uring ring;
	char (*copies)[512];
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-pages: %s: %s\n", what, strerror(error));
	return 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static int fd_of(const struct bench *b, unsigned int page)
{
	return b->fds[page / FILE_PAGES];
}

static off_t offset_of(unsigned int page)
{
	return (off_t)(1 + page % FILE_PAGES) * PVSCHED_PAGE_SIZE;
}

static int make_files(struct bench *b)
{
	char text[PVSCHED_PAGE_SIZE];

	memset(text, 1, sizeof(text));
	for (unsigned int i = 0; i <= (b->n - 1) / FILE_PAGES; i++) {
		b->fds[i] = memfd_create("pages", MFD_CLOEXEC);
		if (b->fds[i] < 0)
			return -errno;
	}
	for (unsigned int i = 0; i < b->n; i++)
		if (pwrite(fd_of(b, i), text, sizeof(text), offset_of(i)) != sizeof(text))
			return -EIO;
	return 0;
}

static int by_pread(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		if (pread(fd_of(b, i), b->copies[i], BYTES, offset_of(i)) != (ssize_t)BYTES)
			return -EIO;
	return 0;
}

static int by_uring(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	int r;

	for (unsigned int i = 0; i < b->n; i++)
		io_uring_prep_read(io_uring_get_sqe(&b->ring), fd_of(b, i), b->copies[i], BYTES,
		                   (uint64_t)offset_of(i));
	r = io_uring_submit_and_wait(&b->ring, b->n);
	if (r < 0)
		return r;
	io_uring_for_each_cqe(&b->ring, head, cqe)
	{
		if (cqe->res != (int)BYTES)
			return -EIO;
		seen++;
	}
	io_uring_cq_advance(&b->ring, seen);
	return seen == b->n ? 0 : -EIO;
}

static int run(struct bench *b, enum variant variant)
{
	return variant == PREAD ? by_pread(b) : by_uring(b);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(enum variant variant, uint64_t *wall_ns, unsigned int batches, uint64_t cpu_ns)
{
	qsort(wall_ns, batches, sizeof(*wall_ns), compare);
	printf("%s\"%s\": {\"p50_ns\": %llu, \"p99_ns\": %llu, \"cpu_ns\": %llu}",
	       variant ? ", " : "{", names[variant], (unsigned long long)wall_ns[batches / 2],
	       (unsigned long long)wall_ns[batches * 99 / 100],
	       (unsigned long long)(cpu_ns / batches));
}

static int measure(struct bench *b, unsigned int batches)
{
	static uint64_t wall_ns[_VARIANT_MAX][BATCHES_MAX];
	uint64_t cpu_ns[_VARIANT_MAX] = {0};

	/* in turns, so that both meet the same moments; the first of each warms up */
	for (unsigned int i = 0; i <= batches; i++)
		for (enum variant v = 0; v < _VARIANT_MAX; v++) {
			uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
			uint64_t wall = clock_ns(CLOCK_MONOTONIC);
			int r = run(b, v);

			if (r < 0)
				return fail(names[v], -r);
			if (i == 0)
				continue;
			wall_ns[v][i - 1] = clock_ns(CLOCK_MONOTONIC) - wall;
			cpu_ns[v] += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		}
	for (enum variant v = 0; v < _VARIANT_MAX; v++)
		print(v, wall_ns[v], batches, cpu_ns[v]);
	printf("}\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.n = argc == 3 ? (unsigned int)atoi(argv[1]) : 0};
	unsigned int batches = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
	                                          IORING_SETUP_DEFER_TASKRUN};
	int r;

	if (b.n < 1 || b.n > PAGES_MAX || batches < 1 || batches > BATCHES_MAX)
		return fail("usage: bench-pages PAGES BATCHES", EINVAL);
	b.copies = calloc(b.n, sizeof(*b.copies));
	r = b.copies ? make_files(&b) : -ENOMEM;
	if (r == 0)
		r = io_uring_queue_init_params(PAGES_MAX, &b.ring, &params);
	if (r < 0)
		return fail("files or ring", -r);
	return measure(&b, batches);
}
