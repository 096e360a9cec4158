// SPDX-License-Identifier: GPL-2.0-or-later
/* Which threads the tracer looks at, and the epochs of their TIDs, see PVS_EPOCH_OVER. */
#include "trace/internal.h"
#include "trace/tracer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/base.h"
#include "util/procfs.h"

/* A bit of a table in BPF is set while a registered thread or process shares it. */
static void mark(uint64_t *table, uint16_t *users, uint32_t bit, int change)
{
	uint64_t *word = &table[bit / 64];

	users[bit] = (uint16_t)(users[bit] + change);
	if (users[bit])
		__atomic_or_fetch(word, UINT64_C(1) << (bit % 64), __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(word, ~(UINT64_C(1) << (bit % 64)), __ATOMIC_RELEASE);
}

static void list(struct tracer *tracer, pid_t tid, int change)
{
	mark((uint64_t *)tracer->bpf->bss->listed, tracer->listed_users,
	     (uint32_t)tid % LISTED_BITS, change);
}

static int timer_try(const struct bpf_program *maker)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int r = bpf_prog_test_run_opts(bpf_program__fd(maker), &run);

	return r < 0 ? r : (int)run.retval;
}

/*
 * Linux 6.18 allocates a timer without waiting (kmalloc_nolock). So it may have none of that size
 * left while much memory is free: one or two hundred succeed. A pipe needs an object of that size,
 * too, and waits for memory. About twenty more come with it, for us.
 */
#define TIMER_TRIES 16

/* @maker: the program that makes the timer. It was told for which thread. */
static int timer_make(const struct bpf_program *maker)
{
	int r, pipe_fds[2];

	r = timer_try(maker);
	for (int i = 0; r == -ENOMEM && i < TIMER_TRIES; i++) {
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return r;
		r = timer_try(maker);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
	return r;
}

/* @slot: index in the tracer's table, where helpers come after vCPUs. */
static int thread_register(struct tracer *tracer, uint32_t slot, pid_t tid)
{
	uint32_t key = (uint32_t)tid, value = slot;
	int r = bpf_map_update_elem(bpf_map__fd(tracer->bpf->maps.slots), &key, &value, BPF_ANY);
	if (r < 0)
		return -errno;
	list(tracer, tid, 1);
	return 0;
}

static void mark_process(struct tracer *tracer, uint32_t process, int change)
{
	mark((uint64_t *)tracer->bpf->bss->processes, tracer->process_users, process % PROCESS_BITS,
	     change);
}

static void address_end(struct tracer *tracer, unsigned int slot)
{
	struct vcpu_address *address = &tracer->addresses[slot];
	int fd = bpf_map__fd(tracer->bpf->maps.addresses);
	uint32_t value;

	if (!address->process)
		return;
	mark_process(tracer, address->process, -1);
	/* the address may be another slot's by now */
	if (bpf_map_lookup_elem(fd, address, &value) == 0 && value == slot)
		bpf_map_delete_elem(fd, address);
	*address = (struct vcpu_address){0};
}

int tracer_set_address(struct tracer *tracer, unsigned int slot, pid_t process, uint32_t apic_id)
{
	struct vcpu_address address = {(uint32_t)process, apic_id};
	uint32_t value = slot;

	tracer_attach_kvm(tracer); /* the module may have been loaded after us */
	address_end(tracer, slot);
	if (apic_id == PVS_APIC_ID_NONE)
		return 0;
	if (bpf_map_update_elem(bpf_map__fd(tracer->bpf->maps.addresses), &address, &value,
	                        BPF_ANY) < 0)
		return -errno;
	tracer->addresses[slot] = address;
	mark_process(tracer, address.process, 1);
	return 0;
}

/* Without memory for them the vCPU is traced all the same. */
static void windows_begin(const struct tracer *tracer, uint32_t slot)
{
	static const struct pvs_windows none;

	bpf_map_update_elem(bpf_map__fd(tracer->bpf->maps.windows), &slot, &none, BPF_ANY);
}

static void demand_begin(const struct tracer *tracer, uint32_t slot)
{
	static const struct pvs_demand none;

	bpf_map_update_elem(bpf_map__fd(tracer->bpf->maps.demands), &slot, &none, BPF_ANY);
}

static void demand_end(struct tracer *tracer, uint32_t slot)
{
	bpf_map_delete_elem(bpf_map__fd(tracer->bpf->maps.demands), &slot);
}

static void windows_end(struct tracer *tracer, uint32_t slot)
{
	bpf_map_delete_elem(bpf_map__fd(tracer->bpf->maps.windows), &slot);
}

int tracer_make_deadlines(struct tracer *tracer)
{
	int n = libbpf_num_possible_cpus(), r = 0;

	if (n < 0)
		return n;
	for (uint32_t cpu = 0; r == 0 && cpu < MIN((uint32_t)n, (uint32_t)PVS_CPUS_MAX); cpu++) {
		tracer->bpf->bss->deadline_cpu = cpu;
		r = timer_make(tracer->bpf->progs.make_deadline);
	}
	return r;
}

int tracer_register(struct tracer *tracer, unsigned int slot, pid_t tid)
{
	int r;

	tracer->bpf->bss->unseen_slot = slot;
	r = timer_make(tracer->bpf->progs.make_unseen_look);
	if (r < 0)
		return r;
	windows_begin(tracer, slot);
	demand_begin(tracer, slot);
	return thread_register(tracer, slot, tid);
}

int tracer_read_windows(const struct tracer *tracer, unsigned int slot, struct pvs_windows *ret)
{
	uint32_t key = slot;
	int r = bpf_map_lookup_elem(bpf_map__fd(tracer->bpf->maps.windows), &key, ret);

	if (r == 0)
		return 0;
	r = -errno;
	if (r == -ENOENT)
		windows_begin(tracer, slot); /* there was no memory for it then */
	return r;
}

int tracer_read_demand(const struct tracer *tracer, unsigned int slot, struct pvs_demand *ret)
{
	uint32_t key = slot;
	int r = bpf_map_lookup_elem(bpf_map__fd(tracer->bpf->maps.demands), &key, ret);

	if (r == 0)
		return 0;
	r = -errno;
	if (r == -ENOENT)
		demand_begin(tracer, slot); /* there was no memory for it then */
	return r;
}

int tracer_register_helper(struct tracer *tracer, unsigned int helper, pid_t tid)
{
	int r = 0;

	tracer->bpf->bss->helper_slot = helper;
	/* without this part it is registered all the same: its exit must be seen */
	if (tracer->parts.loaded & PVS_PART_HELPERS)
		r = timer_make(tracer->bpf->progs.make_helper_look);
	if (r < 0)
		return r;
	tracer->helpers[helper] = (struct pvs_helper_account){.tid = (uint32_t)tid};
	return thread_register(tracer, PVS_VCPUS_MAX + helper, tid);
}

static void thread_unregister(struct tracer *tracer, uint32_t slot, pid_t tid)
{
	uint32_t key = (uint32_t)tid, value;
	int fd = bpf_map__fd(tracer->bpf->maps.slots);

	/* the TID may belong to a younger thread in another slot by now */
	if (bpf_map_lookup_elem(fd, &key, &value) == 0 && value == slot)
		bpf_map_delete_elem(fd, &key);
	list(tracer, tid, -1);
}

/*
 * Writes @epoch into a thread's word, if the tracer will see the thread's exit. The thread is
 * registered, so an exit that has not begun will be seen. The kernel marks the thread as exiting
 * before it runs the tracer's program. So with a full barrier between the registration and the read
 * of the mark, either the mark is seen here, or the program finds the thread registered. A word
 * that the program writes meanwhile stays.
 */
static void epoch_begin(uint32_t *word, uint32_t tid, uint32_t epoch)
{
	uint32_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
	struct procfs_stat stat;

	if (before == epoch || before == PVS_EPOCH_OVER)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (procfs_stat(0, (pid_t)tid, &stat) == 0 && !(stat.flags & PROCFS_FLAG_EXITING))
		__atomic_compare_exchange_n(word, &before, epoch, false, __ATOMIC_SEQ_CST,
		                            __ATOMIC_RELAXED);
}

/* To be called before the tracer stops to see the thread's exit. */
static void epoch_end(uint32_t *word)
{
	__atomic_store_n(word, PVS_EPOCH_UNKNOWN, __ATOMIC_SEQ_CST);
}

void tracer_join_epoch(struct tracer *tracer, unsigned int slot)
{
	struct pvs_vcpu_account *vcpu = &tracer->vcpus[slot];
	const struct pvs_domain_account *domain = &tracer->domains[vcpu->domain];

	uint32_t epoch = __atomic_load_n(&domain->leader_epoch, __ATOMIC_ACQUIRE);

	if (epoch != PVS_EPOCH_UNKNOWN && epoch != PVS_EPOCH_OVER)
		epoch_begin(&vcpu->epoch, vcpu->tid, epoch);
}

static uint32_t next_epoch(struct tracer *tracer)
{
	do
		tracer->last_epoch++;
	while (tracer->last_epoch == PVS_EPOCH_UNKNOWN || tracer->last_epoch == PVS_EPOCH_OVER);
	return tracer->last_epoch;
}

void tracer_set_leader(struct tracer *tracer, unsigned int helper)
{
	struct pvs_domain_account *domain = &tracer->domains[helper / PVS_HELPERS_OF_DOMAIN];

	epoch_end(&domain->leader_epoch);
	__atomic_store_n(&domain->leader_tid, tracer->helpers[helper].tid, __ATOMIC_RELEASE);
	epoch_begin(&domain->leader_epoch, domain->leader_tid, next_epoch(tracer));
}

void tracer_unregister(struct tracer *tracer, unsigned int slot, pid_t tid)
{
	epoch_end(&tracer->vcpus[slot].epoch);
	tracer_relate(tracer, slot, false);
	address_end(tracer, slot);
	thread_unregister(tracer, slot, tid);
	windows_end(tracer, slot);
	demand_end(tracer, slot);
}

void tracer_unregister_helper(struct tracer *tracer, unsigned int helper)
{
	struct pvs_helper_account *account = &tracer->helpers[helper];
	struct pvs_domain_account *domain = &tracer->domains[helper / PVS_HELPERS_OF_DOMAIN];

	if (domain->leader_tid == account->tid) {
		epoch_end(&domain->leader_epoch);
		__atomic_store_n(&domain->leader_tid, 0, __ATOMIC_RELEASE);
	}
	thread_unregister(tracer, PVS_VCPUS_MAX + helper, (pid_t)account->tid);
	__atomic_store_n(&account->tid, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&account->since_ns, 0, __ATOMIC_RELEASE);
	__atomic_and_fetch(&domain->helpers_waiting,
	                   ~(UINT32_C(1) << (helper % PVS_HELPERS_OF_DOMAIN)), __ATOMIC_RELEASE);
}

static void mark_follower(struct tracer *tracer, unsigned int helper, bool follows)
{
	uint32_t *word = &tracer->domains[helper / PVS_HELPERS_OF_DOMAIN].followers;
	uint32_t bit = UINT32_C(1) << (helper % PVS_HELPERS_OF_DOMAIN);

	if (follows)
		__atomic_or_fetch(word, bit, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(word, ~bit, __ATOMIC_RELEASE);
}

int tracer_follow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid)
{
	int r;

	tracer->bpf->bss->unseen_slot = slot;
	r = timer_make(tracer->bpf->progs.make_unseen_look);
	if (r == 0)
		r = thread_register(tracer, slot, tid);
	if (r == 0)
		mark_follower(tracer, helper, true);
	return r;
}

/*
 * Its TID leads to the helper again, in one step, so that no switch and no exit goes unseen. If the
 * helper has exited since, the caller ends it, and the entry with it.
 */
void tracer_unfollow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid)
{
	uint32_t key = (uint32_t)tid, value;
	int fd = bpf_map__fd(tracer->bpf->maps.slots);

	epoch_end(&tracer->vcpus[slot].epoch);
	mark_follower(tracer, helper, false);
	if (bpf_map_lookup_elem(fd, &key, &value) == 0 && value == slot) {
		value = PVS_VCPUS_MAX + helper;
		if (tracer->helpers[helper].tid == key)
			bpf_map_update_elem(fd, &key, &value, BPF_ANY);
		else
			bpf_map_delete_elem(fd, &key);
	}
	list(tracer, tid, -1);
}

void tracer_set_softirqd(struct tracer *tracer, unsigned int cpu, pid_t tid)
{
	if (cpu >= PVS_CPUS_MAX || tracer->cpus[cpu].softirqd_tid)
		return;
	tracer->cpus[cpu].softirqd_tid = (uint32_t)tid;
	list(tracer, tid, 1);
}
