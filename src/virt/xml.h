/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * XML that others wrote, read from beginning to end without a tree. Document types are refused
 * where they begin, so there is no entity to expand and nothing to fetch; in a comment or a CDATA
 * section
 * "<!DOCTYPE" is text. Size, depth, attributes and memory are bounded.
 *
 * Texts are UTF-8. Any thread may parse.
 */

#include "util/base.h"

/** Elements within each other. */
#define XML_DEPTH_MAX 256

/** Attributes of one element. */
#define XML_ATTRIBUTES_MAX 256

/** What the parser may allocate, in bytes: twice a document of 4 MiB, and as much for the rest. */
#define XML_MEMORY_MAX (16 * 1024 * 1024)

/** The reason of a refusal, in printable ASCII, with line and column if it has a place. */
struct xml_error {
	char text[128];
};

/** A document that is being read. */
struct xml;

/**
 * An element begins. @name has its namespace, see xml_name_is(). @attributes: names, each followed
 * by its value, then NULL; declarations of namespaces are not among them. @depth: 0 for the root.
 */
typedef void (*xml_begin_fn)(struct xml *xml, const char *name, const char **attributes,
                             unsigned int depth, void *userdata);

/** An element ends; @depth as at its begin. */
typedef void (*xml_end_fn)(struct xml *xml, unsigned int depth, void *userdata);

/** A part of the text of the element at @depth, blanks included; a text may come in many parts. */
typedef void (*xml_text_fn)(struct xml *xml, const char *text, size_t size, unsigned int depth,
                            void *userdata);

struct xml_handlers {
	xml_begin_fn begin;
	xml_end_fn end; /* may be NULL */
	xml_text_fn text;
};

/**
 * Reads a document of @size bytes, of at most @max.
 * Returns 0; -EBADMSG with the reason in *error; -ENOMEM. After a failure the handlers may have
 * seen a part of the document.
 */
int xml_parse(const char *text, size_t size, size_t max, const struct xml_handlers *handlers,
              void *userdata, struct xml_error *error);

/**
 * For handlers: the document is refused. No handler is called any more, and xml_parse() returns
 * -EBADMSG with this reason. Anything but printable ASCII in it becomes "?".
 */
void xml_refuse(struct xml *xml, const char *format, ...) PRINTF_FORMAT(2, 3);

/** True if it is the name of the element or attribute @local in the namespace @uri, or in none. */
bool xml_name_is(const char *name, const char *uri, const char *local);

/** The name without its namespace. */
const char *xml_local_name(const char *name);

/** The value of the attribute @name, which has no namespace; NULL if there is none. */
const char *xml_attribute(const char **attributes, const char *name);
