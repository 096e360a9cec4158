/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the pipeline (pipeline.c) does to a block: it is cut where its contents say so, each chunk
 * has a hash by which one that came before is known, and a new one is packed.
 */

#include <stddef.h>
#include <stdint.h>

#define CHUNK_BYTES_MIN 256
#define CHUNK_BYTES_MAX 4096

/**
 * Length of the chunk with which BYTES, of LENGTH, begin: from CHUNK_BYTES_MIN to CHUNK_BYTES_MAX,
 * or all of them if they are fewer. The same contents are cut at the same place.
 */
size_t chunk_length(const uint8_t *bytes, size_t length);

/** Never 0. */
uint64_t chunk_hash(const uint8_t *bytes, size_t length);

/** How long the chunk is when what comes again in it is stored once; at most a little longer. */
size_t chunk_packed(const uint8_t *bytes, size_t length);
