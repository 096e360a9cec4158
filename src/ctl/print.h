/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

/** Prints a text from outside, escaped. Nothing when out of memory. */
void print_escaped(FILE *out, const char *text);
