// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/frames.h"

#include <errno.h>
#include <string.h>

/* Bytes that a frame of each type has at least and at most. */
static const struct {
	uint32_t min, max;
} sizes[] = {
        [PVSCHED_CHANNEL_HELLO] =
                {
                        sizeof(struct pvsched_channel_hello) +
                                sizeof(struct pvsched_channel_policy) +
                                sizeof(struct pvsched_channel_cpu),
                        sizeof(struct pvsched_channel_hello) +
                                PVSCHED_CHANNEL_POLICIES_MAX *
                                        sizeof(struct pvsched_channel_policy) +
                                PVSCHED_CHANNEL_CPUS_MAX * sizeof(struct pvsched_channel_cpu),
                },
        [PVSCHED_CHANNEL_CHALLENGE] = {sizeof(struct pvsched_channel_challenge),
                                       sizeof(struct pvsched_channel_challenge)},
        [PVSCHED_CHANNEL_STORED] = {sizeof(struct pvsched_channel_stored),
                                    sizeof(struct pvsched_channel_stored)},
        [PVSCHED_CHANNEL_ANSWER] = {sizeof(struct pvsched_channel_answer),
                                    sizeof(struct pvsched_channel_answer)},
        [PVSCHED_CHANNEL_STATE] = {sizeof(struct pvsched_channel_state),
                                   sizeof(struct pvsched_channel_state) +
                                           PVSCHED_CHANNEL_CPUS_MAX *
                                                   sizeof(struct pvsched_channel_vcpu)},
};

PVSCHED_ASSERT(sizeof(struct pvsched_channel_state) +
                               PVSCHED_CHANNEL_CPUS_MAX * sizeof(struct pvsched_channel_vcpu) <=
                       PVSCHED_CHANNEL_SIZE_MAX,
               "a frame fits into what collects it");

void frames_init(struct frames *frames, uint32_t accepts)
{
	frames->accepts = accepts;
	frames->taken = frames->used = 0;
}

void *frames_space(struct frames *frames, size_t *room)
{
	if (frames->taken) {
		frames->used -= frames->taken;
		memmove(frames->bytes, frames->bytes + frames->taken, frames->used);
		frames->taken = 0;
	}
	*room = sizeof(frames->bytes) - frames->used;
	return frames->bytes + frames->used;
}

void frames_added(struct frames *frames, size_t size)
{
	frames->used += MIN(size, sizeof(frames->bytes) - frames->used);
}

static bool head_valid(const struct pvsched_channel_head *head, uint32_t accepts)
{
	return head->magic == PVSCHED_CHANNEL_MAGIC && head->version == PVSCHED_CHANNEL_VERSION &&
	       head->reserved == 0 && head->type < ARRAY_SIZE(sizes) &&
	       (accepts & FRAMES_OF(head->type)) && head->size >= sizes[head->type].min &&
	       head->size <= sizes[head->type].max && head->size % 8 == 0;
}

/* Lists are as long as their counters say; the counters are small enough not to overflow. */
static bool lists_valid(const struct pvsched_channel_head *head)
{
	const void *frame = head;

	if (head->type == PVSCHED_CHANNEL_HELLO) {
		const struct pvsched_channel_hello *hello = frame;

		return hello->n_policies >= 1 && hello->n_cpus >= 1 &&
		       hello->n_policies <= PVSCHED_CHANNEL_POLICIES_MAX &&
		       hello->n_cpus <= PVSCHED_CHANNEL_CPUS_MAX &&
		       head->size == frame_hello_size(hello);
	}
	if (head->type == PVSCHED_CHANNEL_STATE) {
		const struct pvsched_channel_state *state = frame;

		return state->n_vcpus <= PVSCHED_CHANNEL_CPUS_MAX &&
		       head->size == frame_state_size(state);
	}
	return true;
}

int frames_next(struct frames *frames, const struct pvsched_channel_head **ret)
{
	const void *at = frames->bytes + frames->taken;
	const struct pvsched_channel_head *head = at;
	size_t left = frames->used - frames->taken;

	if (left < sizeof(*head))
		return 0;
	if (!head_valid(head, frames->accepts))
		return -EBADMSG;
	if (left < head->size)
		return 0;
	if (!lists_valid(head))
		return -EBADMSG;
	frames->taken += head->size;
	*ret = head;
	return 1;
}

struct pvsched_channel_head frame_head(enum pvsched_channel_type type, size_t size)
{
	return (struct pvsched_channel_head){
	        .magic = PVSCHED_CHANNEL_MAGIC,
	        .version = PVSCHED_CHANNEL_VERSION,
	        .type = (uint16_t)type,
	        .size = (uint32_t)size,
	};
}

size_t frame_hello_size(const struct pvsched_channel_hello *hello)
{
	return sizeof(*hello) + hello->n_policies * sizeof(struct pvsched_channel_policy) +
	       hello->n_cpus * sizeof(struct pvsched_channel_cpu);
}

size_t frame_state_size(const struct pvsched_channel_state *state)
{
	return sizeof(*state) + state->n_vcpus * sizeof(struct pvsched_channel_vcpu);
}

bool frame_text_valid(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	if (length == size)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	for (size_t i = length; i < size; i++) {
		if (text[i])
			return false;
	}
	return true;
}
