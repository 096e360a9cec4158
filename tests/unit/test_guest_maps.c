/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Lines of /proc/PID/maps, whole, in pieces, broken, and our own; QEMU's object arguments. */

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "guest/maps.h"
#include "guest/objects.h"
#include "test.h"

#define MEMFD_LINE                                                                                 \
	"7ff4a828b000-7ff4a838b000 rw-s 00001000 00:01 29                         "                \
	"/memfd:memory-backend-memfd (deleted)"

static int parse(const char *line, struct maps_entry *ret)
{
	return maps_parse_line(line, strlen(line), ret);
}

static void test_line(void)
{
	struct maps_entry entry;

	CHECK_INT(parse(MEMFD_LINE, &entry), 0);
	CHECK_U64(entry.start, 0x7ff4a828b000);
	CHECK_U64(entry.end, 0x7ff4a838b000);
	CHECK_U64(entry.offset, 0x1000);
	CHECK(entry.shared && entry.data);
	CHECK_U64(entry.device, makedev(0, 1));
	CHECK_U64(entry.inode, 29);
	CHECK_STR(entry.path, "/memfd:memory-backend-memfd (deleted)");
	CHECK_INT(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 fd:10000 0 ", &entry), 0);
	CHECK(!entry.shared && !entry.data);
	for (const char *const *line =
	             (const char *const[]){"7f00-7f01 -w-p 0 00:00 0 ", "7f00-7f01 r--p 0 00:00 0 ",
	                                   "7f00-7f01 rwxp 0 00:00 0 ", NULL};
	     *line; line++) {
		CHECK_INT(parse(*line, &entry), 0);
		CHECK(!entry.data);
	}
	CHECK_INT(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 fd:10000 0 ", &entry), 0);
	CHECK_U64(entry.device, makedev(0xfd, 0x10000));
	CHECK_STR(entry.path, "");
}

static void test_broken_lines(void)
{
	static const char *const lines[] = {
	        "",
	        "-",
	        "7f-",
	        "7f00-7f01",
	        "7f00-7f01 rw-s",
	        "7f00-7f01 rw-s 0 00:01",
	        "7f00-7f01 rw-s 0 00:01 29", /* the kernel ends the number with a blank */
	        "7f01-7f00 rw-s 0 00:01 29 /x",
	        "7f00-7f00 rw-s 0 00:01 29 /x",
	        "7f00-7f01 rw-x 0 00:01 29 /x",
	        "7f00-7f01 rws 0 00:01 29 /x",
	        "7g00-7f01 rw-s 0 00:01 29 /x",
	        "7F00-7F01 rw-s 0 00:01 29 /x",
	        "7f00-7f01 rw-s 0 00:01 2a /x",
	        "7f00-7f01 rw-s 0 100000000:01 29 /x",
	        "7f00-10000000000000000 rw-s 0 00:01 29 /x",
	        "7f00-7f01 rw-s 0 00:01 18446744073709551616 /x",
	        " 7f00-7f01 rw-s 0 00:01 29 /x"};
	struct maps_entry entry;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(parse(lines[i], &entry), -EBADMSG);
	CHECK_INT(parse("7f00-7f01 rw-s 0 00:01 29 ", &entry), 0);
}

struct seen {
	size_t n;
	uint64_t last_inode;
	char path[MAPS_PATH_MAX];
};

static int see(const struct maps_entry *entry, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->last_inode = entry->inode;
	strcpy(seen->path, entry->path);
	return entry->inode == 99 ? 5 : 0;
}

/** However the text is cut into chunks, the lines are the same. */
static void test_chunks(void)
{
	char text[16384] = "", path[8192];
	size_t size;

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	size = (size_t)snprintf(text, sizeof(text),
	                        "%s\n1-2 r--p 0 0:0 1 /%s\n3-4 r--p 0 0:0 2 /b\n5", MEMFD_LINE,
	                        path);
	for (size_t step = 1; step < size + 2; step += 1 + step / 7) {
		struct maps_reader reader = MAPS_READER_NULL;
		struct seen seen = {.n = 0};

		for (size_t at = 0; at < size; at += step)
			CHECK_INT(maps_feed(&reader, text + at, step < size - at ? step : size - at,
			                    see, &seen),
			          0);
		CHECK_U64(seen.n, 3);
		CHECK_U64(seen.last_inode, 2);
		CHECK_STR(seen.path, "/b");
	}
}

static void test_ends(void)
{
	struct maps_reader reader = MAPS_READER_NULL;
	struct seen seen = {.n = 0};
	static const char line[] = "1-2 r--p 0 0:0 1 \n", last[] = "1-2 r--p 0 0:0 99 \n";

	CHECK_INT(maps_feed(&reader, last, strlen(last), see, &seen), 5);
	CHECK_INT(maps_feed(&reader, "x\n", 2, see, &seen), -EBADMSG);
	while (reader.n < MAPS_ENTRIES_MAX)
		CHECK_INT(maps_feed(&reader, line, strlen(line), see, &seen), 0);
	CHECK_INT(maps_feed(&reader, line, strlen(line), see, &seen), -E2BIG);
}

struct wanted {
	const void *address;
	const char *path;
	struct stat st;
	unsigned int n;
};

static int want(const struct maps_entry *entry, void *userdata)
{
	struct wanted *wanted = userdata;

	if (strncmp(entry->path, wanted->path, strlen(wanted->path)) != 0)
		return 0;
	CHECK(entry->start <= (uintptr_t)wanted->address);
	CHECK(entry->end > (uintptr_t)wanted->address);
	CHECK_U64(entry->device, wanted->st.st_dev);
	CHECK_U64(entry->inode, wanted->st.st_ino);
	CHECK(entry->shared);
	wanted->n++;
	return 0;
}

/** Many mappings of our own, and one of a file with a line end in its name. */
static void test_own(void)
{
	char path[64] = "/tmp/pvsched-test\n-XXXXXX";
	int fd = mkstemp(path), zero = memfd_create("others", MFD_CLOEXEC);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 5000;
	char *others = mmap(NULL, n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct wanted wanted = {.path = "/tmp/pvsched-test\\012-"};
	struct seen seen = {.n = 0};

	CHECK(fd >= 0 && zero >= 0 && others != MAP_FAILED);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(ftruncate(fd, 4096), 0);
	CHECK_INT(fstat(fd, &wanted.st), 0);
	wanted.address = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(wanted.address != MAP_FAILED);
	for (size_t i = 0; i < n; i += 2)
		CHECK(mmap(others + i * page, page, PROT_READ, MAP_SHARED | MAP_FIXED, zero, 0) !=
		      MAP_FAILED);
	CHECK_INT(maps_each(getpid(), want, &wanted), 0);
	CHECK_U64(wanted.n, 1);
	CHECK_INT(maps_each(getpid(), see, &seen), 0);
	CHECK_GE(seen.n, n);
	munmap(others, n * page);
	munmap((void *)wanted.address, 4096);
	close(fd);
	close(zero);
	CHECK_INT(maps_each(0x7fffffff, see, &seen), -ENOENT);
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		int result;
		uint64_t size;
	} cases[] = {
	        {"1048576", 0, 1048576},  {"1M", 0, 1 << 20},
	        {"1m", 0, 1 << 20},       {"1024k", 0, 1 << 20},
	        {"0x100000", 0, 1 << 20}, {"1048576B", 0, 1 << 20},
	        {"2G", 0, 1ULL << 31},    {"1T", 0, 1ULL << 40},
	        {"1P", 0, 1ULL << 50},    {"8E", 0, 1ULL << 63},
	        {"16E", -EBADMSG},        {"18446744073709551616", -EBADMSG},
	        {"1MB", -EBADMSG},        {"1.5M", -EBADMSG},
	        {"-1M", -EBADMSG},        {"", -EBADMSG},
	        {"M", -EBADMSG},          {"0x1M", -EBADMSG},
	        {" 1M", -EBADMSG},        {"1e6", -EBADMSG},
	        {"0x", -EBADMSG},         {"010", 0, 10},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = 0;

		CHECK_INT(objects_parse_size(cases[i].text, &size), cases[i].result);
		CHECK_U64(size, cases[i].size);
	}
}

#define TYPE "memory-backend-memfd"

/** What QEMU 7.2 makes of each of them. */
static void test_objects(void)
{
	static const struct {
		const char *argument;
		int result;
		uint64_t size;
	} cases[] = {
	        {TYPE ",id=pvsched,size=1M,share=on", 0, 1 << 20},
	        {TYPE ",id=pvsched,size=1M,size=2M", 0, 2 << 20},
	        {TYPE ",id=a,id=pvsched,size=1M", OBJECTS_ABSENT},
	        {"id=pvsched,qom-type=" TYPE ",size=1048576B", 0, 1 << 20},
	        {TYPE ",prealloc,id=pvsched,x=a,,id=b,size=1M,", 0, 1 << 20},
	        {TYPE ",id=pvs,,ched,size=1M", OBJECTS_ABSENT},
	        {TYPE ",id=pvsched", 0, 0},
	        {TYPE ",id=pvsched,size=1Q", 0, 0},
	        {TYPE ",id=pvsched2,size=1M", OBJECTS_ABSENT},
	        {TYPE "2,id=pvsched,size=1M", OBJECTS_ABSENT},
	        {"memory-backend-ram,id=pvsched,size=1M", OBJECTS_ABSENT},
	        {"x=" TYPE ",id=pvsched,size=1M", OBJECTS_ABSENT},
	        {TYPE
	         ",x=,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
	         ",,"
	         ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,id=a,"
	         "id=pvsched,size=1M",
	         0, 1 << 20},
	        {"", OBJECTS_ABSENT},
	        {",", OBJECTS_ABSENT},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":\"pvsched\",\"size\":1048576,\"x\":[{}]}", 0,
	         1 << 20},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":\"pvsched\",\"size\":\"1M\"}", 0, 0},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":\"pvsched\",\"size\":-1}", 0, 0},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":\"pvsched\",\"size\":1e300}", 0, 0},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":[\"pvsched\"],\"size\":1048576}",
	         OBJECTS_ABSENT},
	        {"{\"qom-type\":\"" TYPE "\",\"id\":\"pvsched\",\"size\":1048576} x",
	         OBJECTS_ABSENT},
	        {"{\"qom-type\":1,\"id\":\"pvsched\",\"size\":1048576}", OBJECTS_ABSENT},
	        {"{", OBJECTS_ABSENT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char cmdline[1024];
		uint64_t size = 0;
		int n = snprintf(cmdline, sizeof(cmdline), "qemu%c-object%c%s%c-S", 0, 0,
		                 cases[i].argument, 0);

		CHECK_INT(objects_find_memfd(cmdline, (size_t)n + 1, &size), cases[i].result);
		CHECK_U64(size, cases[i].size);
		/* The argument cut by the end of what was read is none. */
		size = 0;
		CHECK_INT(objects_find_memfd(cmdline, (size_t)n - 3, &size), OBJECTS_ABSENT);
	}
}

static void test_command_lines(void)
{
	static const char two[] =
	        "qemu\0-object\0" TYPE ",id=pvsched,size=1M\0--object\0" TYPE ",id=pvsched,size=2M";
	static const char end[] = "qemu\0-object";
	static const char other[] = "qemu\0-device\0" TYPE ",id=pvsched,size=1M";
	static const char value[] = "qemu\0-object\0secret,id=a\0-m\0"
	                            "1G\0--object\0" TYPE ",id=pvsched,size=1M";
	uint64_t size;

	CHECK_INT(objects_find_memfd(two, sizeof(two), &size), OBJECTS_AMBIGUOUS);
	CHECK_INT(objects_find_memfd(end, sizeof(end), &size), OBJECTS_ABSENT);
	CHECK_INT(objects_find_memfd(other, sizeof(other), &size), OBJECTS_ABSENT);
	CHECK_INT(objects_find_memfd(value, sizeof(value), &size), 0);
	CHECK_U64(size, 1 << 20);
	CHECK_INT(objects_find_memfd(value, 0, &size), OBJECTS_ABSENT);
}

TEST_MAIN({"line", test_line}, {"broken-lines", test_broken_lines}, {"chunks", test_chunks},
          {"ends", test_ends}, {"own", test_own}, {"sizes", test_sizes}, {"objects", test_objects},
          {"command-lines", test_command_lines})
