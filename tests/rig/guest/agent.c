/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * pvsched-agent, in the image that has it (guest-image --agent):
 *
 *   agent start [SECONDS]    starts it, so that it waits for a host: {"ok":true,"pid":N}; with
 *                            SECONDS also waits so long until it is served: {...,"us":N}
 *   agent stop               SIGTERM, until it has ended, if it runs: {"ok":true}
 *   agent kill               SIGKILL: the same; it must run
 *   agent status             {"ok":true,"status":...}: what `pvsched-agent status --json` prints
 *   agent settings JSON      its configuration from its next start on; without blanks
 *   agent log                the end of what it said: {"ok":true,"log":"..."}
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"

#define PROGRAM     "/usr/sbin/pvsched-agent"
#define SETTINGS    "/etc/pvsched-agent.json"
#define LOG_FILE    "/tmp/agent.log"
#define STATUS_FILE "/tmp/agent.status"
#define STATUS_MAX  65536
#define LOG_SHOWN   2000

static pid_t agent; /* 0: none runs */

void agent_reaped(pid_t pid)
{
	if (pid == agent)
		agent = 0;
}

/* At most @size - 1 bytes of the end of a file, or of all of it; NULL: it cannot be read. */
static char *read_end(const char *path, size_t size)
{
	char *text = calloc(1, size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t length = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	off_t from = length >= (off_t)size ? length - (off_t)size + 1 : 0;

	if (!text || length < 0 || pread(fd, text, size - 1, from) < 0) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* What `pvsched-agent status --json` prints, one line; NULL: it failed. */
static char *read_status(void)
{
	char *text = NULL;

	if (run((char *const[]){PROGRAM, "status", "--json", NULL}, STATUS_FILE) == 0)
		text = read_end(STATUS_FILE, STATUS_MAX);
	if (text)
		text[strcspn(text, "\n")] = 0;
	return text;
}

static bool is_served(void)
{
	char *text = read_status();
	bool ret = text && strstr(text, "\"served\":true");

	free(text);
	return ret;
}

static pid_t start_program(void)
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	fd = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execl(PROGRAM, PROGRAM, "--wait", NULL);
	_exit(127);
}

static void start(long seconds)
{
	int64_t begin = now_ns(), until = begin + seconds * 1000000000;
	pid_t pid = agent ? 0 : start_program();

	if (pid <= 0) {
		fail("agent start", pid ? errno : EALREADY);
		return;
	}
	agent = pid;
	if (!seconds) {
		answer("{\"ok\":true,\"pid\":%d}", agent);
		return;
	}
	while (!is_served())
		if (now_ns() > until) {
			fail("agent is not served", ETIMEDOUT);
			return;
		}
	answer("{\"ok\":true,\"pid\":%d,\"us\":%ld}", agent, (long)((now_ns() - begin) / 1000));
}

static void end(int number)
{
	if (!agent && number == SIGKILL) {
		fail("no agent runs", ESRCH);
		return;
	}
	if (agent) {
		kill(agent, number);
		waitpid(agent, NULL, 0);
		agent = 0;
	}
	answer("{\"ok\":true}");
}

static void status(void)
{
	char *text = read_status();

	if (text)
		answer("{\"ok\":true,\"status\":%s}", text);
	else
		fail("pvsched-agent status", ESRCH);
	free(text);
}

static void show_log(void)
{
	char *text = read_end(LOG_FILE, LOG_SHOWN);

	for (char *c = text; c && *c; c++)
		if (*c == '"' || *c == '\\' || *c < ' ' || *c > '~')
			*c = *c == '\n' ? '|' : '.';
	answer("{\"ok\":true,\"log\":\"%s\"}", text ? text : "");
	free(text);
}

static void set(const char *settings)
{
	FILE *file = fopen(SETTINGS, "we");

	if (!file || fprintf(file, "%s\n", settings) < 0 || fclose(file) != 0)
		fail(SETTINGS, errno);
	else
		answer("{\"ok\":true}");
}

void do_agent(char **words, int n)
{
	const char *what = n > 1 ? words[1] : "";
	long seconds = 0;

	if (access(PROGRAM, X_OK) < 0)
		fail(PROGRAM, errno);
	else if (!strcmp(what, "start") &&
	         (n == 2 || (n == 3 && number(words[2], 1, 60, &seconds))))
		start(seconds);
	else if (n == 2 && !strcmp(what, "stop"))
		end(SIGTERM);
	else if (n == 2 && !strcmp(what, "kill"))
		end(SIGKILL);
	else if (n == 2 && !strcmp(what, "status"))
		status();
	else if (n == 2 && !strcmp(what, "log"))
		show_log();
	else if (n == 3 && !strcmp(what, "settings"))
		set(words[2]);
	else
		fail("agent start|stop|kill|status|settings|log", EINVAL);
}
