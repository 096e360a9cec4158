/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ctl/print.h"
#include "util/advice.h"
#include "util/cleanup.h"
#include "util/escape.h"
#include "virt/attach.h"

/** The change that has a cost. */
enum cost_of {
	COST_MEMFD,      /* the definition gets a memfd */
	COST_MEMFD_GOES, /* the memory is removed from the definition */
	COST_SHMEM,      /* a shmem device is plugged in */
	COST_SHMEM_GOES, /* a shmem device is unplugged */
	COST_VSOCK,      /* a vsock device comes */
	COST_VSOCK_GOES, /* it goes */
	COST_SAVED,      /* the definition changes, and there is a saved state */
};

#define DAEMON_TEXT                                                                                \
	"pvschedd needs two more capabilities to find it: install the "                            \
	"drop-in " ADVICE_GUEST_PAGES_CONF

static const struct cost {
	enum cost_of of;
	const char *what;
	const char *text;
} costs[] = {
        {COST_MEMFD, "taint", "libvirt marks the domain as tainted (custom-argv) at each start"},
        {COST_MEMFD, "cold start",
         "takes effect after a shutdown and a new start of the domain; a reboot in the guest, "
         "save and restore, or migration are not enough"},
        {COST_MEMFD, "migration",
         "the memory migrates and is saved with the domain (master=on); the destination needs the "
         "same definition"},
        {COST_MEMFD, "access",
         "the memory is sealed, so the daemon maps it and reads a request in nanoseconds"},
        {COST_MEMFD, "daemon", DAEMON_TEXT},
        {COST_MEMFD_GOES, "cold start",
         "takes effect after a shutdown and a new start of the domain; a running domain keeps the "
         "memory"},
        {COST_MEMFD_GOES, "boosts",
         "without the memory the guest cannot make requests; boosts depend only on what the host "
         "sees"},
        {COST_SHMEM, "taint",
         "none, and no restart: the memory is there at once if the guest has PCI hot-plug"},
        {COST_SHMEM, "until",
         "the memory is lost when the domain is shut off; use --persist for the next start"},
        {COST_SHMEM, "migration", "the memory migrates and is saved with the domain (role=master)"},
        {COST_SHMEM, "daemon", DAEMON_TEXT},
        {COST_SHMEM, "access",
         "the memory cannot be sealed, so the daemon reads it by system calls, which is slower"},
        {COST_SHMEM, "file",
         "the memory is a file in /dev/shm, which every user of this host can read; detach "
         "removes it"},
        {COST_SHMEM_GOES, "guest",
         "programs in the guest that use the device lose it; the guest must release the device"},
        {COST_SHMEM_GOES, "boosts",
         "without the memory the guest cannot make requests; boosts depend only on what the host "
         "sees"},
        {COST_MEMFD, "instead",
         "a Linux guest with the package pvsched-agent needs none of this: attach --agent"},
        {COST_SHMEM, "instead",
         "a Linux guest with the package pvsched-agent needs no such memory: attach --agent"},
        {COST_VSOCK, "taint", "none, and no restart: with --live it is there at once"},
        {COST_VSOCK, "guest",
         "Linux with the package pvsched-agent, which says what its scheduler does; for other "
         "guests, or requests of applications without it, attach without --agent"},
        {COST_VSOCK, "migration",
         "the device migrates and is saved with the domain; its agent connects again"},
        {COST_VSOCK, "daemon",
         "the agent connects to pvschedd.socket, which is there where the host has vhost_vsock. "
         "To read what it says, pvschedd needs two more capabilities: install the drop-in "
         "/usr/share/pvschedd/guest-pages.conf"},
        {COST_VSOCK_GOES, "guest",
         "its agent, and other programs that use vsock, lose the host until there is a vsock "
         "device again"},
        {COST_SAVED, "saved state",
         "the domain has a saved state (virsh managedsave), which the next start restores with "
         "its old devices; virsh managedsave-remove discards it"},
};

/** True if the cost applies to what this command changes. */
static bool is_told(enum cost_of of, const struct ctl_args *args,
                    const struct attach_report *report)
{
	bool live = report->live.changes, persistent = report->persistent.changes;
	bool detach = args->verb == CTL_DETACH;

	switch (of) {
	case COST_MEMFD:
		return persistent && !detach && !args->agent;
	case COST_MEMFD_GOES:
		return persistent && detach && !args->agent;
	case COST_SHMEM:
		return live && !detach && !args->agent;
	case COST_SHMEM_GOES:
		return live && detach && !args->agent;
	case COST_VSOCK:
		return (live || persistent) && !detach && args->agent;
	case COST_VSOCK_GOES:
		return (live || persistent) && detach && args->agent;
	case COST_SAVED:
		return persistent && report->saved;
	}
	return false;
}

/** The exit status for an outcome of attach_prepare() or attach_perform(). */
static enum exit_status end_of(int outcome)
{
	switch (outcome) {
	case 0:
		return EXIT_DONE;
	case ATTACH_NO_LIBVIRT:
		return EXIT_NO_DAEMON;
	case ATTACH_NO_DOMAIN:
		return EXIT_NO_DOMAIN;
	case ATTACH_NOT_PERMITTED:
		return EXIT_NOT_PERMITTED;
	default: /* ATTACH_REFUSED, -errno */
		return EXIT_FAILED;
	}
}

static enum exit_status report_failure(int outcome, const char *error)
{
	fputs("pvschedctl: ", stderr);
	print_escaped(stderr, error);
	fputs(outcome == ATTACH_NOT_PERMITTED ? ". Only root and the group libvirt may do this\n"
	                                      : "\n",
	      stderr);
	return end_of(outcome);
}

/* ---- text ---- */

/** Prints each line of a text indented and escaped. */
static void print_indented(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char line[512], escaped[ESCAPE_SIZE(sizeof(line))];

		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		escape_text(line, escaped, sizeof(escaped));
		printf("  %s\n", escaped);
		text += length + (text[length] == '\n');
	}
}

static void print_place(const char *what, const struct attach_place *place)
{
	if (!place->asked)
		return;
	if (!place->changes) {
		printf("%s: nothing to do, ", what);
		print_escaped(stdout, place->note);
		puts("");
	}
	if (place->changes && place->removed) {
		printf("%s, removes:\n", what);
		print_indented(place->removed);
	}
	if (place->changes && place->added) {
		printf("%s, adds:\n", what);
		print_indented(place->added);
	}
}

static void print_plan(const struct attach_report *report, const struct ctl_args *args)
{
	bool any = false;

	print_escaped(stdout, report->name);
	printf(" (%s), %s\n", report->uuid, report->running ? "running" : "shut off");
	print_place("Running domain", &report->live);
	print_place("Definition", &report->persistent);
	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		if (!is_told(costs[i].of, args, report))
			continue;
		if (!any)
			puts("Costs:");
		any = true;
		printf("  %-11s  %s\n", costs[i].what, costs[i].text);
	}
	fflush(stdout);
}

static void print_result(const struct attach_report *report, bool performed)
{
	bool changes = report->live.changes || report->persistent.changes;

	if (!performed && changes)
		puts("Nothing was changed: --dry-run.");
	if (performed && report->live.changes && report->live.done)
		puts("The running domain was changed.");
	if (performed && report->persistent.changes && report->persistent.done)
		puts(report->running ? "The definition was changed. Shut the domain off and start "
		                       "it again for this to take effect."
		                     : "The definition was changed. This takes effect at the next "
		                       "start.");
	if (report->file[0])
		printf("%s.\n", report->file);
}

/* ---- JSON ---- */

static void cleanup_cjson(cJSON **json)
{
	cJSON_Delete(*json);
}

/** Adds a string member, or null. */
static bool add_text(cJSON *object, const char *key, const char *text)
{
	return text ? cJSON_AddStringToObject(object, key, text) != NULL
	            : cJSON_AddNullToObject(object, key) != NULL;
}

static bool add_place(cJSON *root, const char *key, const struct attach_place *place)
{
	cJSON *object;

	if (!place->asked)
		return true;
	object = cJSON_AddObjectToObject(root, key);
	return object && cJSON_AddBoolToObject(object, "changes", place->changes) &&
	       add_text(object, "added", place->added) &&
	       add_text(object, "removed", place->removed) &&
	       cJSON_AddBoolToObject(object, "done", place->done) &&
	       cJSON_AddStringToObject(object, "note", place->note);
}

/** Adds all XML as one string, in the order in which print_plan() prints it. */
static bool add_xml(cJSON *root, const struct attach_report *report)
{
	const char *const parts[] = {report->live.removed, report->live.added,
	                             report->persistent.removed, report->persistent.added};
	CLEANUP(cleanup_free) char *xml = NULL;
	size_t size = 1;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		size += parts[i] ? strlen(parts[i]) : 0;
	xml = calloc(1, size);
	for (size_t i = 0; xml && i < ARRAY_SIZE(parts); i++)
		strcat(xml, parts[i] ? parts[i] : "");
	return xml && cJSON_AddStringToObject(root, "xml", xml);
}

static bool add_costs(cJSON *root, const struct attach_report *report, const struct ctl_args *args)
{
	cJSON *array = cJSON_AddArrayToObject(root, "costs");
	bool ok = array;

	for (size_t i = 0; i < ARRAY_SIZE(costs) && ok; i++) {
		cJSON *entry;

		if (!is_told(costs[i].of, args, report))
			continue;
		entry = cJSON_CreateObject();
		ok = cJSON_AddItemToArray(array, entry) &&
		     cJSON_AddStringToObject(entry, "what", costs[i].what) &&
		     cJSON_AddStringToObject(entry, "detail", costs[i].text);
	}
	return ok;
}

static bool is_done(const struct attach_report *report)
{
	return (!report->live.asked || report->live.done) &&
	       (!report->persistent.asked || report->persistent.done);
}

static enum exit_status print_json(const struct attach_report *report, const struct ctl_args *args)
{
	CLEANUP(cleanup_cjson) cJSON *root = cJSON_CreateObject();
	CLEANUP(cleanup_free) char *text = NULL;
	bool ok;

	ok = cJSON_AddStringToObject(root, "domain", report->name) &&
	     cJSON_AddStringToObject(root, "uuid", report->uuid) &&
	     cJSON_AddBoolToObject(root, "running", report->running) && add_xml(root, report) &&
	     add_costs(root, report, args) && add_place(root, "live", &report->live) &&
	     add_place(root, "persist", &report->persistent) &&
	     cJSON_AddBoolToObject(root, "dry_run", args->dry_run) &&
	     cJSON_AddBoolToObject(root, "done", is_done(report)) &&
	     add_text(root, "file", report->file[0] ? report->file : NULL);
	text = ok ? cJSON_PrintUnformatted(root) : NULL;
	if (!text) {
		fputs("pvschedctl: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	puts(text);
	return EXIT_DONE;
}

enum exit_status run_attach(const struct ctl_args *args)
{
	CLEANUP(attach_cleanup) struct attach *attach = NULL;
	const struct attach_order order = {
	        .domain = args->domain,
	        .detach = args->verb == CTL_DETACH,
	        .agent = args->agent,
	        .live = args->live,
	        .persistent = args->persist || !args->live,
	};
	const struct attach_report *report;
	char error[1024] = "";
	int r;

	r = attach_prepare(&order, &attach, error, sizeof(error));
	if (r != 0)
		return report_failure(r, error);
	report = attach_report(attach);
	if (!args->json)
		print_plan(report, args);
	if (!args->dry_run)
		r = attach_perform(attach, error, sizeof(error));
	if (!args->json)
		print_result(report, !args->dry_run);
	else if (print_json(report, args) != EXIT_DONE)
		return EXIT_FAILED;
	return r == 0 ? EXIT_DONE : report_failure(r, error);
}
