/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Agents that connect to a socket that systemd has opened, and are answered. What proves pages only
 * writes down what it was asked, and tells what the test wants.
 */

#include "daemon/agents.h"

#include <sys/un.h>
#include <linux/vm_sockets.h>

#include "channel_fixture.h"
#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define UUID_1 "01234567-89ab-cdef-0123-456789abcdef"
#define UUID_2 "11234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct inventory inventory;
static struct agents *agents;
static struct config_host config;
static bool allows = true;
static unsigned int n_looks;
static uint32_t next_cid;

/* ---- a vsock that is none ---- */

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __real_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	struct sockaddr_vm vm = {
	        .svm_family = AF_VSOCK, .svm_cid = next_cid, .svm_port = GUEST_PORT};

	CHECK(*size >= sizeof(vm));
	memcpy(address, &vm, sizeof(vm));
	return __real_accept4(fd, NULL, NULL, flags);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	int r = __real_getsockname(fd, address, size);

	address->sa_family = AF_VSOCK;
	return r;
}

static struct sockaddr_un listener = {.sun_family = AF_UNIX};

/* As systemd does: the descriptor 3, and two variables. */
static void give_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char text[16];

	snprintf(listener.sun_path + 1, sizeof(listener.sun_path) - 1, "pvsched-test-agents-%d",
	         getpid());
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&listener, sizeof(listener)) == 0);
	CHECK(listen(fd, 64) == 0);
	CHECK(fd == 3 || (dup2(fd, 3) == 3 && close(fd) == 0));
	snprintf(text, sizeof(text), "%d", getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "1", 1);
}

/* ---- the pages, as they are asked ---- */

static struct {
	const struct inventory_domain *domain;
	struct agent_pages_claim claim; /* the last */
	unsigned int n_claims, n_ended;
	int result;
} pages;

int agent_pages_prove(struct agent_pages *p, const struct inventory_domain *domain,
                      const struct agent_pages_claim *claim)
{
	(void)p;
	CHECK(domain);
	pages.domain = domain;
	pages.claim = *claim;
	pages.n_claims++;
	CHECK(claim->cpus[HELLO_CPUS - 1].address == 18 * PVSCHED_PAGE_SIZE);
	return pages.result;
}

void agent_pages_end(struct agent_pages *p, const struct inventory_domain *domain)
{
	(void)p;
	(void)domain;
	pages.n_ended++;
}

uint32_t agent_pages_states(const struct agent_pages *p, const struct inventory_domain *domain,
                            struct pvsched_channel_vcpu *ret, uint32_t max)
{
	(void)p;
	CHECK(domain);
	CHECK(max >= 1);
	ret[0] = (struct pvsched_channel_vcpu){.cpu_index = 1, .throttles = 4};
	return 1;
}

void agent_pages_read(const struct agent_pages *p, const struct inventory_domain *domain,
                      struct agent_pages_view *ret)
{
	(void)p;
	(void)domain;
	*ret = (struct agent_pages_view){0};
}

/* ---- fixture ---- */

static void on_look(void *userdata)
{
	(void)userdata;
	n_looks++;
}

static bool is_allowed(void *userdata, const struct inventory_domain *domain)
{
	(void)userdata;
	(void)domain;
	return allows;
}

static void on_gone(void *userdata, struct inventory_domain *domain)
{
	(void)userdata;
	agents_end(agents, domain);
}

static struct inventory_domain *see(const char *uuid, pid_t pid, uint32_t cid)
{
	struct domain *seen = domain_make(uuid, uuid, pid, 2);
	struct inventory_domain *d;

	cids_add(&seen->cids, cid);
	CHECK(inventory_seen(&inventory, seen, &d) >= 0);
	return d;
}

static void begin(void)
{
	give_socket(); /* first: its descriptor is 3 */
	CHECK(sd_event_new(&event) >= 0);
	inventory_init(&inventory, NULL, on_gone, NULL);
	CHECK_INT(agents_new(&agents, &(struct agents_options){.event = event,
	                                                       .inventory = &inventory,
	                                                       .look = on_look}),
	          0);
	memset(&pages, 0, sizeof(pages));
	allows = true;
	n_looks = 0;
	config = (struct config_host){.guest_pages = CONFIG_GUEST_PAGES_AUTO,
	                              .agents = CONFIG_AGENTS_AUTO};
	agents_configure(agents, &config);
	agents_ask_allowed(agents, is_allowed, NULL);
}

static void end(void)
{
	inventory_clear(&inventory);
	agents = agents_free(agents);
	event = sd_event_unref(event);
}

static void pump(void)
{
	channel_pump(event);
}

static int connect_from(uint32_t cid)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	next_cid = cid;
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&listener, sizeof(listener)) == 0);
	pump();
	return fd;
}

static int say_hello(uint32_t cid)
{
	int fd = connect_from(cid);

	guest_hello(fd);
	pump();
	return fd;
}

static void store(int fd)
{
	struct pvsched_channel_challenge challenge = guest_challenge(fd);
	unsigned int n = pages.n_claims;

	guest_stored(fd, challenge.nonce);
	pump();
	CHECK_U64(pages.n_claims, n + 1);
	CHECK_U64(pages.claim.generation, challenge.generation);
	CHECK_U64(pages.claim.nonce, challenge.nonce);
	CHECK_U64(pages.claim.agent_generation, 7);
	CHECK_STR(pages.claim.policy_name, "pvschedd");
}

static void prove(enum pvsched_channel_refusal refusal, uint32_t n_found)
{
	struct agent_pages_result result = {
	        .refusal = refusal, .n_found = n_found, .why = "for a reason"};

	agents_proven(agents, pages.domain, pages.claim.generation, &result);
}

static int serve(uint32_t cid)
{
	int fd = say_hello(cid);

	store(fd);
	prove(PVSCHED_CHANNEL_SERVED, HELLO_CPUS);
	CHECK_U64(guest_answer(fd).refusal, PVSCHED_CHANNEL_SERVED);
	return fd;
}

static struct agent_view view_of(const struct inventory_domain *domain)
{
	struct agent_view view;

	agents_read(agents, domain, &view);
	return view;
}

#define CHECK_ANSWER(fd, expected) CHECK_U64(guest_answer(fd).refusal, expected)
