/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects NAME [key=value ...]: prepares, says "READY pid", waits for a line, makes one call, says "DONE result errno".
 * effects --list: "NAME CALL" of each. Linked statically: nothing but the call itself happens after READY.
 */
#include "effects.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

struct effect_params params = {.name = "none"};

static const struct effect *const families[] = {sg_effects_file, sg_effects_proc, sg_effects_ipc, sg_effects_self};
static char witness_stack[65536] __attribute__((aligned(16)));
static int (*witness_seen)(void);
static volatile int witness_running;

static void say(const char *line)
{
	struct iovec iov = {(void *)(unsigned long)line, strlen(line)};

	if (syscall(SYS_writev, 1, &iov, 1UL) < 0)
		_exit(31);
}

void give_up(const char *what)
{
	char line[128];

	snprintf(line, sizeof(line), "SETUP %s %s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
	say(line);
	_exit(30);
}

void go(void)
{
	char line[64], byte;
	struct iovec iov = {&byte, 1};

	snprintf(line, sizeof(line), "READY %d\n", getpid());
	say(line);
	if (syscall(SYS_readv, 0, &iov, 1UL) != 1)
		_exit(32);
}

static int witness(void *arg)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	witness_running = 1;
	do {
		if (witness_seen()) {
			say("WITNESS\n");
			_exit(0);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 2);
	(void)arg;
	_exit(0);
}

void watch(int (*seen)(void))
{
	witness_seen = seen;
	if (clone(witness, witness_stack + sizeof(witness_stack), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL) <
	    0)
		give_up("clone");
	while (!witness_running)
		sched_yield();
}

int main(int argc, char **argv)
{
	char line[64];
	long ret;
	int err;

	if (argc < 2)
		return 30;
	for (int i = 2; i < argc; i++) {
		const char *v = strchr(argv[i], '=');

		if (!v)
			continue;
		v++;
		if (!strncmp(argv[i], "victim=", 7))
			params.victim = atoi(v);
		else if (!strncmp(argv[i], "addr=", 5))
			params.addr = strtoul(v, NULL, 0);
		else if (!strncmp(argv[i], "port=", 5))
			params.port = atoi(v);
		else if (!strncmp(argv[i], "udp=", 4))
			params.udp_port = atoi(v);
		else if (!strncmp(argv[i], "fd=", 3))
			params.fd = atoi(v);
		else if (!strncmp(argv[i], "key=", 4))
			params.key = atoi(v);
		else if (!strncmp(argv[i], "id=", 3))
			params.id = atoi(v);
		else if (!strncmp(argv[i], "name=", 5))
			params.name = v;
	}
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (const struct effect *e = families[f]; e->name; e++) {
			if (!strcmp(argv[1], "--list"))
				printf("%s %s\n", e->name, e->call);
			if (strcmp(e->name, argv[1]) != 0)
				continue;
			errno = 0;
			ret = e->run();
			err = errno;
			snprintf(line, sizeof(line), "DONE %ld %s\n", ret,
				 ret < 0 && strerrorname_np(err) ? strerrorname_np(err) : "0");
			say(line);
			_exit(0);
		}
	}
	return strcmp(argv[1], "--list") ? 30 : 0;
}
