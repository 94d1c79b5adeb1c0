/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/closer.h"
#include "daemon/sgd.h"

#include "runner/program.h"
#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define READY_NS 10000000000ULL /* for a child's set-up */
#define EXECUTED_NS 50000000ULL /* after which a program is seen to have been executed */
#define LOOK_NS 1000000ULL      /* between looks at a cgroup that is to become empty */
#define LOOK_MAX_NS 50000000ULL
#define EMPTY_NS 5000000000ULL /* after this long it is said that it does not */

#define ARGV_BYTES 8192 /* in a record, which must fit into a packet however it is escaped */

static void box_advance(struct sgd_box *b);

/* ---- records ---- */

static void sink(void *ctx, const char *json, const char *human, bool essential)
{
	struct sgd_box *b = ctx;
	const char *text = human ? human : json;

	sgd_vlog_line(&b->d->log, json);
	sgd_publish(b, json);
	if (!b->conn || b->quiet)
		return;
	if (!sgd_send_text(b->conn, SG_WIRE_RECORD, 0, text, strlen(text), essential))
		b->session.stream.dropped++;
}

void sgd_box_need_policy(struct sgd_box *b)
{
	struct sg_err err = {0};

	if (b->session.policy || !b->policy)
		return;
	b->session.policy = sgd_policy_parsed(b->policy, &err);
	if (!b->session.policy)
		sg_session_degrade(&b->session, "the policy could not be read again: %s", err.message);
}

/* A sandbox in which the kernel's signal was not delivered is ended from here, one process or all of them. */
static void kill_offender(struct sgd_box *b, const struct sg_event_hdr *rec)
{
	SG_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, rec->tgid, 0);

	if (pidfd >= 0 && sg_cgroup_contains(&b->launch.cg, (pid_t)rec->tgid))
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static bool signal_failed(const struct sg_event_hdr *rec)
{
	if (rec->type == SG_EVENT_SYSCALL)
		return ((const struct sg_event_syscall *)rec)->signal_rc;
	return rec->type == SG_EVENT_OBJECT && ((const struct sg_event_object *)rec)->signal_rc;
}

static unsigned language_of(const struct sg_event_hdr *rec)
{
	return rec->type == SG_EVENT_SYSCALL ? ((const struct sg_event_syscall *)rec)->language : 0;
}

static int on_record(void *ctx, const struct sg_event_hdr *rec, size_t size)
{
	struct sgd *d = ctx;
	struct sgd_box *b = rec->sandbox < SG_MAX_SANDBOXES ? d->by_index[rec->sandbox] : NULL;
	struct sgd_as was;

	/* The number may belong to somebody else by now; the cgroup's id is never used twice. */
	if (!b || b->launch.cg.id != rec->cgroup_id) {
		d->count.orphans++;
		return 0;
	}
	/* What the log has already was read by a daemon that died before it could say so. */
	b->session.seq = sg_bpf_ring_position(d->bpf) + 1;
	if (b->session.seq <= d->skip) {
		b->session.seq = 0;
		return 0;
	}
	sgd_box_need_policy(b);
	sgd_discover_as(b, language_of(rec), &was);
	(void)sg_judge_event(&b->launch.judge, rec, size);
	sgd_discover_was(b, &was);
	b->session.seq = 0;
	if (b->attached) {
		if (b->launch.judge.kill && signal_failed(rec))
			kill_offender(b, rec);
		b->launch.judge.kill = false;
	} else if (b->launch.judge.kill && !b->launch.judge.stopping) {
		sg_watch_stop(&b->watch);
	}
	return 0;
}

/* What the ring buffer gives up is in the log. */
static void on_batch(void *ctx)
{
	struct sgd *d = ctx;

	sgd_vlog_hold(&d->log, false);
	sgd_vlog_hold(&d->log, true);
}

/* Up to a place in the ring buffer, and at least one pass: whoever writes faster than we read holds nobody up. */
static void drain_to(struct sgd *d, uint64_t end)
{
	struct sg_err err = {0};
	int rc;

	sgd_vlog_hold(&d->log, true);
	do
		rc = sg_bpf_consume(d->bpf, on_record, on_batch, d, &err);
	while (rc >= SG_BPF_CONSUME_MAX && sg_bpf_ring_position(d->bpf) < end);
	sgd_vlog_hold(&d->log, false);
	if (rc < 0)
		fprintf(stderr, "sgd: %s\n", err.message);
}

void sgd_drain(struct sgd *d)
{
	drain_to(d, sg_bpf_ring_end(d->bpf));
}

void sgd_drain_some(struct sgd *d)
{
	drain_to(d, 0);
}

static void drain(void *ctx)
{
	sgd_drain(ctx);
}

/* ---- sys_enter on demand ---- */

int sgd_sys_enter_get(struct sgd *d, struct sg_err *err)
{
	int rc = 0;

	if (!d->sys_enter_users)
		rc = sg_bpf_attach_set(d->bpf, SG_BPF_SYS_ENTER, err);
	if (!rc)
		d->sys_enter_users++;
	return rc;
}

void sgd_sys_enter_put(struct sgd *d)
{
	if (d->sys_enter_users && --d->sys_enter_users == 0)
		sg_bpf_detach_set(d->bpf, SG_BPF_SYS_ENTER);
}

/* ---- life ---- */

static void on_source(struct sgd_source *s, uint32_t events);

struct sgd_box *sgd_box_new(struct sgd *d)
{
	struct sgd_box *b = calloc(1, sizeof(*b));
	struct sg_err err = {0};
	char id[64];

	if (!b)
		return NULL;
	snprintf(id, sizeof(id), "%llx-%llu", (unsigned long long)(d->started / 1000000),
		 (unsigned long long)++d->serial);
	if (sg_session_init(&b->session, id, &err) < 0) {
		free(b);
		return NULL;
	}
	b->d = d;
	b->slot = b->slot_raw = b->places = -1;
	b->session.sink = sink;
	b->session.sink_ctx = b;
	b->session.seen = sgd_stats_record;
	b->session.seen_call = sgd_stats_call;
	b->session.argv_bytes = ARGV_BYTES;
	b->session.policy_shared = true;
	b->events.fd = -1;
	b->events.fn = on_source;
	b->events.owner = b;
	for (int i = 0; i < SG_WATCH_N; i++)
		b->src[i] = (struct sgd_source){.fd = -1, .fn = on_source, .owner = b};
	b->plan.options = &b->options;
	b->plan.base = -1;
	sg_launch_init(&b->launch, &b->plan, &b->session);
	b->watch.l = &b->launch;
	b->launch.shared = true;
	b->launch.bounded = d->bounded;
	b->launch.keyless = d->keyless;
	b->launch.drain = drain;
	b->launch.drain_ctx = d;
	b->next = d->boxes;
	if (d->boxes)
		d->boxes->prev = b;
	d->boxes = b;
	d->n_boxes++;
	return b;
}

int sgd_box_place(const struct sgd *d, struct sg_err *err)
{
	unsigned n = 0;

	/* The one that asks is among the boxes. */
	if (d->n_boxes <= d->o->max_sandboxes)
		return 0;
	for (const struct sgd_box *o = d->boxes; o; o = o->next)
		n += o->launch.registered;
	if (n < d->o->max_sandboxes)
		return 0;
	return sg_err_set(err, ENOSPC, "all %u places for sandboxes are taken", d->o->max_sandboxes);
}

static void let_go_passed(struct sgd_box *b)
{
	struct sgd_job *j = b->job;

	for (int i = 0; i < j->n_fds; i++) {
		if (i < j->n_fds - j->n_copies)
			sgd_let_go(b->uid, j->fds[i]);
		else if (j->fds[i] >= 0)
			close(j->fds[i]);
	}
	j->n_fds = 0;
}

static void job_free(struct sgd_job *j)
{
	sg_spawn_end(&j->spawn);
	if (j->mapped)
		munmap(j->strings, j->strings_size);
	else
		free(j->strings);
	free(j->argv);
	free(j->env);
	free(j->groups);
	free(j);
}

/* Only when the child is out of our memory: it has executed, or it was reaped. */
static void drop_job(struct sgd_box *b)
{
	b->plan.argv = b->plan.env = NULL;
	b->session.widened = NULL;
	if (!b->job)
		return;
	let_go_passed(b);
	job_free(b->job);
	b->job = NULL;
}

void sgd_box_deadline(struct sgd_box *b, uint64_t at)
{
	b->deadline = at;
	sgd_deadline(b->d, at);
}

static void watch_deadline(struct sgd_box *b)
{
	sgd_deadline(b->d, b->watch.deadline_ns);
}

void sgd_box_sync(struct sgd_box *b)
{
	struct pollfd p[SG_WATCH_N];

	sg_watch_fds(&b->watch, p);
	for (int i = 0; i < SG_WATCH_N; i++) {
		uint32_t events = p[i].fd < 0 ? 0 : (uint32_t)p[i].events;

		/* Told once, that the child is ready, and not when it has executed: short programs end before that
		 * matters. */
		if (i == SG_WATCH_REPORT && events && !b->watches_exec)
			events |= EPOLLONESHOT;
		(void)sgd_loop_set(&b->d->loop, &b->src[i], p[i].fd, events);
	}
	watch_deadline(b);
}

static void unwatch(struct sgd_box *b)
{
	for (int i = 0; i < SG_WATCH_N; i++)
		(void)sgd_loop_set(&b->d->loop, &b->src[i], -1, 0);
	(void)sgd_loop_set(&b->d->loop, &b->events, -1, 0);
}

void sgd_box_raw_slot_put(struct sgd_box *b)
{
	int slot = b->slot_raw;

	b->slot_raw = -1;
	for (const struct sgd_box *o = slot < 0 ? NULL : b->d->boxes; o; o = o->next)
		if (o->slot_raw == slot)
			return;
	if (slot >= 0)
		b->d->policies.slots[slot % SG_MAX_POLICIES] = false;
}

/* What the BPF side holds for it. */
static void unregister(struct sgd_box *b)
{
	struct sgd *d = b->d;

	if (d->stats.metrics)
		sgd_stats_collect(b);
	if (b->launch.registered) {
		sgd_state_drop(b);
		d->by_index[b->launch.sandbox] = NULL;
	}
	sg_launch_release(&b->launch);
	b->launch.registered = false;
	/* Only now: while a rule names an inode its address must not be another one's. */
	sgd_let_go(b->uid, SG_TAKE_FD(b->places));
	if (b->slot >= 0)
		sgd_policy_slot_put(&d->policies, b->policy);
	sgd_box_raw_slot_put(b);
	b->slot = -1;
	if (b->launch.sys_enter)
		sgd_sys_enter_put(d);
	b->launch.sys_enter = false;
}

void sgd_box_free(struct sgd_box *b)
{
	struct sgd *d = b->d;

	unwatch(b);
	sgd_opener_cancel(b);
	json_decref(b->view);
	if (b->conn)
		b->conn->box = NULL;
	unregister(b);
	if (b->launch.cg.dirfd >= 0)
		close(b->launch.cg.dirfd);
	drop_job(b);
	sgd_again_put(d, b->known);
	sg_session_close(&b->session);
	sgd_policy_put(&d->policies, b->policy);
	if (b->prev)
		b->prev->next = b->next;
	else
		d->boxes = b->next;
	if (b->next)
		b->next->prev = b->prev;
	d->n_boxes--;
	free(b);
}

void sgd_box_leave(struct sgd_box *b)
{
	sgd_opener_cancel(b);
	sgd_state_put(b);
	b->d->by_index[b->launch.sandbox] = NULL;
	b->launch.registered = false;           /* its place in the BPF tables and in the state is not given up */
	b->slot = b->slot_raw = b->places = -1; /* open: the keeper has it */
	b->launch.sys_enter = false;
}

static void answer(struct sgd_box *b, int status)
{
	const char *text = "";
	int e = b->launch.exec_errno;

	if (!b->conn)
		return;
	if (e)
		text = sg_plan_exec_error(b->launch.plan, e);
	(void)sgd_send_text(b->conn, SG_WIRE_RESULT, (uint32_t)status, text, strlen(text), true);
	sgd_conn_finish(b->conn);
	b->conn->box = NULL;
	b->conn = NULL;
}

static void finish(struct sgd_box *b)
{
	uint64_t empty = sg_clock_ns(CLOCK_REALTIME);
	int status;

	unwatch(b);
	sgd_box_need_policy(b);
	status = sg_watch_finish(&b->watch); /* reads what killed it, which may still wait in the ring buffer */
	sgd_stats_empty(b, empty);
	if (b->launch.exec_errno && b->known)
		sgd_again_spoil(b->known);
	/* Who has the answer may ask for the next one. */
	if (b->launch.empty) {
		sgd_again_put(b->d, b->known);
		b->known = NULL;
	}
	answer(b, status);
	unregister(b);
	drop_job(b);
	sgd_box_remove(b);
}

/* Nothing of the program ran. */
static void fail(struct sgd_box *b, const struct sg_err *err)
{
	char text[1200];
	struct sg_result r = {.verdict = "error", .exit_code = SG_EXIT_FAILED, .error = text};

	sg_err_format(err, text, sizeof(text));
	b->d->count.failed++;
	b->quiet = true; /* the client says it in its own words */
	sg_session_exit(&b->session, &r);
	if (b->conn) {
		(void)sgd_send_text(b->conn, SG_WIRE_FAILED, SG_EXIT_FAILED, text, strlen(text), true);
		sgd_conn_finish(b->conn);
		b->conn->box = NULL;
		b->conn = NULL;
	}
	b->killed = true; /* said already */
}

/* The first process ended: so does the sandbox, as soon as nobody is left. */
static void end(struct sgd_box *b, uint64_t now)
{
	bool left;

	if (b->phase != SGD_ENDING) {
		b->phase = SGD_ENDING;
		b->ending_ns = now;
		b->launch.judge.stopping = true;
	}
	left = b->launch.cg.dirfd >= 0 && sg_cgroup_populated(&b->launch.cg) == 1;
	if (left && now - b->ending_ns < EMPTY_NS) {
		(void)sg_cgroup_kill(&b->launch.cg);
		sgd_box_deadline(b, now + (now - b->ending_ns < LOOK_MAX_NS ? LOOK_NS : LOOK_MAX_NS));
		sgd_box_sync(b);
		return;
	}
	if (left)
		sg_session_degrade(&b->session, "processes of the sandbox could not be ended within 5 s");
	b->launch.empty = !left;
	b->deadline = 0;
	if (b->killed) {
		unwatch(b);
		unregister(b);
		drop_job(b);
		sgd_box_remove(b);
	} else {
		finish(b);
	}
}

static void ready(struct sgd_box *b)
{
	struct sg_launch *l = &b->launch;
	struct sg_err err = {0};

	if (sg_spawn_ready(l, &b->job->spawn, 0, &err) < 0) {
		if (b->session.cancelled) {
			sg_err_reset(&err);
			(void)sg_err_set(&err, ECANCELED, "it was ended by who started it, before the program began");
		}
		fail(b, &err);
		sg_watch_stop(&b->watch);
		/* It is on its way out, and reaped when it is. */
		if (l->report >= 0) {
			(void)sgd_loop_set(&b->d->loop, &b->src[SG_WATCH_REPORT], -1, 0);
			close(SG_TAKE_FD(l->report));
		}
		b->phase = SGD_RUNNING;
		return;
	}
	let_go_passed(b);
	sgd_aside(&l->listener);
	b->ready = true;
	b->phase = SGD_RUNNING;
	/* Whatever score the daemon has, the program has it until then. */
	b->watches_exec = b->job->oom_score_adj != b->d->oom_score_adj;
	b->deadline = 0;
	if (!b->watches_exec)
		sgd_box_deadline(b, sg_clock_ns(CLOCK_MONOTONIC) + EXECUTED_NS);
	b->d->count.launches++;
	/* While it is surely ours: it has not been waited for. */
	if (b->keep)
		b->pid_start = sg_proc_start_time(l->pid);
	for (int sig = 1; b->pending && sig < 32; sig++)
		if (b->pending & 1U << sig)
			sg_watch_signal(&b->watch, sig);
	sgd_state_put(b);
	sg_launch_report(l);
	if (l->landlock.fd >= 0)
		close(SG_TAKE_FD(l->landlock.fd));
	if (b->detached && b->conn) {
		(void)sgd_send_text(b->conn, SG_WIRE_STARTED, 0, b->session.id, strlen(b->session.id), true);
		sgd_conn_finish(b->conn);
		b->conn->box = NULL;
		b->conn = NULL;
	}
}

/*
 * Not what an administrator gave the daemon. By us and not by the child, which shared our memory: the kernel gives all
 * who share memory the same. What it is to have beyond ours may be more than we can give.
 */
static void set_oom_score_adj(const struct sgd_box *b)
{
	char path[48], text[16];
	int n = snprintf(text, sizeof(text), "%d", b->job->oom_score_adj);
	SG_CLOSE int fd = -1;

	if (b->job->oom_score_adj == b->d->oom_score_adj)
		return;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)b->launch.pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if ((fd < 0 || write(fd, text, (size_t)n) < 0) && b->job->oom_score_adj > b->d->oom_score_adj)
		fprintf(stderr, "sgd: %s: cannot set %s to %s: %s\n", b->session.id, path, text, strerror(errno));
}

static void box_advance(struct sgd_box *b)
{
	if (b->job && b->ready && b->launch.report < 0 && !b->launch.exec_errno) {
		set_oom_score_adj(b);
		drop_job(b);
	}
	if (b->watch.ended)
		end(b, sg_clock_ns(CLOCK_MONOTONIC));
	else
		sgd_box_sync(b);
}

static void on_source(struct sgd_source *s, uint32_t events)
{
	struct sgd_box *b = s->owner;
	struct pollfd p[SG_WATCH_N] = {0};
	long which = s - b->src;

	if (b->phase == SGD_GONE)
		return;
	if (b->phase == SGD_STARTING && (which == SG_WATCH_REPORT || which == SG_WATCH_PID)) {
		ready(b);
		if (which == SG_WATCH_REPORT) {
			box_advance(b);
			return;
		}
	}
	if (which == SG_WATCH_LISTENER || which == SG_WATCH_FORKS)
		sgd_box_need_policy(b);
	p[which].revents = (short)events;
	sg_watch_step(&b->watch, p);
	box_advance(b);
}

void sgd_box_started(struct sgd_box *b)
{
	sg_watch_start(&b->watch, &b->launch);
	b->watch.epoll = b->d->loop.epoll;
	b->phase = SGD_STARTING;
	sgd_box_deadline(b, sg_clock_ns(CLOCK_MONOTONIC) + READY_NS);
	sgd_box_sync(b);
}

void sgd_box_adopted(struct sgd_box *b)
{
	if (b->watch.ended)
		end(b, sg_clock_ns(CLOCK_MONOTONIC));
	else
		sgd_box_sync(b);
}

void sgd_box_signal(struct sgd_box *b, int sig)
{
	if (b->phase == SGD_STARTING)
		b->pending |= 1U << sig;
	if (b->phase != SGD_RUNNING || !b->ready)
		return;
	sg_watch_signal(&b->watch, sig);
	sgd_box_sync(b);
}

void sgd_box_kill(struct sgd_box *b)
{
	if (b->phase == SGD_GONE)
		return;
	if (b->attached)
		(void)sg_cgroup_kill(&b->launch.cg);
	else
		sg_watch_stop(&b->watch);
}

void sgd_box_detach(struct sgd_box *b, const char *why)
{
	struct sg_result r = {.verdict = why, .exit_code = -1, .output_bytes = -1};
	struct sg_sandbox state;
	struct sg_err err = {0};

	sgd_opener_cancel(b);
	sgd_drain(b->d);
	sgd_box_need_policy(b);
	if (sg_bpf_sandbox_state(b->d->bpf, b->launch.sandbox, &state, &err) == 0) {
		struct sgd_as was;

		sgd_discover_as(b, language_of(&state.first_kill.hdr), &was);
		sg_judge_first_kill(&b->launch.judge, &state);
		sgd_discover_was(b, &was);
	}
	r.wall_ns = sg_clock_ns(CLOCK_MONOTONIC) - b->launch.started_ns;
	sg_session_exit(&b->session, &r);
	unwatch(b);
	unregister(b);
	sgd_box_remove(b);
}

/* The cgroup of an attached sandbox is gone when its container is. */
static void look_at_attached(struct sgd_box *b, uint64_t now)
{
	struct stat st;

	if (fstat(b->launch.cg.dirfd, &st) < 0 || st.st_nlink == 0 || sg_cgroup_populated(&b->launch.cg) < 0) {
		sgd_box_detach(b, "ok");
		return;
	}
	sgd_box_deadline(b, now + 500000000ULL);
}

void sgd_box_time(struct sgd_box *b, uint64_t now)
{
	if (b->phase == SGD_GONE)
		return;
	if (b->watch.deadline_ns && now >= b->watch.deadline_ns && b->phase == SGD_RUNNING) {
		sg_watch_deadline(&b->watch);
		box_advance(b);
	}
	watch_deadline(b);
	if (!b->deadline)
		return;
	if (now < b->deadline) {
		sgd_box_deadline(b, b->deadline);
		return;
	}
	b->deadline = 0;
	if (b->attached) {
		look_at_attached(b, now);
	} else if (b->phase == SGD_STARTING) {
		struct sg_err err = {0};

		(void)sg_err_set(&err, ETIMEDOUT,
				 "the child process was not ready within 10 s: what it was to start in, or "
				 "from, may be on a file system that hangs");
		fail(b, &err);
		b->phase = SGD_RUNNING;
		sg_watch_stop(&b->watch);
	} else if (b->phase == SGD_RUNNING && b->launch.report >= 0) {
		b->watches_exec = true;
		sgd_box_sync(b);
	} else if (b->removals) {
		sgd_box_remove(b);
	} else if (b->phase == SGD_ENDING) {
		end(b, now);
	}
}
