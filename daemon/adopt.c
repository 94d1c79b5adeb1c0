/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon before this one left. */
#include "daemon/sgd.h"

#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define TAIL_BYTES (4U << 20) /* of the log that may repeat what is still unread */

/* ---- what the log says already ---- */

/* The end of the log, from a whole line on. Caller frees; NULL: none. */
static char *log_tail(const char *path)
{
	SG_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	off_t from;
	ssize_t n;
	char *buf, *line;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return NULL;
	from = st.st_size > (off_t)TAIL_BYTES ? st.st_size - (off_t)TAIL_BYTES : 0;
	buf = malloc((size_t)(st.st_size - from) + 1);
	if (!buf)
		return NULL;
	n = pread(fd, buf, (size_t)(st.st_size - from), from);
	buf[n > 0 ? n : 0] = '\0';
	line = from ? strchr(buf, '\n') : NULL;
	if (line)
		memmove(buf, line + 1, strlen(line + 1) + 1);
	return buf;
}

/* Fills in what the records of one log say of the sandboxes here. */
static void read_log(struct sgd *d, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *r = json_loads(line, 0, NULL);
		const char *id = json_string_value(json_object_get(r, "sandbox"));
		const char *type = json_string_value(json_object_get(r, "type"));
		uint64_t seq = (uint64_t)json_integer_value(json_object_get(r, "seq"));
		uint64_t time = (uint64_t)json_integer_value(json_object_get(r, "timestamp"));

		/* An older ring buffer's numbers say nothing of this one's. */
		if (seq > d->logged && time >= *d->state.born)
			d->logged = seq;
		for (struct sgd_box *b = id && type ? d->boxes : NULL; b; b = b->next) {
			const char *action = json_string_value(json_object_get(r, "action"));

			if (strcmp(b->session.id, id) != 0)
				continue;
			if (!strcmp(type, "exit"))
				b->killed = true; /* its last word is said */
			if (action && !strcmp(action, "kill")) {
				b->session.n_kill++;
				if (!b->session.killing)
					b->session.killing = json_incref(r);
			}
		}
		json_decref(r);
	}
}

static void read_logs(struct sgd *d)
{
	char older[4096 + 16];

	if (!d->o->log || !*d->o->log)
		return;
	snprintf(older, sizeof(older), "%s.1", d->o->log);
	for (int i = 0; i < 2; i++) {
		SG_FREE char *text = log_tail(i ? d->o->log : older);

		if (text)
			read_log(d, text);
	}
}

/* ---- sandboxes ---- */

static int open_cgroup(struct sgd *d, struct sgd_box *b, const struct sgd_entry *e)
{
	struct sg_cgroup *cg = &b->launch.cg;
	char mount[256], root[256];
	struct sg_err err = {0};
	struct stat st;

	if (sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), &err) < 0)
		return -ENOENT;
	*cg = (struct sg_cgroup){.dirfd = -1,
				 .id = e->cgroup_id,
				 .level = e->level,
				 .has_pids = d->parent.has_pids,
				 .has_memory = d->parent.has_memory,
				 .has_cpu = d->parent.has_cpu};
	snprintf(cg->rel, sizeof(cg->rel), "%.*s", (int)sizeof(e->rel) - 1, e->rel);
	if (snprintf(cg->path, sizeof(cg->path), "%s%s", mount, cg->rel) >= (int)sizeof(cg->path))
		return -ENAMETOOLONG;
	snprintf(cg->name, sizeof(cg->name), "%.*s", (int)sizeof(e->id) - 1, e->id);
	cg->dirfd = open(cg->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (cg->dirfd < 0)
		return -errno;
	if (fstat(cg->dirfd, &st) == 0 && st.st_ino == e->cgroup_id)
		return 0;
	/* Somebody else's by now. */
	close(SG_TAKE_FD(cg->dirfd));
	return -ENOENT;
}

static void take_policy(struct sgd *d, struct sgd_box *b, const struct sgd_entry *e)
{
	struct sg_err err = {0};

	snprintf(b->language, sizeof(b->language), "%.*s", (int)sizeof(e->language) - 1, e->language);
	snprintf(b->digest, sizeof(b->digest), "%.*s", (int)sizeof(e->digest) - 1, e->digest);
	b->session.language = b->language;
	b->session.policy_digest = b->digest;
	b->session.policy_source = "unknown";
	b->session.widen = e->widen;
	if (sgd_policy_get(&d->policies, b->language, e->widen, NULL, 0, "", &b->policy, &err) < 0)
		return;
	if (!strcmp(b->policy->digest, b->digest)) {
		b->session.policy_source = b->policy->source;
		return;
	}
	/* What is in force is what was compiled then; what it says cannot be told from another text. */
	sgd_policy_put(&d->policies, b->policy);
	b->policy = NULL;
}

/* While they were not held a rule's inode may have become another one: the kernel may reuse its address. */
static void take_places(struct sgd *d, struct sgd_box *b, uint32_t index)
{
	struct sgd_entry *e = &d->state.entries[index];

	b->places = sgd_keeper_fetch(d, e);
	e->places[d->state.column] = b->places;
	if (b->places < 0)
		sg_session_degrade(&b->session, "what its rules about files name was not kept open between two "
						"supervisors: a rule may have come to mean another file");
}

static struct sgd_box *adopt_one(struct sgd *d, const struct sgd_entry *e, uint32_t index)
{
	struct sgd_box *b = sgd_box_new(d);
	struct sg_err err = {0};
	struct sg_launch *l;

	if (!b)
		return NULL;
	l = &b->launch;
	snprintf(b->session.id, sizeof(b->session.id), "%.*s", (int)sizeof(e->id) - 1, e->id);
	b->attached = l->attached = e->flags & SGD_ENTRY_ATTACHED;
	snprintf(b->attached ? b->container : b->session.label, sizeof(e->name), "%.*s", (int)sizeof(e->name) - 1,
		 e->name);
	b->discovered = l->discover = e->flags & SGD_ENTRY_DISCOVERED;
	b->keep = e->flags & SGD_ENTRY_KEEP;
	/* Only a launch brings a text along. */
	b->own_policy = b->discovered || !(e->flags & (SGD_ENTRY_RELOADS | SGD_ENTRY_ATTACHED));
	b->detached = true; /* no client of before is connected to us */
	b->options.audit = e->flags & SGD_ENTRY_AUDIT;
	b->options.stats = e->flags & SGD_ENTRY_STATS;
	b->options.seccomp = e->flags & SGD_ENTRY_FILTER;
	b->uid = e->uid;
	b->ready = true;
	b->adopted = true;
	b->phase = SGD_RUNNING;
	take_policy(d, b, e);
	l->tier = (e->flags & SGD_ENTRY_LSM) && index != UINT32_MAX ? SG_TIER_LSM : SG_TIER_BPF;
	l->bpf = d->bpf;
	if (l->tier == SG_TIER_LSM)
		take_places(d, b, index);
	l->filter = e->flags & SGD_ENTRY_FILTER;
	l->judge.audit = b->options.audit;
	l->registered = index != UINT32_MAX;
	l->sandbox = index;
	l->pid = e->pid;
	b->pid_start = e->pid_start;
	l->judge.self = (uint32_t)e->pid;
	l->started_at = e->started_at;
	l->started_ns = sg_clock_ns(CLOCK_MONOTONIC);
	if (sg_clock_ns(CLOCK_REALTIME) > e->started_at && sg_clock_ns(CLOCK_REALTIME) - e->started_at < l->started_ns)
		l->started_ns -= sg_clock_ns(CLOCK_REALTIME) - e->started_at;
	(void)open_cgroup(d, b, e);
	l->cg.id = b->session.cgroup_id = e->cgroup_id;
	b->plan.limits = e->limits;
	(void)sg_limiter_plan(&l->limiter, &b->plan.limits, &l->cg, &l->members, l->filter, false, l->mechanisms,
			      l->degraded, &err);
	sg_limiter_start(&l->limiter, l->started_ns);
	d->count.adopted++;
	if (!l->registered)
		return b;
	if (e->flags & SGD_ENTRY_SYS_ENTER) {
		l->sys_enter = true;
		d->sys_enter_users++; /* attached with the rest */
		b->slot_raw = (int)e->policy;
		d->policies.slots[e->policy % SG_MAX_POLICIES] = true;
	}
	d->by_index[index] = b;
	return b;
}

/* One that is in no BPF table: another version's, or none outlived the daemon. Its cgroup may still be there. */
static void adopt_again(struct sgd *d, const struct sgd_entry *e)
{
	struct sg_err err = {0};
	struct sgd_box *b;
	uint32_t slot = 0;
	int rc = 0;

	if (!(e->flags & (SGD_ENTRY_KEEP | SGD_ENTRY_ATTACHED)))
		return;
	b = adopt_one(d, e, UINT32_MAX);
	if (!b)
		return;
	if (b->launch.cg.dirfd < 0) {
		sgd_box_free(b);
		return;
	}
	if (e->flags & SGD_ENTRY_SYS_ENTER) {
		if (!b->policy)
			rc = sgd_policy_get(&d->policies, b->language, e->widen, NULL, 0, "", &b->policy, &err);
		if (!rc)
			rc = sgd_policy_slot_get(&d->policies, d->bpf, b->policy, &err);
		if (!rc) {
			slot = (uint32_t)(b->slot = b->policy->slot);
			b->session.policy_source = b->policy->source;
			b->session.policy_digest = b->policy->digest;
		}
	}
	if (!rc)
		rc = sg_launch_register(&b->launch, slot, &err);
	if (rc) {
		/* sgd_adopt_finish() sees to the record of its end. */
		fprintf(stderr, "sgd: sandbox %s is %s: %s\n", b->session.id,
			b->attached ? "no longer supervised" : "ended", err.message);
		sg_session_degrade(&b->session, "this supervisor could not take it over: %s", err.message);
		b->launch.sys_enter = false;
		if (!b->attached)
			(void)sg_cgroup_kill(&b->launch.cg);
		return;
	}
	if (b->launch.sys_enter)
		d->sys_enter_users++;
	d->by_index[b->launch.sandbox] = b;
	sg_session_degrade(&b->session, "nothing was enforced by BPF programs between two supervisors");
	sgd_state_put(b);
}

int sgd_adopt(struct sgd *d, struct sg_err *err)
{
	struct sgd_state *s = &d->state;
	struct sg_bpf_known *known = calloc(s->n + 1, sizeof(*known));
	struct sgd_entry *lost = calloc(s->n + 1, sizeof(*lost));
	size_t n = 0, n_lost = 0;
	int rc;

	if (!known || !lost) {
		free(known);
		free(lost);
		return sg_err_set(err, ENOMEM, "out of memory");
	}
	for (unsigned i = 0; i < s->n; i++)
		if (s->entries[i].used)
			known[n++] = (struct sg_bpf_known){
				.index = i, .level = s->entries[i].level, .cgroup_id = s->entries[i].cgroup_id};
	if (!sg_bpf_adopted(d->bpf))
		*s->born = sg_clock_ns(CLOCK_REALTIME);
	rc = sg_bpf_adopt(d->bpf, known, n, err);
	for (size_t i = 0; !rc && i < n; i++) {
		struct sgd_entry *e = &s->entries[known[i].index];

		if (known[i].found && adopt_one(d, e, known[i].index))
			continue;
		lost[n_lost++] = *e;
		e->used = 0;
	}
	for (size_t i = 0; !rc && i < n_lost; i++)
		adopt_again(d, &lost[i]);
	free(lost);
	free(known);
	if (!rc && n)
		read_logs(d);
	return rc;
}

/* Cgroups of launches that nobody knows: of a moment in which the daemon died. */
static void sweep(struct sgd *d)
{
	struct dirent *e;
	int fd = openat(d->parent.dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	while (dir && (e = readdir(dir))) {
		struct sg_cgroup cg = {.dirfd = -1};
		bool known = false;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		for (struct sgd_box *b = d->boxes; b && !known; b = b->next)
			known = !b->attached && !strcmp(b->launch.cg.name, e->d_name);
		if (known)
			continue;
		cg.dirfd = openat(d->parent.dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (cg.dirfd < 0)
			continue;
		if (sg_cgroup_populated(&cg) > 0)
			fprintf(stderr, "sgd: %s ran before and is written down nowhere: it is ended\n", e->d_name);
		(void)sg_cgroup_kill(&cg);
		snprintf(cg.path, sizeof(cg.path), "%s/%s", d->parent.path, e->d_name);
		(void)sg_cgroup_remove(&cg);
	}
	if (dir)
		closedir(dir);
}

/* Watches an adopted program, which is not our child. */
static void watch_on(struct sgd_box *b)
{
	struct sg_launch *l = &b->launch;

	if (l->pid > 0)
		l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	if (l->pidfd >= 0 && sg_proc_start_time(l->pid) != b->pid_start)
		close(SG_TAKE_FD(l->pidfd));
	sg_watch_start(&b->watch, l);
	b->watch.epoll = b->d->loop.epoll;
	if (l->pidfd < 0) {
		b->watch.ended = true;
		b->watch.ended_ns = sg_clock_ns(CLOCK_MONOTONIC);
		sg_watch_unknown(&b->watch, "it ended without a supervisor");
	}
	if (l->filter && !b->killed)
		sg_session_degrade(&b->session,
				   "its supervisor was replaced: a call that waited for an answer got none");
	sgd_box_adopted(b);
}

void sgd_adopt_finish(struct sgd *d)
{
	struct sgd_box *next;

	d->skip = d->logged;
	sgd_drain(d);
	d->skip = 0;
	for (struct sgd_box *b = d->boxes; b; b = next) {
		next = b->next;
		if (b->attached) {
			b->watch.l = &b->launch;
			/* Where its rule has another mode now it begins anew by that rule. */
			if (b->launch.cg.dirfd < 0 || !b->launch.registered ||
			    (b->discovered && !sgd_discover_wants(d, b->launch.cg.rel, b->options.audit))) {
				sgd_box_detach(b, b->launch.registered ? "ok" : "error");
				continue;
			}
			sgd_box_deadline(b, sg_clock_ns(CLOCK_MONOTONIC));
			/* Where it has no object rules any more, or never had, or nobody kept what they name. */
			if (d->lsm && !b->discovered && (b->launch.tier < SG_TIER_LSM || b->places < 0))
				sgd_attach_reopen(b);
			continue;
		}
		if (!b->keep || b->launch.cg.dirfd < 0) {
			/* It was not to outlive its supervisor, or did not. */
			b->session.cancelled = !b->session.killing && !b->keep;
			sg_watch_start(&b->watch, &b->launch);
			b->watch.epoll = d->loop.epoll;
			b->watch.ended = true;
			b->watch.ended_ns = sg_clock_ns(CLOCK_MONOTONIC);
			if (b->keep) {
				sg_watch_unknown(&b->watch, "it ended without a supervisor");
			} else {
				b->watch.status = SIGKILL;
				sg_session_degrade(&b->session, "its supervisor died");
			}
			if (b->launch.cg.dirfd >= 0)
				(void)sg_cgroup_kill(&b->launch.cg);
			sgd_box_adopted(b);
			continue;
		}
		watch_on(b);
	}
	sweep(d);
}
