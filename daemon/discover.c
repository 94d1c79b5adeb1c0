/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/discover.h"

#include "daemon/sgd.h"
#include "supervisor/util.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#define WATCHES_MAX 8192
#define DEPTH_MAX SG_MAX_LEVELS
#define AGAIN_NS 5000000000ULL /* until what could not be supervised is tried once more */

/* Executables by their names without version digits; their languages are built-in ones. */
static const struct {
	const char *program, *language;
} interpreters[] = {{"python", "python"}, {"pypy", "python"}, {"node", "javascript"}, {"nodejs", "javascript"},
		    {"java", "java"},     {"ruby", "ruby"},   {"perl", "perl"},       {"php", "php"},
		    {"php-cgi", "php"},   {"lua", "lua"},     {"luajit", "luajit"}};

struct watch {
	int wd;
	char *rel; /* "" is the mount point */
};

struct sgd_discover {
	struct sgd *d;
	struct sgd_source source;
	int fd; /* inotify */
	char mount[256];
	struct watch *watches; /* in no order */
	size_t n_watches, room;
	bool full_said;
	uint64_t again; /* CLOCK_MONOTONIC: when everything is looked at once more; 0: it need not be */
	bool quiet;     /* it is, and what is refused was said before */
	const char *languages[SG_MAX_LANGUAGES]; /* by number; from the table above */
	struct sgd_policy *policies[SG_MAX_LANGUAGES];
	bool slotted[SG_MAX_LANGUAGES]; /* it is in the BPF tables on our behalf */
	unsigned n;
	int reserved[SG_MAX_LANGUAGES]; /* numbers of policies from before, -1: none */
};

/* ---- rules ---- */

/* The rule that wants a cgroup; NULL: none. *deeper: one may want a cgroup below it. */
static const struct sgd_rule *rule_for(const struct sgd *d, const char *rel, bool *deeper)
{
	const struct sgd_rule *found = NULL;

	*deeper = false;
	for (unsigned i = 0; i < d->o->n_rules; i++) {
		bool more;

		if (sgd_rule_matches(&d->o->rules[i], rel, &more) && !found)
			found = &d->o->rules[i];
		*deeper |= more;
	}
	return found;
}

bool sgd_discover_wants(const struct sgd *d, const char *rel, bool audit)
{
	const struct sgd_rule *r;
	bool deeper;

	if (!d->discover)
		return false;
	r = rule_for(d, rel, &deeper);
	return r && r->audit == audit;
}

/* ---- languages ---- */

static int language_of(const struct sgd_discover *x, const char *program)
{
	char name[SG_INTERPRETER_NAME];

	if (!sg_bpf_interpreter_name(program, name))
		return -1;
	for (size_t i = 0; i < SG_ARRAY_SIZE(interpreters); i++)
		for (unsigned l = 0; l < x->n && !strcmp(interpreters[i].program, name); l++)
			if (!strcmp(x->languages[l], interpreters[i].language))
				return (int)l;
	return -1;
}

static bool in_use(const struct sgd *d, int slot)
{
	for (const struct sgd_box *b = d->boxes; b; b = b->next)
		if (b->slot_raw == slot)
			return true;
	for (const struct sgd_policy *p = d->policies.all; p; p = p->next)
		if (p->slot == slot)
			return true;
	return false;
}

/* One language's policy as it is now. */
static int give_policy(struct sgd_discover *x, unsigned l, struct sg_err *err)
{
	struct sgd_policy *before = x->policies[l], *p = NULL;
	struct sgd *d = x->d;
	int rc = sgd_policy_get(&d->policies, x->languages[l], 0, NULL, 0, "", &p, err);

	if (rc)
		return rc;
	rc = sgd_policy_slot_get(&d->policies, d->bpf, p, err);
	if (rc) {
		sgd_policy_put(&d->policies, p);
		return rc;
	}
	rc = sg_bpf_set_language(d->bpf, l, (uint32_t)p->slot, err);
	if (rc) {
		sgd_policy_slot_put(&d->policies, p);
		sgd_policy_put(&d->policies, p);
		return rc;
	}
	x->policies[l] = p;
	if (before && x->slotted[l])
		sgd_policy_slot_put(&d->policies, before);
	sgd_policy_put(&d->policies, before);
	x->slotted[l] = true;
	return 0;
}

int sgd_discover_reload(struct sgd *d, struct sg_err *err)
{
	int rc = 0;

	for (unsigned l = 0; d->discover && !rc && l < d->discover->n; l++)
		rc = give_policy(d->discover, l, err);
	return rc;
}

static int name_languages(struct sgd_discover *x, struct sg_err *err)
{
	int rc = 0;

	for (unsigned l = 0; !rc && l < x->n; l++)
		rc = give_policy(x, l, err);
	/* Names come after what they mean. Without the clearing one that an older version had would stay. */
	if (!rc)
		rc = sg_bpf_clear_interpreters(x->d->bpf, err);
	for (size_t i = 0; !rc && i < SG_ARRAY_SIZE(interpreters); i++) {
		int l = language_of(x, interpreters[i].program);

		if (l >= 0)
			rc = sg_bpf_set_interpreter(x->d->bpf, interpreters[i].program, (uint32_t)l, err);
	}
	for (unsigned l = 0; l < SG_MAX_LANGUAGES; l++)
		if (x->reserved[l] >= 0 && !in_use(x->d, x->reserved[l]))
			x->d->policies.slots[x->reserved[l]] = false;
	return rc;
}

void sgd_discover_reserve(struct sgd *d)
{
	struct sgd_discover *x = d->o->n_rules ? calloc(1, sizeof(*x)) : NULL;

	if (!x)
		return;
	d->discover = x;
	x->d = d;
	x->fd = -1;
	x->source = (struct sgd_source){.fd = -1};
	/* The order of the table is the numbering, from one daemon to the next. */
	for (size_t i = 0; i < SG_ARRAY_SIZE(interpreters); i++) {
		bool known = false;

		for (unsigned l = 0; l < x->n; l++)
			known |= !strcmp(x->languages[l], interpreters[i].language);
		if (!known && x->n < SG_MAX_LANGUAGES)
			x->languages[x->n++] = interpreters[i].language;
	}
	for (unsigned l = 0; l < SG_MAX_LANGUAGES; l++) {
		x->reserved[l] = sg_bpf_language_policy(d->bpf, l);
		if (x->reserved[l] >= SG_MAX_POLICIES)
			x->reserved[l] = -1;
		if (x->reserved[l] >= 0)
			d->policies.slots[x->reserved[l]] = true;
	}
	/* What happened while there was no daemon is explained by what holds now. */
	for (unsigned l = 0; l < x->n; l++) {
		struct sg_err err = {0};

		(void)sgd_policy_get(&d->policies, x->languages[l], 0, NULL, 0, "", &x->policies[l], &err);
	}
}

/* ---- tasks that are there already ---- */

struct process {
	pid_t pid, ppid;
	uid_t uid;
	int language; /* -1: none */
	bool unread;  /* which program it executes may not be seen */
	char comm[SG_COMM_LEN];
};

static int read_process(const struct sgd_discover *x, struct process *p)
{
	char file[64], buf[4096], exe[PATH_MAX], *line;
	ssize_t n;

	snprintf(file, sizeof(file), "/proc/%d/status", (int)p->pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0)
		return -ESRCH;
	line = strstr(buf, "\nPPid:");
	p->ppid = line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
	line = strstr(buf, "\nUid:");
	p->uid = line ? (uid_t)strtoul(line + 5, NULL, 10) : 0;
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)p->pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0)
		return -ESRCH;
	buf[strcspn(buf, "\n")] = '\0';
	snprintf(p->comm, sizeof(p->comm), "%.15s", buf);
	snprintf(file, sizeof(file), "/proc/%d/exe", (int)p->pid);
	n = readlink(file, exe, sizeof(exe) - 1);
	p->unread = n < 0 && (errno == EACCES || errno == EPERM);
	exe[n > 0 ? n : 0] = '\0';
	line = strstr(exe, " (deleted)");
	if (line && !line[10])
		*line = '\0';
	p->language = language_of(x, exe);
	return 0;
}

/* Its own language, else that of the nearest parent inside the cgroup. */
static int inherited(const struct process *all, size_t n, const struct process *p)
{
	for (int steps = 0; steps < 64; steps++) {
		const struct process *parent = NULL;

		if (p->language >= 0)
			return p->language;
		for (size_t i = 0; i < n && !parent; i++)
			if (all[i].pid == p->ppid && &all[i] != p)
				parent = &all[i];
		if (!parent)
			return -1;
		p = parent;
	}
	return -1;
}

static unsigned know_threads(struct sgd_box *b, const struct process *p, int language)
{
	struct sg_bpf_task t = {.tgid = p->pid, .uid = p->uid, .language = language};
	struct dirent *e;
	unsigned failed = 0;
	char path[64];
	DIR *dir;

	memcpy(t.comm, p->comm, sizeof(t.comm));
	snprintf(path, sizeof(path), "/proc/%d/task", (int)p->pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		struct sg_err err = {0};

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		t.tid = (pid_t)strtol(e->d_name, NULL, 10);
		failed += sg_bpf_set_process_language(b->d->bpf, b->launch.sandbox, &t, &err) < 0;
	}
	if (dir)
		closedir(dir);
	return failed;
}

struct processes {
	struct process *all;
	size_t n;
	unsigned lost;  /* no memory for them */
	unsigned apart; /* not in our PID namespace: the kernel lists them as 0 */
};

static bool collect(void *ctx, pid_t pid)
{
	struct processes *p = ctx;
	struct process *bigger = pid ? realloc(p->all, (p->n + 1) * sizeof(*bigger)) : NULL;

	if (!pid) {
		p->apart++;
	} else if (bigger) {
		p->all = bigger;
		bigger[p->n++] = (struct process){.pid = pid, .language = -1};
	} else {
		p->lost++;
	}
	return true;
}

/* Waits a little until no task of the cgroup runs. */
static bool frozen(const struct sgd_box *b)
{
	char buf[256];

	for (int i = 0; i < 50; i++) {
		if (sg_read_file(b->launch.cg.dirfd, "cgroup.events", buf, sizeof(buf)) > 0 && strstr(buf, "frozen 1"))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

/* 1: it is to be thawed; 0: by somebody else, who froze it; -1: it cannot be frozen. */
static int freeze(const struct sgd_box *b)
{
	struct sgd_frozen *f = b->d->state.frozen;
	const struct sg_cgroup *cg = &b->launch.cg;
	char buf[16];

	if (sg_read_file(cg->dirfd, "cgroup.freeze", buf, sizeof(buf)) <= 0)
		return -1;
	if (*buf != '0')
		return 0;
	if (f) {
		snprintf(f->path, sizeof(f->path), "%s", cg->path);
		__atomic_store_n(&f->cgroup_id, cg->id, __ATOMIC_RELEASE);
	}
	if (sg_write_file(cg->dirfd, "cgroup.freeze", "1") == 0)
		return 1;
	if (f)
		f->cgroup_id = 0;
	return -1;
}

static void thaw(struct sgd *d, int dirfd)
{
	(void)sg_write_file(dirfd, "cgroup.freeze", "0");
	if (d->state.frozen)
		__atomic_store_n(&d->state.frozen->cgroup_id, 0, __ATOMIC_RELEASE);
}

void sgd_discover_thaw(struct sgd *d)
{
	struct sgd_frozen *f = d->state.frozen;
	SG_CLOSE int fd = -1;
	struct stat st;

	if (!f || !f->cgroup_id)
		return;
	f->path[sizeof(f->path) - 1] = '\0';
	fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* Another one of that name may be there by now, and be frozen for a reason. */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == f->cgroup_id)
		thaw(d, fd);
	else
		f->cgroup_id = 0;
}

void sgd_discover_tasks(struct sgd_box *b)
{
	struct processes p = {0};
	int held = freeze(b);
	bool still = held >= 0 && frozen(b);
	unsigned failed, unread = 0;

	(void)sg_cgroup_each_below(&b->launch.cg, DEPTH_MAX, collect, &p);
	for (size_t i = 0; i < p.n; i++) {
		(void)read_process(b->d->discover, &p.all[i]); /* one that is gone has no language */
		unread += p.all[i].unread;
	}
	failed = p.lost;
	for (size_t i = 0; i < p.n; i++)
		failed += know_threads(b, &p.all[i], inherited(p.all, p.n, &p.all[i]));
	free(p.all);
	if (held > 0)
		thaw(b->d, b->launch.cg.dirfd);
	if (failed)
		sg_session_degrade(&b->session, "%u of its tasks could not be told apart by language", failed);
	if (p.apart)
		sg_session_degrade(&b->session,
				   "%u of its processes are in another PID namespace than sgd, which cannot tell their "
				   "languages: until they execute an interpreter they may not be judged",
				   p.apart);
	if (unread)
		sg_session_degrade(&b->session,
				   "which program %u of its processes execute may not be seen (CAP_SYS_PTRACE): until "
				   "they execute an interpreter they may not be judged",
				   unread);
	if (!still)
		sg_session_degrade(&b->session,
				   "its processes could not be held while their languages were looked up: one "
				   "that was forked meanwhile may not be judged");
}

/* ---- watching ---- */

static void look(struct sgd_discover *x, const char *rel, unsigned depth);

static struct watch *watch_find(struct sgd_discover *x, int wd)
{
	for (size_t i = 0; i < x->n_watches; i++)
		if (x->watches[i].wd == wd)
			return &x->watches[i];
	return NULL;
}

static void watch_drop(struct sgd_discover *x, struct watch *w)
{
	free(w->rel);
	*w = x->watches[--x->n_watches];
}

/* -EEXIST: it was watched already. */
static int watch_add(struct sgd_discover *x, const char *path, const char *rel)
{
	struct watch *bigger;
	char *copy;
	int wd;

	if (x->n_watches == WATCHES_MAX)
		return -ENOSPC;
	if (x->n_watches == x->room) {
		x->room = x->room ? x->room * 2 : 32;
		bigger = realloc(x->watches, x->room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		x->watches = bigger;
	}
	wd = inotify_add_watch(x->fd, path, IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (wd < 0)
		return -errno;
	if (watch_find(x, wd))
		return -EEXIST;
	copy = strdup(rel);
	if (!copy) {
		(void)inotify_rm_watch(x->fd, wd);
		return -ENOMEM;
	}
	x->watches[x->n_watches++] = (struct watch){.wd = wd, .rel = copy};
	return 0;
}

static void look_again(struct sgd_discover *x)
{
	x->again = sg_clock_ns(CLOCK_MONOTONIC) + AGAIN_NS;
	sgd_deadline(x->d, x->again);
}

static bool is_gone(int rc)
{
	return rc == -ENOENT || rc == -ENODEV;
}

static void take(struct sgd_discover *x, const char *path, const struct sgd_rule *r)
{
	SG_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct sg_err err = {0};
	int rc;

	if (fd < 0)
		rc = sg_err_set(&err, errno, "cannot open the cgroup %s: %s", path, strerror(errno));
	else
		rc = sgd_attach_found(x->d, fd, r->audit, &err);
	/* -EEXIST: somebody attached it, or this daemon did before. */
	if (rc == 0 || rc == -EEXIST || is_gone(rc))
		return;
	/* For want of room there is none now, and may be when others have ended. */
	if (rc != -EINVAL)
		look_again(x);
	if (!x->quiet)
		fprintf(stderr, "sgd: a cgroup that --discover %s names is not supervised: %s%s\n", r->pattern,
			err.message, rc != -EINVAL ? "; this is tried every 5 s" : "");
}

static void below(struct sgd_discover *x, const char *path, const char *rel, unsigned depth)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir && !is_gone(-errno))
		look_again(x);
	while (dir && (e = readdir(dir))) {
		char next[PATH_MAX];

		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    snprintf(next, sizeof(next), "%s/%s", rel, e->d_name) < (int)sizeof(next))
			look(x, next, depth + 1);
	}
	if (dir)
		closedir(dir);
}

/* A cgroup is there. What appears below it between the watch and the look is seen twice, which does no harm. */
static void look(struct sgd_discover *x, const char *rel, unsigned depth)
{
	const struct sgd_rule *r;
	char path[PATH_MAX];
	bool deeper;
	int rc;

	/* What we launch has its policy. */
	if (sg_path_within(rel, x->d->parent.rel))
		return;
	r = rule_for(x->d, rel, &deeper);
	if ((!r && !deeper) || depth >= DEPTH_MAX ||
	    snprintf(path, sizeof(path), "%s%s", x->mount, rel) >= (int)sizeof(path))
		return;
	if (r)
		take(x, path, r);
	if (!deeper)
		return;
	rc = watch_add(x, path, rel);
	if (rc < 0 && rc != -EEXIST && rc != -ENOENT && !x->full_said) {
		fprintf(stderr, "sgd: cannot watch the cgroup %s (%s): what appears below it stays unsupervised\n", rel,
			strerror(-rc));
		x->full_said = true;
	}
	below(x, path, rel, depth);
}

void sgd_discover_time(struct sgd *d, uint64_t now)
{
	struct sgd_discover *x = d->discover;
	struct sg_err err = {0};

	if (!x || !x->again)
		return;
	if (now < x->again) {
		sgd_deadline(d, x->again);
		return;
	}
	x->again = 0;
	if (sgd_box_place(d, &err) < 0) {
		look_again(x); /* it would be for nothing */
		return;
	}
	x->quiet = true;
	look(x, "", 0);
	x->quiet = false;
}

static unsigned depth_of(const char *rel)
{
	unsigned n = 0;

	for (; *rel; rel++)
		n += *rel == '/';
	return n;
}

static void on_event(struct sgd_discover *x, const struct inotify_event *e)
{
	struct watch *w;
	char rel[PATH_MAX];

	if (e->mask & IN_Q_OVERFLOW) {
		look(x, "", 0); /* whatever was missed */
		return;
	}
	w = watch_find(x, e->wd);
	if (!w)
		return;
	if (e->mask & IN_IGNORED) {
		watch_drop(x, w);
		return;
	}
	if (!(e->mask & IN_ISDIR) || !e->len ||
	    snprintf(rel, sizeof(rel), "%s/%s", w->rel, e->name) >= (int)sizeof(rel))
		return;
	look(x, rel, depth_of(rel));
}

static void on_events(struct sgd_source *s, uint32_t events)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct sgd_discover *x = s->owner;
	ssize_t n;

	(void)events;
	/* One read a turn: others have work, too. */
	n = read(x->fd, buf, sizeof(buf));
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(buf + at);

		on_event(x, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

int sgd_discover_start(struct sgd *d, struct sg_err *err)
{
	struct sgd_discover *x = d->discover;
	char root[256];
	int rc;

	if (!d->o->n_rules)
		return 0;
	if (!x)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = sg_cgroup_find_mount(x->mount, sizeof(x->mount), root, sizeof(root), err);
	if (!rc)
		rc = name_languages(x, err);
	if (rc)
		return rc;
	x->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (x->fd < 0)
		return sg_err_set(err, errno, "cannot watch cgroups: inotify: %s", strerror(errno));
	sgd_high(&x->fd);
	x->source = (struct sgd_source){.fd = -1, .fn = on_events, .owner = x};
	rc = sgd_loop_set(&d->loop, &x->source, x->fd, EPOLLIN);
	if (rc)
		return rc;
	/* Tasks may have come while there was no daemon, and a language may have been told apart for the first time. */
	for (struct sgd_box *b = d->boxes; b; b = b->next)
		if (b->discovered && b->launch.registered && b->phase == SGD_RUNNING)
			sgd_discover_tasks(b);
	look(x, "", 0);
	return 0;
}

void sgd_discover_stop(struct sgd *d)
{
	struct sgd_discover *x = d->discover;

	if (!x)
		return;
	(void)sgd_loop_set(&d->loop, &x->source, -1, 0);
	if (x->fd >= 0)
		close(x->fd);
	for (unsigned l = 0; l < x->n; l++)
		sgd_policy_put(&d->policies, x->policies[l]);
	while (x->n_watches)
		watch_drop(x, x->watches);
	free(x->watches);
	free(x);
	d->discover = NULL;
}

/* ---- records ---- */

void sgd_discover_as(struct sgd_box *b, unsigned language, struct sgd_as *was)
{
	struct sg_session *s = &b->session;
	struct sgd_discover *x = b->d->discover;
	struct sgd_policy *p = x && language && language <= x->n ? x->policies[language - 1] : NULL;
	struct sg_err err = {0};

	*was = (struct sgd_as){s->language, s->policy_source, s->policy_digest, s->policy};
	if (!p)
		return;
	s->language = p->language;
	s->policy_source = p->source;
	s->policy_digest = p->digest;
	s->policy = sgd_policy_parsed(p, &err);
}

void sgd_discover_was(struct sgd_box *b, const struct sgd_as *was)
{
	struct sg_session *s = &b->session;

	s->language = was->language;
	s->policy_source = was->source;
	s->policy_digest = was->digest;
	s->policy = was->policy;
}
