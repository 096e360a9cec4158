/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a guest's agent says of itself in HELLO (pvsched/channel.h): copied, checked on the copy,
 * and still only a claim. Pure.
 */

#include "pvsched/channel.h"
#include "util/base.h"

/** No x86 machine has more bits of guest-physical addresses. */
#define CHANNEL_ADDRESS_BITS 52

struct channel_hello {
	uint32_t abi_version;      /* any: another one is answered, not refused */
	uint32_t agent_generation; /* not 0 */
	uint64_t cs_unavailable;   /* PVSCHED_CS_* alone */
	char agent_version[sizeof(((struct pvsched_channel_hello *)NULL)->agent_version)];
	char kernel[sizeof(((struct pvsched_channel_hello *)NULL)->kernel)]; /* both: text */
	uint32_t n_policies;
	struct pvsched_channel_policy policies[PVSCHED_CHANNEL_POLICIES_MAX]; /* names are text */
	uint32_t n_cpus;
	struct pvsched_channel_cpu cpus[]; /* as pvsched/channel.h has it */
};

/**
 * Copies a whole frame, of any bytes, and checks the copy.
 * @why  gets which rule it breaks
 * Returns 0 and *ret, which the caller frees; -EBADMSG and *why; -ENOMEM.
 */
int channel_hello_parse(const void *frame, size_t size, struct channel_hello **ret,
                        const char **why);

/** The same for STORED. Returns 0 and *nonce; -EBADMSG and *why. */
int channel_stored_parse(const void *frame, size_t size, uint64_t *nonce, const char **why);

/** A policy that the host speaks. */
struct channel_policy {
	const char *name; /* shorter than that of struct pvsched_channel_policy */
	uint32_t version;
};
