// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/avoid_requests.h"

#include <errno.h>
#include <string.h>

#include "util/cpulist.h"
#include "util/log.h"

/* A list of vCPUs is written as one of CPUs. */
static int parse_these(const struct inventory_domain *d, const char *text,
                       uint64_t these[AVOID_WORDS], struct answer *answer)
{
	struct cpu_set_bits set;
	size_t n = 0;

	if (cpulist_parse(text, &set) < 0 || cpu_set_bits_empty(&set))
		return answer_no(answer, -EINVAL,
		                 "\"%s\" is neither a list of vCPUs, such as 2-3, nor one of: "
		                 "auto, none, profile",
		                 text);
	if (cpu_set_bits_has(&set, 0))
		return answer_no(answer, -EINVAL,
		                 "vCPU 0 can't be avoided: each guest needs its first CPU");
	for (size_t i = 0; i < d->n_vcpus; i++)
		n += cpu_set_bits_has(&set, d->vcpus[i].thread.index);
	if (n != cpu_set_bits_count(&set))
		return answer_no(answer, -EINVAL, "the domain has not all of the vCPUs %s", text);
	memcpy(these, set.words, AVOID_WORDS * sizeof(these[0]));
	return 0;
}

static bool has_page(const struct inventory_domain *d, const struct views *views)
{
	struct booster_vcpu vcpu;

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].slot != SLOT_NONE &&
		    booster_read(views->booster, d->vcpus[i].slot, &vcpu) == 0 && vcpu.page.present)
			return true;
	return false;
}

int avoid_request(struct requests *requests, const struct inventory_domain *domain,
                  const struct control_request *request, struct answer *answer)
{
	const char *hears = has_page(domain, requests->views)
	                            ? ""
	                            : ", once it has an agent or guest pages: see "
	                              "pvsched-agent(8) and `pvschedctl attach`";
	enum avoid_mode mode = AVOID_THESE;
	uint64_t these[AVOID_WORDS] = {0};
	int r = 0;

	for (unsigned int i = 0; i < AVOID_THESE; i++)
		if (strcmp(request->vcpus, avoid_mode_name(i)) == 0)
			mode = (enum avoid_mode)i;
	if (mode == AVOID_THESE)
		r = parse_these(domain, request->vcpus, these, answer);
	if (r < 0)
		return r;
	avoid_set(requests->views->avoid, domain, mode, these);
	log_info("domain \"%s\": vCPUs to avoid, by command: %s", domain->seen->name,
	         request->vcpus);
	switch (mode) {
	case AVOID_BY_PROFILE:
		return answer_sentence(answer, "its profile says what the guest is to avoid");
	case AVOID_AUTO:
		return answer_sentence(answer,
		                       "while it waits for CPUs, the guest is told which of its "
		                       "vCPUs to avoid%s",
		                       hears);
	case AVOID_NONE:
		return answer_sentence(answer, "the guest is to avoid none of its vCPUs");
	case AVOID_THESE:
	case _AVOID_MODE_MAX:
		break;
	}
	return answer_sentence(answer, "the guest is told to avoid its vCPUs %s%s", request->vcpus,
	                       hears);
}
