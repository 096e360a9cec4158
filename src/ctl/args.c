/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/guess.h"
#include "ctl/recommend_args.h"
#include "ctl/trial_args.h"
#include "ctl/word_args.h"

#define VCPU_INDEX_MAX 511
#define BOOST_NS_MAX   (10 * NSEC_PER_SEC) /* and of --over */
#define BURST_NS_MIN   (50 * NSEC_PER_USEC)
#define BURST_NS_MAX   (10 * NSEC_PER_MSEC)

#define NAME_BYTES 32 /* of the first word of a verb */

/** The arguments, split into options and other words, before the verb is known. */
struct scan {
	bool given[_CTL_OPTION_MAX];
	const char *value[_CTL_OPTION_MAX];
	char **words;
	size_t n_words;
};

static PRINTF_FORMAT(3, 4) int fail(char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -EINVAL;
}

static int fail_unknown(const char *what, const char *given, const struct guess *guess,
                        const char *hyphens, char *error, size_t size)
{
	if (guess->name)
		return fail(error, size, "there is no %s \"%s\"; did you mean \"%s%s\"?", what,
		            given, hyphens, guess->name);
	return fail(error, size, "there is no %s \"%s\"", what, given);
}

static int no_such_option(const char *given, char *error, size_t size)
{
	const char *begin_so[2] = {NULL};
	struct guess guess = GUESS_INIT;
	size_t n = 0;

	for (size_t i = 0; i < _CTL_OPTION_MAX && n < 2 && strncmp(given, "--", 2) == 0; i++)
		if (strncmp(ctl_options[i].name, given + 2, strlen(given + 2)) == 0)
			begin_so[n++] = ctl_options[i].name;
	if (n == 2)
		return fail(error, size, "\"%s\" may be --%s or --%s", given, begin_so[0],
		            begin_so[1]);
	for (size_t i = 0; i < _CTL_OPTION_MAX && strncmp(given, "--", 2) == 0; i++)
		guess_try(&guess, given + 2, ctl_options[i].name);
	return fail_unknown("option", given, &guess, "--", error, size);
}

/** The first word of a verb, or all of it. */
static const char *first_word(const char *name, char word[static NAME_BYTES])
{
	snprintf(word, NAME_BYTES, "%.*s", (int)strcspn(name, " "), name);
	return word;
}

static int no_such_verb(const char *given, char *error, size_t size)
{
	static char words[_CTL_VERB_MAX][NAME_BYTES];
	struct guess guess = GUESS_INIT;

	for (size_t i = 0; i < _CTL_VERB_MAX; i++)
		guess_try(&guess, given, first_word(ctl_verbs[i].name, words[i]));
	guess_try(&guess, given, "help");
	return fail_unknown("command", given, &guess, "", error, size);
}

/* ---- options ---- */

/* getopt_long() returns these; they are no letters. */
#define OPTION_VALUE(id) (256 + (int)(id))

static void make_getopt(struct option longs[static _CTL_OPTION_MAX + 1])
{
	for (size_t i = 0; i < _CTL_OPTION_MAX; i++)
		longs[i] = (struct option){
		        .name = ctl_options[i].name,
		        .has_arg = ctl_options[i].value ? required_argument : no_argument,
		        .val = OPTION_VALUE(i),
		};
	longs[_CTL_OPTION_MAX] = (struct option){0};
}

/** A colon first: a value that lacks is told from an option that is unknown. */
static void make_letters(char letters[static 2 * _CTL_OPTION_MAX + 2])
{
	*letters++ = ':';
	for (size_t i = 0; i < _CTL_OPTION_MAX; i++) {
		if (!ctl_options[i].letter)
			continue;
		*letters++ = ctl_options[i].letter;
		if (ctl_options[i].value)
			*letters++ = ':';
	}
	*letters = '\0';
}

static int option_of_letter(int letter)
{
	for (int i = 0; i < _CTL_OPTION_MAX; i++)
		if (ctl_options[i].letter && ctl_options[i].letter == letter)
			return i;
	return -1;
}

/** What getopt_long() did not understand, at @argument. */
static int refuse_option(int outcome, const char *argument, char *error, size_t size)
{
	int id = optopt - OPTION_VALUE(0);

	if (outcome == ':' && optopt < OPTION_VALUE(0))
		id = option_of_letter(optopt);
	if (id >= 0 && id < _CTL_OPTION_MAX)
		return fail(error, size,
		            outcome == ':' ? "--%s needs a value" : "--%s takes no value",
		            ctl_options[id].name);
	return no_such_option(argument, error, size);
}

static int scan_arguments(struct scan *scan, int argc, char *argv[], char *error, size_t size)
{
	struct option longs[_CTL_OPTION_MAX + 1];
	char letters[2 * _CTL_OPTION_MAX + 2];
	int outcome, id;

	make_getopt(longs);
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	make_letters(letters);
	while ((outcome = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (outcome == '?' || outcome == ':')
			return refuse_option(outcome, argv[optind - 1], error, size);
		id = outcome < OPTION_VALUE(0) ? option_of_letter(outcome)
		                               : outcome - OPTION_VALUE(0);
		if (scan->given[id])
			return fail(error, size, "--%s is given twice", ctl_options[id].name);
		scan->given[id] = true;
		scan->value[id] = optarg;
	}
	scan->words = argv + optind;
	scan->n_words = (size_t)(argc - optind);
	return 0;
}

/* ---- words ---- */

static bool is_verb(const struct ctl_verb_info *verb, char *const words[], size_t n_words,
                    size_t *used)
{
	size_t first = strcspn(verb->name, " ");

	*used = verb->name[first] ? 2 : 1;
	return n_words >= *used && strlen(words[0]) == first &&
	       strncmp(verb->name, words[0], first) == 0 &&
	       (*used == 1 || strcmp(verb->name + first + 1, words[1]) == 0);
}

/** Finds the verb; *used is the number of words that it takes. */
static int find_verb(char *const words[], size_t n_words, enum ctl_verb *ret, size_t *used,
                     char *error, size_t size)
{
	if (n_words == 0)
		return fail(error, size, "no command is given; try: pvschedctl status");
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		if (!is_verb(&ctl_verbs[i], words, n_words, used))
			continue;
		*ret = (enum ctl_verb)i;
		return 0;
	}
	if (strcmp(words[0], "policy") == 0)
		return fail(error, size,
		            "\"policy\" needs \"get\", \"set\", \"assign\", \"unset\" or \"list\" "
		            "after it");
	return no_such_verb(words[0], error, size);
}

static const char *take_word(enum ctl_word word, const char *text, struct ctl_args *args)
{
	if (word == CTL_WORD_PROFILE)
		args->profile = text;
	else if (word == CTL_WORD_POLICY)
		args->policy = text;
	else if (word == CTL_WORD_VCPUS)
		args->vcpus = text;
	else
		args->domain = text;
	return word_args_check(word, text);
}

/** The words after the verb. */
static int take_words(const struct scan *scan, size_t used, struct ctl_args *args, char *error,
                      size_t size)
{
	const struct ctl_verb_info *verb = &ctl_verbs[args->verb];
	const char *why = NULL;

	for (size_t i = 0; i < CTL_WORDS_MAX && verb->words[i] != CTL_WORD_NONE && !why; i++) {
		if (used < scan->n_words)
			why = take_word(verb->words[i], scan->words[used++], args);
		else if (!verb->words_optional)
			why = word_args_lacks(verb->words[i]);
	}
	if (why)
		return fail(error, size, "%s", why);
	if (used < scan->n_words)
		return fail(error, size, "unexpected argument \"%s\"", scan->words[used]);
	return 0;
}

/* ---- values ---- */

static int take_vcpu(const char *text, struct ctl_args *args, char *error, size_t size)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 3 || text[digits] || atoi(text) > VCPU_INDEX_MAX)
		return fail(error, size, "--vcpu must be a number from 0 to %d", VCPU_INDEX_MAX);
	args->vcpu = atoi(text);
	return 0;
}

static int take_for(const char *text, struct ctl_args *args, char *error, size_t size)
{
	uint64_t for_ns;

	if (ctl_duration_parse(text, &for_ns) < 0)
		return fail(error, size,
		            "--for must be a duration such as 500ms, 10s, 10m or 2h, at most 31 "
		            "days");
	args->for_ms = MAX(for_ns / NSEC_PER_MSEC, UINT64_C(1));
	if (args->verb != CTL_BOOST) {
		args->for_s = (for_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
		return 0;
	}
	if (for_ns > BOOST_NS_MAX)
		return fail(error, size,
		            "\"boost\" lasts 10 s at most; for longer, use \"policy set\"");
	args->for_us = MAX(for_ns / NSEC_PER_USEC, UINT64_C(1));
	return 0;
}

static int take_delay(const char *text, struct ctl_args *args, char *error, size_t size)
{
	uint64_t ms;

	if (ctl_seconds_parse(text, &ms) < 0 || ms < 100 || ms > 3600 * 1000)
		return fail(error, size, "--delay must be seconds from 0.1 to 3600");
	args->delay_ms = ms;
	return 0;
}

static int take_number(const char *name, const char *text, unsigned int *ret, char *error,
                       size_t size)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 6 || text[digits] || atoi(text) == 0)
		return fail(error, size, "--%s must be a number from 1 to 999999", name);
	*ret = (unsigned int)atoi(text);
	return 0;
}

/** The place of a word among those that an option offers. */
static int take_offered(enum ctl_option id, const char *text, unsigned int *ret, char *error,
                        size_t size)
{
	const char *offers = ctl_options[id].offers;
	size_t length = strlen(text);
	unsigned int n = 0;

	for (const char *word = offers; *word; word += *word == ' ', n++) {
		size_t end = strcspn(word, " ");

		if (end == length && strncmp(word, text, end) == 0) {
			*ret = n;
			return 0;
		}
		word += end;
	}
	return fail(error, size, "--%s must be one of: %s", ctl_options[id].name, offers);
}

static int take_looks(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	int r = 0;

	if (scan->given[CTL_OPTION_DELAY])
		r = take_delay(scan->value[CTL_OPTION_DELAY], args, error, size);
	if (r == 0 && scan->given[CTL_OPTION_COUNT])
		r = take_number("count", scan->value[CTL_OPTION_COUNT], &args->count, error, size);
	if (r == 0 && scan->given[CTL_OPTION_LIMIT])
		r = take_number("limit", scan->value[CTL_OPTION_LIMIT], &args->limit, error, size);
	if (r == 0 && scan->given[CTL_OPTION_SORT])
		r = take_offered(CTL_OPTION_SORT, scan->value[CTL_OPTION_SORT], &args->sort, error,
		                 size);
	return r;
}

/** As a profile may have them: pvschedd.json(5). */
static int take_figures(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	const char *burst = scan->value[CTL_OPTION_BURST], *share = scan->value[CTL_OPTION_SHARE];
	const char *over = scan->value[CTL_OPTION_OVER];
	unsigned int permille = 0;
	uint64_t ns = 0, over_ns = 0;

	if (burst && (ctl_duration_parse(burst, &ns) < 0 || ns < BURST_NS_MIN || ns > BURST_NS_MAX))
		return fail(error, size, "--burst must be a duration from 50us to 10ms");
	if (share && (take_number("share", share, &permille, error, size) < 0 || permille > 1000))
		return fail(error, size, "--share must be a number from 1 to 1000");
	if (over && (ctl_duration_parse(over, &over_ns) < 0 || over_ns > BOOST_NS_MAX))
		return fail(error, size, "--over must be a duration from 1us to 10s");
	args->over_us = over_ns / NSEC_PER_USEC;
	args->burst_us = ns / NSEC_PER_USEC;
	args->share_permille = permille;
	return 0;
}

static uint32_t given_options(const struct scan *scan)
{
	uint32_t given = 0;

	for (size_t i = 0; i < _CTL_OPTION_MAX; i++)
		given |= (uint32_t)scan->given[i] << i;
	return given;
}

/** What options of trial and recommend mean together. */
static int take_combined(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	const char *why;

	if (args->verb == CTL_RECOMMEND) {
		why = recommend_args_check(given_options(scan), args->domain);
		return why ? fail(error, size, "%s", why) : 0;
	}
	if (args->verb != CTL_TRIAL)
		return 0;
	why = scan->given[CTL_OPTION_PROFILE]
	              ? take_word(CTL_WORD_PROFILE, scan->value[CTL_OPTION_PROFILE], args)
	              : NULL;
	if (!why)
		why = trial_args_check(given_options(scan), args->domain);
	if (!why)
		why = trial_args_window(scan->value[CTL_OPTION_WINDOW], &args->window_min_ms,
		                        &args->window_max_ms);
	return why ? fail(error, size, "%s", why) : 0;
}

static int take_columns(const char *text, struct ctl_args *args, char *error, size_t size)
{
	const char *bad;
	size_t length;
	int r = status_columns_parse(text, &args->columns, &bad, &length);

	if (r == -E2BIG)
		return fail(error, size, "--output names too many columns");
	if (r < 0)
		return fail(
		        error, size, "there is no column \"%.*s\"; --output takes, with commas: %s",
		        (int)MIN(length, (size_t)32), bad, ctl_options[CTL_OPTION_OUTPUT].offers);
	return 0;
}

/** Each option is one of the verb, those that it needs are there, and no two exclude each other. */
static int check_options(const struct scan *scan, enum ctl_verb id, char *error, size_t size)
{
	const struct ctl_verb_info *verb = &ctl_verbs[id];
	const char *first = NULL, *second = NULL;

	for (size_t i = 0; i < _CTL_OPTION_MAX; i++) {
		if (scan->given[i] && !((verb->options | CTL_COMMON) & CTL_HAS(i)))
			return fail(error, size, "--%s is no option of \"%s\"", ctl_options[i].name,
			            verb->name);
		if (!scan->given[i] && (verb->needs & CTL_HAS(i)))
			return fail(error, size, "for how long? For example: --for 5ms");
		if (scan->given[i] && (verb->one_of & CTL_HAS(i)))
			*(first ? &second : &first) = ctl_options[i].name;
	}
	if (second && id != CTL_POLICY_SET)
		return fail(error, size, "--%s and --%s exclude each other; give only one of them",
		            first, second);
	if (second)
		return fail(error, size,
		            "--for and --persist exclude each other: a policy that ends by itself "
		            "is not kept over a restart; give only one of them");
	return 0;
}

static int take_options(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	int r = check_options(scan, args->verb, error, size);

	if (r == 0 && scan->given[CTL_OPTION_VCPU])
		r = take_vcpu(scan->value[CTL_OPTION_VCPU], args, error, size);
	if (r == 0 && scan->given[CTL_OPTION_FOR])
		r = take_for(scan->value[CTL_OPTION_FOR], args, error, size);
	if (r == 0)
		r = take_looks(scan, args, error, size);
	if (r == 0)
		r = take_figures(scan, args, error, size);
	if (r == 0)
		r = take_combined(scan, args, error, size);
	if (r == 0 && scan->given[CTL_OPTION_OUTPUT])
		r = take_columns(scan->value[CTL_OPTION_OUTPUT], args, error, size);
	if (scan->given[CTL_OPTION_SOCKET])
		args->socket = scan->value[CTL_OPTION_SOCKET];
	if (scan->given[CTL_OPTION_STATE_DIR])
		args->state_dir = scan->value[CTL_OPTION_STATE_DIR];
	args->json = scan->given[CTL_OPTION_JSON];
	args->persist = scan->given[CTL_OPTION_PERSIST];
	args->live = scan->given[CTL_OPTION_LIVE];
	args->agent = scan->given[CTL_OPTION_AGENT];
	args->dry_run = scan->given[CTL_OPTION_DRY_RUN];
	args->probe = scan->given[CTL_OPTION_PROBE];
	args->report = scan->value[CTL_OPTION_REPORT];
	args->plot = scan->value[CTL_OPTION_PLOT];
	args->batch = scan->given[CTL_OPTION_BATCH];
	args->all = scan->given[CTL_OPTION_ALL];
	args->follow = scan->given[CTL_OPTION_FOLLOW];
	args->stop = scan->given[CTL_OPTION_STOP];
	args->apply = scan->given[CTL_OPTION_APPLY];
	args->long_form = scan->given[CTL_OPTION_LONG];
	args->no_header = scan->given[CTL_OPTION_NO_HEADER];
	return r;
}

/** "help [VERB]", "VERB --help", "--help". Help of a verb that does not exist is an error. */
static int take_help(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	size_t from = scan->n_words > 0 && strcmp(scan->words[0], "help") == 0 ? 1 : 0, used;
	int r;

	args->verb = _CTL_VERB_MAX;
	if (from == scan->n_words)
		return CTL_ARGS_HELP;
	r = find_verb(scan->words + from, scan->n_words - from, &args->verb, &used, error, size);
	return r < 0 ? r : CTL_ARGS_HELP;
}

int ctl_args_parse(int argc, char *argv[], struct ctl_args *ret, char *error, size_t error_size)
{
	struct ctl_args args = {
	        .socket = CTL_SOCKET_DEFAULT,
	        .state_dir = CTL_STATE_DIR_DEFAULT,
	        .vcpu = -1,
	        .delay_ms = 2000,
	};
	struct scan scan = {0};
	size_t used = 0;
	int r = scan_arguments(&scan, argc, argv, error, error_size);

	if (r < 0)
		return r;
	if (scan.given[CTL_OPTION_VERSION])
		return CTL_ARGS_VERSION;
	if (scan.given[CTL_OPTION_HELP] || (scan.n_words > 0 && strcmp(scan.words[0], "help") == 0))
		r = take_help(&scan, &args, error, error_size);
	else
		r = find_verb(scan.words, scan.n_words, &args.verb, &used, error, error_size);
	if (r == 0)
		r = take_words(&scan, used, &args, error, error_size);
	if (r == 0)
		r = take_options(&scan, &args, error, error_size);
	if (r >= 0)
		*ret = args;
	return r;
}
