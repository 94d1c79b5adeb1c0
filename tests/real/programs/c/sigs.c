/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t hits, last;

static void on(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	hits++;
	last = sig;
	if (si->si_code == SI_QUEUE)
		hits += si->si_value.sival_int;
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
	/* again and again: the first may come before anything waits for it */
	struct itimerval it = {.it_value = {.tv_usec = 5000}, .it_interval = {.tv_usec = 5000}}, stop = {0};
	struct timespec none = {0};
	sigset_t set, old;
	siginfo_t si;
	char c;
	int p[2], n;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	printf("%d %d\n", (int)hits, (int)last == SIGUSR1);
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 100});
	printf("queued %d\n", (int)hits);
	setitimer(ITIMER_REAL, &it, NULL);
	n = pause();
	setitimer(ITIMER_REAL, &stop, NULL);
	printf("%d %s %d\n", n, strerror(errno), (int)last == SIGALRM);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR2);
	sigpending(&old);
	printf("pending %d\n", sigismember(&old, SIGUSR2));
	printf("waited %d\n", sigwaitinfo(&set, &si) == SIGUSR2);
	n = sigtimedwait(&set, &si, &none);
	printf("%d %d\n", n, errno == EAGAIN);
	if (pipe(p))
		return 1;
	alarm(100);
	printf("left %d\n", alarm(0) > 90);
	setitimer(ITIMER_REAL, &it, NULL);
	n = (int)read(p[0], &c, 1);
	setitimer(ITIMER_REAL, &stop, NULL);
	printf("read %d %s\n", n, strerror(errno));
	printf("poll %d\n", poll(&(struct pollfd){.fd = p[0], .events = POLLIN}, 1, 1));
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	n = (int)write(p[1], "x", 1);
	printf("write %d %s\n", n, strerror(errno));
	psignal(SIGHUP, "name");
	return 0;
}
