/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LAUNCH_H
#define SG_LAUNCH_H

#include "runner/guard.h"
#include "runner/plan.h"
#include "supervisor/bpf.h"
#include "supervisor/cgroup.h"
#include "supervisor/judge.h"
#include "supervisor/landlock.h"
#include "supervisor/members.h"
#include "supervisor/session.h"

#include <jansson.h>
#include <signal.h>

/* A sandbox that runs: what was set up for it, to be watched by sg_monitor() and undone by sg_launch_end(). */
struct sg_launch {
	struct sg_plan *plan;
	struct sg_session *session;
	enum sg_tier tier;
	struct sg_cgroup cg;
	struct sg_members members;
	struct sg_guard guard;
	struct sg_landlock landlock;
	struct sg_judge judge;
	struct sg_bpf *bpf; /* NULL: no BPF */
	uint32_t sandbox;   /* its index there */
	bool sys_enter;     /* attached */
	bool filter;        /* a seccomp filter is loaded */
	pid_t pid;
	int pidfd;
	int listener;             /* -1: none */
	int report;               /* the child's reports; end of file once the exec succeeded */
	int signals;              /* signalfd */
	struct sigaction sigpipe; /* what the caller had */
	int exec_errno;           /* why the program could not be executed; 0: it was */
	uint64_t started_ns;      /* CLOCK_MONOTONIC */
	uint64_t started_at;      /* the same moment as records show it */
	json_t *degraded;         /* array: what is not in force and why */
	json_t *mechanisms;       /* object: limit -> what enforces it */
};

/*
 * Carries the plan out: cgroup, guard, BPF, the child up to its last step before exec. On failure everything is undone
 * and *err says what could not be done; nothing of the program ran.
 */
int sg_launch_start(struct sg_launch *l, struct sg_plan *plan, struct sg_session *session, struct sg_err *err);
/* Ends whatever is left of the sandbox and removes every trace of it. */
void sg_launch_end(struct sg_launch *l);

#endif
