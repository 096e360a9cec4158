/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Discovery without libvirt: which process is a QEMU, and the source as a whole. The processes are
 * real: this program, executed with a QEMU's arguments, whose threads take a QEMU's names and which
 * holds KVM vCPUs where there is KVM.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "test.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "virt/processes.h"

#define UUID  "6c34795f-f1f3-4451-b711-d6beefbb3011"
#define OTHER "8d9f0e53-32f6-4f57-9b04-19dd2bd5f1f7"

#define FAKE "fake-qemu"

/* A copy of this program, so that the test itself is none of those it looks for. */
static char program_dir[] = "/tmp/pvsched-test-XXXXXX";
static char program[sizeof(program_dir) + 8];

static void remove_program(void)
{
	unlink(program);
	rmdir(program_dir);
}

static void copy_program(void)
{
	char command[128];

	CHECK(mkdtemp(program_dir) != NULL);
	snprintf(program, sizeof(program), "%s/qemu", program_dir);
	atexit(remove_program);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", getpid(), program);
	CHECK_INT(system(command), 0);
}

/* ---- the process that plays QEMU ---- */

static void *play_thread(void *userdata)
{
	(void)userdata;
	for (;;)
		pause();
	return NULL;
}

/** Opens @n KVM vCPUs, the last one twice. Returns false where there is no KVM. */
static bool open_vcpus(int n)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu = -1;

	if (n == 0)
		return true;
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	for (int i = 0; i < n; i++) {
		vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpu < 0)
			return false;
	}
	return dup(vcpu) >= 0;
}

/** Executes itself with the arguments in FAKE_EXEC, "-uuid,X,...", in the same process. */
static void exec_again(int signal)
{
	static char *argv[16] = {FAKE};
	char *arguments = getenv("FAKE_EXEC");
	size_t n = 1;

	(void)signal;
	for (char *at = strtok(arguments, ","); at; at = strtok(NULL, ","))
		argv[n++] = at;
	dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO); /* the pipe is closed by now */
	execv("/proc/self/exe", argv);
	_exit(8);
}

/** "NAME,NAME,..." in FAKE_THREADS, a number in FAKE_VCPUS; says 'r', or 'n' without KVM. */
static int fake_main(void)
{
	char *threads = getenv("FAKE_THREADS"), *vcpus = getenv("FAKE_VCPUS");
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, exec_again);
	for (char *at = strtok(threads, ","); at; at = strtok(NULL, ","))
		if (pthread_create(&thread, NULL, play_thread, NULL) != 0 ||
		    pthread_setname_np(thread, at) != 0)
			return 3;
	if (write(STDOUT_FILENO, open_vcpus(atoi(vcpus)) ? "r" : "n", 1) != 1)
		return 4;
	for (;;)
		pause();
}

/** Starts one. Returns its pid, or 0 where it cannot have @vcpus. */
static pid_t fake_start(const char *const args[], const char *threads, const char *vcpus)
{
	const char *argv[16] = {FAKE};
	int ready[2];
	pid_t pid;
	char c;

	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(ready[1], STDOUT_FILENO);
		setenv("FAKE_THREADS", threads, 1);
		setenv("FAKE_VCPUS", vcpus, 1);
		execv(program, (char **)argv);
		_exit(7);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &c, 1), 1);
	close(ready[0]);
	if (c == 'r')
		return pid;
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	return 0;
}

static void fake_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/** Processes of this user that run the copy. */
static struct process_criteria own_criteria(void)
{
	struct process_criteria criteria = {.n_executables = 1, .n_users = 1, .users = {getuid()}};

	strcpy(criteria.executables[0], program);
	return criteria;
}

/* ---- which process is a QEMU ---- */

static void test_executables(void)
{
	struct process_criteria criteria = {
	        .n_executables = 2, .executables = {"/usr/bin/qemu-system-*", "/usr/bin/kvm"}};

	CHECK(process_is_executable(&criteria, "/usr/bin/qemu-system-x86_64"));
	CHECK(process_is_executable(&criteria, "/usr/bin/kvm"));
	CHECK(process_is_executable(&criteria, "/usr/bin/kvm (deleted)"));
	CHECK(!process_is_executable(&criteria, "/usr/bin/kvmtool"));
	CHECK(!process_is_executable(&criteria, "/usr/bin/qemu-system-x/sh"));
	CHECK(!process_is_executable(&criteria, "/home/x/usr/bin/kvm"));
	CHECK(!process_is_executable(&criteria, " (deleted)"));
	CHECK(!process_is_executable(&criteria, ""));
}

static void test_examine(void)
{
	static const char *const args[] = {"-name", "web", NULL};
	struct process_criteria criteria = own_criteria();
	struct process_evidence evidence;
	pid_t pid = fake_start(args, "CPU 0/TCG", "0");

	CHECK_INT(process_examine(pid, &criteria, &evidence), 0);
	CHECK(evidence.executable && evidence.claims);
	CHECK_INT(evidence.id.tid, pid);
	CHECK_U64(evidence.n_kvm_vcpus, 0);
	criteria.users[0]++;
	CHECK_INT(process_examine(pid, &criteria, &evidence), PROCESS_OF_OTHER_USER);
	criteria.users[0]--;
	criteria.n_executables = 0;
	CHECK_INT(process_examine(pid, &criteria, &evidence), PROCESS_OTHER);
	fake_stop(pid);
	CHECK_INT(process_examine(pid, &criteria, &evidence), -ESRCH);
}

/** An executable that nobody knows, with KVM vCPUs. */
static void test_examine_kvm(void)
{
	static const char *const args[] = {NULL};
	struct process_criteria criteria = own_criteria();
	struct process_evidence evidence;
	pid_t pid = fake_start(args, "CPU 0/KVM,CPU 1/KVM", "2");

	if (pid == 0)
		TEST_SKIP("there is no KVM, or it may not be used");
	criteria.n_executables = 0;
	CHECK_INT(process_examine(pid, &criteria, &evidence), 0);
	CHECK(!evidence.executable);
	CHECK_U64(evidence.n_kvm_vcpus, 2); /* one of them has two descriptors */
	/* the threads and descriptors of another user's process are not even looked at */
	criteria.users[0]++;
	CHECK_INT(process_examine(pid, &criteria, &evidence), PROCESS_OTHER);
	fake_stop(pid);
}

/** vCPUs that were made after a thousand other threads are claims all the same. */
static void test_examine_many_threads(void)
{
	static const char *const args[] = {NULL};
	struct process_criteria criteria = own_criteria();
	struct process_evidence evidence;
	char threads[16 * 1024] = "";
	pid_t pid;

	for (int i = 0; i < 1100; i++)
		strcat(threads, "msgr,");
	strcat(threads, "CPU 0/TCG");
	pid = fake_start(args, threads, "0");
	CHECK_INT(process_examine(pid, &criteria, &evidence), 0);
	CHECK(evidence.claims);
	fake_stop(pid);
}

/* ---- the source ---- */

static void source_cleanup(struct process_source **source)
{
	process_source_free(*source);
}

static struct process_source *source_start(bool hints, const char *run_dir, bool leave_libvirts)
{
	struct process_options options = {.run_dir = run_dir,
	                                  .hints = hints,
	                                  .leave_libvirts = leave_libvirts,
	                                  .criteria = own_criteria()};
	struct process_source *source;

	CHECK_INT(process_source_new(&source, &options), 0);
	return source;
}

/** The next event that speaks of @pid, or of its end; those of other processes are passed over. */
static bool wait_for(struct process_source *source, enum virt_event_type type, pid_t pid,
                     size_t n_vcpus, struct virt_event *event)
{
	struct pollfd fd = {.fd = process_source_fd(source), .events = POLLIN};
	uint64_t end_ns = clock_now_ns() + 10 * NSEC_PER_SEC;

	while (clock_now_ns() < end_ns) {
		poll(&fd, 1, 100);
		while (process_source_next(source, event)) {
			if (event->type == type &&
			    (type == VIRT_DOMAIN_GONE ||
			     (event->domain->qemu.tid == pid && event->domain->n_vcpus == n_vcpus)))
				return true;
			domain_free(event->domain);
		}
	}
	return false;
}

/** Found without a hint, named, and gone when it is. */
static void test_found(void)
{
	static const char *const args[] = {"-id", "100", "-name", "web", "-smp", "2", NULL};
	CLEANUP(source_cleanup)
	struct process_source *source = source_start(false, "/nonexistent", true);
	struct virt_event seen, event;
	char text[256];
	pid_t pid = fake_start(args, "CPU 0/TCG,CPU 1/TCG,CPU 600/TCG,IO mon", "0");

	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 2, &seen));
	CHECK_STR(seen.domain->name, "100");
	CHECK_STR(seen.domain->uuid, seen.uuid);
	CHECK_U64(strlen(seen.uuid), DOMAIN_UUID_LEN - 1);
	CHECK_INT(seen.domain->source, DOMAIN_SOURCE_PROCFS);
	CHECK_U64(seen.domain->topology.cores, 2);
	CHECK_INT(seen.domain->vcpus[1].proof, VCPU_PROOF_EXECUTABLE);
	CHECK_U64(seen.domain->left_out.vcpus, 1);
	CHECK_U64(seen.notes, MAPPING_TOO_MANY);
	CHECK(process_source_describe(source, text, sizeof(text)));
	CHECK_CONTAINS(text, "QEMU processes: 1");
	/* the same again has the same uuid, though it was given none */
	process_source_hint(source, 0);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 2, &event));
	CHECK_STR(event.uuid, seen.uuid);
	CHECK_U64(event.notes, 0); /* what was said once is not said again */
	domain_free(event.domain);
	domain_free(seen.domain);
	fake_stop(pid);
	CHECK(wait_for(source, VIRT_DOMAIN_GONE, 0, 0, &event));
	CHECK_STR(event.uuid, seen.uuid);
}

/** With hints nothing is listed for a minute: the hint finds it. A uuid that is taken is not given.
 */
static void test_hinted(void)
{
	static const char *const args[] = {"-uuid", UUID, "-name", "a b:1", NULL};
	CLEANUP(source_cleanup)
	struct process_source *source = source_start(true, "/nonexistent", true);
	struct virt_event event;
	pid_t first, second;
	uint64_t begin_ns;
	char text[256];

	do
		process_source_describe(source, text, sizeof(text));
	while (!strstr(text, "QEMU processes: 0")); /* the first listing is over */
	first = fake_start(args, "CPU 0/TCG", "0");
	begin_ns = clock_now_ns();
	process_source_hint(source, first);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, first, 1, &event));
	CHECK_LE(clock_now_ns() - begin_ns, 5 * NSEC_PER_SEC);
	CHECK_STR(event.uuid, UUID);
	CHECK_STR(event.domain->name, "a b:1");
	CHECK_INT(event.domain->uuid_kind, DOMAIN_UUID_OWN);
	domain_free(event.domain);
	second = fake_start(args, "CPU 0/TCG", "0");
	process_source_hint(source, second);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, second, 1, &event));
	CHECK(strcmp(event.uuid, UUID) != 0);
	CHECK_INT(event.domain->uuid_kind, DOMAIN_UUID_MADE_UP);
	domain_free(event.domain);
	/* which of two has it is chance, so that it is no identity of the first one either */
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, first, 1, &event));
	CHECK_STR(event.uuid, UUID);
	CHECK_INT(event.domain->uuid_kind, DOMAIN_UUID_SHARED);
	domain_free(event.domain);
	/* the first one's end frees it for the next that claims it */
	fake_stop(first);
	first = fake_start(args, "CPU 0/TCG", "0");
	process_source_hint(source, first);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, first, 1, &event));
	CHECK_STR(event.uuid, UUID);
	domain_free(event.domain);
	fake_stop(first);
	fake_stop(second);
}

/** What libvirt's pid file names is libvirt's. */
static void test_left_to_libvirt(void)
{
	static const char *const args[] = {"-uuid", UUID, "-name", "guest=web", NULL};
	char dir[] = "/tmp/pvsched-test-XXXXXX", path[128], command[128], text[256];
	pid_t pid = fake_start(args, "CPU 0/TCG", "0");
	struct process_source *source;
	struct virt_event event;
	FILE *file;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(command, sizeof(command), "mkdir -p %s/libvirt/qemu", dir);
	CHECK_INT(system(command), 0);
	snprintf(path, sizeof(path), "%s/libvirt/qemu/web.pid", dir);
	file = fopen(path, "w");
	CHECK(file && fprintf(file, "%d\n", pid) > 0);
	fclose(file);
	source = source_start(false, dir, true);
	do
		process_source_describe(source, text, sizeof(text));
	while (strstr(text, "starting"));
	CHECK_CONTAINS(text, "1 left to libvirt");
	CHECK(!process_source_next(source, &event));
	process_source_free(source);
	/* where nobody else manages it, its threads must be proven as libvirt proves them */
	source = source_start(false, dir, false);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 1, &event));
	CHECK_INT(event.domain->vcpus[0].proof, VCPU_PROOF_NONE);
	domain_free(event.domain);
	process_source_free(source);
	fake_stop(pid);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK_INT(system(command), 0);
}

/** One without vCPUs may be a QEMU that is about to fork: it keeps nobody's uuid. */
static void test_without_vcpus(void)
{
	static const char *const args[] = {"-uuid", UUID, "-name", "web", NULL};
	CLEANUP(source_cleanup)
	struct process_source *source = source_start(false, "/nonexistent", true);
	pid_t parent = fake_start(args, "call_rcu", "0"), child;
	struct virt_event event;

	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, parent, 0, &event)); /* when it has stayed */
	CHECK_STR(event.uuid, UUID);
	domain_free(event.domain);
	child = fake_start(args, "CPU 0/TCG", "0");
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, child, 1, &event));
	CHECK_STR(event.uuid, UUID);
	domain_free(event.domain);
	fake_stop(parent);
	fake_stop(child);
}

/** One that is too young to be shown without vCPUs is looked at again, hint or not. */
static void test_young_one_is_not_forgotten(void)
{
	static const char *const args[] = {"-uuid", UUID, "-name", "web", NULL};
	CLEANUP(source_cleanup)
	struct process_source *source = source_start(true, "/nonexistent", true);
	struct virt_event event;
	char text[512];
	pid_t pid;

	do
		process_source_describe(source, text, sizeof(text));
	while (!strstr(text, "QEMU processes: 0")); /* the first listing is over */
	pid = fake_start(args, "call_rcu", "0");
	process_source_hint(source, pid);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 0, &event));
	CHECK_STR(event.uuid, UUID);
	domain_free(event.domain);
	fake_stop(pid);
}

/** A process that executes another QEMU keeps its PID and start time, and not its domain. */
static void test_executes_another(void)
{
	static const char *const args[] = {"-uuid", UUID, "-name", "web", NULL};
	CLEANUP(source_cleanup) struct process_source *source = NULL;
	struct virt_event event;
	pid_t pid;

	setenv("FAKE_EXEC", "-uuid," OTHER ",-name,db", 1);
	pid = fake_start(args, "CPU 0/TCG", "0");
	unsetenv("FAKE_EXEC");
	source = source_start(false, "/nonexistent", true);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 1, &event));
	CHECK_STR(event.uuid, UUID);
	domain_free(event.domain);
	kill(pid, SIGUSR1);
	CHECK(wait_for(source, VIRT_DOMAIN_GONE, 0, 0, &event));
	CHECK_STR(event.uuid, UUID);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 1, &event));
	CHECK_STR(event.uuid, OTHER);
	CHECK_STR(event.domain->name, "db");
	domain_free(event.domain);
	fake_stop(pid);
}

/** libvirt starts such a QEMU to ask what it can do: it is no VM, however long it stays. */
static void test_machine_none(void)
{
	static const char *const none[] = {"-S", "-machine", "none,accel=tcg", NULL};
	static const char *const args[] = {"-name", "web", NULL};
	CLEANUP(source_cleanup)
	struct process_source *source = source_start(false, "/nonexistent", true);
	pid_t asked = fake_start(none, "call_rcu,CPU 0/TCG", "0");
	pid_t pid = fake_start(args, "CPU 0/TCG", "0");
	struct virt_event event;
	char text[512];

	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 1, &event));
	domain_free(event.domain);
	do /* until both were looked at */
		process_source_describe(source, text, sizeof(text));
	while (!strstr(text, "QEMU processes: 1"));
	process_source_hint(source, asked);
	process_source_hint(source, 0);
	CHECK(wait_for(source, VIRT_DOMAIN_SEEN, pid, 1, &event));
	domain_free(event.domain);
	process_source_describe(source, text, sizeof(text));
	CHECK_CONTAINS(text, "QEMU processes: 1");
	fake_stop(asked);
	fake_stop(pid);
}

static const struct test tests[] = {
        {"executables", test_executables},
        {"examine", test_examine},
        {"examine-kvm", test_examine_kvm},
        {"examine-many-threads", test_examine_many_threads},
        {"found", test_found},
        {"hinted", test_hinted},
        {"without-vcpus", test_without_vcpus},
        {"young-one-is-not-forgotten", test_young_one_is_not_forgotten},
        {"executes-another", test_executes_another},
        {"machine-none", test_machine_none},
        {"left-to-libvirt", test_left_to_libvirt},
};

int main(int argc, char **argv)
{
	if (strcmp(argv[0], FAKE) == 0)
		return fake_main();
	copy_program();
	return test_run_all(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
