/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The agent's end of the socket for programs (pvsched/agent.h). */

#include "pvsched/agent.h"
#include "util/base.h"

/**
 * Listens at @path, which every user may connect to; a socket there that no process listens at
 * goes. Returns a descriptor; -EADDRINUSE: another agent does; -errno.
 */
int socket_listen(const char *path);

/**
 * Receives one call, without a wait. Returns 1 and *ret; 0: there is none yet; -ECONNRESET: the
 * end; -EBADMSG: no call; -errno. Descriptors that come with it are closed by the kernel.
 */
int socket_call(int fd, struct pvsched_agent_call *ret);

/** True: @size bytes at @data are a call, whose type is one of ours. */
bool socket_call_valid(const void *data, size_t size, struct pvsched_agent_call *ret);

/** Answers: @error (0 or -errno), and if 0 the descriptor @pass. Returns 0, or -errno. */
int socket_answer(int fd, uint16_t type, int error, int pass, uint64_t size);
