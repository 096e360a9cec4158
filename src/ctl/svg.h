/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Drawings of how long vCPUs wait, as SVG: the part of the waits that was longer than a time, both
 * axes logarithmic, from 1 us to 10 s and from all waits to one of 100,000. The text is a whole XML
 * document, whatever names are in it.
 */

#include <stdint.h>
#include <stdio.h>

/** One distribution. */
struct svg_curve {
	const char *name, *color, *dash; /* the name is its class; an empty dash: a whole line */
	int64_t n;                       /* waits; 0: it is not drawn */
	int64_t longer;                  /* of these; written by the functions below */
};

/**
 * Creates or empties the file @path. No link is followed: root may write to a folder that others
 * can write to, too. Returns NULL with errno set.
 */
FILE *svg_open(const char *path);

/** Closes it. Returns 0, or -errno if not all of it was written. */
int svg_close(FILE *out);

/** The drawing, up to its axes. @title may be from outside. */
void svg_begin(const char *title, FILE *out);
void svg_end(FILE *out);

/** A curve: each step says how many waits were below @below_us, and not below the step before. */
void svg_curve_begin(struct svg_curve *curve, FILE *out);
void svg_curve_step(struct svg_curve *curve, int64_t below_us, int64_t count, FILE *out);
void svg_curve_end(const struct svg_curve *curve, FILE *out);

/** Says what a curve is, in the line @line below the axes, of which there are two. */
void svg_legend(const struct svg_curve *curve, unsigned int line, const char *text, FILE *out);
