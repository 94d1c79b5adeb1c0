/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process for hostile programs to attack. It gives up its capabilities (so that one without any could attack it),
 * prints "PID ADDRESS" of itself and of 16 known bytes, then answers each line of input with a line that says
 * everything an attack could have changed: the driver compares two of them.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static char secret[16] = "victim's memory";

static void count(int sig)
{
	(void)sig;
	signals++;
}

static long tracer(void)
{
	char line[256];
	long pid = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "TracerPid: %ld", &pid) == 1)
			break;
	}
	if (f)
		fclose(f);
	return pid;
}

static void state(void)
{
	struct rlimit files = {0, 0};
	cpu_set_t cpus;
	int n;

	CPU_ZERO(&cpus);
	n = sched_getaffinity(0, sizeof(cpus), &cpus) ? -1 : CPU_COUNT(&cpus);
	getrlimit(RLIMIT_NOFILE, &files);
	printf("signals=%d memory=%.16s tracer=%ld nice=%d cpus=%d nofile=%lu policy=%d ioprio=%ld\n", (int)signals,
	       secret, tracer(), getpriority(PRIO_PROCESS, 0), n, (unsigned long)files.rlim_cur, sched_getscheduler(0),
	       syscall(SYS_ioprio_get, 1, 0));
	fflush(stdout);
}

int main(void)
{
	static const int caught[] = {SIGUSR1, SIGUSR2, SIGIO, SIGTERM, SIGINT, SIGHUP};
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2];
	struct sigaction sa;
	char byte;

	memset(none, 0, sizeof(none));
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = count;
	sa.sa_flags = SA_RESTART;
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &sa, NULL);
	if (syscall(SYS_capset, &hdr, none) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		return 1;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	printf("%d %p\n", getpid(), (void *)secret);
	fflush(stdout);
	while (read(0, &byte, 1) == 1) {
		if (byte == '\n')
			state();
	}
	return 0;
}
