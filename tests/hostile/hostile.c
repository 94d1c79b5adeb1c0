/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile NAME [key=value ...]: runs one attack and reports on standard output.
 *
 *   TRY NAME       the attack is about to be made: everything before it was let through
 *   EFFECT         it took effect (exit 10)
 *   ERRNO EPERM    it was refused (exit 20)
 *   SETUP ...      it could not be tried (exit 30)
 *   SURVIVED       a child made it and died, and this process was still running two seconds later (exit 40)
 *
 * from=thread|signal|atexit|fork|daemon says who makes the attack. Also built as a shared object, so that Python
 * (ctypes) and Node (process.dlopen) can make the same raw calls: see hostile_constructor().
 */
#include "hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static const struct attack *const families[] = {
	sg_attacks_net, sg_attacks_proc, sg_attacks_exec, sg_attacks_kernel, sg_attacks_ns, sg_attacks_mem,
};
static const struct attack *chosen;
static struct target target = {.fd = -1, .dir = "/nonexistent"};
static volatile sig_atomic_t reported;

int hostile_main(int argc, char **argv);

int sg_scratch(const struct target *t, const char *name, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s", t->dir, name);

	return n > 0 && (size_t)n < size ? 0 : SG_SETUP;
}

static void say(const char *word, const char *what)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%s%s%s\n", word, *what ? " " : "", what);

	if (n > 0 && write(1, line, (size_t)n) != n)
		_exit(31);
}

static int attack_and_report(void)
{
	const char *name;
	int r;

	say("TRY", chosen->name);
	errno = 0;
	r = chosen->run(&target);
	reported = 1;
	if (!r) {
		say("EFFECT", "");
		return 10;
	}
	if (r == SG_SETUP) {
		say("SETUP", strerrorname_np(errno) ? strerrorname_np(errno) : "failed");
		return 30;
	}
	name = strerrorname_np(-r);
	say("ERRNO", name ? name : "unknown");
	return 20;
}

static void *from_thread(void *arg)
{
	_exit(attack_and_report());
	return arg;
}

static void from_signal(int sig)
{
	(void)sig;
	_exit(attack_and_report());
}

static void from_atexit(void)
{
	_exit(attack_and_report());
}

/* The attack is made by a child (of a child, in a session of its own); nothing may be left of this process either. */
static int from_child(int detached)
{
	const struct timespec step = {.tv_nsec = 20000000};
	unsigned char code = 0;
	int p[2];
	pid_t pid;

	if (pipe(p))
		return 30;
	pid = fork();
	if (pid < 0)
		return 30;
	if (!pid) {
		close(p[0]);
		if (detached && (setsid() < 0 || (pid = fork()) < 0))
			_exit(30);
		if (detached && pid)
			_exit(0);
		code = (unsigned char)attack_and_report();
		_exit(write(p[1], &code, 1) == 1 ? 0 : 31);
	}
	close(p[1]);
	if (read(p[0], &code, 1) == 1)
		return code;
	for (int i = 0; i < 100; i++)
		nanosleep(&step, NULL);
	say("SURVIVED", "");
	return 40;
}

static int run_from(const char *from)
{
	const struct itimerval soon = {.it_value.tv_usec = 1000};
	pthread_t thread;

	if (!strcmp(from, "main"))
		return attack_and_report();
	if (!strcmp(from, "thread")) {
		if (pthread_create(&thread, NULL, from_thread, NULL))
			return 30;
		pthread_join(thread, NULL);
		return 30;
	}
	if (!strcmp(from, "signal")) {
		signal(SIGALRM, from_signal);
		if (setitimer(ITIMER_REAL, &soon, NULL))
			return 30;
		while (!reported)
			pause();
		return 30;
	}
	if (!strcmp(from, "atexit"))
		return atexit(from_atexit) ? 30 : 0;
	if (!strcmp(from, "fork"))
		return from_child(0);
	if (!strcmp(from, "daemon"))
		return from_child(1);
	return 30;
}

int hostile_main(int argc, char **argv)
{
	const char *from = "main";

	if (argc < 2) {
		say("SETUP", "usage: hostile NAME [victim= addr= fd= dir= arg= from=]");
		return 30;
	}
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			continue;
		value++;
		if (!strncmp(argv[i], "victim=", 7))
			target.victim = atoi(value);
		else if (!strncmp(argv[i], "addr=", 5))
			target.addr = strtoul(value, NULL, 0);
		else if (!strncmp(argv[i], "fd=", 3))
			target.fd = atoi(value);
		else if (!strncmp(argv[i], "dir=", 4))
			target.dir = value;
		else if (!strncmp(argv[i], "arg=", 4))
			target.arg = value;
		else if (!strncmp(argv[i], "from=", 5))
			from = value;
	}
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (const struct attack *a = families[f]; a->name; a++) {
			if (!strcmp(a->name, argv[1]))
				chosen = a;
		}
	}
	if (!chosen) {
		say("SETUP", "no such attack");
		return 30;
	}
	return run_from(from);
}

#ifdef HOSTILE_LIBRARY
/*
 * Node can load a native object but call nothing in it by name: the attack is made while it is being loaded, and is
 * given in the environment.
 */
__attribute__((constructor)) static void hostile_constructor(void)
{
	const char *line = getenv("HOSTILE");
	char *argv[16] = {(char *)"hostile"};
	char *copy, *word, *save = NULL;
	int argc = 1;

	if (!line)
		return;
	copy = strdup(line);
	for (word = copy ? strtok_r(copy, " ", &save) : NULL; word && argc < 15; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	_exit(hostile_main(argc, argv));
}
#else
int main(int argc, char **argv)
{
	return hostile_main(argc, argv);
}
#endif
