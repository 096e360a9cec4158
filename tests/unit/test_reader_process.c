// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader as a process: this program executes itself as the reader, and as QEMUs, one of which
 * makes a read of its memory hang.
 */
#include "daemon/reader_process.h"

#include <dirent.h>

#include "carrier_fixture.h"
#include "reader/reader.h"
#include "util/clock.h"
#include "util/procfs.h"

#define PATIENCE_NS (20 * NSEC_PER_SEC)
#define OBJECT      "memory-backend-memfd,id=pvsched,size=1M,share=on"
#define SLOT        7

struct scene {
	sd_event *event;
	struct reader_process *reader;
	struct board *board;
	uint64_t last_id;
	unsigned int n_replies, n_lost, n_renewed;
	struct reader_reply last;
};

static void on_reply(void *userdata, const struct reader_reply *reply)
{
	struct scene *scene = userdata;

	scene->n_replies++;
	scene->last = *reply;
}

static void on_lost(void *userdata)
{
	((struct scene *)userdata)->n_lost++;
}

static void on_renewed(void *userdata)
{
	((struct scene *)userdata)->n_renewed++;
}

static void open_scene(struct scene *scene)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	*scene = (struct scene){0};
	CHECK_INT(sd_event_new(&scene->event), 0);
	CHECK_INT(reader_process_new(&scene->reader, NULL), 0);
	CHECK_INT(reader_process_attach(scene->reader, scene->event), 0);
	reader_process_report_to(scene->reader, READER_USER_CARRIERS,
	                         &(struct reader_news){.replied = on_reply,
	                                               .lost = on_lost,
	                                               .renewed = on_renewed,
	                                               .userdata = scene});
	scene->board = reader_process_board(scene->reader);
}

static void close_scene(struct scene *scene)
{
	reader_process_free(scene->reader);
	sd_event_unref(scene->event);
}

static void wait_for(struct scene *scene, const unsigned int *count, unsigned int n)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;

	while (*count < n) {
		CHECK(clock_now_ns() < until_ns);
		CHECK(sd_event_run(scene->event, 100000) >= 0);
	}
}

static pid_t reader_pid(const struct scene *scene)
{
	struct reader_process_view view;

	reader_process_read(scene->reader, &view);
	return view.pid;
}

static struct thread_id id_of(pid_t pid)
{
	struct thread_id id = {.tid = pid};

	CHECK_INT(procfs_start_ticks(pid, pid, &id.start_ticks), 0);
	return id;
}

static struct reader_reply job(struct scene *scene, enum reader_job kind, pid_t pid,
                               uint64_t generation)
{
	struct reader_request request = {.id = ++scene->last_id,
	                                 .qemu = id_of(pid),
	                                 .job = kind,
	                                 .n_pages = 2,
	                                 .ends = kind == READER_DROP,
	                                 .generation = generation};

	CHECK_INT(reader_process_send(scene->reader, &request), 0);
	wait_for(scene, &scene->n_replies, scene->n_replies + 1);
	CHECK_U64(scene->last.id, request.id);
	return scene->last;
}

static struct fake_qemu qemu_with(int fd, bool hangs)
{
	struct fake_qemu qemu = {.args = {"-name", "guest=a", "-smp", "2", "-object", OBJECT},
	                         .hangs = hangs};

	if (fd >= 0) {
		qemu.mappings[0] = (struct fake_mapping){fd, MIB};
		qemu.n_mappings = 1;
	}
	fake_qemu_start(&qemu);
	return qemu;
}

/* A carrier is found, its page is written and copied, and the guest learns that the host is gone.
 */
static void test_a_guest_page(void)
{
	int fd = memfd_sealed(MIB);
	struct fake_qemu qemu = qemu_with(fd, false);
	struct pvsched_page *page = mmap(NULL, PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE,
	                                 MAP_SHARED, fd, 2 * PVSCHED_PAGE_SIZE);
	struct board_ask ask = {.index = 1, .writes = 1, .status = PVSCHED_STATUS_ENABLED};
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	struct board_copy copy;
	struct reader_reply found;
	struct scene scene;
	uint32_t seen = 0;

	CHECK(page != MAP_FAILED);
	open_scene(&scene);
	found = job(&scene, READER_FIND, qemu.pid, 0);
	CHECK_INT(found.result, 0);
	CHECK(found.carrier.sealed && found.carrier.size == MIB && found.carrier.address);
	CHECK_U64(found.carrier.object.inode, inode_of(fd));
	CHECK_U64(page->generation, found.carrier.generation);
	page->request = 5;
	ask.lane = found.carrier.lane;
	ask.generation = found.carrier.generation;
	ask.snapshot.boosts = 9;
	board_post(scene.board, SLOT, &ask);
	while (!board_take(scene.board, SLOT, &seen, &copy)) {
		CHECK(clock_now_ns() < until_ns);
		sched_yield();
	}
	CHECK_U64(copy.words.request, 5);
	CHECK(page->boosts == 9 && page->status == PVSCHED_STATUS_ENABLED);
	CHECK_INT(job(&scene, READER_DROP, qemu.pid, found.carrier.generation).result, 0);
	CHECK(page->status == PVSCHED_STATUS_DISABLED && page->generation == 0);
	close_scene(&scene);
	fake_qemu_stop(&qemu);
	munmap(page, PVSCHED_PAGE_SIZE);
	close(fd);
}

static struct reader_reply find_known(struct scene *scene, pid_t pid,
                                      const struct carrier_object *known, bool refused)
{
	struct reader_request request = {.id = ++scene->last_id,
	                                 .qemu = id_of(pid),
	                                 .job = READER_FIND,
	                                 .n_pages = 2,
	                                 .known = *known,
	                                 .refused = refused};

	CHECK_INT(reader_process_send(scene->reader, &request), 0);
	wait_for(scene, &scene->n_replies, scene->n_replies + 1);
	CHECK_U64(scene->last.id, request.id);
	CHECK_INT(scene->last.result, 0);
	return scene->last;
}

static struct board_copy copy_of(struct scene *scene, const struct board_ask *ask, uint32_t *seen)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	struct board_copy copy;

	board_post(scene->board, SLOT, ask);
	while (!board_take(scene->board, SLOT, seen, &copy)) {
		CHECK(clock_now_ns() < until_ns);
		sched_yield();
	}
	return copy;
}

/*
 * A migration has brought the memory, with the generation of the host that it came from: nothing is
 * written to it any more, and the region is begun anew at the next look. What is another domain's
 * is not begun.
 */
static void test_memory_of_another_host(void)
{
	int fd = memfd_sealed(MIB);
	struct fake_qemu qemu = qemu_with(fd, false);
	struct pvsched_region *header =
	        mmap(NULL, 2 * PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pvsched_page *page = (struct pvsched_page *)(header + 1);
	struct board_ask ask = {.index = 0, .writes = 1, .status = PVSCHED_STATUS_ENABLED};
	struct reader_reply found, again;
	struct board_copy copy;
	struct scene scene;
	uint32_t seen = 0;

	CHECK(header != MAP_FAILED);
	open_scene(&scene);
	found = job(&scene, READER_FIND, qemu.pid, 0);
	CHECK_INT(found.result, 0);
	again = find_known(&scene, qemu.pid, &found.carrier.object, false);
	CHECK(again.same);
	CHECK_U64(header->generation, found.carrier.generation);
	header->generation = 5;
	ask.lane = found.carrier.lane;
	ask.generation = found.carrier.generation;
	copy = copy_of(&scene, &ask, &seen);
	CHECK_INT(copy.result, -ESTALE);
	CHECK(page->status == PVSCHED_STATUS_DISABLED);
	again = find_known(&scene, qemu.pid, &found.carrier.object, true);
	CHECK(again.same && header->generation == 5);
	again = find_known(&scene, qemu.pid, &found.carrier.object, false);
	CHECK(!again.same && again.carrier.generation != found.carrier.generation);
	CHECK_U64(header->generation, again.carrier.generation);
	close_scene(&scene);
	fake_qemu_stop(&qemu);
	munmap(header, 2 * PVSCHED_PAGE_SIZE);
	close(fd);
}

/* The asker has given up before: its time began when it asked, the lane's when it began. */
static void wait_stuck(const struct scene *scene)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	struct reader_process_view view;

	do {
		CHECK(clock_now_ns() < until_ns);
		sched_yield();
		reader_process_read(scene->reader, &view);
	} while (!view.stuck);
}

/* The reader may take what is asked on its line before a job that was sent before. */
static void wait_begun(const struct scene *scene, const struct thread_id *qemu)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;

	while (!board_works_for(scene->board, qemu)) {
		CHECK(clock_now_ns() < until_ns);
		sched_yield();
	}
}

/* What hangs is given up; others are served, and the end of the reader waits for none of it. */
static void look_at_one_that_hangs(void)
{
	int fd = memfd_sealed(MIB);
	struct fake_qemu honest = qemu_with(-1, false), hostile = qemu_with(fd, true);
	struct thread_id good = id_of(honest.pid), bad = id_of(hostile.pid);
	struct reader_request find = {.id = 1000, .qemu = bad, .job = READER_FIND, .n_pages = 2};
	struct reader_process_view view;
	struct cmdline_reader lines;
	struct cmdline_facts facts;
	struct scene scene;
	uint64_t begun_ns;
	char text[512];

	open_scene(&scene);
	lines = reader_process_cmdlines(scene.reader);
	CHECK_INT(lines.read(lines.userdata, &good, &facts), 0);
	CHECK_STR(facts.args.name, "a");
	CHECK_INT(facts.args.max_vcpus, 2);
	begun_ns = clock_now_ns();
	CHECK_INT(reader_process_send(scene.reader, &find), 0);
	wait_begun(&scene, &bad);
	CHECK_INT(lines.read(lines.userdata, &bad, &facts), -ETIMEDOUT);
	CHECK(clock_now_ns() - begun_ns >= BOARD_STUCK_NS);
	CHECK_INT(lines.read(lines.userdata, &good, &facts), 0);
	wait_stuck(&scene);
	/* the second time at once */
	begun_ns = clock_now_ns();
	CHECK_INT(job(&scene, READER_CMDLINE, hostile.pid, 0).result, -ETIMEDOUT);
	CHECK(clock_now_ns() - begun_ns < BOARD_STUCK_NS);
	CHECK_INT(job(&scene, READER_FIND, honest.pid, 0).result, CARRIER_ABSENT);
	reader_process_read(scene.reader, &view);
	CHECK(view.stuck == 1 && view.stuck_pids[0] == hostile.pid);
	CHECK(!reader_process_describe(scene.reader, text, sizeof(text)));
	CHECK(strstr(text, "1 QEMUs hold up"));
	begun_ns = clock_now_ns();
	close_scene(&scene);
	CHECK(clock_now_ns() - begun_ns < NSEC_PER_SEC);
	fake_qemu_stop(&hostile);
	fake_qemu_stop(&honest);
	close(fd);
}

static void test_a_qemu_that_hangs(void)
{
	if (TEST_THREAD_SANITIZER)
		TEST_SKIP("with ThreadSanitizer the read of the QEMU's memory does not hang");
	look_at_one_that_hangs();
}

static void test_it_is_killed(void)
{
	struct fake_qemu qemu = qemu_with(-1, false);
	struct thread_id id = id_of(qemu.pid);
	struct cmdline_reader lines;
	struct cmdline_facts facts;
	struct scene scene;
	pid_t first;

	open_scene(&scene);
	lines = reader_process_cmdlines(scene.reader);
	first = reader_pid(&scene);
	CHECK_INT(lines.read(lines.userdata, &id, &facts), 0);
	kill(first, SIGKILL);
	wait_for(&scene, &scene.n_renewed, 1);
	CHECK_INT(scene.n_lost, 1);
	CHECK(reader_pid(&scene) != first && reader_pid(&scene) > 0);
	CHECK_INT(lines.read(lines.userdata, &id, &facts), 0);
	/* one that is stopped does not answer, which is not the QEMU's fault */
	first = reader_pid(&scene);
	kill(first, SIGSTOP);
	CHECK_INT(lines.read(lines.userdata, &id, &facts), -EAGAIN);
	reader_process_distrust(scene.reader);
	CHECK_INT(scene.n_lost, 2);
	wait_for(&scene, &scene.n_renewed, 2);
	CHECK_INT(lines.read(lines.userdata, &id, &facts), 0);
	/* the one that was given up is reaped */
	for (uint64_t until_ns = clock_now_ns() + PATIENCE_NS; kill(first, 0) == 0;) {
		CHECK(clock_now_ns() < until_ns);
		CHECK(sd_event_run(scene.event, 10000) >= 0);
	}
	close_scene(&scene);
	fake_qemu_stop(&qemu);
}

/*
 * The daemon is killed: its reader tells the guests that no host is there, also if it was stopped
 * itself. Another process plays the daemon.
 */
static void kill_the_daemon(bool stopped)
{
	int fd = memfd_sealed(MIB), status;
	struct fake_qemu qemu = qemu_with(fd, false);
	struct pvsched_region *header =
	        mmap(NULL, 2 * PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pvsched_page *page = (struct pvsched_page *)(header + 1);
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	struct reader_reply found;
	struct scene scene;
	pid_t pid;

	CHECK(header != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		open_scene(&scene);
		found = job(&scene, READER_FIND, qemu.pid, 0);
		page->status = PVSCHED_STATUS_ENABLED;
		if (found.result == 0 && page->generation && stopped)
			kill(reader_pid(&scene), SIGSTOP);
		raise(found.result == 0 ? SIGKILL : SIGTERM);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (header->generation || page->generation || page->status) {
		CHECK(clock_now_ns() < until_ns);
		sched_yield();
	}
	fake_qemu_stop(&qemu);
	munmap(header, 2 * PVSCHED_PAGE_SIZE);
	close(fd);
}

static void test_the_daemon_is_killed(void)
{
	kill_the_daemon(false);
	kill_the_daemon(true);
}

static int count_fds(pid_t pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	CHECK(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.' && atoi(entry->d_name) > STDERR_FILENO;
	closedir(dir);
	return n;
}

/* Whatever the daemon has open, also without close-on-exec, the reader has its four. */
static void test_its_descriptors(void)
{
	struct fake_qemu qemu = qemu_with(-1, false);
	int extra = dup(STDIN_FILENO);
	struct scene scene;

	CHECK(extra >= 0);
	open_scene(&scene);
	CHECK_INT(job(&scene, READER_CMDLINE, qemu.pid, 0).result, 0);
	CHECK_INT(count_fds(reader_pid(&scene)), _READER_FD_END - READER_FD_JOBS);
	close_scene(&scene);
	close(extra);
	fake_qemu_stop(&qemu);
}

static const struct test tests[] = {
        {"a_guest_page", test_a_guest_page},
        {"a_qemu_that_hangs", test_a_qemu_that_hangs},
        {"memory_of_another_host", test_memory_of_another_host},
        {"it_is_killed", test_it_is_killed},
        {"the_daemon_is_killed", test_the_daemon_is_killed},
        {"its_descriptors", test_its_descriptors},
};

int main(int argc, char **argv)
{
	if (strcmp(argv[0], READER_NAME) == 0)
		return reader_main(argc > 1 ? argv[1] : NULL);
	if (strcmp(argv[0], FAKE_QEMU_NAME) == 0)
		return fake_qemu_main();
	return test_run_all(tests, ARRAY_SIZE(tests), argc > 1 ? argv[1] : NULL);
}
