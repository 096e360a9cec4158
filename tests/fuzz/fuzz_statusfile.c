/* SPDX-License-Identifier: GPL-2.0-or-later */

/* libvirt's status file, parts of which are written by whoever may define a domain. */

#include "fuzz.h"
#include "virt/status_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	struct xml_error error;
	size_t i;

	if (status_file_parse((const char *)data, size, &status, &error) < 0) {
		FUZZ_CHECK(!status);
		fuzz_check_message(error.text);
		return 0;
	}
	FUZZ_CHECK(!error.text[0]);
	FUZZ_CHECK(!status->uuid[0] || strlen(status->uuid) == DOMAIN_UUID_LEN - 1);
	FUZZ_CHECK(status->n_vcpus <= DOMAIN_VCPUS_MAX);
	FUZZ_CHECK(cids_valid(&status->cids));
	for (i = 0; i < status->n_vcpus; i++)
		FUZZ_CHECK(status->vcpus[i].index < DOMAIN_VCPUS_MAX && status->vcpus[i].tid > 0);
	return 0;
}
