/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a QEMU's command line says of its domain. */

#include "test.h"
#include "virt/qemu_args.h"

#define UUID  "6c34795f-f1f3-4451-b711-d6beefbb3011"
#define OTHER "8d9f0e53-32f6-4f57-9b04-19dd2bd5f1f7"

#define PARSE(text, args) qemu_args_parse("qemu\0" text, sizeof("qemu\0" text), args)

static void test_names(void)
{
	struct qemu_args args;

	PARSE("-name\0web,debug-threads=on\0-id\000100", &args);
	CHECK_STR(args.name, "web");
	CHECK_U64(args.vmid, 100);
	PARSE("-id\000100\0-name\0web", &args);
	CHECK_STR(args.name, "web");
	CHECK_U64(args.vmid, 100);
	PARSE("-id\0007x\0-name\0guest=a,,b:1,debug-threads=on", &args);
	CHECK_STR(args.name, "a,b:1");
	CHECK_U64(args.vmid, 0);
	PARSE("--name\0debug-threads=on,guest=x\0-name\0y", &args);
	CHECK_STR(args.name, "y");
	PARSE("-name\0a\033[2J", &args);
	CHECK_STR(args.name, "");
	PARSE("-name\0process=q\0-append\0-name=x", &args);
	CHECK_STR(args.name, "");
	qemu_args_parse("q\0-name\0web", 8, &args); /* cut within the name */
	CHECK_STR(args.name, "");
	qemu_args_parse("", 0, &args);
	CHECK_STR(args.name, "");
	CHECK_U64(args.max_vcpus, 1);
}

static void test_long_names(void)
{
	char line[400] = "q";
	struct qemu_args args;

	memcpy(line + 2, "-name", 6);
	memset(line + 8, 'a', DOMAIN_NAME_MAX - 1);
	qemu_args_parse(line, 8 + DOMAIN_NAME_MAX, &args);
	CHECK_U64(strlen(args.name), DOMAIN_NAME_MAX - 1);
	line[8 + DOMAIN_NAME_MAX - 1] = 'a';
	qemu_args_parse(line, 8 + DOMAIN_NAME_MAX + 1, &args);
	CHECK_STR(args.name, "");
}

static void test_uuids(void)
{
	struct qemu_args args;

	PARSE("-uuid\0" UUID, &args);
	CHECK_STR(args.uuid, UUID);
	PARSE("-uuid\0006C34795F-F1F3-4451-B711-D6BEEFBB3011", &args);
	CHECK_STR(args.uuid, UUID);
	PARSE("-smbios\0type=1,uuid=" UUID, &args);
	CHECK_STR(args.uuid, UUID);
	PARSE("-smbios\0type=2,uuid=" UUID, &args);
	CHECK_STR(args.uuid, "");
	PARSE("-uuid\0" OTHER "\0-smbios\0type=1,uuid=" UUID, &args);
	CHECK_STR(args.uuid, OTHER);
	PARSE("-uuid\0" UUID "x", &args);
	CHECK_STR(args.uuid, "");
	PARSE("-uuid\0006c34795f", &args);
	CHECK_STR(args.uuid, "");
}

static void test_counts(void)
{
	struct qemu_args args;

	PARSE("-smp\0004", &args);
	CHECK_U64(args.max_vcpus, 4);
	PARSE("-smp\0002,maxcpus=8,sockets=1", &args);
	CHECK_U64(args.max_vcpus, 8);
	PARSE("-smp\0sockets=2,cores=3,threads=2", &args);
	CHECK_U64(args.max_vcpus, 12);
	PARSE("-smp\000999999999999999999999", &args);
	CHECK_U64(args.max_vcpus, DOMAIN_VCPUS_MAX);
	PARSE("-smp\000-3", &args);
	CHECK_U64(args.max_vcpus, 1);
	PARSE("-M\0q35,smp.cpus=2", &args);
	CHECK_U64(args.max_vcpus, 2);
	PARSE("-readconfig\0vm.conf\0-smp\0001", &args);
	CHECK_U64(args.max_vcpus, DOMAIN_VCPUS_MAX);
}

/* Of several options the later one overrides what it names, and no more. */
static void test_counts_merged(void)
{
	struct qemu_args args;

	PARSE("-smp\0001,maxcpus=2\0-smp\0cpus=1", &args);
	CHECK_U64(args.max_vcpus, 2);
	PARSE("-smp\0002\0-smp\0sockets=1,cores=2,threads=1", &args);
	CHECK_U64(args.max_vcpus, 2);
	PARSE("-smp\0004\0-smp\0cpus=2", &args);
	CHECK_U64(args.max_vcpus, 2);
	PARSE("-smp\0cores=3\0-smp\0threads=2\0-machine\0q35,smp.sockets=2", &args);
	CHECK_U64(args.max_vcpus, 12);
	PARSE("-smp\0000x10", &args);
	CHECK_U64(args.max_vcpus, 16);
	PARSE("-smp\0000x2,maxcpus=0x0a", &args);
	CHECK_U64(args.max_vcpus, 10);
}

/* What is no VM, and whether threads are named. */
static void test_kinds(void)
{
	struct qemu_args args;

	PARSE("-machine\0none,accel=kvm:tcg\0-S", &args);
	CHECK(args.no_machine);
	PARSE("-M\0accel=kvm,type=none", &args);
	CHECK(args.no_machine);
	PARSE("-machine\0none\0-machine\0accel=kvm", &args);
	CHECK(args.no_machine);
	PARSE("-machine\0none\0-machine\0pc,accel=none", &args);
	CHECK(!args.no_machine);
	CHECK(!args.debug_threads);
	PARSE("-name\0web,debug-threads=on\0-id\0007", &args);
	CHECK(args.debug_threads);
	PARSE("-id\0007\0-name\0web,debug-threads=on", &args);
	CHECK(args.debug_threads);
	CHECK_U64(args.vmid, 7);
}

#define CHECK_CIDS(text, count, first)                                                             \
	({                                                                                         \
		struct qemu_args args_;                                                            \
		PARSE(text, &args_);                                                               \
		CHECK_U64(args_.cids.n, count);                                                    \
		CHECK_U64(args_.cids.of[0], first);                                                \
	})

static void test_cids(void)
{
	struct qemu_args args;

	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=3", 1, 3);
	CHECK_CIDS("--device\0vhost-vsock-pci-non-transitional,id=v,guest-cid=0x2a", 1, 42);
	CHECK_CIDS("-device\0guest-cid=5,driver=vhost-vsock-device", 1, 5);
	CHECK_CIDS("-device\0{\"driver\":\"vhost-vsock-pci\",\"id\":\"vsock0\","
	           "\"guest-cid\":7,\"vhostfd\":\"29\"}",
	           1, 7);
	/* several, and the same again */
	PARSE("-device\0vhost-vsock-pci,guest-cid=9\0-device\0vhost-vsock-ccw,guest-cid=8\0"
	      "-device\0vhost-vsock-pci,guest-cid=9",
	      &args);
	CHECK_U64(args.cids.n, 2);
	CHECK_U64(args.cids.of[1], 8);
	PARSE("-device\0vhost-vsock-pci,guest-cid=10\0-device\0vhost-vsock-pci,guest-cid=11\0"
	      "-device\0vhost-vsock-pci,guest-cid=12\0-device\0vhost-vsock-pci,guest-cid=13\0"
	      "-device\0vhost-vsock-pci,guest-cid=14",
	      &args);
	CHECK_U64(args.cids.n, DOMAIN_CIDS_MAX);
	CHECK_U64(args.cids.of[3], 13);
}

/* Other devices, CIDs that no guest has, and what is no number. */
static void test_no_cids(void)
{
	CHECK_CIDS("-device\0virtio-net-pci,guest-cid=3", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=2", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=4294967295", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=4294967299", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=99999999999999999999999", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=3x", 0, 0);
	CHECK_CIDS("-device\0vhost-vsock-pci,guest-cid=-3", 0, 0);
	CHECK_CIDS("-device\0vhost-user-vsock-pci,guest-cid=3", 0, 0);
	CHECK_CIDS("-device\0{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":\"3\"}", 0, 0);
	CHECK_CIDS("-device\0{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":3", 0, 0);
	CHECK_CIDS("-device\0{\"driver\":\"e1000\",\"id\":\"vhost-vsock-\",\"guest-cid\":3}", 0, 0);
}

TEST_MAIN({"names", test_names}, {"long-names", test_long_names}, {"uuids", test_uuids},
          {"counts", test_counts}, {"counts-merged", test_counts_merged}, {"kinds", test_kinds},
          {"cids", test_cids}, {"no-cids", test_no_cids})
