// SPDX-License-Identifier: GPL-2.0-or-later
#include "progs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int progs_enable_stats(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}

size_t progs_read(uint32_t after, struct prog *ret)
{
	uint32_t id = after;
	size_t n = 0;

	while (n < PROGS_MAX && bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
			ret[n] = (struct prog){
			        .id = id, .run_ns = info.run_time_ns, .runs = info.run_cnt};
			memcpy(ret[n].name, info.name, sizeof(ret[n].name) - 1);
			n++;
		}
		close(fd);
	}
	return n;
}

uint32_t progs_last_id(void)
{
	uint32_t id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0)
		;
	return id;
}
