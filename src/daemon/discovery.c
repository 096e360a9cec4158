// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who finds domains: libvirt, /proc, or both. A domain that both know belongs to the one that the
 * configuration names first.
 */
#include "daemon/manager.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "util/log.h"
#include "util/log_ids.h"

/* Where hints arrive, the threads are looked at all the same, this often: the hint is not the
 * truth. */
#define RESCAN_WITH_HINTS_NS (60 * NSEC_PER_SEC)
#define RESCAN_ALONE_NS      (1 * NSEC_PER_SEC)

static void source_news(struct manager *m, bool up, const char *why)
{
	struct log_context ctx = {
	        .vcpu = -1,
	        .message_id = up ? LOG_ID_SOURCE_BACK : LOG_ID_SOURCE_LOST,
	};

	if (m->virt_up == up && strcmp(m->virt_why, why) == 0)
		return;
	if (up)
		log_write(LOG_INFO, &ctx, "libvirt answers");
	else
		log_write(LOG_NOTICE, &ctx,
		          "libvirt does not answer: %s; known domains are looked after as before",
		          why);
	m->virt_up = up;
	snprintf(m->virt_why, sizeof(m->virt_why), "%s", why);
}

static void domain_notes(const struct domain *domain, unsigned int notes)
{
	struct log_context ctx = {.domain = domain->name, .vcpu = -1};

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
	if (notes & MAPPING_TRUNCATED)
		log_write(LOG_WARNING, &ctx, "domain \"%s\" has more threads than are looked at",
		          domain->name);
}

static void handle_event(struct manager *m, enum domain_source source, struct virt_event *event)
{
	switch (event->type) {
	case VIRT_DOMAIN_SEEN:
		domain_notes(event->domain, event->notes);
		domains_seen(m, event->domain, event->causes);
		break;
	case VIRT_DOMAIN_GONE:
		domains_gone(m, source, event->uuid);
		/* one that libvirt's kept out of the list may have its place now */
		if (source == DOMAIN_SOURCE_LIBVIRT && m->processes)
			process_source_hint(m->processes, 0);
		break;
	case VIRT_SOURCE_UP:
		source_news(m, true, "");
		break;
	case VIRT_SOURCE_DOWN:
		source_news(m, false, event->reason);
		break;
	}
}

static int on_virt(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	struct virt_event event;

	(void)source;
	(void)fd;
	(void)revents;
	while (virt_source_next(m->virt, &event))
		handle_event(m, DOMAIN_SOURCE_LIBVIRT, &event);
	return 0;
}

static int on_processes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	struct virt_event event;

	(void)source;
	(void)fd;
	(void)revents;
	while (process_source_next(m->processes, &event))
		handle_event(m, DOMAIN_SOURCE_PROCFS, &event);
	return 0;
}

unsigned int discovery_rank(const struct manager *m, enum domain_source source)
{
	const struct config_host *host = config_host(m->config);
	unsigned int rank = 0;

	while (rank < host->n_discovery && host->discovery[rank] != source)
		rank++;
	return rank;
}

static bool is_wanted(const struct manager *m, enum domain_source source)
{
	return discovery_rank(m, source) < config_host(m->config)->n_discovery;
}

static int virt_start(struct manager *m)
{
	struct virt_options options = VIRT_OPTIONS_NULL;
	int r;

	options.uri = m->options.libvirt_uri;
	options.rescan_ns = m->procconn ? RESCAN_WITH_HINTS_NS : RESCAN_ALONE_NS;
	r = virt_source_new(&m->virt, &options);
	if (r < 0)
		return r;
	return sd_event_add_io(m->event, &m->virt_io, virt_source_fd(m->virt), EPOLLIN, on_virt, m);
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

static int processes_start(struct manager *m)
{
	unsigned int libvirt = discovery_rank(m, DOMAIN_SOURCE_LIBVIRT);
	struct process_options options = {
	        .hints = m->procconn != NULL,
	        .leave_libvirts = libvirt < discovery_rank(m, DOMAIN_SOURCE_PROCFS),
	};
	int r;

	fill_criteria(config_host(m->config), &options.criteria);
	r = process_source_new(&m->processes, &options);
	if (r < 0)
		return r;
	return sd_event_add_io(m->event, &m->processes_io, process_source_fd(m->processes), EPOLLIN,
	                       on_processes, m);
}

static void processes_stop(struct manager *m)
{
	m->processes_io = sd_event_source_disable_unref(m->processes_io);
	m->processes = process_source_free(m->processes);
}

int discovery_start(struct manager *m)
{
	int r = 0;

	if (is_wanted(m, DOMAIN_SOURCE_LIBVIRT) && !m->virt)
		r = virt_start(m);
	if (r >= 0 && is_wanted(m, DOMAIN_SOURCE_PROCFS) && !m->processes)
		r = processes_start(m);
	return r;
}

void discovery_stop(struct manager *m)
{
	m->virt_io = sd_event_source_disable_unref(m->virt_io);
	m->virt = virt_source_free(m->virt);
	processes_stop(m);
}

bool discovery_differs(const struct config_host *a, const struct config_host *b,
                       bool *only_processes)
{
	*only_processes = a->n_discovery == b->n_discovery &&
	                  memcmp(a->discovery, b->discovery, sizeof(a->discovery)) == 0;
	return !*only_processes ||
	       memcmp(&a->qemu_executables, &b->qemu_executables, sizeof(a->qemu_executables)) !=
	               0 ||
	       memcmp(&a->qemu_users, &b->qemu_users, sizeof(a->qemu_users)) != 0;
}

void discovery_restart(struct manager *m, bool only_processes)
{
	int r;

	if (only_processes)
		processes_stop(m);
	else
		discovery_stop(m);
	domains_drop_of(m, DOMAIN_SOURCE_PROCFS);
	if (!only_processes)
		domains_drop_of(m, DOMAIN_SOURCE_LIBVIRT);
	r = discovery_start(m);
	if (r < 0)
		log_error("domains can't be looked for: %s; start pvschedd again", strerror(-r));
}

void discovery_hint(struct manager *m, pid_t pid)
{
	struct managed_domain *d = domains_by_qemu(m, pid);

	if (d)
		discovery_rescan(m, d);
	else if (m->processes)
		process_source_hint(m->processes, pid);
	/* of a QEMU that is libvirt's and not known yet, libvirt tells */
}

void discovery_hint_all(struct manager *m)
{
	if (m->virt)
		virt_source_rescan(m->virt, NULL);
	if (m->processes)
		process_source_hint(m->processes, 0);
}

void discovery_rescan(struct manager *m, const struct managed_domain *d)
{
	if (d->seen->source == DOMAIN_SOURCE_LIBVIRT && m->virt)
		virt_source_rescan(m->virt, d->seen->uuid);
	if (d->seen->source == DOMAIN_SOURCE_PROCFS && m->processes)
		process_source_hint(m->processes, d->seen->qemu.tid);
}
