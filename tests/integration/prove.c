// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader's proof and the tracer's look at a QEMU, without the daemon between them: a test says
 * what an agent would claim, and sees what is found. Commands on standard input, a line of JSON for
 * each on standard output.
 *
 *   prove PID GENERATION NONCE AGENT CPU:APIC:ADDRESS...
 *              {"result":N,"encryption":N,"addresses":[N,...],"objects":N}; result as proof_make()
 *   words I    of the page at that place in the claim: {"result":N,"task_intent":N,"cs_state":N}
 *   trace TID I
 *              has the tracer read that page when this thread leaves its CPU: {"result":N}
 *   heard      {"urgency":N,"task_intent":N,"cs_state":N,"looks":N,"faults":N,"stale":N}
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader/proof.h"
#include "trace/tracer.h"
#include "util/procfs.h"

static struct reader_request request;
static struct reader_proof proof;
static struct agent_memory *memory;
static struct tracer *tracer;

static uint64_t next_number(char **save)
{
	char *word = strtok_r(NULL, " \n", save);

	return word ? strtoull(word, NULL, 0) : 0;
}

static void read_claim(char **save)
{
	struct reader_claim *claim = &request.claim;
	char *word;

	memset(&request, 0, sizeof(request));
	request.job = READER_PROVE;
	request.qemu.tid = (pid_t)next_number(save);
	procfs_start_ticks(request.qemu.tid, request.qemu.tid, &request.qemu.start_ticks);
	request.generation = next_number(save);
	claim->nonce = next_number(save);
	claim->agent_generation = (uint32_t)next_number(save);
	while ((word = strtok_r(NULL, " \n", save)) && claim->n_cpus < PVSCHED_CHANNEL_CPUS_MAX) {
		uint32_t cpu, apic_id;
		uint64_t address;

		if (sscanf(word, "%" SCNu32 ":%" SCNu32 ":%" SCNu64, &cpu, &apic_id, &address) == 3)
			claim->cpus[claim->n_cpus++] =
			        (struct pvsched_channel_cpu){cpu, apic_id, address};
	}
}

static void prove(char **save)
{
	int r;

	read_claim(save);
	memory = agent_memory_free(memory);
	r = proof_make(&request, &proof, &memory);
	printf("{\"result\":%d,\"encryption\":%u,\"addresses\":[", r, proof.encryption);
	for (uint32_t i = 0; r == 0 && i < proof.n_cpus; i++)
		printf("%s%" PRIu64, i ? "," : "", proof.address[i]);
	printf("],\"objects\":%u}\n", proof.n_objects);
}

static void words(char **save)
{
	uint32_t index = (uint32_t)next_number(save);
	struct guest_words copy = {.request = 0};
	int r = -ENOENT;

	if (memory && agent_memory_has(memory, index))
		r = agent_memory_read(memory, index, &copy);
	printf("{\"result\":%d,\"task_intent\":%" PRIu64 ",\"cs_state\":%" PRIu64 "}\n", r,
	       copy.task_intent, copy.cs_state);
}

static void trace(char **save)
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
	pid_t tid = (pid_t)next_number(save);
	uint32_t index = (uint32_t)next_number(save);
	struct pvs_vcpu_account *vcpu;
	char why[512];
	int r = tracer ? 0 : tracer_new(&tracer, &rule, why, sizeof(why));

	if (r == 0) {
		vcpu = &tracer_vcpus(tracer)[0];
		vcpu->tid = (uint32_t)tid;
		r = tracer_register(tracer, 0, tid);
		vcpu->page_generation = request.generation;
		vcpu->flags = PVS_FLAG_AGENT;
		__atomic_store_n(&vcpu->page_address, proof.address[index], __ATOMIC_RELEASE);
	}
	printf("{\"result\":%d}\n", r);
}

static void heard(void)
{
	const struct pvs_vcpu_account *vcpu = tracer ? &tracer_vcpus(tracer)[0] : NULL;
	struct pvs_request seen = {.urgency = 0};

	if (vcpu)
		seen = vcpu->request;
	printf("{\"urgency\":%u,\"task_intent\":%" PRIu64 ",\"cs_state\":%" PRIu64
	       ",\"looks\":%" PRIu64 ",\"faults\":%u,\"stale\":%u}\n",
	       (unsigned int)seen.urgency, (uint64_t)seen.words[1], (uint64_t)seen.words[2],
	       (uint64_t)seen.read_ns, vcpu ? vcpu->page_faults : 0, seen.stale_total);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		char *save, *word = strtok_r(line, " \n", &save);

		if (!word)
			continue;
		if (strcmp(word, "prove") == 0)
			prove(&save);
		else if (strcmp(word, "words") == 0)
			words(&save);
		else if (strcmp(word, "trace") == 0)
			trace(&save);
		else if (strcmp(word, "heard") == 0)
			heard();
		else
			printf("{\"result\":%d}\n", -EINVAL);
		fflush(stdout);
	}
	free(line);
	agent_memory_free(memory);
	tracer_free(tracer);
	return 0;
}
