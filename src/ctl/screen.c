/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER     "\033[?1049h\033[?25l" /* the alternate screen, no cursor */
#define LEAVE     "\033[?25h\033[?1049l"
#define ESCAPE_MS 30 /* the rest of a key's sequence follows at once */

static struct termios before;
static volatile sig_atomic_t is_open, was_resized;

/* Only what a signal handler may do. */
static void restore(void)
{
	ssize_t n;

	if (!is_open)
		return;
	is_open = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	n = write(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	(void)n;
}

static void on_end(int number)
{
	restore();
	signal(number, SIG_DFL);
	raise(number);
}

static void on_resize(int number)
{
	(void)number;
	was_resized = 1;
}

static int begin(void)
{
	struct termios raw = before;
	ssize_t n;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return -errno;
	is_open = 1;
	n = write(STDOUT_FILENO, ENTER, strlen(ENTER));
	return n < 0 ? -errno : 0;
}

/* Stopped by Ctrl-Z: the shell gets its terminal as it was, and we take it again afterwards. */
static void on_stop(int number)
{
	int saved = errno;
	sigset_t stop;

	restore();
	signal(number, SIG_DFL);
	raise(number);
	sigemptyset(&stop);
	sigaddset(&stop, number);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* it stops here */
	signal(number, on_stop);
	begin();
	was_resized = 1;
	errno = saved;
}

int screen_open(void)
{
	static const int ends[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGPIPE,
	                           SIGSEGV, SIGABRT, SIGBUS, SIGFPE,  SIGILL};
	struct sigaction resize = {.sa_handler = on_resize};
	int r;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return -ENOTTY;
	atexit(restore);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		signal(ends[i], on_end);
	signal(SIGTSTP, on_stop);
	sigaction(SIGWINCH, &resize, NULL); /* without SA_RESTART: it ends the wait */
	r = begin();
	if (r < 0)
		restore();
	return r;
}

void screen_close(void)
{
	restore();
}

static struct winsize window(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

unsigned int screen_lines(void)
{
	return window().ws_row;
}

unsigned int screen_columns(void)
{
	return window().ws_col;
}

/* Up to @columns characters of a line; returns how many bytes these are. */
static size_t cut(const char *line, size_t length, unsigned int columns)
{
	unsigned int n = 0;

	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] & 0xc0) != 0x80 && ++n > columns)
			return i;
	return length;
}

void screen_show(const char *text, int marked)
{
	struct winsize size = window();

	fputs("\033[H", stdout);
	for (int row = 0; row < size.ws_row; row++) {
		size_t length = strcspn(text, "\n");

		printf("%s%.*s%s\033[K%s", row == marked ? "\033[7m" : "",
		       (int)cut(text, length, size.ws_col), text, row == marked ? "\033[0m" : "",
		       row + 1 < size.ws_row ? "\r\n" : "");
		text += length + (text[length] == '\n');
	}
	fflush(stdout);
	was_resized = 0;
}

/* What follows an escape: an arrow, or nothing. */
static int rest_of_escape(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char rest[2] = {0};

	if (poll(&in, 1, ESCAPE_MS) <= 0 || read(STDIN_FILENO, rest, 2) < 2)
		return SCREEN_KEY_BACK;
	if (rest[1] == 'A')
		return SCREEN_KEY_UP;
	return rest[1] == 'B' ? SCREEN_KEY_DOWN : SCREEN_KEY_NONE;
}

int screen_key(int timeout_ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char key;

	if (was_resized || poll(&in, 1, timeout_ms) <= 0)
		return SCREEN_KEY_NONE;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return SCREEN_KEY_END;
	switch (key) {
	case '\033':
		return rest_of_escape();
	case '\r':
	case '\n':
		return SCREEN_KEY_ENTER;
	case '\b':
	case 0x7f:
		return SCREEN_KEY_BACK;
	}
	return key >= SCREEN_KEY_FIRST ? key : SCREEN_KEY_NONE;
}
