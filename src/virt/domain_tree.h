/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The parsed XML of a domain, and the parts of it that matter for shared memory and vsock. Private
 * to domain_xml.c.
 */

#include <libxml/tree.h>

#include "pvsched/page.h"
#include "util/base.h"
#include "util/cleanup.h"

#define DOMAIN_TREE_QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"

enum domain_bus {
	DOMAIN_BUS_NONE,
	DOMAIN_BUS_PCI,  /* called pci.0 by QEMU */
	DOMAIN_BUS_PCIE, /* called pcie.0 */
};

/** Our arguments of QEMU: pointers into the document, and texts, "" for a missing one. */
struct domain_memfd {
	xmlNode *object, *device; /* the <qemu:arg> of each value; its option is before it */
	char object_text[128];    /* the values; ours are never longer */
	char device_text[128];
	unsigned int slot; /* in the device's value, 1..31; 0: none */
	bool foreign;      /* an argument with our id is not ours, or is there twice */
};

struct domain_tree {
	xmlDoc *doc;
	xmlNode *root;
	bool has_doctype;       /* so nothing else of it was read */
	const char *type;       /* "" if there is none */
	char uuid[37];          /* "" if invalid; letters as in the document */
	unsigned int max_vcpus; /* 0: outside 1..PVSCHED_REGION_PAGES_MAX */
	enum domain_bus root_bus;
	bool pci_bridge; /* there is a bridge with slots of conventional PCI */
	uint32_t slots;  /* bit N: slot N of the root bus is taken (except by our memfd) */
	struct domain_memfd memfd;
	xmlNode *shmem; /* ours: named after the domain's uuid, role master; or NULL */
	const char *shmem_name;
	const char *shmem_foreign; /* a name that begins like ours and is not ours; or NULL */
};

/** Parses. Returns false if @text is not the XML of a domain. Clean @tree up in either case. */
bool domain_tree_parse(const char *text, size_t size, struct domain_tree *tree);

/** For CLEANUP(). */
void domain_tree_cleanup(struct domain_tree *tree);

/** Removes our arguments, and their element and namespace if nothing else uses these. */
void domain_tree_remove_memfd(struct domain_tree *tree);

/** Adds arguments after the existing ones. Returns 0, or -ENOMEM. */
int domain_tree_add_memfd(struct domain_tree *tree, const struct domain_memfd *memfd);

void domain_tree_remove_shmem(struct domain_tree *tree);

/** A domain's vsock device, of which it has one at most. */
struct domain_vsock {
	xmlNode *node;   /* NULL: it has none */
	bool ours;       /* it has our alias */
	const char *cid; /* the guest's, "" if it has none yet */
};

void domain_tree_read_vsock(const struct domain_tree *tree, struct domain_vsock *ret);

/** Adds one with our alias. Returns 0, or -ENOMEM. */
int domain_tree_add_vsock(struct domain_tree *tree);

void domain_tree_remove_vsock(struct domain_vsock *vsock);

/** The first element of that name within @parent, which may be NULL; of no namespace. */
xmlNode *domain_tree_child(const xmlNode *parent, const char *name);

/** The text of an attribute; "" if there is none. */
const char *domain_tree_attribute(const xmlNode *node, const char *name);

/**
 * Prints @node, indented, or with NULL the whole document as it is.
 * Returns 0 and *ret, or -ENOMEM.
 */
int domain_tree_print(const struct domain_tree *tree, xmlNode *node, char **ret);
