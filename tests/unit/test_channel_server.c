// SPDX-License-Identifier: GPL-2.0-or-later
/* The host's end of the channel against guests that are right, hasty, slow or too many. */
#include "channel_fixture.h"

#include <sys/un.h>

#include "util/cleanup.h"
#include "util/clock.h"

static struct {
	sd_event *event;
	struct channel_server *server;
	unsigned int hellos, late, stored, gone;
	struct channel_peer *peer; /* of the last call */
	char why[128];
	bool challenges; /* it answers each hello with a challenge, else it refuses */
	uint32_t n_states;
	struct pvsched_channel_vcpu states[PVSCHED_CHANNEL_CPUS_MAX];
} host;

static void on_hello(void *userdata, struct channel_peer *peer)
{
	struct channel_verdict verdict = {.refusal = PVSCHED_CHANNEL_NO_DOMAIN,
	                                  .policy = {"pvschedd", 1}};

	CHECK(userdata == &host);
	host.hellos++;
	host.peer = peer;
	if (host.challenges)
		CHECK_INT(channel_challenge(peer), 0);
	else
		channel_answer(peer, &verdict);
}

static void on_late(void *userdata, struct channel_peer *peer)
{
	(void)userdata;
	host.late++;
	host.peer = peer;
}

static void on_stored(void *userdata, struct channel_peer *peer)
{
	(void)userdata;
	host.stored++;
	host.peer = peer;
}

static uint32_t on_states(void *userdata, struct channel_peer *peer,
                          struct pvsched_channel_vcpu *ret, uint32_t max)
{
	(void)userdata;
	CHECK_U64(max, peer->hello->n_cpus);
	memcpy(ret, host.states, host.n_states * sizeof(*ret));
	return host.n_states;
}

static void on_gone(void *userdata, struct channel_peer *peer, const char *why)
{
	(void)userdata;
	(void)peer;
	host.gone++;
	snprintf(host.why, sizeof(host.why), "%s", why);
}

static void setup(bool challenges)
{
	static const struct channel_ops ops = {.hello = on_hello,
	                                       .late = on_late,
	                                       .stored = on_stored,
	                                       .states = on_states,
	                                       .gone = on_gone,
	                                       .userdata = &host};

	memset(&host, 0, sizeof(host));
	host.challenges = challenges;
	CHECK(sd_event_new(&host.event) >= 0);
	CHECK_INT(channel_server_new(&host.server, host.event, &ops), 0);
}

static void teardown(void)
{
	channel_server_free(host.server);
	sd_event_unref(host.event);
}

static void pump(void)
{
	channel_pump(host.event);
}

/* A guest that is served, with a page for each CPU. Returns its end. */
static int serve(uint32_t cid)
{
	struct channel_verdict verdict = {.refusal = PVSCHED_CHANNEL_SERVED,
	                                  .status = PVSCHED_STATUS_ENABLED,
	                                  .policy = {"pvschedd", 1},
	                                  .n_pages = HELLO_CPUS};
	int fd = guest_connect(host.server, cid);
	struct pvsched_channel_challenge challenge;
	struct pvsched_channel_answer answer;
	unsigned int stored = host.stored;

	guest_hello(fd);
	pump();
	challenge = guest_challenge(fd);
	guest_stored(fd, challenge.nonce);
	pump();
	CHECK_U64(host.stored, stored + 1);
	CHECK_INT(channel_session_proven(&host.peer->session, challenge.generation), 0);
	channel_answer(host.peer, &verdict);
	answer = guest_answer(fd);
	CHECK_U64(answer.refusal, PVSCHED_CHANNEL_SERVED);
	CHECK_U64(answer.status, PVSCHED_STATUS_ENABLED);
	CHECK_U64(answer.generation, challenge.generation);
	CHECK_U64(answer.n_pages, HELLO_CPUS);
	CHECK_U64(answer.host_abi_version, PVSCHED_ABI_VERSION);
	CHECK_STR(answer.policy_name, "pvschedd");
	return fd;
}

/* Takes turns of the loop until something is there for the guest. */
static void wait_for_frame(int fd)
{
	while (guest_has_nothing(fd))
		CHECK(sd_event_run(host.event, 1000 * 1000) >= 0);
}

static void test_refused(void)
{
	struct pvsched_channel_answer answer;
	int fd;

	setup(false);
	fd = guest_connect(host.server, 3);
	guest_hello(fd);
	pump();
	answer = guest_answer(fd);
	CHECK_U64(answer.refusal, PVSCHED_CHANNEL_NO_DOMAIN);
	CHECK_U64(answer.generation, 0);
	CHECK(guest_has_nothing(fd)); /* and it may stay */
	close(fd);
	pump();
	CHECK_U64(host.gone, 1);
	CHECK_U64(host.server->n_peers, 0);
	teardown();
}

static void test_served(void)
{
	int fd;

	setup(true);
	fd = serve(3);
	CHECK_STR(channel_session_state(&host.peer->session), "served");
	CHECK_STR(host.peer->hello->kernel, "6.1.0-42-amd64");
	close(fd);
	pump();
	CHECK_STR(host.why, "the guest closed it");
	teardown();
}

/* A stream comes in any pieces. */
static void test_pieces(void)
{
	struct hello_frame f = hello_frame();
	int fd;

	setup(false);
	fd = guest_connect(host.server, 3);
	for (size_t i = 0; i < sizeof(f); i++) {
		CHECK_U64(host.hellos, 0);
		guest_send(fd, (char *)&f + i, 1);
		pump();
	}
	CHECK_U64(host.hellos, 1);
	close(fd);
	teardown();
}

static void check_turned_away(uint32_t cid, uint32_t port)
{
	int fd = guest_connect_from(host.server, cid, port);

	CHECK(guest_is_closed(fd));
	close(fd);
}

/* The host's own CIDs, and ports that any user of a guest may have. */
static void test_turned_away(void)
{
	setup(true);
	for (uint32_t cid = 0; cid < 3; cid++)
		check_turned_away(cid, GUEST_PORT);
	check_turned_away(UINT32_MAX, GUEST_PORT);
	check_turned_away(3, PVSCHED_CHANNEL_PORT_MAX + 1);
	check_turned_away(3, UINT32_MAX);
	CHECK_U64(host.server->shared.counters.refused_peers, 6);
	CHECK_U64(host.server->shared.counters.connections, 0);
	CHECK_U64(host.server->n_peers, 0);
	CHECK_U64(host.gone, 0);
	teardown();
}

/* The last connection of a CID counts. */
static void test_again(void)
{
	int first, second;

	setup(true);
	first = serve(3);
	second = serve(3);
	CHECK(guest_is_closed(first));
	CHECK_STR(host.why, "the guest has connected again");
	CHECK(!guest_is_closed(second));
	CHECK_U64(host.server->n_peers, 1);
	close(first);
	close(second);
	teardown();
}

static void check_broken(const void *bytes, size_t size)
{
	uint64_t broken = host.server->shared.counters.bad_frames;
	unsigned int gone = host.gone;
	static uint32_t cid = 1000;
	int fd = guest_connect(host.server, cid++);

	guest_send(fd, bytes, size);
	pump();
	CHECK(guest_is_closed(fd));
	CHECK_U64(host.gone, gone + 1);
	CHECK_U64(host.server->shared.counters.bad_frames, broken + 1);
	close(fd);
}

static void test_broken(void)
{
	struct pvsched_channel_challenge challenge = {
	        .head = frame_head(PVSCHED_CHANNEL_CHALLENGE, sizeof(challenge))};
	struct pvsched_channel_stored stored = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(stored))};
	struct hello_frame f = hello_frame();

	setup(true);
	check_broken("GET / HTTP/1.1\r\n", 16);
	check_broken(&challenge, sizeof(challenge)); /* the host's */
	check_broken(&stored, sizeof(stored));       /* it has nothing to store */
	f.cpus[0].address++;
	check_broken(&f, sizeof(f));
	CHECK_STR(host.why, "the address of a page is not a multiple of 4096");
	f = hello_frame();
	f.hello.head.size = PVSCHED_CHANNEL_SIZE_MAX + 8;
	check_broken(&f, sizeof(f));
	f.hello.head.size = UINT32_MAX;
	check_broken(&f, sizeof(f));
	CHECK_U64(host.hellos, 0);
	teardown();
}

/* A million hellos: most are not read; the guest learns of it; the last one is heard in the end. */
static void test_too_often(void)
{
	struct pvsched_channel_answer answer;
	struct hello_frame f = hello_frame();
	uint64_t begin_ns = clock_now_ns(), elapsed_ns;
	unsigned int sent = 0, answers = 0;
	int fd;

	setup(false);
	fd = guest_connect(host.server, 3);
	for (unsigned int i = 0; i < 1000000; i++) {
		if (send(fd, &f, sizeof(f), MSG_NOSIGNAL) == sizeof(f))
			sent++;
		else if (i % 100 != 0)
			continue;
		pump();
		while (!guest_has_nothing(fd)) {
			answer = guest_answer(fd);
			answers++;
		}
	}
	elapsed_ns = clock_now_ns() - begin_ns;
	CHECK_GE(sent, host.hellos);
	CHECK_LE(host.hellos, CHANNEL_RATE_BURST + elapsed_ns / CHANNEL_RATE_NS + 1);
	CHECK_GE(host.late, 1);
	CHECK_LE(host.late, host.hellos);
	CHECK_U64(host.server->shared.counters.hellos_delayed, host.late);
	CHECK_LE(answers, host.hellos + host.late);
	CHECK_U64(answer.refusal, PVSCHED_CHANNEL_TOO_OFTEN);
	/* the one that waits is heard without the guest's doing */
	answers = host.hellos;
	while (host.hellos == answers)
		CHECK(sd_event_run(host.event, 1000 * 1000) >= 0);
	close(fd);
	teardown();
}

/* Connections at any rate: a few are taken, the others closed. */
static void test_connects_too_often(void)
{
	setup(false);
	for (int i = 0; i < 1000; i++)
		close(guest_connect(host.server, 3));
	CHECK_GE(host.server->shared.counters.refused_rate, 900);
	CHECK_LE(host.server->shared.counters.connections, 100);
	pump();
	CHECK_U64(host.server->n_peers, 0);
	teardown();
}

/* Each CPU's state is sent once, and then what has changed of it. */
static void test_states(void)
{
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpus[HELLO_CPUS];
	} frame;
	struct channel_peer *peer;
	int fd;

	setup(true);
	host.n_states = 2;
	host.states[0] = (struct pvsched_channel_vcpu){.cpu_index = 0, .boosts = 5};
	host.states[1] = (struct pvsched_channel_vcpu){.cpu_index = 2, .boosts = 6};
	fd = serve(3);
	peer = host.peer;
	wait_for_frame(fd);
	guest_receive(fd, PVSCHED_CHANNEL_STATE, &frame, sizeof(frame));
	CHECK_U64(frame.state.n_vcpus, 2);
	CHECK_U64(frame.state.generation, peer->session.generation);
	CHECK_U64(frame.vcpus[1].boosts, 6);
	/* the time alone is no news */
	host.states[0].published_ns = 1;
	host.states[1].published_ns = 2;
	channel_changed(peer, true);
	while (peer->session.wanted)
		CHECK(sd_event_run(host.event, 1000 * 1000) >= 0);
	CHECK(guest_has_nothing(fd));
	CHECK_U64(channel_peer_next_ns(peer), NSEC_NEVER); /* and nothing is due any more */
	host.states[1].throttles = 1;
	channel_changed(peer, true);
	wait_for_frame(fd);
	guest_receive(fd, PVSCHED_CHANNEL_STATE, &frame, sizeof(frame));
	CHECK_U64(frame.state.n_vcpus, 1);
	CHECK_U64(frame.vcpus[0].cpu_index, 2);
	CHECK_U64(frame.vcpus[0].throttles, 1);
	/* a new hello: the guest knows nothing */
	guest_hello(fd);
	pump();
	guest_challenge(fd);
	CHECK(!peer->told);
	close(fd);
	teardown();
}

/* A guest that does not read: what waits is bounded, what is new replaces what is old, and no timer
 * goes round. */
static void test_does_not_read(void)
{
	struct channel_peer *peer;
	uint64_t sent;
	int fd;

	setup(true);
	host.n_states = HELLO_CPUS;
	for (uint32_t i = 0; i < HELLO_CPUS; i++)
		host.states[i].cpu_index = i;
	fd = serve(3);
	peer = host.peer;
	for (unsigned int i = 0; i < 100000 && !peer->out; i++) {
		host.states[0].boosts++;
		channel_peer_tell(peer, clock_now_ns());
	}
	CHECK(peer->out);
	sent = peer->frames_sent;
	for (unsigned int i = 0; i < 1000; i++) {
		host.states[0].boosts++;
		channel_changed(peer, true);
		channel_peer_due(peer, clock_now_ns());
	}
	CHECK_U64(peer->frames_sent, sent);
	CHECK_U64(channel_peer_next_ns(peer), peer->progress_ns + 10 * NSEC_PER_SEC);
	channel_peer_due(peer, peer->progress_ns + 10 * NSEC_PER_SEC);
	CHECK_STR(peer->doomed, "the guest does not read");
	channel_close(peer, "later");
	pump();
	CHECK_STR(host.why, "the guest does not read");
	close(fd);
	teardown();
}

/* A guest that goes on reading gets all, in order. */
static void test_reads_slowly(void)
{
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpus[HELLO_CPUS];
	} frame;
	struct channel_peer *peer;
	uint64_t frames = 0, sent;
	int fd;

	setup(true);
	host.n_states = 1;
	fd = serve(3);
	peer = host.peer;
	sent = peer->frames_sent;
	for (unsigned int i = 0; i < 100000 && !peer->out; i++) {
		host.states[0].boosts++;
		channel_peer_tell(peer, clock_now_ns());
	}
	sent = peer->frames_sent - sent;
	while (frames < sent) {
		pump();
		guest_receive(fd, PVSCHED_CHANNEL_STATE, &frame, sizeof(frame));
		CHECK_U64(frame.vcpus[0].boosts, ++frames);
	}
	pump();
	CHECK(!peer->out);
	CHECK(!peer->doomed);
	close(fd);
	teardown();
}

/* All places are taken: one that is served keeps its own. */
static void test_full(void)
{
	int fds[CHANNEL_PEERS_MAX], one;

	setup(true);
	one = serve(2000000);
	for (uint32_t i = 0; i + 1 < CHANNEL_PEERS_MAX; i++) {
		memset(&host.server->connects, 0, sizeof(host.server->connects));
		fds[i] = guest_connect(host.server, 100 + i);
	}
	CHECK_U64(host.server->n_peers, CHANNEL_PEERS_MAX);
	memset(&host.server->connects, 0, sizeof(host.server->connects));
	fds[CHANNEL_PEERS_MAX - 1] = guest_connect(host.server, 50);
	CHECK_U64(host.server->n_peers, CHANNEL_PEERS_MAX);
	CHECK_STR(host.why, "too many connections");
	CHECK(guest_is_closed(fds[0]));
	CHECK(!guest_is_closed(one));
	CHECK(!guest_is_closed(fds[CHANNEL_PEERS_MAX - 1]));
	for (size_t i = 0; i < CHANNEL_PEERS_MAX; i++)
		close(fds[i]);
	close(one);
	teardown();
}

/* A kernel without vsock says so; one with vsock gives the port to one socket. */
static void test_listen(void)
{
	int fd = channel_listen(), second;

	if (fd == -EAFNOSUPPORT || fd == -ENODEV || fd == -EADDRINUSE || fd == -EACCES)
		TEST_SKIP("vsock is not there, or its port is taken or privileged");
	CHECK(fd >= 0);
	CHECK(channel_is_listener(fd));
	CHECK(!channel_is_listener(STDIN_FILENO));
	second = channel_listen();
	CHECK_INT(second, -EADDRINUSE);
	setup(true);
	CHECK(!host.server->listens);
	CHECK_INT(channel_server_listen(host.server, fd), 0);
	CHECK(host.server->listens);
	pump();
	teardown();
	CHECK(fcntl(fd, F_GETFD) < 0); /* it was the server's */
}

/* As systemd hands it over: after the last guest that has connected it has to wait for no other. */
static void test_handed_over(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the kernel names it */
	socklen_t size = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int guest = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	CHECK_INT(listen(fd, 1), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	setup(true);
	CHECK_INT(channel_server_listen(host.server, fd), 0);
	CHECK_INT(connect(guest, (struct sockaddr *)&address, size), 0);
	pump();
	CHECK_U64(host.server->shared.counters.refused_peers, 1); /* no vsock */
	CHECK(guest_is_closed(guest));
	close(guest);
	teardown();
}

TEST_MAIN({"refused", test_refused}, {"served", test_served}, {"pieces", test_pieces},
          {"turned-away", test_turned_away}, {"again", test_again}, {"broken", test_broken},
          {"too-often", test_too_often}, {"connects-too-often", test_connects_too_often},
          {"states", test_states}, {"does-not-read", test_does_not_read},
          {"reads-slowly", test_reads_slowly}, {"full", test_full}, {"listen", test_listen},
          {"handed-over", test_handed_over})
