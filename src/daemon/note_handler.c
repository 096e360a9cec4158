// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/note_handler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "boost/children.h"
#include "policy/refusals.h"
#include "util/log.h"
#include "util/log_ids.h"

struct note_handler {
	struct note_handler_parts parts;
	sd_event_source *io;
	bool lost_said;
	struct thread_id refused[PVS_VCPUS_MAX]; /* by slot: the thread whose refusal was logged */
};

static void say_refused(struct note_handler *notes, const struct inventory_domain *d,
                        const struct inventory_vcpu *v)
{
	char group[CGROUP_GROUP_MAX] = "";
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_RT_REFUSED),
	        .message_id = LOG_ID_BOOST_REFUSED,
	};

	/* said once of each thread: its slot has another one's name when it is used again */
	if (thread_id_equal(&notes->refused[v->slot], &v->thread.id))
		return;
	notes->refused[v->slot] = v->thread.id;
	if (notes->parts.cgroup &&
	    cgroup_rt_refusal(notes->parts.cgroup, v->thread.cgroup, group, sizeof(group)) == 0)
		log_write(
		        LOG_WARNING, &ctx,
		        "domain \"%s\", vCPU %u: the kernel refuses real-time classes there: group "
		        "%s has no budget (cpu.rt_runtime_us is 0); set host.grant_rt_budget to "
		        "true, or give it one; observed only",
		        d->seen->name, v->thread.index, group);
	else
		log_write(LOG_WARNING, &ctx,
		          "domain \"%s\", vCPU %u: the kernel refuses a real-time class. Either "
		          "thread %d was moved to another cgroup a moment ago, which is looked at "
		          "now, or pvschedd lacks CAP_SYS_NICE",
		          d->seen->name, v->thread.index, v->thread.id.tid);
}

static void say_foreign(const struct inventory_domain *d, const struct inventory_vcpu *v,
                        bool by_owner)
{
	struct log_context ctx = {
	        .domain = d->seen->name,
	        .vcpu = (int)v->thread.index,
	        .reason = policy_reason_name(POLICY_REASON_FOREIGN),
	        .message_id = LOG_ID_FOREIGN_CHANGE,
	};

	log_write(LOG_NOTICE, &ctx,
	          "domain \"%s\", vCPU %u: another program changed the scheduling of thread %d; it "
	          "%s until `pvschedctl policy set`",
	          d->seen->name, v->thread.index, v->thread.id.tid,
	          by_owner ? "was given back what it had, and is left alone" : "is left alone");
}

/*
 * We were taken for dead and everything was given back. The guardian left after that; guard.c sees
 * it go and starts another one, which ends the booster's hold.
 */
static void guardian_acted(struct note_handler *notes)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_GUARDIAN_RESTORED};

	log_write(LOG_WARNING, &ctx,
	          "the guardian gave everything back because pvschedd did not answer in time");
	switches_guardian_acted(notes->parts.switches);
}

/* Each of these boosts ended at once. What goes on like that does nothing but cost. */
static void deadlines_refused(struct note_handler *notes)
{
	struct log_context ctx = {.vcpu = -1, .message_id = LOG_ID_DEADLINES_REFUSED};
	struct tracer_totals totals;
	int r = switches_refuse_deadlines(notes->parts.switches);

	if (r == -EALREADY)
		return;
	tracer_totals(notes->parts.tracer, &totals);
	log_write(LOG_ERR, &ctx,
	          "the kernel refused %d timers of the tracer within a second (%s): %s",
	          POLICY_REFUSALS_MANY, strerror(-totals.deadline_error),
	          r >= 0 ? "nothing is boosted for ten seconds, then it is tried again"
	                 : "each of these boosts ended at once");
}

/* An exit of a thread may be among them, of which nothing else tells for a minute. */
static void events_lost(struct note_handler *notes)
{
	struct tracer_totals totals;

	tracer_totals(notes->parts.tracer, &totals);
	if (!notes->lost_said)
		log_warning("the ring of the tracer was full, and %" PRIu64
		            " events were lost: all threads are looked at again; said once",
		            totals.events_lost);
	notes->lost_said = true;
	discovery_hint_all(notes->parts.domains->discovery);
}

/* A note about one vCPU. */
static void handle_vcpu(struct note_handler *notes, const struct booster_note *note,
                        struct inventory_domain *d, struct inventory_vcpu *v)
{
	struct domains *domains = notes->parts.domains;

	switch (note->type) {
	case BOOSTER_NOTE_FOREIGN:
		say_foreign(d, v, note->arg);
		break;
	case BOOSTER_NOTE_REFUSED:
		say_refused(notes, d, v);
		/* it may have been moved to a group that has no budget */
		discovery_rescan(domains->discovery, d);
		break;
	case BOOSTER_NOTE_GONE:
		discovery_rescan(domains->discovery, d);
		break;
	case BOOSTER_NOTE_FAILED:
		log_domain(LOG_ERR, d->seen->name,
		           "domain \"%s\", vCPU %u: thread %d can't be changed: %s", d->seen->name,
		           v->thread.index, v->thread.id.tid, strerror(-note->arg));
		break;
	case BOOSTER_NOTE_QUOTA:
		log_domain(LOG_INFO, d->seen->name, "domain \"%s\", vCPU %u: a CFS quota %s",
		           d->seen->name, v->thread.index,
		           note->arg ? "holds now: it is not boosted" : "holds no longer");
		domains_rescan(domains, d);
		break;
	case BOOSTER_NOTE_HELLO:
		carriers_hello(domains->carriers, d, v, note->arg);
		break;
	case BOOSTER_NOTE_PAGE_LOST:
		if (agent_pages_usable(domains->agent_pages, d))
			agent_pages_lost(domains->agent_pages, d, (enum pages_loss)note->arg);
		else
			carriers_lost(domains->carriers, d, (enum pages_loss)note->arg);
		break;
	case BOOSTER_NOTE_TELL:
		agent_pages_told(domains->agent_pages, d, note->arg);
		break;
	case BOOSTER_NOTE_HELPER:
		helper_threads_made_room(notes->parts.engine->helpers, d, v, note->arg);
		break;
	case BOOSTER_NOTE_FORK:
		v->children_mended += children_mend(notes->parts.ledger, note->slot, &v->thread.id,
		                                    note->arg) == 0;
		break;
	case BOOSTER_NOTE_DENIED:
	case BOOSTER_NOTE_DEADLINE:
	case BOOSTER_NOTE_LOST:
	case BOOSTER_NOTE_GUARDIAN:
		break;
	}
}

static void handle_note(struct note_handler *notes, const struct booster_note *note)
{
	struct inventory_domain *d = NULL;
	struct inventory_vcpu *v;

	if (note->type == BOOSTER_NOTE_GUARDIAN) {
		guardian_acted(notes);
		return;
	}
	if (note->type == BOOSTER_NOTE_DENIED) {
		comparing_wake(notes->parts.engine->comparing);
		return;
	}
	if (note->type == BOOSTER_NOTE_LOST) {
		events_lost(notes);
		return;
	}
	if (note->type == BOOSTER_NOTE_DEADLINE)
		deadlines_refused(notes);
	v = inventory_by_slot(&notes->parts.domains->inventory, note->slot, &d);
	if (v) {
		handle_vcpu(notes, note, d, v);
		return;
	}
	d = followers_note(notes->parts.engine->followers, note, &notes->parts.domains->inventory,
	                   notes->parts.ledger);
	if (d)
		discovery_rescan(notes->parts.domains->discovery, d);
}

static int on_notes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct note_handler *notes = userdata;
	struct booster_note note;

	(void)source;
	(void)fd;
	(void)revents;
	while (booster_next_note(notes->parts.booster, &note))
		handle_note(notes, &note);
	return 0;
}

int note_handler_new(struct note_handler **ret, const struct note_handler_parts *parts)
{
	struct note_handler *notes = calloc(1, sizeof(*notes));
	int r;

	if (!notes)
		return -ENOMEM;
	notes->parts = *parts;
	r = sd_event_add_io(parts->event, &notes->io, booster_notes_fd(parts->booster), EPOLLIN,
	                    on_notes, notes);
	if (r < 0) {
		note_handler_free(notes);
		return r;
	}
	*ret = notes;
	return 0;
}

struct note_handler *note_handler_free(struct note_handler *notes)
{
	if (!notes)
		return NULL;
	sd_event_source_disable_unref(notes->io);
	free(notes);
	return NULL;
}
