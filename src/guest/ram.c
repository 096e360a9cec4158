// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/objects.h"
#include "model/topology.h"
#include "pvsched/page.h"
#include "util/procfs_parse.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* Above all that a machine may have, and far from the end of 64 bits. */
#define ADDRESS_MAX (UINT64_C(1) << 56)

/* ---- the command line ---- */

static const char *const encryption_names[_RAM_ENCRYPTION_MAX] = {
        [RAM_PLAIN] = "none",
        [RAM_SEV] = "SEV",
        [RAM_SEV_SNP] = "SEV-SNP",
        [RAM_TDX] = "TDX",
        [RAM_CONFIDENTIAL] = "confidential-guest-support",
};

const char *ram_encryption_name(enum ram_encryption encryption)
{
	return encryption < _RAM_ENCRYPTION_MAX ? encryption_names[encryption] : "?";
}

static int note_object(const struct object *object, void *userdata)
{
	struct ram_facts *facts = userdata;

	if (strcmp(object->type, "sev-guest") == 0)
		facts->encryption = RAM_SEV;
	else if (strcmp(object->type, "sev-snp-guest") == 0)
		facts->encryption = RAM_SEV_SNP;
	else if (strcmp(object->type, "tdx-guest") == 0)
		facts->encryption = RAM_TDX;
	return 0;
}

/* Longest value that is read, with the NUL. */
#define VALUE_MAX 32

/*
 * The last value of @key in "first,key=value,key=value"; @implied: the first pair may have no key,
 * and is this one's. Returns false if there is none, or if it is longer than any that has a
 * meaning.
 */
static bool option_value(const char *text, const char *key, bool implied,
                         char ret[static VALUE_MAX])
{
	bool found = false;

	for (bool first = true; *text; first = false) {
		size_t name = strcspn(text, ",="), length;
		bool named = text[name] == '=';
		const char *value = named ? text + name + 1 : text;

		length = strcspn(value, ",");
		if (named ? name == strlen(key) && memcmp(text, key, name) == 0
		          : first && implied) {
			found = length < VALUE_MAX;
			snprintf(ret, VALUE_MAX, "%.*s", found ? (int)length : 0, value);
		}
		text = value + length;
		if (*text)
			text++;
	}
	return found;
}

/* Of "-m 2048" the unit is MiB. */
static void read_memory(const char *text, struct ram_facts *facts)
{
	char value[VALUE_MAX];
	uint64_t size;

	if (!option_value(text, "size", true, value))
		return;
	facts->size = 0;
	if (objects_parse_size(value, &size) < 0)
		return;
	if (value[strspn(value, "0123456789")] == '\0' && __builtin_mul_overflow(size, MIB, &size))
		return;
	facts->size = size < ADDRESS_MAX ? size : 0;
}

static bool begins(const char *text, size_t length, const char *with)
{
	return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static enum ram_machine machine_of(const char *type, size_t length)
{
	if (begins(type, length, "pc-q35") || (length == 3 && begins(type, length, "q35")))
		return RAM_MACHINE_Q35;
	if (begins(type, length, "pc-i440fx") || (length == 2 && begins(type, length, "pc")))
		return RAM_MACHINE_I440FX;
	return RAM_MACHINE_OTHER;
}

static void read_machine(const char *text, struct ram_facts *facts)
{
	char value[VALUE_MAX];
	size_t length;
	const char *type = topology_machine_type(text, &length);

	if (type)
		facts->machine = machine_of(type, length);
	if (option_value(text, "max-ram-below-4g", false, value) &&
	    objects_parse_size(value, &facts->max_below_4g) < 0)
		facts->max_below_4g = 0;
	if (strstr(text, "confidential-guest-support=") || strstr(text, "memory-encryption="))
		facts->encryption = RAM_CONFIDENTIAL;
}

int ram_facts_of_cmdline(const char *cmdline, size_t size, struct ram_facts *ret)
{
	const char *at = cmdline, *end = cmdline + size, *option, *value;

	/* QEMU's default; libvirt and Proxmox always say which */
	*ret = (struct ram_facts){.machine = RAM_MACHINE_I440FX};
	while ((option = procfs_next_argument(&at, end))) {
		bool memory = procfs_is_option(option, "m");

		if (!memory && !procfs_is_option(option, "machine") &&
		    !procfs_is_option(option, "M"))
			continue;
		value = procfs_next_argument(&at, end);
		if (!value)
			break;
		if (memory)
			read_memory(value, ret);
		else
			read_machine(value, ret);
	}
	/* an object says more than the option that names it */
	return objects_each(cmdline, size, note_object, ret);
}

/* ---- mappings ---- */

static uint64_t area_size(const struct ram_area *area)
{
	return area->end - area->start;
}

/* The largest stay. */
static void keep_area(struct ram_map *map, const struct ram_area *area)
{
	size_t at = map->n;

	if (area_size(area) < RAM_AREA_MIN)
		return;
	while (at > 0 && area_size(&map->areas[at - 1]) < area_size(area))
		at--;
	if (at == RAM_AREAS_MAX)
		return;
	if (map->n == RAM_AREAS_MAX)
		map->n--;
	memmove(&map->areas[at + 1], &map->areas[at], (map->n - at) * sizeof(*map->areas));
	map->areas[at] = *area;
	map->n++;
}

/* A file that is mapped in pieces; of memory on no file, two pieces may be two blocks. */
static bool continues(const struct ram_area *last, const struct maps_entry *entry)
{
	return last->inode && last->inode == entry->inode && last->device == entry->device &&
	       last->end == entry->start && last->offset + area_size(last) == entry->offset;
}

int ram_map_take(const struct maps_entry *entry, void *userdata)
{
	struct ram_map *map = userdata;

	/* a device's registers are no RAM, and some act when they are read */
	if (!entry->data || entry->end > ADDRESS_MAX || entry->start % PVSCHED_PAGE_SIZE ||
	    strncmp(entry->path, "anon_inode:", strlen("anon_inode:")) == 0 ||
	    strncmp(entry->path, "/dev/vfio/", strlen("/dev/vfio/")) == 0)
		return 0;
	if (continues(&map->last, entry)) {
		map->last.end = entry->end;
		return 0;
	}
	keep_area(map, &map->last);
	map->last = (struct ram_area){.start = entry->start,
	                              .end = entry->end,
	                              .offset = entry->offset,
	                              .device = entry->device,
	                              .inode = entry->inode};
	return 0;
}

static void add_sum(struct ram_sums *sums, uint64_t sum)
{
	for (size_t i = 0; i < sums->n; i++)
		if (sums->of[i] == sum)
			return;
	if (sums->n < RAM_SUMS_MAX)
		sums->of[sums->n++] = sum;
}

/* All areas but one, in any choice: their order in the guest's RAM is not known. */
static void sum_others(struct ram_map *map, size_t one)
{
	struct ram_sums *sums = &map->before[one];

	sums->n = 1;
	sums->of[0] = 0;
	for (size_t i = 0; i < map->n; i++) {
		size_t n = sums->n;

		for (size_t k = 0; i != one && k < n; k++)
			add_sum(sums, sums->of[k] + area_size(&map->areas[i]));
	}
}

void ram_map_end(struct ram_map *map)
{
	keep_area(map, &map->last);
	map->last = (struct ram_area){.start = 0};
	for (size_t i = 0; i < map->n; i++)
		sum_others(map, i);
}

const struct ram_area *ram_map_area(const struct ram_map *map, uint64_t address)
{
	for (size_t i = 0; i < map->n; i++)
		if (address >= map->areas[i].start && address < map->areas[i].end &&
		    map->areas[i].end - address >= PVSCHED_PAGE_SIZE)
			return &map->areas[i];
	return NULL;
}

/* ---- places ---- */

void ram_places_add_one(const struct ram_map *map, uint64_t address, struct ram_places *places)
{
	if (places->n == RAM_PLACES_MAX || !ram_map_area(map, address))
		return;
	for (size_t i = 0; i < places->n; i++)
		if (places->of[i] == address)
			return;
	places->of[places->n++] = address;
}

static void add_in(const struct ram_map *map, size_t area, uint64_t offset, uint64_t before,
                   struct ram_places *places)
{
	const struct ram_area *a = &map->areas[area];

	if (offset >= before && offset - before < area_size(a))
		ram_places_add_one(map, a->start + (offset - before), places);
}

/* The page is @offset bytes into what one area is, or several in a row. */
static void add_at(const struct ram_map *map, uint64_t offset, struct ram_places *places)
{
	for (size_t i = 0; i < map->n; i++)
		add_in(map, i, offset, 0, places);
	for (size_t i = 0; i < map->n; i++)
		for (size_t k = 1; k < map->before[i].n; k++)
			add_in(map, i, offset, map->before[i].of[k], places);
}

/*
 * DIMMs begin where the RAM ends, at the next GiB, and each follows another. One that was unplugged
 * leaves a gap, which is as large as its neighbours where all have one size.
 */
static void add_dimms(const struct ram_map *map, uint64_t begin, uint64_t guest_address,
                      struct ram_places *places)
{
	uint64_t offset;

	if (guest_address < begin)
		return;
	offset = guest_address - begin;
	add_at(map, offset, places);
	for (size_t i = 0; i < map->n; i++)
		add_in(map, i, offset % area_size(&map->areas[i]), 0, places);
}

/* As in QEMU's hw/i386/pc_piix.c: how much is below 4 GiB, if the RAM is not smaller. */
static uint64_t i440fx_low(const struct ram_facts *facts)
{
	uint64_t low = facts->max_below_4g ? facts->max_below_4g : 7 * GIB / 2;

	return facts->size >= low && low > 3 * GIB ? 3 * GIB : low;
}

/* As in hw/i386/pc_q35.c. */
static uint64_t q35_low(const struct ram_facts *facts)
{
	uint64_t low = facts->size >= 11 * GIB / 4 ? 2 * GIB : 11 * GIB / 4;

	return facts->max_below_4g && facts->max_below_4g < low ? facts->max_below_4g : low;
}

/* Where the RAM may be cut, the likeliest first. */
static size_t list_cuts(const struct ram_facts *facts, uint64_t ret[static 7])
{
	size_t n = 0;

	if (facts->machine == RAM_MACHINE_Q35)
		ret[n++] = q35_low(facts);
	else
		ret[n++] = i440fx_low(facts);
	if (facts->max_below_4g && facts->max_below_4g <= 4 * GIB)
		ret[n++] = facts->max_below_4g;
	if (facts->machine != RAM_MACHINE_Q35) {
		ret[n++] = 3 * GIB;
		ret[n++] = 7 * GIB / 2;
	}
	if (facts->machine != RAM_MACHINE_I440FX) {
		ret[n++] = 2 * GIB;
		ret[n++] = 11 * GIB / 4;
	}
	return n;
}

/* @high: where what does not fit below 4 GiB begins. */
static void add_above(const struct ram_map *map, const struct ram_facts *facts, uint64_t high,
                      uint64_t cut, uint64_t guest_address, struct ram_places *places)
{
	uint64_t above = facts->size > cut ? facts->size - cut : 0;

	if (guest_address < high)
		return;
	add_at(map, guest_address - high + cut, places);
	if (facts->size)
		add_dimms(map, (high + above + GIB - 1) / GIB * GIB, guest_address, places);
}

void ram_places_add(const struct ram_map *map, const struct ram_facts *facts,
                    uint64_t guest_address, struct ram_places *places)
{
	uint64_t cuts[7];
	size_t n = list_cuts(facts, cuts);

	if (guest_address >= ADDRESS_MAX || guest_address % PVSCHED_PAGE_SIZE)
		return;
	if (guest_address < 4 * GIB) {
		add_at(map, guest_address, places);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		add_above(map, facts, 4 * GIB, cuts[i], guest_address, places);
		/* very large guests on AMD, since QEMU 7.1: below 1 TiB is a hole of HyperTransport
		 */
		if (guest_address >= TIB)
			add_above(map, facts, TIB, cuts[i], guest_address, places);
	}
}
