/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Pages in the guest's own RAM, as an agent has them; written from pvsched-protocol(7).
 *
 *   ram new N                     N pages, the first for CPU 0: {"ok":true,"pages":[{"cpu":0,
 *                                 "apic_id":0,"address":N},...]}; they replace earlier ones
 *   ram store GENERATION NONCE AGENT
 *                                 stores these in each of them
 *   ram say CPU INTENT CS_STATE   the words of its scheduler
 *   ram fill MIB                  fills so much memory with a pattern, and what the pages have
 *                                 reserved: {"ok":true}
 *   ram check                     {"ok":true,"changed":N}: bytes that are not as the guest left
 * them
 */

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "pvsched/page.h"

#define PAGES_MAX 64

static struct pvsched_page *pages, written[PAGES_MAX]; /* as the guest wrote them */
static long n_pages;
static uint8_t *filled;
static size_t n_filled;

static uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 167 + at / 4096);
}

/* On the CPU where it runs. */
static uint32_t apic_id(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	return b >> 24;
}

/* 0: it cannot be told. */
static uint64_t physical_address(const void *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)page / PVSCHED_PAGE_SIZE * sizeof(entry));

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry) || !(entry >> 63))
		entry = 0;
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PVSCHED_PAGE_SIZE;
}

static void ram_new(long n)
{
	size_t size = (size_t)n * PVSCHED_PAGE_SIZE;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED) {
		fail("mmap", errno);
		return;
	}
	if (pages)
		munmap(pages, (size_t)n_pages * PVSCHED_PAGE_SIZE);
	pages = memory;
	n_pages = n;
	answer_part("{\"ok\":true,\"pages\":[");
	for (long cpu = 0; cpu < n; cpu++) {
		pin(cpu);
		memset(&written[cpu], 0, sizeof(written[cpu]));
		written[cpu].abi_version = PVSCHED_ABI_VERSION;
		written[cpu].policy_version = PVSCHED_POLICY_VERSION;
		strcpy(written[cpu].policy_name, PVSCHED_POLICY_NAME);
		written[cpu].apic_id = apic_id();
		written[cpu].cpu_index = (uint32_t)cpu;
		pages[cpu] = written[cpu];
		answer_part("%s{\"cpu\":%ld,\"apic_id\":%u,\"address\":%llu}", cpu ? "," : "", cpu,
		            written[cpu].apic_id,
		            (unsigned long long)physical_address(&pages[cpu]));
	}
	answer("]}");
}

static void ram_store(long generation, long nonce, long agent)
{
	for (long cpu = 0; cpu < n_pages; cpu++) {
		written[cpu].agent_generation = (uint32_t)agent;
		written[cpu].nonce = (uint64_t)nonce;
		written[cpu].generation_echo = (uint64_t)generation;
		pages[cpu].agent_generation = (uint32_t)agent;
		pages[cpu].nonce = (uint64_t)nonce;
		__atomic_store_n(&pages[cpu].generation_echo, (uint64_t)generation,
		                 __ATOMIC_RELEASE);
	}
	answer("{\"ok\":true}");
}

static void ram_say(long cpu, long intent, long cs_state)
{
	written[cpu].task_intent = (uint64_t)intent;
	written[cpu].cs_state = (uint64_t)cs_state;
	__atomic_store_n(&pages[cpu].cs_state, (uint64_t)cs_state, __ATOMIC_RELAXED);
	__atomic_store_n(&pages[cpu].task_intent, (uint64_t)intent, __ATOMIC_RELEASE);
	answer("{\"ok\":true}");
}

static void ram_fill(long mib)
{
	size_t size = (size_t)mib << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED) {
		fail("mmap", errno);
		return;
	}
	if (filled)
		munmap(filled, n_filled);
	filled = memory;
	n_filled = size;
	for (size_t i = 0; i < n_filled; i++)
		filled[i] = pattern(i);
	for (long cpu = 0; cpu < n_pages; cpu++) {
		for (size_t i = 0; i < sizeof(written[cpu].reserved6); i++)
			written[cpu].reserved6[i] = pattern(i);
		memcpy(pages[cpu].reserved6, written[cpu].reserved6,
		       sizeof(written[cpu].reserved6));
	}
	answer("{\"ok\":true}");
}

static void ram_check(void)
{
	unsigned long changed = 0;

	for (size_t i = 0; i < n_filled; i++)
		changed += filled[i] != pattern(i);
	for (long cpu = 0; cpu < n_pages; cpu++)
		for (size_t i = 0; i < PVSCHED_PAGE_SIZE; i++)
			changed += ((const uint8_t *)&pages[cpu])[i] !=
			           ((const uint8_t *)&written[cpu])[i];
	answer("{\"ok\":true,\"changed\":%lu}", changed);
}

void do_ram(char **words, int n)
{
	long a, b, c;

	if (n == 3 && !strcmp(words[1], "new") && number(words[2], 1, PAGES_MAX, &a))
		ram_new(a);
	else if (n == 5 && !strcmp(words[1], "store") && number(words[2], 0, INT64_MAX, &a) &&
	         number(words[3], 0, INT64_MAX, &b) && number(words[4], 0, UINT32_MAX, &c))
		ram_store(a, b, c);
	else if (n == 5 && !strcmp(words[1], "say") && number(words[2], 0, n_pages - 1, &a) &&
	         number(words[3], 0, INT64_MAX, &b) && number(words[4], 0, INT64_MAX, &c))
		ram_say(a, b, c);
	else if (n == 3 && !strcmp(words[1], "fill") && number(words[2], 1, 4096, &a))
		ram_fill(a);
	else if (n == 2 && !strcmp(words[1], "check"))
		ram_check();
	else
		fail("ram new|store|say|fill|check", EINVAL);
}
