// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/help.h"

/* HELP_NONE: the sibling is no candidate. */
static enum help_round round_of(const struct help_sibling *s, uint32_t help, bool spins)
{
	if (!s->waits)
		return HELP_NONE;
	if (s->named)
		return HELP_NAMED;
	if ((help & PROFILE_HELP_IPI) && s->sent)
		return HELP_SENT;
	if (!spins)
		return HELP_NONE;
	if ((help & PROFILE_HELP_IPI) && (s->critical || s->pending))
		return HELP_PENDING;
	return help & PROFILE_HELP_RELAXED ? HELP_RELAXED : HELP_NONE;
}

/* Of two in the same round. */
static bool goes_before(const struct help_sibling *a, const struct help_sibling *b)
{
	return a->critical != b->critical ? a->critical : a->waited_ns > b->waited_ns;
}

struct help_choice help_choose(const struct help_sibling *siblings, size_t n, uint32_t help,
                               bool spins)
{
	struct help_choice best = {.round = HELP_NONE};

	for (size_t i = 0; i < n; i++) {
		enum help_round round = round_of(&siblings[i], help, spins);

		if (round > best.round || round == HELP_NONE)
			continue;
		if (round < best.round || goes_before(&siblings[i], &siblings[best.index]))
			best = (struct help_choice){round, i};
	}
	return best;
}
