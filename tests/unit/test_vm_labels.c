/* SPDX-License-Identifier: GPL-2.0-or-later */

/* When the configuration of a VM is read again, and what stays when it cannot be. */

#include "virt/vm_labels.h"

#include <errno.h>

#include "test.h"

struct scene {
	struct vm_labels labels;
	struct known_domain domain;
	struct domain_labels conf;
	int result;
	unsigned int reads;
};

static int read_conf(void *userdata, uint32_t vmid, struct domain_labels *ret)
{
	struct scene *scene = userdata;

	scene->reads++;
	CHECK_U64(vmid, 101);
	if (scene->result == 0)
		*ret = scene->conf;
	return scene->result;
}

#define BEGIN_NS (100 * NSEC_PER_SEC)

static void open_scene(struct scene *scene)
{
	*scene = (struct scene){.conf = {.vmid = 101, .title = "pbx"}};
	scene->labels.reader = (struct vm_conf_reader){read_conf, scene};
	scene->domain.labels = (struct domain_labels){.vmid = 101, .title = "vm101"};
}

static void refresh(struct scene *scene, uint64_t at_ns)
{
	scene->domain.causes = 0;
	vm_labels_refresh(&scene->labels, &scene->domain, BEGIN_NS + at_ns);
}

static void test_changes(void)
{
	struct scene scene;

	open_scene(&scene);
	refresh(&scene, 0);
	CHECK_STR(scene.domain.labels.title, "pbx");
	CHECK(scene.domain.causes == VIRT_CAUSE_METADATA);
	labels_add_tag(&scene.conf, "web", 3);
	refresh(&scene, VM_LABELS_AGE_NS - 1);
	CHECK_INT(scene.reads, 1);
	refresh(&scene, VM_LABELS_AGE_NS);
	CHECK_INT(scene.domain.labels.n_tags, 1);
	CHECK(scene.domain.causes == VIRT_CAUSE_METADATA);
	refresh(&scene, 2 * VM_LABELS_AGE_NS);
	CHECK_INT(scene.reads, 3);
	CHECK(scene.domain.causes == 0);
	/* what is asked for is read at once */
	scene.domain.causes = VIRT_CAUSE_ENUMERATED;
	vm_labels_refresh(&scene.labels, &scene.domain, BEGIN_NS + 2 * VM_LABELS_AGE_NS + 1);
	CHECK_INT(scene.reads, 4);
}

static void test_no_name(void)
{
	struct scene scene;

	open_scene(&scene);
	scene.conf.title[0] = '\0';
	refresh(&scene, 0);
	CHECK_STR(scene.domain.labels.title, "vm101");
}

static void test_others(void)
{
	struct scene scene;

	open_scene(&scene);
	scene.domain.labels.vmid = 0; /* none of Proxmox's */
	refresh(&scene, 0);
	CHECK_INT(scene.reads, 0);
	scene.domain.labels.vmid = 101;
	scene.labels.reader.read = NULL;
	refresh(&scene, 0);
	CHECK_INT(scene.reads, 0);
}

static void test_gone(void)
{
	struct scene scene;

	open_scene(&scene);
	refresh(&scene, 0);
	scene.result = -ENOENT;
	refresh(&scene, VM_LABELS_AGE_NS);
	CHECK_STR(scene.domain.labels.title, "pbx");
	CHECK(!scene.labels.hangs);
}

/* One that hangs rests for all VMs; the last values stay, and it is tried again. */
static void test_hangs(void)
{
	struct scene scene;

	open_scene(&scene);
	refresh(&scene, 0);
	scene.result = -ETIMEDOUT;
	refresh(&scene, VM_LABELS_AGE_NS);
	CHECK(scene.labels.hangs);
	CHECK_STR(scene.domain.labels.title, "pbx");
	scene.domain.labels_ns = 0;
	refresh(&scene, VM_LABELS_AGE_NS + VM_LABELS_REST_NS - 1);
	CHECK_INT(scene.reads, 2);
	scene.result = -EBUSY;
	refresh(&scene, VM_LABELS_AGE_NS + VM_LABELS_REST_NS);
	CHECK_INT(scene.reads, 3);
	CHECK(scene.labels.hangs);
	scene.result = -EAGAIN; /* no reader: nothing is known of the file system */
	refresh(&scene, VM_LABELS_AGE_NS + 2 * VM_LABELS_REST_NS);
	CHECK(scene.labels.hangs);
	scene.result = 0;
	labels_add_tag(&scene.conf, "web", 3);
	refresh(&scene, 2 * VM_LABELS_AGE_NS + 2 * VM_LABELS_REST_NS);
	CHECK(!scene.labels.hangs);
	CHECK_INT(scene.domain.labels.n_tags, 1);
}

TEST_MAIN({"changes", test_changes}, {"no name", test_no_name}, {"others", test_others},
          {"gone", test_gone}, {"hangs", test_hangs})
