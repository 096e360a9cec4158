// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/trial_sample.h"

#include "util/clock.h"

/*
 * Waits of domains that want less of a CPU than this are no part of what they want, but of this: of
 * domains that are idle nothing can be lost.
 */
#define WANTS_LEAST_PERMILLE 50

/* So much work an ordinary thread is taken to do each time that it waited for its CPU. */
#define WORK_NS (10 * NSEC_PER_MSEC)

/* Names a set of vCPUs, whatever their order. */
static uint64_t name_of(const struct inventory_domain *domain, const struct inventory_vcpu *vcpu)
{
	uint64_t name =
	        domain->serial << 32 ^ (uint64_t)vcpu->slot << 48 ^ (uint64_t)vcpu->thread.id.tid;

	return trial_random(&name);
}

/* With the run or the wait that is not over yet: either may be longer than a window. */
static void read_times(const struct pvs_vcpu_account *account, uint64_t now_ns, uint64_t *run_ns,
                       uint64_t *wait_ns)
{
	uint64_t in_ns = PVS_READ(account->in_ns), since_ns;

	*run_ns = PVS_READ(account->run_ns);
	*wait_ns = PVS_READ(account->wait_ns);
	since_ns = pvs_ready_since(PVS_READ(account->out), PVS_READ(account->out_ns),
	                           PVS_READ(account->wake_ns));
	if (in_ns != PVS_READ(account->in_ns))
		return; /* it was switched meanwhile: what is missing is microseconds */
	if (in_ns && in_ns < now_ns)
		*run_ns += now_ns - in_ns;
	if (!in_ns && since_ns && since_ns < now_ns)
		*wait_ns += now_ns - since_ns;
}

static void add_other(const struct pvs_vcpu_account *account, uint64_t now_ns,
                      struct trial_sample *ret)
{
	uint64_t run_ns, wait_ns;

	read_times(account, now_ns, &run_ns, &wait_ns);
	ret->others_run_ns += run_ns;
	ret->others_wait_ns += wait_ns;
	ret->others_vcpus++;
}

static void add_own(const struct pvs_vcpu_account *account, uint64_t now_ns,
                    struct trial_sample *ret)
{
	uint64_t run_ns, wait_ns;

	read_times(account, now_ns, &run_ns, &wait_ns);
	ret->run_ns += run_ns;
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		ret->waits[i] += PVS_READ(account->wait_counts[i]);
	ret->boosted_ns += PVS_READ(account->used_ns);
	ret->boosts += PVS_READ(account->boosts);
	ret->denied += PVS_READ(account->denied);
	ret->preemptions += PVS_READ(account->preemptions);
	ret->own_vcpus++;
}

/* As many as it has vCPUs, or as these may run on. */
static uint32_t cpus_of(const struct inventory_domain *domain)
{
	struct cpu_set_bits all = CPU_SET_BITS_NULL;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		if (cpu_set_bits_empty(&domain->vcpus[i].affinity))
			return (uint32_t)domain->n_vcpus;
		for (size_t j = 0; j < CPU_SET_BITS_WORDS; j++)
			all.words[j] |= domain->vcpus[i].affinity.words[j];
	}
	return MIN((uint32_t)domain->n_vcpus, (uint32_t)cpu_set_bits_count(&all));
}

static void add_domain(const struct accounts *accounts, const struct inventory_domain *domain,
                       bool own, struct trial_sample *ret)
{
	for (size_t i = 0; i < domain->n_vcpus; i++) {
		const struct inventory_vcpu *vcpu = &domain->vcpus[i];

		if (vcpu->slot == SLOT_NONE)
			continue;
		*(own ? &ret->own : &ret->others) += name_of(domain, vcpu);
		(own ? add_own : add_other)(&accounts->vcpus[vcpu->slot], ret->taken_ns, ret);
	}
}

void trial_sample_take(const struct inventory *inventory, const struct accounts *accounts,
                       const struct inventory_domain *domain, const struct trial_probe *probe,
                       uint64_t now_ns, struct trial_sample *ret)
{
	*ret = (struct trial_sample){
	        .taken_ns = now_ns,
	        .cpus = cpus_of(domain),
	        .daemon_ns = clock_process_ns(),
	        .probe = trial_probe_read(probe),
	};
	for (const struct inventory_domain *d = inventory->domains; d; d = d->next)
		add_domain(accounts, d, d == domain, ret);
}

/* At least 1: 0 is not measured. */
static uint32_t ppm(double part)
{
	return (uint32_t)MAX(MIN(part, 1.0) * TRIAL_PPM, 1.0);
}

static uint32_t served_domains(const struct trial_sample *begin, const struct trial_sample *end)
{
	double run_ns = (double)(int64_t)(end->others_run_ns - begin->others_run_ns);
	double wait_ns = (double)(int64_t)(end->others_wait_ns - begin->others_wait_ns);
	double least_ns = (double)(end->taken_ns - begin->taken_ns) * WANTS_LEAST_PERMILLE / 1000;

	if (!end->others_vcpus || begin->others != end->others || run_ns < 0 || wait_ns < 0)
		return 0;
	return ppm(1 - wait_ns / MAX(run_ns + wait_ns, least_ns));
}

/* CPUs that are not full leave as much as others want, whatever the domain does. */
static uint32_t served_cpus(const struct trial_sample *begin, const struct trial_sample *end)
{
	double all_ns = (double)(end->taken_ns - begin->taken_ns) * end->cpus;
	double used_ns =
	        (double)(end->run_ns - begin->run_ns) + (double)(end->daemon_ns - begin->daemon_ns);

	return end->cpus ? ppm(1 - used_ns / all_ns) : 0;
}

static uint32_t served_threads(const struct trial_sample *begin, const struct trial_sample *end)
{
	double n = (double)(end->probe.n - begin->probe.n);
	double late_ns = (double)(end->probe.late_ns - begin->probe.late_ns);

	return n > 0 ? ppm(n * WORK_NS / (n * WORK_NS + late_ns)) : 0;
}

bool trial_sample_window(const struct trial_sample *begin, const struct trial_sample *end, bool on,
                         struct trial_window *ret)
{
	if (!end->own_vcpus || begin->own != end->own || begin->own_vcpus != end->own_vcpus ||
	    end->taken_ns <= begin->taken_ns || end->run_ns < begin->run_ns ||
	    end->boosted_ns < begin->boosted_ns)
		return false;
	*ret = (struct trial_window){
	        .on = on,
	        .length_ns = end->taken_ns - begin->taken_ns,
	        .run_ns = end->run_ns - begin->run_ns,
	        .boosted_ns = end->boosted_ns - begin->boosted_ns,
	        .served_ppm = {[TRIAL_DOMAINS] = served_domains(begin, end),
	                       [TRIAL_CPUS] = served_cpus(begin, end),
	                       [TRIAL_THREADS] = served_threads(begin, end)},
	};
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++) {
		uint64_t n = end->waits[i] - begin->waits[i];

		if (end->waits[i] < begin->waits[i] || n > UINT32_MAX)
			return false; /* a counter of 32 bits began anew */
		ret->waits[i] = (uint32_t)n;
	}
	return true;
}
