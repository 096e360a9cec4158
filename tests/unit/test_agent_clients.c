// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs and the agent: libpvsched gets a region of it, requests by it, reads in it what the host
 * did, and finds the next agent.
 */
#include "agent/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ask.h"
#include "lib/open.h"
#include "util/cleanup.h"
#include "util/clock.h"

#include "test.h"

#define CPUS 3

/* The agent's loop runs in a thread of its own; the test changes nothing of it meanwhile. */
static struct {
	struct events events;
	struct event stop;
	int stop_fds[2];
	struct settings settings;
	struct pvsched_page pages[CPUS];
	struct guest_cpu cpus[CPUS];
	struct clients *clients;
	char path[64];
	pthread_t thread;
	struct pvsched *host;
} t;

static int no_report(void *userdata, bool root, int *fd, uint64_t *size)
{
	(void)userdata;
	*fd = memfd_create("report", MFD_CLOEXEC);
	CHECK(*fd >= 0);
	*size = (uint64_t)write(*fd, root ? "root" : "user", 4);
	return 0;
}

static void on_stop(void *userdata, uint32_t epoll_events)
{
	(void)userdata;
	(void)epoll_events;
	t.events.end = true;
}

static void *loop(void *userdata)
{
	CHECK_INT(events_run(&t.events), 0);
	return userdata;
}

static void agent_begins(uint64_t generation)
{
	struct clients_what what = {
	        .events = &t.events,
	        .settings = &t.settings,
	        .pages = t.pages,
	        .cpus = t.cpus,
	        .n_cpus = CPUS,
	        .path = t.path,
	        .report = no_report,
	};
	struct pvsched_channel_vcpu line = {.cpu_index = 1,
	                                    .status = PVSCHED_STATUS_ENABLED,
	                                    .boosts = 5,
	                                    .host_cpu = 9,
	                                    .applied_state = pvsched_applied(PVSCHED_BOOST_TASK, 0),
	                                    .published_ns = 1};

	CHECK_INT(events_init(&t.events), 0);
	CHECK_INT(pipe2(t.stop_fds, O_CLOEXEC), 0);
	CHECK_INT(event_add(&t.events, &t.stop, t.stop_fds[0], POLLIN, on_stop, NULL), 0);
	CHECK_INT(clients_new(&t.clients, &what), 0);
	clients_serve(t.clients, generation, PVSCHED_ABI_VERSION);
	clients_told(t.clients, &line);
	CHECK_INT(pthread_create(&t.thread, NULL, loop, NULL), 0);
}

/* Stops its thread. What it has stays, as that of an agent that hangs. */
static void agent_hangs(void)
{
	close_fd(t.stop_fds[1]);
	CHECK_INT(pthread_join(t.thread, NULL), 0);
}

static void agent_ends(void)
{
	agent_hangs();
	t.clients = clients_free(t.clients);
	close_fd(t.stop_fds[0]);
	events_finish(&t.events);
}

static struct pvsched_places places;

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	settings_init(&t.settings);
	t.settings.users[t.settings.n_users++] = (struct settings_user){.uid = (uid_t)-1,
	                                                                .connections_max = 2,
	                                                                .rt_priority_max = 50,
	                                                                .urgent_permille = 1000,
	                                                                .looks_per_s = 100000};
	snprintf(t.path, sizeof(t.path), "/tmp/test_agent_clients.%d", (int)getpid());
	unlink(t.path);
	for (uint32_t i = 0; i < CPUS; i++)
		t.cpus[i] = (struct guest_cpu){.online = true, .apic_id = PVSCHED_APIC_ID_NONE};
	places = (struct pvsched_places){
	        .devices = "/nonexistent", .cpuinfo = "/nonexistent", .agent = t.path};
	agent_begins(7);
}

static _Thread_local int current_cpu = 1;

int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void)
{
	return current_cpu;
}

static enum pvsched_urgency requested(uint32_t cpu)
{
	return pvsched_request_urgency(__atomic_load_n(&t.pages[cpu].request, __ATOMIC_ACQUIRE));
}

/* The agent does it soon; the test ends by its timeout if not. */
#define WAIT_UNTIL(reached)                                                                        \
	do {                                                                                       \
		while (!(reached))                                                                 \
			sched_yield();                                                             \
	} while (0)

static void test_requests(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_report report;

	setup();
	CHECK_INT(pvsched_open_places(&places, NULL, &t.host), 0);
	CHECK_INT(pvsched_query(t.host, 1, &report), 0);
	CHECK_INT(report.state, PVSCHED_STATE_ENABLED);
	CHECK_INT(report.boosts, 5);
	CHECK_INT(report.host_cpu, 9);
	CHECK(report.boosted);
	CHECK_INT(report.page_count, CPUS);
	CHECK_INT(pvsched_negotiated(t.host, 2), PVSCHED_STATE_WAITING); /* no line yet */
	CHECK_INT(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40), 0);
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_URGENT);
	CHECK_INT(requested(0), PVSCHED_URGENCY_NONE);
	CHECK_INT(pvsched_lease_release(t.host, &lease, 3000), 0);
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_ORDINARY);
	CHECK(pvsched_expect_us(t.pages[1].expect, t.pages[1].request) > 0);
	CHECK_INT(pvsched_lease_request(t.host, &lease, SCHED_RR, 1), 0);
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_URGENT);
	t.host = pvsched_close(t.host); /* the program ends, and with it what it requests */
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_NONE);
	agent_ends();
}

static void test_next_agent(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;

	setup();
	CHECK_INT(pvsched_open_places(&places, t.path, &t.host), 0); /* also by its path */
	CHECK_INT(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40), 0);
	agent_ends();
	CHECK_INT(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40), PVSCHED_NO_HOST);
	agent_begins(8);
	WAIT_UNTIL(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40) == 0);
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_URGENT);
	t.host = pvsched_close(t.host);
	agent_ends();
}

/* Its region still names a host, its socket is gone. */
static void test_killed_agent(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_page old = {0};
	int connection = -1, fd;
	uint64_t size = 0;

	setup();
	CHECK_INT(pvsched_open_places(&places, NULL, &t.host), 0);
	agent_hangs();
	event_remove(&t.events, &t.stop);
	/* to the program it is as if it had been killed: the connection ends, the region stays */
	shutdown(t.host->agent.fd, SHUT_RDWR);
	unlink(t.path);
	close_fd(t.stop_fds[0]);
	old = t.pages[1];
	agent_begins(8);
	WAIT_UNTIL(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40) == 0 &&
	           requested(1) == PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvsched_request_urgency(old.request), PVSCHED_URGENCY_NONE);
	fd = pvsched_ask(t.path, PVSCHED_AGENT_REGION, 1000000, &connection, &size);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, 0) < 0 && errno == EPERM); /* it can't take the agent's memory away */
	close_fd(fd);
	close_fd(connection);
	t.host = pvsched_close(t.host);
	agent_ends();
}

static void test_who_may(void)
{
	int connection[4] = {-1, -1, -1, -1};
	uint64_t size = 0;
	int fd;

	setup();
	t.settings.users[0].connections_max = 2; /* root's */
	for (int i = 0; i < 2; i++) {
		fd = pvsched_ask(t.path, PVSCHED_AGENT_REGION, 1000000, &connection[i], &size);
		CHECK(fd >= 0);
		CHECK_U64(size, PVSCHED_REGION_SIZE_MIN);
		close_fd(fd);
	}
	CHECK_INT(pvsched_ask(t.path, PVSCHED_AGENT_REGION, 1000000, &connection[2], &size),
	          -EUSERS);
	fd = pvsched_ask(t.path, PVSCHED_AGENT_STATUS, 1000000, &connection[3], &size);
	CHECK(fd >= 0);
	CHECK_U64(size, 4);
	for (int i = 0; i < 4; i++)
		close_fd(connection[i]);
	close_fd(fd);
	CHECK_INT(pvsched_ask("/nonexistent/agent", 1, 1000, &connection[0], &size), -ENOENT);
	agent_ends();
}

/* What breaks the protocol ends that connection, and no other. */
static void test_nonsense(void)
{
	struct pvsched_agent_call calls[] = {
	        pvsched_ask_call(PVSCHED_AGENT_LOOK, 0), /* without a region */
	        pvsched_ask_call(0, 0),
	        pvsched_ask_call(99, 0),
	        pvsched_ask_call(PVSCHED_AGENT_STATUS, 1),
	};
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	char byte;

	setup();
	CHECK_INT(pvsched_open_places(&places, NULL, &t.host), 0);
	for (size_t i = 0; i <= ARRAY_SIZE(calls); i++) {
		int fd = pvsched_ask_connect(t.path, 10000000);
		size_t size = i < ARRAY_SIZE(calls) ? sizeof(calls[i]) : 3;

		CHECK(fd >= 0);
		CHECK_INT(send(fd, i < ARRAY_SIZE(calls) ? &calls[i] : calls, size, MSG_NOSIGNAL),
		          size);
		CHECK_INT(recv(fd, &byte, 1, 0), 0); /* the end */
		close_fd(fd);
	}
	CHECK_INT(pvsched_lease_request(t.host, &lease, SCHED_FIFO, 40), 0);
	WAIT_UNTIL(requested(1) == PVSCHED_URGENCY_URGENT);
	t.host = pvsched_close(t.host);
	agent_ends();
}

TEST_MAIN(TEST(test_requests), TEST(test_next_agent), TEST(test_killed_agent), TEST(test_who_may),
          TEST(test_nonsense))
