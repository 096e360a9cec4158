// SPDX-License-Identifier: GPL-2.0-or-later
/* Deaths of true processes, and the beginning and end of migrations. */
#include "daemon/lifecycle.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"
#include "util/procfs.h"
#include "virt/libvirt.h"

#include "inventory_fixture.h"
#include "log_fake.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct lifecycle *lifecycle;
static struct domain seen;
static struct inventory_domain domain;
static unsigned int n_died;

static void on_died(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	CHECK(d == &domain);
	n_died++;
	lifecycle_end(lifecycle, d); /* as it is dropped */
}

static void on_migrated(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	(void)d;
}

/* A domain with a process that only waits as its QEMU. */
static pid_t begin(void)
{
	struct lifecycle_news news = {.died = on_died, .migrated = on_migrated};
	uint64_t start_ticks;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	lifecycle_free(lifecycle);
	CHECK_INT(lifecycle_new(&lifecycle, event, &news), 0);
	CHECK_INT(procfs_start_ticks(0, pid, &start_ticks), 0);
	seen.qemu = (struct thread_id){pid, start_ticks};
	domain = (struct inventory_domain){.seen = &seen, .slot = 7};
	n_died = 0;
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* QEMU dies: told, once. */
static void test_death(void)
{
	pid_t pid = begin();

	lifecycle_begin(lifecycle, &domain);
	CHECK_INT(sd_event_run(event, 0), 0);
	end(pid);
	CHECK(sd_event_run(event, 1000000) > 0);
	CHECK_INT(n_died, 1);
}

/* A pid that is another process's by now is not watched. */
static void test_reused_pid(void)
{
	pid_t pid = begin();

	seen.qemu.start_ticks--;
	lifecycle_begin(lifecycle, &domain);
	end(pid);
	CHECK_INT(sd_event_run(event, 50000), 0);
	CHECK_INT(n_died, 0);
}

/* A domain that is forgotten is not watched any more. */
static void test_forgotten(void)
{
	pid_t pid = begin();

	lifecycle_begin(lifecycle, &domain);
	lifecycle_end(lifecycle, &domain);
	end(pid);
	CHECK_INT(sd_event_run(event, 50000), 0);
	CHECK_INT(n_died, 0);
}

/* A migration begins with its event, and ends with one of the life cycle and no other. */
static void test_migration(void)
{
	pid_t pid = begin();

	lifecycle_begin(lifecycle, &domain);
	CHECK(!lifecycle_migrating(lifecycle, &domain));
	lifecycle_reported(lifecycle, &domain, VIRT_CAUSE_MIGRATION | VIRT_CAUSE_LIFECYCLE);
	CHECK(lifecycle_migrating(lifecycle, &domain));
	lifecycle_reported(lifecycle, &domain, VIRT_CAUSE_THREADS | VIRT_CAUSE_METADATA);
	CHECK(lifecycle_migrating(lifecycle, &domain));
	lifecycle_reported(lifecycle, &domain, VIRT_CAUSE_LIFECYCLE);
	CHECK(!lifecycle_migrating(lifecycle, &domain));
	lifecycle_reported(lifecycle, &domain, VIRT_CAUSE_MIGRATION);
	lifecycle_end(lifecycle, &domain);
	CHECK(!lifecycle_migrating(lifecycle, &domain));
	end(pid);
}

TEST_MAIN(TEST(test_death), TEST(test_reused_pid), TEST(test_forgotten), TEST(test_migration))
