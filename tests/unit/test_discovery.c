// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which sources run, where hints go, and when another configuration finds other domains. The
 * sources are stand-ins without threads.
 */
#include "daemon/discovery.h"

#include <errno.h>
#include <unistd.h>

#include "util/log.h"
#include "virt/libvirt.h"
#include "virt/processes.h"

#include "log_fake.h"
#include "test.h"

static sd_event *event;
static struct discovery *discovery;
static bool virt_missing, virt_runs, processes_run, leaves_libvirts;
static int pipe_fds[2];
static struct virt_event next_event;
static unsigned int n_waiting, n_gone;
static pid_t hinted;
static unsigned int n_hints, n_rescans;
static char gone[DOMAIN_UUID_LEN];

/* ---- stand-ins ---- */

int virt_source_new(struct virt_source **ret, const struct virt_options *options)
{
	(void)options;
	if (virt_missing)
		return -ELIBACC;
	virt_runs = true;
	*ret = (struct virt_source *)&virt_runs;
	return 0;
}

struct virt_source *virt_source_free(struct virt_source *source)
{
	if (source)
		virt_runs = false;
	return NULL;
}

int virt_source_fd(const struct virt_source *source)
{
	(void)source;
	return pipe_fds[0];
}

bool virt_source_next(struct virt_source *source, struct virt_event *ret)
{
	char byte;

	(void)source;
	if (n_waiting == 0)
		return false;
	n_waiting--;
	*ret = next_event;
	/* readable while events wait, as the true queue */
	return n_waiting > 0 || read(pipe_fds[0], &byte, 1) == 1;
}

void virt_source_rescan(struct virt_source *source, const char *uuid)
{
	(void)source;
	(void)uuid;
	n_rescans++;
}

bool virt_source_describe(struct virt_source *source, char *text, size_t size)
{
	(void)source;
	snprintf(text, size, "ok");
	return true;
}

int process_source_new(struct process_source **ret, const struct process_options *options)
{
	processes_run = true;
	leaves_libvirts = options->leave_libvirts;
	*ret = (struct process_source *)&processes_run;
	return 0;
}

struct process_source *process_source_free(struct process_source *source)
{
	if (source)
		processes_run = false;
	return NULL;
}

int process_source_fd(const struct process_source *source)
{
	(void)source;
	return pipe_fds[1]; /* never readable */
}

bool process_source_next(struct process_source *source, struct virt_event *ret)
{
	(void)source;
	(void)ret;
	return false;
}

void process_source_hint(struct process_source *source, pid_t pid)
{
	(void)source;
	hinted = pid;
	n_hints++;
}

bool process_source_describe(struct process_source *source, char *text, size_t size)
{
	(void)source;
	snprintf(text, size, "ok");
	return true;
}

/* ---- fixture ---- */

static void on_seen(void *userdata, struct domain *domain, unsigned int causes)
{
	(void)userdata;
	(void)domain;
	(void)causes;
}

static void on_gone(void *userdata, enum domain_source source, const char *uuid)
{
	(void)userdata;
	CHECK_INT(source, DOMAIN_SOURCE_LIBVIRT);
	n_gone++;
	snprintf(gone, sizeof(gone), "%s", uuid);
}

static void begin(const struct config_host *host)
{
	struct discovery_options options = {.news = {.seen = on_seen, .gone = on_gone}};

	if (!event) {
		CHECK(sd_event_new(&event) >= 0);
		CHECK_INT(pipe(pipe_fds), 0);
	}
	discovery_free(discovery);
	options.event = event;
	CHECK_INT(discovery_new(&discovery, &options), 0);
	CHECK_INT(discovery_start(discovery, host, true), 0);
	hinted = 0;
	n_hints = n_rescans = n_logged = 0;
}

static const struct config_host both = {.n_discovery = 2,
                                        .discovery = {DOMAIN_SOURCE_LIBVIRT, DOMAIN_SOURCE_PROCFS}};
static const struct config_host reversed = {
        .n_discovery = 2, .discovery = {DOMAIN_SOURCE_PROCFS, DOMAIN_SOURCE_LIBVIRT}};
static const struct config_host libvirt = {.n_discovery = 1, .discovery = {DOMAIN_SOURCE_LIBVIRT}};

/* The place in the configuration; a source that is not there is after all others. */
static void test_ranks(void)
{
	CHECK_INT(discovery_rank(&both, DOMAIN_SOURCE_LIBVIRT), 0);
	CHECK_INT(discovery_rank(&both, DOMAIN_SOURCE_PROCFS), 1);
	CHECK_INT(discovery_rank(&reversed, DOMAIN_SOURCE_LIBVIRT), 1);
	CHECK_INT(discovery_rank(&libvirt, DOMAIN_SOURCE_PROCFS), 1);
}

/* Those that are configured run, and no others; /proc leaves libvirt's domains where that is first.
 */
static void test_what_runs(void)
{
	bool ok;
	char text[16];

	begin(&libvirt);
	CHECK(virt_runs);
	CHECK(!processes_run);
	CHECK(discovery_describe(discovery, DOMAIN_SOURCE_LIBVIRT, &ok, text, sizeof(text)));
	CHECK(!discovery_describe(discovery, DOMAIN_SOURCE_PROCFS, &ok, text, sizeof(text)));
	begin(&both);
	CHECK(processes_run);
	CHECK(leaves_libvirts);
	begin(&reversed);
	CHECK(!leaves_libvirts);
	discovery_stop(discovery, true);
	CHECK(virt_runs);
	CHECK(!processes_run);
	discovery_stop(discovery, false);
	CHECK(!virt_runs);
}

/* A hint about a domain goes to its source; about an unknown process, to the one that reads /proc.
 */
static void test_hints(void)
{
	struct domain seen = {.qemu = {.tid = 100}};
	struct inventory_domain domain = {.seen = &seen};

	begin(&both);
	discovery_hint(discovery, 100, &domain);
	CHECK_INT(n_rescans, 1);
	CHECK_INT(n_hints, 0);
	discovery_hint(discovery, 200, NULL);
	CHECK_INT(hinted, 200);
	seen.source = DOMAIN_SOURCE_PROCFS;
	discovery_hint(discovery, 100, &domain);
	CHECK_INT(hinted, 100);
	discovery_hint_all(discovery);
	CHECK_INT(n_rescans, 2);
	CHECK_INT(hinted, 0);
	CHECK_INT(n_hints, 3);
}

static void say(enum virt_event_type type, const char *text)
{
	next_event = (struct virt_event){.type = type};
	snprintf(next_event.uuid, sizeof(next_event.uuid), "%s", text);
	snprintf(next_event.reason, sizeof(next_event.reason), "%s", text);
	n_waiting = 1;
	CHECK_INT(write(pipe_fds[1], "x", 1), 1);
	CHECK(sd_event_run(event, 1000000) > 0);
}

/* One that libvirt has no more may have a place in /proc's list, which is looked at again. */
static void test_gone(void)
{
	begin(&both);
	say(VIRT_DOMAIN_GONE, "some-uuid");
	CHECK_STR(gone, "some-uuid");
	CHECK_INT(n_hints, 1);
}

/* What is left out of a domain is said with its number, if the note of it is new. */
static void test_left_out(void)
{
	struct domain domain = {.name = "big", .left_out = {.threads = 104}};

	begin(&both);
	next_event = (struct virt_event){
	        .type = VIRT_DOMAIN_SEEN, .domain = &domain, .notes = MAPPING_TRUNCATED};
	n_waiting = 1;
	CHECK_INT(write(pipe_fds[1], "x", 1), 1);
	CHECK(sd_event_run(event, 1000000) > 0);
	CHECK_INT(n_logged, 1);
	next_event.notes = 0;
	n_waiting = 1;
	CHECK_INT(write(pipe_fds[1], "x", 1), 1);
	CHECK(sd_event_run(event, 1000000) > 0);
	CHECK_INT(n_logged, 1);
}

/* Thousands of events at once have several turns of the loop, in which others have theirs. */
static void test_storm(void)
{
	unsigned int turns = 0, most = 0, before;

	begin(&both);
	n_gone = 0;
	next_event = (struct virt_event){.type = VIRT_DOMAIN_GONE};
	n_waiting = 8000;
	CHECK_INT(write(pipe_fds[1], "x", 1), 1);
	while (n_waiting > 0) {
		before = n_gone;
		CHECK(sd_event_run(event, 1000000) > 0);
		turns++;
		most = n_gone - before > most ? n_gone - before : most;
	}
	CHECK_INT(n_gone, 8000);
	CHECK(most <= 256 && turns >= 8000 / 256);
}

/* libvirt comes and goes: each is said once. */
static void test_source_news(void)
{
	begin(&both);
	say(VIRT_SOURCE_UP, "");
	say(VIRT_SOURCE_UP, "");
	CHECK_INT(n_logged, 1);
	say(VIRT_SOURCE_DOWN, "a reason");
	say(VIRT_SOURCE_DOWN, "a reason");
	CHECK_INT(n_logged, 2);
}

/* A host without libvirt's library is one on which /proc finds what there is. */
static void test_no_library(void)
{
	char text[256];
	bool ok = true;

	virt_missing = true;
	begin(&both);
	CHECK(!virt_runs && processes_run);
	CHECK(discovery_describe(discovery, DOMAIN_SOURCE_LIBVIRT, &ok, text, sizeof(text)));
	CHECK(!ok);
	CHECK_CONTAINS(text, "not installed");
	virt_missing = false;
	begin(&both);
	CHECK(virt_runs);
}

/* What makes a configuration find others, by what it says and not by the bytes behind it. */
static void test_differs(void)
{
	struct config_host a = both, b = both;
	bool only_processes;

	strcpy(a.qemu_users.items[3], "not one of the list");
	CHECK(!discovery_differs(&a, &b, &only_processes));
	b.qemu_users.n = 1;
	strcpy(b.qemu_users.items[0], "libvirt-qemu");
	CHECK(discovery_differs(&a, &b, &only_processes));
	CHECK(only_processes);
	a = b;
	CHECK(!discovery_differs(&a, &b, &only_processes));
	strcpy(b.qemu_users.items[0], "root");
	CHECK(discovery_differs(&a, &b, &only_processes));
	CHECK(discovery_differs(&both, &reversed, &only_processes));
	CHECK(!only_processes);
	CHECK(discovery_differs(&both, &libvirt, &only_processes));
	CHECK(!only_processes);
}

TEST_MAIN(TEST(test_ranks), TEST(test_what_runs), TEST(test_hints), TEST(test_gone),
          TEST(test_left_out), TEST(test_storm), TEST(test_source_news), TEST(test_no_library),
          TEST(test_differs))
