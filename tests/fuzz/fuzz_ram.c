/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU's arguments and mappings, and a guest's address: the first eight bytes are the address,
 * then arguments up to two NULs, then lines of /proc/PID/maps. Whatever they are, few places are
 * named, and each is a whole page of a mapping.
 */

#include "fuzz.h"
#include "guest/ram.h"
#include "pvsched/page.h"

static void check_places(const struct ram_map *map, const struct ram_facts *facts, uint64_t address)
{
	struct ram_places places = {.n = 0};

	ram_places_add(map, facts, address, &places);
	FUZZ_CHECK(places.n <= RAM_PLACES_MAX);
	for (size_t i = 0; i < places.n; i++) {
		const struct ram_area *area = ram_map_area(map, places.of[i]);

		FUZZ_CHECK(area && places.of[i] % PVSCHED_PAGE_SIZE == 0);
		FUZZ_CHECK(area->end - places.of[i] >= PVSCHED_PAGE_SIZE);
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(places.of[k] != places.of[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 8, *end;
	static struct ram_map map;
	struct maps_reader reader = MAPS_READER_NULL;
	struct ram_facts facts;
	uint64_t address;

	if (size < 8)
		return 0;
	memcpy(&address, data, sizeof(address));
	size -= 8;
	end = memmem(text, size, "\0", 2);
	end = end ? end + 2 : text;
	FUZZ_CHECK(ram_facts_of_cmdline(text, (size_t)(end - text), &facts) == 0);
	FUZZ_CHECK(ram_encryption_name(facts.encryption));
	map = RAM_MAP_NULL;
	maps_feed(&reader, end, size - (size_t)(end - text), ram_map_take, &map);
	ram_map_end(&map);
	FUZZ_CHECK(map.n <= RAM_AREAS_MAX);
	check_places(&map, &facts, address);
	check_places(&map, &facts, address & ~UINT64_C(0xfff) & 0xffffffffffff);
	return 0;
}
