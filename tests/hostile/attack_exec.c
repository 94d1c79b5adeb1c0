/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running another program, and calls in other numberings. The launcher's own execve is let through by the address of
 * its path string: these try to have that exception a second time.
 * What is executed is this program's own "noop" attack, which prints EFFECT.
 */
#include "hostile.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static char *const noop_argv[] = {(char *)"hostile", (char *)"noop", NULL};
static char *const no_env[] = {NULL};

/* arg: this program, where the attack is made from inside an interpreter. */
static const char *self(const struct target *t)
{
	return t->arg ? t->arg : "/proc/self/exe";
}

static int noop(const struct target *t)
{
	(void)t;
	return 0;
}

static int exec_again(const struct target *t)
{
	fcntl(1, F_SETFD, 0); /* node closes its standard output on exec */
	return outcome(syscall(SYS_execve, self(t), noop_argv, no_env));
}

/* Where the kernel put the path of the launcher's exec: the likeliest address to have been let through. */
static int exec_auxv(const struct target *t)
{
	char *path = (char *)getauxval(AT_EXECFN);

	(void)t;
	if (!path)
		return SG_SETUP;
	return outcome(syscall(SYS_execve, path, noop_argv, no_env));
}

/* A guess at a fixed address, where the program has put its own path. */
static int exec_fixed(const struct target *t)
{
	char *at = mmap((void *)0x200000000UL, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)t;
	if (at == MAP_FAILED)
		return SG_SETUP;
	memcpy(at, "/proc/self/exe", 15);
	return outcome(syscall(SYS_execve, at, noop_argv, no_env));
}

static int exec_null(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_execve, 0UL, noop_argv, no_env));
}

static int exec_at_empty(const struct target *t)
{
	int fd = open(self(t), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return SG_SETUP;
	return outcome(syscall(SYS_execveat, fd, "", noop_argv, no_env, AT_EMPTY_PATH));
}

static int exec_at_path(const struct target *t)
{
	return outcome(syscall(SYS_execveat, AT_FDCWD, self(t), noop_argv, no_env, 0));
}

static int make_memfd(const struct target *t)
{
	struct stat st;
	int fd, src = open(self(t), O_RDONLY | O_CLOEXEC);

	if (src < 0 || fstat(src, &st))
		return SG_SETUP;
	fd = (int)syscall(SYS_memfd_create, "hostile", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return sendfile(fd, src, NULL, (size_t)st.st_size) == st.st_size ? fd : SG_SETUP;
}

static int memfd_exec_proc(const struct target *t)
{
	char path[64];
	int fd = make_memfd(t);

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return outcome(syscall(SYS_execve, path, noop_argv, no_env));
}

static int memfd_exec_at(const struct target *t)
{
	int fd = make_memfd(t);

	if (fd < 0)
		return fd;
	return outcome(syscall(SYS_execveat, fd, "", noop_argv, no_env, AT_EMPTY_PATH));
}

static int memfd_only(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_memfd_create, "hostile", MFD_CLOEXEC));
}

/* A file of its own making, made executable and run. */
static int exec_dropped(const struct target *t)
{
	char path[256];
	struct stat st;
	int dst, src = open(self(t), O_RDONLY | O_CLOEXEC);

	if (src < 0 || fstat(src, &st) || sg_scratch(t, "dropped", path, sizeof(path)))
		return SG_SETUP;
	dst = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	if (dst < 0 || sendfile(dst, src, NULL, (size_t)st.st_size) != st.st_size)
		return SG_SETUP;
	close(dst);
	return outcome(syscall(SYS_execve, path, noop_argv, no_env));
}

#ifdef __x86_64__
/* Arguments of a 32-bit call must lie below 4 GiB. */
static char *low_page(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static long int80(unsigned nr, unsigned long a, unsigned long b, unsigned long c)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int raw_outcome(long ret)
{
	return ret < 0 && ret > -4096 ? (int)ret : 0;
}

/* i386 number 39 is mkdir and the native 39 is getpid: a native table would let it through. */
static int int80_mkdir(const struct target *t)
{
	char *page = low_page();

	if (!page || sg_scratch(t, "int80-dir", page, 4096))
		return SG_SETUP;
	return raw_outcome(int80(39, (unsigned long)page, 0700, 0));
}

static int int80_getpid(const struct target *t)
{
	(void)t;
	return raw_outcome(int80(20, 0, 0, 0));
}

static int int80_socketcall(const struct target *t)
{
	uint32_t *args = (uint32_t *)low_page();

	(void)t;
	if (!args)
		return SG_SETUP;
	args[0] = 2;
	args[1] = 1;
	args[2] = 0;
	return raw_outcome(int80(102, 1, (unsigned long)args, 0));
}

static int int80_execve(const struct target *t)
{
	char *page = low_page();
	uint32_t *argv;

	(void)t;
	if (!page)
		return SG_SETUP;
	memcpy(page, "/proc/self/exe", 15);
	memcpy(page + 32, "noop", 5);
	argv = (uint32_t *)(page + 64);
	argv[0] = (uint32_t)(unsigned long)page;
	argv[1] = (uint32_t)(unsigned long)(page + 32);
	argv[2] = 0;
	argv[3] = 0;
	return raw_outcome(int80(11, (unsigned long)page, (unsigned long)argv, (unsigned long)(argv + 3)));
}

static long raw_call(unsigned long nr, unsigned long a, unsigned long b, unsigned long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "memory", "rcx", "r11");
	return ret;
}

#define X32_BIT 0x40000000UL
static int x32_getpid(const struct target *t)
{
	(void)t;
	return raw_outcome(raw_call(X32_BIT | SYS_getpid, 0, 0, 0));
}

static int x32_mkdir(const struct target *t)
{
	char path[256];

	if (sg_scratch(t, "x32-dir", path, sizeof(path)))
		return SG_SETUP;
	return raw_outcome(raw_call(X32_BIT | SYS_mkdir, (unsigned long)path, 0700, 0));
}

/* x32 has numbers of its own from 512 on; 521 is its ptrace, 520 its execve. */
static int x32_ptrace(const struct target *t)
{
	return raw_outcome(raw_call(X32_BIT | 521, 0x4206, (unsigned long)t->victim, 0));
}

/* The same calls by their 512… numbers without the bit: some kernels once answered them. */
static int nr_520(const struct target *t)
{
	(void)t;
	return raw_outcome(raw_call(520, 0, 0, 0));
}

static int nr_huge(const struct target *t)
{
	(void)t;
	return raw_outcome(raw_call(100000, 0, 0, 0));
}

static int nr_minus_one(const struct target *t)
{
	(void)t;
	return raw_outcome(raw_call(~0UL, 0, 0, 0));
}

/* The kernel looks at the low 32 bits of the number only. */
static int nr_high_bits(const struct target *t)
{
	long ret = raw_call(0x7700000000UL | SYS_socket, 17 /* AF_PACKET */, 3, 0);

	(void)t;
	return raw_outcome(ret);
}
#endif

const struct attack sg_attacks_exec[] = {
	{"noop", noop},
	{"exec-again", exec_again},
	{"exec-auxv", exec_auxv},
	{"exec-fixed-address", exec_fixed},
	{"exec-null", exec_null},
	{"execveat-empty-path", exec_at_empty},
	{"execveat-path", exec_at_path},
	{"memfd-exec-proc", memfd_exec_proc},
	{"memfd-execveat", memfd_exec_at},
	{"memfd-create", memfd_only},
	{"exec-dropped-file", exec_dropped},
#ifdef __x86_64__
	{"int80-mkdir", int80_mkdir},
	{"int80-getpid", int80_getpid},
	{"int80-socketcall", int80_socketcall},
	{"int80-execve", int80_execve},
	{"x32-getpid", x32_getpid},
	{"x32-mkdir", x32_mkdir},
	{"x32-ptrace", x32_ptrace},
	{"nr-520", nr_520},
	{"nr-huge", nr_huge},
	{"nr-minus-one", nr_minus_one},
	{"nr-high-bits", nr_high_bits},
#endif
	{NULL, NULL},
};
