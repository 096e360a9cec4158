/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main() for a fuzz target without libFuzzer: runs the target over the files and folders named on
 * the command line. A target that finds something wrong aborts.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#include "fuzz.h"

#define INPUT_MAX (4 * 1024 * 1024)

static int replay_file(const char *path)
{
	uint8_t *data CLEANUP(cleanup_free) = malloc(INPUT_MAX);
	uint8_t *exact CLEANUP(cleanup_free) = NULL;
	FILE *file CLEANUP(cleanup_file) = fopen(path, "re");
	size_t size;

	if (!data)
		return -ENOMEM;
	if (!file)
		return -errno;
	size = fread(data, 1, INPUT_MAX, file);
	if (ferror(file))
		return -EIO;
	/* A copy of just this size, so that sanitizers see a read behind its end. */
	exact = malloc(size > 0 ? size : 1);
	if (!exact)
		return -ENOMEM;
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	return 0;
}

/* Returns the number of inputs, or -errno. */
static int replay_dir(const char *path)
{
	DIR *dir CLEANUP(cleanup_dir) = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char *name CLEANUP(cleanup_free) = NULL;
		int r;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
			return -ENOMEM;
		r = replay_file(name);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

static int replay(const char *path)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return replay_dir(path);
	r = replay_file(path);
	return r < 0 ? r : 1;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int r = replay(argv[i]);

		if (r < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return 1;
		}
		n += r;
	}
	printf("%d passed, 0 failed, 0 skipped\n", n);
	return n > 0 ? 0 : 1;
}
