// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/page.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "guest/file.h"

/*
 * A guest writes these words while we read: each takes one load or store, which is never torn or
 * repeated. A page that is not mapped is read by system calls, which may tear words. Their result
 * is validated like anything else that a guest could have written.
 */
#define LOAD(word)              __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, value)      __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#define STORE_LAST(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

static int copy_in(const struct guest_page *page, void *to, size_t offset, size_t size)
{
	ssize_t n = pread(page->fd, to, size, (off_t)(page->offset + offset));

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int copy_out(const struct guest_page *page, const void *from, size_t offset, size_t size)
{
	return guest_file_write(page->fd, from, size, page->offset + offset);
}

static void hello_of(struct pvsched_page *page, struct guest_hello *ret)
{
	uint64_t *from = (uint64_t *)(void *)page->policy_name, word;

	ret->generation_echo = LOAD(page->generation_echo);
	ret->abi_version = LOAD(page->abi_version);
	ret->policy_version = LOAD(page->policy_version);
	for (size_t i = 0; i < sizeof(ret->policy_name) / sizeof(word); i++) {
		word = LOAD(from[i]);
		memcpy(ret->policy_name + i * sizeof(word), &word, sizeof(word));
	}
	ret->protocol_id = LOAD(page->protocol_id);
	ret->requested_mode = LOAD(page->requested_mode);
	ret->apic_id = LOAD(page->apic_id);
	ret->cpu_index = LOAD(page->cpu_index);
	ret->agent_generation = LOAD(page->agent_generation);
}

int guest_page_read_hello(const struct guest_page *page, struct guest_hello *ret)
{
	struct pvsched_page copy;
	int r;

	if (page->memory) {
		hello_of(page->memory, ret);
		return 0;
	}
	r = copy_in(page, &copy, 0, offsetof(struct pvsched_page, reserved6));
	if (r == 0)
		hello_of(&copy, ret);
	return r;
}

enum pvsched_status guest_hello_judge(const struct guest_hello *hello,
                                      const struct guest_page *page)
{
	static const char name[sizeof(hello->policy_name)] = PVSCHED_POLICY_NAME;

	if (hello->generation_echo != page->generation)
		return PVSCHED_STATUS_DISABLED;
	if (hello->abi_version != PVSCHED_ABI_VERSION)
		return PVSCHED_STATUS_ABI;
	if (memcmp(hello->policy_name, name, sizeof(name)) != 0)
		return PVSCHED_STATUS_UNKNOWN_POLICY;
	if (hello->policy_version != PVSCHED_POLICY_VERSION)
		return PVSCHED_STATUS_POLICY_VERSION;
	if (hello->protocol_id != PVSCHED_PROTOCOL)
		return PVSCHED_STATUS_PROTOCOL;
	if (page->apic_id != PVSCHED_APIC_ID_NONE && hello->apic_id != PVSCHED_APIC_ID_NONE &&
	    hello->apic_id != page->apic_id)
		return PVSCHED_STATUS_PROTOCOL; /* it writes to another CPU's page */
	if (hello->requested_mode != PVSCHED_MODE)
		return PVSCHED_STATUS_MODE;
	return PVSCHED_STATUS_ENABLED;
}

bool guest_hello_equal(const struct guest_hello *a, const struct guest_hello *b)
{
	return a->generation_echo == b->generation_echo && a->abi_version == b->abi_version &&
	       a->policy_version == b->policy_version &&
	       memcmp(a->policy_name, b->policy_name, sizeof(a->policy_name)) == 0 &&
	       a->protocol_id == b->protocol_id && a->requested_mode == b->requested_mode &&
	       a->apic_id == b->apic_id && a->cpu_index == b->cpu_index &&
	       a->agent_generation == b->agent_generation;
}

int guest_page_answer(const struct guest_page *page, enum pvsched_status status)
{
	struct {
		uint32_t host_abi_version;
		uint32_t accepted_mode;
	} answer = {PVSCHED_ABI_VERSION, PVSCHED_MODE};
	uint32_t word = status;
	int r;

	if (page->memory) {
		STORE(page->memory->host_abi_version, answer.host_abi_version);
		STORE(page->memory->accepted_mode, answer.accepted_mode);
		STORE_LAST(page->memory->status, word);
		return 0;
	}
	r = copy_out(page, &answer, offsetof(struct pvsched_page, host_abi_version),
	             sizeof(answer));
	if (r < 0)
		return r;
	return copy_out(page, &word, offsetof(struct pvsched_page, status), sizeof(word));
}

static int say_generation(const struct guest_page *page, uint64_t generation)
{
	if (page->memory) {
		STORE_LAST(page->memory->generation, generation);
		return 0;
	}
	return copy_out(page, &generation, offsetof(struct pvsched_page, generation),
	                sizeof(generation));
}

int guest_page_begin(const struct guest_page *page)
{
	struct guest_snapshot nothing = {0};
	int r = guest_page_answer(page, PVSCHED_STATUS_DISABLED);

	if (r == 0)
		r = guest_page_publish(page, &nothing);
	return r < 0 ? r : say_generation(page, page->generation);
}

void guest_page_end(const struct guest_page *page)
{
	guest_page_answer(page, PVSCHED_STATUS_DISABLED);
	say_generation(page, 0);
}

/* The host line without its generation, as it lies in the page. */
struct host_line {
	uint64_t run_delay_ns;
	uint64_t boosted_ns;
	uint32_t host_cpu;
	uint32_t host_flags;
	uint64_t boosts;
	uint64_t throttles;
	uint64_t published_ns;
};

_Static_assert(offsetof(struct pvsched_page, published_ns) ==
                       offsetof(struct pvsched_page, run_delay_ns) +
                               offsetof(struct host_line, published_ns),
               "host line");

int guest_page_publish(const struct guest_page *page, const struct guest_snapshot *snapshot)
{
	struct host_line line = {
	        .run_delay_ns = snapshot->run_delay_ns,
	        .boosted_ns = snapshot->boosted_ns,
	        .host_cpu = snapshot->host_cpu,
	        .host_flags = snapshot->host_flags,
	        .boosts = snapshot->boosts,
	        .throttles = snapshot->throttles,
	        .published_ns = snapshot->published_ns,
	};
	int r;

	if (page->memory) {
		STORE(page->memory->run_delay_ns, line.run_delay_ns);
		STORE(page->memory->boosted_ns, line.boosted_ns);
		STORE(page->memory->host_cpu, line.host_cpu);
		STORE(page->memory->host_flags, line.host_flags);
		STORE(page->memory->boosts, line.boosts);
		STORE(page->memory->throttles, line.throttles);
		STORE(page->memory->applied_state, snapshot->applied_state);
		STORE_LAST(page->memory->published_ns, line.published_ns);
		return 0;
	}
	r = copy_out(page, &snapshot->applied_state, offsetof(struct pvsched_page, applied_state),
	             sizeof(snapshot->applied_state));
	if (r < 0)
		return r;
	return copy_out(page, &line, offsetof(struct pvsched_page, run_delay_ns), sizeof(line));
}

/* The words of a guest's request, as they lie in the page. */
struct words {
	struct {
		uint64_t request, expect, generation_echo, nonce;
		uint32_t apic_id, cpu_index, agent_generation, reserved;
		uint64_t written_ns;
	} line;
	struct {
		uint64_t task_intent, cs_state;
	} scheduler;
};

static int read_words(const struct guest_page *page, bool agent, struct words *ret)
{
	int r;

	*ret = (struct words){0};
	if (page->memory) {
		ret->line.request = LOAD(page->memory->request);
		ret->line.expect = LOAD(page->memory->expect);
		ret->line.written_ns = LOAD(page->memory->written_ns);
		ret->line.generation_echo = LOAD(page->memory->generation_echo);
		if (agent) {
			ret->scheduler.task_intent = LOAD(page->memory->task_intent);
			ret->scheduler.cs_state = LOAD(page->memory->cs_state);
		}
		return 0;
	}
	r = copy_in(page, &ret->line, offsetof(struct pvsched_page, request), sizeof(ret->line));
	if (r == 0 && agent)
		r = copy_in(page, &ret->scheduler, offsetof(struct pvsched_page, task_intent),
		            sizeof(ret->scheduler));
	return r;
}

int guest_page_read_request(const struct guest_page *page, bool agent, uint64_t ran_since_ns,
                            uint64_t now_ns, struct pvs_request *request)
{
	struct words words;
	int r = read_words(page, agent, &words);

	if (r < 0)
		return r;
	pvs_request_look(request, &(struct pvs_request_look){
	                                  .request = words.line.request,
	                                  .expect = words.line.expect,
	                                  .written_ns = words.line.written_ns,
	                                  .generation_echo = words.line.generation_echo,
	                                  .task_intent = words.scheduler.task_intent,
	                                  .cs_state = words.scheduler.cs_state,
	                                  .generation = page->generation,
	                                  .ran_since_ns = ran_since_ns,
	                                  .now_ns = now_ns,
	                                  .agent = agent,
	                          });
	return 0;
}

const char *guest_status_name(enum pvsched_status status)
{
	switch (status) {
	case PVSCHED_STATUS_DISABLED:
		return "disabled";
	case PVSCHED_STATUS_ENABLED:
		return "enabled";
	case PVSCHED_STATUS_UNKNOWN_POLICY:
		return "unknown-policy";
	case PVSCHED_STATUS_ABI:
		return "abi-mismatch";
	case PVSCHED_STATUS_POLICY_VERSION:
		return "policy-version-mismatch";
	case PVSCHED_STATUS_PROTOCOL:
		return "protocol-mismatch";
	case PVSCHED_STATUS_MODE:
		return "mode-mismatch";
	}
	return "?";
}

const char *guest_urgency_name(enum pvsched_urgency urgency)
{
	switch (urgency) {
	case PVSCHED_URGENCY_NONE:
		return "none";
	case PVSCHED_URGENCY_ORDINARY:
		return "ordinary";
	case PVSCHED_URGENCY_URGENT:
		return "urgent";
	case PVSCHED_URGENCY_INVALID:
		return "invalid";
	}
	return "?";
}
