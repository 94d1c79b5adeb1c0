/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object rules of attached sandboxes. A process of its own opens what they name, as the cgroup's processes see it: in
 * their mount namespace, below their root directory. It may meet file systems that hang, and what a hostile image made
 * of its paths; the daemon waits for nothing but its report.
 */
#include "daemon/closer.h"
#include "daemon/sgd.h"

#include "runner/access.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_NS 10000000000ULL /* for the report */
#define REPORT_BYTES 32768
#define SEND_TRIES 200
#define EXTRA 4     /* trees that come with the program */
#define OPERANDS 32 /* as many arguments are looked at for a file */
#define OTHERS 256  /* as many other processes are compared */
#define VIEW_TRIES 100
#define DEPTH 8 /* of cgroups within the container's */

enum { REPORT = 3, CGROUP, ROOT, END }; /* descriptors of the process that opens */
#define N_FDS (END - REPORT)

struct sgd_opener {
	struct sgd_opener *next, *prev;
	struct sgd *d;
	struct sgd_box *box;   /* NULL: nobody wants it any more */
	struct sgd_conn *conn; /* who waits for the answer; NULL: nobody */
	int pidfd, report;     /* report -1: it came, or is not waited for */
	int theirs, root;      /* open for it to fetch, until then; -1: not */
	struct sgd_source src, end;
	uint64_t deadline;
	bool gone;
};

/* ---- in the process that opens ---- */

struct view {
	const struct sgd_box *box;
	json_t *said;    /* what the client knows of the program; NULL: nothing */
	pid_t pid;       /* whose view it is; 0: nobody's, so our own */
	int own, mounts; /* its root directory and mountinfo */
	int root;        /* the root that rules are about: its own, or what a client says that is going to be */
	struct sg_place_root other;
	struct sg_place_vars vars;
	struct sg_tree extra[EXTRA];
	size_t n_extra;
	json_t *degraded;
	char base[PATH_MAX]; /* of the root in its mount namespace, "" for the root there */
	char cwd[PATH_MAX], program[PATH_MAX], runtime[PATH_MAX], venv[PATH_MAX], operand[PATH_MAX];
};

static const char *said(const struct view *v, const char *key)
{
	return json_string_value(json_object_get(v->said, key));
}

static bool name_of_fd(int fd, char *name, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, size - 1);
	name[n > 0 ? n : 0] = '\0';
	return n > 0 && name[0] == '/';
}

/* The kernel's name of an open file from the root that the view has. All of it is more than anybody means: not told. */
static bool name_below(const struct view *v, int fd, char *name, size_t size)
{
	size_t n = strlen(v->base);

	if (!name_of_fd(fd, name, size) || !sg_path_within(name, v->base))
		return false;
	memmove(name, name + n, strlen(name + n) + 1);
	return name[0] == '/' && name[1];
}

static int open_below(const struct view *v, const char *path)
{
	return v->pid ? sg_open_in_root(v->root, path, 0) : open(path, O_PATH | O_CLOEXEC);
}

static int open_as(pid_t pid, const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return open(path, flags | O_CLOEXEC);
}

static int open_of(pid_t pid, const char *what)
{
	return open_as(pid, what, O_PATH);
}

struct pick {
	struct view *v;
	ino_t ns;
	struct stat root;
	unsigned seen, differ;
	bool hidden; /* one is there that may not be looked at */
};

static bool look(pid_t pid, struct stat *root, ino_t *ns)
{
	SG_CLOSE int fd = open_of(pid, "root");
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (fd < 0 || fstat(fd, root) < 0 || stat(path, &st) < 0)
		return false;
	*ns = st.st_ino;
	return true;
}

/* After a failed look. One that has just ended is refused, too; one of another PID namespace has the number 0. */
static bool is_hidden(pid_t pid, int why)
{
	return !pid || ((why == EACCES || why == EPERM) && (kill(pid, 0) == 0 || errno != ESRCH));
}

static bool pick_one(void *ctx, pid_t pid)
{
	struct pick *p = ctx;
	struct stat root;
	ino_t ns;

	if (!look(pid, &root, &ns)) {
		p->hidden |= is_hidden(pid, errno);
		return true;
	}
	p->seen++;
	if (!p->v->pid) {
		p->v->pid = pid;
		p->root = root;
		p->ns = ns;
	}
	p->differ += root.st_dev != p->root.st_dev || root.st_ino != p->root.st_ino || ns != p->ns;
	return p->seen < OTHERS;
}

__attribute__((format(printf, 2, 3))) static void degrade(struct view *v, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(v->degraded, sg_json_text(text));
}

/* Whose files the rules are about. */
static int find_view(struct view *v, bool has_root, struct sg_err *err)
{
	struct sg_cgroup cg = v->box->launch.cg;
	struct pick p;

	cg.dirfd = CGROUP;
	for (unsigned tries = 0;; tries++) {
		p = (struct pick){.v = v};
		v->pid = v->box->view_pid;
		if (v->pid && !look(v->pid, &p.root, &p.ns)) {
			p.hidden = is_hidden(v->pid, errno);
			v->pid = 0;
		}
		(void)sg_cgroup_each_below(&cg, DEPTH, pick_one, &p);
		if (!v->pid)
			break;
		/* What is found now must still be of that process, not of one that was given its number. */
		v->own = open_of(v->pid, "root");
		v->mounts = open_as(v->pid, "mountinfo", O_RDONLY);
		if (v->own >= 0 && v->mounts >= 0 && sg_cgroup_contains(&cg, v->pid))
			break;
		/* Where processes come and go it is another one's turn. */
		if (v->pid == v->box->view_pid || tries == VIEW_TRIES)
			return sg_err_set(err, ESRCH, "process %d, whose files its rules are about, is gone", v->pid);
		if (v->own >= 0)
			close(v->own);
		if (v->mounts >= 0)
			close(v->mounts);
	}
	v->root = has_root ? ROOT : v->own;
	if (!v->pid && p.hidden)
		return sg_err_set(err, EACCES,
				  "sgd may not see which files its rules are about: those of the cgroup's processes "
				  "(CAP_SYS_PTRACE, an AppArmor profile, or another PID namespace)");
	if (!v->pid) {
		degrade(v, "rules about files are about those that sgd sees: no process was in the cgroup to ask");
		return 0;
	}
	if (p.differ && !has_root)
		degrade(v, "rules about files are about those that process %d sees: %u others have another root",
			v->pid, p.differ);
	if (!name_of_fd(v->root, v->base, sizeof(v->base)))
		return sg_err_set(err, errno, "cannot tell where the root directory lies: %s", strerror(errno));
	if (!strcmp(v->base, "/"))
		v->base[0] = '\0';
	v->other = (struct sg_place_root){.fd = v->root, .own = v->own, .mounts = v->mounts};
	v->vars.root = &v->other;
	return 0;
}

static bool is_program(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

/* The program that a runtime is going to execute, by the same search. What it was found by: in *at. */
static int find_program(const struct view *v, const char *name, char *at, size_t size)
{
	const char *cwd = said(v, "cwd"), *path = said(v, "path");

	if (strchr(name, '/')) {
		snprintf(at, size, "%s%s%s", *name == '/' ? "" : cwd ? cwd : "", *name == '/' ? "" : "/", name);
		return open_below(v, at);
	}
	for (path = path ? path : ""; *path; path += strcspn(path, ":"), path += *path == ':') {
		int fd;

		snprintf(at, size, "%.*s/%s", (int)strcspn(path, ":"), path, name);
		fd = *at == '/' ? open_below(v, at) : -1;
		if (is_program(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static void add_extra(struct view *v, const char *path, uint32_t allow)
{
	if (v->n_extra < EXTRA)
		v->extra[v->n_extra++] = (struct sg_tree){path, {.allow = allow, .origin = SG_ORIGIN_UNLISTED}};
}

/* PREFIX of PREFIX/bin/NAME where a virtual environment lies. */
static void add_venv(struct view *v, const char *at)
{
	size_t n = sg_runtime_prefix(at);
	char config[PATH_MAX];
	int fd;

	snprintf(v->venv, sizeof(v->venv), "%.*s", (int)n, at);
	if (!n || snprintf(config, sizeof(config), "%s/pyvenv.cfg", v->venv) >= (int)sizeof(config))
		return;
	fd = open_below(v, config);
	if (fd < 0)
		return;
	close(fd);
	add_extra(v, v->venv, SG_RIGHT_READ | SG_RIGHT_MAP);
}

/* `python3 /app/main.py`: the first argument that names a file may be read. */
static void add_operand(struct view *v, const json_t *args)
{
	const char *cwd = said(v, "cwd");

	for (size_t i = 1; i < json_array_size(args) && i <= OPERANDS; i++) {
		const char *arg = json_string_value(json_array_get(args, i));
		struct stat st;
		int fd, rc;

		if (!arg || *arg == '-' || !*arg)
			continue;
		snprintf(v->operand, sizeof(v->operand), "%s%s%s",
			 *arg == '/' ? ""
			 : cwd       ? cwd
				     : "",
			 *arg == '/' ? "" : "/", arg);
		fd = open_below(v, v->operand);
		rc = fd < 0 ? -1 : fstat(fd, &st);
		if (fd >= 0)
			close(fd);
		if (rc < 0 || !S_ISREG(st.st_mode))
			continue;
		add_extra(v, v->operand, SG_RIGHT_READ);
		return;
	}
}

static void fill_program(struct view *v)
{
	const json_t *args = json_object_get(v->said, "args");
	const char *name = json_string_value(json_array_get(args, 0));
	char at[PATH_MAX] = "";
	size_t n;
	int fd = -1;

	if (name)
		fd = find_program(v, name, at, sizeof(at));
	else if (v->pid && !v->box->launch.from_exec)
		fd = open_of(v->pid, "exe");
	if (is_program(fd) && name_below(v, fd, v->program, sizeof(v->program))) {
		v->vars.program = v->program;
		n = sg_runtime_prefix(v->program);
		snprintf(v->runtime, sizeof(v->runtime), "%.*s", (int)n, v->program);
		if (n && !(v->vars.home && sg_path_within(v->vars.home, v->runtime)))
			v->vars.runtime = v->runtime;
	}
	if (fd >= 0)
		close(fd);
	if (*at)
		add_venv(v, at);
	add_operand(v, args);
}

static void fill_vars(struct view *v)
{
	const char *cwd = said(v, "cwd"), *tmp = said(v, "tmp");
	int fd = -1;

	v->vars.home = said(v, "home");
	v->vars.tmp = tmp ? tmp : "/tmp";
	if (cwd)
		fd = open_below(v, cwd);
	else if (v->pid && !v->box->launch.from_exec)
		fd = open_of(v->pid, "cwd");
	if (fd >= 0) {
		if (name_below(v, fd, v->cwd, sizeof(v->cwd)))
			v->vars.cwd = v->cwd;
		close(fd);
	}
	if (v->pid)
		fill_program(v);
}

static int send_report(json_t *report, const int *fds, size_t n_fds)
{
	SG_FREE char *text = json_dumps(report, JSON_COMPACT);
	struct iovec iov = {.iov_base = text, .iov_len = text ? strlen(text) : 0};

	return text && iov.iov_len < REPORT_BYTES ? sg_client_send(REPORT, &iov, 1, fds, n_fds) : -ENOMEM;
}

/* As a client of a launch sends them, and through the same checks. We end right after: so do the descriptors. */
static int send_places(struct view *v, const struct sg_places *p, struct sg_err *err)
{
	int fds[2], rc = sg_client_objects(sg_policy_objects(v->box->policy->policy), p, SEND_TRIES, fds, err);
	json_t *report;

	if (rc)
		return rc;
	report = json_pack("{s:O, s:i, s:I}", "degraded", v->degraded, "pid", (int)v->pid, "places", (json_int_t)p->n);
	rc = send_report(report, fds, 2);
	json_decref(report);
	return rc ? sg_err_set(err, -rc, "cannot report: %s", strerror(-rc)) : 0;
}

static int open_all(struct view *v, bool has_root, struct sg_err *err)
{
	SG_FREE struct sg_tree *trees = NULL;
	const struct sg_tree *own;
	struct sg_places places;
	size_t n;
	int rc = find_view(v, has_root, err);

	if (rc)
		return rc;
	fill_vars(v);
	own = sg_policy_trees(v->box->policy->policy, &n);
	trees = calloc(n + EXTRA, sizeof(*trees));
	if (!trees)
		return sg_err_set(err, ENOMEM, "out of memory");
	memcpy(trees, own, n * sizeof(*trees));
	memcpy(trees + n, v->extra, v->n_extra * sizeof(*trees));
	rc = sg_places_open(&places, trees, n + v->n_extra, &v->vars, err);
	if (!rc)
		rc = send_places(v, &places, err);
	return rc;
}

__attribute__((noreturn)) static void run(const struct sgd_box *b, bool has_root)
{
	static struct view v; /* large */
	struct sg_err err = {0};
	char text[1200];

	(void)prctl(PR_SET_NAME, "sgd-opener", 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	v.box = b;
	v.said = b->view;
	v.root = -1;
	v.degraded = json_array();
	if (open_all(&v, has_root, &err) < 0) {
		sg_err_format(&err, text, sizeof(text));
		(void)send_report(json_pack("{s:o, s:i}", "error", sg_json_text(text), "errno", err.code), NULL, 0);
	}
	_exit(0);
}

/*
 * A table of descriptors without what clients sent: to close a copy of that may wait for a file system that does not
 * answer. As in runner/child.c.
 */
static void fetch(int daemon, int want[N_FDS])
{
	if (close_range((unsigned)daemon + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		_exit(1);
	for (size_t i = 0; i < N_FDS; i++) {
		if (want[i] < 0)
			continue;
		want[i] = (int)syscall(SYS_pidfd_getfd, daemon, want[i], 0);
		if (want[i] < 0)
			_exit(1);
	}
}

/* Everything of the daemon's but the three, and what errors go to. */
static void leave_only(int daemon, int want[N_FDS])
{
	if (daemon >= 0)
		fetch(daemon, want);
	/* First out of the way of the numbers that they are to have. */
	for (size_t i = 0; i < N_FDS; i++)
		if (want[i] >= 0)
			want[i] = fcntl(want[i], F_DUPFD_CLOEXEC, END);
	for (size_t i = 0; i < N_FDS; i++)
		if (want[i] >= 0)
			(void)dup3(want[i], REPORT + (int)i, O_CLOEXEC);
	(void)close_range(END, ~0U, 0);
}

/* ---- in the daemon ---- */

static void close_ends(struct sgd_opener *o)
{
	if (o->report >= 0)
		close(SG_TAKE_FD(o->report));
	if (o->theirs >= 0)
		close(SG_TAKE_FD(o->theirs));
	if (o->root >= 0)
		sgd_let_go(0, SG_TAKE_FD(o->root)); /* only root attaches */
}

static void watch_end(struct sgd_opener *o)
{
	(void)syscall(SYS_pidfd_send_signal, o->pidfd, SIGKILL, NULL, 0);
	(void)sgd_loop_set(&o->d->loop, &o->src, -1, 0);
	(void)sgd_loop_set(&o->d->loop, &o->end, o->pidfd, EPOLLIN);
	close_ends(o);
}

/* The report, and two descriptors where it went well. Returns its text's length, 0: none came. */
static size_t receive(int sock, char *text, size_t size, int fds[2])
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * 2)];
		struct cmsghdr align;
	} c = {0};
	struct iovec iov = {.iov_base = text, .iov_len = size - 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf)};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int) * 2))
		memcpy(fds, CMSG_DATA(h), sizeof(int) * 2);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void take_report(struct sgd_opener *o)
{
	struct sgd_box *b = o->box;
	struct sgd_conn *c = o->conn;
	SG_FREE char *text = malloc(REPORT_BYTES);
	int fds[2] = {-1, -1};
	struct sg_err err = {0};
	json_t *report = NULL;
	const char *error;
	int rc = 0;

	if (text && receive(o->report, text, REPORT_BYTES, fds))
		report = json_loads(text, 0, NULL);
	watch_end(o);
	o->box = NULL;
	o->conn = NULL;
	if (!b)
		goto out;
	b->opener = NULL;
	if (c)
		c->opener = NULL;
	error = json_string_value(json_object_get(report, "error"));
	if (error)
		rc = sg_err_set(&err, (int)json_integer_value(json_object_get(report, "errno")), "%s", error);
	else if (!report || fds[0] < 0 || fds[1] < 0)
		rc = sg_err_set(&err, EIO, "the process that opens what the rules name died");
	sgd_attach_opened(b, c, rc ? NULL : fds, json_object_get(report, "degraded"), &err);
out:
	json_decref(report);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void on_report(struct sgd_source *s, uint32_t events)
{
	(void)events;
	take_report(s->owner);
}

static void on_end(struct sgd_source *s, uint32_t events)
{
	struct sgd_opener *o = s->owner;

	(void)events;
	/* It came at the same moment, or never comes. */
	if (o->report >= 0)
		take_report(o);
	if (waitid(P_PIDFD, (id_t)o->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG) < 0 && errno != ECHILD)
		return;
	(void)sgd_loop_set(&o->d->loop, &o->end, -1, 0);
	close(SG_TAKE_FD(o->pidfd));
	o->gone = true;
}

/* Opens what it is to fetch, and starts it. */
static int start(struct sgd_opener *o, struct sgd_box *b, int root)
{
	int pair[2], want[N_FDS];
	pid_t pid;

	if (root >= 0) {
		o->root = fcntl(root, F_DUPFD_CLOEXEC, 0);
		if (o->root < 0)
			return -errno;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	o->report = pair[0];
	o->theirs = pair[1];
	sgd_high(&o->report);
	sgd_high(&o->theirs);
	want[0] = o->theirs; /* in the order of REPORT, CGROUP, ROOT */
	want[1] = b->launch.cg.dirfd;
	want[2] = o->root;
	/* fork(2); where it can fetch its descriptors it is to get no copy of ours. */
	pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | (o->d->self >= 0 ? CLONE_FILES : 0) | SIGCHLD, 0, &o->pidfd, 0,
			     0);
	if (pid == 0) {
		leave_only(o->d->self, want);
		run(b, root >= 0);
	}
	if (pid < 0)
		return -errno;
	sgd_high(&o->pidfd);
	return 0;
}

int sgd_opener_start(struct sgd_box *b, struct sgd_conn *c, int root, struct sg_err *err)
{
	struct sgd *d = b->d;
	struct sgd_opener *o;
	int rc;

	sgd_opener_cancel(b);
	if (!sgd_policy_parsed(b->policy, err))
		return -err->code;
	o = calloc(1, sizeof(*o));
	if (!o)
		return sg_err_set(err, ENOMEM, "out of memory");
	*o = (struct sgd_opener){.d = d, .pidfd = -1, .report = -1, .theirs = -1, .root = -1};
	rc = start(o, b, root);
	if (rc) {
		close_ends(o);
		free(o);
		return sg_err_set(err, -rc, "cannot start the process that opens what the rules name: %s",
				  strerror(-rc));
	}
	o->src = (struct sgd_source){.fd = -1, .fn = on_report, .owner = o};
	o->end = (struct sgd_source){.fd = -1, .fn = on_end, .owner = o};
	o->box = b;
	o->conn = c;
	b->opener = o;
	if (c)
		c->opener = o;
	o->deadline = sg_clock_ns(CLOCK_MONOTONIC) + WAIT_NS;
	sgd_deadline(d, o->deadline);
	o->next = d->openers;
	if (d->openers)
		d->openers->prev = o;
	d->openers = o;
	rc = sgd_loop_set(&d->loop, &o->end, o->pidfd, EPOLLIN);
	return rc ? rc : sgd_loop_set(&d->loop, &o->src, o->report, EPOLLIN);
}

void sgd_opener_cancel(struct sgd_box *b)
{
	struct sgd_opener *o = b->opener;

	if (!o)
		return;
	if (o->conn)
		o->conn->opener = NULL;
	b->opener = NULL;
	o->box = NULL;
	o->conn = NULL;
	watch_end(o);
}

void sgd_opener_forget(struct sgd_conn *c)
{
	struct sgd_box *b = c->opener ? c->opener->box : NULL;

	if (!b)
		return;
	sgd_opener_cancel(b);
	if (!b->launch.registered)
		b->phase = SGD_GONE;
}

void sgd_openers_time(struct sgd *d, uint64_t now)
{
	struct sgd_opener *next;

	for (struct sgd_opener *o = d->openers; o; o = next) {
		next = o->next;
		if (o->box && now && now >= o->deadline) {
			struct sgd_box *b = o->box;
			struct sgd_conn *c = o->conn;
			struct sg_err err = {0};

			sgd_opener_cancel(b);
			(void)sg_err_set(&err, ETIMEDOUT,
					 "what the rules name could not be opened within 10 s: it may be on a file "
					 "system that hangs");
			sgd_attach_opened(b, c, NULL, NULL, &err);
		} else if (o->box) {
			sgd_deadline(d, o->deadline);
		}
		if (!o->gone)
			continue;
		if (o->prev)
			o->prev->next = o->next;
		else
			d->openers = o->next;
		if (o->next)
			o->next->prev = o->prev;
		free(o);
	}
}
