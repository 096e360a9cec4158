// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `latency` prints of an answer, and what it draws. Names are hostile: a thread and a domain
 * are called what their owner likes.
 */
#include <expat.h>
#include <sys/stat.h>

#include "ctl/plot_waits.h"
#include "ctl/render_latency.h"
#include "ctl/wait_histogram.h"
#include "util/escape.h"

#include "test.h"

#define HISTOGRAM                                                                                  \
	"\"histogram\":[{\"below_us\":1,\"count\":5},{\"below_us\":3,\"count\":4000},"             \
	"{\"below_us\":4,\"count\":1000},{\"below_us\":1280,\"count\":1},{\"below_us\":2,"         \
	"\"count\":9},{\"below_us\":4096,\"count\":-1}]"
#define WAIT "\"wait_us\":{\"p50\":3,\"p99\":4,\"p999\":4,\"max\":1280,\"count\":5006}"
#define NOW  "\"now\":{\"seconds\":12," WAIT "," HISTOGRAM "}"
#define BEFORE                                                                                     \
	"\"before\":{\"profile\":\"obs\\u001b]0;<&\",\"seconds\":603,\"wait_us\":{\"p50\":40,"     \
	"\"p99\":9000,\"max\":4000000},\"histogram\":[{\"below_us\":64,\"count\":8},"              \
	"{\"below_us\":4000000,\"count\":2}]}"
#define HEAD                                                                                       \
	"\"domain\":\"web \\u001b[2J<&>\\uFFFE\\uFFFF\\\"\",\"profile\":\"latency\",\"vcpus\":1,"
#define BLOCKERS                                                                                   \
	"\"blockers\":{\"traced\":true,\"traced_ms\":5000,\"waits\":412,\"wait_us\":100000,"       \
	"\"top\":[{\"idle\":false,\"comm\":\"cc1\\n\\u001b[31m\",\"tid\":7,"                       \
	"\"cgroup\":\"/system.slice/a-rather-long-name-of-a-service-0123456789-0123456789"         \
	".service\",\"us\":60000,\"runs\":3},{\"idle\":true,\"comm\":\"\",\"us\":1000,\"runs\":1}" \
	","                                                                                        \
	"{\"idle\":false,\"comm\":\"CPU 0/KVM\",\"tid\":8,\"cgroup\":\"/machine\",\"domain\":"     \
	"\"db\\u202e\",\"uuid\":\"x\",\"us\":20000,\"runs\":2}],\"others_us\":19000}"
#define ANSWER "{" HEAD "\"windows\":{" NOW "," BEFORE "}," BLOCKERS "}"

static char *text;

static struct json_doc *parse(const char *json)
{
	struct json_error error;
	struct json_doc *doc = NULL;

	CHECK_INT(json_parse(json, strlen(json), &doc, &error), 0);
	return doc;
}

static FILE *open_text(void)
{
	static size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	CHECK(out);
	return out;
}

static const char *rendered(const char *json, unsigned int columns)
{
	struct json_doc *doc = parse(json);
	FILE *out = open_text();

	render_latency(json_root(doc), columns, out);
	fclose(out);
	json_free(doc);
	return text;
}

static void check_lines(size_t columns)
{
	for (char *line = text; *line;) {
		char *end = strchr(line, '\n');

		CHECK(end);
		*end = '\0';
		if (utf8_length(line) > columns)
			printf("# too long: %s\n", line);
		CHECK(utf8_length(line) <= columns);
		*end = '\n';
		line = end + 1;
	}
}

static void check_is_safe(void)
{
	CHECK(utf8_valid(text, strlen(text)));
	for (const char *c = text; *c; c++)
		CHECK((unsigned char)*c >= ' ' || *c == '\n');
	CHECK(!strstr(text, "\xe2\x80\xae")); /* a change of direction */
}

static void test_text(void)
{
	rendered(ANSWER, 80);
	printf("%s", text);
	check_lines(80);
	check_is_safe();
	CHECK(strstr(text, "now, last 12.0 s"));
	CHECK(strstr(text, "before: obs\\x1b]0;<&, 10 min 3 s"));
	/* the buckets out of order and of no count are not there; those of one octave are one */
	CHECK(strstr(
	        text,
	        "    < 1 us  #                            5                               0\n"));
	CHECK(strstr(text, "    < 2 us                               0"));
	CHECK(strstr(text, "    < 4 us  ####################      5000"));
	CHECK(strstr(text, "  < 2.0 ms  #                            1"));
	CHECK(strstr(text, "    longer                               0  #####"));
	CHECK(strstr(text, "p50 us  3, p99 4, max 1280"));
	CHECK(strstr(text, "in 412 waits of 100.00 ms together, traced for 5.0 s"));
	CHECK(strstr(text, "60.0 %"));
	CHECK(strstr(text, "cc1\\x0a\\x1b[31m"));
	CHECK(strstr(text, "(idle)"));
	CHECK(strstr(text, "domain db"));
	CHECK(strstr(text, "19.0 %  19.00 ms  others"));
	/* where the width is not known, cgroups are whole */
	CHECK(strstr(rendered(ANSWER, 0), "0123456789-0123456789.service"));
}

/* Parts that are not there, or are of another type, are no error. */
static void test_parts(void)
{
	CHECK(strstr(rendered("{}", 80), "Nothing is known of its waits"));
	CHECK(strstr(rendered("{\"windows\":{}}", 80), "Nothing is known"));
	CHECK(strstr(rendered("{\"windows\":{" NOW "}}", 80), "before: not known"));
	CHECK(!strstr(text, "What ran instead"));
	rendered("{\"windows\":{\"now\":{\"histogram\":7}},\"blockers\":{\"traced\":false,"
	         "\"why\":\"no \\u001b\"}}",
	         80);
	CHECK(strstr(text, "is not known: no \\x1b"));
	CHECK(strstr(rendered("{\"windows\":{" NOW "},\"blockers\":{\"traced\":true,\"waits\":0,"
	                      "\"top\":[]}}",
	                      80),
	             "did not wait while it was traced"));
	CHECK(strstr(rendered("{\"windows\":{" NOW "},\"vcpu\":3}", 80), "-, vCPU 3 (-)"));
	check_is_safe();
}

static void test_long_wait(void)
{
	struct json_doc *doc = parse(
	        "{\"vcpu\":2,\"until_us\":1,\"wait_us\":3000,\"cpu\":5,\"behind\":[{\"idle\":false,"
	        "\"comm\":\"a\\u001b\",\"tid\":9,\"us\":1500,\"domain\":\"db\"},{\"idle\":true,"
	        "\"comm\":\"\",\"us\":1000}]}");
	FILE *out = open_text();

	render_long_wait(json_root(doc), "12:00", 80, out);
	fclose(out);
	json_free(doc);
	printf("%s", text);
	check_is_safe();
	check_lines(80);
	CHECK(strstr(text, "12:00: vCPU 2 had waited 3.00 ms for CPU 5, behind:\n"));
	CHECK(strstr(text, "50.0 %  1.50 ms  a\\x1b"));
	CHECK(strstr(text, "16.7 %   500 us  others"));
}

/* ---- the drawing ---- */

struct seen {
	unsigned int depth, texts, curves;
	bool svg, title;
	size_t title_size;
	char title_text[256];
};

static void XMLCALL on_begin(void *userdata, const char *name, const char **attributes)
{
	struct seen *seen = userdata;

	seen->svg |= seen->depth == 0 && strcmp(name, "svg") == 0;
	seen->depth++;
	seen->title = strcmp(name, "title") == 0;
	seen->texts += strcmp(name, "text") == 0;
	if (strcmp(name, "polyline") != 0)
		return;
	seen->curves++;
	for (; *attributes; attributes += 2) {
		double x, y, before = 0;
		int used;

		if (strcmp(attributes[0], "points") != 0)
			continue;
		/* from left to right, within the drawing */
		for (const char *c = attributes[1]; sscanf(c, "%lf,%lf%n", &x, &y, &used) == 2;
		     c += used) {
			CHECK(x >= before && x >= 0 && x <= 760 && y >= 0 && y <= 460);
			before = x;
		}
	}
}

static void XMLCALL on_end(void *userdata, const char *name)
{
	struct seen *seen = userdata;

	(void)name;
	seen->depth--;
	seen->title = false;
}

static void XMLCALL on_text(void *userdata, const char *characters, int size)
{
	struct seen *seen = userdata;

	if (!seen->title || seen->title_size + (size_t)size >= sizeof(seen->title_text))
		return;
	memcpy(seen->title_text + seen->title_size, characters, (size_t)size);
	seen->title_size += (size_t)size;
}

static struct seen draw(const char *json)
{
	XML_Parser parser = XML_ParserCreate(NULL);
	struct json_doc *doc = parse(json);
	struct seen seen = {0};
	FILE *out = open_text();

	plot_waits(json_root(doc), out);
	fclose(out);
	json_free(doc);
	XML_SetUserData(parser, &seen);
	XML_SetElementHandler(parser, on_begin, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	if (XML_Parse(parser, text, (int)strlen(text), 1) != XML_STATUS_OK)
		printf("# %s at line %lu\n", XML_ErrorString(XML_GetErrorCode(parser)),
		       (unsigned long)XML_GetCurrentLineNumber(parser));
	CHECK_INT(XML_GetErrorCode(parser), XML_ERROR_NONE);
	XML_ParserFree(parser);
	CHECK(seen.svg && seen.depth == 0);
	return seen;
}

static void test_drawing(void)
{
	struct seen seen = draw(ANSWER);

	CHECK_INT(seen.curves, 2);
	CHECK_STR(seen.title_text, "web \\x1b[2J<&>\?\?\" (latency): how long it waits to run");
	CHECK(strstr(text, "before: obs\\x1b]0;&lt;&amp;, 10 min 3 s: 10 waits"));
	CHECK(strstr(text, "longer than") && strstr(text, "share of the waits"));
	/* of no guest but the one that was asked for */
	CHECK(!strstr(text, "db") && !strstr(text, "cc1"));
	check_is_safe();
	CHECK_INT(draw("{}").curves, 0);
	CHECK_INT(draw("{\"windows\":{" NOW "}}").curves, 1);
}

TEST_MAIN({"text", test_text}, {"parts", test_parts}, {"long_wait", test_long_wait},
          {"drawing", test_drawing})
