// SPDX-License-Identifier: GPL-2.0-or-later
/* Which parts of the tracer are left out, and what is said about them. */
#include "trace/parts.h"

#include <errno.h>

#include "test.h"

/* A kernel that refuses some parts, and some only together. */
struct kernel {
	uint32_t refused;  /* each of these by itself */
	uint32_t together; /* all of these in one tracer; 0: none */
	bool refuses_all;
	uint32_t last_loaded;
	unsigned int calls;
};

static int load(void *userdata, uint32_t parts, char cause[TRACER_CAUSE_MAX])
{
	struct kernel *kernel = userdata;
	uint32_t refused = parts & kernel->refused;
	bool too_much = kernel->together && (parts & kernel->together) == kernel->together;

	kernel->calls++;
	cause[0] = '\0';
	if (!kernel->refuses_all && !refused && !too_much) {
		kernel->last_loaded = parts;
		return 0;
	}
	snprintf(cause, TRACER_CAUSE_MAX, "refused %x", too_much ? kernel->together : refused);
	return -EINVAL;
}

static void test_all(void)
{
	struct kernel kernel = {0};
	struct tracer_parts parts;
	char cause[TRACER_CAUSE_MAX];

	CHECK_INT(tracer_parts_choose(&parts, load, &kernel, cause), 0);
	CHECK_INT(parts.loaded, PVS_PARTS_ALL);
	CHECK_INT(kernel.calls, 1); /* where nothing is refused, nothing is probed */
	for (unsigned int part = 0; part < PVS_PARTS; part++)
		CHECK_STR(parts.cause[part], "");
}

static void test_every_subset(void)
{
	char cause[TRACER_CAUSE_MAX], wanted[TRACER_CAUSE_MAX];
	struct tracer_parts parts;

	for (uint32_t refused = 1; refused <= PVS_PARTS_ALL; refused++) {
		struct kernel kernel = {.refused = refused};

		CHECK_INT(tracer_parts_choose(&parts, load, &kernel, cause), 0);
		CHECK_INT(parts.loaded, PVS_PARTS_ALL & ~refused);
		CHECK_INT(kernel.last_loaded, parts.loaded);
		for (unsigned int part = 0; part < PVS_PARTS; part++) {
			snprintf(wanted, sizeof(wanted), "refused %x", 1U << part);
			CHECK_STR(parts.cause[part], refused & (1U << part) ? wanted : "");
		}
	}
}

/* As a verifier with a limit does. */
static void test_two_are_too_much_together(void)
{
	struct kernel kernel = {.together = PVS_PART_HELPERS | PVS_PART_EXEC};
	struct tracer_parts parts;
	char cause[TRACER_CAUSE_MAX];

	CHECK_INT(tracer_parts_choose(&parts, load, &kernel, cause), 0);
	CHECK_INT(parts.loaded, PVS_PARTS_ALL & ~PVS_PART_EXEC);
	CHECK_INT(kernel.last_loaded, parts.loaded);
	CHECK_STR(parts.cause[5], "refused 22");
}

static void test_nothing_loads(void)
{
	struct kernel kernel = {.refuses_all = true};
	struct tracer_parts parts;
	char cause[TRACER_CAUSE_MAX];

	CHECK_INT(tracer_parts_choose(&parts, load, &kernel, cause), -EINVAL);
	CHECK_STR(cause, "refused 0");
	CHECK_INT(kernel.calls, 2);
}

static void test_each_is_described(void)
{
	for (unsigned int part = 0; part < PVS_PARTS; part++) {
		CHECK(tracer_part_name(part)[0] != '\0');
		CHECK(tracer_part_loss(part)[0] != '\0');
	}
}

/* What libbpf 1.1 says where Linux 7.3 has a field of another size. */
static const char *const co_re[] = {
        "libbpf: prog 'on_waking': BPF program load failed: Invalid argument\n",
        "libbpf: prog 'on_waking': -- BEGIN PROG LOAD LOG --\n"
        "0: R1=ctx(off=0,imm=0) R10=fp0\n"
        "; int BPF_PROG(on_waking, struct task_struct *p)\n"
        "198: <invalid CO-RE relocation>\n"
        "failed to resolve CO-RE relocation <byte_off> [71] struct task_struct.on_rq (0:2 @ "
        "offset 12)\n"
        "processed 199 insns (limit 1000000) max_states_per_insn 0 total_states 12\n"
        "-- END PROG LOAD LOG --\n",
        "libbpf: prog 'on_waking': failed to load: -22\n",
        "libbpf: failed to load object 'tracer_bpf'\n",
        "libbpf: failed to load BPF skeleton 'tracer_bpf': -22\n",
};

static const char *const verifier[] = {
        "libbpf: prog 'on_switch': BPF program load failed: Argument list too long\n",
        "libbpf: prog 'on_switch': -- BEGIN PROG LOAD LOG --\n"
        "1200: (85) call bpf_map_lookup_elem#1\n"
        "BPF program is too large. Processed 1000001 insn\n"
        "verification time 2345678 usec\n"
        "stack depth 96+64\n"
        "processed 1000001 insns (limit 1000000) max_states_per_insn 30\n"
        "-- END PROG LOAD LOG --\n",
        "libbpf: prog 'on_switch': failed to load: -7\n",
};

static const char *const tracepoint[] = {
        "libbpf: prog 'on_exec': failed to find kernel BTF type ID of 'sched_process_exec': -3\n",
        "libbpf: prog 'on_exec': failed to prepare load attributes: -3\n",
        "libbpf: prog 'on_exec': failed to load: -3\n",
};

/* A log that has no line of its own leaves what was known before. */
static const char *const empty_log[] = {
        "libbpf: prog 'on_switch': BPF program load failed: Operation not permitted\n",
        "libbpf: prog 'on_switch': -- BEGIN PROG LOAD LOG --\nprocessed 0 insns\n"
        "-- END PROG LOAD LOG --\n",
};

static void check_cause(const char *const *texts, size_t n, const char *wanted)
{
	char cause[TRACER_CAUSE_MAX] = "";

	for (size_t i = 0; i < n; i++)
		tracer_cause_note(cause, texts[i]);
	CHECK_STR(cause, wanted);
}

static void test_cause(void)
{
	check_cause(co_re, 5,
	            "prog 'on_waking': failed to resolve CO-RE relocation <byte_off> [71] struct "
	            "task_struct.on_rq (0:2 @ offset 12)");
	check_cause(verifier, 3,
	            "prog 'on_switch': BPF program is too large. Processed 1000001 insn");
	check_cause(
	        tracepoint, 3,
	        "prog 'on_exec': failed to find kernel BTF type ID of 'sched_process_exec': -3");
	check_cause(empty_log, 2,
	            "prog 'on_switch': BPF program load failed: Operation not permitted");
}

static void test_long_lines_are_cut(void)
{
	char cause[TRACER_CAUSE_MAX] = "", text[4096];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	tracer_cause_note(cause, text);
	CHECK_INT(strlen(cause), TRACER_CAUSE_MAX - 1);
	memcpy(text, "prog 'p': -- BEGIN PROG LOAD LOG --\n", 36);
	cause[0] = '\0';
	tracer_cause_note(cause, text);
	CHECK_INT(strlen(cause), TRACER_CAUSE_MAX - 1);
}

TEST_MAIN({"all", test_all}, {"every_subset", test_every_subset},
          {"two_are_too_much_together", test_two_are_too_much_together},
          {"nothing_loads", test_nothing_loads}, {"each_is_described", test_each_is_described},
          {"cause", test_cause}, {"long_lines_are_cut", test_long_lines_are_cut})
