/* SPDX-License-Identifier: Apache-2.0 */
/* A launch, from the client's packet to the child. Every number and string in the packet is the client's word. */
#include "daemon/sgd.h"

#include "policy/net_filter.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ARGS_FEW (64U << 10)     /* bytes of pointers that any launch may take while it begins */
#define ARGS_OF_USER (64U << 20) /* and all those of a user that take more */
#define MEMORY_MIN (16ULL << 20)
#define OWN_LIMITS_NS 1000000000ULL
#define SENTENCE_MAX 1024     /* as sg_launch_degrade() makes them */
#define TEXTS_MAX (12U << 10) /* in a record, which must fit into a packet beside the arguments */

struct request {
	struct sgd *d;
	struct sgd_conn *c;
	const struct sg_wire_launch *w;
	const int32_t *numbers;
	const char *inline_strings;
	int cwd, *given, strings_fd, policy_fd, landlock_fd, objects_fd, places_fd;
	bool again;   /* w is of a launch before this one */
	bool alone;   /* the client may do it by itself */
	size_t texts; /* bytes in records */
	const char *label;
	size_t label_size;
};

/* Bytes of pointers to the arguments and the environment. */
static size_t args_size(const struct sg_wire_launch *w)
{
	return ((size_t)w->n_argv + w->n_env) * sizeof(char *);
}

static int parse(struct request *r, const void *packet, size_t size, int *fds, int n_fds, struct sg_err *err)
{
	const struct sg_wire_launch *w = packet;
	uint64_t rest, strings;
	int want;

	if (size < sizeof(*w) || w->limits_size != sizeof(w->limits))
		return sg_err_set(err, EPROTO, "sgrun and sgd are of different versions");
	if (w->flags & ~SG_WIRE_FLAGS)
		return sg_err_set(err, EPROTO, "unknown flags %#x; is sgrun newer than sgd?",
				  w->flags & ~SG_WIRE_FLAGS);
	if (!memchr(w->language, '\0', sizeof(w->language)) || !w->language[0])
		return sg_err_set(err, EPROTO, "the name of the language is not terminated");
	if (w->n_fds > SG_HEIR_FDS || w->strings_size > SG_PROTO_STRINGS_MAX || w->policy_size > SG_POLICY_MAX_BYTES ||
	    !w->n_argv || w->n_argv > w->strings_size || w->n_env > w->strings_size || w->umask > 0777 ||
	    w->n_missing > SG_PROTO_SENTENCES || w->n_degraded > SG_PROTO_SENTENCES || w->widen > 0xffff ||
	    w->n_widened > SG_MAX_ACCESS_OPTIONS)
		return sg_err_set(err, EPROTO, "a number in the request is out of range");
	/* As execve(2) counts, which takes no more under any limit. */
	if (w->strings_size + args_size(w) > SG_PROTO_STRINGS_MAX) {
		r->alone = true;
		return sg_err_set(err, E2BIG, "arguments and environment take more than any execution does: %u bytes",
				  SG_PROTO_STRINGS_MAX);
	}
	rest = size - sizeof(*w);
	if (rest < w->n_fds * sizeof(int32_t))
		return sg_err_set(err, EPROTO, "the request is cut short");
	rest -= w->n_fds * sizeof(int32_t);
	strings = w->flags & SG_WIRE_STRINGS_FD ? 0 : w->strings_size;
	if (rest < strings ||
	    (w->flags & SG_WIRE_LABEL ? rest - strings < 1 || rest - strings > SG_LABEL_MAX : rest != strings))
		return sg_err_set(err, EPROTO, "the request is not as long as it says");
	r->label_size = rest - strings;
	want = 1 + (int)w->n_fds + !!(w->flags & SG_WIRE_STRINGS_FD) + !!(w->flags & SG_WIRE_POLICY_FD) +
	       !!(w->flags & SG_WIRE_LANDLOCK_FD) + 2 * !!(w->flags & SG_WIRE_OBJECTS_FD);
	if (n_fds != want)
		return sg_err_set(err, EPROTO, "the request carries %d descriptors and says %d", n_fds, want);
	r->w = w;
	r->numbers = (const int32_t *)(w + 1);
	r->inline_strings = (const char *)(r->numbers + w->n_fds);
	r->label = r->inline_strings + strings;
	for (uint32_t i = 0, passed = 0; i < w->n_fds; i++) {
		passed += r->numbers[i] > 2;
		if (passed > SG_MAX_PASSED_FDS)
			return sg_err_set(err, E2BIG, "more than %d descriptors to pass", SG_MAX_PASSED_FDS);
		if (r->numbers[i] < 0 || r->numbers[i] >= 65536)
			return sg_err_set(err, EINVAL, "descriptor number %d: sgd hands over 0 to 65535",
					  r->numbers[i]);
		for (uint32_t k = 0; k < i; k++)
			if (r->numbers[k] == r->numbers[i])
				return sg_err_set(err, EPROTO, "descriptor number %d twice", r->numbers[i]);
	}
	r->cwd = fds[0];
	r->given = fds + 1;
	fds += 1 + w->n_fds;
	r->strings_fd = w->flags & SG_WIRE_STRINGS_FD ? *fds++ : -1;
	r->policy_fd = w->flags & SG_WIRE_POLICY_FD ? *fds++ : -1;
	r->landlock_fd = w->flags & SG_WIRE_LANDLOCK_FD ? *fds++ : -1;
	r->objects_fd = w->flags & SG_WIRE_OBJECTS_FD ? *fds++ : -1;
	r->places_fd = w->flags & SG_WIRE_OBJECTS_FD ? *fds : -1;
	return 0;
}

/* Only what can neither change nor wait: a sealed memory file. */
static int map_sealed(int fd, size_t size, void **out, const char *what, struct sg_err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return sg_err_set(err, EPROTO, "%s did not come in a sealed memory file", what);
	if (fstat(fd, &st) < 0 || st.st_size != (off_t)size || !size)
		return sg_err_set(err, EPROTO, "%s is not as long as the request says", what);
	if (sgd_has_holes(&st))
		return sg_err_set(err, EPROTO, "%s came in a memory file with holes", what);
	*out = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	return *out == MAP_FAILED ? sg_err_set(err, ENOMEM, "cannot map %s: %s", what, strerror(errno)) : 0;
}

/* Bytes that a text takes in a record at most. */
static size_t in_json(const char *text)
{
	size_t n = 0;

	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		n += *c < 0x20 ? 6 : *c >= 0x80 ? 3 : *c == '"' || *c == '\\' ? 2 : 1;
	return n;
}

/* A text for records, of max bytes. What is too long for them sgrun may still do by itself. */
static int take_text(struct request *r, const char *text, size_t max, const char *what, struct sg_err *err)
{
	if (strlen(text) > max) {
		r->alone = true;
		return sg_err_set(err, E2BIG, "%s is longer than %zu bytes", what, max);
	}
	r->texts += in_json(text);
	if (r->texts <= TEXTS_MAX)
		return 0;
	r->alone = true;
	return sg_err_set(err, E2BIG,
			  "the name of the policy, the options that add to it and the sentences for the record take "
			  "more than %u bytes there",
			  TEXTS_MAX);
}

static int take_sentence(struct request *r, struct sgd_box *b, const char *text, bool missing, struct sg_err *err)
{
	int rc = take_text(r, text, SENTENCE_MAX, "a sentence for the record", err);

	if (!rc)
		json_array_append_new(missing ? b->launch.not_enforced : b->launch.degraded, sg_json_text(text));
	return rc;
}

/*
 * A launch begins for as long as its program cannot be opened, and the user may see to that. What it takes of our
 * memory until then is bounded for all of a user's together.
 */
static int share_of_args(struct request *r, struct sgd_box *b, struct sg_err *err)
{
	size_t n = args_size(r->w);

	if (b->uid == 0 || n <= ARGS_FEW)
		return 0;
	b->job->args_size = n;
	for (const struct sgd_box *o = r->d->boxes; o; o = o->next)
		if (o != b && o->uid == b->uid && o->job)
			n += o->job->args_size;
	if (n <= ARGS_OF_USER)
		return 0;
	r->alone = true;
	return sg_err_set(err, ENOSPC,
			  "launches of user %u that have not begun yet have too many arguments: %zu MiB of them",
			  b->uid, n >> 20);
}

/* Splits the strings up: path, policy name, arguments, environment. *policy_name points into them. */
static int take_strings(struct request *r, struct sgd_box *b, const char **policy_name, struct sg_err *err)
{
	const struct sg_wire_launch *w = r->w;
	struct sgd_job *j = b->job;
	size_t first = 2 + (size_t)w->n_argv + w->n_env, last = first + w->n_missing + w->n_degraded;
	size_t total = last + w->n_widened, at = 0;
	void *map;
	int rc = share_of_args(r, b, err);

	if (rc)
		return rc;
	if (r->strings_fd >= 0) {
		rc = map_sealed(r->strings_fd, w->strings_size, &map, "the strings", err);
		if (rc)
			return rc;
		j->mapped = true;
		j->strings = map;
	} else {
		j->strings = malloc(w->strings_size ? w->strings_size : 1);
		if (!j->strings)
			return sg_err_set(err, ENOMEM, "out of memory");
		memcpy(j->strings, r->inline_strings, w->strings_size);
	}
	j->strings_size = w->strings_size;
	j->argv = calloc((size_t)w->n_argv + 1, sizeof(char *));
	j->env = calloc((size_t)w->n_env + 1, sizeof(char *));
	if (!j->argv || !j->env)
		return sg_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < total; i++) {
		char *text = j->strings + at, *end = memchr(text, '\0', w->strings_size - at);

		if (at >= w->strings_size || !end)
			return sg_err_set(err, EPROTO, "there are fewer strings than the request says");
		at += (size_t)(end - text) + 1;
		if (i == 0)
			b->plan.path = text;
		else if (i == 1)
			rc = take_text(r, *policy_name = text, PATH_MAX - 1, "the name of the policy file", err);
		else if (i < 2 + (size_t)w->n_argv)
			j->argv[i - 2] = text;
		else if (i < first)
			j->env[i - 2 - w->n_argv] = text;
		else if (i >= last)
			rc = take_text(r, b->plan.widened[i - last] = text, PATH_MAX + 16,
				       "an option that adds to the policy", err);
		else
			rc = take_sentence(r, b, text, i - first < w->n_missing, err);
		if (rc)
			return rc;
	}
	if (at != w->strings_size || !*b->plan.path)
		return sg_err_set(err, EPROTO, "there are more strings than the request says, or no program");
	b->plan.argv = j->argv;
	b->plan.env = j->env;
	b->session.widened = b->plan.widened;
	return 0;
}

/* Half of the room for texts of policies is what one user gets who is not root. For one that was not there before. */
static int share_of_texts(struct sgd *d, const struct sgd_box *b, struct sg_err *err)
{
	struct sgd_policies *ps = &d->policies;
	unsigned n = 0, mark = ++ps->marks;
	size_t bytes = 0;

	if (b->uid == 0 || (ps->n <= SGD_POLICIES_MAX / 2 && ps->bytes <= SGD_POLICIES_BYTES / 2))
		return 0;
	for (const struct sgd_box *o = d->boxes; o; o = o->next) {
		if (o->uid != b->uid || !o->own_policy || !o->policy || o->policy->mark == mark)
			continue;
		o->policy->mark = mark;
		n++;
		bytes += o->policy->size;
	}
	if (n <= SGD_POLICIES_MAX / 2 && bytes <= SGD_POLICIES_BYTES / 2)
		return 0;
	return sg_err_set(
		err, ENOSPC,
		"user %u has %u policies in use, of %zu bytes: one user gets at most half of the room for them", b->uid,
		n, bytes);
}

static int take_policy(struct request *r, struct sgd_box *b, const char *name, struct sg_err *err)
{
	struct sgd_policies *ps = &r->d->policies;
	void *text = NULL;
	int rc;

	if (r->policy_fd < 0)
		return sgd_policy_get(ps, r->w->language, r->w->widen, NULL, 0, "", &b->policy, err);
	b->own_policy = true;
	rc = map_sealed(r->policy_fd, r->w->policy_size, &text, "the policy", err);
	if (rc)
		return rc;
	rc = sgd_policy_get(ps, r->w->language, r->w->widen, text, r->w->policy_size, name, &b->policy, err);
	munmap(text, r->w->policy_size);
	if (!rc && b->policy->users == 1)
		rc = share_of_texts(r->d, b, err);
	r->alone = rc == -ENOSPC;
	return rc;
}

/* Which limits need not be set, as the child has them from us. Ours change when somebody uses prlimit(1), if at all. */
static uint32_t same_as_ours(const struct rlimit theirs[RLIM_NLIMITS])
{
	static struct rlimit own[RLIM_NLIMITS];
	static uint64_t looked;
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);
	uint32_t same = 0;

	if (!looked || now > looked + OWN_LIMITS_NS) {
		looked = now;
		for (int i = 0; i < RLIM_NLIMITS; i++)
			if (getrlimit((__rlimit_resource_t)i, &own[i]) < 0)
				own[i] = (struct rlimit){.rlim_cur = 1}; /* which nobody has */
	}
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (own[i].rlim_cur == theirs[i].rlim_cur && own[i].rlim_max == theirs[i].rlim_max)
			same |= 1U << i;
	return same;
}

/* Of what a client ignores, what sgrun says of it. */
static uint64_t ignored_for_program(uint64_t ignored)
{
	uint64_t set = SG_IGNORED_SIGNALS;

	for (size_t i = 0; i < SG_KEPT_SIGNALS; i++)
		set |= SG_BIT_OF(sg_kept_signals[i]);
	return ignored & set;
}

static int take_heir(struct request *r, struct sgd_box *b, struct sg_err *err)
{
	const struct sg_wire_launch *w = r->w;
	struct sgd_job *j = b->job;
	struct sg_heir *h = &j->heir;
	struct sgd_heritage have = {0};
	int rc = sgd_again_inherit(r->c, &have) ? sgd_peer_still(&r->c->peer, &have, err)
						: sgd_peer_inherit(&r->c->peer, r->c->src.fd, &have, err);

	j->groups = have.groups;
	if (rc) {
		r->alone = rc == -EXDEV;
		return rc;
	}
	h->daemon = r->d->self;
	h->cwd = r->cwd;
	h->n_fds = (int)w->n_fds;
	for (int i = 0; i < h->n_fds; i++) {
		h->from[i] = r->given[i];
		h->to[i] = r->numbers[i];
		if (h->to[i] > 2)
			b->plan.fds[b->plan.n_fds++] = h->to[i];
	}
	h->ignored = r->again ? ignored_for_program(have.ignored) : w->ignored;
	h->umask = r->again ? have.umask : w->umask;
	h->nice = have.nice;
	j->oom_score_adj = have.oom_score_adj;
	memcpy(h->rlimits, have.rlimits, sizeof(h->rlimits));
	h->same_rlimits = same_as_ours(h->rlimits);
	h->cpus_size = have.cpus_size;
	memcpy(h->cpus, have.cpus, sizeof(h->cpus));
	b->plan.set_ids = true;
	b->plan.uid = r->c->peer.uid;
	b->plan.gid = r->c->peer.gid;
	if (w->flags & SG_WIRE_IDS) {
		if (r->c->peer.uid != 0)
			return sg_err_set(err, EPERM, "only root can run a program as another user");
		if (w->uid == UINT32_MAX || w->gid == UINT32_MAX)
			return sg_err_set(err, EINVAL, "%u is no user or group", UINT32_MAX);
		b->plan.uid = w->uid;
		b->plan.gid = w->gid;
	} else {
		h->groups = have.groups;
		h->n_groups = have.n_groups;
	}
	return 0;
}

static int take_label(struct request *r, struct sgd_box *b, struct sg_err *err)
{
	if (!r->label_size)
		return 0;
	memcpy(b->session.label, r->label, r->label_size);
	if (!memchr(r->label, '\0', r->label_size) && sg_label_usable(b->session.label))
		return 0;
	b->session.label[0] = '\0';
	return sg_err_set(err, EPROTO, "the label is not printable UTF-8");
}

static void take_options(struct request *r, struct sgd_box *b)
{
	const struct sg_wire_launch *w = r->w;

	b->options = (struct sg_options){
		.tier = (int)w->tier,
		.require = (int)w->require,
		.seccomp = !(w->flags & SG_WIRE_NO_SECCOMP),
		.audit = w->flags & SG_WIRE_AUDIT,
		.stats = w->flags & SG_WIRE_STATS,
		.require_limits = w->flags & SG_WIRE_REQUIRE_LIMITS,
		.limits = w->limits,
	};
	b->human = b->session.human = w->flags & SG_WIRE_HUMAN;
	b->quiet = w->flags & SG_WIRE_QUIET;
	b->detached = w->flags & SG_WIRE_DETACH;
	b->keep = w->flags & SG_WIRE_KEEP;
	b->launch.outlives = b->keep;
	b->launch.net_refused = w->flags >> SG_WIRE_NET_SHIFT & SG_NET_REFUSE_ALL;
	b->launch.judge.audit = b->options.audit;
}

/* Half of the places, and of those for policies that sys_enter judges by, is what one user gets who is not root. */
static int share_of_places(const struct sgd *d, uid_t uid, struct sg_err *err)
{
	unsigned n = 0, stuck = 0, most = (d->o->max_sandboxes + 1) / 2;
	char over[128] = "";

	/* Whose they are need not be asked while there are no more of them. */
	if (uid == 0 || d->n_boxes <= most)
		return 0;
	for (const struct sgd_box *o = d->boxes; o; o = o->next) {
		n += o->uid == uid && !o->attached && (o->launch.registered || o->stuck);
		stuck += o->uid == uid && o->stuck;
	}
	if (n < most)
		return 0;
	if (stuck)
		snprintf(over, sizeof(over), ", %u of which have ended and cannot be removed", stuck);
	return sg_err_set(err, ENOSPC, "user %u has %u sandboxes%s: one user gets at most half of sgd's %u places", uid,
			  n, over, d->o->max_sandboxes);
}

static int share_of_policies(const struct sgd *d, uid_t uid, const struct sgd_policy *wanted, struct sg_err *err)
{
	bool theirs[SG_MAX_POLICIES] = {false};
	unsigned n = 0;

	if (uid == 0)
		return 0;
	for (const struct sgd_box *o = d->boxes; o; o = o->next) {
		int slot = o->slot >= 0 ? o->slot : o->slot_raw;

		if (o->uid != uid || o->attached || slot < 0 || theirs[slot % SG_MAX_POLICIES])
			continue;
		if (slot == wanted->slot)
			return 0;
		theirs[slot % SG_MAX_POLICIES] = true;
		n++;
	}
	if (n < SG_MAX_POLICIES / 2)
		return 0;
	return sg_err_set(err, ENOSPC,
			  "sandboxes of user %u that sys_enter judges have %u policies: one user gets at most half of "
			  "the %d places for them",
			  uid, n, SG_MAX_POLICIES);
}

static int set_up(struct request *r, struct sgd_box *b, struct sg_err *err)
{
	struct sg_launch *l = &b->launch;
	struct sgd *d = r->d;
	uint32_t slot = 0;
	int rc;

	l->tier = d->lsm && r->objects_fd >= 0 ? SG_TIER_LSM : SG_TIER_BPF;
	l->bpf = d->bpf;
	l->filter = b->options.seccomp && !b->options.audit;
	if (l->tier < SG_TIER_LSM && (b->options.tier == SG_TIER_LSM || b->options.require == SG_TIER_LSM))
		return sg_err_set(err, ENOTSUP, "the lsm tier is not to be had here: %s; see sgrun doctor",
				  d->lsm ? "no object rules came with the request" : d->no_lsm);
	if (b->options.tier == SG_TIER_UNPRIVILEGED)
		return sg_err_set(err, EINVAL, "--tier unprivileged is sgrun's own: use --daemon off");
	b->session.language = b->policy->language;
	b->session.policy_source = b->policy->source;
	b->session.policy_digest = b->policy->digest;
	b->plan.language = b->policy->language;
	b->plan.filter = b->policy->filter;
	b->plan.filter.owned = NULL;
	b->session.widen = r->w->widen;
	b->plan.limits = b->policy->limits;
	sg_limits_merge(&b->plan.limits, &b->options.limits);
	if (b->plan.limits.output) {
		r->alone = true;
		return sg_err_set(err, ENOTSUP, "an output limit is kept by sgrun itself");
	}
	/* The child shares our memory until it executes: were it killed for want of its own, we would be too. */
	if (b->plan.limits.memory && b->plan.limits.memory < MEMORY_MIN) {
		r->alone = true;
		return sg_err_set(err, ENOTSUP, "a memory limit below 16 MiB is kept by sgrun itself");
	}
	sg_plan_rlimits(&b->plan, b->job->heir.rlimits);
	rc = sgd_box_place(d, err);
	if (!rc)
		rc = share_of_places(d, b->uid, err);
	if (!rc)
		rc = sg_cgroup_create_below(&l->cg, &d->parent, b->session.id, err);
	if (rc)
		return rc;
	sgd_aside(&l->cg.dirfd);
	b->session.cgroup_id = l->cg.id;
	if (sg_launch_wants_sys_enter(l)) {
		rc = share_of_policies(d, b->uid, b->policy, err);
		if (!rc)
			rc = sgd_policy_slot_get(&d->policies, d->bpf, b->policy, err);
		if (rc)
			return rc;
		b->slot = b->policy->slot;
		slot = (uint32_t)b->slot;
		rc = sgd_sys_enter_get(d, err);
		if (rc)
			return rc;
		l->sys_enter = true;
	}
	rc = sg_launch_register(l, slot, err);
	if (rc)
		return rc;
	d->by_index[l->sandbox] = b;
	if (l->tier == SG_TIER_LSM)
		rc = sgd_objects_take(b, r->objects_fd, r->places_fd, err);
	if (rc)
		return rc;
	sgd_state_put(b);
	return sg_launch_limits(l, (const int[3]){-1, -1, -1}, err);
}

/*
 * The client's ruleset for its own program. What it can do at most is too little for the client: the program has the
 * client's user and no privilege either way.
 */
static int take_landlock(struct request *r, struct sgd_box *b, struct sg_err *err)
{
	struct sg_landlock *l = &b->launch.landlock;

	if (r->landlock_fd < 0)
		return 0;
	if (strncmp(r->d->parent.path, "/sys/", 5) != 0) {
		r->alone = true;
		return sg_err_set(err, ENOTSUP, "cgroup2 is mounted at %s and not below /sys", r->d->parent.base);
	}
	if (!sg_landlock_is_ruleset(r->landlock_fd))
		return sg_err_set(err, EPROTO, "what came as a Landlock ruleset is none");
	l->fd = r->landlock_fd;
	for (int i = 0; i < b->job->n_fds; i++)
		if (b->job->fds[i] == l->fd)
			b->job->fds[i] = -1;
	l->own_proc = r->w->own_proc;
	l->log = sg_landlock_logs();
	return 0;
}

static int start(struct request *r, struct sgd_box *b, const void *packet, size_t size, int *fds, int n_fds,
		 struct sg_err *err)
{
	const char *policy_name = "";
	sigset_t mask;
	int rc = parse(r, packet, size, fds, n_fds, err);

	if (rc)
		return rc;
	b->job = calloc(1, sizeof(*b->job));
	if (!b->job)
		return sg_err_set(err, ENOMEM, "out of memory");
	sg_spawn_init(&b->job->spawn);
	/* Kept until the child has a table of its own. */
	b->uid = r->c->peer.uid; /* whose they are */
	b->job->n_fds = n_fds;
	for (int i = 0; i < n_fds; i++)
		b->job->fds[i] = SG_TAKE_FD(fds[i]);
	r->given = b->job->fds + 1;
	take_options(r, b);
	rc = take_label(r, b, err);
	if (!rc)
		rc = take_strings(r, b, &policy_name, err);
	if (!rc)
		rc = take_heir(r, b, err);
	if (!rc)
		rc = take_policy(r, b, policy_name, err);
	if (!rc)
		rc = set_up(r, b, err);
	if (!rc)
		rc = take_landlock(r, b, err);
	if (rc)
		return rc;
	sigemptyset(&mask);
	memcpy(&mask, &r->w->mask, sizeof(r->w->mask));
	rc = sg_spawn_begin(&b->launch, &b->job->spawn, &b->job->heir, &mask, err);
	sgd_aside(&b->launch.pidfd);
	sgd_aside(&b->launch.proc);
	if (!rc)
		b->known = sgd_again_keep(r->c, packet, size, r->label_size, r->policy_fd, r->landlock_fd);
	return rc;
}

void sgd_launch(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds, bool again)
{
	struct request r = {.d = c->d, .c = c, .again = again};
	struct sg_err err = {0};
	struct sgd_box *b = NULL;
	char text[1200];
	int rc;

	if (c->box || c->closing) {
		rc = sg_err_set(&err, EALREADY, "one connection, one sandbox");
	} else if (c->d->stopping) {
		rc = sg_err_set(&err, EAGAIN, "sgd is about to end");
		r.alone = true;
	} else {
		b = sgd_box_new(c->d);
		rc = b ? start(&r, b, packet, size, fds, n_fds, &err) : sg_err_set(&err, ENOMEM, "out of memory");
	}
	if (!rc) {
		b->conn = c;
		c->box = b;
		sgd_box_started(b);
		return;
	}
	sg_err_format(&err, text, sizeof(text));
	c->d->count.failed++;
	(void)sgd_send_text(c, SG_WIRE_FAILED, r.alone ? 0 : SG_EXIT_FAILED, text, strlen(text), true);
	sgd_conn_finish(c);
	if (!b)
		return;
	if (b->launch.cg.dirfd >= 0) {
		(void)sg_cgroup_kill(&b->launch.cg);
		(void)unlinkat(c->d->parent.dirfd, b->launch.cg.name, AT_REMOVEDIR);
	}
	sgd_box_free(b);
}
