// SPDX-License-Identifier: Apache-2.0
#include "supervisor/places.h"

#include "policy/access.h"
#include "supervisor/mountinfo.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define BTRFS_SUBVOLUME_ROOT 256 /* inode number of the root of each (BTRFS_FIRST_FREE_OBJECTID) */

/* Storage behind one path. */
struct text {
	struct text *next;
	char s[];
};

/* The list while it grows, with what tells objects apart. */
struct build {
	struct sg_places *p;
	struct id {
		dev_t dev;
		ino_t ino;
	} * ids;
	size_t cap;
	dev_t proc; /* procfs; 0: not looked up yet */
	struct sg_err *err;
	const struct sg_place_root *root; /* NULL: our own */
	struct stat root_is;
	char *base;   /* the kernel's name of that root, in its mount namespace; "": the root there */
	char *mounts; /* the same for the root of the process whose mounts are read */
};

static char *keep(struct build *b, const char *head, size_t head_len, const char *tail)
{
	size_t n = strlen(tail) + 1;
	struct text *t = malloc(sizeof(*t) + head_len + n);

	if (!t) {
		sg_err_set(b->err, ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(t->s, head, head_len);
	memcpy(t->s + head_len, tail, n);
	t->next = b->p->owned;
	b->p->owned = t;
	return t->s;
}

/* ---- variables ---- */

int sg_place_value(const struct sg_place_vars *v, const char *text, const char **value, size_t *len)
{
	const struct {
		const char *name, *value;
	} vars[] = {{"$CWD", v->cwd},
		    {"$TMP", v->tmp},
		    {"$HOME", v->home},
		    {"$PROGRAM", v->program},
		    {"$RUNTIME", v->runtime}};

	*value = "";
	*len = strcspn(text, "/");
	if (*len == 0 && text[0] == '/')
		return 1;
	for (size_t i = 0; i < SG_ARRAY_SIZE(vars); i++) {
		if (strlen(vars[i].name) != *len || strncmp(text, vars[i].name, *len) != 0)
			continue;
		*value = vars[i].value;
		return *value ? 1 : 0;
	}
	return -EINVAL;
}

/* Fills in the variable at the front. 1: *path set; 0: it stands for nothing here; negative errno. */
static int expand(struct build *b, const struct sg_place_vars *v, const char *text, const char **path)
{
	const char *value;
	size_t n;
	int rc = sg_place_value(v, text, &value, &n);

	if (rc < 0)
		return sg_err_set(b->err, EINVAL,
				  "the tree \"%s\" is neither an absolute path nor begins with $CWD, $TMP, $HOME, "
				  "$PROGRAM or $RUNTIME",
				  text);
	if (rc == 0)
		return 0;
	if (n && value[0] != '/')
		return sg_err_set(b->err, EINVAL, "%.*s is \"%s\", which is not an absolute path", (int)n, text, value);
	*path = keep(b, value, strlen(value), text + n);
	return *path ? 1 : -ENOMEM;
}

/* ---- objects ---- */

static void merge(struct sg_tree_rights *into, const struct sg_tree_rights *more)
{
	/* The origin is that of a rule that denies, else of the first that allows. */
	if ((more->deny && !into->deny) || !(into->allow | into->deny))
		into->origin = more->origin;
	into->deny |= more->deny;
	into->allow = (into->allow | more->allow) & ~into->deny;
}

/* The place of this object, NULL when it has none yet. */
static struct sg_place *find(const struct build *b, const struct stat *st)
{
	for (size_t i = 0; i < b->p->n; i++)
		if (b->ids[i].ino == st->st_ino && b->ids[i].dev == st->st_dev)
			return &b->p->list[i];
	return NULL;
}

/* Takes the descriptor. */
static int append(struct build *b, int fd, const struct stat *st, const char *path, const struct sg_tree_rights *rights)
{
	struct sg_places *p = b->p;

	if (p->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		struct sg_place *list = realloc(p->list, cap * sizeof(*list));
		struct id *ids;

		if (list)
			p->list = list;
		ids = list ? realloc(b->ids, cap * sizeof(*ids)) : NULL;
		if (!ids) {
			close(fd);
			return sg_err_set(b->err, ENOMEM, "out of memory");
		}
		b->ids = ids;
		b->cap = cap;
	}
	b->ids[p->n] = (struct id){st->st_dev, st->st_ino};
	p->list[p->n++] = (struct sg_place){
		.fd = fd, .is_dir = S_ISDIR(st->st_mode), .dev = st->st_dev, .path = path, .rights = *rights};
	return 0;
}

/* ---- seen from the root ---- */

static int open_path(const struct build *b, const char *path, int flags)
{
	return b->root ? sg_open_in_root(b->root->fd, path, flags) : open(path, O_PATH | O_CLOEXEC | flags);
}

/* What an object is, without asking a server for it: one that does not answer must not hold up a launch. */
static int look_at(int fd, struct stat *st)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &x) < 0)
		return -1;
	*st = (struct stat){
		.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor), .st_ino = x.stx_ino, .st_mode = x.stx_mode};
	return 0;
}

static int stat_path(const struct build *b, const char *path, struct stat *st)
{
	SG_CLOSE int fd = open_path(b, path, 0);

	return fd < 0 ? -1 : look_at(fd, st);
}

/* What of a name lies below base, in place. False: it does not. */
static bool strip(char *name, const char *base)
{
	size_t n = strlen(base);

	if (!n)
		return true;
	if (!sg_path_within(name, base))
		return false;
	if (name[n])
		memmove(name, name + n, strlen(name + n) + 1);
	else
		snprintf(name, 2, "/");
	return true;
}

/* The kernel's name of an open file, seen from the root. 0, or negative errno. */
static int name_of(const struct build *b, int fd, char *name, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, size - 1);
	name[n > 0 ? n : 0] = '\0';
	if (n < 0)
		return -errno;
	return name[0] == '/' && (!b->root || strip(name, b->base)) ? 0 : -EINVAL;
}

/* How a directory is called in its own mount namespace: "" for the root of that. */
static char *base_of(struct build *b, int fd)
{
	struct build plain = {0};
	char name[PATH_MAX];
	int rc = name_of(&plain, fd, name, sizeof(name));

	if (rc < 0) {
		sg_err_set(b->err, -rc, "cannot tell where the root directory lies: %s", strerror(-rc));
		return NULL;
	}
	return keep(b, name, strcmp(name, "/") ? strlen(name) : 0, "");
}

static int enter_root(struct build *b)
{
	if (look_at(b->root->fd, &b->root_is) < 0)
		return sg_err_set(b->err, errno, "cannot look at the root directory: %s", strerror(errno));
	b->base = base_of(b, b->root->fd);
	b->mounts = b->base ? base_of(b, b->root->own) : NULL;
	return b->mounts ? 0 : -b->err->code;
}

/*
 * Opens a path; a link that it ends with is followed, or opened itself (flags: O_NOFOLLOW). 1: opened; 0: nothing to be
 * had there. What cannot be opened for want of permission can be left out where it is allowed, and must not be where
 * something is denied.
 */
static int open_tree(struct build *b, const char *path, const struct sg_tree_rights *rights, int flags, int *fd,
		     struct stat *st)
{
	int code;

	*fd = open_path(b, path, flags);
	if (*fd < 0) {
		code = errno;
		if (code == ENOENT || code == ENOTDIR ||
		    (!rights->deny && (code == EACCES || code == ELOOP || code == ENAMETOOLONG || code == EXDEV)))
			return 0;
		return sg_err_set(b->err, code, "cannot open the tree %s: %s%s", path, strerror(code),
				  code == EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
	}
	if (look_at(*fd, st) < 0) {
		code = errno;
		close(*fd);
		return sg_err_set(b->err, code, "cannot look at the tree %s: %s", path, strerror(code));
	}
	return 1;
}

static bool is_in_proc_itself(const char *path)
{
	static const char proc[] = "/proc/";

	return !strncmp(path, proc, sizeof(proc) - 1) && !strchr(path + sizeof(proc) - 1, '/');
}

/* Every component is a directory that the kernel made. */
static bool is_below_proc_sys(const char *path)
{
	static const char sys[] = "/proc/sys/";

	return !strncmp(path, sys, sizeof(sys) - 1) && !strstr(path, "/..");
}

/*
 * Opens a path, as open_tree() does. *plain: no link of procfs can be on the way, so the path means what it says: there
 * is only one component, which is none itself, or none of them can be one.
 */
static int open_plain(struct build *b, const char *path, const struct sg_tree_rights *rights, int *fd, struct stat *st,
		      bool *plain)
{
	int rc;

	*plain = is_below_proc_sys(path);
	if (!is_in_proc_itself(path))
		return open_tree(b, path, rights, 0, fd, st);
	rc = open_tree(b, path, rights, O_NOFOLLOW, fd, st);
	if (rc > 0 && S_ISLNK(st->st_mode)) {
		close(*fd);
		return open_tree(b, path, rights, 0, fd, st);
	}
	*plain = rc > 0;
	return rc;
}

/*
 * Links such as /dev/fd, /etc/mtab and /proc/net lead into /proc/self, where "self" is the supervisor while it opens
 * them, and was not meant.
 */
static enum sg_self leads_to_self(struct build *b, int fd, const struct stat *st)
{
	char name[PATH_MAX], own[64];
	struct stat proc;

	if (!b->proc)
		b->proc = stat_path(b, "/proc", &proc) < 0 ? (dev_t)-1 : proc.st_dev;
	if (st->st_dev != b->proc)
		return SG_SELF_NOT;
	snprintf(own, sizeof(own), "/proc/%d", getpid());
	if (name_of(b, fd, name, sizeof(name)) < 0 || !sg_path_within(name, own))
		return SG_SELF_NOT;
	return name[strlen(own)] ? SG_SELF_PART : SG_SELF;
}

/*
 * What a tree in a process's own directory says is said of all of it. A denial must not be more than it looks like: the
 * parser refuses what it can see, and here are the links, which only the host knows.
 */
static int add_self(struct build *b, const char *path, enum sg_self self, const struct sg_tree_rights *rights)
{
	if (self == SG_SELF_PART && rights->deny)
		return sg_err_set(
			b->err, EINVAL,
			"%s cannot be denied alone: it lies in the directory of its own that each process has "
			"in /proc, and rules are about all of that; deny /proc/self",
			path);
	merge(&b->p->self, rights);
	return 0;
}

/* The same where we have no directory in that procfs, so that the link leads nowhere for us. */
static bool points_to_self(const struct build *b, const char *path)
{
	static const char *const to[] = {"/proc/self", "/proc/thread-self", "../proc/self", "self", "thread-self"};
	SG_CLOSE int fd = open_path(b, path, O_NOFOLLOW);
	char target[PATH_MAX];
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; n > 0 && i < SG_ARRAY_SIZE(to); i++)
		if (sg_path_within(target, to[i]) &&
		    (to[i][0] == '/' || to[i][0] == '.' || !strncmp(path, "/proc/", 6)))
			return true;
	return false;
}

/* A link to all there is would make of a few rights to a directory those to everything. */
static bool is_root(const struct build *b, const char *path, const struct stat *st)
{
	return b->root && path[strspn(path, "/")] && st->st_ino == b->root_is.st_ino && st->st_dev == b->root_is.st_dev;
}

static int add_tree(struct build *b, const struct sg_tree *tree, const struct sg_place_vars *vars)
{
	struct sg_place *same;
	const char *path = NULL;
	struct stat st;
	bool plain;
	enum sg_self self;
	int rc, fd;

	rc = expand(b, vars, tree->path, &path);
	if (rc <= 0)
		return rc;
	self = sg_tree_in_self(path);
	if (self)
		return add_self(b, path, self, &tree->rights);
	rc = open_plain(b, path, &tree->rights, &fd, &st, &plain);
	if (rc == 0 && b->root && points_to_self(b, path)) {
		const struct sg_tree_rights *r = &tree->rights;

		merge(&b->p->self, &(struct sg_tree_rights){
					   .allow = r->allow & SG_RIGHT_READ, .deny = r->deny, .origin = r->origin});
	}
	if (rc <= 0)
		return rc;
	self = plain ? SG_SELF_NOT : leads_to_self(b, fd, &st);
	if (self) {
		close(fd);
		return add_self(b, path, self, &tree->rights);
	}
	if (is_root(b, path, &st) && !tree->rights.deny) {
		close(fd);
		return 0;
	}
	same = find(b, &st);
	if (!same)
		return append(b, fd, &st, path, &tree->rights);
	merge(&same->rights, &tree->rights);
	close(fd);
	return 0;
}

/* ---- what is mounted below ---- */

/* A place by the name that the kernel gives it, which is what mount points are named by. */
struct named {
	char *name;
	size_t len;
	struct sg_tree_rights rights; /* what the trees say, before anything mounted is added */
};

static int deepest_first(const void *a, const void *b)
{
	size_t x = ((const struct named *)a)->len, y = ((const struct named *)b)->len;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int name_places(struct build *b, struct named **out, size_t *n)
{
	struct named *list = calloc(b->p->n + 1, sizeof(*list));
	char name[PATH_MAX];

	*out = list;
	*n = 0;
	if (!list)
		return sg_err_set(b->err, ENOMEM, "out of memory");
	for (size_t i = 0; i < b->p->n; i++) {
		size_t len;
		int rc;

		if (!b->p->list[i].is_dir)
			continue;
		rc = name_of(b, b->p->list[i].fd, name, sizeof(name));
		if (rc < 0)
			return sg_err_set(b->err, -rc, "cannot tell where %s lies: %s", b->p->list[i].path,
					  rc == -EINVAL ? "it has no path" : strerror(-rc));
		len = strlen(name);
		list[*n] = (struct named){keep(b, name, len, ""), len, b->p->list[i].rights};
		if (!list[*n].name)
			return -ENOMEM;
		(*n)++;
	}
	qsort(list, *n, sizeof(*list), deepest_first);
	return 0;
}

/* What holds at a mount point: on the way up the nearest tree that says anything of a right decides it. */
static struct sg_tree_rights rights_at(const struct named *list, size_t n, const char *where)
{
	struct sg_tree_rights r = {0};

	for (size_t i = 0; i < n; i++) {
		const struct sg_tree_rights *t = &list[i].rights;
		uint32_t decided = r.allow | r.deny;
		struct sg_tree_rights more = {
			.allow = t->allow & ~decided, .deny = t->deny & ~decided, .origin = t->origin};

		if ((more.allow | more.deny) && sg_path_within(where, list[i].name))
			merge(&r, &more);
	}
	return r;
}

/* Another mount may cover this one. */
static bool is_mount(int fd, uint64_t id)
{
	struct statx x;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &x) < 0 ||
	       !(x.stx_mask & STATX_MNT_ID) || x.stx_mnt_id == id;
}

static int add_mount(struct build *b, const struct sg_mount *m, const struct sg_tree_rights *rights)
{
	struct sg_place *same;
	struct stat st;
	char *path;
	int fd, rc;

	rc = open_tree(b, m->where, rights, 0, &fd, &st);
	if (rc <= 0)
		return rc;
	/* A btrfs subvolume is a file system of its own, though part of one to mountinfo. */
	if (!is_mount(fd, m->id) ||
	    (strcmp(m->root, "/") != 0 && (strcmp(m->type, "btrfs") != 0 || st.st_ino != BTRFS_SUBVOLUME_ROOT))) {
		close(fd);
		return 0;
	}
	same = find(b, &st);
	if (same) {
		merge(&same->rights, rights);
		close(fd);
		return 0;
	}
	path = keep(b, m->where, strlen(m->where), "");
	if (!path) {
		close(fd);
		return -ENOMEM;
	}
	return append(b, fd, &st, path, rights);
}

/* A mount point as it is called from the root. False: it is not below that. */
static bool seen_from_root(const struct build *b, struct sg_mount *m, char *where, size_t size)
{
	int n;

	if (!b->root)
		return true;
	n = snprintf(where, size, "%s%s", b->mounts, m->where);
	m->where = where;
	return n > 0 && (size_t)n < size && strip(where, b->base);
}

/* ---- what is above a denial ---- */

static int add_holder(struct build *b, const char *name, uint32_t origin)
{
	struct sg_tree_rights rights = {.origin = origin};
	struct sg_place *same;
	struct stat st;
	char *path;
	int fd, rc;

	/* What cannot be opened cannot be renamed by the same user either. */
	rc = open_tree(b, name, &rights, O_NOFOLLOW, &fd, &st);
	if (rc <= 0)
		return rc;
	rights.deny = SG_TREE_HOLDS;
	same = find(b, &st);
	if (same) {
		merge(&same->rights, &rights);
		close(fd);
		return 0;
	}
	path = keep(b, name, strlen(name), "");
	if (!path) {
		close(fd);
		return -ENOMEM;
	}
	return append(b, fd, &st, path, &rights);
}

/* The directories on the way to the first n places that are denied, as far as they could be renamed. */
static int add_holders(struct build *b, const struct named *names, size_t n_names, size_t n)
{
	char name[PATH_MAX], *slash;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		uint32_t origin = b->p->list[i].rights.origin;

		if (!(b->p->list[i].rights.deny & SG_RIGHTS) || name_of(b, b->p->list[i].fd, name, sizeof(name)) < 0)
			continue;
		while (!rc && (slash = strrchr(name, '/')) && slash != name) {
			*slash = '\0';
			if (rights_at(names, n_names, name).allow & SG_RIGHT_DELETE)
				rc = add_holder(b, name, origin);
		}
	}
	return rc;
}

static int add_mounts(struct build *b)
{
	const size_t n_trees = b->p->n;
	SG_FREE struct named *names = NULL;
	SG_FREE char *line = NULL;
	char where[PATH_MAX];
	size_t n = 0, size = 0;
	FILE *f;
	int fd, rc;

	fd = b->root ? fcntl(b->root->mounts, F_DUPFD_CLOEXEC, 0) : open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	f = fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fdopen(fd, "r") : NULL;
	if (!f) {
		rc = sg_err_set(b->err, errno, "cannot read the table of mounts: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = name_places(b, &names, &n);
	while (!rc && getline(&line, &size, f) > 0) {
		struct sg_tree_rights rights;
		struct sg_mount m;

		if (!sg_mount_parse(line, &m) || (strcmp(m.root, "/") != 0 && strcmp(m.type, "btrfs") != 0) ||
		    !seen_from_root(b, &m, where, sizeof(where)))
			continue;
		rights = rights_at(names, n, m.where);
		if (rights.allow | rights.deny)
			rc = add_mount(b, &m, &rights);
	}
	fclose(f);
	return rc ? rc : add_holders(b, names, n, n_trees);
}

/* ---- the list ---- */

int sg_places_open(struct sg_places *p, const struct sg_tree *trees, size_t n, const struct sg_place_vars *vars,
		   struct sg_err *err)
{
	struct build b = {.p = p, .err = err, .root = vars->root};
	int rc = 0;

	*p = (struct sg_places){0};
	if (b.root)
		rc = enter_root(&b);
	for (size_t i = 0; !rc && i < n; i++)
		if (trees[i].rights.allow | trees[i].rights.deny)
			rc = add_tree(&b, &trees[i], vars);
	if (!rc && p->n && !vars->no_mounts)
		rc = add_mounts(&b);
	free(b.ids);
	if (rc)
		sg_places_close(p);
	return rc;
}

bool sg_places_keep_inodes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

void sg_places_settle(struct sg_places *p)
{
	dev_t dev = 0;
	bool keeps = false;

	for (size_t i = 0; i < p->n; i++) {
		if (p->list[i].dev != dev)
			keeps = sg_places_keep_inodes(p->list[i].fd);
		dev = p->list[i].dev;
		if (keeps && p->list[i].fd >= 0)
			close(SG_TAKE_FD(p->list[i].fd));
	}
}

void sg_places_close(struct sg_places *p)
{
	struct text *t = p->owned, *next;

	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].fd >= 0)
			close(p->list[i].fd);
	free(p->list);
	for (; t; t = next) {
		next = t->next;
		free(t);
	}
	*p = (struct sg_places){0};
}
