// SPDX-License-Identifier: GPL-2.0-or-later
/* Where kernels have their preempt_count, by BTF as theirs is. */
#include "trace/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>

#include "test.h"

#define RQ_AT    178816
#define COUNT_AT 86064

/* A kernel whose variables per CPU are @name of type @type at COUNT_AT, and runqueues. */
static int64_t distance(struct btf *btf, int type, const char *name)
{
	int rq = btf__add_struct(btf, "rq", 64);
	int64_t away = 1;

	btf__add_datasec(btf, ".data..percpu", 0);
	btf__add_datasec_var_info(btf, (int)btf__type_cnt(btf), COUNT_AT, 4);
	btf__add_datasec_var_info(btf, (int)btf__type_cnt(btf) + 1, RQ_AT, 64);
	CHECK(btf__add_var(btf, name, BTF_VAR_GLOBAL_ALLOCATED, type) > 0);
	CHECK(btf__add_var(btf, "runqueues", BTF_VAR_GLOBAL_ALLOCATED, rq) > 0);
	if (kernel_btf_preempt_count_from_rq(btf, &away) < 0)
		away = 1;
	btf__free(btf);
	return away;
}

static void test_variable(void)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);

	CHECK_INT(distance(btf, number, "__preempt_count"), COUNT_AT - RQ_AT);
	btf = btf__new_empty();
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	CHECK_INT(distance(btf, number, "__elsewhere_count"), 1);
}

/* As Linux 6.2 to 6.14: a struct of a nameless union of a nameless struct and bytes. */
static void test_hot(void)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), inner, outer, hot;

	inner = btf__add_struct(btf, "", 16);
	btf__add_field(btf, "current_task", number, 0, 0);
	btf__add_field(btf, "preempt_count", number, 64, 0);
	outer = btf__add_union(btf, "", 64);
	btf__add_field(btf, "pad", number, 0, 0);
	btf__add_field(btf, "", inner, 0, 0);
	hot = btf__add_struct(btf, "pcpu_hot", 64);
	btf__add_field(btf, "", outer, 0, 0);
	CHECK_INT(distance(btf, hot, "pcpu_hot"), COUNT_AT + 8 - RQ_AT);
	btf = btf__new_empty();
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	hot = btf__add_struct(btf, "pcpu_hot", 64);
	btf__add_field(btf, "current_task", number, 0, 0);
	CHECK_INT(distance(btf, hot, "pcpu_hot"), 1);
}

static void test_empty(void)
{
	struct btf *btf = btf__new_empty();
	int64_t away;

	CHECK_INT(kernel_btf_preempt_count_from_rq(btf, &away), -ENOENT);
	btf__free(btf);
}

TEST_MAIN({"variable", test_variable}, {"hot", test_hot}, {"empty", test_empty})
