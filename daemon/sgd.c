/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sgd.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>

#define RING_BYTES (4U << 20)
#define MAX_PROCS 32768
#define OWNER "trusted.sandgate" /* of the cgroup of all sandboxes: whose it is */
#define LOCK_NS 3000000000L      /* for a daemon that has died to be gone */
#define LOCK_TRIES 300
#define END_NS 8000000000ULL /* for sandboxes to end when the daemon does */

static int fail(const struct sg_err *err)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	fprintf(stderr, "sgd: %s\n", text);
	return 1;
}

static int load_policy(struct sgd *d, json_t **changed, struct sg_err *err)
{
	SG_CLOSE int fd = open(d->o->policy, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	SG_FREE char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sg_err_set(err, errno, "cannot open %s: %s", d->o->policy, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > SG_POLICY_MAX_BYTES)
		return sg_err_set(err, EINVAL, "%s: no regular file of at most %u bytes", d->o->policy,
				  SG_POLICY_MAX_BYTES);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (read(fd, text, (size_t)st.st_size) != st.st_size)
		return sg_err_set(err, EIO, "cannot read %s: it changes", d->o->policy);
	return sgd_reload(d, text, (size_t)st.st_size, d->o->policy, changed, err);
}

static void on_signal(struct sgd_source *s, uint32_t events)
{
	struct sgd *d = s->owner;
	struct signalfd_siginfo si;

	(void)events;
	while (read(s->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		struct sg_err err = {0};
		json_t *changed = NULL;

		if (si.ssi_signo != SIGHUP) {
			d->stopping = true;
			continue;
		}
		if (sgd_vlog_reopen(&d->log, &err) < 0)
			(void)fail(&err);
		sg_err_reset(&err);
		if (d->o->policy && load_policy(d, &changed, &err) < 0)
			(void)fail(&err);
		json_decref(changed);
	}
}

static void on_ring(struct sgd_source *s, uint32_t events)
{
	(void)events;
	sgd_drain_some(s->owner);
}

static int watch_signals(struct sgd *d, struct sg_err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* What we ignore a child would, unless its client does: start from nothing. */
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return sg_err_set(err, errno, "cannot watch signals: %s", strerror(errno));
	d->signals = (struct sgd_source){.fd = -1, .fn = on_signal, .owner = d};
	return sgd_loop_set(&d->loop, &d->signals, fd, EPOLLIN);
}

/*
 * A child that runs as a client's user shares our memory until it executes: nobody may look into it through that child,
 * nor get it into a core dump.
 */
static int protect(struct sgd *d, struct sg_err *err)
{
	struct rlimit files;
	char score[16];

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return sg_err_set(err, errno, "cannot become undumpable: %s", strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Children get the client's. */
	(void)umask(077);
	if (sg_read_file(AT_FDCWD, "/proc/self/oom_score_adj", score, sizeof(score)) > 0)
		d->oom_score_adj = (int)strtol(score, NULL, 10);
	/* What a service manager put into ours is no program's, and who cannot call for keys needs none of its own. */
	d->keyless = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0;
	/* Nothing is executed here that should gain anything by it, and no child needs to empty the set by itself. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return 0;
	d->bounded = true;
	return 0;
}

/* A process that has ended and is waited for by nobody yet does not run. */
static bool runs(pid_t pid, uint64_t began)
{
	SG_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && sg_proc_start_time(pid) == began && poll(&p, 1, 0) == 0;
}

/* The process that the cgroup's attribute names, if it runs and is in our PID namespace; else 0. */
static int owner(const struct sgd *d, ino_t ns)
{
	unsigned long long began;
	unsigned long of;
	char text[96];
	ssize_t n = fgetxattr(d->parent.dirfd, OWNER, text, sizeof(text) - 1);
	int pid;

	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%d %llu %lu", &pid, &began, &of) == 3 && of == ns && pid != getpid() && runs(pid, began)
		       ? pid
		       : 0;
}

/*
 * 1: it is ours now; 0: another one has it; -1: cannot be told. The file is one that only root may open, where any user
 * may open the directory, and could lock that.
 */
static int lock_cgroup(struct sgd *d)
{
	const struct timespec pause = {.tv_nsec = LOCK_NS / LOCK_TRIES};

	d->claim = openat(d->parent.dirfd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (d->claim < 0)
		return -1; /* before Linux 5.14 */
	sgd_high(&d->claim);
	/* The keeper of one that has just died has all of its descriptors, for a moment. */
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(d->claim, LOCK_EX | LOCK_NB) == 0)
			return 1;
		if (errno != EWOULDBLOCK)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * Another daemon's sandboxes would seem to be what a crash left, and be ended. A lock tells, in whatever PID namespace
 * that one is; an attribute, which CAP_SYS_ADMIN alone reads and writes, who it is, and does where there is no such
 * file.
 */
static int claim_cgroup(struct sgd *d, struct sg_err *err)
{
	char text[96], who[32] = "";
	struct stat st;
	int pid, n, locked = 0;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return sg_err_set(err, errno, "cannot look at /proc/self/ns/pid: %s", strerror(errno));
	pid = owner(d, st.st_ino);
	if (pid)
		snprintf(who, sizeof(who), ", process %d", pid);
	else
		locked = lock_cgroup(d);
	if (!locked) {
		close(SG_TAKE_FD(d->parent.dirfd)); /* nor is it ours to remove */
		return sg_err_set(err, EADDRINUSE,
				  "the cgroup %s is another sgd's%s: end that one, or name another cgroup with "
				  "--cgroup",
				  d->parent.path, who);
	}
	n = snprintf(text, sizeof(text), "%d %llu %lu", (int)getpid(), (unsigned long long)sg_proc_start_time(getpid()),
		     (unsigned long)st.st_ino);
	if (fsetxattr(d->parent.dirfd, OWNER, text, (size_t)n, 0) < 0 && locked < 0)
		fprintf(stderr,
			"sgd: cannot mark the cgroup %s (%s): another sgd that is given it ends our sandboxes\n",
			d->parent.path, strerror(errno));
	return 0;
}

static int start(struct sgd *d, struct sg_err *err)
{
	struct sg_bpf_opts opts = {
		.programs = SG_BPF_KILLS | SG_BPF_SYS_ENTER,
		/* Whatever --max-sandboxes is: tables of another size would not be those of the daemon before. */
		.max_sandboxes = SG_MAX_SANDBOXES,
		.max_policies = SG_MAX_POLICIES,
		.max_procs = MAX_PROCS,
		.discover = d->o->n_rules,
		.ring_bytes = RING_BYTES,
		.pin = d->o->bpffs,
	};
	json_t *changed = NULL;
	int rc = protect(d, err);

	d->parent.dirfd = d->claim = -1;
	d->started = sg_clock_ns(CLOCK_BOOTTIME);
	d->self = rc ? -1 : sgd_common_fds();
	if (!rc && d->self < 0)
		fprintf(stderr,
			"sgd: children may not fetch descriptors (pidfd_getfd: CAP_SYS_PTRACE, Yama's ptrace_scope "
			"3, a container's filter): one client's file system that hangs may hold up others' launches\n");
	if (!rc)
		rc = sgd_alone(d, err);
	if (!rc)
		rc = sgd_loop_open(&d->loop, err);
	if (!rc)
		rc = watch_signals(d, err);
	if (!rc)
		rc = sgd_vlog_open(&d->log, &d->loop, d->o->log, d->o->log_max, err);
	if (!rc)
		rc = sg_cgroup_parent(&d->parent, d->o->cgroup, err);
	if (!rc)
		rc = claim_cgroup(d, err);
	if (!rc)
		rc = sg_bpf_open(&opts, &d->bpf, err);
	if (!rc)
		sgd_lsm_open(d, &opts);
	if (!rc && d->o->policy)
		rc = load_policy(d, &changed, err);
	json_decref(changed);
	if (!rc)
		rc = sgd_stats_start(d, err); /* what is taken over is counted */
	if (!rc)
		rc = sgd_state_open(d, err);
	if (!rc) {
		sgd_discover_thaw(d);
		sgd_discover_reserve(d);
	}
	if (!rc)
		rc = sgd_adopt(d, err);
	if (!rc)
		rc = sgd_keeper_start(d, err);
	if (!rc)
		rc = sg_bpf_attach_set(d->bpf, SG_BPF_KILLS | (d->sys_enter_users ? SG_BPF_SYS_ENTER : 0), err);
	if (!rc)
		sgd_lsm_attach(d);
	if (!rc && !d->sys_enter_users)
		sg_bpf_detach_set(d->bpf, SG_BPF_SYS_ENTER); /* that of a daemon before */
	if (!rc)
		sgd_adopt_finish(d);
	if (!rc) {
		d->ring = (struct sgd_source){.fd = -1, .fn = on_ring, .owner = d};
		rc = sgd_loop_set(&d->loop, &d->ring, sg_bpf_event_fd(d->bpf), EPOLLIN);
	}
	if (!rc)
		rc = sgd_discover_start(d, err);
	if (!rc)
		rc = sgd_listen(d, err);
	return rc;
}

static int until(struct sgd *d)
{
	int http = sgd_stats_time(d), ms;
	uint64_t now;

	if (!d->next_deadline)
		return http;
	now = sg_clock_ns(CLOCK_MONOTONIC);
	ms = now >= d->next_deadline ? 0 : (int)((d->next_deadline - now + 999999) / 1000000);
	return http >= 0 && http < ms ? http : ms;
}

static void tidy(struct sgd *d)
{
	uint64_t now = d->next_deadline ? sg_clock_ns(CLOCK_MONOTONIC) : 0;
	struct sgd_box *next;

	if (d->next_deadline && now >= d->next_deadline) {
		d->next_deadline = 0;
		sgd_conns_time(d, now);
		sgd_discover_time(d, now);
		sgd_again_time(d, now);
		for (struct sgd_box *b = d->boxes; b; b = next) {
			next = b->next;
			sgd_box_time(b, now);
		}
	}
	for (struct sgd_box *b = d->boxes; b; b = next) {
		next = b->next;
		if (b->phase == SGD_GONE)
			sgd_box_free(b);
	}
	sgd_openers_time(d, now);
}

/* What is to outlive us stays; the rest ends, and its clients are told. */
static unsigned to_end(struct sgd *d, bool kill)
{
	unsigned n = 0;

	for (struct sgd_box *b = d->boxes; b; b = b->next) {
		if (b->attached || b->keep || b->stuck)
			continue;
		n++;
		if (kill)
			sgd_box_kill(b);
	}
	return n;
}

static int run(struct sgd *d, struct sg_err *err)
{
	uint64_t end = 0;
	int rc = 0;

	for (;;) {
		rc = sgd_loop_run(&d->loop, end ? 10 : until(d));
		if (rc < 0)
			return sg_err_set(err, -rc, "epoll_wait: %s", strerror(-rc));
		tidy(d);
		if (!d->stopping)
			continue;
		if (!end) {
			end = sg_clock_ns(CLOCK_MONOTONIC) + END_NS;
			(void)to_end(d, true);
		}
		if (!to_end(d, false) || sg_clock_ns(CLOCK_MONOTONIC) > end)
			return 0;
	}
}

/* What was attached only half, could not be taken over, or is over but for its cgroup, is not. */
static bool stays(const struct sgd_box *b)
{
	return b->phase != SGD_GONE && !b->removals && (b->keep || b->attached) && b->launch.registered;
}

static void stop(struct sgd *d)
{
	bool stay = false;

	for (struct sgd_box *b = d->boxes; b; b = b->next)
		stay |= stays(b);
	/* Whoever comes next finds what is in force as it is. */
	for (struct sgd_box *b = d->boxes; b; b = b->next)
		if (stays(b))
			sgd_box_leave(b);
	if (d->bpf && !stay && d->failed)
		stay = sg_bpf_adopted(d->bpf);
	while (d->boxes)
		sgd_box_free(d->boxes);
	while (d->conns)
		sgd_conn_free(d->conns);
	sgd_again_drop(d);
	if (d->listen_fd >= 0)
		(void)unlink(d->o->socket);
	sgd_discover_stop(d);
	sgd_stats_stop(d);
	sgd_policies_free(&d->policies);
	if (!stay)
		sgd_keeper_stop(d);
	if (!stay)
		sgd_state_remove(d);
	if (d->bpf && !stay)
		sg_bpf_unpin(d->bpf);
	sg_bpf_close(d->bpf);
	sgd_state_close(d);
	sgd_vlog_close(&d->log);
	if (d->parent.dirfd >= 0) {
		close(d->parent.dirfd);
		(void)rmdir(d->parent.path); /* stays while a sandbox is in it */
	}
}

int main(int argc, char **argv)
{
	struct sgd_options o = {
		.socket = SG_PROTO_SOCKET,
		.cgroup = "sandgate",
		.bpffs = "/sys/fs/bpf/sandgate",
		.state = "/run/sandgate/state",
		.max_sandboxes = SG_MAX_SANDBOXES,
		.metrics_address = "127.0.0.1",
		.metrics_port = 9100,
	};
	static struct sgd d; /* large */
	struct sg_err err = {0};
	int rc;

	if (sgd_options_parse(&o, argc, argv, &err) < 0)
		return fail(&err);
	d.o = &o;
	d.listener.fd = d.listen_fd = -1;
	rc = start(&d, &err);
	if (!rc) {
		fprintf(stderr, "sgd: " SG_VERSION " listens at %s\n", o.socket);
		rc = run(&d, &err);
	}
	d.failed = rc;
	stop(&d);
	return rc ? fail(&err) : 0;
}
