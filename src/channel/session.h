/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The handshake of one connection (pvsched/channel.h), and when its guest is told something. Pure:
 * the time is a parameter, and what is random is given.
 *
 *	           hello              challenge             stored             answer
 *	AWAITED ─────────► HEARD ──────────────► CHALLENGED ───────► PROVING ─────────► ANSWERED
 *	                     │ answer: refused       ▲                                      │
 *	                     └──────────► ANSWERED ──┴────────────────── challenge ─────────┘
 *
 * A hello is taken in each of these, and begins anew. What is withdrawn leads to HEARD.
 */

#include "pvsched/channel.h"
#include "util/base.h"

/** How long a guest may take to say hello, and to store a challenge. */
#define CHANNEL_PATIENCE_NS (10 * NSEC_PER_SEC)

/** The shortest time between two frames STATE: of changes, and of times and counts that grow. */
#define CHANNEL_STATE_AT_ONCE_NS (10 * NSEC_PER_MSEC)
#define CHANNEL_STATE_NS         (100 * NSEC_PER_MSEC)

enum channel_phase {
	CHANNEL_AWAITED = 0, /* the guest has said nothing yet */
	CHANNEL_HEARD,       /* its hello is to be challenged, or refused */
	CHANNEL_CHALLENGED,  /* it is to store the challenge */
	CHANNEL_PROVING,     /* its pages are looked for */
	CHANNEL_ANSWERED,    /* they are used, or it was refused */
};

struct channel_session {
	enum channel_phase phase;
	uint64_t since_ns;     /* when that began */
	uint64_t generation;   /* of the last challenge; 0: there was none */
	uint64_t nonce;        /* of it */
	uint32_t open;         /* challenges that the guest has not stored yet */
	uint64_t hellos_total; /* that were taken */
	/* of the last answer; before that, as if refused */
	enum pvsched_channel_refusal refusal;
	enum pvsched_status status;
	uint32_t n_pages; /* that were found */
	/* of frames STATE */
	bool wanted;      /* there may be news */
	bool at_once;     /* of these, some are changes */
	uint64_t told_ns; /* when the last one was sent */
};

/** A connection that has just been accepted. */
void channel_session_begin(struct channel_session *session, uint64_t now_ns);

/** The guest said hello: what was proven before counts no more. */
void channel_session_hello(struct channel_session *session, uint64_t now_ns);

/**
 * The guest is challenged: after a hello, or after an answer, when its pages are to be proven anew.
 * @generation, @nonce  random, not 0
 */
void channel_session_challenge(struct channel_session *session, uint64_t generation, uint64_t nonce,
                               uint64_t now_ns);

/** The challenge was not the last one, and the guest has yet to see the next. */
#define CHANNEL_STALE 1

/**
 * The guest says that it has stored a challenge.
 * Returns 0: its pages are to be proven; CHANNEL_STALE: nothing is to be done; -EBADMSG: it was not
 * asked to, or not to store that.
 */
int channel_session_stored(struct channel_session *session, uint64_t nonce, uint64_t now_ns);

/**
 * The proof of the pages of that generation is over.
 * Returns 0: the guest is to be answered; CHANNEL_STALE: another one is awaited.
 */
int channel_session_proven(const struct channel_session *session, uint64_t generation);

/** The guest is answered: with @refusal PVSCHED_CHANNEL_SERVED after a proof alone. */
void channel_session_answer(struct channel_session *session, enum pvsched_channel_refusal refusal,
                            enum pvsched_status status, uint32_t n_pages, uint64_t now_ns);

/**
 * What was answered, or asked, counts no more, and the guest does not know yet: it is challenged or
 * refused next.
 */
void channel_session_withdraw(struct channel_session *session, uint64_t now_ns);

/** The state of a vCPU has changed; @at_once: in what the guest is to know at once. */
void channel_session_changed(struct channel_session *session, bool at_once);

/** True if a frame STATE is due. Nothing is, unless the guest is served. */
bool channel_session_tells(const struct channel_session *session, uint64_t now_ns);

/** A look at all vCPUs was made: @news: some had changed, and were sent. */
void channel_session_told(struct channel_session *session, bool news, uint64_t now_ns);

/** True if the guest was waited for too long. */
bool channel_session_expired(const struct channel_session *session, uint64_t now_ns);

/** When one of the two above becomes true; NSEC_NEVER: at no time. */
uint64_t channel_session_next_ns(const struct channel_session *session);

/** "awaited", "challenged", "served": as in JSON. */
const char *channel_session_state(const struct channel_session *session);

/** "no-domain", "not-found": as in JSON; PVSCHED_CHANNEL_SERVED: "". For any value. */
const char *channel_refusal_name(enum pvsched_channel_refusal refusal);

/** The same as a sentence for people, with what to do. */
const char *channel_refusal_text(enum pvsched_channel_refusal refusal);
