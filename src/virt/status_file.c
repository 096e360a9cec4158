/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "util/cleanup.h"

static void cleanup_xml_doc(xmlDoc **doc)
{
	if (*doc)
		xmlFreeDoc(*doc);
}

struct status_file *status_file_free(struct status_file *status)
{
	if (!status)
		return NULL;
	free(status->vcpus);
	free(status);
	return NULL;
}

void status_file_cleanup(struct status_file **status)
{
	status_file_free(*status);
}

/** The next element called @name, from @node on among its siblings. */
static const xmlNode *next_element(const xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
			return node;
	return NULL;
}

static const xmlNode *child_element(const xmlNode *parent, const char *name)
{
	return parent ? next_element(parent->children, name) : NULL;
}

/** The text of an attribute or element that consists of one text node, else NULL. */
static const char *only_text(const xmlNode *children)
{
	if (!children || children->next || children->type != XML_TEXT_NODE)
		return NULL;
	return (const char *)children->content;
}

/** Reads an attribute that is a decimal number of at most @max. */
static bool number_attribute(const xmlNode *node, const char *name, unsigned long max,
                             unsigned long *ret)
{
	const xmlAttr *attribute = xmlHasProp(node, (const xmlChar *)name);
	const char *text = attribute ? only_text(attribute->children) : NULL;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *ret <= max;
}

static int read_vcpus(const xmlNode *vcpus, struct status_file *status)
{
	const xmlNode *node = child_element(vcpus, "vcpu");

	if (!node)
		return 0;
	status->vcpus = calloc(DOMAIN_VCPUS_MAX, sizeof(*status->vcpus));
	if (!status->vcpus)
		return -ENOMEM;
	for (; node; node = next_element(node->next, "vcpu")) {
		unsigned long index, tid;

		if (!number_attribute(node, "id", DOMAIN_VCPUS_MAX - 1, &index) ||
		    !number_attribute(node, "pid", INT32_MAX, &tid) || tid == 0)
			continue;
		if (status->n_vcpus == DOMAIN_VCPUS_MAX)
			break;
		status->vcpus[status->n_vcpus++] =
		        (struct status_vcpu){(unsigned int)index, (pid_t)tid};
	}
	return 0;
}

static void read_identity(const xmlNode *root, struct status_file *status)
{
	const xmlNode *uuid = child_element(child_element(root, "domain"), "uuid");
	const char *text = uuid ? only_text(uuid->children) : NULL;
	unsigned long pid;

	if (text && strlen(text) == DOMAIN_UUID_LEN - 1)
		memcpy(status->uuid, text, DOMAIN_UUID_LEN);
	if (number_attribute(root, "pid", INT32_MAX, &pid))
		status->qemu = (pid_t)pid;
}

int status_file_parse(const char *text, size_t size, struct status_file **ret)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	CLEANUP(cleanup_xml_doc) xmlDoc *doc = NULL;
	const xmlNode *root;
	int r;

	if (size > STATUS_FILE_MAX)
		return -EFBIG;
	/* Refused before the parser runs: it expands entities while it reads. */
	if (size == 0 || memmem(text, size, "<!DOCTYPE", strlen("<!DOCTYPE")))
		return -EBADMSG;
	doc = xmlReadMemory(text, (int)size, NULL, NULL,
	                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc)
		return -EBADMSG;
	root = xmlDocGetRootElement(doc);
	if (!root || strcmp((const char *)root->name, "domstatus") != 0)
		return -EBADMSG;
	status = calloc(1, sizeof(*status));
	if (!status)
		return -ENOMEM;
	read_identity(root, status);
	r = read_vcpus(child_element(root, "vcpus"), status);
	if (r < 0)
		return r;
	*ret = STEAL(status, NULL);
	return 0;
}

int status_file_read(const char *path, struct status_file **ret)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(cleanup_free) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > STATUS_FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	/* libvirt replaces the file by renaming, so one read sees one version of it. */
	n = read(fd, text, (size_t)st.st_size);
	if (n < 0)
		return -errno;
	return status_file_parse(text, (size_t)n, ret);
}
