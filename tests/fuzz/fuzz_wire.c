/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet between the daemon and its reader, in either direction. Whatever the bytes are, what is
 * taken has an end to each text, and each number in its range.
 */
#include <errno.h>

#include "reader/wire.h"

#include "fuzz.h"

static void check_carrier(const struct reader_carrier *c)
{
	struct guest_page page = {.address = c->address};

	FUZZ_CHECK(c->lane < BOARD_LANES && c->generation && c->object.inode);
	FUZZ_CHECK(c->size >= PVSCHED_REGION_SIZE_MIN && c->size <= PVSCHED_REGION_SIZE_MAX);
	FUZZ_CHECK(page.address + c->size >= page.address);
	FUZZ_CHECK(c->topology.dies && c->topology.cores && c->topology.threads);
	FUZZ_CHECK(c->kind == CARRIER_MEMFD || c->kind == CARRIER_SHMEM);
}

static void check_proof(const struct reader_proof *proof)
{
	FUZZ_CHECK(proof->n_cpus >= 1 && proof->n_cpus <= PVSCHED_CHANNEL_CPUS_MAX);
	FUZZ_CHECK(proof->lane < BOARD_LANES && proof->n_objects <= READER_OBJECTS_MAX);
	FUZZ_CHECK(proof->topology.dies && proof->topology.cores && proof->topology.threads);
	for (uint32_t i = 0; i < proof->n_cpus; i++) {
		FUZZ_CHECK(proof->address[i] % PVSCHED_PAGE_SIZE == 0);
		FUZZ_CHECK(i == 0 || !proof->address[i] ||
		           proof->address[i] != proof->address[i - 1]);
	}
}

static void check_reply(const struct reader_reply *reply)
{
	FUZZ_CHECK((reply->qemu.tid > 0) == (reply->job != READER_VM_CONF));
	FUZZ_CHECK(reply->result < (reply->job == READER_PROVE ? PVSCHED_CHANNEL_NO_POLICY + 1
	                                                       : (int)_CARRIER_PROBLEM_MAX));
	FUZZ_CHECK(reply->job != READER_PROVE || reply->proof.encryption < _RAM_ENCRYPTION_MAX);
	if (reply->job == READER_FIND && reply->result == 0 && !reply->same)
		check_carrier(&reply->carrier);
	if (reply->job == READER_PROVE && reply->result == 0)
		check_proof(&reply->proof);
	if (reply->job == READER_CMDLINE && reply->result == 0) {
		FUZZ_CHECK(memchr(reply->facts.args.name, '\0', sizeof(reply->facts.args.name)));
		FUZZ_CHECK(memchr(reply->facts.args.uuid, '\0', sizeof(reply->facts.args.uuid)));
		FUZZ_CHECK(
		        memchr(reply->facts.uuid_option, '\0', sizeof(reply->facts.uuid_option)));
		FUZZ_CHECK(reply->facts.args.max_vcpus <= DOMAIN_VCPUS_MAX);
	}
	if (reply->job == READER_VM_CONF && reply->result == 0) {
		FUZZ_CHECK(memchr(reply->labels.title, '\0', sizeof(reply->labels.title)));
		FUZZ_CHECK(memchr(reply->labels.flavor, '\0', sizeof(reply->labels.flavor)));
		FUZZ_CHECK(reply->labels.n_tags <= LABEL_TAGS_MAX);
		for (uint32_t i = 0; i < reply->labels.n_tags; i++)
			FUZZ_CHECK(memchr(reply->labels.tags[i], '\0', LABEL_TAG_MAX));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader_request request;
	struct reader_reply reply;
	int r = reader_request_parse(data, size, &request);

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0)
		FUZZ_CHECK((request.qemu.tid > 0) == (request.job != READER_VM_CONF) &&
		           request.job < _READER_JOB_MAX &&
		           (request.job != READER_FIND ||
		            (request.n_pages && request.n_pages <= PVSCHED_REGION_PAGES_MAX)) &&
		           (request.job != READER_PROVE ||
		            request.claim.n_cpus <= PVSCHED_CHANNEL_CPUS_MAX));
	r = reader_reply_parse(data, size, &reply);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0)
		check_reply(&reply);
	return 0;
}
