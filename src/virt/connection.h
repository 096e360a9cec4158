/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One connection to libvirt and its callbacks. In the daemon, only this file calls libvirt, and it
 * makes only calls that neither taint a domain nor wait for its QEMU.
 *
 * Everything here runs on the virt thread. connection_run_loop() makes the callbacks.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/event.h"

struct connection;

/** Callbacks to the owner, made from connection_run_loop() and from other calls here. */
struct connection_ops {
	/** Something happened to a domain: @cause is one bit of enum virt_cause. */
	void (*touched)(void *userdata, const char *uuid, enum virt_cause cause);
	/** The connection is lost; the owner can only close it. */
	void (*lost)(void *userdata, const char *reason);
	/** A descriptor given to connection_loop_add() is readable. */
	void (*readable)(void *userdata, int fd);
	void *userdata;
};

/** libvirt's answer about one domain. */
struct connection_domain {
	char uuid[DOMAIN_UUID_LEN];
	const char *name; /* valid during the call; any length */
	enum domain_state state;
	struct domain_metadata metadata;
	bool labelled; /* @labels are known: title and flavor */
	struct domain_labels labels;
};

/**
 * Loads libvirt and registers the event implementation, once for the whole process. Returns 0;
 * -ELIBACC: libvirt's library is not installed; -ENOTSUP.
 */
int connection_init(void);

/**
 * Connects, read-only, and registers all callbacks. May block for as long as the daemon hangs.
 * @error  gets libvirt's message
 * Returns 0 and *ret, or -ENOTCONN.
 */
int connection_open(struct connection **ret, const char *uri, int keepalive_s,
                    const struct connection_ops *ops, char *error, size_t error_size);

/** Closes it. Takes NULL; returns NULL. */
struct connection *connection_close(struct connection *connection);

typedef void connection_domain_fn(void *userdata, const struct connection_domain *domain);

/** Calls @fn for every running domain. Returns 0, or -EIO with a message in @error. */
int connection_list(struct connection *connection, connection_domain_fn *fn, void *userdata,
                    char *error, size_t error_size);

enum {
	CONNECTION_NOT_RUNNING = 1,
};

/**
 * The state of a domain by what virDomainGetState() says. A guest whose memory a post-copy
 * migration still brings counts as paused: it must not be boosted while it waits for memory, and
 * nothing may be written there.
 */
enum domain_state connection_state(int state, int reason);

/**
 * Calls @fn with the present state of the domain @uuid.
 * Returns 0; CONNECTION_NOT_RUNNING when it does not run; -EIO when libvirt does not answer.
 */
int connection_look_up(struct connection *connection, const char *uuid, connection_domain_fn *fn,
                       void *userdata);

/** Runs the event loop until something happens, for at most @timeout_ms. */
void connection_run_loop(int timeout_ms);

/** Watches @fd for input on the loop. Returns a handle, or -1. @ops must stay. */
int connection_loop_add(int fd, const struct connection_ops *ops);

/** Stops watching; takes the handle, or -1. */
void connection_loop_remove(int handle);
