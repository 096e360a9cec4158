/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/vm_labels.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/log.h"

static bool is_due(const struct vm_labels *labels, const struct known_domain *domain,
                   uint64_t now_ns)
{
	if (!labels->reader.read || !domain->labels.vmid || now_ns < labels->rests_ns)
		return false;
	return domain->labels_ns == 0 || (domain->causes & VIRT_CAUSE_ENUMERATED) ||
	       now_ns >= domain->labels_ns + VM_LABELS_AGE_NS;
}

/* Said once, until a read succeeds again. */
static void note_result(struct vm_labels *labels, int result, uint64_t now_ns)
{
	bool hangs = result == -ETIMEDOUT || result == -EBUSY;

	if (hangs)
		labels->rests_ns = now_ns + VM_LABELS_REST_NS;
	if (hangs && !labels->hangs)
		log_outside(LOG_WARNING,
		            "Proxmox's configurations of VMs (" VM_CONF_DIR
		            ") cannot be read within "
		            "500 ms: names and tags stay as they were; it is tried again. Look at: "
		            "systemctl status pve-cluster");
	if (hangs || result == 0)
		labels->hangs = hangs;
}

void vm_labels_refresh(struct vm_labels *labels, struct known_domain *domain, uint64_t now_ns)
{
	struct domain_labels now;
	int r;

	if (!is_due(labels, domain, now_ns))
		return;
	domain->labels_ns = now_ns;
	r = labels->reader.read(labels->reader.userdata, domain->labels.vmid, &now);
	note_result(labels, r, now_ns);
	if (r < 0) {
		log_debug("the configuration of VM %" PRIu32 " is not read: %s",
		          domain->labels.vmid, strerror(-r));
		return;
	}
	if (!now.title[0]) /* it has none: on its command line it is called "vm100" */
		memcpy(now.title, domain->labels.title, sizeof(now.title));
	if (labels_equal(&now, &domain->labels))
		return;
	domain->labels = now;
	domain->causes |= VIRT_CAUSE_METADATA;
}
