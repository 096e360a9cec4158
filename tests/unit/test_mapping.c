/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What proves a vCPU without libvirt, and what is left out of a domain that has too much of it. */

#include "test.h"
#include "virt/mapping.h"

#define UUID "6c34795f-f1f3-4451-b711-d6beefbb3011"

struct world {
	struct domain *domain;
	struct thread_sample samples[8];
	size_t n;
	unsigned int notes;
};

static void add_thread(struct world *world, pid_t tid, const char *comm)
{
	struct thread_sample *sample = &world->samples[world->n++];

	*sample = (struct thread_sample){.id = {tid, 1000}};
	strcpy(sample->comm, comm);
}

static void build(struct world *world, struct process_evidence evidence)
{
	domain_free(world->domain);
	world->domain = domain_new(UUID, "web");
	world->domain->qemu = world->samples[0].id;
	world->notes = 0;
	CHECK_INT(mapping_build_process(world->domain, world->samples, world->n, &evidence,
	                                &world->notes),
	          0);
}

static unsigned int count_proof(const struct world *world, enum vcpu_proof proof)
{
	unsigned int n = 0;

	for (size_t i = 0; i < world->domain->n_vcpus; i++)
		n += world->domain->vcpus[i].proof == proof;
	return n;
}

static void test_kvm_proof(void)
{
	struct world world = {0};

	add_thread(&world, 10, "qemu-system-x86");
	add_thread(&world, 11, "CPU 0/KVM");
	add_thread(&world, 12, "CPU 1/KVM");
	build(&world, (struct process_evidence){.n_kvm_vcpus = 2, .max_vcpus = 2});
	CHECK_U64(count_proof(&world, VCPU_PROOF_KVM), 2);
	CHECK_U64(world.notes, 0);
	/* one is born, and has not opened its vCPU yet: the others stay what they are */
	add_thread(&world, 13, "CPU 2/KVM");
	build(&world, (struct process_evidence){.n_kvm_vcpus = 2, .max_vcpus = 4});
	CHECK_U64(world.domain->n_vcpus, 3);
	CHECK_U64(count_proof(&world, VCPU_PROOF_KVM), 2);
	CHECK_INT(world.domain->vcpus[2].proof, VCPU_PROOF_NONE);
	CHECK_U64(world.notes, MAPPING_UNCONFIRMED);
	/* a name that speaks of KVM in a process that has none */
	build(&world, (struct process_evidence){.executable = true, .max_vcpus = 4});
	CHECK_U64(count_proof(&world, VCPU_PROOF_NONE), 3);
	domain_free(world.domain);
}

static void test_liar(void)
{
	struct world world = {0};

	add_thread(&world, 10, "qemu-system-x86");
	add_thread(&world, 11, "CPU 0/TCG");
	add_thread(&world, 12, "CPU 1/TCG");
	add_thread(&world, 13, "CPU 2/TCG");
	build(&world, (struct process_evidence){.executable = true, .max_vcpus = 2});
	CHECK_U64(count_proof(&world, VCPU_PROOF_EXECUTABLE), 2);
	CHECK_INT(world.domain->vcpus[2].proof, VCPU_PROOF_NONE);
	/* with KVM no thread is believed to emulate; without the executable none at all */
	build(&world,
	      (struct process_evidence){.executable = true, .n_kvm_vcpus = 1, .max_vcpus = 2});
	CHECK_U64(count_proof(&world, VCPU_PROOF_NONE), 3);
	build(&world, (struct process_evidence){.max_vcpus = 2});
	CHECK_U64(count_proof(&world, VCPU_PROOF_NONE), 3);
	/* two proven threads with one number contradict each other */
	strcpy(world.samples[2].comm, "CPU 0/TCG");
	build(&world, (struct process_evidence){.executable = true, .max_vcpus = 3});
	CHECK_U64(world.notes, MAPPING_DUPLICATE);
	CHECK_U64(world.domain->n_vcpus, 1);
	CHECK_U64(world.domain->vcpus[0].index, 2);
	domain_free(world.domain);
}

/* More vCPUs than a domain may have, and more than are listed without proof: each is counted. */
static void test_left_out(void)
{
	struct domain *domain = domain_new(UUID, "big");
	struct thread_sample *samples = calloc(531, sizeof(*samples));
	struct process_evidence evidence = {.n_kvm_vcpus = 480, .max_vcpus = 512, .cut = true};
	unsigned int notes = 0;

	CHECK(domain != NULL && samples != NULL);
	domain->qemu = (struct thread_id){1, 1};
	for (int i = 0; i < 531; i++) {
		samples[i].id = (struct thread_id){i + 1, 1};
		snprintf(samples[i].comm, sizeof(samples[i].comm), i ? "CPU %d/KVM" : "qemu",
		         i - 1);
	}
	CHECK_INT(mapping_build_process(domain, samples, 531, &evidence, &notes), 0);
	CHECK(notes & MAPPING_TOO_MANY);
	CHECK(notes & MAPPING_UNLISTED);
	CHECK_U64(domain->left_out.vcpus, 18); /* 512 to 529 */
	CHECK_U64(domain->left_out.unproven, 16);
	CHECK(domain->left_out.descriptors);
	CHECK_U64(domain->n_vcpus, 480 + DOMAIN_UNPROVEN_MAX);
	CHECK_U64(domain->n_helpers, 1 + 16); /* none of those that are too many */
	CHECK(domain_leaves_out(domain));
	free(samples);
	domain_free(domain);
}

/* QEMU made many threads before its iothreads: these are kept all the same, as is the main one. */
static void test_helpers_that_matter(void)
{
	struct domain *domain = domain_new(UUID, "many");
	struct thread_sample *samples = calloc(2000, sizeof(*samples));
	struct thread_id kernels = {9999, 1};
	unsigned int notes = 0, n_io = 0;

	CHECK(domain != NULL && samples != NULL);
	domain->qemu = (struct thread_id){1, 1};
	for (int i = 0; i < 2000; i++) {
		samples[i].id = (struct thread_id){i + 1, 1};
		snprintf(samples[i].comm, sizeof(samples[i].comm),
		         i < 1997 ? "msgr-worker-0" : "IO iothread%d", i - 1996);
	}
	CHECK_INT(mapping_build(domain, samples, 2000, NULL, &notes), 0);
	CHECK_INT(mapping_add_helper(domain, &kernels, HELPER_VHOST, &notes), 0);
	CHECK(notes & MAPPING_TRUNCATED);
	CHECK_U64(domain->n_helpers, DOMAIN_HELPERS_MAX);
	CHECK_INT(domain->helpers[0].id.tid, 1);
	for (size_t i = 0; i < domain->n_helpers; i++)
		n_io += domain->helpers[i].role != HELPER_EMULATOR;
	CHECK_U64(n_io, 4);
	CHECK_U64(domain->left_out.helpers, 0); /* nothing waits for the others */
	for (int i = 0; i < DOMAIN_HELPERS_MAX; i++)
		CHECK_INT(mapping_add_helper(domain, &kernels, HELPER_VHOST, &notes), 0);
	CHECK_U64(domain->left_out.helpers, 5);
	CHECK_INT(domain->helpers[0].id.tid, 1);
	free(samples);
	domain_free(domain);
}

TEST_MAIN({"kvm-proof", test_kvm_proof}, {"liar", test_liar}, {"left-out", test_left_out},
          {"helpers-that-matter", test_helpers_that_matter})
