// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Into the running kernel: the tracer as each clang of this machine compiles it, and as a kernel
 * takes it that lacks what one part needs. Skipped where no tracer may be loaded at all.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects_table.h"

#include "../unit/test.h"

static const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
static char why[512];

static int load_object(struct tracer **ret, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tracer_objects); i++)
		if (strcmp(tracer_objects[i].name, name) == 0)
			return tracer_new_from(ret, tracer_objects[i].open, &rule, why,
			                       sizeof(why));
	printf("no object %s\n", name);
	return -ENOENT;
}

/* What is left of the tracer still does what it is for: this thread's switches are seen. */
static void check_sees_switches(struct tracer *tracer)
{
	struct pvs_vcpu_account *vcpu = &tracer_vcpus(tracer)[0];
	pid_t tid = gettid();

	vcpu->tid = (uint32_t)tid;
	CHECK_INT(tracer_register(tracer, 0, tid), 0);
	CHECK_INT(tracer_register_helper(tracer, 0, tid + 1), 0);
	for (int i = 0; i < 1000 && vcpu->switches < 3; i++)
		usleep(1000);
	CHECK(vcpu->switches >= 3);
	tracer_unregister_helper(tracer, 0);
	tracer_unregister(tracer, 0, tid);
}

static bool may_load(void)
{
	struct tracer *tracer = NULL;
	int r = tracer_new(&tracer, &rule, why, sizeof(why));

	tracer_free(tracer);
	return r == 0;
}

static void test_each_compiler(void)
{
	if (!may_load())
		TEST_SKIP(why);
	for (size_t i = 0; i < ARRAY_SIZE(tracer_objects); i++) {
		struct tracer *tracer = NULL;

		if (strncmp(tracer_objects[i].name, "clang", 5) != 0)
			continue;
		printf("# %s\n", tracer_objects[i].name);
		why[0] = '\0';
		CHECK_INT(tracer_new_from(&tracer, tracer_objects[i].open, &rule, why, sizeof(why)),
		          0);
		CHECK_INT(tracer_parts(tracer)->loaded, PVS_PARTS_ALL);
		check_sees_switches(tracer);
		tracer_free(tracer);
	}
}

static void check_lacks(const char *name, uint32_t refused, const char *cause)
{
	struct tracer *tracer = NULL;

	CHECK_INT(load_object(&tracer, name), 0);
	CHECK_INT(tracer_parts(tracer)->loaded, PVS_PARTS_ALL & ~refused);
	for (unsigned int part = 0; part < PVS_PARTS; part++) {
		if (refused & (1U << part)) {
			printf("# %s: %s\n", tracer_part_name(part),
			       tracer_parts(tracer)->cause[part]);
			CHECK(strstr(tracer_parts(tracer)->cause[part], cause));
		} else {
			CHECK_STR(tracer_parts(tracer)->cause[part], "");
		}
	}
	check_sees_switches(tracer);
	tracer_free(tracer);
}

/* As Linux 7.3 did to two looks at one field's name. */
static void test_a_missing_field_costs_its_parts(void)
{
	if (!may_load())
		TEST_SKIP(why);
	check_lacks("lacks_on_rq", PVS_PART_HELPERS | PVS_PART_ENTITLEMENT, "no_such_field");
	check_lacks("lacks_tgid", PVS_PART_INTERRUPTS, "no_such_field");
}

static void test_what_charging_needs_refuses_all(void)
{
	struct tracer *tracer = NULL;

	if (!may_load())
		TEST_SKIP(why);
	CHECK(load_object(&tracer, "lacks_pid") < 0);
	CHECK(!tracer);
	printf("# %s\n", why);
	CHECK(strstr(why, "no_such_field"));
	CHECK(strstr(why, "the kernel refused the tracer"));
}

/* The guest's: all of it loads, and sees this CPU's switches. */
static void test_each_compiler_of_guests(void)
{
	if (!may_load())
		TEST_SKIP(why);
	for (size_t i = 0; i < ARRAY_SIZE(guest_objects); i++) {
		struct guest_tracer *tracer = NULL;

		printf("# %s\n", guest_objects[i].name);
		CHECK_INT(guest_tracer_new_from(&tracer, guest_objects[i].open,
		                                (uint32_t)sysconf(_SC_NPROCESSORS_CONF), GUEST_ALL,
		                                why, sizeof(why)),
		          0);
		CHECK_INT(guest_tracer_sources(tracer), GUEST_ALL);
		CHECK_INT(guest_tracer_attach(tracer), 0);
		for (int k = 0; k < 1000 && !guest_tracer_hints(tracer); k++)
			usleep(1000);
		CHECK(guest_tracer_hints(tracer) > 0);
		guest_tracer_free(tracer);
	}
}

TEST_MAIN({"each_compiler", test_each_compiler},
          {"a_missing_field_costs_its_parts", test_a_missing_field_costs_its_parts},
          {"what_charging_needs_refuses_all", test_what_charging_needs_refuses_all},
          {"each_compiler_of_guests", test_each_compiler_of_guests})
