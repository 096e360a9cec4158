/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy in a domain's metadata: whatever is accepted stays within the limits. */
#include "virt/metadata.h"

#include "fuzz.h"

static void check_valid(const struct domain_metadata *m)
{
	FUZZ_CHECK(m->error[0] == '\0');
	FUZZ_CHECK(m->profile[0] || m->share_permille || m->burst_us);
	FUZZ_CHECK(strlen(m->profile) < sizeof(m->profile));
	FUZZ_CHECK(strspn(m->profile, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
	           strlen(m->profile));
	FUZZ_CHECK(m->share_permille <= DOMAIN_METADATA_SHARE_MAX);
	FUZZ_CHECK(!m->burst_us || (m->burst_us >= DOMAIN_METADATA_BURST_US_MIN &&
	                            m->burst_us <= DOMAIN_METADATA_BURST_US_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct domain_metadata metadata;

	memset(&metadata, 0xff, sizeof(metadata));
	metadata_parse((const char *)data, size, &metadata);
	if (metadata.state == DOMAIN_METADATA_VALID) {
		check_valid(&metadata);
		return 0;
	}
	FUZZ_CHECK(metadata.state == DOMAIN_METADATA_INVALID);
	FUZZ_CHECK(!metadata.profile[0] && !metadata.share_permille && !metadata.burst_us);
	fuzz_check_message(metadata.error);
	return 0;
}
