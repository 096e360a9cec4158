/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "control/control.h"
#include "test.h"

static void test_parses(void)
{
	struct control_request request;
	char error[256];
	static const char good[] =
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"latency\","
	        "\"for_s\":600}";
	static const char explain[] = "{\"verb\":\"explain\",\"domain\":\"web\",\"vcpu\":3}";
	static const char latency[] = "{\"verb\":\"latency\",\"domain\":\"web\",\"vcpu\":2}";

	static const char absent[] =
	        "{\"verb\":\"policy-set\",\"domain\":\"u\",\"profile\":\"latency\","
	        "\"absent\":true,\"name\":\"web\",\"dry_run\":true}";
	static const char unset[] = "{\"verb\":\"policy-unset\",\"domain\":\"web\"}";
	static const char figures[] =
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"latency\","
	        "\"share_permille\":250,\"burst_us\":700}";
	static const char recommend[] = "{\"verb\":\"recommend\",\"domain\":\"web\"}";
	static const char avoid[] = "{\"verb\":\"avoid\",\"domain\":\"web\",\"vcpus\":\"2-3\"}";
	static const char boost[] =
	        "{\"verb\":\"boost\",\"domain\":\"web\",\"vcpu\":1,\"for_us\":5000}";

	static const char assign[] = "{\"verb\":\"policy-assign\",\"domain\":\"web\","
	                             "\"policy\":\"urgent-only@1\",\"persist\":true}";

	CHECK_INT(control_parse(assign, strlen(assign), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_POLICY_ASSIGN);
	CHECK_STR(request.policy, "urgent-only@1");
	CHECK(request.persist && control_verb_changes(CONTROL_POLICY_ASSIGN));
	CHECK(!control_verb_changes(CONTROL_POLICIES));
	CHECK_INT(control_parse(good, strlen(good), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_POLICY_SET);
	CHECK_STR(request.domain, "web");
	CHECK_STR(request.profile, "latency");
	CHECK_U64(request.for_ns, 600 * NSEC_PER_SEC);
	CHECK(!request.persist);
	CHECK_INT(request.vcpu, -1);
	CHECK_INT(control_parse(explain, strlen(explain), &request, error, sizeof(error)), 0);
	CHECK_INT(request.vcpu, 3);
	CHECK_INT(control_parse(latency, strlen(latency), &request, error, sizeof(error)), 0);
	CHECK(request.verb == CONTROL_LATENCY && request.vcpu == 2);
	CHECK(!control_verb_changes(CONTROL_LATENCY));
	CHECK_INT(control_parse(boost, strlen(boost), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_BOOST);
	CHECK_INT(request.vcpu, 1);
	CHECK_U64(request.for_ns, 5 * NSEC_PER_MSEC);
	CHECK_INT(control_parse(avoid, strlen(avoid), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_AVOID);
	CHECK_STR(request.vcpus, "2-3");
	CHECK(control_verb_changes(CONTROL_AVOID));
	CHECK_INT(control_parse(absent, strlen(absent), &request, error, sizeof(error)), 0);
	CHECK(request.absent && request.dry_run && !request.persist);
	CHECK_STR(request.name, "web");
	CHECK_INT(control_parse(unset, strlen(unset), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_POLICY_UNSET);
	CHECK(control_verb_changes(CONTROL_POLICY_UNSET));
	CHECK(!control_verb_changes(CONTROL_POLICY_LIST));
	CHECK(!control_verb_changes(CONTROL_CONFIG));
	CHECK_INT(control_parse(figures, strlen(figures), &request, error, sizeof(error)), 0);
	CHECK_INT(request.share_permille, 250);
	CHECK_U64(request.burst_ns, 700 * NSEC_PER_USEC);
	CHECK_INT(control_parse(recommend, strlen(recommend), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_RECOMMEND);
	CHECK_INT(request.share_permille, 0);
	CHECK(!control_verb_changes(CONTROL_RECOMMEND));
	CHECK(control_verb_changes(CONTROL_BOOST));
	CHECK(!control_verb_changes(CONTROL_EXPLAIN));
	CHECK(control_verb_changes(CONTROL_RELOAD));
}

static void test_trials(void)
{
	static const char start[] =
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"profile\":\"mine\",\"for_s\":90,"
	        "\"burst_us\":700,\"window_min_ms\":1000,\"window_max_ms\":3000}";
	static const char plain[] = "{\"verb\":\"trial-start\",\"domain\":\"web\"}";
	struct control_request request;
	char error[256];

	CHECK_INT(control_parse(start, strlen(start), &request, error, sizeof(error)), 0);
	CHECK_INT(request.verb, CONTROL_TRIAL_START);
	CHECK_STR(request.profile, "mine");
	CHECK_U64(request.for_ns, 90 * NSEC_PER_SEC);
	CHECK_U64(request.burst_ns, 700 * NSEC_PER_USEC);
	CHECK_U64(request.window_min_ns, NSEC_PER_SEC);
	CHECK_U64(request.window_max_ns, 3 * NSEC_PER_SEC);
	CHECK_INT(control_parse(plain, strlen(plain), &request, error, sizeof(error)), 0);
	CHECK(!request.profile[0] && !request.for_ns && !request.window_min_ns);
	CHECK(control_verb_changes(CONTROL_TRIAL_START));
	CHECK(control_verb_changes(CONTROL_TRIAL_STOP));
	CHECK(!control_verb_changes(CONTROL_TRIAL_POLL));
}

static void test_refuses(void)
{
	static const char *const bad[] = {
	        "",
	        "{",
	        "[]",
	        "null",
	        "{}",
	        "{\"verb\":1}",
	        "{\"verb\":\"Status\"}",
	        "{\"Verb\":\"status\"}",
	        "{\"verb\":\"status\"}x",
	        "{\"verb\":\"status\",\"verb\":\"list\"}",
	        "{\"verb\":\"status\",\"domain\":\"web\"}",
	        "{\"verb\":\"show\"}",
	        "{\"verb\":\"show\",\"domain\":\"\"}",
	        "{\"verb\":\"show\",\"domain\":7}",
	        "{\"verb\":\"show\",\"domain\":\"a\\u0000b\"}",
	        "{\"verb\":\"show\",\"domain\":\"\xff\"}",
	        "{\"verb\":\"policy-unset\"}",
	        "{\"verb\":\"policy-list\",\"domain\":\"web\"}",
	        "{\"verb\":\"policy-assign\",\"domain\":\"web\"}",
	        "{\"verb\":\"policy-assign\",\"policy\":\"pvschedd\"}",
	        "{\"verb\":\"policy-assign\",\"domain\":\"web\",\"policy\":\"\"}",
	        "{\"verb\":\"policy-assign\",\"domain\":\"web\",\"policy\":\"p\",\"for_s\":1}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"p\",\"policy\":\"p\"}",
	        "{\"verb\":\"policy-unset\",\"domain\":\"web\",\"persist\":true}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"name\":\"\"}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"dry_run\":1}",
	        "{\"verb\":\"explain\",\"domain\":\"web\",\"vcpu\":-1}",
	        "{\"verb\":\"latency\"}",
	        "{\"verb\":\"latency\",\"domain\":\"web\",\"for_s\":5}",
	        "{\"verb\":\"explain\",\"domain\":\"web\",\"vcpu\":1e400}",
	        "{\"verb\":\"explain\",\"domain\":\"web\",\"vcpu\":512}",
	        "{\"verb\":\"boost\",\"domain\":\"web\"}",
	        "{\"verb\":\"boost\",\"for_us\":5000}",
	        "{\"verb\":\"boost\",\"domain\":\"web\",\"for_us\":0}",
	        "{\"verb\":\"boost\",\"domain\":\"web\",\"for_us\":10000001}",
	        "{\"verb\":\"boost\",\"domain\":\"web\",\"for_s\":1}",
	        "{\"verb\":\"avoid\",\"domain\":\"web\"}",
	        "{\"verb\":\"avoid\",\"domain\":\"web\",\"vcpus\":\"\"}",
	        "{\"verb\":\"avoid\",\"domain\":\"web\",\"vcpus\":3}",
	        "{\"verb\":\"boost\",\"domain\":\"web\",\"for_us\":5,\"vcpus\":\"3\"}",
	        "{\"verb\":\"trial-start\"}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"persist\":true}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"window_min_ms\":1000}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"window_max_ms\":1000}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"window_min_ms\":2000,"
	        "\"window_max_ms\":1000}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"window_min_ms\":499,"
	        "\"window_max_ms\":1000}",
	        "{\"verb\":\"trial-start\",\"domain\":\"web\",\"window_min_ms\":1000,"
	        "\"window_max_ms\":600001}",
	        "{\"verb\":\"trial-poll\"}",
	        "{\"verb\":\"trial-poll\",\"domain\":\"web\",\"for_s\":9}",
	        "{\"verb\":\"trial-stop\",\"domain\":\"web\",\"profile\":\"latency\"}",
	        "{\"verb\":\"recommend\"}",
	        "{\"verb\":\"recommend\",\"domain\":\"web\",\"burst_us\":700}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"burst_us\":49}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"burst_us\":10001}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\","
	        "\"share_permille\":0}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\","
	        "\"share_permille\":1001}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\"}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"for_s\":0}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"for_s\":"
	        "9007199254740993}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"x\",\"for_s\":1,"
	        "\"persist\":true}",
	        "{\"verb\":\"policy-set\",\"domain\":\"web\","
	        "\"profile\":\"a-name-of-more-than-thirty-two-characters\"}",
	        "{\"verb\":\"status\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]"
	        "]]]]]]]]]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct control_request request = {.vcpu = 77};
		char error[256] = "";

		CHECK_INT(control_parse(bad[i], strlen(bad[i]), &request, error, sizeof(error)),
		          -EBADMSG);
		CHECK_CONTAINS(error, "request");
		CHECK_INT(request.vcpu, 77);
	}
}

/** No cut or flipped byte of a good request may do more than be refused. */
static void test_damaged_requests(void)
{
	static const char good[] =
	        "{\"verb\":\"policy-set\",\"domain\":\"web\",\"profile\":\"latency\","
	        "\"persist\":true}";
	struct control_request request;
	char copy[sizeof(good)], error[64];
	unsigned int seed = 1;

	for (size_t size = 0; size < strlen(good); size++)
		CHECK_INT(control_parse(good, size, &request, error, sizeof(error)), -EBADMSG);
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, good, sizeof(good));
		for (int k = 0; k < 3; k++) {
			seed = seed * 1103515245 + 12345;
			copy[(seed >> 8) % strlen(good)] = (char)(seed >> 20);
		}
		if (control_parse(copy, strlen(good), &request, error, sizeof(error)) == 0) {
			CHECK(strlen(request.domain) > 0);
			CHECK(strlen(request.profile) < sizeof(request.profile));
		}
		CHECK(memchr(error, '\0', sizeof(error)));
	}
}

TEST_MAIN({"parses", test_parses}, {"trials", test_trials}, {"refuses", test_refuses},
          {"damaged_requests", test_damaged_requests})
