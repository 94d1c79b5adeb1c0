// SPDX-License-Identifier: Apache-2.0
/* A sandbox's processes by descent: however many, however deep, and never one that is not of them. */
#include "supervisor/members.h"
#include "supervisor/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 1500 /* more than fit into two pages of their numbers */
#define DEEP 150

static pid_t children[MANY];

static void wait_forever(void) __attribute__((noreturn));
static void wait_forever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		fn();
	return pid;
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

static int seen, strangers;

static int see(void *ctx, pid_t pid)
{
	const int *n = ctx;

	if (bsearch(&pid, children, (size_t)*n, sizeof(pid), by_number))
		seen++;
	else
		strangers++;
	return 0;
}

static void no_more(void *ctx, pid_t pid)
{
	(void)ctx;
	(void)pid;
	seen++;
}

static struct sg_members ours(void)
{
	return (struct sg_members){.supervisor = getpid()};
}

static void test_many(void **state)
{
	struct sg_members m = ours();
	int n = 0, status;

	(void)state;
	while (n < MANY && (children[n] = child(wait_forever)) > 0)
		n++;
	qsort(children, (size_t)n, sizeof(children[0]), by_number);
	seen = strangers = 0;
	assert_int_equal(sg_proc_children(getpid(), see, &n), 0);
	assert_int_equal(strangers, 0);
	assert_int_equal(seen, n);
	assert_int_equal(sg_members_count(&m), n);
	m.guard = children[0];
	assert_int_equal(sg_members_kill(&m), 0);
	for (int i = 1; i < n; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	assert_int_equal(waitpid(children[0], &status, WNOHANG), 0);
	kill(children[0], SIGKILL);
	waitpid(children[0], NULL, 0);
	assert_int_equal(n, MANY);
}

static int *depth;

static void chain(void)
{
	while (++*depth < DEEP) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(1);
		if (pid > 0)
			break;
	}
	wait_forever();
}

/* Room for no descriptor but those that are needed at a time. */
static void allow_descriptors(rlim_t n)
{
	struct rlimit most;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
	most.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
}

static void test_deep(void **state)
{
	struct sg_members m = ours();
	struct timespec soon = {.tv_nsec = 10000000};
	int count = 0, few, none, rc, each;

	(void)state;
	depth = mmap(NULL, sizeof(*depth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(child(chain) > 0);
	for (int i = 0; i < 1500 && count < DEEP; i++) {
		nanosleep(&soon, NULL);
		count = sg_members_count(&m);
	}
	allow_descriptors(32);
	few = sg_members_count(&m);
	allow_descriptors(3);
	none = sg_members_count(&m);
	rc = sg_members_kill(&m);
	each = sg_members_each(&m, no_more, NULL);
	allow_descriptors(1024);
	assert_int_equal(sg_members_kill(&m), 0);
	assert_int_equal(sg_members_wait_empty(&m, 10000), 0);
	assert_int_equal(count, DEEP);
	assert_int_equal(few, DEEP);
	/* What cannot be looked at is not nobody. */
	assert_int_equal(none, -EMFILE);
	assert_int_equal(rc, -EMFILE);
	assert_int_equal(each, -EMFILE);
	munmap(depth, sizeof(*depth));
}

/* The first process is there, and /proc does not say so. */
static void test_unseen(void **state)
{
	pid_t first = child(wait_forever);
	struct sg_members m = {.supervisor = first, .first = first};

	(void)state;
	assert_true(sg_members_count(&m) < 0);
	assert_true(sg_members_any(&m));
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	assert_true(sg_members_count(&m) < 0);
}

/* Who was there before is neither counted nor killed, and not waited for. */
static void test_others(void **state)
{
	pid_t other = child(wait_forever), first;
	struct sg_members m = {.supervisor = getpid()};
	struct sg_err err = {0};
	siginfo_t info = {0};

	(void)state;
	assert_int_equal(sg_members_begin(&m, &err), 0);
	assert_int_equal(m.n_others, 1);
	first = m.first = child(wait_forever);
	assert_int_equal(sg_members_count(&m), 1);
	assert_true(sg_members_contains(&m, first));
	assert_false(sg_members_contains(&m, other));
	assert_int_equal(sg_members_kill(&m), 0);
	assert_int_equal(sg_members_wait_empty(&m, 5000), 0);
	assert_int_equal(kill(other, 0), 0);
	kill(other, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
	(void)sg_members_count_all(&m);
	assert_int_equal(waitpid(other, NULL, 0), other);
}

static const char *said; /* of everybody's children from now on, but ours; NULL: the truth */
static char own_file[32];

/* In place of the C library's: nobody can be given the number of another at will. */
int openat(int dirfd, const char *path, int flags, ...)
{
	struct stat dir, own;
	int fd;

	if (!said || !strstr(path, "/children") || fstat(dirfd, &dir) || stat(own_file, &own) ||
	    dir.st_ino == own.st_ino)
		return (int)syscall(SYS_openat, dirfd, path, flags, 0600);
	fd = memfd_create("children", MFD_CLOEXEC);
	if (fd >= 0) {
		dprintf(fd, "%s", said);
		(void)lseek(fd, 0, SEEK_SET);
	}
	return fd;
}

/* Whom a list names is somebody else by the time that the signal is sent. */
static void test_number_of_another(void **state)
{
	struct sg_members m = ours();
	int fds[2], status;
	pid_t first, another;
	char text[32];

	(void)state;
	/* Its parent is not of the sandbox: one that was there before. */
	assert_int_equal(pipe(fds), 0);
	m.others[m.n_others++] = fork();
	if (!m.others[0]) {
		another = child(wait_forever);
		(void)!write(fds[1], &another, sizeof(another));
		wait_forever();
	}
	assert_int_equal(read(fds[0], &another, sizeof(another)), sizeof(another));
	first = child(wait_forever);
	snprintf(text, sizeof(text), "%d ", another);
	snprintf(own_file, sizeof(own_file), "/proc/%d/task", getpid());
	said = text;
	assert_int_equal(sg_members_kill(&m), 0);
	said = NULL;
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_int_equal(sg_proc_zombie(another), 0);
	assert_int_equal(kill(another, 0), 0);
	kill(another, SIGKILL);
	kill(m.others[0], SIGKILL);
	assert_int_equal(waitpid(m.others[0], NULL, 0), m.others[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	close(fds[0]);
	close(fds[1]);
}

/* ---- whether a fork is under way ---- */

static int ready[2], go[2];

static int new_child(void *arg)
{
	char byte;

	(void)arg;
	(void)!write(ready[1], "", 1);
	(void)!read(go[0], &byte, 1);
	_exit(0);
}

static void make_one(const char *how)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	struct clone_args args = {.flags = CLONE_VFORK, .exit_signal = SIGCHLD};

	if (!strcmp(how, "vfork")) {
		if (vfork() == 0)
			new_child(NULL);
	} else if (!strcmp(how, "clone3")) {
		if (syscall(SYS_clone3, &args, sizeof(args)) == 0)
			new_child(NULL);
	} else {
		(void)clone(new_child, stack + sizeof(stack),
			    SIGCHLD | CLONE_VFORK | (!strcmp(how, "copy") ? 0 : CLONE_VM), NULL);
	}
}

/* Its child, which is made already, may run before it is seen to wait for that. */
static void until_it_waits(pid_t pid)
{
	struct timespec soon = {.tv_nsec = 1000000};
	char path[32], text[256], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	do {
		FILE *f = fopen(path, "re");

		assert_non_null(f);
		assert_non_null(fgets(text, sizeof(text), f));
		fclose(f);
		assert_int_equal(sscanf(strrchr(text, ')'), ") %c", &state), 1);
		nanosleep(&soon, NULL);
	} while (state == 'R');
}

/* A caller that has an older child and waits for the one it makes now. */
static bool may_fork_in(const char *how)
{
	bool answer;
	pid_t caller;
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	caller = fork();
	if (caller == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child(wait_forever);
		alarm(20);
		make_one(how);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	until_it_waits(caller);
	answer = sg_proc_may_fork(caller);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(caller, NULL, 0), caller);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	return answer;
}

static void test_who_waits_for_its_child(void **state)
{
	(void)state;
#ifdef SYS_vfork
	assert_false(may_fork_in("vfork"));
#endif
	assert_false(may_fork_in("clone"));
	/* These may as well wait for a lock of their memory, or nobody can tell. */
	assert_true(may_fork_in("copy"));
	assert_true(may_fork_in("clone3"));
}

/* Nobody has waited for it yet, and what the kernel shows of it is root's. */
static void test_who_has_ended(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		siginfo_t info;
		pid_t ended;

		if (geteuid() == 0 && setuid(65534))
			_exit(2);
		ended = fork();
		if (ended == 0)
			_exit(0);
		if (ended < 0 || waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT))
			_exit(3);
		_exit(sg_proc_may_fork(ended));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int set_up(void **state)
{
	(void)state;
	alarm(120);
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_number_of_another),
		cmocka_unit_test(test_who_waits_for_its_child),
		cmocka_unit_test(test_who_has_ended),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
