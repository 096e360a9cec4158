/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The control socket: who asked what, checked and handed to the operations of the daemon. It knows
 * nothing of libvirt, BPF or the scheduler; see `struct control_ops`.
 *
 * Protocol: a client sends one JSON object per line, at most CONTROL_REQUEST_MAX bytes, and gets
 * one JSON object per line back, {"ok":true,"result":...} or
 * {"ok":false,"error":"...","code":"EPERM"}.
 *   {"verb":"status"} {"verb":"list"} {"verb":"doctor"}
 *   {"verb":"show","domain":D} {"verb":"explain","domain":D,"vcpu":N}
 *   {"verb":"policy-get","domain":D}
 *   {"verb":"policy-set","domain":D,"profile":P,"for_s":N,"persist":true}
 *   {"verb":"boost","domain":D,"vcpu":N,"for_us":N}
 *   {"verb":"release","domain":D} {"verb":"enable"} {"verb":"disable"} {"verb":"reload"}
 * D is a name or a uuid. "vcpu", "for_s", "persist" may be left out, as may "domain" of release.
 */

#include <systemd/sd-event.h>

#include "util/base.h"

struct cJSON;
struct control_server;

#define CONTROL_REQUEST_MAX 4096
#define CONTROL_CLIENTS_MAX 64
#define CONTROL_RESPONSE_MAX                                                                       \
	(4 * 1024 * 1024)                     /* JSON_SIZE_MAX: clients parse by the same rules    \
	                                       */
#define CONTROL_QUEUED_MAX (32 * 1024 * 1024) /* unread answers of all clients together */
#define CONTROL_IDLE_NS    (60 * NSEC_PER_SEC)
#define CONTROL_DRAIN_NS   (10 * NSEC_PER_SEC)

enum control_verb {
	CONTROL_STATUS,
	CONTROL_LIST,
	CONTROL_SHOW,
	CONTROL_EXPLAIN,
	CONTROL_DOCTOR,
	CONTROL_POLICY_GET,
	CONTROL_POLICY_SET,
	CONTROL_BOOST,
	CONTROL_RELEASE,
	CONTROL_ENABLE,
	CONTROL_DISABLE,
	CONTROL_RELOAD,
	_CONTROL_VERB_MAX,
};

/** A request that is well-formed; whether its domain or profile exists is for the operation to say.
 */
struct control_request {
	enum control_verb verb;
	char domain[256]; /* "" if none was given */
	char profile[32]; /* "" if none was given */
	int vcpu;         /* -1: all */
	uint64_t for_ns;  /* "for_s" or "for_us"; 0: until changed */
	bool persist;
};

/**
 * What the daemon does for a verb. One function, since every verb has one shape: request in, JSON
 * out. Returns 0 with *result (owned by the caller of the operation, may be NULL for none), or
 * -errno with a message for people in @error (set to "" before the call). -errno becomes the
 * answer's "code": -ENOENT is "no such domain" to pvschedctl.
 */
struct control_ops {
	int (*handle)(void *userdata, const struct control_request *request, struct cJSON **result,
	              char *error, size_t error_size);
	void *userdata;
};

/**
 * Parses one line. Returns 0; -EBADMSG with a message in @error when it is not a valid request.
 */
int control_parse(const char *line, size_t size, struct control_request *ret, char *error,
                  size_t error_size);

/** True for verbs that change something: root only. The others: root and the socket's group. */
bool control_verb_changes(enum control_verb verb);

/**
 * Listens at @path (mode 0660, group @group where it exists, else 0600, root only) on the loop
 * @event; an old socket there is replaced, so whoever calls must know that no other daemon runs.
 * @group may be NULL. @ops is copied.
 *
 * At most CONTROL_CLIENTS_MAX clients: when one more comes, the user with most connections loses
 * the one that has been silent longest. A client is dropped when it does not finish a request, or
 * does not read an answer, in time. Descriptors that a client sends are never accepted. One request
 * per client and turn of the loop, the next one only when the answer to the last has been read.
 * Returns 0 and *ret, or -errno: -EEXIST when @path is something other than a socket.
 */
int control_server_new(struct control_server **ret, sd_event *event, const char *path,
                       const char *group, const struct control_ops *ops);

/**
 * How long a client may stay without a request (@idle_ns) and with an unread answer (@drain_ns).
 * CONTROL_IDLE_NS and CONTROL_DRAIN_NS unless set; tests have no time for those.
 */
void control_server_set_patience(struct control_server *server, uint64_t idle_ns,
                                 uint64_t drain_ns);

/** Number of clients connected now. */
size_t control_server_clients(const struct control_server *server);

/** Closes it, drops every client, removes the socket. Takes NULL; returns NULL. */
struct control_server *control_server_free(struct control_server *server);
