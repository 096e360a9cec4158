/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Proxmox's configuration of a VM: name and tags, whatever the bytes are. */

#include "fuzz.h"
#include "virt/vm_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct domain_labels labels;

	memset(&labels, 0xff, sizeof(labels));
	vm_conf_parse((const char *)data, size, &labels);
	FUZZ_CHECK(labels_valid(&labels));
	FUZZ_CHECK(labels.vmid == 0 && labels.flavor[0] == '\0');
	for (uint32_t i = 0; i < labels.n_tags; i++)
		FUZZ_CHECK(!strpbrk(labels.tags[i], ";, \t\r"));
	return 0;
}
