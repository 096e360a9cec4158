/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virt/xml.h"

static void invalidate(struct domain_metadata *metadata, const char *why)
{
	*metadata = (struct domain_metadata){.state = DOMAIN_METADATA_INVALID};
	snprintf(metadata->error, sizeof(metadata->error), "%s", why);
}

static void read_number(struct xml *xml, const char **attribute, uint32_t min, uint32_t max,
                        uint32_t *ret)
{
	const char *name = attribute[0], *text = attribute[1];
	size_t n = strlen(text);
	unsigned long value;

	/* Few enough digits that the value cannot overflow. */
	if (n == 0 || n > 9 || strspn(text, "0123456789") != n) {
		xml_refuse(xml, "%s=\"%.32s\" is not a whole number from %u to %u", name, text, min,
		           max);
		return;
	}
	value = strtoul(text, NULL, 10);
	if (value < min || value > max)
		xml_refuse(xml, "%s=\"%lu\" must be from %u to %u", name, value, min, max);
	else
		*ret = (uint32_t)value;
}

static void read_profile(struct xml *xml, const char *text, struct domain_metadata *metadata)
{
	size_t n = strlen(text);

	if (n == 0 || n >= sizeof(metadata->profile) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		xml_refuse(xml, "profile=\"%.40s\" is not a profile's name", text);
	else
		memcpy(metadata->profile, text, n + 1);
}

/** @attribute: name, then value. */
static void read_attribute(struct xml *xml, const char **attribute,
                           struct domain_metadata *metadata)
{
	const char *name = attribute[0];

	if (xml_local_name(name) != name)
		xml_refuse(xml, "attribute %.32s has a namespace", xml_local_name(name));
	else if (strcmp(name, "profile") == 0)
		read_profile(xml, attribute[1], metadata);
	else if (strcmp(name, "share_permille") == 0)
		read_number(xml, attribute, DOMAIN_METADATA_SHARE_MIN, DOMAIN_METADATA_SHARE_MAX,
		            &metadata->share_permille);
	else if (strcmp(name, "burst_us") == 0)
		read_number(xml, attribute, DOMAIN_METADATA_BURST_US_MIN,
		            DOMAIN_METADATA_BURST_US_MAX, &metadata->burst_us);
	else
		xml_refuse(xml,
		           "unknown attribute %.32s; known ones: profile, share_permille, "
		           "burst_us",
		           name);
}

static void on_begin(struct xml *xml, const char *name, const char **attributes, unsigned int depth,
                     void *userdata)
{
	if (depth > 0)
		xml_refuse(xml, "<policy> must be empty");
	else if (strcmp(xml_local_name(name), "policy") != 0)
		xml_refuse(xml, "the element is <%.32s>, not <policy>", xml_local_name(name));
	else if (!xml_name_is(name, NULL, "policy") && !xml_name_is(name, METADATA_URI, "policy"))
		xml_refuse(xml, "its namespace is not " METADATA_URI);
	else if (!attributes[0])
		xml_refuse(xml, "<policy> has none of profile, share_permille, burst_us");
	else
		for (; *attributes; attributes += 2)
			read_attribute(xml, attributes, userdata);
}

static void on_text(struct xml *xml, const char *text, size_t size, unsigned int depth,
                    void *userdata)
{
	(void)depth;
	(void)userdata;
	for (size_t i = 0; i < size; i++)
		if (!strchr(" \t\r\n", text[i]))
			xml_refuse(xml, "<policy> must be empty");
}

void metadata_parse(const char *text, size_t size, struct domain_metadata *ret)
{
	static const struct xml_handlers handlers = {.begin = on_begin, .text = on_text};
	struct xml_error error;
	int r;

	*ret = (struct domain_metadata){.state = DOMAIN_METADATA_VALID};
	r = xml_parse(text, size, METADATA_MAX, &handlers, ret, &error);
	if (r < 0)
		invalidate(ret, r == -ENOMEM ? "cannot be read: out of memory" : error.text);
}

void metadata_unreadable(const char *why, struct domain_metadata *ret)
{
	char text[sizeof(ret->error)];

	snprintf(text, sizeof(text), "cannot be read: %s", why);
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	invalidate(ret, text);
}
