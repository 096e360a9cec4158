/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policies.json: what is read is written as a text that reads the same. */
#include <errno.h>

#include "daemon/policies_file.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policies policies = {0}, again = {0};
	struct json_error error;
	char *text;
	int r = policies_parse((const char *)data, size, &policies, &error);

	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ENOSPC);
	FUZZ_CHECK(policies.n <= POLICIES_MAX);
	if (r == 0) {
		text = policies_print(&policies);
		FUZZ_CHECK(text);
		FUZZ_CHECK(policies_parse(text, strlen(text), &again, &error) == 0);
		FUZZ_CHECK(again.n == policies.n);
		for (size_t i = 0; i < again.n; i++) {
			FUZZ_CHECK(strcmp(again.entries[i].uuid, policies.entries[i].uuid) == 0);
			FUZZ_CHECK(strcmp(again.entries[i].name, policies.entries[i].name) == 0);
			FUZZ_CHECK(strcmp(again.entries[i].profile, policies.entries[i].profile) ==
			           0);
			FUZZ_CHECK(strcmp(again.entries[i].policy, policies.entries[i].policy) ==
			           0);
			FUZZ_CHECK(again.entries[i].ran_s == policies.entries[i].ran_s);
		}
		free(text);
	}
	policies_finish(&policies);
	policies_finish(&again);
	return 0;
}
