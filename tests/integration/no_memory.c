// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into pvschedd: one of its own allocations fails, and no library's. The file that
 * NO_MEMORY names has three words: how many there were, which of them fails (0: none), and how many
 * have failed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct words {
	uint64_t count, fails, failed;
};

static struct words *words; /* NULL: not this process */
static uintptr_t begin, end;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

/* The first object is the program. */
static int note_program(struct dl_phdr_info *info, size_t size, void *userdata)
{
	(void)size;
	(void)userdata;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_LOAD && (header->p_flags & PF_X)) {
			begin = info->dlpi_addr + header->p_vaddr;
			end = begin + header->p_memsz;
		}
	}
	return 1;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("NO_MEMORY");
	void *memory;
	int fd;

	/* the reader is the same program */
	if (!path || strcmp(program_invocation_short_name, "pvschedd") != 0)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return;
	dl_iterate_phdr(note_program, NULL);
	words = memory;
}

static int fails(const void *caller)
{
	uint64_t number;

	if (!words || (uintptr_t)caller < begin || (uintptr_t)caller >= end)
		return 0;
	number = __atomic_add_fetch(&words->count, 1, __ATOMIC_SEQ_CST);
	if (number != __atomic_load_n(&words->fails, __ATOMIC_SEQ_CST))
		return 0;
	__atomic_add_fetch(&words->failed, 1, __ATOMIC_SEQ_CST);
	errno = ENOMEM;
	return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
	return fails(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(CALLER) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails(CALLER) ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (fails(CALLER) || __builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

static char *copy(const char *text, size_t size)
{
	char *p = __libc_malloc(size + 1);

	if (!p)
		return NULL;
	memcpy(p, text, size);
	p[size] = '\0';
	return p;
}

char *strdup(const char *text)
{
	return fails(CALLER) ? NULL : copy(text, strlen(text));
}

char *strndup(const char *text, size_t size)
{
	return fails(CALLER) ? NULL : copy(text, strnlen(text, size));
}
