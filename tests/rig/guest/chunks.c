/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chunks.h"

#include <string.h>

#define WINDOW     32         /* bytes of which the rolling hash is */
#define CUT_MASK   1023       /* one place in so many is a cut */
#define ROLL       0x01000193 /* an odd number: of FNV, as those below */
#define FNV_BASIS  0xcbf29ce484222325
#define FNV_PRIME  0x100000001b3
#define MATCH_MIN  4
#define TABLE_BITS 10
#define LITERAL    9  /* bits of a byte that is stored as it is */
#define REFERENCE  25 /* bits of a place and a length */

size_t chunk_length(const uint8_t *bytes, size_t length)
{
	size_t most = length < CHUNK_BYTES_MAX ? length : CHUNK_BYTES_MAX;
	uint32_t leaves = 1, hash = 0;

	for (int i = 0; i < WINDOW; i++)
		leaves *= ROLL;
	for (size_t i = 0; i < most; i++) {
		hash = hash * ROLL + bytes[i];
		if (i >= WINDOW)
			hash -= leaves * bytes[i - WINDOW];
		if (i + 1 >= CHUNK_BYTES_MIN && (hash >> 8 & CUT_MASK) == 0)
			return i + 1;
	}
	return most;
}

uint64_t chunk_hash(const uint8_t *bytes, size_t length)
{
	uint64_t hash = FNV_BASIS;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	return hash ? hash : 1;
}

static uint32_t four_at(const uint8_t *bytes)
{
	uint32_t four;

	memcpy(&four, bytes, sizeof(four));
	return four;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	size_t n = 0;

	while (b + n < end && a[n] == b[n])
		n++;
	return n;
}

size_t chunk_packed(const uint8_t *bytes, size_t length)
{
	uint16_t seen[1 << TABLE_BITS] = {0}; /* where such four bytes were last: place + 1 */
	size_t bits = 0, at = 0;

	while (at < length) {
		size_t n = 0;

		if (at + MATCH_MIN <= length) {
			uint32_t slot = four_at(bytes + at) * 2654435761U >> (32 - TABLE_BITS);

			if (seen[slot])
				n = match_length(bytes + seen[slot] - 1, bytes + at,
				                 bytes + length);
			seen[slot] = (uint16_t)(at + 1);
		}
		bits += n < MATCH_MIN ? LITERAL : REFERENCE;
		at += n < MATCH_MIN ? 1 : n;
	}
	return (bits + 7) / 8;
}
