// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/read_all.h"
#include "util/replace_file.h"

#define HEAD     "pvsched-aside 1 "
#define LIST_MAX 8192

static const char *const kinds[_ASIDE_KIND_MAX] = {
        [ASIDE_SLICE] = "slice",         [ASIDE_TASK] = "task",
        [ASIDE_KTHREAD] = "kthread",     [ASIDE_IRQ] = "irq",
        [ASIDE_WORKQUEUE] = "workqueue", [ASIDE_IRQBALANCE] = "irqbalance",
        [ASIDE_KERNEL] = "kernel",
};

void aside_set_remove(struct cpu_set_bits *set, const struct cpu_set_bits *without)
{
	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
		set->words[i] &= ~without->words[i];
}

void aside_set_keep(struct cpu_set_bits *set, const struct cpu_set_bits *with)
{
	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
		set->words[i] &= with->words[i];
}

void aside_record_free(struct aside_record *record)
{
	free(record->entries);
	*record = (struct aside_record){0};
}

struct aside_entry *aside_record_find(const struct aside_record *record, enum aside_kind kind,
                                      const char *name)
{
	for (size_t i = 0; i < record->n; i++)
		if (record->entries[i].kind == kind && strcmp(record->entries[i].name, name) == 0)
			return &record->entries[i];
	return NULL;
}

static bool is_thread(enum aside_kind kind)
{
	return kind == ASIDE_TASK || kind == ASIDE_KTHREAD;
}

struct aside_entry *aside_record_task(const struct aside_record *record,
                                      const struct thread_id *thread)
{
	for (size_t i = 0; i < record->n; i++)
		if (is_thread(record->entries[i].kind) &&
		    thread_id_equal(&record->entries[i].thread, thread))
			return &record->entries[i];
	return NULL;
}

struct aside_entry *aside_record_add(struct aside_record *record, enum aside_kind kind,
                                     const char *name)
{
	struct aside_entry *entry;

	if (record->n == record->room) {
		size_t room = MAX(2 * record->room, (size_t)32);
		struct aside_entry *more;

		if (record->n == ASIDE_ENTRIES_MAX)
			return NULL;
		more = realloc(record->entries, room * sizeof(*more));
		if (!more)
			return NULL;
		record->entries = more;
		record->room = room;
	}
	entry = &record->entries[record->n++];
	*entry = (struct aside_entry){.kind = kind};
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

/* --- The text --- */

/* Cuts the next word off the line, which is changed. Returns NULL at its end. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " ");
	size_t size = strcspn(word, " ");

	if (!size)
		return NULL;
	*line = word + size;
	if (word[size])
		*(*line)++ = '\0';
	return word;
}

static int take_list(char **line, struct cpu_set_bits *ret)
{
	const char *word = next_word(line);

	*ret = CPU_SET_BITS_NULL;
	if (!word)
		return -EBADMSG;
	if (strcmp(word, "-") == 0)
		return 0;
	return cpulist_parse(word, ret) < 0 || cpu_set_bits_empty(ret) ? -EBADMSG : 0;
}

static int take_number(char **line, uint64_t max, uint64_t *ret)
{
	const char *word = next_word(line);
	char *end;

	if (!word || *word < '0' || *word > '9')
		return -EBADMSG;
	errno = 0;
	*ret = strtoull(word, &end, 10);
	return errno || *end || *ret > max ? -EBADMSG : 0;
}

static int take_entry(char *line, struct aside_record *record)
{
	const char *kind = next_word(&line), *name = next_word(&line);
	struct aside_entry *entry;
	uint64_t tid = 0;
	size_t which = 0;

	while (kind && which < _ASIDE_KIND_MAX && strcmp(kind, kinds[which]) != 0)
		which++;
	if (!name || which == _ASIDE_KIND_MAX || strlen(name) >= ASIDE_NAME_MAX ||
	    strchr(name, '/'))
		return -EBADMSG;
	entry = aside_record_add(record, (enum aside_kind)which, name);
	if (!entry)
		return record->n == ASIDE_ENTRIES_MAX ? -EBADMSG : -ENOMEM;
	if (is_thread(entry->kind)) {
		char *number = entry->name;

		if (take_number(&number, INT32_MAX, &tid) < 0 || !tid ||
		    take_number(&line, UINT64_MAX, &entry->thread.start_ticks) < 0)
			return -EBADMSG;
		entry->thread.tid = (pid_t)tid;
		entry->name[0] = '\0';
	}
	if (take_list(&line, &entry->prior) < 0 || take_list(&line, &entry->ours) < 0)
		return -EBADMSG;
	return next_word(&line) ? -EBADMSG : 0;
}

/* "pvsched-aside 1 applied 2-3" */
static int take_head(char *line, struct aside_record *record)
{
	const char *state;

	if (strncmp(line, HEAD, strlen(HEAD)) != 0)
		return -EBADMSG;
	line += strlen(HEAD);
	state = next_word(&line);
	if (!state || (strcmp(state, "applied") != 0 && strcmp(state, "changing") != 0))
		return -EBADMSG;
	record->changing = *state == 'c';
	return take_list(&line, &record->avoided) < 0 || next_word(&line) ? -EBADMSG : 0;
}

int aside_record_parse(const char *text, size_t size, struct aside_record *ret)
{
	char *copy CLEANUP(cleanup_free) = malloc(size + 1);
	bool headed = false;
	char *rest = copy;
	int r = 0;

	*ret = (struct aside_record){0};
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (strlen(copy) != size)
		return -EBADMSG;
	while (r == 0 && *rest) {
		char *line = strsep(&rest, "\n");

		/* the last line is whole, too */
		r = !rest ? -EBADMSG : headed ? take_entry(line, ret) : take_head(line, ret);
		headed = true;
	}
	if (r == 0 && !headed)
		r = -EBADMSG;
	if (r < 0)
		aside_record_free(ret);
	return r;
}

/* --- The file --- */

int aside_record_load(const char *path, struct aside_record *ret)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text CLEANUP(cleanup_free) = NULL;
	ssize_t n;

	*ret = (struct aside_record){0};
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	text = malloc(ASIDE_RECORD_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = read_all(fd, text, ASIDE_RECORD_MAX + 1);
	if (n < 0)
		return (int)n;
	return n > ASIDE_RECORD_MAX ? -EBADMSG : aside_record_parse(text, (size_t)n, ret);
}

static void put_list(FILE *f, const struct cpu_set_bits *set)
{
	char list[LIST_MAX];

	cpulist_format(set, list, sizeof(list));
	fprintf(f, " %s", list[0] ? list : "-");
}

static void put_entry(FILE *f, const struct aside_entry *entry)
{
	if (is_thread(entry->kind))
		fprintf(f, "%s %d %" PRIu64, kinds[entry->kind], (int)entry->thread.tid,
		        entry->thread.start_ticks);
	else
		fprintf(f, "%s %s", kinds[entry->kind], entry->name);
	put_list(f, &entry->prior);
	put_list(f, &entry->ours);
	fputc('\n', f);
}

int aside_record_store(const char *path, const struct aside_record *record)
{
	char *text CLEANUP(cleanup_free) = NULL;
	size_t size = 0, left = 0;
	FILE *f;

	for (size_t i = 0; i < record->n; i++)
		left += !record->entries[i].gone;
	if (!left)
		return replace_file_remove(path);
	f = open_memstream(&text, &size);
	if (!f)
		return -errno;
	fprintf(f, HEAD "%s", record->changing ? "changing" : "applied");
	put_list(f, &record->avoided);
	fputc('\n', f);
	for (size_t i = 0; i < record->n; i++)
		if (!record->entries[i].gone)
			put_entry(f, &record->entries[i]);
	if (fclose(f) != 0)
		return -ENOMEM;
	return size > ASIDE_RECORD_MAX ? -EFBIG : replace_file(path, text, size);
}
