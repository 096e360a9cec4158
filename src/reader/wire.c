// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pvsched/page.h"

/* As in model/topology.c. */
#define TOPOLOGY_COUNT_MAX 4096

#define ERRNO_MAX 4095

/* A file of Proxmox's is no process's. */
static bool is_asked_of(const struct thread_id *id, uint32_t job)
{
	return job == READER_VM_CONF ? id->tid == 0 : id->tid > 0;
}

/* ---- checks ---- */

static bool has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Empty, or digits and dashes as in a canonical uuid. */
static bool is_uuid(const char *text)
{
	if (!has_end(text, DOMAIN_UUID_LEN))
		return false;
	return text[0] == '\0' || (strlen(text) == DOMAIN_UUID_LEN - 1 &&
	                           strspn(text, "0123456789abcdef-") == DOMAIN_UUID_LEN - 1);
}

static bool is_name(const char *text)
{
	if (!has_end(text, DOMAIN_NAME_MAX))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_count(uint32_t count)
{
	return count >= 1 && count <= TOPOLOGY_COUNT_MAX;
}

static bool is_topology(const struct topology *t)
{
	return is_count(t->dies) && is_count(t->cores) && is_count(t->threads);
}

static bool is_carrier(const struct reader_carrier *c)
{
	return c->kind <= CARRIER_SHMEM && c->sealed <= 1 && c->lane < BOARD_LANES &&
	       c->object.inode && c->generation && c->size >= PVSCHED_REGION_SIZE_MIN &&
	       c->size <= PVSCHED_REGION_SIZE_MAX && c->address % PVSCHED_PAGE_SIZE == 0 &&
	       c->address <= UINT64_MAX - c->size && is_topology(&c->topology);
}

/* A bool that is neither 0 nor 1 must not be read as one. */
static bool is_bool(const bool *value)
{
	unsigned char byte;

	memcpy(&byte, value, sizeof(byte));
	return byte <= 1;
}

static bool is_facts(const struct cmdline_facts *facts)
{
	return facts->args.vmid <= LABEL_VMID_MAX && is_bool(&facts->args.debug_threads) &&
	       is_bool(&facts->args.no_machine) &&
	       has_end(facts->uuid_option, sizeof(facts->uuid_option)) &&
	       is_name(facts->args.name) && cids_valid(&facts->args.cids) &&
	       is_uuid(facts->args.uuid) && facts->args.max_vcpus >= 1 &&
	       facts->args.max_vcpus <= DOMAIN_VCPUS_MAX && is_topology(&facts->topology);
}

static bool is_result(const struct reader_reply *reply)
{
	int32_t most = 0;

	if (reply->job == READER_FIND)
		most = _CARRIER_PROBLEM_MAX - 1;
	else if (reply->job == READER_PROVE)
		most = PVSCHED_CHANNEL_NO_POLICY;
	return reply->result >= -ERRNO_MAX && reply->result <= most;
}

static int compare_words(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Two CPUs that have one page would speak for each other. */
static bool has_twice(const uint64_t *addresses, uint32_t n)
{
	uint64_t sorted[PVSCHED_CHANNEL_CPUS_MAX];

	memcpy(sorted, addresses, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_words);
	for (uint32_t i = 1; i < n; i++)
		if (sorted[i] && sorted[i] == sorted[i - 1])
			return true;
	return false;
}

static bool is_proof(const struct reader_reply *reply)
{
	const struct reader_proof *proof = &reply->proof;

	if (proof->encryption >= _RAM_ENCRYPTION_MAX)
		return false;
	if (reply->result != 0)
		return true;
	if (proof->n_cpus < 1 || proof->n_cpus > PVSCHED_CHANNEL_CPUS_MAX ||
	    proof->lane >= BOARD_LANES || proof->n_objects > READER_OBJECTS_MAX ||
	    !is_topology(&proof->topology))
		return false;
	for (uint32_t i = 0; i < proof->n_cpus; i++)
		if (proof->address[i] % PVSCHED_PAGE_SIZE ||
		    proof->address[i] > INT64_MAX - PVSCHED_PAGE_SIZE)
			return false;
	return !has_twice(proof->address, proof->n_cpus);
}

static bool is_claim(const struct reader_request *request)
{
	const struct reader_claim *claim = &request->claim;

	if (!request->generation || !claim->nonce || !claim->agent_generation ||
	    claim->n_cpus < 1 || claim->n_cpus > PVSCHED_CHANNEL_CPUS_MAX)
		return false;
	for (uint32_t i = 0; i < claim->n_cpus; i++)
		if (claim->cpus[i].address % PVSCHED_PAGE_SIZE)
			return false;
	return true;
}

static bool is_reply(const struct reader_reply *reply)
{
	if (!is_asked_of(&reply->qemu, reply->job) || !is_result(reply) || reply->same > 1)
		return false;
	switch ((enum reader_job)reply->job) {
	case READER_FIND:
		return reply->result != 0 || reply->same || is_carrier(&reply->carrier);
	case READER_DROP:
		return true;
	case READER_CMDLINE:
		return reply->result != 0 || is_facts(&reply->facts);
	case READER_VM_CONF:
		return reply->result != 0 || labels_valid(&reply->labels);
	case READER_PROVE:
		return is_proof(reply);
	case _READER_JOB_MAX:
		break;
	}
	return false;
}

static bool is_request(const struct reader_request *request)
{
	if (!is_asked_of(&request->qemu, request->job) || request->ends > 1 || request->refused > 1)
		return false;
	switch ((enum reader_job)request->job) {
	case READER_FIND:
		return request->n_pages >= 1 && request->n_pages <= PVSCHED_REGION_PAGES_MAX;
	case READER_DROP:
		return request->generation != 0;
	case READER_CMDLINE:
		return true;
	case READER_VM_CONF:
		return request->vmid >= 1 && request->vmid <= LABEL_VMID_MAX;
	case READER_PROVE:
		return is_claim(request);
	case _READER_JOB_MAX:
		break;
	}
	return false;
}

size_t reader_request_size(uint32_t job)
{
	return job == READER_PROVE ? sizeof(struct reader_request)
	                           : offsetof(struct reader_request, claim);
}

size_t reader_reply_size(uint32_t job)
{
	size_t begin = offsetof(struct reader_reply, labels);

	if (job == READER_VM_CONF)
		return begin + sizeof(struct domain_labels);
	return job == READER_PROVE ? begin + sizeof(struct reader_proof) : begin;
}

struct reader_request *reader_request_copy(const struct reader_request *request)
{
	size_t size = reader_request_size(request->job);
	struct reader_request *copy = malloc(size);

	return copy ? memcpy(copy, request, size) : NULL;
}

int reader_request_parse(const void *packet, size_t size, struct reader_request *ret)
{
	*ret = (struct reader_request){0};
	if (size < offsetof(struct reader_request, claim) || size > sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, packet, size);
	return size == reader_request_size(ret->job) && is_request(ret) ? 0 : -EBADMSG;
}

int reader_reply_parse(const void *packet, size_t size, struct reader_reply *ret)
{
	memset(ret, 0, sizeof(*ret)); /* all of the union, too */
	if (size < offsetof(struct reader_reply, labels) || size > sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, packet, size);
	return size == reader_reply_size(ret->job) && is_reply(ret) ? 0 : -EBADMSG;
}

/* ---- packets ---- */

static int send_packet(int socket, const void *packet, size_t size, int flags)
{
	ssize_t n;

	do {
		n = send(socket, packet, size, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* Returns the size; one that is longer than @size is cut, but its whole size is returned. */
static ssize_t receive_packet(int socket, void *packet, size_t size)
{
	ssize_t n;

	do {
		n = recv(socket, packet, size, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
}

int reader_request_send(int socket, const struct reader_request *request)
{
	return send_packet(socket, request, reader_request_size(request->job), MSG_DONTWAIT);
}

int reader_reply_send(int socket, const struct reader_reply *reply)
{
	return send_packet(socket, reply, reader_reply_size(reply->job), 0);
}

int reader_request_receive(int socket, struct reader_request *ret)
{
	char packet[sizeof(*ret)];
	ssize_t n = receive_packet(socket, packet, sizeof(packet));

	return n < 0 ? (int)n : reader_request_parse(packet, (size_t)n, ret);
}

int reader_reply_receive(int socket, struct reader_reply *ret)
{
	char packet[sizeof(*ret)];
	ssize_t n = receive_packet(socket, packet, sizeof(packet));

	return n < 0 ? (int)n : reader_reply_parse(packet, (size_t)n, ret);
}
