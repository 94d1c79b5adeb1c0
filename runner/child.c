/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/child.h"

#include "runner/arch.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Linux 5.11 and 5.19; Debian 12's headers may be older than the kernel that runs. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

const char *sg_step_name(uint32_t step)
{
	static const char *const names[] = {
		[SG_STEP_READY] = "ready",
		[SG_STEP_SESSION] = "starting a new session",
		[SG_STEP_PARENT] = "tying itself to the supervisor's life",
		[SG_STEP_OUTPUT] = "putting the output pipes in place",
		[SG_STEP_FDS] = "closing descriptors",
		[SG_STEP_CHDIR] = "changing to the working directory",
		[SG_STEP_RLIMIT] = "setting resource limits",
		[SG_STEP_IDS] = "changing user and group",
		[SG_STEP_CAPS] = "dropping capabilities",
		[SG_STEP_NO_NEW_PRIVS] = "setting no_new_privs",
		[SG_STEP_LANDLOCK] = "entering the Landlock domain",
		[SG_STEP_WAIT] = "waiting for the supervisor",
		[SG_STEP_SECCOMP] = "loading the seccomp filter",
		[SG_STEP_EXEC] = "executing the program",
	};

	return step < SG_ARRAY_SIZE(names) && names[step] ? names[step] : "an unknown step";
}

/*
 * Memory for who launches again: to map and unmap it, with page tables of its own, is a tenth of what a launch costs a
 * daemon. Where in the page the secret lies is another place each time, and the page another one now and then.
 */
#define KEPT_MAX 4
#define KEPT_ROUNDS 64
static struct sg_secret kept[KEPT_MAX];

static bool take_kept(struct sg_secret *s)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!kept[i].page || kept[i].size != s->size)
			continue;
		s->page = kept[i].page;
		s->rounds = kept[i].rounds + 1;
		kept[i].page = NULL;
		return true;
	}
	return false;
}

int sg_secret_map(struct sg_secret *s, const char *path, size_t below, struct sg_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 2 * page, offset;
	uint64_t random[2];

	memset(s, 0, sizeof(*s));
	s->size = below + room;
	if (strlen(path) >= PATH_MAX || sizeof(*s->msg) + sizeof(*s->iov) + PATH_MAX + 1024 > room)
		return sg_err_set(err, ENAMETOOLONG, "the path of the program is too long");
	for (int tries = 0; tries < 64; tries++) {
		uintptr_t at;

		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return sg_err_set(err, errno, "no random numbers: %s", strerror(errno));
		if (take_kept(s)) {
			memset((char *)s->page + below, 0, room);
			break;
		}
		/* Anywhere in the lower half of the 47 bits of user addresses but the first 4 GiB. */
		at = (uintptr_t)(random[0] & 0x7fffffffffffULL & ~(uint64_t)(page - 1));
		if (at < (1ULL << 32) || at > 0x7fff00000000ULL)
			continue;
		s->page = mmap((void *)at, s->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (s->page == (void *)at)
			break;
		if (s->page != MAP_FAILED)
			munmap(s->page, s->size);
		s->page = NULL;
	}
	if (!s->page)
		return sg_err_set(err, ENOMEM, "cannot map the page for the program's path");
	/* The offset inside is secret too: 16-byte steps, as the header needs its alignment. */
	offset = (size_t)(random[1] % ((room - PATH_MAX - 1024) / 16)) * 16;
	s->msg = (struct msghdr *)((char *)s->page + below + offset);
	s->iov = (struct iovec *)(s->msg + 1);
	s->report = (struct sg_report *)(s->iov + 1);
	s->control = (void *)(((uintptr_t)(s->report + 1) + 15) & ~(uintptr_t)15);
	s->path = (char *)(s->control + 1);
	s->path += random[1] >> 56 & 0xff;
	memcpy(s->path, path, strlen(path) + 1);
	return 0;
}

void sg_secret_unmap(struct sg_secret *s)
{
	for (size_t i = 0; s->page && s->rounds < KEPT_ROUNDS && i < KEPT_MAX; i++) {
		if (kept[i].page)
			continue;
		kept[i] = *s;
		s->page = NULL;
	}
	if (s->page)
		munmap(s->page, s->size);
	s->page = NULL;
}

/*
 * From here on the child runs. Its memory may be that of a daemon that goes on meanwhile: no errno, no allocation, no
 * lock, nothing of libc but what only computes.
 */
static inline long sys(long nr, long a, long b, long c, long d)
{
	return sg_raw_syscall(nr, a, b, c, d, 0);
}

/*
 * fd < 0: nothing attached. Works before and after the filter is loaded. Where the user has too many descriptors on
 * their way (to the daemon: requests of others) it is tried until there is room: a program must not begin unreported,
 * and the supervisor, who gives up after a while, ends us.
 */
static void send_report(const struct sg_child *c, uint32_t step, int err, int fd)
{
	struct sg_secret *s = c->secret;

	memset(s->msg, 0, sizeof(*s->msg));
	*s->report = (struct sg_report){.step = step, .err = err};
	*s->iov = (struct iovec){.iov_base = s->report, .iov_len = sizeof(*s->report)};
	s->msg->msg_iov = s->iov;
	s->msg->msg_iovlen = 1;
	if (fd >= 0) {
		struct cmsghdr *h;

		s->msg->msg_control = s->control->buf;
		s->msg->msg_controllen = sizeof(s->control->buf);
		h = CMSG_FIRSTHDR(s->msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	/* A supervisor that is gone needs no report; the parent-death signal is on its way. */
	while (sys(SYS_sendmsg, c->report, (long)s->msg, MSG_NOSIGNAL, 0) == -ETOOMANYREFS)
		;
}

static _Noreturn void leave(void)
{
	for (;;)
		(void)sys(SYS_exit_group, 125, 0, 0, 0);
}

/* rc: what a system call answered. */
static void try(const struct sg_child *c, uint32_t step, long rc)
{
	if (rc >= 0)
		return;
	send_report(c, step, (int)-rc, -1);
	leave();
}

/* ---- what a client gives to a child that is not its own ---- */

/*
 * A table of descriptors of its own. From a daemon's that keeps its clients' apart it has nothing but the daemon's
 * pidfd and what has no meaning.
 */
static long leave_table(const struct sg_child *c)
{
	int self = c->heir ? c->heir->daemon : -1;
	long rc = sys(SYS_close_range, self < 0 ? SG_FDS_LOW : self + 1, ~0U, CLOSE_RANGE_UNSHARE, 0);

	return rc < 0 ? sys(SYS_unshare, CLONE_FILES, 0, 0, 0) : rc;
}

/* What has the number fd in the daemon. */
static int fetch(const struct sg_child *c, int fd)
{
	long rc;

	if (fd < 0 || c->heir->daemon < 0)
		return fd;
	rc = sys(SYS_pidfd_getfd, c->heir->daemon, fd, 0, 0);
	try(c, SG_STEP_FDS, rc);
	return (int)rc;
}

/* Out of the way of the numbers that the program gets. */
static int move_up(const struct sg_child *c, int fd, int above)
{
	long rc;

	if (fd < 0 || fd > above)
		return fd;
	rc = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, above + 1, 0);
	try(c, SG_STEP_FDS, rc);
	return (int)rc;
}

/*
 * The rest of the supervisor's descriptors. A daemon's are closed now and not by exec, which may never come where a
 * file system hangs: copies here would keep alive what the daemon closes.
 */
static void close_others(const struct sg_child *c)
{
	int keep[SG_HEIR_FDS + SG_MAX_PASSED_FDS + 5], n = 0;
	unsigned from = 3;

	keep[n++] = c->report;
	keep[n++] = c->wait;
	keep[n++] = c->landlock_fd;
	keep[n++] = c->cwd;
	for (int i = 0; c->heir && i < c->heir->n_fds; i++)
		keep[n++] = c->heir->to[i];
	for (int i = 0; !c->heir && i < c->plan->n_fds; i++)
		keep[n++] = c->plan->fds[i];
	for (int i = 1; i < n; i++) {
		int fd = keep[i], at = i;

		for (; at > 0 && keep[at - 1] > fd; at--)
			keep[at] = keep[at - 1];
		keep[at] = fd;
	}
	for (int i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			(void)sys(SYS_close_range, from, keep[i] - 1, 0, 0);
		from = (unsigned)keep[i] + 1;
	}
	(void)sys(SYS_close_range, from, ~0U, 0, 0);
}

static void take_fds(struct sg_child *c)
{
	const struct sg_heir *h = c->heir;
	int from[SG_HEIR_FDS], highest = 2;
	bool given[3] = {false};

	for (int i = 0; i < h->n_fds; i++)
		highest = h->to[i] > highest ? h->to[i] : highest;
	c->report = move_up(c, c->report, highest);
	c->wait = move_up(c, fetch(c, c->wait), highest);
	c->landlock_fd = move_up(c, fetch(c, c->landlock_fd), highest);
	c->cwd = move_up(c, fetch(c, h->cwd), highest);
	for (int i = 0; i < 3; i++)
		c->std[i] = move_up(c, fetch(c, c->std[i]), highest);
	for (int i = 0; i < h->n_fds; i++)
		from[i] = move_up(c, fetch(c, h->from[i]), highest);
	for (int i = 0; i < h->n_fds; i++) {
		try(c, SG_STEP_FDS, sys(SYS_dup3, from[i], h->to[i], 0, 0));
		if (h->to[i] <= 2)
			given[h->to[i]] = true;
	}
	for (int fd = 0; fd <= 2; fd++)
		if (!given[fd])
			(void)sys(SYS_close, fd, 0, 0, 0);
	close_others(c);
}

static void take_signals(const struct sg_child *c)
{
	unsigned long action[4] = {0}; /* the kernel's: handler first; the rest does not matter for these two */

	for (int sig = 1; sig <= 64; sig++) {
		bool ignored = c->heir->ignored >> (sig - 1) & 1;

		if (!ignored && sig != SIGPIPE)
			continue;
		action[0] = ignored ? (unsigned long)SIG_IGN : (unsigned long)SIG_DFL;
		(void)sys(SYS_rt_sigaction, sig, (long)action, 0, 8);
	}
}

/*
 * A daemon's session keyring is not its clients', nor any of theirs another's; nor is root's that of the user whom
 * --user names. As root, so that it is not of the user's quota; a program possesses its session's keyring whoever made
 * it.
 */
static void new_keyring(const struct sg_child *c)
{
	long rc = sys(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0);

	/* Not there, or refused by a container's filter, it is so for the program, too. */
	try(c, SG_STEP_IDS, rc == -ENOSYS || rc == -EPERM ? 0 : rc);
}

static void take_rest(const struct sg_child *c)
{
	const struct sg_heir *h = c->heir;

	(void)sys(SYS_umask, h->umask, 0, 0, 0);
	/* None of these may be more than the client has; where it cannot be as much, less is right as well. */
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit want = h->rlimits[i], have;

		if (h->same_rlimits >> i & 1)
			continue;
		if (sys(SYS_prlimit64, 0, i, (long)&want, 0) >= 0)
			continue;
		try(c, SG_STEP_RLIMIT, sys(SYS_prlimit64, 0, i, 0, (long)&have));
		want.rlim_max = want.rlim_max < have.rlim_max ? want.rlim_max : have.rlim_max;
		want.rlim_cur = want.rlim_cur < want.rlim_max ? want.rlim_cur : want.rlim_max;
		try(c, SG_STEP_RLIMIT, sys(SYS_prlimit64, 0, i, (long)&want, 0));
	}
	/* Higher than ours may be more than we can give. */
	(void)sys(SYS_setpriority, PRIO_PROCESS, 0, h->nice, 0);
	if (h->cpus_size)
		try(c, SG_STEP_RLIMIT, sys(SYS_sched_setaffinity, 0, (long)h->cpus_size, (long)h->cpus, 0));
}

/* ---- what every child does ---- */

/* Everything above 2 closes at exec, but for what --fd named. */
static void seal_fds(const struct sg_child *c)
{
	if (sys(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC, 0) < 0) {
		struct rlimit max = {.rlim_cur = 1 << 20};

		(void)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&max);
		for (int fd = 3; fd < (max.rlim_cur < 1 << 20 ? (int)max.rlim_cur : 1 << 20); fd++)
			(void)sys(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0);
	}
	for (int i = 0; i < c->plan->n_fds; i++)
		try(c, SG_STEP_FDS, sys(SYS_fcntl, c->plan->fds[i], F_SETFD, 0, 0));
}

/*
 * No capability survives and none can come back: the bounding set is emptied and uid 0 means nothing to exec any more.
 * Without CAP_SETPCAP the caller is an ordinary user and no_new_privs does the same job.
 */
static void drop_caps(const struct sg_child *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	unsigned long secure = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			       SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			       SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	try(c, SG_STEP_CAPS, sys(SYS_capget, (long)&head, (long)data, 0, 0));
	if (data[0].effective & (1U << CAP_SETPCAP)) {
		for (int cap = 0; cap < 64 && !c->bounded; cap++)
			if (sys(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0) == -EINVAL)
				break; /* past the last one this kernel knows */
		try(c, SG_STEP_CAPS, sys(SYS_prctl, PR_SET_SECUREBITS, (long)secure, 0, 0));
	}
}

static void clear_caps(const struct sg_child *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	(void)sys(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
	try(c, SG_STEP_CAPS, sys(SYS_capset, (long)&head, (long)data, 0, 0));
}

static void set_ids(const struct sg_child *c)
{
	const struct sg_plan *plan = c->plan;
	size_t n = c->heir ? c->heir->n_groups : 0;

	try(c, SG_STEP_IDS, sys(SYS_setgroups, (long)n, n ? (long)c->heir->groups : 0, 0, 0));
	try(c, SG_STEP_IDS, sys(SYS_setresgid, plan->gid, plan->gid, plan->gid, 0));
	try(c, SG_STEP_IDS, sys(SYS_setresuid, plan->uid, plan->uid, plan->uid, 0));
}

static long enter_landlock(const struct sg_child *c)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = c->landlock->own_proc};

	if (rule.allowed_access) {
		/* Without it the program does not see itself: no reason to run with less protection, or not at all. */
		rule.parent_fd = (int)sys(SYS_openat, AT_FDCWD, (long)"/proc/self", O_PATH | O_CLOEXEC, 0);
		if (rule.parent_fd >= 0)
			(void)sys(SYS_landlock_add_rule, c->landlock_fd, LANDLOCK_RULE_PATH_BENEATH, (long)&rule, 0);
	}
	return sys(SYS_landlock_restrict_self, c->landlock_fd, c->landlock->log ? SG_LANDLOCK_LOG : 0, 0, 0);
}

static void load_filter(const struct sg_child *c)
{
	struct sock_fprog prog = {.len = c->plan->filter.n_insns, .filter = c->insns};
	unsigned long flags = c->listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	uint32_t self = (uint32_t)sys(SYS_getpid, 0, 0, 0, 0);
	long fd;

	for (int i = 0; i < c->plan->filter.n_patches; i++)
		if (c->plan->filter.patches[i].kind == SG_PATCH_SELF)
			c->insns[c->plan->filter.patches[i].pc].k = self;
	/* While the supervisor looks at a call, only a fatal signal may interrupt it: else the call would be asked
	 * again. */
	fd = sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		 (long)(c->listener ? flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : flags), (long)&prog, 0);
	if (fd == -EINVAL && c->listener)
		fd = sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags, (long)&prog, 0);
	try(c, SG_STEP_SECCOMP, fd);
	send_report(c, SG_STEP_READY, 0, c->listener ? (int)fd : -1);
}

static void restore_kept(const struct sg_child *c)
{
	for (int i = 0; i < SG_KEPT_SIGNALS; i++) {
		/* The kernel's: handler first. No handler of ours is ever there, so that is all that matters. */
		unsigned long action[4] = {(unsigned long)c->kept[i].sa_handler};

		(void)sys(SYS_rt_sigaction, sg_kept_signals[i], (long)action, 0, 8);
	}
}

static void place_fds(const struct sg_child *c)
{
	for (int fd = 0; fd <= 2; fd++)
		if (c->std[fd] >= 0)
			try(c, SG_STEP_OUTPUT, sys(SYS_dup3, c->std[fd], fd, 0, 0));
	/* The supervisor's own would fill the table where the program may have few, and the filter needs a place. */
	if (!c->heir)
		close_others(c);
	seal_fds(c);
}

/* A table of descriptors of its own, with all that is in it. Containers' filters often refuse unshare(2). */
static long own_table(void)
{
	long rc = sys(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE, 0);

	return rc < 0 ? sys(SYS_unshare, CLONE_FILES, 0, 0, 0) : rc;
}

/* Waits until the supervisor has the rest ready; a supervisor that dies takes us along (PDEATHSIG). */
static void pass_gate(struct sg_child *c, const struct sg_child *given)
{
	while (!__atomic_load_n(c->gate, __ATOMIC_ACQUIRE))
		(void)sys(SYS_futex, (long)c->gate, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0);
	c->landlock = given->landlock;
	c->landlock_fd = c->landlock ? c->landlock->fd : -1;
	c->insns = given->insns;
	c->net = given->net;
	c->n_net = given->n_net;
	try(c, SG_STEP_FDS, own_table());
	place_fds(c);
}

_Noreturn void sg_child_run(const struct sg_child *given)
{
	struct sg_child me = *given, *c = &me;
	const struct sg_plan *plan = c->plan;
	char byte;
	long n;

	/* First of all: from here on what we open and close is ours. */
	if (c->shares_fds && !c->gate && leave_table(c) < 0)
		leave();
	if (c->heir && c->heir->daemon >= 0) {
		n = sys(SYS_pidfd_getfd, c->heir->daemon, c->report, 0, 0);
		if (n < 0)
			leave(); /* nowhere to say it */
		c->report = (int)n;
	}
	c->cwd = -1;
	c->landlock_fd = c->landlock ? c->landlock->fd : -1;
	if (c->heir) {
		take_fds(c);
		take_signals(c);
	} else {
		/* Handlers end with exec; what our caller ignores (nohup) stays ignored. */
		restore_kept(c);
	}
	try(c, SG_STEP_SESSION, sys(SYS_setsid, 0, 0, 0, 0));
	if (!c->gate)
		place_fds(c);
	if (c->heir)
		take_rest(c);
	for (int i = 0; i < plan->n_rlimits; i++)
		try(c, SG_STEP_RLIMIT,
		    sys(SYS_prlimit64, 0, plan->rlimits[i].resource, (long)&plan->rlimits[i].value, 0));
	if (c->marker) {
		struct rlimit mark = {.rlim_cur = c->marker, .rlim_max = c->marker};

		try(c, SG_STEP_RLIMIT, sys(SYS_prlimit64, 0, RLIMIT_MSGQUEUE, (long)&mark, 0));
	}
	drop_caps(c);
	if ((c->heir || plan->set_ids) && !c->keyless)
		new_keyring(c);
	if (plan->set_ids)
		set_ids(c);
	clear_caps(c);
	/* After the change of user, so that the directory must be within the program's own reach. */
	if (c->cwd >= 0)
		try(c, SG_STEP_CHDIR, sys(SYS_fchdir, c->cwd, 0, 0, 0));
	else if (plan->chdir)
		try(c, SG_STEP_CHDIR, sys(SYS_chdir, (long)plan->chdir, 0, 0, 0));
	/* A change of user clears it, so it comes after; the supervisor may have died before. */
	if (!c->outlives) {
		try(c, SG_STEP_PARENT, sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0));
		if (sys(SYS_getppid, 0, 0, 0, 0) != c->supervisor)
			leave();
	}
	try(c, SG_STEP_NO_NEW_PRIVS, sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0));
	if (c->gate)
		pass_gate(c, given);
	if (c->landlock)
		try(c, SG_STEP_LANDLOCK, enter_landlock(c));
	if (c->wait >= 0) {
		do
			n = sys(SYS_read, c->wait, (long)&byte, 1, 0);
		while (n == -EINTR);
		if (n != 1)
			leave();
	}
	/*
	 * Before 5.16 a signal that dumps core ends all who share the memory: the supervisor would go with us, by our
	 * own trap below, or by whoever may send us SIGQUIT from here on. Not what has no core to dump.
	 */
	if (c->shares_memory)
		(void)sys(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0);
	(void)sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&c->mask, 0, 8);
	if (c->n_net) {
		struct sock_fprog prog = {.len = c->n_net, .filter = (struct sock_filter *)c->net};

		try(c, SG_STEP_SECCOMP, sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&prog, 0));
	}
	if (c->insns)
		load_filter(c);
	else
		send_report(c, SG_STEP_READY, 0, -1);
	n = sys(SYS_execve, (long)c->secret->path, (long)plan->argv, (long)plan->env, 0);
	send_report(c, SG_STEP_EXEC, (int)-n, -1);
	/* Not by exit_group: a policy may forbid it, and a parent that waits for us could not answer for it. */
	__builtin_trap();
}
