/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/connection.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "virt/libvirt_api.h"
#include "virt/metadata.h"
#include "virt/nova.h"

/** This many lost answers end a connection. */
#define KEEPALIVE_COUNT 3

#define CALLBACKS_MAX 8

struct connection {
	virConnectPtr conn;
	const struct connection_ops *ops;
	int callbacks[CALLBACKS_MAX];
	size_t n_callbacks;
	bool close_callback;
};

static void ignore_error(void *userdata, virErrorPtr error)
{
	(void)userdata;
	(void)error;
}

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result;
static int loop_timer = -1;

/** The loop's timer only ends a wait, so it fires once. */
static void loop_timer_fired(int timer, void *userdata)
{
	(void)userdata;
	sym_virEventUpdateTimeout(timer, -1);
}

static void init(void)
{
	init_result = libvirt_load();
	if (init_result < 0)
		return;
	sym_virSetErrorFunc(NULL, ignore_error);
	if (sym_virInitialize() < 0 || sym_virEventRegisterDefaultImpl() < 0) {
		init_result = -ENOTSUP;
		return;
	}
	loop_timer = sym_virEventAddTimeout(-1, loop_timer_fired, NULL, NULL);
	init_result = loop_timer < 0 ? -ENOTSUP : 0;
}

int connection_init(void)
{
	pthread_once(&init_once, init);
	return init_result;
}

static void touched(virDomainPtr domain, void *userdata, enum virt_cause cause)
{
	struct connection *connection = userdata;
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (sym_virDomainGetUUIDString(domain, uuid) == 0)
		connection->ops->touched(connection->ops->userdata, uuid, cause);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail,
                        void *userdata)
{
	(void)conn;
	(void)event;
	(void)detail;
	touched(domain, userdata, VIRT_CAUSE_LIFECYCLE);
	return 0;
}

static void on_reboot(virConnectPtr conn, virDomainPtr domain, void *userdata)
{
	(void)conn;
	touched(domain, userdata, VIRT_CAUSE_REBOOT);
}

static void on_metadata(virConnectPtr conn, virDomainPtr domain, int type, const char *uri,
                        void *userdata)
{
	(void)conn;
	(void)type;
	(void)uri;
	touched(domain, userdata, VIRT_CAUSE_METADATA);
}

static void on_device(virConnectPtr conn, virDomainPtr domain, const char *alias, void *userdata)
{
	(void)conn;
	(void)alias;
	touched(domain, userdata, VIRT_CAUSE_DEVICE);
}

static void on_agent(virConnectPtr conn, virDomainPtr domain, int state, int reason, void *userdata)
{
	(void)conn;
	(void)state;
	(void)reason;
	touched(domain, userdata, VIRT_CAUSE_AGENT);
}

static void on_tunable(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr parameters,
                       int n, void *userdata)
{
	(void)conn;
	(void)parameters;
	(void)n;
	touched(domain, userdata, VIRT_CAUSE_TUNABLE);
}

static void on_migration(virConnectPtr conn, virDomainPtr domain, int iteration, void *userdata)
{
	(void)conn;
	(void)iteration;
	touched(domain, userdata, VIRT_CAUSE_MIGRATION);
}

static const struct {
	int id;
	virConnectDomainEventGenericCallback callback;
} callbacks[] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
        {VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)},
        {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata)},
        {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device)},
        {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device)},
        {VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent)},
        {VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable)},
        {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_migration)},
};

_Static_assert(ARRAY_SIZE(callbacks) <= CALLBACKS_MAX, "room for every callback");

static void on_close(virConnectPtr conn, int reason, void *userdata)
{
	static const char *const reasons[] = {
	        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
	        [VIR_CONNECT_CLOSE_REASON_EOF] = "it closed the connection",
	        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "it stopped answering",
	        [VIR_CONNECT_CLOSE_REASON_CLIENT] = "we closed the connection",
	};
	struct connection *connection = userdata;
	bool known = reason >= 0 && reason < (int)ARRAY_SIZE(reasons);

	(void)conn;
	connection->ops->lost(connection->ops->userdata,
	                      known ? reasons[reason] : "unknown reason");
}

static void last_error(char *error, size_t size)
{
	const char *message = sym_virGetLastErrorMessage();

	snprintf(error, size, "%s", message ? message : "unknown error");
}

/** Registers what it can: a driver that lacks an event is used without it. */
static int register_callbacks(struct connection *connection)
{
	size_t i;

	if (sym_virConnectRegisterCloseCallback(connection->conn, on_close, connection, NULL) < 0)
		return -ENOTCONN;
	connection->close_callback = true;
	for (i = 0; i < ARRAY_SIZE(callbacks); i++) {
		int id = sym_virConnectDomainEventRegisterAny(
		        connection->conn, NULL, callbacks[i].id, callbacks[i].callback, connection,
		        NULL);

		if (id >= 0)
			connection->callbacks[connection->n_callbacks++] = id;
		else if (callbacks[i].id == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
			return -ENOTCONN;
	}
	return 0;
}

int connection_open(struct connection **ret, const char *uri, int keepalive_s,
                    const struct connection_ops *ops, char *error, size_t error_size)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection) {
		snprintf(error, error_size, "out of memory");
		return -ENOTCONN;
	}
	connection->ops = ops;
	connection->conn = sym_virConnectOpenReadOnly(uri);
	r = connection->conn ? register_callbacks(connection) : -ENOTCONN;
	if (r < 0) {
		last_error(error, error_size);
		connection_close(connection);
		return r;
	}
	/* Not every driver can do this. Without it, only a closed connection is noticed. */
	sym_virConnectSetKeepAlive(connection->conn, keepalive_s, KEEPALIVE_COUNT);
	*ret = connection;
	return 0;
}

struct connection *connection_close(struct connection *connection)
{
	size_t i;

	if (!connection)
		return NULL;
	if (connection->conn) {
		for (i = 0; i < connection->n_callbacks; i++)
			sym_virConnectDomainEventDeregisterAny(connection->conn,
			                                       connection->callbacks[i]);
		if (connection->close_callback)
			sym_virConnectUnregisterCloseCallback(connection->conn, on_close);
		sym_virConnectClose(connection->conn);
	}
	free(connection);
	return NULL;
}

/**
 * Reads one kind of metadata of a running domain. libvirt answers by itself: QEMU is not asked.
 * Returns the text, which the caller frees; NULL with *none: the domain or its driver has none, or
 * it has just ended; NULL without: virGetLastError() says why.
 */
static char *get_metadata(virDomainPtr domain, int type, const char *uri, bool *none)
{
	char *text = sym_virDomainGetMetadata(domain, type, uri, VIR_DOMAIN_AFFECT_LIVE);
	const virError *error = text ? NULL : sym_virGetLastError();

	*none = !text && (!error || error->code == VIR_ERR_NO_DOMAIN_METADATA ||
	                  error->code == VIR_ERR_NO_SUPPORT || error->code == VIR_ERR_NO_DOMAIN ||
	                  error->code == VIR_ERR_OPERATION_INVALID);
	return text;
}

/**
 * Reads the policy in a running domain's metadata.
 * Returns 0, also when there is no policy, or -EIO when libvirt does not answer.
 */
static int look_at_metadata(virDomainPtr domain, struct domain_metadata *ret)
{
	bool none;
	CLEANUP(cleanup_free)
	char *text = get_metadata(domain, VIR_DOMAIN_METADATA_ELEMENT, METADATA_URI, &none);
	char why[128];

	*ret = DOMAIN_METADATA_NULL;
	if (text)
		metadata_parse(text, strnlen(text, METADATA_MAX + 1), ret);
	if (text || none)
		return 0;
	last_error(why, sizeof(why)); /* the next call clears it */
	if (sym_virConnectIsAlive(sym_virDomainGetConnect(domain)) != 1)
		return -EIO;
	metadata_unreadable(why, ret);
	return 0;
}

/** Returns false if libvirt does not tell. */
static bool look_at_nova(virDomainPtr domain, const char *uri, bool *none,
                         struct domain_labels *labels)
{
	CLEANUP(cleanup_free)
	char *text = get_metadata(domain, VIR_DOMAIN_METADATA_ELEMENT, uri, none);

	/* what is no instance of Nova's leaves both empty */
	return text ? nova_parse(text, strnlen(text, NOVA_MAX + 1), labels) != -ENOMEM : *none;
}

/** Reads what those who run the domain call it. Returns false if libvirt does not tell all of it.
 */
static bool look_at_labels(virDomainPtr domain, struct domain_labels *ret)
{
	CLEANUP(cleanup_free) char *title = NULL;
	bool none;

	*ret = DOMAIN_LABELS_NULL;
	if (!look_at_nova(domain, NOVA_URI, &none, ret) ||
	    (none && !look_at_nova(domain, NOVA_URI_OLD, &none, ret)))
		return false;
	if (ret->title[0])
		return true;
	title = get_metadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, &none);
	if (title)
		label_copy(title, strnlen(title, LABEL_MAX), ret->title, sizeof(ret->title));
	return title || none;
}

enum domain_state connection_state(int state, int reason)
{
	if (state == VIR_DOMAIN_RUNNING &&
	    (reason == VIR_DOMAIN_RUNNING_POSTCOPY || reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED))
		return DOMAIN_PAUSED;
	/* VIR_DOMAIN_SHUTDOWN is a guest that is shutting down: its vCPUs still run. */
	return state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED ||
	                       state == VIR_DOMAIN_SHUTDOWN
	               ? DOMAIN_RUNNING
	               : DOMAIN_PAUSED;
}

/** Returns 0; CONNECTION_NOT_RUNNING; -EIO. */
static int look(virDomainPtr domain, struct connection_domain *ret)
{
	int state, reason, r;

	r = sym_virDomainGetState(domain, &state, &reason, 0);
	if (r < 0) {
		const virError *error = sym_virGetLastError();

		return error && error->code == VIR_ERR_NO_DOMAIN ? CONNECTION_NOT_RUNNING : -EIO;
	}
	if (state == VIR_DOMAIN_SHUTOFF || sym_virDomainGetUUIDString(domain, ret->uuid) < 0)
		return CONNECTION_NOT_RUNNING;
	ret->state = connection_state(state, reason);
	ret->name = sym_virDomainGetName(domain);
	if (!ret->name)
		return CONNECTION_NOT_RUNNING;
	r = look_at_metadata(domain, &ret->metadata);
	ret->labelled = r == 0 && look_at_labels(domain, &ret->labels);
	return r;
}

int connection_list(struct connection *connection, connection_domain_fn *fn, void *userdata,
                    char *error, size_t error_size)
{
	virDomainPtr *domains = NULL;
	int i, n, r = 0;

	n = sym_virConnectListAllDomains(connection->conn, &domains,
	                                 VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0) {
		last_error(error, error_size);
		return -EIO;
	}
	for (i = 0; i < n; i++) {
		struct connection_domain domain;

		if (r >= 0)
			r = look(domains[i], &domain);
		if (r < 0)
			last_error(error, error_size);
		if (r == 0)
			fn(userdata, &domain);
		sym_virDomainFree(domains[i]);
	}
	free(domains);
	return MIN(r, 0);
}

int connection_look_up(struct connection *connection, const char *uuid, connection_domain_fn *fn,
                       void *userdata)
{
	virDomainPtr domain = sym_virDomainLookupByUUIDString(connection->conn, uuid);
	struct connection_domain seen;
	int r;

	if (!domain) {
		const virError *error = sym_virGetLastError();

		return error && error->code == VIR_ERR_NO_DOMAIN ? CONNECTION_NOT_RUNNING : -EIO;
	}
	r = look(domain, &seen);
	if (r == 0)
		fn(userdata, &seen);
	sym_virDomainFree(domain);
	return r;
}

void connection_run_loop(int timeout_ms)
{
	sym_virEventUpdateTimeout(loop_timer, timeout_ms);
	sym_virEventRunDefaultImpl();
}

static void on_readable(int handle, int fd, int events, void *userdata)
{
	const struct connection_ops *ops = userdata;

	(void)handle;
	(void)events;
	ops->readable(ops->userdata, fd);
}

int connection_loop_add(int fd, const struct connection_ops *ops)
{
	return sym_virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_readable, (void *)ops, NULL);
}

void connection_loop_remove(int handle)
{
	if (handle >= 0)
		sym_virEventRemoveHandle(handle);
}
