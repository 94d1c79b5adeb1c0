/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/batch.h"

#include "runner/job.h"
#include "runner/monitor.h"
#include "runner/remote.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
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
#include <sys/stat.h>
#include <unistd.h>

#define RECIPES SG_BATCH_JOBS_MAX /* that are kept for jobs like them, or in use: there is one for each that runs */
#define KEPT_MAX (16U << 20)      /* bytes, about, of recipes that no job uses */
#define FLUSH_MS 2000
#define BACKLOG_MAX (256U << 10) /* bytes that wait for the stream's reader; for those that run there is more room */

/* What jobs with the same words, directory and kinds of files have in common. */
struct recipe {
	json_t *object; /* that of the first of them; owned */
	char **argv;    /* NULL: the command line's. Owned */
	const char *chdir;
	unsigned not_std;
	struct sg_options options;
	struct sg_plan plan;
	struct sg_launch launch;
	struct sg_request request;
	bool launched;  /* there is something in launch and request */
	uint64_t found; /* what its names led to, see look() */
	size_t size;    /* bytes, about */
	unsigned users; /* jobs that run: what its rules name stays open for them */
	uint64_t used;  /* when last, in jobs */
};

struct slot {
	int fd; /* to the daemon */
	unsigned line;
	char label[SG_LABEL_MAX + 1];
	struct recipe *recipe;
	bool received; /* the daemon has the request */
};

struct batch {
	const struct sg_options *o;
	struct sg_session *s;
	struct sg_lines lines;
	struct sg_signals signals;
	enum sg_tier tier;
	struct recipe *recipes[RECIPES];
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

/* ---- recipes ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_words(char *const *a, char *const *b)
{
	if (!a || !b)
		return a == b;
	while (*a && *b && !strcmp(*a, *b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static void drop(struct batch *b, unsigned i)
{
	struct recipe *r = b->recipes[i];

	b->recipes[i] = NULL;
	if (r->launched) {
		sg_request_free(&r->request);
		sg_launch_release(&r->launch);
	}
	sg_plan_free(&r->plan);
	json_decref(r->object);
	free(r->argv);
	free(r);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x9e3779b97f4a7c15ULL ^ h >> 29;
}

/* Of a file that is written to, it is still the same; of one that is executed it may say another interpreter. */
static uint64_t look_at(uint64_t h, int base, const char *path, bool contents)
{
	struct stat st;

	if (fstatat(base, path, &st, 0) < 0)
		return mix(h, 0);
	h = mix(mix(h, st.st_dev), st.st_ino);
	return contents ? mix(mix(h, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec) : h;
}

/*
 * Rules are about objects and not about names. What the command line or a job names may be another object for the next
 * job: a program that was compiled again, a directory that is made for each. Then a recipe no longer serves.
 */
static uint64_t look(const struct recipe *r)
{
	const struct sg_plan *plan = &r->plan;
	uint64_t h = look_at(0, AT_FDCWD, r->options.chdir ? r->options.chdir : ".", false);

	h = look_at(h, plan->base, plan->path, true);
	for (size_t i = 0; i < plan->n_extra; i++)
		h = look_at(h, AT_FDCWD, plan->extra[i].path, false);
	return h;
}

static int make(struct batch *b, struct recipe *r, int *status, struct sg_err *err)
{
	struct sg_options *o = &r->options;
	int rc;

	*o = *b->o;
	o->argv = r->argv ? r->argv : b->o->argv;
	o->chdir = r->chdir ? r->chdir : b->o->chdir;
	o->not_std = r->not_std;
	if (!o->argv[0])
		return sg_err_set(err, EINVAL, "no program: neither \"argv\" here nor one on the command line");
	rc = sg_plan_program(&r->plan, o, status, err);
	if (!rc)
		rc = sg_plan_policy(&r->plan, err);
	if (!rc && r->plan.then)
		rc = sg_err_set(err, ENOTSUP, "its policy has a second phase (then), which only sgrun by itself keeps");
	if (!rc)
		r->found = look(r);
	r->launched = !rc;
	if (!rc)
		rc = sg_remote_prepare(&r->launch, &r->plan, b->tier, err);
	/* The ruleset holds what it names; in the lsm tier each sandbox is given the places themselves. */
	if (!rc && r->launch.landlock.fd >= 0)
		sg_places_settle(&r->launch.places);
	if (!rc)
		rc = sg_request_make(&r->request, &r->launch, sg_remote_flags(o, &b->s->stream), &b->signals, err);
	return rc;
}

/* The words of a job that may be tried again, and has to find this recipe then. */
static char **copy_words(char **words)
{
	size_t n = 0;
	char **copy;

	while (words[n])
		n++;
	copy = calloc(n + 1, sizeof(char *));
	return copy ? memcpy(copy, words, n * sizeof(char *)) : NULL;
}

/* Which of our descriptors 0 to 2 a job does not get: it has others, that are its own. */
static unsigned not_std(const struct sg_job *job)
{
	return 1U << STDIN_FILENO | (job->files[1] ? 1U << STDOUT_FILENO : 0) |
	       (job->files[2] ? 1U << STDERR_FILENO : 0);
}

/* The recipe for a job; there is room for one, as fewer run than there may be. */
static struct recipe *recipe_for(struct batch *b, const struct sg_job *job, int *status, struct sg_err *err)
{
	unsigned at = RECIPES;
	struct recipe *r;

	for (unsigned i = 0; i < RECIPES; i++) {
		r = b->recipes[i];
		if (r && same_words(r->argv, job->argv) && same_text(r->chdir, job->chdir) &&
		    r->not_std == not_std(job) && r->found == look(r))
			return r;
		/* A free place, else that of the one not used for longest. */
		if ((!r || !r->users) && (at == RECIPES || (b->recipes[at] && (!r || r->used < b->recipes[at]->used))))
			at = i;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		(void)sg_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (b->recipes[at])
		drop(b, at);
	b->recipes[at] = r;
	r->plan.base = -1;
	r->request = (struct sg_request){.cwd = -1, .strings_fd = -1, .policy_fd = -1};
	r->object = json_incref(job->object);
	r->chdir = job->chdir;
	r->not_std = not_std(job);
	r->size = job->size;
	r->argv = job->argv ? copy_words(job->argv) : NULL;
	if (job->argv && !r->argv)
		(void)sg_err_set(err, ENOMEM, "out of memory");
	else if (make(b, r, status, err) == 0)
		return r;
	drop(b, at);
	return NULL;
}

/* Gives back what recipes hold that no job uses. False: there is none but the one that is kept. */
static bool drop_idle(struct batch *b, const struct recipe *kept)
{
	bool any = false;

	for (unsigned i = 0; i < RECIPES; i++) {
		struct recipe *r = b->recipes[i];

		if (r && r != kept && !r->users) {
			drop(b, i);
			any = true;
		}
	}
	return any;
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

/* A line can be long, and what becomes of it is many times as long. */
static void keep_few(struct batch *b)
{
	for (;;) {
		unsigned oldest = RECIPES;
		size_t sum = 0;

		for (unsigned i = 0; i < RECIPES; i++) {
			const struct recipe *r = b->recipes[i];

			if (!r || r->users)
				continue;
			sum += r->size + r->request.strings_cap;
			if (oldest == RECIPES || r->used < b->recipes[oldest]->used)
				oldest = i;
		}
		if (sum <= KEPT_MAX)
			return;
		drop(b, oldest);
	}
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
static unsigned most_on_their_way(const struct recipe *r)
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
		s->recipe = recipe_for(b, job, &status, &err);
		b->look_again = s->recipe && on_their_way(b) >= most_on_their_way(s->recipe);
		if (b->look_again)
			return false;
		rc = s->recipe ? send_job(b, s, job, &err) : -err.code;
		if (rc && s->fd >= 0)
			close(SG_TAKE_FD(s->fd));
	} while (short_of_fds(rc) && drop_idle(b, s->recipe));
	if (b->running && may_be_later(rc))
		return false;
	if (rc) {
		report(b, job->line, job->label, status, &err);
		keep_few(b);
	} else {
		s->recipe->users++;
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
	keep_few(b);
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
		if (sig != SIGINT && sig != SIGTERM && sig != SIGHUP && sig != SIGQUIT)
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
		rc = sg_remote_tier(b->o, fd, b->buf, &b->tier, why, err);
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
	if (!sg_stream_flush(&s->stream, FLUSH_MS))
		sg_stream_make_room(&s->stream);
	for (unsigned i = 0; i < RECIPES; i++)
		if (b->recipes[i])
			drop(b, i);
	sg_job_free(&b->next);
	sg_lines_close(&b->lines);
	free(b->buf);
	free(b);
	return rc;
}
