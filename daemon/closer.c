/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/closer.h"

#include "daemon/loop.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOSERS 32            /* the first one is root's */
#define PIPE_BYTES (1U << 20) /* more descriptors than a process has */
#define STACK_BYTES (64U << 10)

static struct closer {
	bool tried;
	int to, from; /* a pipe with numbers of descriptors, for the thread; -1: there is none */
	atomic_uint waiting;
} closers[CLOSERS];

static unsigned whose(uid_t of)
{
	return of ? 1 + of % (CLOSERS - 1) : 0;
}

static void *run(void *arg)
{
	struct closer *c = arg;
	int fds[64];
	ssize_t n;

	while ((n = read(c->from, fds, sizeof(fds))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(fds[0]); i++) {
			close(fds[i]);
			atomic_fetch_sub(&c->waiting, 1);
		}
	}
	return NULL;
}

static bool start_thread(struct closer *c)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int rc;

	if (pthread_attr_init(&attr))
		return false;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES > PTHREAD_STACK_MIN ? STACK_BYTES : PTHREAD_STACK_MIN);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, run, c);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc == 0;
}

static void start(struct closer *c)
{
	int fds[2];

	c->tried = true;
	c->to = -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	sgd_high(&fds[0]);
	sgd_high(&fds[1]);
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	c->from = fds[0];
	if (fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0 && start_thread(c)) {
		c->to = fds[1];
		return;
	}
	close(fds[0]);
	close(fds[1]);
}

/* What a file system that sgd itself stands on does with a directory is no more than it does for us all the time. */
static bool is_on_root(const struct statx *x)
{
	static struct statx root;

	if (!root.stx_mask && statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_TYPE, &root) < 0)
		return false;
	return x->stx_dev_major == root.stx_dev_major && x->stx_dev_minor == root.stx_dev_minor;
}

/*
 * Pipes, terminals and /dev/null, which most programs have as standard streams: closed at once, so that their other
 * end is told. What kind it is the kernel knows without asking the file system. A serial line waits until all is sent.
 * So are most working directories: to wake a thread costs more.
 */
static bool never_waits(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &x) < 0)
		return false;
	return S_ISFIFO(x.stx_mode) || (S_ISDIR(x.stx_mode) && is_on_root(&x)) ||
	       (S_ISCHR(x.stx_mode) &&
		(x.stx_rdev_major == MEM_MAJOR ||
		 (x.stx_rdev_major >= UNIX98_PTY_SLAVE_MAJOR && x.stx_rdev_major < UNIX98_PTY_SLAVE_MAJOR + 8)));
}

void sgd_let_go(uid_t of, int fd)
{
	struct closer *c = &closers[whose(of)];

	if (fd < 0)
		return;
	if (!c->tried)
		start(c);
	if (c->to < 0 || never_waits(fd)) {
		close(fd);
		return;
	}
	atomic_fetch_add(&c->waiting, 1);
	/* A pipe that is full holds more than can be open; what it did not take would stay open, and counted. */
	(void)!write(c->to, &fd, sizeof(fd));
}

/* Whether no message is left to be read, and none can come. A message comes with its sender's ids, the end with none.
 */
static bool is_empty(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_control = control.buf, .msg_controllen = sizeof(control.buf)};

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) == 0 && shutdown(fd, SHUT_RDWR) == 0 &&
	       recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) == 0 && msg.msg_controllen == 0;
}

static uid_t uid_of(int fd)
{
	struct ucred who = {.uid = (uid_t)-1};

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &(socklen_t){sizeof(who)});
	return who.uid;
}

void sgd_let_go_conn(int fd)
{
	if (fd < 0)
		return;
	if (is_empty(fd))
		close(fd);
	else
		sgd_let_go(uid_of(fd), fd);
}

unsigned sgd_let_go_waiting(uid_t of)
{
	return atomic_load(&closers[whose(of)].waiting);
}
