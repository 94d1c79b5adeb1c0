/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/canary.h"

#include "supervisor/util.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CANARY_TIMEOUT_MS 10000

/* ---- a child that tries one thing ---- */

enum { STOPPED = 0, WENT_THROUGH = 1, NO_LAYER = 2, NO_CHILD = 3 };

/* Runs try() in a child. Its answer is one of the values above, its errno comes back by the pipe. */
static int in_child(int (*try)(void *ctx), void *ctx, int *child_errno)
{
	int fds[2], status = 0, e = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		*child_errno = errno;
		return NO_CHILD;
	}
	pid = fork();
	if (pid < 0)
		e = errno;
	if (pid == 0) {
		int answer = try(ctx);

		e = errno;
		(void)!write(fds[1], &e, sizeof(e));
		_exit(answer);
	}
	close(fds[1]);
	if (pid > 0) {
		(void)!read(fds[0], &e, sizeof(e));
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(fds[0]);
	*child_errno = e;
	if (pid < 0)
		return NO_CHILD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : NO_LAYER;
}

static enum sg_canary_result untried(int error, char *why, size_t size)
{
	snprintf(why, size, "no process could be started to try it: %s", strerror(error));
	return SG_CANARY_UNTRIED;
}

static enum sg_canary_result conclude(int answer, int child_errno, const char *what, char *why, size_t size)
{
	if (answer == STOPPED)
		return SG_CANARY_STOPPED;
	if (answer == WENT_THROUGH) {
		snprintf(why, size, "%s was set up without error but did not stop a call it had to stop", what);
		return SG_CANARY_NOT_STOPPED;
	}
	if (answer == NO_CHILD)
		return untried(child_errno, why, size);
	/* It says nothing where it was killed for trying. */
	snprintf(why, size, "%s: %s", what,
		 child_errno ? strerror(child_errno) : "the process that tried it was killed");
	return SG_CANARY_MISSING;
}

static int try_seccomp(void *ctx)
{
	/* getppid answers a number nobody else would answer. */
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXFULL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = SG_ARRAY_SIZE(insns), .filter = insns};

	(void)ctx;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return NO_LAYER;
	return syscall(SYS_getppid) == -1 && errno == EXFULL ? STOPPED : WENT_THROUGH;
}

enum sg_canary_result sg_canary_seccomp(char *why, size_t size)
{
	int e, answer = in_child(try_seccomp, NULL, &e);

	return conclude(answer, e, "seccomp", why, size);
}

static int try_landlock(void *ctx)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	(void)ctx;
	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return NO_LAYER;
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES ? STOPPED : WENT_THROUGH;
}

enum sg_canary_result sg_canary_landlock(int *abi, char *why, size_t size)
{
	int e, answer = in_child(try_landlock, NULL, &e);

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 0)
		*abi = 0;
	return conclude(answer, e, "Landlock", why, size);
}

/* ---- BPF LSM ---- */

static int try_socket(void *ctx)
{
	char byte;

	/* Wait until the program knows this child. */
	if (read(*(int *)ctx, &byte, 1) != 1)
		return NO_LAYER;
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0)
		return WENT_THROUGH;
	return errno == EPERM ? STOPPED : NO_LAYER;
}

/* lsm/socket_create: -EPERM for one process, what earlier programs said for all others. */
static int load_lsm(pid_t pid, char *why, size_t size)
{
	/* The hook's arguments are family, type, protocol, kern, and the answer so far: the fifth. */
	struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1, .off = 32},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = pid},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -EPERM},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC);
	int id = libbpf_find_vmlinux_btf_id("socket_create", BPF_LSM_MAC);
	SG_CLOSE int prog = -1;
	int link;

	if (id < 0) {
		snprintf(why, size,
			 "the kernel's BTF has no LSM hooks (%s); CONFIG_BPF_LSM and CONFIG_DEBUG_INFO_BTF are needed",
			 strerror(-id));
		return -1;
	}
	opts.attach_btf_id = (__u32)id;
	prog = bpf_prog_load(BPF_PROG_TYPE_LSM, "sg_canary", "GPL", insns, SG_ARRAY_SIZE(insns), &opts);
	if (prog < 0) {
		snprintf(why, size, "the kernel refuses to load an LSM program: %s", strerror(errno));
		return -1;
	}
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link < 0)
		snprintf(why, size, "the kernel refuses to attach an LSM program: %s", strerror(errno));
	return link;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

enum sg_canary_result sg_canary_bpf_lsm(char *why, size_t size)
{
	SG_CLOSE int link = -1;
	int go[2], answer, status = 0;
	pid_t pid;

	libbpf_set_print(quiet);
	if (pipe2(go, O_CLOEXEC) < 0)
		return untried(errno, why, size);
	pid = fork();
	if (pid < 0) {
		int e = errno;

		close(go[0]);
		close(go[1]);
		return untried(e, why, size);
	}
	if (pid == 0) {
		close(go[1]);
		_exit(try_socket(&go[0]));
	}
	close(go[0]);
	link = load_lsm(pid, why, size);
	/* Without a program the child sees the end of file and gives up. */
	if (link >= 0)
		(void)!write(go[1], "", 1);
	close(go[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	answer = WIFEXITED(status) ? WEXITSTATUS(status) : NO_LAYER;
	if (link < 0)
		return SG_CANARY_MISSING;
	return conclude(answer, EIO, "BPF LSM", why, size);
}

/* ---- the whole of a tier ---- */

int sg_canary_main(void)
{
	/* On no list of any built-in policy, and harmless when it goes through: we end at once. */
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 3;
}

/* Reads the stream to its end; *layer of the killing record, and the error of an exit record. */
static void read_verdicts(int fd, char *layer, size_t layer_size, char *why, size_t size)
{
	FILE *f = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;

	if (!f) {
		close(fd);
		return;
	}
	while (getline(&line, &cap, f) > 0) {
		json_t *r = json_loads(line, 0, NULL);
		const char *type = json_string_value(json_object_get(r, "type"));
		const char *text = json_string_value(json_object_get(r, "layer"));

		if (type && text && !strcmp(type, "syscall_violation"))
			snprintf(layer, layer_size, "%s", text);
		text = json_string_value(json_object_get(r, "error"));
		if (text)
			snprintf(why, size, "%s", text);
		json_decref(r);
	}
	free(line);
	fclose(f);
}

enum sg_canary_result sg_canary_tier(const char *tier, bool seccomp, const char *layer, char *why, size_t size)
{
	char fd_arg[32], got[32] = "";
	const char *argv[] = {
		"sgrun", "--tier",     tier,   "--seccomp", seccomp ? "on" : "off", "--lang", "compiled", "--wall-time",
		"10",    "--verdicts", fd_arg, "--",        "/proc/self/exe",       "doctor", "--canary", NULL};
	char *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, rc;
	pid_t pid;

	*why = '\0';
	if (pipe(fds) < 0)
		return untried(errno, why, size);
	(void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	snprintf(fd_arg, sizeof(fd_arg), "fd:%d", fds[1]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char **)(uintptr_t)argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (rc) {
		close(fds[0]);
		return untried(rc, why, size);
	}
	read_verdicts(fds[0], got, sizeof(got), why, size);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 159 && !strcmp(got, layer))
		return SG_CANARY_STOPPED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 125)
		return SG_CANARY_MISSING;
	if (!*why)
		snprintf(why, size, "the canary was not stopped as it should (status %d, record from %s)",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), *got ? got : "no layer");
	return SG_CANARY_NOT_STOPPED;
}
