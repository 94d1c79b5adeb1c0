// SPDX-License-Identifier: Apache-2.0
/* Limits whose controller is missing: the advice names what is the case here, and what is done where nothing is seen.
 */
#include "supervisor/limiter.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What --require-limits says of a limit on processors, below a cgroup that has these controllers. */
static struct sg_err without_cpu(const char *controllers)
{
	struct sg_cgroup cg = {.base = "/tmp/sg-limiter-XXXXXX"};
	struct sg_limits want = {.cpus = 500};
	json_t *mechanisms = json_object(), *degraded = json_array();
	struct sg_err err = {0};
	struct sg_limiter x;
	char file[600];
	FILE *f;

	assert_non_null(mkdtemp(cg.base));
	cg.dirfd = open(cg.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(cg.dirfd >= 0);
	snprintf(file, sizeof(file), "%s/cgroup.controllers", cg.base);
	f = fopen(file, "we");
	assert_non_null(f);
	fprintf(f, "%s\n", controllers);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(sg_limiter_plan(&x, &want, &cg, NULL, true, true, mechanisms, degraded, &err), -ENOTSUP);
	unlink(file);
	rmdir(cg.base);
	close(cg.dirfd);
	json_decref(mechanisms);
	json_decref(degraded);
	return err;
}

static bool said_to_be_there(const char *controllers)
{
	return strstr(without_cpu(controllers).message, ": it is there but cannot be enabled");
}

static void test_controller_is_a_word(void **state)
{
	(void)state;
	assert_true(said_to_be_there("cpu"));
	assert_true(said_to_be_there("cpuset cpu io memory"));
	assert_true(said_to_be_there("memory pids cpu"));
	assert_false(said_to_be_there("cpuset"));
	assert_false(said_to_be_there("cpuset io memory pids"));
	assert_false(said_to_be_there(""));
}

static void write_number(const struct sg_cgroup *cg, const char *file, const char *text)
{
	int fd = openat(cg->dirfd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The file's first character, which is what was written last. */
static char first_of(const struct sg_cgroup *cg, const char *file)
{
	char c = 0;
	int fd = openat(cg->dirfd, file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
	return c;
}

/* Looks while no descriptor is left. */
static const char *look_without(struct sg_limiter *x, uint64_t now, uint64_t *value)
{
	struct rlimit old, none;
	const char *limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	limit = sg_limiter_check(x, now, value);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	return limit;
}

#define S 1000000000ULL

/* Neither is it taken to have used nothing, nor is the program ended for it: it is looked at again soon. */
static void test_cpu_that_cannot_be_seen(void **state)
{
	struct sg_cgroup cg = {.base = "/tmp/sg-limiter-XXXXXX"};
	struct sg_members m = {.cg = &cg, .supervisor = getpid()};
	struct sg_limiter x = {.want = {.cpu_time = 100000, .cpus = 1000}, .cg = &cg, .members = &m, .throttle = true};
	uint64_t value;

	(void)state;
	assert_non_null(mkdtemp(cg.base));
	cg.dirfd = open(cg.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_number(&cg, "cpu.stat", "usage_usec 95000000\n");
	write_number(&cg, "cgroup.freeze", "0");
	sg_limiter_start(&x, S);
	assert_null(sg_limiter_check(&x, 101 * S, &value));
	assert_int_equal(x.unseen, 0);
	assert_null(look_without(&x, 110 * S, &value));
	assert_int_equal(x.unseen, EMFILE);
	assert_true(sg_limiter_next(&x) <= 110 * S + S / 10);
	/* Nor has it used all of that in no time. */
	assert_null(sg_limiter_check(&x, 111 * S, &value));
	assert_false(x.frozen);
	assert_int_equal(first_of(&cg, "cgroup.freeze"), '0');
	write_number(&cg, "cpu.stat", "usage_usec 100000001\n");
	assert_string_equal(sg_limiter_check(&x, 120 * S, &value), "cpu_time");
	unlinkat(cg.dirfd, "cpu.stat", 0);
	unlinkat(cg.dirfd, "cgroup.freeze", 0);
	rmdir(cg.base);
	close(cg.dirfd);
}

static void test_memory_that_cannot_be_seen(void **state)
{
	struct sg_cgroup none = {.dirfd = -1}, cg = {.dirfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	struct sg_members m = {.cg = &none, .supervisor = getpid()};
	struct sg_limiter x = {.want = {.memory = 1 << 20}, .cg = &none, .members = &m, .memory_at = 1};
	uint64_t value;

	(void)state;
	sg_limiter_start(&x, S);
	assert_null(sg_limiter_check(&x, 2 * S, &value));
	assert_string_equal(look_without(&x, 3 * S, &value), "memory");
	assert_int_equal(x.unseen, EMFILE);
	x.unseen = 0;
	m.cg = x.cg = &cg;
	assert_null(sg_limiter_check(&x, 4 * S, &value)); /* one that was removed: there is no cgroup.procs */
	assert_string_equal(look_without(&x, 5 * S, &value), "memory");
	assert_int_equal(x.unseen, EMFILE);
	close(cg.dirfd);
}

#define CHILDREN 40
#define SHARED (64UL << 20)

/* From one look to the end of it; how many calls that took, and what the last said. */
static const char *look_through(struct sg_limiter *x, uint64_t now, int *calls)
{
	const char *limit = NULL;
	uint64_t value;

	*calls = 0;
	do {
		limit = sg_limiter_check(x, now, &value);
		++*calls;
	} while (!limit && sg_limiter_next(x) <= now && *calls < 10000);
	return limit;
}

/* Memory that many share counts once, and to find that out is not done at one go. */
static void test_memory_in_pieces(void **state)
{
	struct sg_members m = {.supervisor = getpid()};
	struct sg_cgroup none = {.dirfd = -1};
	struct sg_limiter x = {.want = {.memory = 2 * SHARED}, .cg = &none, .members = &m, .memory_at = 1};
	char *p = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pids[CHILDREN];
	const char *limit;
	int calls, ready[2];

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	(void)madvise(p, SHARED, MADV_NOHUGEPAGE); /* a page at a time, of which there are many */
	memset(p, 1, SHARED);
	assert_int_equal(pipe(ready), 0);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			assert_int_equal(write(ready[1], "", 1), 1);
			for (;;)
				pause();
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		assert_int_equal(read(ready[0], &(char){0}, 1), 1);
	sg_limiter_start(&x, S);
	limit = look_through(&x, 2 * S, &calls);
	/* One that is not over when the sandbox is. */
	x.want.memory = 1 << 20;
	if (!limit)
		(void)sg_limiter_check(&x, 3 * S, &(uint64_t){0});
	sg_look_end(&x.look);
	for (int i = 0; i < CHILDREN; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	munmap(p, SHARED);
	assert_null(limit);
	assert_true(calls > 1);
	assert_true(x.peak_memory > SHARED / 2 && x.peak_memory < 2 * SHARED);
	assert_int_equal(x.unseen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controller_is_a_word), cmocka_unit_test(test_cpu_that_cannot_be_seen),
		cmocka_unit_test(test_memory_that_cannot_be_seen), cmocka_unit_test(test_memory_in_pieces)};

	return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
