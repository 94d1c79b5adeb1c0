// SPDX-License-Identifier: Apache-2.0
/* Who is killed of those whom a cgroup lists: not who has the number of one that is gone. */
#include "supervisor/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *lists[2]; /* what the cgroup's list says, and then says */
static int looks;

/* In place of the C library's: nobody can be given the number of another at will. */
int openat(int dirfd, const char *path, int flags, ...)
{
	int fd;

	if (strcmp(path, "cgroup.procs") != 0)
		return (int)syscall(SYS_openat, dirfd, path, flags, 0600);
	assert_in_range(looks, 0, 1);
	fd = memfd_create("list", MFD_CLOEXEC);
	if (fd >= 0) {
		dprintf(fd, "%s", lists[looks]);
		(void)lseek(fd, 0, SEEK_SET);
	}
	looks++;
	return fd;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		sleep(60);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static bool ended(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void kill_by(const char *before, const char *after)
{
	char dir[] = "/tmp/sgtest-cgroup-XXXXXX";
	struct sg_cgroup cg = {.dirfd = -1};

	assert_non_null(mkdtemp(dir));
	cg.dirfd = (int)syscall(SYS_openat, AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	assert_true(cg.dirfd >= 0);
	lists[0] = before;
	lists[1] = after;
	looks = 0;
	(void)sg_cgroup_kill(&cg);
	close(cg.dirfd);
	rmdir(dir);
}

static void who_is_in_it_is_killed(void **state)
{
	pid_t a = sleeper(), b = sleeper();
	char text[64];

	(void)state;
	/* Not sorted, and with one that is not in our namespace. */
	snprintf(text, sizeof(text), "%d\n0\n%d\n", a > b ? a : b, a > b ? b : a);
	kill_by(text, text);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(waitpid(b, NULL, 0), b);
}

static void who_is_gone_from_it_is_not(void **state)
{
	pid_t in = sleeper(), out = sleeper();
	char before[64], after[64];

	(void)state;
	snprintf(before, sizeof(before), "%d\n%d\n", in, out);
	snprintf(after, sizeof(after), "%d\n", in);
	kill_by(before, after);
	assert_int_equal(waitpid(in, NULL, 0), in);
	usleep(100000);
	assert_false(ended(out));
	kill_by(after, "");
	usleep(100000);
	assert_false(ended(out));
	end(out);
}

static void without_descriptors_nobody_is_left(void **state)
{
	struct rlimit before, few;
	pid_t a = sleeper(), b = sleeper();
	char text[64];
	int next;

	(void)state;
	snprintf(text, sizeof(text), "%d\n%d\n", a, b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* The directory and the list: one process can be held, and who else is there not be seen. */
	next = dup(0);
	close(next);
	few = (struct rlimit){.rlim_cur = (rlim_t)next + 2, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	kill_by(text, "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(waitpid(b, NULL, 0), b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_in_it_is_killed),
		cmocka_unit_test(who_is_gone_from_it_is_not),
		cmocka_unit_test(without_descriptors_nobody_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
