/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, mounts, keys, BPF, perf, IPC, io_uring itself, and what only root may do. */
#include "objects.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

static int user_namespace(void)
{
	int rc = outcome(unshare(CLONE_NEWUSER));

	hold();
	return rc;
}

static int user_namespace_clone(int (*clone_it)(void))
{
	int status, pid = clone_it();

	if (pid < 0)
		return pid;
	if (pid == 0) {
		hold();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? 0 : -errno;
}

static int by_clone(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	return pid < 0 ? -errno : (int)pid;
}

static int by_clone3(void)
{
	struct clone_args a = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	return pid < 0 ? -errno : (int)pid;
}

static int namespace_clone(void)
{
	return user_namespace_clone(by_clone);
}

static int namespace_clone3(void)
{
	return user_namespace_clone(by_clone3);
}

static int others_namespace(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/ns/uts", target.victim);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : seen(outcome(setns(fd, CLONE_NEWUTS)), "ENTERED");
}

/* ---- mounts, in a mount namespace of its own ---- */

static int in_mounts(int (*then)(void))
{
	int rc = enter_userns(CLONE_NEWNS);

	if (!rc)
		rc = mkdir("m", 0700) && errno != EEXIST ? -errno : then();
	hold();
	return rc;
}

static int tmpfs_old(void)
{
	return outcome(mount("attack", "m", "tmpfs", 0, "size=64k"));
}

static int tmpfs_new(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", 0), fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		return -errno;
	fd = (int)syscall(SYS_fsmount, fs, 0, 0);
	if (fd < 0)
		return -errno;
	return outcome(syscall(SYS_move_mount, fd, "", AT_FDCWD, "m", 4 /* MOVE_MOUNT_F_EMPTY_PATH */));
}

static int bind_old(void)
{
	return outcome(mount("..", "m", NULL, MS_BIND, NULL));
}

static int set_attributes(void)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attr = {.set = 1 /* MOUNT_ATTR_RDONLY */};

	return outcome(syscall(442 /* mount_setattr */, AT_FDCWD, "/", 0, &attr, sizeof(attr)));
}

static int remount(void)
{
	return outcome(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static int pivot(void)
{
	if (mount(at(""), "m", NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	return outcome(syscall(SYS_pivot_root, "m", "m/tmp"));
}

static int mount_old(void)
{
	return in_mounts(tmpfs_old);
}

static int mount_new(void)
{
	return in_mounts(tmpfs_new);
}

static int mount_bind(void)
{
	return in_mounts(bind_old);
}

static int mount_attributes(void)
{
	return in_mounts(set_attributes);
}

static int mount_remount(void)
{
	return in_mounts(remount);
}

static int mount_pivot(void)
{
	return in_mounts(pivot);
}

/* ---- root's own, with what capabilities a user namespace gives ---- */

static int host_name(void)
{
	int rc = enter_userns(CLONE_NEWUTS);

	if (!rc)
		rc = outcome(sethostname("taken-over", 10));
	hold();
	return rc;
}

static int change_id(void)
{
	return outcome(syscall(SYS_setuid, 65533)) ?: shown();
}

static int kernel_log(void)
{
	char buf[256];
	int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buf, sizeof(buf) - 1);

	if (n < 0)
		return -errno;
	return dprintf(1, "LOG %d\n", n) < 0 ? -errno : 0;
}

static int clock_set(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return seen(outcome(settimeofday(&now, NULL)), "SET");
}

/* ---- keys, bpf, perf, io_uring ---- */

static int add_key(void)
{
	long key = syscall(SYS_add_key, "user", target.name, "x", 1, -4 /* KEY_SPEC_USER_KEYRING */);
	int rc = outcome(key);

	hold(); /* the driver looks into /proc/keys */
	if (key > 0)
		(void)syscall(SYS_keyctl, 9 /* KEYCTL_UNLINK */, key, -4);
	return rc;
}

static int join_keyring(void)
{
	int rc = outcome(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, target.name));

	hold();
	return rc;
}

static int bpf_map(void)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = a.value_size = 4;
	a.max_entries = 1;
	return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a))) ?: shown();
}

static int bpf_program(void)
{
	static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a.insns = (uintptr_t)insns;
	a.insn_cnt = 2;
	a.license = (uintptr_t) "GPL";
	return outcome(syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a))) ?: shown();
}

/* The supervisor's maps: the first that can be had by number is taken. */
static int bpf_maps(void)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	if (syscall(SYS_bpf, BPF_MAP_GET_NEXT_ID, &a, sizeof(a)) < 0)
		return -errno;
	return dprintf(1, "MAP %u\n", a.next_id) < 0 ? -errno : 0;
}

static int bpf_pins(void)
{
	int fd = open("/sys/fs/bpf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return dprintf(1, "LISTED pins\n") < 0 ? -errno : 0;
}

static int perf(void)
{
	struct perf_event_attr a;

	memset(&a, 0, sizeof(a));
	a.type = PERF_TYPE_SOFTWARE;
	a.size = sizeof(a);
	a.config = PERF_COUNT_SW_TASK_CLOCK;
	a.exclude_kernel = a.exclude_hv = 1;
	return outcome(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0)) ?: shown();
}

static int uring(unsigned flags)
{
	struct io_uring_params p = {.flags = flags};

	return outcome(syscall(SYS_io_uring_setup, 4, &p)) ?: shown();
}

static int uring_ring(void)
{
	return uring(0);
}

static int uring_thread(void)
{
	return uring(IORING_SETUP_SQPOLL);
}

/* ---- IPC objects of the driver's ---- */

static int shared_memory(void)
{
	const char *p = shmat(target.id, NULL, SHM_RDONLY);

	if (p == (void *)-1)
		return -errno;
	return dprintf(1, "LEAK %.32s\n", p) < 0 ? -errno : 0;
}

static int message(void)
{
	struct {
		long type;
		char text[8];
	} m = {1, "attack"};

	return outcome(msgsnd(target.id, &m, sizeof(m.text), IPC_NOWAIT));
}

static int message_receive(void)
{
	struct {
		long type;
		char text[65];
	} m = {0};
	ssize_t n = msgrcv(target.id, &m, sizeof(m.text) - 1, 0, IPC_NOWAIT);

	if (n < 0)
		return -errno;
	return dprintf(1, "LEAK %.*s\n", (int)n, m.text) < 0 ? -errno : 0;
}

static int semaphore(void)
{
	struct sembuf up = {.sem_op = 1};

	return outcome(semop(target.id, &up, 1));
}

static int remove_memory(void)
{
	return outcome(shmctl(target.id, IPC_RMID, NULL));
}

static int posix_queue(void)
{
	char buf[8192 + 1] = {0};
	int fd = (int)syscall(SYS_mq_open, target.name, O_RDONLY | O_NONBLOCK, 0, NULL);
	long n;

	if (fd < 0)
		return -errno;
	n = syscall(SYS_mq_timedreceive, fd, buf, sizeof(buf) - 1, NULL, NULL);
	if (n < 0)
		return -errno;
	return dprintf(1, "LEAK %.*s\n", (int)n, buf) < 0 ? -errno : 0;
}

const struct attack sg_objects_kernel[] = {
	{"namespace-unshare", user_namespace},
	{"namespace-clone", namespace_clone},
	{"namespace-clone3", namespace_clone3},
	{"namespace-setns", others_namespace},
	{"mount-tmpfs", mount_old},
	{"mount-fsmount", mount_new},
	{"mount-bind", mount_bind},
	{"mount-setattr", mount_attributes},
	{"mount-remount", mount_remount},
	{"mount-pivot", mount_pivot},
	{"capability-hostname", host_name},
	{"setid-setuid", change_id},
	{"kernel-log", kernel_log},
	{"kernel-clock", clock_set},
	{"keys-add", add_key},
	{"keys-join", join_keyring},
	{"bpf-map", bpf_map},
	{"bpf-program", bpf_program},
	{"bpf-map-ids", bpf_maps},
	{"bpf-pins", bpf_pins},
	{"perf-event", perf},
	{"uring-setup", uring_ring},
	{"uring-sqpoll", uring_thread},
	{"ipc-shm", shared_memory},
	{"ipc-shm-remove", remove_memory},
	{"ipc-msgsnd", message},
	{"ipc-msgrcv", message_receive},
	{"ipc-semop", semaphore},
	{"ipc-mqueue", posix_queue},
	{0},
};
