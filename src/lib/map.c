/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the words of the page are little-endian; libpvsched does not support big-endian machines"
#endif

#define LOAD(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

int pvsched_map_fd(struct pvsched_map *map, int fd)
{
	struct stat st;
	void *memory;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < PVSCHED_REGION_SIZE_MIN ||
	    st.st_size > PVSCHED_REGION_SIZE_MAX || st.st_size % PVSCHED_PAGE_SIZE)
		return -EINVAL;
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*map = (struct pvsched_map){.header = memory, .size = (uint64_t)st.st_size};
	return 0;
}

int pvsched_map_open(struct pvsched_map *map, const char *path)
{
	/* O_NONBLOCK, O_NOCTTY: the path may be a terminal, which must not affect this process. */
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;

	if (fd < 0)
		return -errno;
	r = pvsched_map_fd(map, fd);
	close(fd);
	return r;
}

void pvsched_map_close(struct pvsched_map *map)
{
	if (map->header)
		munmap(map->header, (size_t)map->size);
	*map = (struct pvsched_map){0};
}

uint64_t pvsched_map_generation(const struct pvsched_map *map)
{
	return __atomic_load_n(&map->header->generation, __ATOMIC_ACQUIRE);
}

int pvsched_map_is_region(const struct pvsched_map *map)
{
	return LOAD(&map->header->magic) == PVSCHED_REGION_MAGIC;
}

uint64_t pvsched_map_validate(const struct pvsched_map *map, uint32_t *n_pages)
{
	const struct pvsched_region *header = map->header;
	uint64_t generation = pvsched_map_generation(map);

	*n_pages = LOAD(&header->page_count);
	if (generation == 0 || !pvsched_map_is_region(map) ||
	    LOAD(&header->version) != PVSCHED_REGION_VERSION ||
	    LOAD(&header->page_size) != PVSCHED_PAGE_SIZE)
		return 0;
	if (*n_pages == 0 || *n_pages > PVSCHED_REGION_PAGES_MAX ||
	    *n_pages > map->size / PVSCHED_PAGE_SIZE - 1)
		return 0;
	/* If the host rewrote the header meanwhile, the words above may belong to two versions. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return LOAD(&header->generation) == generation ? generation : 0;
}

uint32_t pvsched_map_find(const struct pvsched_map *map, uint32_t n_pages, uint32_t cpu,
                          uint32_t apic_id)
{
	const struct pvsched_region *header = map->header;

	if (apic_id != PVSCHED_APIC_ID_NONE)
		for (uint32_t i = 0; i < n_pages; i++)
			if (LOAD(&header->apic_id[i]) == apic_id)
				return i + 1;
	/* A page with an APIC id is never found by index, as it could be another CPU's. */
	if (cpu < n_pages && LOAD(&header->apic_id[cpu]) == PVSCHED_APIC_ID_NONE)
		return cpu + 1;
	return 0;
}

struct pvsched_page *pvsched_map_page(const struct pvsched_map *map, uint32_t page)
{
	return (struct pvsched_page *)((char *)map->header + (uint64_t)page * PVSCHED_PAGE_SIZE);
}

static int hello_stands(const struct pvsched_page *page, const uint64_t *name, uint64_t generation,
                        uint32_t cpu, uint32_t apic_id)
{
	const __u64 *words = (const __u64 *)(const void *)page->policy_name;

	if (__atomic_load_n(&page->generation_echo, __ATOMIC_ACQUIRE) != generation)
		return 0;
	for (size_t i = 0; i < sizeof(page->policy_name) / sizeof(*words); i++)
		if (LOAD(&words[i]) != name[i])
			return 0;
	return LOAD(&page->abi_version) == PVSCHED_ABI_VERSION &&
	       LOAD(&page->policy_version) == PVSCHED_POLICY_VERSION &&
	       LOAD(&page->protocol_id) == PVSCHED_PROTOCOL &&
	       LOAD(&page->requested_mode) == PVSCHED_MODE && LOAD(&page->cpu_index) == cpu &&
	       LOAD(&page->apic_id) == apic_id;
}

void pvsched_page_hello(struct pvsched_page *page, uint64_t generation, uint32_t cpu,
                        uint32_t apic_id)
{
	__u64 *words = (__u64 *)(void *)page->policy_name;
	uint64_t name[sizeof(page->policy_name) / sizeof(uint64_t)] = {0};
	struct timespec now = {0};
	/*
	 * These are read before the echo. A concurrent thread writes its request after its hello.
	 * So what is read here comes from an earlier generation, or that hello is seen below.
	 */
	__u64 request = __atomic_load_n(&page->request, __ATOMIC_ACQUIRE);
	__u32 agent = __atomic_load_n(&page->agent_generation, __ATOMIC_ACQUIRE);

	memcpy(name, PVSCHED_POLICY_NAME, sizeof(PVSCHED_POLICY_NAME));
	if (hello_stands(page, name, generation, cpu, apic_id))
		return;
	__atomic_compare_exchange_n(&page->request, &request, 0, 0, __ATOMIC_RELAXED,
	                            __ATOMIC_RELAXED);
	__atomic_compare_exchange_n(&page->agent_generation, &agent, 0, 0, __ATOMIC_RELAXED,
	                            __ATOMIC_RELAXED);
	STORE(&page->abi_version, PVSCHED_ABI_VERSION);
	STORE(&page->policy_version, PVSCHED_POLICY_VERSION);
	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++)
		STORE(&words[i], name[i]);
	STORE(&page->protocol_id, PVSCHED_PROTOCOL);
	STORE(&page->requested_mode, PVSCHED_MODE);
	STORE(&page->apic_id, apic_id);
	STORE(&page->cpu_index, cpu);
	clock_gettime(CLOCK_MONOTONIC, &now); /* as a nonce: it differs each time */
	STORE(&page->nonce, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	__atomic_store_n(&page->generation_echo, generation, __ATOMIC_RELEASE);
}
