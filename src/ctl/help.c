/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/help.h"

#include <ctype.h>
#include <string.h>

#define BRIEF_COLUMN 28
#define ROW_MAX      54 /* longer synopses stand in the help of the verb */
#define LINE_CHARS   80

/** "--vcpu N" */
static size_t option_text(enum ctl_option id, char *text, size_t size)
{
	const struct ctl_option_info *option = &ctl_options[id];

	return (size_t)snprintf(text, size, "--%s%s%s", option->name, option->value ? " " : "",
	                        option->value ? option->value : "");
}

static bool has(uint32_t options, size_t id)
{
	return options & CTL_HAS(id);
}

static void print_words(FILE *out, const struct ctl_verb_info *verb)
{
	for (size_t i = 0; i < CTL_WORDS_MAX && verb->words[i] != CTL_WORD_NONE; i++)
		fprintf(out, verb->words_optional ? " [%s]" : " %s", ctl_word_name(verb->words[i]));
}

/** Those that exclude each other share one pair of brackets. */
static void print_options(FILE *out, const struct ctl_verb_info *verb)
{
	const char *before = " [";
	char text[64];

	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		if (!has(verb->one_of, id))
			continue;
		option_text((enum ctl_option)id, text, sizeof(text));
		fprintf(out, "%s%s", before, text);
		before = " | ";
	}
	if (verb->one_of)
		fputs("]", out);
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		if (!has(verb->options & ~verb->one_of, id))
			continue;
		option_text((enum ctl_option)id, text, sizeof(text));
		fprintf(out, has(verb->needs, id) ? " %s" : " [%s]", text);
	}
}

static void print_synopsis(FILE *out, const struct ctl_verb_info *verb)
{
	fputs(verb->name, out);
	print_words(out, verb);
	print_options(out, verb);
}

/** @text in the first column, and @brief in the second, or below if @text is long. */
static void print_row(FILE *out, const char *text, const char *brief)
{
	if (strlen(text) + 2 < BRIEF_COLUMN)
		fprintf(out, "  %-*s%s\n", BRIEF_COLUMN - 2, text, brief);
	else
		fprintf(out, "  %s\n%*s%s\n", text, BRIEF_COLUMN, "", brief);
}

static void print_option(FILE *out, enum ctl_option id)
{
	char text[64];
	size_t n = 0;

	if (ctl_options[id].letter)
		n = (size_t)snprintf(text, sizeof(text), "-%c, ", ctl_options[id].letter);
	option_text(id, text + n, sizeof(text) - n);
	print_row(out, text, ctl_options[id].brief);
}

/** The synopsis as a text; @options false: with a word in place of them. */
static void synopsis(const struct ctl_verb_info *verb, bool options, char text[static 256])
{
	FILE *out = fmemopen(text, 256, "w");

	text[0] = '\0';
	if (!out)
		return;
	if (options) {
		print_synopsis(out, verb);
	} else {
		fputs(verb->name, out);
		print_words(out, verb);
		fputs(" [OPTION...]", out);
	}
	fclose(out);
}

static void print_verb_row(FILE *out, const struct ctl_verb_info *verb)
{
	char text[256];

	synopsis(verb, true, text);
	if (strlen(text) > ROW_MAX)
		synopsis(verb, false, text);
	print_row(out, text, verb->brief);
}

static void print_all(FILE *out)
{
	fputs("Usage: pvschedctl [OPTION...] COMMAND [ARGUMENT...]\n"
	      "Query and control pvschedd, which boosts the vCPUs of virtual machines.\n"
	      "\n"
	      "Commands (DOM is a domain's name or uuid):\n",
	      out);
	for (size_t i = 0; i < _CTL_VERB_MAX; i++)
		print_verb_row(out, &ctl_verbs[i]);
	print_row(out, "help [COMMAND]", "print this text, or that of a command, with examples");
	fputs("\nOptions:\n", out);
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++)
		if (has(CTL_COMMON, id))
			print_option(out, (enum ctl_option)id);
	fputs("\n"
	      "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 no daemon answers\n"
	      "(for attach and detach: no libvirt); 4 not permitted; 5 no such domain.\n"
	      "See pvschedctl(8).\n",
	      out);
}

/** @text, in lines that are broken before an option; each begins below "Usage:". */
static void print_broken(FILE *out, const char *text)
{
	size_t column = LINE_CHARS;

	while (*text) {
		const char *next = strstr(text + 1, " [");
		size_t length = next ? (size_t)(next - text) : strlen(text);

		if (column + length > LINE_CHARS) {
			fputs("\n       ", out);
			column = strlen("       ");
		}
		fprintf(out, "%.*s", (int)length, text);
		column += length;
		text += length;
	}
}

static void print_usage(FILE *out, const struct ctl_verb_info *verb)
{
	static const char before[] = "Usage: pvschedctl ";
	char whole[256], words[256];
	FILE *text = fmemopen(words, sizeof(words), "w");

	words[0] = '\0';
	if (text) {
		fputs(verb->name, text);
		print_words(text, verb);
		fclose(text);
	}
	synopsis(verb, true, whole);
	if (strlen(before) + strlen(whole) <= LINE_CHARS) {
		fprintf(out, "%s%s", before, whole);
		return;
	}
	fprintf(out, "%s%s", before, words);
	print_broken(out, whole + strlen(words));
}

static void print_one(FILE *out, const struct ctl_verb_info *verb)
{
	print_usage(out, verb);
	fprintf(out, "\n%c%s.\n", toupper((unsigned char)verb->brief[0]), verb->brief + 1);
	if (verb->more)
		fprintf(out, "%s\n", verb->more);
	if (verb->options)
		fputs("\nOptions:\n", out);
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++)
		if (has(verb->options, id))
			print_option(out, (enum ctl_option)id);
	fputs("\nExamples:\n", out);
	for (size_t i = 0; i < CTL_EXAMPLES_MAX; i++)
		fprintf(out, "  pvschedctl %s%s%s\n      %s\n", verb->name,
		        verb->examples[i][0][0] ? " " : "", verb->examples[i][0],
		        verb->examples[i][1]);
	fputs("\n--json, --socket and --state-dir go with every command. See pvschedctl(8).\n",
	      out);
}

void help_print(FILE *out, enum ctl_verb verb)
{
	if (verb == _CTL_VERB_MAX)
		print_all(out);
	else
		print_one(out, &ctl_verbs[verb]);
}
