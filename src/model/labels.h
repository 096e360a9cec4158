/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What those who run a domain call it, beside its name and uuid: for entries of the configuration
 * and for people. Labels identify nothing: several domains may have the same ones, and they change
 * while a domain runs.
 */

#include <string.h>

#include "util/base.h"

#define LABEL_MAX      256 /* bytes of a title or flavor with the NUL */
#define LABEL_TAGS_MAX 16  /* further tags are left out */
#define LABEL_TAG_MAX  64  /* bytes of a tag with the NUL; longer ones are left out */

/** Digits of Proxmox's number of a VM: 100 to 999999999. */
#define LABEL_VMID_DIGITS_MAX 9
#define LABEL_VMID_MAX        999999999

/** All text is without control characters. It has no pointers, so it can be sent. */
struct domain_labels {
	uint32_t vmid;          /* Proxmox's number of the VM; 0: it is none of Proxmox's */
	char title[LABEL_MAX];  /* Proxmox: its name; Nova: its display name; else <title> */
	char flavor[LABEL_MAX]; /* Nova's */
	uint32_t n_tags;
	char tags[LABEL_TAGS_MAX][LABEL_TAG_MAX]; /* Proxmox's, in their order */
};

#define DOMAIN_LABELS_NULL ((struct domain_labels){0})

/**
 * Copies a text of @size bytes that may be anything.
 * Returns false, with *ret empty, if it is empty, does not fit in @room bytes with its NUL, or has
 * a control character.
 */
bool label_copy(const char *text, size_t size, char *ret, size_t room);

/** Adds a tag, if it is usable, there is room, and it is not there yet. */
void labels_add_tag(struct domain_labels *labels, const char *tag, size_t size);

/** Digits alone, or as a uuid is written. */
static inline bool label_may_be_an_identity(const char *title)
{
	size_t n = strlen(title);

	return strspn(title, "0123456789") == n ||
	       (n >= 32 && strspn(title, "0123456789abcdefABCDEF-") == n);
}

/**
 * The title of a VM of Proxmox's, which stands for its name beside its number. NULL: it has none,
 * is none of Proxmox's, or its title may be taken for the number or the uuid of another one, since
 * whoever may edit the VM chooses it.
 */
static inline const char *labels_name(const struct domain_labels *labels)
{
	return labels->vmid && labels->title[0] && !label_may_be_an_identity(labels->title)
	               ? labels->title
	               : NULL;
}

bool labels_equal(const struct domain_labels *a, const struct domain_labels *b);

/** True if what another process sent is what this header says. */
bool labels_valid(const struct domain_labels *labels);
