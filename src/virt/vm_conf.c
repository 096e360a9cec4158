/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/vm_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/read_all.h"

/** A piece of a line. */
struct piece {
	const char *text;
	size_t size;
};

static struct piece trim(struct piece piece)
{
	while (piece.size > 0 && strchr(" \t\r", piece.text[0]) && piece.text[0]) {
		piece.text++;
		piece.size--;
	}
	while (piece.size > 0 && strchr(" \t\r", piece.text[piece.size - 1]) &&
	       piece.text[piece.size - 1])
		piece.size--;
	return piece;
}

static bool piece_is(struct piece piece, const char *text)
{
	return piece.size == strlen(text) && memcmp(piece.text, text, piece.size) == 0;
}

/** Proxmox accepts these between tags. */
static bool ends_tag(char c)
{
	return c == ';' || c == ',' || c == ' ' || c == '\t' || c == '\0';
}

static void read_tags(struct piece value, struct domain_labels *ret)
{
	size_t begin = 0;

	for (size_t i = 0; i <= value.size; i++) {
		if (i < value.size && !ends_tag(value.text[i]))
			continue;
		labels_add_tag(ret, value.text + begin, i - begin);
		begin = i + 1;
	}
}

static void read_line(struct piece line, struct domain_labels *ret)
{
	const char *colon = memchr(line.text, ':', line.size);
	struct piece key, value;

	if (!colon || line.text[0] == '#')
		return;
	key = trim((struct piece){line.text, (size_t)(colon - line.text)});
	value = trim((struct piece){colon + 1, line.size - (size_t)(colon + 1 - line.text)});
	if (piece_is(key, "name"))
		label_copy(value.text, value.size, ret->title, sizeof(ret->title));
	else if (piece_is(key, "tags"))
		read_tags(value, ret);
}

void vm_conf_parse(const char *text, size_t size, struct domain_labels *ret)
{
	const char *end = text + size, *line_end;

	*ret = DOMAIN_LABELS_NULL;
	for (const char *at = text; at < end; at = line_end + 1) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end && size >= VM_CONF_MAX)
			return; /* the rest of the line was not read */
		if (!line_end)
			line_end = end;
		if (*at == '[')
			return; /* a snapshot, or a change that waits for the next start */
		read_line((struct piece){at, (size_t)(line_end - at)}, ret);
	}
}

int vm_conf_read(const char *dir, uint32_t vmid, struct domain_labels *ret)
{
	CLEANUP(cleanup_free) char *text = malloc(VM_CONF_MAX);
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	ssize_t size;

	if (!text)
		return -ENOMEM;
	if ((size_t)snprintf(path, sizeof(path), "%s/qemu-server/%u.conf", dir, vmid) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	size = read_all(fd, text, VM_CONF_MAX);
	if (size < 0)
		return (int)size;
	vm_conf_parse(text, (size_t)size, ret);
	ret->vmid = vmid;
	return 0;
}
