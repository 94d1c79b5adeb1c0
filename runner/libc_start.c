/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How sgrun gets from its entry point to main(), in place of glibc's own __libc_start_main(): the same steps in the
 * same order, but the processor is not asked what it can do. glibc asks some 70 times (CPUID), and in a virtual machine
 * each question is an exit to the hypervisor: 0.3 to 0.5 ms, a third of what a sandbox costs all told. The answers only
 * choose between versions of memcpy() and its like; unasked, those for every x86-64 are taken.
 *
 * The steps are internal to glibc and change with it, so this is linked only into the static sgrun, where libc is
 * frozen with the program, and only where it is the very version that the steps are those of (runner/meson.build).
 * Elsewhere, and with -Down_start=false, glibc's own start does.
 */
#include "runner/arch.h"
#include "runner/front.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define PAGE 4096UL

#define ARCH_KIND_OTHER 4 /* of cpu_features: known, and no processor that anything special is done for */
#define HWCAP_X86_64 2

typedef int main_fn(int argc, char **argv, char **env);
typedef void init_fn(int argc, char **argv, char **env);

/* ---- glibc's, csu/libc-start.c and what it calls ---- */

#pragma GCC visibility push(hidden)
extern char **__environ;
extern int __libc_enable_secure;
extern void *__libc_stack_end;
extern void *_dl_random; /* 16 random bytes from the kernel */
extern uint64_t _dl_hwcap;
extern unsigned _dl_x86_cpu_features[];
extern const Elf64_Ehdr __ehdr_start; /* the linker's: where the program begins */
extern const Elf64_Rela __rela_iplt_start[] __attribute__((weak));
extern const Elf64_Rela __rela_iplt_end[] __attribute__((weak));
extern init_fn *__preinit_array_start[], *__preinit_array_end[], *__init_array_start[], *__init_array_end[];
extern void (*__fini_array_start[])(void), (*__fini_array_end[])(void);
extern void _init(void);
extern void _fini(void);
extern void _dl_aux_init(Elf64_auxv_t *auxv);
extern void __tunables_init(char **env);
extern void _dl_relocate_static_pie(void);
extern void __libc_setup_tls(void);
extern void __libc_early_init(_Bool initial);
extern void __libc_init_first(int argc, char **argv, char **env);
extern void __libc_check_standard_fds(void);
extern void *_dl_debug_initialize(Elf64_Addr base, long space);
extern int __cxa_atexit(void (*fn)(void *), void *arg, void *dso);
#pragma GCC visibility pop

/* What memcpy() and its like go by: as glibc has them before it asks, or as it sets them for the smallest caches. */
long __x86_data_cache_size = 32L << 10;
long __x86_data_cache_size_half = 16L << 10;
long __x86_shared_cache_size = 1L << 20;
long __x86_shared_cache_size_half = 512L << 10;
long __x86_shared_non_temporal_threshold = 768L << 10;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 768L << 10;
int __x86_string_control;

/* Where the program lies, for dlopen(3), which nobody calls: asked of procfs at every start. (void *)-1: not known. */
const char *_dl_get_origin(void);
const char *_dl_get_origin(void)
{
	return (const char *)-1;
}

/*
 * Where malloc() begins: beside the data. The kernel puts the heap of a static program far away from it, where one that
 * is written to needs three tables of pages of its own; made, looked through and taken down again they cost 0.05 of a
 * bare launch where a hypervisor keeps the tables. Past it malloc() maps what it needs.
 */
#define HEAP (1UL << 20)
static char heap[HEAP] __attribute__((aligned(16)));
static size_t heap_used;
void *__curbrk = heap; /* not NULL: what glibc allocates before malloc() is ready comes from here, too */
void *__sbrk(intptr_t more);
void *__sbrk(intptr_t more)
{
	void *at = heap + heap_used;

	/* Nothing is given back: what is handed out has to be zeros. */
	if (more < 0 || (size_t)more > HEAP - heap_used) {
		errno = ENOMEM;
		return (void *)-1;
	}
	heap_used += (size_t)more;
	return at;
}

static void run_fini(void *unused)
{
	size_t n = (size_t)(__fini_array_end - __fini_array_start);

	(void)unused;
	while (n-- > 0)
		__fini_array_start[n]();
	_fini();
}

static void run_init(init_fn **from, init_fn **to, int argc, char **argv)
{
	for (; from < to; from++)
		(*from)(argc, argv, __environ);
}

/* What is secret about this process: the stack protector's value and the one that mangles saved pointers. */
static inline __attribute__((always_inline)) void set_guards(void)
{
	const uintptr_t *random = _dl_random;

	/* The lowest byte is 0, so that no string function reads or writes past it. */
	__asm__ volatile("mov %0, %%fs:0x28" : : "r"(random[0] & ~(uintptr_t)0xff));
	__asm__ volatile("mov %0, %%fs:0x30" : : "r"(random[1]));
}

int __libc_start_main(main_fn *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end);

/*
 * The relocations write to every page of the data. Each of these writes would fault and bring its page; one call brings
 * them all (Linux 5.14; before, they fault).
 */
static inline __attribute__((always_inline)) void populate_data(void)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);

	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
		const uintptr_t from = ((uintptr_t)&__ehdr_start + p[i].p_vaddr) & ~(uintptr_t)(PAGE - 1);

		if (p[i].p_type == PT_LOAD && (p[i].p_flags & PF_W))
			(void)sg_raw_syscall(SYS_madvise, (long)from,
					     (long)((uintptr_t)&__ehdr_start + p[i].p_vaddr + p[i].p_filesz - from),
					     MADV_POPULATE_WRITE, 0, 0);
	}
}

/* Before there is anything. */
static inline __attribute__((always_inline)) void front(int argc, char **argv, const Elf64_auxv_t *a)
{
	const char *file = NULL;
	bool secure = true;

	for (; a->a_type != AT_NULL; a++) {
		if (a->a_type == AT_EXECFN)
			file = (const char *)a->a_un.a_val;
		else if (a->a_type == AT_SECURE)
			secure = a->a_un.a_val;
	}
	if (!secure)
		sg_front_try(argc, argv, argv + argc + 1, file);
}

/* Called by crt1's _start. init and fini are NULL with every crt1 since glibc 2.34. */
__attribute__((no_stack_protector)) int __libc_start_main(main_fn *program, int argc, char **argv, void (*init)(void),
							  void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	char **end = argv + argc + 1;

	(void)init;
	(void)fini;
	__environ = end;
	__libc_stack_end = stack_end;
	while (*end++)
		;
	front(argc, argv, (const Elf64_auxv_t *)end);
	_dl_aux_init((Elf64_auxv_t *)end);
	__tunables_init(__environ);
	_dl_x86_cpu_features[0] = ARCH_KIND_OTHER;
	_dl_hwcap = HWCAP_X86_64;
	populate_data();
	_dl_relocate_static_pie();
	/* cppcheck-suppress comparePointers ; the linker's names for both ends of one table */
	for (const Elf64_Rela *r = __rela_iplt_start; r < __rela_iplt_end; r++)
		*(Elf64_Addr *)r->r_offset = ((Elf64_Addr(*)(void))r->r_addend)();
	__libc_setup_tls();
	set_guards();
	if (rtld_fini)
		__cxa_atexit((void (*)(void *))rtld_fini, NULL, NULL);
	__libc_early_init(1);
	__libc_init_first(argc, argv, __environ);
	__cxa_atexit(run_fini, NULL, NULL);
	if (__libc_enable_secure)
		__libc_check_standard_fds();
	run_init(__preinit_array_start, __preinit_array_end, argc, argv);
	_init();
	run_init(__init_array_start, __init_array_end, argc, argv);
	_dl_debug_initialize(0, 0);
	exit(program(argc, argv, __environ));
}
