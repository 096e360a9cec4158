/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The policies that can be chosen, by name and version. A policy of a domain is assigned by command
 * or by its profile; else it is the one that the guest names; else the default one. Guest and host
 * agree on it when the guest says hello. All of them read the same words of a page, and the caps of
 * the host hold for each: see bounds.h. Pure.
 */

#include "pvsched/channel.h"
#include "util/base.h"

/** What the tracer tells a policy of a vCPU; it is told what ends a boost in any case. */
#define REGISTRY_HALTED         (1U << 0) /* it halts, not boosted */
#define REGISTRY_HALTED_BOOSTED (1U << 1) /* it halts, boosted */
#define REGISTRY_PREEMPTED      (1U << 2) /* it is preempted while its guest is urgent */
#define REGISTRY_ORDINARY       (1U << 3) /* it runs boosted, and its guest is ordinary */
#define REGISTRY_INTERRUPT      (1U << 4) /* an interrupt comes while it waits to run */
#define REGISTRY_EVENTS         5

/** "NAME@VERSION" in a buffer. */
#define REGISTRY_LABEL_MAX 48

struct registry_entry {
	const char *name; /* [a-z0-9-], at most 31 bytes */
	uint32_t version;
	uint32_t events;   /* REGISTRY_*: those that it is told of */
	const char *brief; /* what it does, for people */
};

/**
 * Number N of the registry is registry[N - 1]; 0: none. Number 1 is the default one.
 * What each does is policy_kinds[] of kind.h, in the same order.
 */
extern const struct registry_entry registry[];
extern const uint32_t registry_n;

/** The policies of the product: the table of a test may have others besides. */
#define REGISTRY_PVSCHEDD                                                                          \
	{                                                                                          \
		.name = "pvschedd", .version = 1,                                                  \
		.events = REGISTRY_HALTED | REGISTRY_PREEMPTED | REGISTRY_ORDINARY |               \
		          REGISTRY_INTERRUPT,                                                      \
		.brief = "arms a sleeping vCPU, so that its next wake-up is fast",                 \
	}
#define REGISTRY_URGENT_ONLY                                                                       \
	{                                                                                          \
		.name = "urgent-only", .version = 1,                                               \
		.events = REGISTRY_HALTED_BOOSTED | REGISTRY_PREEMPTED | REGISTRY_ORDINARY,        \
		.brief = "boosts only while the guest says that urgent work waits",                \
	}
#define REGISTRY_AWAITED_ONLY                                                                      \
	{                                                                                          \
		.name = "awaited-only", .version = 1, .events = 0,                                 \
		.brief = "boosts only what another vCPU waits for, where the profile helps",       \
	}

/** In place of a label: the policy that the guest names. */
#define REGISTRY_GUEST "guest"

#define REGISTRY_NONE    0U
#define REGISTRY_DEFAULT 1U

/** Which of the table REGISTRY_AWAITED_ONLY is: of the built-in profile `throughput`. */
#define REGISTRY_NUMBER_AWAITED_ONLY 3U

/** Takes any number: what is none is the default one. */
const struct registry_entry *registry_of(uint32_t number);

/** The number of a policy; @version 0: its newest one. REGISTRY_NONE: there is none. */
uint32_t registry_find(const char *name, uint32_t version);

/** The same for "NAME" or "NAME@VERSION". */
uint32_t registry_parse(const char *label);

/** "pvschedd@1", "urgent-only@1"; of REGISTRY_NONE "guest". REGISTRY_LABEL_MAX bytes. */
void registry_label(uint32_t number, char ret[REGISTRY_LABEL_MAX]);

/** The labels of all, separated by ", ". */
void registry_list(char *text, size_t size);

/** "halted", "preempted": of one bit of REGISTRY_*, below REGISTRY_EVENTS. */
const char *registry_event_name(unsigned int bit);

/**
 * What the host answers to a hello that names one policy, of 32 bytes as in a page: ENABLED and
 * *ret; UNKNOWN_POLICY or POLICY_VERSION, and *ret is REGISTRY_NONE.
 */
enum pvsched_status registry_judge(const char name[32], uint32_t version, uint32_t *ret);

/**
 * The same for the @n policies that a guest speaks, which prefers the first: the first that there
 * is. If there is none the status is POLICY_VERSION where one is known in another version.
 */
enum pvsched_status registry_negotiate(const struct pvsched_channel_policy *policies, size_t n,
                                       uint32_t *ret);
