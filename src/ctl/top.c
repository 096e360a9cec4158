/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/top.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/report_no_answer.h"
#include "ctl/screen.h"
#include "ctl/terminal.h"
#include "ctl/top_rows.h"
#include "ctl/value.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define FIRST_MS UINT64_C(500) /* rates need two answers: the second one comes soon */

static const char keys_text[] =
        "  up, down     choose a row\n"
        "  Enter        the vCPUs of that domain; again, or Escape: all domains\n"
        "  w, b, d      sort by waits, by boosted time, by denials\n"
        "  ?            this text\n"
        "  q            end\n"
        "\n"
        "BOOST%  of one CPU, that it ran boosted since the last look\n"
        "READY%  of one CPU, that it was runnable and did not run\n"
        "p50, p99, max  how long it waited to run, in the last ten seconds, in us\n"
        "BEFORE  the p99 before its current policy\n"
        "DENY/s  boosts that it was denied, or that ended early; WHY: the reason now\n";

struct top {
	struct ctl_args args; /* with the domain whose vCPUs are shown, or without */
	char domain[256];
	enum top_sort sort;
	size_t chosen; /* row */
	bool help, ends;
	struct ctl_reply before, now;
	struct top_rows rows;
};

static void forget_before(struct top *top)
{
	ctl_reply_cleanup(&top->before);
	top->before = CTL_REPLY_NULL;
}

/** Asks once more. Returns EXIT_DONE and the rows, or what went wrong, having said it. */
static enum exit_status look(struct top *top)
{
	int r;

	forget_before(top);
	top->before = top->now;
	top->now = CTL_REPLY_NULL;
	r = ctl_ask(&top->args, &top->now);
	if (r < 0 || !top->now.ok)
		screen_close();
	if (r < 0)
		return report_no_answer(&top->args, r);
	if (!top->now.ok)
		return report_refusal(&top->args, &top->now);
	top_rows_free(&top->rows);
	r = top_rows_make(top->before.ok ? top->before.result : NULL, top->now.result, &top->rows);
	if (r < 0)
		return EXIT_FAILED;
	top_rows_sort(&top->rows, top->sort);
	return EXIT_DONE;
}

/* ---- as a text, one after the other ---- */

static void sleep_ms(uint64_t ms)
{
	struct timespec left = {.tv_sec = (time_t)(ms / 1000),
	                        .tv_nsec = (long)(ms % 1000) * 1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

static void print_once(const struct top *top, unsigned int number)
{
	if (top->args.json) {
		top_rows_print_json(&top->rows, top->args.limit, stdout);
	} else {
		fputs(number ? "\n" : "", stdout);
		top_rows_print(&top->rows, top->args.limit, terminal_of(stdout).columns, stdout);
	}
	fflush(stdout);
}

static enum exit_status run_batch(struct top *top)
{
	enum exit_status status = look(top);

	for (unsigned int i = 0; status == EXIT_DONE && (!top->args.count || i < top->args.count);
	     i++) {
		sleep_ms(top->args.delay_ms);
		status = look(top);
		if (status == EXIT_DONE)
			print_once(top, i);
		if (ferror(stdout))
			break;
	}
	return status;
}

/* ---- on a screen ---- */

static void print_head(const struct top *top, FILE *out)
{
	fputs("pvschedctl top, ", out);
	if (top->rows.took_us >= 0)
		fprintf(out, "last %" PRId64 ".%" PRId64 " s", top->rows.took_us / 1000000,
		        top->rows.took_us / 100000 % 10);
	else
		fputs("rates follow", out);
	fprintf(out, ", %zu %s, by %s; ? for help\n\n", top->rows.n,
	        top->rows.of_vcpus ? "vCPUs" : "domains", top_sort_names[top->sort]);
}

static void show(struct top *top)
{
	CLEANUP(cleanup_free) char *text = NULL;
	unsigned int lines = screen_lines();
	size_t size, room = lines > 5 ? lines - 5 : 1;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	if (top->args.limit && top->args.limit < room)
		room = top->args.limit;
	top->chosen = MIN(top->chosen, top->rows.n ? MIN(top->rows.n, room) - 1 : 0);
	print_head(top, out);
	if (top->help)
		fputs(keys_text, out);
	else
		top_rows_print(&top->rows, room, screen_columns(), out);
	fclose(out);
	screen_show(text, top->help || top->rows.n == 0 ? -1 : (int)top->chosen + 3);
}

static void choose_domain(struct top *top)
{
	const char *uuid;

	if (top->args.domain) {
		top->args.domain = NULL;
	} else if (top->chosen < top->rows.n) {
		uuid = value_text(top->rows.rows[top->chosen].value, "uuid", "");
		snprintf(top->domain, sizeof(top->domain), "%s", uuid);
		top->args.domain = top->domain;
	}
	top->chosen = 0;
}

/** Returns true if that needs another look at the daemon at once. */
static bool obey(struct top *top, int key)
{
	static const char sorts[_TOP_SORT_MAX] = {'w', 'b', 'd'};

	for (int by = 0; by < _TOP_SORT_MAX; by++)
		if (key == sorts[by])
			top->sort = (enum top_sort)by;
	if (key == SCREEN_KEY_UP && top->chosen > 0)
		top->chosen--;
	if (key == SCREEN_KEY_DOWN)
		top->chosen++;
	if (key == '?' || key == 'h')
		top->help = !top->help;
	if (key == 'q' || key == SCREEN_KEY_END)
		top->ends = true;
	if (key == SCREEN_KEY_ENTER || (key == SCREEN_KEY_BACK && top->args.domain)) {
		choose_domain(top);
		return true;
	}
	if (key == SCREEN_KEY_BACK)
		top->help = false;
	top_rows_sort(&top->rows, top->sort);
	return false;
}

/** Shows what is known until the next look is due. */
static void wait_for_look(struct top *top, uint64_t at_ns)
{
	for (;;) {
		uint64_t now_ns = clock_now_ns();

		show(top);
		if (now_ns >= at_ns)
			return;
		if (obey(top, screen_key((int)((at_ns - now_ns) / NSEC_PER_MSEC) + 1)) || top->ends)
			return;
	}
}

static enum exit_status run_on_screen(struct top *top)
{
	enum exit_status status = look(top);

	for (unsigned int i = 0; status == EXIT_DONE && !top->ends; i++) {
		uint64_t delay_ms = i ? top->args.delay_ms : MIN(FIRST_MS, top->args.delay_ms);

		wait_for_look(top, clock_now_ns() + delay_ms * NSEC_PER_MSEC);
		if (top->ends || (top->args.count && i >= top->args.count))
			break;
		status = look(top);
	}
	screen_close();
	return status;
}

enum exit_status top_run(const struct ctl_args *args)
{
	struct top top = {.args = *args, .sort = (enum top_sort)args->sort};
	bool on_screen = args->verb == CTL_TOP && !args->batch && !args->json;
	enum exit_status status;

	top.args.json |= args->verb == CTL_WATCH;
	top.before = top.now = CTL_REPLY_NULL;
	if (on_screen && screen_open() == 0)
		status = run_on_screen(&top);
	else
		status = run_batch(&top);
	top_rows_free(&top.rows);
	forget_before(&top);
	ctl_reply_cleanup(&top.now);
	return status;
}
