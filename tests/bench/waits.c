// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-waits TID...: the instrument of `grid`. Reads lines and answers each with one of JSON:
 *
 *   start      from now on it records
 *   stop FILE  ends that, and writes the records (struct wait_record) there: {"records":N,"lost":N}
 *
 * Its BPF programs are attached all the time, and cost all that is compared the same. Ends at the
 * end of its input.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waits.h"
#include "waits.skel.h"

struct output {
	FILE *file; /* NULL: thrown away */
	unsigned long records;
	int error;
};

static int on_record(void *ctx, void *data, size_t size)
{
	struct output *output = ctx;

	if (size < sizeof(struct wait_record))
		return 0;
	output->records++;
	if (output->file && fwrite(data, sizeof(struct wait_record), 1, output->file) != 1)
		output->error = errno;
	return 0;
}

static int stop(struct waits_bpf *bpf, struct ring_buffer *ring, struct output *output,
                const char *path)
{
	bpf->bss->recording = 0;
	*output = (struct output){.file = fopen(path, "we")};
	if (!output->file)
		return -errno;
	ring_buffer__consume(ring);
	if (fclose(output->file) != 0 && !output->error)
		output->error = errno;
	output->file = NULL;
	return -output->error;
}

static void start(struct waits_bpf *bpf, struct ring_buffer *ring, struct output *output)
{
	*output = (struct output){0};
	ring_buffer__consume(
	        ring); /* what a switch in progress may have written after the last stop */
	bpf->bss->lost = 0;
	bpf->bss->recording = 1;
	puts("{}");
}

static int serve(struct waits_bpf *bpf)
{
	struct output output = {0};
	struct ring_buffer *ring =
	        ring_buffer__new(bpf_map__fd(bpf->maps.records), on_record, &output, NULL);
	char line[4096];
	int r = 0;

	if (!ring)
		return -errno;
	puts("{}"); /* ready */
	fflush(stdout);
	while (r == 0 && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "start")) {
			start(bpf, ring, &output);
		} else if (!strncmp(line, "stop ", 5)) {
			r = stop(bpf, ring, &output, line + 5);
			if (r == 0)
				printf("{\"records\":%lu,\"lost\":%llu}\n", output.records,
				       (unsigned long long)bpf->bss->lost);
		} else {
			r = -EINVAL;
		}
		fflush(stdout);
	}
	ring_buffer__free(ring);
	return r;
}

static int watch(struct waits_bpf *bpf, int n, char **words)
{
	static const char nothing[64];

	for (int i = 0; i < n; i++) {
		unsigned int tid = (unsigned int)strtoul(words[i], NULL, 10);

		if (bpf_map__value_size(bpf->maps.threads) > sizeof(nothing))
			return -EMSGSIZE;
		if (bpf_map__update_elem(bpf->maps.threads, &tid, sizeof(tid), nothing,
		                         bpf_map__value_size(bpf->maps.threads), 0) < 0)
			return -errno;
	}
	return 0;
}

/* Not every architecture has a tracepoint for the interrupt: what it would tell is then left out.
 */
static int attach(struct waits_bpf *bpf)
{
	bpf_program__set_autoattach(bpf->progs.grid_interrupted, false);
	bpf->links.grid_interrupted = bpf_program__attach(bpf->progs.grid_interrupted);
	return waits_bpf__attach(bpf);
}

int main(int argc, char **argv)
{
	struct waits_bpf *bpf;
	int r;

	if (argc < 2 || argc > 1 + WAITS_THREADS_MAX) {
		fprintf(stderr, "usage: bench-waits TID...\n");
		return 2;
	}
	bpf = waits_bpf__open_and_load();
	r = bpf ? watch(bpf, argc - 1, argv + 1) : -errno;
	if (r == 0)
		r = attach(bpf);
	if (r == 0)
		r = serve(bpf);
	if (r < 0)
		fprintf(stderr, "bench-waits: %s\n", strerror(-r));
	waits_bpf__destroy(bpf);
	return r < 0;
}
