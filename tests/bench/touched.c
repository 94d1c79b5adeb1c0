// SPDX-License-Identifier: Apache-2.0
/*
 * Which instructions of a position-independent program are run: touched OUT PROGRAM [ARG...]. Every address once, as an
 * offset in the program, in hexadecimal, one a line. Steps through the program and through its children until they
 * execute another one, at some 6,000 instructions a second. What scripts/order goes by.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE_MAX_PROGRAM (64UL << 20)
#define TASKS 64

static unsigned char *seen;
static unsigned long base;
static pid_t elsewhere[TASKS]; /* tasks that have executed another program */
static size_t n_elsewhere;

static void fail(const char *what)
{
	fprintf(stderr, "touched: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long load_address(pid_t pid, const char *program)
{
	char path[64], real[PATH_MAX], line[PATH_MAX + 128];
	unsigned long at = 0;
	FILE *f;

	if (!realpath(program, real))
		fail(program);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		fail(path);
	while (!at && fgets(line, sizeof(line), f))
		if (strstr(line, real))
			at = strtoul(line, NULL, 16);
	fclose(f);
	if (!at) {
		fprintf(stderr, "touched: %s is not mapped\n", real);
		exit(1);
	}
	return at;
}

static bool is_elsewhere(pid_t pid)
{
	for (size_t i = 0; i < n_elsewhere; i++)
		if (elsewhere[i] == pid)
			return true;
	return false;
}

static void step(pid_t pid, int status)
{
	const int sig = WSTOPSIG(status), event = status >> 16;
	const bool own = event || sig == SIGTRAP || sig == SIGSTOP;
	struct user_regs_struct regs;

	if (event == PTRACE_EVENT_EXEC && n_elsewhere < TASKS)
		elsewhere[n_elsewhere++] = pid;
	if (is_elsewhere(pid)) {
		ptrace(PTRACE_CONT, pid, 0, own ? 0 : sig);
		return;
	}
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0 && regs.rip - base < SIZE_MAX_PROGRAM)
		seen[regs.rip - base] = 1;
	ptrace(PTRACE_SINGLESTEP, pid, 0, own ? 0 : sig);
}

int main(int argc, char **argv)
{
	const long follow =
		PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t first, pid;
	int status, end = -1;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: touched OUT PROGRAM [ARG...]\n");
		return 2;
	}
	seen = calloc(1, SIZE_MAX_PROGRAM);
	out = fopen(argv[1], "we");
	if (!seen || !out)
		fail(argv[1]);
	first = fork();
	if (first == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[2], argv + 2);
		fail(argv[2]);
	}
	if (first < 0 || waitpid(first, &status, 0) != first || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, first, 0, follow))
		fail(argv[2]);
	base = load_address(first, argv[2]);
	ptrace(PTRACE_SINGLESTEP, first, 0, 0);
	while (end < 0 && (pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			step(pid, status);
		else if (pid == first)
			end = status;
	}
	for (unsigned long i = 0; i < SIZE_MAX_PROGRAM; i++)
		if (seen[i])
			fprintf(out, "%lx\n", i);
	if (fclose(out))
		fail(argv[1]);
	if (end) {
		fprintf(stderr, "touched: %s ended with status 0x%x\n", argv[2], (unsigned)end);
		return 1;
	}
	return 0;
}
