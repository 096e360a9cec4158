// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel/hello.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/frames.h"

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them: a pair-wise search would take the main thread a while for 512. */
static bool has_twice(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	for (size_t i = 1; i < n; i++)
		if (values[i] == values[i - 1])
			return true;
	return false;
}

static int check_policies(const struct channel_hello *hello, const char **why)
{
	for (uint32_t i = 0; i < hello->n_policies; i++) {
		const struct pvsched_channel_policy *p = &hello->policies[i];

		if (!frame_text_valid(p->name, sizeof(p->name)) || p->name[0] == '\0')
			return refuse(why, "the name of a policy is no text");
		if (p->reserved != 0)
			return refuse(why, "a reserved word of a policy is not zero");
		for (uint32_t k = 0; k < i; k++)
			if (memcmp(p, &hello->policies[k], sizeof(*p)) == 0)
				return refuse(why, "a policy is there twice");
	}
	return 0;
}

/* Each machine with APIC ids has one for each CPU; one without has none for any. */
static bool apic_ids_are_whole(const struct channel_hello *hello, uint64_t *ids)
{
	uint32_t none = 0;

	for (uint32_t i = 0; i < hello->n_cpus; i++) {
		ids[i] = hello->cpus[i].apic_id;
		none += ids[i] == PVSCHED_APIC_ID_NONE;
	}
	return none == hello->n_cpus || (none == 0 && !has_twice(ids, hello->n_cpus));
}

static int check_cpus(const struct channel_hello *hello, const char **why)
{
	uint64_t values[PVSCHED_CHANNEL_CPUS_MAX];

	for (uint32_t i = 0; i < hello->n_cpus; i++) {
		values[i] = hello->cpus[i].address;
		if (values[i] % PVSCHED_PAGE_SIZE != 0)
			return refuse(why, "the address of a page is not a multiple of 4096");
		if (values[i] >> CHANNEL_ADDRESS_BITS)
			return refuse(why, "the address of a page is beyond all memory");
	}
	if (has_twice(values, hello->n_cpus))
		return refuse(why, "two CPUs have one page");
	for (uint32_t i = 0; i < hello->n_cpus; i++)
		values[i] = hello->cpus[i].cpu_index;
	if (has_twice(values, hello->n_cpus))
		return refuse(why, "a CPU is there twice");
	if (!apic_ids_are_whole(hello, values))
		return refuse(why, "an APIC id is there twice, or is missing");
	return 0;
}

/* The words of the frame that stand alone. */
static int check_words(const struct pvsched_channel_hello *words, size_t size, const char **why)
{
	if (words->n_policies < 1 || words->n_policies > PVSCHED_CHANNEL_POLICIES_MAX)
		return refuse(why, "the number of policies is not 1 to 8");
	if (words->n_cpus < 1 || words->n_cpus > PVSCHED_CHANNEL_CPUS_MAX)
		return refuse(why, "the number of CPUs is not 1 to 512");
	if (frame_hello_size(words) != size)
		return refuse(why, "its size is not that of its lists");
	if (words->agent_generation == 0)
		return refuse(why, "the agent's generation is 0");
	if (words->cs_unavailable & ~PVSCHED_CS_ALL)
		return refuse(why, "cs_unavailable has unknown bits");
	if (words->reserved[0] || words->reserved[1])
		return refuse(why, "a reserved word is not zero");
	if (!frame_text_valid(words->agent_version, sizeof(words->agent_version)) ||
	    !frame_text_valid(words->kernel, sizeof(words->kernel)))
		return refuse(why, "a version is no text");
	return 0;
}

static bool has_head(const void *frame, size_t size, enum pvsched_channel_type type, size_t least)
{
	struct pvsched_channel_head head = frame_head(type, size);

	return size >= least && size <= PVSCHED_CHANNEL_SIZE_MAX &&
	       memcmp(frame, &head, sizeof(head)) == 0;
}

int channel_hello_parse(const void *frame, size_t size, struct channel_hello **ret,
                        const char **why)
{
	CLEANUP(cleanup_free) struct channel_hello *hello = NULL;
	struct pvsched_channel_hello words;
	const char *lists = (const char *)frame + sizeof(words);
	size_t policies_size, cpus_size;
	int r;

	if (!has_head(frame, size, PVSCHED_CHANNEL_HELLO, sizeof(words)))
		return refuse(why, "it is no hello of version 1");
	memcpy(&words, frame, sizeof(words));
	r = check_words(&words, size, why);
	if (r < 0)
		return r;
	policies_size = words.n_policies * sizeof(hello->policies[0]);
	cpus_size = words.n_cpus * sizeof(hello->cpus[0]);
	hello = calloc(1, sizeof(*hello) + cpus_size);
	if (!hello)
		return -ENOMEM;
	hello->abi_version = words.abi_version;
	hello->agent_generation = words.agent_generation;
	hello->cs_unavailable = words.cs_unavailable;
	memcpy(hello->agent_version, words.agent_version, sizeof(hello->agent_version));
	memcpy(hello->kernel, words.kernel, sizeof(hello->kernel));
	hello->n_policies = words.n_policies;
	memcpy(hello->policies, lists, policies_size);
	hello->n_cpus = words.n_cpus;
	memcpy(hello->cpus, lists + policies_size, cpus_size);
	r = check_policies(hello, why);
	if (r == 0)
		r = check_cpus(hello, why);
	if (r == 0)
		*ret = STEAL(hello, NULL);
	return r;
}

int channel_stored_parse(const void *frame, size_t size, uint64_t *nonce, const char **why)
{
	struct pvsched_channel_stored stored;

	if (size != sizeof(stored) ||
	    !has_head(frame, size, PVSCHED_CHANNEL_STORED, sizeof(stored)))
		return refuse(why, "it is no frame STORED of version 1");
	memcpy(&stored, frame, sizeof(stored));
	*nonce = stored.nonce;
	return 0;
}
