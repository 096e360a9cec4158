/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

/** A name holds 15 characters: beyond this it is none of QEMU's. */
#define INDEX_DIGITS_MAX 6

/**
 * Reads a vCPU number without sign, blanks or leading zeros; sets *end to the character after it.
 */
static bool parse_number(const char *text, const char **end, unsigned int *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > INDEX_DIGITS_MAX || (*text == '0' && digits > 1))
		return false;
	*ret = (unsigned int)strtoul(text, NULL, 10);
	*end = text + digits;
	return true;
}

static bool parse_index(const char *text, const char **end, unsigned int *ret)
{
	unsigned int number;

	if (!parse_number(text, end, &number) || number >= DOMAIN_VCPUS_MAX)
		return false;
	*ret = number;
	return true;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

enum thread_claim mapping_parse_name(const char *comm, unsigned int *index, bool *kvm)
{
	unsigned int number;
	const char *end;

	if (has_prefix(comm, "CPU ") && parse_number(comm + strlen("CPU "), &end, &number)) {
		*kvm = strcmp(end, "/KVM") == 0;
		if (*kvm || strcmp(end, "/TCG") == 0) {
			*index = number;
			return number < DOMAIN_VCPUS_MAX ? THREAD_CLAIM_VCPU
			                                 : THREAD_CLAIM_VCPU_BEYOND;
		}
	}
	if (strcmp(comm, "ALL CPUs/TCG") == 0)
		return THREAD_CLAIM_ALL_VCPUS;
	if (has_prefix(comm, "IO "))
		return THREAD_CLAIM_IOTHREAD;
	if (has_prefix(comm, "vhost-"))
		return THREAD_CLAIM_VHOST;
	return THREAD_CLAIM_OTHER;
}

bool mapping_parse_group(const char *path, const char *parent, size_t parent_size,
                         unsigned int *index)
{
	const char *end;

	if (strlen(path) <= parent_size || memcmp(path, parent, parent_size) != 0)
		return false;
	path += parent_size;
	return has_prefix(path, "/vcpu") && parse_index(path + strlen("/vcpu"), &end, index) &&
	       *end == '\0';
}

/** The sources that confirm or contradict a thread's name. */
struct witness {
	const char *group; /* the domain's group: the prefix of its vcpuN groups */
	size_t group_size; /* 0 if not known */
	const struct status_file *status;
};

/** The domain's group is the parent of ".../emulator", where libvirt puts QEMU's main thread. */
static void find_domain_group(struct witness *witness, const struct domain *domain,
                              const struct thread_sample *samples, size_t n)
{
	const size_t suffix = strlen("/emulator");
	size_t i, size;

	for (i = 0; i < n; i++) {
		if (samples[i].id.tid != domain->qemu.tid)
			continue;
		size = strlen(samples[i].cgroup);
		if (size <= suffix || strcmp(samples[i].cgroup + size - suffix, "/emulator") != 0)
			return;
		witness->group = samples[i].cgroup;
		witness->group_size = size - suffix;
		return;
	}
}

/** The vCPU number that one source gives, if any. */
struct opinion {
	bool present;
	unsigned int index;
};

static struct opinion ask_group(const struct witness *witness, const struct thread_sample *sample)
{
	struct opinion opinion = {0};

	if (witness->group_size > 0)
		opinion.present = mapping_parse_group(sample->cgroup, witness->group,
		                                      witness->group_size, &opinion.index);
	return opinion;
}

static struct opinion ask_status(const struct witness *witness, pid_t tid)
{
	size_t i;

	for (i = 0; witness->status && i < witness->status->n_vcpus; i++)
		if (witness->status->vcpus[i].tid == tid)
			return (struct opinion){true, witness->status->vcpus[i].index};
	return (struct opinion){0};
}

/** A thread named like a vCPU, and the proof found for it. */
struct candidate {
	const struct thread_sample *sample;
	unsigned int index;
	enum vcpu_proof proof;
	bool kvm;
};

/** Confirms a candidate whose name says @candidate->index, or leaves it without proof. */
static void confirm(struct candidate *candidate, const struct witness *witness, unsigned int *notes)
{
	struct opinion group = ask_group(witness, candidate->sample);
	struct opinion status = ask_status(witness, candidate->sample->id.tid);
	bool status_known = witness->status && witness->status->n_vcpus > 0;

	candidate->proof = VCPU_PROOF_NONE;
	if (group.present && status.present && group.index == status.index) {
		candidate->index = group.index;
		candidate->proof = VCPU_PROOF_CGROUP;
		return;
	}
	if ((group.present && group.index != candidate->index) ||
	    (status.present && status.index != candidate->index)) {
		*notes |= MAPPING_CONFLICT;
		return;
	}
	if (status.present)
		candidate->proof = VCPU_PROOF_STATUS_FILE;
	else if (group.present && !status_known)
		candidate->proof = VCPU_PROOF_CGROUP;
	else /* the status file is readable and does not name the thread (yet) */
		*notes |= MAPPING_UNCONFIRMED;
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return (x->proof == VCPU_PROOF_NONE) - (y->proof == VCPU_PROOF_NONE);
}

/**
 * Returns how many of @n candidates for one vCPU are accepted: 0 or 1. Confirmed ones come first.
 * Two confirmed ones contradict each other.
 */
static size_t accept_of(const struct candidate *same, size_t n, unsigned int *notes)
{
	if (n == 1)
		return 1;
	*notes |= MAPPING_DUPLICATE;
	return same[0].proof != VCPU_PROOF_NONE && same[1].proof == VCPU_PROOF_NONE;
}

/* A process may give any number of threads such a name; only a few of these need to be seen. */
static bool may_list(struct domain *domain, const struct candidate *candidate,
                     unsigned int *n_unproven, unsigned int *notes)
{
	if (candidate->proof != VCPU_PROOF_NONE)
		return true;
	if (*n_unproven == DOMAIN_UNPROVEN_MAX) {
		*notes |= MAPPING_UNLISTED;
		domain->left_out.unproven++;
		return false;
	}
	(*n_unproven)++;
	return true;
}

static void accept_vcpu(struct domain *domain, const struct candidate *candidate)
{
	struct vcpu_thread *vcpu = &domain->vcpus[domain->n_vcpus++];

	vcpu->index = candidate->index;
	vcpu->id = candidate->sample->id;
	vcpu->proof = candidate->proof;
	vcpu->kvm = candidate->kvm;
	vcpu->cgroup_kind = candidate->sample->cgroup_kind;
	memcpy(vcpu->cgroup, candidate->sample->cgroup, sizeof(vcpu->cgroup));
}

/** Adds accepted candidates as vCPUs and refused ones as helpers. The candidates are sorted. */
static int accept_vcpus(struct domain *domain, const struct candidate *candidates, size_t n,
                        unsigned int *notes)
{
	unsigned int n_unproven = 0;
	size_t i, same, accepted;
	int r;

	for (i = 0; i < n; i += same) {
		for (same = 1; i + same < n; same++)
			if (candidates[i + same].index != candidates[i].index)
				break;
		accepted = accept_of(&candidates[i], same, notes);
		if (accepted && !may_list(domain, &candidates[i], &n_unproven, notes))
			accepted = 0;
		if (accepted)
			accept_vcpu(domain, &candidates[i]);
		for (; accepted < same; accepted++) {
			r = mapping_add_helper(domain, &candidates[i + accepted].sample->id,
			                       HELPER_EMULATOR, notes);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/** QEMU's main thread keeps its place. */
static void replace_emulator(struct domain *domain, const struct thread_id *id,
                             enum helper_role role)
{
	for (size_t i = domain->n_helpers; i-- > 0;) {
		struct helper_thread *helper = &domain->helpers[i];

		if (helper->role == HELPER_EMULATOR && helper->id.tid != domain->qemu.tid) {
			*helper = (struct helper_thread){*id, role};
			return;
		}
	}
	domain->left_out.helpers++;
}

int mapping_add_helper(struct domain *domain, const struct thread_id *id, enum helper_role role,
                       unsigned int *notes)
{
	if (!domain->helpers) {
		domain->helpers = calloc(DOMAIN_HELPERS_MAX, sizeof(*domain->helpers));
		if (!domain->helpers)
			return -ENOMEM;
	}
	if (domain->n_helpers == DOMAIN_HELPERS_MAX) {
		*notes |= MAPPING_TRUNCATED;
		if (role != HELPER_EMULATOR)
			replace_emulator(domain, id, role);
		return 0;
	}
	domain->helpers[domain->n_helpers++] = (struct helper_thread){*id, role};
	return 0;
}

/** Sorts one thread in: as a candidate or as a helper. */
static int sort_in(struct domain *domain, const struct thread_sample *sample,
                   struct candidate *candidates, size_t *n_candidates, unsigned int *notes)
{
	struct candidate candidate = {.sample = sample};
	enum helper_role role = HELPER_EMULATOR;

	switch (mapping_parse_name(sample->comm, &candidate.index, &candidate.kvm)) {
	case THREAD_CLAIM_VCPU:
		candidates[(*n_candidates)++] = candidate;
		return 0;
	case THREAD_CLAIM_VCPU_BEYOND: /* no helper either: nothing waits for it */
		*notes |= MAPPING_TOO_MANY;
		domain->left_out.vcpus++;
		return 0;
	case THREAD_CLAIM_ALL_VCPUS:
		*notes |= MAPPING_SINGLE_TCG;
		break;
	case THREAD_CLAIM_IOTHREAD:
		role = HELPER_IOTHREAD;
		break;
	case THREAD_CLAIM_VHOST:
		role = HELPER_VHOST;
		break;
	case THREAD_CLAIM_OTHER:
		break;
	}
	return mapping_add_helper(domain, &sample->id, role, notes);
}

/** Sorts all threads in. *ret gets the candidates, in the order of the samples. */
static int sort_all(struct domain *domain, const struct thread_sample *samples, size_t n,
                    struct candidate **ret, size_t *n_ret, unsigned int *notes)
{
	CLEANUP(cleanup_free) struct candidate *candidates = calloc(n + 1, sizeof(*candidates));
	size_t i;
	int r;

	*n_ret = 0;
	if (!candidates)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		r = sort_in(domain, &samples[i], candidates, n_ret, notes);
		if (r < 0)
			return r;
	}
	*ret = STEAL(candidates, NULL);
	return 0;
}

/** Sorts candidates, whose proofs are known, and accepts or refuses each. */
static int decide(struct domain *domain, struct candidate *candidates, size_t n,
                  unsigned int *notes)
{
	qsort(candidates, n, sizeof(*candidates), compare_candidates);
	if (n > 0) {
		domain->vcpus = calloc(MIN(n, (size_t)DOMAIN_VCPUS_MAX), sizeof(*domain->vcpus));
		if (!domain->vcpus)
			return -ENOMEM;
	}
	return accept_vcpus(domain, candidates, n, notes);
}

int mapping_build(struct domain *domain, const struct thread_sample *samples, size_t n,
                  const struct status_file *status, unsigned int *notes)
{
	CLEANUP(cleanup_free) struct candidate *candidates = NULL;
	struct witness witness = {.status = status};
	size_t i, n_candidates;
	int r;

	find_domain_group(&witness, domain, samples, n);
	r = sort_all(domain, samples, n, &candidates, &n_candidates, notes);
	if (r < 0)
		return r;
	for (i = 0; i < n_candidates; i++)
		confirm(&candidates[i], &witness, notes);
	return decide(domain, candidates, n_candidates, notes);
}

int mapping_build_process(struct domain *domain, const struct thread_sample *samples, size_t n,
                          const struct process_evidence *process, unsigned int *notes)
{
	CLEANUP(cleanup_free) struct candidate *candidates = NULL;
	size_t kvm_left = MIN(process->n_kvm_vcpus, process->max_vcpus);
	bool emulates = process->executable && process->n_kvm_vcpus == 0;
	size_t other_left = emulates ? process->max_vcpus : 0;
	size_t i, n_candidates;
	int r;

	r = sort_all(domain, samples, n, &candidates, &n_candidates, notes);
	if (r < 0)
		return r;
	domain->left_out.descriptors = process->cut;
	for (i = 0; i < n_candidates; i++) {
		size_t *left = candidates[i].kvm ? &kvm_left : &other_left;

		if (*left == 0) { /* a new thread opens its KVM vCPU a moment later */
			*notes |= MAPPING_UNCONFIRMED;
			continue;
		}
		(*left)--;
		candidates[i].proof = candidates[i].kvm ? VCPU_PROOF_KVM : VCPU_PROOF_EXECUTABLE;
	}
	return decide(domain, candidates, n_candidates, notes);
}
