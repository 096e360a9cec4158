/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/attach.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"
#include "virt/domain_xml.h"
#include "virt/libvirt_api.h"
#include "virt/presence.h"
#include "virt/shmem_file.h"

#define STEP_NS      (100 * NSEC_PER_MSEC)
#define UNPLUG_STEPS 100 /* 10 s for a guest to release the device */
#define FILE_STEPS   50  /* 5 s for a process, mostly the daemon, to release the file */

/* Includes the secrets (display passwords): to redefine the domain without them would lose them. */
#define DEFINITION (VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE)

typedef int edit_fn(const char *text, size_t size, struct domain_xml_edit *ret);

/* What is done with the running domain, and with its definition. */
static const struct edits {
	edit_fn *live, *persistent;
} edits[2][2] = {
        /* by whether it is for an agent, and whether it is removed */
        {{domain_xml_plug, domain_xml_attach}, {domain_xml_unplug, domain_xml_detach}},
        {{domain_xml_plug_vsock, domain_xml_attach_vsock},
         {domain_xml_unplug_vsock, domain_xml_detach_vsock}},
};

struct attach {
	virConnectPtr conn;
	virDomainPtr domain;
	bool detach, agent;
	const struct edits *edits;
	struct domain_xml_edit live, persistent;
	struct attach_report report;
};

struct attach *attach_free(struct attach *attach)
{
	if (!attach)
		return NULL;
	domain_xml_edit_cleanup(&attach->live);
	domain_xml_edit_cleanup(&attach->persistent);
	if (attach->domain)
		sym_virDomainFree(attach->domain);
	if (attach->conn)
		sym_virConnectClose(attach->conn);
	free(attach);
	return NULL;
}

void attach_cleanup(struct attach **attach)
{
	attach_free(*attach);
}

const struct attach_report *attach_report(const struct attach *attach)
{
	return &attach->report;
}

/* ---- errors ---- */

struct message {
	char *text;
	size_t size;
};

static int PRINTF_FORMAT(3, 4) fail(struct message error, int outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error.text, error.size, format, args);
	va_end(args);
	return outcome;
}

static void ignore_error(void *userdata, virErrorPtr error)
{
	(void)userdata;
	(void)error;
}

/** Maps libvirt's last error to an outcome. The message is @what and libvirt's text. */
static int fail_libvirt(struct message error, const char *what)
{
	const virError *last = sym_virGetLastError();
	const char *text = last && last->message ? last->message : "unknown error";
	int outcome = ATTACH_REFUSED;

	if (last && (last->code == VIR_ERR_AUTH_FAILED || last->code == VIR_ERR_AUTH_UNAVAILABLE ||
	             last->code == VIR_ERR_AUTH_CANCELLED || last->code == VIR_ERR_ACCESS_DENIED ||
	             last->code == VIR_ERR_OPERATION_DENIED ||
	             /* polkit decides about users other than root, and could not be reached */
	             last->domain == VIR_FROM_DBUS || last->domain == VIR_FROM_POLKIT ||
	             (last->code == VIR_ERR_SYSTEM_ERROR && last->int1 == EACCES)))
		outcome = ATTACH_NOT_PERMITTED;
	else if (last && last->code == VIR_ERR_NO_DOMAIN)
		outcome = ATTACH_NO_DOMAIN;
	else if (last && (last->domain == VIR_FROM_RPC || last->code == VIR_ERR_NO_CONNECT))
		outcome = ATTACH_NO_LIBVIRT;
	return fail(error, outcome, "%s: %s", what, text);
}

/* ---- prepare ---- */

static int connect_to(struct attach *attach, const char *run_dir, struct message error)
{
	struct libvirt_daemon daemon;
	size_t length, suffix = strlen("-ro");
	char uri[256];
	int r;

	r = presence_check(run_dir, &daemon);
	if (r == PRESENCE_NONE)
		return fail(error, ATTACH_NO_LIBVIRT,
		            "neither libvirtd nor virtqemud runs, and this command does not start "
		            "one. Start it: systemctl start libvirtd");
	if (r < 0)
		return fail(error, r, "the run directory's name is too long");
	if (libvirt_load() < 0)
		return fail(error, ATTACH_NO_LIBVIRT,
		            "libvirt's library " LIBVIRT_LIBRARY
		            " cannot be loaded. Install it: apt "
		            "install libvirt0");
	/* The read-write socket is named like the read-only one, without the suffix. */
	length = strlen(daemon.socket);
	if (length > suffix && strcmp(daemon.socket + length - suffix, "-ro") == 0)
		daemon.socket[length - suffix] = '\0';
	snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", daemon.socket);
	sym_virSetErrorFunc(NULL, ignore_error);
	attach->conn = sym_virInitialize() < 0 ? NULL : sym_virConnectOpen(uri);
	if (attach->conn)
		return 0;
	r = fail_libvirt(error, "cannot connect to libvirt for writing");
	return r == ATTACH_NOT_PERMITTED ? r : ATTACH_NO_LIBVIRT;
}

static int find_domain(struct attach *attach, const char *name, struct message error)
{
	const virError *last;
	int r;

	attach->domain = sym_virDomainLookupByName(attach->conn, name);
	if (!attach->domain) {
		last = sym_virGetLastError();
		if (last && last->code == VIR_ERR_NO_DOMAIN)
			attach->domain = sym_virDomainLookupByUUIDString(attach->conn, name);
	}
	last = sym_virGetLastError();
	if (!attach->domain && last &&
	    (last->code == VIR_ERR_NO_DOMAIN || last->code == VIR_ERR_INVALID_ARG))
		return fail(error, ATTACH_NO_DOMAIN, "libvirt has no domain \"%s\"", name);
	if (!attach->domain)
		return fail_libvirt(error, "cannot look the domain up");
	attach->report.name = sym_virDomainGetName(attach->domain);
	if (!attach->report.name ||
	    sym_virDomainGetUUIDString(attach->domain, attach->report.uuid) < 0)
		return fail_libvirt(error, "cannot look the domain up");
	r = sym_virDomainIsActive(attach->domain);
	attach->report.running = r == 1;
	attach->report.saved = sym_virDomainHasManagedSaveImage(attach->domain, 0) == 1;
	return r < 0 ? fail_libvirt(error, "cannot tell whether the domain runs") : 0;
}

/**
 * Decides what to change in one place.
 * @flags  which of the domain's XML: enum virDomainXMLFlags
 */
static int decide(struct attach *attach, struct attach_place *place, struct domain_xml_edit *edit,
                  edit_fn *decision, unsigned int flags, struct message error)
{
	CLEANUP(cleanup_free) char *text = sym_virDomainGetXMLDesc(attach->domain, flags);
	int r;

	if (!text)
		return fail_libvirt(error, "cannot read the domain's XML");
	r = decision(text, strlen(text), edit);
	if (r < 0)
		return fail(error, r, "out of memory");
	place->added = edit->added;
	place->removed = edit->removed;
	place->note = edit->note;
	place->changes = r == 0;
	place->done = r == DOMAIN_XML_UNCHANGED;
	return r == DOMAIN_XML_REFUSED ? fail(error, ATTACH_REFUSED, "\"%s\" is left as it is: %s",
	                                      attach->report.name, edit->note)
	                               : 0;
}

static int decide_live(struct attach *attach, struct message error)
{
	if (!attach->report.running)
		return fail(error, ATTACH_REFUSED,
		            "\"%s\" does not run, so --live has nothing to change. Use --persist",
		            attach->report.name);
	return decide(attach, &attach->report.live, &attach->live, attach->edits->live, 0, error);
}

static int decide_persistent(struct attach *attach, struct message error)
{
	int r = sym_virDomainIsPersistent(attach->domain);

	if (r < 0)
		return fail_libvirt(error, "cannot tell whether the domain has a definition");
	if (r == 0)
		return fail(error, ATTACH_REFUSED,
		            "\"%s\" is transient: it has no persistent definition, and is gone "
		            "when it stops. Use --live",
		            attach->report.name);
	return decide(attach, &attach->report.persistent, &attach->persistent,
	              attach->edits->persistent, DEFINITION, error);
}

int attach_prepare(const struct attach_order *order, struct attach **ret, char *error,
                   size_t error_size)
{
	CLEANUP(attach_cleanup) struct attach *attach = calloc(1, sizeof(*attach));
	struct message message = {error, error_size};
	int r;

	if (!attach)
		return fail(message, -ENOMEM, "out of memory");
	attach->detach = order->detach;
	attach->agent = order->agent;
	attach->edits = &edits[order->agent][order->detach];
	attach->report.live = (struct attach_place){.asked = order->live, .note = ""};
	attach->report.persistent = (struct attach_place){.asked = order->persistent, .note = ""};
	r = connect_to(attach, order->run_dir ? order->run_dir : "/run", message);
	if (r == 0)
		r = find_domain(attach, order->domain, message);
	if (r == 0 && order->live)
		r = decide_live(attach, message);
	if (r == 0 && order->persistent)
		r = decide_persistent(attach, message);
	if (r == 0)
		*ret = STEAL(attach, NULL);
	return r;
}

/* ---- perform ---- */

static void wait_step(void)
{
	nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
}

static void name_file(const struct attach *attach, char *name, size_t size)
{
	snprintf(name, size, DOMAIN_XML_SHMEM_PREFIX "%s", attach->report.uuid);
}

/** Removes a leftover file. It holds what an earlier guest, or a stranger, wrote. */
static int remove_old_file(struct attach *attach, struct message error)
{
	char name[64];
	pid_t user = 0;
	int r;

	name_file(attach, name, sizeof(name));
	r = shmem_file_remove(SHMEM_FILE_DIR, name, &user);
	if (r == 0 || r == SHMEM_FILE_ABSENT)
		return 0;
	if (r == SHMEM_FILE_IN_USE)
		return fail(error, ATTACH_REFUSED,
		            SHMEM_FILE_DIR
		            "/%s exists already and process %d still uses it, so nothing was "
		            "plugged in. Try again when that process is gone",
		            name, user);
	if (r == -EPERM)
		return fail(
		        error, ATTACH_NOT_PERMITTED,
		        SHMEM_FILE_DIR
		        "/%s is left over, and only root can remove it. Run this command as root",
		        name);
	return fail(error, ATTACH_REFUSED,
	            SHMEM_FILE_DIR "/%s exists already and cannot be removed: %s", name,
	            r < 0 ? strerror(-r) : "it is not a regular file");
}

static int plug(struct attach *attach, struct message error)
{
	int r = attach->agent ? 0 : remove_old_file(attach, error);
	struct message unused = {NULL, 0};

	if (r != 0)
		return r;
	if (sym_virDomainAttachDeviceFlags(attach->domain, attach->live.added,
	                                   VIR_DOMAIN_AFFECT_LIVE) == 0)
		return 0;
	r = fail_libvirt(error, "libvirt refuses to plug the device in");
	if (!attach->agent)
		remove_old_file(attach, unused); /* QEMU may have created it already */
	return r;
}

/** True if the running domain no longer has the device, or no longer runs. */
static bool is_unplugged(struct attach *attach)
{
	CLEANUP(domain_xml_edit_cleanup) struct domain_xml_edit edit = DOMAIN_XML_EDIT_NULL;
	CLEANUP(cleanup_free) char *text = sym_virDomainGetXMLDesc(attach->domain, 0);

	return text ? edits[attach->agent][true].live(text, strlen(text), &edit) != 0
	            : sym_virDomainIsActive(attach->domain) == 0;
}

static int unplug(struct attach *attach, struct message error)
{
	if (sym_virDomainDetachDeviceFlags(attach->domain, attach->live.removed,
	                                   VIR_DOMAIN_AFFECT_LIVE) < 0)
		return fail_libvirt(error, "libvirt refuses to unplug the device");
	/* Success only means that libvirt asked the guest to release the device. */
	for (int i = 0; i < UNPLUG_STEPS; i++) {
		if (is_unplugged(attach))
			return 0;
		wait_step();
	}
	return fail(error, ATTACH_REFUSED,
	            "the guest was asked to release the device and has not done so within 10 s. A "
	            "guest without PCI hot-plug, or one that was still booting, never will. Try "
	            "again later; when the domain is shut off, the device is gone");
}

static int perform_live(struct attach *attach, struct message error)
{
	int r = attach->detach ? unplug(attach, error) : plug(attach, error);

	attach->report.live.done = r == 0;
	return r;
}

/* The definition was read some seconds ago. A change that was made to it since must not be lost. */
static int check_unchanged(struct attach *attach, struct message error)
{
	CLEANUP(domain_xml_edit_cleanup) struct domain_xml_edit edit = DOMAIN_XML_EDIT_NULL;
	CLEANUP(cleanup_free) char *text = sym_virDomainGetXMLDesc(attach->domain, DEFINITION);
	int r;

	if (!text)
		return fail_libvirt(error, "cannot read the domain's XML");
	r = attach->edits->persistent(text, strlen(text), &edit);
	if (r < 0)
		return fail(error, r, "out of memory");
	if (r == 0 && strcmp(edit.xml, attach->persistent.xml) == 0)
		return 0;
	return fail(error, ATTACH_REFUSED,
	            "the definition of \"%s\" was changed meanwhile, so it is left as it is. Try "
	            "again",
	            attach->report.name);
}

static int perform_persistent(struct attach *attach, struct message error)
{
	virDomainPtr defined;
	int r = check_unchanged(attach, error);

	if (r != 0)
		return r;
	defined = sym_virDomainDefineXML(attach->conn, attach->persistent.xml);
	if (!defined)
		return fail_libvirt(error, "libvirt refuses the changed definition");
	sym_virDomainFree(defined);
	attach->report.persistent.done = true;
	return 0;
}

/** True unless the running domain uses the file, as it may. */
static bool file_is_free(struct attach *attach)
{
	return sym_virDomainIsActive(attach->domain) == 0 || is_unplugged(attach);
}

/** Removes the file in /dev/shm after a detach. */
static void remove_file(struct attach *attach)
{
	char *text = attach->report.file;
	size_t size = sizeof(attach->report.file);
	char name[64];
	pid_t user = 0;
	int r = SHMEM_FILE_IN_USE;

	if (!file_is_free(attach))
		return;
	name_file(attach, name, sizeof(name));
	for (int i = 0; i < FILE_STEPS && r == SHMEM_FILE_IN_USE; i++) {
		r = shmem_file_remove(SHMEM_FILE_DIR, name, &user);
		if (r == SHMEM_FILE_IN_USE)
			wait_step();
	}
	if (r == 0)
		snprintf(text, size, SHMEM_FILE_DIR "/%s is removed", name);
	else if (r == SHMEM_FILE_IN_USE)
		snprintf(text, size,
		         SHMEM_FILE_DIR "/%s was kept: process %d still uses it. Remove it by hand",
		         name, user);
	else if (r == -EPERM)
		snprintf(text, size, SHMEM_FILE_DIR "/%s was kept: only root can remove it", name);
	else if (r != SHMEM_FILE_ABSENT)
		snprintf(text, size, SHMEM_FILE_DIR "/%s was kept: %s", name,
		         r < 0 ? strerror(-r) : "it is not a regular file");
}

int attach_perform(struct attach *attach, char *error, size_t error_size)
{
	struct message message = {error, error_size};
	int r = 0;

	if (attach->report.live.changes)
		r = perform_live(attach, message);
	if (r == 0 && attach->report.persistent.changes)
		r = perform_persistent(attach, message);
	if (attach->detach && !attach->agent && r == 0)
		remove_file(attach);
	return r;
}
