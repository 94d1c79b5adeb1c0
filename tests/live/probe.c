// SPDX-License-Identifier: Apache-2.0
/*
 * Prints as one JSON object what a program was given to start with: identity, capabilities, descriptors, limits,
 * environment, signals. Runs bare and in a sandbox, so that the two can be compared.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* Bytes as they are: everything but plain ASCII as \u00XX, which the reader takes as latin-1. */
static void string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void key(const char *name)
{
	static int n;

	printf("%s\"%s\": ", n++ ? ", " : "", name);
}

static void number(const char *name, long long value)
{
	key(name);
	printf("%lld", value);
}

/* One line of /proc/self/status, as text. */
static void status_line(const char *name, const char *as)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[4096];
	size_t n = strlen(name);

	key(as);
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, n) || line[n] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		string(line + n + 1 + strspn(line + n + 1, " \t"));
		fclose(f);
		return;
	}
	if (f)
		fclose(f);
	printf("null");
}

static void descriptors(void)
{
	char path[64], target[512];
	const char *sep = "";

	key("fds");
	printf("{");
	/* Not by opendir(/proc/self/fd): that descriptor would be one of those it lists. */
	for (int fd = 0; fd < 4096; fd++) {
		struct stat st;
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		printf("%s\"%d\": {\"target\": ", sep, fd);
		string(target);
		if (fstat(fd, &st) == 0)
			printf(", \"ino\": %llu, \"dev\": %llu", (unsigned long long)st.st_ino,
			       (unsigned long long)st.st_dev);
		printf(", \"flags\": %d}", fcntl(fd, F_GETFL));
		sep = ", ";
	}
	printf("}");
}

static void rlimits(void)
{
	static const struct {
		const char *name;
		int resource;
	} rows[] = {{"as", RLIMIT_AS},
		    {"core", RLIMIT_CORE},
		    {"cpu", RLIMIT_CPU},
		    {"data", RLIMIT_DATA},
		    {"fsize", RLIMIT_FSIZE},
		    {"memlock", RLIMIT_MEMLOCK},
		    {"msgqueue", RLIMIT_MSGQUEUE},
		    {"nice", RLIMIT_NICE},
		    {"nofile", RLIMIT_NOFILE},
		    {"nproc", RLIMIT_NPROC},
		    {"rtprio", RLIMIT_RTPRIO},
		    {"sigpending", RLIMIT_SIGPENDING},
		    {"stack", RLIMIT_STACK}};

	key("rlimits");
	printf("{");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rlimit r = {0};

		getrlimit((__rlimit_resource_t)rows[i].resource, &r);
		printf("%s\"%s\": [%lld, %lld]", i ? ", " : "", rows[i].name,
		       r.rlim_cur == RLIM_INFINITY ? -1LL : (long long)r.rlim_cur,
		       r.rlim_max == RLIM_INFINITY ? -1LL : (long long)r.rlim_max);
	}
	printf("}");
}

static void capabilities(void)
{
	const char *sep = "";

	key("bounding");
	printf("[");
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		printf("%s%d", sep, cap);
		sep = ", ";
	}
	printf("]");
	sep = "";
	key("ambient");
	printf("[");
	for (int cap = 0; prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 1)
			continue;
		printf("%s%d", sep, cap);
		sep = ", ";
	}
	printf("]");
	status_line("CapEff", "cap_effective");
	status_line("CapPrm", "cap_permitted");
	status_line("CapInh", "cap_inheritable");
	status_line("CapBnd", "cap_bounding");
	status_line("CapAmb", "cap_ambient");
}

static void identity(void)
{
	uid_t r, e, s;
	gid_t groups[1024];
	int n;

	getresuid(&r, &e, &s);
	key("uid");
	printf("[%u, %u, %u]", r, e, s);
	getresgid(&r, &e, &s);
	key("gid");
	printf("[%u, %u, %u]", r, e, s);
	n = getgroups(1024, groups);
	key("groups");
	printf("[");
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? ", " : "", groups[i]);
	printf("]");
	number("pid", getpid());
	number("ppid", getppid());
	number("sid", getsid(0));
	number("pgrp", getpgrp());
}

int main(int argc, char **argv)
{
	mode_t mask = umask(0);
	char cwd[4096];
	int tty, tty_errno;

	umask(mask);
	/* "fd:N" as the first argument: the answer goes there, for runs whose standard output is closed */
	if (argc > 1 && !strncmp(argv[1], "fd:", 3))
		stdout = fdopen(atoi(argv[1] + 3), "w");
	if (!stdout)
		return 3;
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	tty_errno = tty < 0 ? errno : 0;
	if (tty >= 0)
		close(tty);
	printf("{");
	identity();
	capabilities();
	number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	number("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	status_line("Seccomp", "seccomp");
	status_line("SigIgn", "sig_ignored");
	status_line("SigBlk", "sig_blocked");
	status_line("SigCgt", "sig_caught");
	number("umask", mask);
	number("tty_errno", tty_errno);
	number("nice", getpriority(PRIO_PROCESS, 0));
	key("cwd");
	string(getcwd(cwd, sizeof(cwd)) ? cwd : "");
	rlimits();
	descriptors();
	key("argv");
	printf("[");
	for (int i = 0; i < argc; i++) {
		printf(i ? ", " : "");
		string(argv[i]);
	}
	printf("]");
	key("env");
	printf("[");
	for (char **e = environ; *e; e++) {
		printf(e == environ ? "" : ", ");
		string(*e);
	}
	printf("]");
	printf("}\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
