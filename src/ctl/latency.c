// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/latency.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/plot_waits.h"
#include "ctl/print.h"
#include "ctl/render_latency.h"
#include "ctl/report_no_answer.h"
#include "ctl/svg.h"
#include "ctl/terminal.h"
#include "ctl/value.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/wall_clock.h"

#define TRACE_MS 5000 /* unless --for says otherwise */
#define RENEW_MS 1000 /* the daemon forgets a client that is silent for 3 s */
#define POLL_MS  200  /* --over; the daemon keeps a wait for a second at least */

struct latency {
	struct ctl_args args;
	struct ctl_reply reply;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/** The second Ctrl-C ends it as usual. A request goes on, a sleep ends. */
static void catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = on_interrupt,
	                           .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

	sigaction(SIGINT, &action, NULL);
}

/** Asks once more. Returns EXIT_DONE and the answer, or what went wrong, having said it. */
static enum exit_status look(struct latency *latency)
{
	int r;

	ctl_reply_cleanup(&latency->reply);
	r = ctl_ask(&latency->args, &latency->reply);
	if (r < 0)
		return report_no_answer(&latency->args, r);
	return latency->reply.ok ? EXIT_DONE : report_refusal(&latency->args, &latency->reply);
}

static bool is_traced(const struct latency *latency)
{
	const struct json_value *blockers = json_member(latency->reply.result, "blockers");

	return blockers && value_bool(blockers, "traced");
}

/** Until then, or until Ctrl-C. Returns false if that is over. */
static bool sleep_until(uint64_t at_ns, uint64_t end_ns)
{
	uint64_t until_ns = MIN(at_ns, end_ns);
	struct timespec until = {.tv_sec = (time_t)(until_ns / NSEC_PER_SEC),
	                         .tv_nsec = (long)(until_ns % NSEC_PER_SEC)};

	if (!interrupted)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	return !interrupted && clock_now_ns() < end_ns;
}

/** On standard error, since the answer is for standard output. */
static void tell(const struct latency *latency, const char *before, uint64_t ns, const char *after)
{
	if (latency->args.json || !isatty(STDERR_FILENO))
		return;
	fputs(before, stderr);
	print_duration(stderr, (int64_t)ns);
	fputs(after, stderr);
}

/* ---- the distribution ---- */

static int draw(const struct latency *latency)
{
	FILE *out = svg_open(latency->args.plot);

	if (!out)
		return -errno;
	plot_waits(latency->reply.result, out);
	return svg_close(out);
}

static enum exit_status print_answer(const struct latency *latency)
{
	size_t size;
	const char *text = ctl_reply_result_text(&latency->reply, &size);
	int r = latency->args.plot ? draw(latency) : 0;

	if (latency->args.json)
		printf("%.*s\n", (int)size, text);
	else
		render_latency(latency->reply.result, terminal_of(stdout).columns, stdout);
	if (r == 0)
		return EXIT_DONE;
	fputs("pvschedctl: the drawing cannot be written to ", stderr);
	print_escaped(stderr, latency->args.plot);
	fprintf(stderr, ": %s\n", strerror(-r));
	return EXIT_FAILED;
}

static enum exit_status run_distribution(struct latency *latency)
{
	uint64_t trace_ns = (latency->args.for_ms ?: TRACE_MS) * NSEC_PER_MSEC;
	uint64_t now_ns = clock_now_ns(), end_ns = now_ns + trace_ns;
	enum exit_status status = look(latency);
	bool goes_on = status == EXIT_DONE && is_traced(latency);

	if (goes_on)
		tell(latency, "Tracing what runs instead for ", trace_ns, "; Ctrl-C ends that.\n");
	while (goes_on && status == EXIT_DONE) {
		now_ns += RENEW_MS * NSEC_PER_MSEC;
		goes_on = sleep_until(now_ns, end_ns);
		status = look(latency);
	}
	return status == EXIT_DONE ? print_answer(latency) : status;
}

/* ---- the next long wait ---- */

/** The first wait after @begin_us that was longer than wanted; NULL: none yet. */
static const struct json_value *find_long(const struct latency *latency, int64_t begin_us)
{
	const struct json_value *waits = json_member(latency->reply.result, "long_waits");
	const struct json_value *found = NULL;

	if (!waits)
		return NULL;
	JSON_FOREACH(wait, waits)
	{
		if (value_number(wait, "until_us") <= begin_us ||
		    value_number(wait, "wait_us") <= (int64_t)latency->args.over_us)
			continue;
		if (!found || value_number(wait, "until_us") < value_number(found, "until_us"))
			found = wait;
	}
	return found;
}

/** Local time, with milliseconds: of something so long before the answer was made. */
static void format_time(int64_t ago_us, char *buffer, size_t size)
{
	uint64_t us = wall_clock_us() - (uint64_t)MAX(ago_us, INT64_C(0));
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	size_t used;

	localtime_r(&seconds, &tm);
	used = strftime(buffer, size, "%F %T", &tm);
	snprintf(buffer + used, size - used, ".%03u", (unsigned int)(us / 1000 % 1000));
}

/** The wait as the daemon wrote it, with the domain, and when that was. */
static void print_long_json(const struct latency *latency, const struct json_value *wait,
                            const char *at)
{
	size_t size;
	const char *text = ctl_reply_result_text(&latency->reply, &size);
	cJSON *answer = cJSON_ParseWithLength(text, size), *one, *found = NULL;
	char *printed;

	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(answer, "long_waits")) {
		cJSON *until = cJSON_GetObjectItemCaseSensitive(one, "until_us");

		if ((int64_t)cJSON_GetNumberValue(until) == value_number(wait, "until_us"))
			found = one;
	}
	if (found) {
		cJSON_AddStringToObject(found, "domain",
		                        value_text(latency->reply.result, "domain", "-"));
		cJSON_AddStringToObject(found, "at", at);
		printed = cJSON_PrintUnformatted(found);
		puts(printed ?: "null");
		free(printed);
	}
	cJSON_Delete(answer);
}

static enum exit_status print_long(const struct latency *latency, const struct json_value *wait)
{
	char at[64];

	format_time(value_number(latency->reply.result, "taken_us") -
	                    value_number(wait, "until_us"),
	            at, sizeof(at));
	if (latency->args.json)
		print_long_json(latency, wait, at);
	else
		render_long_wait(wait, at, terminal_of(stdout).columns, stdout);
	return EXIT_DONE;
}

static enum exit_status say_none(const struct latency *latency, uint64_t took_ns)
{
	fputs("pvschedctl: no wait was longer than ", stderr);
	print_duration(stderr, (int64_t)(latency->args.over_us * NSEC_PER_USEC));
	fputs(", in ", stderr);
	print_duration(stderr, (int64_t)took_ns);
	fputs("\n", stderr);
	return EXIT_FAILED;
}

static enum exit_status say_untraced(const struct latency *latency)
{
	const struct json_value *blockers = json_member(latency->reply.result, "blockers");

	fputs("pvschedctl: waits cannot be traced: ", stderr);
	print_escaped(stderr, blockers ? value_text(blockers, "why", "-") : "-");
	fputs("\n", stderr);
	return EXIT_FAILED;
}

static enum exit_status run_over(struct latency *latency)
{
	uint64_t begin_ns = clock_now_ns(), now_ns = begin_ns;
	uint64_t end_ns =
	        latency->args.for_ms ? begin_ns + latency->args.for_ms * NSEC_PER_MSEC : UINT64_MAX;
	enum exit_status status = look(latency);
	const struct json_value *wait = NULL;
	bool goes_on = true;
	int64_t begin_us;

	if (status != EXIT_DONE)
		return status;
	if (!is_traced(latency))
		return say_untraced(latency);
	tell(latency, "Waiting for a wait longer than ", latency->args.over_us * NSEC_PER_USEC,
	     "; Ctrl-C ends that.\n");
	begin_us = value_number(latency->reply.result, "taken_us");
	while (goes_on && !wait) {
		now_ns += POLL_MS * NSEC_PER_MSEC;
		goes_on = sleep_until(now_ns, end_ns);
		status = look(latency);
		if (status != EXIT_DONE)
			return status;
		wait = find_long(latency, begin_us);
	}
	return wait ? print_long(latency, wait) : say_none(latency, clock_now_ns() - begin_ns);
}

enum exit_status latency_run(const struct ctl_args *args)
{
	struct latency latency = {.args = *args, .reply = CTL_REPLY_NULL};
	enum exit_status status;

	catch_interrupt();
	status = args->over_us ? run_over(&latency) : run_distribution(&latency);
	ctl_reply_cleanup(&latency.reply);
	return status;
}
