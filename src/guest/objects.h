/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the carrier's object among the arguments of a QEMU, in either form:
 *
 *	-object memory-backend-memfd,id=pvsched,size=1M,share=on
 *	-object {"qom-type":"memory-backend-memfd","id":"pvsched","size":1048576}
 *
 * Other objects may be anything. A command line says what QEMU was started with; it proves nothing.
 */

#include "util/base.h"

/** Longest value that is compared, with the NUL; a longer one is "". */
#define OBJECTS_VALUE_MAX 64

/** What is taken of an object; "": not given, or too long to be compared. */
struct object {
	char type[OBJECTS_VALUE_MAX];
	char id[OBJECTS_VALUE_MAX];
	char size[OBJECTS_VALUE_MAX];
};

/** Called for each object; a value other than 0 ends the reading. */
typedef int objects_fn(const struct object *object, void *userdata);

/**
 * Calls @fn for each object among NUL-separated arguments.
 * Returns 0; what @fn returned if not 0; -ENOMEM.
 */
int objects_each(const char *cmdline, size_t size, objects_fn *fn, void *userdata);

/** Positive outcomes of objects_find_memfd(). */
enum objects_outcome {
	OBJECTS_ABSENT = 1,
	OBJECTS_AMBIGUOUS, /* there are two, which QEMU itself refuses */
};

/**
 * Finds the memory-backend-memfd with the id "pvsched" among NUL-separated arguments.
 * @ret  its size in bytes; 0 if it has none that can be parsed
 * Returns 0; an enum objects_outcome; -ENOMEM.
 */
int objects_find_memfd(const char *cmdline, size_t size, uint64_t *ret);

/**
 * Parses a size as QEMU does: bytes, or with one of the letters B, K, M, G, T, P, E for powers of
 * 1024; or hexadecimal without a letter. Fractions ("1.5M") are not understood.
 * Returns 0, or -EBADMSG.
 */
int objects_parse_size(const char *text, uint64_t *ret);
