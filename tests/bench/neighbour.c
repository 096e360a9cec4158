// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-neighbour [ARGUMENT OF QEMU]...: a process that looks like a QEMU to the procfs source. The
 * environment says what it does: NEIGHBOUR_VCPUS threads named as vCPUs, NEIGHBOUR_WAY:
 *
 *   honest    a burst each millisecond. A line "MS FILE" has it measure for so long; the latencies,
 *             64-bit words in ns, are in FILE when it says "done".
 *   flips     its vCPUs work a little. From a line "go" on it flips the request of each vCPU's page
 *             between urgent and ordinary, every 20 us.
 *   no-flips  the same on memory that is no guest page: what the load alone does
 *   forks     its vCPU makes and joins threads without end while it is boosted, for 400 us of each
 * 2 ms no-forks  computes as long instead
 *
 * The end of the input ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "duty.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define VCPUS_MAX    64
#define REGION_BYTES (1024 * 1024)
#define FLIP_NS      (20 * NSEC_PER_USEC)
#define FORKS_NS     (400 * NSEC_PER_USEC)
#define FORKS_SLEEP                                                                                \
	(struct timespec)                                                                          \
	{                                                                                          \
		.tv_nsec = 2 * NSEC_PER_MSEC                                                       \
	}
#define SAMPLES_MAX 65536

static unsigned int n_vcpus;
static uint8_t *region; /* header, then a page per vCPU; shared with the host if it is a carrier */

/* What vCPU 0 of an honest one measures. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t for_ns; /* 0: nothing is wanted */
	struct duty_record record;
} measurement = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-neighbour: %s: %s\n", what, strerror(error));
	return -1;
}

/* ---- honest ---- */

static void *live(void *unused)
{
	const struct duty duty = {.run_ns = 100 * NSEC_PER_USEC, .period_ns = NSEC_PER_MSEC};
	uint64_t for_ns;

	for (;;) {
		pthread_mutex_lock(&measurement.lock);
		for_ns = measurement.for_ns;
		pthread_mutex_unlock(&measurement.lock);
		duty_live(&duty, for_ns ? for_ns : 20 * NSEC_PER_MSEC,
		          for_ns ? &measurement.record : NULL);
		if (!for_ns)
			continue;
		pthread_mutex_lock(&measurement.lock);
		measurement.for_ns = 0;
		pthread_cond_signal(&measurement.changed);
		pthread_mutex_unlock(&measurement.lock);
	}
	return unused;
}

static int measure(unsigned int ms, const char *path)
{
	CLEANUP(cleanup_fd) int fd = -EBADF;
	size_t size;

	pthread_mutex_lock(&measurement.lock);
	measurement.record.n = 0;
	measurement.for_ns = ms * NSEC_PER_MSEC;
	while (measurement.for_ns)
		pthread_cond_wait(&measurement.changed, &measurement.lock);
	pthread_mutex_unlock(&measurement.lock);
	size = measurement.record.n * sizeof(*measurement.record.latency_ns);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, measurement.record.latency_ns, size) != (ssize_t)size)
		return fail(path, errno);
	puts("done");
	return 0;
}

/* ---- flips ---- */

static void *work_a_little(void *unused)
{
	const struct duty duty = {.run_ns = 20 * NSEC_PER_USEC, .period_ns = 10 * NSEC_PER_MSEC};

	for (;;)
		duty_live(&duty, NSEC_PER_SEC, NULL);
	return unused;
}

static void ask(struct pvsched_page *page, bool urgent, uint32_t sequence)
{
	uint64_t tuple = urgent ? pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 50)
	                        : pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0);

	__atomic_store_n(&page->expect, pvsched_expect(0, sequence), __ATOMIC_RELAXED);
	__atomic_store_n(&page->request, pvsched_request(tuple, sequence), __ATOMIC_RELEASE);
}

static void *flip(void *memory)
{
	uint8_t *pages = memory;

	prctl(PR_SET_TIMERSLACK, 1UL);
	for (uint32_t sequence = 1;; sequence++) {
		uint64_t next_ns = clock_now_ns() + FLIP_NS;

		for (unsigned int i = 0; i < n_vcpus; i++)
			ask((struct pvsched_page *)(pages + (i + 1) * PVSCHED_PAGE_SIZE),
			    sequence % 2, sequence);
		while (clock_now_ns() < next_ns)
			;
	}
	return NULL;
}

static int make_region(void)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("memory-backend-memfd", MFD_ALLOW_SEALING);
	int kept;

	if (fd < 0 || ftruncate(fd, REGION_BYTES) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fail("guest pages", errno);
	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	kept = dup(fd); /* the daemon finds it among the descriptors */
	return region == MAP_FAILED || kept < 0 ? fail("guest pages", errno) : 0;
}

/* ---- forks ---- */

static void *nothing(void *unused)
{
	return unused;
}

static void make_threads(uint64_t until_ns)
{
	pthread_t thread;

	while (clock_now_ns() < until_ns)
		if (pthread_create(&thread, NULL, nothing, NULL) == 0)
			pthread_join(thread, NULL);
}

static void *fork_on(void *forks)
{
	for (;;) {
		uint64_t until_ns;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &FORKS_SLEEP, NULL);
		until_ns = clock_now_ns() + FORKS_NS;
		if (forks && (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO)
			make_threads(until_ns);
		while (clock_now_ns() < until_ns)
			;
	}
	return NULL;
}

/* ---- */

static int start(void *(*function)(void *), void *userdata, int vcpu)
{
	pthread_t thread;
	char name[16];
	int r = pthread_create(&thread, NULL, function, userdata);

	if (r != 0)
		return fail("a thread cannot be made", r);
	snprintf(name, sizeof(name), vcpu < 0 ? "worker" : "CPU %d/TCG", vcpu);
	pthread_setname_np(thread, name);
	return 0;
}

static int start_vcpus(const char *way)
{
	static uint64_t samples[SAMPLES_MAX];
	void *(*function)(void *) = strstr(way, "forks")   ? fork_on
	                            : strstr(way, "flips") ? work_a_little
	                                                   : live;

	measurement.record = (struct duty_record){.latency_ns = samples, .max = SAMPLES_MAX};
	for (unsigned int i = 0; i < n_vcpus; i++)
		if (start(function, strcmp(way, "forks") == 0 ? samples : NULL, (int)i) < 0)
			return -1;
	return 0;
}

/* Until the end of the input. */
static int obey(const char *way)
{
	static uint8_t own[REGION_BYTES];
	char line[256], path[200];
	unsigned int ms;

	while (fgets(line, sizeof(line), stdin)) {
		int r = 0;

		if (strcmp(line, "go\n") == 0 && strstr(way, "flips"))
			r = start(flip, strcmp(way, "flips") == 0 ? region : own, -1);
		else if (sscanf(line, "%u %199s", &ms, path) == 2)
			r = measure(ms, path);
		if (r < 0)
			return r;
		fflush(stdout);
	}
	return 0;
}

int main(void)
{
	const char *way = getenv("NEIGHBOUR_WAY"), *vcpus = getenv("NEIGHBOUR_VCPUS");

	n_vcpus = vcpus ? (unsigned int)atoi(vcpus) : 0;
	if (!way || n_vcpus < 1 || n_vcpus > VCPUS_MAX) {
		fprintf(stderr,
		        "bench-neighbour: NEIGHBOUR_WAY and NEIGHBOUR_VCPUS (1 to %d) are needed\n",
		        VCPUS_MAX);
		return 2;
	}
	if (make_region() < 0 || start_vcpus(way) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	return obey(way) < 0;
}
