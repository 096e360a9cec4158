// SPDX-License-Identifier: GPL-2.0-or-later
/* How a PREEMPT_RT kernel is known, by what kernels show. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/base.h"
#include "util/preempt_rt.h"

#include "test.h"

#define DEBIAN_6_1_RT  "#1 SMP PREEMPT_RT Debian 6.1.162-1 (2026-02-08)\n"
#define DEBIAN_6_12_RT "#1 SMP PREEMPT_RT Debian 6.12.73-1 (2026-02-17)\n"
#define DEBIAN_6_1     "#1 SMP PREEMPT_DYNAMIC Debian 6.1.162-1 (2026-02-08)\n"

static const struct {
	const char *name, *version, *realtime; /* NULL: the file is not there */
	enum preempt_rt expected;
} kernels[] = {
        {"Debian's 6.1", DEBIAN_6_1, NULL, PREEMPT_RT_NO},
        {"Debian's 6.1 rt", DEBIAN_6_1_RT, NULL, PREEMPT_RT_YES},
        {"Debian's 6.12 rt", DEBIAN_6_12_RT, NULL, PREEMPT_RT_YES},
        {"patched", "#1 SMP PREEMPT_RT Tue Jan 2\n", "1\n", PREEMPT_RT_YES},
        {"patched, with a text of its own", "#1 SMP\n", "1\n", PREEMPT_RT_YES},
        {"the file says no", "#1 SMP\n", "0\n", PREEMPT_RT_NO},
        {"the file says no, and the text yes", DEBIAN_6_12_RT, "0\n", PREEMPT_RT_YES},
        {"only the begin of the word", "#1 SMP PREEMPT_RTX PREEMPT\n", NULL, PREEMPT_RT_NO},
        {"no SMP", "#1 PREEMPT_RT\n", NULL, PREEMPT_RT_YES},
        {"nothing can be read", NULL, NULL, PREEMPT_RT_UNKNOWN},
        {"empty", "", NULL, PREEMPT_RT_UNKNOWN},
        {"only the file can be read", NULL, "1\n", PREEMPT_RT_YES},
        {"the file says no, and the text is missing", NULL, "0\n", PREEMPT_RT_UNKNOWN},
};

static void write_file(const char *root, const char *directory, const char *name, const char *text)
{
	char command[256], path[256];
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p %s%s", root, directory);
	CHECK_INT(system(command), 0);
	snprintf(path, sizeof(path), "%s%s/%s", root, directory, name);
	file = fopen(path, "w");
	CHECK(file);
	fputs(text, file);
	fclose(file);
}

static void test_texts(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		char root[] = "/tmp/pvsched-root-XXXXXX", command[64];

		printf("# %s\n", kernels[i].name);
		CHECK(mkdtemp(root));
		if (kernels[i].version)
			write_file(root, "/proc/sys/kernel", "version", kernels[i].version);
		if (kernels[i].realtime)
			write_file(root, "/sys/kernel", "realtime", kernels[i].realtime);
		CHECK_INT(preempt_rt_look(root), kernels[i].expected);
		snprintf(command, sizeof(command), "rm -r %s", root);
		CHECK_INT(system(command), 0);
	}
}

/* The text is there on every Linux. */
static void test_this_kernel(void)
{
	CHECK(preempt_rt_look("") != PREEMPT_RT_UNKNOWN);
}

TEST_MAIN({"texts", test_texts}, {"this_kernel", test_this_kernel})
