/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/cpulist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static const char *skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Reads a number, which stops growing at CPU_SET_BITS_MAX: so it cannot overflow. */
static int parse_number(const char **p, unsigned int *ret)
{
	unsigned int n = 0;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	for (; **p >= '0' && **p <= '9'; (*p)++)
		if (n < CPU_SET_BITS_MAX)
			n = n * 10 + (unsigned int)(**p - '0');
	*ret = n;
	return 0;
}

static int parse_range(const char **p, struct cpu_set_bits *set)
{
	unsigned int first, last;
	int r;

	r = parse_number(p, &first);
	if (r < 0)
		return r;
	last = first;
	if (**p == '-') {
		(*p)++;
		r = parse_number(p, &last);
		if (r < 0)
			return r;
	}
	if (first >= CPU_SET_BITS_MAX || last >= CPU_SET_BITS_MAX)
		return -ERANGE;
	if (first > last)
		return -EINVAL;
	for (unsigned int cpu = first; cpu <= last; cpu++)
		cpu_set_bits_add(set, cpu);
	return 0;
}

int cpulist_parse(const char *text, struct cpu_set_bits *ret)
{
	struct cpu_set_bits set = CPU_SET_BITS_NULL;
	const char *p = skip_blanks(text);

	while (*p) {
		int r = parse_range(&p, &set);

		if (r < 0)
			return r;
		if (*p != ',')
			break;
		p++;
		if (!*p || is_blank(*p))
			return -EINVAL;
	}
	if (*skip_blanks(p))
		return -EINVAL;
	*ret = set;
	return 0;
}

static unsigned int next_outside(const struct cpu_set_bits *set, unsigned int cpu)
{
	while (cpu < CPU_SET_BITS_MAX && cpu_set_bits_has(set, cpu))
		cpu++;
	return cpu;
}

size_t cpulist_format(const struct cpu_set_bits *set, char *buffer, size_t size)
{
	unsigned int cpu = cpu_set_bits_next(set, 0);
	size_t length = 0;

	if (size > 0)
		buffer[0] = '\0';
	while (cpu < CPU_SET_BITS_MAX) {
		unsigned int end = next_outside(set, cpu);
		char range[32];
		int n;

		if (end - cpu == 1)
			n = snprintf(range, sizeof(range), "%s%u", length ? "," : "", cpu);
		else
			n = snprintf(range, sizeof(range), "%s%u-%u", length ? "," : "", cpu,
			             end - 1);
		if (length < size)
			snprintf(buffer + length, size - length, "%s", range);
		length += (size_t)n;
		cpu = cpu_set_bits_next(set, end);
	}
	return length;
}

void cpu_set_bits_add(struct cpu_set_bits *set, unsigned int cpu)
{
	if (cpu < CPU_SET_BITS_MAX)
		set->words[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

bool cpu_set_bits_has(const struct cpu_set_bits *set, unsigned int cpu)
{
	return cpu < CPU_SET_BITS_MAX && (set->words[cpu / 64] >> (cpu % 64) & 1);
}

unsigned int cpu_set_bits_next(const struct cpu_set_bits *set, unsigned int from)
{
	while (from < CPU_SET_BITS_MAX) {
		uint64_t word = set->words[from / 64] >> (from % 64);

		if (word)
			return from + (unsigned int)__builtin_ctzll(word);
		from = (from / 64 + 1) * 64;
	}
	return CPU_SET_BITS_MAX;
}

unsigned int cpu_set_bits_count(const struct cpu_set_bits *set)
{
	unsigned int n = 0;

	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
		n += (unsigned int)__builtin_popcountll(set->words[i]);
	return n;
}

bool cpu_set_bits_empty(const struct cpu_set_bits *set)
{
	return cpu_set_bits_next(set, 0) == CPU_SET_BITS_MAX;
}

bool cpu_set_bits_equal(const struct cpu_set_bits *a, const struct cpu_set_bits *b)
{
	return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

bool cpu_set_bits_subset(const struct cpu_set_bits *inner, const struct cpu_set_bits *outer)
{
	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
		if (inner->words[i] & ~outer->words[i])
			return false;
	return true;
}
