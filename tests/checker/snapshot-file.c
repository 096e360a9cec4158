/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of a snapshot: one line per thread and per value of a cgroup. */
#include "snapshot.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "sched-snapshot 1\n"

void snapshot_die(const char *what, const char *name)
{
	fprintf(stderr, "sched-snapshot: %s '%s': %s\n", what, name, strerror(errno));
	exit(2);
}

void *snapshot_grow(void *array, size_t n, size_t size)
{
	if (n && (n & (n - 1)))
		return array;
	array = realloc(array, (n ? 2 * n : 1) * size);
	if (!array)
		snapshot_die("no memory for", "the snapshot");
	return array;
}

char *snapshot_keep(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		snapshot_die("no memory for", text);
	return copy;
}

bool snapshot_has_id(const struct ids *ids, int id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->ids[i] == id)
			return true;
	return false;
}

/* In the file a value is what stands between two tabs; control characters and % are %XX. */
static void put(FILE *file, const char *text)
{
	putc('\t', file);
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text) || *text == '%')
			fprintf(file, "%%%02X", (unsigned char)*text);
		else
			putc(*text, file);
	}
}

void snapshot_save(const struct snapshot *s, const char *name)
{
	FILE *file = fopen(name, "we");

	if (!file)
		snapshot_die("cannot write", name);
	fputs(FIRST_LINE, file);
	for (size_t i = 0; i < s->n_threads; i++) {
		const struct thread *t = &s->threads[i];

		fprintf(file, "T\t%d\t%d\t%llu\t%d", t->tid, t->tgid, t->start, t->kernel);
		put(file, t->comm);
		for (int f = 0; f < N_FIELDS; f++)
			put(file, t->values[f]);
		putc('\n', file);
	}
	for (size_t i = 0; i < s->n_knobs; i++) {
		fprintf(file, "G\t%llu", s->knobs[i].inode);
		put(file, s->knobs[i].path);
		put(file, s->knobs[i].value);
		putc('\n', file);
	}
	if (fflush(file) || ferror(file) || fclose(file))
		snapshot_die("cannot write", name);
}

/* The next value of a line; NULL at its end. */
static char *get(char **line)
{
	char *value = strsep(line, "\t"), *to = value;

	for (char *from = value; from && *from; from++, to++) {
		unsigned int byte;

		if (*from == '%' && sscanf(from + 1, "%2X", &byte) == 1) {
			*to = (char)byte;
			from += 2;
		} else {
			*to = *from;
		}
	}
	if (to)
		*to = 0;
	return value;
}

static bool load_line(struct snapshot *s, char *line)
{
	char *kind = get(&line), *values[5 + N_FIELDS];
	size_t n = 0, want = kind && *kind == 'T' ? 5 + N_FIELDS : 3;

	while (n < want && (values[n] = get(&line)))
		values[n] = snapshot_keep(values[n]), n++;
	if (!kind || n < want || line)
		return false;
	if (*kind == 'G') {
		s->knobs = snapshot_grow(s->knobs, s->n_knobs, sizeof(*s->knobs));
		s->knobs[s->n_knobs++] =
		        (struct knob){strtoull(values[0], NULL, 10), values[1], values[2]};
		return true;
	}
	s->threads = snapshot_grow(s->threads, s->n_threads, sizeof(*s->threads));
	s->threads[s->n_threads] = (struct thread){
	        .tid = atoi(values[0]),
	        .tgid = atoi(values[1]),
	        .start = strtoull(values[2], NULL, 10),
	        .kernel = atoi(values[3]),
	        .comm = values[4],
	};
	memcpy(s->threads[s->n_threads++].values, values + 5, N_FIELDS * sizeof(char *));
	return true;
}

void snapshot_load(struct snapshot *s, const char *name)
{
	FILE *file = fopen(name, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		snapshot_die("cannot read", name);
	if (getline(&line, &size, file) < 0 || strcmp(line, FIRST_LINE) != 0) {
		errno = EBADMSG;
		snapshot_die("not a snapshot:", name);
	}
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (!load_line(s, line)) {
			errno = EBADMSG;
			snapshot_die("a line is damaged in", name);
		}
	}
	free(line);
	fclose(file);
}
