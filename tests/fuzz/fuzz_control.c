/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line on the control socket, from anybody who may connect. */
#include <errno.h>

#include "control/control.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request request;
	char error[1024] = "";
	int r = control_parse((const char *)data, size, &request, error, sizeof(error));

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0) {
		fuzz_check_message(error);
		return 0;
	}
	FUZZ_CHECK((unsigned int)request.verb < _CONTROL_VERB_MAX);
	FUZZ_CHECK(memchr(request.domain, '\0', sizeof(request.domain)));
	FUZZ_CHECK(memchr(request.profile, '\0', sizeof(request.profile)));
	FUZZ_CHECK(request.vcpu >= -1);
	control_verb_changes(request.verb);
	return 0;
}
