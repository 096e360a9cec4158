/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which thread is which vCPU: honest libvirt, late libvirt, and a QEMU that lies. */

#include <errno.h>

#include "test.h"
#include "util/cleanup.h"
#include "util/procfs.h"
#include "virt/mapping.h"
#include "virt/qemu.h"
#include "virt/status_file.h"
#include "virt/threads.h"

#define UUID  "6c34795f-f1f3-4451-b711-d6beefbb3011"
#define GROUP "/machine/qemu-1-a b:1.libvirt-qemu"

static void test_names(void)
{
	unsigned int index = 7;
	bool kvm = false;

	CHECK_INT(mapping_parse_name("CPU 0/KVM", &index, &kvm), THREAD_CLAIM_VCPU);
	CHECK_U64(index, 0);
	CHECK(kvm);
	CHECK_INT(mapping_parse_name("CPU 511/TCG", &index, &kvm), THREAD_CLAIM_VCPU);
	CHECK_U64(index, 511);
	CHECK(!kvm);
	CHECK_INT(mapping_parse_name("CPU 512/KVM", &index, &kvm), THREAD_CLAIM_VCPU_BEYOND);
	CHECK_INT(mapping_parse_name("CPU 4095/TCG", &index, &kvm), THREAD_CLAIM_VCPU_BEYOND);
	CHECK_INT(mapping_parse_name("CPU 512/", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("CPU 01/KVM", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("CPU -1/KVM", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("CPU /KVM", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("CPU 1/KVMx", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("CPU 4294967296/", &index, &kvm), THREAD_CLAIM_OTHER);
	CHECK_INT(mapping_parse_name("ALL CPUs/TCG", &index, &kvm), THREAD_CLAIM_ALL_VCPUS);
	CHECK_INT(mapping_parse_name("IO iothread1", &index, &kvm), THREAD_CLAIM_IOTHREAD);
	CHECK_INT(mapping_parse_name("vhost-123", &index, &kvm), THREAD_CLAIM_VHOST);
	CHECK_INT(mapping_parse_name("", &index, &kvm), THREAD_CLAIM_OTHER);
}

static void test_groups(void)
{
	unsigned int index = 0;

	CHECK(mapping_parse_group("/m/vcpu12", "/m", 2, &index));
	CHECK_U64(index, 12);
	CHECK(!mapping_parse_group("/n/vcpu12", "/m", 2, &index));
	CHECK(!mapping_parse_group("/m/x/vcpu12", "/m", 2, &index));
	CHECK(!mapping_parse_group("/m/vcpu12/x", "/m", 2, &index));
	CHECK(!mapping_parse_group("/m/vcpu", "/m", 2, &index));
	CHECK(!mapping_parse_group("/m/emulator", "/m", 2, &index));
	CHECK(!mapping_parse_group("/m", "/m", 2, &index));
}

/** A domain whose QEMU is thread 10, in the group of the emulator. */
struct world {
	struct domain *domain;
	struct thread_sample samples[16];
	size_t n;
	struct status_vcpu vcpus[4];
	struct status_file status;
	unsigned int notes;
};

static void add_thread(struct world *world, pid_t tid, const char *comm, const char *group)
{
	struct thread_sample *sample = &world->samples[world->n++];

	sample->id = (struct thread_id){tid, 1000 + (uint64_t)tid};
	strcpy(sample->comm, comm);
	if (*group)
		snprintf(sample->cgroup, sizeof(sample->cgroup), GROUP "/%s", group);
}

static void add_status(struct world *world, unsigned int index, pid_t tid)
{
	world->vcpus[world->status.n_vcpus++] = (struct status_vcpu){index, tid};
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	CHECK(world != NULL);
	world->domain = domain_new(UUID, "a b:1");
	world->domain->qemu = (struct thread_id){10, 1010};
	world->status.vcpus = world->vcpus;
	add_thread(world, 10, "qemu-system-x86", "emulator");
	return world;
}

static void build(struct world *world, bool with_status)
{
	CHECK_INT(mapping_build(world->domain, world->samples, world->n,
	                        with_status ? &world->status : NULL, &world->notes),
	          0);
}

static void world_free(struct world *world)
{
	domain_free(world->domain);
	free(world);
}

static void test_confirmed_by_both(void)
{
	struct world *world = world_new();

	add_thread(world, 12, "CPU 1/KVM", "vcpu1");
	add_thread(world, 11, "CPU 0/KVM", "vcpu0");
	add_thread(world, 13, "IO iothread1", "iothread1");
	add_thread(world, 14, "vhost-10", "emulator");
	add_status(world, 0, 11);
	add_status(world, 1, 12);
	build(world, true);
	CHECK_U64(world->notes, 0);
	CHECK_U64(world->domain->n_vcpus, 2);
	CHECK_INT(world->domain->vcpus[0].id.tid, 11);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_CGROUP);
	CHECK(world->domain->vcpus[0].kvm);
	CHECK_STR(world->domain->vcpus[1].cgroup, GROUP "/vcpu1");
	CHECK_U64(world->domain->n_helpers, 3);
	CHECK_INT(world->domain->helpers[1].role, HELPER_IOTHREAD);
	CHECK_INT(world->domain->helpers[2].role, HELPER_VHOST);
	world_free(world);
}

static void test_confirmed_by_one(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "CPU 0/TCG", "vcpu0");
	build(world, false);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_CGROUP);
	world_free(world);
	world = world_new();
	add_thread(world, 11, "CPU 0/TCG", "");
	add_status(world, 0, 11);
	build(world, true);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_STATUS_FILE);
	CHECK_U64(world->notes, 0);
	world_free(world);
}

static void test_not_confirmed(void)
{
	struct world *world = world_new();

	/* Hotplugged: libvirt has not moved thread 12 yet, and not written down thread 13. */
	add_thread(world, 11, "CPU 0/KVM", "vcpu0");
	add_thread(world, 12, "CPU 1/KVM", "emulator");
	add_thread(world, 13, "CPU 2/KVM", "vcpu2");
	add_status(world, 0, 11);
	build(world, true);
	CHECK_U64(world->notes, MAPPING_UNCONFIRMED);
	CHECK_U64(world->domain->n_vcpus, 3);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_CGROUP);
	CHECK_INT(world->domain->vcpus[1].proof, VCPU_PROOF_NONE);
	CHECK_INT(world->domain->vcpus[2].proof, VCPU_PROOF_NONE);
	world_free(world);
}

static void test_conflicts(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "CPU 0/KVM", "vcpu1");
	add_thread(world, 12, "CPU 2/KVM", "vcpu2");
	add_status(world, 3, 12);
	build(world, true);
	CHECK(world->notes & MAPPING_CONFLICT);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_NONE);
	CHECK_INT(world->domain->vcpus[1].proof, VCPU_PROOF_NONE);
	world_free(world);
}

static void test_libvirt_wins_over_number(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "CPU 1/KVM", "vcpu3");
	add_status(world, 3, 11);
	build(world, true);
	CHECK_U64(world->notes, 0);
	CHECK_U64(world->domain->vcpus[0].index, 3);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_CGROUP);
	world_free(world);
}

/** A thread of another domain's group, or of one made up, proves nothing. */
static void test_foreign_group(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "CPU 0/KVM", "x/vcpu0");
	build(world, false);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_NONE);
	world_free(world);
}

/** Threads born from a vCPU thread share its group and may take its name. */
static void test_clones(void)
{
	struct world *world = world_new();

	add_thread(world, 20, "CPU 0/KVM", "vcpu0");
	add_thread(world, 11, "CPU 0/KVM", "vcpu0");
	add_status(world, 0, 11);
	build(world, true);
	CHECK(world->notes & MAPPING_DUPLICATE);
	CHECK_U64(world->domain->n_vcpus, 1);
	CHECK_INT(world->domain->vcpus[0].id.tid, 11);
	CHECK_U64(world->domain->n_helpers, 2);
	world_free(world);
	world = world_new();
	add_thread(world, 20, "CPU 0/KVM", "vcpu0");
	add_thread(world, 11, "CPU 0/KVM", "vcpu0");
	build(world, false); /* nothing tells the two apart: neither */
	CHECK_U64(world->domain->n_vcpus, 0);
	world_free(world);
	world = world_new();
	add_thread(world, 20, "CPU 0/KVM", "emulator");
	add_thread(world, 21, "CPU 0/KVM", "emulator");
	build(world, false);
	CHECK_U64(world->domain->n_vcpus, 0);
	world_free(world);
}

/** The clone takes the name, the real thread gives its own up: the status file knows. */
static void test_swapped_names(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "nothing", "vcpu0");
	add_thread(world, 20, "CPU 0/KVM", "vcpu0");
	add_status(world, 0, 11);
	build(world, true);
	CHECK_U64(world->domain->n_vcpus, 1);
	CHECK_INT(world->domain->vcpus[0].proof, VCPU_PROOF_NONE);
	world_free(world);
}

static void test_single_tcg(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "ALL CPUs/TCG", "vcpu0");
	build(world, false);
	CHECK_U64(world->notes, MAPPING_SINGLE_TCG);
	CHECK_U64(world->domain->n_vcpus, 0);
	world_free(world);
}

static void test_many_threads(void)
{
	struct domain *domain = domain_new(UUID, "many");
	struct thread_sample *samples = calloc(10000, sizeof(*samples));
	unsigned int notes = 0;
	int i;

	CHECK(domain != NULL && samples != NULL);
	for (i = 0; i < 10000; i++) {
		samples[i].id = (struct thread_id){i + 1, 1};
		snprintf(samples[i].comm, sizeof(samples[i].comm), "CPU %d/KVM", i % 600);
	}
	CHECK_INT(mapping_build(domain, samples, 10000, NULL, &notes), 0);
	CHECK(notes & MAPPING_TRUNCATED);
	CHECK_U64(domain->n_vcpus, 0);
	CHECK_U64(domain->n_helpers, DOMAIN_HELPERS_MAX);
	free(samples);
	domain_free(domain);
}

static void test_cmdline(void)
{
	static const char line[] = "qemu\0-name\0-uuid x\0-uuid\0" UUID "\0-x";

	struct cmdline_facts facts;

	cmdline_parse(line, sizeof(line), &facts);
	CHECK_STR(facts.uuid_option, UUID);
	CHECK_STR(facts.args.uuid, UUID);
	cmdline_parse(line, 30, &facts);
	CHECK(strcmp(facts.uuid_option, UUID) != 0);
	cmdline_parse(line, sizeof(line), &facts);
	CHECK_U64(facts.args.max_vcpus, 1);
	cmdline_parse("", 0, &facts);
	CHECK_STR(facts.uuid_option, "");
	cmdline_parse("-uuid", 6, &facts);
	CHECK_STR(facts.uuid_option, "");
	cmdline_parse("-uuid\0" UUID "x", sizeof("-uuid\0" UUID "x"), &facts); /* too long */
	CHECK_STR(facts.uuid_option, "");
}

/* How often the reader below was asked, and what it answers. */
static unsigned int n_asked;
static int answer;

static int ask(void *userdata, const struct thread_id *qemu, struct cmdline_facts *ret)
{
	(void)userdata;
	(void)qemu;
	n_asked++;
	memset(ret, 0, sizeof(*ret));
	return answer;
}

static struct thread_id self(void)
{
	struct thread_id id = {.tid = getpid()};

	CHECK_INT(procfs_start_ticks(id.tid, id.tid, &id.start_ticks), 0);
	return id;
}

/* A command line is read once for each process; one that hung is never asked for again. */
static void test_cmdline_cache(void)
{
	struct cmdline_cache cache = {.reader = {.read = ask}};
	struct thread_id one = self(), other = {one.tid, one.start_ticks + 1};
	struct cmdline_facts facts;

	n_asked = 0;
	answer = 0;
	CHECK_INT(cmdline_get(&cache, &one, &facts), 0);
	CHECK_INT(cmdline_get(&cache, &one, &facts), 0);
	CHECK_U64(n_asked, 2); /* nothing says yet that it belongs to a QEMU */
	facts.args.max_vcpus = 3;
	cmdline_keep(&cache, &one, &facts);
	memset(&facts, 0, sizeof(facts));
	answer = -ETIMEDOUT;
	CHECK_INT(cmdline_get(&cache, &one, &facts), 0);
	CHECK_INT(facts.args.max_vcpus, 3);
	CHECK_U64(n_asked, 2);
	/* what cannot be asked now is asked again, what hung is not */
	answer = -EAGAIN;
	CHECK_INT(cmdline_get(&cache, &other, &facts), -EAGAIN);
	answer = -ETIMEDOUT;
	CHECK_INT(cmdline_get(&cache, &other, &facts), -ETIMEDOUT);
	answer = 0;
	CHECK_INT(cmdline_get(&cache, &other, &facts), -ETIMEDOUT);
	CHECK_U64(n_asked, 4);
	CHECK_U64(cmdline_stuck(&cache), 0); /* that process is gone */
	/* a process that executed another QEMU is asked anew, one that hung is not */
	cmdline_forget(&cache, &one);
	cmdline_forget(&cache, &other);
	CHECK_INT(cmdline_get(&cache, &other, &facts), -ETIMEDOUT);
	CHECK_INT(cmdline_get(&cache, &one, &facts), 0);
	CHECK_U64(n_asked, 5);
	facts.args.max_vcpus = 3;
	cmdline_keep(&cache, &one, &facts);
	/* it does not grow with processes that are gone */
	for (int i = 0; i < 10000; i++) {
		struct thread_id gone = {one.tid, one.start_ticks + 2 + (uint64_t)i};

		cmdline_keep(&cache, &gone, &facts);
	}
	CHECK(cache.room <= 1024);
	CHECK_INT(cmdline_get(&cache, &one, &facts), 0);
	CHECK_INT(facts.args.max_vcpus, 3);
	cmdline_cache_clear(&cache);
}

static struct world *one_vcpu(void)
{
	struct world *world = world_new();

	add_thread(world, 11, "CPU 0/KVM", "vcpu0");
	build(world, false);
	return world;
}

static void test_domain_equal(void)
{
	struct world *world = one_vcpu(), *other = one_vcpu();

	CHECK(domain_equal(other->domain, world->domain));
	other->domain->topology.cores = 2; /* its QEMU could not be read at the first look */
	CHECK(!domain_equal(other->domain, world->domain));
	other->domain->topology = world->domain->topology;
	other->domain->vcpus[0].proof = VCPU_PROOF_NONE;
	CHECK(!domain_equal(other->domain, world->domain));
	world_free(other);
	other = one_vcpu();
	other->domain->helpers[0].id.start_ticks++;
	CHECK(!domain_equal(other->domain, world->domain));
	world_free(other);
	world_free(world);
}

static void test_domain_shared(void)
{
	struct world *world = one_vcpu();
	struct domain *same = domain_share(world->domain);

	CHECK(same == world->domain);
	CHECK(domain_free(same) == NULL);
	CHECK_INT(world->domain->vcpus[0].id.tid, 11);
	world_free(world);
}

TEST_MAIN({"names", test_names}, {"groups", test_groups},
          {"confirmed-by-both", test_confirmed_by_both},
          {"confirmed-by-one", test_confirmed_by_one}, {"not-confirmed", test_not_confirmed},
          {"conflicts", test_conflicts}, {"libvirt-wins", test_libvirt_wins_over_number},
          {"foreign-group", test_foreign_group}, {"clones", test_clones},
          {"swapped-names", test_swapped_names}, {"single-tcg", test_single_tcg},
          {"many-threads", test_many_threads}, {"cmdline", test_cmdline},
          {"cmdline_cache", test_cmdline_cache}, {"domain-equal", test_domain_equal},
          {"domain-shared", test_domain_shared})
