/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * MESSAGE_ID of the messages that an administrator may want to find, count or act on. They are
 * fixed for ever: systemd/pvschedd.catalog explains them, and filters of users match them. None is
 * ever used for another meaning.
 */

/** The daemon is ready; what it can and cannot do here. */
#define LOG_ID_DAEMON_READY "42bae50755f74f1e96265bc272434fff"

/** A source of events failed: libvirt, bpf, proc connector, guardian. */
#define LOG_ID_SOURCE_LOST "d75497f3bb2243718d5c7b4a0b9c3c83"

/** That source works again. */
#define LOG_ID_SOURCE_BACK "68800bdb30b24cb4ad4b020ccda7b7a3"

/** The kernel refused a real-time class: RT_GROUP_SCHED without a budget. */
#define LOG_ID_BOOST_REFUSED "c341a78943e54355a5af46ba2a20653f"

/** Another program changed a thread that we had boosted; it is left alone. */
#define LOG_ID_FOREIGN_CHANGE "f9e426345c1b45cda078f89af93f894f"

/** The guardian unboosted threads because the daemon died or hung. */
#define LOG_ID_GUARDIAN_RESTORED "18468c5a0d044eaca7618e15b463da20"

/** Threads that an earlier run left boosted were unboosted at start. */
#define LOG_ID_RECOVERED_AT_START "e02b24325c6a478bbe573fb9646155a3"

/** The reader died; another one looks for guest pages anew. */
#define LOG_ID_READER_LOST "9e41d7c26a5b4f0c8d3f61b7a2c05e94"

/** A configuration was refused; the old one stays in force. */
#define LOG_ID_CONFIG_REFUSED "2d0758cb557c4fe7aa7dfa9f54d7b4aa"

/** A configuration was loaded. */
#define LOG_ID_CONFIG_LOADED "e7090409f9af45d08ef961cda4ee2da8"

/** A summary of one domain's last interval. */
#define LOG_ID_DOMAIN_SUMMARY "5263729967f14a09a1cb0a6a074bcfc1"

/** The memory of a domain's guest pages, or what its guest says there, changed. */
#define LOG_ID_GUEST_PAGE "b6a1f4a56a3c4d0f9e0b8f6f3a5d2c71"

/** The circuit breaker is open. */
#define LOG_ID_CIRCUIT_BREAKER "838061fe0bc348c6a512dbdd97e172e2"

/** The kernel refused the tracer: nothing is measured or boosted. */
#define LOG_ID_TRACER_REFUSED "3a79c05dfc48463995a12d1a394ed5a7"

/** The kernel refused one part of the tracer; the rest works. */
#define LOG_ID_TRACER_PART_REFUSED "b9bbe31420ee46b7bc9f4ead258b9336"

/** The kernel does not start the tracer's timers: nothing is boosted for a while. */
#define LOG_ID_DEADLINES_REFUSED "78cef64d6395451aa21fef8d15e7a9f0"

/** The guardian is gone; nothing is boosted without it. */
#define LOG_ID_GUARDIAN_LOST "45db2552bf2e41bc959ed4a98569c51a"
