/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * pvschedctl: sends a request to the daemon and prints the answer. Doctor, attach, detach, and the
 * flag of enable and disable also work without a daemon.
 */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/attach.h"
#include "ctl/client.h"
#include "ctl/doctor.h"
#include "ctl/exit_status.h"
#include "ctl/flag.h"
#include "ctl/help.h"
#include "ctl/latency.h"
#include "ctl/policy.h"
#include "ctl/print.h"
#include "ctl/recommend.h"
#include "ctl/report_file.h"
#include "ctl/report_no_answer.h"
#include "ctl/render.h"
#include "ctl/top.h"
#include "ctl/trial.h"
#include "ctl/value.h"

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
	if (ctl_is_dead(error))
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

static const char *user_name(void)
{
	const struct passwd *user = getpwuid(getuid());

	return user ? user->pw_name : NULL;
}

static enum exit_status run_doctor(const struct ctl_args *args)
{
	struct doctor_env env = {
	        .root = "",
	        .socket = args->socket,
	        .state_dir = args->state_dir,
	        .user = user_name(),
	};
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	static struct doctor_report report;
	int r = ctl_ask(args, &reply);

	if (r == 0 && reply.ok) {
		env.rt_priority = (unsigned int)MAX(value_number(reply.result, "rt_priority"), 0);
		env.booster_wait = value_text(reply.result, "booster_wait", "");
		env.daemon = reply.daemon;
	}
	doctor_add_daemon(&env, &report, r);
	doctor_run_local(&env, &report);
	if (r == 0 && reply.ok)
		doctor_merge(&report, reply.result);
	if (args->probe)
		probe(&report);
	if (args->report && report_file_write(args, &report) != EXIT_DONE)
		return EXIT_FAILED;
	if (!args->json)
		doctor_render(&report, stdout);
	else if (doctor_render_json(&report, stdout) < 0)
		return EXIT_FAILED;
	if (ctl_is_dead(r) || ctl_is_hung(r))
		return EXIT_NO_DAEMON;
	return doctor_worst(&report) == CHECK_FAIL ? EXIT_FAILED : EXIT_DONE;
}

/** `boost` fails if it boosted nothing; why not stands in the answer, and here. */
static enum exit_status boosted_any(const struct json_value *result)
{
	const struct json_value *vcpus = json_member(result, "vcpus");
	const char *text = "the domain has none that is known";

	if (!vcpus)
		return EXIT_DONE;
	JSON_FOREACH(vcpu, vcpus)
	{
		if (value_bool(vcpu, "boosted"))
			return EXIT_DONE;
		text = value_text(vcpu, "text", text);
	}
	fputs("pvschedctl: no vCPU was boosted: ", stderr);
	print_escaped(stderr, text);
	fputs("\n", stderr);
	return EXIT_FAILED;
}

/** `status` fails if the daemon has no tracer, because such a daemon does nothing. */
static enum exit_status status_of(const struct ctl_args *args, const struct json_value *result)
{
	const struct json_value *sources = json_member(result, "sources");
	const struct json_value *bpf = sources ? json_member(sources, "bpf") : NULL;

	if (args->verb == CTL_BOOST)
		return boosted_any(result);
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
	struct terminal terminal;
	const char *text;
	size_t size;
	int r;

	if (args->verb == CTL_DOCTOR)
		return run_doctor(args);
	if (args->verb == CTL_TOP || args->verb == CTL_WATCH)
		return top_run(args);
	if (args->verb == CTL_LATENCY)
		return latency_run(args);
	if (args->verb == CTL_RECOMMEND)
		return recommend_run(args);
	if (args->verb == CTL_TRIAL)
		return trial_run(args);
	if (args->verb == CTL_ATTACH || args->verb == CTL_DETACH)
		return run_attach(args);
	r = ctl_ask(args, &reply);
	if (r == 0)
		r = policy_ask_absent(args, &reply);
	if (r < 0 && (args->verb == CTL_ENABLE || args->verb == CTL_DISABLE) &&
	    (ctl_is_dead(r) || ctl_is_hung(r)))
		return change_flag(args, r);
	if (r < 0)
		return report_no_answer(args, r);
	if (!reply.ok)
		return report_refusal(args, &reply);
	if (args->json) {
		text = ctl_reply_result_text(&reply, &size);
		printf("%.*s\n", (int)size, text);
	} else {
		terminal = terminal_of(stdout);
		ctl_render(args, reply.result, stdout, &terminal);
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
