/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/spawn.h"

#include "runner/arch.h"
#include "supervisor/notify.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define STACK_SIZE (64U << 10)
#define FDS_AT_FIRST 64 /* as many have room in a new table (NR_OPEN_DEFAULT) */
#define FDS_BESIDE 32   /* that are open for a while, or opened while something is looked up */

static int bind_filter(struct sg_launch *l, const struct sg_secret *secret, struct sock_filter **insns,
		       struct sg_err *err)
{
	bool bpf = l->tier >= SG_TIER_BPF;
	struct sg_binding b = {
		.exec_path = (uint64_t)(uintptr_t)secret->path,
		.msghdr = (uint64_t)(uintptr_t)secret->msg,
		.self = 1, /* any but 0, which means never: the child puts its own pid in */
		.ret_kill = bpf ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_USER_NOTIF,
		/* In the bpf tier the sys_enter program, which runs after seccomp, records audited calls. */
		.ret_audit = bpf ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF,
		.ret_supervised = SECCOMP_RET_USER_NOTIF,
		.ret_fork = l->judge.max_tasks ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW,
	};

	int rc;

	*insns = calloc(l->plan->filter.n_insns, sizeof(**insns));
	if (!*insns)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = sg_filter_bind(&l->plan->filter, &b, *insns, err);
	/* In audit mode what the kernel would refuse by itself is recorded, and runs. */
	for (unsigned i = 0; !rc && !bpf && l->judge.audit && i < l->plan->filter.n_insns; i++)
		if ((*insns)[i].code == (BPF_RET | BPF_K) &&
		    ((*insns)[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			(*insns)[i].k = SECCOMP_RET_USER_NOTIF;
	return rc;
}

#if defined(__SANITIZE_ADDRESS__)
#define SHARE_MEMORY false /* the sanitizer's shadow knows one stack per thread */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHARE_MEMORY false
#endif
#endif
#ifndef SHARE_MEMORY
#define SHARE_MEMORY true
#endif

/* Whether all that the child needs is fetched, or lies below what it leaves behind. */
static bool fits_low(const struct sg_child *c)
{
	const struct sg_heir *h = c->heir;
	int landlock = c->landlock ? c->landlock->fd : -1;

	if (h && h->daemon >= 0)
		return true;
	if (!h || c->report >= SG_FDS_LOW || c->wait >= SG_FDS_LOW || landlock >= SG_FDS_LOW || h->cwd >= SG_FDS_LOW)
		return false;
	for (int i = 0; i < h->n_fds; i++)
		if (h->from[i] >= SG_FDS_LOW)
			return false;
	return true;
}

static void run_child(void *child)
{
	sg_child_run(child);
}

/*
 * Starts the child in its cgroup. It shares our memory until it executes (as vfork): copying the page tables and
 * breaking the copies costs more than all its set-up. Not where it has to wait for us at a pipe.
 */
static pid_t clone_into(struct sg_launch *l, struct sg_spawn *s, struct sg_err *err)
{
	struct sg_child *child = &s->child;
	bool share = SHARE_MEMORY && (l->shared || child->wait < 0);
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&l->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (l->cg.dirfd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)l->cg.dirfd;
	}
	child->shares_memory = share;
	/* Copying a daemon's thousands of descriptors, to close them again, would cost more than all the rest. */
	child->shares_fds = (share && child->gate) || (l->shared && fits_low(child));
	args.flags |= child->shares_fds ? CLONE_FILES : 0;
	if (share) {
		/* A daemon does not wait: what an unprivileged client names may lie on a file system that hangs. */
		args.flags |= CLONE_VM | (l->shared || child->gate ? 0 : CLONE_VFORK);
		args.stack = (uint64_t)(uintptr_t)s->secret.page;
		args.stack_size = STACK_SIZE;
		pid = sg_clone_call(&args, sizeof(args), run_child, child);
	} else {
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid < 0 && errno == ENOSYS && l->cg.dirfd < 0)
			pid = syscall(SYS_clone, args.flags | args.exit_signal, 0, &l->pidfd, 0, 0);
		if (pid == 0)
			sg_child_run(child);
		pid = pid < 0 ? -errno : pid;
	}
	if (pid < 0)
		return sg_err_set(err, (int)-pid, "cannot start a process%s%s: %s%s",
				  l->cg.dirfd >= 0 ? " in the cgroup " : "", l->cg.dirfd >= 0 ? l->cg.path : "",
				  strerror((int)-pid),
				  pid == -ENOSYS ? "; Linux 5.7 or newer is needed, and a container's own seccomp "
						   "profile must allow clone3"
						 : "");
	return (pid_t)pid;
}

/* Takes one report. fd: the listener, where one came along. 0, -EPIPE at end of file, or negative errno. */
static int receive_report(int sock, struct sg_report *report, int *fd, int timeout_ms)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = report, .iov_len = sizeof(*report)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct cmsghdr *h;
	ssize_t n;

	n = sg_receive_packet(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == -EAGAIN) {
		if (poll(&p, 1, timeout_ms) <= 0)
			return -ETIMEDOUT;
		n = sg_receive_packet(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	}
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	h = CMSG_FIRSTHDR(&msg);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(h), sizeof(int));
	/* A descriptor came along, and no number is free for it. */
	if (msg.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	return n == (ssize_t)sizeof(*report) ? 0 : -EPROTO;
}

static int await_ready(struct sg_launch *l, int timeout_ms, struct sg_err *err)
{
	struct sg_report report = {0};
	int rc = receive_report(l->report, &report, &l->listener, timeout_ms);

	if (rc == -EPIPE)
		return sg_err_set(err, ECHILD, "the child process died before the program could be started");
	if (rc)
		return sg_err_set(err, -rc, "no word from the child process: %s%s", strerror(-rc),
				  rc == -EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
	if (report.step != SG_STEP_READY)
		return sg_err_set(
			err, report.err ? report.err : EPROTO, "the child process failed at %s: %s%s",
			sg_step_name(report.step), strerror(report.err),
			report.step == SG_STEP_SECCOMP && report.err == EBUSY
				? "; another seccomp supervisor listens to this process already (a container "
				  "manager's, another sandbox), and the kernel allows one: run sgrun outside of it, "
				  "or as root in the bpf tier"
			: report.step == SG_STEP_SECCOMP && report.err == EMFILE
				? "; --open-files (open_files) leaves no descriptor for it: 5 is the least"
				: "");
	return 0;
}

void sg_spawn_init(struct sg_spawn *s)
{
	memset(s, 0, sizeof(*s));
	s->ends[0] = s->ends[1] = -1;
}

/*
 * Whether the session's keyring may stay what it is, because no call reaches it: a daemon's if it is empty, too, which
 * costs nothing to be sure of.
 */
static bool leaves_keyring(const struct sg_launch *l)
{
	bool lets_go = l->plan->options->audit || l->plan->learn;

	return l->filter && l->plan->filter.keyless && (l->shared ? l->keyless : !lets_go);
}

/* All that the child gets but its filter and its Landlock domain. */
static int prepare(struct sg_launch *l, struct sg_spawn *s, const struct sg_heir *heir, const sigset_t *mask,
		   struct sg_err *err)
{
	int fds[2], rc;

	sg_spawn_init(s);
	/* With the stack of a child that shares our memory: one mapping, because each that ends is a word to the other
	 * processors. */
	rc = sg_secret_map(&s->secret, l->plan->path, STACK_SIZE, err);
	if (!rc && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		rc = sg_err_set(err, errno, "cannot create a socket pair: %s", strerror(errno));
	if (rc)
		return rc;
	l->report = fds[0];
	s->ends[0] = fds[1];
	s->child = (struct sg_child){
		.plan = l->plan,
		.secret = &s->secret,
		.listener = l->filter &&
			    (l->tier == SG_TIER_UNPRIVILEGED || l->plan->filter.has_supervised || l->judge.max_tasks),
		.report = s->ends[0],
		.wait = -1,
		.supervisor = getpid(),
		.mask = *mask,
		.marker = l->marker,
		.std = {l->output.child[0], l->output.child[1], l->output.child[2]},
		.heir = heir,
		.bounded = l->bounded,
		.keyless = leaves_keyring(l),
		.outlives = l->outlives,
	};
	memcpy(s->child.kept, l->signals.kept, sizeof(s->child.kept));
	return 0;
}

static int give_rest(struct sg_launch *l, struct sg_spawn *s, struct sg_err *err)
{
	int rc = l->filter ? bind_filter(l, &s->secret, &s->insns, err) : 0;

	s->child.insns = s->insns;
	s->child.net = s->net;
	s->child.n_net = sg_net_filter(l->net_refused, s->net);
	s->child.landlock = l->landlock.fd >= 0 ? &l->landlock : NULL;
	return rc;
}

static void note_start(struct sg_launch *l)
{
	l->started_ns = sg_clock_ns(CLOCK_MONOTONIC);
	sg_limiter_start(&l->limiter, l->started_ns);
	/* By the clock of the BPF side, so that no record of the program is older than the one of its start. */
	l->started_at = (uint64_t)((int64_t)sg_clock_ns(CLOCK_BOOTTIME) + l->session->realtime_offset);
}

static int start(struct sg_launch *l, struct sg_spawn *s, struct sg_err *err)
{
	int rc = 0;

	l->pid = clone_into(l, s, err);
	if (l->pid < 0) {
		rc = l->pid;
		l->pid = 0;
		return rc;
	}
	l->judge.self = (uint32_t)l->pid;
	l->members.first = l->pid;
	return 0;
}

/* While somebody holds it the kernel does not make it anew, and the rule about it holds. */
static void hold_proc(struct sg_launch *l)
{
	char path[32];

	if (!l->landlock.own_proc)
		return;
	snprintf(path, sizeof(path), "/proc/%d", l->pid);
	l->proc = open(path, O_PATH | O_CLOEXEC);
}

static void close_ends(struct sg_spawn *s)
{
	for (int i = 0; i < 2; i++)
		if (s->ends[i] >= 0)
			close(SG_TAKE_FD(s->ends[i]));
}

int sg_spawn_begin(struct sg_launch *l, struct sg_spawn *s, const struct sg_heir *heir, const sigset_t *mask,
		   struct sg_err *err)
{
	SG_CLOSE int wait_w = -1;
	int rc = prepare(l, s, heir, mask, err), fds[2];

	if (!rc)
		rc = give_rest(l, s, err);
	/* sys_enter compares with the first process's pid, so it must know it before that process is judged. */
	if (!rc && l->sys_enter) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return sg_err_set(err, errno, "cannot create a pipe: %s", strerror(errno));
		s->child.wait = s->ends[1] = fds[0];
		wait_w = fds[1];
	}
	if (rc)
		return rc;
	note_start(l);
	rc = start(l, s, err);
	sg_output_started(&l->output);
	/* It has its own table of descriptors only when it says that it is ready. */
	if (!s->child.shares_fds)
		close_ends(s);
	if (rc)
		return rc;
	hold_proc(l);
	if (wait_w >= 0) {
		rc = sg_bpf_set_self(l->bpf, l->sandbox, (uint32_t)l->pid, err);
		if (!rc && write(wait_w, "", 1) != 1)
			rc = sg_err_set(err, errno, "cannot release the child process: %s", strerror(errno));
	}
	return rc;
}

bool sg_spawn_can_wait(const struct sg_launch *l)
{
	return SHARE_MEMORY && !l->shared && !l->sys_enter && l->tier < SG_TIER_LSM;
}

/*
 * A table of descriptors that grows while two processes share it makes the kernel wait for everybody who may still read
 * the old one: 10 ms. So it grows now. Where the limit of open files does not let it, that is reached before.
 */
static void make_room(const struct sg_launch *l, const struct sg_spawn *s)
{
	const int last = s->ends[0] + (int)l->plan->n_trees + FDS_BESIDE;
	int fd = last < FDS_AT_FIRST ? -1 : fcntl(s->ends[0], F_DUPFD_CLOEXEC, last);

	if (fd >= 0)
		close(fd);
}

int sg_spawn_early(struct sg_launch *l, struct sg_spawn *s, const sigset_t *mask, struct sg_err *err)
{
	int rc = prepare(l, s, NULL, mask, err);

	if (!rc)
		make_room(l, s);
	s->child.gate = &s->gate;
	return rc ? rc : start(l, s, err);
}

int sg_spawn_go(struct sg_launch *l, struct sg_spawn *s, struct sg_err *err)
{
	int rc = give_rest(l, s, err);

	if (rc)
		return rc;
	note_start(l);
	__atomic_store_n(&s->gate, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &s->gate, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	hold_proc(l);
	return 0;
}

int sg_spawn_ready(struct sg_launch *l, struct sg_spawn *s, int timeout_ms, struct sg_err *err)
{
	int rc = await_ready(l, timeout_ms, err);

	if (!rc) {
		close_ends(s);
		if (s->child.gate)
			sg_output_started(&l->output);
	}
	if (!rc && s->child.listener && l->listener < 0)
		rc = sg_err_set(err, EPROTO, "the child process sent no seccomp listener");
	if (l->listener >= 0)
		sg_notify_prepare(l->listener);
	return rc;
}

void sg_spawn_end(struct sg_spawn *s)
{
	close_ends(s);
	sg_secret_unmap(&s->secret);
	free(s->insns);
	s->insns = NULL;
}
