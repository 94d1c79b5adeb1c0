/* SPDX-License-Identifier: Apache-2.0 */
/* Changing what lies outside, and the kernel's own files. */
#include "objects.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define TARGET at("outside/target")

static int write_to(int fd)
{
	if (fd < 0)
		return -errno;
	return outcome(write(fd, "overwritten", 11));
}

static int path(void)
{
	return write_to(open(TARGET, O_WRONLY | O_CLOEXEC));
}

static int append(void)
{
	return write_to(open(TARGET, O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int truncating(void)
{
	return outcome(open(TARGET, O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static int truncate_path(void)
{
	return outcome(truncate(TARGET, 1));
}

static int by_symlink(void)
{
	return symlink(TARGET, "link") ? -errno : write_to(open("link", O_WRONLY | O_CLOEXEC));
}

static int by_hardlink(void)
{
	return link(TARGET, "hard") ? -errno : write_to(open("hard", O_WRONLY | O_CLOEXEC));
}

static int given_fd_again(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", target.fd);
	return write_to(open(name, O_WRONLY | O_CLOEXEC));
}

static int create(void)
{
	return outcome(open(at("outside/new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_dir(void)
{
	return outcome(mkdir(at("outside/new"), 0700));
}

static int make_fifo(void)
{
	return outcome(mkfifo(at("outside/new"), 0600));
}

static int make_link(void)
{
	return outcome(symlink("anything", at("outside/new")));
}

static int link_out(void)
{
	return outcome(link("f", at("outside/new")));
}

static int rename_out(void)
{
	return outcome(rename("f", at("outside/new")));
}

static int rename_over(void)
{
	return outcome(rename("f", TARGET));
}

static int rename_away(void)
{
	return outcome(rename(TARGET, "moved"));
}

static int rename_inside(void)
{
	return outcome(rename(TARGET, at("outside/new")));
}

static int remove_file(void)
{
	return outcome(unlink(TARGET));
}

static int remove_dir(void)
{
	return outcome(rmdir(at("outside/dir")));
}

static int tmpfile_linked(void)
{
	char name[64];
	int fd = open(at("outside"), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return outcome(linkat(AT_FDCWD, name, AT_FDCWD, at("outside/new"), AT_SYMLINK_FOLLOW));
}

static int bind_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("outside/new"));
	return outcome(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int mode(void)
{
	return outcome(chmod(TARGET, 0600));
}

static int mode_of_link(void)
{
	return symlink(TARGET, "link") ? -errno : outcome(fchmodat(AT_FDCWD, "link", 0600, 0));
}

/* To the owner it has: the set-user-id bit goes. */
static int owner(void)
{
	return outcome(chown(TARGET, getuid(), getgid()));
}

static int times(void)
{
	const struct timespec ts[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	return outcome(utimensat(AT_FDCWD, TARGET, ts, 0));
}

static int set_attribute(void)
{
	return outcome(setxattr(TARGET, "user.new", "x", 1, 0));
}

static int remove_attribute(void)
{
	return outcome(removexattr(TARGET, "user.old"));
}

static int uring_write(void)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)TARGET, .open_flags = O_WRONLY};

	return write_to(uring_one(&sqe, 0));
}

/* The same in all but their place in memory; and the worker goes idle. */
static void new_credentials(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) || syscall(SYS_capset, &head, caps) || usleep(200000))
		give_up("capset");
}

static int uring_unlink(void)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)TARGET};

	return uring_one(&sqe, 0);
}

static int uring_rename(void)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_RENAMEAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)TARGET,
				   .len = (unsigned)AT_FDCWD,
				   .addr2 = (uintptr_t)at("outside/new")};

	return uring_one(&sqe, 0);
}

/* The worker of the first request keeps the credentials of its time, and the second comes with others. */
static int uring_attribute(void)
{
	struct io_uring_sqe sqes[2] = {
		{.opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC},
		{.opcode = IORING_OP_SETXATTR,
		 .flags = IOSQE_ASYNC,
		 .addr = (uintptr_t) "user.new",
		 .addr2 = (uintptr_t) "x",
		 .addr3 = (uintptr_t)TARGET,
		 .len = 1},
	};

	return uring_two(sqes, new_credentials);
}

static int write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(write(fd, text, strlen(text)));
}

/* The driver reads the value before and after, and puts it back. */
/* What is denied in cwd/held/denied, made anew under that name once the directory above is another one. */
static int made_anew(long moved)
{
	if (moved < 0)
		return -errno;
	(void)mkdir("held", 0755);
	(void)mkdir("held/denied", 0755);
	return write_to(open("held/denied/made", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int rename_above(void)
{
	return made_anew(rename("held", "moved"));
}

static int exchange_above(void)
{
	if (mkdir("another", 0755))
		return -errno;
	return made_anew(syscall(SYS_renameat2, AT_FDCWD, "another", AT_FDCWD, "held", 2 /* RENAME_EXCHANGE */));
}

/* By a descriptor that is good for reading only. */
static int subvolume(void)
{
	struct btrfs_ioctl_vol_args args = {.name = "made"};
	int fd = open(at("volume"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		give_up("open");
	return outcome(ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args));
}

static int sysctl(void)
{
	return write_text("/proc/sys/kernel/printk_ratelimit_burst", "11");
}

static int own_oom_score(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", target.victim);
	return write_text(name, "777");
}

static int leave_cgroup(void)
{
	char name[4200], pid[32];
	int rc;

	snprintf(name, sizeof(name), "%s/cgroup.procs", target.cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	rc = write_text(name, pid);
	hold();
	return rc;
}

/* Where the program is: "0::/path" of /proc/self/cgroup. */
static void own_cgroup(char *out, size_t size, const char *file)
{
	char line[4096];
	FILE *f = fopen("/proc/self/cgroup", "re");

	*out = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3)) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(out, size, "%s%s/%s", target.cgroup, line + 3, file);
		}
	if (f)
		fclose(f);
	if (!*out)
		give_up("own cgroup");
}

/* A child that is somewhere else from its first instruction on, and ends with this process. */
static int clone_into_cgroup(void)
{
	struct clone_args a = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	int top = open(target.cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC), ends[2];
	long pid;
	char byte;

	if (top < 0 || pipe(ends))
		give_up("cgroup");
	a.cgroup = (uint64_t)top;
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	if (pid < 0)
		return -errno;
	hold();
	return 0;
}

static int make_cgroup(void)
{
	char name[8400];
	int rc;

	own_cgroup(name, sizeof(name), "escaped");
	rc = outcome(mkdir(name, 0755));
	hold();
	return rc;
}

static int raise_limit(void)
{
	char name[8400];
	int rc;

	own_cgroup(name, sizeof(name), "cgroup.max.descendants");
	rc = write_text(name, "12345");
	hold();
	return rc;
}

const struct attack sg_objects_write[] = {
	{"write-path", path},
	{"write-append", append},
	{"write-open-trunc", truncating},
	{"write-truncate", truncate_path},
	{"write-symlink", by_symlink},
	{"write-hardlink", by_hardlink},
	{"write-given-fd", given_fd_again},
	{"create-file", create},
	{"create-dir", make_dir},
	{"create-fifo", make_fifo},
	{"create-symlink", make_link},
	{"create-link", link_out},
	{"create-rename", rename_out},
	{"create-tmpfile", tmpfile_linked},
	{"create-socket", bind_socket},
	{"create-subvolume", subvolume},
	{"delete-rename-over", rename_over},
	{"delete-rename-away", rename_away},
	{"delete-rename", rename_inside},
	{"delete-rename-above", rename_above},
	{"delete-exchange-above", exchange_above},
	{"delete-file", remove_file},
	{"delete-dir", remove_dir},
	{"write-chmod", mode},
	{"write-chmod-link", mode_of_link},
	{"write-chown", owner},
	{"write-utimes", times},
	{"write-setxattr", set_attribute},
	{"write-removexattr", remove_attribute},
	{"write-uring", uring_write},
	{"write-uring-setxattr", uring_attribute},
	{"delete-uring", uring_unlink},
	{"delete-uring-rename", uring_rename},
	{"write-sysctl", sysctl},
	{"write-oom-score", own_oom_score},
	{"cgroup-leave", leave_cgroup},
	{"cgroup-clone", clone_into_cgroup},
	{"cgroup-make", make_cgroup},
	{"cgroup-limit", raise_limit},
	{0},
};
