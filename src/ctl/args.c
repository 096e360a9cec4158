/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/escape.h"

#define DOMAIN_BYTES_MAX  255
#define PROFILE_BYTES_MAX 31
#define VCPU_INDEX_MAX    511
#define BOOST_NS_MAX      (10 * NSEC_PER_SEC)
#define DURATION_NS_MAX   (31 * 24 * 3600 * NSEC_PER_SEC)

#define WORDS_MAX 4 /* policy set DOM PROFILE */

/** The arguments of each verb. After the words of the verb come domain and profile, in order. */
static const struct verb {
	const char *word;
	const char *second; /* of a verb of two words, or NULL */
	const char *request;
	bool domain;
	bool domain_optional;
	bool profile;
} verbs[_CTL_VERB_MAX] = {
        [CTL_STATUS] = {"status", NULL, "status", false, false, false},
        [CTL_LIST] = {"list", NULL, "list", false, false, false},
        [CTL_SHOW] = {"show", NULL, "show", true, false, false},
        [CTL_EXPLAIN] = {"explain", NULL, "explain", true, false, false},
        [CTL_POLICY_GET] = {"policy", "get", "policy-get", true, false, false},
        [CTL_POLICY_SET] = {"policy", "set", "policy-set", true, false, true},
        [CTL_BOOST] = {"boost", NULL, "boost", true, false, false},
        [CTL_RELEASE] = {"release", NULL, "release", true, true, false},
        [CTL_ENABLE] = {"enable", NULL, "enable", false, false, false},
        [CTL_DISABLE] = {"disable", NULL, "disable", false, false, false},
        [CTL_RELOAD] = {"reload", NULL, "reload", false, false, false},
        [CTL_DOCTOR] = {"doctor", NULL, "doctor", false, false, false},
        [CTL_ATTACH] = {"attach", NULL, "attach", true, false, false},
        [CTL_DETACH] = {"detach", NULL, "detach", true, false, false},
};

enum option_id {
	OPTION_SOCKET,
	OPTION_STATE_DIR,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_VCPU,
	OPTION_FOR,
	OPTION_PERSIST,
	OPTION_LIVE,
	OPTION_DRY_RUN,
	OPTION_PROBE,
	_OPTION_MAX,
};

#define EVERY_VERB UINT32_MAX
#define OF(verb)   (UINT32_C(1) << (verb))
#define OF_ATTACH  (OF(CTL_ATTACH) | OF(CTL_DETACH))

static const struct option_entry {
	const char *name;
	const char *letter; /* or NULL */
	bool value;
	uint32_t verbs; /* that have this option: OF() of each, or EVERY_VERB */
} options[_OPTION_MAX] = {
        [OPTION_SOCKET] = {"--socket", NULL, true, EVERY_VERB},
        [OPTION_STATE_DIR] = {"--state-dir", NULL, true, EVERY_VERB},
        [OPTION_JSON] = {"--json", NULL, false, EVERY_VERB},
        [OPTION_HELP] = {"--help", "-h", false, EVERY_VERB},
        [OPTION_VERSION] = {"--version", "-V", false, EVERY_VERB},
        [OPTION_VCPU] = {"--vcpu", NULL, true, OF(CTL_EXPLAIN) | OF(CTL_BOOST)},
        [OPTION_FOR] = {"--for", NULL, true, OF(CTL_POLICY_SET) | OF(CTL_BOOST)},
        [OPTION_PERSIST] = {"--persist", NULL, false, OF(CTL_POLICY_SET) | OF_ATTACH},
        [OPTION_LIVE] = {"--live", NULL, false, OF_ATTACH},
        [OPTION_DRY_RUN] = {"--dry-run", NULL, false, OF_ATTACH},
        [OPTION_PROBE] = {"--probe", NULL, false, OF(CTL_DOCTOR)},
};

/** The arguments, split into options and other words, before the verb is known. */
struct scan {
	bool given[_OPTION_MAX];
	const char *value[_OPTION_MAX];
	const char *words[WORDS_MAX];
	size_t n_words;
};

static int fail(char *error, size_t size, const char *format, ...) PRINTF_FORMAT(3, 4);

static int fail(char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -EINVAL;
}

int ctl_duration_parse(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
	        {"us", NSEC_PER_USEC},    {"ms", NSEC_PER_MSEC},      {"s", NSEC_PER_SEC},
	        {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC},
	};
	uint64_t number = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 10)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		number = 10 * number + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		if (number == 0 || number > DURATION_NS_MAX / units[i].ns)
			return -EINVAL;
		*ret = number * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

/** Returns _OPTION_MAX if there is no such option. */
static enum option_id option_find(const char *argument, size_t length)
{
	for (size_t i = 0; i < _OPTION_MAX; i++) {
		const struct option_entry *option = &options[i];

		if (strlen(option->name) == length && strncmp(argument, option->name, length) == 0)
			return (enum option_id)i;
		if (option->letter && strcmp(argument, option->letter) == 0)
			return (enum option_id)i;
	}
	return _OPTION_MAX;
}

/** Scans the option at argv[*i] and its value, which may be the next argument. */
static int scan_option(struct scan *scan, int argc, char *const argv[], int *i, char *error,
                       size_t size)
{
	const char *argument = argv[*i];
	const char *equals = strchr(argument, '=');
	size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
	enum option_id id = option_find(argument, length);

	if (id == _OPTION_MAX)
		return fail(error, size, "there is no option %s", argument);
	if (scan->given[id])
		return fail(error, size, "%s is given twice", options[id].name);
	if (!options[id].value && equals)
		return fail(error, size, "%s takes no value", options[id].name);
	if (options[id].value && !equals && *i + 1 >= argc)
		return fail(error, size, "%s needs a value", options[id].name);
	scan->given[id] = true;
	if (options[id].value)
		scan->value[id] = equals ? equals + 1 : argv[++*i];
	return 0;
}

static int scan_arguments(struct scan *scan, int argc, char *const argv[], char *error, size_t size)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
			int r = scan_option(scan, argc, argv, &i, error, size);

			if (r < 0)
				return r;
		} else if (scan->n_words < WORDS_MAX) {
			scan->words[scan->n_words++] = argv[i];
		} else {
			return fail(error, size, "unexpected argument \"%s\"", argv[i]);
		}
	}
	return 0;
}

/** Finds the verb; *used is the number of words that it takes. */
static int find_verb(const struct scan *scan, enum ctl_verb *ret, size_t *used, char *error,
                     size_t size)
{
	if (scan->n_words == 0)
		return fail(error, size, "no command is given; try: pvschedctl status");
	for (size_t i = 0; i < _CTL_VERB_MAX; i++) {
		if (strcmp(scan->words[0], verbs[i].word) != 0)
			continue;
		if (verbs[i].second &&
		    (scan->n_words < 2 || strcmp(scan->words[1], verbs[i].second) != 0))
			continue;
		*ret = (enum ctl_verb)i;
		*used = verbs[i].second ? 2 : 1;
		return 0;
	}
	if (strcmp(scan->words[0], "policy") == 0)
		return fail(error, size, "\"policy\" needs \"get\" or \"set\" after it");
	return fail(error, size, "there is no command \"%s\"", scan->words[0]);
}

static int take_text(const char *what, const char *text, size_t max, const char **ret, char *error,
                     size_t size)
{
	size_t length = strlen(text);

	if (length == 0 || length > max || !utf8_valid(text, length))
		return fail(error, size, "%s must be 1 to %zu bytes of valid UTF-8", what, max);
	*ret = text;
	return 0;
}

/** The words after the verb: [DOM [PROFILE]]. */
static int take_words(const struct scan *scan, size_t used, struct ctl_args *args, char *error,
                      size_t size)
{
	const struct verb *verb = &verbs[args->verb];
	int r = 0;

	if (verb->domain && used < scan->n_words)
		r = take_text("the name of a domain", scan->words[used++], DOMAIN_BYTES_MAX,
		              &args->domain, error, size);
	else if (verb->domain && !verb->domain_optional)
		r = fail(error, size, "which domain? \"pvschedctl list\" shows them");
	if (r < 0)
		return r;
	if (verb->profile && used < scan->n_words)
		r = take_text("the name of a profile", scan->words[used++], PROFILE_BYTES_MAX,
		              &args->profile, error, size);
	else if (verb->profile)
		r = fail(error, size,
		         "which profile? off, observe, interactive, latency, or a profile of the "
		         "configuration");
	if (r < 0)
		return r;
	if (used < scan->n_words)
		return fail(error, size, "unexpected argument \"%s\"", scan->words[used]);
	return 0;
}

static int take_options(const struct scan *scan, struct ctl_args *args, char *error, size_t size)
{
	uint64_t for_ns = 0;

	for (size_t i = 0; i < _OPTION_MAX; i++)
		if (scan->given[i] && !(options[i].verbs & OF(args->verb)))
			return fail(error, size, "%s is no option of \"%s\"", options[i].name,
			            verbs[args->verb].word);
	if (scan->given[OPTION_SOCKET])
		args->socket = scan->value[OPTION_SOCKET];
	if (scan->given[OPTION_STATE_DIR])
		args->state_dir = scan->value[OPTION_STATE_DIR];
	if (scan->given[OPTION_VCPU]) {
		const char *text = scan->value[OPTION_VCPU];
		size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 3 || text[digits] || atoi(text) > VCPU_INDEX_MAX)
			return fail(error, size, "--vcpu must be a number from 0 to %d",
			            VCPU_INDEX_MAX);
		args->vcpu = atoi(text);
	}
	if (scan->given[OPTION_FOR] && ctl_duration_parse(scan->value[OPTION_FOR], &for_ns) < 0)
		return fail(error, size,
		            "--for must be a duration such as 500ms, 10s, 10m or 2h, at most 31 "
		            "days");
	if (args->verb == CTL_BOOST) {
		if (for_ns == 0)
			return fail(error, size, "for how long? For example: --for 5ms");
		if (for_ns > BOOST_NS_MAX)
			return fail(error, size,
			            "\"boost\" lasts 10 s at most; for longer, use \"policy set\"");
		args->for_us = MAX(for_ns / NSEC_PER_USEC, UINT64_C(1));
		for_ns = 0;
	}
	args->for_s = (for_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	args->json = scan->given[OPTION_JSON];
	args->persist = scan->given[OPTION_PERSIST];
	args->live = scan->given[OPTION_LIVE];
	args->dry_run = scan->given[OPTION_DRY_RUN];
	args->probe = scan->given[OPTION_PROBE];
	if (args->persist && args->for_s > 0)
		return fail(error, size,
		            "--for and --persist exclude each other: a policy that ends by itself "
		            "is not kept over a restart; give only one of them");
	return 0;
}

int ctl_args_parse(int argc, char *const argv[], struct ctl_args *ret, char *error,
                   size_t error_size)
{
	struct ctl_args args = {
	        .socket = CTL_SOCKET_DEFAULT,
	        .state_dir = CTL_STATE_DIR_DEFAULT,
	        .vcpu = -1,
	};
	struct scan scan = {0};
	size_t used = 0;
	int r;

	r = scan_arguments(&scan, argc, argv, error, error_size);
	if (r < 0)
		return r;
	if (scan.given[OPTION_HELP])
		return CTL_ARGS_HELP;
	if (scan.given[OPTION_VERSION])
		return CTL_ARGS_VERSION;
	r = find_verb(&scan, &args.verb, &used, error, error_size);
	if (r >= 0)
		r = take_words(&scan, used, &args, error, error_size);
	if (r >= 0)
		r = take_options(&scan, &args, error, error_size);
	if (r >= 0)
		*ret = args;
	return r;
}

const char *ctl_verb_request(enum ctl_verb verb)
{
	return verbs[verb].request;
}

const char *ctl_help(void)
{
	return "Usage: pvschedctl [OPTION...] COMMAND [ARGUMENT...]\n"
	       "Query and control pvschedd, which boosts the vCPUs of virtual machines.\n"
	       "\n"
	       "Commands (DOM is a domain's name or uuid):\n"
	       "  status                    show the daemon, its sources, its caps, and all vCPUs\n"
	       "  list                      list the domains\n"
	       "  show DOM                  show one domain in detail\n"
	       "  explain DOM [--vcpu N]    explain why a vCPU is boosted or not\n"
	       "  policy get DOM            show the profile in force, and where it is set\n"
	       "  policy set DOM PROFILE [--for TIME | --persist]\n"
	       "                            use another profile: until the daemon ends, for a\n"
	       "                            time (500ms, 10s, 10m, 2h), or permanently\n"
	       "  boost DOM [--vcpu N] --for TIME\n"
	       "                            boost now, also awake vCPUs, within their tokens\n"
	       "                            (TIME for example 5ms)\n"
	       "  release [DOM]             end all boosts, until \"policy set\" or \"enable\"\n"
	       "  enable, disable           allow or forbid boosts, also after a restart\n"
	       "  reload                    read the configuration again\n"
	       "  doctor [--probe]          find what prevents boosts here, and how to fix it;\n"
	       "                            --probe also tries the kernel's fair class, for half\n"
	       "                            a second on two CPUs\n"
	       "  attach DOM [--live] [--persist] [--dry-run]\n"
	       "                            add shared memory through which the guest can\n"
	       "                            request boosts: at its next start (--persist, the\n"
	       "                            default) or now (--live)\n"
	       "  detach DOM [--live] [--persist] [--dry-run]\n"
	       "                            remove that memory\n"
	       "\n"
	       "Options:\n"
	       "  --json                    print the answer as JSON, on one line\n"
	       "  --socket PATH             instead of " CTL_SOCKET_DEFAULT "\n"
	       "  --state-dir DIR           instead of " CTL_STATE_DIR_DEFAULT "\n"
	       "  -h, --help                print this text\n"
	       "  -V, --version             print the version\n"
	       "\n"
	       "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 no daemon answers\n"
	       "(for attach and detach: no libvirt); 4 not permitted; 5 no such domain.\n"
	       "See pvschedctl(8).\n";
}
