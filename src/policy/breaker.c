// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/breaker.h"

#include <string.h>

static unsigned int recent(const uint64_t *times_ns, size_t n, uint64_t now_ns)
{
	unsigned int count = 0;

	for (size_t i = 0; i < n; i++)
		count += times_ns[i] && now_ns - times_ns[i] < BREAKER_WINDOW_NS;
	return count;
}

static void push(uint64_t *times_ns, size_t n, uint64_t now_ns)
{
	memmove(&times_ns[1], &times_ns[0], sizeof(*times_ns) * (n - 1));
	times_ns[0] = now_ns;
}

static bool open_now(struct breaker *breaker, uint64_t now_ns)
{
	if (breaker->state == BREAKER_OPEN)
		return false;
	breaker->state = BREAKER_OPEN;
	breaker->since_ns = now_ns;
	breaker->opened++;
	return true;
}

bool breaker_count_end(struct breaker *breaker, uint64_t now_ns)
{
	push(breaker->ends_ns, BREAKER_ENDS, now_ns);
	return (breaker->state == BREAKER_HALF_OPEN ||
	        breaker_recent_ends(breaker, now_ns) == BREAKER_ENDS) &&
	       open_now(breaker, now_ns);
}

bool breaker_count_act(struct breaker *breaker, uint64_t now_ns)
{
	push(breaker->acts_ns, BREAKER_ACTS, now_ns);
	return breaker_recent_acts(breaker, now_ns) == BREAKER_ACTS && open_now(breaker, now_ns);
}

uint64_t breaker_next_ns(const struct breaker *breaker)
{
	uint32_t doublings;

	switch (breaker->state) {
	case BREAKER_CLOSED:
		return NSEC_NEVER;
	case BREAKER_HALF_OPEN:
		return breaker->since_ns + BREAKER_WINDOW_NS;
	case BREAKER_OPEN:
		break;
	}
	doublings = breaker->opened ? breaker->opened - 1 : 0;
	return breaker->since_ns + (BREAKER_WINDOW_NS << MIN(doublings, BREAKER_DOUBLINGS_MAX));
}

/* What was counted before is not counted against the next attempt. */
bool breaker_look(struct breaker *breaker, uint64_t now_ns)
{
	uint32_t opened = breaker->opened;

	if (now_ns < breaker_next_ns(breaker))
		return false;
	if (breaker->state == BREAKER_OPEN)
		*breaker = (struct breaker){
		        .state = BREAKER_HALF_OPEN, .since_ns = now_ns, .opened = opened};
	else
		*breaker = (struct breaker){.state = BREAKER_CLOSED, .since_ns = now_ns};
	return true;
}

unsigned int breaker_minutes_left(const struct breaker *breaker, uint64_t now_ns)
{
	uint64_t next_ns = breaker_next_ns(breaker);

	if (next_ns == NSEC_NEVER || next_ns < now_ns)
		return 0;
	return (unsigned int)((next_ns - now_ns + 60 * NSEC_PER_SEC - 1) / NSEC_PER_SEC / 60);
}

unsigned int breaker_recent_ends(const struct breaker *breaker, uint64_t now_ns)
{
	return recent(breaker->ends_ns, BREAKER_ENDS, now_ns);
}

unsigned int breaker_recent_acts(const struct breaker *breaker, uint64_t now_ns)
{
	return recent(breaker->acts_ns, BREAKER_ACTS, now_ns);
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = {
	        [BREAKER_CLOSED] = "closed",
	        [BREAKER_OPEN] = "open",
	        [BREAKER_HALF_OPEN] = "half-open",
	};

	return names[state];
}
