/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvsched/page.h"

void pvsched_cpus_init(struct pvsched_cpus *cpus)
{
	for (size_t i = 0; i < CPUS_MAX; i++)
		cpus->apic_id[i] = CPUS_UNKNOWN;
}

/* Reads the number after the colon of a line such as "apicid : 12". Returns 0 for other keys. */
static int line_number(const char *line, const char *key, unsigned long *ret)
{
	size_t length = strlen(key);
	char *end;

	if (strncmp(line, key, length) || !strchr(" \t:", line[length]))
		return 0;
	line += length + strspn(line + length, " \t");
	if (*line++ != ':')
		return 0;
	line += strspn(line, " \t");
	if (*line < '0' || *line > '9')
		return 0;
	errno = 0;
	*ret = strtoul(line, &end, 10);
	return !errno && *end == 0;
}

static void line_end(struct pvsched_cpus *cpus, struct pvsched_cpu_lines *lines)
{
	unsigned long number;

	lines->line[lines->size] = 0;
	lines->size = 0;
	if (line_number(lines->line, "processor", &number)) {
		lines->processor = number < CPUS_MAX ? (long)number : -1;
		/* NONE until its "apicid" line, which does not exist on some machines. */
		if (lines->processor >= 0 &&
		    __atomic_load_n(&cpus->apic_id[number], __ATOMIC_RELAXED) == CPUS_UNKNOWN)
			__atomic_store_n(&cpus->apic_id[number], PVSCHED_APIC_ID_NONE,
			                 __ATOMIC_RELAXED);
	} else if (lines->processor >= 0 && line_number(lines->line, "apicid", &number) &&
	           number < CPUS_UNKNOWN) {
		__atomic_store_n(&cpus->apic_id[lines->processor], (uint32_t)number,
		                 __ATOMIC_RELAXED);
	}
}

void pvsched_cpus_feed(struct pvsched_cpus *cpus, struct pvsched_cpu_lines *lines, const char *text,
                       size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			line_end(cpus, lines);
		else if (lines->size < sizeof(lines->line) - 1)
			lines->line[lines->size++] = text[i];
	}
}

void pvsched_cpus_read(struct pvsched_cpus *cpus, const char *path)
{
	struct pvsched_cpu_lines lines = PVSCHED_CPU_LINES_INIT;
	char text[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((n = read(fd, text, sizeof(text))) > 0)
		pvsched_cpus_feed(cpus, &lines, text, (size_t)n);
	close(fd);
}

uint32_t pvsched_cpus_apic_id(const struct pvsched_cpus *cpus, uint32_t cpu)
{
	return cpu < CPUS_MAX ? __atomic_load_n(&cpus->apic_id[cpu], __ATOMIC_RELAXED)
	                      : CPUS_UNKNOWN;
}
