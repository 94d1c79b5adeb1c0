// SPDX-License-Identifier: Apache-2.0
/*
 * Does one thing that a test asks for and says what came of it. `act VERB [ARG...]`; verbs may be chained with `then`.
 * Prints one line per result; exits 0 unless told otherwise, so that every denial shows as a difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(1, line, (size_t)n) != n)
		_exit(9);
}

static long number(const char *s)
{
	/* "self" and "tid": what only the process itself knows. */
	if (!strcmp(s, "self"))
		return getpid();
	if (!strcmp(s, "tid"))
		return syscall(SYS_gettid);
	return s[0] == '-' ? strtol(s, NULL, 0) : (long)strtoul(s, NULL, 0);
}

static void arguments(char **argv, long args[6])
{
	for (int i = 0; i < 6; i++)
		args[i] = 0;
	for (int i = 0; i < 6 && argv[i]; i++)
		args[i] = number(argv[i]);
}

/* call NR ARG... */
static void do_call(char **argv)
{
	long nr = number(argv[0]), a[6], rc;

	arguments(argv + 1, a);
	rc = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	say("%ld %d\n", rc, rc < 0 ? errno : 0);
}

#ifdef __x86_64__
static void do_int80(char **argv)
{
	long a[6];
	int rc;

	arguments(argv + 1, a);
	asm volatile("int $0x80"
		     : "=a"(rc)
		     : "a"((int)number(argv[0])), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	say("%d 0\n", rc);
}
#endif

static void *call_in_thread(void *argv)
{
	prctl(PR_SET_NAME, "the-thread");
	say("%ld %d\n", syscall(SYS_gettid), getpid());
	do_call(argv);
	return NULL;
}

static void in_thread(char **argv)
{
	pthread_t t;

	if (pthread_create(&t, NULL, call_in_thread, argv))
		_exit(8);
	pthread_join(t, NULL);
}

/* child DEPTH call...: so many forks deep, each in a session of its own; the ancestors wait */
static void in_child(char **argv)
{
	int status, depth = (int)number(argv[0]);
	pid_t pid;

	for (int i = 0; i < depth; i++) {
		pid = fork();
		if (pid < 0)
			_exit(8);
		if (pid > 0) {
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		}
		(void)setsid();
	}
	prctl(PR_SET_NAME, "the-child");
	say("%ld %d\n", syscall(SYS_gettid), getpid());
	do_call(argv + 1);
}

/* orphan SECONDS: a grandchild in its own session, its parent gone, holding none of our descriptors but stdout */
static void do_orphan(char **argv)
{
	int fds[2];
	char byte;

	if (pipe(fds))
		_exit(8);
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			setsid();
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
			close(fds[0]);
			(void)!write(fds[1], "", 1);
			close(fds[1]);
			say("%d\n", getpid());
			for (int i = 3; i < 64; i++)
				close(i);
			sleep((unsigned)number(argv[0]));
		}
		_exit(0);
	}
	close(fds[1]);
	(void)!read(fds[0], &byte, 1);
	wait(NULL);
}

static volatile sig_atomic_t got[65];

static void note(int sig)
{
	got[sig] = 1;
}

/* catch N: prints each of the usual signals as it comes, ends after N of them */
static void do_catch(char **argv)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT};
	int left = (int)number(argv[0]);
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		signal(sigs[i], note);
		sigdelset(&old, sigs[i]);
	}
	say("ready %d\n", getpid());
	while (left > 0) {
		sigsuspend(&old);
		for (int sig = 1; sig < 65; sig++) {
			if (!got[sig])
				continue;
			got[sig] = 0;
			say("got %d\n", sig);
			left--;
		}
	}
}

/* ignore SECONDS: TERM and its kin do nothing */
static void do_ignore(char **argv)
{
	struct timespec end = {.tv_sec = number(argv[0])};

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	say("ready %d\n", getpid());
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &end, &end) == EINTR)
		;
}

/* forks N: as many children as it can have, up to N; all live until the end */
static void do_forks(char **argv)
{
	int want = (int)number(argv[0]), n = 0, e = 0, fds[2];
	char byte;

	if (pipe(fds))
		_exit(8);
	while (n < want) {
		pid_t pid = fork();

		if (pid < 0) {
			e = errno;
			break;
		}
		if (pid == 0) {
			close(fds[1]);
			(void)!read(fds[0], &byte, 1);
			_exit(0);
		}
		n++;
	}
	say("%d %d\n", n, e);
	close(fds[1]);
	while (wait(NULL) > 0)
		;
}

static void *idle(void *fd)
{
	char byte;

	(void)!read((int)(intptr_t)fd, &byte, 1);
	return NULL;
}

static void do_threads(char **argv)
{
	int want = (int)number(argv[0]), n = 0, e = 0, fds[2];
	pthread_t t[1024];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	if (pipe(fds) || want > 1024)
		_exit(8);
	while (n < want) {
		e = pthread_create(&t[n], &attr, idle, (void *)(intptr_t)fds[0]);
		if (e)
			break;
		n++;
	}
	say("%d %d\n", n, e);
	close(fds[1]);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

struct bomb {
	int made, failed, error;
	pthread_barrier_t start;
	int fds[2];
};

static void *bomber(void *arg)
{
	struct bomb *b = arg;
	char byte;

	pthread_barrier_wait(&b->start);
	for (int i = 0; i < 200; i++) {
		pid_t pid = (pid_t)syscall(SYS_fork);

		if (pid == 0) {
			syscall(SYS_close, b->fds[1]);
			syscall(SYS_read, b->fds[0], &byte, 1);
			syscall(SYS_exit_group, 0);
		}
		if (pid > 0) {
			__atomic_add_fetch(&b->made, 1, __ATOMIC_SEQ_CST);
		} else {
			b->error = errno;
			__atomic_add_fetch(&b->failed, 1, __ATOMIC_SEQ_CST);
		}
	}
	/* a thread that ended would make room for one more */
	pthread_barrier_wait(&b->start);
	return NULL;
}

/* bomb THREADS: that many threads fork at the same time, 200 times each, and nobody ends before all have tried */
static void do_bomb(char **argv)
{
	int n = (int)number(argv[0]);
	struct bomb b = {0};
	pthread_t t[16];

	if (n > 16 || pipe(b.fds))
		_exit(8);
	pthread_barrier_init(&b.start, NULL, (unsigned)n);
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, bomber, &b))
			_exit(7);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	say("%d %d %d\n", b.made, b.failed, b.error);
	close(b.fds[1]);
	while (wait(NULL) > 0)
		;
}

static void do_spin(char **argv)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += number(argv[0]);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec < end.tv_sec);
}

static void do_cat(void)
{
	static char buf[1 << 16];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			ssize_t w = write(1, buf + at, (size_t)(n - at));

			if (w < 0)
				_exit(9);
			at += w;
		}
}

/* open PATH FLAGS: opens and closes, nothing else */
static void do_open(char **argv)
{
	int fd = open(argv[0], (int)number(argv[1]), 0600), e = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	say("%d %d\n", fd < 0 ? -1 : 0, e);
}

/* fill PATH BYTES: writes that many bytes */
static void do_fill(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	static char block[4096];
	long left = number(argv[1]), done = 0;
	ssize_t n = 0;

	while (fd >= 0 && left > 0) {
		n = write(fd, block, (size_t)(left < 4096 ? left : 4096));
		if (n <= 0)
			break;
		left -= n;
		done += n;
	}
	say("%ld %d\n", done, fd < 0 || n < 0 ? errno : 0);
}

/* opens N: so many descriptors */
static void do_opens(char **argv)
{
	int want = (int)number(argv[0]), n = 0;

	while (n < want && open("/dev/null", O_RDONLY) >= 0)
		n++;
	say("%d %d\n", n, n < want ? errno : 0);
}

static int run(int argc, char **argv)
{
	const char *verb = argv[0];
	char **a = argv + 1;
	char *none[] = {NULL};

	if (argc < 2)
		a = none;
	if (!strcmp(verb, "exit"))
		exit((int)number(a[0]));
	else if (!strcmp(verb, "raise")) {
		signal((int)number(a[0]), SIG_DFL);
		raise((int)number(a[0]));
	} else if (!strcmp(verb, "getppid")) {
		for (long i = number(a[0]); i > 0; i--)
			syscall(SYS_getppid);
	} else if (!strcmp(verb, "call"))
		do_call(a);
#ifdef __x86_64__
	else if (!strcmp(verb, "int80"))
		do_int80(a);
#endif
	else if (!strcmp(verb, "thread"))
		in_thread(a);
	else if (!strcmp(verb, "child"))
		in_child(a);
	else if (!strcmp(verb, "orphan"))
		do_orphan(a);
	else if (!strcmp(verb, "catch"))
		do_catch(a);
	else if (!strcmp(verb, "ignore"))
		do_ignore(a);
	else if (!strcmp(verb, "forks"))
		do_forks(a);
	else if (!strcmp(verb, "threads"))
		do_threads(a);
	else if (!strcmp(verb, "bomb"))
		do_bomb(a);
	else if (!strcmp(verb, "spin"))
		do_spin(a);
	else if (!strcmp(verb, "cat"))
		do_cat();
	else if (!strcmp(verb, "open"))
		do_open(a);
	else if (!strcmp(verb, "fill"))
		do_fill(a);
	else if (!strcmp(verb, "opens"))
		do_opens(a);
	else if (!strcmp(verb, "name"))
		prctl(PR_SET_NAME, a[0]);
	else if (!strcmp(verb, "mark")) {
		/* changes the limit by which a guard could know the process */
		struct rlimit r = {.rlim_cur = 1000, .rlim_max = 1000};

		say("%d\n", setrlimit(RLIMIT_MSGQUEUE, &r));
	} else if (!strcmp(verb, "say"))
		say("%s\n", a[0]);
	else if (!strcmp(verb, "pid"))
		say("pid %d\n", getpid());
	else if (!strcmp(verb, "complain"))
		(void)!write(2, a[0], strlen(a[0]));
	else if (!strcmp(verb, "sleep"))
		sleep((unsigned)number(a[0]));
	else if (!strcmp(verb, "usleep"))
		usleep((useconds_t)number(a[0]));
	else if (!strcmp(verb, "stop"))
		raise(SIGSTOP);
	else if (!strcmp(verb, "exec")) {
		execv(a[0], a);
		say("-1 %d\n", errno);
	} else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int from = 1; from < argc && !rc;) {
		int to = from;

		while (to < argc && strcmp(argv[to], "then"))
			to++;
		argv[to] = NULL;
		rc = run(to - from, argv + from);
		from = to + 1;
	}
	return rc;
}
