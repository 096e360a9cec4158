// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/guest_tracer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.skel.h"
#include "util/base.h"

/* More than the programs that there are. */
#define LINKS_MAX 24

struct guest_tracer {
	struct guest_bpf *(*open)(void); /* makes a new object for each try */
	struct guest_bpf *bpf;
	struct bpf_link *links[LINKS_MAX];
	size_t n_links;
	struct pvsched_page *pages;
	uint32_t n_cpus;
	uint32_t sources;
};

static const char *const names[] = {
        [GUEST_SOURCE_SWITCHES] = "switches", [GUEST_SOURCE_WAKEUPS] = "wakeups",
        [GUEST_SOURCE_RENEWAL] = "renewal",   [GUEST_SOURCE_INTERRUPTS] = "interrupts",
        [GUEST_SOURCE_SOFTIRQS] = "softirqs", [GUEST_SOURCE_VECTORS] = "vectors",
};

/* Which programs a source has; the tracepoint is the one of their section. */
static const struct {
	const char *program;
	enum guest_source source;
} programs[] = {
        {"on_switch", GUEST_SOURCE_SWITCHES},
        {"on_waking", GUEST_SOURCE_WAKEUPS},
        {"on_migrate", GUEST_SOURCE_WAKEUPS},
        {"on_tick", GUEST_SOURCE_RENEWAL},
        {"irq_handler_begins", GUEST_SOURCE_INTERRUPTS},
        {"irq_handler_ends", GUEST_SOURCE_INTERRUPTS},
        {"softirq_begins", GUEST_SOURCE_SOFTIRQS},
        {"softirq_ends", GUEST_SOURCE_SOFTIRQS},
        {"local_timer_begins", GUEST_SOURCE_VECTORS},
        {"local_timer_ends", GUEST_SOURCE_VECTORS},
        {"call_function_begins", GUEST_SOURCE_VECTORS},
        {"call_function_ends", GUEST_SOURCE_VECTORS},
        {"call_function_single_begins", GUEST_SOURCE_VECTORS},
        {"call_function_single_ends", GUEST_SOURCE_VECTORS},
        {"irq_work_begins", GUEST_SOURCE_VECTORS},
        {"irq_work_ends", GUEST_SOURCE_VECTORS},
};

const char *guest_source_name(enum guest_source source)
{
	return names[source];
}

/* The first complaint of libbpf, whose callback has no argument for that. */
static char complaint[256];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !complaint[0]) {
		vsnprintf(complaint, sizeof(complaint), format, args);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

static bool has_tracepoint(const struct btf *btf, const struct bpf_program *program)
{
	const char *name = strchr(bpf_program__section_name(program), '/');
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name ? name + 1 : "");
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* The sources of @wanted of which this kernel has every tracepoint. */
static uint32_t available(const struct guest_bpf *bpf, uint32_t wanted)
{
	struct btf *btf = btf__load_vmlinux_btf();

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		const struct bpf_program *program =
		        bpf_object__find_program_by_name(bpf->obj, programs[i].program);

		if (!btf || !has_tracepoint(btf, program))
			wanted &= ~(1U << programs[i].source);
	}
	btf__free(btf);
	return wanted;
}

/* Loads the tracer with these sources. */
static int load(const struct guest_tracer *tracer, struct guest_bpf **ret, uint32_t sources)
{
	struct guest_bpf *bpf = tracer->open();
	int r = bpf ? 0 : -errno;

	if (r == 0)
		r = bpf_map__set_max_entries(bpf->maps.pages, tracer->n_cpus);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++)
		r = bpf_program__set_autoload(
		        bpf_object__find_program_by_name(bpf->obj, programs[i].program),
		        sources & (1U << programs[i].source));
	if (r == 0)
		r = guest_bpf__load(bpf);
	if (r == 0)
		*ret = bpf;
	else
		guest_bpf__destroy(bpf);
	return r;
}

/* All of @wanted at once; where the kernel refuses that, one after the other. */
static int load_what_can_be(struct guest_tracer *tracer, uint32_t wanted)
{
	struct guest_bpf *bpf;
	int r;

	if (load(tracer, &tracer->bpf, wanted) == 0) {
		tracer->sources = wanted;
		return 0;
	}
	r = load(tracer, &tracer->bpf, 0);
	for (uint32_t i = 0; r == 0 && i < _GUEST_SOURCE_MAX; i++) {
		uint32_t more = tracer->sources | (1U << i);

		if (!(wanted & (1U << i)) || load(tracer, &bpf, more) < 0)
			continue;
		guest_bpf__destroy(tracer->bpf);
		tracer->bpf = bpf;
		tracer->sources = more;
	}
	return r;
}

static int map_pages(struct guest_tracer *tracer)
{
	void *p = mmap(NULL, tracer->n_cpus * sizeof(*tracer->pages), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_POPULATE, bpf_map__fd(tracer->bpf->maps.pages), 0);

	if (p == MAP_FAILED)
		return -errno;
	tracer->pages = p;
	return 0;
}

/* No word of an earlier time is taken for one of now. */
static void set_words(struct guest_tracer *tracer, uint64_t task_intent)
{
	for (uint32_t i = 0; i < tracer->n_cpus; i++) {
		PVS_STORE(tracer->pages[i].task_intent, task_intent);
		PVS_STORE(tracer->pages[i].cs_state, 0);
	}
}

int guest_tracer_new_from(struct guest_tracer **ret, struct guest_bpf *(*open)(void),
                          uint32_t n_cpus, uint32_t wanted, char *why, size_t why_size)
{
	struct guest_tracer *tracer = calloc(1, sizeof(*tracer));
	struct guest_bpf *probe;
	int r;

	if (!tracer)
		return -ENOMEM;
	tracer->open = open;
	tracer->n_cpus = n_cpus;
	complaint[0] = '\0';
	libbpf_set_print(keep_complaint);
	probe = open();
	r = probe ? 0 : -errno;
	if (r == 0)
		r = load_what_can_be(tracer, available(probe, wanted));
	guest_bpf__destroy(probe);
	if (r == 0)
		r = map_pages(tracer);
	if (r < 0) {
		snprintf(why, why_size, "the tracer cannot be loaded: %s%s%s%s", strerror(-r),
		         r == -EPERM ? "; it needs CAP_BPF, CAP_PERFMON and no lockdown" : "",
		         complaint[0] ? "; " : "", complaint);
		guest_tracer_free(tracer);
		return r;
	}
	*ret = tracer;
	return 0;
}

int guest_tracer_new(struct guest_tracer **ret, uint32_t n_cpus, uint32_t wanted, char *why,
                     size_t why_size)
{
	return guest_tracer_new_from(ret, guest_bpf__open, n_cpus, wanted, why, why_size);
}

struct guest_tracer *guest_tracer_free(struct guest_tracer *tracer)
{
	if (!tracer)
		return NULL;
	if (tracer->pages) {
		guest_tracer_detach(tracer);
		munmap(tracer->pages, tracer->n_cpus * sizeof(*tracer->pages));
	}
	guest_bpf__destroy(tracer->bpf);
	free(tracer);
	return NULL;
}

int guest_tracer_attach(struct guest_tracer *tracer)
{
	if (tracer->n_links)
		return 0;
	set_words(tracer, PVS_INTENT_UNSEEN);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct bpf_program *program =
		        bpf_object__find_program_by_name(tracer->bpf->obj, programs[i].program);
		struct bpf_link *link;

		if (!(tracer->sources & (1U << programs[i].source)))
			continue;
		link = bpf_program__attach(program);
		if (!link) {
			int r = -errno;

			guest_tracer_detach(tracer);
			return r;
		}
		tracer->links[tracer->n_links++] = link;
	}
	return 0;
}

void guest_tracer_detach(struct guest_tracer *tracer)
{
	while (tracer->n_links)
		bpf_link__destroy(tracer->links[--tracer->n_links]);
	set_words(tracer, 0);
}

bool guest_tracer_is_attached(const struct guest_tracer *tracer)
{
	return tracer->n_links > 0;
}

struct pvsched_page *guest_tracer_pages(const struct guest_tracer *tracer)
{
	return tracer->pages;
}

uint32_t guest_tracer_n_pages(const struct guest_tracer *tracer)
{
	return tracer->n_cpus;
}

uint32_t guest_tracer_sources(const struct guest_tracer *tracer)
{
	return tracer->sources;
}

uint64_t guest_tracer_unavailable(const struct guest_tracer *tracer)
{
	/* no tracepoint tells of these two on a stock kernel */
	uint64_t ret = PVSCHED_CS_NMI | PVSCHED_CS_PREEMPT;

	if (!(tracer->sources & (1U << GUEST_SOURCE_INTERRUPTS)))
		ret |= PVSCHED_CS_HARDIRQ;
	if (!(tracer->sources & (1U << GUEST_SOURCE_SOFTIRQS)))
		ret |= PVSCHED_CS_SOFTIRQ;
	return ret;
}

uint64_t guest_tracer_hints(const struct guest_tracer *tracer)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < tracer->n_cpus; i++)
		sum += PVS_LOAD(tracer->pages[i].pulse);
	return sum;
}
