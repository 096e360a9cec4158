// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads the tracer into the running kernel, once for each clang that compiled it, and those that
 * lack something, and says what became of its parts and of KVM's tracepoints: one JSON object a
 * line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects_table.h"

/* A cause may hold anything that a kernel's log may: what JSON does not allow becomes a space. */
static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? ' ' : *text);
	putchar('"');
}

static void print_parts(const struct tracer *tracer)
{
	const struct tracer_parts *parts = tracer_parts(tracer);

	fputs(",\"parts\":{", stdout);
	for (unsigned int part = 0; part < PVS_PARTS; part++) {
		printf("%s\"%s\":", part ? "," : "", tracer_part_name(part));
		print_text(parts->cause[part]);
	}
	putchar('}');
}

static void show(const char *name, struct tracer_bpf *(*open)(void))
{
	const struct pvs_bucket_rule rule = {.burst_ns = NSEC_PER_MSEC, .share_permille = 300};
	struct tracer *tracer = NULL;
	char why[512] = "", missing[256];
	int r = tracer_new_from(&tracer, open, &rule, why, sizeof(why));

	printf("{\"object\":\"%s\",\"error\":", name);
	print_text(r < 0 ? why : "");
	if (r == 0) {
		print_parts(tracer);
		tracer_missing(tracer, missing, sizeof(missing));
		fputs(",\"missing\":", stdout);
		print_text(missing);
		printf(",\"handlers\":%s", tracer_sources(tracer)->handlers ? "true" : "false");
	}
	puts("}");
	tracer_free(tracer);
}

/* The guest's: this machine is the guest. */
static void show_guest(const char *name, struct guest_bpf *(*open)(void))
{
	struct guest_tracer *tracer = NULL;
	char why[512] = "";
	const char *comma = "";
	int r = guest_tracer_new_from(&tracer, open, (uint32_t)sysconf(_SC_NPROCESSORS_CONF),
	                              GUEST_ALL, why, sizeof(why));

	if (r == 0)
		r = guest_tracer_attach(tracer);
	printf("{\"guest_object\":\"%s\",\"error\":", name);
	print_text(r < 0 && !why[0] ? strerror(-r) : why);
	fputs(",\"missing\":[", stdout);
	for (unsigned int i = 0; tracer && i < _GUEST_SOURCE_MAX; i++) {
		if (guest_tracer_sources(tracer) & (1U << i))
			continue;
		printf("%s\"%s\"", comma, guest_source_name(i));
		comma = ",";
	}
	puts("]}");
	guest_tracer_free(tracer);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tracer_objects); i++)
		show(tracer_objects[i].name, tracer_objects[i].open);
	for (size_t i = 0; i < ARRAY_SIZE(guest_objects); i++)
		show_guest(guest_objects[i].name, guest_objects[i].open);
	return EXIT_SUCCESS;
}
