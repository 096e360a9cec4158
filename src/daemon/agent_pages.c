// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/agent_pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/carrier_search.h"
#include "guest/ram.h"
#include "guest/region.h"
#include "util/cleanup.h"

/* The pages that are used. */
struct proven {
	struct reader_proof at;
	uint16_t place[DOMAIN_VCPUS_MAX]; /* in the claim, plus 1, by the vCPU's index; 0: none */
	uint32_t n;
};

/* What one domain has. */
struct entry {
	const struct inventory_domain *domain; /* NULL: none has this slot */
	/* the claim: as long as it is being proven, or its pages are used */
	struct reader_request *claim; /* NULL: there is none */
	struct proven *proven;        /* NULL: it is being proven */
	bool tried_again;             /* a reader ended while it proved this claim */
	uint64_t proofs_total, losses_total;
	/* to be told */
	bool lost, changed, at_once;
	enum agent_pages_loss loss;
};

struct agent_pages {
	struct carrier_search *search;
	const struct board *board;
	const struct inventory *inventory;
	struct agent_pages_news news;
	sd_event_source *telling;         /* oneshot, while something is to be told */
	bool plan;                        /* is to be told */
	struct entry of[PVS_DOMAINS_MAX]; /* by the domain's slot */
};

static struct entry *entry_of(struct agent_pages *pages, const struct inventory_domain *domain)
{
	return &pages->of[domain->slot];
}

/* ---- telling, never from within a call of the channel's ---- */

static void tell_of(struct agent_pages *pages, struct entry *e)
{
	const struct agent_pages_news *news = &pages->news;
	bool changed = STEAL(e->changed, false), at_once = STEAL(e->at_once, false);

	if (STEAL(e->lost, false) && news->lost)
		news->lost(news->userdata, e->domain, e->loss);
	else if (changed && news->changed)
		news->changed(news->userdata, e->domain, at_once);
}

static int on_telling(sd_event_source *source, void *userdata)
{
	struct agent_pages *pages = userdata;

	(void)source;
	if (STEAL(pages->plan, false) && pages->news.plan)
		pages->news.plan(pages->news.userdata);
	for (struct entry *e = pages->of; e < pages->of + PVS_DOMAINS_MAX; e++)
		if (e->domain)
			tell_of(pages, e);
	return 0;
}

static void tell_later(struct agent_pages *pages)
{
	sd_event_source_set_enabled(pages->telling, SD_EVENT_ONESHOT);
}

/* ---- pages come and go ---- */

/* Nothing of the claim is used any more; the reader forgets it. */
static void drop(struct agent_pages *pages, struct entry *e)
{
	struct reader_request *claim = STEAL(e->claim, NULL);

	if (e->proven) {
		carrier_search_end(pages->search, &claim->qemu, claim->generation, false);
		pages->plan = true;
		tell_later(pages);
	}
	free(claim);
	free(STEAL(e->proven, NULL));
}

/* The agent has to say hello again, or at least to store another generation. */
static void lose(struct agent_pages *pages, struct entry *e, enum agent_pages_loss loss)
{
	if (!e->claim)
		return;
	drop(pages, e);
	e->losses_total++;
	e->lost = true;
	e->loss = loss;
	tell_later(pages);
}

static bool is_place_of(const struct reader_request *claim, uint32_t place,
                        const struct topology *topology, uint32_t vcpu)
{
	const struct pvsched_channel_cpu *cpu = &claim->claim.cpus[place];
	uint32_t apic_id = guest_apic_id(topology, vcpu);

	return apic_id == PVSCHED_APIC_ID_NONE ? cpu->cpu_index == vcpu : cpu->apic_id == apic_id;
}

static void find_places(struct entry *e)
{
	const struct reader_proof *at = &e->proven->at;

	for (uint32_t vcpu = 0; vcpu < DOMAIN_VCPUS_MAX; vcpu++)
		for (uint32_t i = 0; i < at->n_cpus; i++)
			if (at->address[i] && is_place_of(e->claim, i, &at->topology, vcpu))
				e->proven->place[vcpu] = (uint16_t)(i + 1);
}

static bool has_object(const struct reader_proof *proof, const struct carrier_object *object)
{
	for (uint32_t i = 0; i < proof->n_objects; i++)
		if (proof->objects[i].device == object->device &&
		    proof->objects[i].inode == object->inode)
			return true;
	return false;
}

/* Two domains that share memory could speak for each other. The one that had it first keeps it. */
static bool is_anothers(const struct agent_pages *pages, const struct entry *e,
                        const struct reader_proof *proof)
{
	for (const struct entry *i = pages->of; i < pages->of + PVS_DOMAINS_MAX; i++)
		for (uint32_t k = 0; i != e && i->proven && k < proof->n_objects; k++)
			if (has_object(&i->proven->at, &proof->objects[k]))
				return true;
	return false;
}

static int take(struct agent_pages *pages, struct entry *e, const struct reader_proof *proof)
{
	if (proof->n_cpus != e->claim->claim.n_cpus)
		return -EBADMSG;
	if (is_anothers(pages, e, proof))
		return PVSCHED_CHANNEL_AMBIGUOUS;
	e->proven = calloc(1, sizeof(*e->proven));
	if (!e->proven)
		return -ENOMEM;
	e->proven->at = *proof;
	find_places(e);
	pages->plan = true;
	tell_later(pages);
	return 0;
}

/* ---- a proof is over ---- */

/* @result: a refusal, or -errno. */
static void explain(int result, const struct reader_proof *proof, uint32_t n_cpus,
                    struct agent_pages_result *ret)
{
	char *why = ret->why;

	ret->refusal = PVSCHED_CHANNEL_NOT_FOUND;
	if (result > 0)
		ret->refusal = (enum pvsched_channel_refusal)result;
	switch (result) {
	case PVSCHED_CHANNEL_NOT_FOUND:
		snprintf(why, sizeof(ret->why),
		         "none of its %u pages is in QEMU's memory where its address says", n_cpus);
		break;
	case PVSCHED_CHANNEL_ENCRYPTED:
		snprintf(why, sizeof(ret->why),
		         "QEMU was started with %s: the host cannot read the guest's memory",
		         ram_encryption_name((enum ram_encryption)proof->encryption));
		break;
	case PVSCHED_CHANNEL_HOST_CANNOT:
		snprintf(why, sizeof(ret->why),
		         "pvschedd may not look into QEMU; see pvschedctl doctor");
		break;
	case PVSCHED_CHANNEL_AMBIGUOUS:
		snprintf(why, sizeof(ret->why),
		         "another domain has this memory, too, and had it first");
		break;
	case -ETIMEDOUT:
		snprintf(why, sizeof(ret->why),
		         "a look at this QEMU did not end: it is not looked at while it lives");
		break;
	case -EBUSY:
		snprintf(why, sizeof(ret->why), "looks at too many other QEMUs have not ended");
		break;
	default:
		snprintf(why, sizeof(ret->why), "its QEMU could not be looked at: %s",
		         strerror(-result));
	}
}

static void served(const struct reader_proof *proof, struct agent_pages_result *ret)
{
	for (uint32_t i = 0; i < proof->n_cpus; i++) {
		if (!proof->address[i])
			continue;
		ret->found[i / 64] |= UINT64_C(1) << (i % 64);
		ret->n_found++;
	}
}

static struct entry *find_entry(struct agent_pages *pages, const struct thread_id *qemu,
                                uint64_t generation)
{
	for (struct entry *e = pages->of; e < pages->of + PVS_DOMAINS_MAX; e++)
		if (e->domain && e->claim && !e->proven && e->claim->generation == generation &&
		    thread_id_equal(&e->claim->qemu, qemu))
			return e;
	return NULL;
}

static void on_proven(void *userdata, const struct thread_id *qemu, uint64_t generation, int result,
                      const struct reader_proof *proof)
{
	struct agent_pages *pages = userdata;
	struct entry *e = find_entry(pages, qemu, generation);
	struct agent_pages_result ret = {.refusal = PVSCHED_CHANNEL_SERVED};
	int found = result;

	if (found == 0 && e)
		found = take(pages, e, proof);
	if (found == 0 && e) {
		served(proof, &ret);
		e->proven->n = ret.n_found;
	} else if (result == 0) { /* an older claim, or memory of another domain */
		carrier_search_end(pages->search, qemu, generation, false);
	}
	if (!e)
		return;
	e->proofs_total++;
	if (found != 0) {
		explain(found, proof, e->claim->claim.n_cpus, &ret);
		drop(pages, e);
	}
	if (pages->news.proven)
		pages->news.proven(pages->news.userdata, e->domain, generation, &ret);
}

/* The reader is gone. Claims that it was looking at are given to the next one, once. */
static void on_lost(void *userdata)
{
	struct agent_pages *pages = userdata;

	for (struct entry *e = pages->of; e < pages->of + PVS_DOMAINS_MAX; e++) {
		if (!e->domain || !e->claim)
			continue;
		if (e->proven || e->tried_again ||
		    carrier_search_prove(pages->search, e->claim) < 0)
			lose(pages, e, AGENT_PAGES_READER);
		else
			e->tried_again = true;
	}
}

/* ---- for others ---- */

int agent_pages_new(struct agent_pages **ret, const struct agent_pages_options *options)
{
	struct agent_pages *pages = calloc(1, sizeof(*pages));
	struct carrier_search_news news = {.proven = on_proven, .lost = on_lost, .userdata = pages};
	int r;

	if (!pages)
		return -ENOMEM;
	pages->board = reader_process_board(options->reader);
	pages->inventory = options->inventory;
	pages->news = options->news;
	r = sd_event_add_defer(options->event, &pages->telling, on_telling, pages);
	if (r >= 0)
		r = sd_event_source_set_enabled(pages->telling, SD_EVENT_OFF);
	if (r >= 0)
		r = carrier_search_new(&pages->search, options->event, options->reader,
		                       READER_USER_AGENTS, &news);
	if (r < 0) {
		agent_pages_free(pages);
		return r;
	}
	*ret = pages;
	return 0;
}

struct agent_pages *agent_pages_free(struct agent_pages *pages)
{
	if (!pages)
		return NULL;
	for (size_t i = 0; i < PVS_DOMAINS_MAX; i++) {
		free(pages->of[i].claim);
		free(pages->of[i].proven);
	}
	carrier_search_free(pages->search);
	sd_event_source_disable_unref(pages->telling);
	free(pages);
	return NULL;
}

int agent_pages_prove(struct agent_pages *pages, const struct inventory_domain *domain,
                      const struct agent_pages_claim *claim)
{
	struct entry *e = entry_of(pages, domain);
	CLEANUP(cleanup_free) struct reader_request *request = calloc(1, sizeof(*request));
	int r;

	drop(pages, e);
	e->domain = domain;
	e->lost = e->tried_again = false;
	if (!request)
		return -ENOMEM;
	if (claim->n_cpus < 1 || claim->n_cpus > PVSCHED_CHANNEL_CPUS_MAX)
		return -EINVAL;
	request->qemu = domain->seen->qemu;
	request->job = READER_PROVE;
	request->generation = claim->generation;
	request->claim.nonce = claim->nonce;
	request->claim.agent_generation = claim->agent_generation;
	request->claim.n_cpus = claim->n_cpus;
	memcpy(request->claim.cpus, claim->cpus, claim->n_cpus * sizeof(*claim->cpus));
	r = carrier_search_prove(pages->search, request);
	if (r < 0)
		return r;
	e->claim = STEAL(request, NULL);
	return 0;
}

void agent_pages_end(struct agent_pages *pages, const struct inventory_domain *domain)
{
	struct entry *e = entry_of(pages, domain);

	drop(pages, e);
	*e = (struct entry){.domain = NULL};
}

void agent_pages_reset(struct agent_pages *pages, const struct inventory_domain *domain)
{
	lose(pages, entry_of(pages, domain), AGENT_PAGES_RESET);
}

void agent_pages_lost(struct agent_pages *pages, const struct inventory_domain *domain,
                      enum pages_loss loss)
{
	struct entry *e = entry_of(pages, domain);

	/* else another vCPU of it said so before */
	if (e->proven)
		lose(pages, e, loss == PAGES_OVERWRITTEN ? AGENT_PAGES_RESET : AGENT_PAGES_MOVED);
}

void agent_pages_told(struct agent_pages *pages, const struct inventory_domain *domain,
                      bool at_once)
{
	struct entry *e = entry_of(pages, domain);

	if (!e->proven)
		return;
	e->changed = true;
	e->at_once |= at_once;
	tell_later(pages);
}

uint64_t agent_pages_usable(const struct agent_pages *pages, const struct inventory_domain *domain)
{
	const struct entry *e = &pages->of[domain->slot];

	return e->proven ? e->claim->generation : 0;
}

struct guest_page agent_pages_page(const struct agent_pages *pages,
                                   const struct inventory_domain *domain, unsigned int index)
{
	const struct entry *e = &pages->of[domain->slot];
	uint32_t place = e->proven && index < DOMAIN_VCPUS_MAX ? e->proven->place[index] : 0;

	if (!place)
		return GUEST_PAGE_NULL;
	return (struct guest_page){
	        .generation = e->claim->generation,
	        .address = e->proven->at.address[place - 1],
	        .apic_id = guest_apic_id(&e->proven->at.topology, index),
	        .lane = e->proven->at.lane,
	        .index = place - 1,
	        .in_ram = true,
	};
}

static bool state_of(const struct agent_pages *pages, const struct entry *e,
                     const struct inventory_vcpu *vcpu, struct pvsched_channel_vcpu *ret)
{
	uint32_t index = vcpu->thread.index, place;
	struct board_ask said;

	place = index < DOMAIN_VCPUS_MAX ? e->proven->place[index] : 0;
	if (!place || vcpu->slot == SLOT_NONE || !board_said(pages->board, vcpu->slot, &said) ||
	    said.generation != e->claim->generation || said.index != place - 1)
		return false;
	*ret = (struct pvsched_channel_vcpu){
	        .cpu_index = e->claim->claim.cpus[place - 1].cpu_index,
	        .host_cpu = said.snapshot.host_cpu,
	        .host_flags = said.snapshot.host_flags,
	        .status = said.status,
	        .applied_state = said.snapshot.applied_state,
	        .run_delay_ns = said.snapshot.run_delay_ns,
	        .boosted_ns = said.snapshot.boosted_ns,
	        .boosts = said.snapshot.boosts,
	        .throttles = said.snapshot.throttles,
	        .published_ns = said.snapshot.published_ns,
	};
	return true;
}

uint32_t agent_pages_states(const struct agent_pages *pages, const struct inventory_domain *domain,
                            struct pvsched_channel_vcpu *ret, uint32_t max)
{
	const struct entry *e = &pages->of[domain->slot];
	uint32_t n = 0;

	for (size_t i = 0; e->proven && i < domain->n_vcpus && n < max; i++)
		n += state_of(pages, e, &domain->vcpus[i], &ret[n]);
	return n;
}

void agent_pages_read(const struct agent_pages *pages, const struct inventory_domain *domain,
                      struct agent_pages_view *ret)
{
	const struct entry *e = &pages->of[domain->slot];

	*ret = (struct agent_pages_view){
	        .proving = e->claim && !e->proven,
	        .n_pages = e->proven ? e->proven->n : 0,
	        .generation = e->proven ? e->claim->generation : 0,
	        .proofs_total = e->proofs_total,
	        .losses_total = e->losses_total,
	};
}
