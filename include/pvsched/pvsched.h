/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * libpvsched: a program in a guest tells the host when its virtual CPU has urgent work, and reads
 * what the host did. See libpvsched(3). pvsched-protocol(7) describes the shared memory.
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
 * Functions that return int return 0, a positive enum pvsched_outcome, or a negative errno. Every
 * function accepts NULL as its host and then reports PVSCHED_NO_DEVICE, so a program needs no
 * second path for machines without a host. One struct pvsched serves all threads of a program. Each
 * thread that makes requests has a lease of its own. The thread should be pinned to one CPU,
 * because requests are made for CPUs, not for threads.
 *
 * After pvsched_open() the library allocates nothing and takes no lock. It makes no system call,
 * except in the cases that pvsched_lease_request() names, and except where reading CLOCK_MONOTONIC
 * is a system call.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One opened region of guest pages. */
struct pvsched;

/** Environment variable: the file that pvsched_open(NULL, ...) opens instead of a device. */
#define PVSCHED_REGION_ENV "PVSCHED_REGION"

/** Positive results. They are not errors, but no request was made. */
enum pvsched_outcome {
	PVSCHED_NO_DEVICE = 1, /* this machine has no memory that could be a region */
	PVSCHED_NO_HOST = 2,   /* there is memory, but no host serves it now; one may start later */
	PVSCHED_NO_PAGE = 3,   /* the host has no page for this CPU */
	PVSCHED_NOT_OURS = 4,  /* this lease has no request in force */
};

/** State of the negotiation with the host, for one CPU. */
enum pvsched_state {
	PVSCHED_STATE_NO_DEVICE,
	PVSCHED_STATE_NO_HOST,
	PVSCHED_STATE_NO_PAGE,
	PVSCHED_STATE_WAITING,  /* the hello is not answered yet: takes up to about 100 ms */
	PVSCHED_STATE_DISABLED, /* the host has not answered, or refuses requests */
	PVSCHED_STATE_ENABLED,  /* the host serves requests */
	PVSCHED_STATE_UNKNOWN_POLICY,
	PVSCHED_STATE_ABI,            /* the host uses another version of the page */
	PVSCHED_STATE_POLICY_VERSION, /* the host uses another version of the policy */
	PVSCHED_STATE_PROTOCOL,       /* another protocol, or it takes the page for another CPU's */
	PVSCHED_STATE_MODE,
	PVSCHED_STATE_UNKNOWN, /* a status that this library does not know */
	PVSCHED_STATE_SILENT,  /* the host served requests, and has published nothing for 2 s */
};

/** Bits of @throttled. PVSCHED_BY_PAST is set only in an account; it does not tell the reason. */
#define PVSCHED_BY_BURST 1U /* the CPU used up its own burst */
#define PVSCHED_BY_SHARE 2U /* its domain or its host CPU used up a share */
#define PVSCHED_BY_PAST  4U /* the CPU was throttled since, and no longer is */

/**
 * What the host publishes about one CPU. The figures are a snapshot. It was taken when the applied
 * state last changed, or is at most about 100 ms old while the CPU runs. All are 0 unless the host
 * has answered the hello.
 *
 * A host that was killed can't take back what it has published. It is noticed by its silence: on
 * a CPU that is awake a host publishes at least each 100 ms. If the same snapshot is seen on a CPU,
 * by a thread that runs there, and still 2 s later, the state is PVSCHED_STATE_SILENT, and
 * @boosted, @throttled, @preempted and @avoid are 0. The host is dead, hangs, or is kept from
 * running; requests are still written, and count again if it goes on. The library compares
 * snapshots when it is called, and makes no call of its own, so silence is seen at the second look
 * at the earliest.
 */
struct pvsched_report {
	enum pvsched_state state;
	uint32_t cpu;        /* its index in the guest */
	uint32_t apic_id;    /* 0xffffffff: not known, or the machine has none */
	uint32_t page;       /* its page in the region, from 1; 0: none */
	uint32_t page_count; /* of the region */
	uint32_t host_abi_version;
	uint32_t accepted_mode;
	uint32_t boosted;      /* not 0: boosted, or armed for the next wake-up */
	uint32_t throttled;    /* PVSCHED_BY_*: not boosted, because it used up its tokens */
	uint32_t preempted;    /* not 0: was runnable on the host at that moment, but did not run */
	uint32_t host_cpu;     /* the host CPU where it ran */
	uint32_t avoid;        /* not 0: the host has too few CPUs; work fares better on others */
	uint64_t generation;   /* of the host; 0: none */
	uint64_t run_delay_ns; /* total time it waited for a host CPU */
	uint64_t boosted_ns;   /* total time it ran boosted */
	uint64_t boosts;       /* total number of boosts */
	uint64_t throttles;    /* total number of boosts that their limits ended */
	uint64_t published_ns; /* monotonic time of the host */
	uint64_t reserved[8];
};

/** The effect of one request: differences since it was made. */
struct pvsched_account {
	uint32_t boosted;   /* not 0: the CPU was boosted, or became so */
	uint32_t throttled; /* PVSCHED_BY_*: the CPU was throttled, or became so */
	uint64_t waited_ns; /* time runnable without a host CPU */
	uint64_t boosted_ns;
	uint64_t reserved[4];
};

/**
 * One thread's request. Zero it before its first use; the members belong to the library. A lease
 * must not be used by two threads at a time, and not for two hosts.
 */
struct pvsched_lease {
	uint64_t word;
	uint64_t generation;
	uint32_t page;
	uint32_t held;
	uint64_t boosts;
	uint64_t throttles;
	uint64_t run_delay_ns;
	uint64_t boosted_ns;
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
 * Opens the region. It is the file @path (the resource2 of a device, or any regular file). If @path
 * is NULL, it is the file that the environment variable PVSCHED_REGION names. If that is not set,
 * it is the memory of the machine's ivshmem device. While no such device holds a region, the
 * library maps all of them (at most 8). It reads those, but never writes to them. If no device
 * holds a region, the socket of the machine's agent gives one (pvsched/agent.h); @path may be such
 * a socket, too.
 *
 * Returns 0 and *ret. PVSCHED_NO_HOST and *ret: calls are harmless and take effect once a host
 * starts. PVSCHED_NO_DEVICE and *ret = NULL. On failure *ret = NULL and -errno: -EACCES or -EPERM
 * (no permission to map the device), -EINVAL (not a regular file, or not of the size of a region),
 * -ENOMEM, ...
 */
int pvsched_open(const char *path, struct pvsched **ret);

/** Unmaps and frees; requests stay in force, but with an agent they end. Takes NULL; returns NULL.
 */
struct pvsched *pvsched_close(struct pvsched *host);

/**
 * Makes the CPU that this thread runs on urgent from now on. @policy is SCHED_FIFO or SCHED_RR,
 * @rt_priority is 1 to 99. The request ends when the lease is released, when another thread makes
 * another request for this CPU, or one second after the last pvsched_lease_renew().
 *
 * If the thread has moved to another CPU, its older request is released first, on the page where it
 * was made. The first call after a change of host says hello again. The call makes a system call in
 * these cases only. The C library may need one to learn the current CPU. On a CPU that did not
 * exist at pvsched_open(), /proc/cpuinfo is read again. With an agent, each change of a request is
 * told by a send() that does not wait; and once a second, after an agent has ended, a call looks
 * for the next one, and waits for 20 ms at most.
 *
 * Returns 0: the request is written, whether or not the host serves it (pvsched_negotiated()). An
 * outcome: NO_DEVICE, NO_HOST, NO_PAGE. -EINVAL: @policy is not a real-time policy, or @rt_priority
 * is out of range. -EAGAIN: other writers change the word too fast.
 */
int pvsched_lease_request(struct pvsched *host, struct pvsched_lease *lease, int policy,
                          int rt_priority);

/** Renews the request for another second. Returns as above; NOT_OURS: no request was made. */
int pvsched_lease_renew(struct pvsched *host, struct pvsched_lease *lease);

/**
 * Makes the CPU of the request ordinary again. @expected_us says in how many microseconds it will
 * be urgent next; 0: not known. The host then prepares shortly before that. The time counts from
 * this call, so call it as soon as the work is done. A newer request on the CPU is left unchanged.
 * Returns 0 or an outcome: NO_DEVICE, NO_HOST, NOT_OURS.
 */
int pvsched_lease_release(struct pvsched *host, struct pvsched_lease *lease, uint32_t expected_us);

/**
 * Reports the effect of the last pvsched_lease_request(), whether or not it was released. A renewal
 * starts a new account only if the thread has moved to another CPU, or the host has changed.
 * Returns 0 or an outcome: NO_DEVICE, NO_HOST, NOT_OURS (no request was made to this host, or the
 * host had not answered the hello by then).
 */
int pvsched_lease_account(struct pvsched *host, const struct pvsched_lease *lease,
                          struct pvsched_account *ret);

/** In place of a CPU: the CPU that this thread runs on. */
#define PVSCHED_CPU_CURRENT 0xffffffffU

/**
 * Reports what the host publishes about CPU @cpu of the guest. Says hello for that CPU unless it
 * was said before. Fills *ret in any case. Returns 0 or an outcome: NO_DEVICE, NO_HOST, NO_PAGE.
 */
int pvsched_query(struct pvsched *host, uint32_t cpu, struct pvsched_report *ret);

/** The state alone, with the same hello. */
enum pvsched_state pvsched_negotiated(struct pvsched *host, uint32_t cpu);

/** A short name ("no-host", "enabled") and a description. Any value is accepted. */
const char *pvsched_state_name(enum pvsched_state state);
const char *pvsched_state_text(enum pvsched_state state);

#ifdef __cplusplus
}
#endif
