// SPDX-License-Identifier: GPL-2.0-or-later
/* Text of metrics in both formats, names that would break it, its limit. Needs util/openmetrics.c.
 */
#include "util/openmetrics.h"

#include "util/escape.h"

#include "test.h"

static const struct openmetrics_family counter = {"pvsched_x_seconds", OPENMETRICS_COUNTER,
                                                  "seconds", "Time of x."};
static const struct openmetrics_family gauge = {"pvsched_y", OPENMETRICS_GAUGE, NULL, "Number."};
static const struct openmetrics_family info = {"pvsched_build", OPENMETRICS_INFO, NULL, "Version."};
static const struct openmetrics_family histogram = {"pvsched_w_seconds", OPENMETRICS_HISTOGRAM,
                                                    "seconds", "Waits."};

static void write_all(struct openmetrics *m)
{
	struct openmetrics_label labels[] = {{"domain", "web"}, {"vcpu", "0"}};
	struct openmetrics_label le[] = {{"le", "+Inf"}};

	openmetrics_family(m, &counter);
	openmetrics_sample(m, NULL, labels, 2, 1500000000, 9);
	openmetrics_family(m, &gauge);
	openmetrics_sample(m, NULL, NULL, 0, 42, 0);
	openmetrics_family(m, &info);
	openmetrics_sample(m, NULL, labels, 1, 1, 0);
	openmetrics_family(m, &histogram);
	openmetrics_sample(m, "bucket", le, 1, 7, 0);
	openmetrics_sample(m, "sum", NULL, 0, 5, 3);
	CHECK_INT(openmetrics_end(m), 0);
	CHECK_U64(m->size, m->text ? strlen(m->text) : 0);
}

static void test_openmetrics(void)
{
	struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS, 100000);

	write_all(&m);
	CHECK_STR(m.text, "# TYPE pvsched_x_seconds counter\n"
	                  "# UNIT pvsched_x_seconds seconds\n"
	                  "# HELP pvsched_x_seconds Time of x.\n"
	                  "pvsched_x_seconds_total{domain=\"web\",vcpu=\"0\"} 1.500000000\n"
	                  "# TYPE pvsched_y gauge\n"
	                  "# HELP pvsched_y Number.\n"
	                  "pvsched_y 42\n"
	                  "# TYPE pvsched_build info\n"
	                  "# HELP pvsched_build Version.\n"
	                  "pvsched_build_info{domain=\"web\"} 1\n"
	                  "# TYPE pvsched_w_seconds histogram\n"
	                  "# UNIT pvsched_w_seconds seconds\n"
	                  "# HELP pvsched_w_seconds Waits.\n"
	                  "pvsched_w_seconds_bucket{le=\"+Inf\"} 7\n"
	                  "pvsched_w_seconds_sum 0.005\n"
	                  "# EOF\n");
	openmetrics_clear(&m);
}

static void test_prometheus(void)
{
	struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS_PROMETHEUS, 100000);

	write_all(&m);
	CHECK_STR(m.text, "# TYPE pvsched_x_seconds_total counter\n"
	                  "# HELP pvsched_x_seconds_total Time of x.\n"
	                  "pvsched_x_seconds_total{domain=\"web\",vcpu=\"0\"} 1.500000000\n"
	                  "# TYPE pvsched_y gauge\n"
	                  "# HELP pvsched_y Number.\n"
	                  "pvsched_y 42\n"
	                  "# TYPE pvsched_build_info gauge\n"
	                  "# HELP pvsched_build_info Version.\n"
	                  "pvsched_build_info{domain=\"web\"} 1\n"
	                  "# TYPE pvsched_w_seconds histogram\n"
	                  "# HELP pvsched_w_seconds Waits.\n"
	                  "pvsched_w_seconds_bucket{le=\"+Inf\"} 7\n"
	                  "pvsched_w_seconds_sum 0.005\n");
	openmetrics_clear(&m);
}

static const char *escaped(const char *value, size_t size)
{
	static char out[4096];

	CHECK(size <= sizeof(out));
	CHECK_U64(openmetrics_escape(value, out, size), strlen(out));
	CHECK(strlen(out) < size);
	CHECK(utf8_valid(out, strlen(out)));
	return out;
}

static void test_hostile_values(void)
{
	char text[600];

	CHECK_STR(escaped("a b:1 \xc3\xa9", 100), "a b:1 \xc3\xa9");
	CHECK_STR(escaped("\"} 1\nevil 2", 100), "\\\"} 1\\\\x0aevil 2");
	CHECK_STR(escaped("\\", 100), "\\\\");
	CHECK_STR(escaped("\\n\\\"", 100), "\\\\n\\\\\\\"");
	CHECK_STR(escaped("\xff\xe2\x80\xae", 100), "\\\\xff\\\\xe2\\\\x80\\\\xae");
	/* cut between characters, never after half of one or of an escape */
	CHECK_STR(escaped("ab\\", 4), "ab");
	CHECK_STR(escaped("ab\xc3\xa9", 4), "ab");
	CHECK_STR(escaped("", 1), "");
	memset(text, '\\', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK_U64(strlen(escaped(text, 4096)), 512);
	/* each byte, alone and after another one */
	for (int a = 1; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char two[3] = {(char)a, (char)b, 0};
			const char *out = escaped(two, 64);

			for (const char *c = out; *c; c++) {
				CHECK(*c != '\n' && *c != '"');
				if (*c == '\\') {
					c++;
					CHECK(*c == '\\' || *c == '"');
				}
			}
		}
	}
}

/* Whole families or none; what is left out is counted, and what comes later is there. */
static void test_limit(void)
{
	for (size_t limit = 0; limit < 900; limit++) {
		struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS_PROMETHEUS, limit);
		unsigned int types = 0, samples = 0;

		write_all(&m);
		CHECK_LE(m.size, limit);
		for (const char *at = m.text; at && *at; at = strchr(at, '\n') + 1) {
			types += strncmp(at, "# TYPE", 6) == 0;
			samples += *at != '#';
		}
		CHECK_INT(types + m.left_out, 4);
		CHECK(samples >= types && samples <= types + 1);
		openmetrics_clear(&m);
	}
}

TEST_MAIN(TEST(test_openmetrics), TEST(test_prometheus), TEST(test_hostile_values),
          TEST(test_limit))
