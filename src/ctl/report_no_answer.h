/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is said, on standard error, where the daemon did not answer a request or refused it. */

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/exit_status.h"

/** No daemon exists. */
bool ctl_is_dead(int error);

/** A daemon exists, but hangs or was just leaving. */
bool ctl_is_hung(int error);

/** @error as ctl_ask() returned it. */
enum exit_status report_no_answer(const struct ctl_args *args, int error);

enum exit_status report_refusal(const struct ctl_args *args, const struct ctl_reply *reply);
