// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/print.h"
#include "ctl/render_trial.h"
#include "ctl/report_no_answer.h"
#include "ctl/trial_plot.h"
#include "ctl/value.h"
#include "util/cleanup.h"

#define POLL_MS 500

/** The reply to @request, or what is wrong, having said it. */
static enum exit_status ask(const struct ctl_args *args, const char *request, const char *domain,
                            struct ctl_reply *ret)
{
	struct ctl_args asks = {
	        .verb = CTL_TRIAL,
	        .socket = args->socket,
	        .vcpu = -1,
	        .domain = domain,
	        .request = request,
	};
	int r;

	if (strcmp(request, "trial-start") == 0) {
		asks = *args;
		asks.domain = domain;
	}
	if (strcmp(request, "list") == 0)
		asks.domain = NULL;
	r = ctl_ask(&asks, ret);
	if (r < 0)
		return report_no_answer(args, r);
	return ret->ok ? EXIT_DONE : report_refusal(args, ret);
}

static bool is_running(const struct json_value *trial)
{
	return strcmp(value_text(trial, "state", "-"), "running") == 0;
}

/** On a terminal one line that changes; else a line for each block. */
static void show_progress(const struct ctl_args *args, const struct json_value *trial,
                          int64_t *blocks)
{
	bool terminal = isatty(STDERR_FILENO);
	int64_t now = value_number(trial, "blocks");

	if (args->json || (!terminal && now == *blocks))
		return;
	*blocks = now;
	if (terminal)
		fputs("\r\033[K", stderr);
	render_trial_progress(trial, stderr);
	fputs(terminal ? "" : "\n", stderr);
}

static void end_progress(const struct ctl_args *args)
{
	if (!args->json && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void sleep_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
}

/** Until it has ended; *reply is the last one. */
static enum exit_status follow(const struct ctl_args *args, struct ctl_reply *reply)
{
	char uuid[64];
	int64_t blocks = -1;
	enum exit_status status = EXIT_DONE;

	snprintf(uuid, sizeof(uuid), "%s", value_text(reply->result, "uuid", "-"));
	while (status == EXIT_DONE && is_running(reply->result)) {
		show_progress(args, reply->result, &blocks);
		sleep_a_little();
		ctl_reply_cleanup(reply);
		status = ask(args, "trial-poll", uuid, reply);
	}
	end_progress(args);
	return status;
}

static void print_json(const struct ctl_reply *reply)
{
	size_t size;
	const char *text = ctl_reply_result_text(reply, &size);

	printf("%.*s", (int)size, text);
}

/** A trial that was cut short is none that was done, unless the answer was there before. */
static enum exit_status status_of(const struct json_value *trial)
{
	static const char *const whole[] = {"time", "clear", "neighbours"};

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (strcmp(value_text(trial, "state", "-"), whole[i]) == 0)
			return EXIT_DONE;
	return EXIT_FAILED;
}

static enum exit_status plot(const struct ctl_args *args, const struct json_value *trial)
{
	int r = args->plot ? trial_plot_write(args->plot, trial) : 0;

	if (r >= 0)
		return EXIT_DONE;
	fputs("pvschedctl: the drawing cannot be written to ", stderr);
	print_escaped(stderr, args->plot);
	fprintf(stderr, ": %s\n", strerror(-r));
	return EXIT_FAILED;
}

static void say_begin(const struct ctl_args *args, const struct json_value *trial)
{
	if (args->json)
		return;
	fputs("It ends by itself, also without pvschedctl; pvschedctl trial ", stderr);
	print_escaped(stderr, value_text(trial, "uuid", "-"));
	fputs(" --stop ends it now.\n", stderr);
}

static enum exit_status trial_one(const struct ctl_args *args)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	const char *request = args->follow ? "trial-poll"
	                      : args->stop ? "trial-stop"
	                                   : "trial-start";
	enum exit_status status = ask(args, request, args->domain, &reply), plotted;

	if (status != EXIT_DONE)
		return status;
	if (!args->follow && !args->stop)
		say_begin(args, reply.result);
	status = follow(args, &reply);
	if (status != EXIT_DONE)
		return status;
	if (args->json) {
		print_json(&reply);
		fputs("\n", stdout);
	} else {
		render_trial(reply.result, stdout);
	}
	plotted = plot(args, reply.result);
	return args->stop ? plotted : MAX(plotted, status_of(reply.result));
}

/* ---- all domains, one after the other ---- */

struct ranking {
	struct ctl_reply *replies;
	size_t n;
};

static void ranking_cleanup(struct ranking *ranking)
{
	for (size_t i = 0; i < ranking->n; i++)
		ctl_reply_cleanup(&ranking->replies[i]);
	free(ranking->replies);
}

static int compare(const void *a, const void *b)
{
	const struct ctl_reply *x = a, *y = b;

	return trial_compare(x->result, y->result);
}

static void print_ranking(const struct ctl_args *args, const struct ranking *ranking)
{
	CLEANUP(cleanup_free)
	const struct json_value **trials = calloc(ranking->n + 1, sizeof(*trials));

	if (args->json)
		fputs("{\"domains\":[", stdout);
	for (size_t i = 0; i < ranking->n; i++) {
		if (trials)
			trials[i] = ranking->replies[i].result;
		if (!args->json)
			continue;
		fputs(i ? "," : "", stdout);
		print_json(&ranking->replies[i]);
	}
	if (args->json)
		fputs("]}\n", stdout);
	else if (trials && ranking->n)
		render_trials(trials, ranking->n, stdout);
	else if (trials)
		fputs("No domain was tried.\n", stdout);
}

/** Of one that cannot be tried the others are not told less. */
static enum exit_status try_each(const struct ctl_args *args, const struct json_value *domains,
                                 struct ranking *ranking)
{
	enum exit_status worst = EXIT_DONE;

	JSON_FOREACH(domain, domains)
	{
		CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
		enum exit_status status =
		        ask(args, "trial-start", value_text(domain, "uuid", "-"), &reply);

		if (status == EXIT_DONE)
			status = follow(args, &reply);
		if (status == EXIT_NO_DAEMON)
			return status;
		worst = MAX(worst, status);
		if (status != EXIT_DONE)
			continue;
		worst = MAX(worst, status_of(reply.result));
		ranking->replies[ranking->n++] = STEAL(reply, CTL_REPLY_NULL);
	}
	return worst;
}

static enum exit_status trial_all(const struct ctl_args *args)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply list = CTL_REPLY_NULL;
	CLEANUP(ranking_cleanup) struct ranking ranking = {0};
	enum exit_status status = ask(args, "list", NULL, &list);
	const struct json_value *domains;
	struct ctl_args each = *args;
	size_t n = 0;

	domains = status == EXIT_DONE ? json_member(list.result, "domains") : NULL;
	if (!domains)
		return status;
	JSON_FOREACH(domain, domains)
	n += json_type(domain) == JSON_OBJECT;
	ranking.replies = calloc(n + 1, sizeof(*ranking.replies));
	if (!ranking.replies)
		return EXIT_FAILED;
	if (args->for_s && n)
		each.for_s = MAX(args->for_s / n, UINT64_C(1));
	status = try_each(&each, domains, &ranking);
	qsort(ranking.replies, ranking.n, sizeof(*ranking.replies), compare);
	print_ranking(args, &ranking);
	return status;
}

enum exit_status trial_run(const struct ctl_args *args)
{
	return args->all ? trial_all(args) : trial_one(args);
}
