/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * pvschedctl: sends a request to the daemon and prints the answer. Doctor, attach, detach, and the
 * flag of enable and disable also work without a daemon.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/args.h"
#include "ctl/attach.h"
#include "ctl/client.h"
#include "ctl/doctor.h"
#include "ctl/exit_status.h"
#include "ctl/flag.h"
#include "ctl/help.h"
#include "ctl/print.h"
#include "ctl/render.h"
#include "ctl/value.h"

static bool is_dead(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED;
}

/** True for errors that mean that a daemon exists, but hangs or was just leaving. */
static bool is_hung(int error)
{
	return error == -ETIMEDOUT || error == -ECONNRESET || error == -EPIPE;
}

static enum exit_status report_no_answer(const struct ctl_args *args, int error)
{
	fprintf(stderr, "pvschedctl: ");
	if (is_dead(error)) {
		fprintf(stderr,
		        "no daemon answers on %s. Start it: systemctl start pvschedd. To find out "
		        "what is wrong: pvschedctl doctor\n",
		        args->socket);
		return EXIT_NO_DAEMON;
	}
	if (is_hung(error)) {
		fprintf(stderr,
		        "the daemon on %s accepted the request but did not answer: %s. See: "
		        "journalctl -u pvschedd -b\n",
		        args->socket, strerror(-error));
		return EXIT_NO_DAEMON;
	}
	if (error == -EACCES || error == -EPERM) {
		fprintf(stderr,
		        "this user may not query the daemon on %s. Only root and the group pvsched "
		        "may: try again with sudo\n",
		        args->socket);
		return EXIT_NOT_PERMITTED;
	}
	if (error == -EBADMSG)
		fprintf(stderr,
		        "the answer on %s is not that of a pvschedd of this version. Restart it: "
		        "systemctl restart pvschedd\n",
		        args->socket);
	else
		fprintf(stderr, "cannot query the daemon on %s: %s\n", args->socket,
		        strerror(-error));
	return EXIT_FAILED;
}

static enum exit_status report_refusal(const struct ctl_args *args, const struct ctl_reply *reply)
{
	fputs("pvschedctl: ", stderr);
	print_escaped(stderr, reply->error[0] ? reply->error : "the daemon refused the request");
	fputs("\n", stderr);
	if (strcmp(reply->code, "EPERM") == 0 || strcmp(reply->code, "EACCES") == 0)
		return EXIT_NOT_PERMITTED;
	if (strcmp(reply->code, "ENOENT") == 0 && args->domain)
		return EXIT_NO_DOMAIN;
	return EXIT_FAILED;
}

/** Does enable and disable if no daemon answers: the next daemon reads the flag. */
static enum exit_status change_flag(const struct ctl_args *args, int error)
{
	bool disable = args->verb == CTL_DISABLE;
	int r = disable ? flag_set(args->state_dir) : flag_clear(args->state_dir);
	const char *now = disable ? "it will boost nothing" : "it may boost again";

	if (r < 0) {
		fprintf(stderr,
		        "pvschedctl: no daemon answers, and %s/disabled cannot be %s: %s. Try "
		        "again as root\n",
		        args->state_dir, disable ? "created" : "removed", strerror(-r));
		return r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	}
	if (args->json)
		printf("{\"message\":\"no daemon answers; when one starts, %s\"}\n", now);
	else
		printf("No daemon answers. When one starts, %s: %s/disabled %s.\n", now,
		       args->state_dir, disable ? "exists" : "does not exist");
	if (is_dead(error))
		return EXIT_DONE;
	fprintf(stderr,
	        "pvschedctl: the daemon on %s hangs and did not get the command. Kill it, which "
	        "restores every thread: systemctl kill -s KILL pvschedd\n",
	        args->socket);
	return EXIT_NO_DAEMON;
}

static void probe(struct doctor_report *report)
{
	struct fair_order order = {0};
	struct cgroup_cpu cpu;
	int r = cgroup_cpu_find(&cpu);

	if (r == 0)
		r = fair_order_try(&cpu, &order);
	doctor_add_fair_order(report, r, &order);
}

static enum exit_status run_doctor(const struct ctl_args *args)
{
	const struct doctor_env env = {
	        .root = "", .socket = args->socket, .state_dir = args->state_dir};
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	static struct doctor_report report;
	int r = ctl_ask(args, &reply);

	doctor_add_daemon(&env, &report, r);
	doctor_run_local(&env, &report);
	if (r == 0 && reply.ok)
		doctor_merge(&report, reply.result);
	if (args->probe)
		probe(&report);
	if (!args->json)
		doctor_render(&report, stdout);
	else if (doctor_render_json(&report, stdout) < 0)
		return EXIT_FAILED;
	if (is_dead(r) || is_hung(r))
		return EXIT_NO_DAEMON;
	return doctor_worst(&report) == CHECK_FAIL ? EXIT_FAILED : EXIT_DONE;
}

/** `status` fails if the daemon has no tracer, because such a daemon does nothing. */
static enum exit_status status_of(const struct ctl_args *args, const struct json_value *result)
{
	const struct json_value *sources = json_member(result, "sources");
	const struct json_value *bpf = sources ? json_member(sources, "bpf") : NULL;

	if (args->verb != CTL_STATUS || !bpf || value_bool(bpf, "ok"))
		return EXIT_DONE;
	fputs("pvschedctl: the kernel refused the tracer, so nothing is measured or boosted. See: "
	      "pvschedctl doctor\n",
	      stderr);
	return EXIT_FAILED;
}

static enum exit_status run(const struct ctl_args *args)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	const char *text;
	size_t size;
	int r;

	if (args->verb == CTL_DOCTOR)
		return run_doctor(args);
	if (args->verb == CTL_ATTACH || args->verb == CTL_DETACH)
		return run_attach(args);
	r = ctl_ask(args, &reply);
	if (r < 0 && (args->verb == CTL_ENABLE || args->verb == CTL_DISABLE) &&
	    (is_dead(r) || is_hung(r)))
		return change_flag(args, r);
	if (r < 0)
		return report_no_answer(args, r);
	if (!reply.ok)
		return report_refusal(args, &reply);
	if (args->json) {
		text = ctl_reply_result_text(&reply, &size);
		printf("%.*s\n", (int)size, text);
	} else {
		ctl_render(args, reply.result, stdout);
	}
	return status_of(args, reply.result);
}

int main(int argc, char *argv[])
{
	struct ctl_args args;
	char error[512];
	enum exit_status status = EXIT_DONE;
	int r;

	r = ctl_args_parse(argc, argv, &args, error, sizeof(error));
	if (r == CTL_ARGS_HELP) {
		help_print(stdout, args.verb);
	} else if (r == CTL_ARGS_VERSION) {
		puts("pvschedctl " PVSCHEDD_VERSION);
	} else if (r < 0) {
		fputs("pvschedctl: ", stderr);
		print_escaped(stderr, error);
		fprintf(stderr, "%s See: pvschedctl help\n",
		        error[strlen(error) - 1] == '?' ? "" : ".");
		return EXIT_USAGE;
	} else {
		status = run(&args);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "pvschedctl: cannot write the answer: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
