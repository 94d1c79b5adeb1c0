/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/again.h"

#include "policy/access.h"
#include "runner/access.h"
#include "runner/front.h"
#include "runner/program.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#define SETTLED_S 2 /* a file that changed later than so long ago can change again and keep its ctime */
#define NAMES_MAX 200

struct note {
	const struct sg_plan *plan;
	char buf[SG_PROTO_NOTE_MAX];
	size_t size;
	uint32_t names;
	int held[SG_PROTO_HELD_MAX];
	size_t n_held;
	bool failed; /* it cannot be told what the launch depends on */
};

static bool look(int dir, const char *path, int flags, struct statx *st)
{
	return statx(dir, path, flags, STATX_TYPE | STATX_INO | STATX_CTIME, st) == 0;
}

/* From a path of the plan, which may be relative to --chdir. False: it is too long. */
static bool seen_from_here(const struct note *n, const char *path, char out[PATH_MAX])
{
	const char *dir = n->plan->options->chdir;
	int size =
		*path != '/' && dir ? snprintf(out, PATH_MAX, "%s/%s", dir, path) : snprintf(out, PATH_MAX, "%s", path);

	return size > 0 && size < PATH_MAX;
}

/* Writes down what a name leads to now. exact: what is in the file matters, too. Returns its mode, 0: nothing. */
static mode_t write_down(struct note *n, const char *path, bool exact)
{
	size_t length = strlen(path) + 1, size = (sizeof(struct sg_note_name) + length + 7) & ~(size_t)7;
	struct sg_note_name *to = (struct sg_note_name *)(void *)(n->buf + n->size);
	struct statx st = {0};

	if (size > sizeof(n->buf) - n->size || n->names == NAMES_MAX) {
		n->failed = true;
		return 0;
	}
	memset(to, 0, size);
	to->size = (uint32_t)length;
	memcpy(to->path, path, length);
	n->size += size;
	n->names++;
	if (!look(AT_FDCWD, path, exact ? 0 : AT_STATX_DONT_SYNC, &st)) {
		to->error = (uint16_t)errno;
		return 0;
	}
	to->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	to->ino = st.stx_ino;
	to->ctime_s = st.stx_ctime.tv_sec;
	to->ctime_ns = st.stx_ctime.tv_nsec;
	to->exact = exact;
	if (exact && st.stx_ctime.tv_sec + SETTLED_S > time(NULL))
		n->failed = true;
	return st.stx_mode;
}

static void write_down_from_base(struct note *n, const char *path, bool exact, mode_t *mode)
{
	char here[PATH_MAX];

	*mode = 0;
	if (seen_from_here(n, path, here))
		*mode = write_down(n, here, exact);
	else
		n->failed = true;
}

/* What a script is to be run by: its rules are about what that name leads to. */
static void add_interpreter(struct note *n)
{
	SG_CLOSE int fd = openat(n->plan->base, n->plan->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[256];
	ssize_t got = fd < 0 ? 0 : read(fd, head, sizeof(head) - 1);
	char *word = head + 2;
	mode_t mode;

	if (got < 2 || memcmp(head, "#!", 2) != 0)
		return;
	head[got] = '\0';
	word += strspn(word, " \t");
	word[strcspn(word, " \t\n")] = '\0';
	write_down_from_base(n, word, false, &mode);
	n->failed |= !mode;
}

/* Where the program was looked for, up to where it was found. */
static void add_program(struct note *n)
{
	const struct sg_plan *plan = n->plan;
	const char *path = sg_env_find(plan->env, "PATH"), *slash = strrchr(plan->path, '/');
	char candidate[PATH_MAX];
	bool found = false;
	mode_t mode;

	path = path ? path + 5 : SG_DEFAULT_PATH;
	/* A script by way of env(1) is looked for twice. */
	n->failed |= plan->argv[0] != plan->options->argv[0];
	while (!strchr(plan->argv[0], '/') && !found && !n->failed) {
		if (!path || !sg_program_candidate(&path, plan->argv[0], candidate))
			n->failed = true;
		else if (strcmp(candidate, plan->path) != 0)
			write_down_from_base(n, candidate, true, &mode);
		else
			found = true;
	}
	write_down_from_base(n, plan->path, true, &mode);
	n->failed |= !mode;
	add_interpreter(n);
	/* Whether the interpreter is that of a virtual environment. */
	if (slash && snprintf(candidate, sizeof(candidate), "%.*s/../pyvenv.cfg", (int)(slash - plan->path),
			      plan->path) < (int)sizeof(candidate))
		write_down_from_base(n, candidate, false, &mode);
}

/* The arguments up to the first that names a file. */
static void add_operands(struct note *n)
{
	mode_t mode = 0;

	for (int i = 1; i <= SG_OPERANDS && n->plan->argv[i] && !S_ISREG(mode); i++)
		if (*n->plan->argv[i] && *n->plan->argv[i] != '-')
			write_down_from_base(n, n->plan->argv[i], false, &mode);
}

struct names {
	char *list[NAMES_MAX]; /* owned */
	bool entry[NAMES_MAX]; /* is_own_entry() */
	size_t n;
};

/* Length of the directory's part of an absolute path; 0: it is the root. */
static size_t parent(const char *path)
{
	return (size_t)(strrchr(path, '/') - path);
}

static bool beside(const char *a, const char *b)
{
	return parent(a) == parent(b) && !strncmp(a, b, parent(a));
}

/*
 * Whether a name can lead to something else only by a change of the directory that it is in: no link, whose target may
 * become another. What is mounted on it sgd sees.
 */
static bool is_own_entry(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? !S_ISLNK(st.st_mode) : errno == ENOENT;
}

/* The directory of names that lie in it side by side, where looking at that one tells as much as looking at all. */
static void write_down_directory(struct note *n, const char *entry, uint32_t covers)
{
	struct sg_note_name *to = (struct sg_note_name *)(void *)(n->buf + n->size);
	size_t len = parent(entry);
	char path[PATH_MAX];
	SG_CLOSE int fd = -1;
	struct statx st;

	if (covers < 3 || !len)
		return;
	memcpy(path, entry, len);
	path[len] = '\0';
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Those of the kernel have no times to go by. */
	if (fd < 0 || !sg_places_keep_inodes(fd) || !look(fd, "", AT_EMPTY_PATH, &st) ||
	    st.stx_ctime.tv_sec + SETTLED_S > time(NULL))
		return;
	if (write_down(n, path, true))
		to->covers = covers;
}

static void write_down_all(struct note *n, const struct names *all)
{
	for (size_t i = 0, end; i < all->n && !n->failed; i = end) {
		uint32_t covers = 0;

		for (end = i; end < all->n && beside(all->list[i], all->list[end]); end++)
			covers += all->entry[end];
		write_down_directory(n, all->list[i], covers);
		for (int links = 0; links < 2; links++)
			for (size_t k = i; k < end; k++)
				if (all->entry[k] != links)
					(void)write_down(n, all->list[k], false);
	}
}

/* What the policy's trees are called. What is below a denial or all of the root is put together from what is there. */
static void add_trees(struct note *n)
{
	const struct sg_plan *plan = n->plan;
	struct names all = {.n = 0};

	for (size_t i = 0; i < plan->n_trees && !n->failed; i++) {
		const struct sg_tree *t = &plan->trees[i];
		char path[PATH_MAX];
		const char *value;
		size_t len;

		n->failed |= t->rights.deny != 0;
		if (!t->rights.allow || sg_place_value(&plan->vars, t->path, &value, &len) <= 0)
			continue;
		if (snprintf(path, sizeof(path), "%s%s", value, t->path + len) >= (int)sizeof(path))
			n->failed = true;
		n->failed |= !path[strspn(path, "/")] || !strcmp(path, "/dev") || !strcmp(path, "/sys");
		if (n->failed || sg_tree_in_self(path))
			continue;
		all.entry[all.n] = is_own_entry(path);
		all.list[all.n] = strdup(path);
		n->failed |= !all.list[all.n] || ++all.n == NAMES_MAX;
	}
	write_down_all(n, &all);
	for (size_t i = 0; i < all.n; i++)
		free(all.list[i]);
}

/*
 * Whether an inode is the one that its name leads to as long as a ruleset holds it; in kernel file systems it is where
 * it is held open, and others would be held up by that (umount(8)).
 */
static bool hold(struct note *n, int fd)
{
	struct statfs fs;

	if (sg_places_keep_inodes(fd))
		return true;
	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
		if (n->n_held == SG_PROTO_HELD_MAX)
			return false;
		n->held[n->n_held++] = fd;
		return true;
	default:
		return false;
	}
}

/* That the ruleset is about what the names were said to lead to: who changes them meanwhile gets no launch kept. */
static void add_places(struct note *n, const struct sg_places *p)
{
	for (size_t i = 0; i < p->n && !n->failed; i++) {
		struct statx name, open;

		n->failed = p->list[i].fd < 0 || !look(AT_FDCWD, p->list[i].path, AT_STATX_DONT_SYNC, &name) ||
			    !look(p->list[i].fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &open) ||
			    name.stx_ino != open.stx_ino || name.stx_dev_major != open.stx_dev_major ||
			    name.stx_dev_minor != open.stx_dev_minor || !hold(n, p->list[i].fd);
	}
}

static void make(struct note *n, const struct sg_request *r)
{
	const struct sg_plan *plan = r->launch->plan;
	const struct sg_options *o = plan->options;
	struct sg_note *head = (struct sg_note *)(void *)n->buf;
	const char *file = (const char *)getauxval(AT_EXECFN);

	n->failed = r->launch->landlock.around;
	*head = (struct sg_note){.magic = SG_NOTE_MAGIC, .n_fds = (uint32_t)plan->n_fds};
	n->plan = plan;
	n->size = sizeof(*head);
	for (int i = 0; i < plan->n_fds; i++)
		memcpy(n->buf + n->size + sizeof(uint32_t) * (size_t)i, &plan->fds[i], sizeof(uint32_t));
	n->size += (sizeof(uint32_t) * (size_t)plan->n_fds + 7) & ~(size_t)7;
	(void)write_down(n, o->chdir ? o->chdir : ".", false);
	/* Another sgrun may do otherwise. */
	n->failed |= !file || !write_down(n, file, true);
	if (o->policy_file)
		n->failed |= !write_down(n, o->policy_file, true);
	for (int i = 0; i < o->n_access; i++)
		if (o->access[i].kind != 'n')
			(void)write_down(n, o->access[i].text, false);
		else
			n->failed |= strchr(o->access[i].text, '/') && !strncmp(o->access[i].text, "unix:", 5);
	add_program(n);
	add_operands(n);
	add_trees(n);
	add_places(n, &r->launch->places);
	head->n_names = n->names;
}

void sg_again_remember(int fd, const struct sg_request *r)
{
	const uint32_t never =
		SG_WIRE_DETACH | SG_WIRE_KEEP | SG_WIRE_HUMAN | SG_WIRE_QUIET | SG_WIRE_STRINGS_FD | SG_WIRE_OBJECTS_FD;
	struct sg_wire_text m = {
		.hdr = {.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = SG_WIRE_REMEMBER}};
	SG_FREE struct note *n =
		(r->head.flags & never) || r->launch->plan->options->user ? NULL : calloc(1, sizeof(*n));
	struct iovec iov[2] = {{&m, sizeof(m)}, {0}};

	if (!n)
		return;
	make(n, r);
	if (n->failed)
		return;
	iov[1] = (struct iovec){n->buf, n->size};
	m.hdr.size = (uint32_t)(sizeof(m) + n->size);
	(void)sg_client_send(fd, iov, 2, n->held, n->n_held);
}
