/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/word_args.h"

#include <string.h>

#include "util/escape.h"

#define DOMAIN_BYTES_MAX  255
#define PROFILE_BYTES_MAX 31
#define POLICY_BYTES_MAX  47
#define VCPUS_BYTES_MAX   1000

static bool is_text(const char *text, size_t max)
{
	size_t length = strlen(text);

	return length > 0 && length <= max && utf8_valid(text, length);
}

static bool is_list_or_word(const char *text)
{
	return strcmp(text, "auto") == 0 || strcmp(text, "none") == 0 ||
	       strcmp(text, "profile") == 0 ||
	       (is_text(text, VCPUS_BYTES_MAX) && text[strspn(text, "0123456789,-")] == '\0');
}

const char *word_args_check(enum ctl_word word, const char *text)
{
	switch (word) {
	case CTL_WORD_PROFILE:
		return is_text(text, PROFILE_BYTES_MAX)
		               ? NULL
		               : "the name of a profile must be 1 to 31 bytes of valid UTF-8";
	case CTL_WORD_POLICY:
		return is_text(text, POLICY_BYTES_MAX)
		               ? NULL
		               : "the name of a policy must be 1 to 47 bytes of valid UTF-8";
	case CTL_WORD_VCPUS:
		return is_list_or_word(text) ? NULL
		                             : "which vCPUs? A list such as 2-3, \"none\", "
		                               "\"auto\" or \"profile\"";
	case CTL_WORD_NONE:
	case CTL_WORD_DOMAIN:
	case CTL_WORD_DEFINED:
	case CTL_WORD_SET:
		break;
	}
	return is_text(text, DOMAIN_BYTES_MAX)
	               ? NULL
	               : "the name of a domain must be 1 to 255 bytes of valid UTF-8";
}

const char *word_args_lacks(enum ctl_word word)
{
	switch (word) {
	case CTL_WORD_PROFILE:
		return "which profile? off, observe, interactive, latency, auto, throughput, or "
		       "one of the "
		       "configuration";
	case CTL_WORD_POLICY:
		return "which policy? \"pvschedctl policies\" shows them";
	case CTL_WORD_VCPUS:
		return "which vCPUs? A list such as 2-3, \"none\", \"auto\" or \"profile\"";
	case CTL_WORD_NONE:
	case CTL_WORD_DOMAIN:
	case CTL_WORD_DEFINED:
	case CTL_WORD_SET:
		break;
	}
	return "which domain? \"pvschedctl list\" shows them";
}
