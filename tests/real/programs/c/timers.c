/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

int main(void)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec its = {.it_value = {.tv_nsec = 2000000}, .it_interval = {.tv_nsec = 2000000}};
	struct timespec a, b, nap = {.tv_nsec = 3000000};
	struct sigaction sa = {.sa_handler = tick};
	struct rusage ru;
	struct tm tm;
	timer_t t;
	time_t when = 86400 * 365;
	char buf[64];

	sigaction(SIGRTMIN, &sa, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &t) || timer_settime(t, 0, &its, NULL))
		return 1;
	while (ticks < 5)
		pause();
	printf("%d %d\n", ticks >= 5, timer_gettime(t, &its));
	printf("%d\n", timer_delete(t));
	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&nap, NULL);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%d\n", (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 6000000);
	strftime(buf, sizeof(buf), "%Y-%m-%d %a %j", gmtime_r(&when, &tm));
	printf("%s %d\n", buf, getrusage(RUSAGE_SELF, &ru));
	printf("%d %d %d\n", times(NULL) != (clock_t)-1, time(NULL) > 1000000000, clock_getres(CLOCK_REALTIME, &a));
	setenv("TZ", "Asia/Kolkata", 1);
	tzset();
	when = 0;
	printf("%d %s %d\n", localtime_r(&when, &tm)->tm_hour, tzname[0], clock() >= 0);
	return 0;
}
