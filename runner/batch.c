/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/batch.h"

#include "runner/job.h"
#include "runner/monitor.h"
#include "runner/recipe.h"
#include "runner/remote.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG_MAX (256U << 10) /* bytes that wait for the stream's reader; for those that run there is more room */

struct slot {
	int fd; /* to the daemon */
	unsigned line;
	char label[SG_LABEL_MAX + 1];
	struct sg_recipe *recipe;
	bool received; /* the daemon has the request */
};

struct batch {
	const struct sg_options *o;
	struct sg_session *s;
	struct sg_lines lines;
	struct sg_signals signals;
	struct sg_recipes recipes;
	struct slot slots[SG_BATCH_JOBS_MAX]; /* the first `running` of them */
	unsigned jobs, running;
	uint64_t started;
	struct sg_job next; /* read, and waits for one to end; object NULL: none */
	char id[64];        /* ours; a job that never ran gets its line besides */
	char *buf;          /* of SG_PROTO_PACKET_MAX */
	int stopped;        /* by this signal; 0: by none */
	int cancel;         /* --cancel-fd; -1: none, or it is over */
	bool stop;          /* start no more */
	bool look_again;    /* for requests to be received, which nobody tells */
	bool failed;        /* some did not end with 0, or did not run */
	bool broken;        /* the daemon cannot be reached */
};

/*
 * For people, who may not be reading: what finds no room is left out (the stream has it), as all other jobs would wait.
 */
static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[PIPE_BUF]; /* that is written without waiting where there is room at all */
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = strlen(text);
	text[n++] = '\n';
	if (poll(&p, 1, 0) > 0 && p.revents & POLLOUT && write(STDERR_FILENO, text, n) < 0)
		return;
}

static void say_of(const struct batch *b, unsigned line, const char *label, const char *text)
{
	say("sgrun: %s:%u: job %s: %s", strcmp(b->o->batch, "-") ? b->o->batch : "standard input", line, label, text);
}

/* A job that did not run, or whose end is not known. */
static void report(struct batch *b, unsigned line, const char *label, int status, const struct sg_err *err)
{
	struct sg_session *s = b->s;
	char text[1200];
	struct sg_result r = {.verdict = "error", .exit_code = status, .error = text, .output_bytes = -1};

	b->failed = true;
	sg_err_format(err, text, sizeof(text));
	say_of(b, line, label, text);
	if (s->stream.terminal)
		return; /* that was the sentence for people */
	snprintf(s->id, sizeof(s->id), "%.40s.%u", b->id, line);
	memcpy(s->label, label, strlen(label) + 1);
	s->language = b->o->language;
	sg_session_exit(s, &r);
	/* What else is said is the batch's own. */
	memcpy(s->id, b->id, sizeof(s->id));
	s->label[0] = '\0';
	s->language = NULL;
}

/* ---- jobs ---- */

/* The connection of a sandbox that is new. */
static int dial(const struct batch *b, int *fd, struct sg_err *err)
{
	const char *daemon = b->o->daemon;

	if (sg_client_connect(daemon && strcmp(daemon, "auto") ? daemon : NULL, fd, err) < 0)
		return sg_err_context(err, "--batch needs sgd");
	return 0;
}

static bool short_of_fds(int rc)
{
	return rc == -EMFILE || rc == -ENFILE;
}

/* Also where too many that were sent are not received yet. */
static bool may_be_later(int rc)
{
	return short_of_fds(rc) || rc == -ETOOMANYREFS;
}

static int send_job(struct batch *b, struct slot *s, const struct sg_job *job, struct sg_err *err)
{
	unsigned owned = 0;
	int std[3], rc = sg_job_open(job, std, &owned, err);

	if (rc)
		return rc;
	rc = dial(b, &s->fd, err);
	if (rc)
		b->stop = b->broken = !short_of_fds(rc);
	else
		rc = sg_request_send(&s->recipe->request, s->fd, std, job->label, err);
	for (int i = 0; i < 3; i++)
		if (owned & 1U << i)
			close(std[i]);
	return rc;
}

/*
 * Descriptors of a user other than root are on their way in a number that each sender's RLIMIT_NOFILE bounds: ours, and
 * that of the programs, whose children have one to send besides.
 */
static unsigned most_on_their_way(const struct sg_recipe *r)
{
	uint64_t files = r->plan.limits.open_files;
	struct rlimit own;

	if (geteuid() == 0)
		return SG_BATCH_JOBS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &own) == 0 && (!files || own.rlim_cur < files))
		files = own.rlim_cur;
	return files < 32 ? 1 : files / 16 < SG_BATCH_JOBS_MAX ? (unsigned)files / 16 : SG_BATCH_JOBS_MAX;
}

static unsigned on_their_way(struct batch *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->running; i++) {
		struct slot *s = &b->slots[i];
		int left = 0;

		if (!s->received)
			s->received = ioctl(s->fd, SIOCOUTQ, &left) < 0 || !left;
		n += !s->received;
	}
	return n;
}

/* Starts b->next. False: it waits until another has ended, or the daemon has received what it was sent. */
static bool start(struct batch *b)
{
	struct slot *s = &b->slots[b->running];
	struct sg_job *job = &b->next;
	struct sg_err err = {0};
	int status = SG_EXIT_FAILED, rc;

	*s = (struct slot){.fd = -1, .line = job->line};
	memcpy(s->label, job->label, sizeof(s->label));
	do {
		sg_err_reset(&err);
		s->recipe = sg_recipe_for(&b->recipes, job, &status, &err);
		b->look_again = s->recipe && on_their_way(b) >= most_on_their_way(s->recipe);
		if (b->look_again)
			return false;
		rc = s->recipe ? send_job(b, s, job, &err) : -err.code;
		if (rc && s->fd >= 0)
			close(SG_TAKE_FD(s->fd));
	} while (short_of_fds(rc) && sg_recipes_drop_idle(&b->recipes, s->recipe));
	if (b->running && may_be_later(rc))
		return false;
	if (rc) {
		report(b, job->line, job->label, status, &err);
		sg_recipes_keep_few(&b->recipes);
	} else {
		s->recipe->users++;
		s->recipe->rounds++;
		s->recipe->used = ++b->started;
		b->running++;
	}
	sg_job_free(job);
	return true;
}

/* With nobody to read it the end of a job that runs finds room; those of all that are to come do not. */
static bool may_start(const struct batch *b)
{
	return !b->stop && b->running < b->jobs && b->s->stream.len < BACKLOG_MAX;
}

/* Starts as many as may run and are there. */
static void start_all(struct batch *b)
{
	struct sg_err err = {0};
	const char *line;
	size_t len;
	int rc = 1;

	b->look_again = false;
	while (may_start(b)) {
		if (!b->next.object) {
			rc = sg_lines_next(&b->lines, &line, &len);
			if (!rc)
				return;
			sg_err_reset(&err);
			if (rc < 0)
				(void)sg_err_set(&err, E2BIG, "a line may have %u bytes", SG_JOB_LINE_MAX);
			else if (!len || strspn(line, " \t\r") >= len)
				continue;
			else
				rc = sg_job_parse(&b->next, line, len, b->lines.number, &err);
		}
		if (rc < 0) {
			char number[16];

			snprintf(number, sizeof(number), "%u", b->lines.number);
			report(b, b->lines.number, b->next.label[0] ? b->next.label : number, SG_EXIT_FAILED, &err);
			sg_job_free(&b->next);
		} else if (!start(b)) {
			return;
		}
		rc = 1;
	}
}

static void finish(struct batch *b, unsigned i)
{
	close(b->slots[i].fd);
	b->slots[i].recipe->users--;
	b->slots[i] = b->slots[--b->running];
	sg_recipes_keep_few(&b->recipes);
}

/* What the daemon says of a job. */
static void hear(struct batch *b, unsigned i)
{
	const struct slot *s = &b->slots[i];
	struct sg_err err = {0};
	struct sg_answer a;
	int rc;

	while ((rc = sg_remote_answer(s->fd, b->buf, MSG_DONTWAIT, &a, &err)) == 0) {
		if (a.type == SG_WIRE_RECORD)
			sg_remote_record(&b->s->stream, &a);
		if (a.type == SG_WIRE_RESULT && a.len) {
			char text[1200];

			snprintf(text, sizeof(text), "cannot run %s: %.*s", s->recipe->plan.path, a.len, a.text);
			say_of(b, s->line, s->label, text);
		}
		if (a.type == SG_WIRE_FAILED)
			rc = sg_err_set(&err, ECANCELED, "%s%.*s", a.number ? "" : "sgd cannot run this: ", a.len,
					a.text);
		if (rc)
			break;
		if (a.type == SG_WIRE_RESULT) {
			b->failed |= a.number != 0;
			finish(b, i);
			return;
		}
	}
	if (rc < 0) {
		report(b, s->line, s->label, SG_EXIT_FAILED, &err);
		finish(b, i);
	}
}

static void tell_all(const struct batch *b, uint16_t type, uint32_t number)
{
	for (unsigned i = 0; i < b->running; i++)
		sg_remote_say(b->slots[i].fd, type, number);
}

static void pass_signals(struct batch *b)
{
	struct signalfd_siginfo si;

	while (read(b->signals.fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		tell_all(b, SG_WIRE_SIGNAL, si.ssi_signo);
		if (!sg_signal_ends(sig))
			continue;
		b->stop = true;
		if (!b->stopped)
			b->stopped = sig;
	}
}

/* Waits for whatever comes next, and takes it. */
static int take_next(struct batch *b, struct sg_err *err)
{
	bool more = may_start(b) && !b->lines.ended && !b->next.object;
	struct pollfd p[4 + SG_BATCH_JOBS_MAX] = {
		{.fd = b->signals.fd, .events = POLLIN},
		{.fd = sg_stream_wait_fd(&b->s->stream), .events = POLLOUT},
		{.fd = b->cancel, .events = POLLIN | POLLRDHUP},
		{.fd = more ? b->lines.fd : -1, .events = POLLIN},
	};
	unsigned n = b->running;

	for (unsigned i = 0; i < n; i++)
		p[4 + i] = (struct pollfd){.fd = b->slots[i].fd, .events = POLLIN};
	if (poll(p, 4 + n, b->look_again ? 1 : -1) < 0 && errno != EINTR)
		return sg_err_set(err, errno, "poll: %s", strerror(errno));
	if (p[1].revents)
		sg_stream_pump(&b->s->stream);
	sg_stream_hold(&b->s->stream, true);
	/* From the last: in the place of one that is over comes one that was looked at. */
	for (unsigned i = n; i-- > 0;)
		if (p[4 + i].revents)
			hear(b, i);
	sg_stream_hold(&b->s->stream, false);
	if (p[0].revents)
		pass_signals(b);
	if (p[2].revents) {
		tell_all(b, SG_WIRE_CANCEL, 0);
		b->cancel = -1;
		b->stop = b->failed = true;
	}
	/* That no more can be read is no reason to end those that run. */
	if (p[3].revents && sg_lines_read(&b->lines, err) < 0)
		b->stop = true;
	return 0;
}

static int loop(struct batch *b, struct sg_err *err)
{
	int rc = 0;

	start_all(b);
	while (!rc && (b->running || !(b->stop || (b->lines.ended && !b->next.object)))) {
		rc = take_next(b, err);
		if (!rc)
			start_all(b);
	}
	/* The last line that was read may be one that was not begun. */
	if (!rc && b->stop && (b->next.object || !b->lines.ended || b->lines.len))
		say("sgrun: stopped: what comes after line %u of the jobs was not run",
		    b->next.object ? b->next.line - 1 : b->lines.number);
	return rc ? rc : -err->code;
}

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > SG_BATCH_JOBS_MAX ? SG_BATCH_JOBS_MAX : (unsigned)n;
}

static int prepare(struct batch *b, struct sg_err *err)
{
	SG_CLOSE int fd = -1;
	char why[200];
	int rc;

	b->buf = malloc(SG_PROTO_PACKET_MAX);
	if (!b->buf)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = dial(b, &fd, err);
	if (!rc)
		rc = sg_remote_tier(b->o, fd, b->buf, &b->recipes.tier, why, err);
	if (rc == 1)
		rc = sg_err_set(err, ENOTSUP, "sgd cannot run this: %s", why);
	if (!rc)
		rc = sg_lines_open(&b->lines, b->o->batch, err);
	return rc ? rc : sg_signals_take(&b->signals, err);
}

int sg_batch_run(const struct sg_options *o, struct sg_session *s, struct sg_err *err)
{
	struct batch *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return sg_err_set(err, ENOMEM, "out of memory");
	b->o = o;
	b->s = s;
	b->recipes = (struct sg_recipes){.options = o, .stream = &s->stream, .signals = &b->signals};
	b->lines.fd = b->signals.fd = -1;
	b->cancel = o->cancel ? o->cancel_fd : -1;
	b->jobs = o->jobs ? o->jobs : processors();
	memcpy(b->id, s->id, sizeof(b->id));
	rc = prepare(b, err);
	if (!rc)
		rc = loop(b, err);
	if (!rc)
		rc = b->stopped ? 128 + b->stopped : b->broken ? SG_EXIT_FAILED : b->failed ? SG_EXIT_BATCH : 0;
	while (b->running)
		finish(b, b->running - 1);
	sg_finish_stream(&s->stream);
	sg_recipes_free(&b->recipes);
	sg_job_free(&b->next);
	sg_lines_close(&b->lines);
	free(b->buf);
	free(b);
	return rc;
}
