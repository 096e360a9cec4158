/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/libvirt_api.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "util/base.h"

#define DEFINE(name) __typeof__(name) *sym_##name;
LIBVIRT_FUNCTIONS(DEFINE)
#undef DEFINE

static const struct {
	const char *name;
	void **place;
} functions[] = {
#define ENTRY(name) {#name, (void **)&sym_##name},
        LIBVIRT_FUNCTIONS(ENTRY)
#undef ENTRY
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int result;

static void load(void)
{
	void *library = dlopen(LIBVIRT_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	for (size_t i = 0; library && i < ARRAY_SIZE(functions); i++) {
		*functions[i].place = dlsym(library, functions[i].name);
		if (!*functions[i].place)
			result = -ELIBACC;
	}
	if (!library)
		result = -ELIBACC;
}

int libvirt_load(void)
{
	pthread_once(&once, load);
	return result;
}
