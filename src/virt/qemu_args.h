/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Parses what a QEMU's command line says about its domain, without I/O. The text is QEMU's own
 * memory, which a compromised QEMU can rewrite: so all of it is a claim.
 */

#include "model/domain.h"
#include "util/base.h"

struct qemu_args {
	char name[DOMAIN_NAME_MAX]; /* "": none, or unusable */
	uint32_t vmid;              /* Proxmox's number of the VM, as in "-id 100"; 0: none */
	char uuid[DOMAIN_UUID_LEN]; /* canonical, small letters; "": none */
	unsigned int max_vcpus;     /* 1..DOMAIN_VCPUS_MAX: see topology_max_vcpus() */
	struct domain_cids cids;    /* of its vhost-vsock devices */
	bool debug_threads;         /* it is asked to name its threads */
	bool no_machine;            /* "-machine none": it answers questions, and is no VM */
};

/**
 * Parses a command line: arguments, each ended by a NUL. As in QEMU, the last one of a kind wins.
 *
 * cids: "-device vhost-vsock-pci,guest-cid=3", with any suffix of the driver, or the same as JSON.
 * name: "-name N" or "-name guest=N"; ignored if it has control characters
 * or does not fit in DOMAIN_NAME_MAX. uuid: "-uuid", else that of "-smbios type=1".
 */
void qemu_args_parse(const char *cmdline, size_t size, struct qemu_args *ret);
