// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-timer CPU MS: a ping-pong of two threads on one CPU, and a BPF timer that is started at
 * switches to one of them: see timer.bpf.c. The modes take turns of a fiftieth of MS each. Prints
 * one line of JSON: of each mode the starts, those that were refused, percentiles of what a start
 * took and of how late its timer fired, and the round trips: how many, in what time.
 *
 * Needs libbpf alone: it is copied into emulated hosts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pingpong.h"
#include "timer.h"
#include "timer.skel.h"

#define TURNS     50
#define TRIPS_MAX (1U << 20)

static const char *const names[_TIMER_MODES] = {"none", "start"};

/* The round trips of one mode, of all its turns. */
struct trips {
	uint32_t *ns;
	size_t n;
};

/* The bucket that permille per mille do not exceed. */
static unsigned int percentile(const unsigned int *buckets, unsigned int permille)
{
	unsigned long long all = 0, seen = 0;

	for (unsigned int i = 0; i < TIMER_BUCKETS; i++)
		all += buckets[i];
	for (unsigned int i = 0; i < TIMER_BUCKETS; i++) {
		seen += buckets[i];
		if (all && seen * 1000 >= all * permille)
			return i;
	}
	return 0;
}

static int print_mode(const struct timer_bpf *bpf, unsigned int mode, struct trips *trips)
{
	static struct {
		char kernels[TIMER_FIGURES_OFFSET];
		struct timer_figures figures;
	} value;
	const struct timer_figures *figures = &value.figures;
	unsigned long long all_ns = 0;

	if (bpf_map__lookup_elem(bpf->maps.timers, &mode, sizeof(mode), &value, sizeof(value), 0) <
	    0)
		return -errno;
	for (size_t i = 0; i < trips->n; i++)
		all_ns += trips->ns[i];
	printf("%s\"%s\":{\"starts\":%llu,\"refused\":%llu,\"took_p50_ns\":%u,\"took_p99_ns\":%u,"
	       "\"late_p50_us\":%u,\"late_p99_us\":%u,\"trips\":%zu,\"trips_ns\":%llu}",
	       mode ? "," : "{", names[mode], figures->starts, figures->refused,
	       10 * percentile(figures->took, 500), 10 * percentile(figures->took, 990),
	       percentile(figures->late, 500), percentile(figures->late, 990), trips->n, all_ns);
	return 0;
}

static void on_start(void *userdata, pid_t tid)
{
	((struct timer_bpf *)userdata)->bss->tid = (uint32_t)tid;
}

static int play(struct timer_bpf *bpf, unsigned int cpu, uint64_t turn_ns,
                struct trips trips[_TIMER_MODES])
{
	for (unsigned int turn = 0; turn < TURNS * _TIMER_MODES; turn++) {
		struct trips *mine = &trips[turn % _TIMER_MODES];
		ssize_t n;

		bpf->bss->mode = turn % _TIMER_MODES;
		n = pingpong_run(cpu, turn_ns, mine->ns + mine->n, TRIPS_MAX - mine->n, on_start,
		                 bpf);
		if (n < 0)
			return (int)n;
		mine->n += (size_t)n;
	}
	bpf->bss->mode = TIMER_NONE;
	return 0;
}

static int measure(struct timer_bpf *bpf, unsigned int cpu, uint64_t turn_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct trips trips[_TIMER_MODES];
	int r = bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.make), &run);

	if (r < 0 || (int)run.retval < 0)
		return r < 0 ? r : (int)run.retval;
	for (unsigned int i = 0; i < _TIMER_MODES; i++) {
		trips[i] = (struct trips){calloc(TRIPS_MAX, sizeof(uint32_t)), 0};
		if (!trips[i].ns)
			return -ENOMEM;
	}
	r = play(bpf, cpu, turn_ns, trips);
	for (unsigned int i = 0; r == 0 && i < _TIMER_MODES; i++)
		r = print_mode(bpf, i, &trips[i]);
	if (r == 0)
		puts("}");
	for (unsigned int i = 0; i < _TIMER_MODES; i++)
		free(trips[i].ns);
	return r;
}

int main(int argc, char **argv)
{
	struct timer_bpf *bpf;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: bench-timer CPU MS\n");
		return 2;
	}
	bpf = timer_bpf__open_and_load();
	r = bpf ? timer_bpf__attach(bpf) : -errno;
	if (r == 0)
		r = measure(bpf, (unsigned int)strtoul(argv[1], NULL, 10),
		            strtoull(argv[2], NULL, 10) * NSEC_PER_MSEC / (TURNS * _TIMER_MODES));
	if (r < 0)
		fprintf(stderr, "bench-timer: %s\n", strerror(-r));
	timer_bpf__destroy(bpf);
	return r < 0;
}
