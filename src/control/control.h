/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The control socket. It checks each request and the client's permission, and hands the request to
 * the daemon through `struct control_ops`. It knows nothing of libvirt, BPF or the scheduler.
 *
 * Protocol: a client sends one JSON object per line, at most CONTROL_REQUEST_MAX bytes. It gets one
 * JSON object per line back, {"ok":true,"result":...} or
 * {"ok":false,"error":"...","code":"EPERM"}.
 *   {"verb":"status"} {"verb":"list"} {"verb":"doctor"}
 *   {"verb":"top","domain":D} {"verb":"metrics"}
 *   {"verb":"show","domain":D} {"verb":"explain","domain":D,"vcpu":N}
 *   {"verb":"latency","domain":D,"vcpu":N}
 *   {"verb":"recommend","domain":D} {"verb":"policy-get","domain":D}
 *   {"verb":"policy-set","domain":D,"profile":P,"share_permille":N,"burst_us":N,"for_s":N,
 *    "persist":true,"dry_run":true,"absent":true,"name":"N"}
 *   {"verb":"policy-assign","domain":D,"policy":L,"persist":true,"absent":true,"name":"N"}
 *   {"verb":"policy-unset","domain":D} {"verb":"policy-list"} {"verb":"policies"}
 *   {"verb":"config"}
 *   {"verb":"boost","domain":D,"vcpu":N,"for_us":N}
 *   {"verb":"avoid","domain":D,"vcpus":"2-3"}
 *   {"verb":"release","domain":D} {"verb":"enable"} {"verb":"disable"} {"verb":"reload"}
 *   {"verb":"trial-start","domain":D,"profile":P,"share_permille":N,"burst_us":N,"for_s":N,
 *    "window_min_ms":N,"window_max_ms":N}
 *   {"verb":"trial-poll","domain":D} {"verb":"trial-stop","domain":D}
 * D is a name or a uuid, L is NAME, NAME@VERSION or "guest". "vcpu" and all of policy-set but
 * domain and profile are optional, all of policy-assign but domain and policy, all of trial-start
 * but domain, and "domain" of release and top. "absent": D is the uuid of a domain that may not
 * run, and "name" what it is called. "vcpus" is a list, or "auto",
 * "none" or "profile".
 */

#include <systemd/sd-event.h>

#include "util/base.h"

struct cJSON;
struct control_server;

#define CONTROL_REQUEST_MAX 4096
#define CONTROL_CLIENTS_MAX 64
/* JSON_SIZE_MAX, since clients parse by the same rules */
#define CONTROL_RESPONSE_MAX (8 * 1024 * 1024)
#define CONTROL_QUEUED_MAX   (32 * 1024 * 1024) /* unread answers of all clients together */
#define CONTROL_IDLE_NS      (60 * NSEC_PER_SEC)
#define CONTROL_DRAIN_NS     (10 * NSEC_PER_SEC)

enum control_verb {
	CONTROL_STATUS,
	CONTROL_LIST,
	CONTROL_TOP,
	CONTROL_METRICS,
	CONTROL_SHOW,
	CONTROL_EXPLAIN,
	CONTROL_LATENCY,
	CONTROL_RECOMMEND,
	CONTROL_DOCTOR,
	CONTROL_POLICY_GET,
	CONTROL_POLICY_SET,
	CONTROL_POLICY_ASSIGN,
	CONTROL_POLICY_UNSET,
	CONTROL_POLICY_LIST,
	CONTROL_POLICIES,
	CONTROL_BOOST,
	CONTROL_AVOID,
	CONTROL_RELEASE,
	CONTROL_ENABLE,
	CONTROL_DISABLE,
	CONTROL_RELOAD,
	CONTROL_CONFIG,
	CONTROL_TRIAL_START,
	CONTROL_TRIAL_POLL,
	CONTROL_TRIAL_STOP,
	_CONTROL_VERB_MAX,
};

/** A well-formed request. The operation checks whether its domain and profile exist. */
struct control_request {
	enum control_verb verb;
	char domain[256]; /* "" if none was given */
	char profile[32]; /* "" if none was given */
	char policy[48];  /* "" if none was given */
	int vcpu;         /* -1: all */
	char vcpus[1024]; /* "" if none was given */
	uint64_t for_ns;  /* from "for_s" or "for_us"; 0: until changed */
	bool persist;
	bool dry_run;
	bool absent;             /* @domain may be a uuid that no running domain has */
	char name[256];          /* of a domain that does not run; "" if none was given */
	uint32_t share_permille; /* 0: the profile's */
	uint64_t burst_ns;       /* 0: the profile's */
	uint64_t window_min_ns, window_max_ns; /* of a trial; 0: the usual */
};

/**
 * What the daemon does for a verb. One function serves all verbs, since all have the same shape:
 * request in, JSON out. @error is "" before the call. Returns 0 with *result, which the caller
 * owns; NULL means no result. On failure returns -errno with a message in @error. The name of the
 * errno becomes the answer's "code"; pvschedctl takes ENOENT for "no such domain".
 */
struct control_ops {
	int (*handle)(void *userdata, const struct control_request *request, struct cJSON **result,
	              char *error, size_t error_size);
	void *userdata;
};

/** Parses one line. Returns 0, or -EBADMSG with a message in @error if it is not a valid request.
 */
int control_parse(const char *line, size_t size, struct control_request *ret, char *error,
                  size_t error_size);

/** True for verbs that change something: only root may use them. The socket's group may read. */
bool control_verb_changes(enum control_verb verb);

/**
 * Listens at @path on the event loop @event. The socket has mode 0660 and group @group, or mode
 * 0600 if there is no such group or @group is NULL. An old socket at @path is replaced, so the
 * caller must make sure that no other daemon runs. @ops is copied.
 *
 * A user other than root may make CONTROL_RATE_PER_S requests a second (rate.h). What is more waits
 * for up to a second. The server keeps at most CONTROL_CLIENTS_MAX clients. When another one
 * connects, the user with the most connections loses the connection that was idle longest. A client
 * is dropped when it does not finish a request or does not read an answer in time. Descriptors sent
 * by a client are not accepted. Each turn of the loop handles at most one request of a client, and
 * only after the client has read the previous answer.
 *
 * Returns 0 and *ret, or -errno. -EEXIST: @path exists and is not a socket.
 */
int control_server_new(struct control_server **ret, sd_event *event, const char *path,
                       const char *group, const struct control_ops *ops);

/**
 * Sets how long a client may stay without a request (@idle_ns) and with an unread answer
 * (@drain_ns). Defaults are CONTROL_IDLE_NS and CONTROL_DRAIN_NS; tests set shorter times.
 */
void control_server_set_patience(struct control_server *server, uint64_t idle_ns,
                                 uint64_t drain_ns);

/** Number of clients connected now. */
size_t control_server_clients(const struct control_server *server);

/** Drops all clients, closes and removes the socket. Takes NULL; returns NULL. */
struct control_server *control_server_free(struct control_server *server);
