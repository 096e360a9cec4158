// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/procfs.h"
#include "util/replace_file.h"

extern char **environ;

/* A cpuset that changes costs milliseconds where there are many tasks. */
#define PAUSE_NS (500 * NSEC_PER_MSEC)

/* What failed is tried again, after the time in which a person may have mended it. */
#define AGAIN_NS (30 * NSEC_PER_SEC)

/* What was not given back is given back soon. */
#define BACK_NS (2 * NSEC_PER_SEC)

/* The service has a limit of its own, which is less. */
#define LIMIT_NS (10 * NSEC_PER_SEC)

/* At the end, when a service manager waits. */
#define LAST_LIMIT_MS 6000

#define STAT_MAX (1024 * 1024)
#define LIST_MAX 8192

struct aside {
	struct aside_what what;
	struct cpu_set_bits told;   /* by the host */
	struct cpu_set_bits stolen; /* by steal time */
	struct cpu_set_bits asked;  /* of the last process */
	bool stale, again;          /* the CPUs have changed; the last one failed */
	struct steal steal;
	bool busy; /* the next look is due in a second, whether or not another event comes */
	/* systemctl, while the service works */
	pid_t pid; /* 0: none */
	struct event out, limit, next;
	struct aside_outcome outcome;
	uint64_t ended_ns, changes;
};

static const char *const modes[] = {
        [SETTINGS_ASIDE_OFF] = "off",
        [SETTINGS_ASIDE_HOST] = "host",
        [SETTINGS_ASIDE_STEAL] = "steal",
        [SETTINGS_ASIDE_AUTO] = "auto",
};

const char *aside_mode_name(enum settings_step_aside mode)
{
	return modes[mode];
}

static bool is_by_steal(const struct aside *aside)
{
	return aside->what.mode == SETTINGS_ASIDE_STEAL ||
	       (aside->what.mode == SETTINGS_ASIDE_AUTO &&
	        !aside->what.is_served(aside->what.userdata));
}

static struct cpu_set_bits wanted(const struct aside *aside)
{
	if (aside->what.mode == SETTINGS_ASIDE_OFF)
		return CPU_SET_BITS_NULL;
	return is_by_steal(aside) ? aside->stolen : aside->told;
}

/* --- The service --- */

static int write_asked(const struct aside *aside, const struct cpu_set_bits *set)
{
	char text[LIST_MAX];
	size_t n = cpulist_format(set, text, sizeof(text) - 1);

	strcpy(text + n, "\n");
	return n ? replace_file(aside->what.places.asked, text, n + 1)
	         : replace_file_remove(aside->what.places.asked);
}

/* In a group of its own, so that it ends with what it has started. Returns its PID, or -errno. */
static pid_t start_service(const struct aside *aside, int out)
{
	char *const argv[] = {(char *)"systemctl", (char *)"--no-ask-password", (char *)"start",
	                      (char *)"pvsched-aside.service", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int r;

	sigemptyset(&none);
	r = posix_spawn_file_actions_init(&files);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		posix_spawn_file_actions_destroy(&files);
		return -r;
	}
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	r = posix_spawnp(&pid, aside->what.places.systemctl, &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return r ? -r : pid;
}

static void on_out(void *userdata, uint32_t epoll_events);

/* Its output is not read: that it ends tells that the service has. */
static int start(struct aside *aside, const struct cpu_set_bits *set)
{
	int ends[2], r = write_asked(aside, set);

	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	prctl(PR_SET_TIMERSLACK, 50000UL); /* it is inherited */
	r = start_service(aside, ends[1]);
	close(ends[1]);
	if (r > 0) {
		aside->pid = r;
		r = event_add(aside->what.events, &aside->out, ends[0], EPOLLIN, on_out, aside);
	}
	if (r < 0)
		close(ends[0]);
	return r < 0 ? r : 0;
}

/* Returns true if it has ended well; with @kills it is to end. */
static bool end_service(struct aside *aside, bool kills)
{
	int fd = aside->out.fd, status = -1;

	event_remove(aside->what.events, &aside->out);
	close_fd(fd);
	event_timer_set(&aside->limit, NSEC_NEVER);
	if (aside->pid > 0) {
		if (kills)
			kill(-aside->pid, SIGKILL);
		waitpid(aside->pid, &status, 0);
	}
	aside->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Where systemd does not run, there is no service that could tell this. */
static enum aside_reason why_not(const struct aside *aside)
{
	return access(aside->what.places.systemd, F_OK) < 0 ? ASIDE_NO_SYSTEMD : ASIDE_NO_REASON;
}

static int read_outcome(struct aside *aside)
{
	char *text CLEANUP(cleanup_free) = malloc(ASIDE_OUTCOME_MAX);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = procfs_read_file(aside->what.places.outcome, text, ASIDE_OUTCOME_MAX - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return aside_outcome_parse(text, &aside->outcome);
}

static void say(const struct aside *aside)
{
	const struct aside_outcome *o = &aside->outcome;
	char list[LIST_MAX];

	cpulist_format(&o->avoided, list, sizeof(list));
	if (o->result == ASIDE_AWAY)
		log_info("stepped aside from CPUs %s: %u units, %u interrupts; %u interrupts "
		         "cannot be moved, %u tasks are bound",
		         list, o->units, o->irqs, o->irqs_fixed, o->tasks_bound);
	else if (o->result == ASIDE_BACK)
		log_info("all CPUs are used again");
	else if (o->result == ASIDE_REFUSED)
		log_notice("does not step aside: %s (%s)", aside_reason_text(o->reason),
		           aside_reason_name(o->reason));
	else
		log_warning("could not step aside, or back: %s (%s); it is tried again",
		            aside_reason_text(o->reason), aside_reason_name(o->reason));
}

static void review(struct aside *aside);

static void ended(struct aside *aside, enum aside_reason reason)
{
	struct aside_outcome before = aside->outcome;
	bool good = end_service(aside, reason != ASIDE_NO_REASON);

	if (reason == ASIDE_NO_REASON && (!good || read_outcome(aside) < 0))
		reason = ASIDE_PROCESS;
	if (reason != ASIDE_NO_REASON)
		aside->outcome = (struct aside_outcome){
		        .result = reason == ASIDE_NO_SYSTEMD ? ASIDE_REFUSED : ASIDE_FAILED,
		        .reason = reason,
		};
	aside->ended_ns = clock_now_ns();
	aside->changes++;
	aside->again = aside->outcome.result == ASIDE_FAILED;
	if (before.result != aside->outcome.result || before.reason != aside->outcome.reason ||
	    !cpu_set_bits_equal(&before.avoided, &aside->outcome.avoided))
		say(aside);
	review(aside);
}

static void on_out(void *userdata, uint32_t epoll_events)
{
	struct aside *aside = userdata;
	char text[512];
	ssize_t n = read(aside->out.fd, text, sizeof(text));

	(void)epoll_events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		ended(aside, ASIDE_NO_REASON);
}

static void on_limit(void *userdata, uint32_t epoll_events)
{
	struct aside *aside = userdata;

	(void)epoll_events;
	event_timer_done(&aside->limit);
	if (aside->pid)
		ended(aside, ASIDE_TIME);
}

static void on_next(void *userdata, uint32_t epoll_events)
{
	struct aside *aside = userdata;

	(void)epoll_events;
	event_timer_done(&aside->next);
	review(aside);
}

static void begin(struct aside *aside, const struct cpu_set_bits *set)
{
	enum aside_reason reason = why_not(aside);

	aside->again = false;
	aside->asked = *set;
	if (reason == ASIDE_NO_REASON && start(aside, set) < 0)
		reason = ASIDE_PROCESS;
	if (reason != ASIDE_NO_REASON)
		ended(aside, reason);
	else
		event_timer_set(&aside->limit, clock_now_ns() + LIMIT_NS);
}

/* Begins what has to be done, or waits until it may be. */
static void review(struct aside *aside)
{
	struct cpu_set_bits set = wanted(aside);
	uint64_t at_ns = 0;
	bool new = aside->stale || !cpu_set_bits_equal(&set, &aside->asked);

	if (aside->pid || (!new && !aside->again))
		return;
	if (aside->changes)
		at_ns = aside->ended_ns + (new                        ? PAUSE_NS
		                           : cpu_set_bits_empty(&set) ? BACK_NS
		                                                      : AGAIN_NS);
	if (clock_now_ns() < at_ns) {
		event_timer_set(&aside->next, at_ns);
		return;
	}
	aside->stale = false;
	begin(aside, &set);
}

/* --- The host --- */

void aside_told(struct aside *aside, const struct pvsched_channel_vcpu *vcpus, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t cpu = vcpus[i].cpu_index;

		if (cpu >= PVSCHED_CHANNEL_CPUS_MAX)
			continue;
		if (vcpus[i].host_flags & PVSCHED_HOST_AVOID)
			cpu_set_bits_add(&aside->told, cpu);
		else
			aside->told.words[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
	}
	review(aside);
}

void aside_silent(struct aside *aside)
{
	aside->told = CPU_SET_BITS_NULL;
	review(aside);
}

/* The sets of units are lists: a CPU that came is in none. */
void aside_cpus_changed(struct aside *aside)
{
	aside->stale = !cpu_set_bits_empty(&aside->asked);
	review(aside);
}

/* --- Steal time --- */

static void look(struct aside *aside, uint64_t now_ns)
{
	char *text CLEANUP(cleanup_free) = malloc(STAT_MAX);
	struct cpu_set_bits online;
	struct steal_sample sample;
	ssize_t n;

	if (!text || aside_read_list(aside->what.places.online, &online) < 0)
		return;
	n = procfs_read_file(aside->what.stat, text, STAT_MAX - 1);
	if (n < 0)
		return;
	text[n] = '\0';
	if (steal_parse(text, (uint64_t)sysconf(_SC_CLK_TCK), &sample) < 0)
		return;
	aside->busy = steal_look(&aside->steal, &sample, &online, now_ns, &aside->stolen);
}

/*
 * After each turn of the loop. A look that is not urgent waits for an interrupt of any timer, which
 * an idle machine has few of: the slack says how long, half a minute.
 */
static void on_turn(void *userdata)
{
	struct aside *aside = userdata;
	uint64_t now_ns = clock_now_ns();

	if (!is_by_steal(aside)) {
		if (aside->steal.looked_ns)
			steal_init(&aside->steal);
		aside->stolen = CPU_SET_BITS_NULL;
		aside->busy = false;
		aside->what.events->turn_ms = -1;
		return;
	}
	if (now_ns - aside->steal.looked_ns >= GOVERNOR_INTERVAL_NS - 100 * NSEC_PER_MSEC) {
		look(aside, now_ns);
		prctl(PR_SET_TIMERSLACK, aside->busy ? 50 * NSEC_PER_MSEC : 30 * NSEC_PER_SEC);
		review(aside);
	}
	aside->what.events->turn_ms = GOVERNOR_INTERVAL_NS / NSEC_PER_MSEC;
}

/* --- Its life --- */

void aside_read(const struct aside *aside, struct aside_view *ret)
{
	*ret = (struct aside_view){
	        .mode = aside->what.mode,
	        .by = aside->what.mode == SETTINGS_ASIDE_OFF        ? "none"
	              : is_by_steal(aside)                          ? "steal"
	              : aside->what.is_served(aside->what.userdata) ? "host"
	                                                            : "none",
	        .wanted = wanted(aside),
	        .outcome = aside->outcome,
	        .since_ns = aside->ended_ns,
	        .changes = aside->changes,
	        .contention_permille = aside->steal.contention_permille,
	        .reversals = aside->steal.course.reversals_total,
	};
	ret->changing =
	        aside->pid || aside->stale || !cpu_set_bits_equal(&ret->wanted, &aside->asked);
}

int aside_new(struct aside **ret, const struct aside_what *what)
{
	struct aside *aside = calloc(1, sizeof(*aside));
	int r;

	if (!aside)
		return -ENOMEM;
	aside->what = *what;
	aside->out = aside->limit = aside->next = EVENT_NULL;
	steal_init(&aside->steal);
	r = event_timer(what->events, &aside->limit, on_limit, aside);
	if (r == 0)
		r = event_timer(what->events, &aside->next, on_next, aside);
	if (r < 0) {
		event_timer_finish(what->events, &aside->limit);
		free(aside);
		return r;
	}
	/* in any mode: one before may have left something */
	aside->stale = access(what->places.record, F_OK) == 0;
	if (what->mode == SETTINGS_ASIDE_STEAL || what->mode == SETTINGS_ASIDE_AUTO) {
		what->events->turn = on_turn;
		what->events->turn_userdata = aside;
		what->events->turn_ms = 0;
	}
	*ret = aside;
	review(aside);
	return 0;
}

/* The loop has ended: waits for the process, whose pipe ends with it. */
static void give_back(struct aside *aside)
{
	struct cpu_set_bits none = CPU_SET_BITS_NULL;
	uint64_t until_ns = clock_now_ns() + LAST_LIMIT_MS * NSEC_PER_MSEC;

	end_service(aside, true); /* whatever it was about to do */
	if (why_not(aside) != ASIDE_NO_REASON || start(aside, &none) < 0)
		return;
	for (;;) {
		struct pollfd wait = {.fd = aside->out.fd, .events = POLLIN};
		uint64_t now_ns = clock_now_ns();
		char text[512];

		if (now_ns >= until_ns ||
		    poll(&wait, 1, (int)((until_ns - now_ns) / NSEC_PER_MSEC)) <= 0)
			break;
		if (read(aside->out.fd, text, sizeof(text)) == 0)
			break;
	}
	end_service(aside, true);
}

struct aside *aside_free(struct aside *aside)
{
	if (!aside)
		return NULL;
	if (aside->pid || access(aside->what.places.record, F_OK) == 0)
		give_back(aside);
	end_service(aside, true);
	replace_file_remove(aside->what.places.asked);
	aside->what.events->turn = NULL;
	event_timer_finish(aside->what.events, &aside->limit);
	event_timer_finish(aside->what.events, &aside->next);
	free(aside);
	return NULL;
}
