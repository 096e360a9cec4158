// SPDX-License-Identifier: GPL-2.0-or-later
/* The file that keeps boosting switched off, as pvschedctl sets it without a daemon. */
#include "ctl/flag.h"

#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static void test_flag(void)
{
	char parent[] = "/tmp/pvsched-flag-XXXXXX", state[64], path[96];

	CHECK(mkdtemp(parent));
	snprintf(state, sizeof(state), "%s/state", parent);
	snprintf(path, sizeof(path), "%s/disabled", state);
	CHECK_INT(flag_clear(state), FLAG_UNCHANGED);
	CHECK_INT(flag_set(state), 0);
	CHECK(access(path, F_OK) == 0);
	CHECK_INT(flag_set(state), FLAG_UNCHANGED);
	CHECK_INT(flag_clear(state), 0);
	CHECK_INT(flag_clear(state), FLAG_UNCHANGED);
	CHECK(symlink("/etc/passwd", path) == 0);
	CHECK_INT(flag_set(state), FLAG_UNCHANGED); /* nothing is written through it */
	CHECK_INT(flag_clear(state), 0);
	CHECK(rmdir(state) == 0 && rmdir(parent) == 0);
}

TEST_MAIN({"flag", test_flag})
