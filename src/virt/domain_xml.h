/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A domain's XML, and the shared memory of guest pages in it: text in, text out. Nothing here knows
 * libvirt or a machine. Two forms are known:
 *
 * - memfd, for a definition: QEMU arguments in <qemu:commandline> that make an ivshmem device on a
 *   sealed memfd. libvirt does not know of the device, so it gets a PCI address that libvirt gives
 *   to nobody;
 * - shmem, for a running domain: libvirt's <shmem role='master'>, named after the domain's uuid, so
 *   that no two domains share it.
 */

#include "util/base.h"

/** Longer ones are refused; a large definition has some hundred KiB. */
#define DOMAIN_XML_MAX (8 * 1024 * 1024)

/** What the object and the device on the command line are called: the daemon looks for it. */
#define DOMAIN_XML_ID "pvsched"

/** The name of the file of <shmem>: this, and the domain's uuid. */
#define DOMAIN_XML_SHMEM_PREFIX "pvsched-"

/** What is to be done; owned strings, or NULL. */
struct domain_xml_edit {
	char *xml;      /* of attach and detach: the whole definition as it will be */
	char *added;    /* the part that comes */
	char *removed;  /* the part that goes */
	char note[256]; /* printable ASCII: with an outcome other than 0, what is there or why not
	                 */
};

#define DOMAIN_XML_EDIT_NULL ((struct domain_xml_edit){0})

/** Frees what it owns. For CLEANUP(). */
void domain_xml_edit_cleanup(struct domain_xml_edit *edit);

/** Outcomes of the four below. */
enum {
	DOMAIN_XML_UNCHANGED = 1, /* it is so already */
	DOMAIN_XML_REFUSED,       /* it cannot be */
};

/*
 * All take a domain's XML of @size bytes as libvirt hands it out, and fill *ret. Document types
 * (and with them entities) are refused, nothing is fetched. They return 0; DOMAIN_XML_UNCHANGED;
 * DOMAIN_XML_REFUSED, also when it is no such XML; -ENOMEM.
 */

/** Gives a definition the memfd; one that is too small by now is replaced. */
int domain_xml_attach(const char *text, size_t size, struct domain_xml_edit *ret);

/** Takes memfd and shmem out of a definition. */
int domain_xml_detach(const char *text, size_t size, struct domain_xml_edit *ret);

/** The device to plug into the running domain. ret->xml stays NULL. */
int domain_xml_plug(const char *text, size_t size, struct domain_xml_edit *ret);

/** The device to unplug from the running domain. ret->xml stays NULL. */
int domain_xml_unplug(const char *text, size_t size, struct domain_xml_edit *ret);
