/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XML of others: what is read, what is refused and where, and the bounds. */
#include "virt/xml.h"

#include <errno.h>
#include <stdarg.h>

#include "test.h"

#define SIZE_LIMIT (4 * 1024 * 1024)

/** What the handlers saw, one line per call. */
static char seen[4096];
static unsigned int n_begun, n_after_refusal;
static const char *refused_name; /* the element that a handler refuses */
static bool refused;

static void PRINTF_FORMAT(1, 2) note(const char *format, ...)
{
	size_t n = strlen(seen);
	va_list args;

	va_start(args, format);
	vsnprintf(seen + n, sizeof(seen) - n, format, args);
	va_end(args);
	n_after_refusal += refused;
}

static void on_begin(struct xml *xml, const char *name, const char **attributes, unsigned int depth,
                     void *userdata)
{
	const char *value = xml_attribute(attributes, "a");

	CHECK(userdata == seen);
	n_begun++;
	note("%u<%s%s%s ", depth, name, value ? "=" : "", value ? value : "");
	if (refused_name && strcmp(name, refused_name) == 0) {
		xml_refuse(xml, "no <%s> \x1b here", name);
		xml_refuse(xml, "only the first reason counts");
		refused = true;
	}
}

static void on_end(struct xml *xml, unsigned int depth, void *userdata)
{
	(void)xml;
	(void)userdata;
	note("%u> ", depth);
}

static void on_text(struct xml *xml, const char *text, size_t size, unsigned int depth,
                    void *userdata)
{
	(void)xml;
	(void)depth;
	(void)userdata;
	note("%.*s ", (int)size, text);
}

static int parse_sized(const char *text, size_t size, struct xml_error *error)
{
	static const struct xml_handlers handlers = {on_begin, on_end, on_text};

	seen[0] = '\0';
	n_begun = n_after_refusal = 0;
	refused = false;
	return xml_parse(text, size, SIZE_LIMIT, &handlers, seen, error);
}

static void accept(const char *text, const char *expected)
{
	struct xml_error error;

	CHECK_INT(parse_sized(text, strlen(text), &error), 0);
	CHECK_STR(error.text, "");
	CHECK_STR(seen, expected);
}

static void refuse(const char *text, const char *why)
{
	struct xml_error error;

	CHECK_INT(parse_sized(text, strlen(text), &error), -EBADMSG);
	CHECK_STR(error.text, why);
}

static void test_read(void)
{
	accept("<r/>", "0<r 0> ");
	accept("<?xml version='1.0'?><!-- c --><r a='1&lt;&#50;'>x<b><?p?></b></r>\n",
	       "0<r=1<2 x 1<b 1> 0> ");
	accept("<r><![CDATA[<b>&amp;]]></r>", "0<r <b>&amp; 0> ");
	accept("<r xml:a='1' b='2'/>", "0<r 0> ");
	accept("<r \xc3\xa9='1' a='\xc3\xa9'/>", "0<r=\xc3\xa9 0> ");
	/* what libvirt writes as UTF-8 is UTF-8, whatever a document says of itself */
	accept("<?xml version='1.0' encoding='ISO-8859-1'?><r a='\xc3\xa9'/>", "0<r=\xc3\xa9 0> ");
}

static void test_names(void)
{
	accept("<p:r xmlns:p='urn:x' p:a='1' a='2'/>", "0<urn:x\fr=2 0> ");
	CHECK(xml_name_is("urn:x\fr", "urn:x", "r"));
	CHECK(!xml_name_is("urn:x\fr", "urn:", "r"));
	CHECK(!xml_name_is("urn:x\fr", "urn:xy", "r"));
	CHECK(!xml_name_is("urn:x\fr", NULL, "r"));
	CHECK(!xml_name_is("urn:x\fr", "urn:x", "rr"));
	CHECK(xml_name_is("r", NULL, "r"));
	CHECK(!xml_name_is("r", "", "r"));
	CHECK_STR(xml_local_name("urn:x\fr"), "r");
	CHECK_STR(xml_local_name("r"), "r");
	refuse("<p:r/>", "is not well-formed XML: unbound prefix (line 1, column 1)");
	/* a namespace that ends where we would not see it */
	refuse("<p:r xmlns:p='urn:x&#12;policy'/>",
	       "is not well-formed XML: reference to invalid character number (line 1, column 20)");
}

static void test_doctype(void)
{
	refuse("<!DOCTYPE r><r/>", "has a document type (line 1, column 12)");
	refuse("\n<!-- -->\n  <!DOCTYPE r [<!ENTITY a 'b'>]><r>&a;</r>",
	       "has a document type (line 3, column 15)");
	refuse("<!DOCTYPE r SYSTEM 'file:///etc/hostname'><r/>",
	       "has a document type (line 1, column 42)");
	refuse("<!DOCTYPE r [<!ENTITY % a SYSTEM 'file:///etc/hostname'>%a;]><r/>",
	       "has a document type (line 1, column 13)");
	CHECK_INT(n_begun, 0);
	refuse("<r>&a;</r>", "is not well-formed XML: undefined entity (line 1, column 4)");
	refuse("<r a='&a;'/>", "is not well-formed XML: undefined entity (line 1, column 1)");
	/* these are none */
	accept("<!-- <!DOCTYPE r> --><r><!-- <!DOCTYPE r> --></r>", "0<r 0> ");
	accept("<r><![CDATA[<!DOCTYPE r>]]></r>", "0<r <!DOCTYPE r> 0> ");
	accept("<?p <!DOCTYPE r> ?><r/>", "0<r 0> ");
}

/** In another encoding no search of the bytes would find it. */
static void test_doctype_utf16(void)
{
	static const char text[] = "<!DOCTYPE r [<!ENTITY a 'b'>]><r>&a;</r>";
	char wide[2 * sizeof(text)] = {'\xff', '\xfe'};
	struct xml_error error;
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++)
		wide[2 + 2 * i] = text[i];
	CHECK_INT(parse_sized(wide, 2 * sizeof(text), &error), -EBADMSG);
	CHECK_CONTAINS(error.text, "has a document type");
	CHECK_INT(n_begun, 0);
}

static void test_malformed(void)
{
	refuse("", "is empty");
	refuse(" ", "is not well-formed XML: no element found (line 1, column 2)");
	refuse("<r>", "is not well-formed XML: no element found (line 1, column 4)");
	refuse("<r>\n</s>", "is not well-formed XML: mismatched tag (line 2, column 3)");
	refuse("<r a='1' a='2'/>",
	       "is not well-formed XML: duplicate attribute (line 1, column 10)");
	refuse("<r/><r/>",
	       "is not well-formed XML: junk after document element (line 1, column 5)");
	refuse("<r a='\xe9'/>",
	       "is not well-formed XML: not well-formed (invalid token) (line 1, column 7)");
}

static void test_handler_refuses(void)
{
	refused_name = "b";
	refuse("<r><b/><c>x</c></r>", "no <b> ? here (line 1, column 4)");
	CHECK_INT(n_begun, 2);
	CHECK_INT(n_after_refusal, 0);
	refused_name = NULL;
	accept("<r><b/></r>", "0<r 1<b 1> 0> ");
}

/* ---- bounds: each is met, and passed by one ---- */

static char *repeat(const char *before, const char *part, size_t n, const char *after)
{
	size_t size = strlen(before) + n * strlen(part) + strlen(after) + 1;
	char *text = malloc(size), *p;

	CHECK(text);
	p = stpcpy(text, before);
	while (n-- > 0)
		p = stpcpy(p, part);
	strcpy(p, after);
	return text;
}

static void test_size(void)
{
	char *text = repeat("<r>", " ", SIZE_LIMIT - 7, "</r> ");
	struct xml_error error;

	CHECK_INT(parse_sized(text, SIZE_LIMIT, &error), 0);
	CHECK_INT(parse_sized(text, SIZE_LIMIT + 1, &error), -EBADMSG);
	CHECK_STR(error.text, "is larger than 4194304 bytes");
	CHECK_INT(n_begun, 0);
	free(text);
}

static void test_depth(void)
{
	char *deepest = repeat("", "<r>", XML_DEPTH_MAX - 1, "<s/>");
	char *text = repeat(deepest, "</r>", XML_DEPTH_MAX - 1, "");
	struct xml_error error;

	CHECK_INT(parse_sized(text, strlen(text), &error), 0);
	CHECK_INT(n_begun, XML_DEPTH_MAX);
	free(text);
	free(deepest);
	text = repeat("", "<r>", 1000000, "");
	refuse(text, "has more than 256 elements within each other (line 1, column 769)");
	CHECK_INT(n_begun, XML_DEPTH_MAX);
	free(text);
}

/** An element with @n attributes, each with another name. */
static char *with_attributes(size_t n)
{
	char *text = malloc(16 * n + 16), *p = text;

	CHECK(text);
	p += sprintf(p, "<r");
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, " a%zx=''", i);
	strcpy(p, "/>");
	return text;
}

static void test_attributes(void)
{
	char *text = with_attributes(XML_ATTRIBUTES_MAX);
	struct xml_error error;

	CHECK_INT(parse_sized(text, strlen(text), &error), 0);
	free(text);
	text = with_attributes(XML_ATTRIBUTES_MAX + 1);
	refuse(text, "has an element with more than 256 attributes (line 1, column 1)");
	CHECK_INT(n_begun, 0);
	free(text);
}

/** What is below all other bounds and would take ten times its size. */
static void test_memory(void)
{
	char *text = with_attributes(400000);
	struct xml_error error;

	CHECK(strlen(text) <= SIZE_LIMIT);
	refuse(text, "takes more than 16777216 bytes to read (line 1, column 1)");
	CHECK_INT(n_begun, 0);
	free(text);
	/* each document has a budget of its own */
	text = repeat("<r>", "<s a='1'>text</s>", SIZE_LIMIT / 32, "</r>");
	for (int i = 0; i < 20; i++)
		CHECK_INT(parse_sized(text, strlen(text), &error), 0);
	free(text);
}

TEST_MAIN({"read", test_read}, {"names", test_names}, {"doctype", test_doctype},
          {"doctype-utf16", test_doctype_utf16}, {"malformed", test_malformed},
          {"handler-refuses", test_handler_refuses}, {"size", test_size}, {"depth", test_depth},
          {"attributes", test_attributes}, {"memory", test_memory})
