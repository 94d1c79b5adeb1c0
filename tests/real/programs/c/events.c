/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SIGNALS, TIMER, COUNTER, PIPE };

static void watch(int ep, int fd, uint32_t what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = what};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		_exit(9);
}

static void *hold(void *lock)
{
	pthread_mutex_lock(lock);
	return NULL;
}

/* As mono and ZeroMQ do with their threads, and psutil asks. */
static void schedule(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct sched_param param = {0};
	pthread_attr_t attr;
	pthread_t thread;

	pthread_mutex_lock(&lock);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	if (pthread_create(&thread, &attr, hold, &lock))
		_exit(8);
	printf("%d ", pthread_setschedparam(thread, SCHED_BATCH, &param));
	printf("%d ", pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	printf("%ld %d\n", syscall(SYS_ioprio_get, 1, getpid()), sched_setscheduler(0, SCHED_IDLE, &param));
}

int main(void)
{
	struct itimerspec soon = {.it_value = {.tv_nsec = 3000000}};
	int ep = epoll_create1(EPOLL_CLOEXEC), seen = 0, p[2], fds[4];
	struct signalfd_siginfo si;
	struct epoll_event e;
	struct sched_param param;
	sigset_t set;
	int policy;
	uint64_t n;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[SIGNALS] = signalfd(-1, &set, SFD_CLOEXEC);
	fds[TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	fds[COUNTER] = eventfd(3, 0);
	if (pipe2(p, O_CLOEXEC))
		return 1;
	fds[PIPE] = p[0];
	for (int i = 0; i < 4; i++)
		watch(ep, fds[i], (uint32_t)i);
	timerfd_settime(fds[TIMER], 0, &soon, NULL);
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77});
	if (write(p[1], "pipe", 4) != 4)
		return 1;
	while (seen != 15 && epoll_wait(ep, &e, 1, 10000) == 1) {
		seen |= 1 << e.data.u32;
		epoll_ctl(ep, EPOLL_CTL_DEL, fds[e.data.u32], NULL);
	}
	printf("seen %d\n", seen);
	printf("%zd ", read(fds[SIGNALS], &si, sizeof(si)));
	printf("%u %d\n", si.ssi_signo == SIGUSR1, si.ssi_int);
	printf("%zd %d\n", read(fds[TIMER], &n, sizeof(n)), n == 1);
	printf("%zd ", read(fds[COUNTER], &n, sizeof(n)));
	printf("%d\n", (int)n);
	printf("%d %d %d\n", sched_get_priority_max(SCHED_FIFO), sched_getscheduler(0), sched_yield());
	printf("%d %d\n", pthread_getschedparam(pthread_self(), &policy, &param), policy);
	schedule();
	return 0;
}
