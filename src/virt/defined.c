// SPDX-License-Identifier: GPL-2.0-or-later
#include "virt/defined.h"

#include <stdio.h>

#include "virt/libvirt_api.h"
#include "virt/presence.h"

#define RUN_DIR "/run"

static void ignore_error(void *userdata, virErrorPtr error)
{
	(void)userdata;
	(void)error;
}

static void close_connection(virConnectPtr *conn)
{
	if (*conn)
		sym_virConnectClose(*conn);
}

static void free_domain(virDomainPtr *domain)
{
	if (*domain)
		sym_virDomainFree(*domain);
}

static virConnectPtr connect_to(void)
{
	struct libvirt_daemon daemon;
	char uri[256];

	if (presence_check(RUN_DIR, &daemon) != 0 || libvirt_load() < 0)
		return NULL;
	snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", daemon.socket);
	sym_virSetErrorFunc(NULL, ignore_error);
	return sym_virInitialize() < 0 ? NULL : sym_virConnectOpenReadOnly(uri);
}

static bool last_is_no_domain(void)
{
	const virError *last = sym_virGetLastError();

	return last && last->code == VIR_ERR_NO_DOMAIN;
}

int defined_find(const char *name_or_uuid, struct defined_domain *ret)
{
	CLEANUP(close_connection) virConnectPtr conn = connect_to();
	CLEANUP(free_domain) virDomainPtr domain = NULL;
	bool answers;

	if (!conn)
		return DEFINED_NO_LIBVIRT;
	domain = sym_virDomainLookupByName(conn, name_or_uuid);
	answers = domain || last_is_no_domain();
	if (!domain && answers) /* of a text that is no uuid libvirt says that it is invalid */
		domain = sym_virDomainLookupByUUIDString(conn, name_or_uuid);
	if (!domain)
		return answers ? DEFINED_NOT : DEFINED_NO_LIBVIRT;
	if (sym_virDomainGetUUIDString(domain, ret->uuid) < 0)
		return DEFINED_NO_LIBVIRT;
	if (snprintf(ret->name, sizeof(ret->name), "%s", sym_virDomainGetName(domain)) >=
	    (int)sizeof(ret->name))
		ret->name[0] = '\0';
	return 0;
}
