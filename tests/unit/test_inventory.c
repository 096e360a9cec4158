// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inventory: which threads are kept, and which domain has which source, whatever the sources
 * report. Links no booster, no tracer, no libvirt: it knows none of them.
 */
#include "daemon/inventory.h"

#include <errno.h>

#include "boost/sched.h"

#include "inventory_fixture.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"

static struct inventory inventory;
static unsigned int n_gone;
static char gone[DOMAIN_NAME_MAX];

/* ---- what the inventory reads of the system ---- */

static bool quota_holds, thread_is_gone;
static int group_error; /* of looking at any group */

int cgroup_locate(const struct cgroup_cpu *cpu, enum procfs_cgroup_kind kind, const char *group,
                  char *ret)
{
	(void)cpu;
	snprintf(ret, CGROUP_GROUP_MAX, "%s", group + (strncmp(group, "/..", 3) == 0 ? 3 : 0));
	return kind == PROCFS_CGROUP_V1 ? 0 : -EXDEV;
}

int cgroup_find_quota(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size)
{
	(void)cpu;
	(void)group;
	(void)found;
	(void)size;
	return group_error ? group_error : quota_holds ? 0 : CGROUP_NOT_FOUND;
}

int sched_get_cpus(pid_t tid, struct cpu_set_bits *ret)
{
	*ret = CPU_SET_BITS_NULL;
	ret->words[0] = (uint64_t)tid;
	return thread_is_gone ? -3 : 0;
}

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	n_gone++;
	snprintf(gone, sizeof(gone), "%s", d->seen->name);
}

static void begin(void)
{
	static const struct cgroup_cpu cgroup;

	inventory_clear(&inventory);
	inventory_init(&inventory, &cgroup, on_gone, NULL);
	inventory_set_rank(&inventory, DOMAIN_SOURCE_LIBVIRT, 0);
	inventory_set_rank(&inventory, DOMAIN_SOURCE_PROCFS, 1);
	n_gone = 0;
	quota_holds = thread_is_gone = false;
	group_error = 0;
}

static struct inventory_domain *see(struct domain *domain, int outcome)
{
	struct inventory_domain *d = NULL;

	CHECK_INT(inventory_seen(&inventory, domain, &d), outcome);
	return d;
}

static struct domain *of_procfs(struct domain *domain)
{
	domain->source = DOMAIN_SOURCE_PROCFS;
	return domain;
}

/* Seen again with the same threads: the same domain, the same slots. */
static void test_known(void)
{
	struct inventory_domain *d, *again;

	begin();
	d = see(domain_make(WEB, "web", 100, 2), INVENTORY_NEW);
	d->vcpus[0].slot = 7;
	again = see(domain_make(WEB, "web", 100, 2), 0);
	CHECK(again == d);
	CHECK_INT(d->vcpus[0].slot, 7);
	CHECK_INT(d->vcpus[1].slot, SLOT_NONE);
	CHECK_INT(n_gone, 0);
}

/* Threads that are there still keep what is known of them; one that went is dropped, with its
 * slot; one that came has none. */
static void test_threads_come_and_go(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 3);
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 2), INVENTORY_NEW);
	d->vcpus[0].slot = 3;
	d->vcpus[1].slot = 4;
	domain->vcpus[0].id.tid = 999; /* another thread is vCPU 0 now */
	see(domain, 0);
	CHECK_INT(d->n_vcpus, 3);
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK_INT(d->vcpus[1].slot, 4);
	CHECK_INT(d->vcpus[2].slot, SLOT_NONE);
}

/* A TID that was reused, or a thread that is another vCPU now, is not the one that was known. */
static void test_identity(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 2);
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 2), INVENTORY_NEW);
	d->vcpus[0].slot = 3;
	d->vcpus[1].slot = 4;
	domain->vcpus[0].id.start_ticks++;
	domain->vcpus[1].index = 5;
	see(domain, 0);
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK_INT(d->vcpus[1].slot, SLOT_NONE);
}

/* A thread that moved to another cgroup keeps its slot; its new group is known. */
static void test_moved(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	d->vcpus[0].slot = 3;
	see(domain_make(WEB, "web", 100, 1), 0);
	CHECK(!d->rescan);
	strcpy(domain->vcpus[0].cgroup, "/elsewhere");
	see(domain, 0);
	CHECK_INT(d->vcpus[0].slot, 3);
	CHECK_STR(d->vcpus[0].thread.cgroup, "/elsewhere");
	CHECK(d->rescan); /* what was refused there may be allowed here */
}

/* Another QEMU of the same uuid: nothing carries over, and those that follow the old one hear it.
 */
static void test_restarted(void)
{
	struct inventory_domain *d;
	uint64_t serial;

	begin();
	d = see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	serial = d->serial;
	d->vcpus[0].slot = 3;
	d = see(domain_make(WEB, "web", 200, 1), INVENTORY_NEW);
	CHECK_INT(n_gone, 1);
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK(d->serial != serial);
	CHECK(!inventory.domains->next);
}

/* One process that both sources know belongs to the one that is configured first. */
static void test_ranks(void)
{
	begin();
	see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	see(of_procfs(domain_make(DB, "db", 100, 1)), INVENTORY_OUTRANKED);
	CHECK_INT(n_gone, 0);
	CHECK_STR(inventory.domains->seen->name, "web");

	begin();
	inventory_set_rank(&inventory, DOMAIN_SOURCE_LIBVIRT, 1);
	inventory_set_rank(&inventory, DOMAIN_SOURCE_PROCFS, 0);
	see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	see(of_procfs(domain_make(DB, "db", 100, 1)), INVENTORY_NEW);
	CHECK_STR(gone, "web");
	CHECK(!inventory.domains->next);
}

/* A uuid that a process claims stays libvirt's, whatever the ranks. */
static void test_uuid_is_libvirts(void)
{
	begin();
	inventory_set_rank(&inventory, DOMAIN_SOURCE_LIBVIRT, 1);
	inventory_set_rank(&inventory, DOMAIN_SOURCE_PROCFS, 0);
	see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	see(of_procfs(domain_make(WEB, "liar", 300, 1)), INVENTORY_OUTRANKED);
	CHECK_STR(inventory.domains->seen->name, "web");

	begin();
	see(of_procfs(domain_make(WEB, "liar", 300, 1)), INVENTORY_NEW);
	see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	CHECK_STR(gone, "liar");
}

/* With no slot left a domain is not taken, and counted; a slot that is free again is used. */
static void test_full(void)
{
	struct inventory_domain *d = NULL;
	char uuid[DOMAIN_UUID_LEN];

	begin();
	for (unsigned int i = 0; i < PVS_DOMAINS_MAX; i++) {
		snprintf(uuid, sizeof(uuid), "%08x-89ab-cdef-0123-456789abcdef", i);
		d = see(domain_make(uuid, "many", (pid_t)(1000 + i * 10), 0), INVENTORY_NEW);
	}
	see(domain_make(WEB, "web", 100, 1), INVENTORY_FULL);
	CHECK_U64(inventory.n_refused, 1);
	/* each domain once, however often it is seen, and until it ends or is taken */
	see(domain_make(WEB, "web", 100, 1), INVENTORY_FULL);
	see(domain_make(DB, "db", 200, 1), INVENTORY_FULL);
	CHECK_U64(inventory.n_refused, 2);
	inventory_forget_refused(&inventory, DOMAIN_SOURCE_PROCFS, DB);
	CHECK_U64(inventory.n_refused, 2); /* another source's */
	inventory_forget_refused(&inventory, DOMAIN_SOURCE_LIBVIRT, DB);
	inventory_forget_refused(&inventory, DOMAIN_SOURCE_LIBVIRT, DB);
	CHECK_U64(inventory.n_refused, 1);
	CHECK(!inventory_take_refused(&inventory));
	inventory_drop(&inventory, d);
	see(inventory_take_refused(&inventory), INVENTORY_NEW);
	CHECK(inventory_find_uuid(&inventory, WEB));
	CHECK_U64(inventory.n_refused, 0);
	CHECK(!inventory_take_refused(&inventory));
	see(domain_make(DB, "db", 200, 1), INVENTORY_FULL);
	inventory_forget_refused(&inventory, DOMAIN_SOURCE_LIBVIRT, NULL);
	CHECK_U64(inventory.n_refused, 0);
}

static bool is_busy(void *userdata, unsigned int slot)
{
	return slot == *(const unsigned int *)userdata;
}

/* A slot to which a thread is still charged is no other domain's, until it no longer is. */
static void test_busy_slot(void)
{
	struct inventory_domain *d;
	unsigned int busy;

	begin();
	d = see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	busy = d->slot;
	inventory_ask_busy(&inventory, is_busy, &busy);
	inventory_drop(&inventory, d);
	d = see(domain_make(DB, "db", 200, 1), INVENTORY_NEW);
	CHECK(d->slot != busy);
	inventory_drop(&inventory, d);
	d = see(domain_make(DB, "db", 300, 1), INVENTORY_NEW);
	CHECK(d->slot != busy);
	inventory_ask_busy(&inventory, NULL, NULL);
	CHECK_INT(see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW)->slot, busy);
}

/* What is looked at: the affinity, empty for a thread that is gone, and quotas. */
static void test_look(void)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1), INVENTORY_NEW);
	quota_holds = true;
	inventory_look(&inventory, d);
	CHECK_U64(d->vcpus[0].affinity.words[0], 101);
	CHECK(d->vcpus[0].quota);
	CHECK(!d->rescan);
	thread_is_gone = true;
	quota_holds = false;
	inventory_rescan(&inventory, d);
	CHECK_U64(d->vcpus[0].affinity.words[0], 0);
	CHECK(!d->vcpus[0].quota);
	CHECK(d->rescan);
}

static void test_finding(void)
{
	struct inventory_domain *web, *db, *found;
	size_t n;

	begin();
	web = see(domain_make(WEB, "web", 100, 2), INVENTORY_NEW);
	db = see(domain_make(DB, "db", 200, 3), INVENTORY_NEW);
	db->vcpus[2].slot = 9;
	CHECK_INT(inventory_find(&inventory, "web", &found), 0);
	CHECK(found == web);
	CHECK_INT(inventory_find(&inventory, "11234567-89AB-cdef-0123-456789abcdef", &found), 0);
	CHECK(found == db);
	CHECK_INT(inventory_find(&inventory, "none", &found), -ENOENT);
	/* a name that two domains have is that of neither; a uuid always is of one */
	strcpy(db->seen->name, "web");
	CHECK_INT(inventory_find(&inventory, "web", &found), -ENOTUNIQ);
	CHECK_INT(inventory_find(&inventory, WEB, &found), 0);
	CHECK(found == web);
	CHECK(!inventory_find_uuid(&inventory, "web"));
	CHECK(inventory_by_pid(&inventory, 200) == db);
	CHECK(inventory_by_slot(&inventory, 9, &found) == &db->vcpus[2]);
	CHECK(found == db);
	CHECK(!inventory_by_slot(&inventory, 10, &found));
	CHECK_INT(inventory_count(&inventory, &n), 5);
	CHECK_INT(n, 2);
}

/* A group that cannot be looked at has no quota that is known of, and counts. */
static void test_groups_unseen(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 3);
	struct inventory_domain *d;

	begin();
	strcpy(domain->vcpus[0].cgroup, "/../outside");
	domain->vcpus[1].cgroup_kind = PROCFS_CGROUP_V2;
	domain->vcpus[2].cgroup[0] = '\0';
	d = see(domain, INVENTORY_NEW);
	CHECK_STR(d->vcpus[0].thread.cgroup, "/outside");
	CHECK_STR(d->vcpus[1].thread.cgroup, "");
	inventory_look(&inventory, d);
	CHECK(!d->vcpus[0].group_unseen && d->vcpus[1].group_unseen && d->vcpus[2].group_unseen);
	CHECK_U64(inventory_count_unseen(&inventory), 2);
	group_error = -EACCES;
	inventory_look(&inventory, d);
	CHECK(!d->vcpus[0].quota);
	CHECK_U64(inventory_count_unseen(&inventory), 3);
	group_error = 0;
	quota_holds = true;
	inventory_look(&inventory, d);
	CHECK(d->vcpus[0].quota && !d->vcpus[1].quota);
	CHECK_U64(inventory_count_unseen(&inventory), 2);
}

/* A VM of Proxmox's also by its name, if no domain's own name is that. */
static void test_finding_vms(void)
{
	struct inventory_domain *one, *two, *found;

	begin();
	one = see(domain_make(WEB, "101", 100, 1), INVENTORY_NEW);
	two = see(domain_make(DB, "102", 200, 1), INVENTORY_NEW);
	strcpy(one->seen->labels.title, "pbx");
	CHECK_INT(inventory_find(&inventory, "pbx", &found),
	          -ENOENT); /* a title alone is no name */
	one->seen->labels.vmid = 101;
	two->seen->labels.vmid = 102;
	CHECK_INT(inventory_find(&inventory, "pbx", &found), 0);
	CHECK(found == one);
	strcpy(two->seen->labels.title, "101");
	CHECK_INT(inventory_find(&inventory, "101", &found), 0);
	CHECK(found == one);
	strcpy(two->seen->labels.title, "pbx");
	CHECK_INT(inventory_find(&inventory, "pbx", &found), -ENOTUNIQ);
	CHECK_INT(inventory_find(&inventory, "102", &found), 0);
	CHECK(found == two);
}

TEST_MAIN(TEST(test_known), TEST(test_threads_come_and_go), TEST(test_identity), TEST(test_moved),
          TEST(test_restarted), TEST(test_ranks), TEST(test_uuid_is_libvirts), TEST(test_full),
          TEST(test_busy_slot), TEST(test_look), TEST(test_groups_unseen), TEST(test_finding),
          TEST(test_finding_vms))
