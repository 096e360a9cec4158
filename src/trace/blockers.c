// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace/blockers.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "trace/internal.h"

static int runs_fd(const struct tracer *tracer)
{
	return bpf_map__fd(tracer->bpf->maps.cpu_runs);
}

static int traces_fd(const struct tracer *tracer)
{
	return bpf_map__fd(tracer->bpf->maps.wait_traces);
}

static uint32_t count_cpus(void)
{
	int n = libbpf_num_possible_cpus();

	return n > 0 ? MIN((uint32_t)n, (uint32_t)PVS_CPUS_MAX) : 0;
}

static void runs_end(struct tracer *tracer)
{
	for (uint32_t cpu = 0; cpu < count_cpus(); cpu++)
		bpf_map_delete_elem(runs_fd(tracer), &cpu);
}

/* Lists that an earlier trace has left would have runs with wrong ends. */
static int runs_begin(struct tracer *tracer)
{
	static const struct pvs_cpu_runs none;

	for (uint32_t cpu = 0; cpu < count_cpus(); cpu++) {
		if (bpf_map_update_elem(runs_fd(tracer), &cpu, &none, BPF_ANY) == 0)
			continue;
		int r = -errno;

		runs_end(tracer);
		return r;
	}
	return 0;
}

static void set_traced(struct tracer *tracer, unsigned int n)
{
	__atomic_store_n(&tracer->bpf->bss->waits_traced, n, __ATOMIC_RELEASE);
}

unsigned int tracer_waits_traced(const struct tracer *tracer)
{
	return tracer->bpf->bss->waits_traced;
}

int tracer_trace_waits(struct tracer *tracer, pid_t tid)
{
	static const struct pvs_wait_trace none;
	unsigned int n = tracer_waits_traced(tracer);
	uint32_t key = (uint32_t)tid;
	int r;

	if (!(tracer->parts.loaded & PVS_PART_BLOCKERS))
		return -EOPNOTSUPP;
	r = n == 0 ? runs_begin(tracer) : 0;
	if (r < 0)
		return r;
	if (bpf_map_update_elem(traces_fd(tracer), &key, &none, BPF_NOEXIST) < 0)
		r = -errno;
	if (r == 0)
		set_traced(tracer, n + 1);
	else if (n == 0)
		runs_end(tracer);
	return r == -EEXIST ? 0 : r;
}

void tracer_untrace_waits(struct tracer *tracer, pid_t tid)
{
	unsigned int n = tracer_waits_traced(tracer);
	uint32_t key = (uint32_t)tid;

	if (bpf_map_delete_elem(traces_fd(tracer), &key) < 0)
		return;
	set_traced(tracer, n - 1);
	if (n == 1)
		runs_end(tracer);
}

int tracer_read_waits(const struct tracer *tracer, pid_t tid, struct pvs_wait_trace *ret)
{
	uint32_t key = (uint32_t)tid;

	return bpf_map_lookup_elem(traces_fd(tracer), &key, ret) < 0 ? -errno : 0;
}
