// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/lifecycle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/procfs.h"
#include "virt/libvirt.h"

/* Iterations of a large VM's migration may take this long. */
#define MIGRATION_SILENCE_US (60 * NSEC_PER_SEC / NSEC_PER_USEC)

struct life {
	struct lifecycle *lifecycle;     /* for the two event sources, as is... */
	struct inventory_domain *domain; /* ...this */
	sd_event_source *death;          /* pidfd of QEMU */
	sd_event_source *migration;      /* ends it, should nothing else */
	bool migrating;
};

struct lifecycle {
	sd_event *event;
	struct lifecycle_news news;
	struct life of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

int lifecycle_new(struct lifecycle **ret, sd_event *event, const struct lifecycle_news *news)
{
	struct lifecycle *lifecycle = calloc(1, sizeof(*lifecycle));

	if (!lifecycle)
		return -ENOMEM;
	lifecycle->event = event;
	lifecycle->news = *news;
	*ret = lifecycle;
	return 0;
}

static void life_end(struct life *life)
{
	sd_event_source_disable_unref(life->death);
	sd_event_source_disable_unref(life->migration);
	*life = (struct life){0};
}

struct lifecycle *lifecycle_free(struct lifecycle *lifecycle)
{
	if (!lifecycle)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(lifecycle->of); i++)
		life_end(&lifecycle->of[i]);
	free(lifecycle);
	return NULL;
}

void lifecycle_end(struct lifecycle *lifecycle, const struct inventory_domain *domain)
{
	life_end(&lifecycle->of[domain->slot]);
}

bool lifecycle_migrating(const struct lifecycle *lifecycle, const struct inventory_domain *domain)
{
	return lifecycle->of[domain->slot].migrating;
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct life *life = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	log_debug("domain \"%s\": its QEMU (pid %d) is gone", life->domain->seen->name,
	          life->domain->seen->qemu.tid);
	life->lifecycle->news.died(life->lifecycle->news.userdata, life->domain);
	return 0;
}

void lifecycle_begin(struct lifecycle *lifecycle, struct inventory_domain *domain)
{
	struct life *life = &lifecycle->of[domain->slot];
	int fd = (int)syscall(SYS_pidfd_open, domain->seen->qemu.tid, 0);

	*life = (struct life){.lifecycle = lifecycle, .domain = domain};
	if (fd < 0)
		return; /* gone already: its source will say so, and the threads answer ESRCH */
	if (!thread_id_is_current(&domain->seen->qemu)) {
		close_fd(fd); /* another process has that PID by now */
		return;
	}
	if (sd_event_add_io(lifecycle->event, &life->death, fd, EPOLLIN, on_death, life) < 0) {
		close_fd(fd);
		return;
	}
	sd_event_source_set_io_fd_own(life->death, true);
	sd_event_source_set_description(life->death, "qemu-death");
}

static int on_migration_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct life *life = userdata;

	(void)source;
	(void)usec;
	life->migrating = false;
	life->lifecycle->news.migrated(life->lifecycle->news.userdata, life->domain);
	return 0;
}

/* A migration that is cancelled says nothing more: it is taken for over when no news of it comes.
 */
static void migration_begin(struct life *life)
{
	life->migration = sd_event_source_disable_unref(life->migration);
	life->migrating = sd_event_add_time_relative(life->lifecycle->event, &life->migration,
	                                             CLOCK_MONOTONIC, MIGRATION_SILENCE_US, 0,
	                                             on_migration_over, life) >= 0;
}

void lifecycle_reported(struct lifecycle *lifecycle, struct inventory_domain *domain,
                        unsigned int causes)
{
	struct life *life = &lifecycle->of[domain->slot];

	if (causes & VIRT_CAUSE_MIGRATION)
		migration_begin(life);
	else if (causes & VIRT_CAUSE_LIFECYCLE)
		life->migrating = false;
}
