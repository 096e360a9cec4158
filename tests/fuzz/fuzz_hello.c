/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an agent in a guest sends: the input is a frame HELLO, and the same bytes are a frame STORED
 * and the turns of a handshake. What is taken of a hello is what the contract says of it, and no
 * order of frames serves a guest that has not stored the last nonce.
 */
#include "channel/hello.h"
#include "channel/session.h"
#include "policy/registry.h"

#include "fuzz.h"

static void check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	FUZZ_CHECK(n < size);
	for (size_t i = 0; i < size; i++)
		FUZZ_CHECK(i < n ? text[i] >= ' ' && text[i] <= '~' : text[i] == '\0');
}

static void check_cpus(const struct channel_hello *hello)
{
	bool none = hello->cpus[0].apic_id == PVSCHED_APIC_ID_NONE;

	for (uint32_t i = 0; i < hello->n_cpus; i++) {
		const struct pvsched_channel_cpu *a = &hello->cpus[i];

		FUZZ_CHECK(a->address % PVSCHED_PAGE_SIZE == 0);
		FUZZ_CHECK(a->address >> CHANNEL_ADDRESS_BITS == 0);
		FUZZ_CHECK((a->apic_id == PVSCHED_APIC_ID_NONE) == none);
		for (uint32_t k = 0; k < i; k++) {
			const struct pvsched_channel_cpu *b = &hello->cpus[k];

			FUZZ_CHECK(a->address != b->address && a->cpu_index != b->cpu_index);
			FUZZ_CHECK(none || a->apic_id != b->apic_id);
		}
	}
}

static void check_hello(const uint8_t *data, size_t size)
{
	struct channel_hello *hello = NULL;
	uint32_t number;
	const char *why = NULL;
	int r = channel_hello_parse(data, size, &hello, &why);

	if (r != 0) {
		FUZZ_CHECK(!hello);
		fuzz_check_message(why);
		return;
	}
	FUZZ_CHECK(hello->agent_generation && !(hello->cs_unavailable & ~PVSCHED_CS_ALL));
	FUZZ_CHECK(hello->n_cpus >= 1 && hello->n_cpus <= PVSCHED_CHANNEL_CPUS_MAX);
	FUZZ_CHECK(hello->n_policies >= 1 && hello->n_policies <= PVSCHED_CHANNEL_POLICIES_MAX);
	check_text(hello->agent_version, sizeof(hello->agent_version));
	check_text(hello->kernel, sizeof(hello->kernel));
	for (uint32_t i = 0; i < hello->n_policies; i++)
		check_text(hello->policies[i].name, sizeof(hello->policies[i].name));
	check_cpus(hello);
	FUZZ_CHECK(registry_negotiate(hello->policies, hello->n_policies, &number) <=
	           PVSCHED_STATUS_MODE);
	FUZZ_CHECK(number <= registry_n);
	free(hello);
}

/* One turn of a handshake; the nonces are few, so that right ones come, too. */
static void turn(struct channel_session *s, uint8_t what, uint8_t number, uint64_t now_ns)
{
	bool stored = s->phase == CHANNEL_CHALLENGED && s->nonce == number && s->open > 0;
	int r;

	switch (what % 6) {
	case 0:
		channel_session_hello(s, now_ns);
		break;
	case 1:
		channel_session_challenge(s, number | 1, number | 1, now_ns);
		break;
	case 2:
		r = channel_session_stored(s, number, now_ns);
		FUZZ_CHECK((r == 0) == stored);
		FUZZ_CHECK(r != 0 || s->phase == CHANNEL_PROVING);
		break;
	case 3:
		if (channel_session_proven(s, number) == 0) {
			FUZZ_CHECK(s->generation == number);
			channel_session_answer(s, PVSCHED_CHANNEL_SERVED, PVSCHED_STATUS_ENABLED, 1,
			                       now_ns);
		}
		break;
	case 4:
		channel_session_changed(s, number & 1);
		break;
	case 5:
		if (channel_session_tells(s, now_ns))
			channel_session_told(s, number & 1, now_ns);
		break;
	}
	FUZZ_CHECK((s->refusal == PVSCHED_CHANNEL_SERVED) == (s->phase == CHANNEL_ANSWERED));
	FUZZ_CHECK(!channel_session_tells(s, now_ns) || s->phase == CHANNEL_ANSWERED);
	FUZZ_CHECK(channel_session_next_ns(s) >= s->since_ns);
	FUZZ_CHECK(channel_session_state(s)[0]);
}

static void check_handshake(const uint8_t *data, size_t size)
{
	uint64_t now_ns = NSEC_PER_SEC;
	struct channel_session session;

	channel_session_begin(&session, now_ns);
	for (size_t i = 0; i + 2 <= size; i += 2, now_ns += NSEC_PER_MSEC)
		turn(&session, data[i], data[i + 1], now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	uint64_t nonce;

	check_hello(data, size);
	if (channel_stored_parse(data, size, &nonce, &why) < 0)
		fuzz_check_message(why);
	check_handshake(data, size);
	return 0;
}
