// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rt-second: how long real-time threads of all kinds run on each CPU in any second. Independent on
 * purpose: it shares no line with the daemon whose work it checks.
 *
 *	rt-second [--permille N]
 *
 * Watches until its input ends, then prints a line for each CPU that a boosted vCPU ran on. No
 * vCPU may run boosted while its CPU has had more than N permille (default: what this kernel can
 * bear, 900 with a fair server, else 700) of the second before, but for the reaction to that:
 * REACTION_NS in any second. Threads that are no boosted vCPUs may run as they like; what they
 * take is in the second, and is not judged by itself.
 *
 * Exit status 0: kept; 1: not kept; 2: it could not do its work.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt-second.h"
#include "rt-second.skel.h"

#define CPUS_MAX     1024
#define SECOND_NS    UINT64_C(1000000000)
#define MS           UINT64_C(1000000)
#define REACTION_NS  (10 * MS)
#define BTF_SIZE_MAX (64 << 20)

/* Runs that reach into the last second, in the order of time: a ring. */
struct runs {
	struct rt_run *ring;
	size_t first, n, capacity;
	uint64_t sum_ns; /* of all of them, whole */
};

struct cpu {
	struct runs all, over;       /* over: the parts of boosts beyond the bound */
	uint64_t most_ns, others_ns; /* the fullest second that ends in a boost; not boosted */
	uint64_t most_over_ns;       /* the most in any second */
	uint64_t boosts;
};

static struct cpu cpus[CPUS_MAX];
static uint64_t bound_ns;

static struct rt_run *run_at(const struct runs *runs, size_t i)
{
	return &runs->ring[(runs->first + i) % runs->capacity];
}

static void runs_grow(struct runs *runs)
{
	size_t capacity = runs->capacity ? 2 * runs->capacity : 1024;
	struct rt_run *ring = calloc(capacity, sizeof(*ring));

	if (!ring)
		abort();
	for (size_t i = 0; i < runs->n; i++)
		ring[i] = *run_at(runs, i);
	free(runs->ring);
	*runs = (struct runs){ring, 0, runs->n, capacity, runs->sum_ns};
}

static uint64_t length_ns(const struct rt_run *run)
{
	return run->to_ns - run->from_ns;
}

/* Adds a run; returns the time of all in the second that ends with it. */
static uint64_t runs_add(struct runs *runs, const struct rt_run *run)
{
	uint64_t begin_ns = run->to_ns - SECOND_NS, before_ns = 0;

	if (runs->n == runs->capacity)
		runs_grow(runs);
	*run_at(runs, runs->n++) = *run;
	runs->sum_ns += length_ns(run);
	while (run_at(runs, 0)->to_ns <= begin_ns) {
		runs->sum_ns -= length_ns(run_at(runs, 0));
		runs->first = (runs->first + 1) % runs->capacity;
		runs->n--;
	}
	if (run_at(runs, 0)->from_ns < begin_ns)
		before_ns = begin_ns - run_at(runs, 0)->from_ns;
	return runs->sum_ns - before_ns;
}

static uint64_t others_ns(const struct runs *runs, uint64_t begin_ns)
{
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < runs->n; i++) {
		const struct rt_run *run = run_at(runs, i);
		uint64_t from_ns = run->from_ns > begin_ns ? run->from_ns : begin_ns;

		if (!run->boost && run->to_ns > from_ns)
			sum_ns += run->to_ns - from_ns;
	}
	return sum_ns;
}

/*
 * While a run goes on the sum of the last second never falls: it is largest at its end, and was
 * beyond the bound for no longer than it is beyond it then.
 */
static void judge(struct cpu *cpu, const struct rt_run *run, uint64_t second_ns)
{
	struct rt_run over = *run;
	uint64_t over_ns = second_ns > bound_ns ? second_ns - bound_ns : 0;

	cpu->boosts++;
	if (second_ns > cpu->most_ns) {
		cpu->most_ns = second_ns;
		cpu->others_ns = others_ns(&cpu->all, run->to_ns - SECOND_NS);
	}
	if (over_ns == 0)
		return;
	if (over_ns < length_ns(run))
		over.from_ns = run->to_ns - over_ns;
	over_ns = runs_add(&cpu->over, &over);
	if (over_ns > cpu->most_over_ns)
		cpu->most_over_ns = over_ns;
}

static int on_run(void *ctx, void *data, size_t size)
{
	const struct rt_run *run = data;
	struct cpu *cpu;
	uint64_t second_ns;

	(void)ctx;
	if (size < sizeof(*run) || run->cpu >= CPUS_MAX)
		return 0;
	cpu = &cpus[run->cpu];
	second_ns = runs_add(&cpu->all, run);
	if (run->boost)
		judge(cpu, run, second_ns);
	return 0;
}

/* A type that only kernels with a fair server have, as its BTF stores names. */
static bool has_fair_server(void)
{
	static const char name[] = "\0fair_server";
	char *text = malloc(BTF_SIZE_MAX);
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n = 1;
	bool found;

	while (text && fd >= 0 && n > 0 && size < BTF_SIZE_MAX) {
		n = read(fd, text + size, BTF_SIZE_MAX - size);
		size += n > 0 ? (size_t)n : 0;
	}
	found = text && memmem(text, size, name, sizeof(name)); /* with both NULs */
	if (fd >= 0)
		close(fd);
	free(text);
	return found;
}

/* Until the input ends. */
static void watch(struct ring_buffer *ring)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	for (;;) {
		int r = poll(&input, 1, 50);

		ring_buffer__consume(ring);
		if (r > 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
		if (r < 0 && errno != EINTR)
			return;
	}
}

static int report(uint64_t lost)
{
	bool kept = true;

	for (uint32_t i = 0; i < CPUS_MAX; i++) {
		const struct cpu *cpu = &cpus[i];
		bool over = cpu->most_over_ns > REACTION_NS;

		if (!cpu->boosts)
			continue;
		kept = kept && !over;
		printf("CPU %u: %" PRIu64 " boosted runs; the fullest second has %.1f ms of real "
		       "time, %.1f ms not boosted; at most %.3f ms boosted beyond %.0f ms%s\n",
		       i, cpu->boosts, (double)cpu->most_ns / (double)MS,
		       (double)cpu->others_ns / (double)MS, (double)cpu->most_over_ns / (double)MS,
		       (double)bound_ns / (double)MS, over ? ": TOO LONG" : "");
	}
	if (lost)
		fprintf(stderr, "rt-second: %" PRIu64 " runs were lost\n", lost);
	if (!kept)
		return 1;
	return lost ? 2 : 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int run(void)
{
	struct rt_second_bpf *bpf = rt_second_bpf__open_and_load();
	struct ring_buffer *ring;
	int status = 2;

	if (!bpf || rt_second_bpf__attach(bpf) < 0) {
		fprintf(stderr, "rt-second: the kernel refuses its programs: %s\n",
		        strerror(errno));
		rt_second_bpf__destroy(bpf);
		return 2;
	}
	ring = ring_buffer__new(bpf_map__fd(bpf->maps.runs), on_run, NULL, NULL);
	if (ring) {
		puts("watching");
		fflush(stdout);
		watch(ring);
		rt_second_bpf__detach(bpf);
		ring_buffer__consume(ring);
		status = report(bpf->bss->lost);
	}
	ring_buffer__free(ring);
	rt_second_bpf__destroy(bpf);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"permille", required_argument, NULL, 'p'}, {0}};
	unsigned long permille = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		permille = c == 'p' ? strtoul(optarg, NULL, 10) : 0;
		if (permille < 1 || permille > 1000) {
			fputs("Usage: rt-second [--permille 1..1000]\n", stderr);
			return 2;
		}
	}
	if (!permille)
		permille = has_fair_server() ? 900 : 700;
	bound_ns = permille * MS;
	libbpf_set_print(quiet);
	return run();
}
