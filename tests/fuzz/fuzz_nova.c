/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What Nova writes about a domain, in which a customer's text stands. */

#include <errno.h>

#include "fuzz.h"
#include "virt/nova.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct domain_labels labels = DOMAIN_LABELS_NULL;
	int r;

	memset(labels.title, 0xff, sizeof(labels.title));
	memset(labels.flavor, 0xff, sizeof(labels.flavor));
	r = nova_parse((const char *)data, size, &labels);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ENOMEM);
	FUZZ_CHECK(labels_valid(&labels));
	FUZZ_CHECK(r == 0 || (!labels.title[0] && !labels.flavor[0]));
	return 0;
}
