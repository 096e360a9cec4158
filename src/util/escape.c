/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/escape.h"

#include <string.h>

/** Returns the code point of a valid sequence of @length bytes. */
static uint32_t utf8_decode(const unsigned char *b, size_t length)
{
	static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = b[0] & lead_mask[length];

	for (size_t i = 1; i < length; i++)
		code = code << 6 | (b[i] & 0x3f);
	return code;
}

size_t utf8_sequence(const char *text, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)text;
	size_t length;
	uint32_t code;

	if (size == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	code = utf8_decode(b, length);
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

bool utf8_valid(const char *text, size_t size)
{
	while (size > 0) {
		size_t length = utf8_sequence(text, size);

		if (length == 0)
			return false;
		text += length;
		size -= length;
	}
	return true;
}

size_t utf8_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += (*text & 0xc0) != 0x80;
	return length;
}

/**
 * True for characters that a terminal obeys and does not show. Bidirectional ones would let a name
 * rewrite its own line.
 */
static bool is_unprintable(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

size_t escape_text(const char *text, char *out, size_t out_size)
{
	static const char digits[] = "0123456789abcdef";
	size_t left = strlen(text), used = 0;

	if (out_size == 0)
		return 0;
	while (left > 0) {
		const unsigned char *b = (const unsigned char *)text;
		size_t length = utf8_sequence(text, left);
		bool plain = length > 0 && !is_unprintable(utf8_decode(b, length));
		size_t step = length > 0 ? length : 1;
		size_t needed = plain ? step : 4 * step;

		if (used + needed >= out_size)
			break;
		if (plain) {
			memcpy(out + used, text, step);
			used += step;
		}
		for (size_t i = 0; !plain && i < step; i++) {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = digits[b[i] >> 4];
			out[used++] = digits[b[i] & 15];
		}
		text += step;
		left -= step;
	}
	out[used] = '\0';
	return used;
}
