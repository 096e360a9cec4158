/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/metadata.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

static void cleanup_xml_doc(xmlDoc **doc)
{
	if (*doc)
		xmlFreeDoc(*doc);
}

/**
 * Marks the metadata invalid. In the message, anything but printable ASCII becomes "?". Returns
 * false.
 */
static bool PRINTF_FORMAT(2, 3) fail(struct domain_metadata *metadata, const char *format, ...)
{
	va_list args;

	*metadata = (struct domain_metadata){.state = DOMAIN_METADATA_INVALID};
	va_start(args, format);
	vsnprintf(metadata->error, sizeof(metadata->error), format, args);
	va_end(args);
	for (char *p = metadata->error; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return false;
}

/** The text of an attribute; NULL if it is anything but plain text. */
static const char *attribute_text(const xmlAttr *attribute)
{
	const xmlNode *text = attribute->children;

	if (!text)
		return "";
	if (text->next || text->type != XML_TEXT_NODE)
		return NULL;
	return (const char *)text->content;
}

static bool read_number(const char *name, const char *text, unsigned long min, unsigned long max,
                        uint32_t *ret, struct domain_metadata *metadata)
{
	size_t n = strlen(text);
	unsigned long value;

	/* Few enough digits that the value cannot overflow. */
	if (n == 0 || n > 9 || strspn(text, "0123456789") != n)
		return fail(metadata, "%s=\"%.32s\" is not a whole number from %lu to %lu", name,
		            text, min, max);
	value = strtoul(text, NULL, 10);
	if (value < min || value > max)
		return fail(metadata, "%s=\"%lu\" must be from %lu to %lu", name, value, min, max);
	*ret = (uint32_t)value;
	return true;
}

static bool read_profile(const char *text, struct domain_metadata *metadata)
{
	size_t n = strlen(text);

	if (n == 0 || n >= sizeof(metadata->profile) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return fail(metadata, "profile=\"%.40s\" is not a profile's name", text);
	memcpy(metadata->profile, text, n + 1);
	return true;
}

static bool read_attribute(const xmlAttr *attribute, struct domain_metadata *metadata)
{
	const char *name = (const char *)attribute->name;
	const char *text = attribute_text(attribute);

	if (!text || attribute->ns)
		return fail(metadata,
		            "attribute %.32s: only plain text, without a namespace, is "
		            "accepted",
		            name);
	if (strcmp(name, "profile") == 0)
		return read_profile(text, metadata);
	if (strcmp(name, "share_permille") == 0)
		return read_number(name, text, DOMAIN_METADATA_SHARE_MIN, DOMAIN_METADATA_SHARE_MAX,
		                   &metadata->share_permille, metadata);
	if (strcmp(name, "burst_us") == 0)
		return read_number(name, text, DOMAIN_METADATA_BURST_US_MIN,
		                   DOMAIN_METADATA_BURST_US_MAX, &metadata->burst_us, metadata);
	return fail(metadata,
	            "unknown attribute %.32s; known ones: profile, share_permille, burst_us", name);
}

static bool check_element(const xmlNode *root, struct domain_metadata *metadata)
{
	if (!root || strcmp((const char *)root->name, "policy") != 0)
		return fail(metadata, "the element is <%.32s>, not <policy>",
		            root ? (const char *)root->name : "");
	if (root->ns && strcmp((const char *)root->ns->href, METADATA_URI) != 0)
		return fail(metadata, "its namespace is not " METADATA_URI);
	for (const xmlNode *node = root->children; node; node = node->next)
		if (node->type != XML_COMMENT_NODE && !xmlIsBlankNode(node))
			return fail(metadata, "<policy> must be empty");
	if (!root->properties)
		return fail(metadata, "<policy> has none of profile, share_permille, burst_us");
	return true;
}

void metadata_parse(const char *text, size_t size, struct domain_metadata *ret)
{
	CLEANUP(cleanup_xml_doc) xmlDoc *doc = NULL;
	const xmlNode *root;

	*ret = (struct domain_metadata){.state = DOMAIN_METADATA_VALID};
	if (size > METADATA_MAX) {
		fail(ret, "is larger than %d bytes", METADATA_MAX);
		return;
	}
	/* Refused before the parser runs: it expands entities while it reads. */
	if (size == 0 || memmem(text, size, "<!DOCTYPE", strlen("<!DOCTYPE"))) {
		fail(ret, "%s", size ? "has a document type" : "is empty");
		return;
	}
	/* libvirt sends UTF-8. In another encoding the search for a DOCTYPE would miss one. */
	doc = xmlReadMemory(text, (int)size, NULL, "UTF-8",
	                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc) {
		fail(ret, "is not well-formed XML");
		return;
	}
	root = xmlDocGetRootElement(doc);
	if (!check_element(root, ret))
		return;
	for (const xmlAttr *a = root->properties; a; a = a->next)
		if (!read_attribute(a, ret))
			return;
}

void metadata_unreadable(const char *why, struct domain_metadata *ret)
{
	fail(ret, "cannot be read: %s", why);
}
