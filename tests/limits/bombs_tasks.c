// SPDX-License-Identifier: Apache-2.0
/* Tasks and processor time. */
#include "bombs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		live();
		one_more_task();
		fn();
		_exit(0);
	}
	return pid;
}

static void nap(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Every process forks for ever. */
static void multiply(void)
{
	for (;;)
		if (child(multiply) < 0)
			nap(1);
}

static void fork_bomb(char **argv)
{
	multiply();
}

static void *sleeping_thread(void *arg)
{
	sleep_on();
}

static void *spinning_thread(void *arg)
{
	spin();
}

static void threads(void *(*fn)(void *), long most)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (long i = 0; i < most; i++) {
		one_more_task();
		while (pthread_create(&t, &attr, fn, NULL))
			nap(1);
	}
}

static void thread_bomb(char **argv)
{
	threads(sleeping_thread, 2 * MOST_TASKS);
}

/* Each child borrows its parent's memory and stops it: a chain as deep as there may be tasks. */
static void vfork_chain(char **argv)
{
	volatile long made = 0;

	while (made < MOST_TASKS) {
		pid_t pid = vfork();

		if (pid < 0)
			sleep_on();
		if (pid == 0)
			made++;
		else
			_exit(0);
	}
	_exit(9);
}

static void daemon_grandchild(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			live();
			for (int fd = 0; fd < 3; fd++)
				close(fd);
			sleep_on();
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void orphans(char **argv)
{
	for (int i = 0; i < 10; i++)
		child(sleep_on);
}

static void sleeper(char **argv)
{
	sleep_on();
}

static void ignore_signals(char **argv)
{
	for (int sig = 1; sig < 65; sig++)
		if (sig != SIGALRM)
			signal(sig, SIG_IGN);
	for (;;)
		nap(1000);
}

static void stop_itself(char **argv)
{
	raise(SIGSTOP);
}

static void stop_all(char **argv)
{
	for (int i = 0; i < 4; i++)
		child(sleep_on);
	kill(0, SIGSTOP);
}

static void busy(char **argv)
{
	spin();
}

static void busy_threads(char **argv)
{
	threads(spinning_thread, number(argv, 0, 4) - 1);
	spin();
}

static void busy_children(char **argv)
{
	for (int i = 0; i < 4; i++)
		child(spin);
	sleep_on();
}

static void ignore_sigxcpu(char **argv)
{
	signal(SIGXCPU, SIG_IGN);
	spin();
}

static void burn_20(void)
{
	spin_ms(20);
}

/* No process uses much; all together do. */
static void short_lives(char **argv)
{
	for (int i = 0; i < MOST_TASKS / 2; i++) {
		pid_t pid = child(burn_20);

		waitpid(pid, NULL, 0);
	}
}

/* The first thread ends; the process lives on in another. */
static void leader_leaves(char **argv)
{
	threads(spinning_thread, 1);
	syscall(SYS_exit, 0);
}

static void headless_child(void)
{
	setsid();
	threads(sleeping_thread, 1);
	syscall(SYS_exit, 0);
}

/* Processes without a first thread, in sessions of their own. */
static void headless(char **argv)
{
	for (int i = 0; i < 5; i++)
		child(headless_child);
	nap(100);
	say("ready\n");
	sleep_on();
}

static void exec_loop(char **argv)
{
	char self[4096], count[16];
	long n = number(argv, 0, 0);
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0 || n > 200000)
		_exit(9);
	self[len] = '\0';
	/* The alarm is kept over exec; live() would set it anew each time. */
	alarm(n ? (unsigned)LIFE : LIFE);
	for (long v = n + 1, i = 0; i < 1; i++) {
		char *p = count + sizeof(count) - 1;

		*p = '\0';
		do
			*--p = (char)('0' + v % 10);
		while (v /= 10);
		execl(self, self, "exec-loop", p, (char *)NULL);
	}
	_exit(9);
}

static void nothing(void)
{
}

/* Children that end and that nobody waits for. Says how many there could be. */
static void zombies(char **argv)
{
	int made = 0;

	for (int i = 0; i < 2 * MOST_TASKS && child(nothing) > 0; i++) {
		made++;
		nap(1);
	}
	say("%d\n", made);
	sleep_on();
}

/* Where SIGCHLD is ignored they are gone at once: this must not be taken for a bomb. */
static void no_zombies(char **argv)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 100; i++) {
		if (child(nothing) < 0)
			_exit(3);
		nap(2);
	}
	say("100\n");
}

/* A process that is another one each time one looks. */
static void hop(void)
{
	for (int i = 0; i < MOST_TASKS / 2; i++) {
		pid_t pid = fork();

		if (pid > 0)
			_exit(0);
		while (pid < 0) {
			nap(1);
			pid = fork();
			if (pid > 0)
				_exit(0);
		}
		live();
		setsid();
		nap(1);
	}
	sleep_on();
}

static void hopper(char **argv)
{
	for (int i = 0; i < 3; i++)
		child(hop);
	sleep_on();
}

static void on_signal(int sig)
{
}

static void signal_storm(char **argv)
{
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 3; i++)
		child(sleep_on);
	for (;;)
		kill(0, SIGUSR1);
}

/* Tries to be more than others. */
static void pushy(char **argv)
{
	setpriority(PRIO_PROCESS, 0, -20);
	for (int i = 0; i < 4; i++)
		child(spin);
	spin();
}

/* forks N: how many children there can be at a time */
static void forks(char **argv)
{
	long n = number(argv, 0, 0), made = 0;

	while (made < n && child(sleep_on) > 0)
		made++;
	say("%ld %d\n", made, made < n ? errno : 0);
}

/* deep-forks D N: how many children the last of a chain of D can have */
static void deep_forks(char **argv)
{
	for (long i = number(argv, 0, 80); i > 0; i--) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(3);
		if (pid > 0) {
			waitpid(pid, NULL, 0);
			_exit(0);
		}
		live();
	}
	forks(argv + 1);
}

static long go, made;

static void *fork_idly(void *arg)
{
	struct sched_param none = {0};

	sched_setscheduler(0, SCHED_IDLE, &none);
	while (!__atomic_load_n(&go, __ATOMIC_RELAXED))
		nap(1);
	if (child(sleep_on) > 0)
		__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	sleep_on();
}

/* starved N: N threads fork that hardly get a processor; how many did within some seconds */
static void starved(char **argv)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	threads(fork_idly, number(argv, 0, 20));
	nap(100);
	threads(spinning_thread, 4);
	__atomic_store_n(&go, 1, __ATOMIC_RELAXED);
	nap(4000);
	say("%ld\n", __atomic_load_n(&made, __ATOMIC_RELAXED));
	_exit(0);
}

static void *asking_thread(void *arg)
{
	while (kill(-(1 << 22) - 1, 0) < 0)
		;
	return NULL;
}

/* Threads that ask all the time about a process group that there is not. */
static void asking(char **argv)
{
	threads(asking_thread, 100);
	sleep_on();
}

/* Opens and locks each sandbox's directory that it finds in the one named, as soon as it is there. */
static void locker(char **argv)
{
	int base = open(argv[0], O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(base);
	struct dirent *e;

	if (!d)
		_exit(9);
	for (say("ready\n");; rewinddir(d))
		while ((e = readdir(d))) {
			int fd = strncmp(e->d_name, "sandgate-", 9) ? -1 : openat(base, e->d_name, O_RDONLY);

			if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
				close(fd);
		}
}

static void spin_for(char **argv)
{
	spin_ms(number(argv, 0, 0));
}

static void raise_signal(char **argv)
{
	raise((int)number(argv, 0, 0));
}

static void exit_with(char **argv)
{
	_exit((int)number(argv, 0, 0));
}

const struct bomb task_bombs[] = {
	{"fork-bomb", fork_bomb},
	{"thread-bomb", thread_bomb},
	{"vfork-chain", vfork_chain},
	{"daemon", daemon_grandchild},
	{"orphans", orphans},
	{"sleeper", sleeper},
	{"ignore-signals", ignore_signals},
	{"stop-itself", stop_itself},
	{"stop-all", stop_all},
	{"busy", busy},
	{"busy-threads", busy_threads},
	{"busy-children", busy_children},
	{"ignore-sigxcpu", ignore_sigxcpu},
	{"short-lives", short_lives},
	{"leader-leaves", leader_leaves},
	{"exec-loop", exec_loop},
	{"headless", headless},
	{"zombies", zombies},
	{"no-zombies", no_zombies},
	{"hopper", hopper},
	{"signal-storm", signal_storm},
	{"pushy", pushy},
	{"forks", forks},
	{"deep-forks", deep_forks},
	{"starved", starved},
	{"asking", asking},
	{"locker", locker},
	{"spin", spin_for},
	{"raise", raise_signal},
	{"exit", exit_with},
	{NULL, NULL},
};
