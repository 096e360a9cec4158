// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel/session.h"

#include <errno.h>

static void enter(struct channel_session *session, enum channel_phase phase, uint64_t now_ns)
{
	session->phase = phase;
	session->since_ns = now_ns;
	session->wanted = session->at_once = false;
}

static void serve_no_more(struct channel_session *session)
{
	session->refusal = PVSCHED_CHANNEL_NOT_FOUND;
	session->status = PVSCHED_STATUS_DISABLED;
	session->n_pages = 0;
}

void channel_session_begin(struct channel_session *session, uint64_t now_ns)
{
	*session = (struct channel_session){0};
	serve_no_more(session);
	enter(session, CHANNEL_AWAITED, now_ns);
}

void channel_session_withdraw(struct channel_session *session, uint64_t now_ns)
{
	serve_no_more(session);
	enter(session, CHANNEL_HEARD, now_ns);
}

void channel_session_hello(struct channel_session *session, uint64_t now_ns)
{
	session->hellos_total++;
	channel_session_withdraw(session, now_ns);
}

void channel_session_challenge(struct channel_session *session, uint64_t generation, uint64_t nonce,
                               uint64_t now_ns)
{
	session->generation = generation;
	session->nonce = nonce;
	session->open++;
	serve_no_more(session);
	enter(session, CHANNEL_CHALLENGED, now_ns);
}

int channel_session_stored(struct channel_session *session, uint64_t nonce, uint64_t now_ns)
{
	if (session->open == 0 || (session->open == 1 && nonce != session->nonce))
		return -EBADMSG;
	if (nonce != session->nonce) {
		session->open--; /* it has not seen the last one yet */
		return CHANNEL_STALE;
	}
	session->open = 0; /* it may have left out the earlier ones */
	if (session->phase != CHANNEL_CHALLENGED)
		return CHANNEL_STALE; /* it said hello again, or was refused meanwhile */
	enter(session, CHANNEL_PROVING, now_ns);
	return 0;
}

int channel_session_proven(const struct channel_session *session, uint64_t generation)
{
	return session->phase == CHANNEL_PROVING && session->generation == generation
	               ? 0
	               : CHANNEL_STALE;
}

void channel_session_answer(struct channel_session *session, enum pvsched_channel_refusal refusal,
                            enum pvsched_status status, uint32_t n_pages, uint64_t now_ns)
{
	enter(session, CHANNEL_ANSWERED, now_ns);
	session->refusal = refusal;
	session->status = status;
	session->n_pages = n_pages;
	/* the guest knows nothing of its vCPUs yet */
	session->wanted = session->at_once = refusal == PVSCHED_CHANNEL_SERVED;
}

static bool is_served(const struct channel_session *session)
{
	return session->phase == CHANNEL_ANSWERED && session->refusal == PVSCHED_CHANNEL_SERVED;
}

void channel_session_changed(struct channel_session *session, bool at_once)
{
	if (!is_served(session))
		return;
	session->wanted = true;
	session->at_once |= at_once;
}

static uint64_t tells_ns(const struct channel_session *session)
{
	uint64_t between_ns = session->at_once ? CHANNEL_STATE_AT_ONCE_NS : CHANNEL_STATE_NS;

	if (!is_served(session) || !session->wanted)
		return NSEC_NEVER;
	/* before its answer the guest is told nothing */
	return session->told_ns ? MAX(session->told_ns + between_ns, session->since_ns)
	                        : session->since_ns;
}

bool channel_session_tells(const struct channel_session *session, uint64_t now_ns)
{
	return now_ns >= tells_ns(session);
}

void channel_session_told(struct channel_session *session, bool news, uint64_t now_ns)
{
	/* while something changes there is another look, without anyone asking for it */
	session->wanted = news;
	session->at_once = false;
	session->told_ns = now_ns;
}

static uint64_t expires_ns(const struct channel_session *session)
{
	return session->phase == CHANNEL_AWAITED || session->phase == CHANNEL_CHALLENGED
	               ? session->since_ns + CHANNEL_PATIENCE_NS
	               : NSEC_NEVER;
}

bool channel_session_expired(const struct channel_session *session, uint64_t now_ns)
{
	return now_ns >= expires_ns(session);
}

uint64_t channel_session_next_ns(const struct channel_session *session)
{
	return MIN(tells_ns(session), expires_ns(session));
}

const char *channel_session_state(const struct channel_session *session)
{
	switch (session->phase) {
	case CHANNEL_AWAITED:
		return "awaited";
	case CHANNEL_HEARD:
		return "heard";
	case CHANNEL_CHALLENGED:
		return "challenged";
	case CHANNEL_PROVING:
		return "proving";
	case CHANNEL_ANSWERED:
		return is_served(session) ? "served" : "refused";
	}
	return "";
}

static const struct {
	const char *name, *text;
} refusals[] = {
        [PVSCHED_CHANNEL_SERVED] = {"", ""},
        [PVSCHED_CHANNEL_NO_DOMAIN] = {"no-domain", "no domain that pvschedd knows has this CID"},
        [PVSCHED_CHANNEL_AMBIGUOUS] = {"ambiguous", "two domains claim this CID"},
        [PVSCHED_CHANNEL_NOT_ALLOWED] = {"not-allowed",
                                         "host.guest_pages is \"off\" in the configuration"},
        [PVSCHED_CHANNEL_NOT_FOUND] = {"not-found",
                                       "the pages are not where the agent says they are"},
        [PVSCHED_CHANNEL_ENCRYPTED] = {"encrypted", "the host cannot read this guest's memory"},
        [PVSCHED_CHANNEL_HOST_CANNOT] = {"host-cannot",
                                         "pvschedd may not read QEMU's memory: install the "
                                         "drop-in /usr/share/pvschedd/guest-pages.conf"},
        [PVSCHED_CHANNEL_TOO_OFTEN] = {"too-often", "the agent says hello too often"},
        [PVSCHED_CHANNEL_NO_POLICY] = {"no-policy",
                                       "agent and pvschedd have no version or policy in common: "
                                       "install the same release of both"},
};

const char *channel_refusal_name(enum pvsched_channel_refusal refusal)
{
	return (unsigned int)refusal < ARRAY_SIZE(refusals) ? refusals[refusal].name : "unknown";
}

const char *channel_refusal_text(enum pvsched_channel_refusal refusal)
{
	return (unsigned int)refusal < ARRAY_SIZE(refusals) ? refusals[refusal].text : "";
}
