// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/read_all.h"

#define TEXT_MAX 8192

bool aside_release_is(const char *release, unsigned int major, unsigned int minor)
{
	unsigned int a = 0, b = 0;

	return sscanf(release, "%u.%u", &a, &b) == 2 && (a > major || (a == major && b >= minor));
}

struct aside_places aside_places(void)
{
	struct utsname kernel;

	return (struct aside_places){
	        .asked = "/run/pvsched/step-aside",
	        .record = "/run/pvsched-aside/record",
	        .outcome = "/run/pvsched-aside/outcome",
	        .online = "/sys/devices/system/cpu/online",
	        .cgroup = "/sys/fs/cgroup",
	        .systemd = "/run/systemd/system",
	        .systemctl = "systemctl",
	        .irqs = "/proc/irq",
	        .workqueue = "/sys/devices/virtual/workqueue/cpumask",
	        .irqbalance = "/run/irqbalance",
	        .governor = "/sys/module/steal_governor",
	        .preferred = "/sys/devices/system/cpu/preferred",
	        .avoid = "/sys/devices/system/cpu/paravirt",
	        .keeps_affinities = uname(&kernel) == 0 && aside_release_is(kernel.release, 6, 2),
	};
}

int aside_mask_parse(const char *text, struct cpu_set_bits *ret)
{
	size_t size = strspn(text, "0123456789abcdefABCDEF,"), word_size = 0;
	struct cpu_set_bits set = CPU_SET_BITS_NULL;
	unsigned int word = 0;

	if (!size || (text[size] && strcmp(text + size, "\n") != 0))
		return -EINVAL;
	/* from its end: the last word is that of the first CPUs */
	for (size_t i = size; i-- > 0;) {
		char digit[2] = {text[i], '\0'};
		uint64_t bits;

		if (text[i] == ',') {
			if (!word_size)
				return -EINVAL;
			word_size = 0;
			word++;
			continue;
		}
		bits = strtoul(digit, NULL, 16);
		if (word_size == 8 || (bits && word >= CPU_SET_BITS_MAX / 32))
			return -EINVAL;
		if (bits)
			set.words[word / 2] |= bits << (word % 2 * 32 + 4 * word_size);
		word_size++;
	}
	if (!word_size)
		return -EINVAL;
	*ret = set;
	return 0;
}

size_t aside_mask_format(const struct cpu_set_bits *set, char *ret, size_t size)
{
	unsigned int last = 0;
	size_t n = 0;

	CPU_SET_BITS_FOREACH(cpu, set)
	last = cpu / 32;
	for (unsigned int word = last + 1; word-- > 0;)
		n += (size_t)snprintf(n < size ? ret + n : NULL, n < size ? size - n : 0, "%08x%s",
		                      (unsigned int)(set->words[word / 2] >> word % 2 * 32),
		                      word ? "," : "");
	return n;
}

static int read_text(const char *path, char text[TEXT_MAX])
{
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_all(fd, text, TEXT_MAX - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

static int write_text(const char *path, const char *text)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t size = (ssize_t)strlen(text), n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, (size_t)size);
	return n < 0 ? -errno : n == size ? 0 : -EIO;
}

static int read_set(const char *path, int (*parse)(const char *, struct cpu_set_bits *),
                    struct cpu_set_bits *ret)
{
	char text[TEXT_MAX];
	int r = read_text(path, text);

	return r < 0 ? r : parse(text, ret);
}

static int write_set(const char *path,
                     size_t (*format)(const struct cpu_set_bits *, char *, size_t),
                     const struct cpu_set_bits *set)
{
	char text[TEXT_MAX];
	size_t n = format(set, text, sizeof(text) - 1);

	if (n >= sizeof(text) - 1)
		return -EFBIG;
	strcpy(text + n, "\n");
	return write_text(path, text);
}

int aside_read_list(const char *path, struct cpu_set_bits *ret)
{
	return read_set(path, cpulist_parse, ret);
}

int aside_read_mask(const char *path, struct cpu_set_bits *ret)
{
	return read_set(path, aside_mask_parse, ret);
}

int aside_write_list(const char *path, const struct cpu_set_bits *set)
{
	return write_set(path, cpulist_format, set);
}

int aside_write_mask(const char *path, const struct cpu_set_bits *set)
{
	return write_set(path, aside_mask_format, set);
}
