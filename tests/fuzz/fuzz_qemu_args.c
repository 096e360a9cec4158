/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A QEMU's arguments, which it can rewrite: name, uuid, number of vCPUs. */

#include "fuzz.h"
#include "virt/qemu_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qemu_args args;

	memset(&args, 0xff, sizeof(args));
	qemu_args_parse((const char *)data, size, &args);
	FUZZ_CHECK(memchr(args.name, '\0', sizeof(args.name)));
	for (const char *c = args.name; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
	FUZZ_CHECK(args.vmid <= LABEL_VMID_MAX);
	FUZZ_CHECK(cids_valid(&args.cids));
	FUZZ_CHECK(args.uuid[0] == '\0' || strlen(args.uuid) == DOMAIN_UUID_LEN - 1);
	FUZZ_CHECK(args.max_vcpus >= 1 && args.max_vcpus <= DOMAIN_VCPUS_MAX);
	return 0;
}
