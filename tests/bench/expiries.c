// SPDX-License-Identifier: GPL-2.0-or-later
#include "expiries.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

#include "expiries.skel.h"

struct expiries {
	struct expiries_bpf *bpf;
};

static const char *const callbacks[_EXPIRY_MAX] = {
        [EXPIRY_BPF] = "bpf_timer_cb",
        [EXPIRY_TIMERFD] = "timerfd_tmrproc",
};

/* Returns how many were found. */
static int find_callbacks(uint64_t addresses[_EXPIRY_MAX])
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	unsigned long address;
	int n = 0;

	while (file && n < _EXPIRY_MAX && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %*c %255s", &address, name) != 2)
			continue;
		for (int kind = 0; kind < _EXPIRY_MAX; kind++)
			if (strcmp(name, callbacks[kind]) == 0 && address) {
				addresses[kind] = address;
				n++;
			}
	}
	return n;
}

struct expiries *expiries_new(void)
{
	struct expiries *expiries = calloc(1, sizeof(*expiries));
	uint64_t addresses[_EXPIRY_MAX] = {0};

	if (!expiries)
		return NULL;
	expiries->bpf = expiries_bpf__open();
	if (find_callbacks(addresses) < _EXPIRY_MAX || !expiries->bpf) {
		fprintf(stderr,
		        "bench: %s and %s are not in /proc/kallsyms, or it may not be read\n",
		        callbacks[EXPIRY_BPF], callbacks[EXPIRY_TIMERFD]);
		return expiries_free(expiries);
	}
	for (int kind = 0; kind < _EXPIRY_MAX; kind++)
		expiries->bpf->rodata->callbacks[kind] = addresses[kind];
	if (expiries_bpf__load(expiries->bpf) == 0 && expiries_bpf__attach(expiries->bpf) == 0)
		return expiries;
	fprintf(stderr, "bench: the kernel refused the benchmark's BPF program: %s\n",
	        strerror(errno));
	return expiries_free(expiries);
}

struct expiries *expiries_free(struct expiries *expiries)
{
	if (!expiries)
		return NULL;
	expiries_bpf__destroy(expiries->bpf);
	free(expiries);
	return NULL;
}

void expiries_read(const struct expiries *expiries, enum expiry_kind kind, uint64_t *count,
                   uint64_t *ns)
{
	*count = *ns = 0;
	for (unsigned int cpu = 0; cpu < EXPIRIES_CPUS_MAX; cpu++) {
		*count += expiries->bpf->bss->expiries[kind][cpu].count;
		*ns += expiries->bpf->bss->expiries[kind][cpu].ns;
	}
}
