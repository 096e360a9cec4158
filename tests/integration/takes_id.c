// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a plain QEMU: it takes the option "-id NUMBER", which Proxmox's QEMU has, and does
 * nothing with it, as that one. The words stay in the command line that the kernel shows.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

typedef int main_fn(int argc, char **argv, char **env);
typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*rtld_fini)(void), void *stack_end);

static main_fn *qemu_main;

static int main_without_id(int argc, char **argv, char **env)
{
	bool is_qemu = argc > 0 && strstr(argv[0], "qemu"); /* else it will execute it */

	for (int i = 1; is_qemu && i + 1 < argc; i++) {
		if (strcmp(argv[i], "-id") != 0)
			continue;
		memmove(&argv[i], &argv[i + 2], (size_t)(argc - i - 1) * sizeof(*argv));
		return qemu_main(argc - 2, argv, env);
	}
	return qemu_main(argc, argv, env);
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
	start_fn *start = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

	qemu_main = main;
	return start(main_without_id, argc, argv, init, fini, rtld_fini, stack_end);
}
