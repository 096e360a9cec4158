/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs while pvschedctl is built, and is not installed. Prints a file that has the table of verbs
 * in it:
 *
 *   generate bash TEMPLATE   the line @TABLES@ becomes what the functions of the template look at
 *   generate zsh TEMPLATE    the same
 *   generate man PAGE        each line ".It Cm VERB ..." becomes that verb's synopsis
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/verbs.h"

static bool has(uint32_t options, size_t id)
{
	return options & CTL_HAS(id);
}

static size_t first_word(const char *name)
{
	return strcspn(name, " ");
}

/** The first verb with this first word? A verb of two words is offered once. */
static bool is_first_of_word(size_t i)
{
	size_t length = first_word(ctl_verbs[i].name);

	for (size_t j = 0; j < i; j++)
		if (first_word(ctl_verbs[j].name) == length &&
		    strncmp(ctl_verbs[i].name, ctl_verbs[j].name, length) == 0)
			return false;
	return true;
}

static void print_hyphened(uint32_t options)
{
	const char *before = "";

	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		if (!has(options, id))
			continue;
		printf("%s--%s", before, ctl_options[id].name);
		before = " ";
	}
}

static const char *word_kind(enum ctl_word word)
{
	static const char *const kinds[] = {
	        [CTL_WORD_DOMAIN] = "domains",  [CTL_WORD_DEFINED] = "defined",
	        [CTL_WORD_SET] = "set",         [CTL_WORD_PROFILE] = "profiles",
	        [CTL_WORD_POLICY] = "policies", [CTL_WORD_VCPUS] = "avoided",
	};

	return kinds[word];
}

/** In single quotes, for a shell. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		putchar(*text);
	}
	putchar('\'');
}

static void print_kinds(const struct ctl_verb_info *verb)
{
	for (size_t i = 0; i < CTL_WORDS_MAX && verb->words[i]; i++)
		printf("%s%s", i ? " " : "", word_kind(verb->words[i]));
}

/** A verb as a key: a subscript with a blank or quotes means one thing in bash, another in zsh. */
static void print_key(const char *name)
{
	for (; *name; name++)
		putchar(*name == ' ' ? '_' : *name);
}

/** What the words of each verb name, and its own options: in both shells alike. */
static void print_verb_tables(void)
{
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		fputs("_pvschedctl_words[", stdout);
		print_key(ctl_verbs[i].name);
		fputs("]='", stdout);
		print_kinds(&ctl_verbs[i]);
		fputs("' _pvschedctl_options[", stdout);
		print_key(ctl_verbs[i].name);
		fputs("]='", stdout);
		print_hyphened(ctl_verbs[i].options);
		printf("'\n");
	}
}

/* ---- bash ---- */

/** FIRST => the second words of verbs that begin with it. */
static void print_seconds(void)
{
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		size_t first = first_word(ctl_verbs[i].name);

		if (ctl_verbs[i].name[first])
			printf("_pvschedctl_seconds[%.*s]+='%s '\n", (int)first, ctl_verbs[i].name,
			       ctl_verbs[i].name + first + 1);
	}
}

static void print_bash(void)
{
	printf("declare -gA _pvschedctl_words=() _pvschedctl_options=() _pvschedctl_values=() "
	       "_pvschedctl_seconds=()\n");
	printf("_pvschedctl_common='");
	print_hyphened(CTL_COMMON);
	printf("'\n");
	printf("_pvschedctl_verbs='help");
	for (size_t i = 0; i < _CTL_VERB_MAX; i++)
		if (is_first_of_word(i))
			printf(" %.*s", (int)first_word(ctl_verbs[i].name), ctl_verbs[i].name);
	printf("'\n");
	print_verb_tables();
	print_seconds();
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++)
		if (ctl_options[id].value)
			printf("_pvschedctl_values[--%s]='%s'\n", ctl_options[id].name,
			       ctl_options[id].offers ?: ctl_options[id].value);
}

/* ---- zsh ---- */

static void print_zsh_verbs(void)
{
	printf("_pvschedctl_verbs=(\n\t'help:print the text of a command'\n");
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		bool two = ctl_verbs[i].name[first_word(ctl_verbs[i].name)];
		char entry[256];

		if (!is_first_of_word(i))
			continue;
		snprintf(entry, sizeof(entry), "%.*s:%s", (int)first_word(ctl_verbs[i].name),
		         ctl_verbs[i].name,
		         two ? "show, set, assign, unset and list policies" : ctl_verbs[i].brief);
		printf("\t");
		print_quoted(entry);
		printf("\n");
	}
	printf(")\n");
}

static void print_zsh_options(void)
{
	printf("_pvschedctl_specs=(\n");
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		const struct ctl_option_info *option = &ctl_options[id];
		char spec[256];

		snprintf(spec, sizeof(spec), "--%s[%s]", option->name, option->brief);
		printf("\t");
		print_quoted(spec);
		if (option->offers && strcmp(option->offers, "VCPU") == 0)
			printf("':%s:_pvschedctl_vcpus'", option->value);
		else if (option->offers)
			printf("':%s:(%s)'", option->value, option->offers);
		else if (option->value)
			printf("':%s:_files%s'", option->value,
			       strcmp(option->value, "DIR") == 0 ? " -/" : "");
		printf("\n");
		if (option->letter) {
			snprintf(spec, sizeof(spec), "-%c[%s]", option->letter, option->brief);
			printf("\t");
			print_quoted(spec);
			printf("\n");
		}
	}
	printf(")\n");
}

static void print_zsh(void)
{
	printf("typeset -gA _pvschedctl_words _pvschedctl_options "
	       "_pvschedctl_seconds\n_pvschedctl_seconds=()\n");
	printf("typeset -ga _pvschedctl_verbs _pvschedctl_specs\n");
	print_verb_tables();
	print_seconds();
	print_zsh_verbs();
	print_zsh_options();
}

/* ---- the manual page ---- */

static void print_mdoc_option(enum ctl_option id)
{
	const char *value = ctl_options[id].value;

	printf(" Fl -%s", ctl_options[id].name);
	if (!value)
		return;
	printf(" Ar ");
	for (; *value; value++)
		putchar(tolower((unsigned char)*value));
}

static void print_mdoc_options(const struct ctl_verb_info *verb)
{
	const char *before = " Oo";

	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		if (!has(verb->one_of, id))
			continue;
		printf("%s", before);
		before = " |";
		print_mdoc_option((enum ctl_option)id);
	}
	if (verb->one_of)
		printf(" Oc");
	for (size_t id = 0; id < _CTL_OPTION_MAX; id++) {
		if (!has(verb->options & ~verb->one_of, id))
			continue;
		printf("%s", has(verb->needs, id) ? "" : " Oo");
		print_mdoc_option((enum ctl_option)id);
		printf("%s", has(verb->needs, id) ? "" : " Oc");
	}
}

static const char *mdoc_word(enum ctl_word word)
{
	if (word == CTL_WORD_POLICY)
		return "policy";
	if (word == CTL_WORD_VCPUS)
		return "vcpus";
	return word == CTL_WORD_PROFILE ? "profile" : "domain";
}

static void print_mdoc(const struct ctl_verb_info *verb)
{
	printf(".It Cm %s", verb->name);
	for (size_t i = 0; i < CTL_WORDS_MAX && verb->words[i]; i++)
		printf(" %sAr %s", verb->words_optional ? "Op " : "", mdoc_word(verb->words[i]));
	print_mdoc_options(verb);
	printf("\n");
}

/** Does a line ".It Cm NAME..." head this verb's entry? */
static bool heads(const char *line, const char *name)
{
	static const char macro[] = ".It Cm ";
	const char *rest = line + strlen(macro);

	return strncmp(line, macro, strlen(macro)) == 0 && strncmp(rest, name, strlen(name)) == 0 &&
	       (rest[strlen(name)] == '\n' || strncmp(rest + strlen(name), " Ar", 3) == 0 ||
	        strncmp(rest + strlen(name), " O", 2) == 0);
}

static const struct ctl_verb_info *verb_of(const char *line, bool seen[static _CTL_VERB_MAX])
{
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		if (seen[i] || !heads(line, ctl_verbs[i].name))
			continue;
		seen[i] = true;
		return &ctl_verbs[i];
	}
	return NULL;
}

static int print_page(FILE *page)
{
	bool seen[_CTL_VERB_MAX] = {false};
	char line[1024];

	while (fgets(line, sizeof(line), page)) {
		const struct ctl_verb_info *verb = verb_of(line, seen);

		if (verb)
			print_mdoc(verb);
		else
			fputs(line, stdout);
	}
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		if (seen[i])
			continue;
		fprintf(stderr, "generate: the page has no line \".It Cm %s\"\n",
		        ctl_verbs[i].name);
		return -1;
	}
	return 0;
}

/* ---- */

static int print_template(FILE *template, void (*tables)(void))
{
	bool done = false;
	char line[1024];

	while (fgets(line, sizeof(line), template)) {
		if (strcmp(line, "@TABLES@\n") != 0) {
			fputs(line, stdout);
			continue;
		}
		tables();
		done = true;
	}
	if (!done)
		fputs("generate: the template has no line @TABLES@\n", stderr);
	return done ? 0 : -1;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 3 ? fopen(argv[2], "r") : NULL;
	int r = -1;

	if (!in) {
		fputs("usage: generate bash|zsh|man FILE\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "bash") == 0)
		r = print_template(in, print_bash);
	else if (strcmp(argv[1], "zsh") == 0)
		r = print_template(in, print_zsh);
	else if (strcmp(argv[1], "man") == 0)
		r = print_page(in);
	fclose(in);
	return r < 0 || fflush(stdout) != 0;
}
