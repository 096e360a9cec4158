// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/page.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "guest/file.h"

/*
 * A guest writes these words while they are read, and a system call may tear them. The copy is
 * validated like anything else that a guest could have written.
 */
static int copy_in(const struct guest_page_file *file, void *to, size_t size)
{
	ssize_t n = pread(file->fd, to, size, (off_t)file->offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int copy_out(const struct guest_page_file *file, const void *from, size_t offset,
                    size_t size)
{
	return guest_file_write(file->fd, from, size, file->offset + offset);
}

void guest_words_of(const struct pvsched_page *page, struct guest_words *ret)
{
	*ret = (struct guest_words){
	        .hello =
	                {
	                        .generation_echo = page->generation_echo,
	                        .abi_version = page->abi_version,
	                        .policy_version = page->policy_version,
	                        .protocol_id = page->protocol_id,
	                        .requested_mode = page->requested_mode,
	                        .apic_id = page->apic_id,
	                        .cpu_index = page->cpu_index,
	                        .agent_generation = page->agent_generation,
	                },
	        .request = page->request,
	        .expect = page->expect,
	        .written_ns = page->written_ns,
	};
	memcpy(ret->hello.policy_name, page->policy_name, sizeof(ret->hello.policy_name));
	/* else nothing maintains these */
	if (page->agent_generation) {
		ret->task_intent = page->task_intent;
		ret->cs_state = page->cs_state;
		ret->pulse = page->pulse;
	}
}

int guest_page_read(const struct guest_page_file *file, struct guest_words *ret)
{
	struct pvsched_page copy;
	int r = copy_in(file, &copy, offsetof(struct pvsched_page, reserved6));

	if (r == 0)
		guest_words_of(&copy, ret);
	return r;
}

enum pvsched_status guest_hello_judge(const struct guest_hello *hello,
                                      const struct guest_page *page, enum pvsched_status policy)
{
	if (hello->generation_echo != page->generation)
		return PVSCHED_STATUS_DISABLED;
	if (hello->abi_version != PVSCHED_ABI_VERSION)
		return PVSCHED_STATUS_ABI;
	/* with an agent, the policy was agreed on through the channel */
	if (!page->in_ram && policy != PVSCHED_STATUS_ENABLED)
		return policy;
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

int guest_page_answer(const struct guest_page_file *file, enum pvsched_status status)
{
	struct {
		uint32_t host_abi_version;
		uint32_t accepted_mode;
	} answer = {PVSCHED_ABI_VERSION, PVSCHED_MODE};
	uint32_t word = status;
	int r = copy_out(file, &answer, offsetof(struct pvsched_page, host_abi_version),
	                 sizeof(answer));

	if (r < 0)
		return r;
	return copy_out(file, &word, offsetof(struct pvsched_page, status), sizeof(word));
}

static int say_generation(const struct guest_page_file *file, uint64_t generation)
{
	return copy_out(file, &generation, offsetof(struct pvsched_page, generation),
	                sizeof(generation));
}

int guest_page_begin(const struct guest_page_file *file, uint64_t generation)
{
	struct guest_snapshot nothing = {0};
	int r = guest_page_answer(file, PVSCHED_STATUS_DISABLED);

	if (r == 0)
		r = guest_page_publish(file, &nothing);
	return r < 0 ? r : say_generation(file, generation);
}

void guest_page_end(const struct guest_page_file *file)
{
	struct guest_snapshot nothing = {0};

	/* first what a guest may act on: a hint ends with the host that gave it */
	guest_page_publish(file, &nothing);
	guest_page_answer(file, PVSCHED_STATUS_DISABLED);
	say_generation(file, 0);
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

int guest_page_publish(const struct guest_page_file *file, const struct guest_snapshot *snapshot)
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
	int r = copy_out(file, &snapshot->applied_state,
	                 offsetof(struct pvsched_page, applied_state),
	                 sizeof(snapshot->applied_state));

	if (r < 0)
		return r;
	return copy_out(file, &line, offsetof(struct pvsched_page, run_delay_ns), sizeof(line));
}

void guest_words_look(const struct guest_words *words, uint64_t generation, uint64_t ran_since_ns,
                      uint64_t read_ns, uint64_t run_ns, struct pvs_request *request)
{
	pvs_request_look(request, &(struct pvs_request_look){
	                                  .request = words->request,
	                                  .expect = words->expect,
	                                  .written_ns = words->written_ns,
	                                  .generation_echo = words->hello.generation_echo,
	                                  .task_intent = words->task_intent,
	                                  .cs_state = words->cs_state,
	                                  .pulse = words->pulse,
	                                  .generation = generation,
	                                  .ran_since_ns = ran_since_ns,
	                                  .now_ns = read_ns,
	                                  .run_ns = run_ns,
	                                  .agent = words->hello.agent_generation != 0,
	                          });
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
