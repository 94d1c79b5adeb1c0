/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/peer.h"

#include "daemon/loop.h"
#include "supervisor/cgroup_ns.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef PIDFS_IOCTL_MAGIC
#define PIDFS_IOCTL_MAGIC 0xFF
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static int no_pidfd(struct sg_err *err)
{
	if (errno == ESRCH || errno == EINVAL)
		return sg_err_set(err, ESRCH, "the client process is gone");
	return sg_err_set(err, errno, "cannot get a descriptor of the client process: %s", strerror(errno));
}

int sgd_peer_open(struct sgd_peer *p, int socket, struct sg_err *err)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	*p = (struct sgd_peer){.pidfd = -1, .proc = -1};
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return sg_err_set(err, errno, "cannot tell who is at the other end: %s", strerror(errno));
	p->pid = cred.pid;
	p->uid = cred.uid;
	p->gid = cred.gid;
	if (cred.pid <= 0)
		return sg_err_set(err, ESRCH, "a client in another pid namespace that sgd cannot see");
	size = sizeof(p->pidfd);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &p->pidfd, &size) == 0)
		return 0;
	p->pidfd = -1;
	if (errno != ENOPROTOOPT)
		return no_pidfd(err);
	/* Before 6.5: the pid may have gone to somebody else between connect and here, which takes a whole turn of the
	 * pid space in the time a connection waits to be accepted. */
	p->pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
	return p->pidfd < 0 ? no_pidfd(err) : 0;
}

void sgd_peer_close(struct sgd_peer *p)
{
	if (p->pidfd >= 0)
		close(SG_TAKE_FD(p->pidfd));
	if (p->proc >= 0)
		close(SG_TAKE_FD(p->proc));
}

static int open_proc(struct sgd_peer *p, struct sg_err *err)
{
	char path[32];

	if (p->proc >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d", (int)p->pid);
	p->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->proc < 0)
		return errno == ENOENT || errno == ESRCH
			       ? sg_err_set(err, ESRCH, "the client process is gone")
			       : sg_err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	return 0;
}

/* What was read of /proc was read of the process that connected only if that is still there to be signalled. */
static int same(const struct sgd_peer *p, struct sg_err *err)
{
	if (syscall(SYS_pidfd_send_signal, p->pidfd, 0, NULL, 0) < 0)
		return sg_err_set(err, ESRCH, "the client process is gone");
	return 0;
}

/* What ioctl_pidfd(2) answers of it; Debian 12's headers are older. */
struct pidfd_words {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
#define CGROUP_ID (1ULL << 2)

/* The number of its cgroup2 cgroup; 0: this kernel does not say (before 6.13), or it is gone. */
static uint64_t cgroup_number(const struct sgd_peer *p)
{
	struct pidfd_words info = {.mask = CGROUP_ID};

	return ioctl(p->pidfd, _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_words), &info) == 0 && info.mask & CGROUP_ID
		       ? info.cgroup
		       : 0;
}

/* Paths of cgroups that clients were in: they have one number and one path as long as they are there, and to write it
 * for /proc the kernel takes a lock that everybody wants who starts or ends. */
static struct {
	uint64_t number;
	char path[256];
} known_cgroups[8];

static const char *known_path(uint64_t number)
{
	for (size_t i = 0; number && i < SG_ARRAY_SIZE(known_cgroups); i++)
		if (known_cgroups[i].number == number)
			return known_cgroups[i].path;
	return NULL;
}

static void know_path(uint64_t number, const char *path)
{
	const size_t size = strlen(path) + 1;
	static size_t next;

	if (!number || size > sizeof(known_cgroups[0].path))
		return;
	known_cgroups[next].number = number;
	memcpy(known_cgroups[next].path, path, size);
	next = (next + 1) % SG_ARRAY_SIZE(known_cgroups);
}

int sgd_peer_cgroup(struct sgd_peer *p, char *out, size_t size, struct sg_err *err)
{
	uint64_t number = cgroup_number(p);
	const char *known = known_path(number);
	char buf[4096];
	int rc;

	if (known && strlen(known) < size) {
		memcpy(out, known, strlen(known) + 1);
		return 0;
	}
	rc = open_proc(p, err);
	if (rc)
		return rc;
	if (sg_read_file(p->proc, "cgroup", buf, sizeof(buf)) < 0)
		return sg_err_set(err, ESRCH, "the client process is gone");
	rc = sg_cgroup_place(buf, out, size);
	/* All that are ours lie below the mount. */
	if (rc && rc != -EXDEV)
		return sg_err_set(err, rc == -ENOENT ? EXDEV : -rc,
				  rc == -ENOENT ? "the client is in no cgroup2 cgroup"
						: "the client's cgroup has too long a path");
	rc = same(p, err);
	if (!rc && number == cgroup_number(p))
		know_path(number, out);
	return rc;
}

/* Through the pidfd, which makes no entries in procfs (Linux 6.11), else through /proc. */
static int look_at_namespace(const struct sgd_peer *p, const char *name, unsigned number, struct stat *st)
{
	char path[32];
	int fd = ioctl(p->pidfd, _IO(PIDFS_IOCTL_MAGIC, number), 0), rc;

	if (fd >= 0) {
		rc = fstat(fd, st);
		close(fd);
		return rc;
	}
	snprintf(path, sizeof(path), "ns/%s", name);
	return fstatat(p->proc, path, st, 0);
}

/*
 * 0: this kernel has no such kind. It is held open as long as we run, where a descriptor is to be had: else the kernel
 * would make its inode anew for each look at a client in the same.
 */
static ino_t own_namespace(const char *name)
{
	char path[32];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (stat(path, &st) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	sgd_high(&fd);
	return st.st_ino;
}

static int same_namespaces(const struct sgd_peer *p, struct sg_err *err)
{
	static const struct {
		const char *name;
		unsigned number; /* of PIDFD_GET_…_NAMESPACE */
	} kinds[] = {{"mnt", 3}, {"net", 4},  {"ipc", 2},    {"uts", 10},
		     {"pid", 5}, {"user", 9}, {"cgroup", 1}, {"time", 7}};
	static ino_t own[SG_ARRAY_SIZE(kinds)]; /* ours do not change */

	for (size_t i = 0; i < SG_ARRAY_SIZE(kinds); i++) {
		struct stat st;

		if (!own[i])
			own[i] = own_namespace(kinds[i].name);
		if (look_at_namespace(p, kinds[i].name, kinds[i].number, &st) < 0) {
			if (errno == ENOENT && !own[i])
				continue; /* a kernel without this kind */
			return sg_err_set(err, EXDEV, "the client's %s namespace cannot be read: %s", kinds[i].name,
					  strerror(errno));
		}
		if (st.st_ino != own[i])
			return sg_err_set(err, EXDEV,
					  "the client is in another %s namespace: sgd starts programs in its own only",
					  kinds[i].name);
	}
	return 0;
}

static int same_root(const struct sgd_peer *p, struct sg_err *err)
{
	struct stat own, theirs;

	if (stat("/", &own) < 0 || fstatat(p->proc, "root", &theirs, 0) < 0)
		return sg_err_set(err, EXDEV, "the client's root directory cannot be read: %s", strerror(errno));
	if (own.st_dev != theirs.st_dev || own.st_ino != theirs.st_ino)
		return sg_err_set(err, EXDEV, "the client has another root directory than sgd");
	return 0;
}

/* Real, effective, saved and file system id in a line of /proc/PID/status. */
static bool all_four(const char *status, const char *name, unsigned long id)
{
	const char *at = strstr(status, name);

	at = at ? at + strlen(name) : "";
	for (int i = 0; i < 4; i++) {
		char *end;

		if (strtoul(at, &end, 10) != id || end == at)
			return false;
		at = end;
	}
	return true;
}

/* The number in a line of it. False: there is no such line. */
static bool number_in(const char *status, const char *name, int base, uint64_t *out)
{
	const char *at = strstr(status, name);

	if (at)
		*out = strtoull(at + strlen(name), NULL, base);
	return at;
}

/*
 * A set-user-id program that it executed since has limits and a niceness that are not the user's to give. To be asked
 * after those were read.
 */
static int as_it_connected(const struct sgd_peer *p, struct sgd_heritage *h, struct sg_err *err)
{
	uint64_t mask, filters;
	char buf[4096];

	if (sg_read_piece(p->proc, "status", buf, sizeof(buf)) < 0)
		return sg_err_set(err, ESRCH, "the client process is gone");
	if (!all_four(buf, "\nUid:", p->uid) || !all_four(buf, "\nGid:", p->gid))
		return sg_err_set(err, EXDEV,
				  "the client's user and group ids are not all those it connected with, as in a "
				  "set-user-id program");
	/* Who ends has no umask. */
	if (!number_in(buf, "\nUmask:", 8, &mask))
		return sg_err_set(err, ESRCH, "the client process is gone");
	h->umask = (mode_t)mask;
	/* Where that is missing so is what comes behind it, and nothing is started. */
	(void)number_in(buf, "\nSigIgn:", 16, &h->ignored);
	if (number_in(buf, "\nSeccomp:", 10, &filters) && !filters)
		return 0;
	return sg_err_set(err, EXDEV, "the client is under a seccomp filter, and what sgd starts would not be");
}

/* Rows of /proc/PID/limits, in the kernel's order of resources. */
static int limits_from_text(const struct sgd_peer *p, struct rlimit out[RLIM_NLIMITS], struct sg_err *err)
{
	static const struct {
		const char *name;
		int resource;
	} rows[] = {{"Max cpu time", RLIMIT_CPU},
		    {"Max file size", RLIMIT_FSIZE},
		    {"Max data size", RLIMIT_DATA},
		    {"Max stack size", RLIMIT_STACK},
		    {"Max core file size", RLIMIT_CORE},
		    {"Max resident set", RLIMIT_RSS},
		    {"Max processes", RLIMIT_NPROC},
		    {"Max open files", RLIMIT_NOFILE},
		    {"Max locked memory", RLIMIT_MEMLOCK},
		    {"Max address space", RLIMIT_AS},
		    {"Max file locks", RLIMIT_LOCKS},
		    {"Max pending signals", RLIMIT_SIGPENDING},
		    {"Max msgqueue size", RLIMIT_MSGQUEUE},
		    {"Max nice priority", RLIMIT_NICE},
		    {"Max realtime priority", RLIMIT_RTPRIO},
		    {"Max realtime timeout", RLIMIT_RTTIME}};
	char buf[4096];

	if (sg_read_file(p->proc, "limits", buf, sizeof(buf)) < 0)
		return sg_err_set(err, ESRCH, "the client process is gone");
	for (size_t i = 0; i < SG_ARRAY_SIZE(rows); i++) {
		const char *at = strstr(buf, rows[i].name);
		rlim_t value[2];

		if (!at)
			return sg_err_set(err, EXDEV, "the client's limits cannot be read");
		at += strlen(rows[i].name);
		for (int k = 0; k < 2; k++) {
			char *end;

			at += strspn(at, " ");
			if (!strncmp(at, "unlimited", 9)) {
				value[k] = RLIM_INFINITY;
				at += 9;
				continue;
			}
			value[k] = strtoull(at, &end, 10);
			if (end == at)
				return sg_err_set(err, EXDEV, "the client's limits cannot be read");
			at = end;
		}
		out[rows[i].resource] = (struct rlimit){.rlim_cur = value[0], .rlim_max = value[1]};
	}
	return 0;
}

static int read_limits(const struct sgd_peer *p, struct rlimit out[RLIM_NLIMITS], struct sg_err *err)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (prlimit(p->pid, (__rlimit_resource_t)i, NULL, &out[i]) < 0)
			return limits_from_text(p, out, err); /* without CAP_SYS_RESOURCE */
	return 0;
}

static int read_groups(int socket, struct sgd_heritage *h, struct sg_err *err)
{
	socklen_t size = 64 * sizeof(gid_t);

	for (;;) {
		gid_t *more = realloc(h->groups, size);

		if (!more)
			return sg_err_set(err, ENOMEM, "out of memory");
		h->groups = more;
		if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, h->groups, &size) == 0)
			break;
		if (errno != ERANGE || size > 65536 * sizeof(gid_t))
			return sg_err_set(err, errno, "cannot tell the client's groups: %s", strerror(errno));
	}
	h->n_groups = size / sizeof(gid_t);
	return 0;
}

int sgd_peer_look(struct sgd_peer *p, int socket, struct sgd_heritage *h, struct sg_err *err)
{
	char score[16];
	long n;
	int rc = open_proc(p, err);

	if (!rc)
		rc = same_namespaces(p, err);
	if (!rc)
		rc = same_root(p, err);
	if (!rc)
		rc = read_limits(p, h->rlimits, err);
	if (!rc)
		rc = read_groups(socket, h, err);
	if (rc)
		return rc;
	errno = 0;
	h->nice = getpriority(PRIO_PROCESS, (id_t)p->pid);
	if (errno)
		return sg_err_set(err, ESRCH, "the client process is gone");
	rc = sg_read_piece(p->proc, "oom_score_adj", score, sizeof(score));
	if (rc < 0)
		return sg_err_set(err, ESRCH, "the client process is gone");
	h->oom_score_adj = (int)strtol(score, NULL, 10);
	n = syscall(SYS_sched_getaffinity, p->pid, sizeof(h->cpus), h->cpus);
	h->cpus_size = n > 0 ? (size_t)n : 0;
	return 0;
}

int sgd_peer_still(struct sgd_peer *p, struct sgd_heritage *h, struct sg_err *err)
{
	int rc = open_proc(p, err);

	if (!rc)
		rc = as_it_connected(p, h, err);
	if (rc)
		return rc;
	close(SG_TAKE_FD(p->proc));
	return same(p, err);
}

int sgd_peer_inherit(struct sgd_peer *p, int socket, struct sgd_heritage *h, struct sg_err *err)
{
	int rc = sgd_peer_look(p, socket, h, err);

	return rc ? rc : sgd_peer_still(p, h, err);
}
