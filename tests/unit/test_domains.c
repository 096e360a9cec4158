// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is reported of domains: which file is told of what, that every change is followed by a pass,
 * and many in one turn of the loop by one. The loop, the passes and the inventory are the true
 * ones; what finds domains and what follows them only writes down that it was called.
 */
#include "daemon/domains.h"

#include "boost/sched.h"
#include "util/log.h"
#include "virt/libvirt.h"

#include "agents_fake.h"
#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct pass *pass;
static struct domains *domains;
static struct discovery_news finds;
static struct lifecycle_news lives;
static struct hints_news hints;
static char calls[256];
static bool differs, only_processes_differ;

static void call(const char *what)
{
	if (strlen(calls) + strlen(what) + 2 > sizeof(calls))
		return;
	if (*calls)
		strcat(calls, " ");
	strcat(calls, what);
}

#define CHECK_CALLS(expected)                                                                      \
	do {                                                                                       \
		CHECK_STR(calls, expected);                                                        \
		*calls = '\0';                                                                     \
	} while (0)

/* ---- stand-ins ---- */

int overrides_new(struct overrides **ret, sd_event *e, overrides_ended_fn *ended, void *userdata)
{
	(void)ret;
	(void)e;
	(void)ended;
	(void)userdata;
	return 0;
}

struct overrides *overrides_free(struct overrides *overrides)
{
	return overrides;
}

void overrides_forget(struct overrides *overrides, const struct inventory_domain *domain)
{
	(void)overrides;
	(void)domain;
	call("overrides-forget");
}

int lifecycle_new(struct lifecycle **ret, sd_event *e, const struct lifecycle_news *news)
{
	(void)ret;
	(void)e;
	lives = *news;
	return 0;
}

struct lifecycle *lifecycle_free(struct lifecycle *lifecycle)
{
	return lifecycle;
}

void lifecycle_begin(struct lifecycle *lifecycle, struct inventory_domain *domain)
{
	(void)lifecycle;
	(void)domain;
	call("watch");
}

void lifecycle_reported(struct lifecycle *lifecycle, struct inventory_domain *domain,
                        unsigned int causes)
{
	(void)lifecycle;
	(void)domain;
	migrating |= (causes & VIRT_CAUSE_MIGRATION) != 0;
}

void lifecycle_end(struct lifecycle *lifecycle, const struct inventory_domain *domain)
{
	(void)lifecycle;
	(void)domain;
	call("unwatch");
}

struct cmdline_reader reader_process_cmdlines(const struct reader_process *reader)
{
	(void)reader;
	return (struct cmdline_reader){.userdata = NULL};
}

struct vm_conf_reader reader_process_confs(const struct reader_process *reader)
{
	(void)reader;
	return (struct vm_conf_reader){.userdata = NULL};
}

int carriers_new(struct carriers **ret, const struct carriers_options *options)
{
	(void)ret;
	(void)options;
	return 0;
}

struct carriers *carriers_free(struct carriers *carriers)
{
	return carriers;
}

void carriers_configure(struct carriers *carriers, const struct config_host *host)
{
	(void)carriers;
	(void)host;
}

void carriers_find(struct carriers *carriers, const struct inventory_domain *domain, bool again)
{
	(void)carriers;
	(void)domain;
	call(again ? "find-again" : "find");
}

void carriers_device(struct carriers *carriers, const struct inventory_domain *domain)
{
	(void)carriers;
	(void)domain;
	call("device");
}

void carriers_reset(struct carriers *carriers, const struct inventory_domain *domain)
{
	(void)carriers;
	(void)domain;
	call("reset");
}

void carriers_end(struct carriers *carriers, const struct inventory_domain *domain)
{
	(void)carriers;
	(void)domain;
	call("carriers-end");
}

int discovery_new(struct discovery **ret, const struct discovery_options *options)
{
	(void)ret;
	finds = options->news;
	return 0;
}

struct discovery *discovery_free(struct discovery *discovery)
{
	return discovery;
}

int discovery_start(struct discovery *discovery, const struct config_host *host, bool hinted)
{
	(void)discovery;
	(void)host;
	(void)hinted;
	call("start");
	return 0;
}

void discovery_stop(struct discovery *discovery, bool only_processes)
{
	(void)discovery;
	call(only_processes ? "stop-processes" : "stop");
}

bool discovery_differs(const struct config_host *a, const struct config_host *b,
                       bool *only_processes)
{
	(void)a;
	(void)b;
	*only_processes = only_processes_differ;
	return differs;
}

unsigned int discovery_rank(const struct config_host *host, enum domain_source source)
{
	(void)host;
	return source;
}

void discovery_hint(struct discovery *discovery, pid_t pid, const struct inventory_domain *domain)
{
	(void)discovery;
	(void)pid;
	call(domain ? "hint-known" : "hint-unknown");
}

void discovery_hint_all(struct discovery *discovery)
{
	(void)discovery;
	call("hint-all");
}

void discovery_look_again(struct discovery *discovery)
{
	(void)discovery;
	call("look-again");
}

void discovery_rescan(struct discovery *discovery, const struct inventory_domain *domain)
{
	(void)discovery;
	(void)domain;
	call("rescan");
}

int hints_new(struct hints **ret, sd_event *e, const struct hints_news *news)
{
	(void)ret;
	(void)e;
	hints = *news;
	return 0;
}

struct hints *hints_free(struct hints *h)
{
	return h;
}

bool hints_ok(const struct hints *h)
{
	(void)h;
	return true;
}

/* ---- fixture ---- */

static int make_pass(void *userdata)
{
	(void)userdata;
	for (struct inventory_domain *d = domains->inventory.domains; d; d = d->next)
		d->rescan = false; /* as apply.c does */
	return 0;
}

static void begin(void)
{
	struct domains_options options = {0};

	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	if (domains)
		domains_clear(domains);
	domains_free(domains);
	pass_free(pass);
	CHECK_INT(pass_new(&pass, event, make_pass, NULL), 0);
	migrating = false;
	options.event = event;
	options.pass = pass;
	CHECK_INT(domains_new(&domains, &options), 0);
	*calls = '\0';
}

static void loop(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static struct inventory_domain *seen(unsigned int causes)
{
	finds.seen(finds.userdata, domain_make(WEB, "web", 100, 1), causes);
	return domains->inventory.domains;
}

/* A new domain: its QEMU is watched, its memory looked for, its threads are; one pass. */
static void test_new(void)
{
	struct inventory_domain *d;

	begin();
	d = seen(VIRT_CAUSE_ENUMERATED);
	CHECK_CALLS("watch find-again");
	CHECK_U64(d->vcpus[0].affinity.words[0], 1);
	CHECK(!d->rescan);
	loop();
	CHECK_U64(pass_total(pass), 1);
}

/* What each cause brings about besides. */
static void test_causes(void)
{
	static const struct {
		unsigned int causes;
		bool rescan;
		const char *calls;
	} table[] = {
	        {VIRT_CAUSE_THREADS, false, "find"},
	        {VIRT_CAUSE_METADATA, false, "find"},
	        {VIRT_CAUSE_TUNABLE, true, "find"},
	        {VIRT_CAUSE_LIFECYCLE, true, "find-again"},
	        {VIRT_CAUSE_DEVICE, false, "find device"},
	        {VIRT_CAUSE_REBOOT, true, "reset agent-reset find"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct inventory_domain *d;

		begin();
		seen(VIRT_CAUSE_ENUMERATED);
		loop();
		*calls = '\0';
		d = seen(table[i].causes);
		CHECK_CALLS(table[i].calls);
		CHECK_INT(d->rescan, table[i].rescan);
		loop();
		CHECK_U64(pass_total(pass), 2);
	}
}

/* A migration that begins: what was proven of its guest's memory is proven anew, once. */
static void test_migration(void)
{
	begin();
	seen(VIRT_CAUSE_ENUMERATED);
	loop();
	*calls = '\0';
	seen(VIRT_CAUSE_MIGRATION);
	CHECK_CALLS("agent-reset find");
	seen(VIRT_CAUSE_MIGRATION); /* of each iteration */
	CHECK_CALLS("find");
}

/* News of agents' pages go to agents, and those of the plan to the pass. A guest of no domain that
 * is known has all sources look. */
static void test_agents(void)
{
	struct agent_pages_result result = {.n_found = 1};
	struct inventory_domain *d;

	begin();
	d = seen(VIRT_CAUSE_ENUMERATED);
	loop();
	*calls = '\0';
	agent_news.proven(agent_news.userdata, d, 5, &result);
	agent_news.lost(agent_news.userdata, d, AGENT_PAGES_MOVED);
	agent_news.changed(agent_news.userdata, d, true);
	agent_news.changed(agent_news.userdata, d, false);
	CHECK_CALLS("proven lost changed-at-once changed");
	agent_news.plan(agent_news.userdata);
	loop();
	CHECK_U64(pass_total(pass), 2);
	agents_options.look(agents_options.userdata);
	CHECK_CALLS("hint-all");
}

/* More than there are slots: said once, and taken in when there is room. */
static void test_room(void)
{
	char uuid[DOMAIN_UUID_LEN];

	begin();
	for (int i = 0; i < PVS_DOMAINS_MAX; i++) {
		snprintf(uuid, sizeof(uuid), "%08x-89ab-cdef-0123-456789abcdef", i);
		finds.seen(finds.userdata, domain_make(uuid, "many", (pid_t)(1000 + i * 10), 0),
		           VIRT_CAUSE_ENUMERATED);
	}
	n_logged = 0;
	seen(VIRT_CAUSE_ENUMERATED);
	seen(VIRT_CAUSE_THREADS);
	CHECK_U64(domains->inventory.n_refused, 1);
	CHECK_INT(n_logged, 1);
	finds.gone(finds.userdata, DOMAIN_SOURCE_LIBVIRT, uuid);
	CHECK(inventory_find_uuid(&domains->inventory, WEB));
	CHECK_U64(domains->inventory.n_refused, 0);
	domains_clear(domains);
	*calls = '\0';
}

/* Gone by its own source: every file forgets it. By another one: nothing happens. */
static void test_gone(void)
{
	begin();
	seen(VIRT_CAUSE_ENUMERATED);
	loop();
	*calls = '\0';
	finds.gone(finds.userdata, DOMAIN_SOURCE_PROCFS, WEB);
	loop();
	CHECK_CALLS("");
	CHECK_U64(pass_total(pass), 1);
	finds.gone(finds.userdata, DOMAIN_SOURCE_LIBVIRT, WEB);
	CHECK_CALLS("carriers-end agents-end overrides-forget unwatch");
	loop();
	CHECK_U64(pass_total(pass), 2);
	CHECK(!domains->inventory.domains);
}

/* Its QEMU died: dropped at once; /proc's list is looked at, since nothing else tells it. */
static void test_died(void)
{
	struct inventory_domain *d;

	begin();
	d = seen(VIRT_CAUSE_ENUMERATED);
	*calls = '\0';
	d->seen->source = DOMAIN_SOURCE_PROCFS;
	lives.died(lives.userdata, d);
	CHECK_CALLS("rescan carriers-end agents-end overrides-forget unwatch");
	CHECK(!domains->inventory.domains);
}

/* A migration that is over: what was held or refused is looked at again. */
static void test_migrated(void)
{
	struct inventory_domain *d;

	begin();
	d = seen(VIRT_CAUSE_ENUMERATED);
	loop();
	lives.migrated(lives.userdata, d);
	CHECK(d->rescan);
	loop();
	CHECK_U64(pass_total(pass), 2);
}

/* Hints go to discovery with the domain that they are about. */
static void test_hints(void)
{
	begin();
	seen(VIRT_CAUSE_ENUMERATED);
	*calls = '\0';
	hints.named(hints.userdata, 100);
	hints.named(hints.userdata, 200);
	hints.lost(hints.userdata);
	CHECK_CALLS("hint-known hint-unknown hint-all");
}

/* Another configuration: what is found by what changes is forgotten, and found again. */
static void test_rediscover(void)
{
	struct config_host host = {0};

	begin();
	seen(VIRT_CAUSE_ENUMERATED);
	*calls = '\0';
	differs = false;
	CHECK_INT(domains_rediscover(domains, &host, &host), 0);
	CHECK_CALLS("look-again");
	differs = only_processes_differ = true;
	CHECK_INT(domains_rediscover(domains, &host, &host), 0);
	CHECK_CALLS("stop-processes start");
	CHECK(domains->inventory.domains);
	only_processes_differ = false;
	CHECK_INT(domains_rediscover(domains, &host, &host), 0);
	CHECK_CALLS("stop carriers-end agents-end overrides-forget unwatch start");
	CHECK(!domains->inventory.domains);
}

static int report_many(sd_event_source *source, void *userdata)
{
	char uuid[DOMAIN_UUID_LEN];

	(void)source;
	(void)userdata;
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(uuid, sizeof(uuid), "%08x-89ab-cdef-0123-456789abcdef", i);
		finds.seen(finds.userdata, domain_make(uuid, "many", (pid_t)(10000 + i * 10), 2),
		           VIRT_CAUSE_ENUMERATED);
	}
	return 0;
}

/* A thousand domains that are reported in one turn are one pass. */
static void test_one_pass_for_all(void)
{
	sd_event_source *source = NULL;
	size_t n;

	begin();
	CHECK(sd_event_add_defer(event, &source, report_many, NULL) >= 0);
	loop();
	CHECK_U64(pass_total(pass), 1);
	CHECK_INT(inventory_count(&domains->inventory, &n), 2000);
	sd_event_source_unref(source);
}

TEST_MAIN(TEST(test_new), TEST(test_causes), TEST(test_room), TEST(test_gone), TEST(test_died),
          TEST(test_migrated), TEST(test_migration), TEST(test_agents), TEST(test_hints),
          TEST(test_rediscover), TEST(test_one_pass_for_all))
