// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/discovery.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/left_out.h"
#include "util/log.h"
#include "util/log_ids.h"
#include "virt/libvirt.h"
#include "virt/processes.h"

/* Where hints arrive, the threads are looked at all the same, this often: the hint is not the
 * truth. */
#define RESCAN_WITH_HINTS_NS (60 * NSEC_PER_SEC)
#define RESCAN_ALONE_NS      (1 * NSEC_PER_SEC)

struct discovery {
	sd_event *event;
	const char *libvirt_uri;
	struct cmdline_reader cmdlines;
	struct vm_conf_reader confs;
	struct discovery_news news;
	struct virt_source *virt; /* NULL: it does not run */
	sd_event_source *virt_io;
	struct process_source *processes; /* NULL: it does not run */
	sd_event_source *processes_io;
	bool virt_missing; /* its library is not installed */
	bool virt_up;
	char virt_why[256];
};

int discovery_new(struct discovery **ret, const struct discovery_options *options)
{
	struct discovery *discovery = calloc(1, sizeof(*discovery));

	if (!discovery)
		return -ENOMEM;
	discovery->event = options->event;
	discovery->libvirt_uri = options->libvirt_uri;
	discovery->cmdlines = options->cmdlines;
	discovery->confs = options->confs;
	discovery->news = options->news;
	*ret = discovery;
	return 0;
}

struct discovery *discovery_free(struct discovery *discovery)
{
	if (!discovery)
		return NULL;
	discovery_stop(discovery, false);
	free(discovery);
	return NULL;
}

/* ---- events ---- */

static void source_news(struct discovery *discovery, bool up, const char *why)
{
	struct log_context ctx = {
	        .vcpu = -1,
	        .message_id = up ? LOG_ID_SOURCE_BACK : LOG_ID_SOURCE_LOST,
	};

	if (discovery->virt_up == up && strcmp(discovery->virt_why, why) == 0)
		return;
	if (up)
		log_write(LOG_INFO, &ctx, "libvirt answers");
	else
		log_write(LOG_NOTICE, &ctx,
		          "libvirt does not answer: %s; known domains are managed as before", why);
	discovery->virt_up = up;
	snprintf(discovery->virt_why, sizeof(discovery->virt_why), "%s", why);
}

static void say_notes(const struct domain *domain, unsigned int notes)
{
	struct log_context ctx = {.domain = domain->name, .vcpu = -1};
	char text[LEFT_OUT_TEXT];

	if (notes & MAPPING_SINGLE_TCG)
		log_write(LOG_NOTICE, &ctx,
		          "domain \"%s\": one thread emulates all vCPUs; there is nothing to boost",
		          domain->name);
	if (notes & (MAPPING_CONFLICT | MAPPING_DUPLICATE))
		log_write(
		        LOG_WARNING, &ctx,
		        "domain \"%s\": threads claim to be vCPUs that they are not proven to be; "
		        "they are left alone",
		        domain->name);
	if ((notes & (MAPPING_TRUNCATED | MAPPING_TOO_MANY | MAPPING_UNLISTED)) &&
	    left_out_text(&domain->left_out, text, sizeof(text)))
		log_write(LOG_WARNING, &ctx, "domain \"%s\": %s", domain->name, text);
}

static void handle_event(struct discovery *discovery, enum domain_source source,
                         struct virt_event *event)
{
	switch (event->type) {
	case VIRT_DOMAIN_SEEN:
		say_notes(event->domain, event->notes);
		discovery->news.seen(discovery->news.userdata, event->domain, event->causes);
		break;
	case VIRT_DOMAIN_GONE:
		discovery->news.gone(discovery->news.userdata, source, event->uuid);
		/* one that libvirt's kept out of the list may have its place now */
		if (source == DOMAIN_SOURCE_LIBVIRT && discovery->processes)
			process_source_hint(discovery->processes, 0);
		break;
	case VIRT_SOURCE_UP:
		source_news(discovery, true, "");
		break;
	case VIRT_SOURCE_DOWN:
		source_news(discovery, false, event->reason);
		break;
	}
}

/*
 * One domain may take a millisecond, and thousands may be found at once. What is left has the next
 * turn of the loop: the watchdog is fed in between, and commands are answered.
 */
#define EVENTS_OF_A_TURN 256

static int on_virt(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct discovery *discovery = userdata;
	struct virt_event event;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < EVENTS_OF_A_TURN && virt_source_next(discovery->virt, &event); i++)
		handle_event(discovery, DOMAIN_SOURCE_LIBVIRT, &event);
	return 0;
}

static int on_processes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct discovery *discovery = userdata;
	struct virt_event event;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < EVENTS_OF_A_TURN && process_source_next(discovery->processes, &event);
	     i++)
		handle_event(discovery, DOMAIN_SOURCE_PROCFS, &event);
	return 0;
}

/* ---- starting and stopping ---- */

unsigned int discovery_rank(const struct config_host *host, enum domain_source source)
{
	unsigned int rank = 0;

	while (rank < host->n_discovery && host->discovery[rank] != source)
		rank++;
	return rank;
}

static bool is_wanted(const struct config_host *host, enum domain_source source)
{
	return discovery_rank(host, source) < host->n_discovery;
}

static const char no_library[] =
        "its library is not installed; where it is by now: systemctl restart pvschedd";

static int virt_start(struct discovery *discovery, bool hinted)
{
	struct virt_options options = VIRT_OPTIONS_NULL;
	int r;

	options.uri = discovery->libvirt_uri;
	options.cmdlines = discovery->cmdlines;
	options.rescan_ns = hinted ? RESCAN_WITH_HINTS_NS : RESCAN_ALONE_NS;
	r = virt_source_new(&discovery->virt, &options);
	discovery->virt_missing = r == -ELIBACC;
	if (r == -ELIBACC) {
		source_news(discovery, false, no_library);
		return 0;
	}
	if (r < 0)
		return r;
	return sd_event_add_io(discovery->event, &discovery->virt_io,
	                       virt_source_fd(discovery->virt), EPOLLIN, on_virt, discovery);
}

/* A user by name or number. Outcomes: false when there is none of that name. */
static bool find_user(const char *text, uid_t *ret)
{
	char buffer[4096], *end;
	struct passwd user, *found = NULL;
	unsigned long number = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0' && number < UINT32_MAX) {
		*ret = (uid_t)number;
		return true;
	}
	if (getpwnam_r(text, &user, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	*ret = found->pw_uid;
	return true;
}

_Static_assert(PROCESS_EXECUTABLES_MAX == CONFIG_TEXTS_MAX &&
                       PROCESS_EXECUTABLE_MAX == CONFIG_TEXT_MAX &&
                       PROCESS_USERS_MAX == CONFIG_TEXTS_MAX,
               "room for all that can be configured");

static void fill_criteria(const struct config_host *host, struct process_criteria *ret)
{
	ret->n_executables = host->qemu_executables.n;
	memcpy(ret->executables, host->qemu_executables.items, sizeof(ret->executables));
	for (size_t i = 0; i < host->qemu_users.n; i++) {
		if (find_user(host->qemu_users.items[i], &ret->users[ret->n_users]))
			ret->n_users++;
		else
			log_debug("host.qemu_users: there is no user \"%s\"",
			          host->qemu_users.items[i]);
	}
}

static int processes_start(struct discovery *discovery, const struct config_host *host, bool hinted)
{
	unsigned int libvirt = discovery_rank(host, DOMAIN_SOURCE_LIBVIRT);
	struct process_options options = {
	        .hints = hinted,
	        .cmdlines = discovery->cmdlines,
	        .confs = discovery->confs,
	        .leave_libvirts = libvirt < discovery_rank(host, DOMAIN_SOURCE_PROCFS),
	};
	int r;

	fill_criteria(host, &options.criteria);
	r = process_source_new(&discovery->processes, &options);
	if (r < 0)
		return r;
	return sd_event_add_io(discovery->event, &discovery->processes_io,
	                       process_source_fd(discovery->processes), EPOLLIN, on_processes,
	                       discovery);
}

static void processes_stop(struct discovery *discovery)
{
	discovery->processes_io = sd_event_source_disable_unref(discovery->processes_io);
	discovery->processes = process_source_free(discovery->processes);
}

int discovery_start(struct discovery *discovery, const struct config_host *host, bool hinted)
{
	int r = 0;

	if (is_wanted(host, DOMAIN_SOURCE_LIBVIRT) && !discovery->virt)
		r = virt_start(discovery, hinted);
	if (r >= 0 && is_wanted(host, DOMAIN_SOURCE_PROCFS) && !discovery->processes)
		r = processes_start(discovery, host, hinted);
	return MIN(r, 0);
}

void discovery_stop(struct discovery *discovery, bool only_processes)
{
	if (!only_processes) {
		discovery->virt_io = sd_event_source_disable_unref(discovery->virt_io);
		discovery->virt = virt_source_free(discovery->virt);
		discovery->virt_missing = false;
	}
	processes_stop(discovery);
}

static bool texts_equal(const struct config_texts *a, const struct config_texts *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool sources_equal(const struct config_host *a, const struct config_host *b)
{
	if (a->n_discovery != b->n_discovery)
		return false;
	for (size_t i = 0; i < a->n_discovery; i++)
		if (a->discovery[i] != b->discovery[i])
			return false;
	return true;
}

bool discovery_differs(const struct config_host *a, const struct config_host *b,
                       bool *only_processes)
{
	*only_processes = sources_equal(a, b);
	return !*only_processes || !texts_equal(&a->qemu_executables, &b->qemu_executables) ||
	       !texts_equal(&a->qemu_users, &b->qemu_users);
}

/* ---- hints and reports ---- */

void discovery_hint(struct discovery *discovery, pid_t pid, const struct inventory_domain *domain)
{
	if (domain)
		discovery_rescan(discovery, domain);
	else if (discovery->processes)
		process_source_hint(discovery->processes, pid);
	/* of a QEMU that is libvirt's and not known yet, libvirt tells */
}

void discovery_hint_all(struct discovery *discovery)
{
	if (discovery->virt)
		virt_source_rescan(discovery->virt, NULL);
	if (discovery->processes)
		process_source_hint(discovery->processes, 0);
}

void discovery_look_again(struct discovery *discovery)
{
	if (discovery->processes)
		process_source_hint(discovery->processes, 0);
}

void discovery_rescan(struct discovery *discovery, const struct inventory_domain *domain)
{
	if (domain->seen->source == DOMAIN_SOURCE_LIBVIRT && discovery->virt)
		virt_source_rescan(discovery->virt, domain->seen->uuid);
	if (domain->seen->source == DOMAIN_SOURCE_PROCFS && discovery->processes)
		process_source_hint(discovery->processes, domain->seen->qemu.tid);
}

bool discovery_describe(struct discovery *discovery, enum domain_source source, bool *ok,
                        char *text, size_t size)
{
	switch (source) {
	case DOMAIN_SOURCE_LIBVIRT:
		if (discovery->virt)
			*ok = virt_source_describe(discovery->virt, text, size);
		if (discovery->virt_missing) {
			*ok = false;
			snprintf(text, size, "%s", no_library);
		}
		return discovery->virt || discovery->virt_missing;
	case DOMAIN_SOURCE_PROCFS:
		if (discovery->processes)
			*ok = process_source_describe(discovery->processes, text, size);
		return discovery->processes;
	case _DOMAIN_SOURCE_MAX:
		break;
	}
	return false;
}
