/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/log_ids.h"

static const char *escaped(const char *text)
{
	static char out[256];

	CHECK_INT(escape_text(text, out, sizeof(out)), strlen(out));
	return out;
}

static void test_escapes(void)
{
	CHECK_STR(escaped(""), "");
	CHECK_STR(escaped("a b:1"), "a b:1");
	CHECK_STR(escaped("Gr\xc3\xb6\xc3\x9f"
	                  "e \xe2\x82\xac \xf0\x9f\x90\xa7"),
	          "Gr\xc3\xb6\xc3\x9f"
	          "e \xe2\x82\xac \xf0\x9f\x90\xa7");
	CHECK_STR(escaped("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
	CHECK_STR(escaped("\xc2\x9b"), "\\xc2\\x9b");          /* C1: CSI */
	CHECK_STR(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae"); /* right-to-left override */
	CHECK_STR(escaped("\xff"), "\\xff");
	CHECK_STR(escaped("\xc0\xaf"), "\\xc0\\xaf");                   /* overlong */
	CHECK_STR(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");          /* surrogate */
	CHECK_STR(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
	CHECK_STR(escaped("\xe2\x82"), "\\xe2\\x82");                   /* cut off */
}

static void test_escapes_into_little(void)
{
	char out[4];

	CHECK_INT(escape_text("abcdef", out, sizeof(out)), 3);
	CHECK_STR(out, "abc");
	CHECK_INT(escape_text("ab\n", out, sizeof(out)), 2);
	CHECK_INT(escape_text("a\xe2\x82\xac", out, sizeof(out)), 1);
	CHECK_STR(out, "a");
	CHECK_INT(escape_text("x", out, 1), 0);
	CHECK_STR(out, "");
	CHECK_INT(utf8_length("Gr\xc3\xb6\xc3\x9f"
	                      "e"),
	          5);
	CHECK(utf8_valid("\xc3\xb6", 2));
	CHECK(!utf8_valid("\xc3\xb6", 1));
}

/** What log_write() writes to stderr, with that redirected to a file. */
static const char *logged(int level, const char *text)
{
	static char buffer[16384];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	ssize_t n;

	CHECK(file && saved >= 0);
	CHECK(dup2(fileno(file), STDERR_FILENO) >= 0);
	errno = EXDEV;
	log_write(level, NULL, "%s", text);
	CHECK_INT(errno, EXDEV);
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	n = pread(fileno(file), buffer, sizeof(buffer) - 1, 0);
	CHECK(n >= 0);
	buffer[n] = '\0';
	fclose(file);
	return buffer;
}

static void test_writes_lines(void)
{
	char text[5000];

	/* another stream than stderr is the journal: plain lines */
	setenv("JOURNAL_STREAM", "1:1", 1);
	CHECK_CONTAINS(logged(LOG_INFO, "a\nb"), ": a\\x0ab\n");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	CHECK_CONTAINS(logged(LOG_ERR, "gone"), "test_log: gone\n");
	CHECK_STR(logged(LOG_DEBUG, "quiet"), "");
	log_set_level(LOG_DEBUG);
	CHECK_CONTAINS(logged(LOG_DEBUG, "loud"), "loud\n");
	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CHECK_LE(strlen(logged(LOG_INFO, text)), 4 * 2048 + 64);
}

static void test_ids_are_ids(void)
{
	static const char *const ids[] = {
	        LOG_ID_DAEMON_READY,   LOG_ID_SOURCE_LOST,        LOG_ID_SOURCE_BACK,
	        LOG_ID_BOOST_REFUSED,  LOG_ID_FOREIGN_CHANGE,     LOG_ID_GUARDIAN_RESTORED,
	        LOG_ID_CONFIG_REFUSED, LOG_ID_RECOVERED_AT_START, LOG_ID_CONFIG_LOADED,
	        LOG_ID_DOMAIN_SUMMARY, LOG_ID_CIRCUIT_BREAKER,    LOG_ID_GUARDIAN_LOST,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		CHECK_INT(strspn(ids[i], "0123456789abcdef"), 32);
		CHECK_INT(strlen(ids[i]), 32);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(ids[i], ids[k]) != 0);
	}
}

TEST_MAIN({"escapes", test_escapes}, {"escapes_into_little", test_escapes_into_little},
          {"writes_lines", test_writes_lines}, {"ids_are_ids", test_ids_are_ids})
