/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The parsed XML of a domain, and what of it matters for shared memory. Of domain_xml.c alone.
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

/** The arguments of QEMU that are ours; pointers into the document, texts "" where not there. */
struct domain_memfd {
	xmlNode *object, *device; /* the <qemu:arg>s of the values; the option's name is before */
	char object_text[128];    /* the values; of ours, none is longer */
	char device_text[128];
	unsigned int slot; /* in the device's value, 1..31; 0: none */
	bool foreign;      /* there is something else of that id, or twice */
};

struct domain_tree {
	xmlDoc *doc;
	xmlNode *root;
	const char *type;       /* "" if there is none */
	char uuid[37];          /* "" if it is not one; lower case as in the document */
	unsigned int max_vcpus; /* 0: not from 1 to PVSCHED_REGION_PAGES_MAX */
	enum domain_bus root_bus;
	bool pci_bridge; /* there is a bridge with slots of conventional PCI */
	uint32_t slots;  /* bit N: slot N of the root bus is taken, but for our memfd */
	struct domain_memfd memfd;
	xmlNode *shmem; /* ours: of the domain's own name, as master; or NULL */
	const char *shmem_name;
	const char *shmem_foreign; /* the name of one that begins like ours and is not; or NULL */
};

/** Parses. Returns false if it is not the XML of a domain; @tree is to be cleaned up in any case.
 */
bool domain_tree_parse(const char *text, size_t size, struct domain_tree *tree);

/** For CLEANUP(). */
void domain_tree_cleanup(struct domain_tree *tree);

/** Removes our arguments, and the element and the namespace around them if nothing else uses it. */
void domain_tree_remove_memfd(struct domain_tree *tree);

/** Adds arguments behind those that are there. Returns 0, or -ENOMEM. */
int domain_tree_add_memfd(struct domain_tree *tree, const struct domain_memfd *memfd);

void domain_tree_remove_shmem(struct domain_tree *tree);

/** The text of a node, indented for people; NULL: of the whole, as it is. Returns 0 and *ret, or
 * -ENOMEM. */
int domain_tree_print(const struct domain_tree *tree, xmlNode *node, char **ret);
