/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_JUDGE_H
#define SG_JUDGE_H

#include "bpf/sg_abi.h"
#include "supervisor/forks.h"
#include "supervisor/learner.h"
#include "supervisor/members.h"
#include "supervisor/session.h"

/*
 * Turns what the kernel reports into decisions and records: calls that wait for the supervisor's answer, and records
 * of the BPF programs. One place for both, so that they read the same.
 */
struct sg_judge {
	struct sg_session *session;
	const struct sg_members *members;
	uint32_t self;                  /* the sandbox's first process */
	uint64_t max_tasks;             /* 0: forks are not counted here */
	uint64_t peak_tasks;            /* highest count seen */
	struct sg_learn *learn;         /* NULL; else what is audited is learnt and not recorded */
	bool learnt;                    /* something new since this was cleared */
	const struct sg_policy *ruling; /* whose rule decided the call at hand; NULL: the session's policy */
	bool kernel_records;            /* a BPF program records what the session's policy audits */
	bool second;                    /* the second phase has begun: session->then holds, too */
	bool audit;                     /* --mode audit: record, let go on */
	bool kill;                      /* set: a violation asks for the end of the sandbox */
	bool hold_forks;                /* forks wait: what the sandbox uses is being summed up */
	bool stopping;                  /* nothing new may start any more: forks are refused */
	/* Called before the first fork is let through; NULL: nothing is to be done. While it fails, none is. */
	int (*before_fork)(void *ctx, struct sg_err *err);
	void *before_fork_ctx;
	bool unready;          /* it has failed, and that was said */
	struct sg_forks forks; /* the largest, and last: see sg_launch_init() */
};

/* Receives and answers every notification that waits. -ENOTCONN: no task is left. */
int sg_judge_notifications(struct sg_judge *j, int listener);
/* Tries again what could not be answered yet: to be called when forks.timer is readable. */
void sg_judge_held(struct sg_judge *j, int listener);
/* For sg_bpf_consume(): ctx is a struct sg_judge. */
int sg_judge_event(void *ctx, const struct sg_event_hdr *rec, size_t size);
/* Records a violation that the kernel kept beside the ring buffer, unless it was recorded already. */
void sg_judge_first_kill(struct sg_judge *j, const struct sg_sandbox *state);

#endif
