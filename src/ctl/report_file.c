/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "ctl/client.h"
#include "ctl/print.h"
#include "ctl/pseudonyms.h"
#include "ctl/value.h"
#include "util/cleanup.h"

/** What the daemon is asked for, besides each domain. */
static const enum ctl_verb asked[] = {CTL_LIST, CTL_POLICY_LIST, CTL_CONFIG, CTL_STATUS};

/** The answers stay until all names are known. */
struct answers {
	size_t n;
	struct ctl_reply *replies;
};

static void answers_cleanup(struct answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		ctl_reply_cleanup(&answers->replies[i]);
	free(answers->replies);
}

static int ask(const struct ctl_args *args, enum ctl_verb verb, const char *domain,
               struct answers *answers)
{
	struct ctl_args request = {
	        .verb = verb, .socket = args->socket, .domain = domain, .vcpu = -1};
	struct ctl_reply *more =
	        realloc(answers->replies, (answers->n + 1) * sizeof(*answers->replies));

	if (!more)
		return -ENOMEM;
	answers->replies = more;
	if (ctl_ask(&request, &more[answers->n]) == 0)
		answers->n++;
	return 0;
}

static int ask_all(const struct ctl_args *args, struct answers *answers)
{
	const struct json_value *domains;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(asked) && r == 0; i++)
		r = ask(args, asked[i], NULL, answers);
	domains = answers->n && answers->replies[0].ok
	                  ? json_member(answers->replies[0].result, "domains")
	                  : NULL;
	if (!domains || r < 0)
		return r;
	JSON_FOREACH(domain, domains)
	{
		r = ask(args, CTL_SHOW, value_text(domain, "uuid", ""), answers);
		if (r < 0)
			return r;
	}
	return 0;
}

/** Adds the names in the objects of an array. */
static int add_names(struct pseudonyms *names, const struct json_value *array, const char *name,
                     const char *uuid)
{
	int r = 0;

	if (!array)
		return 0;
	JSON_FOREACH(object, array)
	{
		if (r == 0)
			r = pseudonyms_add(names, value_text(object, name, ""),
			                   value_text(object, uuid, ""));
	}
	return r;
}

/** Tags may name customers, too. */
static int add_tags(struct pseudonyms *names, const struct json_value *domains)
{
	int r = 0;

	if (!domains)
		return 0;
	JSON_FOREACH(domain, domains)
	{
		const struct json_value *tags = json_member(domain, "tags");

		if (!tags)
			continue;
		JSON_FOREACH(tag, tags)
		{
			if (r == 0)
				r = pseudonyms_add(names, value_string(tag, ""), "");
		}
	}
	return r;
}

static int collect_names(const struct answers *answers, struct pseudonyms *names)
{
	int r = 0;

	for (size_t i = 0; i < answers->n && r == 0; i++) {
		const struct json_value *result = answers->replies[i].result;

		if (!answers->replies[i].ok || !result)
			continue;
		r = add_names(names, json_member(result, "domains"), "name", "uuid");
		if (r == 0)
			r = add_names(names, json_member(result, "domains"), "title", "uuid");
		if (r == 0)
			r = add_tags(names, json_member(result, "domains"));
		if (r == 0)
			r = add_names(names, json_member(result, "policies"), "domain", "uuid");
		if (r == 0)
			r = add_names(names, json_member(result, "settings"), "entry", "no");
	}
	return r;
}

/** Lines that begin with @key. */
static void print_of_file(FILE *out, const char *path, const char *key)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		print_escaped(out, line);
		fputc('\n', out);
	}
}

static void print_host(FILE *out)
{
	struct utsname name;

	fprintf(out, "pvschedctl " PVSCHEDD_VERSION "\n");
	if (uname(&name) == 0)
		fprintf(out, "kernel %s %s %s\n", name.release, name.version, name.machine);
	print_of_file(out, "/etc/os-release", "PRETTY_NAME=");
	fprintf(out, "CPUs online: %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
}

static int print_doctor(const struct doctor_report *report, const struct pseudonyms *names,
                        FILE *out)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	int r;

	if (!memory)
		return -ENOMEM;
	r = doctor_render_json(report, memory);
	if (fclose(memory) != 0 || r < 0)
		return -ENOMEM;
	fputs("\n== doctor\n", out);
	pseudonyms_write(names, text, size, out);
	return 0;
}

static void print_answers(const struct answers *answers, const struct pseudonyms *names, FILE *out)
{
	for (size_t i = 0; i < answers->n; i++) {
		size_t size;
		const char *text = ctl_reply_result_text(&answers->replies[i], &size);

		fprintf(out, "\n== %s\n",
		        i < ARRAY_SIZE(asked) ? ctl_verbs[asked[i]].name : "show");
		pseudonyms_write(names, text, size, out);
		fputc('\n', out);
	}
}

static int write_all(const struct ctl_args *args, const struct doctor_report *report, FILE *out)
{
	CLEANUP(pseudonyms_cleanup) struct pseudonyms *names = pseudonyms_new();
	CLEANUP(answers_cleanup) struct answers answers = {0};
	int r = names ? ask_all(args, &answers) : -ENOMEM;

	if (r == 0)
		r = collect_names(&answers, names);
	if (r < 0)
		return r;
	fputs("# Report for a bug of pvschedd. Names and uuids of guests are pseudonyms; look it "
	      "through all the same.\n# Please add: what you expected, and journalctl -u pvschedd "
	      "-b, which has names.\n\n",
	      out);
	print_host(out);
	r = print_doctor(report, names, out);
	print_answers(&answers, names, out);
	return r;
}

enum exit_status report_file_write(const struct ctl_args *args, const struct doctor_report *report)
{
	int fd = open(args->report, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int r = out ? 0 : -errno;

	if (out) {
		r = write_all(args, report, out);
		if (fclose(out) != 0 && r == 0)
			r = -errno;
		if (r < 0)
			unlink(args->report);
	}
	if (r < 0) {
		fputs("pvschedctl: the report cannot be written to ", stderr);
		print_escaped(stderr, args->report);
		fprintf(stderr, ": %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
