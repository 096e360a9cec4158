/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A region in a memfd for the tests of libpvsched: the test plays the host, and says on which CPU
 * it runs (link with --wrap=sched_getcpu).
 */

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/open.h"
#include "pvsched/page.h"
#include "pvsched/pvsched.h"
#include "util/cleanup.h"

#include "test.h"

#define REGION_SIZE PVSCHED_REGION_SIZE_MIN
#define URGENT(seq) pvsched_request(pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 80), (seq))
#define CALM(seq)   pvsched_request(pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0), (seq))

static _Thread_local int current_cpu;

int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void)
{
	return current_cpu;
}

/* A region, its file, and the folder with the machine's other places. */
struct scene {
	struct pvsched_region *header;
	int fd;
	char path[64];
	char dir[64], cpuinfo[96];
	struct pvsched_places places;
	struct pvsched *host;
};

static inline void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	CHECK(file);
	CHECK(fputs(text, file) >= 0);
	CHECK_INT(fclose(file), 0);
}

static inline void scene_setup(struct scene *scene)
{
	*scene = (struct scene){.fd = memfd_create("region", MFD_CLOEXEC)};
	CHECK(scene->fd >= 0);
	CHECK_INT(ftruncate(scene->fd, REGION_SIZE), 0);
	snprintf(scene->path, sizeof(scene->path), "/proc/self/fd/%d", scene->fd);
	scene->header = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, scene->fd, 0);
	CHECK(scene->header != MAP_FAILED);
	strcpy(scene->dir, "/tmp/test_libpvsched.XXXXXX");
	CHECK(mkdtemp(scene->dir));
	snprintf(scene->cpuinfo, sizeof(scene->cpuinfo), "%s/cpuinfo", scene->dir);
	write_file(scene->cpuinfo,
	           "processor\t: 0\napicid\t\t: 0\ninitial apicid\t: 77\n\n"
	           "processor\t: 1\napicid\t\t: 4\n\nprocessor\t: 2\napicid\t\t: 5\n");
	scene->places = (struct pvsched_places){.devices = scene->dir, .cpuinfo = scene->cpuinfo};
	current_cpu = 0;
}

static inline void scene_end(struct scene *scene)
{
	CHECK(!pvsched_close(scene->host));
	munmap(scene->header, REGION_SIZE);
	close(scene->fd);
	CHECK_INT(unlink(scene->cpuinfo), 0);
	CHECK_INT(rmdir(scene->dir), 0);
}

/* The host comes: three CPUs, whose pages are not in their order. */
static inline void host_comes(struct scene *scene, uint64_t generation)
{
	struct pvsched_region *header = scene->header;

	header->magic = PVSCHED_REGION_MAGIC;
	header->version = PVSCHED_REGION_VERSION;
	header->page_count = 3;
	header->page_size = PVSCHED_PAGE_SIZE;
	header->apic_id[0] = 4;
	header->apic_id[1] = 0;
	header->apic_id[2] = 5;
	__atomic_store_n(&header->generation, generation, __ATOMIC_RELEASE);
}

static inline struct pvsched_page *page_of(struct scene *scene, uint32_t cpu)
{
	static const uint32_t pages[] = {2, 1, 3};

	return (struct pvsched_page *)scene->header + pages[cpu];
}

static inline void host_answers(struct scene *scene, uint32_t cpu, uint32_t status)
{
	struct pvsched_page *page = page_of(scene, cpu);

	page->host_abi_version = PVSCHED_ABI_VERSION;
	page->generation = scene->header->generation;
	__atomic_store_n(&page->status, status, __ATOMIC_RELEASE);
}

static inline int open_here(struct scene *scene)
{
	return pvsched_open_places(&scene->places, scene->path, &scene->host);
}

static inline void scene_negotiated(struct scene *scene)
{
	scene_setup(scene);
	host_comes(scene, 7);
	CHECK_INT(open_here(scene), 0);
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		CHECK_INT(pvsched_negotiated(scene->host, cpu), PVSCHED_STATE_WAITING);
		host_answers(scene, cpu, PVSCHED_STATUS_ENABLED);
		CHECK_INT(pvsched_negotiated(scene->host, cpu), PVSCHED_STATE_ENABLED);
	}
}
