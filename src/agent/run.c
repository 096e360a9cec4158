// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/notify.h"
#include "agent/pages.h"
#include "agent/privileges.h"
#include "agent/report.h"
#include "agent/resume.h"
#include "agent/uevents.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * After the tracer was attached, each CPU says something from its next switch on. The agent looks
 * for that after these pauses; of a CPU that has not switched by then the host learns when another
 * event wakes the agent.
 */
#define ANNOUNCE_FIRST_NS (5 * NSEC_PER_MSEC)
#define ANNOUNCE_LAST_NS  (5 * NSEC_PER_SEC)

/* --- What the host asks and says --- */

static void copy_text(char *to, size_t size, const char *text)
{
	memset(to, 0, size);
	for (size_t i = 0; i + 1 < size && text[i]; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
}

static int make_hello(void *userdata, struct pvsched_channel_hello *hello)
{
	struct agent *agent = userdata;
	const struct settings *settings = &agent->settings;
	struct pvsched_channel_policy *policies = (void *)(hello + 1);
	struct pvsched_channel_cpu *cpus = (void *)(policies + settings->n_policies);
	struct utsname kernel;

	if (uname(&kernel) < 0)
		return -errno;
	*hello = (struct pvsched_channel_hello){
	        .abi_version = PVSCHED_ABI_VERSION,
	        .agent_generation = agent->generation,
	        .n_policies = settings->n_policies,
	        .cs_unavailable = guest_tracer_unavailable(agent->tracer),
	};
	copy_text(hello->agent_version, sizeof(hello->agent_version), PVSCHEDD_VERSION);
	copy_text(hello->kernel, sizeof(hello->kernel), kernel.release);
	memcpy(policies, settings->policies, settings->n_policies * sizeof(*policies));
	for (uint32_t i = 0; i < agent->n_cpus; i++)
		if (agent->cpus[i].online)
			cpus[hello->n_cpus++] = (struct pvsched_channel_cpu){
			        .cpu_index = i,
			        .apic_id = agent->cpus[i].apic_id,
			        .address = agent->cpus[i].address,
			};
	hello->head = frame_head(PVSCHED_CHANNEL_HELLO, frame_hello_size(hello));
	return 0;
}

static void announce(struct agent *agent)
{
	pages_announce(agent->pages, agent->cpus, agent->n_cpus, agent->generation);
}

static void on_announce(void *userdata, uint32_t epoll_events)
{
	struct agent *agent = userdata;

	(void)epoll_events;
	event_timer_done(&agent->announce);
	if (!guest_tracer_is_attached(agent->tracer))
		return;
	agent->announced_after_ns *= 2;
	if (pages_announce(agent->pages, agent->cpus, agent->n_cpus, agent->generation) &&
	    agent->announced_after_ns < ANNOUNCE_LAST_NS)
		event_timer_set(&agent->announce, clock_now_ns() + agent->announced_after_ns);
}

/* Nothing is said any more, and nothing traced: that would cost the guest for nothing. */
static void fall_silent(struct agent *agent)
{
	pages_clear(agent->pages, agent->n_cpus);
	clients_serve(agent->clients, 0, 0);
	if (agent->aside)
		aside_silent(agent->aside);
	guest_tracer_detach(agent->tracer);
	event_timer_set(&agent->announce, NSEC_NEVER);
}

static int on_challenged(void *userdata, uint64_t generation, uint64_t nonce)
{
	struct agent *agent = userdata;
	int r;

	clients_serve(agent->clients, 0, 0); /* until the host has answered */
	aside_silent(agent->aside);
	r = guest_tracer_attach(agent->tracer);
	if (r < 0) {
		log_error("the tracer cannot be attached: %s", strerror(-r));
		return r;
	}
	announce(agent);
	pages_store(agent->pages, agent->cpus, agent->n_cpus, &agent->settings.policies[0],
	            generation, nonce);
	agent->announced_after_ns = ANNOUNCE_FIRST_NS;
	event_timer_set(&agent->announce, clock_now_ns() + ANNOUNCE_FIRST_NS);
	return 0;
}

static void on_answered(void *userdata)
{
	struct agent *agent = userdata;
	const struct pvsched_channel_answer *answer = &agent->channel.answer;

	if (!channel_is_served(&agent->channel)) {
		log_notice("the host does not use this guest's hints: %s (%s)",
		           channel_refusal_text(answer->refusal),
		           channel_refusal_name(answer->refusal));
		notify_status("not served: %s", channel_refusal_text(answer->refusal));
		fall_silent(agent);
		return;
	}
	pages_choose(agent->pages, agent->n_cpus, answer->policy_name, answer->policy_version);
	clients_serve(agent->clients, agent->channel.generation, answer->host_abi_version);
	log_info("the host uses the hints of %u CPUs, by policy %s version %u", answer->n_pages,
	         answer->policy_name, answer->policy_version);
	notify_status("served: %u CPUs, policy %s", answer->n_pages, answer->policy_name);
}

static void on_told(void *userdata, const struct pvsched_channel_vcpu *vcpus, uint32_t n)
{
	struct agent *agent = userdata;

	for (uint32_t i = 0; i < n; i++)
		clients_told(agent->clients, &vcpus[i]);
	aside_told(agent->aside, vcpus, n);
	announce(agent);
}

static void on_lost(void *userdata)
{
	struct agent *agent = userdata;
	const struct channel *channel = &agent->channel;

	fall_silent(agent);
	notify_status("no host: %s", channel->why);
	if (!agent->options->wait) {
		log_error("no channel to the host: %s. A host has one for this machine if its "
		          "definition has a vsock device and its pvschedd listens; --wait waits "
		          "for one",
		          channel->why);
		agent->exit = AGENT_NO_CHANNEL;
		agent->events.end = true;
	} else if (channel->tries == 1) {
		log_notice("no channel to the host: %s; it is tried again", channel->why);
	}
}

static const struct channel_ops channel_ops = {
        .hello = make_hello,
        .challenged = on_challenged,
        .answered = on_answered,
        .told = on_told,
        .lost = on_lost,
};

/* --- What happens in the guest --- */

static void cpus_changed(struct agent *agent)
{
	int r = cpus_read(&CPU_PLACES, agent->cpus, agent->n_cpus);

	if (r < 0) {
		log_warning("the CPUs of this machine cannot be read: %s", strerror(-r));
		return;
	}
	clients_cpus_changed(agent->clients);
	aside_cpus_changed(agent->aside);
	if (guest_tracer_is_attached(agent->tracer))
		announce(agent);
	channel_hello_again(&agent->channel);
}

/* Of many messages at once, as a hotplug of many CPUs sends, one reading is enough. */
static void on_uevent(void *userdata, uint32_t epoll_events)
{
	struct agent *agent = userdata;
	bool cpu = false, virtio = false;
	enum uevent_kind kind;
	int r;

	(void)epoll_events;
	while ((r = uevents_next(agent->uevents.fd, &kind)) > 0) {
		cpu |= kind == UEVENT_CPU;
		virtio |= kind == UEVENT_VIRTIO;
	}
	if (r == -ENOBUFS)
		cpu = virtio = true;
	if (cpu)
		cpus_changed(agent);
	if (virtio)
		channel_try(&agent->channel);
}

static void on_resumed(void *userdata, uint32_t epoll_events)
{
	struct agent *agent = userdata;

	(void)epoll_events;
	if (!resume_seen(agent->resumed.fd))
		return;
	cpus_changed(agent);
	channel_try(&agent->channel);
}

static void on_signal(void *userdata, uint32_t epoll_events)
{
	struct agent *agent = userdata;
	struct signalfd_siginfo info;

	(void)epoll_events;
	if (read(agent->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		agent->events.end = true;
}

/* --- Begin and end --- */

static int make_report(void *userdata, bool root, int *fd, uint64_t *size)
{
	return report_make(userdata, root, fd, size);
}

static bool is_served(void *userdata)
{
	const struct agent *agent = userdata;

	return channel_is_served(&agent->channel);
}

static int begin_aside(struct agent *agent)
{
	struct aside_what what = {
	        .events = &agent->events,
	        .mode = agent->settings.step_aside,
	        .places = aside_places(),
	        .stat = "/proc/stat",
	        .is_served = is_served,
	        .userdata = agent,
	};

	return aside_new(&agent->aside, &what);
}

static int fail(const char *what, int r)
{
	log_error("%s: %s", what, strerror(-r));
	return r;
}

static int find_pages(struct agent *agent)
{
	uint32_t wanted = (agent->settings.tasks ? GUEST_SOURCES_OF_TASKS : 0) |
	                  (agent->settings.interrupts ? GUEST_SOURCES_OF_INTERRUPTS : 0);
	char why[512];
	int r = cpus_possible(&CPU_PLACES);

	if (r < 0)
		return fail("the CPUs of this machine cannot be read", r);
	agent->n_cpus = (uint32_t)r;
	agent->cpus = calloc(agent->n_cpus, sizeof(*agent->cpus));
	if (!agent->cpus)
		return -ENOMEM;
	if (sysconf(_SC_PAGESIZE) != PVSCHED_PAGE_SIZE)
		return fail("the kernel's pages are not of 4 KiB", -EOPNOTSUPP);
	r = guest_tracer_new(&agent->tracer, agent->n_cpus, wanted, why, sizeof(why));
	if (r < 0) {
		log_error("%s", why);
		return r;
	}
	agent->pages = guest_tracer_pages(agent->tracer);
	r = cpus_read(&CPU_PLACES, agent->cpus, agent->n_cpus);
	if (r < 0)
		return fail("the CPUs of this machine cannot be read", r);
	r = cpus_addresses(agent->pages, agent->cpus, agent->n_cpus);
	if (r < 0)
		return fail(r == -EPERM ? "the kernel does not tell where the pages are, which "
		                          "needs CAP_SYS_ADMIN"
		                        : "the kernel does not tell where the pages are",
		            r);
	return 0;
}

static int add_signals(struct agent *agent)
{
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = fd < 0 ? -errno
	           : event_add(&agent->events, &agent->signals, fd, EPOLLIN, on_signal, agent);
	return r;
}

/* Without one of these, hotplug and a wake-up from suspend are noticed by the next try alone. */
static void add_news(struct agent *agent)
{
	int fd = uevents_open();

	if (fd < 0 || event_add(&agent->events, &agent->uevents, fd, EPOLLIN, on_uevent, agent) < 0)
		log_warning("news of devices cannot be had: %s", strerror(errno));
	fd = resume_open();
	if (fd >= 0)
		event_add(&agent->events, &agent->resumed, fd, EPOLLIN, on_resumed, agent);
}

static int begin(struct agent *agent)
{
	struct clients_what what = {
	        .events = &agent->events,
	        .settings = &agent->settings,
	        .n_cpus = agent->n_cpus,
	        .path = agent->options->socket_path,
	        .report = make_report,
	        .userdata = agent,
	};
	int r = find_pages(agent);

	if (r < 0)
		return r;
	what.pages = agent->pages;
	what.cpus = agent->cpus;
	what.n_cpus = agent->n_cpus;
	r = clients_new(&agent->clients, &what);
	if (r < 0) {
		log_error("%s: %s", what.path,
		          r == -EADDRINUSE ? "another agent runs" : strerror(-r));
		return r;
	}
	r = add_signals(agent);
	if (r == 0)
		r = event_timer(&agent->events, &agent->announce, on_announce, agent);
	if (r == 0)
		r = channel_init(&agent->channel, &agent->events, &channel_ops, agent,
		                 agent->options->channel_path, agent->settings.port);
	if (r < 0)
		return fail("the agent cannot start", r);
	add_news(agent);
	r = privileges_drop();
	if (r < 0)
		return fail("privileges cannot be given up", r);
	while (!agent->generation)
		if (getrandom(&agent->generation, sizeof(agent->generation), 0) < 0)
			return fail("there is no random number", -errno);
	agent->hints_before_ns = clock_now_ns();
	r = begin_aside(agent);
	return r < 0 ? fail("stepping aside cannot begin", r) : 0;
}

static void finish(struct agent *agent, bool begun)
{
	/* the pages first: whatever the host reads from now on is nothing */
	if (agent->pages)
		pages_clear(agent->pages, agent->n_cpus);
	agent->clients = clients_free(agent->clients);
	agent->aside = aside_free(agent->aside);
	if (begun)
		channel_finish(&agent->channel);
	agent->tracer = guest_tracer_free(agent->tracer);
	free(agent->cpus);
	events_finish(&agent->events);
}

enum agent_exit agent_run(const struct agent_options *options, const struct settings *settings)
{
	struct agent *agent CLEANUP(cleanup_free) = calloc(1, sizeof(*agent));
	enum agent_exit ret;
	int r;

	if (!agent)
		return AGENT_FAILED;
	agent->options = options;
	agent->settings = *settings;
	agent->signals = agent->uevents = agent->resumed = agent->announce = EVENT_NULL;
	agent->channel.fd = -1;
	r = events_init(&agent->events);
	if (r == 0)
		r = begin(agent);
	if (r == 0) {
		notify_ready();
		channel_try(&agent->channel);
		r = events_run(&agent->events);
	}
	ret = r < 0 ? AGENT_FAILED : agent->exit;
	finish(agent, r == 0);
	return ret;
}
