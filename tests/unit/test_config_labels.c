/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Entries for domains by what those who run them call them. */

#include "config/config.h"

#include <errno.h>

#include "test.h"
#include "util/cleanup.h"

static int parse_text(const char *text, struct config **ret, char *error, size_t size)
{
	struct config_text file = {"f", text, strlen(text)};

	return config_parse_all(&file, 1, ret, error, size);
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	char error[512] = "";

	CHECK_INT(parse_text(text, &config, error, sizeof(error)), 0);
	return config;
}

static void refuse(const char *text, const char *why)
{
	struct config *config = NULL;
	char error[512] = "";

	CHECK_INT(parse_text(text, &config, error, sizeof(error)), -EBADMSG);
	CHECK_STR(error, why);
}

static const char *const labelled =
        "{\"version\":1,\"domains\":{\n"
        "\"flavor\":{\"rt.*\":{\"profile\":\"latency\"},\"*\":{\"profile\":\"off\"}},\n"
        "\"glob\":{\"db-*\":{\"profile\":\"off\"}},\n"
        "\"title\":{\"pbx *\":{\"profile\":\"interactive\"}},\n"
        "\"tag\":{\"pvsched-latency\":{\"profile\":\"latency\"},\"pvsched-*\":{\"profile\":\"off\"}"
        "},\n"
        "\"name\":{\"db-1\":{\"profile\":\"observe\"}},\n"
        "\"vmid\":{\"101\":{\"profile\":\"interactive\"}}}}";

/* The line of the entry that decides: the more, the stronger. 0: none. */
static int deciding(const char *name, const struct domain_labels *labels)
{
	struct config *config CLEANUP(config_cleanup) = parse(labelled);
	struct config_choice choice;
	int line = 0;

	config_choose(config, &(struct config_subject){.name = name, .labels = labels}, &choice);
	sscanf(choice.source, "f:%d:", &line);
	return line;
}

static void test_labels(void)
{
	struct domain_labels vm = {.vmid = 101, .title = "db-1", .flavor = "rt.small"};

	CHECK_INT(deciding("101", &vm), 7);
	vm.vmid = 102;
	CHECK_INT(deciding("102", &vm), 6); /* the name that Proxmox gives */
	vm.vmid = 0;
	CHECK_INT(deciding("instance-1", &vm), 2); /* elsewhere a title is no name */
	vm.vmid = 103;
	strcpy(vm.title, "db-2");
	CHECK_INT(deciding("103", &vm), 3);
	labels_add_tag(&vm, "web", 3);
	CHECK_INT(deciding("103", &vm), 3);
	labels_add_tag(&vm, "pvsched-latency", strlen("pvsched-latency"));
	CHECK_INT(deciding("103", &vm), 5);
	vm = (struct domain_labels){.title = "pbx of Bob", .flavor = "rt.small"};
	CHECK_INT(deciding("instance-1", &vm), 4);
	CHECK_INT(deciding("db-1", &vm), 6);
	CHECK_INT(deciding("db-9", &vm), 4);
	vm.title[0] = '\0';
	CHECK_INT(deciding("instance-1", &vm), 2);
	vm.flavor[0] = '\0'; /* "*" is not for what has none */
	CHECK_INT(deciding("instance-1", &vm), 0);
	CHECK_INT(deciding(NULL, NULL), 0);
}

/* Of all tags, the most specific glob that matches any. */
static void test_several_tags(void)
{
	struct config *config CLEANUP(config_cleanup) = parse(labelled);
	struct domain_labels vm = {.vmid = 104};
	struct config_choice choice;

	labels_add_tag(&vm, "pvsched-x", strlen("pvsched-x"));
	config_choose(config, &(struct config_subject){.labels = &vm}, &choice);
	CHECK_STR(choice.profile.name, "off");
	labels_add_tag(&vm, "pvsched-latency", strlen("pvsched-latency"));
	config_choose(config, &(struct config_subject){.labels = &vm}, &choice);
	CHECK_INT(choice.match, CONFIG_MATCH_TAG);
	CHECK_STR(choice.profile.name, "latency");
}

static void test_refused(void)
{
	refuse("{\"version\":1,\"domains\":{\"web\":{}}}",
	       "f:1: .domains.web: unknown key; known keys: uuid, vmid, "
	       "name, tag, title, glob, flavor");
	refuse("{\"version\":1,\"domains\":{\"vmid\":{\"web\":{}}}}",
	       "f:1: .domains.vmid.web: is not a VM's number such as \"100\"; `qm list` shows it");
	refuse("{\"version\":1,\"domains\":{\"vmid\":{\"0100\":{}}}}",
	       "f:1: .domains.vmid.0100: is not a VM's number such as \"100\"; `qm list` shows it");
	refuse("{\"version\":1,\"domains\":{\"vmid\":{\"1234567890\":{}}}}",
	       "f:1: .domains.vmid.1234567890: is not a VM's number such as \"100\"; `qm list` "
	       "shows "
	       "it");
	refuse("{\"version\":1,\"domains\":{\"tag\":{\"[a\":{}}}}",
	       "f:1: .domains.tag[\"[a\"]: a [ without a ]; write a literal [ as \\[ (in JSON "
	       "\\\\[)");
}

TEST_MAIN({"labels", test_labels}, {"several tags", test_several_tags}, {"refused", test_refused})
