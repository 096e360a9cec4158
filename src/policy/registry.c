// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE sizeof(((struct pvsched_channel_policy *)NULL)->name)

const struct registry_entry *registry_of(uint32_t number)
{
	if (number == REGISTRY_NONE || number > registry_n)
		number = REGISTRY_DEFAULT;
	return &registry[number - 1];
}

uint32_t registry_find(const char *name, uint32_t version)
{
	uint32_t found = REGISTRY_NONE;

	for (uint32_t i = 0; i < registry_n; i++) {
		if (strcmp(registry[i].name, name) != 0)
			continue;
		if (version ? registry[i].version == version
		            : !found || registry[i].version > registry[found - 1].version)
			found = i + 1;
	}
	return found;
}

/* The digits of a version; 0: it is none. */
static uint32_t parse_version(const char *text)
{
	uint64_t version = 0;

	for (; *text >= '0' && *text <= '9' && version <= UINT32_MAX; text++)
		version = version * 10 + (uint64_t)(*text - '0');
	return *text || version > UINT32_MAX ? 0 : (uint32_t)version;
}

uint32_t registry_parse(const char *label)
{
	const char *at = strchr(label, '@');
	char name[NAME_SIZE];
	uint32_t version;

	if (!at)
		return registry_find(label, 0);
	version = parse_version(at + 1);
	if (!version || (size_t)(at - label) >= sizeof(name))
		return REGISTRY_NONE;
	snprintf(name, sizeof(name), "%.*s", (int)(at - label), label);
	return registry_find(name, version);
}

void registry_label(uint32_t number, char ret[REGISTRY_LABEL_MAX])
{
	const struct registry_entry *entry = registry_of(number);

	if (number == REGISTRY_NONE)
		snprintf(ret, REGISTRY_LABEL_MAX, "%s", REGISTRY_GUEST);
	else
		snprintf(ret, REGISTRY_LABEL_MAX, "%s@%" PRIu32, entry->name, entry->version);
}

void registry_list(char *text, size_t size)
{
	char label[REGISTRY_LABEL_MAX];
	size_t used = 0;

	*text = '\0';
	for (uint32_t i = 1; i <= registry_n && used < size; i++) {
		registry_label(i, label);
		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 1 ? ", " : "",
		                         label);
	}
}

const char *registry_event_name(unsigned int bit)
{
	static const char *const names[REGISTRY_EVENTS] = {"halted", "halted-boosted", "preempted",
	                                                   "ordinary", "interrupt"};

	return names[bit];
}

/* What a guest wrote: of any bytes, and maybe without an end. */
static bool is_called(const struct registry_entry *entry, const char name[NAME_SIZE])
{
	char padded[NAME_SIZE] = {0};

	memcpy(padded, entry->name, strlen(entry->name));
	return memcmp(name, padded, sizeof(padded)) == 0;
}

enum pvsched_status registry_judge(const char name[32], uint32_t version, uint32_t *ret)
{
	enum pvsched_status status = PVSCHED_STATUS_UNKNOWN_POLICY;

	*ret = REGISTRY_NONE;
	for (uint32_t i = 0; i < registry_n; i++) {
		if (!is_called(&registry[i], name))
			continue;
		status = PVSCHED_STATUS_POLICY_VERSION;
		if (registry[i].version != version)
			continue;
		*ret = i + 1;
		return PVSCHED_STATUS_ENABLED;
	}
	return status;
}

enum pvsched_status registry_negotiate(const struct pvsched_channel_policy *policies, size_t n,
                                       uint32_t *ret)
{
	enum pvsched_status status = PVSCHED_STATUS_UNKNOWN_POLICY, one;

	*ret = REGISTRY_NONE;
	for (size_t i = 0; i < n; i++) {
		one = registry_judge(policies[i].name, policies[i].version, ret);
		if (one == PVSCHED_STATUS_ENABLED)
			return one;
		if (one == PVSCHED_STATUS_POLICY_VERSION)
			status = one;
	}
	return status;
}
