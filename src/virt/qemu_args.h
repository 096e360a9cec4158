/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a QEMU's command line says of the domain it runs: read from memory, without I/O. The text is
 * QEMU's own memory: a compromised one can rewrite it, so all of it is a claim.
 */

#include "model/domain.h"
#include "util/base.h"

struct qemu_args {
	char name[DOMAIN_NAME_MAX]; /* "": none, or none that can be used */
	bool is_vmid;               /* the name is Proxmox's number of the VM, of "-id 100" */
	char uuid[DOMAIN_UUID_LEN]; /* canonical, small letters; "": none */
	unsigned int max_vcpus;     /* 1..DOMAIN_VCPUS_MAX, by "-smp" */
};

/**
 * Reads a command line: arguments, each ended by a NUL. As QEMU does, the last one of a kind wins.
 * name: "-id N" (Proxmox), else "-name N" or "-name guest=N"; not believed when it has control
 * characters or is longer than DOMAIN_NAME_MAX. uuid: "-uuid", else that of "-smbios type=1".
 */
void qemu_args_parse(const char *cmdline, size_t size, struct qemu_args *ret);
