/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Commands that several messages tell. */

#define ADVICE_GUEST_PAGES_CONF "/usr/share/pvschedd/guest-pages.conf"

/** Gives the daemon the two privileges to look at QEMU processes. */
#define ADVICE_GUEST_PAGES                                                                         \
	"install -Dm644 " ADVICE_GUEST_PAGES_CONF                                                  \
	" /etc/systemd/system/pvschedd.service.d/guest-pages.conf; systemctl daemon-reload; "      \
	"systemctl restart pvschedd"
