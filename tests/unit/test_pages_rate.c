// SPDX-License-Identifier: GPL-2.0-or-later
/* How often pages are looked at, whatever their guests do: on a clock of the test's own. */
#include "boost/pages.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define N  128
#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define T0 (5 * NSEC_PER_SEC)

struct scene {
	int fd;
	struct pvsched_page *memory;
	struct pvs_vcpu_account vcpus[N];
	struct pvs_domain_account domain;
	struct pvs_cpu_account cpu;
	struct pvs_bucket_rule rule;
	struct accounts accounts;
	struct board *board;
	struct pages *pages;
	struct policy_view view;
};

static void say_hello(struct pvsched_page *page, uint64_t generation)
{
	page->abi_version = PVSCHED_ABI_VERSION;
	page->policy_version = PVSCHED_POLICY_VERSION;
	memset(page->policy_name, 0, sizeof(page->policy_name));
	strcpy(page->policy_name, PVSCHED_POLICY_NAME);
	page->apic_id = PVSCHED_APIC_ID_NONE;
	page->generation_echo = generation;
}

static struct guest_page page_of(unsigned int slot)
{
	return (struct guest_page){
	        .generation = 1 + slot, .index = slot, .apic_id = PVSCHED_APIC_ID_NONE};
}

static struct scene *open_scene(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	CHECK(scene);
	scene->fd = memfd_create("pages", MFD_CLOEXEC);
	CHECK(scene->fd >= 0 && ftruncate(scene->fd, N * PVSCHED_PAGE_SIZE) == 0);
	scene->memory =
	        mmap(NULL, N * PVSCHED_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, scene->fd, 0);
	CHECK(scene->memory != MAP_FAILED);
	scene->accounts =
	        (struct accounts){scene->vcpus, &scene->domain, &scene->cpu, &scene->rule};
	CHECK_INT(board_new(&scene->board), 0);
	scene->pages = pages_new(N, &scene->accounts, scene->board);
	CHECK(scene->pages);
	for (unsigned int i = 0; i < N; i++) {
		struct guest_page page = page_of(i);

		scene->vcpus[i].in_ns = T0; /* it runs */
		say_hello(&scene->memory[i], page.generation);
		pages_set(scene->pages, i, &page, true, T0);
	}
	return scene;
}

static void close_scene(struct scene *scene)
{
	pages_free(scene->pages);
	board_free(scene->board);
	munmap(scene->memory, N * PVSCHED_PAGE_SIZE);
	close(scene->fd);
	free(scene);
}

/* The reader's turn, and what the booster makes of it. */
static void serve(struct scene *scene, uint64_t now_ns)
{
	unsigned int from = 0, slot;
	struct board_ask ask;
	int news;

	while (board_next_ask(scene->board, 0, &from, &slot, &ask)) {
		struct guest_page_file file = {scene->fd, slot * PVSCHED_PAGE_SIZE};
		struct board_copy copy = {.generation = ask.generation,
		                          .index = ask.index,
		                          .writes = ask.writes,
		                          .read_ns = now_ns};

		copy.result = guest_page_read(&file, &copy.words);
		board_put(scene->board, slot, &copy);
	}
	from = 0;
	while ((news = board_next_news(scene->board, &from)) >= 0)
		pages_news(scene->pages, (unsigned int)news, &scene->view, now_ns);
}

/* Looks at what is due until then, as the booster does. Returns how often. */
static unsigned int run_until(struct scene *scene, uint64_t end_ns)
{
	unsigned int looks = 0;
	uint64_t now_ns;
	int slot;

	while ((now_ns = MAX(pages_next_ns(scene->pages), T0)) <= end_ns) {
		slot = pages_due(scene->pages, now_ns);
		CHECK(slot >= 0);
		/* a guest that writes all the time, so that the interval never grows */
		scene->memory[slot].request =
		        pvsched_request(pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 1), ++looks);
		pages_look(scene->pages, (unsigned int)slot, &scene->view, now_ns);
		serve(scene, now_ns);
	}
	return looks;
}

static void test_all_together(void)
{
	struct scene *scene = open_scene();
	unsigned int looks;

	run_until(scene, T0 + 20 * MS);
	looks = run_until(scene, T0 + 220 * MS);
	CHECK(looks > 1000);
	CHECK(looks <= 200 * MS / PAGES_POLL_ALL_NS + 4 * N);
	close_scene(scene);
}

/* Those whose pages are gone count no more: the others are polled as often as ever. */
static void test_few_are_polled_often(void)
{
	const struct guest_page none = GUEST_PAGE_NULL;
	struct scene *scene = open_scene();
	unsigned int looks;

	run_until(scene, T0 + 20 * MS);
	for (unsigned int i = 1; i < N; i++)
		pages_set(scene->pages, i, &none, true, T0 + 20 * MS);
	run_until(scene, T0 + 40 * MS);
	looks = run_until(scene, T0 + 60 * MS);
	CHECK(looks >= 20 * MS / PAGES_POLL_MIN_NS - 1);
	CHECK(looks <= 20 * MS / PAGES_POLL_MIN_NS + 2);
	close_scene(scene);
}

/* One that says another thing each time it is looked at is looked at ten times a second. */
static void test_hellos(void)
{
	struct scene *scene = open_scene();
	struct pages_view view;
	uint64_t now_ns = T0;

	for (unsigned int i = 0; i < 3000; i++) {
		now_ns += MS;
		scene->memory[0].generation_echo ^= 1;
		run_until(scene, now_ns);
	}
	pages_read(scene->pages, 0, now_ns, &view);
	CHECK(view.hellos_total >= 1 && view.hellos_total <= 31);
	close_scene(scene);
}

TEST_MAIN({"all_together", test_all_together}, {"few_are_polled_often", test_few_are_polled_often},
          {"hellos", test_hellos})
