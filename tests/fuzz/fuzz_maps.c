/* SPDX-License-Identifier: GPL-2.0-or-later */

/* /proc/PID/maps: whatever is in it, its lines are the same however it is cut into chunks. */

#include "fuzz.h"
#include "guest/maps.h"

struct digest {
	size_t n;
	uint64_t sum;
};

static int add(const struct maps_entry *entry, void *userdata)
{
	struct digest *digest = userdata;

	FUZZ_CHECK(entry->start < entry->end);
	FUZZ_CHECK(memchr(entry->path, '\0', sizeof(entry->path)));
	FUZZ_CHECK(!strchr(entry->path, '\n'));
	digest->n++;
	digest->sum = digest->sum * 31 + entry->start + entry->inode + strlen(entry->path);
	return 0;
}

static int feed_all(const char *text, size_t size, size_t step, struct digest *digest)
{
	struct maps_reader reader = MAPS_READER_NULL;

	for (size_t at = 0; at < size; at += step) {
		int r = maps_feed(&reader, text + at, MIN(step, size - at), add, digest);

		if (r != 0)
			return r;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct digest whole = {0}, pieces = {0};
	struct maps_entry entry;

	if (size == 0)
		return 0;
	maps_parse_line(text, size, &entry);
	FUZZ_CHECK(feed_all(text, size, size, &whole) ==
	           feed_all(text, size, data[0] % 64 + 1, &pieces));
	FUZZ_CHECK(whole.n == pieces.n && whole.sum == pieces.sum);
	return 0;
}
