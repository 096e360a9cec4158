/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/procfs.h"
#include "virt/presence.h"

#define BACKOFF_MIN_NS (100 * NSEC_PER_MSEC)
#define BACKOFF_MAX_NS (30 * NSEC_PER_SEC)

/** A daemon locks its pid file seconds before it listens: at first retries stay frequent. */
#define STARTING_NS         (15 * NSEC_PER_SEC)
#define BACKOFF_STARTING_NS (400 * NSEC_PER_MSEC)

/** Interval of reads of the pid files, for file systems and limits that defeat inotify. */
#define PRESENCE_INTERVAL_NS (5 * NSEC_PER_SEC)

/**
 * A daemon that has just ended a connection may be about to exit. A new connection would then wait
 * in systemd's socket and start it again. So the same process gets this long to exit.
 */
#define SAME_DAEMON_NS (5 * NSEC_PER_SEC)

/** Interval of looks at a daemon that SIGSTOP stopped. */
#define STOPPED_INTERVAL_NS (500 * NSEC_PER_MSEC)

/** A QEMU that has just started, or ends, is not missed yet. */
#define UNFOUND_NS (5 * NSEC_PER_SEC)

/** The wait after a query about a domain that failed. */
#define ASK_AGAIN_NS NSEC_PER_SEC

/**
 * A script may change metadata a thousand times a second. So it is read, and the threads are
 * scanned with it, at most this often. The last change is always read.
 */
#define METADATA_INTERVAL_NS (100 * NSEC_PER_MSEC)

/** Finds or adds a domain. Returns NULL if there are too many, with one line in the log. */
static struct known_domain *get_domain(struct watch *watch, const char *uuid)
{
	struct known_domain *domain = known_get(&watch->known, uuid);

	if (!domain && !watch->full_warned) {
		log_outside(LOG_WARNING, "domain %s is ignored: no room for more than %d domains",
		            uuid, VIRT_DOMAINS_MAX);
		watch->full_warned = true;
	}
	return domain;
}

static void on_touched(void *userdata, const char *uuid, enum virt_cause cause)
{
	struct watch *watch = userdata;
	struct known_domain *domain = get_domain(watch, uuid);

	if (!domain)
		return;
	domain->causes |= cause;
	if (cause != VIRT_CAUSE_METADATA)
		domain->ask_ns = 0;
	else if (!domain->ask)
		domain->ask_ns = domain->asked_ns ? domain->asked_ns + METADATA_INTERVAL_NS : 0;
	domain->ask = true;
}

static void on_lost(void *userdata, const char *reason)
{
	struct watch *watch = userdata;

	watch->lost = true;
	snprintf(watch->lost_reason, sizeof(watch->lost_reason), "%s", reason);
}

static void on_readable(void *userdata, int fd)
{
	struct watch *watch = userdata;
	eventfd_t count;

	if (fd == watch->wake_fd) {
		eventfd_read(fd, &count);
	} else if (presence_touched(fd)) {
		watch->try_ns = 0;
		watch->failing_ns = 0;
		watch->backoff_ns = BACKOFF_MIN_NS;
	}
}

static void presence_stop(struct watch *watch)
{
	connection_loop_remove(watch->presence_handle);
	watch->presence_handle = -1;
	watch->presence_fd = close_fd(watch->presence_fd);
}

/** Watches the pid files, only while there is no connection: the directory is busy. */
static void presence_start(struct watch *watch)
{
	if (watch->presence_fd >= 0)
		return;
	watch->presence_fd = presence_watch(watch->run_dir);
	if (watch->presence_fd < 0)
		return;
	watch->presence_handle = connection_loop_add(watch->presence_fd, &watch->ops);
	if (watch->presence_handle < 0)
		watch->presence_fd = close_fd(watch->presence_fd);
}

int watch_init(struct watch *watch)
{
	watch->ops = (struct connection_ops){on_touched, on_lost, on_readable, watch};
	watch->presence_fd = watch->presence_handle = -1;
	watch->backoff_ns = BACKOFF_MIN_NS;
	watch->wake_handle = connection_loop_add(watch->wake_fd, &watch->ops);
	if (watch->wake_handle < 0)
		return -ENOMEM;
	presence_start(watch);
	return 0;
}

void watch_finish(struct watch *watch)
{
	connection_close(watch->connection);
	presence_stop(watch);
	connection_loop_remove(watch->wake_handle);
	known_clear(&watch->known);
	vhost_table_clear(&watch->vhosts);
	cmdline_cache_clear(&watch->cmdlines);
}

void watch_hint(struct watch *watch, const char *uuid, uint64_t now_ns)
{
	struct known_domain *domain;
	size_t i;

	domain = uuid ? known_find(&watch->known, uuid) : NULL;
	if (domain && domain->look_ns != NSEC_NEVER)
		known_hint(domain, now_ns);
	for (i = 0; !uuid && i < watch->known.n; i++)
		if (watch->known.domains[i]->look_ns != NSEC_NEVER)
			known_glance(watch->known.domains[i], now_ns);
}

static void report_source(struct watch *watch, enum virt_event_type type, const char *text)
{
	struct virt_event event = {.type = type};

	snprintf(event.reason, sizeof(event.reason), "%s", text);
	source_status_set(watch->status, type == VIRT_SOURCE_UP, text);
	/* Without memory only the event is lost: the status above is set. */
	event_queue_push(watch->queue, &event);
}

/** Stores what libvirt says about a running domain. */
static void on_domain(void *userdata, const struct connection_domain *seen)
{
	struct watch *watch = userdata;
	struct known_domain *domain = get_domain(watch, seen->uuid);

	if (!domain)
		return;
	domain->listed = true;
	domain->ask = false;
	if (strlen(seen->name) >= sizeof(domain->name)) {
		log_outside(LOG_WARNING, "domain %s is ignored: its name is longer than %d bytes",
		            seen->uuid, DOMAIN_NAME_MAX - 1);
		domain->look_ns = NSEC_NEVER;
		return;
	}
	strcpy(domain->name, seen->name);
	domain->state = seen->state;
	domain->metadata = seen->metadata;
	if (seen->labelled) /* else they stay as they were */
		domain->labels = seen->labels;
	known_hint(domain, clock_now_ns());
}

static void forget(struct watch *watch, struct known_domain *domain, uint64_t now_ns)
{
	if (known_report_gone(domain, watch->queue) == 0) {
		known_remove(&watch->known, domain);
		return;
	}
	domain->ask = true;
	domain->ask_ns = now_ns + ASK_AGAIN_NS;
}

/** Lists the running domains. A known domain that is not listed is gone. */
static int enumerate(struct watch *watch, uint64_t now_ns, char *error, size_t error_size)
{
	size_t i;
	int r;

	for (i = 0; i < watch->known.n; i++)
		watch->known.domains[i]->listed = false;
	r = connection_list(watch->connection, on_domain, watch, error, error_size);
	if (r < 0)
		return r;
	for (i = watch->known.n; i-- > 0;) {
		struct known_domain *domain = watch->known.domains[i];

		if (domain->listed)
			domain->causes |= VIRT_CAUSE_ENUMERATED;
		else
			forget(watch, domain, now_ns);
	}
	return 0;
}

static void failed(struct watch *watch, const char *error, uint64_t now_ns)
{
	uint64_t max_ns;
	char text[256];

	/* Without the time between tries: that changes, and the event is sent once. */
	snprintf(text, sizeof(text), "cannot use %s: %s; trying again", watch->daemon, error);
	if (watch->failing_ns == 0) {
		watch->failing_ns = now_ns;
		report_source(watch, VIRT_SOURCE_DOWN, text);
	} else {
		source_status_set(watch->status, false, text);
	}
	max_ns = now_ns - watch->failing_ns < STARTING_NS ? BACKOFF_STARTING_NS : BACKOFF_MAX_NS;
	watch->connection = connection_close(watch->connection);
	watch->lost = false;
	watch->try_ns = now_ns + watch->backoff_ns;
	watch->backoff_ns = MIN(2 * watch->backoff_ns, max_ns);
}

static void connect_to(struct watch *watch, const struct libvirt_daemon *daemon, uint64_t now_ns)
{
	char uri[256], error[160] = "", text[256];
	int r;

	watch->daemon = daemon->name;
	watch->daemon_pid = daemon->pid;
	snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", daemon->socket);
	snprintf(text, sizeof(text), "connecting to %s (pid %d)", daemon->name, daemon->pid);
	source_status_set(watch->status, false, text);
	r = connection_open(&watch->connection, watch->uri ? watch->uri : uri, watch->keepalive_s,
	                    &watch->ops, error, sizeof(error));
	if (r == 0)
		r = enumerate(watch, now_ns, error, sizeof(error));
	if (r < 0) {
		failed(watch, error, clock_now_ns());
		return;
	}
	presence_stop(watch);
	watch->unfound = 0;
	watch->full_said = false;
	watch->failing_ns = 0;
	watch->backoff_ns = BACKOFF_MIN_NS;
	snprintf(text, sizeof(text), "ok: %s (pid %d)", daemon->name, daemon->pid);
	report_source(watch, VIRT_SOURCE_UP, text);
}

/** True if a signal stopped the process: connecting would hang until it goes on. */
static bool is_stopped(pid_t pid)
{
	struct procfs_stat stat;

	return pid > 0 && procfs_stat(pid, pid, &stat) == 0 &&
	       (stat.state == 'T' || stat.state == 't');
}

static void try_connect(struct watch *watch, uint64_t now_ns)
{
	struct libvirt_daemon daemon;
	int r;

	presence_start(watch);
	r = presence_check(watch->run_dir, &daemon);
	if (r != 0) {
		source_status_set(watch->status, false,
		                  r < 0 ? "the run directory's name is too long"
		                        : "neither libvirtd nor virtqemud runs; waiting for one");
		watch->try_ns = now_ns + PRESENCE_INTERVAL_NS;
		return;
	}
	if (watch->lost_ns && daemon.pid == watch->lost_pid &&
	    now_ns < watch->lost_ns + SAME_DAEMON_NS) {
		watch->try_ns = now_ns + BACKOFF_MIN_NS;
		return;
	}
	if (is_stopped(daemon.pid)) {
		source_status_set(watch->status, false,
		                  "the libvirt daemon is stopped by a signal; waiting for it");
		watch->try_ns = now_ns + STOPPED_INTERVAL_NS;
		return;
	}
	connect_to(watch, &daemon, now_ns);
}

static void handle_loss(struct watch *watch, uint64_t now_ns)
{
	char text[256];

	snprintf(text, sizeof(text), "%s (pid %d): %s; waiting for it to run and answer again",
	         watch->daemon, watch->daemon_pid, watch->lost_reason);
	watch->connection = connection_close(watch->connection);
	watch->lost = false;
	watch->lost_ns = now_ns;
	watch->lost_pid = watch->daemon_pid;
	watch->try_ns = now_ns + BACKOFF_MIN_NS;
	report_source(watch, VIRT_SOURCE_DOWN, text);
}

static void ask(struct watch *watch, struct known_domain *domain, uint64_t now_ns)
{
	int r;

	domain->ask = false;
	domain->asked_ns = now_ns;
	r = connection_look_up(watch->connection, domain->uuid, on_domain, watch);
	if (r == CONNECTION_NOT_RUNNING) {
		forget(watch, domain, now_ns);
	} else if (r < 0) {
		domain->ask = true;
		domain->ask_ns = now_ns + ASK_AGAIN_NS;
	}
}

/** Everything that may hang with libvirtd. */
static void talk_to_libvirt(struct watch *watch, uint64_t now_ns)
{
	size_t i;

	if (watch->lost)
		handle_loss(watch, now_ns);
	if (!watch->connection && now_ns >= watch->try_ns)
		try_connect(watch, now_ns);
	/* Counts down: the last domain takes the place of one that is forgotten. */
	for (i = watch->known.n; watch->connection && !watch->lost && i-- > 0;) {
		struct known_domain *domain = watch->known.domains[i];

		if (domain->ask && now_ns >= domain->ask_ns)
			ask(watch, domain, now_ns);
	}
}

static uint64_t look_at_threads(struct watch *watch, uint64_t now_ns)
{
	struct known_scan scan = {watch->run_dir, watch->rescan_ns, &watch->vhosts, watch->queue,
	                          &watch->cmdlines};
	uint64_t next_ns = NSEC_NEVER;
	size_t i;

	for (i = 0; i < watch->known.n; i++) {
		struct known_domain *domain = watch->known.domains[i];

		if (domain->look_ns <= now_ns)
			known_look(domain, &scan, now_ns);
		next_ns = MIN(next_ns, domain->look_ns);
		if (watch->connection && domain->ask)
			next_ns = MIN(next_ns, domain->ask_ns);
	}
	return next_ns;
}

/**
 * Says how many domains libvirt runs whose QEMU is not found: in a PID namespace, hidden by /proc,
 * or without libvirt's files.
 */
static void describe(struct watch *watch, uint64_t now_ns)
{
	char text[SOURCE_STATUS_TEXT];
	size_t unfound = 0;
	bool full;

	for (size_t i = 0; i < watch->known.n; i++) {
		uint64_t since_ns = watch->known.domains[i]->unfound_ns;

		unfound += since_ns > 0 && now_ns > since_ns + UNFOUND_NS;
	}
	full = watch->full_warned && watch->known.n == VIRT_DOMAINS_MAX;
	if (unfound == watch->unfound && full == watch->full_said)
		return;
	watch->unfound = unfound;
	watch->full_said = full;
	snprintf(text, sizeof(text), "ok: %s (pid %d)", watch->daemon, watch->daemon_pid);
	if (unfound > 0)
		snprintf(text, sizeof(text),
		         "%s (pid %d) runs domains, and of %zu of them no QEMU process is found: "
		         "/proc or libvirt's files do not show it",
		         watch->daemon, watch->daemon_pid, unfound);
	else if (full)
		snprintf(text, sizeof(text),
		         "%s (pid %d) runs more than %d domains: the others are left out",
		         watch->daemon, watch->daemon_pid, VIRT_DOMAINS_MAX);
	source_status_set(watch->status, unfound == 0 && !full, text);
}

uint64_t watch_pass(struct watch *watch, uint64_t now_ns)
{
	uint64_t next_ns;

	source_status_busy(watch->status, now_ns);
	talk_to_libvirt(watch, now_ns);
	source_status_busy(watch->status, 0);
	next_ns = look_at_threads(watch, clock_now_ns());
	if (watch->connection && !watch->lost)
		describe(watch, clock_now_ns());
	if (watch->lost)
		return 0;
	return watch->connection ? next_ns : MIN(next_ns, watch->try_ns);
}
