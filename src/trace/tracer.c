// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace/internal.h"
#include "trace/tracer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/kernel_btf.h"

/* They take about half a millisecond. Then the caller may have a command to serve. */
#define DRAIN_MAX 64

/* Holds libbpf's complaint: its callback has no argument for that. */
static char *complaint;

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text = NULL;

	if (level != LIBBPF_WARN || !complaint)
		return 0;
	if (vasprintf(&text, format, args) >= 0) {
		tracer_cause_note(complaint, text);
		free(text);
	}
	return 0;
}

static int fail(char *why, size_t why_size, const char *what, int error, const char *cause)
{
	const char *hint = "";

	if (error == -EPERM) /* EACCES may be the verifier's */
		hint = "; it needs CAP_BPF, CAP_PERFMON and no lockdown";
	else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		hint = "; the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)";
	snprintf(why, why_size, "%s: %s%s%s%s", what, strerror(-error), hint, cause[0] ? "; " : "",
	         cause);
	return error;
}

static void *map_accounts(const struct bpf_map *map, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static int on_sample(void *ctx, void *data, size_t size)
{
	struct tracer *tracer = ctx;

	if (size >= sizeof(struct pvs_event))
		tracer->fn(tracer->userdata, data);
	/* an error ends the walk after this event, which counts as read */
	return ++tracer->drained < DRAIN_MAX ? 0 : -EAGAIN;
}

static int on_overdue(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

static int attach(struct bpf_link **ret, const struct bpf_program *program)
{
	*ret = bpf_program__attach(program);
	return *ret ? 0 : -errno;
}

static int attach_sched(struct tracer_bpf *bpf, uint32_t parts)
{
	int r = attach(&bpf->links.on_switch, bpf->progs.on_switch);

	if (r == 0)
		r = attach(&bpf->links.on_waking, bpf->progs.on_waking);
	if (r == 0)
		r = attach(&bpf->links.on_fork, bpf->progs.on_fork);
	if (r == 0)
		r = attach(&bpf->links.on_exit, bpf->progs.on_exit);
	if (r == 0 && (parts & (PVS_PART_HELPERS | PVS_PART_BLOCKERS)))
		r = attach(&bpf->links.on_migrate, bpf->progs.on_migrate);
	if (r == 0 && (parts & PVS_PART_EXEC))
		r = attach(&bpf->links.on_exec, bpf->progs.on_exec);
	return r;
}

void tracer_attach_kvm(struct tracer *tracer)
{
	const struct bpf_program *programs[_KVM_PROGRAMS] = {
	        [KVM_INJ_VIRQ] = tracer->bpf->progs.on_inj_virq,
	        [KVM_APICV_ACCEPT_IRQ] = tracer->bpf->progs.on_apicv_accept_irq,
	        [KVM_APIC_ACCEPT_IRQ] = tracer->bpf->progs.on_apic_accept_irq,
	        [KVM_PLE_WINDOW] = tracer->bpf->progs.on_ple_window_update,
	        [KVM_HYPERCALL] = tracer->bpf->progs.on_hypercall,
	        [KVM_APIC_IPI] = tracer->bpf->progs.on_apic_ipi,
	        [KVM_EOI] = tracer->bpf->progs.on_eoi,
	        [KVM_PV_EOI] = tracer->bpf->progs.on_pv_eoi,
	        [KVM_AVIC_IPI] = tracer->bpf->progs.on_avic_incomplete_ipi,
	};

	for (size_t i = 0; i < _KVM_PROGRAMS; i++) {
		if (i >= KVM_APIC_IPI && !tracer->n_relates) {
			bpf_link__destroy(tracer->kvm[i]);
			tracer->kvm[i] = NULL;
		} else if (!tracer->kvm[i] && bpf_program__fd(programs[i]) >= 0) {
			tracer->kvm[i] = bpf_program__attach(programs[i]);
		}
	}
	tracer->sources.inj_virq = tracer->kvm[KVM_INJ_VIRQ] != NULL;
	tracer->sources.apicv_accept_irq = tracer->kvm[KVM_APICV_ACCEPT_IRQ] != NULL;
	tracer->sources.apic_accept_irq = tracer->kvm[KVM_APIC_ACCEPT_IRQ] != NULL;
	tracer->sources.ple_window = tracer->kvm[KVM_PLE_WINDOW] != NULL;
	tracer->sources.hypercall = tracer->kvm[KVM_HYPERCALL] != NULL;
	tracer->sources.relations = tracer->n_relates > 0;
	tracer->sources.apic_ipi = tracer->kvm[KVM_APIC_IPI] != NULL;
	tracer->sources.eoi = tracer->kvm[KVM_EOI] != NULL;
}

void tracer_relate(struct tracer *tracer, unsigned int slot, bool wanted)
{
	uint8_t *byte = &tracer->relates[slot / 8], bit = (uint8_t)(1U << (slot % 8));
	unsigned int before = tracer->n_relates;

	if (!!(*byte & bit) == wanted)
		return;
	*byte ^= bit;
	tracer->n_relates += wanted ? 1 : -1U;
	if (!before != !tracer->n_relates)
		tracer_attach_kvm(tracer);
}

static int map_all(struct tracer *tracer)
{
	struct tracer_bpf *bpf = tracer->bpf;

	tracer->vcpus = map_accounts(bpf->maps.vcpus, PVS_VCPUS_MAX * sizeof(*tracer->vcpus));
	tracer->domains =
	        map_accounts(bpf->maps.domains, PVS_DOMAINS_MAX * sizeof(*tracer->domains));
	tracer->cpus = map_accounts(bpf->maps.cpus, PVS_CPUS_MAX * sizeof(*tracer->cpus));
	tracer->helpers =
	        map_accounts(bpf->maps.helpers, PVS_HELPERS_MAX * sizeof(*tracer->helpers));
	tracer->listed_users = calloc(LISTED_BITS, sizeof(*tracer->listed_users));
	tracer->addresses = calloc(PVS_VCPUS_MAX, sizeof(*tracer->addresses));
	tracer->ring = ring_buffer__new(bpf_map__fd(bpf->maps.events), on_sample, tracer, NULL);
	tracer->overdue = ring_buffer__new(bpf_map__fd(bpf->maps.overdue), on_overdue, NULL, NULL);
	if (!tracer->vcpus || !tracer->domains || !tracer->cpus || !tracer->helpers ||
	    !tracer->listed_users || !tracer->addresses || !tracer->ring || !tracer->overdue)
		return errno ? -errno : -ENOMEM;
	return 0;
}

static void leave_out(struct tracer_bpf *bpf, uint32_t parts)
{
	const struct {
		uint32_t part;
		struct bpf_program *program;
	} optional[] = {
	        {PVS_PART_HELPERS | PVS_PART_BLOCKERS, bpf->progs.on_migrate},
	        {PVS_PART_HELPERS, bpf->progs.make_helper_look},
	        {PVS_PART_INTERRUPTS, bpf->progs.on_apic_accept_irq},
	        {PVS_PART_INTERRUPTS, bpf->progs.on_apicv_accept_irq},
	        {PVS_PART_INTERRUPTS, bpf->progs.on_inj_virq},
	        {PVS_PART_SPINNING, bpf->progs.on_ple_window_update},
	        {PVS_PART_SPINNING, bpf->progs.on_hypercall},
	        {PVS_PART_RELATIONS, bpf->progs.on_apic_ipi},
	        {PVS_PART_RELATIONS, bpf->progs.on_eoi},
	        {PVS_PART_RELATIONS, bpf->progs.on_pv_eoi},
	        {PVS_PART_RELATIONS, bpf->progs.on_avic_incomplete_ipi},
	        {PVS_PART_EXEC, bpf->progs.on_exec},
	        {PVS_PART_LEVERS, bpf->progs.show_levers},
	};

	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		bpf_program__set_autoload(optional[i].program, parts & optional[i].part);
	bpf->rodata->parts = parts;
}

/* Loads and attaches a tracer with @parts. On success it replaces the previous one. */
static int load(void *userdata, uint32_t parts, char cause[TRACER_CAUSE_MAX])
{
	struct tracer *tracer = userdata;
	struct tracer_bpf *bpf;
	int r;

	cause[0] = '\0';
	complaint = cause;
	bpf = tracer->open();
	r = bpf ? 0 : -errno;
	if (r == 0) {
		bpf->rodata->preempt_count_from_rq = tracer->preempt_count_from_rq;
		leave_out(bpf, parts);
		r = tracer_bpf__load(bpf);
	}
	if (r == 0)
		r = attach_sched(bpf, parts);
	complaint = NULL;
	if (r < 0) {
		if (cause[0] == '\0')
			snprintf(cause, TRACER_CAUSE_MAX, "%s", strerror(-r));
		tracer_bpf__destroy(bpf);
		return r;
	}
	tracer_bpf__destroy(tracer->bpf);
	tracer->bpf = bpf;
	return 0;
}

int tracer_new_from(struct tracer **ret, struct tracer_bpf *(*open)(void),
                    const struct pvs_bucket_rule *cpu_rule, char *why, size_t why_size)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	char cause[TRACER_CAUSE_MAX] = "";
	int r;

	if (!tracer)
		return -ENOMEM;
	tracer->open = open;
	libbpf_set_print(keep_complaint);
	tracer->sources.handlers =
	        kernel_preempt_count_from_rq(&tracer->preempt_count_from_rq) == 0;
	r = tracer_parts_choose(&tracer->parts, load, tracer, cause);
	if (r < 0) {
		r = fail(why, why_size, "the kernel refused the tracer", r, cause);
		goto failed;
	}
	tracer->bpf->bss->cpu_rule = *cpu_rule;
	r = map_all(tracer);
	if (r < 0) {
		r = fail(why, why_size, "the tracer's memory could not be mapped", r, cause);
		goto failed;
	}
	r = tracer_make_deadlines(tracer);
	if (r < 0) {
		r = fail(why, why_size, "the tracer's timers could not be made", r, cause);
		goto failed;
	}
	tracer_attach_kvm(tracer);
	*ret = tracer;
	return 0;
failed:
	tracer_free(tracer);
	return r;
}

int tracer_new(struct tracer **ret, const struct pvs_bucket_rule *cpu_rule, char *why,
               size_t why_size)
{
	return tracer_new_from(ret, tracer_bpf__open, cpu_rule, why, why_size);
}

struct tracer *tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return NULL;
	for (size_t i = 0; i < _KVM_PROGRAMS; i++)
		bpf_link__destroy(tracer->kvm[i]);
	ring_buffer__free(tracer->ring);
	ring_buffer__free(tracer->overdue);
	if (tracer->vcpus)
		munmap(tracer->vcpus, PVS_VCPUS_MAX * sizeof(*tracer->vcpus));
	if (tracer->domains)
		munmap(tracer->domains, PVS_DOMAINS_MAX * sizeof(*tracer->domains));
	if (tracer->cpus)
		munmap(tracer->cpus, PVS_CPUS_MAX * sizeof(*tracer->cpus));
	if (tracer->helpers)
		munmap(tracer->helpers, PVS_HELPERS_MAX * sizeof(*tracer->helpers));
	tracer_bpf__destroy(tracer->bpf);
	free(tracer->listed_users);
	free(tracer->addresses);
	free(tracer);
	return NULL;
}

const struct tracer_parts *tracer_parts(const struct tracer *tracer)
{
	return &tracer->parts;
}

const struct tracer_sources *tracer_sources(const struct tracer *tracer)
{
	return &tracer->sources;
}

struct pvs_vcpu_account *tracer_vcpus(struct tracer *tracer)
{
	return tracer->vcpus;
}

struct pvs_domain_account *tracer_domains(struct tracer *tracer)
{
	return tracer->domains;
}

struct pvs_cpu_account *tracer_cpus(struct tracer *tracer)
{
	return tracer->cpus;
}

struct pvs_helper_account *tracer_helpers(struct tracer *tracer)
{
	return tracer->helpers;
}

struct pvs_bucket_rule *tracer_cpu_rule(struct tracer *tracer)
{
	return &tracer->bpf->bss->cpu_rule;
}

struct pvs_prices *tracer_prices(struct tracer *tracer)
{
	return &tracer->bpf->bss->prices;
}

struct pvs_moved *tracer_moved(struct tracer *tracer)
{
	return &tracer->bpf->bss->moved;
}

const uint64_t *tracer_events_lost(const struct tracer *tracer)
{
	return (const uint64_t *)&tracer->bpf->bss->events_lost;
}

int tracer_events_fd(const struct tracer *tracer)
{
	return bpf_map__fd(tracer->bpf->maps.events);
}

int tracer_drain(struct tracer *tracer, tracer_event_fn *fn, void *userdata)
{
	tracer->fn = fn;
	tracer->userdata = userdata;
	tracer->drained = 0;
	ring_buffer__consume(tracer->ring);
	return tracer->drained < DRAIN_MAX ? 0 : TRACER_MORE;
}

void tracer_forget_overdue(struct tracer *tracer)
{
	ring_buffer__consume(tracer->overdue);
}

int tracer_overdue_fd(const struct tracer *tracer)
{
	return bpf_map__fd(tracer->bpf->maps.overdue);
}

/* The sum over all CPUs; zero when out of memory. */
static struct pvs_interrupt_counts sum_interrupts(const struct tracer *tracer)
{
	int n = libbpf_num_possible_cpus(), fd = bpf_map__fd(tracer->bpf->maps.interrupt_counts);
	struct pvs_interrupt_counts sum = {0}, *cpus = NULL;
	uint32_t zero = 0;

	if (n > 0)
		cpus = calloc((size_t)n, sizeof(*cpus));
	if (cpus && bpf_map_lookup_elem(fd, &zero, cpus) == 0) {
		for (int i = 0; i < n; i++) {
			sum.attributed += cpus[i].attributed;
			sum.own += cpus[i].own;
			sum.unattributed += cpus[i].unattributed;
			sum.in_handler += cpus[i].in_handler;
			sum.by_hardware += cpus[i].by_hardware;
			sum.injections += cpus[i].injections;
			sum.injections_known += cpus[i].injections_known;
			sum.injections_unseen += cpus[i].injections_unseen;
		}
	}
	free(cpus);
	return sum;
}

void tracer_totals(const struct tracer *tracer, struct tracer_totals *ret)
{
	const struct tracer_bpf *bpf = tracer->bpf;

	*ret = (struct tracer_totals){
	        .events_lost = bpf->bss->events_lost,
	        .interrupts = sum_interrupts(tracer),
	        .deadlines_started = bpf->bss->deadlines_started,
	        .deadlines_refused = bpf->bss->deadlines_refused,
	        .deadline_error = bpf->bss->deadline_error,
	};
}

void tracer_missing(const struct tracer *tracer, char *text, size_t size)
{
	const struct tracer_sources *sources = &tracer->sources;
	/* the tracepoints of a refused part are not missing */
	bool no_interrupts = !(tracer->parts.loaded & PVS_PART_INTERRUPTS);
	bool no_spinning = !(tracer->parts.loaded & PVS_PART_SPINNING);
	bool no_relations = !sources->relations || !(tracer->parts.loaded & PVS_PART_RELATIONS);
	const struct {
		bool there;
		const char *name;
	} all[] = {
	        {no_interrupts || sources->inj_virq, "kvm_inj_virq"},
	        {no_interrupts || sources->apic_accept_irq, "kvm_apic_accept_irq"},
	        {no_interrupts || sources->apicv_accept_irq, "kvm_apicv_accept_irq"},
	        {no_spinning || sources->ple_window, "kvm_ple_window_update"},
	        {no_spinning || sources->hypercall, "kvm_hypercall"},
	        {no_relations || sources->apic_ipi, "kvm_apic_ipi"},
	        {no_relations || sources->eoi, "kvm_eoi"},
	};
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!all[i].there && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
			                         all[i].name);
}
