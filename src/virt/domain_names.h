/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How what attach adds is called in the XML of a domain, and how long that may be.
 */

/** Longer XML is refused; a large definition has some hundred KiB. */
#define DOMAIN_XML_MAX (8 * 1024 * 1024)

/** The id of the object and the device on the command line. The daemon looks for it. */
#define DOMAIN_XML_ID "pvsched"

/** The file of <shmem> has this prefix and the domain's uuid as its name. */
#define DOMAIN_XML_SHMEM_PREFIX "pvsched-"

/** The alias of a vsock device that attach made; "ua-" is libvirt's prefix of aliases by users. */
#define DOMAIN_XML_VSOCK_ALIAS "ua-pvsched-agent"
