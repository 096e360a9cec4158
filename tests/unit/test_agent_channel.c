// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's connection: what it says, takes and refuses, and when it tries again. */
#include "agent/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

#include "test.h"

/* The test is the host: it listens at @path, and has one connection at a time. */
static struct {
	struct events events;
	struct channel channel;
	char path[64];
	int listening, fd;
	struct frames in;
	/* what the channel told its owner */
	uint64_t generation, nonce;
	unsigned int challenged, answered, lost, told;
	int refuses; /* -errno for the next challenge */
} t;

static int say_hello(void *userdata, struct pvsched_channel_hello *hello)
{
	(void)userdata;
	memset(hello, 0,
	       sizeof(*hello) + sizeof(struct pvsched_channel_policy) +
	               sizeof(struct pvsched_channel_cpu));
	hello->n_policies = hello->n_cpus = 1;
	hello->head = frame_head(PVSCHED_CHANNEL_HELLO, frame_hello_size(hello));
	return 0;
}

static int on_challenged(void *userdata, uint64_t generation, uint64_t nonce)
{
	(void)userdata;
	t.challenged++;
	t.generation = generation;
	t.nonce = nonce;
	return t.refuses;
}

static void on_answered(void *userdata)
{
	(void)userdata;
	t.answered++;
}

static void on_told(void *userdata, const struct pvsched_channel_vcpu *vcpus, uint32_t n)
{
	(void)userdata;
	for (uint32_t i = 0; i < n; i++)
		CHECK_INT(vcpus[i].cpu_index, i);
	t.told += n;
}

static void on_lost(void *userdata)
{
	(void)userdata;
	t.lost++;
}

static const struct channel_ops ops = {say_hello, on_challenged, on_answered, on_told, on_lost};

static void listen_here(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, t.path);
	t.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(t.listening, (const struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(t.listening, 4), 0);
}

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	t.fd = -1;
	snprintf(t.path, sizeof(t.path), "/tmp/test_agent_channel.%d", (int)getpid());
	unlink(t.path);
	listen_here();
	CHECK_INT(events_init(&t.events), 0);
	CHECK_INT(channel_init(&t.channel, &t.events, &ops, NULL, t.path, 0), 0);
}

static void finish(void)
{
	channel_finish(&t.channel);
	events_finish(&t.events);
	close_fd(t.fd);
	close_fd(t.listening);
	unlink(t.path);
}

/* Turns until @reached, which something that is under way makes true. */
#define TURN_UNTIL(reached)                                                                        \
	do {                                                                                       \
		for (int i_ = 0; !(reached) && i_ < 100; i_++)                                     \
			CHECK(events_turn(&t.events, 10000) >= 0);                                 \
		CHECK(reached);                                                                    \
	} while (0)

static const struct pvsched_channel_head *receive(uint16_t type)
{
	const struct pvsched_channel_head *head = NULL;
	int r;

	while ((r = frames_next(&t.in, &head)) == 0) {
		size_t room;
		void *space = frames_space(&t.in, &room);
		ssize_t n = recv(t.fd, space, room, 0);

		CHECK(n > 0);
		frames_added(&t.in, (size_t)n);
	}
	CHECK_INT(r, 1);
	CHECK_INT(head->type, type);
	return head;
}

static void connected(void)
{
	channel_try(&t.channel);
	close_fd(t.fd);
	t.fd = accept4(t.listening, NULL, NULL, SOCK_CLOEXEC);
	CHECK(t.fd >= 0);
	frames_init(&t.in, FRAMES_OF_GUEST);
	TURN_UNTIL(t.channel.state == CHANNEL_HELLO);
	receive(PVSCHED_CHANNEL_HELLO);
}

static void say(const void *frame, size_t size)
{
	CHECK_INT(send(t.fd, frame, size, MSG_NOSIGNAL), size);
}

static void challenge(uint64_t generation, uint64_t nonce)
{
	struct pvsched_channel_challenge frame = {
	        .head = frame_head(PVSCHED_CHANNEL_CHALLENGE, sizeof(frame)),
	        .generation = generation,
	        .nonce = nonce,
	};

	say(&frame, sizeof(frame));
}

static struct pvsched_channel_answer answer_of(uint32_t refusal, uint64_t generation)
{
	return (struct pvsched_channel_answer){
	        .head = frame_head(PVSCHED_CHANNEL_ANSWER, sizeof(struct pvsched_channel_answer)),
	        .status = PVSCHED_STATUS_ENABLED,
	        .refusal = refusal,
	        .policy_name = "pvschedd",
	        .policy_version = 1,
	        .generation = generation,
	};
}

static void answer(uint32_t refusal, uint64_t generation)
{
	struct pvsched_channel_answer frame = answer_of(refusal, generation);

	say(&frame, sizeof(frame));
}

static void tell(uint64_t generation, uint32_t n)
{
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpus[4];
	} frame;

	memset(&frame, 0, sizeof(frame));
	frame.state.head =
	        frame_head(PVSCHED_CHANNEL_STATE, sizeof(frame.state) + n * sizeof(frame.vcpus[0]));
	frame.state.generation = generation;
	frame.state.n_vcpus = n;
	for (uint32_t i = 0; i < n; i++)
		frame.vcpus[i].cpu_index = i;
	say(&frame, frame.state.head.size);
}

static void served(uint64_t generation)
{
	const struct pvsched_channel_head *head;
	unsigned int answered = t.answered;

	challenge(generation, generation + 1000);
	TURN_UNTIL(t.channel.state == CHANNEL_STORED);
	CHECK_U64(t.generation, generation);
	head = receive(PVSCHED_CHANNEL_STORED);
	CHECK_U64(((const struct pvsched_channel_stored *)(const void *)head)->nonce,
	          generation + 1000);
	CHECK(!channel_is_served(&t.channel));
	answer(PVSCHED_CHANNEL_SERVED, generation);
	TURN_UNTIL(t.answered == answered + 1);
	CHECK(channel_is_served(&t.channel));
}

static void test_served(void)
{
	setup();
	connected();
	served(7);
	tell(7, 3);
	TURN_UNTIL(t.told == 3);
	tell(6, 3); /* of an older generation, on its way */
	TURN_UNTIL(t.channel.states == 2);
	CHECK_INT(t.told, 3);
	served(8); /* the guest was reset, the daemon restarted */
	CHECK_INT(t.challenged, 2);
	channel_hello_again(&t.channel); /* a CPU came */
	CHECK(!channel_is_served(&t.channel));
	receive(PVSCHED_CHANNEL_HELLO);
	served(9);
	CHECK_INT(t.lost, 0);
	finish();
}

static void test_refused(void)
{
	setup();
	connected();
	answer(PVSCHED_CHANNEL_NO_DOMAIN, 0); /* before any challenge */
	TURN_UNTIL(t.answered == 1);
	CHECK(!channel_is_served(&t.channel));
	CHECK_INT(t.lost, 0);
	served(7); /* later it knows us */
	answer(99, 7);
	TURN_UNTIL(t.answered == 3);
	CHECK(!channel_is_served(&t.channel));
	CHECK_CONTAINS(channel_refusal_text(99), "does not know");
	finish();
}

static void test_lost_and_again(void)
{
	setup();
	connected();
	served(7);
	t.fd = close_fd(t.fd);
	TURN_UNTIL(t.lost == 1);
	CHECK_INT(t.channel.state, CHANNEL_CLOSED);
	CHECK_CONTAINS(t.channel.why, "closed");
	TURN_UNTIL(t.channel.state == CHANNEL_HELLO); /* by its own timer */
	t.fd = accept4(t.listening, NULL, NULL, SOCK_CLOEXEC);
	frames_init(&t.in, FRAMES_OF_GUEST);
	receive(PVSCHED_CHANNEL_HELLO);
	served(8);
	CHECK_INT(t.channel.tries, 0);
	finish();
}

static void test_no_host(void)
{
	setup();
	t.listening = close_fd(t.listening);
	unlink(t.path);
	channel_try(&t.channel);
	CHECK_INT(t.lost, 1);
	CHECK(t.channel.why[0]);
	listen_here();
	connected(); /* at once, as when a device is plugged in */
	CHECK_INT(t.lost, 1);
	finish();
}

static void test_pauses(void)
{
	uint64_t sum_ns = 0;

	for (uint32_t i = 1; i <= 40; i++)
		sum_ns += channel_pause_ns(i);
	CHECK(sum_ns <= 10 * NSEC_PER_SEC); /* close together for ten seconds */
	for (uint32_t i = 1; i < 1000; i++)
		CHECK(channel_pause_ns(i + 1) >= channel_pause_ns(i));
	CHECK_U64(channel_pause_ns(UINT32_MAX), 30 * NSEC_PER_SEC);
}

/* Each of these ends the connection, and the next one works. */
static void breaks(const void *frame, size_t size)
{
	unsigned int lost = t.lost, challenged = t.challenged;

	connected();
	say(frame, size);
	TURN_UNTIL(t.lost == lost + 1);
	CHECK_INT(t.challenged, challenged);
}

static void test_broken_frames(void)
{
	struct pvsched_channel_challenge zero = {
	        .head = frame_head(PVSCHED_CHANNEL_CHALLENGE, sizeof(zero)), .generation = 1};
	struct pvsched_channel_answer bad = answer_of(PVSCHED_CHANNEL_SERVED, 7);
	struct pvsched_channel_stored ours = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(ours))};
	char noise[256];

	setup();
	breaks(&zero, sizeof(zero)); /* no nonce */
	breaks(&bad, sizeof(bad));   /* served, and never asked for a proof */
	breaks(&ours, sizeof(ours)); /* a guest's frame */
	bad.refusal = PVSCHED_CHANNEL_NO_POLICY;
	bad.policy_name[3] = '\033';
	breaks(&bad, sizeof(bad));
	memset(noise, 0x5a, sizeof(noise));
	breaks(noise, sizeof(noise));
	connected();
	served(3);
	finish();
}

static void test_owner_refuses(void)
{
	setup();
	connected();
	t.refuses = -ENOMEM;
	challenge(1, 2);
	TURN_UNTIL(t.lost == 1);
	finish();
}

/* A host that does not read: hellos are not piled up. */
static void test_host_hangs(void)
{
	int small = 4096;

	setup();
	connected();
	CHECK_INT(setsockopt(t.channel.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 10000 && !t.lost; i++)
		channel_hello_again(&t.channel);
	CHECK_INT(t.lost, 1);
	finish();
}

TEST_MAIN(TEST(test_served), TEST(test_refused), TEST(test_lost_and_again), TEST(test_no_host),
          TEST(test_pauses), TEST(test_broken_frames), TEST(test_owner_refuses),
          TEST(test_host_hangs))
