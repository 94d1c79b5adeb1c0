/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/judge.h"

#include "policy/phases.h"
#include "policy/seccomp.h"
#include "supervisor/learn_path.h"
#include "supervisor/notify.h"
#include "supervisor/objects.h"
#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

/* For so long calls that wait are answered before limits and the end of the sandbox are looked at again. */
#define ANSWERING_NS 1000000ULL

static bool member(void *ctx, int32_t pid)
{
	return sg_members_contains(ctx, pid);
}

static bool is_fork(const struct seccomp_data *d)
{
	return d->arch == sg_native_arch() && sg_is_fork((uint32_t)d->nr);
}

/* Records one call that waits in the kernel. false: the caller vanished, there is nothing left to answer. */
static bool record_waiting(struct sg_judge *j, int listener, const struct seccomp_notif *n, const struct sg_decision *d,
			   uint16_t action, bool forbidden, bool prevented)
{
	struct sg_call c = {
		.time_ns = sg_clock_ns(CLOCK_REALTIME),
		.pid = (pid_t)n->pid,
		.tgid = (pid_t)n->pid,
		.audit_arch = n->data.arch,
		.nr = (uint32_t)n->data.nr,
		.layer = "seccomp",
		.action = action,
		.err = d->err,
		.origin = d->origin,
		.forbidden = forbidden,
		.prevented = prevented,
		.policy = j->ruling,
	};
	struct sg_proc_info info;

	for (size_t i = 0; i < SG_ARGS; i++)
		c.args[i] = n->data.args[i];
	if (sg_proc_info((pid_t)n->pid, &info) == 0) {
		c.tgid = info.tgid;
		c.uid = info.uid;
		memcpy(c.comm, info.comm, sizeof(info.comm));
	}
	/* What was read of /proc is the caller's only if it still waits. A caller that was killed meanwhile has
	 * attempted the call all the same: the record stands, with what the kernel itself said of it. */
	if (!sg_notify_valid(listener, n->id) && !c.comm[0])
		snprintf(c.comm, sizeof(c.comm), "?");
	sg_session_call(j->session, &c);
	return true;
}

static bool may_go(struct sg_judge *j)
{
	struct sg_err err = {0};

	if (j->before_fork && j->before_fork(j->before_fork_ctx, &err)) {
		if (!j->unready)
			sg_session_degrade(j->session, "forks are refused: %s", err.message);
		j->unready = true;
		return false;
	}
	j->before_fork = NULL;
	return true;
}

static void answer_fork(struct sg_judge *j, int listener, uint64_t id, pid_t tid)
{
	enum sg_fork_verdict v = SG_FORK_REFUSE;
	int tasks = -1;

	if (!j->stopping)
		v = j->hold_forks ? SG_FORK_WAIT : sg_forks_ask(&j->forks, j->members, j->max_tasks, &tasks);
	if (v == SG_FORK_WAIT && !sg_forks_hold(&j->forks, id, tid))
		v = SG_FORK_REFUSE;
	switch (v) {
	case SG_FORK_WAIT:
		break;
	case SG_FORK_GO:
		if (!may_go(j)) {
			(void)sg_notify_fail(listener, id, EAGAIN);
			break;
		}
		if ((uint64_t)tasks + 1 > j->peak_tasks)
			j->peak_tasks = (uint64_t)tasks + 1;
		if (j->max_tasks)
			sg_forks_granted(&j->forks, tid);
		(void)sg_notify_continue(listener, id);
		break;
	default:
		/* The same answer as RLIMIT_NPROC and pids.max give. */
		if (tasks >= 0)
			sg_session_limit(j->session, "pids", j->max_tasks);
		(void)sg_notify_fail(listener, id, EAGAIN);
	}
}

/* Also a forbidden call that is only recorded counts as what it is. */
static void let_go(struct sg_judge *j, int listener, const struct seccomp_notif *n)
{
	if (is_fork(&n->data))
		answer_fork(j, listener, n->id, (pid_t)n->pid);
	else
		(void)sg_notify_continue(listener, n->id);
}

static void answer(struct sg_judge *j, int listener, const struct seccomp_notif *n)
{
	struct sg_oracle oracle = {.self = j->self, .in_sandbox = member, .ctx = (void *)j->members};
	struct sg_err err = {0};
	const struct sg_policy *p = sg_session_policy(j->session, &err);
	struct sg_decision d = {.action = SG_ACTION_KILL, .origin = SG_ORIGIN_UNLISTED};
	uint64_t args[SG_ARGS];

	sg_forks_back(&j->forks, (pid_t)n->pid);
	for (size_t i = 0; i < SG_ARGS; i++)
		args[i] = n->data.args[i];
	if (p)
		d = sg_policy_decide(p, n->data.arch, (uint32_t)n->data.nr, args, &oracle);
	else
		sg_session_degrade(j->session, "the policy could not be read again: %s", err.message);
	j->ruling = NULL;
	if (j->session->then && n->data.arch == sg_native_arch() && n->data.nr == SYS_kill &&
	    args[0] == SG_PHASE_MARK && args[1] == 0) {
		if (!j->second)
			sg_session_phase(j->session, (pid_t)n->pid);
		j->second = true;
		(void)sg_notify_fail(listener, n->id, 0);
		return;
	}
	if (j->second) {
		struct sg_decision then =
			sg_policy_decide(j->session->then, n->data.arch, (uint32_t)n->data.nr, args, &oracle);

		if (sg_phases_stricter(&d, &then)) {
			d = then;
			j->ruling = j->session->then;
		}
	}
	if (j->audit && (d.action == SG_ACTION_KILL || d.action == SG_ACTION_ERRNO)) {
		(void)record_waiting(j, listener, n, &d, SG_ACTION_AUDIT, true, false);
		let_go(j, listener, n);
		return;
	}
	if (j->learn && n->data.arch == sg_native_arch())
		sg_learner_paths(j->learn, (pid_t)n->pid, (uint32_t)n->data.nr, args);
	switch (d.action) {
	case SG_ACTION_AUDIT:
		if (j->learn)
			j->learnt |= sg_learner_see(j->learn, &oracle, (pid_t)n->pid, NULL, (uint32_t)n->data.nr, args,
						    n->data.instruction_pointer);
		else if (j->ruling || !j->kernel_records)
			(void)record_waiting(j, listener, n, &d, SG_ACTION_AUDIT, false, false);
		break;
	case SG_ACTION_ALLOW:
		if (j->learn)
			j->learnt |= sg_learner_see(j->learn, &oracle, (pid_t)n->pid, NULL, (uint32_t)n->data.nr, args,
						    n->data.instruction_pointer);
		break;
	case SG_ACTION_ERRNO:
		(void)sg_notify_fail(listener, n->id, d.err);
		return;
	default:
		/* Left unanswered: the caller waits in the kernel, its call unexecuted, until the kill reaches it. */
		(void)record_waiting(j, listener, n, &d, SG_ACTION_KILL, true, true);
		j->kill = true;
		return;
	}
	let_go(j, listener, n);
}

/* Whether it is time for the supervisor's other work. until: 0 to begin with. */
static bool long_enough(uint64_t *until)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	if (!*until)
		*until = now + ANSWERING_NS;
	return now >= *until;
}

void sg_judge_held(struct sg_judge *j, int listener)
{
	unsigned n = j->forks.n_held;
	uint64_t id, until = 0;
	pid_t tid;

	/* The timer stays as it is, and calls for those that are left. */
	while (n-- && !long_enough(&until) && sg_forks_next(&j->forks, &id, &tid))
		answer_fork(j, listener, id, tid);
}

int sg_judge_notifications(struct sg_judge *j, int listener)
{
	union {
		struct seccomp_notif n;
		char room[512]; /* a newer kernel's structure may be longer */
	} u;
	uint64_t until = 0;

	/*
	 * Bounded, so that a program that asks without end cannot keep the supervisor from its other work. By time,
	 * too: some answers take looks at every process of the sandbox.
	 */
	for (int i = 0; i < 64 && !j->kill && (!i || !long_enough(&until)); i++) {
		int rc = sg_notify_receive(listener, &u.n);

		if (rc == -EAGAIN)
			return 0;
		if (rc)
			return rc;
		answer(j, listener, &u.n);
	}
	return 0;
}

/* Whether a call that was let into the kernel is known to have done nothing there. */
static bool had_no_effect(const struct sg_event_syscall *e)
{
	if (e->outcome == SG_OUTCOME_PREVENTED)
		return true;
	if (e->outcome != SG_OUTCOME_RETURNED || e->ret >= 0 || e->audit_arch != sg_native_arch())
		return false;
	switch (e->nr) {
		/* may fail after a part of it is done: a file or queue made before the right to open it is looked at, a
		 * descriptor closed in spite of the error, anything a driver does */
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
#endif
	case SYS_openat:
	case SYS_openat2:
	case SYS_mq_open:
	case SYS_close:
	case SYS_ioctl:
		return false;
	default:
		break;
	}
	switch (e->ret < -4095 ? 0 : -e->ret) { /* no error number is beyond */
	/* what is found before anything is done. Not: a bad address, which may be found when the result is handed out;
	 * a refused connection or a broken pipe, which the other side has noticed; interruption; want of memory */
	case EPERM:
	case EACCES:
	case ENOSYS:
	case EINVAL:
	case EBADF:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EEXIST:
	case EROFS:
	case ELOOP:
	case ENAMETOOLONG:
	case ESRCH:
	case ECHILD:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ENOTSOCK:
		return true;
	default:
		return false;
	}
}

static void record_event(struct sg_judge *j, const struct sg_event_syscall *e)
{
	struct sg_call c = {
		.time_ns = e->hdr.time_ns + (uint64_t)j->session->realtime_offset,
		.pid = (pid_t)e->hdr.pid,
		.tgid = (pid_t)e->hdr.tgid,
		.uid = e->hdr.uid,
		.audit_arch = e->audit_arch,
		.nr = e->nr,
		.layer = e->layer == SG_LAYER_SECCOMP ? "seccomp" : "sys_enter",
		.action = e->action,
		.err = e->err,
		.origin = e->origin,
		.prevented = had_no_effect(e),
	};
	struct sg_oracle oracle = {.self = j->self, .in_sandbox = member, .ctx = (void *)j->members};
	struct sg_err err = {0};
	const struct sg_policy *p;

	memcpy(c.comm, e->hdr.comm, SG_COMM_LEN);
	for (size_t i = 0; i < SG_ARGS; i++)
		c.args[i] = e->args[i];
	c.forbidden = c.action != SG_ACTION_AUDIT || e->violation;
	if (j->learn && !c.forbidden) {
		j->learnt |= sg_learner_see(j->learn, &oracle, c.pid, c.comm, c.nr, c.args, e->ip);
		return;
	}
	/* A seccomp filter does not say which rule it was. */
	if (e->layer == SG_LAYER_SECCOMP) {
		p = sg_session_policy(j->session, &err);
		if (p)
			c.origin =
				sg_policy_decide(p, e->audit_arch, e->nr, c.args, &(struct sg_oracle){.self = j->self})
					.origin;
	}
	sg_session_call(j->session, &c);
	if (c.action == SG_ACTION_KILL)
		j->kill = true;
	if (e->signal_rc)
		sg_session_degrade(j->session, "bpf_send_signal failed (%d); the supervisor killed instead",
				   e->signal_rc);
}

static void record_object(struct sg_judge *j, const struct sg_event_object *e)
{
	sg_session_object(j->session, e);
	if (e->action == SG_ACTION_KILL)
		j->kill = true;
}

int sg_judge_event(void *ctx, const struct sg_event_hdr *rec, size_t size)
{
	if (rec->type == SG_EVENT_SYSCALL && size >= sizeof(struct sg_event_syscall))
		record_event(ctx, (const struct sg_event_syscall *)rec);
	if (rec->type == SG_EVENT_OBJECT && size >= sizeof(struct sg_event_object))
		record_object(ctx, (const struct sg_event_object *)rec);
	return 0;
}

void sg_judge_first_kill(struct sg_judge *j, const struct sg_sandbox *state)
{
	if (!state->killed || j->session->killing)
		return;
	if (state->first_kill.hdr.type == SG_EVENT_OBJECT) {
		if (sg_object_is_whole(&state->first_kill_object))
			record_object(j, &state->first_kill_object);
		else
			sg_session_degrade(j->session, "the record of the violation that killed is damaged");
	} else {
		record_event(j, &state->first_kill);
	}
}
