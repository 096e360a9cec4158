// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/client_region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/intent.h"
#include "util/cleanup.h"

int client_region_init(struct client_region *region, uint32_t n_cpus)
{
	uint64_t size =
	        MAX((n_cpus + UINT64_C(1)) * PVSCHED_PAGE_SIZE, (uint64_t)PVSCHED_REGION_SIZE_MIN);
	int fd CLEANUP(cleanup_fd) =
	        memfd_create("pvsched-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;

	*region = CLIENT_REGION_NULL;
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*region = (struct client_region){
	        .fd = STEAL(fd, -1),
	        .memory = memory,
	        .size = size,
	        .n_cpus = n_cpus,
	};
	region->memory->magic = PVSCHED_REGION_MAGIC;
	region->memory->version = PVSCHED_REGION_VERSION;
	region->memory->page_count = n_cpus;
	region->memory->page_size = PVSCHED_PAGE_SIZE;
	return 0;
}

void client_region_finish(struct client_region *region)
{
	if (region->memory) {
		client_region_serve(region, 0);
		munmap(region->memory, region->size);
	}
	close_fd(region->fd);
	*region = CLIENT_REGION_NULL;
}

void client_region_cpus(struct client_region *region, const struct guest_cpu *cpus)
{
	for (uint32_t i = 0; i < region->n_cpus; i++)
		PVS_STORE(region->memory->apic_id[i], cpus[i].apic_id);
}

void client_region_serve(struct client_region *region, uint64_t generation)
{
	__atomic_store_n(&region->memory->generation, generation, __ATOMIC_RELEASE);
}

struct pvsched_page *client_region_page(const struct client_region *region, uint32_t cpu)
{
	return (struct pvsched_page *)((char *)region->memory +
	                               (cpu + UINT64_C(1)) * PVSCHED_PAGE_SIZE);
}
