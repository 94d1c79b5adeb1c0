/* SPDX-License-Identifier: Apache-2.0 */
/* Executing programs, and loading libraries, that are not among those that may be. */
#include "objects.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char *const payload[] = {(char *)(uintptr_t) "objects", (char *)(uintptr_t) "payload", NULL};
static char *const no_env[] = {NULL};

static int run(const char *path)
{
	return outcome(execve(path, payload, no_env));
}

static int outside(void)
{
	return run(at("outside/tool"));
}

static int by_symlink(void)
{
	return symlink(at("outside/tool"), "link") ? -errno : run("link");
}

static int by_fd(void)
{
	int fd = open(at("outside/tool"), O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(syscall(SYS_execveat, fd, "", payload, no_env, AT_EMPTY_PATH));
}

static int by_proc_fd(void)
{
	char name[64];
	int fd = open(at("outside/tool"), O_PATH);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : run(name);
}

static int from_tmp(void)
{
	copy_self(at("tmp/tool"));
	return run(at("tmp/tool"));
}

static int from_cwd(void)
{
	copy_self("tool");
	return run("./tool");
}

static int from_shm(void)
{
	char name[128];
	int rc;

	snprintf(name, sizeof(name), "/dev/shm/%s-tool", target.name);
	copy_self(name);
	rc = run(name);
	(void)unlink(name);
	return rc;
}

static int renamed_over(void)
{
	copy_self("tool");
	return rename("tool", at("bin/tool")) ? -errno : run(at("bin/tool"));
}

static int memfd(void)
{
	int fd = (int)syscall(SYS_memfd_create, "m", MFD_CLOEXEC);

	if (fd < 0 || copy_self_to(fd))
		give_up("memfd");
	return outcome(fexecve(fd, payload, no_env));
}

static int memfd_proc(void)
{
	char name[64];
	int fd = (int)syscall(SYS_memfd_create, "m", 0);

	if (fd < 0 || copy_self_to(fd))
		give_up("memfd");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return run(name);
}

static int unlinked(void)
{
	int fd;

	copy_self("tool");
	fd = open("tool", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || unlink("tool"))
		give_up("unlink");
	return outcome(fexecve(fd, payload, no_env));
}

static int tmpfile_exec(void)
{
	char name[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0700), ro;

	if (fd < 0 || copy_self_to(fd))
		give_up("O_TMPFILE");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY | O_CLOEXEC);
	close(fd);
	return outcome(fexecve(ro, payload, no_env));
}

/* A program that was allowed, with other bytes in it: bin/ may be executed, not written. */
static int own_script(void)
{
	char text[4200];

	snprintf(text, sizeof(text), "#!%s payload\n", at("bin/tool"));
	make_file("script", text, strlen(text));
	return run("./script");
}

/* bin/script begins with #!outside/tool: the script may be executed, its interpreter may not. */
static int shebang(void)
{
	return run(at("bin/script"));
}

/* The driver has registered a format for these bytes whose interpreter is outside/tool. */
static int binfmt(void)
{
	return run(at("bin/format"));
}

static int loader(void)
{
	static char ld[] = "/lib64/ld-linux-x86-64.so.2", tool[] = "./tool", word[] = "payload";
	char *const argv[] = {ld, tool, word, NULL};

	copy_self("tool");
	return outcome(execve(ld, argv, no_env));
}

/* The policy allows one more program: this is the second. */
static int second(void)
{
	char tool[4200], next[4200];
	char *const argv[] = {tool, (char *)(uintptr_t) "chain", next, NULL};

	snprintf(tool, sizeof(tool), "%s", at("bin/tool"));
	snprintf(next, sizeof(next), "%s", at("bin/tool"));
	return outcome(execve(tool, argv, no_env));
}

/* ---- libraries: the driver's has a constructor that prints RAN ---- */

static void copy(const char *from, int to)
{
	char buf[65536];
	ssize_t n;
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			give_up("copy");
	if (fd < 0)
		give_up("library");
	close(fd);
}

static int load(const char *path)
{
	errno = 0;
	return dlopen(path, RTLD_NOW) ? 0 : errno ? -errno : -EACCES;
}

static int library_at(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	if (fd < 0)
		give_up("library");
	copy(at("bin/library.so"), fd);
	close(fd);
	return load(path);
}

static int library_cwd(void)
{
	return library_at("./library.so");
}

static int library_tmp(void)
{
	return library_at(at("tmp/library.so"));
}

static int library_memfd(void)
{
	char name[64];
	int fd = (int)syscall(SYS_memfd_create, "m", 0);

	if (fd < 0)
		give_up("memfd");
	copy(at("bin/library.so"), fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return load(name);
}

static int library_outside(void)
{
	return load(at("outside/library.so"));
}

static int map_own_file(void)
{
	unsigned char page[4096] = {0};
	void *p;
	int fd;

	memcpy(page, sg_code, sizeof(sg_code));
	make_file("code", page, sizeof(page));
	fd = open("code", O_RDONLY | O_CLOEXEC);
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? -errno : run_code(p);
}

static int protect_own_file(void)
{
	unsigned char page[4096] = {0};
	void *p;
	int fd;

	memcpy(page, sg_code, sizeof(sg_code));
	make_file("code", page, sizeof(page));
	fd = open("code", O_RDONLY | O_CLOEXEC);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		give_up("mmap");
	return mprotect(p, 4096, PROT_READ | PROT_EXEC) ? -errno : run_code(p);
}

const struct attack sg_objects_exec[] = {
	{"exec-outside", outside},
	{"exec-symlink", by_symlink},
	{"exec-fd", by_fd},
	{"exec-proc-fd", by_proc_fd},
	{"exec-tmp", from_tmp},
	{"exec-cwd", from_cwd},
	{"exec-shm", from_shm},
	{"exec-replaced", renamed_over},
	{"exec-memfd", memfd},
	{"exec-memfd-proc", memfd_proc},
	{"exec-unlinked", unlinked},
	{"exec-tmpfile", tmpfile_exec},
	{"exec-own-script", own_script},
	{"exec-shebang", shebang},
	{"exec-binfmt", binfmt},
	{"exec-loader", loader},
	{"exec-second", second},
	{"map-library-cwd", library_cwd},
	{"map-library-tmp", library_tmp},
	{"map-library-memfd", library_memfd},
	{"map-library-outside", library_outside},
	{"map-file", map_own_file},
	{"map-file-mprotect", protect_own_file},
	{0},
};
