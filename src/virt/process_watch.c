/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/process_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/procfs.h"
#include "virt/hidden.h"
#include "virt/qemu.h"
#include "virt/qemu_args.h"

/** Verdicts in the list, beyond those of process_examine(). */
enum {
	VERDICT_KNOWN = 16, /* managed here */
	VERDICT_LEFT,       /* libvirt's, and left to its source */
	VERDICT_YOUNG,      /* it has no vCPU yet */
	VERDICT_STUCK,      /* its command line cannot be read */
};

/**
 * A QEMU without vCPUs may be about to make some. Or it is a child that will execute something
 * else, or a parent that will exit (-daemonize). So it is shown only if it lives longer than this.
 */
#define YOUNG_S 3

/** Derived uuids that are tried before a process is ignored. */
#define UUID_TRIES 4

static struct known_domain *find_process(struct process_watch *watch, pid_t pid)
{
	size_t i;

	for (i = 0; i < watch->known.n; i++)
		if (watch->known.domains[i]->qemu.tid == pid)
			return watch->known.domains[i];
	return NULL;
}

/** FNV-1a. */
static uint64_t mix(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *byte = data;

	for (; size > 0; size--)
		sum = (sum ^ *byte++) * UINT64_C(1099511628211);
	return sum;
}

/** Makes a uuid for a process that has none: constant while it lives, version 8 (custom). */
static void derive_uuid(const struct thread_id *qemu, unsigned int salt,
                        char uuid[static DOMAIN_UUID_LEN])
{
	char boot_id[PROCFS_BOOT_ID_LEN] = "";
	uint64_t sums[2] = {UINT64_C(14695981039346656037), UINT64_C(0x70767363686564)};
	size_t i;

	procfs_boot_id(boot_id);
	for (i = 0; i < 2; i++) {
		sums[i] = mix(sums[i], boot_id, sizeof(boot_id));
		sums[i] = mix(sums[i], &qemu->tid, sizeof(qemu->tid));
		sums[i] = mix(sums[i], &qemu->start_ticks, sizeof(qemu->start_ticks));
		sums[i] = mix(sums[i], &salt, sizeof(salt));
	}
	snprintf(uuid, DOMAIN_UUID_LEN, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(sums[0] >> 32),
	         (unsigned)(sums[0] >> 16 & 0xffff), (unsigned)(sums[0] & 0xfff),
	         (unsigned)((sums[1] >> 48 & 0x3fff) | 0x8000),
	         (unsigned long long)(sums[1] & UINT64_C(0xffffffffffff)));
}

static void forget(struct process_watch *watch, struct known_domain *domain)
{
	if (known_report_gone(domain, watch->queue) == 0)
		known_remove(&watch->known, domain);
}

static bool is_young(const struct thread_id *qemu)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return qemu->start_ticks / (uint64_t)sysconf(_SC_CLK_TCK) + YOUNG_S > (uint64_t)now.tv_sec;
}

/**
 * True if another living process has the uuid. A claim does not take it away from that process,
 * unless it has no vCPU; but then the uuid identifies neither.
 */
static bool is_taken(struct process_watch *watch, const char *uuid, uint64_t now_ns)
{
	struct known_domain *other = known_find(&watch->known, uuid);

	if (other &&
	    (!thread_id_is_alive(&other->qemu) || (other->last && other->last->n_vcpus == 0))) {
		forget(watch, other);
		other = known_find(&watch->known, uuid);
	}
	if (other && other->uuid_kind == DOMAIN_UUID_OWN) {
		other->uuid_kind = DOMAIN_UUID_SHARED;
		known_glance(other, now_ns);
	}
	return other != NULL;
}

/** Adds the domain of a new process, by its own uuid or a derived one. NULL: no room. */
static struct known_domain *make_domain(struct process_watch *watch, const struct qemu_args *args,
                                        const struct thread_id *qemu, uint64_t now_ns)
{
	struct known_domain *domain;
	char uuid[DOMAIN_UUID_LEN];
	unsigned int salt = 0;

	memcpy(uuid, args->uuid, sizeof(uuid));
	while (uuid[0] == '\0' || is_taken(watch, uuid, now_ns)) {
		if (salt == UUID_TRIES)
			return NULL;
		derive_uuid(qemu, salt++, uuid);
	}
	domain = known_get(&watch->known, uuid);
	if (domain && salt > 0)
		domain->uuid_kind = DOMAIN_UUID_MADE_UP;
	return domain;
}

/** True if libvirt's own files say that the process runs one of its domains. */
static bool is_libvirts(struct process_watch *watch, const struct qemu_args *args,
                        const struct thread_id *qemu)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	struct qemu_query query = {watch->run_dir, args->name, args->uuid, &watch->cmdlines};
	struct cmdline_facts facts;
	struct thread_id found;

	return !args->vmid && args->name[0] && args->uuid[0] &&
	       qemu_find(&query, &found, &facts, &status) == 0 && thread_id_equal(&found, qemu);
}

/** Names a domain by the number that Proxmox gives, else by its -name, its uuid, its PID. */
static void choose_name(struct known_domain *domain, const struct qemu_args *args)
{
	if (args->vmid)
		snprintf(domain->name, sizeof(domain->name), "%" PRIu32, args->vmid);
	else if (args->name[0])
		memcpy(domain->name, args->name, sizeof(domain->name));
	else if (args->uuid[0])
		memcpy(domain->name, args->uuid, sizeof(args->uuid));
	else
		snprintf(domain->name, sizeof(domain->name), "qemu-%d", domain->qemu.tid);
}

/** What Proxmox's command line says of its VM, until its configuration is read. */
static void choose_labels(struct known_domain *domain, const struct qemu_args *args)
{
	domain->labels = DOMAIN_LABELS_NULL;
	domain->labels.vmid = args->vmid;
	if (args->vmid)
		memcpy(domain->labels.title, args->name, sizeof(domain->labels.title));
}

/** Starts to manage a process that is QEMU. Returns its verdict for the list. */
static int adopt(struct process_watch *watch, const struct process_evidence *process,
                 uint64_t now_ns)
{
	struct cmdline_facts facts;
	struct known_domain *domain;
	bool of_libvirt;
	int r = cmdline_get(&watch->cmdlines, &process->id, &facts);

	if (r == -ETIMEDOUT)
		return VERDICT_STUCK;
	if (r < 0 || !thread_id_is_alive(&process->id))
		return 0;
	if (facts.args.no_machine)
		return PROCESS_OTHER;
	if (!process->claims && is_young(&process->id))
		return VERDICT_YOUNG;
	cmdline_keep(&watch->cmdlines, &process->id, &facts);
	of_libvirt = is_libvirts(watch, &facts.args, &process->id);
	if (of_libvirt && watch->leave_libvirts)
		return VERDICT_LEFT;
	domain = make_domain(watch, &facts.args, &process->id, now_ns);
	if (!domain) {
		if (!watch->too_many)
			log_outside(LOG_WARNING,
			            "process %d is ignored: no room for more than %d domains",
			            process->id.tid, VIRT_DOMAINS_MAX);
		watch->too_many = true;
		return PROCESS_OTHER;
	}
	domain->source = DOMAIN_SOURCE_PROCFS;
	domain->qemu = process->id;
	domain->max_vcpus = facts.args.max_vcpus;
	domain->topology = facts.topology;
	domain->cids = facts.args.cids;
	domain->names_threads = facts.args.debug_threads;
	domain->of_libvirt = of_libvirt;
	domain->state = DOMAIN_RUNNING;
	domain->causes |= VIRT_CAUSE_ENUMERATED;
	choose_name(domain, &facts.args);
	choose_labels(domain, &facts.args);
	known_hint(domain, now_ns);
	return VERDICT_KNOWN;
}

/** Returns the present verdict on a process; 0 if there is none. */
static int judge(struct process_watch *watch, pid_t pid, uint64_t now_ns)
{
	struct known_domain *domain = find_process(watch, pid);
	struct process_evidence process;
	int r;

	if (domain && domain->last && thread_id_is_alive(&domain->qemu))
		return VERDICT_KNOWN; /* a scan of its threads checks that it still is QEMU */
	r = process_examine(pid, &watch->criteria, &process);
	if (domain && r == 0 && process.id.start_ticks == domain->qemu.start_ticks)
		return VERDICT_KNOWN;
	if (domain)
		forget(watch, domain);
	return r == 0 ? adopt(watch, &process, now_ns) : MAX(r, 0);
}

static void look_at(struct process_watch *watch, struct process_entry *entry, uint64_t now_ns)
{
	entry->verdict = (uint8_t)judge(watch, entry->pid, now_ns);
	if (entry->looks < PROCESS_LOOKS && entry->verdict != VERDICT_YOUNG)
		entry->looks++;
}

/** Adds to a sentence, as far as there is room. */
static void append(char *text, size_t size, const char *format, ...) PRINTF_FORMAT(3, 4);

static void append(char *text, size_t size, const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, size - n, format, args);
	va_end(args);
}

static size_t count_verdicts(const struct process_list *list, int verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->entries[i].verdict == verdict;
	return n;
}

/** Describes to people what was found, and what could not be. */
static void describe(struct process_watch *watch)
{
	size_t left = count_verdicts(&watch->list, VERDICT_LEFT);
	size_t others = count_verdicts(&watch->list, PROCESS_OF_OTHER_USER);
	size_t forbidden = count_verdicts(&watch->list, PROCESS_FORBIDDEN);
	size_t stuck = count_verdicts(&watch->list, VERDICT_STUCK);
	char text[SOURCE_STATUS_TEXT];

	snprintf(text, sizeof(text), "QEMU processes: %zu", watch->known.n);
	if (left)
		append(text, sizeof(text), ", %zu left to libvirt", left);
	if (others)
		append(text, sizeof(text), ", %zu ignored: not of host.qemu_users", others);
	if (forbidden)
		append(text, sizeof(text), ", %zu not examined: that needs CAP_SYS_PTRACE",
		       forbidden);
	if (watch->hidden)
		append(text, sizeof(text),
		       "; %zu threads of this host are hidden, since /proc is mounted with "
		       "hidepid: to see them needs CAP_SYS_PTRACE",
		       watch->hidden);
	if (stuck)
		append(text, sizeof(text), ", %zu left out: their command lines cannot be read",
		       stuck);
	if (watch->labels.hangs)
		append(text, sizeof(text),
		       "; " VM_CONF_DIR
		       " does not answer: names and tags of VMs stay as they were");
	if (watch->too_many)
		append(text, sizeof(text),
		       "; there are more processes than %d or more QEMUs than %d: the others are "
		       "left out",
		       PROCESS_LIST_MAX, VIRT_DOMAINS_MAX);
	source_status_set(watch->status,
	                  forbidden == 0 && stuck == 0 && watch->hidden == 0 && !watch->too_many &&
	                          !watch->labels.hangs,
	                  text);
}

/** True if no thread was started since the last look, so there is no new QEMU. */
static bool is_quiet(struct process_watch *watch)
{
	pid_t last = 0;
	bool same = procfs_last_pid(&last) == 0 && last == watch->last_pid;

	if (!same)
		watch->last_pid = last;
	return same;
}

/** Examines new processes, or all of them when that is due. */
static void look_for_new(struct process_watch *watch, uint64_t now_ns)
{
	bool full = now_ns >= watch->full_next_ns, settled = true, young = false;
	size_t i;

	watch->list_next_ns = now_ns + watch->list_ns;
	if (is_quiet(watch) && !full)
		return;
	if (full) {
		watch->full_next_ns = now_ns + PROCESS_WATCH_FULL_NS;
		watch->too_many = false;
		watch->hidden = hidden_threads(&watch->hidden_before);
	}
	if (process_list_read(&watch->list, full) < 0)
		watch->too_many = true;
	for (i = 0; i < watch->list.n; i++) {
		struct process_entry *entry = &watch->list.entries[i];

		if (entry->looks < PROCESS_LOOKS)
			look_at(watch, entry, now_ns);
		young = young || entry->verdict == VERDICT_YOUNG;
		settled = settled && entry->looks == PROCESS_LOOKS;
	}
	if (!settled)
		watch->last_pid = 0; /* look at new ones once more */
	if (young)
		watch->list_next_ns = now_ns + NSEC_PER_SEC;
	describe(watch);
}

/** A process that may have executed another QEMU is judged as a new one. */
static void renew(struct process_watch *watch, struct known_domain *domain, uint64_t now_ns)
{
	const struct thread_id qemu = domain->qemu;

	domain->renewed = false;
	forget(watch, domain);
	cmdline_forget(&watch->cmdlines, &qemu);
	judge(watch, qemu.tid, now_ns);
	watch->list_next_ns = now_ns;
}

static uint64_t look_at_threads(struct process_watch *watch, uint64_t now_ns)
{
	struct known_scan scan = {watch->run_dir, watch->rescan_ns, &watch->vhosts,
	                          watch->queue,   &watch->cmdlines, &watch->criteria};
	uint64_t next_ns = NSEC_NEVER;
	bool lost = false, hung = watch->labels.hangs;
	size_t i;

	/* Counts down: the last domain takes the place of one that is forgotten. */
	for (i = watch->known.n; i-- > 0;) {
		struct known_domain *domain = watch->known.domains[i];

		if (domain->look_ns > now_ns) {
			next_ns = MIN(next_ns, domain->look_ns);
			continue;
		}
		if (thread_id_is_alive(&domain->qemu)) {
			vm_labels_refresh(&watch->labels, domain, now_ns);
			known_look(domain, &scan, now_ns);
			if (domain->renewed)
				renew(watch, domain, now_ns);
			else
				next_ns = MIN(next_ns, domain->look_ns);
		} else {
			forget(watch, domain);
			lost = true;
		}
	}
	if (lost || watch->labels.hangs != hung)
		describe(watch);
	return next_ns;
}

uint64_t process_watch_pass(struct process_watch *watch, uint64_t now_ns)
{
	uint64_t next_ns;

	source_status_busy(watch->status, now_ns);
	if (now_ns >= watch->list_next_ns)
		look_for_new(watch, now_ns);
	next_ns = look_at_threads(watch, clock_now_ns());
	source_status_busy(watch->status, 0);
	return MIN(next_ns, watch->list_next_ns);
}

void process_watch_hint(struct process_watch *watch, pid_t pid, uint64_t now_ns)
{
	struct known_domain *domain = find_process(watch, pid);
	size_t before = watch->known.n;
	struct process_entry *entry;
	int verdict;

	source_status_busy(watch->status, now_ns);
	verdict = judge(watch, pid, now_ns);
	source_status_busy(watch->status, 0);
	if (domain && verdict == VERDICT_KNOWN && find_process(watch, pid) == domain)
		known_hint(domain, now_ns);
	/* any process may name its threads so: only verdicts that are described get an entry */
	entry = verdict > PROCESS_OTHER ? process_list_get(&watch->list, pid) : NULL;
	if (entry)
		entry->verdict = (uint8_t)verdict;
	if (verdict == VERDICT_YOUNG) /* the next list may be a minute away */
		process_watch_list(watch, now_ns + NSEC_PER_SEC);
	if (entry || watch->known.n != before)
		describe(watch);
}

void process_watch_hint_all(struct process_watch *watch, uint64_t now_ns)
{
	size_t i;

	for (i = 0; i < watch->known.n; i++) {
		watch->known.domains[i]->causes |= VIRT_CAUSE_ENUMERATED;
		known_glance(watch->known.domains[i], now_ns);
	}
	process_watch_list(watch, now_ns);
}

void process_watch_list(struct process_watch *watch, uint64_t now_ns)
{
	watch->list_next_ns = MIN(watch->list_next_ns, now_ns);
	watch->last_pid = 0;
}

void process_watch_finish(struct process_watch *watch)
{
	known_clear(&watch->known);
	vhost_table_clear(&watch->vhosts);
	cmdline_cache_clear(&watch->cmdlines);
	process_list_clear(&watch->list);
}
