/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/labels.h"

#include <string.h>

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

bool label_copy(const char *text, size_t size, char *ret, size_t room)
{
	ret[0] = '\0';
	if (size == 0 || size >= room)
		return false;
	for (size_t i = 0; i < size; i++)
		if (is_control(text[i]))
			return false;
	memcpy(ret, text, size);
	ret[size] = '\0';
	return true;
}

void labels_add_tag(struct domain_labels *labels, const char *tag, size_t size)
{
	char copy[LABEL_TAG_MAX];

	if (labels->n_tags == LABEL_TAGS_MAX || !label_copy(tag, size, copy, sizeof(copy)))
		return;
	for (uint32_t i = 0; i < labels->n_tags; i++)
		if (strcmp(labels->tags[i], copy) == 0)
			return;
	memcpy(labels->tags[labels->n_tags++], copy, strlen(copy) + 1);
}

bool labels_equal(const struct domain_labels *a, const struct domain_labels *b)
{
	if (a->vmid != b->vmid || a->n_tags != b->n_tags || strcmp(a->title, b->title) != 0 ||
	    strcmp(a->flavor, b->flavor) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_tags; i++)
		if (strcmp(a->tags[i], b->tags[i]) != 0)
			return false;
	return true;
}

/* Empty is valid, too. */
static bool is_label(const char *text, size_t room)
{
	const char *end = memchr(text, '\0', room);
	char copy[LABEL_MAX];

	return end && (end == text || label_copy(text, (size_t)(end - text), copy, room));
}

bool labels_valid(const struct domain_labels *labels)
{
	if (labels->vmid > LABEL_VMID_MAX || labels->n_tags > LABEL_TAGS_MAX ||
	    !is_label(labels->title, LABEL_MAX) || !is_label(labels->flavor, LABEL_MAX))
		return false;
	for (uint32_t i = 0; i < labels->n_tags; i++)
		if (!labels->tags[i][0] || !is_label(labels->tags[i], LABEL_TAG_MAX))
			return false;
	return true;
}
