/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Proxmox's configurations of VMs: plain ones, odd ones, none. */

#include "virt/vm_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static struct domain_labels parse(const char *text)
{
	struct domain_labels labels;

	vm_conf_parse(text, strlen(text), &labels);
	CHECK(labels_valid(&labels));
	return labels;
}

static void test_plain(void)
{
	struct domain_labels vm = parse("#name%3A not this\n"
	                                "#tags: nor this\n"
	                                "affinity: 2-3\n"
	                                "cores: 2\n"
	                                "name: pbx\n"
	                                "scsi0: local-lvm:vm-101-disk-0,iothread=1,size=32G\n"
	                                "tags: pvsched-latency;web\n"
	                                "\n"
	                                "[before-upgrade]\n"
	                                "name: old\n"
	                                "tags: old\n");

	CHECK_STR(vm.title, "pbx");
	CHECK_INT(vm.n_tags, 2);
	CHECK_STR(vm.tags[0], "pvsched-latency");
	CHECK_STR(vm.tags[1], "web");
	CHECK_U64(vm.vmid, 0);
}

static void test_odd(void)
{
	struct domain_labels vm =
	        parse("tags:  a, b;;c \td,\r\nname:pbx \r\nnames: x\nname x\n:\n");

	CHECK_STR(vm.title, "pbx");
	CHECK_INT(vm.n_tags, 4);
	CHECK_STR(vm.tags[3], "d");
	vm = parse("name: a\033[2Jb\ntags: \001;ok");
	CHECK_STR(vm.title, "");
	CHECK_INT(vm.n_tags, 1);
	vm = parse("[PENDING]\nname: next\n");
	CHECK_STR(vm.title, "");
	vm = parse("name: a\nname: b"); /* the last one, as in Proxmox */
	CHECK_STR(vm.title, "b");
	vm = parse("");
	CHECK_STR(vm.title, "");
	vm_conf_parse("name: a\0b\n", 10, &vm);
	CHECK_STR(vm.title, "");
}

/* Of a file that is longer, the line at the limit may be cut anywhere. */
static void test_long(void)
{
	static char text[VM_CONF_MAX];
	struct domain_labels vm;

	memset(text, '#', sizeof(text));
	memcpy(text, "name: pbx\n", 10);
	memcpy(text + sizeof(text) - 12, "\ntags: abcdef", 12);
	vm_conf_parse(text, sizeof(text), &vm);
	CHECK_STR(vm.title, "pbx");
	CHECK_INT(vm.n_tags, 0);
	vm_conf_parse(text, sizeof(text) - 1, &vm);
	CHECK_INT(vm.n_tags, 1);
	CHECK_STR(vm.tags[0], "abcd");
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void test_files(void)
{
	char dir[] = "/tmp/pvsched-vm-conf-XXXXXX", path[128];
	struct domain_labels vm = {.title = "before"};

	CHECK(mkdtemp(dir));
	CHECK_INT(vm_conf_read(dir, 100, &vm), -ENOENT);
	snprintf(path, sizeof(path), "%s/qemu-server", dir);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/qemu-server/100.conf", dir);
	put(path, "name: web\n");
	CHECK_INT(vm_conf_read(dir, 100, &vm), 0);
	CHECK_STR(vm.title, "web");
	CHECK_U64(vm.vmid, 100);
	unlink(path);
	CHECK_INT(symlink("/etc/passwd", path), 0); /* Proxmox makes none */
	CHECK_INT(vm_conf_read(dir, 100, &vm), -ELOOP);
	unlink(path);
	CHECK_INT(mkfifo(path, 0600), 0); /* it would be waited for */
	CHECK_INT(vm_conf_read(dir, 100, &vm), -EINVAL);
	CHECK_STR(vm.title, "web");
	unlink(path);
	snprintf(path, sizeof(path), "%s/qemu-server", dir);
	rmdir(path);
	rmdir(dir);
}

TEST_MAIN({"plain", test_plain}, {"odd", test_odd}, {"long", test_long}, {"files", test_files})
