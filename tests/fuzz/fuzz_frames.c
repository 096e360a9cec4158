/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of the channel, as the host and as a guest collect it, in pieces of all sizes. Whatever
 * the bytes are, a frame that is taken lies within what arrived, and is as long as its lists.
 */
#include <errno.h>

#include "util/frames.h"

#include "fuzz.h"

static struct frames frames;

static void check_frame(const struct pvsched_channel_head *head, uint32_t accepts)
{
	const uint8_t *bytes = (const uint8_t *)head;

	FUZZ_CHECK(bytes >= frames.bytes && bytes + head->size <= frames.bytes + frames.used);
	FUZZ_CHECK(head->size >= sizeof(*head) && (uintptr_t)bytes % 8 == 0);
	FUZZ_CHECK(accepts & FRAMES_OF(head->type));
	if (head->type == PVSCHED_CHANNEL_HELLO)
		FUZZ_CHECK(frame_hello_size((const void *)head) == head->size);
	if (head->type == PVSCHED_CHANNEL_STATE)
		FUZZ_CHECK(frame_state_size((const void *)head) == head->size);
}

static void feed(const uint8_t *data, size_t size, uint32_t accepts, size_t piece)
{
	int r = 0;

	frames_init(&frames, accepts);
	while (size && r >= 0) {
		const struct pvsched_channel_head *head;
		size_t room, n;
		void *space = frames_space(&frames, &room);

		FUZZ_CHECK(room > 0);
		n = MIN(MIN(size, piece), room);
		memcpy(space, data, n);
		frames_added(&frames, n);
		data += n;
		size -= n;
		while ((r = frames_next(&frames, &head)) > 0)
			check_frame(head, accepts);
		FUZZ_CHECK(r == 0 || r == -EBADMSG);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] + 1 : 1;

	feed(data, size, FRAMES_OF_GUEST, PVSCHED_CHANNEL_SIZE_MAX);
	feed(data, size, FRAMES_OF_GUEST, piece);
	feed(data, size, FRAMES_OF_HOST, PVSCHED_CHANNEL_SIZE_MAX);
	feed(data, size, FRAMES_OF_HOST, piece);
	return 0;
}
