// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "trace/internal.h"
#include "trace/tracer.h"
#include "util/cleanup.h"

static void link_destroy(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

int tracer_read_levers(const struct tracer *tracer, pid_t tid, struct pvs_levers *ret)
{
	union bpf_iter_link_info info = {.task = {.tid = (uint32_t)tid}};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
	            .link_info_len = sizeof(info));
	CLEANUP(link_destroy) struct bpf_link *link = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	struct pvs_levers levers;
	ssize_t n;

	if (!(tracer->parts.loaded & PVS_PART_LEVERS))
		return -EOPNOTSUPP;
	link = bpf_program__attach_iter(tracer->bpf->progs.show_levers, &options);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return fd;
	n = read(fd, &levers, sizeof(levers));
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(levers) || levers.tid != (uint32_t)tid)
		return -ESRCH;
	*ret = levers;
	return 0;
}
