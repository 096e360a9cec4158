// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/agent_cids.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct agent_cid *x = a, *y = b;

	return x->cid < y->cid ? -1 : x->cid > y->cid;
}

void agent_cids_fill(struct agent_cids *cids, const struct inventory *inventory)
{
	cids->n = 0;
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		for (uint32_t i = 0; i < d->seen->cids.n; i++)
			cids->of[cids->n++] = (struct agent_cid){d->seen->cids.of[i], d};
	qsort(cids->of, cids->n, sizeof(cids->of[0]), compare);
}

void agent_cids_forget(struct agent_cids *cids, const struct inventory_domain *domain)
{
	size_t n = 0;

	for (size_t i = 0; i < cids->n; i++)
		if (cids->of[i].domain != domain)
			cids->of[n++] = cids->of[i];
	cids->n = n;
}

int agent_cids_find(const struct agent_cids *cids, uint32_t cid,
                    const struct inventory_domain **ret)
{
	const struct agent_cid key = {.cid = cid}, *end = cids->of + cids->n, *found;

	found = bsearch(&key, cids->of, cids->n, sizeof(key), compare);
	if (!found)
		return -ENOENT;
	if ((found > cids->of && found[-1].cid == cid) || (found + 1 < end && found[1].cid == cid))
		return -ENOTUNIQ;
	*ret = found->domain;
	return 0;
}
