/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/domain_xml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "virt/domain_tree.h"

void domain_xml_edit_cleanup(struct domain_xml_edit *edit)
{
	free(edit->xml);
	free(edit->added);
	free(edit->removed);
	*edit = DOMAIN_XML_EDIT_NULL;
}

/** Fills the note; anything but printable ASCII becomes "?". Returns @outcome. */
static int PRINTF_FORMAT(3, 4)
        say(struct domain_xml_edit *edit, int outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(edit->note, sizeof(edit->note), format, args);
	va_end(args);
	for (char *p = edit->note; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return outcome;
}

static int PRINTF_FORMAT(2, 3) print_to(char **ret, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(ret, format, args);
	va_end(args);
	if (n < 0)
		*ret = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/** Parses, and refuses XML that is not a domain's. */
static int read_domain(const char *text, size_t size, struct domain_tree *tree,
                       struct domain_xml_edit *ret)
{
	*ret = DOMAIN_XML_EDIT_NULL;
	*tree = (struct domain_tree){0};
	if (size > DOMAIN_XML_MAX)
		return say(ret, DOMAIN_XML_REFUSED, "its XML is larger than %d bytes",
		           DOMAIN_XML_MAX);
	if (!domain_tree_parse(text, size, tree))
		return say(ret, DOMAIN_XML_REFUSED, "its XML %s",
		           tree->has_doctype ? "has a document type" : "is not that of a domain");
	return 0;
}

/** Refuses a domain that cannot have shared memory at all. */
static int check_domain(const struct domain_tree *tree, struct domain_xml_edit *ret)
{
	if (strcmp(tree->type, "qemu") != 0 && strcmp(tree->type, "kvm") != 0)
		return say(ret, DOMAIN_XML_REFUSED,
		           "it is of type \"%.32s\": only qemu and kvm have shared memory of this "
		           "kind",
		           tree->type);
	if (tree->root_bus == DOMAIN_BUS_NONE)
		return say(ret, DOMAIN_XML_REFUSED,
		           "its machine has no PCI, and the shared memory is a PCI device");
	if (tree->max_vcpus == 0)
		return say(
		        ret, DOMAIN_XML_REFUSED,
		        "its number of vCPUs must be from 1 to %d, since each needs a guest page",
		        PVSCHED_REGION_PAGES_MAX);
	if (tree->shmem_foreign)
		return say(ret, DOMAIN_XML_REFUSED,
		           "it has <shmem name='%.64s'>, which other domains may share, or which "
		           "lacks role='master'. Remove it first: virsh edit",
		           tree->shmem_foreign);
	if (tree->memfd.foreign)
		return say(ret, DOMAIN_XML_REFUSED,
		           "its <qemu:commandline> uses the id " DOMAIN_XML_ID
		           " for something else. Remove that first: virsh edit");
	return 0;
}

/** A power of two of MiB that holds a header and a page for each vCPU. */
static unsigned int region_mib(const struct domain_tree *tree)
{
	unsigned long need = PVSCHED_PAGE_SIZE * (1UL + tree->max_vcpus);
	unsigned long size = PVSCHED_REGION_SIZE_MIN;

	while (size < need)
		size *= 2;
	return (unsigned int)(size / (1024 * 1024));
}

/**
 * Chooses a free slot on the root bus. libvirt counts up from 1, also for devices plugged in later,
 * and puts those of a q35 chipset at 0x1d and above. So the search goes down from 0x1c. Returns 0
 * if none is free.
 */
static unsigned int choose_slot(const struct domain_tree *tree)
{
	unsigned int slot = tree->memfd.slot;

	if (slot && !(tree->slots & (1U << slot)))
		return slot; /* the slot it has: the guest sees the device where it was */
	for (slot = 0x1c; slot >= 0x10; slot--)
		if (!(tree->slots & (1U << slot)))
			return slot;
	return 0;
}

static const char *const text_of_args = "<qemu:commandline xmlns:qemu='" DOMAIN_TREE_QEMU_URI "'>\n"
                                        "  <qemu:arg value='-object'/>\n"
                                        "  <qemu:arg value='%s'/>\n"
                                        "  <qemu:arg value='-device'/>\n"
                                        "  <qemu:arg value='%s'/>\n"
                                        "</qemu:commandline>\n";

/** Prints the arguments in @memfd as XML. None of them holds a quote or a "<". */
static int describe_memfd(const struct domain_memfd *memfd, char **ret)
{
	return print_to(ret, text_of_args, memfd->object_text, memfd->device_text);
}

int domain_xml_attach(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	struct domain_memfd wanted = {0};
	unsigned int slot;
	int r;

	r = read_domain(text, size, &tree, ret);
	if (r == 0)
		r = check_domain(&tree, ret);
	if (r != 0)
		return r;
	if (tree.shmem)
		return say(ret, DOMAIN_XML_UNCHANGED,
		           "it already has <shmem name='%.64s'>, which serves as well; to have a "
		           "memfd instead, detach that first",
		           tree.shmem_name);
	slot = choose_slot(&tree);
	if (slot == 0)
		return say(ret, DOMAIN_XML_REFUSED,
		           "no PCI slot from 0x10 to 0x1c of its first bus is free");
	snprintf(wanted.object_text, sizeof(wanted.object_text),
	         "memory-backend-memfd,id=" DOMAIN_XML_ID ",size=%uM,share=on,seal=on",
	         region_mib(&tree));
	snprintf(wanted.device_text, sizeof(wanted.device_text),
	         "ivshmem-plain,id=" DOMAIN_XML_ID ",memdev=" DOMAIN_XML_ID
	         ",master=on,bus=%s,addr=0x%02x",
	         tree.root_bus == DOMAIN_BUS_PCIE ? "pcie.0" : "pci.0", slot);
	if (strcmp(tree.memfd.object_text, wanted.object_text) == 0 &&
	    strcmp(tree.memfd.device_text, wanted.device_text) == 0)
		return say(ret, DOMAIN_XML_UNCHANGED, "it has the memfd already");
	if (tree.memfd.object || tree.memfd.device)
		r = describe_memfd(&tree.memfd, &ret->removed);
	if (r == 0)
		r = describe_memfd(&wanted, &ret->added);
	domain_tree_remove_memfd(&tree);
	if (r == 0)
		r = domain_tree_add_memfd(&tree, &wanted);
	return r == 0 ? domain_tree_print(&tree, NULL, &ret->xml) : r;
}

static int describe_removed(const struct domain_tree *tree, struct domain_xml_edit *ret)
{
	CLEANUP(cleanup_free) char *memfd = NULL;
	CLEANUP(cleanup_free) char *shmem = NULL;
	int r = 0;

	if (tree->memfd.object || tree->memfd.device)
		r = describe_memfd(&tree->memfd, &memfd);
	if (r == 0 && tree->shmem)
		r = domain_tree_print(tree, tree->shmem, &shmem);
	if (r == 0)
		r = print_to(&ret->removed, "%s%s%s", memfd ? memfd : "", shmem ? shmem : "",
		             shmem ? "\n" : "");
	return r;
}

int domain_xml_detach(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	int r;

	r = read_domain(text, size, &tree, ret);
	if (r != 0)
		return r;
	if (tree.memfd.foreign)
		return say(
		        ret, DOMAIN_XML_REFUSED,
		        "its <qemu:commandline> uses the id " DOMAIN_XML_ID
		        " for something that attach did not make. Remove it by hand: virsh edit");
	if (!tree.memfd.object && !tree.memfd.device && !tree.shmem)
		return say(ret, DOMAIN_XML_UNCHANGED, "it has none");
	r = describe_removed(&tree, ret);
	domain_tree_remove_memfd(&tree);
	domain_tree_remove_shmem(&tree);
	return r == 0 ? domain_tree_print(&tree, NULL, &ret->xml) : r;
}

int domain_xml_plug(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	int r;

	r = read_domain(text, size, &tree, ret);
	if (r == 0)
		r = check_domain(&tree, ret);
	if (r != 0)
		return r;
	if (tree.shmem)
		return say(ret, DOMAIN_XML_UNCHANGED, "it has <shmem name='%.64s'> already",
		           tree.shmem_name);
	if (tree.memfd.object)
		return say(ret, DOMAIN_XML_UNCHANGED,
		           "it has the memfd of its <qemu:commandline> already");
	if (tree.root_bus == DOMAIN_BUS_PCIE && !tree.pci_bridge)
		return say(ret, DOMAIN_XML_REFUSED,
		           "its machine is PCIe without a bridge to PCI, so this PCI device cannot "
		           "be plugged in while it runs. Use --persist; or give it a PCI "
		           "controller of the model pcie-to-pci-bridge, shut it off and start it");
	if (!tree.uuid[0])
		return say(ret, DOMAIN_XML_REFUSED, "its XML has no valid uuid");
	return print_to(&ret->added,
	                "<shmem name='" DOMAIN_XML_SHMEM_PREFIX "%s' role='master'>\n"
	                "  <model type='ivshmem-plain'/>\n"
	                "  <size unit='M'>%u</size>\n"
	                "</shmem>\n",
	                tree.uuid, region_mib(&tree));
}

int domain_xml_unplug(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	int r;

	r = read_domain(text, size, &tree, ret);
	if (r != 0)
		return r;
	if (tree.shmem)
		return describe_removed(&(struct domain_tree){.doc = tree.doc, .shmem = tree.shmem},
		                        ret);
	if (tree.memfd.object)
		return say(ret, DOMAIN_XML_REFUSED,
		           "it was started with the memfd, which cannot be unplugged. Detach it "
		           "with --persist: the memfd is gone after the next shutdown and start");
	return say(ret, DOMAIN_XML_UNCHANGED, "it has none");
}

/* ---- vsock ---- */

static const char *const text_of_vsock = "<vsock model='virtio'>\n"
                                         "  <cid auto='yes'/>\n"
                                         "  <alias name='" DOMAIN_XML_VSOCK_ALIAS "'/>\n"
                                         "</vsock>\n";

/* What attaching is to begin with. Returns 0 if the domain has no vsock device, and may have one.
 */
static int want_vsock(const char *text, size_t size, struct domain_tree *tree,
                      struct domain_xml_edit *ret)
{
	struct domain_vsock vsock;
	int r = read_domain(text, size, tree, ret);

	if (r != 0)
		return r;
	if (strcmp(tree->type, "qemu") != 0 && strcmp(tree->type, "kvm") != 0)
		return say(ret, DOMAIN_XML_REFUSED,
		           "it is of type \"%.32s\": only guests of qemu and kvm have agents",
		           tree->type);
	domain_tree_read_vsock(tree, &vsock);
	if (vsock.node)
		return say(ret, DOMAIN_XML_UNCHANGED, "it has a vsock device already%s%.16s%s",
		           *vsock.cid ? " (CID " : "", vsock.cid, *vsock.cid ? ")" : "");
	return print_to(&ret->added, "%s", text_of_vsock);
}

int domain_xml_plug_vsock(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;

	return want_vsock(text, size, &tree, ret);
}

int domain_xml_attach_vsock(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	int r = want_vsock(text, size, &tree, ret);

	if (r == 0)
		r = domain_tree_add_vsock(&tree);
	return r == 0 ? domain_tree_print(&tree, NULL, &ret->xml) : r;
}

/* What detaching is to begin with. Returns 0 if the domain has a vsock device that is ours. */
static int have_vsock(const char *text, size_t size, struct domain_tree *tree,
                      struct domain_vsock *vsock, struct domain_xml_edit *ret)
{
	int r = read_domain(text, size, tree, ret);

	if (r != 0)
		return r;
	domain_tree_read_vsock(tree, vsock);
	if (!vsock->node)
		return say(ret, DOMAIN_XML_UNCHANGED, "it has none");
	if (!vsock->ours)
		return say(ret, DOMAIN_XML_UNCHANGED,
		           "its vsock device is not one that attach made, so it stays");
	return domain_tree_print(tree, vsock->node, &ret->removed);
}

int domain_xml_unplug_vsock(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	struct domain_vsock vsock;

	return have_vsock(text, size, &tree, &vsock, ret);
}

int domain_xml_detach_vsock(const char *text, size_t size, struct domain_xml_edit *ret)
{
	CLEANUP(domain_tree_cleanup) struct domain_tree tree;
	struct domain_vsock vsock;
	int r = have_vsock(text, size, &tree, &vsock, ret);

	if (r != 0)
		return r;
	domain_tree_remove_vsock(&vsock);
	return domain_tree_print(&tree, NULL, &ret->xml);
}
