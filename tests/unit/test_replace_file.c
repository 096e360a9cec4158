// SPDX-License-Identifier: GPL-2.0-or-later
/* A file is replaced as a whole, whatever others have put in its place. Needs util/replace_file.c.
 */
#include "util/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char dir[64], path[96], draft[96], other[96];

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/pvsched-replace-XXXXXX");
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.prom", dir);
	snprintf(draft, sizeof(draft), "%s/.a.prom.new", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
}

static void end(void)
{
	unlink(path);
	unlink(draft);
	unlink(other);
	CHECK_INT(rmdir(dir), 0);
}

static void put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	CHECK(f && fputs(text, f) >= 0);
	CHECK_INT(fclose(f), 0);
}

static const char *content(const char *file)
{
	static char text[4096];
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "none" : text;
}

static void test_replaces(void)
{
	struct stat st;

	begin();
	umask(0077);
	CHECK_INT(replace_file(path, "one\n", 4), 0);
	CHECK_STR(content(path), "one\n");
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	put(draft, "of a run that was killed");
	CHECK_INT(replace_file(path, "two\n", 4), 0);
	CHECK_STR(content(path), "two\n");
	CHECK_INT(access(draft, F_OK), -1);
	CHECK_INT(replace_file_remove(path), 0);
	CHECK_INT(access(path, F_OK), -1);
	CHECK_INT(replace_file_remove(path), 0);
	end();
}

/* A reader that has the old file open goes on reading that one. */
static void test_readers(void)
{
	char text[16] = "";
	int fd;

	begin();
	CHECK_INT(replace_file(path, "old", 3), 0);
	fd = open(path, O_RDONLY);
	CHECK_INT(replace_file(path, "longer", 6), 0);
	CHECK_INT(read(fd, text, sizeof(text) - 1), 3);
	CHECK_STR(text, "old");
	close(fd);
	end();
}

/* What others put there is replaced, not followed and not written to. */
static void test_links(void)
{
	char link_dir[96], through[128];

	begin();
	put(other, "precious");
	CHECK_INT(symlink(other, path), 0);
	CHECK_INT(symlink(other, draft), 0);
	CHECK_INT(replace_file(path, "new", 3), 0);
	CHECK_STR(content(other), "precious");
	CHECK_STR(content(path), "new");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(mkfifo(draft, 0600), 0);
	CHECK_INT(replace_file(path, "new", 3), 0);
	CHECK_STR(content(path), "new");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(link(other, draft), 0);
	CHECK_INT(replace_file(path, "new", 3), 0);
	CHECK_STR(content(other), "precious");
	snprintf(link_dir, sizeof(link_dir), "%s/link", dir);
	snprintf(through, sizeof(through), "%s/a.prom", link_dir);
	CHECK_INT(symlink(dir, link_dir), 0);
	CHECK(replace_file(through, "evil", 4) < 0);
	CHECK_STR(content(path), "new");
	CHECK_INT(unlink(link_dir), 0);
	end();
}

static void test_refused(void)
{
	char below[128];

	begin();
	snprintf(below, sizeof(below), "%s/none/a.prom", dir);
	CHECK_INT(replace_file(below, "x", 1), -ENOENT);
	CHECK_INT(replace_file_remove(below), 0);
	CHECK_INT(mkdir(path, 0700), 0);
	CHECK(replace_file(path, "x", 1) < 0);
	CHECK_INT(access(draft, F_OK), -1);
	CHECK_INT(rmdir(path), 0);
	put(other, "x");
	snprintf(below, sizeof(below), "%s/a.prom", other);
	CHECK_INT(replace_file(below, "x", 1), -ENOTDIR);
	end();
}

TEST_MAIN(TEST(test_replaces), TEST(test_readers), TEST(test_links), TEST(test_refused))
