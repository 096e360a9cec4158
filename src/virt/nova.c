/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/nova.h"

#include <string.h>

#include "virt/xml.h"

struct reading {
	struct domain_labels *labels;
	bool in_name; /* within <name>, at depth 1 */
	char name[LABEL_MAX];
	size_t size; /* of it; LABEL_MAX or more: it is too long */
};

static bool is_nova(const char *name, const char *local)
{
	return xml_name_is(name, NULL, local) || xml_name_is(name, NOVA_URI, local) ||
	       xml_name_is(name, NOVA_URI_OLD, local);
}

static void read_flavor(const char **attributes, struct domain_labels *labels)
{
	const char *name = xml_attribute(attributes, "name");

	if (name)
		label_copy(name, strlen(name), labels->flavor, sizeof(labels->flavor));
}

static void on_begin(struct xml *xml, const char *name, const char **attributes, unsigned int depth,
                     void *userdata)
{
	struct reading *reading = userdata;

	if (depth == 0 && !is_nova(name, "instance"))
		xml_refuse(xml, "the element is <%.32s>, not <instance>", xml_local_name(name));
	else if (depth == 1 && is_nova(name, "flavor"))
		read_flavor(attributes, reading->labels);
	if (depth == 1) {
		reading->in_name = is_nova(name, "name");
		if (reading->in_name)
			reading->size = 0; /* the last one counts */
	}
}

static void on_end(struct xml *xml, unsigned int depth, void *userdata)
{
	struct reading *reading = userdata;

	(void)xml;
	if (depth == 1)
		reading->in_name = false;
}

static void on_text(struct xml *xml, const char *text, size_t size, unsigned int depth,
                    void *userdata)
{
	struct reading *reading = userdata;

	(void)xml;
	if (!reading->in_name || depth != 1)
		return;
	if (reading->size + size <= sizeof(reading->name))
		memcpy(reading->name + reading->size, text, size);
	reading->size = MIN(reading->size + size, sizeof(reading->name));
}

int nova_parse(const char *text, size_t size, struct domain_labels *ret)
{
	static const struct xml_handlers handlers = {on_begin, on_end, on_text};
	struct reading reading = {.labels = ret};
	struct xml_error error;
	int r;

	ret->title[0] = ret->flavor[0] = '\0';
	r = xml_parse(text, size, NOVA_MAX, &handlers, &reading, &error);
	if (r < 0)
		ret->title[0] = ret->flavor[0] = '\0';
	else
		label_copy(reading.name, reading.size, ret->title, sizeof(ret->title));
	return r;
}
