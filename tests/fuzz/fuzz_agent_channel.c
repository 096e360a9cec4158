/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host sends to the agent: a stream of frames. Whatever it is, the host is said to serve
 * only after it has answered to the nonce that the agent stored, and lists are within the frame.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel.h"

#include "fuzz.h"

static struct channel channel;
static struct events events;
static int fds[2];
static uint64_t stored;

static int say_hello(void *userdata, struct pvsched_channel_hello *hello)
{
	(void)userdata;
	(void)hello;
	return -EINVAL;
}

static int on_challenged(void *userdata, uint64_t generation, uint64_t nonce)
{
	(void)userdata;
	FUZZ_CHECK(generation && nonce);
	stored = generation;
	return 0;
}

static void on_answered(void *userdata)
{
	(void)userdata;
	FUZZ_CHECK(channel_refusal_name(channel.answer.refusal)[0]);
	FUZZ_CHECK(memchr(channel.answer.policy_name, 0, sizeof(channel.answer.policy_name)));
	if (channel_is_served(&channel))
		FUZZ_CHECK(stored && channel.answer.generation == stored);
}

static void on_told(void *userdata, const struct pvsched_channel_vcpu *vcpus, uint32_t n)
{
	(void)userdata;
	FUZZ_CHECK(channel_is_served(&channel) && n <= PVSCHED_CHANNEL_CPUS_MAX);
	FUZZ_CHECK((const uint8_t *)(vcpus + n) <= channel.in.bytes + channel.in.used);
}

static void on_lost(void *userdata)
{
	(void)userdata;
}

static const struct channel_ops ops = {say_hello, on_challenged, on_answered, on_told, on_lost};

static void setup(void)
{
	static int done;

	if (done)
		return;
	FUZZ_CHECK(events_init(&events) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	FUZZ_CHECK(channel_init(&channel, &events, &ops, NULL, "/", 0) == 0);
	FUZZ_CHECK(event_add(&events, &channel.socket, fds[0], 0, NULL, NULL) == 0);
	channel.fd = fds[0];
	done = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char answers[4096];
	int r = 0;

	setup();
	stored = 0;
	channel.state = CHANNEL_HELLO;
	channel.generation = channel.nonce = 0;
	frames_init(&channel.in, FRAMES_OF_HOST);
	while (size && r == 0) {
		size_t room, n;
		void *space = frames_space(&channel.in, &room);

		n = MIN(size, room);
		memcpy(space, data, n);
		frames_added(&channel.in, n);
		data += n;
		size -= n;
		r = channel_take(&channel);
		while (recv(fds[1], answers, sizeof(answers), MSG_DONTWAIT) > 0)
			;
	}
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ENOBUFS);
	return 0;
}
