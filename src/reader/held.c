// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/held.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "util/clock.h"

bool held_any(const struct held *held)
{
	return held->carrier || held->agent;
}

static void close_carrier(struct held *held)
{
	held->carrier = carrier_free(held->carrier);
	held->n_pages = 0;
	held->generation = 0;
}

static void end_carrier(struct held *held)
{
	if (held->carrier)
		guest_region_end(held->carrier, held->n_pages, held->generation);
	close_carrier(held);
}

void held_close(struct held *held)
{
	close_carrier(held);
	held->agent = agent_memory_free(held->agent);
}

void held_end(struct held *held)
{
	end_carrier(held);
	held_close(held);
}

/*
 * The tracer can't wait for a page that QEMU has not touched yet, as it would be before its guest's
 * first word. What can't be made resident is polled.
 */
static void touch_pages(const struct carrier *carrier, const struct reader_request *request)
{
	uint64_t address = carrier_address(carrier);
	uint8_t byte;

	for (uint32_t i = 0; address && i <= request->n_pages; i++) {
		struct iovec here = {&byte, 1};
		struct iovec there = {
		        (void *)(uintptr_t)(address + (uint64_t)i * PVSCHED_PAGE_SIZE), 1};

		if (process_vm_readv(request->qemu.tid, &here, 1, &there, 1, 0) < 0)
			return;
	}
}

static struct carrier_object object_of(const struct carrier *carrier)
{
	return (struct carrier_object){carrier_device(carrier), carrier_inode(carrier)};
}

static bool is_object(const struct carrier *carrier, const struct carrier_object *object)
{
	return carrier && object->inode && carrier_device(carrier) == object->device &&
	       carrier_inode(carrier) == object->inode;
}

/* The region in @carrier takes the place of what was held. */
static void hold(struct held *held, struct carrier *carrier, uint32_t n_pages, uint64_t generation)
{
	struct carrier_object object = object_of(carrier);

	/* in the same memory it has been begun anew, so its guests need not be told */
	if (held->carrier && !is_object(held->carrier, &object))
		end_carrier(held);
	close_carrier(held);
	held->carrier = carrier;
	held->n_pages = n_pages;
	held->generation = generation;
}

/* Begins the region in @carrier, which it takes over. Returns 0, or -errno. */
static int begin(struct held *held, struct carrier *carrier, const struct reader_request *request,
                 struct reader_carrier *ret)
{
	struct cmdline_facts facts = {.topology = TOPOLOGY_FLAT};
	int r = cmdline_read(&request->qemu, &facts);

	/* what was found may be of another process */
	if (r == 0 || r == -ENOMEM)
		r = thread_id_is_current(&request->qemu) ? 0 : -ESRCH;
	if (r == 0)
		r = guest_region_begin(carrier, &facts.topology, request->n_pages,
		                       &ret->generation);
	if (r < 0) {
		carrier_free(carrier);
		return r;
	}
	touch_pages(carrier, request);
	ret->object = object_of(carrier);
	ret->size = carrier_size(carrier);
	ret->address = carrier_address(carrier);
	ret->kind = carrier_kind(carrier);
	ret->sealed = carrier_sealed(carrier);
	ret->topology = facts.topology;
	hold(held, carrier, request->n_pages, ret->generation);
	return 0;
}

static int find(struct held *held, const struct reader_request *request, struct reader_reply *reply)
{
	struct carrier *carrier;
	int r;

	if (!thread_id_is_current(&request->qemu))
		return -ESRCH;
	r = carrier_find(request->qemu.tid, request->n_pages, &carrier);
	if (r != 0)
		return r;
	/*
	 * Known to the daemon, and held here still: after a restart of the reader it is not. Memory
	 * that a migration or a snapshot has brought has the generation of another host.
	 */
	if (is_object(carrier, &request->known) &&
	    (request->refused || (is_object(held->carrier, &request->known) &&
	                          guest_region_has(held->carrier, held->generation)))) {
		reply->same = 1;
		carrier_free(carrier);
		return 0;
	}
	return begin(held, carrier, request, &reply->carrier);
}

static bool has_agent(const struct held *held, uint64_t generation)
{
	return held->agent && agent_memory_generation(held->agent) == generation;
}

static int drop(struct held *held, const struct reader_request *request)
{
	if (has_agent(held, request->generation))
		held->agent = agent_memory_free(held->agent);
	if (!held->carrier || held->generation != request->generation)
		return 0; /* begun anew meanwhile */
	if (request->ends)
		end_carrier(held);
	close_carrier(held);
	return 0;
}

/* Whatever comes of it, what was proven before is not asked for any more. */
static int prove(struct held *held, const struct reader_request *request,
                 struct reader_reply *reply)
{
	held->agent = agent_memory_free(held->agent);
	return proof_make(request, &reply->proof, &held->agent);
}

void held_run(struct held *held, const struct reader_request *request, struct reader_reply *reply)
{
	switch ((enum reader_job)request->job) {
	case READER_FIND:
		reply->result = find(held, request, reply);
		break;
	case READER_DROP:
		reply->result = drop(held, request);
		break;
	case READER_CMDLINE:
		reply->result = cmdline_read(&request->qemu, &reply->facts);
		break;
	case READER_PROVE:
		reply->result = prove(held, request, reply);
		break;
	case READER_VM_CONF: /* of no QEMU: reader/desk.c */
	case _READER_JOB_MAX:
		break;
	}
}

bool held_has(const struct held *held, const struct board_ask *ask)
{
	if (has_agent(held, ask->generation))
		return agent_memory_has(held->agent, ask->index);
	return held->carrier && ask->generation == held->generation && ask->index < held->n_pages;
}

void held_serve(const struct held *held, const struct board_ask *ask, bool writes,
                struct board_copy *ret)
{
	struct guest_page_file file;

	*ret = (struct board_copy){
	        .generation = ask->generation, .index = ask->index, .writes = ask->writes};
	if (has_agent(held, ask->generation)) {
		ret->read_ns = clock_now_ns();
		ret->result = agent_memory_read(held->agent, ask->index, &ret->words);
		return;
	}
	file = guest_region_file(held->carrier, ask->index);
	if (!guest_region_has(held->carrier, held->generation)) {
		ret->result = -ESTALE;
		return;
	}
	/* the status last: a guest that sees it finds the rest up to date. A loss is found below */
	if (writes && guest_page_publish(&file, &ask->snapshot) == 0)
		guest_page_answer(&file, (enum pvsched_status)ask->status);
	ret->read_ns = clock_now_ns();
	ret->result = guest_page_read(&file, &ret->words);
}
