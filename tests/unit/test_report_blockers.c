// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is told of blockers: those of several vCPUs together, the largest first, names of any bytes,
 * and where a thread belongs, of which this test's own is one.
 */
#include "daemon/report_blockers.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "trace/blockers.h"
#include "util/escape.h"
#include "util/clock.h"

#include "inventory_fixture.h"

#define NAME "me\xff<\n"

static struct pvs_wait_trace traces[2]; /* of the TIDs 1001 and 1002 */
static int answer;
static uint64_t now_ns = 1000000000;

int tracer_read_waits(const struct tracer *tracer, pid_t tid, struct pvs_wait_trace *ret)
{
	(void)tracer;
	CHECK(tid == 1001 || tid == 1002);
	*ret = traces[tid - 1001];
	return answer;
}

static struct inventory_vcpu vcpus[3] = {
        {.thread = {.id = {.tid = 1001}, .index = 0}, .slot = 4},
        {.thread = {.id = {.tid = 1002}, .index = 1}, .slot = 5},
        {.thread = {.id = {.tid = 1003}, .index = 2}, .slot = SLOT_NONE},
};
static struct domain seen = {.name = "web", .uuid = "u"},
                     seen_us = {.name = "us \xff", .uuid = "v"};
static struct inventory_domain us = {.seen = &seen_us};
static struct inventory_domain web = {.seen = &seen, .n_vcpus = 3, .vcpus = vcpus, .next = &us};
static struct inventory inventory = {.domains = &web};
static const struct views views = {.inventory = &inventory};

static struct pvs_runner runner(const char *name, uint32_t tid)
{
	struct pvs_runner runner = {.tid = tid};

	strncpy((char *)runner.name, name, sizeof(runner.name));
	return runner;
}

static void waited(unsigned int vcpu, struct pvs_runner of, uint64_t ms)
{
	pvs_blockers_add(traces[vcpu].blockers, &of, ms * 1000000);
	pvs_behind_add(&traces[vcpu].present, &of, ms * 1000000);
	now_ns += 1000000;
	pvs_wait_end(&traces[vcpu], now_ns, ms * 1000000, 3);
}

static cJSON *report(int vcpu, int error)
{
	struct latency_trace trace = {.error = error, .since_ns = clock_now_ns()};
	cJSON *root = cJSON_CreateObject(), *parsed;
	char *text;

	report_blockers(&views, &web, vcpu, &trace, root);
	/* as a client has it */
	text = cJSON_PrintUnformatted(root);
	CHECK(text && utf8_valid(text, strlen(text)));
	parsed = cJSON_Parse(text);
	CHECK(parsed);
	cJSON_Delete(root);
	free(text);
	return parsed;
}

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void check_number(const cJSON *object, const char *key, double number)
{
	CHECK(cJSON_IsNumber(get(object, key)));
	CHECK_INT(get(object, key)->valuedouble, number);
}

static void begin(void)
{
	memset(traces, 0, sizeof(traces));
	answer = 0;
	seen.qemu = (struct thread_id){.tid = 1000};
	seen_us.qemu = (struct thread_id){.tid = getpid()};
	prctl(PR_SET_NAME, NAME);
}

static void test_together(void)
{
	const cJSON *top, *blockers;
	cJSON *root;
	char name[16];

	begin();
	waited(0, runner("make", 7000001), 5);
	waited(1, runner("make", 7000002), 30);
	waited(1, runner("idle's", 7000003), 1);
	waited(0, (struct pvs_runner){0}, 2);
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		waited(0, runner(name, 7000010 + (uint32_t)i), 3);
	}
	root = report(-1, 0);
	blockers = get(root, "blockers");
	CHECK(cJSON_IsTrue(get(blockers, "traced")));
	check_number(blockers, "waits", 13);
	check_number(blockers, "wait_us", 65000);
	top = get(blockers, "top");
	CHECK_INT(cJSON_GetArraySize(top), 10);
	CHECK_STR(cJSON_GetStringValue(get(top->child, "comm")), "make");
	check_number(top->child, "us", 35000);
	check_number(top->child, "runs", 2);
	CHECK(!get(top->child, "cgroup") && !get(top->child, "domain"));
	check_number(blockers, "others_us", 3000);
	cJSON_Delete(root);
	/* one vCPU alone; the CPU was idle */
	root = report(0, 0);
	check_number(get(root, "blockers"), "waits", 11);
	for (top = get(get(root, "blockers"), "top")->child; top; top = top->next)
		CHECK(cJSON_IsTrue(get(top, "idle")) == !get(top, "tid"));
	cJSON_Delete(root);
}

/* Its own thread is found by its TID and name; a younger thread with that TID is not it. */
static void test_place(void)
{
	const cJSON *one;
	cJSON *root;

	begin();
	waited(0, runner(NAME, (uint32_t)getpid()), 9);
	waited(0, runner("another", (uint32_t)getpid()), 8);
	root = report(-1, 0);
	one = get(get(root, "blockers"), "top")->child;
	CHECK_STR(cJSON_GetStringValue(get(one, "comm")), "me\\xff<\\x0a");
	CHECK_STR(cJSON_GetStringValue(get(one, "domain")), "us \\xff");
	CHECK_STR(cJSON_GetStringValue(get(one, "uuid")), "v");
	CHECK_STR(cJSON_GetStringValue(get(one->next, "comm")), "another");
	CHECK(!get(one->next, "domain"));
	cJSON_Delete(root);
}

/* Of each kind the longest of all vCPUs, what took most of it first. */
static void test_long_waits(void)
{
	const cJSON *one;
	cJSON *root;

	begin();
	for (uint32_t i = 1; i <= 3; i++) {
		struct pvs_runner part = runner("part", 7000000 + i);

		pvs_behind_add(&traces[1].present, &part, i * 1000000);
	}
	pvs_wait_end(&traces[1], now_ns, 6500000, 2);
	waited(0, runner("x", 7000009), 6);
	waited(0, runner("y", 7000008), 40);
	root = report(-1, 0);
	CHECK_INT(cJSON_GetArraySize(get(root, "long_waits")), 2);
	one = get(root, "long_waits")->child;
	check_number(one, "vcpu", 1);
	check_number(one, "wait_us", 6500);
	check_number(one, "cpu", 2);
	CHECK_INT(cJSON_GetArraySize(get(one, "behind")), 3);
	check_number(get(one, "behind")->child, "us", 3000);
	check_number(get(one, "behind")->child, "tid", 7000003);
	check_number(one->next, "wait_us", 40000);
	cJSON_Delete(root);
}

static void test_untraced(void)
{
	cJSON *root;

	begin();
	root = report(-1, -EOPNOTSUPP);
	CHECK(cJSON_IsFalse(get(get(root, "blockers"), "traced")));
	CHECK(strstr(cJSON_GetStringValue(get(get(root, "blockers"), "why")), "doctor"));
	CHECK(!get(root, "long_waits"));
	cJSON_Delete(root);
	answer = -ENOENT; /* a vCPU that was not traced yet */
	root = report(-1, 0);
	check_number(get(root, "blockers"), "waits", 0);
	CHECK_INT(cJSON_GetArraySize(get(get(root, "blockers"), "top")), 0);
	cJSON_Delete(root);
}

TEST_MAIN({"together", test_together}, {"place", test_place}, {"long_waits", test_long_waits},
          {"untraced", test_untraced})
