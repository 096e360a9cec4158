/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "util/cleanup.h"
#include "util/json.h"

#include "test.h"

static char message[1024]; /* of the last parse() or refuse() */

/* Parses a copy without a terminating zero, so that ASan sees a read behind the end. */
static struct json_doc *parse_bytes(const char *text, size_t size)
{
	char *copy CLEANUP(cleanup_free) = malloc(size > 0 ? size : 1);
	struct json_error error;
	struct json_doc *doc = NULL;
	int r;

	CHECK(copy);
	memcpy(copy, text, size);
	r = json_parse(copy, size, &doc, &error);
	message[0] = '\0';
	if (r < 0) {
		CHECK_INT(r, -EBADMSG);
		CHECK(!doc);
		json_error_format(&error, "f", message, sizeof(message));
	}
	return doc;
}

static struct json_doc *parse(const char *text)
{
	struct json_doc *doc = parse_bytes(text, strlen(text));

	if (!doc)
		fprintf(stderr, "%s\n%s\n", text, message);
	CHECK(doc);
	return doc;
}

static void refuse_bytes(const char *text, size_t size, const char *why)
{
	struct json_doc *doc = parse_bytes(text, size);

	if (doc)
		fprintf(stderr, "accepted: %s\n", text);
	CHECK(!doc);
	CHECK_STR(message, why);
}

static void refuse(const char *text, const char *why)
{
	refuse_bytes(text, strlen(text), why);
}

static void test_accepts(void)
{
	static const char *const texts[] = {
	        "{}",
	        "[]",
	        " null ",
	        "true",
	        "\r\n\tfalse\n",
	        "0",
	        "-0",
	        "-1.5e+3",
	        "\"\"",
	        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
	        "\"\xc3\xa9 \xf0\x9f\x98\x80\"",
	        "[1,[2,[3]],{\"a\":{}}]",
	        "1e400",
	        "9007199254740993",
	        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
	        "{\"a\":1,\"A\":2,\"\":3}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct json_doc *doc CLEANUP(json_cleanup) = parse(texts[i]);

		CHECK_STR(message, "");
	}
}

static void test_refuses_syntax(void)
{
	refuse("", "f:1: column 1: the text ends where a value is expected");
	refuse("\n\n ", "f:3: column 2: the text ends where a value is expected");
	refuse("{} x", "f:1: column 4: expected the end of the text, found 'x'");
	refuse("{}\n{}", "f:2: column 1: expected the end of the text, found '{'");
	refuse("{\"a\":1,}", "f:1: column 8: a ',' before '}'");
	refuse("[1\n,]", "f:2: column 2: a ',' before ']'");
	refuse("[1 2]", "f:1: column 4: expected ',' or ']', found '2'");
	refuse("{\"a\" 1}", "f:1: column 6: expected ':' behind the key, found '1'");
	refuse("{a:1}", "f:1: column 2: expected a key in double quotes, found 'a'");
	refuse("{'a':1}", "f:1: column 2: expected a key in double quotes, found '''");
	refuse("[", "f:1: column 2: the text ends where a value is expected");
	refuse("{\"a\":1", "f:1: column 7: the text ends where ',' or '}' is expected");
	refuse("nul", "f:1: column 1: expected a value, found 'n'");
	refuse("[trueish]", "f:1: column 6: expected ',' or ']', found 'i'");
	refuse("NaN", "f:1: column 1: expected a value, found 'N'");
	refuse("/* c */ 1", "f:1: column 1: expected a value, found '/'");
	refuse("\xef\xbb\xbf{}",
	       "f:1: column 1: a byte order mark; save the text as UTF-8 without one");
	refuse("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
	       "f:1: column 17: more than 16 levels of objects and arrays");
}

static void test_refuses_numbers(void)
{
	char digits[80];

	refuse("01", "f:1: column 1: a number must not begin with 0");
	refuse("-", "f:1: column 2: the text ends where a digit is expected");
	refuse("1.", "f:1: column 3: the text ends where a digit is expected");
	refuse("1.e3", "f:1: column 3: expected a digit, found 'e'");
	refuse("1e", "f:1: column 3: the text ends where a digit is expected");
	refuse("+1", "f:1: column 1: expected a value, found '+'");
	refuse(".5", "f:1: column 1: expected a value, found '.'");
	refuse("0x10", "f:1: column 2: expected the end of the text, found 'x'");
	memset(digits, '1', sizeof(digits));
	refuse_bytes(digits, sizeof(digits), "f:1: column 1: a number of more than 63 characters");
}

static void test_refuses_strings(void)
{
	static const char *const bad_utf8[] = {
	        "\"\x80\"",
	        "\"\xc0\xaf\"",
	        "\"\xc3\"",
	        "\"\xe0\x80\xaf\"",
	        "\"\xed\xa0\x80\"",
	        "\"\xf0\x80\x80\x80\"",
	        "\"\xf4\x90\x80\x80\"",
	        "\"\xf8\x88\x80\x80\x80\"",
	        "\"\xff\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad_utf8); i++) {
		CHECK(!parse_bytes(bad_utf8[i], strlen(bad_utf8[i])));
		CHECK_CONTAINS(message, "f:1: column 2: invalid UTF-8 (byte 0x");
	}
	refuse_bytes("\"a\0b\"", 5,
	             "f:1: column 3: byte 0x00 in a string; is its closing quote missing? "
	             "(a line break is written \\n)");
	refuse_bytes("{}\0", 3, "f:1: column 3: expected the end of the text, found byte 0x00");
	refuse("\"a\\u0000\"", "f:1: column 4: \\u0000 is not allowed in a string");
	refuse("\"a\n\"", "f:1: column 3: byte 0x0a in a string; is its closing quote missing? "
	                  "(a line break is written \\n)");
	refuse("\"a", "f:1: column 3: the text ends inside a string");
	refuse("\"\\",
	       "f:1: column 3: unknown escape in a string; a backslash itself is written \\\\");
	refuse("\"\\x\"",
	       "f:1: column 3: unknown escape in a string; a backslash itself is written \\\\");
	refuse_bytes(
	        "\"\\\0\"", 4,
	        "f:1: column 3: unknown escape in a string; a backslash itself is written \\\\");
	refuse("\"\\u12g4\"", "f:1: column 3: \\u needs four hexadecimal digits");
	refuse("\"\\u12", "f:1: column 3: \\u needs four hexadecimal digits");
	refuse("\"\\ud83d\"", "f:1: column 8: the first half of a surrogate pair stands alone");
	refuse("\"\\ud83d\\u0041\"",
	       "f:1: column 8: the first half of a surrogate pair stands alone");
	refuse("\"\\ude00\"", "f:1: column 3: the second half of a surrogate pair stands alone");
}

static void test_refuses_duplicates(void)
{
	refuse("{\"a\":1,\n\"b\":2,\n\"a\":3}", "f:3: .a: this key is already on line 1");
	refuse("{\"x\":[{\"k\":1},\n{\"k\":1,\"\\u006b\":2}]}",
	       "f:2: .x[1].k: this key is already on line 2");
	refuse("{\"a\":{\"x\":1,\"x\":2},\"a\":3}", "f:1: .a.x: this key is already on line 1");
	refuse("{\"\":1,\"\":2}", "f:1: .[\"\"]: this key is already on line 1");
}

static void test_refuses_size(void)
{
	size_t size = JSON_SIZE_MAX + 1;
	char *text CLEANUP(cleanup_free) = malloc(size);

	CHECK(text);
	memset(text, ' ', size);
	text[0] = '1';
	CHECK(!parse_bytes(text, size));
	CHECK_STR(message, "f:1: column 1: a text of 8388609 bytes; at most 8388608 are read");
	json_free(parse_bytes(text, size - 1));
	CHECK_STR(message, "");
}

static void test_many_members(void)
{
	size_t n = 20000, length = 0, size = n * 20;
	char *text CLEANUP(cleanup_free) = malloc(size);
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;

	CHECK(text);
	for (size_t i = 0; i < n; i++)
		length += (size_t)snprintf(text + length, size - length, "%c\n\"k%zu\":%zu",
		                           i ? ',' : '{', i, i);
	length += (size_t)snprintf(text + length, size - length, "}");
	doc = parse_bytes(text, length);
	CHECK(doc);
	n = 0;
	JSON_FOREACH(member, json_root(doc))
	{
		n++;
		CHECK_INT(json_line(member), n + 1);
	}
	CHECK_INT(n, 20000);
}

static void test_lines_and_paths(void)
{
	struct json_doc *doc CLEANUP(json_cleanup) =
	        parse("{\n\"a\": {\"b\":\n[1,\n{\"c d\\\"\\u001b\\u0085\":\n 2}]},\n\n\"z\": 1}\n");
	const struct json_value *a = json_first(json_root(doc));
	const struct json_value *b = json_first(a), *second, *leaf;
	char path[64], tiny[4];

	CHECK_INT(json_line(json_root(doc)), 1);
	CHECK_STR(json_key(a), "a");
	CHECK_INT(json_line(a), 2);
	CHECK_INT(json_line(b), 3);
	second = json_next(json_first(b));
	CHECK_INT(json_line(second), 4);
	CHECK(!json_next(second) && !json_key(second));
	leaf = json_first(second);
	CHECK_INT(json_line(leaf), 5);
	json_path(leaf, path, sizeof(path));
	CHECK_STR(path, ".a.b[1][\"c d\\\"\\u001b\\u0085\"]");
	json_path(leaf, tiny, sizeof(tiny));
	CHECK_STR(tiny, ".a.");
	json_path(json_root(doc), path, sizeof(path));
	CHECK_STR(path, ".");
	CHECK_STR(json_key(json_next(a)), "z");
	CHECK_INT(json_line(json_next(a)), 7);
	CHECK(!json_next(json_next(a)) && !json_next(json_root(doc)) && !json_first(leaf));
	CHECK(!json_member(json_root(doc), "A") && !json_member(b, "b"));
	CHECK(json_member(json_root(doc), "z") == json_next(a));
}

static void test_quote(void)
{
	char buffer[128], tiny[6], longer[200];

	json_quote("a\"\\\x1b[2J\x7f", buffer, sizeof(buffer));
	CHECK_STR(buffer, "\"a\\\"\\\\\\u001b[2J\\u007f\"");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	json_quote(longer, buffer, sizeof(buffer));
	CHECK_INT(strlen(buffer), 64 + 5);
	CHECK_STR(buffer + 64, "x...\"");
	json_quote("abc\xf0\x9f\x98\x80", tiny, sizeof(tiny)); /* cut inside a character */
	CHECK_STR(tiny, "\"abc");
}

static struct json_doc *numbers(const char *text)
{
	char all[128];

	snprintf(all, sizeof(all), "{\"n\":\n%s}", text);
	return parse(all);
}

static void check_number(const char *text, int64_t expected)
{
	struct json_doc *doc CLEANUP(json_cleanup) = numbers(text);
	struct json_error error;
	int64_t n = 42;

	CHECK_INT(json_get_integer(json_root(doc), "n", -JSON_INTEGER_MAX, JSON_INTEGER_MAX, &n,
	                           &error),
	          0);
	CHECK_INT(n, expected);
}

static void check_no_number(const char *text, const char *why)
{
	struct json_doc *doc CLEANUP(json_cleanup) = numbers(text);
	struct json_error error;
	int64_t n = 42;

	CHECK_INT(json_get_integer(json_root(doc), "n", 1, 500, &n, &error), -EBADMSG);
	json_error_format(&error, "f", message, sizeof(message));
	CHECK_STR(message, why);
	CHECK_INT(n, 42);
}

static void check_string(const char *text, const char *expected)
{
	struct json_doc *doc CLEANUP(json_cleanup) = parse(text);
	struct json_error error;
	const char *string;

	CHECK_INT(json_as_string(json_root(doc), &string, &error), 0);
	CHECK_STR(string, expected);
}

static void test_escapes(void)
{
	struct json_doc *doc CLEANUP(json_cleanup) =
	        parse("{\"\\u006b\\n\": [\"\", \"a\"], \"k\": \"\\\\\"}");
	const struct json_value *first = json_first(json_root(doc));
	struct json_error error;
	const char *string;

	check_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
	check_string("\"\"", "");
	check_string("\"\\u0001\\u007f\"", "\x01\x7f");
	check_string("\"\\u0080\\u07ff\"", "\xc2\x80\xdf\xbf");
	check_string("\"\\u0800\\ud7ff\\ue000\\uFFFF\"",
	             "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
	check_string("\"\\ud800\\udc00\\uD83D\\uDE00\\udbff\\udfff\"",
	             "\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
	check_string("\"\xc3\xa9\xf0\x9f\x98\x80x\"", "\xc3\xa9\xf0\x9f\x98\x80x");
	CHECK_STR(json_key(first), "k\n");
	CHECK_INT(json_as_string(json_first(first), &string, &error), 0);
	CHECK_STR(string, "");
	CHECK_INT(json_as_string(json_next(json_first(first)), &string, &error), 0);
	CHECK_STR(string, "a");
	CHECK_INT(json_as_string(json_member(json_root(doc), "k"), &string, &error), 0);
	CHECK_STR(string, "\\");
}

static void test_integers(void)
{
	check_number("0", 0);
	check_number("-0", 0);
	check_number("9007199254740992", JSON_INTEGER_MAX);
	check_number("-9007199254740992", -JSON_INTEGER_MAX);
	check_no_number("0", "f:2: .n: is 0; must be from 1 to 500");
	check_no_number("-7", "f:2: .n: is -7; must be from 1 to 500");
	check_no_number("501", "f:2: .n: is 501; must be from 1 to 500");
	check_no_number("9007199254740993", "f:2: .n: is beyond 2^53; must be from 1 to 500");
	check_no_number("-99999999999999999999999",
	                "f:2: .n: is beyond 2^53; must be from 1 to 500");
	check_no_number("1.5", "f:2: .n: must be a whole number from 1 to 500, written without "
	                       "fraction and exponent");
	check_no_number("1.0", "f:2: .n: must be a whole number from 1 to 500, written without "
	                       "fraction and exponent");
	check_no_number("1e400", "f:2: .n: must be a whole number from 1 to 500, written without "
	                         "fraction and exponent");
	check_no_number("\"3\"", "f:2: .n: must be a whole number, not a string");
	check_no_number("true", "f:2: .n: must be a whole number, not true or false");
	check_no_number("null", "f:2: .n: must be a whole number, not null");
	check_no_number("[3]", "f:2: .n: must be a whole number, not an array");
}

static void test_absent_members(void)
{
	struct json_doc *doc CLEANUP(json_cleanup) = parse("{\"N\": 1}");
	struct json_error error;
	char string[8] = "before";
	size_t word = 5;
	bool flag = true;
	int64_t n = 42;

	CHECK_INT(json_get_integer(json_root(doc), "n", 0, 1, &n, &error), 0);
	CHECK_INT(json_get_bool(json_root(doc), "n", &flag, &error), 0);
	CHECK_INT(json_get_word(json_root(doc), "n", NULL, 0, &word, &error), 0);
	CHECK_INT(json_get_string(json_root(doc), "n", string, sizeof(string), &error), 0);
	CHECK(n == 42 && flag && word == 5);
	CHECK_STR(string, "before");
}

static void test_strings_and_words(void)
{
	static const char *const words[] = {"fifo", "rr"};
	struct json_doc *doc CLEANUP(json_cleanup) =
	        parse("{\"s\": \"1234567\", \"w\": \"rr\", \"b\": false}");
	const struct json_value *root = json_root(doc);
	struct json_error error;
	size_t word = 5;
	bool flag = true;
	char eight[8], seven[7] = "";

	CHECK_INT(json_get_string(root, "s", eight, sizeof(eight), &error), 0);
	CHECK_STR(eight, "1234567");
	CHECK_INT(json_get_string(root, "s", seven, sizeof(seven), &error), -EBADMSG);
	CHECK_STR(error.message, "is 7 bytes long; at most 6 are allowed");
	CHECK_INT(json_get_string(root, "b", eight, sizeof(eight), &error), -EBADMSG);
	CHECK_INT(json_get_word(root, "w", words, 2, &word, &error), 0);
	CHECK_INT(word, 1);
	CHECK_INT(json_get_word(root, "s", words, 2, &word, &error), -EBADMSG);
	CHECK_STR(error.message, "\"1234567\" is not one of: fifo, rr");
	CHECK_INT(json_get_bool(root, "b", &flag, &error), 0);
	CHECK(!flag);
	CHECK_INT(json_get_bool(root, "s", &flag, &error), -EBADMSG);
	CHECK_STR(error.message, "must be true or false, not a string");
}

static void test_unknown_keys(void)
{
	static const char *const keys[] = {"profile", "share_permille", "burst_us"};
	struct json_doc *doc CLEANUP(json_cleanup) =
	        parse("{\"$schema\": \"s\", \"//\": [1],\n \"profile\": 1,\n \"Burst_us\": 2}");
	struct json_doc *bad CLEANUP(json_cleanup) = parse("{\"$schema\": 3}");
	struct json_error error;

	CHECK_INT(json_check_keys(json_root(doc), keys, 3, &error), -EBADMSG);
	json_error_format(&error, "f", message, sizeof(message));
	CHECK_STR(message,
	          "f:3: .Burst_us: unknown key; known keys: profile, share_permille, burst_us");
	CHECK_INT(json_check_object(json_root(doc), &error), 0);
	CHECK_INT(json_check_object(json_root(bad), &error), -EBADMSG);
	CHECK_STR(error.message, "must be a string, not a number");
	CHECK_INT(json_check_object(json_first(json_root(bad)), &error), -EBADMSG);
	CHECK_STR(error.message, "must be an object, not a number");
}

TEST_MAIN({"accepts", test_accepts}, {"refuses syntax", test_refuses_syntax},
          {"refuses numbers", test_refuses_numbers}, {"refuses strings", test_refuses_strings},
          {"refuses duplicates", test_refuses_duplicates}, {"refuses size", test_refuses_size},
          {"many members", test_many_members}, {"lines and paths", test_lines_and_paths},
          {"quote", test_quote}, {"escapes", test_escapes}, {"integers", test_integers},
          {"absent members", test_absent_members}, {"strings and words", test_strings_and_words},
          {"unknown keys", test_unknown_keys})
