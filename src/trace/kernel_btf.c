// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

/* Maximum nesting of unnamed structures and unions that are searched. */
#define DEPTH_MAX 4

/* Returns a member's offset in bytes, also within an unnamed part; -1 if there is none. */
static int64_t member_offset(const struct btf *btf, uint32_t id, const char *name, int depth)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	if (!type || !btf_is_composite(type) || depth == DEPTH_MAX)
		return -1;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *own = btf__name_by_offset(btf, member->name_off);
		int64_t here = btf_member_bit_offset(type, i) / 8, inside = 0;

		if (own[0] == '\0')
			inside = member_offset(btf, member->type, name, depth + 1);
		else if (strcmp(own, name) != 0)
			inside = -1;
		if (inside >= 0)
			return here + inside;
	}
	return -1;
}

/* Returns a per-CPU variable's offset, and its type; -1 if there is none of that name. */
static int64_t percpu_offset(const struct btf *btf, const char *name, uint32_t *type)
{
	int id = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	for (uint32_t i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *info = &btf_var_secinfos(section)[i];
		const struct btf_type *var = btf__type_by_id(btf, info->type);

		if (!var || strcmp(btf__name_by_offset(btf, var->name_off), name) != 0)
			continue;
		*type = var->type;
		return info->offset;
	}
	return -1;
}

/* Linux 6.2 to 6.14 keep it in a structure, with other hot variables. */
static int64_t preempt_count_offset(const struct btf *btf)
{
	uint32_t type;
	int64_t offset = percpu_offset(btf, "__preempt_count", &type), inside;

	if (offset >= 0)
		return offset;
	offset = percpu_offset(btf, "pcpu_hot", &type);
	if (offset < 0)
		return -1;
	inside = member_offset(btf, type, "preempt_count", 0);
	return inside < 0 ? -1 : offset + inside;
}

int kernel_btf_preempt_count_from_rq(const struct btf *btf, int64_t *ret)
{
	uint32_t type;
	int64_t count = preempt_count_offset(btf), rq = percpu_offset(btf, "runqueues", &type);

	if (count < 0 || rq < 0)
		return -ENOENT;
	*ret = count - rq;
	return 0;
}

int kernel_preempt_count_from_rq(int64_t *ret)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int r;

	if (!btf)
		return -errno;
	r = kernel_btf_preempt_count_from_rq(btf, ret);
	btf__free(btf);
	return r;
}
