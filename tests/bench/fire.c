// SPDX-License-Identifier: GPL-2.0-or-later
#include "fire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fire.skel.h"

struct fire {
	struct fire_bpf *bpf;
	struct ring_buffer *ring;
	fire_fn *fn; /* during fire_drain() */
	void *userdata;
};

static int on_sample(void *ctx, void *data, size_t size)
{
	struct fire *fire = ctx;

	if (size >= sizeof(struct pvs_event))
		fire->fn(fire->userdata, data);
	return 0;
}

struct fire *fire_new(void)
{
	struct fire *fire = calloc(1, sizeof(*fire));

	if (!fire)
		return NULL;
	fire->bpf = fire_bpf__open_and_load();
	if (fire->bpf)
		fire->ring = ring_buffer__new(bpf_map__fd(fire->bpf->maps.events), on_sample, fire,
		                              NULL);
	if (fire->ring)
		return fire;
	fprintf(stderr, "bench: the kernel refused the benchmark's BPF program: %s\n",
	        strerror(errno));
	return fire_free(fire);
}

struct fire *fire_free(struct fire *fire)
{
	if (!fire)
		return NULL;
	ring_buffer__free(fire->ring);
	fire_bpf__destroy(fire->bpf);
	free(fire);
	return NULL;
}

int fire_fd(const struct fire *fire)
{
	return bpf_map__fd(fire->bpf->maps.events);
}

int fire_drain(struct fire *fire, fire_fn *fn, void *userdata)
{
	fire->fn = fn;
	fire->userdata = userdata;
	return ring_buffer__consume(fire->ring);
}

void fire_set_tid(struct fire *fire, unsigned int slot, pid_t tid)
{
	fire->bpf->bss->tids[slot % FIRE_MAX] = (uint32_t)tid;
}

int fire_at_once(struct fire *fire, enum pvs_event_type type, unsigned int first,
                 unsigned int count)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int r;

	fire->bpf->bss->first = first;
	fire->bpf->bss->count = count;
	fire->bpf->bss->type = type;
	fire->bpf->bss->arg = PVS_BUCKET_VCPU;
	r = bpf_prog_test_run_opts(bpf_program__fd(fire->bpf->progs.fire), &run);
	return r < 0 ? r : (int)run.retval;
}

int fire_attach_empty(struct fire *fire)
{
	struct fire_bpf *bpf = fire->bpf;

	bpf->links.empty_switch = bpf_program__attach(bpf->progs.empty_switch);
	bpf->links.empty_waking = bpf_program__attach(bpf->progs.empty_waking);
	return bpf->links.empty_switch && bpf->links.empty_waking ? 0 : -errno;
}
