/* SPDX-License-Identifier: GPL-2.0-or-later */
#define SD_JOURNAL_SUPPRESS_LOCATION /* an administrator does not need the place in the source */

#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/escape.h"

/** Longer messages are cut: the longest of ours carry one file name and one JSON path. */
#define LOG_MESSAGE_MAX 2048
#define LOG_FIELD_MAX   1024

/** At most so many lines in that time. Further ones are only counted, and the count is logged. */
#define LOG_LINES_MAX 300
#define LOG_WINDOW_NS (10 * NSEC_PER_SEC)

static atomic_int log_max_level = LOG_INFO;

/** A process that can make us write one line may try to make us write a million. */
static struct {
	atomic_uint_least64_t begin_ns;
	atomic_uint lines;
	atomic_uint suppressed;
} log_window;

void log_set_level(int level)
{
	atomic_store(&log_max_level, level);
}

/**
 * True if stderr is the stream that the journal gave us: the service manager leaves its device and
 * inode in JOURNAL_STREAM. Compared each time, since a redirected stderr must win.
 */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	int end = 0;

	if (!text || sscanf(text, "%ju:%ju%n", &device, &inode, &end) != 2 || text[end] != '\0')
		return false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

/** The fields of one journal record, in memory of their own. */
struct log_record {
	struct iovec iov[8];
	int n;
	char message[sizeof("MESSAGE=") + ESCAPE_SIZE(LOG_MESSAGE_MAX)];
	char text[6][LOG_FIELD_MAX];
	size_t n_text;
};

static void record_add(struct log_record *record, const char *field, const char *value)
{
	char *text = record->text[record->n_text++];
	size_t used = (size_t)snprintf(text, LOG_FIELD_MAX, "%s=", field);

	used += escape_text(value, text + used, LOG_FIELD_MAX - used);
	record->iov[record->n++] = (struct iovec){.iov_base = text, .iov_len = used};
}

static void record_add_number(struct log_record *record, const char *field, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	record_add(record, field, text);
}

static void record_add_message(struct log_record *record, const char *escaped)
{
	int used = snprintf(record->message, sizeof(record->message), "MESSAGE=%s", escaped);

	record->iov[record->n++] =
	        (struct iovec){.iov_base = record->message, .iov_len = (size_t)used};
}

static int write_journal(int level, const struct log_context *ctx, const char *escaped)
{
	struct log_record record;

	record.n = 0;
	record.n_text = 0;
	record_add_message(&record, escaped);
	record_add_number(&record, "PRIORITY", level);
	record_add(&record, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	if (ctx->message_id)
		record_add(&record, "MESSAGE_ID", ctx->message_id);
	if (ctx->domain)
		record_add(&record, "PVSCHED_DOMAIN", ctx->domain);
	if (ctx->vcpu >= 0)
		record_add_number(&record, "PVSCHED_VCPU", ctx->vcpu);
	if (ctx->reason)
		record_add(&record, "PVSCHED_REASON", ctx->reason);
	return sd_journal_sendv(record.iov, record.n);
}

/**
 * True if a line may be written now. If a window ends with it, @suppressed gets the number of lines
 * that were suppressed in that window, else 0. Two threads that end a window at once may let a few
 * more lines through, which is harmless.
 */
static bool log_admit(unsigned int *suppressed)
{
	uint64_t now_ns = clock_now_ns();

	*suppressed = 0;
	if (now_ns - atomic_load(&log_window.begin_ns) >= LOG_WINDOW_NS) {
		atomic_store(&log_window.begin_ns, now_ns);
		atomic_store(&log_window.lines, 0);
		*suppressed = atomic_exchange(&log_window.suppressed, 0);
	}
	if (atomic_fetch_add(&log_window.lines, 1) < LOG_LINES_MAX)
		return true;
	atomic_fetch_add(&log_window.suppressed, 1);
	return false;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	static const struct log_context none = {.vcpu = -1};
	char message[LOG_MESSAGE_MAX], escaped[ESCAPE_SIZE(LOG_MESSAGE_MAX)];
	int saved = errno; /* callers log first and return -errno after */
	unsigned int suppressed;
	va_list args;

	if (level > atomic_load(&log_max_level) || !log_admit(&suppressed))
		return;
	if (suppressed)
		log_write(LOG_WARNING, NULL,
		          "%u messages were suppressed: more than 300 came within 10 s",
		          suppressed);
	va_start(args, format);
	if (vsnprintf(message, sizeof(message), format, args) < 0)
		message[0] = '\0';
	va_end(args);
	escape_text(message, escaped, sizeof(escaped));
	if (!stderr_is_journal() || write_journal(level, ctx ? ctx : &none, escaped) < 0)
		dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, escaped);
	errno = saved;
}
