/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's configuration: what is taken is within its limits, what is not has a message. */
#include <errno.h>

#include "agent/settings.h"
#include "agent/uevents.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings;
	struct json_error error;
	char why[512];
	int r = settings_parse((const char *)data, size, &settings, &error);

	FUZZ_CHECK(uevent_parse((const char *)data, size) <= UEVENT_VIRTIO);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0) {
		json_error_format(&error, "file", why, sizeof(why));
		fuzz_check_message(why);
		return 0;
	}
	FUZZ_CHECK(settings.port && settings.port < UINT32_MAX);
	FUZZ_CHECK(settings.n_policies >= 1 && settings.n_policies <= PVSCHED_CHANNEL_POLICIES_MAX);
	FUZZ_CHECK(settings.step_aside <= SETTINGS_ASIDE_AUTO);
	FUZZ_CHECK(settings.n_users >= 1 && settings.n_users <= SETTINGS_USERS_MAX);
	FUZZ_CHECK(settings_user(&settings, 0) == &settings.users[0]);
	for (uint32_t i = 0; i < settings.n_users; i++) {
		FUZZ_CHECK(settings.users[i].urgent_permille <= 1000);
		FUZZ_CHECK(settings.users[i].rt_priority_max >= 1 &&
		           settings.users[i].rt_priority_max <= 99);
		FUZZ_CHECK(settings.users[i].connections_max <= SETTINGS_CLIENTS_MAX);
	}
	return 0;
}
