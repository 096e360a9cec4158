// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run wake: a victim process in the group of a vCPU, under one
 * variant of scheduling. Prints one line of JSON; the latencies go to a file as 64-bit words, in
 * ns.
 *
 * The victim is a child of its own, so that it can be moved to a group by process on cgroup v1 and
 * v2, while booster and guardian stay where they may be real-time. It takes the stamps of the load
 * itself: whoever else did it would have to be scheduled first.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"
#include "copier.h"
#include "learner.h"
#include "stack.h"
#include "stamp.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SLICE_NS    (100 * NSEC_PER_USEC)
#define RTTIME_US   400000 /* on one CPU without a sleep: then the kernel ends the victim */
#define SAMPLES_MAX (8U << 20)

struct options {
	const char *variant, *ledger, *out, *group;
	struct duty duty;
	uint64_t for_ns, warm_ns;
	struct spinners spinners;
	struct guest_page page; /* of the variant requests */
	struct guest_page_file page_file;
	uint64_t burst_ns;       /* in place of the profile's; 0: that */
	uint32_t share_permille; /* the same */
	uint32_t quota_permille; /* of one CPU, that holds for its group; 0: none */
	unsigned int slow;       /* times that its work, its sleep, slices and bursts are as long */
};

/* Shared with the victim. */
struct results {
	struct stamp begin, end;
	size_t n;
	uint64_t dropped;
	uint64_t latency_ns[];
};

static void victim(const struct options *o, struct results *results, size_t max, int go_fd,
                   int done_fd)
{
	struct rlimit limit = {RTTIME_US, RTTIME_US};
	struct duty_record record = {.latency_ns = results->latency_ns, .max = max};
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1UL);
	setrlimit(RLIMIT_RTTIME, &limit);
	memset(results->latency_ns, 0, max * sizeof(*results->latency_ns)); /* no fault later */
	mlockall(MCL_CURRENT);
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	duty_live(&o->duty, o->warm_ns, NULL);
	stamp_take(&o->spinners, &results->begin);
	duty_live(&o->duty, o->for_ns, &record);
	stamp_take(&o->spinners, &results->end);
	results->n = record.n;
	results->dropped = record.dropped;
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	_exit(0);
}

static int fail(const char *what)
{
	fprintf(stderr, "bench-victim: %s: %s\n", what, strerror(errno));
	return -1;
}

#define GENERATION 0x76696374696d7365ULL

/* A page that both processes see, at the same address, as a guest's is in QEMU. */
static int page_make(struct options *o, struct guest_page *ret)
{
	int fd = memfd_create("page", MFD_CLOEXEC);
	struct pvsched_page *page;

	if (fd < 0 || ftruncate(fd, sizeof(*page)) < 0)
		return fail("memory for the page");
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (page == MAP_FAILED || mlock(page, sizeof(*page)) < 0)
		return fail("memory for the page");
	o->page_file = (struct guest_page_file){fd, 0};
	*ret = (struct guest_page){
	        .address = (uint64_t)(uintptr_t)page,
	        .generation = GENERATION,
	        .apic_id = PVSCHED_APIC_ID_NONE,
	};
	page->abi_version = PVSCHED_ABI_VERSION;
	page->policy_version = PVSCHED_POLICY_VERSION;
	memcpy(page->policy_name, PVSCHED_POLICY_NAME, sizeof(PVSCHED_POLICY_NAME));
	page->apic_id = PVSCHED_APIC_ID_NONE;
	page->generation_echo = GENERATION;
	o->duty.page = page;
	return 0;
}

static int group_enter(const char *procs_file, pid_t pid)
{
	CLEANUP(cleanup_file) FILE *file = fopen(procs_file, "we");

	if (!file || fprintf(file, "%d", pid) < 0 || fflush(file) != 0)
		return fail(procs_file);
	return 0;
}

static int slice_set(const struct options *o, pid_t pid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .policy = SCHED_OTHER, .runtime = o->slow * SLICE_NS};

	return syscall(SYS_sched_setattr, pid, &attr, 0) < 0 ? fail("a short slice") : 0;
}

static int fifo_set(pid_t pid)
{
	struct sched_boost fifo = {SCHED_FIFO, STACK_PRIORITY};
	int r = sched_give_boost(pid, &fifo);

	errno = r < 0 ? -r : 0;
	return r < 0 ? fail("FIFO for the victim") : 0;
}

static int profile_set(const struct options *o, pid_t pid, struct profile *profile,
                       struct stack *stack)
{
	if (stack_open(stack, o->ledger) < 0)
		return -1;
	/* a burst is never more than either of these allows */
	stack->caps.domain_burst_ns = MAX(stack->caps.domain_burst_ns, o->burst_ns);
	stack->caps.cpu_burst_ns = MAX(stack->caps.cpu_burst_ns, o->burst_ns);
	stack->caps.cpu_burst_ns *= o->slow;
	stack->caps.domain_burst_ns *= o->slow;
	if (stack_trace(stack) < 0 || stack_start(stack, NULL) < 0)
		return -1;
	if (o->burst_ns)
		profile->burst_ns = o->burst_ns;
	if (o->share_permille)
		profile->share_permille = o->share_permille;
	profile->burst_ns *= o->slow;
	profile->slice_ns *= o->slow;
	return stack_add(stack, 0, 0, pid, profile);
}

static int variant_apply(const struct options *o, pid_t pid, struct stack *stack)
{
	struct profile latency = PROFILE_LATENCY_INIT, interactive = PROFILE_INTERACTIVE_INIT;
	struct profile observe = PROFILE_OBSERVE_INIT, learned = PROFILE_AUTO_INIT;

	if (strcmp(o->variant, "untouched") == 0)
		return 0;
	if (strcmp(o->variant, "slice") == 0)
		return slice_set(o, pid);
	if (strcmp(o->variant, "static") == 0)
		return fifo_set(pid);
	if (strcmp(o->variant, "static-observed") == 0)
		return profile_set(o, pid, &observe, stack) < 0 ? -1 : fifo_set(pid);
	if (strcmp(o->variant, "learn") == 0)
		return profile_set(o, pid, &observe, stack);
	if (strcmp(o->variant, "auto") == 0) { /* what was learned is -b and -S */
		learned.mode = PROFILE_BOOST;
		return profile_set(o, pid, &learned, stack);
	}
	if (strcmp(o->variant, "latency") == 0)
		return profile_set(o, pid, &latency, stack);
	if (strcmp(o->variant, "latency-no-slice") == 0) {
		latency.levers = PROFILE_LEVER_RT;
		return profile_set(o, pid, &latency, stack);
	}
	if (strcmp(o->variant, "requests") == 0) {
		int r = profile_set(o, pid, &latency, stack);

		if (r == 0)
			r = copier_start(stack->board, &o->page_file);
		return r == 0 ? booster_set_page(stack->booster, 0, &o->page, false) : r;
	}
	if (strcmp(o->variant, "interactive") == 0)
		return profile_set(o, pid, &interactive, stack);
	errno = EINVAL;
	return fail(o->variant);
}

static void print_boosts(struct stack *stack, uint64_t since_ns)
{
	const struct pvs_vcpu_account *a = stack->accounts.vcpus;
	struct booster_totals totals;
	struct booster_vcpu vcpu;
	struct tracer_totals traced;
	uint64_t unboosts, wakeups = a->wakeups ?: 1;

	booster_read(stack->booster, 0, &vcpu);
	booster_read_totals(stack->booster, &totals);
	tracer_totals(stack->tracer, &traced);
	unboosts = vcpu.view.boosts_total - (vcpu.view.state == POLICY_ARMED ? 1 : 0);
	printf(",\"boosts\":%lu,\"unboosts\":%lu,\"wakeups\":%llu,\"wakeups_boosted\":%llu,"
	       "\"calls_per_1000\":%.3f,\"boosted_permille\":%.2f,\"entitled_permille\":%u,"
	       "\"booster_wakeups\":%lu,\"deadline_error\":%d,\"state\":\"%s\",\"reason\":\"%s\","
	       "\"yields\":%lu,\"unseen\":%u",
	       vcpu.view.boosts_total, unboosts, a->wakeups, a->wakeups_boosted,
	       1000.0 * (double)(vcpu.view.boosts_total + unboosts) / (double)wakeups,
	       1000.0 * (double)a->used_ns / (double)(clock_now_ns() - since_ns),
	       a->entitled_permille, totals.wakeups, traced.deadline_error,
	       policy_state_name(vcpu.view.state), policy_reason_name(vcpu.view.reason),
	       vcpu.view.yields_total, a->unseen);
	printf(",\"throttles\":%lu,\"urgent_work_us\":%.1f,\"urgent_run_us\":%.1f,\"grace_us\":%."
	       "1f,"
	       "\"denied\":{",
	       vcpu.view.throttles_total, (double)a->urgent_work_ns / NSEC_PER_USEC,
	       (double)a->urgent_run_ns / NSEC_PER_USEC,
	       (double)vcpu.view.grace_ns / NSEC_PER_USEC);
	for (int i = 0, n = 0; i < _POLICY_REASON_MAX; i++)
		if (vcpu.view.denied_total[i])
			printf("%s\"%s\":%lu", n++ ? "," : "",
			       policy_reason_name((enum policy_reason)i),
			       vcpu.view.denied_total[i]);
	putchar('}');
}

/* While the victim lives its measured time. */
static int learn(const struct options *o, pid_t pid, struct stack *stack)
{
	struct profile profile;
	struct learner learner;
	const struct learned *learned = &learner.learned;
	int r = learner_learn(stack, pid, o->for_ns, &profile, &learner);

	if (r < 0)
		return r;
	printf("{\"boosts\":%s,\"burst_us\":%lu,\"share_permille\":%u,\"covered_permille\":%u,"
	       "\"verdict\":\"%s\",\"used_permille\":%u,\"entitled_permille\":%u,"
	       "\"wakeups\":%lu}\n",
	       learned->boosts ? "true" : "false", learned->burst_ns / NSEC_PER_USEC,
	       learned->share_permille, learned->covered_permille,
	       recommend_verdict_name(learned->verdict), learner.last.used_permille,
	       learner.entitled_permille, learner.last.wakeups);
	return 0;
}

static void print_results(const struct results *results)
{
	printf("{\"bursts\":%zu,\"dropped\":%lu,", results->n, results->dropped);
	stamp_print(&results->begin, &results->end);
}

static int save(const struct results *results, const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");

	if (!file || fwrite(results->latency_ns, sizeof(uint64_t), results->n, file) != results->n)
		return fail(path);
	return 0;
}

#define WATCH_STEP_MS 50
#define WATCHED_MAX   4096

/* The victim's run time by the kernel's account, while it lives. */
struct watch {
	size_t n;
	uint64_t at_ns[WATCHED_MAX], run_ns[WATCHED_MAX];
};

static void watch_note(struct watch *watch, int schedstat)
{
	char text[64] = "";

	if (watch->n >= WATCHED_MAX || pread(schedstat, text, sizeof(text) - 1, 0) <= 0)
		return;
	watch->at_ns[watch->n] = clock_now_ns();
	watch->run_ns[watch->n++] = strtoull(text, NULL, 10);
}

/* Waits until @fd has something, and looks at the victim meanwhile if a quota holds. */
static int watch_until(const struct options *o, pid_t pid, int fd, struct watch *watch)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char path[64];
	int schedstat;

	if (!o->quota_permille)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	schedstat = open(path, O_RDONLY | O_CLOEXEC);
	if (schedstat < 0)
		return fail(path);
	do
		watch_note(watch, schedstat);
	while (poll(&pfd, 1, WATCH_STEP_MS) == 0);
	close(schedstat);
	return 0;
}

/* The most that it ran beyond its quota in any time of a second or a little more. */
static int64_t watch_most_over_ns(const struct options *o, const struct watch *watch)
{
	int64_t most_ns = INT64_MIN;

	for (size_t i = 0; i < watch->n; i++) {
		for (size_t j = i + 1; j < watch->n; j++) {
			uint64_t for_ns = watch->at_ns[j] - watch->at_ns[i];
			int64_t over_ns = (int64_t)(watch->run_ns[j] - watch->run_ns[i]) -
			                  (int64_t)(for_ns / 1000 * o->quota_permille);

			if (for_ns < NSEC_PER_SEC)
				continue;
			most_ns = MAX(most_ns, over_ns);
			break;
		}
	}
	return most_ns;
}

/* What the victim has measured when it is done, and what daemon and kernel say of that time. */
static int take(const struct options *o, pid_t pid, int done_fd, const struct results *results,
                struct stack *stack)
{
	static struct watch watch;
	uint64_t since_ns = clock_now_ns();
	char byte;

	if (watch_until(o, pid, done_fd, &watch) < 0)
		return -1;
	if (read(done_fd, &byte, 1) != 1)
		return fail("the victim died: the real-time limit of 400 ms, or a signal");
	print_results(results);
	if (o->quota_permille)
		printf(",\"over_quota_us\":%ld",
		       watch_most_over_ns(o, &watch) / (int64_t)NSEC_PER_USEC);
	if (stack->booster)
		print_boosts(stack, since_ns);
	puts("}");
	return save(results, o->out);
}

static int measure(struct options *o)
{
	uint64_t step_ns = o->duty.period_ns ?: o->duty.run_ns + o->duty.sleep_ns;
	size_t max = MIN(o->for_ns / step_ns + 1000, (uint64_t)SAMPLES_MAX);
	struct results *results = mmap(NULL, sizeof(*results) + max * sizeof(uint64_t),
	                               PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stack stack = {0};
	int go[2], done[2], r;
	char byte = 0;
	pid_t pid;

	if (strcmp(o->variant, "requests") == 0 && page_make(o, &o->page) < 0)
		return -1;
	if (results == MAP_FAILED || pipe(go) < 0 || pipe(done) < 0)
		return fail("memory for the results");
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid == 0) {
		close(go[1]);
		close(done[0]);
		victim(o, results, max, go[0], done[1]);
	}
	close(done[1]);
	r = group_enter(o->group, pid);
	if (r == 0 && read(done[0], &byte, 1) != 1)
		r = fail("the victim does not start");
	if (r == 0)
		r = variant_apply(o, pid, &stack);
	if (r == 0 && write(go[1], &byte, 1) != 1)
		r = fail("the victim");
	if (r == 0 && strcmp(o->variant, "learn") == 0)
		r = learn(o, pid, &stack);
	else if (r == 0)
		r = take(o, pid, done[0], results, &stack);
	if (stack.booster)
		stack_remove(&stack, 0, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	stack_close(&stack);
	return r;
}

static bool parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "v:r:p:s:d:w:l:o:g:O:P:b:S:q:n:")) != -1) {
		switch (c) {
		case 'v':
			o->variant = optarg;
			break;
		case 'b':
			o->burst_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 'S':
			o->share_permille = (uint32_t)atol(optarg);
			break;
		case 'n':
			o->slow = (unsigned int)atoi(optarg);
			break;
		case 'q':
			o->quota_permille = (uint32_t)atol(optarg);
			break;
		case 'r':
			o->duty.run_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 'p':
			o->duty.period_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 'O':
			o->duty.ordinary_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 'P':
			o->duty.ordinary_period_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 's':
			o->duty.sleep_ns = (uint64_t)atol(optarg) * NSEC_PER_USEC;
			break;
		case 'd':
			o->for_ns = (uint64_t)atol(optarg) * NSEC_PER_MSEC;
			break;
		case 'w':
			o->warm_ns = (uint64_t)atol(optarg) * NSEC_PER_MSEC;
			break;
		case 'l':
			o->ledger = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'g':
			o->group = optarg;
			break;
		default:
			return false;
		}
	}
	for (; optind < argc && o->spinners.n < SPINNERS_MAX; optind++)
		o->spinners.pids[o->spinners.n++] = atoi(argv[optind]);
	o->duty.run_ns *= o->slow;
	o->duty.period_ns *= o->slow;
	o->duty.sleep_ns *= o->slow;
	o->duty.ordinary_ns *= o->slow;
	o->duty.ordinary_period_ns *= o->slow;
	return o->variant && o->ledger && o->out && o->group && o->for_ns && o->duty.run_ns &&
	       (o->duty.period_ns || o->duty.sleep_ns) &&
	       (!o->duty.ordinary_ns || o->duty.ordinary_period_ns);
}

int main(int argc, char **argv)
{
	struct options options = {.slow = 1};

	if (!parse(argc, argv, &options)) {
		fputs("usage: bench-victim -v VARIANT -r RUN_US (-p PERIOD_US [-O "
		      "ORDINARY_US -P ORDINARY_PERIOD_US] | -s SLEEP_US) -d MS "
		      "-w MS "
		      "-l LEDGER -o FILE -g PROCS_FILE [-q QUOTA_PERMILLE] [-n SLOW] "
		      "[SPINNER_PID...]\n",
		      stderr);
		return 2;
	}
	return measure(&options) < 0 ? 1 : 0;
}
