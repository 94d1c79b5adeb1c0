/* SPDX-License-Identifier: Apache-2.0 */
/* Existing cgroups as sandboxes, and policies that change under all of them. */
#include "daemon/sgd.h"

#include "supervisor/cgroup_ns.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

/* Whether the cgroup at rel holds the process, itself or below. */
static bool holds(const char *rel, pid_t pid)
{
	struct sg_cgroup cg = {.dirfd = -1};

	snprintf(cg.rel, sizeof(cg.rel), "%s", rel);
	return sg_cgroup_contains(&cg, pid);
}

/*
 * Where a cgroup directory that the client opened is: asked of the kernel through the descriptor, never taken from a
 * path the client said.
 */
static int locate(struct sg_cgroup *cg, int fd, struct sg_err *err)
{
	char mount[256], root[256], link[64], path[PATH_MAX];
	struct statfs fs;
	struct stat st;
	ssize_t n;
	size_t m;
	int rc;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return sg_err_set(err, EINVAL, "that is no directory of a cgroup2 file system");
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return sg_err_set(err, EINVAL, "that is no cgroup: a file of one, perhaps");
	rc = sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), err);
	if (rc)
		return rc;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return sg_err_set(err, errno, "cannot tell where that cgroup is: %s", strerror(errno));
	path[n] = '\0';
	m = strcmp(mount, "/") ? strlen(mount) : 0;
	if (strncmp(path, mount, m) != 0 || (path[m] != '/' && path[m] != '\0'))
		return sg_err_set(err, EXDEV, "the cgroup %s is not below %s, where this host has its cgroups", path,
				  mount);
	if (!path[m] || !strcmp(path + m, "/"))
		return sg_err_set(err, EINVAL, "the root cgroup holds the whole host, sgd included");
	*cg = (struct sg_cgroup){.dirfd = -1, .id = st.st_ino};
	if (snprintf(cg->path, sizeof(cg->path), "%s", path) >= (int)sizeof(cg->path) ||
	    snprintf(cg->rel, sizeof(cg->rel), "%s", path + m) >= (int)sizeof(cg->rel))
		return sg_err_set(err, ENAMETOOLONG, "the path of the cgroup is too long: %s", path);
	cg->level = sg_cgroup_level(mount, root, cg->rel);
	/* The descriptor may be O_PATH: one of our own, for cgroup.kill and the rest. */
	cg->dirfd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cg->dirfd < 0)
		return sg_err_set(err, errno, "cannot open the cgroup %s: %s", path, strerror(errno));
	return 0;
}

/* The cgroup of a process, opened while its pidfd vouches for the pid. */
static int cgroup_of(int pidfd, int *out, pid_t *of, struct sg_err *err)
{
	char mount[256], root[256], path[512], file[64], buf[4096], rel[4096], *line;
	long pid;
	int rc;

	snprintf(file, sizeof(file), "/proc/self/fdinfo/%d", pidfd);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0 || !(line = strstr(buf, "\nPid:")))
		return sg_err_set(err, EINVAL, "that descriptor is no pidfd");
	pid = strtol(line + 5, NULL, 10);
	if (pid <= 0)
		return sg_err_set(err, ESRCH, "that process is gone, or in another pid namespace");
	snprintf(file, sizeof(file), "/proc/%ld/cgroup", pid);
	if (sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) < 0)
		return sg_err_set(err, ESRCH, "process %ld is gone", pid);
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		return sg_err_set(err, ESRCH, "process %ld is gone", pid);
	rc = sg_cgroup_place(buf, rel, sizeof(rel));
	if (rc)
		return sg_err_set(err, -rc,
				  rc == -ENOENT  ? "process %ld is in no cgroup2 cgroup"
				  : rc == -EXDEV ? "process %ld is in a cgroup that is not below the one mounted here: "
						   "sgd needs the host's cgroup2 mount"
						 : "the cgroup of process %ld has too long a path",
				  pid);
	rc = sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), err);
	if (rc)
		return rc;
	if (!strcmp(rel, "/"))
		return sg_err_set(err, EINVAL, "process %ld is in the root cgroup, which holds the whole host", pid);
	if (snprintf(path, sizeof(path), "%s%s", mount, rel) >= (int)sizeof(path))
		return sg_err_set(err, ENAMETOOLONG, "the path of the cgroup is too long: %s", rel);
	*of = (pid_t)pid;
	*out = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *out < 0 ? sg_err_set(err, errno, "cannot open the cgroup %s: %s", path, strerror(errno)) : 0;
}

/* Its cgroup was removed, which is looked for every half second: another one of that name may be there already. */
static bool is_over(const struct sgd_box *b)
{
	return b->attached && sg_cgroup_populated(&b->launch.cg) < 0;
}

/* Found by a rule, and somebody who knows more of that very cgroup says what it is. */
static bool gives_way(const struct sgd_box *b, const struct sgd_box *to)
{
	return b->discovered && !to->discovered && b->launch.cg.id == to->launch.cg.id;
}

/* now: it is about to be put in force, and was looked at before; else client asks for it. */
static int check_place(const struct sgd_box *n, const struct sgd_peer *client, bool now, struct sg_err *err)
{
	const struct sg_cgroup *cg = &n->launch.cg;
	const struct sgd *d = n->d;

	if (holds(cg->rel, getpid()))
		return sg_err_set(err, EINVAL, "sgd itself is in the cgroup %s", cg->rel);
	if (client && holds(cg->rel, client->pid))
		return sg_err_set(err, EINVAL, "the client itself is in the cgroup %s", cg->rel);
	if (sg_path_within(cg->rel, d->parent.rel) || sg_path_within(d->parent.rel, cg->rel))
		return sg_err_set(err, EINVAL, "the cgroup %s is sgd's own", cg->rel);
	for (struct sgd_box *b = d->boxes; b; b = b->next) {
		bool over;

		if (b->phase == SGD_GONE || !b->launch.registered)
			continue;
		if (!sg_path_within(cg->rel, b->launch.cg.rel) && !sg_path_within(b->launch.cg.rel, cg->rel))
			continue;
		over = is_over(b);
		if (!over && !gives_way(b, n))
			return sg_err_set(err, EEXIST, "the cgroup %s overlaps that of sandbox %s (%s)", cg->rel,
					  b->session.id, b->launch.cg.rel);
		if (over || now)
			sgd_box_detach(b, over ? "ok" : "detached");
	}
	return 0;
}

static void start_record(struct sgd_box *b)
{
	static char *const argv[] = {NULL};
	bool lsm = b->launch.tier == SG_TIER_LSM;
	const char *const layers[] = {"sys_enter", lsm ? "lsm" : NULL, NULL};
	struct sg_start start = {
		.time_ns = sg_clock_ns(CLOCK_REALTIME),
		.tier = b->launch.tier,
		.layers = layers,
		.limits = &b->plan.limits,
		.argv = argv,
		.degraded = b->launch.degraded,
		.not_enforced = lsm ? b->launch.not_enforced : NULL,
		.mode = b->options.audit ? "audit" : "enforce",
	};

	sg_session_start(&b->session, &start);
}

/* What the client knows of the program: paths as the cgroup's own processes see them, which only they are held to. */
static int take_view(struct sgd_box *b, json_t *view, struct sg_err *err)
{
	static const char *const paths[] = {"cwd", "home", "tmp"};
	const json_t *path = json_object_get(view, "path"), *args = json_object_get(view, "args");
	size_t i;
	json_t *arg;

	if (!view)
		return 0;
	for (i = 0; i < SG_ARRAY_SIZE(paths); i++) {
		const json_t *p = json_object_get(view, paths[i]);
		const char *text = json_string_value(p);

		if (p && (!text || *text != '/' || strlen(text) >= PATH_MAX))
			return sg_err_set(err, EINVAL, "\"view\": \"%s\" is no absolute path", paths[i]);
	}
	if (!json_is_object(view) || (path && !json_is_string(path)) || (args && !json_is_array(args)))
		return sg_err_set(err, EINVAL, "\"view\": \"path\" is a string, \"args\" an array of strings");
	json_array_foreach((json_t *)args, i, arg)
	{
		if (!json_is_string(arg))
			return sg_err_set(err, EINVAL, "\"view\": \"args\" is an array of strings");
	}
	b->view = json_incref(view);
	return 0;
}

static int take_options(struct sgd_box *b, const json_t *request, struct sg_err *err)
{
	const char *mode = json_string_value(json_object_get(request, "mode"));
	const char *container = json_string_value(json_object_get(request, "container_id"));

	if (mode && strcmp(mode, "audit") && strcmp(mode, "enforce"))
		return sg_err_set(err, EINVAL, "\"mode\": audit or enforce");
	b->options.audit = mode && !strcmp(mode, "audit");
	b->options.stats = json_is_true(json_object_get(request, "stats"));
	b->launch.from_exec = json_is_true(json_object_get(request, "from_exec"));
	if (container && (strlen(container) >= sizeof(b->container) ||
			  strspn(container, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-") !=
				  strlen(container)))
		return sg_err_set(err, EINVAL, "\"container_id\": at most %zu letters, digits and _.:-",
				  sizeof(b->container) - 1);
	snprintf(b->container, sizeof(b->container), "%s", container ? container : "");
	return take_view(b, json_object_get(request, "view"), err);
}

/* Whether the policy says anything of objects that BPF LSM would have to enforce. */
static bool has_object_rules(struct sgd_box *b)
{
	const struct sg_objects *o;
	struct sg_err err = {0};

	if (!sgd_policy_parsed(b->policy, &err))
		return true;
	o = sg_policy_objects(b->policy->policy);
	for (unsigned i = 0; i < SG_CLASS_SUPERVISOR; i++)
		if (o->cls[i].mode != SG_MODE_ALLOW)
			return true;
	return false;
}

/* A cgroup whose policy is found. */
static void name_it(struct sgd_box *b, uint32_t tier)
{
	struct sg_launch *l = &b->launch;

	b->session.language = b->policy->language;
	b->session.policy_source = b->policy->source;
	b->session.policy_digest = b->policy->digest;
	b->session.cgroup_id = l->cg.id;
	l->tier = tier;
	l->bpf = b->d->bpf;
	l->judge.audit = b->options.audit;
	b->watch.l = l;
	l->started_ns = sg_clock_ns(CLOCK_MONOTONIC);
}

/* Everything that can be refused. Nothing is in force yet. */
static int begin(struct sgd_box *b, struct sgd_conn *c, const json_t *request, int fd, struct sg_err *err)
{
	const char *language = json_string_value(json_object_get(request, "language"));
	struct sg_launch *l = &b->launch;
	struct sgd *d = c->d;
	int rc;

	if (!language)
		return sg_err_set(err, EINVAL, "\"language\" is missing");
	b->attached = b->keep = l->attached = true;
	b->uid = c->peer.uid;
	rc = take_options(b, request, err);
	if (!rc)
		rc = locate(&l->cg, fd, err);
	if (!rc)
		rc = check_place(b, &c->peer, false, err);
	if (!rc)
		rc = sgd_policy_get(&d->policies, language, 0, NULL, 0, "", &b->policy, err);
	if (rc)
		return rc;
	snprintf(b->language, sizeof(b->language), "%s", language);
	name_it(b, d->lsm ? SG_TIER_LSM : SG_TIER_BPF);
	return 0;
}

/* Puts it in force. fds: its object rules and their places, NULL: none. */
static int complete(struct sgd_box *b, const int *fds, struct sg_err *err)
{
	struct sg_launch *l = &b->launch;
	struct sgd *d = b->d;
	int rc = check_place(b, NULL, true, err);

	if (!rc)
		rc = sgd_box_place(d, err);
	if (!rc)
		rc = sgd_policy_slot_get(&d->policies, d->bpf, b->policy, err);
	if (rc)
		return rc;
	b->slot = b->policy->slot;
	rc = sgd_sys_enter_get(d, err);
	if (rc)
		return rc;
	l->sys_enter = true;
	rc = sg_launch_register(l, (uint32_t)b->slot, err);
	if (rc)
		return rc;
	d->by_index[l->sandbox] = b;
	if (fds)
		rc = sgd_objects_take(b, fds[0], fds[1], err);
	else if (b->discovered)
		sg_launch_degrade(
			l, "rules about files, addresses and other objects are not enforced in a discovered cgroup");
	else if (has_object_rules(b))
		sg_launch_degrade(l,
				  "rules about files, addresses and other objects are not enforced for an attached "
				  "cgroup without BPF LSM: %s",
				  d->no_lsm);
	if (rc)
		return rc;
	l->started_ns = sg_clock_ns(CLOCK_MONOTONIC);
	l->started_at = sg_clock_ns(CLOCK_REALTIME);
	b->phase = SGD_RUNNING;
	b->ready = true;
	start_record(b);
	if (b->discovered)
		sgd_discover_tasks(b);
	sgd_state_put(b);
	sgd_box_deadline(b, sg_clock_ns(CLOCK_MONOTONIC) + 500000000ULL);
	d->count.attaches++;
	return 0;
}

/* Its sandbox is as it was, or ends. */
static void opening_failed(struct sgd_box *b, const struct sg_err *err)
{
	fprintf(stderr, "sgd: sandbox %s: its object rules stay as they were: %s\n", b->session.id, err->message);
	sg_session_degrade(&b->session, "its object rules stayed as they were: %s", err->message);
}

/* Where other policies came meanwhile what was opened is of no use. */
static int still_the_policy(const struct sgd_box *b, struct sg_err *err)
{
	struct sgd_policy *now;
	bool same;
	int rc = sgd_policy_get(&b->d->policies, b->language, 0, NULL, 0, "", &now, err);

	if (rc)
		return rc;
	same = now == b->policy;
	sgd_policy_put(&b->d->policies, now);
	return same ? 0 : sg_err_set(err, EAGAIN, "the policies were replaced while it was attached: try again");
}

void sgd_attach_opened(struct sgd_box *b, struct sgd_conn *c, const int *fds, const json_t *degraded,
		       struct sg_err *err)
{
	int rc = fds ? 0 : -err->code;
	const json_t *sentence;
	size_t i;

	if (b->launch.registered) {
		/* It is in force, and gets other rules. */
		if (!rc)
			rc = sgd_objects_take(b, fds[0], fds[1], err);
		if (rc) {
			opening_failed(b, err);
			return;
		}
		b->launch.tier = SG_TIER_LSM;
		sgd_state_put(b);
		return;
	}
	if (!rc)
		rc = still_the_policy(b, err);
	json_array_foreach((json_t *)degraded, i, sentence)
	{
		sg_launch_degrade(&b->launch, "%s", json_string_value(sentence));
	}
	if (!rc)
		rc = complete(b, fds, err);
	if (c)
		sgd_answer_attach(c, b, rc, err);
	if (rc)
		b->phase = SGD_GONE;
}

void sgd_attach_reopen(struct sgd_box *b)
{
	struct sg_err err = {0};

	if (!b->policy)
		(void)sg_err_set(&err, ENOENT, "the policy that it has is not among those of this daemon");
	if (err.code || sgd_opener_start(b, NULL, -1, &err) < 0)
		opening_failed(b, &err);
}

int sgd_attach(struct sgd_conn *c, const json_t *request, int *fds, int n_fds, struct sgd_box **out, bool *later,
	       struct sg_err *err)
{
	const char *by = json_string_value(json_object_get(request, "by"));
	SG_CLOSE int own = -1;
	pid_t pid = 0;
	struct sgd_box *b;
	int rc = 0;

	if (n_fds < 1 || n_fds > 2 || !by || (strcmp(by, "cgroup") && strcmp(by, "pidfd")))
		return sg_err_set(err, EINVAL,
				  "\"attach\" takes \"by\": \"cgroup\" or \"pidfd\", and one descriptor of that kind; "
				  "a second one is the root directory that its rules are about");
	if (!strcmp(by, "pidfd"))
		rc = cgroup_of(fds[0], &own, &pid, err);
	if (rc)
		return rc;
	b = sgd_box_new(c->d);
	if (!b)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = begin(b, c, request, own >= 0 ? own : fds[0], err);
	b->view_pid = pid;
	*out = b;
	if (!rc && c->d->lsm) {
		*later = true;
		rc = sgd_opener_start(b, c, n_fds > 1 ? fds[1] : -1, err);
	} else if (!rc) {
		rc = complete(b, NULL, err);
	}
	if (rc)
		sgd_box_free(b);
	return rc;
}

/* Its own policy judges nothing: what is no interpreter, nor came from one, goes on as before. */
#define NOBODY_NAME "other"
static const char nobody[] = NOBODY_NAME ": {unlisted: allow}\n";

int sgd_attach_found(struct sgd *d, int fd, bool audit, struct sg_err *err)
{
	struct sgd_box *b = sgd_box_new(d);
	int rc;

	if (!b)
		return sg_err_set(err, ENOMEM, "out of memory");
	b->attached = b->keep = b->discovered = b->launch.attached = b->launch.discover = b->own_policy = true;
	b->options.audit = audit;
	rc = locate(&b->launch.cg, fd, err);
	if (!rc)
		rc = check_place(b, NULL, false, err);
	if (!rc)
		rc = sgd_policy_get(&d->policies, NOBODY_NAME, 0, nobody, sizeof(nobody) - 1, "discover", &b->policy,
				    err);
	if (!rc) {
		name_it(b, SG_TIER_BPF);
		rc = complete(b, NULL, err);
	}
	if (rc)
		sgd_box_free(b);
	return rc;
}

/* ---- new policies ---- */

struct change {
	struct sgd_box *box;
	struct sgd_policy *policy;
	bool slot;
};

/*
 * Everything that can fail comes first: the file, each sandbox's new policy, its place in the BPF tables. Then each
 * sandbox changes over by one store of the number of its policy.
 */
int sgd_reload(struct sgd *d, const char *text, size_t size, const char *name, json_t **changed, struct sg_err *err)
{
	struct change *list = calloc(d->n_boxes + 1, sizeof(*list));
	struct sgd_policies *ps = &d->policies;
	struct sg_doc *old = ps->doc;
	char *old_name = ps->doc_name;
	unsigned old_generation = ps->generation;
	size_t n = 0;
	int rc;

	if (!list)
		return sg_err_set(err, ENOMEM, "out of memory");
	/* Kept until it is certain that it is not needed again. */
	ps->doc = NULL;
	ps->doc_name = NULL;
	rc = sgd_policies_load(ps, name, text, size, err);
	for (struct sgd_box *b = d->boxes; !rc && b; b = b->next) {
		/* A policy that a client brought along stays what the client said. */
		if ((b->slot < 0 && b->slot_raw < 0) || b->phase == SGD_GONE || !b->launch.registered || b->own_policy)
			continue;
		list[n].box = b;
		rc = sgd_policy_get(ps, b->session.language, b->session.widen, NULL, 0, "", &list[n].policy, err);
		if (rc)
			break;
		n++;
		rc = sgd_policy_slot_get(ps, d->bpf, list[n - 1].policy, err);
		list[n - 1].slot = !rc;
	}
	if (rc) {
		for (size_t i = 0; i < n; i++) {
			if (list[i].slot)
				sgd_policy_slot_put(ps, list[i].policy);
			sgd_policy_put(ps, list[i].policy);
		}
		sg_doc_free(ps->doc);
		free(ps->doc_name);
		ps->doc = old;
		ps->doc_name = old_name;
		ps->generation = old_generation;
		free(list);
		d->count.reloads_failed++;
		return rc;
	}
	sg_doc_free(old);
	free(old_name);
	sgd_again_drop(d);
	*changed = json_array();
	sgd_drain(d); /* what was judged by the old policy is explained by it */
	for (size_t i = 0; i < n; i++) {
		struct sgd_box *b = list[i].box;
		struct sgd_policy *before = b->policy;
		bool other = strcmp(b->session.policy_digest, list[i].policy->digest) != 0;

		(void)sg_bpf_switch_policy(d->bpf, b->launch.sandbox, (uint32_t)list[i].policy->slot, err);
		if (other)
			json_array_append_new(*changed, json_string(b->session.id));
		if (b->slot >= 0)
			sgd_policy_slot_put(ps, before);
		sgd_box_raw_slot_put(b);
		b->policy = list[i].policy;
		b->slot = b->policy->slot;
		b->session.policy = NULL;
		b->session.language = b->policy->language;
		b->session.policy_source = b->policy->source;
		b->session.policy_digest = b->policy->digest;
		sgd_policy_put(ps, before);
		sgd_state_put(b);
		/* Its system calls are judged by the new ones from here on, its objects as soon as those are open. */
		if (other && b->attached && b->launch.tier == SG_TIER_LSM)
			sgd_attach_reopen(b);
	}
	free(list);
	d->count.reloads++;
	return sgd_discover_reload(d, err);
}
