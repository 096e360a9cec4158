/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The requests of all programs, merged into the pages. No socket here: a program is what it said.
 */

#include "agent/merge.h"
#include "agent/settings.h"

struct requests;
struct requester; /* one program's connection */

/** Returns NULL when out of memory. @pages stay the caller's. */
struct requests *requests_new(const struct settings *settings, struct pvsched_page *pages,
                              uint32_t n_cpus);

/** Takes NULL; returns NULL. No requester may be left. */
struct requests *requests_free(struct requests *requests);

/** The host listens, or does not: then nothing is written. */
void requests_serve(struct requests *requests, bool served, uint64_t now_ns);

/**
 * A program of @uid is there. Returns 0 and *ret; -EACCES: the configuration does not allow this
 * user; -EUSERS: it has too many connections; -ENOMEM.
 */
int requester_new(struct requests *requests, uid_t uid, struct requester **ret);

/** Ends its requests. Takes NULL; returns NULL. */
struct requester *requester_free(struct requester *requester, uint64_t now_ns);

/** Its words for a CPU, as its page has them now. False: it looks too often, and was not heard. */
bool requester_look(struct requester *requester, uint32_t cpu, const struct pvsched_page *page,
                    uint64_t now_ns);

/** What was due is merged anew. Returns when the next one is due, or NSEC_NEVER. */
uint64_t requests_tick(struct requests *requests, uint64_t now_ns);

/** When the next is due, or NSEC_NEVER. */
uint64_t requests_due(const struct requests *requests);

/** Figures of one requester, for reports. */
struct requester_figures {
	uid_t uid;
	uint64_t looks, dropped;
	uint32_t urgent; /* CPUs for which its last word was urgent and has not lapsed */
};

struct requester_figures requester_figures(const struct requester *requester, uint64_t now_ns);
