/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * libpvsched: a program in a guest tells the host when the virtual CPU under it is urgent, and
 *reads what the host did. See libpvsched(3); the memory behind it is described in
 *pvsched-protocol(7).
 *
 *	struct pvsched *host;
 *	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
 *
 *	pvsched_open(NULL, &host);
 *	for (;;) {
 *		wait_for_next_period();
 *		pvsched_lease_request(host, &lease, SCHED_FIFO, 80);
 *		work();
 *		pvsched_lease_release(host, &lease, us_until_next_period());
 *	}
 *
 * All functions return 0, a positive enum pvsched_outcome, or a negative errno. All take NULL in
 *the place of a host and then answer PVSCHED_NO_DEVICE, so that a program needs no second path for
 * machines without one. One struct pvsched serves all threads of a program; each thread that asks
 * has a lease of its own, and should be pinned to one CPU: the host hears of CPUs, not of threads.
 *
 * After pvsched_open() nothing is allocated, no lock is taken and no system call made, but for two
 * cases which pvsched_lease_request() names, and where reading CLOCK_MONOTONIC is one.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One opened region of guest pages. */
struct pvsched;

/** The memory to be opened by pvsched_open(NULL, ...), in the place of a device. */
#define PVSCHED_REGION_ENV "PVSCHED_REGION"

/** Positive results: nothing is broken, and nothing was asked for. */
enum pvsched_outcome {
	PVSCHED_NO_DEVICE = 1, /* this machine has no memory that could be a region */
	PVSCHED_NO_HOST = 2,   /* there is memory, and no host behind it now; one may come */
	PVSCHED_NO_PAGE = 3,   /* the host has no page for this CPU */
	PVSCHED_NOT_OURS = 4,  /* no request of this lease is in force */
};

/** What the negotiation with the host came to, for one CPU. */
enum pvsched_state {
	PVSCHED_STATE_NO_DEVICE,
	PVSCHED_STATE_NO_HOST,
	PVSCHED_STATE_NO_PAGE,
	PVSCHED_STATE_WAITING,  /* the hello is said, and not answered yet: up to about 100 ms */
	PVSCHED_STATE_DISABLED, /* the host has not answered, or does not want to */
	PVSCHED_STATE_ENABLED,  /* requests are heard */
	PVSCHED_STATE_UNKNOWN_POLICY,
	PVSCHED_STATE_ABI,            /* the host speaks another version of the page */
	PVSCHED_STATE_POLICY_VERSION, /* or of the policy */
	PVSCHED_STATE_PROTOCOL,       /* or another protocol, or takes the page for another CPU's */
	PVSCHED_STATE_MODE,
	PVSCHED_STATE_UNKNOWN, /* a status that this library does not know */
};

/** Bits of @throttled. The last one is only in an account: it was, and is over; why is not told. */
#define PVSCHED_BY_BURST 1U /* the CPU used its own burst up */
#define PVSCHED_BY_SHARE 2U /* its domain or its host CPU used a share up */
#define PVSCHED_BY_PAST  4U

/**
 * What the host tells of one CPU. The figures are a snapshot: as of the last change of what was
 * applied, or at most about 100 ms old while the CPU runs. They are 0 unless @state is that of an
 * answered hello.
 */
struct pvsched_report {
	enum pvsched_state state;
	uint32_t cpu;        /* the guest's number of it */
	uint32_t apic_id;    /* 0xffffffff: not known, as on machines without */
	uint32_t page;       /* its page in the region, from 1; 0: none */
	uint32_t page_count; /* of the region */
	uint32_t host_abi_version;
	uint32_t accepted_mode;
	uint32_t boosted;   /* not 0: runs elevated, or will at its next wake-up */
	uint32_t throttled; /* PVSCHED_BY_*: it would, had it not used up what it may */
	uint32_t preempted; /* not 0: did not run on the host at that moment, and was runnable */
	uint32_t host_cpu;  /* where it ran */
	uint32_t reserved0;
	uint64_t generation;   /* of the host; 0: none */
	uint64_t run_delay_ns; /* in total: how long it waited for a host CPU */
	uint64_t elevated_ns;  /* in total: how long it ran elevated */
	uint64_t boosts;       /* in total: how often it was raised */
	uint64_t throttles;    /* in total: how often it was lowered for want of budget */
	uint64_t published_ns; /* monotonic time of the host */
	uint64_t reserved[8];
};

/** What became of one request: differences since it was made. */
struct pvsched_account {
	uint32_t boosted;   /* not 0: the CPU was, or became elevated */
	uint32_t throttled; /* not 0: the CPU was, or became throttled */
	uint64_t waited_ns; /* runnable and without a host CPU */
	uint64_t elevated_ns;
	uint64_t reserved[4];
};

/**
 * One thread's request. Zeroed before its first use; the members are the library's. It must not be
 * used by two threads at a time, nor for two hosts.
 */
struct pvsched_lease {
	uint64_t word;
	uint64_t generation;
	uint32_t page;
	uint32_t held;
	uint64_t boosts;
	uint64_t throttles;
	uint64_t run_delay_ns;
	uint64_t elevated_ns;
	uint32_t boosted;
	uint32_t throttled;
	uint32_t counted;
	uint32_t reserved0;
	uint64_t reserved[4];
};

#ifdef __cplusplus
#define PVSCHED_LEASE_INIT                                                                         \
	{                                                                                          \
	}
#else
#define PVSCHED_LEASE_INIT                                                                         \
	{                                                                                          \
		0                                                                                  \
	}
#endif

/**
 * Opens the region: the file @path if it is not NULL (the resource2 of a device, or any regular
 * file); else the file that the environment variable PVSCHED_REGION names; else that of the ivshmem
 * device of this machine. Other ivshmem devices are mapped, too, until one turns out to be the
 * host's; they are read and never written to.
 *
 * Returns 0 and *ret. PVSCHED_NO_HOST and *ret: all calls are harmless, and work once a host came.
 * PVSCHED_NO_DEVICE and *ret = NULL. Else *ret = NULL and -errno: -EACCES, -EPERM (not permitted to
 * map the device), -EINVAL (the file is not regular, or not of the size of a region), -ENOMEM, ...
 */
int pvsched_open(const char *path, struct pvsched **ret);

/** Unmaps and frees; requests stay as they are. Takes NULL; returns NULL. */
struct pvsched *pvsched_close(struct pvsched *host);

/**
 * The CPU that this thread runs on is urgent from now on. @policy is SCHED_FIFO or SCHED_RR,
 * @rt_priority 1 to 99. It holds until the lease is released, another thread asks for something
 * else on this CPU, or a second has gone without pvsched_lease_renew().
 *
 * When the thread was moved since, the lease's older request is released first, on the page where
 * it was made. The first call after a change of host says hello again. There is a system call only
 * where the C library has none but that to learn its CPU, and when a CPU is met that was not there
 * at pvsched_open() (/proc/cpuinfo is read again).
 *
 * Returns 0: written, whether or not the host listens (pvsched_negotiated()). An outcome:
 * NO_DEVICE, NO_HOST, NO_PAGE. -EINVAL: such a task is not urgent. -EAGAIN: the
 * word changes too fast to be written.
 */
int pvsched_lease_request(struct pvsched *host, struct pvsched_lease *lease, int policy,
                          int rt_priority);

/** The same again, for another second. Returns as that; NOT_OURS: nothing was requested. */
int pvsched_lease_renew(struct pvsched *host, struct pvsched_lease *lease);

/**
 * The CPU where the request was made is ordinary again, and urgent in @expected_us; 0: not known.
 * The host uses that to be ready shortly before; the clock is read for it, so call this as soon as
 * the work is done. Changes nothing when a newer request is there.
 * Returns 0 or an outcome: NO_DEVICE, NO_HOST, NOT_OURS.
 */
int pvsched_lease_release(struct pvsched *host, struct pvsched_lease *lease, uint32_t expected_us);

/**
 * What became of the last pvsched_lease_request(), released or not. A renewal counts as one only if
 * the thread was found on another CPU, or the host was another.
 * Returns 0 or an outcome: NO_DEVICE, NO_HOST, NOT_OURS (nothing was requested of this host, or it
 * had not answered the hello then).
 */
int pvsched_lease_account(struct pvsched *host, const struct pvsched_lease *lease,
                          struct pvsched_account *ret);

/** In the place of a CPU: that on which this thread runs. */
#define PVSCHED_CPU_CURRENT 0xffffffffU

/**
 * What the host tells of the guest's CPU @cpu; says hello for it where that was not done. Fills
 * *ret in any case. Returns 0 or an outcome: NO_DEVICE, NO_HOST, NO_PAGE.
 */
int pvsched_query(struct pvsched *host, uint32_t cpu, struct pvsched_report *ret);

/** The state alone. */
enum pvsched_state pvsched_negotiated(struct pvsched *host, uint32_t cpu);

/** A short name ("no-host", "enabled") and a sentence for people. Any number is taken. */
const char *pvsched_state_name(enum pvsched_state state);
const char *pvsched_state_text(enum pvsched_state state);

#ifdef __cplusplus
}
#endif
