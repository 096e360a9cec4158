/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/report_no_answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/print.h"

bool ctl_is_dead(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED;
}

bool ctl_is_hung(int error)
{
	return error == -ETIMEDOUT || error == -ECONNRESET || error == -EPIPE;
}

enum exit_status report_no_answer(const struct ctl_args *args, int error)
{
	fprintf(stderr, "pvschedctl: ");
	if (ctl_is_dead(error)) {
		fprintf(stderr,
		        "no daemon answers on %s. Start it: systemctl start pvschedd. To find out "
		        "what is wrong: pvschedctl doctor\n",
		        args->socket);
		return EXIT_NO_DAEMON;
	}
	if (ctl_is_hung(error)) {
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

enum exit_status report_refusal(const struct ctl_args *args, const struct ctl_reply *reply)
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
