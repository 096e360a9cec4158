/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/** A bit of pvs_vcpu_account::flags that the shipped tracer knows nothing of: see untimed.bpf.c. */
#define UNTIMED_FLAG_TELL (1U << 31)
