/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where a guest-physical address may be in QEMU's memory. No file tells: so a few places are named,
 * and the caller believes one only after it has read there what the host had the guest store.
 * Nothing is searched for byte by byte.
 *
 * QEMU's RAM is one mapping, or one for each NUMA node and each DIMM. On a PC it is cut in two:
 * what does not fit below 4 GiB begins at 4 GiB. Where it is cut depends on the machine type.
 */

#include <sys/types.h>

#include "guest/maps.h"
#include "util/base.h"

/** Why the host cannot read a guest's memory: what QEMU was started with. */
enum ram_encryption {
	RAM_PLAIN = 0,
	RAM_SEV,
	RAM_SEV_SNP,
	RAM_TDX,
	RAM_CONFIDENTIAL, /* another kind of confidential-guest-support */
	_RAM_ENCRYPTION_MAX,
};

enum ram_machine {
	RAM_MACHINE_OTHER = 0,
	RAM_MACHINE_I440FX,
	RAM_MACHINE_Q35,
};

/** What a command line says of the guest's memory. All of it is a claim, and orders the places. */
struct ram_facts {
	enum ram_machine machine;
	enum ram_encryption encryption;
	uint64_t size;         /* of what the guest was started with, in bytes; 0: unknown */
	uint64_t max_below_4g; /* in bytes; 0: not given */
};

/** Reads the facts from NUL-separated arguments. Returns 0, or -ENOMEM. */
int ram_facts_of_cmdline(const char *cmdline, size_t size, struct ram_facts *ret);

/** "SEV-SNP": for people. */
const char *ram_encryption_name(enum ram_encryption encryption);

/** Mappings that are taken for RAM: the largest. */
#define RAM_AREAS_MAX 16

/** A smaller mapping holds no part of a Linux guest's RAM. */
#define RAM_AREA_MIN (16 * UINT64_C(1024) * 1024)

/** A mapping, with what follows it in the same file. */
struct ram_area {
	uint64_t start, end; /* addresses in QEMU */
	uint64_t offset;     /* of @start in the file */
	dev_t device;        /* of the file; 0 and 0: it is on none */
	ino_t inode;
};

/** Sums of the sizes of some areas: what may come before another area in the guest's RAM. */
#define RAM_SUMS_MAX 128

struct ram_sums {
	size_t n;
	uint64_t of[RAM_SUMS_MAX]; /* the first is 0 */
};

struct ram_map {
	size_t n;
	struct ram_area areas[RAM_AREAS_MAX]; /* the largest first */
	struct ram_area last;                 /* may go on; while mappings are taken */
	struct ram_sums before[RAM_AREAS_MAX];
};

#define RAM_MAP_NULL ((struct ram_map){.n = 0})

/** Takes the next mapping; a maps_fn, @map is the struct ram_map. Returns 0. */
int ram_map_take(const struct maps_entry *entry, void *map);

/** To be called when all were taken. */
void ram_map_end(struct ram_map *map);

/** The area that has the page at @address in QEMU's memory; NULL: none has. */
const struct ram_area *ram_map_area(const struct ram_map *map, uint64_t address);

/** Places that are named for a page. */
#define RAM_PLACES_MAX 64

struct ram_places {
	size_t n;
	uint64_t of[RAM_PLACES_MAX]; /* addresses in QEMU, each once, the likeliest first */
};

/** Appends the places where the page at @guest_address may be, as long as there is room. */
void ram_places_add(const struct ram_map *map, const struct ram_facts *facts,
                    uint64_t guest_address, struct ram_places *places);

/** Appends one place, if the page is in an area, and there is room. */
void ram_places_add_one(const struct ram_map *map, uint64_t address, struct ram_places *places);
