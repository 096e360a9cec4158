// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into pvschedd: it is killed at the change of another thread's scheduling whose number
 * DIES_AT tells: right before it, or right after it if DIES_AFTER is there. Neither guardian nor
 * reader is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t self;
static long changes, at;
static int after;

__attribute__((constructor)) static void prepare(void)
{
	const char *text = getenv("DIES_AT");

	if (!text || strcmp(program_invocation_short_name, "pvschedd") != 0)
		return;
	at = atol(text);
	after = getenv("DIES_AFTER") != NULL;
	self = getpid();
}

static void die(void)
{
	kill(self, SIGKILL);
	for (;;)
		pause();
}

/* All six arguments, whether there are so many or not. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6], r;
	va_list list;
	int counts;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	counts = (number == SYS_sched_setscheduler || number == SYS_sched_setattr) &&
	         (pid_t)a[0] != 0 && self && getpid() == self && ++changes == at;
	if (counts && !after)
		die();
	r = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (counts)
		die();
	return r;
}
