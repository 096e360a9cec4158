/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The command server of the test guest: reads one command per line from a serial port and answers
 * each with exactly one line of JSON. Lines that start with '#' come before the answer and mark
 * moments ("# start", "# end"), so that the host can measure the same window.
 *
 *   ping [TOKEN]                        {"ok":true,"pong":"TOKEN"}
 *   uname                               {"ok":true,"release":"...","cpus":N,"clocksource":"..."}
 *   cpus                                brings hot-plugged CPUs online: {"ok":true,"cpus":N}
 *   cyclictest INTERVAL_US LOOPS [SECONDS]
 *                                       # start, # end, {"ok":true,"cycles":N,"avg_us":..,...,
 *                                       "histogram":{"US":N}}; ends at LOOPS or SECONDS, whichever
 *                                       is first
 *   switches N [PID]                    # start, # end, {"ok":true,"us":N,"agent_ran":N}: how
 *                                       long it took, and how often process PID ran
 *   hackbench, dbench, pipeline, wakers, interrupts
 *                                       loads of several tasks, and their interrupts: see loads.c
 *   membarrier SECONDS                  # start, # end, as cyclictest: how long each call took that
 *                                       waits for all CPUs: see membarrier.c
 *   busy DUTY_US PERIOD_US SECONDS [CPU]
 *                                       # start, # end, {"ok":true,"periods":N}
 *   background busy DUTY_US PERIOD_US SECONDS [CPU]
 *                                       the same beside further commands: {"ok":true,"pid":N}
 *   background fifo DUTY_US PERIOD_US SECONDS [CPU]
 *                                       the same by a real-time task
 *   background yield CALLS PERIOD_US SECONDS [CPU]
 *                                       under KVM: yields to another vCPU, so often each period
 *   stop                                ends what runs in the background: {"ok":true}
 *   page, rt                            the guest page: see page.c
 *   ram                                 pages in the guest's RAM, as an agent has them: see ram.c
 *   address, fio, iperf3                disk and network: see io.c
 *   agent                               pvsched-agent: see agent.c
 *   audio                               missed periods of an audio thread: see audio.c
 *   poweroff
 *
 * A failure is {"ok":false,"error":"..."}.
 *
 * It runs as PID 1 of a throw-away guest; only the test rig speaks to it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"

#define LINE_MAX_BYTES 256
#define WORDS_MAX      8
#define BACKGROUND_MAX 16
#define HISTOGRAM_FILE "/tmp/histogram"

static pid_t background[BACKGROUND_MAX];
static FILE *port;

void answer_part(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(port, format, args);
	va_end(args);
}

void answer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(port, format, args);
	va_end(args);
	fputc('\n', port);
	fflush(port);
}

void fail(const char *what, int error)
{
	answer("{\"ok\":false,\"error\":\"%s: %s\"}", what, strerror(error));
}

bool number(const char *word, long min, long max, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(word, &end, 10);
	return !errno && end != word && !*end && *ret >= min && *ret <= max;
}

static void first_line(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(ret, (int)size, file))
		ret[0] = 0;
	if (file)
		fclose(file);
	ret[strcspn(ret, "\n\"\\")] = 0;
}

static void do_uname(void)
{
	char clocksource[64];
	struct utsname name;

	uname(&name);
	first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", clocksource,
	           sizeof(clocksource));
	answer("{\"ok\":true,\"sysname\":\"%s\",\"release\":\"%s\",\"version\":\"%s\",\"cpus\":%ld,"
	       "\"clocksource\":\"%s\"}",
	       name.sysname, name.release, name.version, sysconf(_SC_NPROCESSORS_ONLN),
	       clocksource);
}

/* Without udev no program brings a hot-plugged CPU online. */
static void do_cpus(void)
{
	char path[64];

	for (int cpu = 1; cpu < 256; cpu++) {
		int fd;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, "1", 1) < 0 && errno != EINVAL)
			perror(path);
		close(fd);
	}
	answer("{\"ok\":true,\"cpus\":%ld}", sysconf(_SC_NPROCESSORS_ONLN));
}

/* Runs duty_us of every period_us until the time is over; returns the number of periods. */
static long spin(long duty_us, long period_us, long seconds)
{
	int64_t begin = now_ns(), end = begin + seconds * 1000000000LL, next = begin;
	long periods = 0;

	while (next < end) {
		int64_t busy_until = now_ns() + duty_us * 1000;

		while (now_ns() < busy_until)
			;
		periods++;
		next += period_us * 1000;
		if (next < now_ns()) /* late: periods that are over are not made up for */
			next = now_ns();
		sleep_until(next);
	}
	return periods;
}

void pin(long cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("sched_setaffinity");
}

static bool busy_arguments(char **words, int n, long *duty_us, long *period_us, long *seconds,
                           long *cpu)
{
	*cpu = -1;
	return (n == 4 || n == 5) && number(words[1], 1, 10000000, duty_us) &&
	       number(words[2], 1, 10000000, period_us) && number(words[3], 1, 3600, seconds) &&
	       (n == 4 || number(words[4], 0, 255, cpu));
}

static void do_busy(char **words, int n)
{
	long duty_us, period_us, seconds, cpu;
	cpu_set_t all;

	if (!busy_arguments(words, n, &duty_us, &period_us, &seconds, &cpu)) {
		fail("busy DUTY_US PERIOD_US SECONDS [CPU]", EINVAL);
		return;
	}
	sched_getaffinity(0, sizeof(all), &all);
	pin(cpu);
	answer("# start");
	long periods = spin(duty_us, period_us, seconds);
	answer("# end");
	sched_setaffinity(0, sizeof(all), &all);
	answer("{\"ok\":true,\"periods\":%ld}", periods);
}

static void do_background(char **words, int n)
{
	bool yields = !strcmp(words[0], "yield"), fifo = !strcmp(words[0], "fifo");
	long duty_us, period_us, seconds, cpu;

	if ((!yields && !fifo && strcmp(words[0], "busy")) ||
	    !busy_arguments(words, n, &duty_us, &period_us, &seconds, &cpu)) {
		fail("background busy|fifo|yield DUTY_US|CALLS PERIOD_US SECONDS [CPU]", EINVAL);
		return;
	}
	for (int i = 0; i < BACKGROUND_MAX; i++) {
		if (background[i])
			continue;
		background[i] = fork();
		if (background[i] == 0) {
			pin(cpu);
			if (fifo)
				sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){80});
			if (yields)
				yield_often(duty_us, period_us, seconds);
			else
				spin(duty_us, period_us, seconds);
			_exit(0);
		}
		if (background[i] < 0) {
			background[i] = 0;
			fail("fork", errno);
			return;
		}
		answer("{\"ok\":true,\"pid\":%d}", background[i]);
		return;
	}
	fail("too much in the background already", EBUSY);
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		agent_reaped(pid);
		for (int i = 0; i < BACKGROUND_MAX; i++)
			if (background[i] == pid)
				background[i] = 0;
	}
}

static void do_stop(void)
{
	for (int i = 0; i < BACKGROUND_MAX; i++) {
		if (!background[i])
			continue;
		kill(background[i], SIGKILL);
		waitpid(background[i], NULL, 0);
		background[i] = 0;
	}
	answer("{\"ok\":true}");
}

int run(char *const argv[], const char *output)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(126);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Reads what `cyclictest -q -h` prints for one thread. */
static bool summary_read(const char *path, struct summary *summary)
{
	FILE *file = fopen(path, "re");
	unsigned long us, count;
	char line[256];
	int found = 0;

	if (!file)
		return false;
	memset(summary, 0, sizeof(*summary));
	while (fgets(line, sizeof(line), file)) {
		/* tens of thousands of these, nearly all 0, before a few others: an emulated guest
		   would read them for seconds with sscanf() */
		if (line[0] >= '0' && line[0] <= '9') {
			char *rest;

			us = strtoul(line, &rest, 10);
			count = strtoul(rest, NULL, 10);
			if (us < HISTOGRAM_US)
				summary->counts[summary_coarse(us)] += count;
			continue;
		}
		found += sscanf(line, "# Total: %lu", &summary->cycles) == 1;
		found += sscanf(line, "# Avg Latencies: %lu", &summary->avg_us) == 1;
		found += sscanf(line, "# Max Latencies: %lu", &summary->max_us) == 1;
		if (sscanf(line, "# Histogram Overflows: %lu", &count) == 1)
			summary->cycles += count;
	}
	fclose(file);
	return found == 3;
}

static void do_cyclictest(char **words, int n)
{
	static struct summary summary;
	char interval[32], loops[32], duration[32], histogram[32];
	long interval_us, n_loops, seconds = 3600;
	int code;

	if (n < 3 || n > 4 || !number(words[1], 50, 1000000, &interval_us) ||
	    !number(words[2], 1, 1000000000, &n_loops) ||
	    (n == 4 && !number(words[3], 1, 3600, &seconds))) {
		fail("cyclictest INTERVAL_US LOOPS [SECONDS]", EINVAL);
		return;
	}
	snprintf(interval, sizeof(interval), "-i%ld", interval_us);
	snprintf(loops, sizeof(loops), "-l%ld", n_loops);
	snprintf(duration, sizeof(duration), "-D%ld", seconds);
	snprintf(histogram, sizeof(histogram), "-h%d", HISTOGRAM_US);
	answer("# start");
	/* --default-system: a PM QoS request of 0 could make the vCPU poll instead of halt. */
	code = run((char *const[]){"/usr/bin/cyclictest", "-q", "-m", "-p80", "--policy=fifo",
	                           "--default-system", interval, loops, duration, histogram, NULL},
	           HISTOGRAM_FILE);
	answer("# end");
	if (code != 0 || !summary_read(HISTOGRAM_FILE, &summary)) {
		answer("{\"ok\":false,\"error\":\"cyclictest ended with code %d\"}", code);
		return;
	}
	summary_print(&summary);
	answer("}");
}

static void command(char *line)
{
	char *words[WORDS_MAX], *save = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \t\r\n", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r\n", &save))
		words[n++] = word;
	if (n == 0)
		return;
	reap();
	if (!strcmp(words[0], "ping"))
		answer("{\"ok\":true,\"pong\":\"%s\"}", n > 1 ? words[1] : "");
	else if (!strcmp(words[0], "uname"))
		do_uname();
	else if (!strcmp(words[0], "cpus"))
		do_cpus();
	else if (!strcmp(words[0], "cyclictest"))
		do_cyclictest(words, n);
	else if (!strcmp(words[0], "membarrier"))
		do_membarrier(words, n);
	else if (!strcmp(words[0], "busy"))
		do_busy(words, n);
	else if (!strcmp(words[0], "background") && n > 1)
		do_background(words + 1, n - 1);
	else if (!strcmp(words[0], "page"))
		do_page(words, n);
	else if (!strcmp(words[0], "rt"))
		do_rt(words, n);
	else if (!strcmp(words[0], "ram"))
		do_ram(words, n);
	else if (!strcmp(words[0], "address"))
		do_address(words, n);
	else if (!strcmp(words[0], "fio"))
		do_fio(words, n);
	else if (!strcmp(words[0], "iperf3"))
		do_iperf3(words, n);
	else if (!strcmp(words[0], "agent"))
		do_agent(words, n);
	else if (!strcmp(words[0], "switches"))
		do_switches(words, n);
	else if (!strcmp(words[0], "audio"))
		do_audio(words, n);
	else if (do_load(words, n))
		;
	else if (!strcmp(words[0], "stop"))
		do_stop();
	else if (!strcmp(words[0], "poweroff"))
		reboot(RB_POWER_OFF);
	else if (!do_load(words, n))
		answer("{\"ok\":false,\"error\":\"no such command\"}");
}

int main(int argc, char **argv)
{
	struct termios raw;
	char line[LINE_MAX_BYTES];
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &raw) < 0) {
		perror(argv[1]);
		return 1;
	}
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	tcsetattr(fd, TCSANOW, &raw);
	FILE *in = fdopen(fd, "r");
	port = fdopen(dup(fd), "w");
	if (!in || !port)
		return 1;
	puts("guest-commands: ready"); /* on the console, for the probe of KVM */
	fflush(stdout);
	answer("# ready");
	for (;;) {
		if (fgets(line, sizeof(line), in))
			command(line);
		else
			clearerr(in);
	}
}
