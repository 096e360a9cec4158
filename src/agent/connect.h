/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Sockets to the host, made without a wait. */

#include "util/base.h"

/**
 * Begins a connection to the host's port @port, from a port below 1024, which needs
 * CAP_NET_BIND_SERVICE. Returns a descriptor; -ENODEV, -EAFNOSUPPORT or -EADDRNOTAVAIL: there is no
 * vsock; -errno.
 */
int connect_vsock(uint32_t port);

/** Begins a connection to a stream socket of this machine. Returns a descriptor, or -errno. */
int connect_unix(const char *path);

/** Of a socket that is ready: 0, or -errno, how the connection ended. */
int connect_result(int fd);
