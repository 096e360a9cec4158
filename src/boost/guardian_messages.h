/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The one-byte messages between daemon and guardian. */
enum {
	GUARDIAN_HELLO = 1,        /* guardian: I am here, with a real-time priority */
	GUARDIAN_HELLO_NO_RT = 2,  /* guardian: without one, the kernel refused */
	GUARDIAN_PING = 3,         /* daemon */
	GUARDIAN_PONG = 4,         /* guardian */
	GUARDIAN_OVERDUE_RING = 5, /* daemon, with the tracer's ring of overdue boosts */
	GUARDIAN_BYE = 6,          /* daemon: give back what is left and leave */
};
