// SPDX-License-Identifier: GPL-2.0-or-later
/* Records for a journal that is a socket of this test: one that reads, one that hangs, none. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"
#include "util/clock.h"
#include "util/journal.h"
#include "util/log.h"

static char path[64];

static int open_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "/tmp/pvsched-journal-%d", getpid());
	unlink(path);
	strcpy(address.sun_path, path);
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	journal_set_socket(path);
	return fd;
}

/* Standard error is the journal's stream, as under the service manager. */
static void be_a_service(void)
{
	char text[64];
	struct stat st;

	CHECK_INT(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
}

static void test_reads(void)
{
	struct log_context ctx = {
	        .domain = "web\n", .vcpu = 3, .reason = "budget", .message_id = "ab"};
	char text[4096];
	ssize_t n;
	int fd = open_journal();

	be_a_service();
	log_write(LOG_WARNING, &ctx, "line %d\nand more", 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK_STR(
	        text,
	        "MESSAGE=line 1\\x0aand more\nPRIORITY=4\nSYSLOG_IDENTIFIER=test_journal\n"
	        "MESSAGE_ID=ab\nPVSCHED_DOMAIN=web\\x0a\nPVSCHED_VCPU=3\nPVSCHED_REASON=budget\n");
	/* another journal took its place */
	close(fd);
	fd = open_journal();
	log_info("again");
	n = recv(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0 && strncmp(text, "MESSAGE=again\n", 14) == 0);
	close(fd);
	unlink(path);
}

/* Figures beside the message; what is beyond the bounds is left out, and the rest stays whole. */
static void test_fields(void)
{
	struct log_field fields[LOG_FIELDS_MAX + 8] = {
	        {.name = "PVSCHED_BOOSTS", .number = 12},
	        {.name = "PVSCHED_PROFILE", .text = "my\nown"},
	        {.name = "PVSCHED_MOST", .number = UINT64_MAX},
	};
	struct log_context ctx = {.domain = "web", .vcpu = -1, .fields = fields, .n_fields = 3};
	char text[65536];
	int fd = open_journal(), n_fields = 0;
	ssize_t n;

	be_a_service();
	log_write(LOG_INFO, &ctx, "sums");
	n = recv(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK_STR(text, "MESSAGE=sums\nPRIORITY=6\nSYSLOG_IDENTIFIER=test_journal\n"
	                "PVSCHED_DOMAIN=web\nPVSCHED_BOOSTS=12\nPVSCHED_PROFILE=my\\x0aown\n"
	                "PVSCHED_MOST=18446744073709551615\n");
	for (size_t i = 3; i < ARRAY_SIZE(fields); i++)
		fields[i] = (struct log_field){.name = "PVSCHED_OTHER", .number = i};
	ctx.n_fields = ARRAY_SIZE(fields);
	ctx.reason = "budget";
	ctx.message_id = "ab";
	ctx.vcpu = 1;
	log_write(LOG_INFO, &ctx, "too many");
	n = recv(fd, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	text[n] = '\0';
	for (char *line = strstr(text, "\nPVSCHED_OTHER="); line;
	     line = strstr(line + 1, "\nPVSCHED_OTHER="))
		n_fields++;
	CHECK_INT(n_fields, LOG_FIELDS_MAX - 3);
	close(fd);
	unlink(path);
}

/* A journal that does not read: lines are lost and counted, and the caller waits for a bounded
 * time. */
static void test_hangs(void)
{
	struct journal_patience patience = {.left_ms = JOURNAL_WAIT_ALL_MS};
	struct iovec field = {(char[]){"MESSAGE=x"}, 9};
	uint64_t begin_ns;
	unsigned int lost = 0;
	int fd = open_journal(), r = 0;

	/* it was another socket before */
	for (int i = 0; i < 100000 && r == 0; i++)
		r = journal_send(&field, 1, &(struct journal_patience){0});
	CHECK_INT(r, -EAGAIN);
	begin_ns = clock_now_ns();
	for (int i = 0; i < 1000; i++)
		lost += journal_send(&field, 1, &patience) == -EAGAIN;
	CHECK_INT(lost, 1000);
	CHECK_INT(patience.left_ms, 0);
	printf("1000 lines that are not read took %u ms\n",
	       (unsigned int)((clock_now_ns() - begin_ns) / NSEC_PER_MSEC));
	/* the stated bound; a busy machine may add to each of the waits, of which there are few */
	CHECK(clock_now_ns() - begin_ns < 10 * JOURNAL_WAIT_ALL_MS * NSEC_PER_MSEC);
	close(fd);
	unlink(path);
}

static void test_none(void)
{
	struct journal_patience patience = {0};
	struct iovec field = {(char[]){"MESSAGE=x"}, 9};

	journal_set_socket("/nonexistent/journal");
	CHECK(journal_send(&field, 1, &patience) < 0);
}

TEST_MAIN({"reads", test_reads}, {"fields", test_fields}, {"hangs", test_hangs},
          {"none", test_none})
