/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, namespaces, roots and identities. The driver runs the controls in private namespaces. */
#include "hostile.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#ifndef MS_BIND
#define MS_BIND 4096
#endif
#ifndef MOUNT_ATTR_NOSUID
#define MOUNT_ATTR_NOSUID 2
#endif
#define OPEN_TREE_CLONE_FLAG 1UL
#define MOVE_MOUNT_FROM_EMPTY 4UL

static int do_mount(const struct target *t)
{
	return outcome(syscall(SYS_mount, "none", t->dir, "tmpfs", 0UL, NULL));
}

static int bind_mount(const struct target *t)
{
	return outcome(syscall(SYS_mount, t->dir, t->dir, NULL, (unsigned long)MS_BIND, NULL));
}

/* The scratch directory is no mount point: EINVAL shows that the kernel looked. */
static int do_umount(const struct target *t)
{
	return outcome(syscall(SYS_umount2, t->dir, 0));
}

static int do_fsopen(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_fsopen, "tmpfs", 0U));
}

static int do_fsconfig(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_fsconfig, -1, 6U, NULL, NULL, 0));
}

static int do_fsmount(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_fsmount, -1, 0U, 0U));
}

static int do_fspick(const struct target *t)
{
	return outcome(syscall(SYS_fspick, AT_FDCWD, t->dir, 0U));
}

static int do_open_tree(const struct target *t)
{
	return outcome(syscall(SYS_open_tree, AT_FDCWD, t->dir, OPEN_TREE_CLONE_FLAG));
}

static int do_move_mount(const struct target *t)
{
	return outcome(syscall(SYS_move_mount, -1, "", AT_FDCWD, t->dir, MOVE_MOUNT_FROM_EMPTY));
}

static int do_mount_setattr(const struct target *t)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID};

	return outcome(syscall(SYS_mount_setattr, AT_FDCWD, t->dir, 0U, &attr, sizeof(attr)));
}

static int do_pivot_root(const struct target *t)
{
	return outcome(syscall(SYS_pivot_root, t->dir, t->dir));
}

static int do_chroot(const struct target *t)
{
	return outcome(syscall(SYS_chroot, t->dir));
}

#define UNSHARE(id, flags)                                                                                             \
	static int unshare_##id(const struct target *t)                                                                \
	{                                                                                                              \
		(void)t;                                                                                               \
		return outcome(unshare(flags));                                                                        \
	}
UNSHARE(user, CLONE_NEWUSER)
UNSHARE(mnt, CLONE_NEWNS)
UNSHARE(net, CLONE_NEWNET)
UNSHARE(pid, CLONE_NEWPID)
UNSHARE(uts, CLONE_NEWUTS)
UNSHARE(ipc, CLONE_NEWIPC)
UNSHARE(cgroup, CLONE_NEWCGROUP)
UNSHARE(time, 0x80 /* CLONE_NEWTIME */)
UNSHARE(files, CLONE_FILES)

/* Joins the namespace it is in: a real setns without a change. */
static int do_setns(const struct target *t)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	(void)t;
	return fd < 0 ? SG_SETUP : outcome(setns(fd, CLONE_NEWUTS));
}

static int setns_pidfd(const struct target *t)
{
	return outcome(setns(t->fd, CLONE_NEWUTS));
}

static int do_setuid(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setuid, getuid()));
}

static int setuid_root(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setuid, 0));
}

static int do_setgid(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setgid, getgid()));
}

static int do_setreuid(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setreuid, -1, getuid()));
}

static int do_setresuid(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setresuid, -1, getuid(), getuid()));
}

static int do_setresgid(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setresgid, -1, getgid(), getgid()));
}

static int do_setgroups(const struct target *t)
{
	const gid_t group = 65534;

	(void)t;
	return outcome(syscall(SYS_setgroups, 1, &group));
}

static int do_setfsuid(const struct target *t)
{
	const uid_t other = getuid() ? 0 : 65534;

	(void)t;
	/* It tells no error: it answers what was in force before. */
	syscall(SYS_setfsuid, other);
	return (uid_t)syscall(SYS_setfsuid, -1) == other ? 0 : -EPERM;
}

static int do_capset(const struct target *t)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

	(void)t;
	return outcome(syscall(SYS_capset, &hdr, data));
}

static int do_sethostname(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_sethostname, "hostile", 7));
}

static int do_setdomainname(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_setdomainname, "hostile", 7));
}

static int mknod_device(const struct target *t)
{
	char path[256];

	if (sg_scratch(t, "device", path, sizeof(path)))
		return SG_SETUP;
	return outcome(syscall(SYS_mknod, path, S_IFCHR | 0600, (1 << 8) | 3)); /* a /dev/null of its own */
}

static int mknodat_device(const struct target *t)
{
	char path[256];

	if (sg_scratch(t, "device-at", path, sizeof(path)))
		return SG_SETUP;
	return outcome(syscall(SYS_mknodat, AT_FDCWD, path, S_IFBLK | 0600, (7 << 8) | 0));
}

static int setxattr_security(const struct target *t)
{
	return outcome(syscall(SYS_setxattr, t->dir, "security.sandgate_test", "x", 1UL, 0));
}

static int do_chown(const struct target *t)
{
	return outcome(syscall(SYS_chown, t->dir, getuid(), getgid()));
}

static int chmod_setuid(const struct target *t)
{
	char path[256];
	int fd;

	if (sg_scratch(t, "setuid-file", path, sizeof(path)))
		return SG_SETUP;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0)
		return SG_SETUP;
	return outcome(fchmod(fd, 04711));
}

const struct attack sg_attacks_ns[] = {
	{"mount-tmpfs", do_mount},
	{"mount-bind", bind_mount},
	{"umount", do_umount},
	{"fsopen", do_fsopen},
	{"fsconfig", do_fsconfig},
	{"fsmount", do_fsmount},
	{"fspick", do_fspick},
	{"open-tree", do_open_tree},
	{"move-mount", do_move_mount},
	{"mount-setattr", do_mount_setattr},
	{"pivot-root", do_pivot_root},
	{"chroot", do_chroot},
	{"unshare-user", unshare_user},
	{"unshare-mnt", unshare_mnt},
	{"unshare-net", unshare_net},
	{"unshare-pid", unshare_pid},
	{"unshare-uts", unshare_uts},
	{"unshare-ipc", unshare_ipc},
	{"unshare-cgroup", unshare_cgroup},
	{"unshare-time", unshare_time},
	{"unshare-files", unshare_files},
	{"setns", do_setns},
	{"setns-pidfd", setns_pidfd},
	{"setuid", do_setuid},
	{"setuid-root", setuid_root},
	{"setgid", do_setgid},
	{"setreuid", do_setreuid},
	{"setresuid", do_setresuid},
	{"setresgid", do_setresgid},
	{"setgroups", do_setgroups},
	{"setfsuid", do_setfsuid},
	{"capset", do_capset},
	{"sethostname", do_sethostname},
	{"setdomainname", do_setdomainname},
	{"mknod-device", mknod_device},
	{"mknodat-device", mknodat_device},
	{"setxattr-security", setxattr_security},
	{"chown", do_chown},
	{"chmod-setuid", chmod_setuid},
	{NULL, NULL},
};
