/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/launch.h"

#include "runner/confine.h"

#include "runner/spawn.h"
#include "supervisor/util.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>

#define READY_TIMEOUT_MS 10000 /* for the child's own set-up, none of which waits for anything */

void sg_launch_degrade(struct sg_launch *l, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(l->degraded, sg_json_text(text));
}

static bool may_bpf(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t caps;

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	caps = (uint64_t)data[1].effective << 32 | data[0].effective;
	return (caps >> CAP_SYS_ADMIN & 1) || ((caps >> CAP_BPF & 1) && (caps >> CAP_PERFMON & 1));
}

/* ---- steps, in the order in which they are taken ---- */

int sg_signals_take(struct sg_signals *s, struct sg_err *err)
{
	/*
	 * A verdict reader that goes away is noticed by the write, not by a signal; where the end of children is
	 * ignored nobody learns how they ended; a terminal must not stop who keeps the limits for writing to it; and a
	 * limit on the size of files (ulimit -f) is not to end the supervisor in the place of the program.
	 */
	static const sighandler_t want[SG_KEPT_SIGNALS] = {SIG_IGN, SIG_DFL, SIG_IGN, SIG_IGN};
	struct sigaction have;

	sigemptyset(&s->held);
	/* Held back it would be taken; ignored, as by nohup, it is not meant for us. */
	for (int sig = 1; sig < 32; sig++)
		if ((SG_PASSED_SIGNALS & SG_BIT_OF(sig)) &&
		    (sigaction(sig, NULL, &have) < 0 || have.sa_handler != SIG_IGN))
			sigaddset(&s->held, sig);
	for (size_t i = 0; i < SG_KEPT_SIGNALS; i++)
		(void)sigaction(sg_kept_signals[i], &(struct sigaction){.sa_handler = want[i]}, &s->kept[i]);
	if (sigprocmask(SIG_BLOCK, &s->held, &s->mask) < 0)
		return sg_err_set(err, errno, "cannot block signals: %s", strerror(errno));
	s->fd = signalfd(-1, &s->held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		return sg_err_set(err, errno, "cannot create a signalfd: %s", strerror(errno));
	return 0;
}

int sg_signals_take_children(struct sg_signals *s, struct sg_err *err)
{
	sigaddset(&s->held, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &s->held, NULL) < 0 || signalfd(s->fd, &s->held, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
		return sg_err_set(err, errno, "cannot watch for the end of orphans: %s", strerror(errno));
	return 0;
}

void sg_signals_give_back(struct sg_signals *s)
{
	if (s->fd < 0)
		return;
	close(SG_TAKE_FD(s->fd));
	for (size_t i = 0; i < SG_KEPT_SIGNALS; i++)
		(void)sigaction(sg_kept_signals[i], &s->kept[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

static int make_cgroup(struct sg_launch *l, struct sg_err *err)
{
	struct sg_err why = {0};

	/*
	 * Orphans come back to us: without a cgroup they are found by descent, and with one whoever gets them may not
	 * wait for them.
	 */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return sg_err_set(err, errno, "cannot become a child subreaper: %s", strerror(errno));
	/* Without arguments it is EINVAL where it is there. Writing to cgroup.procs in its place takes 10 ms. */
	if (syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS)
		(void)sg_err_set(
			&why, ENOSYS,
			"clone3, which starts a process in a cgroup, is not allowed here (Linux before 5.7, or a "
			"container's seccomp profile)");
	if (why.code || sg_cgroup_create(&l->cg, &why) < 0) {
		l->cg.dirfd = -1;
		if (l->tier >= SG_TIER_BPF)
			return sg_err_set(err, why.code, "%s", why.message);
		sg_launch_degrade(l, "no cgroup of its own: %s", why.message);
		return sg_members_begin(&l->members, err);
	}
	l->session->cgroup_id = l->cg.id;
	return 0;
}

bool sg_launch_wants_sys_enter(const struct sg_launch *l)
{
	const struct sg_options *o = l->plan->options;

	return o->stats || o->audit || !o->seccomp || l->plan->filter.has_audit;
}

/* --stats alone: seccomp judges, and nothing is to be recorded. */
static bool only_counts(const struct sg_launch *l)
{
	const struct sg_options *o = l->plan->options;

	return o->stats && !o->audit && o->seccomp && !l->plan->filter.has_audit;
}

static int require_bpf(struct sg_err *err)
{
	return may_bpf() ? 0 : sg_err_set(err, EPERM, "BPF programs need CAP_BPF and CAP_PERFMON, or root");
}

/* Not fatal by itself: the caller decides whether less will do. */
static int open_bpf(struct sg_launch *l, struct sg_err *err)
{
	struct sg_bpf_opts opts = {
		.programs = SG_BPF_KILLS | (sg_launch_wants_sys_enter(l) ? SG_BPF_SYS_ENTER : 0),
		.only_cgroup = l->cg.id,
		.only_level = l->cg.level,
		.count_only = only_counts(l),
		/* What is new must not be lost in a burst of what is known. */
		.ring_bytes = l->plan->learn ? 16U << 20 : 0,
	};
	int rc;

	if (l->tier < SG_TIER_LSM)
		return sg_bpf_open(&opts, &l->bpf, err);
	/* The smallest program first: where LSM programs are refused, that is known within microseconds. */
	opts.programs |= SG_BPF_LSM;
	rc = sg_bpf_lsm_probe(NULL, err);
	if (!rc)
		rc = sg_bpf_open(&opts, &l->bpf, err);
	/* Attaching is the proof that they are called and that their answer counts. */
	if (!rc)
		rc = sg_bpf_attach_set(l->bpf, SG_BPF_LSM, err);
	if (rc) {
		sg_bpf_close(l->bpf);
		l->bpf = NULL;
	}
	return rc;
}

int sg_launch_register(struct sg_launch *l, uint32_t policy, struct sg_err *err)
{
	const struct sg_options *o = l->plan->options;
	struct sg_sandbox cfg = {.cgroup_id = l->cg.id, .policy = policy};
	int rc;

	l->sys_enter = l->attached || sg_launch_wants_sys_enter(l);
	l->judge.kernel_records = l->sys_enter;
	if (!o->audit)
		cfg.flags |= SG_SANDBOX_ENFORCE;
	if (l->filter)
		cfg.flags |= SG_SANDBOX_SECCOMP;
	if (l->sys_enter)
		cfg.flags |= SG_SANDBOX_SYS_ENTER;
	if ((!l->attached || l->from_exec) && (l->sys_enter || l->tier == SG_TIER_LSM))
		cfg.flags |= SG_SANDBOX_ARM_ON_EXEC;
	if (o->stats)
		cfg.flags |= SG_SANDBOX_COUNT;
	if (l->discover)
		cfg.flags |= SG_SANDBOX_DISCOVER;
	rc = sg_bpf_add_sandbox(l->bpf, &cfg, l->cg.level, &l->sandbox, err);
	l->registered = rc == 0;
	return rc;
}

/* A BPF object for this one sandbox. */
static int register_alone(struct sg_launch *l, struct sg_err *err)
{
	const struct sg_policy *p;
	int rc = 0;

	if (sg_launch_wants_sys_enter(l) && !only_counts(l)) {
		p = sg_session_policy(l->session, err);
		rc = p ? sg_bpf_set_policy(l->bpf, 0, sg_policy_ruleset(p), err) : -err->code;
	}
	if (!rc)
		rc = sg_launch_register(l, 0, err);
	if (!rc)
		rc = sg_bpf_attach(l->bpf, err);
	return rc;
}

/* The best tier from l->tier down to least; *why: what stood in the way of the one above. */
static int open_tier(struct sg_launch *l, int least, struct sg_err *why)
{
	int rc = require_bpf(why);

	if (!rc)
		rc = make_cgroup(l, why);

	while (!rc) {
		rc = open_bpf(l, why);
		if (!rc || (int)l->tier <= least || l->tier <= SG_TIER_BPF)
			break;
		l->tier = SG_TIER_BPF; /* Landlock stands in: not_enforced says for what it does not */
		rc = 0;
	}
	return rc;
}

static int choose_tier(struct sg_launch *l, struct sg_err *err)
{
	const struct sg_options *o = l->plan->options;
	int least = o->tier > o->require ? o->tier : o->require;
	struct sg_err why = {0};

	l->tier = o->tier ? o->tier : SG_TIER_LSM;
	if (o->require > (int)l->tier)
		return sg_err_set(err, EPERM, "--require %s: --tier %s was asked for", sg_tier_name(o->require),
				  sg_tier_name(l->tier));
	l->filter = o->seccomp && !(o->audit && l->tier >= SG_TIER_BPF);
	if (l->tier >= SG_TIER_BPF && open_tier(l, least, &why) < 0) {
		if (least >= SG_TIER_BPF)
			return sg_err_set(err, why.code, "the %s tier is not to be had here: %s; see sgrun doctor",
					  sg_tier_name(least), why.message);
		sg_launch_degrade(l, "no BPF: %s", why.message);
		l->tier = SG_TIER_UNPRIVILEGED;
		l->filter = o->seccomp;
	}
	if (l->tier == SG_TIER_UNPRIVILEGED) {
		if (!o->seccomp)
			return sg_err_set(err, ENOTSUP,
					  "--seccomp off leaves nothing that enforces in the unprivileged "
					  "tier; run as root, or leave seccomp on");
		if (o->stats)
			sg_launch_degrade(l, "--stats: system calls are counted by a BPF program, and there is none");
		if (l->cg.dirfd < 0)
			return make_cgroup(l, err);
	}
	return 0;
}

/* A value no process has by chance: where there is no cgroup the guard knows the sandbox's processes by it. */
static uint64_t choose_marker(void)
{
	const uint64_t most = 400000, least = 4096; /* of the usual 819,200; fewer values than that are no mark */
	struct rlimit have;
	uint32_t random;
	uint64_t half;

	if (getrlimit(RLIMIT_MSGQUEUE, &have) < 0 || have.rlim_max < least ||
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		return 0;
	half = (have.rlim_max < most ? have.rlim_max : most) / 2;
	return half + random % (half - 1);
}

/* What the filter says of the program holds: it is loaded, and lets nothing through that it is to refuse. */
static bool bound_by_filter(const struct sg_launch *l)
{
	return l->filter && !l->plan->options->audit && !l->plan->learn && l->tier < SG_TIER_LSM;
}

/*
 * Where the program can never be more than one process, which dies with us by its parent-death signal, the guard would
 * have nothing to do: what is left of the sandbox, an empty cgroup, the next start removes.
 */
static bool needs_guard(const struct sg_launch *l)
{
	return !bound_by_filter(l) || !l->plan->filter.one_process;
}

/*
 * Such a program becomes several only by a fork, and where forks need our answer the guard can wait for the first:
 * starting and ending it costs a tenth of a launch. BPF LSM protects it by its pid, which has to be known before.
 */
static bool guard_can_wait(const struct sg_launch *l)
{
	return bound_by_filter(l) && l->plan->filter.tied && !l->plan->filter.has_audit && l->judge.max_tasks;
}

static int start_guard(void *launch, struct sg_err *err)
{
	struct sg_launch *l = launch;
	int rc = sg_guard_start(&l->guard, &l->cg, l->marker, err);

	l->members.guard = l->guard.pid;
	return rc;
}

static int prepare_guard(struct sg_launch *l, struct sg_err *err)
{
	if (!needs_guard(l))
		return 0;
	l->marker = l->cg.dirfd < 0 ? choose_marker() : 0;
	if (l->cg.dirfd < 0 && !l->marker)
		sg_launch_degrade(l, "its processes cannot be marked (RLIMIT_MSGQUEUE is below 4096): if sgrun is "
				     "killed by SIGKILL, only the first of them ends with it");
	else if (l->marker && sg_launch_may_unmark(l))
		sg_launch_degrade(
			l, "the policy lets its processes change RLIMIT_MSGQUEUE (setrlimit, prlimit64), by which "
			   "they are marked: if sgrun is killed by SIGKILL, those that did, but for the first "
			   "process, do not end with it");
	if (!guard_can_wait(l))
		return start_guard(l, err);
	l->judge.before_fork = start_guard;
	l->judge.before_fork_ctx = l;
	return 0;
}

/* The child is started first where it can wait, so that it does its part while we do ours. */
static int confine_and_start(struct sg_launch *l, struct sg_err *err)
{
	bool early = sg_spawn_can_wait(l);
	int rc = 0;

	l->spawn = malloc(sizeof(*l->spawn));
	if (!l->spawn)
		return sg_err_set(err, ENOMEM, "out of memory");
	sg_spawn_init(l->spawn);
	l->dumpable = prctl(PR_GET_DUMPABLE) == 1;
	if (early)
		rc = sg_spawn_early(l, l->spawn, &l->signals.mask, err);
	if (!rc)
		rc = sg_launch_confine(l, err);
	if (!rc)
		rc = early ? sg_spawn_go(l, l->spawn, err) : sg_spawn_begin(l, l->spawn, NULL, &l->signals.mask, err);
	return rc ? rc : sg_spawn_ready(l, l->spawn, READY_TIMEOUT_MS, err);
}

void sg_launch_executed(struct sg_launch *l)
{
	if (!l->spawn)
		return;
	if (l->spawn->child.shares_memory && l->dumpable)
		(void)prctl(PR_SET_DUMPABLE, 1);
	sg_spawn_end(l->spawn);
	free(l->spawn);
	l->spawn = NULL;
	/* Now, while the program runs, and not at the end, which is waited for. */
	if (l->tier < SG_TIER_LSM && l->landlock.fd >= 0)
		sg_places_settle(&l->places);
}

int sg_launch_limits(struct sg_launch *l, const int std[3], struct sg_err *err)
{
	const struct sg_limits *want = &l->plan->limits;
	int rc = sg_limiter_plan(&l->limiter, want, &l->cg, &l->members, l->filter, l->plan->options->require_limits,
				 l->mechanisms, l->degraded, err);

	l->judge.max_tasks = l->limiter.count_pids ? want->pids : 0;
	if (!rc && !l->shared && l->cg.dirfd >= 0 &&
	    (l->limiter.count_pids || (want->memory && !l->limiter.memory_max)))
		rc = sg_members_need_proc(
			"without the cgroup controller for them memory and processes are counted in /proc", err);
	if (!rc && want->output)
		rc = sg_output_open(&l->output, std, want->output, err);
	if (l->output.around)
		sg_launch_degrade(l, "output: what is written to standard input, a socket, is not counted");
	return rc;
}

void sg_launch_init(struct sg_launch *l, struct sg_plan *plan, struct sg_session *session)
{
	/* What follows is read only as far as it is written, and three pages that are never touched cost nothing. */
	memset(l, 0, offsetof(struct sg_launch, judge.forks.out));
	l->plan = plan;
	l->session = session;
	l->cg.dirfd = l->pidfd = l->listener = l->report = l->signals.fd = -1;
	l->guard.pipe = l->landlock.fd = l->proc = -1;
	sg_output_init(&l->output);
	l->degraded = json_array();
	l->mechanisms = json_object();
	l->not_enforced = json_array();
	l->judge.session = session;
	l->judge.members = &l->members;
	l->judge.audit = plan->options->audit;
	l->judge.learn = plan->learn;
	l->judge.forks.timer = -1;
	l->members = (struct sg_members){.cg = &l->cg, .supervisor = getpid()};
}

int sg_launch_start(struct sg_launch *l, struct sg_plan *plan, struct sg_session *session, struct sg_err *err)
{
	static const int standard[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	int rc;

	sg_launch_init(l, plan, session);
	if (plan->no_daemon[0])
		sg_launch_degrade(l, "not through sgd: %s", plan->no_daemon);
	rc = sg_signals_take(&l->signals, err);
	if (!rc)
		rc = choose_tier(l, err);
	/* Orphans come to us, and have to be waited for. Without a cgroup they are in view anyway. */
	if (!rc && l->cg.dirfd >= 0)
		rc = sg_signals_take_children(&l->signals, err);
	if (!rc && session->then && !l->filter)
		sg_launch_degrade(l, "then: %s: no seccomp filter is loaded, so the policy does not tighten",
				  sg_policy_name(session->then));
	if (!rc && l->bpf)
		rc = register_alone(l, err);
	if (!rc)
		rc = sg_launch_limits(l, standard, err);
	if (!rc)
		rc = prepare_guard(l, err);
	if (!rc && l->tier == SG_TIER_LSM)
		rc = sg_bpf_protect(l->bpf, SG_PROTECTED_PROCESS, (uint64_t)l->guard.pid, err);
	if (!rc)
		rc = confine_and_start(l, err);
	if (rc)
		sg_launch_end(l);
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(SG_TAKE_FD(*fd));
}

void sg_launch_release(struct sg_launch *l)
{
	struct sg_err err = {0};

	sg_launch_executed(l);
	/* Closing the listener lets no waiting call run: it fails with ENOSYS, in a process that is dead. */
	close_fd(&l->listener);
	close_fd(&l->judge.forks.timer);
	close_fd(&l->landlock.fd);
	close_fd(&l->proc);
	sg_places_close(&l->places);
	close_fd(&l->report);
	close_fd(&l->pidfd);
	close_fd(&l->signals.fd);
	sg_output_close(&l->output);
	sg_look_end(&l->limiter.look);
	if (!l->shared)
		sg_bpf_close(l->bpf);
	else if (l->registered)
		(void)sg_bpf_remove_sandbox(l->bpf, l->sandbox, !l->empty, &err);
	l->bpf = NULL;
	json_decref(l->degraded);
	json_decref(l->mechanisms);
	json_decref(l->not_enforced);
	l->degraded = l->mechanisms = l->not_enforced = NULL;
}

void sg_launch_end(struct sg_launch *l)
{
	if (l->pid > 0 && !l->empty) {
		l->judge.stopping = true;
		(void)sg_members_kill(&l->members);
		(void)sg_members_wait_empty(&l->members, 5000);
	}
	sg_launch_release(l);
	(void)sg_cgroup_remove(&l->cg);
	/* Waited for: not every container's first process reaps orphans. */
	sg_guard_stop(&l->guard);
}

void sg_launch_report(struct sg_launch *l)
{
	const char *layers[5] = {0};
	int n = 0;
	struct sg_start start = {
		.time_ns = l->started_at,
		.tier = l->tier,
		.layers = layers,
		.limits = &l->plan->limits,
		.limit_mechanisms = l->mechanisms,
		.argv = l->plan->argv,
		.pid = l->pid,
		.degraded = l->degraded,
		.not_enforced = l->not_enforced,
		.mode = l->plan->options->audit ? "audit" : "enforce",
	};

	if (l->filter)
		layers[n++] = "seccomp";
	if (l->sys_enter)
		layers[n++] = "sys_enter";
	if (l->tier == SG_TIER_LSM)
		layers[n++] = "lsm";
	if (l->landlock.fd >= 0)
		layers[n++] = "landlock";
	sg_session_start(l->session, &start);
}
