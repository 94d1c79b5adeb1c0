/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of the benchmarks. Two uses:
 *   bench launch RUNS +NAME UID COMMAND... [+NAME UID COMMAND...]...
 *     Starts each command RUNS times, one after the other (A B C A B C ...), and prints for each "NAME TAB ns" a run.
 *     Small and static, so that what is measured is the command and not this program. NAME is one word; UID 0 means as
 *     we are. Starts by fork(2); with %NAME in place of +NAME by vfork(2), which copies no page table.
 *   bench rate JOBS RUNS +NAME UID COMMAND... [...]
 *     The same with JOBS of each at a time, RUNS each, twenty rounds: ns a launch. With =NAME one command that starts
 *     all JOBS times RUNS by itself.
 *   bench flood CALLS NS
 *     getppid, CALLS times, one every NS nanoseconds (0: as fast as it goes): "getppid TAB ns" as it came out.
 *   bench calls ROUNDS
 *     Prints what a system call costs here: "CALL TAB ns" for each round.
 *   bench hook SECONDS
 *     Holds a program on sys_enter that only returns, until its standard input ends: the least that any can cost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONTENDERS 32
#define CALLS_PER_ROUND 20000
#define RATE_ROUNDS 20
#define WARM_UP 3 /* runs of each that are not counted */

struct contender {
	const char *name;
	bool by_vfork, starts_all;
	uid_t uid;
	char **argv;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* Between vfork and execve the child may only make system calls: after fork it does the same. */
static pid_t start(const struct contender *c, int null, char **env)
{
	pid_t pid = c->by_vfork ? vfork() : fork();

	if (pid != 0)
		return pid;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (c->uid && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, c->uid, c->uid, c->uid) < 0 ||
		       syscall(SYS_setresuid, c->uid, c->uid, c->uid) < 0))
		_exit(125);
	execve(c->argv[0], c->argv, env);
	_exit(127);
}

static int launch(int runs, struct contender *c, int n, char **env)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = -WARM_UP; i < runs; i++) {
		for (int j = 0; j < n; j++) {
			uint64_t begin = now();
			pid_t pid = start(&c[j], null, env);
			int status = 0;

			if (pid < 0 || waitpid(pid, &status, 0) != pid) {
				fprintf(stderr, "%s: %s\n", c[j].name, strerror(errno));
				return 1;
			}
			begin = now() - begin;
			/* Time taken to fail is no result. */
			if (status) {
				fprintf(stderr, "%s failed: %s %d\n", c[j].name,
					WIFSIGNALED(status) ? "signal" : "exit",
					WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
				return 1;
			}
			if (i >= 0)
				printf("%s\t%llu\n", c[j].name, (unsigned long long)begin);
		}
	}
	return 0;
}

/* One worker's part. */
static int work(int runs, const struct contender *c, int null, char **env)
{
	for (int i = 0; i < runs; i++) {
		pid_t pid = start(c, null, env);
		int status = 0;

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	return 0;
}

static int rate(int jobs, int runs, struct contender *c, int n, char **env)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = -1; i < RATE_ROUNDS; i++) {
		for (int j = 0; j < n; j++) {
			uint64_t begin = now();
			int failed = 0, status, workers = c[j].starts_all ? 1 : jobs;

			for (int k = 0; k < workers; k++) {
				pid_t pid = fork();

				if (pid == 0)
					_exit(work(c[j].starts_all ? 1 : runs, &c[j], null, env));
				failed |= pid < 0;
			}
			while (wait(&status) > 0)
				failed |= status;
			begin = now() - begin;
			if (failed) {
				fprintf(stderr, "%s failed\n", c[j].name);
				return 1;
			}
			if (i >= 0)
				printf("%s\t%llu\n", c[j].name, (unsigned long long)begin / (unsigned)(jobs * runs));
			fflush(stdout);
		}
	}
	return 0;
}

static int call_getppid(int fd)
{
	(void)fd;
	return syscall(SYS_getppid) < 0;
}

static int call_read(int fd)
{
	char byte;

	return read(fd, &byte, 1) != 1;
}

static int call_open_close(int fd)
{
	fd = open("/dev/zero", O_RDONLY);
	return fd < 0 || close(fd) < 0;
}

static int calls(int rounds)
{
	static const struct {
		const char *name;
		int (*call)(int fd);
	} all[] = {{"getppid", call_getppid}, {"read", call_read}, {"open+close", call_open_close}};
	int fd = open("/dev/zero", O_RDONLY), bad = fd < 0;

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			uint64_t begin = now();

			for (int n = 0; n < CALLS_PER_ROUND; n++)
				bad |= all[i].call(fd);
			printf("%s\t%.2f\n", all[i].name, (double)(now() - begin) / CALLS_PER_ROUND);
		}
	}
	return bad;
}

static int flood(int n, uint64_t interval)
{
	uint64_t begin = now();

	for (int i = 0; i < n; i++) {
		syscall(SYS_getppid);
		while (interval && now() < begin + (uint64_t)(i + 1) * interval)
			;
	}
	printf("getppid\t%.2f\n", (double)(now() - begin) / n);
	return 0;
}

static int hook(int seconds)
{
	static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
			       .insn_cnt = sizeof(insns) / sizeof(insns[0]),
			       .insns = (uint64_t)(uintptr_t)insns,
			       .license = (uint64_t)(uintptr_t) "GPL"};
	union bpf_attr attach = {.raw_tracepoint.name = (uint64_t)(uintptr_t) "sys_enter"};
	struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
	long prog = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	attach.raw_tracepoint.prog_fd = (uint32_t)prog;
	if (prog < 0 || syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attach, sizeof(attach)) < 0) {
		perror("bench hook");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	return poll(&end, 1, seconds * 1000) < 0;
}

int main(int argc, char **argv, char **env)
{
	struct contender c[MAX_CONTENDERS];
	int n = 0, runs = 0, number = argc > 2 ? atoi(argv[2]) : 0;

	if (number <= 0)
		goto usage;
	if (!strcmp(argv[1], "calls") && argc == 3)
		return calls(number);
	if (!strcmp(argv[1], "hook") && argc == 3)
		return hook(number);
	if (!strcmp(argv[1], "flood") && argc == 4)
		return flood(number, (uint64_t)atoi(argv[3]));
	if (!strcmp(argv[1], "rate") && argc > 3)
		runs = atoi(argv[3]);
	else if (strcmp(argv[1], "launch") != 0)
		goto usage;
	for (int i = runs ? 4 : 3; i < argc; i++) {
		if (!argv[i][0] || !strchr("+%=", argv[i][0]))
			continue;
		if (n == MAX_CONTENDERS || i + 2 >= argc)
			goto usage;
		c[n].by_vfork = argv[i][0] == '%';
		c[n].starts_all = argv[i][0] == '=';
		c[n].name = argv[i] + 1;
		c[n].uid = (uid_t)atoi(argv[i + 1]);
		c[n++].argv = argv + i + 2;
		argv[i] = NULL; /* ends the command before */
		i++;
	}
	if (n > 0 && runs > 0)
		return rate(number, runs, c, n, env);
	if (n > 0 && !runs)
		return launch(number, c, n, env);
usage:
	fprintf(stderr, "usage: bench launch RUNS +NAME UID COMMAND... | bench rate JOBS RUNS +NAME UID COMMAND... | "
			"bench flood CALLS NS | bench calls ROUNDS | bench hook SECONDS\n");
	return 2;
}
