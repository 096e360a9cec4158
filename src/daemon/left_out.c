// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/left_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "virt/process.h"
#include "virt/threads.h"

static void add(char *text, size_t size, const char *format, ...) PRINTF_FORMAT(3, 4);

/* Adds a part to a sentence. */
static void add(char *text, size_t size, const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;

	if (n > 0)
		snprintf(text + n, size - n, "; ");
	n = strlen(text);
	va_start(args, format);
	vsnprintf(text + n, size - n, format, args);
	va_end(args);
}

bool left_out_text(const struct domain_left_out *left_out, char *text, size_t size)
{
	*text = '\0';
	if (left_out->vcpus)
		add(text, size, "%zu vCPUs are left out: a domain may have %d", left_out->vcpus,
		    DOMAIN_VCPUS_MAX);
	if (left_out->threads)
		add(text, size,
		    "QEMU has %zu more threads than the %d that are looked at: vCPUs among them "
		    "are "
		    "not found",
		    left_out->threads, THREADS_MAX);
	if (left_out->descriptors)
		add(text, size,
		    "QEMU has more descriptors than the %d that are looked at: vCPUs of KVM may be "
		    "unproven",
		    PROCESS_DESCRIPTORS_MAX);
	if (left_out->unproven)
		add(text, size, "%zu more threads have the name of a vCPU, and nothing proves it",
		    left_out->unproven);
	if (left_out->helpers)
		add(text, size, "%zu iothreads or vhost threads are not watched: it has too many",
		    left_out->helpers);
	return *text;
}
