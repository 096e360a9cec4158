/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

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

/** The elements that are looked into: of each, but a vsock, the first of its name. */
enum place {
	PLACE_NONE,
	PLACE_VCPUS,   /* domstatus/vcpus */
	PLACE_DOMAIN,  /* domstatus/domain */
	PLACE_UUID,    /* domstatus/domain/uuid */
	PLACE_DEVICES, /* domstatus/domain/devices */
	PLACE_VSOCK,   /* domstatus/domain/devices/vsock */
};

struct reading {
	struct status_file *status;
	enum place place;
	bool had_vcpus, had_domain, had_uuid, had_devices;
	bool odd_uuid;     /* it has more than text, or too long a text */
	size_t uuid_bytes; /* of the text so far */
};

/** Reads an attribute that is a decimal number of at most @max. */
static bool number_attribute(const char **attributes, const char *name, unsigned long max,
                             unsigned long *ret)
{
	const char *text = xml_attribute(attributes, name);
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *ret <= max;
}

static void read_vcpu(const char **attributes, struct status_file *status)
{
	unsigned long index, tid;

	if (status->n_vcpus == DOMAIN_VCPUS_MAX ||
	    !number_attribute(attributes, "id", DOMAIN_VCPUS_MAX - 1, &index) ||
	    !number_attribute(attributes, "pid", INT32_MAX, &tid) || tid == 0)
		return;
	status->vcpus[status->n_vcpus++] = (struct status_vcpu){(unsigned int)index, (pid_t)tid};
}

/** True the first time that the element is called @wanted. */
static bool is_first(const char *name, const char *wanted, bool *had)
{
	if (*had || strcmp(name, wanted) != 0)
		return false;
	*had = true;
	return true;
}

/** <cid auto='yes' address='3'/> */
static void read_cid(const char **attributes, struct status_file *status)
{
	unsigned long cid;

	if (number_attribute(attributes, "address", UINT32_MAX, &cid))
		cids_add(&status->cids, cid);
}

/** An element within the domain. */
static void enter_domain(struct reading *reading, const char *name)
{
	if (is_first(name, "uuid", &reading->had_uuid))
		reading->place = PLACE_UUID;
	else if (is_first(name, "devices", &reading->had_devices))
		reading->place = PLACE_DEVICES;
}

/** An element within the root. */
static void enter(struct reading *reading, const char *name)
{
	if (is_first(name, "vcpus", &reading->had_vcpus))
		reading->place = PLACE_VCPUS;
	else if (is_first(name, "domain", &reading->had_domain))
		reading->place = PLACE_DOMAIN;
}

static void on_begin(struct xml *xml, const char *name, const char **attributes, unsigned int depth,
                     void *userdata)
{
	struct reading *reading = userdata;
	unsigned long pid;

	if (depth == 0 && strcmp(name, "domstatus") != 0)
		xml_refuse(xml, "the element is <%.32s>, not <domstatus>", xml_local_name(name));
	else if (depth == 0 && number_attribute(attributes, "pid", INT32_MAX, &pid))
		reading->status->qemu = (pid_t)pid;
	else if (depth == 1)
		enter(reading, name);
	else if (depth == 2 && reading->place == PLACE_VCPUS && strcmp(name, "vcpu") == 0)
		read_vcpu(attributes, reading->status);
	else if (depth == 2 && reading->place == PLACE_DOMAIN)
		enter_domain(reading, name);
	else if (depth == 3 && reading->place == PLACE_DEVICES && strcmp(name, "vsock") == 0)
		reading->place = PLACE_VSOCK;
	else if (depth == 4 && reading->place == PLACE_VSOCK && strcmp(name, "cid") == 0)
		read_cid(attributes, reading->status);
	else if (reading->place == PLACE_UUID)
		reading->odd_uuid = true;
}

static void on_text(struct xml *xml, const char *text, size_t size, unsigned int depth,
                    void *userdata)
{
	struct reading *reading = userdata;

	(void)xml;
	(void)depth;
	if (reading->place != PLACE_UUID || reading->odd_uuid)
		return;
	if (size > DOMAIN_UUID_LEN - 1 - reading->uuid_bytes) {
		reading->odd_uuid = true;
		return;
	}
	memcpy(reading->status->uuid + reading->uuid_bytes, text, size);
	reading->uuid_bytes += size;
}

static void end_uuid(struct reading *reading)
{
	if (reading->odd_uuid || reading->uuid_bytes != DOMAIN_UUID_LEN - 1)
		memset(reading->status->uuid, 0, sizeof(reading->status->uuid));
	reading->place = PLACE_DOMAIN;
}

static void on_end(struct xml *xml, unsigned int depth, void *userdata)
{
	struct reading *reading = userdata;

	(void)xml;
	if (depth == 1)
		reading->place = PLACE_NONE;
	else if (depth == 2 && reading->place == PLACE_UUID)
		end_uuid(reading);
	else if (depth == 2 && reading->place == PLACE_DEVICES)
		reading->place = PLACE_DOMAIN;
	else if (depth == 3 && reading->place == PLACE_VSOCK)
		reading->place = PLACE_DEVICES;
}

int status_file_parse(const char *text, size_t size, struct status_file **ret,
                      struct xml_error *error)
{
	static const struct xml_handlers handlers = {on_begin, on_end, on_text};
	CLEANUP(status_file_cleanup)
	struct status_file *status = calloc(1, sizeof(*status));
	struct reading reading = {.status = status};
	int r;

	error->text[0] = '\0';
	if (status)
		status->vcpus = calloc(DOMAIN_VCPUS_MAX, sizeof(*status->vcpus));
	if (!status || !status->vcpus)
		return -ENOMEM;
	r = xml_parse(text, size, STATUS_FILE_MAX, &handlers, &reading, error);
	if (r < 0)
		return r;
	*ret = STEAL(status, NULL);
	return 0;
}

int status_file_read(const char *path, struct status_file **ret, struct xml_error *error)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(cleanup_free) char *text = NULL;
	struct stat st;
	ssize_t n;

	error->text[0] = '\0';
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
	return status_file_parse(text, (size_t)n, ret, error);
}
