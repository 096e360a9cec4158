// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/canary.h"

static enum canary_verdict ask(struct canary_watch *watch, int cpu, uint64_t elevated_ns,
                               uint64_t now_ns)
{
	*watch = (struct canary_watch){cpu, now_ns, elevated_ns};
	return CANARY_ASK;
}

enum canary_verdict canary_consumed(struct canary_watch *watch, int cpu, uint64_t elevated_ns,
                                    bool ran, uint64_t now_ns)
{
	uint64_t waited_ns = now_ns - watch->since_ns;
	/* less than before: it was read while the CPU was charged for another's run */
	uint64_t by_us_ns = elevated_ns > watch->elevated_ns ? elevated_ns - watch->elevated_ns : 0;

	if (watch->cpu < 0 || ran)
		return ask(watch, cpu, elevated_ns, now_ns);
	if (waited_ns < CANARY_WAIT_NS)
		return CANARY_FINE;
	if (watch->cpu != cpu)
		return ask(watch, cpu, elevated_ns, now_ns); /* nobody is elevated there any more */
	if (by_us_ns < waited_ns * CANARY_SHARE_PERMILLE / 1000) {
		/* by others; it still waits */
		watch->since_ns = now_ns;
		watch->elevated_ns = elevated_ns;
		return CANARY_FINE;
	}
	*watch = CANARY_WATCH_INIT;
	return CANARY_STARVES;
}
