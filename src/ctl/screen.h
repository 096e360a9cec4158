/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A terminal that shows a text that changes. The text of before is there again afterwards, whatever
 * ends the program but SIGKILL: a signal that would end it first restores the terminal. There is
 * one terminal, so there is one screen.
 */

#include "util/base.h"

enum screen_key {
	SCREEN_KEY_NONE, /* the time is over, or the window has another size */
	SCREEN_KEY_UP,
	SCREEN_KEY_DOWN,
	SCREEN_KEY_ENTER,
	SCREEN_KEY_BACK, /* escape, or backspace */
	SCREEN_KEY_END,  /* the input is closed */
	/* others are themselves: printable characters */
	SCREEN_KEY_FIRST = ' ',
};

/** Returns 0, or -errno: -ENOTTY if input or output is no terminal. */
int screen_open(void);

/** Also if it is not open. */
void screen_close(void);

/** How many lines fit, and how many characters into each. */
unsigned int screen_lines(void);
unsigned int screen_columns(void);

/** Shows @text, cut to the window, with the line @marked (from 0; -1: none) in inverse. */
void screen_show(const char *text, int marked);

/** The next key, or NONE after @timeout_ms. */
int screen_key(int timeout_ms);
