// SPDX-License-Identifier: Apache-2.0
#include "supervisor/landlock.h"

#include "policy/net_filter.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Debian 12's headers know ABI 2; these are the kernel's numbers (include/uapi/linux/landlock.h). */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define FS_RESOLVE_UNIX (1ULL << 16)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define NET_BIND_UDP (1ULL << 2)
#define NET_SEND_UDP (1ULL << 3)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define RULE_NET_PORT 2

/* The ABI, and the kernel, that brought each ability. */
#define ABI_REFER 2      /* 5.19 */
#define ABI_TRUNCATE 3   /* 6.2 */
#define ABI_TCP 4        /* 6.7 */
#define ABI_SCOPES 6     /* 6.12 */
#define ABI_LOG 7        /* 6.15 */
#define ABI_UNIX_PATHS 9 /* 7.1 */
#define ABI_UDP 10       /* 7.2 */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FS_CREATE                                                                                                      \
	(LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                    \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_CHAR |                   \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define FS_DELETE (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define FS_MOVE LANDLOCK_ACCESS_FS_REFER /* between directories: needed at both ends */
#define FS_CHANGE (FS_WRITE | FS_CREATE | FS_DELETE | FS_MOVE)
#define FS_OF_FILES (FS_WRITE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | FS_RESOLVE_UNIX)

#define MAX_SPLIT 1024 /* entries that stand for a tree with an exception in it */
#define MAX_PORTS 512
#define MAX_EXCEPT 64

/* Rights that change something: never granted in the kernel's own trees. */
#define RIGHTS_CHANGE (SG_RIGHT_WRITE | SG_RIGHT_CREATE | SG_RIGHT_DELETE)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

/* A ruleset while it is made. */
struct build {
	struct sg_landlock *l;
	const struct sg_landlock_rules *rules;
	struct ruleset_attr attr;
	int fd;
	char cgroup_top[NAME_MAX + 2]; /* "/" and the first name of the cgroup's path */
	/* What a grant must go around, by the names that the kernel uses: what is denied, then the kernel's own. */
	struct except {
		const char *name;
		uint32_t rights; /* SG_RIGHT_* */
		bool kernel;
	} except[MAX_EXCEPT + 4];
	unsigned n_except;
	unsigned n_split;
	bool open_denials; /* there was no room to go around what is denied */
	struct sg_err *err;
};

static void gap(struct build *b, bool asked, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void gap(struct build *b, bool asked, const char *fmt, ...)
{
	struct sg_landlock *l = b->l;
	struct sg_landlock_gap *g = &l->gaps[l->n_gaps < SG_LANDLOCK_GAPS ? l->n_gaps : SG_LANDLOCK_GAPS - 1];
	va_list ap;

	if (l->n_gaps++ >= SG_LANDLOCK_GAPS) {
		l->n_gaps = SG_LANDLOCK_GAPS;
		g->asked = true;
		snprintf(g->text, sizeof(g->text), "more rules than are named here");
		return;
	}
	g->asked = asked;
	va_start(ap, fmt);
	vsnprintf(g->text, sizeof(g->text), fmt, ap);
	va_end(ap);
}

/* ---- what is to be confined ---- */

static bool confined(const struct sg_objects *o, enum sg_class class)
{
	return o && (o->cls[class].mode == SG_MODE_ERRNO || o->cls[class].mode == SG_MODE_KILL);
}

/* The file rights of a mask of SG_RIGHT_*, as far as there are any. */
static uint64_t fs_rights(uint32_t rights)
{
	static const uint64_t of[SG_N_RIGHTS] = {
		[SG_CLASS_READ] = FS_READ,
		[SG_CLASS_WRITE] = FS_WRITE,
		[SG_CLASS_CREATE] = FS_CREATE | FS_MOVE,
		[SG_CLASS_DELETE] = FS_DELETE | FS_MOVE,
		[SG_CLASS_EXEC] = LANDLOCK_ACCESS_FS_EXECUTE,
		[SG_CLASS_UNIX] = FS_RESOLVE_UNIX,
	};
	uint64_t fs = 0;

	for (unsigned i = 0; i < SG_N_RIGHTS; i++)
		if (rights & (1U << i))
			fs |= of[i];
	return fs;
}

/* SG_RIGHT_* that the policy confines: of these nothing is granted but by trees. */
static uint32_t confined_rights(const struct sg_objects *o)
{
	uint32_t rights = 0;

	for (unsigned i = 0; i < SG_N_RIGHTS; i++)
		if (confined(o, (enum sg_class)i))
			rights |= 1U << i;
	return rights;
}

/* Those that it leaves open but for trees that deny them. */
static uint32_t denied_rights(const struct sg_places *p)
{
	uint32_t rights = 0;

	for (size_t i = 0; p && i < p->n; i++)
		rights |= p->list[i].rights.deny;
	return p ? rights | p->self.deny : 0;
}

static uint64_t known_fs(int abi)
{
	uint64_t known = FS_CHANGE | FS_READ | LANDLOCK_ACCESS_FS_EXECUTE | FS_RESOLVE_UNIX;

	if (abi < ABI_TRUNCATE)
		known &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi < ABI_UNIX_PATHS)
		known &= ~FS_RESOLVE_UNIX;
	return known;
}

/* ---- rules about files ---- */

static int add_fd(struct build *b, int fd, bool is_dir, uint64_t rights, const char *name)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};

	rule.allowed_access = rights & b->attr.handled_access_fs & (is_dir ? ~0ULL : FS_OF_FILES);
	if (!rule.allowed_access || syscall(SYS_landlock_add_rule, b->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	return sg_err_set(b->err, errno, "Landlock rule for %s: %s", name, strerror(errno));
}

/* What is not there, or not open to us, needs no rule. */
static int add_at(struct build *b, int dir, const char *name, bool is_dir, uint64_t rights)
{
	SG_CLOSE int fd = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW | (is_dir ? O_DIRECTORY : 0));

	if (fd < 0 && (errno == ENOTDIR || errno == ENOENT || errno == ELOOP || errno == EACCES))
		return 0;
	if (fd < 0)
		return sg_err_set(b->err, errno, "cannot open %s for a Landlock rule: %s", name, strerror(errno));
	return add_fd(b, fd, is_dir, rights, name);
}

/* A root without capabilities still owns the disks' device files. */
static int add_devices(struct build *b, uint64_t rights)
{
	static const char *const dirs[] = {"shm", "pts", "mqueue"};
	static const char *const files[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"};
	SG_CLOSE int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	b->l->around = true;
	for (size_t i = 0; !rc && dev >= 0 && i < SG_ARRAY_SIZE(dirs); i++)
		rc = add_at(b, dev, dirs[i], true, rights);
	for (size_t i = 0; !rc && dev >= 0 && i < SG_ARRAY_SIZE(files); i++)
		rc = add_at(b, dev, files[i], false, rights);
	return rc;
}

/* How an entry stands to what must be gone around. */
enum how { BESIDE, ABOVE, DENIED, KERNEL };

static enum how stands(const struct build *b, const char *path, uint32_t rights)
{
	enum how how = BESIDE;

	for (unsigned i = 0; i < b->n_except; i++) {
		const struct except *e = &b->except[i];

		if (!(e->rights & rights) || (!e->kernel && b->open_denials))
			continue;
		if (!strcmp(e->name, path))
			return e->kernel ? KERNEL : DENIED;
		if (sg_path_within(e->name, path))
			how = ABOVE;
	}
	return how;
}

/* What procfs makes for a process. Those of the sandbox are not there yet, but for the one that waits to become it. */
static bool is_proc_pid(const char *dir, const char *name)
{
	return !strcmp(dir, "/proc") && !name[strspn(name, "0123456789")];
}

/*
 * Rights are granted by directory and cannot be taken back below one: what lies beside the exceptions is named one by
 * one. The directory itself gets nothing, so nothing can be made or listed in it. Consumes dir.
 */
static int add_around(struct build *b, int dir, const char *path, uint32_t rights)
{
	DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
	struct dirent *e;
	int rc = 0;

	b->l->around = true;
	if (!d) {
		rc = sg_err_set(b->err, errno, "cannot read %s: %s", path, strerror(errno));
		sg_closep(&dir);
		return rc;
	}
	while (!rc && (e = readdir(d))) {
		char name[PATH_MAX];

		/* A link's target is another entry, or lies below one. */
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || e->d_type == DT_LNK ||
		    is_proc_pid(path, e->d_name))
			continue;
		if (++b->n_split > MAX_SPLIT) {
			rc = -E2BIG;
			break;
		}
		snprintf(name, sizeof(name), "%s/%s", strcmp(path, "/") != 0 ? path : "", e->d_name);
		switch (stands(b, name, rights)) {
		case BESIDE:
			rc = add_at(b, dirfd(d), e->d_name, e->d_type == DT_DIR, fs_rights(rights));
			break;
		case ABOVE:
			dir = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			rc = add_around(b, dir, name, rights);
			break;
		case KERNEL:
			if (!strcmp(name, "/dev"))
				rc = add_devices(b, fs_rights(rights));
			break;
		case DENIED:
			break;
		}
	}
	closedir(d);
	return rc;
}

/* Grants rights to a tree, around whatever lies in it and is not to get them. said: for messages. */
static int add_part(struct build *b, int fd, bool is_dir, const char *path, const char *said, uint32_t rights)
{
	int rc;

	if (!(fs_rights(rights) & b->attr.handled_access_fs))
		return 0;
	if (!path || stands(b, path, rights) != ABOVE)
		return add_fd(b, fd, is_dir, fs_rights(rights), said);
	b->n_split = 0;
	rc = add_around(b, openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), path, rights);
	if (rc != -E2BIG || b->err->code)
		return rc;
	if (b->open_denials)
		return sg_err_set(b->err, E2BIG, "more than %d entries lie around the kernel's in %s", MAX_SPLIT, said);
	/* What was added so far is a part of what is added now. */
	gap(b, true, "deny: what is denied in %s is open: more than %d entries lie around it", said, MAX_SPLIT);
	b->open_denials = true;
	rc = add_part(b, fd, is_dir, path, said, rights);
	b->open_denials = false;
	return rc;
}

static int except(struct build *b, const char *name, uint32_t rights, bool kernel)
{
	if (b->n_except >= MAX_EXCEPT + (kernel ? 4U : 0U))
		return sg_err_set(b->err, E2BIG, "more than %d denials", MAX_EXCEPT);
	b->except[b->n_except++] = (struct except){name, rights, kernel};
	return 0;
}

/* Rights that change something: they end where the kernel's own trees begin. */
static int add_changes(struct build *b, int fd, const char *path, const char *said, uint32_t rights)
{
	const char *const kernel[] = {"/proc", "/sys", "/dev", b->cgroup_top};
	unsigned before = b->n_except;
	int rc = 0;

	if (!strcmp(path, "/dev"))
		return add_devices(b, fs_rights(rights));
	for (size_t i = 0; !rc && i < SG_ARRAY_SIZE(kernel); i++) {
		if (!kernel[i][0] || (!strcmp(kernel[i], "/dev") && sg_path_within(path, "/dev")))
			continue;
		if (sg_path_within(path, kernel[i])) {
			gap(b, true, "write: %s is the kernel's and stays as it is", said);
			goto out;
		}
		rc = except(b, kernel[i], RIGHTS_CHANGE, true);
	}
	if (!rc)
		rc = add_part(b, fd, true, path, said, rights);
out:
	b->n_except = before;
	return rc;
}

static int add_tree(struct build *b, int fd, bool is_dir, const char *path, const char *said, uint32_t rights)
{
	uint32_t changes = is_dir ? rights & RIGHTS_CHANGE : 0;
	int rc = add_part(b, fd, is_dir, path, said, rights & ~changes);

	if (!rc && (fs_rights(changes) & b->attr.handled_access_fs))
		rc = add_changes(b, fd, path, said, changes);
	return rc;
}

/* By the path it was opened by, where that leads to it still, else by what procfs says, which costs more. */
static int name_of(struct build *b, const struct sg_place *p, char name[PATH_MAX])
{
	struct stat opened, named;
	char link[64];
	ssize_t n;

	if (realpath(p->path, name) && fstat(p->fd, &opened) == 0 && lstat(name, &named) == 0 &&
	    opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", p->fd);
	n = readlink(link, name, PATH_MAX - 1);
	if (n <= 0)
		return sg_err_set(b->err, n < 0 ? errno : EINVAL, "cannot tell where %s lies: %s", p->path,
				  n < 0 ? strerror(errno) : "it has no path");
	name[n] = '\0';
	return 0;
}

static void gap_around(struct build *b, const char *said)
{
	gap(b, true, "deny: nothing can be made or listed in the directories from %s down to what is denied", said);
}

static int add_place(struct build *b, const struct sg_place *p, uint32_t rights)
{
	char name[PATH_MAX];
	int rc;

	if (!rights)
		return 0;
	/* Names cost a call, and most trees can do without. */
	if (!p->is_dir || (!b->n_except && !(rights & RIGHTS_CHANGE)))
		return add_part(b, p->fd, p->is_dir, NULL, p->path, rights);
	rc = name_of(b, p, name);
	if (!rc && stands(b, name, rights) == ABOVE)
		gap_around(b, p->path);
	return rc ? rc : add_tree(b, p->fd, true, name, p->path, rights);
}

static int collect_denied(struct build *b, char **names)
{
	const struct sg_places *p = b->rules->places;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; p && i < p->n; i++)
		n += p->list[i].rights.deny != 0;
	*names = n ? calloc(n, PATH_MAX) : NULL;
	if (n && !*names)
		return sg_err_set(b->err, ENOMEM, "out of memory");
	n = 0;
	for (size_t i = 0; !rc && p && i < p->n; i++) {
		char *name = *names + n * PATH_MAX;

		if (!p->list[i].rights.deny)
			continue;
		rc = name_of(b, &p->list[i], name);
		if (!rc)
			rc = except(b, name, p->list[i].rights.deny, false);
		n++;
	}
	/* No directory has that name, but /proc lies above it. */
	if (!rc && p && p->self.deny)
		rc = except(b, "/proc/self", p->self.deny, false);
	return rc;
}

/* /proc/PID of the sandbox's processes. Each of them needs its own, and only the first one's is known. */
static int add_own_proc(struct build *b, uint32_t confine)
{
	const struct sg_places *p = b->rules->places;
	uint64_t rights = p && (p->self.allow & confine & SG_RIGHT_READ) ? FS_READ : 0;

	if (!rights)
		return 0;
	if (!b->rules->forks) {
		b->l->own_proc = rights;
		return 0;
	}
	gap(b, false, "trace: what /proc tells of processes outside can be read, but for their memory");
	return add_at(b, AT_FDCWD, "/proc", true, rights);
}

/* confine: rights of which only trees give some; all: rights that everything has but for what is denied. */
static int add_files(struct build *b, uint32_t confine, uint32_t all)
{
	const struct sg_places *p = b->rules->places;
	SG_FREE char *names = NULL;
	SG_CLOSE int root = -1;
	int rc = collect_denied(b, &names);

	if (!rc && (fs_rights(all) & b->attr.handled_access_fs)) {
		if (b->n_except)
			gap_around(b, "/");
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		rc = root < 0 ? sg_err_set(b->err, errno, "cannot open /: %s", strerror(errno))
			      : add_tree(b, root, true, "/", "/", all);
	}
	for (size_t i = 0; !rc && p && i < p->n; i++)
		rc = add_place(b, &p->list[i], p->list[i].rights.allow & confine);
	return rc ? rc : add_own_proc(b, confine);
}

/* ---- rules about ports ---- */

static uint64_t net_rights(const struct sg_net_rule *r)
{
	uint64_t rights = 0;

	if (r->protos & SG_NET_TCP)
		rights |= (r->ops & SG_NET_CONNECT ? NET_CONNECT_TCP : 0) | (r->ops & SG_NET_BIND ? NET_BIND_TCP : 0);
	if (r->protos & SG_NET_UDP)
		rights |= (r->ops & SG_NET_CONNECT ? NET_SEND_UDP : 0) | (r->ops & SG_NET_BIND ? NET_BIND_UDP : 0);
	return rights;
}

/* What of the policy's network rules is to be handled at all: not what is open on every port. */
static uint64_t handled_net(const struct build *b)
{
	const struct sg_objects *o = b->rules->objects;
	uint64_t net = 0;

	if (!confined(o, SG_CLASS_NET))
		return 0;
	if (b->l->abi >= ABI_TCP)
		net |= NET_BIND_TCP | NET_CONNECT_TCP;
	if (b->l->abi >= ABI_UDP)
		net |= NET_BIND_UDP | NET_SEND_UDP;
	for (uint32_t i = 0; i < o->n_net && i < SG_NET_MAX; i++) {
		const struct sg_net_rule *r = &o->net[i];

		if (sg_net_any_address(o, r) && r->port_lo == 0 && r->port_hi == 65535)
			net &= ~net_rights(r);
	}
	return net;
}

static int add_ports(struct build *b)
{
	const struct sg_objects *o = b->rules->objects;
	unsigned ports = 0;
	bool addresses = false, many = false;

	for (uint32_t i = 0; confined(o, SG_CLASS_NET) && i < o->n_net && i < SG_NET_MAX; i++) {
		const struct sg_net_rule *r = &o->net[i];
		struct net_port_attr rule = {.allowed_access = net_rights(r) & b->attr.handled_access_net};

		if (!sg_net_any_address(o, r)) {
			addresses |= rule.allowed_access || (b->rules->no_udp && (r->protos & SG_NET_UDP));
			continue;
		}
		if (!rule.allowed_access)
			continue;
		for (uint32_t port = r->port_lo; port <= r->port_hi; port++) {
			if (++ports > MAX_PORTS) {
				many = true;
				break;
			}
			rule.port = port;
			if (syscall(SYS_landlock_add_rule, b->fd, RULE_NET_PORT, &rule, 0) < 0)
				return sg_err_set(b->err, errno, "Landlock rule for port %u: %s", port,
						  strerror(errno));
		}
	}
	if (addresses)
		gap(b, true, "net: what is allowed only to some addresses is refused: Landlock knows ports alone");
	if (many)
		gap(b, true, "net: of the ports that are allowed, all but the first %d are refused", MAX_PORTS);
	return 0;
}

/* ---- the whole ---- */

static bool allowed_by_name(const struct sg_objects *o, enum sg_class class)
{
	return o && o->cls[class].mode == SG_MODE_ALLOW && o->cls[class].origin != SG_ORIGIN_UNLISTED;
}

static void list_gaps(struct build *b, uint32_t confine)
{
	const struct sg_objects *o = b->rules->objects;

	if (confine & ~(SG_RIGHT_MAP | SG_RIGHT_CONNECT))
		gap(b, false, "record: what Landlock refuses is not reported, and not killed for");
	if ((confine & SG_RIGHT_WRITE) && b->l->abi < ABI_TRUNCATE)
		gap(b, false, "write: every file that the user may write can be truncated by name");
	if ((confine & SG_RIGHT_WRITE) && b->rules->metadata)
		gap(b, false, "write: mode, owner, times and extended attributes of the user's own files can be set");
	if (confine & SG_RIGHT_MAP)
		gap(b, false, "map: every file that can be read can be mapped executable");
	if ((confine & SG_RIGHT_CONNECT) && b->rules->sockets && b->l->abi < ABI_UNIX_PATHS)
		gap(b, false, "unix: sockets made outside can be connected to by path%s",
		    b->l->abi < ABI_SCOPES ? " and by abstract name" : "");
	/* Families that the policy does not name are refused by seccomp, where its rules say so. */
	if (confined(o, SG_CLASS_NET) && (o->families & (1ULL << AF_INET | 1ULL << AF_INET6))) {
		if (b->l->abi < ABI_TCP)
			gap(b, true, "net: no address or port is checked");
		else if (b->l->abi < ABI_UDP && !(sg_net_refused(o, false) & SG_NET_REFUSE_UDP))
			gap(b, true, "net: of UDP, no address or port is checked");
	}
}

int sg_landlock_build(struct sg_landlock *l, const struct sg_landlock_rules *rules, struct sg_err *err)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), rc;
	const struct sg_objects *o = rules->objects;
	struct build b = {.l = l, .rules = rules, .fd = -1, .err = err};
	uint32_t confine = confined_rights(o);
	size_t size = sizeof(b.attr.handled_access_fs);

	memset(l, 0, sizeof(*l));
	l->fd = -1;
	if (rules->max_abi && abi > rules->max_abi)
		abi = rules->max_abi;
	l->abi = abi > 0 ? abi : 0;
	l->log = abi >= ABI_LOG;
	if (abi < ABI_REFER)
		return sg_err_set(err, EOPNOTSUPP,
				  abi < 1 ? "the kernel offers no Landlock"
					  : "the kernel's Landlock (ABI 1) would forbid renames between directories");
	snprintf(b.cgroup_top, sizeof(b.cgroup_top), "%.*s",
		 rules->cgroup_dir[0] ? 1 + (int)strcspn(rules->cgroup_dir + 1, "/") : 0, rules->cgroup_dir);
	b.attr.handled_access_fs =
		(FS_CHANGE | fs_rights(confine | (denied_rights(rules->places) & ~confine))) & known_fs(abi);
	b.attr.handled_access_net = handled_net(&b);
	if (b.attr.handled_access_net)
		size = offsetof(struct ruleset_attr, scoped);
	if (abi >= ABI_SCOPES) {
		b.attr.scoped = (allowed_by_name(o, SG_CLASS_UNIX) ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET) |
				(allowed_by_name(o, SG_CLASS_SIGNAL) ? 0 : SCOPE_SIGNAL);
		size = sizeof(b.attr);
		l->scopes_signals = b.attr.scoped & SCOPE_SIGNAL;
	}
	b.fd = (int)syscall(SYS_landlock_create_ruleset, &b.attr, size, 0);
	if (b.fd < 0)
		return sg_err_set(err, errno, "cannot create a Landlock ruleset: %s", strerror(errno));
	l->files = confine || denied_rights(rules->places);
	rc = add_files(&b, confine, SG_RIGHTS & ~confine);
	if (!rc)
		rc = add_ports(&b);
	if (rc) {
		close(b.fd);
		return rc;
	}
	list_gaps(&b, confine);
	l->fd = b.fd;
	return 0;
}

bool sg_landlock_logs(void)
{
	static long version;

	if (!version)
		version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return version >= ABI_LOG;
}

bool sg_landlock_is_ruleset(int fd)
{
	struct landlock_path_beneath_attr none = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE, .parent_fd = -1};

	/* landlock_add_rule(2): EBADFD for what is no ruleset, before the rest is looked at. */
	return syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &none, 0) == 0 || errno != EBADFD;
}

int sg_landlock_enforce(const struct sg_landlock *l)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = l->own_proc, .parent_fd = -1};

	if (l->own_proc) {
		/* Without it the program does not see itself: no reason to run with less protection, or not at all. */
		rule.parent_fd = open("/proc/self", O_PATH | O_CLOEXEC);
		if (rule.parent_fd >= 0)
			(void)syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	return (int)syscall(SYS_landlock_restrict_self, l->fd, l->log ? SG_LANDLOCK_LOG : 0);
}
