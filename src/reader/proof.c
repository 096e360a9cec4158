// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "guest/maps.h"
#include "guest/ram.h"
#include "util/cleanup.h"
#include "util/procfs.h"

struct agent_memory {
	struct thread_id qemu;
	uint64_t generation, nonce;
	uint32_t n;
	uint64_t address[PVSCHED_CHANNEL_CPUS_MAX]; /* in QEMU; 0: not found */
};

/* How far addresses of QEMU are from those of the guest, as found: most pages share one distance.
 */
#define DISTANCES_MAX 8

/* While a claim is looked at. */
struct look {
	const struct reader_request *request;
	struct ram_facts facts;
	struct topology topology;
	struct ram_map map;
	uint64_t distances[DISTANCES_MAX];
	size_t n_distances;
};

/* ---- reading ---- */

/* The words of a page, without the rest. Returns 0, or -errno. */
static int copy_page(pid_t pid, uint64_t address, struct pvsched_page *ret)
{
	size_t size = offsetof(struct pvsched_page, reserved6);
	struct iovec here = {ret, size}, there = {(void *)(uintptr_t)address, size};
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EFAULT;
}

/* Another process may have the PID by now. */
static int still_there(const struct thread_id *qemu)
{
	return thread_id_is_current(qemu) ? 0 : -ESRCH;
}

/* ---- looking ---- */

static int read_cmdline(const struct thread_id *qemu, struct look *look)
{
	CLEANUP(cleanup_free) char *cmdline = malloc(PROCFS_CMDLINE_MAX);
	ssize_t size;

	if (!cmdline)
		return -ENOMEM;
	size = procfs_cmdline(qemu->tid, cmdline, PROCFS_CMDLINE_MAX);
	if (size < 0)
		return size == -ENOENT ? -ESRCH : (int)size;
	/* what was cut may say something else of the vCPUs */
	look->topology = size < PROCFS_CMDLINE_MAX ? topology_of_cmdline(cmdline, (size_t)size)
	                                           : TOPOLOGY_FLAT;
	return ram_facts_of_cmdline(cmdline, (size_t)size, &look->facts);
}

/*
 * A page of the claim, in whole. The guest may write it meanwhile, so it is judged on the copy. An
 * agent announces itself in a page when its tracer has seen the CPU switch, which an idle or a long
 * running one does later.
 */
static bool is_page(const struct pvsched_page *page, const struct reader_request *request,
                    const struct pvsched_channel_cpu *cpu)
{
	return page->nonce == request->claim.nonce &&
	       page->generation_echo == request->generation &&
	       (!page->agent_generation ||
	        page->agent_generation == request->claim.agent_generation) &&
	       page->abi_version == PVSCHED_ABI_VERSION && page->apic_id == cpu->apic_id &&
	       page->cpu_index == cpu->cpu_index;
}

static void name_places(const struct look *look, uint64_t guest_address, struct ram_places *places)
{
	for (size_t i = 0; i < look->n_distances; i++)
		ram_places_add_one(&look->map, guest_address + look->distances[i], places);
	ram_places_add(&look->map, &look->facts, guest_address, places);
}

static void learn_distance(struct look *look, uint64_t distance)
{
	for (size_t i = 0; i < look->n_distances; i++)
		if (look->distances[i] == distance)
			return;
	if (look->n_distances < DISTANCES_MAX)
		look->distances[look->n_distances++] = distance;
}

/* Returns 0 and *ret, 0 if it is not there; -EPERM; -ESRCH. */
static int find_page(struct look *look, const struct pvsched_channel_cpu *cpu, uint64_t *ret)
{
	struct ram_places places = {.n = 0};
	struct pvsched_page page;

	*ret = 0;
	name_places(look, cpu->address, &places);
	for (size_t i = 0; i < places.n; i++) {
		int r = copy_page(look->request->qemu.tid, places.of[i], &page);

		if (r == -EPERM || r == -ESRCH)
			return r;
		if (r == 0 && is_page(&page, look->request, cpu)) {
			*ret = places.of[i];
			learn_distance(look, *ret - cpu->address);
			return 0;
		}
	}
	return 0;
}

/* ---- what was found ---- */

static bool is_another_page(const struct reader_proof *proof, uint32_t one)
{
	for (uint32_t i = 0; i < one; i++)
		if (proof->address[i] == proof->address[one])
			return false;
	return true;
}

/* Returns false when the guest's pages are in too many files. */
static bool note_object(struct reader_proof *proof, const struct ram_area *area)
{
	struct carrier_object object = {area->device, area->inode};

	if (!object.inode)
		return true;
	for (uint32_t i = 0; i < proof->n_objects; i++)
		if (proof->objects[i].device == object.device &&
		    proof->objects[i].inode == object.inode)
			return true;
	if (proof->n_objects == READER_OBJECTS_MAX)
		return false;
	proof->objects[proof->n_objects++] = object;
	return true;
}

/* Returns how many were found, or -errno. */
static int find_pages(struct look *look, struct reader_proof *proof)
{
	const struct reader_claim *claim = &look->request->claim;
	int found = 0;

	proof->n_cpus = claim->n_cpus;
	for (uint32_t i = 0; i < claim->n_cpus; i++) {
		int r = find_page(look, &claim->cpus[i], &proof->address[i]);

		if (r < 0)
			return r;
		if (!proof->address[i])
			continue;
		/* two addresses of the guest may be named the same place */
		if (is_another_page(proof, i) &&
		    note_object(proof, ram_map_area(&look->map, proof->address[i])))
			found++;
		else
			proof->address[i] = 0;
	}
	return found;
}

static struct agent_memory *remember(const struct reader_request *request,
                                     const struct reader_proof *proof)
{
	struct agent_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->qemu = request->qemu;
	memory->generation = request->generation;
	memory->nonce = request->claim.nonce;
	memory->n = proof->n_cpus;
	memcpy(memory->address, proof->address, sizeof(memory->address));
	return memory;
}

static int prove(struct look *look, struct reader_proof *ret, struct agent_memory **memory)
{
	const struct thread_id *qemu = &look->request->qemu;
	int r = read_cmdline(qemu, look), found;

	if (r < 0)
		return r;
	ret->encryption = look->facts.encryption;
	if (look->facts.encryption != RAM_PLAIN)
		return PVSCHED_CHANNEL_ENCRYPTED;
	r = maps_each(qemu->tid, ram_map_take, &look->map);
	if (r < 0)
		return r;
	ram_map_end(&look->map);
	found = find_pages(look, ret);
	r = found < 0 ? found : still_there(qemu);
	if (r < 0)
		return r;
	if (!found)
		return PVSCHED_CHANNEL_NOT_FOUND;
	ret->topology = look->topology;
	*memory = remember(look->request, ret);
	return *memory ? 0 : -ENOMEM;
}

int proof_make(const struct reader_request *request, struct reader_proof *ret,
               struct agent_memory **memory)
{
	CLEANUP(cleanup_free) struct look *look = calloc(1, sizeof(*look));
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!look)
		return -ENOMEM;
	look->request = request;
	r = still_there(&request->qemu);
	if (r == 0)
		r = prove(look, ret, memory);
	/* /proc says EACCES where ptrace says EPERM */
	if (r == -EPERM || r == -EACCES)
		return PVSCHED_CHANNEL_HOST_CANNOT;
	return r == -ENOENT ? -ESRCH : r;
}

/* ---- afterwards ---- */

uint64_t agent_memory_generation(const struct agent_memory *memory)
{
	return memory->generation;
}

bool agent_memory_has(const struct agent_memory *memory, uint32_t index)
{
	return index < memory->n && memory->address[index];
}

int agent_memory_read(const struct agent_memory *memory, uint32_t index, struct guest_words *ret)
{
	struct pvsched_page page;
	int r = still_there(&memory->qemu);

	if (r == 0)
		r = copy_page(memory->qemu.tid, memory->address[index], &page);
	if (r == 0)
		r = still_there(&memory->qemu);
	if (r < 0)
		return r;
	/* the agent has ended, the guest was reset, or another state of it was loaded */
	if (page.nonce != memory->nonce || page.generation_echo != memory->generation)
		return -ESTALE;
	guest_words_of(&page, ret);
	return 0;
}

struct agent_memory *agent_memory_free(struct agent_memory *memory)
{
	free(memory);
	return NULL;
}
