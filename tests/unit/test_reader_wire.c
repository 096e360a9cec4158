// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages between daemon and reader: short, long, forged. */
#include "reader/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static struct reader_request good_request(void)
{
	struct reader_request request;

	memset(&request, 0, sizeof(request));
	request.qemu = (struct thread_id){100, 5};
	request.job = READER_FIND;
	request.n_pages = 3;
	return request;
}

static struct reader_reply good_reply(enum reader_job job)
{
	struct reader_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.qemu = (struct thread_id){100, 5};
	reply.job = job;
	reply.carrier = (struct reader_carrier){
	        .object = {1, 2},
	        .size = PVSCHED_REGION_SIZE_MIN,
	        .address = 0x7f0000000000,
	        .generation = 9,
	        .lane = 1,
	        .topology = TOPOLOGY_FLAT,
	};
	reply.facts.args.max_vcpus = 1;
	reply.facts.topology = TOPOLOGY_FLAT;
	return reply;
}

static int parse_request(const struct reader_request *request)
{
	struct reader_request ret;

	return reader_request_parse(request, reader_request_size(request->job), &ret);
}

static int parse_reply(const struct reader_reply *reply)
{
	struct reader_reply ret;

	return reader_reply_parse(reply, reader_reply_size(reply->job), &ret);
}

#define REFUSED_REQUEST(change)                                                                    \
	do {                                                                                       \
		struct reader_request r = good_request();                                          \
		change;                                                                            \
		CHECK_INT(parse_request(&r), -EBADMSG);                                            \
	} while (0)

static void test_requests(void)
{
	struct reader_request request = good_request(), ret;

	CHECK_INT(parse_request(&request), 0);
	for (size_t size = 0; size <= sizeof(request); size++)
		CHECK_INT(reader_request_parse(&request, size, &ret),
		          size == reader_request_size(READER_FIND) ? 0 : -EBADMSG);
	REFUSED_REQUEST(r.job = 0);
	REFUSED_REQUEST(r.job = _READER_JOB_MAX);
	REFUSED_REQUEST(r.job = UINT32_MAX);
	REFUSED_REQUEST(r.qemu.tid = 0);
	REFUSED_REQUEST(r.qemu.tid = -1);
	REFUSED_REQUEST(r.n_pages = 0);
	REFUSED_REQUEST(r.n_pages = PVSCHED_REGION_PAGES_MAX + 1);
	REFUSED_REQUEST(r.ends = 2);
	REFUSED_REQUEST(r.job = READER_DROP); /* of no generation */
	request.job = READER_DROP;
	request.generation = 1;
	CHECK_INT(parse_request(&request), 0);
	request.job = READER_CMDLINE;
	CHECK_INT(parse_request(&request), 0);
}

#define REFUSED_REPLY(kind, change)                                                                \
	do {                                                                                       \
		struct reader_reply r = good_reply(kind);                                          \
		change;                                                                            \
		CHECK_INT(parse_reply(&r), -EBADMSG);                                              \
	} while (0)

static void test_found(void)
{
	struct reader_reply reply = good_reply(READER_FIND), ret;

	CHECK_INT(parse_reply(&reply), 0);
	for (size_t size = 0; size <= sizeof(reply); size++)
		CHECK_INT(reader_reply_parse(&reply, size, &ret),
		          size == reader_reply_size(READER_FIND) ? 0 : -EBADMSG);
	REFUSED_REPLY(READER_FIND, r.job = _READER_JOB_MAX);
	REFUSED_REPLY(READER_FIND, r.qemu.tid = -5);
	REFUSED_REPLY(READER_FIND, r.same = 2);
	REFUSED_REPLY(READER_FIND, r.result = _CARRIER_PROBLEM_MAX);
	REFUSED_REPLY(READER_FIND, r.result = INT32_MIN);
	REFUSED_REPLY(READER_FIND, r.carrier.lane = BOARD_LANES);
	REFUSED_REPLY(READER_FIND, r.carrier.generation = 0);
	REFUSED_REPLY(READER_FIND, r.carrier.object.inode = 0);
	REFUSED_REPLY(READER_FIND, r.carrier.kind = 2);
	REFUSED_REPLY(READER_FIND, r.carrier.sealed = 2);
	REFUSED_REPLY(READER_FIND, r.carrier.size = 4096);
	REFUSED_REPLY(READER_FIND, r.carrier.size = UINT64_MAX);
	REFUSED_REPLY(READER_FIND, r.carrier.address = 1);
	REFUSED_REPLY(READER_FIND, r.carrier.address = UINT64_MAX - 4095);
	REFUSED_REPLY(READER_FIND, r.carrier.topology.cores = 0);
	REFUSED_REPLY(READER_FIND, r.carrier.topology.threads = UINT32_MAX);
	/* nothing was begun: what stands there is not read */
	memset(&reply.carrier, 0xff, sizeof(reply.carrier));
	reply.same = 1;
	CHECK_INT(parse_reply(&reply), 0);
	reply.same = 0;
	reply.result = CARRIER_ABSENT;
	CHECK_INT(parse_reply(&reply), 0);
	reply.result = -EPERM;
	CHECK_INT(parse_reply(&reply), 0);
}

static void test_command_lines(void)
{
	struct reader_reply reply = good_reply(READER_CMDLINE);

	strcpy(reply.facts.args.name, "vm 1");
	strcpy(reply.facts.args.uuid, "6f1c5f9e-4d1a-4e7e-9d0c-0123456789ab");
	CHECK_INT(parse_reply(&reply), 0);
	REFUSED_REPLY(READER_CMDLINE, r.result = 1);
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.max_vcpus = 0);
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.max_vcpus = DOMAIN_VCPUS_MAX + 1);
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.vmid = LABEL_VMID_MAX + 1);
	REFUSED_REPLY(READER_CMDLINE, memset(&r.facts.args.debug_threads, 2, 1));
	REFUSED_REPLY(READER_CMDLINE, memset(&r.facts.args.no_machine, 2, 1));
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.cids.n = DOMAIN_CIDS_MAX + 1);
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.cids = ((struct domain_cids){1, {2}}));
	REFUSED_REPLY(READER_CMDLINE, r.facts.args.cids = ((struct domain_cids){2, {5, 5}}));
	REFUSED_REPLY(READER_CMDLINE, strcpy(r.facts.args.name, "a\nb"));
	REFUSED_REPLY(READER_CMDLINE, memset(r.facts.args.name, 'x', sizeof(r.facts.args.name)));
	REFUSED_REPLY(READER_CMDLINE, memset(r.facts.args.uuid, 'a', sizeof(r.facts.args.uuid)));
	REFUSED_REPLY(READER_CMDLINE, strcpy(r.facts.args.uuid, "12"));
	REFUSED_REPLY(READER_CMDLINE,
	              memset(r.facts.uuid_option, 'a', sizeof(r.facts.uuid_option)));
	REFUSED_REPLY(READER_CMDLINE, r.facts.topology.dies = 0);
}

static void test_vm_confs(void)
{
	struct reader_request request = {.job = READER_VM_CONF, .vmid = 100};
	struct reader_reply reply = {.job = READER_VM_CONF, .labels = {.vmid = 100}};

	CHECK_INT(parse_request(&request), 0);
	request.vmid = 0;
	CHECK_INT(parse_request(&request), -EBADMSG);
	request.vmid = LABEL_VMID_MAX + 1;
	CHECK_INT(parse_request(&request), -EBADMSG);
	request.vmid = 100;
	request.qemu.tid = 7; /* it is of no process */
	CHECK_INT(parse_request(&request), -EBADMSG);
	labels_add_tag(&reply.labels, "web", 3);
	CHECK_INT(parse_reply(&reply), 0);
	reply.labels.n_tags = 2; /* the second one is empty */
	CHECK_INT(parse_reply(&reply), -EBADMSG);
	reply.labels.n_tags = LABEL_TAGS_MAX + 1;
	CHECK_INT(parse_reply(&reply), -EBADMSG);
	reply.labels.n_tags = 1;
	memset(reply.labels.tags[0], 'x', LABEL_TAG_MAX);
	CHECK_INT(parse_reply(&reply), -EBADMSG);
	reply.labels.n_tags = 0;
	strcpy(reply.labels.title, "a\nb");
	CHECK_INT(parse_reply(&reply), -EBADMSG);
	memset(reply.labels.title, 'x', LABEL_MAX);
	CHECK_INT(parse_reply(&reply), -EBADMSG);
	reply.result = -ENOENT; /* then nothing of it is read */
	CHECK_INT(parse_reply(&reply), 0);
}

static struct reader_request good_claim(void)
{
	struct reader_request request = good_request();

	request.job = READER_PROVE;
	request.generation = 9;
	request.claim.nonce = 1;
	request.claim.agent_generation = 1;
	request.claim.n_cpus = 2;
	request.claim.cpus[1] = (struct pvsched_channel_cpu){1, 1, PVSCHED_PAGE_SIZE};
	return request;
}

static struct reader_reply good_proof(void)
{
	struct reader_reply reply = good_reply(READER_PROVE);

	reply.proof = (struct reader_proof){.generation = 9,
	                                    .n_cpus = 2,
	                                    .lane = 1,
	                                    .n_objects = 1,
	                                    .topology = TOPOLOGY_FLAT,
	                                    .address = {0x7f0000000000, 0}};
	return reply;
}

#define REFUSED_CLAIM(change)                                                                      \
	do {                                                                                       \
		struct reader_request r = good_claim();                                            \
		change;                                                                            \
		CHECK_INT(parse_request(&r), -EBADMSG);                                            \
	} while (0)

#define REFUSED_PROOF(change)                                                                      \
	do {                                                                                       \
		struct reader_reply r = good_proof();                                              \
		change;                                                                            \
		CHECK_INT(parse_reply(&r), -EBADMSG);                                              \
	} while (0)

static void test_claims(void)
{
	struct reader_request request = good_claim(), ret, *copy;

	CHECK_INT(parse_request(&request), 0);
	CHECK_INT(reader_request_parse(&request, offsetof(struct reader_request, claim), &ret),
	          -EBADMSG);
	copy = reader_request_copy(&request);
	CHECK(copy && copy->claim.cpus[1].address == PVSCHED_PAGE_SIZE);
	free(copy);
	REFUSED_CLAIM(r.generation = 0);
	REFUSED_CLAIM(r.claim.nonce = 0);
	REFUSED_CLAIM(r.claim.agent_generation = 0);
	REFUSED_CLAIM(r.claim.n_cpus = 0);
	REFUSED_CLAIM(r.claim.n_cpus = PVSCHED_CHANNEL_CPUS_MAX + 1);
	REFUSED_CLAIM(r.claim.cpus[1].address = 1);
	REFUSED_CLAIM(r.qemu.tid = 0);
}

static void test_proofs(void)
{
	struct reader_reply reply = good_proof();

	CHECK_INT(parse_reply(&reply), 0);
	REFUSED_PROOF(r.result = PVSCHED_CHANNEL_NO_POLICY + 1);
	REFUSED_PROOF(r.proof.encryption = _RAM_ENCRYPTION_MAX);
	REFUSED_PROOF(r.proof.n_cpus = 0);
	REFUSED_PROOF(r.proof.n_cpus = PVSCHED_CHANNEL_CPUS_MAX + 1);
	REFUSED_PROOF(r.proof.lane = BOARD_LANES);
	REFUSED_PROOF(r.proof.n_objects = READER_OBJECTS_MAX + 1);
	REFUSED_PROOF(r.proof.topology.cores = 0);
	REFUSED_PROOF(r.proof.address[1] = 1);
	REFUSED_PROOF(r.proof.address[1] = UINT64_MAX - PVSCHED_PAGE_SIZE + 1);
	/* two CPUs in one page */
	REFUSED_PROOF(r.proof.address[1] = r.proof.address[0]);
	reply.result = PVSCHED_CHANNEL_ENCRYPTED;
	reply.proof = (struct reader_proof){.encryption = RAM_TDX};
	CHECK_INT(parse_reply(&reply), 0);
}

static void test_packets(void)
{
	struct reader_request request = good_request(), request_ret;
	struct reader_reply reply = good_reply(READER_FIND), reply_ret;
	char noise[2 * sizeof(reply)] = {1};
	int fds[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	CHECK_INT(reader_request_receive(fds[1], &request_ret), -EAGAIN);
	request.id = 77;
	CHECK_INT(reader_request_send(fds[0], &request), 0);
	CHECK_INT(reader_request_receive(fds[1], &request_ret), 0);
	CHECK_U64(request_ret.id, 77);
	CHECK_INT(reader_reply_send(fds[1], &reply), 0);
	CHECK_INT(reader_reply_receive(fds[0], &reply_ret), 0);
	/* cut, longer than any, of the other kind: each is dropped, and the next one is read */
	CHECK(send(fds[1], &reply, 10, 0) == 10);
	CHECK(send(fds[1], noise, sizeof(noise), 0) == sizeof(noise));
	CHECK(send(fds[1], &request, sizeof(request), 0) == sizeof(request));
	CHECK_INT(reader_reply_send(fds[1], &reply), 0);
	for (int i = 0; i < 3; i++)
		CHECK_INT(reader_reply_receive(fds[0], &reply_ret), -EBADMSG);
	CHECK_INT(reader_reply_receive(fds[0], &reply_ret), 0);
	/* a reader that takes nothing holds up no sender */
	while (reader_request_send(fds[0], &request) == 0)
		;
	CHECK_INT(reader_request_send(fds[0], &request), -EAGAIN);
	close(fds[1]);
	CHECK_INT(reader_request_send(fds[0], &request), -EPIPE);
	CHECK_INT(reader_reply_receive(fds[0], &reply_ret), -EPIPE);
	close(fds[0]);
}

TEST_MAIN({"requests", test_requests}, {"found", test_found}, {"command_lines", test_command_lines},
          {"vm_confs", test_vm_confs}, {"claims", test_claims}, {"proofs", test_proofs},
          {"packets", test_packets})
