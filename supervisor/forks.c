/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/forks.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

/*
 * After this long a fork counts as over even when its caller neither asks again nor waits in another call: it bounds
 * how long an answer may be held. A caller that would run and got less than STARVED_NS of a processor since then has
 * not been there yet, and has up to STARVED_MOST_NS. Beyond that, one that was let through can exceed the limit by its
 * one task.
 */
#define SETTLE_NS 200000000ULL
#define STARVED_NS 10000000ULL
#define STARVED_MOST_NS 30000000000ULL
#define RETRY_NS 1000000

void sg_forks_back(struct sg_forks *f, pid_t tid)
{
	for (unsigned i = 0; i < f->n_out;)
		if (f->out[i].tid == tid)
			f->out[i] = f->out[--f->n_out];
		else
			i++;
}

static bool starved(pid_t tid, uint64_t ran_before)
{
	uint64_t ran = sg_proc_ran(tid);

	return ran != UINT64_MAX && ran - ran_before < STARVED_NS && sg_proc_waits_for_cpu(tid);
}

static void settle(struct sg_forks *f)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	for (unsigned i = 0; i < f->n_out;) {
		pid_t tid = f->out[i].tid;
		uint64_t age = now - f->out[i].since_ns;

		if (!sg_proc_may_fork(tid) ||
		    (age > SETTLE_NS && (age > STARVED_MOST_NS || !starved(tid, f->out[i].ran_ns))))
			f->out[i] = f->out[--f->n_out];
		else
			i++;
	}
}

/*
 * Tasks that have ended keep their pid until somebody waits for them. Looking for those is dear, so it is done only
 * when the forks granted since the last look might have made as many as allowed.
 */
static enum sg_fork_verdict unless_full(struct sg_forks *f, const struct sg_members *m, uint64_t max)
{
	int all;

	if (!f->most)
		f->most = 1;
	if (f->most < max)
		return SG_FORK_GO;
	settle(f);
	all = sg_members_count_all(m);
	f->most = all < 0 ? max : (uint64_t)all + f->n_out;
	return f->most < max ? SG_FORK_GO : SG_FORK_REFUSE;
}

enum sg_fork_verdict sg_forks_ask(struct sg_forks *f, const struct sg_members *m, uint64_t max, int *tasks)
{
	*tasks = sg_members_count(m);
	if (*tasks < 0)
		return SG_FORK_REFUSE;
	if (!max)
		return SG_FORK_GO;
	/* What is ours to clear away is no reason to refuse. */
	*tasks = sg_members_recount(m, *tasks, max);
	if (*tasks < 0)
		return SG_FORK_REFUSE;
	if ((uint64_t)*tasks + f->n_out < max && f->n_out < SG_FORKS_MAX)
		return unless_full(f, m, max);
	if ((uint64_t)*tasks >= max)
		return SG_FORK_REFUSE;
	/* First who is back, then how many there are: who is back has its child among them. */
	settle(f);
	*tasks = sg_members_recount(m, sg_members_count(m), max);
	if (*tasks < 0 || (uint64_t)*tasks >= max)
		return SG_FORK_REFUSE;
	return (uint64_t)*tasks + f->n_out < max && f->n_out < SG_FORKS_MAX ? unless_full(f, m, max) : SG_FORK_WAIT;
}

void sg_forks_granted(struct sg_forks *f, pid_t tid)
{
	sg_forks_back(f, tid);
	f->most++;
	if (f->n_out == SG_FORKS_MAX)
		return;
	f->out[f->n_out].tid = tid;
	f->out[f->n_out].ran_ns = sg_proc_ran(tid);
	f->out[f->n_out++].since_ns = sg_clock_ns(CLOCK_MONOTONIC);
}

bool sg_forks_hold(struct sg_forks *f, uint64_t id, pid_t tid)
{
	const struct itimerspec soon = {.it_value.tv_nsec = RETRY_NS};

	if (f->n_held == SG_FORKS_MAX)
		return false;
	if (f->timer < 0)
		f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	/* Setting it again also takes back that it has fired. */
	if (f->timer < 0 || timerfd_settime(f->timer, 0, &soon, NULL) < 0)
		return false;
	f->held[f->n_held].id = id;
	f->held[f->n_held++].tid = tid;
	return true;
}

bool sg_forks_next(struct sg_forks *f, uint64_t *id, pid_t *tid)
{
	if (!f->n_held)
		return false;
	*id = f->held[0].id;
	*tid = f->held[0].tid;
	memmove(f->held, f->held + 1, --f->n_held * sizeof(f->held[0]));
	if (!f->n_held)
		(void)timerfd_settime(f->timer, 0, &(struct itimerspec){0}, NULL);
	return true;
}
