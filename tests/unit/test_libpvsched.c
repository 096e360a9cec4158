/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libpvsched writes into a region, and what it reads there. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/silence.h"

#include "region_fixture.h"

static void test_hello(void)
{
	struct pvsched_page expected = {0};
	struct pvsched_report report;
	struct scene scene;

	scene_setup(&scene);
	host_comes(&scene, 0x1122334455667788);
	page_of(&scene, 1)->agent_generation = 9; /* left by an earlier boot */
	page_of(&scene, 1)->request = URGENT(5);
	page_of(&scene, 1)->cs_state = 3;
	CHECK_INT(open_here(&scene), 0);
	CHECK_U64(page_of(&scene, 1)->generation_echo, 0); /* nothing before somebody asks */
	CHECK_INT(pvsched_query(scene.host, 1, &report), 0);
	CHECK_INT(report.state, PVSCHED_STATE_WAITING);
	CHECK_U64(report.page, 1);
	CHECK_U64(report.apic_id, 4);
	CHECK_U64(report.page_count, 3);
	expected.abi_version = 1;
	expected.policy_version = 1;
	memcpy(expected.policy_name, "pvschedd", 8);
	expected.apic_id = 4;
	expected.cpu_index = 1;
	expected.generation_echo = 0x1122334455667788;
	expected.cs_state = 3; /* the agent's alone */
	expected.nonce = page_of(&scene, 1)->nonce;
	CHECK(memcmp(&expected, page_of(&scene, 1), sizeof(expected)) == 0);
	/* What came after it stays. */
	page_of(&scene, 1)->agent_generation = 10;
	page_of(&scene, 1)->request = URGENT(6);
	/* Said once; and again where somebody overwrote it under another generation. */
	page_of(&scene, 1)->nonce = 5;
	CHECK_INT(pvsched_query(scene.host, 1, &report), 0);
	CHECK_U64(page_of(&scene, 1)->nonce, 5);
	/* Another process finds it said, and says nothing. */
	struct pvsched *other;
	CHECK_INT(pvsched_open_places(&scene.places, scene.path, &other), 0);
	CHECK_INT(pvsched_query(other, 1, &report), 0);
	CHECK_U64(page_of(&scene, 1)->nonce, 5);
	pvsched_close(other);
	CHECK_U64(page_of(&scene, 1)->agent_generation, 10);
	CHECK_U64(page_of(&scene, 1)->request, URGENT(6));
	for (uint32_t page = 2; page <= 3; page++) {
		expected = (struct pvsched_page){0};
		CHECK(memcmp(&expected, (struct pvsched_page *)scene.header + page,
		             sizeof(expected)) == 0);
	}
	scene_end(&scene);
}

static void test_words(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_page *page;
	struct scene scene;

	scene_negotiated(&scene);
	page = page_of(&scene, 0);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page->request, 0x0000000100500001);
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), 0);
	CHECK_U64(page->request, URGENT(2));
	CHECK_U64(page->expect, 0);
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 950), 0);
	CHECK_U64(page->request, 0x0000000300000000);
	CHECK_U64(page->expect, 0x00000003000003b6);
	CHECK_U64(pvsched_expect_us(page->expect, page->request), 950);
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 950), PVSCHED_NOT_OURS);
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), PVSCHED_NOT_OURS);
	CHECK_U64(page->request, CALM(3));
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_RR, 1), 0);
	CHECK_U64(page->request, 0x0000000400010002);
	CHECK_INT(pvsched_request_urgency(page->request), PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 0), 0);
	CHECK_U64(pvsched_expect_us(page->expect, page->request), 0);
	scene_end(&scene);
}

static void test_arguments(void)
{
	static const int bad[][2] = {{SCHED_FIFO, 0},  {SCHED_FIFO, 100}, {SCHED_RR, -1},
	                             {SCHED_OTHER, 0}, {SCHED_OTHER, 1},  {6, 1},
	                             {-1, 1},          {257, 1}};
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct scene scene;

	scene_negotiated(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(pvsched_lease_request(scene.host, &lease, bad[i][0], bad[i][1]), -EINVAL);
	CHECK_U64(page_of(&scene, 0)->request, 0);
	scene_end(&scene);
}

static void test_sequence_wraps(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct scene scene;

	scene_negotiated(&scene);
	page_of(&scene, 0)->request = CALM(UINT32_MAX - 1);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page_of(&scene, 0)->request, URGENT(UINT32_MAX));
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 5), 0);
	CHECK_U64(page_of(&scene, 0)->request, CALM(1));
	CHECK_U64(pvsched_expect_us(page_of(&scene, 0)->expect, CALM(1)), 5);
	/* Whatever stands there is no obstacle. */
	page_of(&scene, 0)->request = UINT64_MAX;
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page_of(&scene, 0)->request, URGENT(1));
	scene_end(&scene);
}

static void test_two_leases(void)
{
	struct pvsched_lease first = PVSCHED_LEASE_INIT, second = PVSCHED_LEASE_INIT;
	struct pvsched_page *page;
	struct scene scene;

	scene_negotiated(&scene);
	page = page_of(&scene, 0);
	CHECK_INT(pvsched_lease_request(scene.host, &first, SCHED_FIFO, 10), 0);
	CHECK_INT(pvsched_lease_request(scene.host, &second, SCHED_FIFO, 80), 0);
	CHECK_INT(pvsched_lease_release(scene.host, &first, 100), PVSCHED_NOT_OURS);
	CHECK_U64(page->request, URGENT(2));
	CHECK_U64(page->expect, 0);
	CHECK_INT(pvsched_lease_release(scene.host, &second, 100), 0);
	CHECK_U64(page->request, CALM(3));
	/* One that is renewed is the newest again, and the other's release passes it by. */
	CHECK_INT(pvsched_lease_request(scene.host, &first, SCHED_FIFO, 80), 0);
	CHECK_INT(pvsched_lease_request(scene.host, &second, SCHED_FIFO, 10), 0);
	CHECK_INT(pvsched_lease_renew(scene.host, &first), 0);
	CHECK_INT(pvsched_lease_release(scene.host, &second, 100), PVSCHED_NOT_OURS);
	CHECK_U64(page->request, URGENT(6));
	scene_end(&scene);
}

static void test_migration(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT, other = PVSCHED_LEASE_INIT;
	struct scene scene;

	scene_negotiated(&scene);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	current_cpu = 2;
	CHECK_U64(page_of(&scene, 2)->request, 0);
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), 0);
	CHECK_U64(page_of(&scene, 0)->request, CALM(2));
	CHECK_U64(page_of(&scene, 2)->request, URGENT(1));
	/* Released from elsewhere: on the page where it was made. */
	current_cpu = 1;
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 300), 0);
	CHECK_U64(page_of(&scene, 1)->request, 0);
	CHECK_U64(page_of(&scene, 2)->request, CALM(2));
	CHECK_U64(pvsched_expect_us(page_of(&scene, 2)->expect, CALM(2)), 300);
	/* What another thread asked for there meanwhile stays. */
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_INT(pvsched_lease_request(scene.host, &other, SCHED_FIFO, 80), 0);
	current_cpu = 0;
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page_of(&scene, 1)->request, URGENT(2));
	CHECK_U64(page_of(&scene, 0)->request, URGENT(3));
	/* To a CPU without a page: ended where it was. */
	current_cpu = 3;
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), PVSCHED_NO_PAGE);
	CHECK_U64(page_of(&scene, 0)->request, CALM(4));
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), PVSCHED_NOT_OURS);
	scene_end(&scene);
}

static void test_generation_changes(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct scene scene;
	struct pvsched_page *page;

	scene_negotiated(&scene);
	page = page_of(&scene, 0);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	scene.header->generation = 8;
	/* The old answer is not one to the new hello; the old request is not ended there. */
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), PVSCHED_NOT_OURS);
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 5), PVSCHED_NOT_OURS);
	CHECK_U64(page->request, URGENT(1));
	CHECK_U64(page->generation_echo, 7);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page->generation_echo, 8);
	CHECK_U64(page->request, URGENT(1)); /* the old one was taken back */
	CHECK_U64(page_of(&scene, 1)->generation_echo, 7);
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_WAITING);
	host_answers(&scene, 0, PVSCHED_STATUS_ENABLED);
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_ENABLED);
	/* A renewal says hello, too. */
	scene.header->generation = 9;
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), 0);
	CHECK_U64(page->generation_echo, 9);
	CHECK_U64(page->request, URGENT(1));
	/* The host goes, and another one comes with fewer pages in another order. */
	scene.header->generation = 0;
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), PVSCHED_NO_HOST);
	CHECK_U64(page->request, URGENT(1));
	scene.header->page_count = 1;
	scene.header->apic_id[0] = 0;
	scene.header->generation = 1;
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page->request, URGENT(1));
	CHECK_U64(page_of(&scene, 1)->request, URGENT(1)); /* the first page */
	CHECK_INT(pvsched_negotiated(scene.host, 1), PVSCHED_STATE_NO_PAGE);
	scene_end(&scene);
}

static void test_states(void)
{
	static const struct {
		uint32_t status;
		enum pvsched_state state;
		const char *name;
	} cases[] = {
	        {0, PVSCHED_STATE_DISABLED, "disabled"},
	        {1, PVSCHED_STATE_ENABLED, "enabled"},
	        {2, PVSCHED_STATE_UNKNOWN_POLICY, "unknown-policy"},
	        {3, PVSCHED_STATE_ABI, "abi-mismatch"},
	        {4, PVSCHED_STATE_POLICY_VERSION, "policy-version-mismatch"},
	        {5, PVSCHED_STATE_PROTOCOL, "protocol-mismatch"},
	        {6, PVSCHED_STATE_MODE, "mode-mismatch"},
	        {7, PVSCHED_STATE_UNKNOWN, "unknown"},
	        {UINT32_MAX, PVSCHED_STATE_UNKNOWN, "unknown"},
	};
	struct scene scene;

	scene_negotiated(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		host_answers(&scene, 0, cases[i].status);
		CHECK_INT(pvsched_negotiated(scene.host, 0), cases[i].state);
		CHECK_STR(pvsched_state_name(cases[i].state), cases[i].name);
	}
	for (int state = -1; state <= PVSCHED_STATE_SILENT + 1; state++) {
		CHECK(pvsched_state_name((enum pvsched_state)state)[0]);
		CHECK(pvsched_state_text((enum pvsched_state)state)[0]);
	}
	CHECK_STR(pvsched_state_name((enum pvsched_state) - 1), "unknown");
	CHECK_INT(pvsched_negotiated(NULL, 0), PVSCHED_STATE_NO_DEVICE);
	scene_end(&scene);
}

/*
 * A host that was killed leaves its last words. It is silent when the same snapshot is seen on a
 * CPU, and 2 s later; and it speaks again with the next one.
 */
static void test_silence(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;
	struct pvsched_page *page;
	struct scene scene;

	scene_negotiated(&scene);
	page = page_of(&scene, 0);
	page->applied_state = pvsched_applied(PVSCHED_BOOST_TASK, 0);
	page->boosts = 7;
	page->published_ns = 1000;
	/* from another CPU: this one may sleep, and says nothing then */
	current_cpu = 1;
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_ENABLED);
	CHECK_U64(scene.host->heard[0].since_ns, 0);
	CHECK_INT(pvsched_negotiated(scene.host, 0), PVSCHED_STATE_ENABLED);
	CHECK_U64(scene.host->heard[0].since_ns, 0);
	current_cpu = 0;
	CHECK_INT(pvsched_query(scene.host, PVSCHED_CPU_CURRENT, &report), 0);
	CHECK(report.state == PVSCHED_STATE_ENABLED && report.boosted);
	CHECK(scene.host->heard[0].since_ns > 0);
	scene.host->heard[0].since_ns -= PVSCHED_SILENT_NS - 500000000;
	CHECK_INT(pvsched_negotiated(scene.host, PVSCHED_CPU_CURRENT), PVSCHED_STATE_ENABLED);
	scene.host->heard[0].since_ns -= 500000001;
	CHECK_INT(pvsched_query(scene.host, 0, &report), 0);
	CHECK_INT(report.state, PVSCHED_STATE_SILENT);
	CHECK(!report.boosted && report.boosts == 7);
	CHECK_STR(pvsched_state_name(report.state), "silent");
	/* a request is written all the same: the host may only hang */
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	page->published_ns = 2000;
	CHECK_INT(pvsched_query(scene.host, 0, &report), 0);
	CHECK(report.state == PVSCHED_STATE_ENABLED && report.boosted);
	/* a request is a look from the CPU, too */
	CHECK_U64(scene.host->heard[0].since_ns, 0);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK(scene.host->heard[0].since_ns > 0);
	scene_end(&scene);
}

static void test_account(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;
	struct pvsched_page *page;
	struct scene scene;

	scene_negotiated(&scene);
	page = page_of(&scene, 0);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), PVSCHED_NOT_OURS);
	page->run_delay_ns = 1000;
	page->boosted_ns = 500;
	page->boosts = 3;
	page->throttles = 1;
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	CHECK(!account.boosted && !account.throttled && !account.waited_ns);
	page->run_delay_ns = 1300;
	page->boosted_ns = 900;
	page->boosts = 4;
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), 0);
	CHECK_INT(pvsched_lease_release(scene.host, &lease, 5), 0);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	CHECK(account.boosted);
	CHECK_U64(account.throttled, 0);
	CHECK_U64(account.waited_ns, 300);
	CHECK_U64(account.boosted_ns, 400);
	page->throttles = 2;
	page->applied_state = pvsched_applied(PVSCHED_BOOST_TASK, PVSCHED_THROTTLED_SHARE);
	page->host_cpu = 17;
	page->host_flags = PVSCHED_HOST_PREEMPTED | PVSCHED_HOST_AVOID;
	page->published_ns = 12345;
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	CHECK_U64(account.throttled, PVSCHED_BY_SHARE | PVSCHED_BY_PAST);
	CHECK_INT(pvsched_query(scene.host, PVSCHED_CPU_CURRENT, &report), 0);
	CHECK(report.boosted && report.preempted && report.avoid);
	CHECK_U64(report.throttled, PVSCHED_BY_SHARE);
	CHECK_U64(report.host_cpu, 17);
	CHECK_U64(report.run_delay_ns, 1300);
	CHECK_U64(report.boosted_ns, 900);
	CHECK_U64(report.boosts, 4);
	CHECK_U64(report.throttles, 2);
	CHECK_U64(report.published_ns, 12345);
	/* One that was boosted already was boosted; figures that went back are no difference. */
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	page->applied_state = 0;
	page->run_delay_ns = 1;
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	CHECK(account.boosted);
	CHECK_U64(account.waited_ns, 0);
	/* On another CPU it begins anew. */
	page_of(&scene, 1)->run_delay_ns = 7777;
	current_cpu = 1;
	CHECK_INT(pvsched_lease_renew(scene.host, &lease), 0);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), 0);
	CHECK_U64(account.waited_ns, 0);
	scene_end(&scene);
}

static void test_without_answer(void)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct scene scene;

	scene_setup(&scene);
	host_comes(&scene, 3);
	page_of(&scene, 0)->run_delay_ns = 99;
	CHECK_INT(open_here(&scene), 0);
	CHECK_INT(pvsched_lease_request(scene.host, &lease, SCHED_FIFO, 80), 0);
	CHECK_U64(page_of(&scene, 0)->request, URGENT(1));
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), PVSCHED_NOT_OURS);
	host_answers(&scene, 0, PVSCHED_STATUS_ENABLED);
	CHECK_INT(pvsched_lease_account(scene.host, &lease, &account), PVSCHED_NOT_OURS);
	CHECK_U64(account.waited_ns, 0);
	scene_end(&scene);
}

#define THREADS 4
#define ROUNDS  20000

struct worker {
	struct scene *scene;
	uint64_t ours, passed; /* releases that ended our request, and that found a newer one */
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;

	current_cpu = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int r = pvsched_lease_request(worker->scene->host, &lease, SCHED_FIFO, 80);

		if (r)
			return NULL;
		r = pvsched_lease_release(worker->scene->host, &lease, 100);
		worker->ours += r == 0;
		worker->passed += r == PVSCHED_NOT_OURS;
	}
	return NULL;
}

static void test_threads(void)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t ours = 0;
	struct scene scene;

	scene_negotiated(&scene);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.scene = &scene};
		CHECK_INT(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		CHECK_INT(pthread_join(threads[i], NULL), 0);
		CHECK_U64(workers[i].ours + workers[i].passed, ROUNDS);
		ours += workers[i].ours;
	}
	/* No word was lost: each request took a number, and each release that was ours. */
	CHECK_U64(pvsched_request_sequence(page_of(&scene, 0)->request), THREADS * ROUNDS + ours);
	/* The last request of all was ended by its own thread. */
	CHECK_INT(pvsched_request_urgency(page_of(&scene, 0)->request), PVSCHED_URGENCY_ORDINARY);
	scene_end(&scene);
}

/* A child that is killed by any system call but its end. */
static void work_without_calls(struct pvsched *host)
{
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;
	/* the clock: where the C library can read it by itself, this is not used */
	struct sock_filter only[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = {ARRAY_SIZE(only), only};
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	if (r == 0)
		r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);

	if (r < 0)
		syscall(SYS_exit, 2);
	for (current_cpu = 0; current_cpu < 3; current_cpu++) {
		r |= pvsched_lease_request(host, &lease, SCHED_FIFO, 80);
		r |= pvsched_lease_renew(host, &lease);
		r |= pvsched_lease_account(host, &lease, &account);
		r |= pvsched_query(host, PVSCHED_CPU_CURRENT, &report);
		r |= pvsched_lease_release(host, &lease, 100);
		r |= pvsched_lease_request(host, &lease, SCHED_FIFO, 80);
	}
	syscall(SYS_exit, r ? 1 : 0);
}

static void test_no_system_calls(void)
{
	struct scene scene;
	int status;
	pid_t pid;

	if (TEST_THREAD_SANITIZER)
		TEST_SKIP("ThreadSanitizer makes system calls of its own");
	scene_negotiated(&scene);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		work_without_calls(scene.host);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2) {
		scene_end(&scene);
		TEST_SKIP("no seccomp here");
	}
	CHECK_INT(WEXITSTATUS(status), 0);
	CHECK_U64(page_of(&scene, 2)->request, URGENT(4));
	scene_end(&scene);
}

TEST_MAIN({"hello", test_hello}, {"words", test_words}, {"arguments", test_arguments},
          {"sequence_wraps", test_sequence_wraps}, {"two_leases", test_two_leases},
          {"migration", test_migration}, {"generation_changes", test_generation_changes},
          {"states", test_states}, {"silence", test_silence}, {"account", test_account},
          {"without_answer", test_without_answer}, {"threads", test_threads},
          {"no_system_calls", test_no_system_calls})
