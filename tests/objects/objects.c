/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects NAME [key=value ...]: one attack. Says "TRY" when it is about to be made, "RESULT 0" or "RESULT ERRNO" after
 * it, "SETUP what errno" where it cannot be made. What leaked comes before the result.
 * objects payload [...]: what an attack gets executed. objects --list: the attacks' names.
 */
#include "objects.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct target target = {.base = "/nonexistent", .token = "", .fd = -1};
const unsigned char sg_code[6] = {0xb8, 0x1e, 0xab, 0xa1, 0x5c, 0xc3}; /* mov eax, SG_CODE_VALUE; ret */

static const struct attack *const families[] = {sg_objects_read, sg_objects_write, sg_objects_exec,  sg_objects_memory,
						sg_objects_net,  sg_objects_route, sg_objects_procs, sg_objects_kernel};

static void say(const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	if (writev(1, &iov, 1) < 0)
		_exit(31);
}

const char *at(const char *name)
{
	static char paths[8][4096];
	static unsigned turn;
	char *p = paths[turn++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", target.base, name);
	return p;
}

void give_up(const char *what)
{
	char line[160];

	snprintf(line, sizeof(line), "SETUP %s %s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "0");
	say(line);
	_exit(30);
}

int leak(int fd)
{
	char buf[512];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	for (ssize_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = ' ';
	if (n > 0 && write(1, buf, (size_t)n) != n)
		_exit(31);
	close(fd);
	say("\n");
	return 0;
}

int leak_path(const char *path)
{
	return leak(open(path, O_RDONLY | O_CLOEXEC));
}

int copy_self_to(int fd)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (self < 0 || fstat(self, &st) || sendfile(fd, self, NULL, (size_t)st.st_size) != st.st_size)
		return -1;
	return close(self);
}

void copy_self(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || copy_self_to(fd) || close(fd))
		give_up("copy");
}

void make_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd))
		give_up("file");
}

void hold(void)
{
	char byte;

	say("HOLD\n");
	if (read(0, &byte, 1) < 0)
		_exit(32);
}

int shown(void)
{
	hold();
	return 0;
}

int seen(int rc, const char *what)
{
	if (!rc) {
		say(what);
		say("\n");
	}
	return rc;
}

int run_code(void *code)
{
	char line[32];

	snprintf(line, sizeof(line), "CODE %x\n", ((unsigned (*)(void))code)());
	say(line);
	return 0;
}

int in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		give_up("fork");
	if (pid == 0)
		_exit(-run() & 0xff);
	if (waitpid(pid, &status, 0) != pid)
		give_up("wait");
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int enter_userns(int flags)
{
	return outcome(unshare(CLONE_NEWUSER | flags));
}

/* At most four, one after the other; between is called between two. What came of the last one. */
static int uring_run(const struct io_uring_sqe *list, unsigned n, void (*between)(void), unsigned setup_flags)
{
	struct io_uring_params p = {.flags = setup_flags};
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqe;
	unsigned *tail, *array;
	char *sq, *cq;
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	if (fd < 0)
		return -errno;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_CQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		give_up("mmap of the ring");
	tail = (unsigned *)(sq + p.sq_off.tail);
	array = (unsigned *)(sq + p.sq_off.array);
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			between();
		sqes[0] = list[i];
		array[i] = 0;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, fd, 1, i + 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -errno;
		if (cqe[i].res < 0)
			n = i + 1;
	}
	close(fd);
	errno = cqe[n - 1].res < 0 ? -cqe[n - 1].res : 0;
	return cqe[n - 1].res;
}

int uring_one(const struct io_uring_sqe *sqe, unsigned setup_flags)
{
	return uring_run(sqe, 1, NULL, setup_flags);
}

int uring_two(const struct io_uring_sqe *sqes, void (*between)(void))
{
	return uring_run(sqes, 2, between, 0);
}

static void set(const char *key, const char *value)
{
	const struct {
		const char *key;
		int *number;
	} numbers[] = {{"victim=", &target.victim}, {"supervisor=", &target.supervisor},
		       {"fd=", &target.fd},         {"tcp4=", &target.tcp4},
		       {"tcp6=", &target.tcp6},     {"udp4=", &target.udp4},
		       {"udp6=", &target.udp6},     {"key=", &target.key},
		       {"id=", &target.id}};
	const struct {
		const char *key;
		const char **text;
	} texts[] = {{"base=", &target.base},
		     {"token=", &target.token},
		     {"name=", &target.name},
		     {"cgroup=", &target.cgroup}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strncmp(key, numbers[i].key, strlen(numbers[i].key)))
			*numbers[i].number = atoi(value);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strncmp(key, texts[i].key, strlen(texts[i].key)))
			*texts[i].text = value;
	if (!strncmp(key, "addr=", 5))
		target.addr = strtoul(value, NULL, 0);
}

static int attack(const struct attack *a)
{
	char line[64];
	int r;

	say("TRY\n");
	errno = 0;
	r = a->run();
	snprintf(line, sizeof(line), "RESULT %s\n", r >= 0 ? "0" : strerrorname_np(-r) ? strerrorname_np(-r) : "?");
	say(line);
	return r < 0 ? 20 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 30;
	/* as the interpreter of a format it gets the program's name first */
	if (argv[1][0] == '/' && argc > 2) {
		argv++;
		argc--;
	}
	if (!strcmp(argv[1], "payload")) {
		say("RAN ");
		say(argc > 2 ? argv[2] : "");
		say("\n");
		return 0;
	}
	/* The second program of a chain: it executes the third. */
	if (!strcmp(argv[1], "chain")) {
		char *const next[] = {argv[0], (char *)(uintptr_t) "payload", NULL};

		execv(argv[2], next);
		return 33;
	}
	for (int i = 2; i < argc; i++)
		if (strchr(argv[i], '='))
			set(argv[i], strchr(argv[i], '=') + 1);
	if (!target.supervisor)
		target.supervisor = getppid();
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (const struct attack *a = families[f]; a->name; a++) {
			if (!strcmp(argv[1], "--list"))
				printf("%s\n", a->name);
			else if (!strcmp(argv[1], a->name))
				return attack(a);
		}
	}
	return strcmp(argv[1], "--list") ? 30 : 0;
}
