/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The verbs of pvschedctl and their options: one table. The parser, the texts of help, the shell
 * completions and the synopses of pvschedctl(8) are made from it. Pure data.
 */

#include "util/base.h"

enum ctl_verb {
	CTL_STATUS,
	CTL_LIST,
	CTL_SHOW,
	CTL_EXPLAIN,
	CTL_TOP,
	CTL_WATCH,
	CTL_LATENCY,
	CTL_METRICS,
	CTL_RECOMMEND,
	CTL_TRIAL,
	CTL_DOCTOR,
	CTL_POLICY_GET,
	CTL_POLICY_SET,
	CTL_POLICY_ASSIGN,
	CTL_POLICY_UNSET,
	CTL_POLICY_LIST,
	CTL_POLICIES,
	CTL_CONFIG,
	CTL_BOOST,
	CTL_AVOID,
	CTL_RELEASE,
	CTL_ENABLE,
	CTL_DISABLE,
	CTL_RELOAD,
	CTL_ATTACH,
	CTL_DETACH,
	_CTL_VERB_MAX,
};

enum ctl_option {
	CTL_OPTION_JSON,
	CTL_OPTION_SOCKET,
	CTL_OPTION_STATE_DIR,
	CTL_OPTION_HELP,
	CTL_OPTION_VERSION,
	CTL_OPTION_BURST,
	CTL_OPTION_SHARE,
	CTL_OPTION_ALL,
	CTL_OPTION_APPLY,
	CTL_OPTION_VCPU,
	CTL_OPTION_FOR,
	CTL_OPTION_AGENT,
	CTL_OPTION_PERSIST,
	CTL_OPTION_LIVE,
	CTL_OPTION_DRY_RUN,
	CTL_OPTION_PROBE,
	CTL_OPTION_REPORT,
	CTL_OPTION_DELAY,
	CTL_OPTION_COUNT,
	CTL_OPTION_BATCH,
	CTL_OPTION_SORT,
	CTL_OPTION_LIMIT,
	CTL_OPTION_NO_HEADER,
	CTL_OPTION_OUTPUT,
	CTL_OPTION_LONG,
	CTL_OPTION_PROFILE,
	CTL_OPTION_WINDOW,
	CTL_OPTION_PLOT,
	CTL_OPTION_FOLLOW,
	CTL_OPTION_STOP,
	CTL_OPTION_OVER,
	_CTL_OPTION_MAX,
};

#define CTL_HAS(option) (UINT32_C(1) << (option))

/** Options that every verb has. */
#define CTL_COMMON                                                                                 \
	(CTL_HAS(CTL_OPTION_JSON) | CTL_HAS(CTL_OPTION_SOCKET) | CTL_HAS(CTL_OPTION_STATE_DIR) |   \
	 CTL_HAS(CTL_OPTION_HELP) | CTL_HAS(CTL_OPTION_VERSION))

/** What a word after the verb names; it is also what completion offers there. */
enum ctl_word {
	CTL_WORD_NONE,
	CTL_WORD_DOMAIN,  /* one that runs */
	CTL_WORD_DEFINED, /* a domain of libvirt, running or not */
	CTL_WORD_SET,     /* a domain for which a policy is set, running or not */
	CTL_WORD_PROFILE,
	CTL_WORD_POLICY, /* of the registry */
	CTL_WORD_VCPUS,  /* those of a domain, or what decides */
};

#define CTL_WORDS_MAX    2
#define CTL_EXAMPLES_MAX 2

struct ctl_verb_info {
	const char *name;    /* one word, or two */
	const char *request; /* its name in the protocol of the control socket */
	enum ctl_word words[CTL_WORDS_MAX];
	bool words_optional;
	uint32_t options;                          /* CTL_HAS() of each, besides CTL_COMMON */
	uint32_t needs;                            /* of these, those that must be given */
	uint32_t one_of;                           /* of these, at most one */
	const char *brief;                         /* after "NAME: ", without a full stop */
	const char *more;                          /* sentences; NULL: brief says all */
	const char *examples[CTL_EXAMPLES_MAX][2]; /* arguments, what that does */
};

struct ctl_option_info {
	const char *name;   /* without hyphens */
	char letter;        /* or 0 */
	const char *value;  /* what it is called in a text; NULL: it has none */
	const char *offers; /* values that completion offers, separated by blanks; "VCPU": those
	                       of the domain before it; NULL: none */
	const char *brief;
};

extern const struct ctl_verb_info ctl_verbs[_CTL_VERB_MAX];
extern const struct ctl_option_info ctl_options[_CTL_OPTION_MAX];

/** In a synopsis: "DOM", "PROFILE", "POLICY", "VCPUS". */
const char *ctl_word_name(enum ctl_word word);
