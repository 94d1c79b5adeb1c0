// SPDX-License-Identifier: Apache-2.0
/*
 * brood TOKEN [hop]: says "up", then runs on as several processes that do not want to die: in sessions of their own,
 * orphaned, with threads, deaf to signals. With hop, one that forks and leaves, again and again. TOKEN is only there to
 * be seen in /proc. Each ends by itself after a minute whatever happens.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timespec born;

static int old(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - born.tv_sec > 60;
}

static void *stay(void *arg)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	while (!old())
		nanosleep(&pause, NULL);
	_exit(0);
}

static void orphan(void (*then)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			then();
			_exit(0);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void sleeper(void)
{
	stay(NULL);
}

static void threads(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, stay, NULL);
	stay(NULL);
}

static void hopper(void)
{
	while (!old())
		if (fork() > 0)
			_exit(0);
}

int main(int argc, char **argv)
{
	clock_gettime(CLOCK_MONOTONIC, &born);
	for (int i = 1; i < 32; i++)
		if (i != SIGCHLD)
			signal(i, SIG_IGN);
	orphan(sleeper);
	orphan(threads);
	if (argc > 2 && !strcmp(argv[2], "hop"))
		orphan(hopper);
	if (write(1, "up\n", 3) != 3)
		return 2;
	stay(NULL);
}
