/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration when memory runs out: at the first, the second, ... allocation. Each time it
 * says so, keeps nothing (a leak checker sees that) and leaves the caller's pointer alone.
 *
 * Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup.
 */
#include <errno.h>

#include "config/config.h"

#include "test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);

static long allocations_left = -1; /* -1: any number */

static bool allowed(void)
{
	if (allocations_left == 0)
		return false;
	if (allocations_left > 0)
		allocations_left--;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return allowed() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
	return allowed() ? __real_realloc(p, size) : NULL;
}

char *__wrap_strdup(const char *s)
{
	return allowed() ? __real_strdup(s) : NULL;
}

static const char text[] =
        "{\"version\":1,\"default_profile\":\"own\",\"profiles\":{\"own\":{\"mode\":\"boost\"}},"
        "\"domains\":{\"name\":{\"a\":{},\"b\":{\"profile\":\"off\"}},\"glob\":{\"c*\":{}},"
        "\"uuid\":{\"6695eb01-f6a4-8304-79aa-97f2502e193f\":{}}}}";

static const char drop_in[] = "{\"version\":1,\"domains\":{\"name\":{\"a\":{\"burst_us\":60}}}}";

static int parse_with(long allocations, struct config **ret, char *error, size_t size)
{
	const struct config_text files[] = {
	        {"f", text, strlen(text)},
	        {"g", drop_in, strlen(drop_in)},
	};
	int r;

	allocations_left = allocations;
	r = config_parse_all(files, ARRAY_SIZE(files), ret, error, size);
	allocations_left = -1;
	return r;
}

static void test_every_allocation(void)
{
	struct config *config = NULL;
	char error[512];
	long n = 0;
	int r;

	for (;; n++) {
		error[0] = '\0';
		r = parse_with(n, &config, error, sizeof(error));
		if (r == 0)
			break;
		CHECK_INT(r, -ENOMEM);
		CHECK(!config);
		CHECK_CONTAINS(error, "out of memory");
	}
	CHECK_GE(n, 50);
	config_free(config);
	allocations_left = 1;
	CHECK(!config_default());
	allocations_left = -1;
}

TEST_MAIN({"every allocation", test_every_allocation})
