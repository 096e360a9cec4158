/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/xml.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

/** Between namespace and name. No document can contain it, so no namespace ends too early. */
#define SEPARATOR '\f'

struct xml {
	XML_Parser parser;
	const struct xml_handlers *handlers;
	void *userdata;
	struct xml_error *error;
	unsigned int depth; /* elements that are open */
	bool refused;
};

/* ---- memory: expat allocates for each attribute more than its text, before a handler sees it ----
 */

/** What the parser of this thread may still allocate: expat's functions have no argument of ours.
 */
static _Thread_local size_t memory_left;
static _Thread_local bool memory_exceeded;

static void *budget_realloc(void *old, size_t size)
{
	size_t had = malloc_usable_size(old);
	void *p;

	if (size > memory_left + had) {
		memory_exceeded = true;
		return NULL;
	}
	p = realloc(old, size);
	if (!p)
		return NULL;
	/* malloc() gives a little more than it was asked for: this may end below nothing. */
	memory_left += had;
	memory_left -= MIN(memory_left, malloc_usable_size(p));
	return p;
}

static void *budget_malloc(size_t size)
{
	return budget_realloc(NULL, MAX(size, (size_t)1));
}

static void budget_free(void *p)
{
	memory_left += malloc_usable_size(p);
	free(p);
}

/* ---- errors ---- */

static void PRINTF_FORMAT(2, 3) set_error(struct xml_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}

/** Ends the error with the place where the parser is. Columns count from 1. */
static void add_place(struct xml *xml)
{
	size_t n = strlen(xml->error->text);

	snprintf(xml->error->text + n, sizeof(xml->error->text) - n, " (line %lu, column %lu)",
	         (unsigned long)XML_GetCurrentLineNumber(xml->parser),
	         (unsigned long)XML_GetCurrentColumnNumber(xml->parser) + 1);
}

void xml_refuse(struct xml *xml, const char *format, ...)
{
	va_list args;

	if (xml->refused)
		return;
	xml->refused = true;
	va_start(args, format);
	vsnprintf(xml->error->text, sizeof(xml->error->text), format, args);
	va_end(args);
	for (char *p = xml->error->text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	add_place(xml);
	XML_StopParser(xml->parser, XML_FALSE);
}

/* ---- expat's handlers: some may still be called after the parser was told to stop ---- */

static void on_begin(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *xml = userdata;
	size_t n = 0;

	if (xml->refused)
		return;
	while (attributes[n])
		n++;
	if (n / 2 > XML_ATTRIBUTES_MAX)
		xml_refuse(xml, "has an element with more than %d attributes", XML_ATTRIBUTES_MAX);
	else if (xml->depth == XML_DEPTH_MAX)
		xml_refuse(xml, "has more than %d elements within each other", XML_DEPTH_MAX);
	else
		xml->handlers->begin(xml, name, attributes, xml->depth++, xml->userdata);
}

static void on_end(void *userdata, const XML_Char *name)
{
	struct xml *xml = userdata;

	(void)name;
	if (xml->refused)
		return;
	xml->depth--;
	if (xml->handlers->end)
		xml->handlers->end(xml, xml->depth, xml->userdata);
}

static void on_text(void *userdata, const XML_Char *text, int size)
{
	struct xml *xml = userdata;

	if (!xml->refused)
		xml->handlers->text(xml, text, (size_t)size, xml->depth - 1, xml->userdata);
}

/** Called before anything that the document type declares. */
static void on_doctype(void *userdata, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	xml_refuse(userdata, "has a document type");
}

static void set_handlers(struct xml *xml)
{
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, on_begin, on_end);
	XML_SetCharacterDataHandler(xml->parser, on_text);
	XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
	/* Without one for external entities, none is ever read. */
	XML_SetParamEntityParsing(xml->parser, XML_PARAM_ENTITY_PARSING_NEVER);
}

static int read_document(struct xml *xml, const char *text, size_t size)
{
	enum XML_Error code;

	/* Whole, in one call: a name cut in pieces would be read again with each piece. */
	if (XML_Parse(xml->parser, text, (int)size, 1) == XML_STATUS_OK)
		return 0;
	code = XML_GetErrorCode(xml->parser);
	if (code == XML_ERROR_NO_MEMORY && !memory_exceeded)
		return -ENOMEM;
	if (xml->refused)
		return -EBADMSG;
	if (code == XML_ERROR_NO_MEMORY)
		set_error(xml->error, "takes more than %d bytes to read", XML_MEMORY_MAX);
	else
		set_error(xml->error, "is not well-formed XML: %s", XML_ErrorString(code));
	add_place(xml);
	return -EBADMSG;
}

int xml_parse(const char *text, size_t size, size_t max, const struct xml_handlers *handlers,
              void *userdata, struct xml_error *error)
{
	static const XML_Memory_Handling_Suite memory = {budget_malloc, budget_realloc,
	                                                 budget_free};
	static const XML_Char separator[] = {SEPARATOR, '\0'};
	struct xml xml = {.handlers = handlers, .userdata = userdata, .error = error};
	int r;

	error->text[0] = '\0';
	if (size == 0 || size > max) {
		if (size == 0)
			set_error(error, "is empty");
		else
			set_error(error, "is larger than %zu bytes", max);
		return -EBADMSG;
	}
	memory_left = XML_MEMORY_MAX;
	memory_exceeded = false;
	xml.parser = XML_ParserCreate_MM("UTF-8", &memory, separator);
	if (!xml.parser)
		return -ENOMEM;
	set_handlers(&xml);
	r = read_document(&xml, text, size);
	XML_ParserFree(xml.parser);
	return r;
}

/* ---- names ---- */

const char *xml_local_name(const char *name)
{
	const char *separator = strchr(name, SEPARATOR);

	return separator ? separator + 1 : name;
}

bool xml_name_is(const char *name, const char *uri, const char *local)
{
	size_t n = (size_t)(xml_local_name(name) - name);

	if (strcmp(name + n, local) != 0)
		return false;
	if (!uri)
		return n == 0;
	return n == strlen(uri) + 1 && strncmp(name, uri, n - 1) == 0;
}

const char *xml_attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}
