// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "boost/page_state.h"
#include "policy/registry.h"
#include "policy/timers.h"

struct page_slot {
	struct guest_page page; /* generation 0: none */
	bool lost, polled;
	bool avoid; /* the guest is told to avoid this vCPU */
	enum pages_loss loss;
	bool counted; /* in pages::n_polled */
	enum pvsched_status status;
	struct guest_hello hello; /* as last judged */
	uint32_t policy;          /* that it names: policy/registry.h; 0: none that there is */
	uint64_t judged_ns;       /* when */
	struct guest_words words; /* as last copied */
	struct pvs_request request;
	uint32_t seen;      /* of the board's copies */
	uint32_t writes;    /* of what the guest is told */
	uint64_t told_ns;   /* when the main thread was last told of it */
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
	struct board *board;
	struct timers *timers;
	struct page_slot *slots;
};

struct pages *pages_new(unsigned int n, const struct accounts *accounts, struct board *board)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (!pages)
		return NULL;
	pages->n = n;
	pages->accounts = accounts;
	pages->board = board;
	pages->timers = timers_new(n);
	pages->slots = calloc(n, sizeof(*pages->slots));
	return pages->timers && pages->slots ? pages : pages_free(pages);
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
	return p->page.generation != 0;
}

static bool agent_speaks(const struct page_slot *p)
{
	return p->hello.agent_generation != 0;
}

static bool is_polled(const struct page_slot *p)
{
	return is_present(p) && p->polled && p->status == PVSCHED_STATUS_ENABLED;
}

/* What its guest requests, by the words as last read. */
static enum pvsched_urgency urgency(const struct pages *pages, unsigned int slot, uint64_t now_ns)
{
	return pvs_request_urgency(&pages->slots[slot].request, now_ns,
	                           account_run_ns(pages->accounts, slot, now_ns));
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

/* ---- to the reader ---- */

static struct board_ask ask_of(const struct page_slot *p)
{
	return (struct board_ask){
	        .generation = p->page.generation,
	        .lane = p->page.lane,
	        .index = p->page.index,
	        .writes = p->writes,
	        .status = p->status,
	        .snapshot = p->snapshot,
	};
}

/* Whatever is posted, the reader copies the page as well. */
static void ask_for_copy(struct pages *pages, unsigned int slot)
{
	struct board_ask ask = ask_of(&pages->slots[slot]);

	board_post(pages->board, slot, &ask);
}

static void tell_guest(struct pages *pages, unsigned int slot)
{
	struct page_slot *p = &pages->slots[slot];
	struct board_ask ask;

	p->writes++;
	if (!p->page.in_ram) {
		ask_for_copy(pages, slot);
		return;
	}
	ask = ask_of(p);
	board_say(pages->board, slot, &ask);
}

/* ---- a page comes and goes ---- */

static void stop_reading(struct pages *pages, unsigned int slot)
{
	account_set_page(pages->accounts, slot, 0, 0, false);
	account_report_run(pages->accounts, slot, false);
}

/* A guest that was enabled must not believe that it is heard. */
static void dismiss(struct pages *pages, unsigned int slot)
{
	struct page_slot *p = &pages->slots[slot];

	if (!is_present(p) || p->status != PVSCHED_STATUS_ENABLED)
		return;
	p->status = PVSCHED_STATUS_DISABLED;
	p->snapshot = (struct guest_snapshot){0};
	tell_guest(pages, slot);
}

void pages_set(struct pages *pages, unsigned int slot, const struct guest_page *page, bool poll,
               uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];

	dismiss(pages, slot);
	*p = (struct page_slot){
	        .page = *page,
	        .counted = p->counted,
	        .polled = poll || page->address == 0,
	        .poll_interval_ns = PAGES_POLL_MIN_NS,
	        .seen = p->seen,
	        .writes = p->writes,
	        .avoid = p->avoid,
	};
	count_polled(pages, p);
	stop_reading(pages, slot);
	timers_set(pages->timers, slot, is_present(p) ? now_ns : NSEC_NEVER);
}

static int lose(struct pages *pages, unsigned int slot, enum pages_loss loss)
{
	struct page_slot *p = &pages->slots[slot];

	p->page = GUEST_PAGE_NULL;
	p->status = PVSCHED_STATUS_DISABLED;
	p->lost = true;
	p->loss = loss;
	count_polled(pages, p);
	p->request = (struct pvs_request){0};
	stop_reading(pages, slot);
	timers_set(pages->timers, slot, NSEC_NEVER);
	return PAGES_LOST;
}

/* ---- facts and answers ---- */

void pages_facts(struct pages *pages, unsigned int slot, uint64_t now_ns,
                 struct policy_facts *facts)
{
	struct page_slot *p = &pages->slots[slot];

	if (!is_present(p) || p->status != PVSCHED_STATUS_ENABLED)
		return;
	account_request(pages->accounts, slot, &p->request);
	if (p->polled)
		ask_for_copy(pages, slot);
	facts->urgency = urgency(pages, slot, now_ns);
	facts->expected_ns =
	        facts->urgency == PVSCHED_URGENCY_ORDINARY ? p->request.expected_ns : 0;
	facts->said_ns = pvs_request_since(&p->request);
	facts->agent = p->request.agent != 0;
	facts->priority = pvs_request_priority(&p->request, now_ns,
	                                       account_run_ns(pages->accounts, slot, now_ns));
	facts->speaks = p->policy;
}

static bool publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                    uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	struct guest_snapshot snapshot;

	if (!is_present(p) || p->status != PVSCHED_STATUS_ENABLED)
		return false;
	account_snapshot(pages->accounts, slot, &snapshot);
	page_snapshot(&snapshot, view, agent_speaks(p) && p->request.words[2], p->avoid, now_ns);
	p->snapshot = snapshot;
	tell_guest(pages, slot);
	return p->page.in_ram;
}

bool pages_publish(struct pages *pages, unsigned int slot, const struct policy_view *view,
                   uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];

	if (!publish(pages, slot, view, now_ns) || now_ns < p->told_ns + PAGES_TELL_NS)
		return false;
	p->told_ns = now_ns;
	return true;
}

bool pages_set_avoid(struct pages *pages, unsigned int slot, bool avoid,
                     const struct policy_view *view, uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];

	if (p->avoid == avoid)
		return false;
	p->avoid = avoid;
	return publish(pages, slot, view, now_ns);
}

/* ---- looks ---- */

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

/* A hello counts when it has stood still for the time of a look: guests may change it at any rate.
 */
static int judge_hello(struct pages *pages, unsigned int slot, const struct policy_view *view,
                       uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	enum pvsched_status status, policy;
	bool changed;

	if (guest_hello_equal(&p->words.hello, &p->hello) || now_ns < p->judged_ns + PAGES_LOOK_NS)
		return 0;
	p->judged_ns = now_ns;
	p->hello = p->words.hello;
	policy = registry_judge(p->hello.policy_name, p->hello.policy_version, &p->policy);
	status = guest_hello_judge(&p->hello, &p->page, policy);
	changed = status != p->status;
	p->status = status;
	pvs_request_forget(&p->request, p->page.generation);
	tell_tracer(pages, slot);
	if (status == PVSCHED_STATUS_ENABLED)
		publish(pages, slot, view, now_ns);
	else
		tell_guest(pages, slot);
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

/* Takes the words of a copy. The tracer may have read the page later than the reader. */
static int take_words(struct pages *pages, unsigned int slot, const struct board_copy *copy,
                      const struct policy_view *view, uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	uint64_t read_ns = MIN(copy->read_ns, now_ns), changed_ns;
	enum pvsched_urgency before = urgency(pages, slot, now_ns);
	int found;

	p->words = copy->words;
	found = judge_hello(pages, slot, view, now_ns);
	account_request(pages->accounts, slot, &p->request);
	if (p->status != PVSCHED_STATUS_ENABLED || read_ns <= p->request.read_ns)
		return found;
	changed_ns = p->request.changed_ns;
	guest_words_look(&copy->words, p->page.generation, 0, read_ns,
	                 account_run_ns(pages->accounts, slot, read_ns), &p->request);
	if (p->request.changed_ns != changed_ns)
		p->poll_interval_ns = PAGES_POLL_MIN_NS;
	if (p->polled && page_is_news(view, before, urgency(pages, slot, now_ns)))
		found |= PAGES_REQUESTED;
	return found;
}

/* One try: of a copy that is being written, the reader tells when it is whole. */
static int take_copy(struct pages *pages, unsigned int slot, const struct policy_view *view,
                     uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	struct board_copy copy;

	if (!board_take(pages->board, slot, &p->seen, &copy))
		return 0;
	/* the slot may have had another page when the copy was made */
	if (copy.generation != p->page.generation || copy.index != p->page.index)
		return 0;
	if (copy.result < 0)
		return lose(pages, slot,
		            copy.result == -ESTALE ? PAGES_OVERWRITTEN : PAGES_CUT_OFF);
	return take_words(pages, slot, &copy, view, now_ns);
}

static int poll_page(struct page_slot *p, const struct policy_view *view, enum pvsched_urgency now)
{
	p->polls_total++;
	p->poll_interval_ns = MIN(2 * p->poll_interval_ns, PAGES_POLL_MAX_NS);
	return page_is_news(view, now, now) ? PAGES_REQUESTED : 0;
}

int pages_look(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	int found;

	timers_set(pages->timers, slot, NSEC_NEVER);
	if (!is_present(p))
		return 0;
	if (board_lane_is_stuck(pages->board, p->page.lane, now_ns))
		return lose(pages, slot, PAGES_STUCK);
	found = take_copy(pages, slot, view, now_ns);
	if (found & PAGES_LOST)
		return found;
	if (is_polled(p))
		found |= poll_page(p, view, urgency(pages, slot, now_ns));
	if (now_ns >= p->looked_ns + PAGES_LOOK_NS) {
		found |= judge_hello(pages, slot, view, now_ns);
		look_for_faults(pages, slot, now_ns);
		p->looked_ns = now_ns;
	}
	if (p->looked_ns == now_ns && publish(pages, slot, view, now_ns))
		found |= PAGES_TELL;
	/* what is to be written to a page has its copy asked for */
	if (p->looked_ns != now_ns || p->status != PVSCHED_STATUS_ENABLED || p->page.in_ram)
		ask_for_copy(pages, slot);
	plan(pages, slot, now_ns);
	return found;
}

int pages_news(struct pages *pages, unsigned int slot, const struct policy_view *view,
               uint64_t now_ns)
{
	struct page_slot *p = &pages->slots[slot];
	bool was_polled = is_polled(p);
	uint64_t interval_ns = p->poll_interval_ns;
	int found;

	if (!is_present(p))
		return 0;
	found = take_copy(pages, slot, view, now_ns);
	/* a guest that has just said something is looked at again soon */
	if (!(found & PAGES_LOST) &&
	    (is_polled(p) != was_polled || p->poll_interval_ns < interval_ns))
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
	        .loss = p->loss,
	        .polled = p->polled,
	        .avoid = p->avoid,
	        .status = p->status,
	        .hello = p->hello,
	        .policy = p->policy,
	        .urgency = urgency(pages, slot, now_ns),
	        .generation = p->page.generation,
	        .hellos_total = p->hellos_total,
	        .polls_total = p->polls_total,
	        /* neither sees every word, and both may see the same */
	        .invalid_total = MAX(p->request.invalid_total,
	                             account_request_invalid(pages->accounts, slot)),
	        .faults_total = account_page_faults(pages->accounts, slot, &read_ns),
	};
}
