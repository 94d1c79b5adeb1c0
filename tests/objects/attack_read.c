/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the policy keeps from the program, by every way to a file that there is. */
#include "objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>

#define FLAGS (O_RDONLY | O_CLOEXEC)

static int path(void)
{
	return leak_path(at("outside/secret"));
}

static int shadow(void)
{
	return leak_path("/etc/shadow");
}

static int home(void)
{
	return leak_path(at("home/secret"));
}

static int dots(void)
{
	return leak_path("../outside/secret");
}

static int link_to_file(void)
{
	return symlink(at("outside/secret"), "link") ? -errno : leak_path("link");
}

static int link_to_dir(void)
{
	return symlink(at("outside"), "link") ? -errno : leak_path("link/secret");
}

static int hard_link(void)
{
	return link(at("outside/secret"), "hard") ? -errno : leak_path("hard");
}

static int hard_link_fd(void)
{
	char name[64];
	int fd = open(at("outside/secret"), O_PATH | O_CLOEXEC);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, name, AT_FDCWD, "hard", AT_SYMLINK_FOLLOW))
		return -errno;
	return leak_path("hard");
}

static int renamed(void)
{
	return rename(at("outside/secret"), "moved") ? -errno : leak_path("moved");
}

static int exchanged(void)
{
	if (renameat2(AT_FDCWD, at("outside/secret"), AT_FDCWD, "f", RENAME_EXCHANGE))
		return -errno;
	return leak_path("f");
}

static int renamed_dir(void)
{
	return rename(at("outside"), "moved") ? -errno : leak_path("moved/secret");
}

/* The same file once more, as another one, where the rule about the first does not reach. */
static int snapshot(void)
{
	struct btrfs_ioctl_vol_args_v2 args = {.name = "copy"};
	int fd = open(at("volume"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		give_up("open");
	args.fd = fd;
	return ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &args) ? -errno : leak_path(at("volume/copy/denied/secret"));
}

static int by_proc(const char *prefix)
{
	char name[4200];

	snprintf(name, sizeof(name), "%s%s", prefix, at("outside/secret"));
	return leak_path(name);
}

static int proc_root(void)
{
	return by_proc("/proc/self/root");
}

static int proc_cwd(void)
{
	return leak_path("/proc/self/cwd/../outside/secret");
}

static int thread_root(void)
{
	return by_proc("/proc/thread-self/root");
}

static int own_proc(void)
{
	return leak_path("/proc/self/status");
}

static int opath_again(void)
{
	char name[64];
	int fd = open(at("outside/secret"), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return leak_path(name);
}

static int opath_dev_fd(void)
{
	char name[64];
	int fd = open(at("outside/secret"), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	return leak_path(name);
}

static int dir_fd(void)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : leak(openat(fd, at("outside/secret") + 1, FLAGS));
}

static int chdir_first(void)
{
	return chdir(at("outside")) ? -errno : leak_path("secret");
}

static int openat2_plain(void)
{
	struct open_how how = {.flags = FLAGS};

	return leak((int)syscall(SYS_openat2, AT_FDCWD, at("outside/secret"), &how, sizeof(how)));
}

static int openat2_in_root(void)
{
	struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_IN_ROOT};
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return leak((int)syscall(SYS_openat2, fd, at("outside/secret"), &how, sizeof(how)));
}

static int given_dir(void)
{
	return leak(openat(target.fd, "secret", FLAGS));
}

static int given_dir_up(void)
{
	return leak(openat(target.fd, "../outside/secret", FLAGS));
}

static int list(void)
{
	DIR *d = opendir(at("outside"));
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (dprintf(1, "LISTED %s\n", e->d_name) < 0)
			return -errno;
	return closedir(d);
}

static int read_write(void)
{
	return leak(open(at("outside/secret"), O_RDWR | O_CLOEXEC));
}

/* Neither for reading nor for writing: what the descriptor is good for is ioctl. */
static int access_mode_3(void)
{
	int fd = open(at("outside/secret"), 3 | O_CLOEXEC);

	return fd < 0 ? -errno : seen(0, "OPENED");
}

static int from_child(void)
{
	return in_child(path);
}

static void *flip(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
		(void)rename("good", "race");
		(void)rename("bad", "race");
		(void)symlink("f", "good");
		(void)symlink("../outside/secret", "bad");
	}
	return NULL;
}

/* The name means an allowed file when it is looked at and, with luck, the secret when it is opened. */
static int race(void)
{
	pthread_t thread;
	struct timespec begin, now;
	int stop = 0, result = -EACCES;

	if (symlink("f", "good") || symlink("../outside/secret", "bad") || symlink("f", "race") ||
	    pthread_create(&thread, NULL, flip, &stop))
		give_up("race");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		struct stat a, b;
		int fd = open("race", FLAGS);

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (fd >= 0 && !fstat(fd, &a) && !stat("f", &b) && a.st_ino != b.st_ino) {
			result = leak(fd);
			break;
		}
		if (fd >= 0)
			close(fd);
	} while (now.tv_sec - begin.tv_sec < 2);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return result;
}

static int uring_open(void)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)at("outside/secret"),
				   .open_flags = O_RDONLY};

	return leak(uring_one(&sqe, 0));
}

static int uring_openat2(void)
{
	struct open_how how = {.flags = O_RDONLY};
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT2,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)at("outside/secret"),
				   .addr2 = (uintptr_t)&how,
				   .len = sizeof(how)};

	return leak(uring_one(&sqe, 0));
}

static int uring_polled(void)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)at("outside/secret"),
				   .open_flags = O_RDONLY,
				   .flags = IOSQE_ASYNC};

	return leak(uring_one(&sqe, 0));
}

static int bind_mount(void)
{
	int rc = enter_userns(CLONE_NEWNS);

	if (rc)
		return rc;
	if (mkdir("m", 0700) || mount(at("outside"), "m", NULL, MS_BIND, NULL))
		return -errno;
	return leak_path("m/secret");
}

static int tree_clone(void)
{
	int rc = enter_userns(CLONE_NEWNS), fd;

	if (rc)
		return rc;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, at("outside"), 1 /* OPEN_TREE_CLONE */);
	if (fd < 0)
		return -errno;
	return leak(openat(fd, "secret", FLAGS));
}

static int tree_moved(void)
{
	int rc = enter_userns(CLONE_NEWNS), fd;

	if (rc)
		return rc;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, at("outside"), 1 /* OPEN_TREE_CLONE */);
	if (fd < 0 || mkdir("m", 0700) || syscall(SYS_move_mount, fd, "", AT_FDCWD, "m", 4 /* F_EMPTY_PATH */))
		return -errno;
	return leak_path("m/secret");
}

static int overlay(void)
{
	char options[9000];
	int rc = enter_userns(CLONE_NEWNS);

	if (rc)
		return rc;
	snprintf(options, sizeof(options), "lowerdir=%s:%s", at("outside"), at("cwd"));
	if (mkdir("m", 0700) || mount("o", "m", "overlay", MS_RDONLY, options))
		return -errno;
	return leak_path("m/secret");
}

static int chrooted(void)
{
	int rc = enter_userns(0);

	if (rc)
		return rc;
	return chroot(at("outside")) || chdir("/") ? -errno : leak_path("/secret");
}

static int by_pid(const char *what)
{
	char name[4200];

	snprintf(name, sizeof(name), "/proc/%d/root%s", target.victim, what);
	return leak_path(name);
}

static int others_root(void)
{
	return by_pid(at("outside/secret"));
}

static int others_shm(void)
{
	char name[128];

	snprintf(name, sizeof(name), "/dev/shm/%s", target.name);
	return leak_path(name);
}

const struct attack sg_objects_read[] = {
	{"read-path", path},
	{"read-shadow", shadow},
	{"read-home", home},
	{"read-dots", dots},
	{"read-symlink", link_to_file},
	{"read-symlink-dir", link_to_dir},
	{"read-hardlink", hard_link},
	{"read-hardlink-fd", hard_link_fd},
	{"read-rename", renamed},
	{"read-exchange", exchanged},
	{"read-snapshot", snapshot},
	{"read-rename-dir", renamed_dir},
	{"read-proc-root", proc_root},
	{"read-proc-cwd", proc_cwd},
	{"read-proc-thread", thread_root},
	{"read-opath", opath_again},
	{"read-dev-fd", opath_dev_fd},
	{"read-dirfd", dir_fd},
	{"read-chdir", chdir_first},
	{"read-openat2", openat2_plain},
	{"read-openat2-root", openat2_in_root},
	{"read-given-dir", given_dir},
	{"read-given-dir-up", given_dir_up},
	{"read-list", list},
	{"read-rdwr", read_write},
	{"read-mode-3", access_mode_3},
	{"read-child", from_child},
	{"read-race", race},
	{"read-uring", uring_open},
	{"read-uring-openat2", uring_openat2},
	{"read-uring-async", uring_polled},
	{"read-bind-mount", bind_mount},
	{"read-open-tree", tree_clone},
	{"read-move-mount", tree_moved},
	{"read-overlay", overlay},
	{"read-chroot", chrooted},
	{"read-proc-pid-root", others_root},
	{"read-posix-shm", others_shm},
	{"read-own-proc", own_proc},
	{0},
};
