// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's news of devices: which of them the agent looks after. */
#include "agent/uevents.h"

#include "test.h"

#define PARSE(text) uevent_parse(text, sizeof(text))

static void test_kinds(void)
{
	CHECK_INT(PARSE("online@/devices/system/cpu/cpu1\0ACTION=online\0SUBSYSTEM=cpu"),
	          UEVENT_CPU);
	CHECK_INT(PARSE("remove@/devices/system/cpu/cpu1\0SUBSYSTEM=cpu\0SEQNUM=3"), UEVENT_CPU);
	CHECK_INT(PARSE("bind@/devices/virtio3\0SUBSYSTEM=virtio\0DRIVER=vsock"), UEVENT_VIRTIO);
	CHECK_INT(PARSE("add@/devices/virtio3\0SUBSYSTEM=virtio"), UEVENT_VIRTIO);
	CHECK_INT(PARSE("unbind@/devices/virtio3\0SUBSYSTEM=virtio"), UEVENT_OTHER);
	CHECK_INT(PARSE("add@/devices/x\0SUBSYSTEM=cpuid"), UEVENT_OTHER);
	CHECK_INT(PARSE("add@/devices/x\0XSUBSYSTEM=cpu"), UEVENT_OTHER);
	CHECK_INT(PARSE("SUBSYSTEM=cpu"), UEVENT_OTHER);
	CHECK_INT(PARSE("libudev\0SUBSYSTEM=cpu"), UEVENT_OTHER);
	CHECK_INT(uevent_parse("add@x\0SUBSYSTEM=cp", 18), UEVENT_OTHER);
	CHECK_INT(uevent_parse("", 0), UEVENT_OTHER);
}

TEST_MAIN(TEST(test_kinds))
