/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a guest requests, and what that means for its vCPU. Questions only: nothing here changes a
 * vCPU.
 */

#include "policy/vcpu.h"

/** The facts as a profile hears them: without the guest's requests where it ignores these. */
struct policy_facts request_hear(const struct profile *profile, const struct policy_facts *facts);

/** The profile demands requests, the guest makes none, and no command replaces them. */
bool request_is_missing(const struct turn *t);

/** Its guest is urgent, and does not run undisturbed. */
bool request_urgent_waits(const struct turn *t);

/**
 * Why a vCPU that is awake is to be boosted now: by COMMAND; as REQUESTED, since its guest is
 * urgent or will be within the lead; for an INTERRUPT. AWAKE: nothing wants that.
 */
enum policy_reason request_boost_awake(const struct turn *t);

/** When to look at a vCPU whose guest said when it will be urgent; NSEC_NEVER. */
uint64_t request_expected_look_ns(const struct turn *t);

/** The new lead, after a boost took effect @took_ns after the look that was planned for it. */
uint64_t request_learn_lead_ns(const struct turn *t, uint64_t took_ns);

/** It is being boosted: when its guest will be urgent; 0: it sleeps, so that is not known. */
uint64_t request_urgent_from_ns(const struct turn *t);

/** The tokens that its guest needs to be urgent once. */
uint64_t request_enough_ns(const struct turn *t);

/** How much ordinary work a boosted vCPU may do before it yields. */
uint64_t request_grace_ns(const struct turn *t);

/** When its guest may have done that much, as far as can be known. */
uint64_t request_yield_look_ns(const struct turn *t);

enum request_yield {
	REQUEST_KEEP,    /* no ordinary work is known of: it does not yield */
	REQUEST_DECLINE, /* it would yield, and that is not worth it yet */
	REQUEST_YIELD,   /* it yields */
};

/** Whether a boosted vCPU yields. */
struct request_answer {
	enum request_yield yield;
	uint64_t look_ns;        /* with DECLINE: when to look again */
	uint64_t urgent_from_ns; /* with DECLINE: when its guest will be urgent; 0: not known */
};

struct request_answer request_yields(const struct turn *t);
