// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions that a killed daemon left, in processes that play QEMU, one of which hangs. */
#include "daemon/regions_left.h"

#include "carrier_fixture.h"
#include "guest/region.h"
#include "util/clock.h"
#include "util/procfs.h"

#define OBJECT "memory-backend-memfd,id=pvsched,size=1M,share=on"

static char path[64];
static struct ledger *ledger;
static pid_t hangs; /* a look at this process does */

int __real_carrier_find(pid_t pid, size_t n_pages, struct carrier **ret);
int __wrap_carrier_find(pid_t pid, size_t n_pages, struct carrier **ret);
int __wrap_carrier_find(pid_t pid, size_t n_pages, struct carrier **ret)
{
	while (pid == hangs)
		pause();
	return __real_carrier_find(pid, n_pages, ret);
}

static void open_ledger(void)
{
	snprintf(path, sizeof(path), "/tmp/pvsched-regions-left-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &ledger), 0);
}

static void close_ledger(void)
{
	ledger = ledger_finish(ledger);
	CHECK(access(path, F_OK) < 0);
}

static struct fake_qemu qemu_with(int fd)
{
	struct fake_qemu qemu = {.mappings = {{fd, MIB}},
	                         .n_mappings = 1,
	                         .args = {"-name", "guest=a", "-object", OBJECT}};

	fake_qemu_start(&qemu);
	return qemu;
}

static void begin_region(const struct fake_qemu *qemu, unsigned int slot)
{
	static const struct topology flat = TOPOLOGY_FLAT;
	struct ledger_region region = {.pid = qemu->pid, .n_pages = 2};
	struct carrier *carrier;

	CHECK_INT(procfs_start_ticks(qemu->pid, qemu->pid, &region.start_ticks), 0);
	CHECK_INT(carrier_find(qemu->pid, 2, &carrier), 0);
	CHECK_INT(guest_region_begin(carrier, &flat, 2, &region.generation), 0);
	carrier_free(carrier);
	ledger_put_region(ledger, slot, &region);
}

static struct pvsched_region *map_region(int fd)
{
	void *memory = mmap(NULL, 3 * PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

/* Left: ended, with what the pages say. Begun by another host since: left alone. Gone: dropped. */
static void test_left(void)
{
	int fds[3] = {memfd_sealed(MIB), memfd_sealed(MIB), memfd_sealed(MIB)};
	struct pvsched_region *left = map_region(fds[0]), *other = map_region(fds[1]);
	struct pvsched_page *page = (struct pvsched_page *)(left + 1);
	struct fake_qemu qemus[3];
	struct ledger_region region;
	struct regions_left result;

	open_ledger();
	for (unsigned int i = 0; i < 3; i++) {
		qemus[i] = qemu_with(fds[i]);
		begin_region(&qemus[i], 10 * i);
	}
	page->status = PVSCHED_STATUS_ENABLED;
	page->applied_state = pvsched_applied(PVSCHED_BOOST_TASK, 0);
	other->generation = 5;
	fake_qemu_stop(&qemus[2]);
	regions_left_end(ledger, &result);
	CHECK_INT(result.ended, 1);
	CHECK_INT(result.gone, 2);
	CHECK_INT(result.stuck, 0);
	CHECK_U64(left->generation, 0);
	CHECK(page->generation == 0 && page->status == PVSCHED_STATUS_DISABLED);
	CHECK_U64(other->generation, 5);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_INT(ledger_get_region(ledger, 10 * i, &region), -ENOENT);
		close(fds[i]);
	}
	fake_qemu_stop(&qemus[0]);
	fake_qemu_stop(&qemus[1]);
	munmap(left, 3 * PVSCHED_PAGE_SIZE);
	munmap(other, 3 * PVSCHED_PAGE_SIZE);
	close_ledger();
}

/*
 * One that hangs costs its own time, and the others are reached; the process that hangs in it has
 * no descriptor, such as that of the lock.
 */
static void test_hangs(void)
{
	int fd = memfd_sealed(MIB), bad = memfd_sealed(MIB);
	struct pvsched_region *left = map_region(fd);
	struct fake_qemu honest = qemu_with(fd), hostile = qemu_with(bad);
	struct regions_left result;
	uint64_t t_ns;

	open_ledger();
	begin_region(&hostile, 3);
	begin_region(&honest, 4);
	hangs = hostile.pid;
	t_ns = clock_now_ns();
	regions_left_end(ledger, &result);
	hangs = 0;
	CHECK(clock_now_ns() - t_ns >= REGION_LEFT_MS * NSEC_PER_MSEC);
	CHECK_INT(result.ended, 1);
	CHECK_INT(result.stuck, 1);
	CHECK_U64(left->generation, 0);
	fake_qemu_stop(&honest);
	fake_qemu_stop(&hostile);
	munmap(left, 3 * PVSCHED_PAGE_SIZE);
	close(fd);
	close(bad);
	close_ledger();
}

static const struct test tests[] = {
        {"left", test_left},
        {"hangs", test_hangs},
};

int main(int argc, char **argv)
{
	if (strcmp(argv[0], FAKE_QEMU_NAME) == 0)
		return fake_qemu_main();
	return test_run_all(tests, ARRAY_SIZE(tests), argc > 1 ? argv[1] : NULL);
}
