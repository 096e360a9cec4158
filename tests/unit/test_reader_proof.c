// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An agent's pages in the guest's RAM, which this process has, as a QEMU would: found where their
 * addresses say and what was stored says so, read, and never written.
 */
#include "reader/proof.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "util/procfs.h"

#define RAM_SIZE   (64UL << 20)
#define GENERATION UINT64_C(0x1122334455667788)
#define NONCE      UINT64_C(0x99aabbccddeeff00)
#define AGENT      7

static uint8_t *ram;
static struct reader_request request;
static struct reader_proof proof;
static struct agent_memory *memory;

static struct pvsched_page *page_at(uint64_t guest_address)
{
	return (struct pvsched_page *)(ram + guest_address);
}

/* What the agent stores in the page of CPU @cpu. */
static void store(uint64_t guest_address, uint32_t cpu)
{
	struct pvsched_page *page = page_at(guest_address);

	page->abi_version = PVSCHED_ABI_VERSION;
	page->apic_id = 2 * cpu;
	page->cpu_index = cpu;
	page->agent_generation = AGENT;
	page->nonce = NONCE;
	page->generation_echo = GENERATION;
}

static void claim(uint64_t guest_address)
{
	uint32_t cpu = request.claim.n_cpus++;

	request.claim.cpus[cpu] = (struct pvsched_channel_cpu){cpu, 2 * cpu, guest_address};
}

static void begin_with(int fd)
{
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
	           fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	CHECK(ram != MAP_FAILED);
	memset(&request, 0, sizeof(request));
	request.job = READER_PROVE;
	request.qemu.tid = getpid();
	CHECK_INT(procfs_start_ticks(getpid(), getpid(), &request.qemu.start_ticks), 0);
	request.generation = GENERATION;
	request.claim.nonce = NONCE;
	request.claim.agent_generation = AGENT;
	memory = NULL;
}

static void begin(void)
{
	begin_with(-1);
}

static void end(void)
{
	memory = agent_memory_free(memory);
	munmap(ram, RAM_SIZE);
}

static int prove(void)
{
	memory = agent_memory_free(memory);
	return proof_make(&request, &proof, &memory);
}

static void test_found(void)
{
	struct guest_words words;

	begin();
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		store(0x100000 + cpu * 0x200000, cpu);
		claim(0x100000 + cpu * 0x200000);
	}
	claim(0x5000); /* nothing is stored there */
	CHECK_INT(prove(), 0);
	CHECK_U64(proof.n_cpus, 4);
	for (uint32_t cpu = 0; cpu < 3; cpu++)
		CHECK_U64(proof.address[cpu], (uintptr_t)page_at(0x100000 + cpu * 0x200000));
	CHECK_U64(proof.address[3], 0);
	CHECK_U64(proof.n_objects, 0);
	CHECK_U64(agent_memory_generation(memory), GENERATION);
	CHECK(agent_memory_has(memory, 2) && !agent_memory_has(memory, 3) &&
	      !agent_memory_has(memory, 4) && !agent_memory_has(memory, UINT32_MAX));
	page_at(0x100000)->task_intent = 1234;
	page_at(0x100000)->request = 99;
	CHECK_INT(agent_memory_read(memory, 0, &words), 0);
	CHECK(words.task_intent == 1234 && words.request == 99 &&
	      words.hello.agent_generation == AGENT);
	/* another start of the agent, or another state of the guest, or its memory is gone */
	page_at(0x100000)->nonce++;
	CHECK_INT(agent_memory_read(memory, 0, &words), -ESTALE);
	page_at(0x100000)->nonce--;
	page_at(0x100000)->generation_echo = 0;
	CHECK_INT(agent_memory_read(memory, 0, &words), -ESTALE);
	munmap(ram, RAM_SIZE);
	CHECK_INT(agent_memory_read(memory, 1, &words), -EFAULT);
	memory = agent_memory_free(memory);
}

#define NOT_BELIEVED(change)                                                                       \
	do {                                                                                       \
		store(0x100000, 0);                                                                \
		CHECK_INT(prove(), 0);                                                             \
		page_at(0x100000)->change;                                                         \
		CHECK_INT(prove(), PVSCHED_CHANNEL_NOT_FOUND);                                     \
		CHECK(!memory);                                                                    \
	} while (0)

static void test_each_word_counts(void)
{
	begin();
	claim(0x100000);
	NOT_BELIEVED(nonce ^= 1);
	NOT_BELIEVED(nonce ^= UINT64_C(1) << 63);
	NOT_BELIEVED(generation_echo ^= UINT64_C(1) << 40);
	NOT_BELIEVED(apic_id = 5);
	NOT_BELIEVED(cpu_index = 5);
	NOT_BELIEVED(agent_generation = AGENT + 1);
	NOT_BELIEVED(abi_version = 2);
	end();
}

/* An agent announces itself in the page of a CPU that has switched since; another has its page. */
static void test_announced_later(void)
{
	struct guest_words words;

	begin();
	claim(0x100000);
	store(0x100000, 0);
	page_at(0x100000)->agent_generation = 0;
	CHECK_INT(prove(), 0);
	CHECK_INT(agent_memory_read(memory, 0, &words), 0);
	CHECK_U64(words.hello.agent_generation, 0);
	page_at(0x100000)->agent_generation = AGENT;
	CHECK_INT(agent_memory_read(memory, 0, &words), 0);
	CHECK_U64(words.hello.agent_generation, AGENT);
	end();
}

static void test_wrong_addresses(void)
{
	static const uint64_t addresses[] = {0,
	                                     0x100000 + 4096,
	                                     RAM_SIZE,
	                                     RAM_SIZE - 2048,
	                                     UINT64_C(0xfffff000),
	                                     UINT64_C(1) << 32,
	                                     UINT64_C(1) << 40,
	                                     UINT64_C(1) << 62,
	                                     UINT64_MAX - 4095};

	begin();
	store(0x100000, 0);
	request.claim.n_cpus = 1;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		request.claim.cpus[0].address = addresses[i];
		CHECK_INT(prove(), PVSCHED_CHANNEL_NOT_FOUND);
	}
	end();
}

/* Random bytes in the whole memory, with random addresses, and with single words that fit. */
static void test_random_pages(void)
{
	unsigned int seed = 20;

	begin();
	srandom(seed);
	for (size_t i = 0; i < RAM_SIZE; i += sizeof(long))
		*(long *)(ram + i) = random() * random();
	for (uint32_t i = 0; i < PVSCHED_CHANNEL_CPUS_MAX; i++) {
		uint64_t address = (uint64_t)(random() % (RAM_SIZE / 4096)) * 4096;

		claim(address);
		if (random() % 2)
			page_at(address)->nonce = NONCE;
		if (random() % 2)
			page_at(address)->generation_echo = GENERATION;
	}
	CHECK_INT(prove(), PVSCHED_CHANNEL_NOT_FOUND);
	end();
}

/* Nothing of the guest's memory is changed, whether pages are found or not. */
static void test_never_written(void)
{
	uint8_t *before = malloc(RAM_SIZE);
	struct guest_words words;

	begin();
	CHECK(before);
	for (size_t i = 0; i < RAM_SIZE; i++)
		ram[i] = (uint8_t)(i * 131 + i / 4096);
	store(0x300000, 0);
	claim(0x300000);
	claim(0x400000);
	memcpy(before, ram, RAM_SIZE);
	CHECK_INT(prove(), 0);
	CHECK_INT(agent_memory_read(memory, 0, &words), 0);
	request.claim.nonce++;
	CHECK_INT(prove(), PVSCHED_CHANNEL_NOT_FOUND);
	CHECK(memcmp(before, ram, RAM_SIZE) == 0);
	free(before);
	end();
}

static atomic_bool flips;

static void *flip(void *page)
{
	struct pvsched_page *p = page;

	for (unsigned int i = 0; atomic_load(&flips); i++) {
		__atomic_store_n(&p->nonce, i % 3 ? NONCE : NONCE + 1, __ATOMIC_RELAXED);
		__atomic_store_n(&p->apic_id, i % 5 ? 0 : 2, __ATOMIC_RELAXED);
		__atomic_store_n(&p->cpu_index, i % 5 ? 0 : 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A guest that says in one page that it is two CPUs' has it for one of them at most. */
static void test_flips(void)
{
	struct guest_words words;
	unsigned int found = 0;
	pthread_t thread;

	begin();
	store(0x100000, 0);
	claim(0x100000);
	claim(0x100000);
	flips = true;
	CHECK_INT(pthread_create(&thread, NULL, flip, page_at(0x100000)), 0);
	for (int i = 0; i < 2000 || (!found && i < 100000); i++) {
		int r = prove();

		CHECK(r == 0 || r == PVSCHED_CHANNEL_NOT_FOUND);
		if (r != 0)
			continue;
		found++;
		CHECK(!proof.address[0] != !proof.address[1]);
		r = agent_memory_read(memory, proof.address[0] ? 0 : 1, &words);
		CHECK(r == 0 || r == -ESTALE);
	}
	CHECK(found > 0);
	flips = false;
	pthread_join(thread, NULL);
	end();
}

/* Memory that is a file can be another process's, too: which file it is, is told. */
static void test_files(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct stat st;

	CHECK(fd >= 0 && ftruncate(fd, RAM_SIZE) == 0 && fstat(fd, &st) == 0);
	begin_with(fd);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		store(0x100000 * (cpu + 1), cpu);
		claim(0x100000 * (cpu + 1));
	}
	CHECK_INT(prove(), 0);
	CHECK_U64(proof.n_objects, 1);
	CHECK_U64(proof.objects[0].inode, st.st_ino);
	/* it is cut off: no SIGBUS, as nothing is mapped */
	CHECK_INT(ftruncate(fd, 0), 0);
	CHECK_INT(prove(), PVSCHED_CHANNEL_NOT_FOUND);
	end();
	close(fd);
}

static void test_another_process(void)
{
	begin();
	store(0x100000, 0);
	claim(0x100000);
	CHECK_INT(prove(), 0);
	request.qemu.start_ticks++;
	CHECK_INT(prove(), -ESRCH);
	request.qemu = (struct thread_id){INT32_MAX, 5};
	CHECK_INT(prove(), -ESRCH);
	end();
}

/* Without CAP_SYS_PTRACE, in a process that another user owns or that is not dumpable. */
static void test_may_not_look(void)
{
	if (geteuid() == 0)
		TEST_SKIP("root may look into every process");
	begin();
	claim(0x100000);
	request.qemu.tid = 1;
	CHECK_INT(procfs_start_ticks(1, 1, &request.qemu.start_ticks), 0);
	CHECK_INT(prove(), PVSCHED_CHANNEL_HOST_CANNOT);
	end();
}

TEST_MAIN(TEST(test_found), TEST(test_each_word_counts), TEST(test_announced_later),
          TEST(test_wrong_addresses), TEST(test_random_pages), TEST(test_never_written),
          TEST(test_flips), TEST(test_files), TEST(test_another_process), TEST(test_may_not_look))
