/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The desk of the reader: it reads Proxmox's configurations of VMs, which no QEMU's lane does,
 * since it is no QEMU that can hold them up. They are on a FUSE file system: while its server
 * hangs, one thread waits, no second one is begun, and lanes go on.
 */

#include "reader/wire.h"

/**
 * Begins a READER_VM_CONF; the reply is sent to @socket when it is done. At once, with the result
 * -EBUSY: an earlier one is not done; -EAGAIN: there is no thread.
 * @dir  see vm_conf_read(); it must stay
 */
void desk_serve(const char *dir, const struct reader_request *request, int socket);
