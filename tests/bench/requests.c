// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run requests: from what a guest writes into its page to the return
 * of the scheduler call that follows. A thread stands for a vCPU that never sleeps; it has a page
 * in memory of its own process, as a guest has one in QEMU's, and shares its CPU with a thread that
 * computes.
 *
 * A cycle: ordinary for some milliseconds; urgent, until it is told that it is boosted, and for
 * URGENT_NS more; ordinary, until it is unboosted. Writes pairs of 64-bit words: what was measured
 * (enum kind), ns.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "copier.h"
#include "stack.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define GENERATION       0x6265636e65686173ULL
#define URGENT_NS        (100 * NSEC_PER_USEC)
#define ORDINARY_MIN_NS  (5 * NSEC_PER_MSEC)
#define ORDINARY_SPAN_NS (10 * NSEC_PER_MSEC)
#define SERVE_NS         (100 * NSEC_PER_MSEC) /* of its own time, and then it is a failure */
#define NAP_US           100
#define OWN_STEP_NS      2000 /* looks at the clock further apart had somebody else between them */
#define NEGOTIATE_MS     2000

enum kind {
	KIND_WRITTEN_APPLIED = 0,
	KIND_NEEDED_APPLIED = 1, /* from the moment it was preempted */
	KIND_RELEASED_UNBOOSTED = 2,
	KINDS = 3,
};

struct sample {
	uint64_t kind, delay_ns;
};

struct bench {
	struct stack stack;
	struct guest_page page;
	struct pvsched_page *memory; /* of the page */
	struct guest_page_file file;
	unsigned int cycles;
	bool poll;
	int cpu;
	struct sample *samples;
	size_t n_samples;
	unsigned int unneeded; /* boosted before it was preempted */
	unsigned int unseen;   /* boosted, and the tracer did not see that it runs */
	const char *failure;
	atomic_int tid;
	atomic_bool go, stop;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-requests: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

/* ---- the guest ---- */

static void say_hello(struct pvsched_page *page)
{
	page->abi_version = PVSCHED_ABI_VERSION;
	page->policy_version = PVSCHED_POLICY_VERSION;
	memcpy(page->policy_name, PVSCHED_POLICY_NAME, sizeof(PVSCHED_POLICY_NAME));
	page->apic_id = PVSCHED_APIC_ID_NONE;
	__atomic_store_n(&page->generation_echo, GENERATION, __ATOMIC_RELEASE);
}

static uint64_t say(struct pvsched_page *page, bool urgent)
{
	uint64_t tuple = urgent ? pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 80)
	                        : pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0);
	uint32_t sequence = pvsched_request_sequence(page->request) + 1;
	uint64_t now_ns = clock_now_ns();

	__atomic_store_n(&page->request, pvsched_request(tuple, sequence), __ATOMIC_RELEASE);
	return now_ns;
}

/* How long it has run since, not counting what others ran: also a host that stops us whole. */
struct patience {
	uint64_t last_ns, used_ns;
};

static bool is_patient(struct patience *patience)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - patience->last_ns < OWN_STEP_NS)
		patience->used_ns += now_ns - patience->last_ns;
	patience->last_ns = now_ns;
	return patience->used_ns < SERVE_NS;
}

static void work_until(uint64_t end_ns)
{
	while (clock_now_ns() < end_ns)
		;
}

/* Of the last publication, which a boost ends with; the words before it are written by then. */
static uint64_t published_ns(struct pvsched_page *page)
{
	work_until(clock_now_ns() + NSEC_PER_USEC);
	return __atomic_load_n(&page->published_ns, __ATOMIC_ACQUIRE);
}

static void sample_add(struct bench *b, enum kind kind, uint64_t delay_ns)
{
	b->samples[b->n_samples++] = (struct sample){kind, delay_ns};
}

static bool become_urgent(struct bench *b)
{
	const struct pvs_vcpu_account *account = b->stack.accounts.vcpus;
	struct pvsched_page *page = b->memory;
	uint64_t boosts = __atomic_load_n(&page->boosts, __ATOMIC_ACQUIRE);
	uint64_t written_ns = say(page, true), applied_ns, out_ns;
	struct patience patience = {0};

	while (__atomic_load_n(&page->boosts, __ATOMIC_ACQUIRE) == boosts)
		if (!is_patient(&patience))
			return false;
	out_ns = __atomic_load_n(&account->out_ns, __ATOMIC_ACQUIRE);
	applied_ns = published_ns(page);
	sample_add(b, KIND_WRITTEN_APPLIED, applied_ns - written_ns);
	if (out_ns > written_ns && out_ns < applied_ns)
		sample_add(b, KIND_NEEDED_APPLIED, applied_ns - out_ns);
	else
		b->unneeded++;
	return true;
}

static bool was_unboosted(struct bench *b, uint64_t *unboosted_ns)
{
	const struct pvs_vcpu_account *account = b->stack.accounts.vcpus;
	struct patience patience = {0};

	/* published after it, so that what the page tells is of this, too */
	while ((*unboosted_ns = __atomic_load_n(&account->unboosted_at_ns, __ATOMIC_ACQUIRE)) <
	               __atomic_load_n(&account->boosted_at_ns, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&b->memory->published_ns, __ATOMIC_ACQUIRE) < *unboosted_ns)
		if (!is_patient(&patience))
			return false;
	return true;
}

/* Unboosted for want of tokens is not what is measured: the page tells it apart. */
static void become_ordinary(struct bench *b, uint64_t throttles)
{
	struct pvsched_page *page = b->memory;
	uint64_t released_ns = say(page, false), unboosted_ns;

	if (was_unboosted(b, &unboosted_ns)) {
		if (__atomic_load_n(&page->throttles, __ATOMIC_ACQUIRE) == throttles)
			sample_add(b, KIND_RELEASED_UNBOOSTED, unboosted_ns - released_ns);
		return;
	}
	/* the tracer does not know that it runs: with a sleep it gets another chance to see it */
	b->unseen++;
	do {
		usleep(NAP_US);
	} while (!was_unboosted(b, &unboosted_ns));
}

static void cycles_run(struct bench *b)
{
	unsigned int seed = 1;

	for (unsigned int i = 0; i < b->cycles && !atomic_load(&b->stop); i++) {
		uint64_t span_ns = (uint64_t)rand_r(&seed) % ORDINARY_SPAN_NS;
		uint64_t throttles = b->memory->throttles;

		work_until(clock_now_ns() + ORDINARY_MIN_NS + span_ns);
		if (!become_urgent(b)) {
			b->failure = "an urgent vCPU was not boosted";
			return;
		}
		work_until(clock_now_ns() + URGENT_NS);
		become_ordinary(b, throttles);
	}
}

static void pin(const struct bench *b)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(b->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *vcpu_main(void *userdata)
{
	struct bench *b = userdata;

	pin(b);
	say_hello(b->memory);
	say(b->memory, false);
	atomic_store(&b->tid, (int)syscall(SYS_gettid));
	while (!atomic_load(&b->go) && !atomic_load(&b->stop))
		;
	cycles_run(b);
	atomic_store(&b->stop, true);
	return NULL;
}

static void *hog_main(void *userdata)
{
	struct bench *b = userdata;

	pin(b);
	while (!atomic_load(&b->stop))
		;
	return NULL;
}

/* ---- the host ---- */

static int page_make(struct bench *b)
{
	void *memory;
	int fd = memfd_create("bench-requests", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PVSCHED_PAGE_SIZE) < 0)
		return fail("memory for the page", errno);
	memory = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail("memory for the page", errno);
	b->memory = memory;
	b->file = (struct guest_page_file){fd, 0};
	b->page = (struct guest_page){
	        .address = (uint64_t)(uintptr_t)memory,
	        .generation = GENERATION,
	        .apic_id = PVSCHED_APIC_ID_NONE,
	};
	return guest_page_begin(&b->file, GENERATION) < 0 ? fail("the page", EIO) : 0;
}

/* The booster looks for a hello ten times a second. */
static int negotiate(struct bench *b)
{
	for (int i = 0; i < NEGOTIATE_MS / 10; i++) {
		if (__atomic_load_n(&b->memory->status, __ATOMIC_ACQUIRE) == PVSCHED_STATUS_ENABLED)
			return 0;
		usleep(10000);
	}
	return fail("the hello was not answered", ETIMEDOUT);
}

static int host_begin(struct bench *b, const char *ledger, pid_t tid)
{
	struct profile latency = PROFILE_LATENCY_INIT;

	if (stack_open(&b->stack, ledger) < 0 || stack_trace(&b->stack) < 0 ||
	    stack_start(&b->stack, NULL) < 0 || stack_add(&b->stack, 0, 0, tid, &latency) < 0)
		return -1;
	if (copier_start(b->stack.board, &b->file) < 0)
		return fail("no thread reads the page", EAGAIN);
	if (booster_set_page(b->stack.booster, 0, &b->page, b->poll) < 0)
		return fail("the booster does not take the page", EINVAL);
	return negotiate(b);
}

static int failure_tell(struct bench *b)
{
	const struct pvs_vcpu_account *account = b->stack.accounts.vcpus;
	struct booster_vcpu vcpu;

	booster_read(b->stack.booster, 0, &vcpu);
	fprintf(stderr,
	        "bench-requests: %s, after %zu samples: %s (%s), asks %s%s; boosts %lu, yields "
	        "%lu, "
	        "throttles %lu; boosted at %llu, unboosted at %llu, published at %llu\n",
	        b->failure, b->n_samples, policy_state_name(vcpu.view.state),
	        policy_reason_name(vcpu.view.reason), guest_urgency_name(vcpu.page.urgency),
	        vcpu.page.polled ? ", polled" : "", vcpu.view.boosts_total, vcpu.view.yields_total,
	        vcpu.view.throttles_total, account->boosted_at_ns, account->unboosted_at_ns,
	        b->memory->published_ns);
	return -1;
}

static void print_results(struct bench *b)
{
	struct booster_vcpu vcpu;

	booster_read(b->stack.booster, 0, &vcpu);
	printf("{\"boosts\":%lu,\"yields\":%lu,\"throttles\":%lu,\"polls\":%lu,\"unneeded\":%u,"
	       "\"unseen\":%u,\"faults\":%u}\n",
	       vcpu.view.boosts_total, vcpu.view.yields_total, vcpu.view.throttles_total,
	       vcpu.page.polls_total, b->unneeded, b->unseen, vcpu.page.faults_total);
}

static int measure(struct bench *b, const char *ledger)
{
	pthread_t vcpu, hog;
	int r = pthread_create(&vcpu, NULL, vcpu_main, b);

	if (r == 0)
		r = pthread_create(&hog, NULL, hog_main, b);
	if (r != 0)
		return fail("a thread", r);
	while (!atomic_load(&b->tid))
		usleep(1000);
	r = host_begin(b, ledger, atomic_load(&b->tid));
	atomic_store(r == 0 ? &b->go : &b->stop, true);
	pthread_join(vcpu, NULL);
	pthread_join(hog, NULL);
	if (r == 0 && b->failure)
		r = failure_tell(b);
	if (r == 0)
		print_results(b);
	if (b->stack.booster)
		stack_remove(&b->stack, 0, atomic_load(&b->tid));
	stack_close(&b->stack);
	return r;
}

static int save(const struct bench *b, const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");

	if (!file || fwrite(b->samples, sizeof(*b->samples), b->n_samples, file) != b->n_samples)
		return fail(path, errno);
	return 0;
}

static int last_cpu(void)
{
	cpu_set_t set;
	int last = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			last = i;
	return last;
}

int main(int argc, char **argv)
{
	static struct bench b;
	size_t bytes;

	if (argc != 5 || atoi(argv[2]) < 1) {
		fputs("usage: bench-requests bpf|polling CYCLES LEDGER FILE\n", stderr);
		return 2;
	}
	b.poll = strcmp(argv[1], "polling") == 0;
	b.cycles = (unsigned int)atoi(argv[2]);
	b.cpu = last_cpu();
	bytes = (size_t)b.cycles * KINDS * sizeof(*b.samples);
	b.samples = malloc(bytes);
	if (!b.samples || page_make(&b) < 0)
		return 1;
	memset(b.samples, 0xff, bytes); /* no fault later */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	return measure(&b, argv[3]) < 0 || save(&b, argv[4]) < 0 ? 1 : 0;
}
