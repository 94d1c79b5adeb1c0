/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/cgroup.h"

#include "supervisor/cgroup_ns.h"
#include "supervisor/mountinfo.h"
#include "supervisor/proc.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>

#define SANDBOX_PREFIX "sandgate-"
#define TRIES 64 /* names, where somebody else holds what was just made */

/*
 * The usual places first: the mount table is long, and the kernel prints all of it. Only where the mount's directory is
 * the root of the hierarchy itself (which has the id 1), so that nothing more need be known about it, and can be
 * written.
 */
static bool usual_mount(char *mount, size_t mount_size, char *root, size_t root_size)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;
	struct stat st;

	for (size_t i = 0; i < SG_ARRAY_SIZE(places); i++) {
		if (statfs(places[i], &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC || fs.f_flags & ST_RDONLY ||
		    stat(places[i], &st) < 0 || st.st_ino != 1)
			continue;
		return snprintf(mount, mount_size, "%s", places[i]) < (int)mount_size &&
		       snprintf(root, root_size, "/") < (int)root_size;
	}
	return false;
}

/* What a mount is good for: a writable one most, and the whole more than a part of it. 0: another one covers it. */
static int rank(const struct sg_mount *m)
{
	struct statfs fs;

	if (statfs(m->where, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return 0;
	return 1 + (fs.f_flags & ST_RDONLY ? 0 : 2) + !strcmp(m->root, "/");
}

int sg_cgroup_find_mount(char *mount, size_t mount_size, char *root, size_t root_size, struct sg_err *err)
{
	SG_FREE char *line = NULL;
	int best = 0;
	size_t cap = 0;
	FILE *f;

	if (usual_mount(mount, mount_size, root, root_size))
		return 0;
	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return sg_err_set(err, errno, "cannot read /proc/self/mountinfo: %s; is /proc mounted?",
				  strerror(errno));
	while (getline(&line, &cap, f) > 0) {
		struct sg_mount m;
		int good;

		if (!sg_mount_parse(line, &m) || strcmp(m.type, "cgroup2") != 0 || strlen(m.where) >= mount_size ||
		    strlen(m.root) >= root_size)
			continue;
		good = rank(&m);
		/* Of two in the same place the later one is what is seen there. */
		if (good <= best && !(good && !strcmp(m.where, mount)))
			continue;
		snprintf(root, root_size, "%s", m.root);
		snprintf(mount, mount_size, "%s", m.where);
		best = good;
	}
	fclose(f);
	if (!best)
		return sg_err_set(err, ENOENT,
				  "no cgroup2 file system is mounted; mount one: mkdir -p /sys/fs/cgroup && "
				  "mount -t cgroup2 none /sys/fs/cgroup");
	return 0;
}

/* The path below the mount of the calling process's own cgroup. */
static int own_cgroup(char *out, size_t size)
{
	char buf[4096];
	ssize_t n = sg_read_file(AT_FDCWD, "/proc/self/cgroup", buf, sizeof(buf));

	return n < 0 ? (int)n : sg_cgroup_place(buf, out, size);
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
		if ((p == list || p[-1] == ' ' || p[-1] == '\n') && (p[n] == '\0' || p[n] == ' ' || p[n] == '\n'))
			return true;
	return false;
}

bool sg_cgroup_offers(const struct sg_cgroup *cg, const char *controller)
{
	char file[600], available[256];

	snprintf(file, sizeof(file), "%s/cgroup.controllers", cg->base);
	return sg_read_file(AT_FDCWD, file, available, sizeof(available)) > 0 && has_word(available, controller);
}

/* Lets the limits' controllers reach the sandboxes. What is not there is simply not enabled: limits report it. False:
 * none of them is. */
static bool enable_controllers(const char *dir)
{
	static const char *const names[] = {"pids", "memory", "cpu"};
	char file[600], available[256], enabled[256];
	bool any = false;

	snprintf(file, sizeof(file), "%s/cgroup.controllers", dir);
	if (sg_read_file(AT_FDCWD, file, available, sizeof(available)) < 0)
		return false;
	for (size_t i = 0; i < SG_ARRAY_SIZE(names); i++)
		any |= has_word(available, names[i]);
	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", dir);
	if (!any || sg_read_file(AT_FDCWD, file, enabled, sizeof(enabled)) < 0)
		return any;
	for (size_t i = 0; i < SG_ARRAY_SIZE(names); i++) {
		char word[16];

		if (!has_word(available, names[i]) || has_word(enabled, names[i]))
			continue;
		snprintf(word, sizeof(word), "+%s", names[i]);
		(void)sg_write_file(AT_FDCWD, file, word);
	}
	return true;
}

static int refused(const char *path, int code, struct sg_err *err)
{
	return sg_err_set(err, code, "cannot create a cgroup, %s: %s%s", path, strerror(code),
			  code == EACCES || code == EPERM ? "; run as root, or have the cgroup delegated (systemd-run "
							    "--user --scope -p Delegate=yes ...)"
			  : code == EROFS                 ? "; mount cgroup2 read-write in this container"
							  : "");
}

/*
 * Makes and opens the directory. locked: it is held as long as we live, and by our guard: a sweep in another PID
 * namespace, where our pid means nothing, tells by it. -EAGAIN: a sweep took it in the moment before, and removes it,
 * or a program that may open it did. Nothing was started in it.
 */
static int make_dir(struct sg_cgroup *cg, bool may_exist, bool locked, struct sg_err *err)
{
	int e = 0;

	/* A runtime of another user reads the files with its limits, and cannot open the directory, and so not lock it.
	 */
	if (mkdir(cg->path, locked ? 0711 : 0755) < 0 && !(may_exist && errno == EEXIST))
		return refused(cg->path, errno, err);
	cg->dirfd = open(cg->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cg->dirfd < 0)
		e = errno;
	else if (locked && flock(cg->dirfd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		e = EAGAIN;
	if (!e)
		return 0;
	if (cg->dirfd >= 0)
		close(SG_TAKE_FD(cg->dirfd));
	(void)rmdir(cg->path);
	if (locked && (e == EAGAIN || e == ENOENT))
		return sg_err_set(err, EAGAIN, "%s was taken for one that a crash left, by another sgrun; try again",
				  cg->path);
	return sg_err_set(err, e, "cannot open the cgroup %s: %s", cg->path, strerror(e));
}

/* name: already in cg, or empty, for one that tells who the owner is. */
static int make_below(struct sg_cgroup *cg, const char *mount, const char *root, const char *rel_base, bool may_exist,
		      struct sg_err *err)
{
	const char *m = strcmp(mount, "/") ? mount : "";
	const char *r = strcmp(rel_base, "/") ? rel_base : "";
	bool any, named = cg->name[0];
	char controllers[256];
	struct stat st;
	int rc;

	if (snprintf(cg->base, sizeof(cg->base), "%s%s", m, r) >= (int)sizeof(cg->base))
		return sg_err_set(err, ENAMETOOLONG, "the path of the cgroup2 mount is too long: %s", mount);
	/* Asked first, because where it was not delegated all else is for nothing. */
	if (faccessat(AT_FDCWD, cg->base, W_OK, AT_EACCESS) < 0)
		return refused(cg->base, errno, err);
	any = enable_controllers(cg->base);
	for (unsigned tries = 0;; tries++) {
		/*
		 * pid and time say whether the owner still lives: who has that pid by then and started later is
		 * another one. A time that is a moment ahead says so as well.
		 */
		if (!named)
			snprintf(cg->name, sizeof(cg->name), SANDBOX_PREFIX "%d-%llu", (int)getpid(),
				 (unsigned long long)sg_proc_now() + tries);
		if (snprintf(cg->path, sizeof(cg->path), "%s/%s", cg->base, cg->name) >= (int)sizeof(cg->path) ||
		    snprintf(cg->rel, sizeof(cg->rel), "%s/%s", r, cg->name) >= (int)sizeof(cg->rel))
			return sg_err_set(err, ENAMETOOLONG, "the path of the cgroup2 mount is too long: %s", mount);
		rc = make_dir(cg, may_exist, !named, err);
		if (rc != -EAGAIN || tries == TRIES)
			break;
		*err = (struct sg_err){0};
	}
	if (rc)
		return rc;
	if (fstat(cg->dirfd, &st) < 0) {
		rc = sg_err_set(err, errno, "cannot open the cgroup %s: %s", cg->path, strerror(errno));
		close(SG_TAKE_FD(cg->dirfd));
		rmdir(cg->path);
		return rc;
	}
	cg->id = st.st_ino; /* kernfs: the inode number is the cgroup id */
	cg->level = sg_cgroup_level(mount, root, cg->rel);
	if (any && sg_read_file(cg->dirfd, "cgroup.controllers", controllers, sizeof(controllers)) > 0) {
		cg->has_pids = has_word(controllers, "pids");
		cg->has_memory = has_word(controllers, "memory");
		cg->has_cpu = has_word(controllers, "cpu");
	}
	return 0;
}

int sg_cgroup_create(struct sg_cgroup *cg, struct sg_err *err)
{
	char mount[256], root[256], own[256];
	int rc;

	memset(cg, 0, sizeof(*cg));
	cg->dirfd = -1;
	rc = sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), err);
	if (rc)
		return rc;
	if (geteuid() == 0) {
		rc = make_below(cg, mount, root, "/", false, err);
		if (rc != -EACCES && rc != -EPERM)
			return rc;
		/* Root of a user namespace, for whom its own cgroup may have been delegated all the same. */
		*cg = (struct sg_cgroup){.dirfd = -1};
		*err = (struct sg_err){0};
	}
	if (own_cgroup(own, sizeof(own)) < 0)
		return sg_err_set(err, ENOENT, "this process is in no cgroup2 cgroup");
	return make_below(cg, mount, root, own, false, err);
}

int sg_cgroup_parent(struct sg_cgroup *parent, const char *name, struct sg_err *err)
{
	char mount[256], root[256];
	int rc;

	memset(parent, 0, sizeof(*parent));
	parent->dirfd = -1;
	if (!*name || strlen(name) >= sizeof(parent->name) || strchr(name, '/') || name[0] == '.')
		return sg_err_set(err, EINVAL, "%s is no name for a cgroup", name);
	rc = sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), err);
	if (rc)
		return rc;
	snprintf(parent->name, sizeof(parent->name), "%s", name);
	rc = make_below(parent, mount, root, "/", true, err);
	if (!rc)
		(void)enable_controllers(parent->path);
	return rc;
}

int sg_cgroup_create_below(struct sg_cgroup *cg, const struct sg_cgroup *parent, const char *name, struct sg_err *err)
{
	struct stat st;

	*cg = (struct sg_cgroup){.dirfd = -1,
				 .level = parent->level ? parent->level + 1 : 0,
				 .has_pids = parent->has_pids,
				 .has_memory = parent->has_memory,
				 .has_cpu = parent->has_cpu};
	if (snprintf(cg->name, sizeof(cg->name), "%s", name) >= (int)sizeof(cg->name) ||
	    snprintf(cg->base, sizeof(cg->base), "%s", parent->path) >= (int)sizeof(cg->base) ||
	    snprintf(cg->path, sizeof(cg->path), "%s/%s", parent->path, name) >= (int)sizeof(cg->path) ||
	    snprintf(cg->rel, sizeof(cg->rel), "%s/%s", parent->rel, name) >= (int)sizeof(cg->rel))
		return sg_err_set(err, ENAMETOOLONG, "the path of the cgroup is too long: %s/%s", parent->path, name);
	if (mkdirat(parent->dirfd, name, 0755) < 0)
		return sg_err_set(err, errno, "cannot create the cgroup %s: %s", cg->path, strerror(errno));
	cg->dirfd = openat(parent->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cg->dirfd < 0 || fstat(cg->dirfd, &st) < 0) {
		int e = errno;

		if (cg->dirfd >= 0)
			close(SG_TAKE_FD(cg->dirfd));
		(void)unlinkat(parent->dirfd, name, AT_REMOVEDIR);
		return sg_err_set(err, e, "cannot open the cgroup %s: %s", cg->path, strerror(e));
	}
	cg->id = st.st_ino;
	return 0;
}

int sg_cgroup_populated(const struct sg_cgroup *cg)
{
	char buf[128];
	ssize_t n = sg_read_piece(cg->dirfd, "cgroup.events", buf, sizeof(buf));

	/* Our own want says nothing of it, and what is gone loses its policy. */
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
		return 1;
	return n < 0 ? (int)n : strstr(buf, "populated 1") != NULL;
}

int sg_cgroup_tasks(const struct sg_cgroup *cg)
{
	SG_CLOSE int fd = openat(cg->dirfd, "cgroup.threads", O_RDONLY | O_CLOEXEC);
	char buf[8192];
	int count = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			count += buf[i] == '\n';
	return n < 0 ? -errno : count;
}

int sg_cgroup_each(const struct sg_cgroup *cg, void (*fn)(void *ctx, pid_t pid), void *ctx)
{
	int fd = openat(cg->dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC), pid, rc;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	rc = f ? 0 : -errno;
	errno = 0;
	while (f && fscanf(f, "%d", &pid) == 1) {
		fn(ctx, (pid_t)pid);
		errno = 0;
	}
	if (f && ferror(f))
		rc = errno ? -errno : -EIO;
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	return rc == -ENOENT || rc == -ENODEV ? 0 : rc; /* it was removed: nothing is in it */
}

#define BELOW_MAX 32 /* of cgroups below one */

struct until {
	bool (*fn)(void *ctx, pid_t pid);
	void *ctx;
	bool on;
};

static void while_on(void *ctx, pid_t pid)
{
	struct until *u = ctx;

	u->on = u->on && u->fn(u->ctx, pid);
}

bool sg_cgroup_each_below(const struct sg_cgroup *cg, unsigned depth, bool (*fn)(void *ctx, pid_t pid), void *ctx)
{
	struct until u = {.fn = fn, .ctx = ctx, .on = true};
	int fd = openat(cg->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	(void)sg_cgroup_each(cg, while_on, &u);
	while (dir && depth && u.on && (e = readdir(dir))) {
		struct sg_cgroup in = {.dirfd = -1};

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		in.dirfd = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (in.dirfd < 0)
			continue;
		u.on = sg_cgroup_each_below(&in, depth - 1, fn, ctx);
		close(in.dirfd);
	}
	if (dir)
		closedir(dir);
	return u.on;
}

static bool count_one(void *ctx, pid_t pid)
{
	(void)pid;
	++*(int *)ctx;
	return true;
}

int sg_cgroup_processes(const struct sg_cgroup *cg)
{
	int n = 0;

	if (sg_cgroup_populated(cg) < 0)
		return -ENODEV;
	(void)sg_cgroup_each_below(cg, BELOW_MAX, count_one, &n);
	return n;
}

bool sg_cgroup_contains(const struct sg_cgroup *cg, pid_t pid)
{
	char file[64], buf[4096], rel[4096];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	return sg_read_file(AT_FDCWD, file, buf, sizeof(buf)) >= 0 && sg_cgroup_place(buf, rel, sizeof(rel)) == 0 &&
	       sg_path_within(rel, cg->rel);
}

/* Removes a cgroup and those below it. Depth is bounded by the kernel's path length. */
static int remove_tree(int parent, const char *name)
{
	SG_CLOSE int fd = -1;
	struct dirent *e;
	DIR *d;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(dup(fd));
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			(void)remove_tree(fd, e->d_name);
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* A killed process leaves its cgroup a moment after its parent could reap it. */
static int remove_patiently(int parent, const char *name)
{
	int rc = 0;

	for (int i = 0; i < 200; i++) {
		struct timespec ts = {.tv_nsec = i < 20 ? 50000 : 5000000};

		rc = remove_tree(parent, name);
		if (rc != -EBUSY)
			break;
		nanosleep(&ts, NULL);
	}
	return rc == -ENOENT ? 0 : rc;
}

int sg_cgroup_remove(struct sg_cgroup *cg)
{
	if (cg->dirfd < 0)
		return 0;
	close(cg->dirfd);
	cg->dirfd = -1;
	return remove_patiently(AT_FDCWD, cg->path);
}

/* Whether a name is that of a sandbox whose owner, by pid and time, is gone. */
static bool is_left(const char *name)
{
	unsigned long long made, start;
	int pid;

	if (sscanf(name, SANDBOX_PREFIX "%d-%llu", &pid, &made) != 2 || pid <= 0)
		return false;
	start = sg_proc_start_time(pid);
	return !start || start > made;
}

bool sg_cgroup_any_left(const struct sg_cgroup *own)
{
	DIR *d = opendir(own->base);
	struct dirent *e;
	bool any = false;

	while (d && !any && (e = readdir(d)))
		any = strcmp(e->d_name, own->name) != 0 && is_left(e->d_name);
	if (d)
		closedir(d);
	return any;
}

int sg_cgroup_sweep(const char *base)
{
	int swept = 0;
	struct dirent *e;
	DIR *d = opendir(base);

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		struct sg_cgroup stale = {.dirfd = -1};

		if (!is_left(e->d_name))
			continue;
		stale.dirfd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (stale.dirfd < 0)
			continue;
		/* Its owner, or the owner's guard, is in another PID namespace. */
		if (flock(stale.dirfd, LOCK_EX | LOCK_NB) < 0) {
			close(stale.dirfd);
			continue;
		}
		(void)sg_cgroup_kill(&stale);
		close(stale.dirfd);
		if (remove_patiently(dirfd(d), e->d_name) == 0)
			swept++;
	}
	closedir(d);
	return swept;
}
