/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/** Documented in pvschedctl(8). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3, /* of pvschedd; for attach and detach: of libvirt */
	EXIT_NOT_PERMITTED = 4,
	EXIT_NO_DOMAIN = 5,
};
