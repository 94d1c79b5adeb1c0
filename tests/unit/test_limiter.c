// SPDX-License-Identifier: Apache-2.0
/* Limits whose controller is missing: the advice names what is the case here. */
#include "supervisor/limiter.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_controller_is_a_word)};

	return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
