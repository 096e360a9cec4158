// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/pages.h"

#include <stdlib.h>

#include "boost/page_writer.h"
#include "policy/timers.h"

struct page_slot {
	struct guest_page page; /* fd -1: none */
	bool lost, polled;
	bool counted; /* in pages::n_polled */
	enum pvsched_status status;
	struct guest_hello hello;
	struct pvs_request request;
	uint64_t looked_ns; /* last */
	uint64_t poll_interval_ns;
	uint64_t polled_ns; /* since when, because the page is not resident; 0: not for that */
	uint64_t hellos_total;
	uint64_t polls_total;
	uint32_t faults_seen;
	struct guest_snapshot snapshot; /* last published */
};

struct pages {
	unsigned int n, n_polled;
	const struct accounts *accounts;
	struct page_writer *writer;
	struct timers *timers;
	struct page_slot *slots;
};

struct pages *pages_new(unsigned int n, const struct accounts *accounts, struct page_writer *writer)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (!pages)
		return NULL;
	pages->n = n;
	pages->accounts = accounts;
	pages->writer = writer;
	pages->timers = timers_new(n);
	pages->slots = calloc(n, sizeof(*pages->slots));
	if (!pages->timers || !pages->slots)
		return pages_free(pages);
	for (unsigned int i = 0; i < n; i++)
		pages->slots[i].page = GUEST_PAGE_NULL;
	return pages;
}

struct pages *pages_free(struct pages *pages)
{
	if (!pages)
		return NULL;
	timers_free(pages->timers);
	free(pages->slots);
	free(pages);
	return NULL;
}

static bool is_present(const struct page_slot *p)
{
	return p->page.fd >= 0;
}

static bool agent_speaks(const struct page_slot *p)
{
	return p->hello.agent_generation != 0;
}

static bool is_polled(const struct page_slot *p)
{
	return is_present(p) && p->polled && p->status == PVSCHED_STATUS_ENABLED;
}

/* To be called when a slot may have begun to be polled, or ended. */
static void count_polled(struct pages *pages, struct page_slot *p)
{
	bool counts = is_polled(p);

	if (counts && !p->counted)
		pages->n_polled++;
	else if (!counts && p->counted)
		pages->n_polled--;
	p->counted = counts;
}

static uint64_t poll_at_ns(const struct pages *pages, const struct page_slot *p, uint64_t now_ns)
{
	return now_ns + MAX(p->poll_interval_ns, pages->n_polled * PAGES_POLL_ALL_NS);
}

/* Lets the tracer read the page as long as the guest is enabled. */
static void tell_tracer(struct pages *pages, unsigned int slot)
{
	const struct page_slot *p = &pages->slots[slot];
	bool reads = p->status == PVSCHED_STATUS_ENABLED && !p->polled;

	count_polled(pages, &pages->slots[slot]);
	account_set_page(pages->accounts, slot, reads ? p->page.address : 0, p->page.generation,
	                 agent_speaks(p));
}

void pages_set(struct pages *pages, unsigned int slot, const struct guest_page *page, bool poll,
               uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];

	*p = (struct page_slot){
	        .page = *page,
	        .counted = p->counted,
	        .polled = poll || page->address == 0,
	        .poll_interval_ns = PAGES_POLL_MIN_NS,
	};
	count_polled(pages, p);
	account_set_page(pages->accounts, slot, 0, 0, false);
	account_report_run(pages->accounts, slot, false);
	timers_set(pages->timers, slot, is_present(p) ? now_ns : NSEC_NEVER);
}

/* The memory is gone, as by a truncation of its file. */
static int lose(struct pages *pages, unsigned int slot)
{
	struct page_slot *p = &pages->slots[slot];

	p->page = GUEST_PAGE_NULL;
	p->status = PVSCHED_STATUS_DISABLED;
	p->lost = true;
	count_polled(pages, p);
	p->request = (struct pvs_request){0};
	account_set_page(pages->accounts, slot, 0, 0, false);
	account_report_run(pages->accounts, slot, false);
	timers_set(pages->timers, slot, NSEC_NEVER);
	return PAGES_LOST;
}

void pages_facts(struct pages *pages, unsigned int slot, uint64_t now_ns,
                 struct policy_facts *facts)
{
	struct page_slot *p = &pages->slots[slot];

	if (!is_present(p) || p->status != PVSCHED_STATUS_ENABLED)
		return;
	/* the tracer has seen a word earlier, and knows better since when it holds */
	account_request(pages->accounts, slot, &p->request);
	/* if the read fails the request stays as it was; pages_look() finds the loss */
	guest_page_read_request(&p->page, agent_speaks(p),
	                        facts->ran_ns ? now_ns - facts->ran_ns : 0, now_ns, &p->request);
	facts->urgency = pvs_request_urgency(&p->request, now_ns);
	facts->expected_ns =
	        facts->urgency == PVSCHED_URGENCY_ORDINARY ? p->request.expected_ns : 0;
	facts->said_ns = MAX(p->request.request_ns, p->request.intent_ns);
}

/* A write to a page that is not mapped may wait for QEMU: another thread does it. */
static void leave_word(struct pages *pages, unsigned int slot)
{
	const struct page_slot *p = &pages->slots[slot];
	struct page_news news = {
	        .generation = p->page.generation, .status = p->status, .snapshot = p->snapshot};

	page_writer_post(pages->writer, slot, &news);
}

static uint32_t throttled(const struct policy_view *view)
{
	if (view->state != POLICY_THROTTLED)
		return 0;
	if (view->reason == POLICY_REASON_DOMAIN_CAP || view->reason == POLICY_REASON_CPU_CAP ||
	    view->reason == POLICY_REASON_CPU_REAL_TIME)
		return PVSCHED_THROTTLED_SHARE;
	return PVSCHED_THROTTLED_BURST;
}

static enum pvsched_boost boost(const struct page_slot *p, const struct policy_view *view)
{
	if (view->state != POLICY_ARMED)
		return PVSCHED_BOOST_NONE;
	return agent_speaks(p) && p->request.words[2] ? PVSCHED_BOOST_CRITICAL : PVSCHED_BOOST_TASK;
}

void pages_publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                   uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	struct guest_snapshot snapshot;

	if (!is_present(p) || p->status != PVSCHED_STATUS_ENABLED)
		return;
	account_snapshot(pages->accounts, slot, &snapshot);
	snapshot.applied_state = pvsched_applied(boost(p, view), throttled(view));
	if (view->state == POLICY_ARMED)
		snapshot.host_flags |= PVSCHED_HOST_ARMED;
	snapshot.boosts = view->boosts_total;
	snapshot.throttles = view->throttles_total;
	snapshot.published_ns = now_ns;
	p->snapshot = snapshot;
	if (p->page.memory)
		guest_page_publish(&p->page, &snapshot);
	else
		leave_word(pages, slot);
}

static bool is_awake(const struct pages *pages, unsigned int slot)
{
	enum policy_whereabouts where = account_whereabouts(pages->accounts, slot);

	return where == POLICY_RUNNING || where == POLICY_WAITING;
}

/* A guest that is awake may write, so the page is due again. One that sleeps is not looked at. */
static void plan(struct pages *pages, unsigned int slot, uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	uint64_t at_ns = p->looked_ns + PAGES_LOOK_NS;
	bool awake = is_awake(pages, slot);

	if (!awake) {
		account_report_run(pages->accounts, slot, true);
		/* it may have been switched in before the tracer was asked to report that */
		awake = is_awake(pages, slot);
	}
	if (awake)
		account_report_run(pages->accounts, slot, false);
	if (is_polled(p))
		at_ns = MIN(at_ns, poll_at_ns(pages, p, now_ns));
	timers_set(pages->timers, slot, awake ? at_ns : NSEC_NEVER);
}

void pages_switched_in(struct pages *pages, unsigned int slot, uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];

	account_report_run(pages->accounts, slot, false);
	if (!is_present(p))
		return;
	p->poll_interval_ns = PAGES_POLL_MIN_NS;
	if (is_polled(p))
		timers_set(pages->timers, slot, poll_at_ns(pages, p, now_ns));
	else
		timers_set(pages->timers, slot, MAX(now_ns, p->looked_ns + PAGES_LOOK_NS));
}

static int look_for_hello(struct pages *pages, unsigned int slot, const struct policy_view *view,
                          uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	enum pvsched_status status;
	struct guest_hello hello;
	bool changed;

	if (guest_page_read_hello(&p->page, &hello) < 0)
		return lose(pages, slot);
	if (guest_hello_equal(&hello, &p->hello))
		return 0;
	status = guest_hello_judge(&hello, &p->page);
	changed = status != p->status;
	p->hello = hello;
	p->status = status;
	pvs_request_forget(&p->request, p->page.generation);
	tell_tracer(pages, slot);
	/* before the status, so that a guest which sees that finds the rest up to date */
	pages_publish(pages, slot, view, now_ns);
	if (p->page.memory)
		guest_page_answer(&p->page, status);
	else
		leave_word(pages, slot);
	if (changed)
		p->hellos_total++;
	return changed ? PAGES_STATUS : 0;
}

/*
 * The tracer cannot wait for a page that is not resident: then the booster polls it for a while. A
 * guest that writes makes it resident.
 */
#define POLL_INSTEAD_NS (10 * NSEC_PER_SEC)

static void look_for_faults(struct pages *pages, unsigned int slot, uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	uint64_t read_ns = 0;
	uint32_t faults = account_page_faults(pages->accounts, slot, &read_ns);
	bool starts = !p->polled && faults != p->faults_seen && read_ns < p->looked_ns;
	bool ends = p->polled_ns && now_ns > p->polled_ns + POLL_INSTEAD_NS;

	p->faults_seen = faults;
	if (!starts && !ends)
		return;
	p->polled = starts;
	p->polled_ns = starts ? now_ns : 0;
	tell_tracer(pages, slot);
}

/* What the tracer would report: also what is not new, but wanted and maybe not reported yet. */
static bool is_news(const struct policy_view *view, enum pvsched_urgency before,
                    enum pvsched_urgency urgency)
{
	return urgency != before || (urgency == PVSCHED_URGENCY_URGENT && view->wants_urgent) ||
	       (urgency == PVSCHED_URGENCY_ORDINARY && view->wants_ordinary);
}

static int poll_request(struct pages *pages, unsigned int slot, const struct policy_view *view,
                        uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	uint64_t changed_ns = p->request.changed_ns;
	enum pvsched_urgency before = pvs_request_urgency(&p->request, now_ns);

	p->polls_total++;
	if (guest_page_read_request(&p->page, agent_speaks(p), 0, now_ns, &p->request) < 0)
		return lose(pages, slot);
	if (p->request.changed_ns != changed_ns)
		p->poll_interval_ns = PAGES_POLL_MIN_NS;
	else
		p->poll_interval_ns = MIN(2 * p->poll_interval_ns, PAGES_POLL_MAX_NS);
	return is_news(view, before, pvs_request_urgency(&p->request, now_ns)) ? PAGES_REQUESTED
	                                                                       : 0;
}

int pages_look(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	int found = 0;

	timers_set(pages->timers, slot, NSEC_NEVER);
	if (!is_present(p))
		return 0;
	if (now_ns >= p->looked_ns + PAGES_LOOK_NS) {
		found = look_for_hello(pages, slot, view, now_ns);
		if (found & PAGES_LOST)
			return found;
		look_for_faults(pages, slot, now_ns);
		p->looked_ns = now_ns;
		pages_publish(pages, slot, view, now_ns);
	}
	if (is_polled(p))
		found |= poll_request(pages, slot, view, now_ns);
	if (!(found & PAGES_LOST))
		plan(pages, slot, now_ns);
	return found;
}

uint64_t pages_next_ns(const struct pages *pages)
{
	return timers_first(pages->timers, NULL);
}

int pages_due(const struct pages *pages, uint64_t now_ns)
{
	unsigned int slot;
	uint64_t first_ns = timers_first(pages->timers, &slot);

	return first_ns != NSEC_NEVER && first_ns <= now_ns ? (int)slot : -1;
}

void pages_put_off(struct pages *pages, unsigned int slot, uint64_t at_ns)
{
	timers_set(pages->timers, slot, at_ns);
}

void pages_read(const struct pages *pages, unsigned int slot, uint64_t now_ns,
                struct pages_view *ret)
{
	const struct page_slot *p = &pages->slots[slot];
	uint64_t read_ns;

	*ret = (struct pages_view){
	        .present = is_present(p),
	        .lost = p->lost,
	        .polled = p->polled,
	        .status = p->status,
	        .hello = p->hello,
	        .urgency = pvs_request_urgency(&p->request, now_ns),
	        .generation = p->page.generation,
	        .hellos_total = p->hellos_total,
	        .polls_total = p->polls_total,
	        /* neither sees every word, and both may see the same */
	        .invalid_total = MAX(p->request.invalid_total,
	                             account_request_invalid(pages->accounts, slot)),
	        .faults_total = account_page_faults(pages->accounts, slot, &read_ns),
	};
}
