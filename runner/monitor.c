/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/monitor.h"

#include "runner/child.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* How long a reader that is slow or stuck may delay sgrun's own end. */
#define FLUSH_MS 2000

void sg_watch_stop(struct sg_watch *w)
{
	w->l->judge.stopping = true;
	(void)sg_members_kill(&w->l->members);
}

void sg_watch_cancel(struct sg_watch *w)
{
	w->cancelled = true;
	w->l->session->cancelled = true;
	sg_watch_stop(w);
}

void sg_watch_signal(struct sg_watch *w, int sig)
{
	/* A program may ignore the first request to end; not the second. */
	if ((sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT) && ++w->terms > 1)
		sg_watch_cancel(w);
	else if (!w->ended)
		(void)syscall(SYS_pidfd_send_signal, w->l->pidfd, sig, NULL, 0);
}

static void pass_signals(struct sg_watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->l->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		sg_watch_signal(w, (int)si.ssi_signo);
}

static void read_report(struct sg_watch *w)
{
	struct sg_report report;
	ssize_t n = recv(w->l->report, &report, sizeof(report), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(report)) {
		w->l->exec_errno = report.err ? report.err : EIO;
	}
	close(w->l->report);
	w->l->report = -1;
}

static void answer_notifications(struct sg_watch *w)
{
	struct sg_launch *l = w->l;
	int rc = sg_judge_notifications(&l->judge, l->listener);

	if (rc == 0)
		return;
	if (rc != -ENOTCONN) {
		sg_session_degrade(l->session, "the seccomp listener failed: %s", strerror(-rc));
		sg_watch_stop(w);
	}
	close(l->listener);
	l->listener = -1;
}

static void consume_events(struct sg_watch *w)
{
	struct sg_err err = {0};

	if (w->l->bpf && sg_bpf_consume(w->l->bpf, sg_judge_event, &w->l->judge, &err) < 0)
		sg_session_degrade(w->l->session, "%s", err.message);
}

static int until_deadline(const struct sg_watch *w)
{
	uint64_t now;

	if (!w->deadline_ns)
		return -1;
	now = sg_clock_ns(CLOCK_MONOTONIC);
	return now >= w->deadline_ns ? 0 : (int)((w->deadline_ns - now) / 1000000ULL) + 1;
}

void sg_watch_deadline(struct sg_watch *w)
{
	if (!w->deadline_ns || sg_clock_ns(CLOCK_MONOTONIC) < w->deadline_ns)
		return;
	w->deadline_ns = 0;
	w->l->session->limit = "wall_time";
	sg_session_limit(w->l->session, "wall_time", w->l->plan->limits.wall_time);
	sg_watch_stop(w);
}

static void reap(struct sg_watch *w)
{
	if (wait4(w->l->pid, &w->status, WNOHANG, &w->usage) == w->l->pid)
		w->ended = true;
}

void sg_watch_start(struct sg_watch *w, struct sg_launch *l)
{
	*w = (struct sg_watch){.l = l};
	if (l->plan->limits.wall_time)
		w->deadline_ns = l->started_ns + l->plan->limits.wall_time * 1000000ULL;
}

void sg_watch_fds(const struct sg_watch *w, struct pollfd p[SG_WATCH_N])
{
	const struct sg_launch *l = w->l;

	p[SG_WATCH_PID] = (struct pollfd){.fd = l->pidfd, .events = POLLIN};
	p[SG_WATCH_SIGNALS] = (struct pollfd){.fd = l->signals, .events = POLLIN};
	p[SG_WATCH_REPORT] = (struct pollfd){.fd = l->report, .events = POLLIN};
	p[SG_WATCH_LISTENER] = (struct pollfd){.fd = l->judge.kill ? -1 : l->listener, .events = POLLIN};
	p[SG_WATCH_BPF] = (struct pollfd){.fd = l->bpf ? sg_bpf_event_fd(l->bpf) : -1, .events = POLLIN};
	p[SG_WATCH_STREAM] = (struct pollfd){.fd = sg_stream_wait_fd(&l->session->stream), .events = POLLOUT};
	p[SG_WATCH_FORKS] = (struct pollfd){.fd = l->judge.forks.timer, .events = POLLIN};
	p[SG_WATCH_CANCEL] =
		(struct pollfd){.fd = l->plan->options->cancel && !w->cancelled ? l->plan->options->cancel_fd : -1,
				.events = POLLIN | POLLRDHUP};
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
	if (p[SG_WATCH_PID].revents)
		reap(w);
	if (p[SG_WATCH_CANCEL].revents && !w->ended)
		sg_watch_cancel(w);
}

static void loop(struct sg_watch *w)
{
	while (!w->ended) {
		struct pollfd p[SG_WATCH_N];
		int n;

		sg_watch_fds(w, p);
		n = poll(p, SG_WATCH_N, until_deadline(w));
		if (n < 0 && errno != EINTR) {
			sg_session_degrade(w->l->session, "poll failed: %s", strerror(errno));
			sg_watch_stop(w);
		}
		if (n > 0)
			sg_watch_step(w, p);
		sg_watch_deadline(w);
	}
}

/* ---- the end ---- */

static uint64_t key_value(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

static void account(struct sg_watch *w, struct sg_result *r)
{
	struct sg_launch *l = w->l;
	char buf[1024];

	r->wall_ns = sg_clock_ns(CLOCK_MONOTONIC) - l->started_ns;
	r->cpu_ns = ((uint64_t)w->usage.ru_utime.tv_sec + (uint64_t)w->usage.ru_stime.tv_sec) * 1000000000ULL +
		    ((uint64_t)w->usage.ru_utime.tv_usec + (uint64_t)w->usage.ru_stime.tv_usec) * 1000ULL;
	r->peak_memory = (uint64_t)w->usage.ru_maxrss * 1024;
	r->peak_pids = l->judge.peak_tasks;
	if (l->cg.dirfd < 0)
		return;
	if (sg_read_file(l->cg.dirfd, "cpu.stat", buf, sizeof(buf)) > 0 && key_value(buf, "usage_usec "))
		r->cpu_ns = key_value(buf, "usage_usec ") * 1000;
	if (sg_read_file(l->cg.dirfd, "memory.peak", buf, sizeof(buf)) > 0)
		r->peak_memory = strtoull(buf, NULL, 10);
	if (sg_read_file(l->cg.dirfd, "pids.peak", buf, sizeof(buf)) > 0)
		r->peak_pids = strtoull(buf, NULL, 10);
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
	if (sg_bpf_misses(l->bpf, &misses, &malformed, &err) == 0) {
		if (misses && l->sys_enter)
			sg_session_degrade(l->session, "the kernel skipped BPF programs %llu times",
					   (unsigned long long)misses);
		if (malformed)
			sg_session_degrade(l->session, "%llu malformed records", (unsigned long long)malformed);
	}
	if (err.code)
		sg_session_degrade(l->session, "%s", err.message);
}

static bool out_of_memory(const struct sg_launch *l)
{
	char buf[512];

	return l->cg.dirfd >= 0 && sg_read_file(l->cg.dirfd, "memory.events.local", buf, sizeof(buf)) > 0 &&
	       key_value(buf, "oom_kill ") > 0;
}

/* Names the end. The order matters: what made the supervisor kill comes before how the process looked afterwards. */
static int conclude(struct sg_watch *w, struct sg_result *r)
{
	struct sg_session *s = w->l->session;
	int sig = WIFSIGNALED(w->status) ? WTERMSIG(w->status) : 0;

	r->exit_code = sig ? -1 : WEXITSTATUS(w->status);
	r->signal = sig;
	if (w->l->exec_errno) {
		r->verdict = "error";
		r->error = strerror(w->l->exec_errno);
		r->signal = 0;
		r->exit_code = w->l->exec_errno == ENOENT ? SG_EXIT_NOT_FOUND : SG_EXIT_NOT_EXECUTABLE;
		return r->exit_code;
	}
	if (s->killing) {
		r->verdict = "violation";
		return SG_EXIT_VIOLATION;
	}
	if (s->limit) {
		r->verdict = "time_limit";
		return SG_EXIT_TIME_LIMIT;
	}
	if (out_of_memory(w->l)) {
		s->limit = "memory";
		sg_session_limit(s, "memory", w->l->plan->limits.memory);
		r->verdict = "memory_limit";
		return SG_EXIT_MEMORY_LIMIT;
	}
	if (sig && w->l->plan->limits.cpu_time &&
	    (sig == SIGXCPU || (sig == SIGKILL && r->cpu_ns >= w->l->plan->limits.cpu_time * 1000000ULL))) {
		s->limit = "cpu_time";
		sg_session_limit(s, "cpu_time", w->l->plan->limits.cpu_time);
		r->verdict = "time_limit";
		return SG_EXIT_TIME_LIMIT;
	}
	if (sig == SIGXFSZ && w->l->plan->limits.file_size) {
		s->limit = "file_size";
		sg_session_limit(s, "file_size", w->l->plan->limits.file_size);
		r->verdict = "output_limit";
		return 128 + sig;
	}
	r->verdict = sig ? "signal" : "ok";
	return sig ? 128 + sig : r->exit_code;
}

int sg_watch_finish(struct sg_watch *w)
{
	struct sg_launch *l = w->l;
	struct sg_result r = {0};
	int status;

	if (l->report >= 0)
		read_report(w);
	if (l->listener >= 0)
		answer_notifications(w);
	settle_bpf(w, &r);
	account(w, &r);
	status = conclude(w, &r);
	sg_session_exit(l->session, &r);
	json_decref(r.stats);
	return status;
}

int sg_monitor(struct sg_launch *l)
{
	struct sg_watch w;
	int status;

	sg_watch_start(&w, l);
	loop(&w);
	/* The sandbox ends with its first process: what it left running is not for somebody else to wait for. */
	l->judge.stopping = true;
	l->empty = !sg_members_any(&l->members);
	if (!l->empty) {
		(void)sg_members_kill(&l->members);
		l->empty = sg_members_wait_empty(&l->members, 5000) == 0;
		if (!l->empty)
			sg_session_degrade(l->session, "processes of the sandbox could not be ended within 5 s");
	}
	status = sg_watch_finish(&w);
	(void)sg_stream_flush(&l->session->stream, FLUSH_MS);
	return status;
}
