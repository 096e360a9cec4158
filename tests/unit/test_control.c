/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The control socket against clients that are hasty, slow or too many.
 */

#include <dirent.h>
#include <sys/resource.h>

#include "control_fixture.h"

static void test_answers(void)
{
	setup();
	CHECK_STR(ask("{\"verb\":\"status\"}"), "{\"ok\":true,\"result\":null}\n");
	CHECK_INT(fixture.last.verb, CONTROL_STATUS);
	fixture.answer_size = 3;
	CHECK_STR(ask("{\"verb\":\"list\"}"), "{\"ok\":true,\"result\":{\"padding\":\"xxx\"}}\n");
	fixture.answer_errno = -ENOENT;
	CHECK_STR(ask("{\"verb\":\"show\",\"domain\":\"a b:1\"}"),
	          "{\"ok\":false,\"error\":\"no domain \\\"a "
	          "b:1\\\"\\\\x0a\",\"code\":\"ENOENT\"}\n");
	CHECK_STR(fixture.last.domain, "a b:1");
	CHECK_INT(control_server_clients(fixture.server), 0);
	teardown();
}

static void test_answers_what_it_refuses(void)
{
	setup();
	CHECK_CONTAINS(ask("{\"verb\":\"show\",\"domain\":\"\xff\"}"), "\"code\":\"EBADMSG\"}\n");
	CHECK_CONTAINS(ask("{\"verb\":\"boost\"}"), "{\"ok\":false,\"error\":\"request");
	CHECK_CONTAINS(ask(""), "\"code\":\"EBADMSG\"}\n");
	CHECK_INT(fixture.handled, 0);
	teardown();
}

static void test_half_frames(void)
{
	int fd;

	setup();
	fd = client_open();
	for (const char *c = "{\"verb\":\"list\"}\n{\"verb\":\"status\"}\n{\"ve"; *c; c++) {
		client_send(fd, c, 1);
		pump();
	}
	CHECK_INT(fixture.handled, 2);
	CHECK_STR(client_receive(fd),
	          "{\"ok\":true,\"result\":null}\n{\"ok\":true,\"result\":null}\n");
	close(fd);
	pump();
	CHECK_INT(fixture.handled, 2);
	CHECK_INT(control_server_clients(fixture.server), 0);
	teardown();
}

static void test_pipelined_then_closed(void)
{
	static const char two[] = "{\"verb\":\"status\"}\n{\"verb\":\"list\"}\n";
	int fd;

	setup();
	fd = client_open();
	client_send(fd, two, strlen(two));
	shutdown(fd, SHUT_WR);
	pump();
	CHECK_STR(client_receive(fd),
	          "{\"ok\":true,\"result\":null}\n{\"ok\":true,\"result\":null}\n");
	CHECK(client_dropped(fd));
	close(fd);
	teardown();
}

static void test_one_request_a_turn(void)
{
	char many[CONTROL_REQUEST_MAX / 18 * 18 + 1] = "";
	int rude, polite;

	setup();
	rude = client_open();
	polite = client_open();
	pump();
	while (strlen(many) + 18 < sizeof(many))
		strcat(many, "{\"verb\":\"status\"}\n");
	client_send(rude, many, strlen(many));
	client_send(polite, "{\"verb\":\"list\"}\n", 16);
	for (int turn = 0; turn < 4; turn++)
		sd_event_run(fixture.event, 0);
	CHECK_CONTAINS(client_receive(polite), "\"ok\":true");
	CHECK_LE(fixture.handled, 4);
	for (int i = 0; i < 20; i++) {
		pump();
		client_receive(rude); /* no answer is made before the last one found room */
	}
	CHECK_INT(fixture.handled, 1 + strlen(many) / 18);
	close(rude);
	close(polite);
	teardown();
}

static void test_giant_frame(void)
{
	char block[CONTROL_REQUEST_MAX];
	int fd;

	setup();
	memset(block, 'x', sizeof(block));
	fd = client_open();
	for (int i = 0; i < 1000 && send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0; i++)
		pump();
	CHECK_CONTAINS(client_receive(fd), "\"code\":\"EMSGSIZE\"");
	CHECK(client_dropped(fd));
	CHECK_INT(control_server_clients(fixture.server), 0);
	close(fd);
	/* the longest that is still taken */
	memset(block, ' ', sizeof(block));
	memcpy(block, "{\"verb\":\"status\"}", 17);
	block[sizeof(block) - 1] = '\n';
	fd = client_open();
	client_send(fd, block, sizeof(block));
	pump();
	CHECK_CONTAINS(client_receive(fd), "\"ok\":true");
	close(fd);
	teardown();
}

static void test_thousand_connections(void)
{
	enum { N = 1000 };
	struct rlimit limit = {4096, 4096};
	static int fds[N];
	uint64_t before;

	setrlimit(RLIMIT_NOFILE, &limit);
	setup();
	for (int i = 0; i < N; i++) {
		fds[i] = client_open();
		if (i % 2)
			client_send(fds[i], "{\"ver", 5);
		if (i % 100 == 99)
			pump();
	}
	CHECK_INT(control_server_clients(fixture.server), CONTROL_CLIENTS_MAX);
	before = clock_now_ns();
	CHECK_CONTAINS(ask("{\"verb\":\"status\"}"), "\"ok\":true");
	CHECK_LE(clock_now_ns() - before, 200 * NSEC_PER_MSEC);
	for (int i = 0; i < N; i++)
		close(fds[i]);
	pump();
	CHECK_INT(control_server_clients(fixture.server), 0);
	teardown();
}

static void test_slow_reader(void)
{
	int slow;

	setup();
	control_server_set_patience(fixture.server, 60 * NSEC_PER_SEC, 500 * NSEC_PER_MSEC);
	fixture.answer_size = 2 * 1024 * 1024;
	slow = client_open();
	client_send(slow, "{\"verb\":\"status\"}\n{\"verb\":\"list\"}\n", 34);
	pump();
	CHECK_INT(fixture.handled, 1); /* the second waits for the first answer to be read */
	fixture.answer_size = 0;
	CHECK_CONTAINS(ask("{\"verb\":\"status\"}"), "\"ok\":true");
	CHECK_INT(control_server_clients(fixture.server), 1);
	pump_until_dropped(-1);
	close(slow);
	teardown();
}

static void test_idle_client(void)
{
	int fd;

	setup();
	control_server_set_patience(fixture.server, 500 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC);
	fd = client_open();
	pump();
	CHECK_INT(control_server_clients(fixture.server), 1);
	pump_until_dropped(fd);
	close(fd);
	teardown();
}

/** How many timers of this process would wake it: the kernel tells for each timerfd. */
static unsigned int timers_running(void)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc/self/fdinfo");
	unsigned int n = 0;

	CHECK(dir != NULL);
	while (dir && (entry = readdir(dir))) {
		char path[300], line[128];
		unsigned long long s, ns;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "it_value: (%llu, %llu)", &s, &ns) == 2)
				n += s || ns;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return n;
}

/** Patience ends by a timer; when nobody is there, an idle daemon must not be woken by it. */
static void test_no_clients_no_timer(void)
{
	int fd;

	setup();
	CHECK_INT(timers_running(), 0);
	fd = client_open();
	pump();
	CHECK_INT(control_server_clients(fixture.server), 1);
	CHECK_INT(timers_running(), 1);
	close(fd);
	pump();
	CHECK_INT(control_server_clients(fixture.server), 0);
	CHECK_INT(timers_running(), 0);
	teardown();
}

static void test_unread_answers_are_bounded(void)
{
	enum { N = 16 };
	int fds[N];

	setup();
	fixture.answer_size = CONTROL_RESPONSE_MAX - 64;
	for (int i = 0; i < N; i++) {
		fds[i] = client_open();
		client_send(fds[i], "{\"verb\":\"status\"}\n", 18);
		pump();
	}
	CHECK_LE(control_server_clients(fixture.server),
	         CONTROL_QUEUED_MAX / (CONTROL_RESPONSE_MAX - 64) + 1);
	fixture.answer_size = CONTROL_RESPONSE_MAX;
	CHECK_CONTAINS(ask("{\"verb\":\"status\"}"), "\"code\":\"EMSGSIZE\"");
	for (int i = 0; i < N; i++)
		close(fds[i]);
	teardown();
}

/** No descriptors left: the loop must not spin, and takes the connection when there are some again.
 */
static void test_no_descriptors(void)
{
	struct rlimit old, limit;
	uint64_t end;
	int fd, turns = 0;

	setup();
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	fd = client_open();
	limit = old;
	limit.rlim_cur = (rlim_t)fd + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	end = clock_now_ns() + 300 * NSEC_PER_MSEC;
	for (; clock_now_ns() < end; turns++)
		sd_event_run(fixture.event, 50000);
	CHECK_LE(turns, 20);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	client_send(fd, "{\"verb\":\"status\"}\n", 18);
	end = clock_now_ns() + 3 * NSEC_PER_SEC;
	while (fixture.handled == 0 && clock_now_ns() < end)
		sd_event_run(fixture.event, 50000);
	CHECK_INT(fixture.handled, 1);
	close(fd);
	teardown();
}

TEST_MAIN({"answers", test_answers}, {"answers_what_it_refuses", test_answers_what_it_refuses},
          {"half_frames", test_half_frames}, {"pipelined_then_closed", test_pipelined_then_closed},
          {"one_request_a_turn", test_one_request_a_turn}, {"giant_frame", test_giant_frame},
          {"thousand_connections", test_thousand_connections}, {"slow_reader", test_slow_reader},
          {"idle_client", test_idle_client}, {"no_clients_no_timer", test_no_clients_no_timer},
          {"unread_answers_are_bounded", test_unread_answers_are_bounded},
          {"no_descriptors", test_no_descriptors})
