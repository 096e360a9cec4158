/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a domain's <metadata> asks for. Whoever may change a domain's metadata writes it; it is not
 * believed before it was checked whole.
 *
 *	<pvsched:policy xmlns:pvsched="https://pvsched.org/domain/1"
 *	                profile="latency" share_permille="100" burst_us="300"/>
 */

#include "model/domain.h"
#include "util/base.h"

#define METADATA_URI "https://pvsched.org/domain/1"

/** Longer metadata is refused; a valid element has some hundred bytes. */
#define METADATA_MAX (64 * 1024)

/**
 * Reads the element as libvirt hands it out, which is without its namespace; with it is accepted,
 * too. Exactly one element "policy", with at least one of the three attributes and no other
 * attribute, element or text. Document types (and with them entities) are refused, nothing is
 * fetched.
 * @size  without a terminating zero; may be larger than METADATA_MAX
 * Always fills *ret: DOMAIN_METADATA_VALID, or DOMAIN_METADATA_INVALID with the reason in
 * ret->error, in printable ASCII.
 */
void metadata_parse(const char *text, size_t size, struct domain_metadata *ret);

/** It is there and could not be had: fills *ret like an invalid one. */
void metadata_unreadable(const char *why, struct domain_metadata *ret);
