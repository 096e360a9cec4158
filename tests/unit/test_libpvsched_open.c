/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libpvsched opens, and what it takes for a region and for the page of a CPU. */
#include "region_fixture.h"

static void test_files(void)
{
	struct scene scene;
	struct pvsched *host = (struct pvsched *)&scene;

	scene_setup(&scene);
	CHECK_INT(pvsched_open_places(&scene.places, "/nonexistent/region", &host), -ENOENT);
	CHECK(!host);
	CHECK_INT(pvsched_open_places(&scene.places, "/dev/null", &host), -EINVAL);
	CHECK_INT(pvsched_open_places(&scene.places, scene.cpuinfo, &host), -EINVAL); /* short */
	CHECK_INT(ftruncate(scene.fd, REGION_SIZE + 1), 0);
	CHECK_INT(open_here(&scene), -EINVAL);
	CHECK_INT(ftruncate(scene.fd, (off_t)1 << 40), 0); /* sparse and absurd */
	CHECK_INT(open_here(&scene), -EINVAL);
	CHECK_INT(ftruncate(scene.fd, REGION_SIZE), 0);
	CHECK_INT(open_here(&scene), PVSCHED_NO_HOST);
	CHECK(scene.host);
	scene_end(&scene);
}

static void test_fifo(void)
{
	struct pvsched *host;
	struct scene scene;
	char path[128];

	scene_setup(&scene);
	snprintf(path, sizeof(path), "%s/fifo", scene.dir);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(pvsched_open_places(&scene.places, path, &host), -EINVAL);
	CHECK_INT(unlink(path), 0);
	scene_end(&scene);
}

/* Every call is tried, none may write: the whole region is compared after. */
static void check_no_host(struct scene *scene)
{
	char *before CLEANUP(cleanup_free) = malloc(REGION_SIZE);
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;

	CHECK(before);
	memcpy(before, scene->header, REGION_SIZE);
	CHECK_INT(open_here(scene), PVSCHED_NO_HOST);
	CHECK_INT(pvsched_lease_request(scene->host, &lease, SCHED_FIFO, 80), PVSCHED_NO_HOST);
	CHECK_INT(pvsched_lease_renew(scene->host, &lease), PVSCHED_NOT_OURS);
	CHECK_INT(pvsched_lease_release(scene->host, &lease, 1), PVSCHED_NOT_OURS);
	CHECK_INT(pvsched_lease_account(scene->host, &lease, &account), PVSCHED_NO_HOST);
	CHECK_INT(pvsched_query(scene->host, 0, &report), PVSCHED_NO_HOST);
	CHECK_INT(report.state, PVSCHED_STATE_NO_HOST);
	CHECK_U64(report.generation, 0);
	CHECK(memcmp(before, scene->header, REGION_SIZE) == 0);
	scene->host = pvsched_close(scene->host);
}

static void test_bad_headers(void)
{
	struct scene scene;

	scene_setup(&scene);
	check_no_host(&scene); /* zeros */
	host_comes(&scene, 0);
	check_no_host(&scene);
	host_comes(&scene, 1);
	scene.header->magic ^= 1;
	check_no_host(&scene);
	host_comes(&scene, 1);
	scene.header->version = 2;
	check_no_host(&scene);
	host_comes(&scene, 1);
	scene.header->page_size = 8192;
	check_no_host(&scene);
	static const uint32_t counts[] = {0, REGION_SIZE / 4096, 512, 513, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		host_comes(&scene, 1);
		scene.header->page_count = counts[i];
		check_no_host(&scene);
	}
	scene.header->page_count = REGION_SIZE / 4096 - 1; /* as many as there is room for */
	CHECK_INT(open_here(&scene), 0);
	memset(scene.header, 0xff, REGION_SIZE);
	scene.host = pvsched_close(scene.host);
	check_no_host(&scene);
	scene_end(&scene);
}

static void test_by_index(void)
{
	struct scene scene;

	scene_setup(&scene);
	write_file(scene.cpuinfo, "processor\t: 0\nBogoMIPS\t: 50\n\nprocessor\t: 1\n");
	host_comes(&scene, 7);
	for (int i = 0; i < 3; i++)
		scene.header->apic_id[i] = PVSCHED_APIC_ID_NONE;
	CHECK_INT(open_here(&scene), 0);
	CHECK_INT(pvsched_negotiated(scene.host, 1), PVSCHED_STATE_WAITING);
	CHECK_U64(((struct pvsched_page *)scene.header)[2].apic_id, PVSCHED_APIC_ID_NONE);
	CHECK_U64(((struct pvsched_page *)scene.header)[2].cpu_index, 1);
	CHECK_INT(pvsched_negotiated(scene.host, 3), PVSCHED_STATE_NO_PAGE);
	/* A page that is of a CPU with an APIC id is not taken by one without. */
	scene.header->apic_id[0] = 0;
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_NO_PAGE);
	scene_end(&scene);
}

static void test_hotplug(void)
{
	struct scene scene;

	scene_negotiated(&scene);
	scene.header->generation = 0;
	scene.header->page_count = 4;
	scene.header->apic_id[3] = 12;
	scene.header->generation = 8;
	CHECK_INT(pvsched_negotiated(scene.host, 3), PVSCHED_STATE_NO_PAGE);
	write_file(scene.cpuinfo, "processor\t: 3\napicid\t\t: 12\n");
	CHECK_INT(pvsched_negotiated(scene.host, 3), PVSCHED_STATE_WAITING);
	CHECK_U64(((struct pvsched_page *)scene.header)[4].apic_id, 12);
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_WAITING); /* still known */
	CHECK_INT(pvsched_negotiated(scene.host, 1 << 20), PVSCHED_STATE_NO_PAGE);
	scene_end(&scene);
}

static void device_add(struct scene *scene, const char *name, const char *device,
                       const char *target)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/vendor", scene->dir, name);
	write_file(path, "0x1af4\n");
	snprintf(path, sizeof(path), "%s/%s/device", scene->dir, name);
	write_file(path, device);
	snprintf(path, sizeof(path), "%s/%s/resource2", scene->dir, name);
	CHECK_INT(symlink(target, path), 0);
}

static void device_remove(struct scene *scene, const char *name)
{
	static const char *const files[] = {"vendor", "device", "resource2"};
	char path[160];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", scene->dir, name, files[i]);
		CHECK_INT(unlink(path), 0);
	}
	snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
	CHECK_INT(rmdir(path), 0);
}

static void test_devices(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct scene scene, other;

	unsetenv(PVSCHED_REGION_ENV);
	scene_setup(&scene);
	scene_setup(&other);
	memset(other.header, 0x55, REGION_SIZE);
	CHECK_INT(pvsched_open_places(&scene.places, NULL, &scene.host), PVSCHED_NO_DEVICE);
	CHECK(!scene.host);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), PVSCHED_NO_DEVICE);
	device_add(&scene, "0000:00:01.0", "0x1000\n", scene.path); /* a virtio-net */
	CHECK_INT(pvsched_open_places(&scene.places, NULL, &scene.host), PVSCHED_NO_DEVICE);
	device_add(&scene, "0000:00:02.0", "0x1110\n", other.path);
	device_add(&scene, "0000:00:03.0", "0x1110\n", "/dev/null");
	device_add(&scene, "0000:00:04.0", "0x1110\n", scene.path);
	/* None is the host's yet; when it comes, it is found among them. */
	CHECK_INT(pvsched_open_places(&scene.places, NULL, &scene.host), PVSCHED_NO_HOST);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), PVSCHED_NO_HOST);
	host_comes(&scene, 4);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page_of(&scene, 0)->request, URGENT(1));
	pvsched_close(scene.host);
	CHECK_INT(pvsched_open_places(&scene.places, NULL, &scene.host), 0);
	CHECK_INT(scene.host->n_maps, 1);
	for (size_t i = 0; i < REGION_SIZE; i++)
		CHECK(((uint8_t *)other.header)[i] == 0x55);
	/* In whatever order they are met, the one with the magic is the only one. */
	pvsched_close(scene.host);
	memcpy(other.header, scene.header, PVSCHED_PAGE_SIZE);
	scene.header->magic = 0;
	CHECK_INT(pvsched_open_places(&scene.places, NULL, &scene.host), 0);
	CHECK_INT(scene.host->n_maps, 1);
	device_remove(&scene, "0000:00:01.0");
	device_remove(&scene, "0000:00:02.0");
	device_remove(&scene, "0000:00:03.0");
	device_remove(&scene, "0000:00:04.0");
	scene_end(&other);
	scene_end(&scene);
}

/* A page that was found in a large region is behind the end of a small one. */
static void test_smaller_region(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT, copy;
	struct pvsched_account account;
	struct scene large, small;
	struct pvsched_map *map;
	uint32_t n_pages;

	unsetenv(PVSCHED_REGION_ENV);
	scene_setup(&large);
	scene_setup(&small);
	CHECK_INT(ftruncate(large.fd, 2 * REGION_SIZE), 0);
	device_add(&small, "0000:00:01.0", "0x1110\n", small.path);
	device_add(&small, "0000:00:02.0", "0x1110\n", large.path);
	CHECK_INT(pvsched_open_places(&small.places, NULL, &small.host), PVSCHED_NO_HOST);
	host_comes(&large, 5);
	large.header->generation = 0;
	large.header->page_count = 400;
	for (int i = 0; i < 399; i++)
		large.header->apic_id[i] = 1000;
	large.header->apic_id[399] = 0; /* CPU 0 */
	large.header->generation = 5;
	CHECK_INT(pvsched_lease_request(small.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(lease.page, 400);
	large.header->generation = 0;
	host_comes(&small, 5);
	CHECK_U64(pvsched_current(small.host, &map, &n_pages), 5);
	CHECK_INT(pvsched_lease_account(small.host, &lease, &account), PVSCHED_NOT_OURS);
	copy = lease;
	CHECK_INT(pvsched_lease_release(small.host, &copy, 1), PVSCHED_NOT_OURS);
	CHECK_INT(pvsched_lease_renew(small.host, &lease), 0);
	CHECK_U64(page_of(&small, 0)->request, URGENT(1));
	device_remove(&small, "0000:00:01.0");
	device_remove(&small, "0000:00:02.0");
	scene_end(&small);
	scene_end(&large);
}

static void test_environment(void)
{
	struct scene scene;

	scene_setup(&scene);
	host_comes(&scene, 4);
	CHECK_INT(setenv(PVSCHED_REGION_ENV, scene.path, 1), 0);
	CHECK_INT(pvsched_open(NULL, &scene.host), 0);
	CHECK_INT(unsetenv(PVSCHED_REGION_ENV), 0);
	scene_end(&scene);
}

static void test_null(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;

	CHECK_INT(pvsched_lease_request(NULL, &lease, SCHED_FIFO, 80), PVSCHED_NO_DEVICE);
	CHECK_INT(pvsched_lease_renew(NULL, &lease), PVSCHED_NO_DEVICE);
	CHECK_INT(pvsched_lease_release(NULL, &lease, 1), PVSCHED_NO_DEVICE);
	CHECK_INT(pvsched_lease_account(NULL, &lease, &account), PVSCHED_NO_DEVICE);
	CHECK_INT(pvsched_query(NULL, PVSCHED_CPU_CURRENT, &report), PVSCHED_NO_DEVICE);
	CHECK_INT(report.state, PVSCHED_STATE_NO_DEVICE);
	CHECK(!pvsched_close(NULL));
}

TEST_MAIN({"files", test_files}, {"fifo", test_fifo}, {"bad_headers", test_bad_headers},
          {"by_index", test_by_index}, {"hotplug", test_hotplug}, {"devices", test_devices},
          {"smaller_region", test_smaller_region}, {"environment", test_environment},
          {"null", test_null})
