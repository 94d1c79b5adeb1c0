/* SPDX-License-Identifier: Apache-2.0 */
/* Code that the program wrote itself. Each runs it, and the driver sees what it returned. */
#include "objects.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define FAULTS_OF_USER_MODE 1 /* UFFD_USER_MODE_ONLY, 5.11: needs no privilege */

static void *writable(void)
{
	unsigned char *p = mmap(NULL, 4096, RW, ANON, -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	memcpy(p, sg_code, sizeof(sg_code));
	return p;
}

static int all_three(void)
{
	unsigned char *p = mmap(NULL, 4096, RW | PROT_EXEC, ANON, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(p, sg_code, sizeof(sg_code));
	return run_code(p);
}

static int protect(void)
{
	void *p = writable();

	return mprotect(p, 4096, RX) ? -errno : run_code(p);
}

static int protect_all(void)
{
	void *p = writable();

	return mprotect(p, 4096, RW | PROT_EXEC) ? -errno : run_code(p);
}

static int pkey(void)
{
	void *p = writable();

	return syscall(SYS_pkey_mprotect, p, 4096UL, RX, -1) ? -errno : run_code(p);
}

static int moved(void)
{
	void *p = writable(), *to = mmap(NULL, 4096, PROT_NONE, ANON, -1, 0);

	p = mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (p == MAP_FAILED)
		give_up("mremap");
	return mprotect(p, 4096, RX) ? -errno : run_code(p);
}

static int stack(void)
{
	unsigned char room[8192];
	unsigned char *p = (unsigned char *)(((uintptr_t)room + 4095) & ~4095UL);

	memcpy(p, sg_code, sizeof(sg_code));
	__asm__ volatile("" : : "r"(p) : "memory");
	return mprotect(p, 4096, RW | PROT_EXEC) ? -errno : run_code(p);
}

static int heap(void)
{
	unsigned char *p = sbrk(8192);

	p = (unsigned char *)(((uintptr_t)p + 4095) & ~4095UL);
	memcpy(p, sg_code, sizeof(sg_code));
	return mprotect(p, 4096, RX) ? -errno : run_code(p);
}

static int twice(int fd)
{
	unsigned char *w, *x;

	if (fd < 0 || ftruncate(fd, 4096))
		give_up("file");
	w = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	if (w == MAP_FAILED)
		give_up("mmap");
	x = mmap(NULL, 4096, RX, MAP_SHARED, fd, 0);
	if (x == MAP_FAILED)
		return -errno;
	memcpy(w, sg_code, sizeof(sg_code));
	return run_code(x);
}

static int memfd_twice(void)
{
	return twice((int)syscall(SYS_memfd_create, "m", MFD_CLOEXEC));
}

static int unlinked_twice(void)
{
	int fd = open("code", O_RDWR | O_CREAT | O_CLOEXEC, 0700);

	(void)unlink("code");
	return twice(fd);
}

static int shared_anonymous(void)
{
	unsigned char *p = mmap(NULL, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	memcpy(p, sg_code, sizeof(sg_code));
	return mprotect(p, 4096, RX) ? -errno : run_code(p);
}

static int system_v(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
	unsigned char *w = shmat(id, NULL, 0), *x;
	int rc;

	if (id < 0 || w == (void *)-1)
		give_up("shm");
	memcpy(w, sg_code, sizeof(sg_code));
	(void)shmctl(id, IPC_RMID, NULL);
	x = shmat(id, NULL, SHM_EXEC | SHM_RDONLY);
	rc = x == (void *)-1 ? -errno : run_code(x);
	return rc;
}

/* Text of this program, made writable. */
static __attribute__((noinline, aligned(4096))) int text(void)
{
	__asm__ volatile("nop");
	return 0;
}

static int over_text(void)
{
	void *p = (void *)((uintptr_t)text & ~4095UL);

	if (mprotect(p, 4096, RW | PROT_EXEC))
		return -errno;
	memcpy((void *)(uintptr_t)text, sg_code, sizeof(sg_code));
	return run_code((void *)(uintptr_t)text);
}

static int over_text_by(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (pwrite(fd, sg_code, sizeof(sg_code), (off_t)(uintptr_t)text) != sizeof(sg_code))
		return -errno;
	return run_code((void *)(uintptr_t)text);
}

static int proc_mem(void)
{
	return over_text_by("/proc/self/mem");
}

static int proc_mem_pid(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/task/%d/mem", getpid(), getpid());
	return over_text_by(name);
}

/* PTRACE_POKETEXT into a child of its own. */
static int poke(void)
{
	uint64_t word = 0;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(1);
		run_code((void *)(uintptr_t)text);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -ECHILD;
	memcpy(&word, sg_code, sizeof(sg_code));
	if (ptrace(PTRACE_POKETEXT, pid, text, (void *)word))
		return -errno;
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
		return -errno;
	return 0;
}

static int read_implies_exec(void)
{
	unsigned char *p;

	if (personality(READ_IMPLIES_EXEC) < 0)
		return -errno;
	p = mmap(NULL, 4096, RW, ANON, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	memcpy(p, sg_code, sizeof(sg_code));
	return run_code(p);
}

/* Code that nobody may write, put where it is missing by who answers page faults. */
static int userfault(void)
{
	static unsigned char page[4096] __attribute__((aligned(4096)));
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register missing = {.range.len = 4096, .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_copy fill = {.src = (uintptr_t)page, .len = 4096};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | FAULTS_OF_USER_MODE);
	void *p;

	if (fd < 0 && errno == EINVAL) /* before 5.11 */
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = mmap(NULL, 4096, RX, ANON, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	missing.range.start = fill.dst = (uintptr_t)p;
	memcpy(page, sg_code, sizeof(sg_code));
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &missing) || ioctl(fd, UFFDIO_COPY, &fill))
		return -errno;
	return run_code(p);
}

const struct attack sg_objects_memory[] = {
	{"wx-mmap", all_three},
	{"wx-mprotect", protect},
	{"wx-mprotect-rwx", protect_all},
	{"wx-pkey", pkey},
	{"wx-mremap", moved},
	{"wx-stack", stack},
	{"wx-heap", heap},
	{"wx-memfd", memfd_twice},
	{"wx-unlinked", unlinked_twice},
	{"wx-shared", shared_anonymous},
	{"wx-system-v", system_v},
	{"wx-text", over_text},
	{"wx-proc-mem", proc_mem},
	{"wx-proc-task-mem", proc_mem_pid},
	{"wx-poke-child", poke},
	{"wx-personality", read_implies_exec},
	{"wx-userfault", userfault},
	{0},
};
