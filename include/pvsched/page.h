/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The guest page: shared memory through which a guest and its host exchange the state of one vCPU.
 * This header is version 1 of the contract; pvsched-protocol(7) explains it. The header includes
 * nothing else of the project, so any guest kernel or program can use it.
 *
 * A region is one header page, written by the host, followed by one page per vCPU. All words are
 * little-endian; there are no bit-fields. Each word is read and written as one aligned atomic. Each
 * 64-byte line has one writer, except the first line, where each word has one writer.
 *
 * Offsets up to 192 and their meanings are those of the pvsched v3 draft.
 */

#if defined(__linux__) || defined(__bpf__)
#include <linux/types.h>
#else
#include <stdint.h>
typedef uint8_t __u8;
typedef int8_t __s8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
#endif

#ifdef __cplusplus
#define PVSCHED_ASSERT(condition, text) static_assert(condition, text)
#else
#define PVSCHED_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define PVSCHED_PAGE_SIZE 4096

/* ---- the region ---- */

#define PVSCHED_REGION_MAGIC     0x6464656863737670ULL /* the bytes "pvschedd" */
#define PVSCHED_REGION_VERSION   1
#define PVSCHED_REGION_PAGES_MAX 512
#define PVSCHED_REGION_SIZE_MIN  (1024 * 1024)      /* the smallest <shmem> of libvirt */
#define PVSCHED_REGION_SIZE_MAX  (16 * 1024 * 1024) /* a larger object is not a region */

/** In place of an APIC id: the machine has none, so page 1 + i belongs to CPU i of the guest. */
#define PVSCHED_APIC_ID_NONE 0xffffffffU

/**
 * The first page. The host writes all of it, @generation last, with release order. A guest must
 * not use any word of it before it has seen @magic and a nonzero @generation.
 */
struct pvsched_region {
	__u64 magic;
	__u32 version;
	__u32 page_count; /* number of vCPU pages that follow */
	__u32 page_size;  /* PVSCHED_PAGE_SIZE */
	__u32 reserved0;
	__u64 generation; /* new at each start of host or guest; 0: no host serves the region */
	__u8 reserved1[992];
	__u32 apic_id[PVSCHED_REGION_PAGES_MAX]; /* APIC id of the vCPU that page 1 + i is for */
	__u8 reserved2[1024];
};

/* ---- one vCPU ---- */

#define PVSCHED_ABI_VERSION    1
#define PVSCHED_POLICY_NAME    "pvschedd"
#define PVSCHED_POLICY_VERSION 1
#define PVSCHED_PROTOCOL       0
#define PVSCHED_MODE           0

enum pvsched_status {
	PVSCHED_STATUS_DISABLED = 0, /* no hello yet, or the host refuses requests */
	PVSCHED_STATUS_ENABLED = 1,
	PVSCHED_STATUS_UNKNOWN_POLICY = 2,
	PVSCHED_STATUS_ABI = 3,            /* abi_version differs: see host_abi_version */
	PVSCHED_STATUS_POLICY_VERSION = 4, /* policy_version differs */
	PVSCHED_STATUS_PROTOCOL = 5,       /* protocol_id differs, or apic_id is another CPU's */
	PVSCHED_STATUS_MODE = 6,           /* requested_mode refused: see accepted_mode */
};

/** How the host runs the vCPU: byte 5 of applied_state. */
enum pvsched_boost {
	PVSCHED_BOOST_NONE = 0,     /* unboosted */
	PVSCHED_BOOST_TASK = 1,     /* boosted: armed, or for a task */
	PVSCHED_BOOST_CRITICAL = 2, /* boosted for a critical section */
};

/* byte 4 of applied_state */
#define PVSCHED_THROTTLED_BURST (1U << 0) /* the vCPU has used up its burst */
#define PVSCHED_THROTTLED_SHARE (1U << 1) /* its domain or its host CPU has used up its share */

/* host_flags */
#define PVSCHED_HOST_PREEMPTED (1U << 0) /* runnable on the host, but not running */
#define PVSCHED_HOST_AVOID     (1U << 1) /* more vCPUs than CPUs for them: better not used */
#define PVSCHED_HOST_ARMED     (1U << 2) /* boosted and asleep: the next wake-up runs at once */

/* cs_state */
#define PVSCHED_CS_NMI     (1ULL << 0)
#define PVSCHED_CS_HARDIRQ (1ULL << 1)
#define PVSCHED_CS_SOFTIRQ (1ULL << 2)
#define PVSCHED_CS_PREEMPT (1ULL << 3) /* preemption is off */
#define PVSCHED_CS_ALL     0xfULL

/* task_intent, byte 6 */
#define PVSCHED_INTENT_PENDING 1U /* bytes 3-5 are valid */
#define PVSCHED_INTENT_IDLE    2U

struct pvsched_page {
	/* the hello: the guest writes these, then generation_echo with release order */
	__u32 abi_version;
	__u32 policy_version;
	char policy_name[32]; /* zero padded */
	__u32 protocol_id;
	__u32 requested_mode;
	/* the host's answer: status last, with release order */
	__u32 status; /* enum pvsched_status */
	__u32 host_abi_version;
	__u32 accepted_mode;
	__u32 reserved0;

	/* the guest's scheduler; valid only while agent_generation is not 0 */
	__u64 task_intent;   /* bytes 0-2: tuple of the current task; 3-5: of the pending task */
	__u64 cs_state;      /* PVSCHED_CS_* */
	__u64 interrupt_ack; /* reserved: echo of interrupt_ticket */
	__u64 pulse;         /* its CPU changes it while it runs: see PVSCHED_AGENT_LEASE_NS */
	__u64 reserved1[4];

	/* host */
	__u64 applied_state;    /* see pvsched_applied() */
	__u64 interrupt_ticket; /* reserved: 0 */
	__u64 reserved2[6];

	/* host: a snapshot of one moment, written without a lock */
	__u64 generation;   /* as in the region's header */
	__u64 run_delay_ns; /* total time runnable but not running */
	__u64 boosted_ns;   /* total time run while boosted */
	__u32 host_cpu;     /* host CPU where the vCPU runs or ran last */
	__u32 host_flags;   /* PVSCHED_HOST_* */
	__u64 boosts;       /* number of boosts */
	__u64 throttles;    /* number of boosts that their limits ended */
	__u64 published_ns; /* host's monotonic time of this snapshot */
	__u64 reserved3;

	/* guest */
	__u64 request;          /* of an application: see pvsched_request() */
	__u64 expect;           /* with it: when urgent again, see pvsched_expect() */
	__u64 generation_echo;  /* the generation that the hello is for */
	__u64 nonce;            /* any number; for carriers that must prove a page's address */
	__u32 apic_id;          /* of the CPU that this page is for, or PVSCHED_APIC_ID_NONE */
	__u32 cpu_index;        /* its index in the guest, for display */
	__u32 agent_generation; /* not 0: an agent keeps task_intent and cs_state up to date */
	__u32 reserved4;
	__u64 written_ns; /* guest's monotonic time when it wrote @expect; 0: not given */
	__u64 reserved5;

	__u8 reserved6[3776];
};

PVSCHED_ASSERT(sizeof(struct pvsched_region) == PVSCHED_PAGE_SIZE, "region header");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_region, generation) == 24, "generation");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_region, apic_id) == 1024, "apic_id");
PVSCHED_ASSERT(sizeof(struct pvsched_page) == PVSCHED_PAGE_SIZE, "page");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, policy_name) == 8, "policy_name");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, protocol_id) == 40, "protocol_id");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, status) == 48, "status");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, task_intent) == 64, "task_intent");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, cs_state) == 72, "cs_state");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, pulse) == 88, "pulse");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, applied_state) == 128, "applied_state");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, generation) == 192, "host line");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, request) == 256, "guest line");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, generation_echo) == 272, "echo");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, apic_id) == 288, "apic id");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, written_ns) == 304, "written");
PVSCHED_ASSERT(__builtin_offsetof(struct pvsched_page, reserved6) == 320, "reserved");

/* ---- words ---- */

/* Linux's values, in every guest. */
enum pvsched_policy {
	PVSCHED_POLICY_NORMAL = 0,
	PVSCHED_POLICY_FIFO = 1,
	PVSCHED_POLICY_RR = 2,
	PVSCHED_POLICY_BATCH = 3,
	PVSCHED_POLICY_IDLE = 5,
};

/**
 * A task in three bytes: scheduling policy, nice value, real-time priority. NORMAL and BATCH have
 * nice -20 to 19 and priority 0. FIFO and RR have nice 0 and priority 1 to 99. IDLE has nice 0 and
 * priority 0.
 */
static inline __u64 pvsched_tuple(__u32 policy, int nice, __u32 rt_priority)
{
	return (policy & 0xff) | (__u64)(__u8)nice << 8 | (__u64)(rt_priority & 0xff) << 16;
}

/** What a guest requests for one vCPU at this moment. */
enum pvsched_urgency {
	PVSCHED_URGENCY_NONE = 0,     /* no request: the host decides by what it observes */
	PVSCHED_URGENCY_ORDINARY = 1, /* only ordinary work runs there */
	PVSCHED_URGENCY_URGENT = 2, /* a real-time task runs or waits, or a critical section runs */
	PVSCHED_URGENCY_INVALID = 3, /* a word without meaning: counted, otherwise as NONE */
};

static inline enum pvsched_urgency pvsched_tuple_urgency(__u64 tuple)
{
	__u32 policy = tuple & 0xff, rt_priority = (tuple >> 16) & 0xff;
	int nice = (__s8)(tuple >> 8);

	if (policy == PVSCHED_POLICY_FIFO || policy == PVSCHED_POLICY_RR)
		return nice == 0 && rt_priority >= 1 && rt_priority <= 99 ? PVSCHED_URGENCY_URGENT
		                                                          : PVSCHED_URGENCY_INVALID;
	if (policy == PVSCHED_POLICY_NORMAL || policy == PVSCHED_POLICY_BATCH)
		return nice >= -20 && nice <= 19 && rt_priority == 0 ? PVSCHED_URGENCY_ORDINARY
		                                                     : PVSCHED_URGENCY_INVALID;
	if (policy == PVSCHED_POLICY_IDLE)
		return nice == 0 && rt_priority == 0 ? PVSCHED_URGENCY_ORDINARY
		                                     : PVSCHED_URGENCY_INVALID;
	return PVSCHED_URGENCY_INVALID;
}

/**
 * An application's request: a tuple and a sequence number. A new sequence number renews the
 * request; 0 means no request. A request holds until the next one, but it lapses unless it is
 * renewed within PVSCHED_REQUEST_LEASE_NS.
 */
#define PVSCHED_REQUEST_LEASE_NS 1000000000ULL

static inline __u64 pvsched_request(__u64 tuple, __u32 sequence)
{
	return (tuple & 0xffffff) | (__u64)sequence << 32;
}

static inline __u32 pvsched_request_sequence(__u64 request)
{
	return (__u32)(request >> 32);
}

static inline enum pvsched_urgency pvsched_request_urgency(__u64 request)
{
	if (pvsched_request_sequence(request) == 0)
		return request == 0 ? PVSCHED_URGENCY_NONE : PVSCHED_URGENCY_INVALID;
	if (request & 0xff000000U)
		return PVSCHED_URGENCY_INVALID;
	return pvsched_tuple_urgency(request & 0xffffff);
}

/**
 * Belongs to an ordinary request with the same sequence number: the CPU will be urgent again @us
 * microseconds after the request was written; 0 means not known. The time of writing is
 * pvsched_page::written_ns if the guest gives it. Both words are written before the request.
 */
static inline __u64 pvsched_expect(__u32 us, __u32 sequence)
{
	return us | (__u64)sequence << 32;
}

/** Microseconds until the CPU is urgent again; 0: not known. */
static inline __u32 pvsched_expect_us(__u64 expect, __u64 request)
{
	return expect >> 32 == request >> 32 ? (__u32)expect : 0;
}

/**
 * The scheduler's words hold while their agent lives, which a change of task_intent, cs_state or
 * pulse proves. They lapse when the vCPU has run for so long without one. While it sleeps or waits
 * for a host CPU, its words cannot change, so they hold. A pulse that always is 0 proves nothing.
 */
#define PVSCHED_AGENT_LEASE_NS 1000000000ULL

/** What the guest's scheduler requests with these two words. */
static inline enum pvsched_urgency pvsched_intent_urgency(__u64 task_intent, __u64 cs_state)
{
	__u32 flags = (task_intent >> 48) & 0xff;
	enum pvsched_urgency current = pvsched_tuple_urgency(task_intent & 0xffffff);
	enum pvsched_urgency pending = pvsched_tuple_urgency((task_intent >> 24) & 0xffffff);

	if ((cs_state & ~PVSCHED_CS_ALL) || task_intent >> 56 ||
	    (flags & ~(PVSCHED_INTENT_PENDING | PVSCHED_INTENT_IDLE)))
		return PVSCHED_URGENCY_INVALID;
	if (current == PVSCHED_URGENCY_INVALID ||
	    ((flags & PVSCHED_INTENT_PENDING) && pending == PVSCHED_URGENCY_INVALID))
		return PVSCHED_URGENCY_INVALID;
	if (cs_state || current == PVSCHED_URGENCY_URGENT ||
	    ((flags & PVSCHED_INTENT_PENDING) && pending == PVSCHED_URGENCY_URGENT))
		return PVSCHED_URGENCY_URGENT;
	return PVSCHED_URGENCY_ORDINARY;
}

/** Merges the requests of an application and of the scheduler. Urgent wins; invalid is ignored. */
static inline enum pvsched_urgency pvsched_urgency_merge(enum pvsched_urgency a,
                                                         enum pvsched_urgency b)
{
	if (a == PVSCHED_URGENCY_INVALID)
		return b == PVSCHED_URGENCY_INVALID ? PVSCHED_URGENCY_NONE : b;
	if (b == PVSCHED_URGENCY_INVALID)
		return a;
	return a > b ? a : b;
}

/** Makes the word applied_state. */
static inline __u64 pvsched_applied(enum pvsched_boost boost, __u32 throttled)
{
	return (__u64)(throttled & 0xff) << 32 | (__u64)(boost & 0xff) << 40;
}

static inline enum pvsched_boost pvsched_applied_boost(__u64 applied)
{
	return (enum pvsched_boost)((applied >> 40) & 0xff);
}

static inline __u32 pvsched_applied_throttled(__u64 applied)
{
	return (applied >> 32) & 0xff;
}
