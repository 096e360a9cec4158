/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Adds the shared memory of guest pages, or the vsock of an agent, to a domain's XML, or removes
 * it: text in, text out, without calls to libvirt. The memory has two forms:
 *
 * - memfd, for a definition: QEMU arguments in <qemu:commandline> that make an ivshmem device on a
 *   sealed memfd. libvirt does not know the device, so it gets a PCI address that libvirt assigns
 *   to no other device;
 * - shmem, for a running domain: libvirt's <shmem role='master'>, named after the domain's uuid, so
 *   that no two domains share it.
 */

#include "util/base.h"
#include "virt/domain_names.h"

/** A change to make. Owned strings, or NULL. */
struct domain_xml_edit {
	char *xml;      /* from attach and detach: the whole new definition */
	char *added;    /* the part to add */
	char *removed;  /* the part to remove */
	char note[256]; /* printable ASCII; with an outcome: what is there already, or why not */
};

#define DOMAIN_XML_EDIT_NULL ((struct domain_xml_edit){0})

/** Frees what it owns. For CLEANUP(). */
void domain_xml_edit_cleanup(struct domain_xml_edit *edit);

/** Outcomes of the functions below. */
enum {
	DOMAIN_XML_UNCHANGED = 1, /* there is nothing to change */
	DOMAIN_XML_REFUSED,       /* it cannot be done */
};

/*
 * All take a domain's XML of @size bytes, as libvirt prints it, and fill *ret. Document types,
 * and with them entities, are refused; nothing is fetched.
 * Returns 0; DOMAIN_XML_UNCHANGED; DOMAIN_XML_REFUSED, also for text that is not a domain's XML;
 * -ENOMEM.
 */

/** Adds the memfd to a definition; replaces one that has become too small. */
int domain_xml_attach(const char *text, size_t size, struct domain_xml_edit *ret);

/** Removes memfd and shmem from a definition. */
int domain_xml_detach(const char *text, size_t size, struct domain_xml_edit *ret);

/** The device to plug into the running domain. ret->xml stays NULL. */
int domain_xml_plug(const char *text, size_t size, struct domain_xml_edit *ret);

/** The device to unplug from the running domain. ret->xml stays NULL. */
int domain_xml_unplug(const char *text, size_t size, struct domain_xml_edit *ret);

/*
 * The same for the vsock device by which a guest's agent connects. One that the domain has already
 * serves as well, and is not changed. Only one with our alias is removed.
 */

int domain_xml_attach_vsock(const char *text, size_t size, struct domain_xml_edit *ret);
int domain_xml_detach_vsock(const char *text, size_t size, struct domain_xml_edit *ret);
int domain_xml_plug_vsock(const char *text, size_t size, struct domain_xml_edit *ret);
int domain_xml_unplug_vsock(const char *text, size_t size, struct domain_xml_edit *ret);
