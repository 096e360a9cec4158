/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/domain_tree.h"

#include <errno.h>
#include <string.h>

#include <libxml/parser.h>

#include "virt/domain_names.h"

static xmlNode *next_element(xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && !node->ns &&
		    strcmp((const char *)node->name, name) == 0)
			return node;
	return NULL;
}

xmlNode *domain_tree_child(const xmlNode *parent, const char *name)
{
	return parent ? next_element(parent->children, name) : NULL;
}

/** The same for elements of QEMU's namespace, whatever its prefix. */
static xmlNode *next_qemu_element(xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
		    strcmp((const char *)node->ns->href, DOMAIN_TREE_QEMU_URI) == 0 &&
		    strcmp((const char *)node->name, name) == 0)
			return node;
	return NULL;
}

static const char *only_text(const xmlNode *children)
{
	if (!children || children->next || children->type != XML_TEXT_NODE)
		return "";
	return (const char *)children->content;
}

const char *domain_tree_attribute(const xmlNode *node, const char *name)
{
	const xmlAttr *found = node ? xmlHasNsProp(node, (const xmlChar *)name, NULL) : NULL;

	return found ? only_text(found->children) : "";
}

static bool attribute_is(const xmlNode *node, const char *name, const char *value)
{
	return strcmp(domain_tree_attribute(node, name), value) == 0;
}

/** A number as libvirt writes it, "0x1f" or "31". Returns 0 if there is none. */
static unsigned long attribute_number(const xmlNode *node, const char *name)
{
	return strtoul(domain_tree_attribute(node, name), NULL, 0);
}

/* ---- devices ---- */

static void read_uuid(struct domain_tree *tree)
{
	const xmlNode *uuid = domain_tree_child(tree->root, "uuid");
	const char *text = uuid ? only_text(uuid->children) : "";

	if (strlen(text) == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36)
		memcpy(tree->uuid, text, 37);
}

static void read_vcpus(struct domain_tree *tree)
{
	const xmlNode *vcpu = domain_tree_child(tree->root, "vcpu");
	const char *text = vcpu ? only_text(vcpu->children) : "";
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 4 || text[digits] ||
	    strtoul(text, NULL, 10) > PVSCHED_REGION_PAGES_MAX)
		return;
	tree->max_vcpus = (unsigned int)strtoul(text, NULL, 10);
}

static void read_controller(const xmlNode *node, struct domain_tree *tree)
{
	const char *model = domain_tree_attribute(node, "model");

	if (!attribute_is(node, "type", "pci"))
		return;
	if (strcmp(model, "pci-root") == 0 && attribute_number(node, "index") == 0)
		tree->root_bus = DOMAIN_BUS_PCI;
	if (strcmp(model, "pcie-root") == 0)
		tree->root_bus = DOMAIN_BUS_PCIE;
	if (strcmp(model, "pcie-to-pci-bridge") == 0 || strcmp(model, "pci-bridge") == 0)
		tree->pci_bridge = true;
}

static void read_shmem(xmlNode *node, struct domain_tree *tree)
{
	size_t prefix = strlen(DOMAIN_XML_SHMEM_PREFIX);
	const char *name = domain_tree_attribute(node, "name");

	if (strncmp(name, DOMAIN_XML_SHMEM_PREFIX, prefix) != 0)
		return;
	if (tree->shmem || !tree->uuid[0] || strcmp(name + prefix, tree->uuid) != 0 ||
	    !attribute_is(node, "role", "master")) {
		tree->shmem_foreign = name;
		return;
	}
	tree->shmem = node;
	tree->shmem_name = name;
}

static void read_address(const xmlNode *device, struct domain_tree *tree)
{
	const xmlNode *address = domain_tree_child(device, "address");

	if (!attribute_is(address, "type", "pci") || attribute_number(address, "domain") != 0 ||
	    attribute_number(address, "bus") != 0)
		return;
	tree->slots |= 1U << (attribute_number(address, "slot") & 31);
}

static void read_devices(struct domain_tree *tree)
{
	const xmlNode *devices = domain_tree_child(tree->root, "devices");

	for (xmlNode *node = devices ? devices->children : NULL; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE || node->ns)
			continue;
		read_address(node, tree);
		if (strcmp((const char *)node->name, "controller") == 0)
			read_controller(node, tree);
		if (strcmp((const char *)node->name, "shmem") == 0)
			read_shmem(node, tree);
	}
}

/* ---- arguments of QEMU ---- */

/** True if one of the comma-separated properties of an option's value is @property. */
static bool has_property(const char *value, const char *property)
{
	size_t length = strlen(property);

	for (;; value++) {
		if (strncmp(value, property, length) == 0 &&
		    (value[length] == '\0' || value[length] == ','))
			return true;
		value = strchr(value, ',');
		if (!value)
			return false;
	}
}

/** The slot after "addr", in key=value or JSON notation. QEMU reads it as hexadecimal. */
static unsigned int slot_of(const char *value)
{
	unsigned long slot;

	value += strspn(value, "\"=: ");
	slot = strtoul(value, NULL, 16);
	return slot < 32 ? (unsigned int)slot : 0;
}

/**
 * Marks slots that other arguments take. It checks neither which bus they mean nor that this is a
 * PCI address: to avoid a slot that is free does no harm.
 */
static void read_slots(const char *value, struct domain_tree *tree)
{
	while ((value = strstr(value, "addr"))) {
		value += strlen("addr");
		tree->slots |= 1U << slot_of(value);
	}
}

/** Stores one of our arguments. Returns false if it is a second one, too long, or needs quoting. */
static bool take_argument(xmlNode *arg, const char *value, xmlNode **node, char *text, size_t size)
{
	if (*node || strlen(value) >= size || strpbrk(value, "'<&"))
		return false;
	*node = arg;
	memcpy(text, value, strlen(value) + 1);
	return true;
}

/** Reads @arg, the value of the option @option, which is the argument before it. */
static void read_argument(xmlNode *arg, const char *option, struct domain_tree *tree)
{
	struct domain_memfd *memfd = &tree->memfd;
	const char *value = domain_tree_attribute(arg, "value");
	const char *at = strstr(value, ",addr=");

	if (strcmp(option, "-object") == 0 && strncmp(value, "memory-backend-", 15) == 0 &&
	    has_property(value, "id=" DOMAIN_XML_ID)) {
		memfd->foreign |= !take_argument(arg, value, &memfd->object, memfd->object_text,
		                                 sizeof(memfd->object_text));
	} else if (strcmp(option, "-device") == 0 && strncmp(value, "ivshmem-plain,", 14) == 0 &&
	           has_property(value, "memdev=" DOMAIN_XML_ID)) {
		memfd->foreign |= !take_argument(arg, value, &memfd->device, memfd->device_text,
		                                 sizeof(memfd->device_text));
		memfd->slot = at ? slot_of(at + strlen(",addr")) : 0;
	} else {
		memfd->foreign |= has_property(value, "id=" DOMAIN_XML_ID) ||
		                  strstr(value, "\"" DOMAIN_XML_ID "\"");
		read_slots(value, tree);
	}
}

static void read_arguments(struct domain_tree *tree)
{
	xmlNode *element = next_qemu_element(tree->root->children, "commandline");

	for (; element; element = next_qemu_element(element->next, "commandline")) {
		xmlNode *arg = next_qemu_element(element->children, "arg");
		const char *option = "";

		for (; arg; arg = next_qemu_element(arg->next, "arg")) {
			read_argument(arg, option, tree);
			option = domain_tree_attribute(arg, "value");
		}
	}
}

/** Called where a document type begins, before anything that it declares: entities, which expand.
 */
static void on_doctype(void *context, const xmlChar *name, const xmlChar *public,
                       const xmlChar *system)
{
	xmlParserCtxt *parser = context;
	bool *has_doctype = parser->_private;

	(void)name;
	(void)public;
	(void)system;
	*has_doctype = true;
	xmlStopParser(parser);
}

/** Parses well-formed XML, namespaces included: libxml2 itself accepts undeclared prefixes. */
static xmlDoc *parse(const char *text, size_t size, bool *has_doctype)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();
	xmlDoc *doc = NULL;

	if (!parser)
		return NULL;
	parser->_private = has_doctype;
	parser->sax->internalSubset = on_doctype;
	/* libvirt sends UTF-8, whatever the document says of itself. */
	doc = xmlCtxtReadMemory(parser, text, (int)size, NULL, "UTF-8",
	                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc && (*has_doctype || !parser->nsWellFormed)) {
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(parser);
	return doc;
}

bool domain_tree_parse(const char *text, size_t size, struct domain_tree *tree)
{
	*tree = (struct domain_tree){.type = ""};
	if (size == 0 || size > DOMAIN_XML_MAX)
		return false;
	tree->doc = parse(text, size, &tree->has_doctype);
	if (!tree->doc)
		return false;
	tree->root = xmlDocGetRootElement(tree->doc);
	if (!tree->root || tree->root->ns || strcmp((const char *)tree->root->name, "domain") != 0)
		return false;
	tree->type = domain_tree_attribute(tree->root, "type");
	read_uuid(tree);
	read_vcpus(tree);
	read_devices(tree);
	read_arguments(tree);
	return true;
}

void domain_tree_cleanup(struct domain_tree *tree)
{
	if (tree->doc)
		xmlFreeDoc(tree->doc);
	*tree = (struct domain_tree){0};
}

/* ---- edits ---- */

static void remove_node(xmlNode *node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

/** The argument before @value, which is the option's name. */
static xmlNode *option_before(xmlNode *value)
{
	xmlNode *node = value->prev;

	while (node && next_qemu_element(node, "arg") != node)
		node = node->prev;
	return node;
}

static void remove_argument(xmlNode **value)
{
	xmlNode *option = *value ? option_before(*value) : NULL;

	if (option)
		remove_node(option);
	if (*value)
		remove_node(*value);
	*value = NULL;
}

/** True if a node of the tree @root, or an attribute of one, has the namespace @ns. */
static bool uses_namespace(const xmlNode *root, const xmlNs *ns)
{
	const xmlNode *node = root;

	while (node) {
		if (node->type == XML_ELEMENT_NODE) {
			if (node->ns == ns)
				return true;
			for (const xmlAttr *a = node->properties; a; a = a->next)
				if (a->ns == ns)
					return true;
		}
		if (node->type == XML_ELEMENT_NODE && node->children) {
			node = node->children;
			continue;
		}
		while (node != root && !node->next)
			node = node->parent;
		node = node == root ? NULL : node->next;
	}
	return false;
}

static void remove_unused_namespace(xmlNode *root)
{
	for (xmlNs **ns = &root->nsDef; *ns; ns = &(*ns)->next) {
		xmlNs *unused = *ns;

		if (strcmp(unused->href ? (const char *)unused->href : "", DOMAIN_TREE_QEMU_URI) !=
		            0 ||
		    uses_namespace(root, unused))
			continue;
		*ns = unused->next;
		xmlFreeNs(unused);
		return;
	}
}

void domain_tree_remove_memfd(struct domain_tree *tree)
{
	xmlNode *value = tree->memfd.object ? tree->memfd.object : tree->memfd.device;
	xmlNode *commandline = value ? value->parent : NULL;

	remove_argument(&tree->memfd.object);
	remove_argument(&tree->memfd.device);
	if (!commandline || xmlFirstElementChild(commandline))
		return;
	remove_node(commandline);
	remove_unused_namespace(tree->root);
}

void domain_tree_remove_shmem(struct domain_tree *tree)
{
	if (tree->shmem)
		remove_node(tree->shmem);
	tree->shmem = NULL;
	tree->shmem_name = NULL;
}

/** Finds or declares QEMU's namespace on the root. Returns NULL when out of memory. */
static xmlNs *qemu_namespace(xmlNode *root)
{
	static const char *const prefixes[] = {"qemu", "pvsched-qemu", "pvsched-qemu-args"};
	xmlNs *found = NULL;

	for (xmlNs *ns = root->nsDef; ns; ns = ns->next)
		if (ns->prefix && ns->href &&
		    strcmp((const char *)ns->href, DOMAIN_TREE_QEMU_URI) == 0)
			return ns;
	/* xmlNewNs() refuses a prefix that is bound to another namespace. */
	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && !found; i++)
		found = xmlNewNs(root, (const xmlChar *)DOMAIN_TREE_QEMU_URI,
		                 (const xmlChar *)prefixes[i]);
	return found;
}

static xmlNode *last_argument(xmlNode *commandline)
{
	xmlNode *last = NULL, *arg = next_qemu_element(commandline->children, "arg");

	for (; arg; arg = next_qemu_element(arg->next, "arg"))
		last = arg;
	return last;
}

/** Adds an argument after the last one, or as the first child: all come before any <qemu:env>. */
static int add_argument(xmlNode *commandline, const char *value)
{
	xmlNode *last = last_argument(commandline);
	xmlNode *arg =
	        xmlNewDocNode(commandline->doc, commandline->ns, (const xmlChar *)"arg", NULL);

	if (!arg)
		return -ENOMEM;
	if (!xmlNewProp(arg, (const xmlChar *)"value", (const xmlChar *)value)) {
		xmlFreeNode(arg);
		return -ENOMEM;
	}
	if (last)
		xmlAddNextSibling(last, arg);
	else if (commandline->children)
		xmlAddPrevSibling(commandline->children, arg);
	else
		xmlAddChild(commandline, arg);
	return 0;
}

int domain_tree_add_memfd(struct domain_tree *tree, const struct domain_memfd *memfd)
{
	xmlNode *commandline = next_qemu_element(tree->root->children, "commandline");
	int r;

	if (!commandline) {
		xmlNs *ns = qemu_namespace(tree->root);

		commandline = ns ? xmlNewChild(tree->root, ns, (const xmlChar *)"commandline", NULL)
		                 : NULL;
	}
	if (!commandline)
		return -ENOMEM;
	r = add_argument(commandline, "-object");
	if (r == 0)
		r = add_argument(commandline, memfd->object_text);
	if (r == 0)
		r = add_argument(commandline, "-device");
	return r == 0 ? add_argument(commandline, memfd->device_text) : r;
}

/** Copies a node without its indentation. The caller frees the copy. */
static xmlNode *copy_bare(const struct domain_tree *tree, xmlNode *node)
{
	xmlNode *copy = xmlDocCopyNode(node, tree->doc, 1), *next;

	for (xmlNode *child = copy ? copy->children : NULL; child; child = next) {
		next = child->next;
		if (xmlIsBlankNode(child))
			remove_node(child);
	}
	return copy;
}

int domain_tree_print(const struct domain_tree *tree, xmlNode *node, char **ret)
{
	xmlNode *copy = node ? copy_bare(tree, node) : NULL;
	xmlBuffer *buffer = xmlBufferCreate();
	int r = -ENOMEM;

	if (buffer && (copy || !node) &&
	    xmlNodeDump(buffer, tree->doc, copy ? copy : tree->root, 0, copy != NULL) >= 0) {
		*ret = strdup((const char *)xmlBufferContent(buffer));
		r = *ret ? 0 : -ENOMEM;
	}
	if (buffer)
		xmlBufferFree(buffer);
	if (copy)
		xmlFreeNode(copy);
	return r;
}
