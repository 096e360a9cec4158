/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What OpenStack Nova writes into a domain's <metadata>. The display name is its customer's text,
 * the flavor's name the operator's.
 *
 *	<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
 *	  <nova:name>pbx of Bob</nova:name>
 *	  <nova:flavor name="rt.small">...</nova:flavor>
 *	  ...
 *	</nova:instance>
 */

#include "model/labels.h"
#include "util/base.h"

#define NOVA_URI     "http://openstack.org/xmlns/libvirt/nova/1.1"
#define NOVA_URI_OLD "http://openstack.org/xmlns/libvirt/nova/1.0"

/** Longer metadata is not read. */
#define NOVA_MAX (64 * 1024)

/**
 * Fills title and flavor, from the element as libvirt prints it, with its namespace or without.
 * What is missing or unusable stays "". Document types, and with them entities, are refused.
 * Returns 0; -EBADMSG, with both empty: it is no such element; -ENOMEM.
 */
int nova_parse(const char *text, size_t size, struct domain_labels *ret);
