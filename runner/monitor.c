/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/monitor.h"

#include "runner/child.h"
#include "runner/learn.h"
#include "runner/program.h"
#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* How long a reader that is slow or stuck may delay sgrun's own end. */
#define FLUSH_MS 2000
#define LAST_MS 1000 /* and after that, where there was no room made for the last records */
#define TICK_NS 20000000ULL
#define HELD_LOOK_NS 100000000ULL /* between looks at a first process that has ended and cannot be reaped */
#define HELD_NS 5000000000ULL     /* after this long the sandbox ends without its status */
#define REQUEST_NS 50000000ULL    /* for this long what asks us to end says the same again */

/* Says that records could not be written, if that is so. uncounted: some found no room, and no record says so. */
static void report_unwritten(const struct sg_stream *s, bool uncounted)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (!s->failed && (s->broken || !(s->len || uncounted)))
		return;
	/* It may be what nobody reads. */
	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT))
		return;
	if (s->failed)
		fprintf(stderr, "sgrun: records were lost: they cannot be written: %s\n", strerror(s->failed));
	else
		fprintf(stderr, "sgrun: records were lost: their reader does not take them in time\n");
}

void sg_finish_stream(struct sg_stream *s)
{
	if (!sg_stream_flush(s, FLUSH_MS)) {
		sg_stream_make_room(s);
		(void)sg_stream_flush(s, LAST_MS);
	}
	report_unwritten(s, s->dropped);
}

void sg_watch_stop(struct sg_watch *w)
{
	w->l->judge.stopping = true;
	/* Out of descriptors, say: its first process at least, with which it ends, and the others are tried again then.
	 */
	if (sg_members_kill(&w->l->members) < 0)
		(void)syscall(SYS_pidfd_send_signal, w->l->pidfd, SIGKILL, NULL, 0);
}

void sg_watch_cancel(struct sg_watch *w)
{
	w->cancelled = true;
	w->l->session->cancelled = true;
	sg_watch_stop(w);
}

void sg_watch_signal(struct sg_watch *w, int sig)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);
	bool end = sg_signal_ends(sig), again = end && w->asked_ns && now - w->asked_ns >= REQUEST_NS;

	/*
	 * A program may ignore the first request to end; not the second. One request may come twice: from a terminal,
	 * to all in its foreground, and from whoever started us and passes on what it got (npm, make, a shell that
	 * hangs up).
	 */
	if (w->ended_ns)
		w->gave_up |= again || (end && !w->asked_ns);
	else if (again)
		sg_watch_cancel(w);
	else
		(void)syscall(SYS_pidfd_send_signal, w->l->pidfd, sig, NULL, 0);
	if (end && !w->asked_ns)
		w->asked_ns = now;
}

static void pass_signals(struct sg_watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->l->signals.fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo != SIGCHLD)
			sg_watch_signal(w, (int)si.ssi_signo);
		else if (w->l->cg.dirfd >= 0)
			sg_members_reap(&w->l->members);
	}
}

/* A child that has not executed yet may hold a copy, so the descriptor leaves an epoll set only when it is told to. */
static void close_watched(struct sg_watch *w, int *fd)
{
	if (w->l->shared)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(SG_TAKE_FD(*fd));
}

static void read_report(struct sg_watch *w)
{
	struct sg_report report;
	ssize_t n = recv(w->l->report, &report, sizeof(report), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(report)) {
		w->l->exec_errno = report.err ? report.err : EIO;
	} else {
		sg_launch_executed(w->l);
	}
	close_watched(w, &w->l->report);
}

static void consume_events(struct sg_watch *w)
{
	struct sg_err err = {0};

	sg_stream_hold(&w->l->session->stream, true);
	if (w->l->shared)
		w->l->drain(w->l->drain_ctx);
	else if (w->l->bpf && sg_bpf_consume(w->l->bpf, sg_judge_event, NULL, &w->l->judge, &err) < 0)
		sg_session_degrade(w->l->session, "%s", err.message);
	sg_stream_hold(&w->l->session->stream, false);
	if (w->l->bpf && w->l->judge.learnt && sg_learn_refresh(w->l, &err) < 0)
		sg_session_degrade(w->l->session, "%s", err.message);
	w->l->judge.learnt = false;
}

static void answer_notifications(struct sg_watch *w)
{
	struct sg_launch *l = w->l;
	int rc;

	/* What the program did before it asked comes first. */
	if (l->sys_enter && !l->shared)
		consume_events(w);
	rc = sg_judge_notifications(&l->judge, l->listener);

	if (rc == 0)
		return;
	if (rc != -ENOTCONN) {
		sg_session_degrade(l->session, "the seccomp listener failed: %s", strerror(-rc));
		sg_watch_stop(w);
	}
	close_watched(w, &l->listener);
}

void sg_watch_unknown(struct sg_watch *w, const char *why)
{
	snprintf(w->unknown, sizeof(w->unknown), "its exit status is not known: %s", why);
	sg_session_degrade(w->l->session, "%s", w->unknown);
}

/*
 * It has ended, and its tracer is to wait for it before we can, which may be never. What it left running ends now; its
 * status may come yet.
 */
static void look_again(struct sg_watch *w, uint64_t now)
{
	struct sg_proc_info info = {0};
	char why[80];

	sg_watch_stop(w);
	w->held = true;
	w->ended = w->gave_up || now - w->ended_ns >= HELD_NS;
	if (!w->ended) {
		w->deadline_ns = now + HELD_LOOK_NS;
		return;
	}
	(void)sg_proc_info(w->l->pid, &info);
	snprintf(why, sizeof(why), "process %d traces it and does not wait for it", (int)info.tracer);
	sg_watch_unknown(w, info.tracer ? why : "another process traces it and does not wait for it");
	sg_members_drop_first(&w->l->members);
}

/* Once its pidfd says that it has ended. */
static void reap(struct sg_watch *w)
{
	pid_t pid = wait4(w->l->pid, &w->status, WNOHANG, &w->usage);
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	if (!w->ended_ns)
		w->ended_ns = now;
	w->deadline_ns = 0;
	if (pid == 0) {
		look_again(w, now);
		return;
	}
	w->held = false;
	w->ended = true;
	/* The status went to whoever took the children of another supervisor over, or to nobody. */
	if (pid < 0)
		sg_watch_unknown(w, w->l->shared ? "the supervisor that started it is gone"
						 : "somebody else waited for it, or SIGCHLD is ignored");
}

/* Who shares memory with more and more while it is summed up would seem to have more of it. */
static void hold_forks(struct sg_watch *w, bool hold)
{
	bool go = w->l->judge.hold_forks && !hold;

	w->l->judge.hold_forks = hold;
	if (go && w->l->listener >= 0)
		sg_judge_held(&w->l->judge, w->l->listener);
}

void sg_watch_deadline(struct sg_watch *w)
{
	struct sg_session *s = w->l->session;
	uint64_t value = 0;
	const char *limit = NULL;

	/* What ended by itself in time ended in time, even if we are late to look. */
	if (!w->ended_ns && !w->l->judge.stopping)
		limit = sg_limiter_check(&w->l->limiter, sg_clock_ns(CLOCK_MONOTONIC), &value);
	hold_forks(w, w->l->limiter.look.pids);
	if (!limit && w->l->output.exceeded && !s->limit) {
		limit = "output";
		value = w->l->plan->limits.output;
	}
	if (limit && !s->limit) {
		s->limit = limit;
		sg_session_limit(s, limit, value);
		sg_watch_stop(w);
	}
	if (!w->ended_ns)
		w->deadline_ns = w->l->judge.stopping ? 0 : sg_limiter_next(&w->l->limiter);
	else if (w->deadline_ns && sg_clock_ns(CLOCK_MONOTONIC) >= w->deadline_ns)
		reap(w);
}

void sg_watch_start(struct sg_watch *w, struct sg_launch *l)
{
	*w = (struct sg_watch){.l = l};
	w->deadline_ns = sg_limiter_next(&l->limiter);
}

void sg_watch_fds(const struct sg_watch *w, struct pollfd p[SG_WATCH_N])
{
	const struct sg_launch *l = w->l;

	p[SG_WATCH_PID] = (struct pollfd){.fd = w->ended_ns ? -1 : l->pidfd, .events = POLLIN};
	p[SG_WATCH_SIGNALS] = (struct pollfd){.fd = l->signals.fd, .events = POLLIN};
	p[SG_WATCH_REPORT] = (struct pollfd){.fd = l->report, .events = POLLIN};
	p[SG_WATCH_LISTENER] = (struct pollfd){.fd = l->judge.kill ? -1 : l->listener, .events = POLLIN};
	p[SG_WATCH_BPF] = (struct pollfd){.fd = l->bpf && !l->shared ? sg_bpf_event_fd(l->bpf) : -1, .events = POLLIN};
	p[SG_WATCH_STREAM] = (struct pollfd){.fd = sg_stream_wait_fd(&l->session->stream), .events = POLLOUT};
	p[SG_WATCH_FORKS] = (struct pollfd){.fd = l->judge.forks.timer, .events = POLLIN};
	p[SG_WATCH_CANCEL] = (struct pollfd){
		.fd = l->plan->options->cancel && !w->cancelled && !w->gave_up ? l->plan->options->cancel_fd : -1,
		.events = POLLIN | POLLRDHUP};
	sg_output_poll(&l->output, &p[SG_WATCH_OUTPUT]);
}

void sg_watch_step(struct sg_watch *w, const struct pollfd p[SG_WATCH_N])
{
	struct sg_launch *l = w->l;

	if (p[SG_WATCH_LISTENER].revents)
		answer_notifications(w);
	if (p[SG_WATCH_FORKS].revents && l->listener >= 0)
		sg_judge_held(&l->judge, l->listener);
	if (p[SG_WATCH_BPF].revents)
		consume_events(w);
	if (l->judge.kill && !l->judge.stopping)
		sg_watch_stop(w);
	if (p[SG_WATCH_SIGNALS].revents)
		pass_signals(w);
	if (p[SG_WATCH_REPORT].revents)
		read_report(w);
	if (p[SG_WATCH_STREAM].revents)
		sg_stream_pump(&l->session->stream);
	for (int i = 0; i < SG_OUTPUT_LANES; i++)
		if (p[SG_WATCH_OUTPUT + i].revents) {
			sg_output_pump(&l->output);
			break;
		}
	if (p[SG_WATCH_PID].revents)
		reap(w);
	if (p[SG_WATCH_CANCEL].revents) {
		if (w->ended_ns)
			w->gave_up = true;
		else
			sg_watch_cancel(w);
	}
}

/* One turn; deadline_ns: CLOCK_MONOTONIC, 0: none. */
static void turn(struct sg_watch *w, uint64_t deadline_ns)
{
	uint64_t now = deadline_ns ? sg_clock_ns(CLOCK_MONOTONIC) : 0, left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = {.tv_sec = (time_t)(left / 1000000000ULL), .tv_nsec = (long)(left % 1000000000ULL)};
	struct pollfd p[SG_WATCH_N];
	int n;

	sg_watch_fds(w, p);
	n = ppoll(p, SG_WATCH_N, deadline_ns ? &ts : NULL, NULL);
	if (n < 0 && errno != EINTR) {
		sg_session_degrade(w->l->session, "poll failed: %s", strerror(errno));
		sg_watch_stop(w);
	}
	if (n > 0)
		sg_watch_step(w, p);
	sg_watch_deadline(w);
}

/*
 * What the program wrote and its reader has not taken yet. The program could have waited for its reader as long as its
 * time lasts, so that is how long we do; not after it was stopped.
 */
static void drain(struct sg_watch *w)
{
	struct sg_limiter *x = &w->l->limiter;
	bool stopped = w->l->session->limit || w->l->session->killing || w->cancelled;
	uint64_t soon = sg_clock_ns(CLOCK_MONOTONIC) + FLUSH_MS * 1000000ULL;
	uint64_t until = stopped || (x->wall_at && x->wall_at < soon) ? soon : x->wall_at;

	sg_output_pump(&w->l->output);
	sg_watch_deadline(w);
	while (!sg_output_done(&w->l->output)) {
		if ((until && sg_clock_ns(CLOCK_MONOTONIC) >= until) || w->gave_up) {
			if (!w->l->output.exceeded)
				sg_session_degrade(w->l->session,
						   "output was not delivered: its reader does not take it");
			break;
		}
		if (w->l->output.exceeded && (!until || until > soon))
			until = soon;
		turn(w, until);
	}
}

/* ---- the end ---- */

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000ULL + (uint64_t)t->tv_usec * 1000ULL;
}

static void account(struct sg_watch *w, struct sg_result *r)
{
	struct sg_launch *l = w->l;
	struct sg_used used = {
		.user = timeval_ns(&w->usage.ru_utime),
		.system = timeval_ns(&w->usage.ru_stime),
		.peak_memory = (uint64_t)w->usage.ru_maxrss * 1024,
		.peak_pids = !l->judge.peak_tasks && l->judge.max_tasks ? 1 : l->judge.peak_tasks,
	};
	struct rusage all, own;

	/*
	 * Until it executed it had our memory, which the kernel counts as its own: a daemon's, or the kernel's types
	 * and a ring for records.
	 */
	if ((l->shared || l->bpf) && getrusage(RUSAGE_SELF, &own) == 0 && w->usage.ru_maxrss <= own.ru_maxrss)
		used.peak_memory = 0;
	/* By descent: whoever was not waited for inside came back to us. */
	if (l->cg.dirfd < 0 && getrusage(RUSAGE_CHILDREN, &all) == 0) {
		used.user = timeval_ns(&all.ru_utime) - timeval_ns(&l->members.before.ru_utime);
		used.system = timeval_ns(&all.ru_stime) - timeval_ns(&l->members.before.ru_stime);
	}
	used.cpu = used.user + used.system;
	sg_limiter_used(&l->limiter, &used);
	r->wall_ns = w->ended_ns - l->started_ns;
	r->cpu_ns = used.cpu;
	r->user_ns = used.user;
	r->system_ns = used.system;
	r->peak_memory = used.peak_memory;
	r->peak_pids = used.peak_pids;
	r->output_bytes = l->output.limit ? (int64_t)l->output.total : -1;
}

/* A limit ends a sandbox that cannot be looked at, or is not kept for as long. */
static void say_unseen(const struct sg_watch *w)
{
	int e = w->l->limiter.unseen;

	if (e)
		sg_session_degrade(w->l->session, "limits: what the sandbox uses could not be looked at: %s%s",
				   strerror(e), e == EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
}

static json_t *stats_json(const struct sg_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "total", (json_int_t)s->total, "allowed", (json_int_t)s->allowed,
			 "denied", (json_int_t)s->denied, "violations", (json_int_t)s->violations);
}

/* What the kernel side knows at the end: the last records, what it had to drop, whether it was ever skipped. */
static void settle_bpf(struct sg_watch *w, struct sg_result *r)
{
	struct sg_launch *l = w->l;
	uint64_t misses = 0, malformed = 0;
	struct sg_sandbox state;
	struct sg_stats stats;
	struct sg_err err = {0};

	if (!l->bpf)
		return;
	consume_events(w);
	if (sg_bpf_sandbox_state(l->bpf, l->sandbox, &state, &err) == 0)
		sg_judge_first_kill(&l->judge, &state);
	if (sg_bpf_stats(l->bpf, l->sandbox, &stats, &err) == 0) {
		l->session->lost_kernel = stats.events_dropped;
		if (stats.events_dropped)
			sg_session_lost(l->session, "ring buffer", stats.events_dropped);
		if (stats.signal_failed)
			sg_session_degrade(l->session, "bpf_send_signal failed %llu times",
					   (unsigned long long)stats.signal_failed);
		if (stats.helper_failed)
			sg_session_degrade(l->session, "%llu calls could not be read by the BPF program",
					   (unsigned long long)stats.helper_failed);
		if (stats.procs_full)
			sg_session_degrade(l->session, "the process map had no room %llu times",
					   (unsigned long long)stats.procs_full);
		if (l->plan->options->stats)
			r->stats = stats_json(&stats);
	}
	if (!(l->shared && !l->sys_enter) && sg_bpf_misses(l->bpf, &misses, &malformed, &err) == 0) {
		if (misses && l->sys_enter)
			sg_session_degrade(l->session, "the kernel skipped BPF programs %llu times",
					   (unsigned long long)misses);
		if (malformed)
			sg_session_degrade(l->session, "%llu malformed records", (unsigned long long)malformed);
	}
	if (err.code)
		sg_session_degrade(l->session, "%s", err.message);
}

/* What an exceeded limit is called in `verdict`, and the exit status for it. */
static const struct {
	const char *limit, *verdict;
	int status;
} over[] = {
	{"wall_time", "time_limit", SG_EXIT_TIME_LIMIT},     {"cpu_time", "time_limit", SG_EXIT_TIME_LIMIT},
	{"memory", "memory_limit", SG_EXIT_MEMORY_LIMIT},    {"output", "output_limit", SG_EXIT_OUTPUT_LIMIT},
	{"file_size", "output_limit", SG_EXIT_OUTPUT_LIMIT},
};

/* A limit that the kernel keeps and that ended the first process. */
static const char *kernel_limit(const struct sg_watch *w, int sig, uint64_t cpu_ns, uint64_t *value)
{
	const struct sg_limits *have = &w->l->plan->limits;

	/* The whole group is killed, so a first process that ended otherwise ended before. */
	if (sig == SIGKILL && sg_limiter_out_of_memory(&w->l->limiter)) {
		*value = have->memory;
		return "memory";
	}
	*value = have->cpu_time;
	/* Anybody can send these two; who has used up its time is known better. The kernel counts in ticks. */
	if (have->cpu_time && (sig == SIGXCPU || sig == SIGKILL) && cpu_ns + TICK_NS >= have->cpu_time * 1000000ULL)
		return "cpu_time";
	*value = have->file_size;
	return sig == SIGXFSZ && have->file_size ? "file_size" : NULL;
}

/* Names the end. The order matters: what made the supervisor kill comes before how the process looked afterwards. */
static int conclude(struct sg_watch *w, struct sg_result *r)
{
	struct sg_session *s = w->l->session;
	int sig = WIFSIGNALED(w->status) ? WTERMSIG(w->status) : 0;
	uint64_t value;

	r->exit_code = sig || *w->unknown ? -1 : WEXITSTATUS(w->status);
	r->signal = sig;
	if (w->l->exec_errno) {
		r->verdict = "error";
		r->error = sg_plan_exec_error(w->l->plan, w->l->exec_errno);
		r->signal = 0;
		r->exit_code = w->l->exec_errno == ENOENT ? SG_EXIT_NOT_FOUND : SG_EXIT_NOT_EXECUTABLE;
		return r->exit_code;
	}
	if (s->killing) {
		r->verdict = "violation";
		return SG_EXIT_VIOLATION;
	}
	if (!s->limit) {
		s->limit = kernel_limit(w, sig, r->cpu_ns, &value);
		if (s->limit)
			sg_session_limit(s, s->limit, value);
	}
	for (size_t i = 0; s->limit && i < SG_ARRAY_SIZE(over); i++) {
		if (strcmp(over[i].limit, s->limit) != 0)
			continue;
		r->verdict = over[i].verdict;
		return over[i].status;
	}
	if (*w->unknown) {
		r->verdict = "error";
		r->error = w->unknown;
		return SG_EXIT_FAILED;
	}
	r->verdict = sig ? "signal" : "ok";
	return sig ? 128 + sig : r->exit_code;
}

int sg_watch_finish(struct sg_watch *w)
{
	struct sg_launch *l = w->l;
	struct sg_result r = {0};
	uint64_t n;
	int status;

	if (l->report >= 0)
		read_report(w);
	if (l->listener >= 0)
		answer_notifications(w);
	settle_bpf(w, &r);
	account(w, &r);
	n = sg_limiter_refused_forks(&l->limiter);
	if (n)
		sg_session_limits(l->session, "pids", l->plan->limits.pids, n);
	say_unseen(w);
	status = conclude(w, &r);
	/* What comes last must get through, and tells what did not. */
	if (!l->shared && !sg_stream_flush(&l->session->stream, FLUSH_MS)) {
		w->behind = true;
		sg_stream_make_room(&l->session->stream);
	}
	sg_session_exit(l->session, &r);
	json_decref(r.stats);
	return status;
}

int sg_monitor(struct sg_launch *l)
{
	struct sg_watch w;
	int status;

	sg_watch_start(&w, l);
	while (!w.ended)
		turn(&w, w.deadline_ns);
	/* The sandbox ends with its first process: what it left running is not for somebody else to wait for. */
	l->judge.stopping = true;
	/* Without a guard it could only be one process, and that was waited for. */
	l->empty = !l->guard.state || !sg_members_any(&l->members);
	if (!l->empty) {
		(void)sg_members_kill(&l->members);
		l->empty = sg_members_wait_empty(&l->members, 5000) == 0;
		if (!l->empty)
			sg_session_degrade(l->session, "processes of the sandbox could not be ended within 5 s");
	}
	if (l->guard.state && l->empty)
		sg_members_reap_last(&l->members);
	/* An empty cgroup is all that can be left from here on, and the next start removes that. */
	if (l->leaving && l->empty)
		sg_guard_leave(&l->guard);
	drain(&w);
	if (l->output.failed)
		sg_session_degrade(l->session, "output was not delivered: %s", strerror(l->output.failed));
	status = sg_watch_finish(&w);
	(void)sg_stream_flush(&l->session->stream, w.behind ? LAST_MS : FLUSH_MS);
	report_unwritten(&l->session->stream, false);
	return status;
}
