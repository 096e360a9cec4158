// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When the metrics file is written, by which thread, and what is said of it. What it has in it is
 * this test's. Without a file there is neither timer nor thread.
 */
#include "daemon/metrics_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/report_metrics.h"
#include "util/log.h"

#include "test.h"

static sd_event *event;
static struct metrics_file *file;
static char dir[64], path[96], second[96];
static unsigned int n_texts, n_lines;
static char said[1024];

/* ---- stand-ins ---- */

int report_metrics_text(const struct views *views, struct tally *tally,
                        enum openmetrics_format format, struct openmetrics *ret)
{
	static const struct openmetrics_family family = {"pvsched_n", OPENMETRICS_GAUGE, NULL,
	                                                 "N."};

	(void)views;
	(void)tally;
	CHECK_INT(format, OPENMETRICS_PROMETHEUS);
	*ret = OPENMETRICS_INIT(format, 10000);
	openmetrics_family(ret, &family);
	openmetrics_sample(ret, NULL, NULL, 0, ++n_texts, 0);
	return openmetrics_end(ret);
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	va_list args;

	(void)level;
	(void)ctx;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	/* here the intervals are short, and the machine may be busy */
	if (!strstr(said, "takes longer"))
		n_lines++;
}

/* ---- what tests do ---- */

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/pvsched-metrics-XXXXXX");
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.prom", dir);
	snprintf(second, sizeof(second), "%s/b.prom", dir);
	CHECK(sd_event_new(&event) >= 0);
	CHECK_INT(metrics_file_new(&file, event, NULL, NULL), 0);
	n_texts = n_lines = 0;
	*said = '\0';
}

static void end(void)
{
	file = metrics_file_free(file);
	CHECK_INT(access(path, F_OK), -1);
	CHECK_INT(access(second, F_OK), -1);
	event = sd_event_unref(event);
	CHECK_INT(rmdir(dir), 0);
}

static unsigned int threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int n = 0;

	CHECK(tasks);
	for (struct dirent *e = readdir(tasks); e; e = readdir(tasks))
		n += e->d_name[0] != '.';
	closedir(tasks);
	return n;
}

static unsigned int written(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[128];
	unsigned int n = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "pvsched_n %u", &n);
	if (f)
		fclose(f);
	return n;
}

static void run_until_written(const char *name, unsigned int least)
{
	for (int i = 0; i < 20000 && written(name) < least; i++)
		sd_event_run(event, 1000);
	CHECK_GE(written(name), least);
}

static void test_none(void)
{
	unsigned int before = threads();

	begin();
	CHECK_INT(metrics_file_configure(file, "", 5 * NSEC_PER_MSEC), 0);
	CHECK_INT(sd_event_run(event, 50000), 0); /* nothing is due */
	CHECK_INT(n_texts, 0);
	CHECK_INT(threads(), before);
	end();
}

static void test_written_again_and_again(void)
{
	unsigned int before = threads();

	begin();
	CHECK_INT(metrics_file_configure(file, path, 5 * NSEC_PER_MSEC), 0);
	run_until_written(path, 3);
	CHECK_INT(n_lines, 0);
	/* another file: the first one goes */
	CHECK_INT(metrics_file_configure(file, second, 5 * NSEC_PER_MSEC), 0);
	CHECK_INT(access(path, F_OK), -1);
	run_until_written(second, written(second) + 2);
	/* another interval: it stays */
	CHECK_INT(metrics_file_configure(file, second, 500 * NSEC_PER_SEC), 0);
	CHECK_INT(access(second, F_OK), 0);
	/* none */
	CHECK_INT(metrics_file_configure(file, "", 5 * NSEC_PER_MSEC), 0);
	CHECK_INT(access(second, F_OK), -1);
	CHECK_INT(sd_event_run(event, 20000), 0);
	CHECK_INT(threads(), before);
	end();
}

/* It is said once, and once when it works again. */
static void test_cannot_be_written(void)
{
	begin();
	CHECK_INT(mkdir(path, 0700), 0);
	CHECK_INT(metrics_file_configure(file, path, 2 * NSEC_PER_MSEC), 0);
	while (n_lines < 1)
		CHECK(sd_event_run(event, UINT64_C(10000000)) >= 0);
	CHECK_CONTAINS(said, "a.prom can't be written: ");
	while (n_texts < 10)
		CHECK(sd_event_run(event, UINT64_C(10000000)) >= 0);
	CHECK_INT(n_lines, 1);
	CHECK_INT(rmdir(path), 0);
	while (n_lines < 2)
		CHECK(sd_event_run(event, UINT64_C(10000000)) >= 0);
	CHECK_CONTAINS(said, "is written again");
	end();
}

TEST_MAIN(TEST(test_none), TEST(test_written_again_and_again), TEST(test_cannot_be_written))
