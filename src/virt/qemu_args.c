/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/qemu_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/procfs_parse.h"

/** A longer -device in JSON is none of a vsock. */
#define DEVICE_JSON_MAX 4096

#define VSOCK_DRIVER "vhost-vsock-" /* pci, device, ccw, pci-non-transitional */

/** One "key=value" of an option's text. */
struct pair {
	char key[16];
	char value[DOMAIN_NAME_MAX];
	bool cut; /* the value was longer */
};

static void append(char *buffer, size_t size, size_t *used, char c, bool *cut)
{
	if (*used + 1 < size)
		buffer[(*used)++] = c;
	else if (cut)
		*cut = true;
	buffer[*used] = '\0';
}

/**
 * Takes the next pair: a key up to '=' or ',', a value up to ','. In it ",," stands for a comma.
 * @implied  the key of a first pair without one
 * Returns false at the end.
 */
static bool next_pair(const char **at, const char *implied, struct pair *ret)
{
	size_t key_size = strcspn(*at, "=,"), n = 0;
	const char *text = *at;

	if (*text == '\0')
		return false;
	*ret = (struct pair){0};
	if (text[key_size] == '=') {
		snprintf(ret->key, sizeof(ret->key), "%.*s", (int)MIN(key_size, (size_t)64), text);
		text += key_size + 1;
	} else {
		snprintf(ret->key, sizeof(ret->key), "%s", implied);
	}
	for (; *text && (*text != ',' || text[1] == ','); text++) {
		if (*text == ',')
			text++;
		append(ret->value, sizeof(ret->value), &n, *text, &ret->cut);
	}
	*at = *text == ',' ? text + 1 : text;
	return true;
}

static bool is_usable_name(const struct pair *pair)
{
	const char *c;

	for (c = pair->value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return !pair->cut && pair->value[0];
}

static void read_name(const char *text, struct qemu_args *args)
{
	const char *implied = "guest";
	struct pair pair;

	for (; next_pair(&text, implied, &pair); implied = "") {
		if (strcmp(pair.key, "guest") == 0 && is_usable_name(&pair))
			memcpy(args->name, pair.value, DOMAIN_NAME_MAX);
		else if (strcmp(pair.key, "debug-threads") == 0)
			args->debug_threads = strcmp(pair.value, "on") == 0;
	}
}

static void read_machine(const char *text, struct qemu_args *args)
{
	size_t length;
	const char *type = topology_machine_type(text, &length);

	if (type)
		args->no_machine = length == strlen("none") && memcmp(type, "none", length) == 0;
}

/** Copies a uuid in canonical form with small letters; leaves @uuid alone if @text is none. */
static void read_uuid(const char *text, char uuid[static DOMAIN_UUID_LEN])
{
	char copy[DOMAIN_UUID_LEN] = "";
	size_t i;

	for (i = 0; i + 1 < DOMAIN_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return;
		copy[i] = c;
	}
	if (text[i] == '\0')
		memcpy(uuid, copy, sizeof(copy));
}

static void read_smbios(const char *text, char uuid[static DOMAIN_UUID_LEN])
{
	char found[DOMAIN_UUID_LEN] = "";
	const char *implied = "";
	bool system = false;
	struct pair pair;

	for (; next_pair(&text, implied, &pair); implied = "") {
		if (strcmp(pair.key, "type") == 0)
			system = strcmp(pair.value, "1") == 0;
		else if (strcmp(pair.key, "uuid") == 0)
			read_uuid(pair.value, found);
	}
	if (system && found[0])
		memcpy(uuid, found, sizeof(found));
}

static bool is_vmid(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return *text >= '1' && *text <= '9' && digits <= LABEL_VMID_DIGITS_MAX &&
	       text[digits] == '\0';
}

/** As QEMU reads numbers: decimal, hexadecimal or octal. 0: none. */
static uint64_t number_of(const char *text)
{
	uint64_t number;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0' ? number : 0;
}

/** {"driver":"vhost-vsock-pci","id":"vsock0","guest-cid":3}: libvirt's form. */
static void read_device_json(const char *text, struct domain_cids *cids)
{
	CLEANUP(json_cleanup) struct json_doc *doc = NULL;
	const struct json_value *root;
	struct json_error error;
	char driver[64] = "";
	int64_t cid = 0;

	if (strnlen(text, DEVICE_JSON_MAX) == DEVICE_JSON_MAX || !strstr(text, VSOCK_DRIVER) ||
	    json_parse(text, strlen(text), &doc, &error) < 0)
		return;
	root = json_root(doc);
	if (json_get_string(root, "driver", driver, sizeof(driver), &error) == 0 &&
	    json_get_integer(root, "guest-cid", CID_MIN, CID_MAX, &cid, &error) == 0 &&
	    strncmp(driver, VSOCK_DRIVER, strlen(VSOCK_DRIVER)) == 0)
		cids_add(cids, (uint64_t)cid);
}

static void read_device(const char *text, struct domain_cids *cids)
{
	const char *implied = "driver";
	bool vsock = false;
	uint64_t cid = 0;
	struct pair pair;

	if (*text == '{') {
		read_device_json(text, cids);
		return;
	}
	for (; next_pair(&text, implied, &pair); implied = "") {
		if (strcmp(pair.key, "driver") == 0)
			vsock = strncmp(pair.value, VSOCK_DRIVER, strlen(VSOCK_DRIVER)) == 0;
		else if (strcmp(pair.key, "guest-cid") == 0)
			cid = number_of(pair.value);
	}
	if (vsock)
		cids_add(cids, cid);
}

/** "-name" and "--name" are the same to QEMU. */
static bool is_option(const char *argument, const char *name)
{
	if (argument[0] != '-')
		return false;
	argument += argument[1] == '-' ? 2 : 1;
	return strcmp(argument, name) == 0;
}

void qemu_args_parse(const char *cmdline, size_t size, struct qemu_args *ret)
{
	const char *at = cmdline, *end = cmdline + size, *option, *value;
	char smbios[DOMAIN_UUID_LEN] = "";

	*ret = (struct qemu_args){.max_vcpus = topology_max_vcpus(cmdline, size, DOMAIN_VCPUS_MAX)};
	value = procfs_next_argument(&at, end); /* the program */
	while (value && (option = value, value = procfs_next_argument(&at, end))) {
		if (is_option(option, "name")) {
			read_name(value, ret);
		} else if (is_option(option, "id") && is_vmid(value)) {
			ret->vmid = (uint32_t)strtoul(value, NULL, 10);
		} else if (is_option(option, "uuid")) {
			read_uuid(value, ret->uuid);
		} else if (is_option(option, "smbios")) {
			read_smbios(value, smbios);
		} else if (is_option(option, "device")) {
			read_device(value, &ret->cids);
		} else if (is_option(option, "machine") || is_option(option, "M")) {
			read_machine(value, ret);
		}
	}
	if (!ret->uuid[0])
		memcpy(ret->uuid, smbios, sizeof(smbios));
}
