// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/recommend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/print.h"
#include "ctl/render.h"
#include "ctl/render_recommend.h"
#include "ctl/report_no_answer.h"
#include "ctl/value.h"
#include "util/cleanup.h"

/** Sends @args. Returns EXIT_DONE and the answer; else it was said what is wrong. */
static enum exit_status ask(const struct ctl_args *args, struct ctl_reply *ret)
{
	int r = ctl_ask(args, ret);

	if (r < 0)
		return report_no_answer(args, r);
	return ret->ok ? EXIT_DONE : report_refusal(args, ret);
}

static void print_result(const struct ctl_reply *reply)
{
	size_t size;
	const char *text = ctl_reply_result_text(reply, &size);

	printf("%.*s", (int)size, text);
}

/** Sets what is recommended. The answer to that is printed. */
static enum exit_status set(const struct ctl_args *args, const struct json_value *result)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	struct ctl_args set = *args;
	enum exit_status status;

	set.verb = CTL_POLICY_SET;
	set.profile = value_text(result, "profile", "latency");
	set.burst_us = (uint64_t)MAX(value_number(result, "burst_us"), INT64_C(0));
	set.share_permille = (uint32_t)MAX(value_number(result, "share_permille"), INT64_C(0));
	status = ask(&set, &reply);
	if (args->json && status == EXIT_DONE)
		print_result(&reply);
	else if (args->json)
		fputs("null", stdout);
	if (args->json || status != EXIT_DONE)
		return status;
	fputs("  set: ", stdout);
	print_escaped(stdout, value_text(reply.result, "message", "done"));
	fputs("\n", stdout);
	return EXIT_DONE;
}

/**
 * Applies an answer. What is kept needs nothing, and neither does a profile that learns. Of one
 * domain that was named it is an error if nothing is recommended, of all domains it is not.
 */
static enum exit_status apply(const struct ctl_args *args, const struct json_value *result)
{
	const char *verdict = value_text(result, "verdict", "-");

	if (is_recommended(result) && !value_bool(result, "automatic"))
		return set(args, result);
	if (args->json)
		fputs("null", stdout);
	if (args->all || strcmp(verdict, "keep") == 0 || value_bool(result, "automatic"))
		return EXIT_DONE;
	fputs("pvschedctl: nothing is recommended, so nothing was changed\n", stderr);
	return EXIT_FAILED;
}

/** Asks of args->domain, prints the answer, applies it. */
static enum exit_status recommend_one(const struct ctl_args *args, const struct ctl_reply *reply)
{
	struct terminal terminal = terminal_of(stdout);
	enum exit_status status = EXIT_DONE;

	if (!args->json)
		ctl_render(args, reply->result, stdout, &terminal);
	if (args->json && args->apply)
		fputs("{\"recommendation\":", stdout);
	if (args->json)
		print_result(reply);
	if (args->json && args->apply)
		fputs(",\"applied\":", stdout);
	if (args->apply)
		status = apply(args, reply->result);
	if (args->json && args->apply)
		fputs("}", stdout);
	return status;
}

/** Asks of each domain by its uuid, one request each: the daemon is never busy with all. */
static enum exit_status recommend_all(const struct ctl_args *args)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply list = CTL_REPLY_NULL;
	const struct json_value *domains;
	struct ctl_args one = *args;
	enum exit_status status, worst = EXIT_DONE;
	bool first = true;

	one.verb = CTL_LIST;
	status = ask(&one, &list);
	domains = status == EXIT_DONE ? json_member(list.result, "domains") : NULL;
	if (!domains)
		return status;
	one.verb = CTL_RECOMMEND;
	if (args->json)
		fputs("{\"domains\":[", stdout);
	JSON_FOREACH(domain, domains)
	{
		CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
		int r;

		one.domain = value_text(domain, "uuid", "-");
		r = ctl_ask(&one, &reply);
		if (r < 0)
			return report_no_answer(args, r);
		if (!reply.ok)
			continue; /* it has ended since */
		if (!first)
			fputs(args->json ? "," : "\n", stdout);
		first = false;
		status = recommend_one(&one, &reply);
		worst = MAX(worst, status);
	}
	if (args->json)
		fputs("]}", stdout);
	else if (first)
		fputs("No domain runs here, or none was found yet.\n", stdout);
	return worst;
}

enum exit_status recommend_run(const struct ctl_args *args)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	enum exit_status status;

	if (args->domain) {
		status = ask(args, &reply);
		if (status == EXIT_DONE)
			status = recommend_one(args, &reply);
	} else {
		status = recommend_all(args);
	}
	if (args->json && status != EXIT_NO_DAEMON)
		fputs("\n", stdout);
	return status;
}
