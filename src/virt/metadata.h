/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The policy in a domain's <metadata>. Every user that may change a domain's metadata can write it,
 * so none of it is used before all of it is validated.
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
 * Reads the element as libvirt prints it, which is without its namespace; with the namespace is
 * accepted, too. There must be exactly one element "policy" with at least one of the three
 * attributes, and no other attribute, element or text. Document types, and with them entities, are
 * refused; nothing is fetched (virt/xml.h).
 *
 * @size  without a terminating NUL; may be larger than METADATA_MAX
 *
 * Always fills *ret: DOMAIN_METADATA_VALID, or DOMAIN_METADATA_INVALID with the reason in
 * ret->error, in printable ASCII.
 */
void metadata_parse(const char *text, size_t size, struct domain_metadata *ret);

/** Fills *ret as invalid: there is metadata, and it cannot be read. */
void metadata_unreadable(const char *why, struct domain_metadata *ret);
