/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/policy.h"

#include <string.h>

#include "virt/defined.h"

int policy_ask_absent(const struct ctl_args *args, struct ctl_reply *reply)
{
	struct defined_domain defined = {0};
	struct ctl_args again = *args;
	struct ctl_reply answer = CTL_REPLY_NULL;
	int r;

	if (args->verb != CTL_POLICY_SET || reply->ok || strcmp(reply->code, "ENOENT") != 0)
		return 0;
	r = defined_find(args->domain, &defined);
	if (r == 0)
		again.domain = defined.uuid;
	/* another name is refused again; a uuid may be that of a QEMU without libvirt */
	again.absent = true;
	again.name = defined.name[0] ? defined.name : NULL;
	r = ctl_ask(&again, &answer);
	if (r < 0)
		return r;
	ctl_reply_cleanup(reply);
	*reply = answer;
	return 0;
}
