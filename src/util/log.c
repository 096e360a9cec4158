/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/escape.h"
#include "util/journal.h"
#include "util/log_budget.h"

/** Longer messages are cut: the longest of ours carry one file name and one JSON path. */
#define LOG_MESSAGE_MAX 2048
#define LOG_VALUE_MAX   1024
#define LOG_SHORT_MAX   128 /* of a further field */
#define LOG_TEXTS       6

static atomic_int log_max_level = LOG_INFO;

/* Main thread and sources of domains log; none of them is real-time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_budget budget;
static struct journal_patience patience;

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
	struct iovec iov[JOURNAL_FIELDS_MAX];
	int n;
	char message[sizeof("MESSAGE=") + ESCAPE_SIZE(LOG_MESSAGE_MAX)];
	char text[LOG_TEXTS][LOG_VALUE_MAX];
	size_t n_text;
	char more[LOG_FIELDS_MAX][LOG_SHORT_MAX];
};

_Static_assert(1 + LOG_TEXTS + LOG_FIELDS_MAX <= JOURNAL_FIELDS_MAX, "a record holds all fields");

static void record_put(struct log_record *record, char *room, size_t size,
                       const struct log_field *field)
{
	size_t used = (size_t)snprintf(room, size, "%.*s=", LOG_FIELD_NAME_MAX, field->name);

	if (field->text)
		used += escape_text(field->text, room + used, size - used);
	else
		used += (size_t)snprintf(room + used, size - used, "%" PRIu64, field->number);
	record->iov[record->n++] = (struct iovec){.iov_base = room, .iov_len = used};
}

static void record_add(struct log_record *record, const char *name, const char *value)
{
	struct log_field field = {.name = name, .text = value};

	record_put(record, record->text[record->n_text++], LOG_VALUE_MAX, &field);
}

static void record_add_number(struct log_record *record, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	record_add(record, name, text);
}

static void record_add_fields(struct log_record *record, const struct log_context *ctx)
{
	for (size_t i = 0; i < ctx->n_fields && i < LOG_FIELDS_MAX; i++)
		record_put(record, record->more[i], LOG_SHORT_MAX, &ctx->fields[i]);
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
	record_add_fields(&record, ctx);
	return journal_send(record.iov, (size_t)record.n, &patience);
}

/* Returns 0; -EAGAIN: the journal does not read, and the line is lost; -errno: there is none. */
static int write_record(int level, const struct log_context *ctx, const char *escaped)
{
	int r;

	pthread_mutex_lock(&lock);
	r = write_journal(level, ctx, escaped);
	if (r == -EAGAIN)
		log_budget_lost(&budget);
	pthread_mutex_unlock(&lock);
	return r;
}

static bool log_admit(const struct log_context *ctx, unsigned int *suppressed)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t begin_ns;
	bool admitted;

	pthread_mutex_lock(&lock);
	if (!budget.seed)
		budget.seed = now_ns;
	begin_ns = budget.begin_ns;
	admitted = log_budget_take(&budget, ctx->domain, ctx->outside, now_ns, suppressed);
	if (budget.begin_ns != begin_ns)
		patience.left_ms = JOURNAL_WAIT_ALL_MS;
	pthread_mutex_unlock(&lock);
	return admitted;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	static const struct log_context none = {.vcpu = -1};
	char message[LOG_MESSAGE_MAX], escaped[ESCAPE_SIZE(LOG_MESSAGE_MAX)];
	int saved = errno; /* callers log first and return -errno after */
	unsigned int suppressed;
	va_list args;
	int r = -ENOENT;

	if (!ctx)
		ctx = &none;
	if (level > atomic_load(&log_max_level) || !log_admit(ctx, &suppressed))
		return;
	if (suppressed)
		log_write(LOG_WARNING, NULL,
		          "%u messages were lost within 10 s: too many came, or the journal did "
		          "not read them",
		          suppressed);
	va_start(args, format);
	if (vsnprintf(message, sizeof(message), format, args) < 0)
		message[0] = '\0';
	va_end(args);
	escape_text(message, escaped, sizeof(escaped));
	if (stderr_is_journal())
		r = write_record(level, ctx, escaped);
	/* stderr is the journal's, too: one that does not read would be waited for */
	if (r < 0 && r != -EAGAIN)
		dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, escaped);
	errno = saved;
}
