/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/child.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

/* Linux 5.11 and 5.19; Debian 12's headers may be older than the kernel that runs. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
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

int sg_secret_map(struct sg_secret *s, const char *path, struct sg_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), offset;
	uint64_t random[2];

	memset(s, 0, sizeof(*s));
	s->size = 2 * page;
	if (strlen(path) >= PATH_MAX || sizeof(*s->msg) + sizeof(*s->iov) + PATH_MAX + 1024 > s->size)
		return sg_err_set(err, ENAMETOOLONG, "the path of the program is too long");
	for (int tries = 0; tries < 64; tries++) {
		uintptr_t at;

		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return sg_err_set(err, errno, "no random numbers: %s", strerror(errno));
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
	offset = (size_t)(random[1] % ((s->size - PATH_MAX - 1024) / 16)) * 16;
	s->msg = (struct msghdr *)((char *)s->page + offset);
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
	if (s->page)
		munmap(s->page, s->size);
	s->page = NULL;
}

/* fd < 0: nothing attached. Works before and after the filter is loaded. */
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
	(void)!syscall(SYS_sendmsg, c->report, s->msg, MSG_NOSIGNAL);
}

static _Noreturn void die(const struct sg_child *c, uint32_t step, int err)
{
	send_report(c, step, err, -1);
	_exit(125);
}

static void try(const struct sg_child *c, uint32_t step, long rc)
{
	if (rc < 0)
		die(c, step, errno);
}

/* Everything above 2 closes at exec, but for what --fd named. */
static void seal_fds(const struct sg_child *c)
{
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		long max = sysconf(_SC_OPEN_MAX);

		for (int fd = 3; fd < (max > 0 && max < 1 << 20 ? max : 1 << 20); fd++)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	for (int i = 0; i < c->plan->n_fds; i++)
		try(c, SG_STEP_FDS, fcntl(c->plan->fds[i], F_SETFD, 0));
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

	try(c, SG_STEP_CAPS, syscall(SYS_capget, &head, data));
	if (data[0].effective & (1U << CAP_SETPCAP)) {
		for (int cap = 0; cap < 64; cap++)
			if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
				break; /* past the last one this kernel knows */
		try(c, SG_STEP_CAPS, prctl(PR_SET_SECUREBITS, secure, 0, 0, 0));
	}
}

static void clear_caps(const struct sg_child *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	try(c, SG_STEP_CAPS, syscall(SYS_capset, &head, data));
}

static void load_filter(const struct sg_child *c)
{
	struct sock_fprog prog = {.len = c->plan->filter.n_insns, .filter = c->insns};
	unsigned long flags = c->listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	long fd;

	for (int i = 0; i < c->plan->filter.n_patches; i++)
		if (c->plan->filter.patches[i].kind == SG_PATCH_SELF)
			c->insns[c->plan->filter.patches[i].pc].k = (uint32_t)getpid();
	/* While the supervisor looks at a call, only a fatal signal may interrupt it: else the call would be asked
	 * again. */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     c->listener ? flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : flags, &prog);
	if (fd < 0 && errno == EINVAL && c->listener)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	try(c, SG_STEP_SECCOMP, fd);
	send_report(c, SG_STEP_READY, 0, c->listener ? (int)fd : -1);
}

_Noreturn void sg_child_run(const struct sg_child *c)
{
	const struct sg_plan *plan = c->plan;
	char byte;
	ssize_t n;

	/* Handlers end with exec; what our caller ignores (nohup) stays ignored; SIGPIPE was ignored by us. */
	(void)sigaction(SIGPIPE, &c->sigpipe, NULL);
	try(c, SG_STEP_SESSION, setsid());
	seal_fds(c);
	for (int i = 0; i < plan->n_rlimits; i++)
		try(c, SG_STEP_RLIMIT,
		    setrlimit((__rlimit_resource_t)plan->rlimits[i].resource, &plan->rlimits[i].value));
	if (c->marker) {
		struct rlimit mark = {.rlim_cur = c->marker, .rlim_max = c->marker};

		try(c, SG_STEP_RLIMIT, setrlimit(RLIMIT_MSGQUEUE, &mark));
	}
	drop_caps(c);
	if (plan->set_ids) {
		try(c, SG_STEP_IDS, setgroups(0, NULL));
		try(c, SG_STEP_IDS, setresgid(plan->gid, plan->gid, plan->gid));
		try(c, SG_STEP_IDS, setresuid(plan->uid, plan->uid, plan->uid));
	}
	clear_caps(c);
	/* After the change of user, so that the directory must be within the program's own reach. */
	if (plan->chdir)
		try(c, SG_STEP_CHDIR, chdir(plan->chdir));
	/* A change of user clears it, so it comes after; the supervisor may have died before. */
	try(c, SG_STEP_PARENT, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
	if (getppid() != c->supervisor)
		_exit(125);
	try(c, SG_STEP_NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (c->landlock)
		try(c, SG_STEP_LANDLOCK, sg_landlock_enforce(c->landlock));
	if (c->wait >= 0) {
		do
			n = read(c->wait, &byte, 1);
		while (n < 0 && errno == EINTR);
		if (n != 1)
			_exit(125);
	}
	(void)sigprocmask(SIG_SETMASK, &c->mask, NULL);
	if (c->insns)
		load_filter(c);
	else
		send_report(c, SG_STEP_READY, 0, -1);
	syscall(SYS_execve, c->secret->path, plan->argv, plan->env);
	send_report(c, SG_STEP_EXEC, errno, -1);
	/* Not by exit_group: a policy may forbid it, and a parent that waits for us could not answer for it. */
	__builtin_trap();
}
