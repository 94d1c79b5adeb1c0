/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/landlock.h"

#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

/* Debian 12's headers know ABI 2; these are the kernel's numbers (include/uapi/linux/landlock.h). */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

/* Everything that changes a file system. Reading and executing stay as they are. */
static uint64_t write_rights(int abi)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
			  LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;

	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

/* Adds a rule for one file or directory; what is not there, or not open to us, needs none. */
static int allow(int ruleset, int dir, const char *name, int flags, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	SG_CLOSE int fd = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW | flags);

	if (fd < 0)
		return errno == ENOTDIR || errno == ENOENT || errno == ELOOP || errno == EACCES ? 0 : -errno;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* A root without capabilities still owns the disks' device files. */
static int allow_devices(int ruleset, uint64_t rights)
{
	static const char *const dirs[] = {"shm", "pts", "mqueue"};
	static const char *const files[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"};
	uint64_t file_rights = rights & (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE);
	SG_CLOSE int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	for (size_t i = 0; !rc && dev >= 0 && i < SG_ARRAY_SIZE(dirs); i++)
		rc = allow(ruleset, dev, dirs[i], O_DIRECTORY, rights);
	for (size_t i = 0; !rc && dev >= 0 && i < SG_ARRAY_SIZE(files); i++)
		rc = allow(ruleset, dev, files[i], 0, file_rights);
	return rc;
}

/* Whether path lies below the directory of this name in the root directory. */
static bool below(const char *path, const char *name)
{
	size_t n = strlen(name);

	return path[0] == '/' && !strncmp(path + 1, name, n) && (path[1 + n] == '/' || path[1 + n] == '\0');
}

/* Rights are granted by directory and cannot be taken back below one, so what lies beside the kernel's is named. */
static int allow_all_but_kernel(int ruleset, const char *cgroup_dir, uint64_t rights, struct sg_err *err)
{
	struct dirent *e;
	DIR *d = opendir("/");
	int rc = 0;

	if (!d)
		return sg_err_set(err, errno, "cannot read the root directory: %s", strerror(errno));
	while (!rc && (e = readdir(d))) {
		const char *name = e->d_name;

		/* A link's target is another entry, or lies below one. */
		if (!strcmp(name, ".") || !strcmp(name, "..") || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		if (!strcmp(name, "proc") || !strcmp(name, "sys") || below(cgroup_dir, name))
			continue;
		rc = strcmp(name, "dev") ? allow(ruleset, dirfd(d), name, O_DIRECTORY, rights)
					 : allow_devices(ruleset, rights);
		if (rc)
			sg_err_set(err, -rc, "Landlock rule for /%s: %s", name, strerror(-rc));
	}
	closedir(d);
	return rc;
}

int sg_landlock_build(struct sg_landlock *l, const char *cgroup_dir, struct sg_err *err)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = {0};
	size_t size = sizeof(attr.handled_access_fs);
	SG_CLOSE int fd = -1;
	int rc;

	*l = (struct sg_landlock){.fd = -1, .abi = abi > 0 ? abi : 0};
	if (abi < 2)
		return sg_err_set(err, EOPNOTSUPP,
				  abi < 1 ? "the kernel offers no Landlock"
					  : "the kernel's Landlock (ABI 1) would forbid renames between directories");
	attr.handled_access_fs = write_rights(abi);
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
		size = sizeof(attr);
		l->scopes_signals = true;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return sg_err_set(err, errno, "cannot create a Landlock ruleset: %s", strerror(errno));
	rc = allow_all_but_kernel(fd, cgroup_dir, attr.handled_access_fs, err);
	if (!rc)
		l->fd = SG_TAKE_FD(fd);
	return rc;
}

int sg_landlock_enforce(int fd)
{
	return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}
