// SPDX-License-Identifier: GPL-2.0-or-later
#include "virt/domain_tree.h"

#include <errno.h>
#include <string.h>

#include "virt/domain_names.h"

void domain_tree_read_vsock(const struct domain_tree *tree, struct domain_vsock *ret)
{
	xmlNode *node = domain_tree_child(domain_tree_child(tree->root, "devices"), "vsock");
	const xmlNode *alias = domain_tree_child(node, "alias");

	*ret = (struct domain_vsock){
	        .node = node,
	        .ours = strcmp(domain_tree_attribute(alias, "name"), DOMAIN_XML_VSOCK_ALIAS) == 0,
	        .cid = domain_tree_attribute(domain_tree_child(node, "cid"), "address"),
	};
}

static bool add_element(xmlNode *parent, const char *name, const char *key, const char *value)
{
	xmlNode *node = xmlNewChild(parent, NULL, (const xmlChar *)name, NULL);

	return node && xmlNewProp(node, (const xmlChar *)key, (const xmlChar *)value);
}

int domain_tree_add_vsock(struct domain_tree *tree)
{
	xmlNode *devices = domain_tree_child(tree->root, "devices"), *vsock;

	if (!devices)
		devices = xmlNewChild(tree->root, NULL, (const xmlChar *)"devices", NULL);
	vsock = devices ? xmlNewChild(devices, NULL, (const xmlChar *)"vsock", NULL) : NULL;
	if (!vsock || !xmlNewProp(vsock, (const xmlChar *)"model", (const xmlChar *)"virtio") ||
	    !add_element(vsock, "cid", "auto", "yes") ||
	    !add_element(vsock, "alias", "name", DOMAIN_XML_VSOCK_ALIAS))
		return -ENOMEM;
	return 0;
}

void domain_tree_remove_vsock(struct domain_vsock *vsock)
{
	xmlUnlinkNode(vsock->node);
	xmlFreeNode(vsock->node);
	vsock->node = NULL;
}
