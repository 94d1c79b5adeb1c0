/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain [--listener] [--run DIR] COMMAND...: what a program finds in a container without privilege, without a
 * container engine. An ordinary user in a user namespace of its own, every capability gone from every set,
 * no_new_privs, cgroups and /sys read-only, and a seccomp profile as container engines load it (clone3 answered with
 * ENOSYS, because a filter cannot see its flags). --listener: the profile has a supervisor of its own, as some
 * container managers do. --run: DIR is mounted at /run/sandgate, as a volume with the daemon's socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UID 65534

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "contain: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), file);
	close(fd);
}

static void read_only(const char *dir)
{
	if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0)
		return;
	(void)mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void drop_everything(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break;
	must(syscall(SYS_capset, &head, none) == 0, "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
}

static void profile(int listener)
{
	static const char *const refused[] = {"mount",
					      "umount2",
					      "pivot_root",
					      "unshare",
					      "setns",
					      "bpf",
					      "perf_event_open",
					      "keyctl",
					      "add_key",
					      "request_key",
					      "userfaultfd",
					      "fsopen",
					      "fsmount",
					      "fsconfig",
					      "move_mount",
					      "open_tree",
					      "mount_setattr",
					      "reboot",
					      "init_module",
					      "finit_module",
					      "delete_module",
					      "kexec_load",
					      "swapon",
					      "swapoff",
					      "acct",
					      "open_by_handle_at",
					      "sethostname",
					      "io_uring_setup",
					      "syslog",
					      "quotactl"};
	const unsigned long namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
					 CLONE_NEWPID | CLONE_NEWNET;
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	must(f != NULL, "seccomp_init");
	/* Profiles of container engines let 32-bit programs run. */
	must(seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) == 0, "other architectures");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int nr = seccomp_syscall_resolve_name(refused[i]);

		if (nr >= 0)
			must(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), nr, 0) == 0, refused[i]);
	}
	for (int bit = 0; bit < 32; bit++)
		if (namespaces >> bit & 1)
			must(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					      SCMP_A0(SCMP_CMP_MASKED_EQ, 1UL << bit, 1UL << bit)) == 0,
			     "clone");
	must(seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0, "clone3");
	if (listener)
		must(seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(uselib), 0) == 0, "notify");
	must(seccomp_load(f) == 0, "seccomp_load");
	/* Its other end must stay open: here, for want of a supervisor. */
	if (listener)
		must(fcntl(seccomp_notify_fd(f), F_DUPFD, 20) >= 0, "listener");
	seccomp_release(f);
}

int main(int argc, char **argv)
{
	const char *run = NULL;
	int listener = 0;
	char map[64];

	for (argv++, argc--; argc && !strncmp(*argv, "--", 2); argv++, argc--) {
		if (!strcmp(*argv, "--listener")) {
			listener = 1;
		} else if (!strcmp(*argv, "--run") && argc > 1) {
			run = *++argv;
			argc--;
		} else {
			return 2;
		}
	}
	if (!argc)
		return 2;
	if (geteuid() == 0) {
		must(setgroups(0, NULL) == 0, "setgroups");
		must(setresgid(UID, UID, UID) == 0, "setresgid");
		must(setresuid(UID, UID, UID) == 0, "setresuid");
		/* A change of user makes /proc/self root's. */
		must(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0, "dumpable");
	}
	must(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0, "unshare");
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%d %d 1", UID, geteuid() == UID ? UID : (int)geteuid());
	put("/proc/self/uid_map", map);
	put("/proc/self/gid_map", map);
	read_only("/sys");
	if (run)
		must(mount(run, "/run/sandgate", NULL, MS_BIND, NULL) == 0, "mount on /run/sandgate");
	drop_everything();
	profile(listener);
	execvp(argv[0], argv);
	must(0, argv[0]);
}
