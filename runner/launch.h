/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_LAUNCH_H
#define SG_LAUNCH_H

#include "runner/child.h"
#include "runner/guard.h"
#include "runner/output.h"
#include "runner/plan.h"
#include "supervisor/bpf.h"
#include "supervisor/cgroup.h"
#include "supervisor/judge.h"
#include "supervisor/landlock.h"
#include "supervisor/limiter.h"
#include "supervisor/members.h"
#include "supervisor/session.h"

#include <jansson.h>
#include <signal.h>

/* The signals that are passed on to the program, as long as the caller holds them back from itself. */
struct sg_signals {
	int fd;                                 /* signalfd; -1: not held */
	sigset_t held;                          /* what comes by fd */
	sigset_t mask;                          /* what the caller had, and the program gets */
	struct sigaction kept[SG_KEPT_SIGNALS]; /* the same */
};
int sg_signals_take(struct sg_signals *s, struct sg_err *err);
/* From now on SIGCHLD, too, which is not for the program. Errors: what sigprocmask(2) and signalfd(2) said. */
int sg_signals_take_children(struct sg_signals *s, struct sg_err *err);
void sg_signals_give_back(struct sg_signals *s);

struct sg_spawn;

/* A sandbox that runs: what was set up for it, to be watched by sg_monitor() and undone by sg_launch_end(). */
struct sg_launch {
	struct sg_plan *plan;
	struct sg_session *session;
	enum sg_tier tier;
	struct sg_cgroup cg;
	struct sg_members members;
	struct sg_guard guard;   /* state NULL: it was not needed so far */
	uint64_t marker;         /* by which it knows the sandbox's processes; 0: by their cgroup, or not at all */
	struct sg_places places; /* open as long as the ruleset needs them to hold */
	struct sg_landlock landlock;
	uint32_t net_refused; /* SG_NET_REFUSE_*: what a second filter refuses of the network where no BPF LSM does */
	int proc; /* the first process's directory in /proc, which a rule of the ruleset may be about; -1: none */
	struct sg_limiter limiter;
	struct sg_output output;
	struct sg_bpf *bpf;       /* NULL: no BPF */
	bool attached;            /* processes that were there already, without a filter of ours */
	bool discover;            /* attached: each process is judged by its own language's policy */
	bool from_exec;           /* attached: judged from the first program that is executed from now on */
	bool shared;              /* bpf is a daemon's: other sandboxes use it too */
	void (*drain)(void *ctx); /* shared: takes what waits in the ring buffer to whom it belongs */
	void *drain_ctx;
	bool bounded;           /* shared: our bounding set of capabilities is empty already */
	bool keyless;           /* shared: our session keyring is our own, and nothing is in it */
	bool registered;        /* the BPF side knows the sandbox */
	uint32_t sandbox;       /* its index there */
	bool sys_enter;         /* attached */
	bool filter;            /* a seccomp filter is loaded */
	bool outlives;          /* the sandbox goes on when its supervisor dies */
	struct sg_spawn *spawn; /* what the child uses until it has executed; NULL: nothing, or not ours; owned */
	bool dumpable;          /* so was this process before it shared its memory with a child */
	pid_t pid;
	int pidfd;
	int listener; /* -1: none */
	int report;   /* the child's reports; end of file once the exec succeeded */
	struct sg_signals signals;
	bool empty;           /* no process of it is left */
	bool leaving;         /* sg_launch_end() is the last thing this process does */
	int exec_errno;       /* why the program could not be executed; 0: it was */
	uint64_t started_ns;  /* CLOCK_MONOTONIC */
	uint64_t started_at;  /* the same moment as records show it */
	json_t *degraded;     /* array: what is not in force and why */
	json_t *mechanisms;   /* object: limit -> what enforces it */
	json_t *not_enforced; /* array: what of the policy's object rules no layer of the tier enforces */
	struct sg_judge judge;
};

/*
 * Carries the plan out: cgroup, guard, BPF, the child up to its last step before exec. On failure everything is undone
 * and *err says what could not be done; nothing of the program ran.
 */
int sg_launch_start(struct sg_launch *l, struct sg_plan *plan, struct sg_session *session, struct sg_err *err);
/* Writes the start record. */
void sg_launch_report(struct sg_launch *l);
/* The child is out of our memory: it has executed, or is dead. */
void sg_launch_executed(struct sg_launch *l);
/* Ends whatever is left of the sandbox and removes every trace of it. */
void sg_launch_end(struct sg_launch *l);

/*
 * The steps of which sg_launch_start() and _end() consist, for a daemon, which has one BPF object for all sandboxes and
 * must never wait for one of them.
 */
void sg_launch_init(struct sg_launch *l, struct sg_plan *plan, struct sg_session *session);
/* Whether what was asked for needs the sys_enter program: it costs every process on the host. */
bool sg_launch_wants_sys_enter(const struct sg_launch *l);
/* Tells l->bpf about the sandbox; policy: the number of its policy there. Errors: as sg_bpf_add_sandbox(). */
int sg_launch_register(struct sg_launch *l, uint32_t policy, struct sg_err *err);
/*
 * Puts the limits in force that do not belong to the child, and notes what enforces which. std: the descriptors that
 * the program is given as 0, 1 and 2. Errors: -ENOTSUP for --require-limits, what pipe(2) said.
 */
int sg_launch_limits(struct sg_launch *l, const int std[3], struct sg_err *err);
void sg_launch_degrade(struct sg_launch *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Gives everything back but the cgroup. No process of the sandbox may be left. */
void sg_launch_release(struct sg_launch *l);

#endif
