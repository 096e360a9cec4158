// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/measure.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "boost/sched.h"
#include "util/clock.h"
#include "util/cpulist.h"

#define STACK_BYTES (64 * 1024)

#define TRIPS_MAX  512
#define CALLS_MAX  64
#define TIMERS_MAX 48

/* A timer so near is one of those that end boosts. */
#define TIMER_NS (50 * NSEC_PER_USEC)

/* The main thread may read while the driver goes on. */
#define READ(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define WRITE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

/* The echo answers each word but this one. */
#define ENDS 2

/*
 * The threads may be kept off their CPU for longer than anybody waits for them, so whichever leaves
 * last frees this.
 */
struct measure {
	unsigned int users;
	unsigned int cpu;
	uint64_t until_ns; /* when nobody waits any more */
	int ping_fd, pong_fd;
	sem_t done;
	struct pvs_costs costs; /* the driver's: each word is complete when it is written */
};

static void release(struct measure *measure)
{
	if (__atomic_sub_fetch(&measure->users, 1, __ATOMIC_ACQ_REL))
		return;
	close(measure->ping_fd);
	close(measure->pong_fd);
	sem_destroy(&measure->done);
	free(measure);
}

static bool go_there(const struct measure *measure)
{
	struct cpu_set_bits cpus = CPU_SET_BITS_NULL;

	prctl(PR_SET_NAME, "measure");
	cpu_set_bits_add(&cpus, measure->cpu);
	return sched_go_home(&cpus) == 0;
}

static void *echo(void *userdata)
{
	struct measure *measure = userdata;
	eventfd_t word = 0;

	go_there(
	        measure); /* where it cannot, neither can the driver, which then measures nothing */
	while (eventfd_read(measure->ping_fd, &word) == 0 && word < ENDS)
		if (eventfd_write(measure->pong_fd, 1) < 0)
			break;
	release(measure);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static uint32_t low_octile(uint32_t *took_ns, size_t n)
{
	if (n < MEASURE_LEAST)
		return 0;
	qsort(took_ns, n, sizeof(*took_ns), compare);
	return MAX(took_ns[n / 8], UINT32_C(1));
}

static uint32_t since(uint64_t from_ns)
{
	uint64_t now_ns = clock_now_ns();

	return now_ns > from_ns ? (uint32_t)MIN(now_ns - from_ns, (uint64_t)UINT32_MAX) : 0;
}

/* On a busy CPU each figure has its part of the time, which is so much from its end on. */
static bool has_time(const struct measure *measure, uint64_t rest_ns)
{
	return clock_now_ns() + rest_ns < measure->until_ns;
}

#define REST_AFTER_WAKES_NS  (25 * NSEC_PER_MSEC)
#define REST_AFTER_TIMERS_NS (10 * NSEC_PER_MSEC)
#define REST_AFTER_CALLS_NS  (2 * NSEC_PER_MSEC)

/* A round trip is two wake-ups and two switches. */
static uint32_t wake_ns(struct measure *measure)
{
	uint32_t took_ns[TRIPS_MAX];
	size_t n = 0;

	while (n < TRIPS_MAX && has_time(measure, REST_AFTER_WAKES_NS)) {
		uint64_t from_ns = clock_now_ns();
		eventfd_t word;

		if (eventfd_write(measure->ping_fd, 1) < 0 ||
		    eventfd_read(measure->pong_fd, &word) < 0)
			return 0;
		took_ns[n++] = since(from_ns) / 2;
	}
	return low_octile(took_ns, n);
}

static uint32_t timer_ns(const struct measure *measure)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint32_t took_ns[TIMERS_MAX];
	uint64_t expirations;
	size_t n = 0;

	while (fd >= 0 && n < TIMERS_MAX && has_time(measure, REST_AFTER_TIMERS_NS)) {
		uint64_t at_ns = clock_now_ns() + TIMER_NS;
		struct itimerspec at = {.it_value = {.tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
		                                     .tv_nsec = (long)(at_ns % NSEC_PER_SEC)}};

		if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ||
		    read(fd, &expirations, sizeof(expirations)) < 0)
			break;
		took_ns[n++] = since(at_ns);
	}
	if (fd >= 0)
		close(fd);
	return low_octile(took_ns, n);
}

/* Its own class, between two that are alike. */
static uint32_t call_ns(const struct measure *measure)
{
	struct sched_state states[] = {{.policy = SCHED_BATCH}, {.policy = SCHED_OTHER}};
	uint32_t took_ns[CALLS_MAX];
	size_t n = 0;

	while (n < CALLS_MAX && has_time(measure, REST_AFTER_CALLS_NS)) {
		uint64_t from_ns = clock_now_ns();

		if (sched_restore_class(0, &states[n % ARRAY_SIZE(states)]) < 0)
			return 0;
		took_ns[n++] = since(from_ns);
	}
	return low_octile(took_ns, n);
}

static void *drive(void *userdata)
{
	struct measure *measure = userdata;

	if (go_there(measure)) {
		WRITE(measure->costs.wake_ns, wake_ns(measure));
		WRITE(measure->costs.timer_ns, timer_ns(measure));
		WRITE(measure->costs.call_ns, call_ns(measure));
	}
	eventfd_write(measure->ping_fd, ENDS);
	sem_post(&measure->done);
	release(measure);
	return NULL;
}

static int begin_thread(struct measure *measure, void *(*run)(void *))
{
	pthread_attr_t attributes;
	pthread_t id;
	int r = pthread_attr_init(&attributes);

	if (r)
		return -r;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	__atomic_add_fetch(&measure->users, 1, __ATOMIC_RELAXED);
	r = pthread_create(&id, &attributes, run, measure);
	pthread_attr_destroy(&attributes);
	if (r)
		__atomic_sub_fetch(&measure->users, 1, __ATOMIC_RELAXED);
	return -r;
}

static struct measure *measure_new(void)
{
	struct measure *measure = calloc(1, sizeof(*measure));
	int cpu = sched_getcpu();

	if (!measure)
		return NULL;
	measure->users = 1;
	measure->cpu = cpu > 0 ? (unsigned int)cpu : 0;
	measure->until_ns = clock_now_ns() + MEASURE_MAX_NS;
	measure->ping_fd = eventfd(0, EFD_CLOEXEC);
	measure->pong_fd = eventfd(0, EFD_CLOEXEC);
	sem_init(&measure->done, 0, 0);
	if (measure->ping_fd >= 0 && measure->pong_fd >= 0)
		return measure;
	release(measure);
	errno = EMFILE;
	return NULL;
}

static int wait_for(struct measure *measure)
{
	struct timespec until = {.tv_sec = (time_t)(measure->until_ns / NSEC_PER_SEC),
	                         .tv_nsec = (long)(measure->until_ns % NSEC_PER_SEC)};

	while (sem_clockwait(&measure->done, CLOCK_MONOTONIC, &until) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int measure_costs(struct pvs_costs *ret)
{
	struct measure *measure = measure_new();
	int r;

	*ret = (struct pvs_costs){0};
	if (!measure)
		return -errno;
	r = begin_thread(measure, echo);
	if (r == 0) {
		r = begin_thread(measure, drive);
		if (r < 0)
			eventfd_write(measure->ping_fd, ENDS);
	}
	if (r == 0)
		r = wait_for(measure);
	*ret = (struct pvs_costs){
	        .wake_ns = READ(measure->costs.wake_ns),
	        .call_ns = READ(measure->costs.call_ns),
	        .timer_ns = READ(measure->costs.timer_ns),
	};
	release(measure);
	return r == -ETIMEDOUT && ret->wake_ns ? 0 : r;
}
