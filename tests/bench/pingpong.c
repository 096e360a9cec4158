// SPDX-License-Identifier: GPL-2.0-or-later
#include "pingpong.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/clock.h"

struct answerer {
	unsigned int cpu;
	int in, out;
	pid_t tid;
	int ready; /* eventually 1 */
};

static int pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static void *answer(void *userdata)
{
	struct answerer *a = userdata;
	char byte;

	pin(a->cpu);
	a->tid = (pid_t)syscall(SYS_gettid);
	__atomic_store_n(&a->ready, 1, __ATOMIC_RELEASE);
	while (read(a->in, &byte, 1) == 1)
		if (write(a->out, &byte, 1) != 1)
			break;
	return NULL;
}

static size_t ask(int out, int in, uint64_t for_ns, uint32_t *ns, size_t max)
{
	uint64_t last_ns = clock_now_ns(), end_ns = last_ns + for_ns, now_ns;
	size_t n = 0;
	char byte = 0;

	while (n < max && last_ns < end_ns) {
		if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
			break;
		now_ns = clock_now_ns();
		ns[n++] = (uint32_t)(now_ns - last_ns);
		last_ns = now_ns;
	}
	return n;
}

ssize_t pingpong_run(unsigned int cpu, uint64_t for_ns, uint32_t *ns, size_t max,
                     void (*on_start)(void *userdata, pid_t tid), void *userdata)
{
	struct answerer a = {.cpu = cpu};
	int to[2], fro[2], r;
	pthread_t thread;
	size_t n;

	r = pin(cpu);
	if (r < 0)
		return r;
	if (pipe(to) < 0 || pipe(fro) < 0)
		return -errno;
	a.in = to[0];
	a.out = fro[1];
	r = pthread_create(&thread, NULL, answer, &a);
	if (r)
		return -r;
	while (!__atomic_load_n(&a.ready, __ATOMIC_ACQUIRE))
		usleep(100);
	if (on_start)
		on_start(userdata, a.tid);
	n = ask(to[1], fro[0], for_ns, ns, max);
	close(to[1]);
	pthread_join(thread, NULL);
	close(to[0]);
	close(fro[0]);
	close(fro[1]);
	return (ssize_t)n;
}
