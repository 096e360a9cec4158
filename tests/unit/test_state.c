// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state.h"

#include <fcntl.h>
#include <unistd.h>

#include "test.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static char directory[64];
static const char *const files[] = {"disabled", "policies.json", "policies.json.bad", "running",
                                    "breaker"};

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pvsched-state-XXXXXX");
	CHECK(mkdtemp(directory));
}

static void end(void)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	CHECK(rmdir(directory) == 0);
}

static struct state *open_it(void)
{
	struct state *state;
	char warning[512];

	CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
	return state;
}

static void test_switch_persists(void)
{
	struct state *state;

	begin();
	state = open_it();
	CHECK(!state_disabled(state));
	CHECK_INT(state_set_disabled(state, true), 0);
	state_free(state);
	state = open_it();
	CHECK(state_disabled(state));
	CHECK_INT(state_set_disabled(state, false), 0);
	CHECK_INT(state_set_disabled(state, false), 0);
	state_free(state);
	state = open_it();
	CHECK(!state_disabled(state));
	state_free(state);
	end();
}

static void test_policies_persist(void)
{
	struct state *state;

	begin();
	state = open_it();
	CHECK_INT(state_set_override(state, UUID, "latency"), 0);
	CHECK_INT(state_set_override(state, UUID, "interactive"), 0);
	state_free(state);
	state = open_it();
	CHECK_STR(state_override(state, UUID), "interactive");
	CHECK_INT(state_set_override(state, UUID, NULL), 0);
	CHECK(!state_override(state, UUID));
	state_free(state);
	state = open_it();
	CHECK(!state_override(state, UUID));
	state_free(state);
	end();
}

static void test_damaged_policies_are_put_aside(void)
{
	static const char *const damaged[] = {
	        "",
	        "{",
	        "[]",
	        "{\"version\":2}",
	        "{\"version\":1,\"policies\":{\"x\":\"latency\"}}",
	        "{\"version\":1,\"policies\":{\"" UUID "\":7}}",
	};
	char path[128], warning[512];
	struct state *state;

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		int fd;

		begin();
		snprintf(path, sizeof(path), "%s/policies.json", directory);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		CHECK(write(fd, damaged[i], strlen(damaged[i])) == (ssize_t)strlen(damaged[i]));
		close(fd);
		CHECK_INT(state_open(&state, directory, directory, warning, sizeof(warning)), 0);
		CHECK(warning[0]);
		CHECK(!state_override(state, UUID));
		CHECK(access(path, F_OK) < 0);
		state_free(state);
		end();
	}
}

static void test_breaker(void)
{
	struct state *state;

	begin();
	state = open_it();
	CHECK(!state_begin(state, 1 * NSEC_PER_SEC));
	state_free(state); /* as a crash leaves it */
	for (int i = 2; i <= 4; i++) {
		CHECK(i < 4 || !state_breaker_open((state = open_it())));
		if (i < 4)
			state = open_it();
		CHECK(state_begin(state, (uint64_t)i * NSEC_PER_SEC));
		CHECK_INT(state_breaker_open(state), i == 4);
		state_free(state);
	}
	state = open_it();
	CHECK(state_breaker_open(state));
	state_close_breaker(state);
	state_end_cleanly(state);
	state_free(state);
	state = open_it();
	CHECK(!state_breaker_open(state));
	CHECK(!state_begin(state, 9 * NSEC_PER_SEC));
	state_free(state);
	end();
}

static void test_breaker_forgets(void)
{
	struct state *state;

	begin();
	state = open_it();
	for (uint64_t i = 1; i < 20; i++) {
		state_count_unclean(state, i * STATE_BREAKER_WINDOW_NS / 2);
		CHECK(!state_breaker_open(state));
	}
	state_free(state);
	end();
}

TEST_MAIN({"switch_persists", test_switch_persists}, {"policies_persist", test_policies_persist},
          {"damaged_policies_are_put_aside", test_damaged_policies_are_put_aside},
          {"breaker", test_breaker}, {"breaker_forgets", test_breaker_forgets})
