/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

static const char *const status_names[_CHECK_STATUS_MAX] = {
        [CHECK_OK] = "ok",
        [CHECK_WARN] = "warn",
        [CHECK_FAIL] = "fail",
};

struct check *doctor_add(struct doctor_report *report, const char *name, enum check_status status)
{
	struct check *check;

	if (report->n >= DOCTOR_CHECKS_MAX - 1) /* the last one is leave_out()'s */
		return NULL;
	check = &report->checks[report->n++];
	*check = (struct check){.status = status};
	snprintf(check->name, sizeof(check->name), "%s", name);
	return check;
}

void doctor_add_daemon(const struct doctor_env *env, struct doctor_report *report, int error)
{
	struct check *check = doctor_add(report, "daemon", error < 0 ? CHECK_FAIL : CHECK_OK);

	if (!check)
		return;
	if (error == 0) {
		snprintf(check->detail, sizeof(check->detail), "pvschedd answers on %s",
		         env->socket);
	} else if (error == -EACCES || error == -EPERM) {
		check->status = CHECK_WARN;
		snprintf(check->detail, sizeof(check->detail),
		         "this user may not query pvschedd on %s; only root and the group pvsched "
		         "may",
		         env->socket);
		snprintf(check->fix, sizeof(check->fix), "sudo pvschedctl doctor");
	} else if (error == -ENOENT || error == -ECONNREFUSED) {
		snprintf(check->detail, sizeof(check->detail),
		         "no daemon answers on %s: nothing is boosted", env->socket);
		snprintf(check->fix, sizeof(check->fix),
		         "systemctl enable --now pvschedd; if it does not keep running: journalctl "
		         "-u pvschedd -b");
	} else {
		snprintf(check->detail, sizeof(check->detail),
		         "pvschedd gives no valid answer on %s: %s", env->socket, strerror(-error));
		snprintf(check->fix, sizeof(check->fix),
		         "journalctl -u pvschedd -b; then: systemctl restart pvschedd");
	}
}

static void say_why_not(struct check *check, int error)
{
	snprintf(check->detail, sizeof(check->detail), "the kernel's fair class was not tried: %s",
	         error == -EOPNOTSUPP
	                 ? "there is one CPU only, or no cpu controller for groups below the root"
	         : error == -EBUSY ? "another probe is under way"
	                           : strerror(-error));
	if (error == -EACCES || error == -EPERM)
		snprintf(check->fix, sizeof(check->fix), "sudo pvschedctl doctor --probe");
}

void doctor_add_fair_order(struct doctor_report *report, int error, const struct fair_order *order)
{
	bool ok = error == 0 && order->kept;
	struct check *check = doctor_add(report, "fair-class", ok ? CHECK_OK : CHECK_WARN);

	if (!check)
		return;
	if (error < 0) {
		say_why_not(check, error);
		return;
	}
	if (ok) {
		snprintf(check->detail, sizeof(check->detail),
		         "two threads of one group that wake each other got %u permille of a CPU, "
		         "where %u are fair",
		         order->permille, 1000 / FAIR_ORDER_GROUPS);
		return;
	}
	snprintf(check->detail, sizeof(check->detail),
	         "two threads of one group that wake each other keep %u permille of a CPU, where "
	         "%u are fair: this kernel lets a guest whose vCPU and QEMU wake each other take "
	         "the time of other guests; boosts restore the order, so such a guest gets less "
	         "than before",
	         order->permille, 1000 / FAIR_ORDER_GROUPS);
	snprintf(check->fix, sizeof(check->fix),
	         "use a kernel without this fault (Linux 6.13 to 6.18.44 have it); until then "
	         "compare guests with their fair share");
}

/** Finds the first of the @n_local local checks of that name not replaced yet, or adds a check. */
static struct check *find_or_add(struct doctor_report *report, size_t n_local, bool replaced[],
                                 const char *name)
{
	for (size_t i = 0; i < n_local; i++) {
		if (replaced[i] || strcmp(report->checks[i].name, name) != 0)
			continue;
		replaced[i] = true;
		return &report->checks[i];
	}
	return doctor_add(report, name, CHECK_WARN);
}

static enum check_status status_of(const char *name)
{
	for (size_t i = 0; i < _CHECK_STATUS_MAX; i++)
		if (strcmp(name, status_names[i]) == 0)
			return (enum check_status)i;
	return CHECK_WARN;
}

/* The last check counts those that do not fit. */
static void leave_out(struct doctor_report *report, enum check_status status)
{
	struct check *last = &report->checks[DOCTOR_CHECKS_MAX - 1];

	if (report->n_left_out++ == 0) {
		*last = (struct check){.name = "more"};
		report->n = DOCTOR_CHECKS_MAX;
	}
	last->status = MAX(last->status, status);
	snprintf(last->detail, sizeof(last->detail), "%zu more checks are not shown",
	         report->n_left_out);
}

void doctor_merge(struct doctor_report *report, const struct json_value *result)
{
	const struct json_value *checks = result ? json_member(result, "checks") : NULL;
	bool replaced[DOCTOR_CHECKS_MAX] = {false};
	size_t n_local = report->n;

	if (!checks)
		return;
	JSON_FOREACH(theirs, checks)
	{
		struct check *check =
		        find_or_add(report, n_local, replaced, value_text(theirs, "name", "?"));
		enum check_status status = status_of(value_text(theirs, "status", ""));

		if (!check) {
			leave_out(report, status);
			continue;
		}
		check->status = status;
		snprintf(check->detail, sizeof(check->detail), "%s",
		         value_text(theirs, "detail", ""));
		snprintf(check->fix, sizeof(check->fix), "%s", value_text(theirs, "fix", ""));
	}
}

enum check_status doctor_worst(const struct doctor_report *report)
{
	enum check_status worst = CHECK_OK;

	for (size_t i = 0; i < report->n; i++)
		worst = MAX(worst, report->checks[i].status);
	return worst;
}

void doctor_render(const struct doctor_report *report, FILE *out)
{
	size_t count[_CHECK_STATUS_MAX] = {0};

	for (size_t i = 0; i < report->n; i++) {
		const struct check *check = &report->checks[i];

		count[check->status]++;
		fprintf(out, "%-4s  ", status_names[check->status]);
		print_escaped(out, check->name);
		fputs(": ", out);
		print_escaped(out, check->detail);
		fputs("\n", out);
		if (check->fix[0] == '\0' || check->status == CHECK_OK)
			continue;
		fputs("      fix: ", out);
		print_escaped(out, check->fix);
		fputs("\n", out);
	}
	fprintf(out, "%zu ok, %zu warnings, %zu failed\n", count[CHECK_OK], count[CHECK_WARN],
	        count[CHECK_FAIL]);
}

static void cleanup_cjson(cJSON **json)
{
	cJSON_Delete(*json);
}

int doctor_render_json(const struct doctor_report *report, FILE *out)
{
	CLEANUP(cleanup_cjson) cJSON *root = cJSON_CreateObject();
	CLEANUP(cleanup_free) char *text = NULL;
	cJSON *checks = cJSON_AddArrayToObject(root, "checks");
	bool ok = checks;

	for (size_t i = 0; i < report->n && ok; i++) {
		const struct check *check = &report->checks[i];
		cJSON *entry = cJSON_CreateObject();

		ok = cJSON_AddItemToArray(checks, entry) &&
		     cJSON_AddStringToObject(entry, "name", check->name) &&
		     cJSON_AddStringToObject(entry, "status", status_names[check->status]) &&
		     cJSON_AddStringToObject(entry, "detail", check->detail) &&
		     cJSON_AddStringToObject(entry, "fix", check->fix);
	}
	text = ok ? cJSON_PrintUnformatted(root) : NULL;
	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	return 0;
}
