/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of --batch: what they mean, and how they are cut out of what arrives. */
#include "runner/job.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int parse(struct sg_job *job, const char *text, struct sg_err *err)
{
	sg_err_reset(err);
	return sg_job_parse(job, text, strlen(text), 7, err);
}

static void test_whole(void **state)
{
	struct sg_err err = {0};
	struct sg_job job;

	(void)state;
	assert_int_equal(
		parse(&job,
		      "{\"argv\":[\"./a\",\"b c\",\"\"],\"label\":\"case \xc3\xa9\",\"chdir\":\"d\",\"stdin\":\"i\","
		      "\"stdout\":\"o\",\"stderr\":\"e\"}",
		      &err),
		0);
	assert_string_equal(job.argv[0], "./a");
	assert_string_equal(job.argv[1], "b c");
	assert_string_equal(job.argv[2], "");
	assert_null(job.argv[3]);
	assert_string_equal(job.label, "case \xc3\xa9");
	assert_string_equal(job.chdir, "d");
	assert_string_equal(job.files[0], "i");
	assert_string_equal(job.files[1], "o");
	assert_string_equal(job.files[2], "e");
	sg_job_free(&job);
	assert_int_equal(parse(&job, " {} \r", &err), 0);
	assert_string_equal(job.label, "7");
	assert_null(job.argv);
	sg_job_free(&job);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"", "no JSON"},
		{"{", "no JSON"},
		{"{} x", "no JSON"},
		{"{\"argv\":[\"a\"],\"argv\":[\"b\"]}", "duplicate"},
		{"{\"argv\":[\"a\\u0000b\"]}", "no JSON"},
		{"{\"argv\":[\"\xff\"]}", "no JSON"},
		{"[]", "expected an object"},
		{"{\"argv\":[]}", "argv: expected a list"},
		{"{\"argv\":\"a\"}", "argv: expected a list"},
		{"{\"argv\":[\"a\",1]}", "argv: item 2"},
		{"{\"argc\":[\"a\"]}", "unknown key \"argc\""},
		{"{\"label\":\"\"}", "label: expected"},
		{"{\"label\":\"a\\u001b[0m\"}", "label: expected"},
		{"{\"label\":\"a\\u009b\"}", "label: expected"},
		{"{\"label\":1}", "label: expected"},
		{"{\"stdin\":\"\"}", "stdin: expected"},
		{"{\"stdout\":[]}", "stdout: expected"},
		{"{\"chdir\":null}", "chdir: expected"},
	};
	struct sg_err err = {0};
	struct sg_job job;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(parse(&job, rows[i].text, &err), -EINVAL);
		if (!strstr(err.message, rows[i].said))
			fail_msg("%s: %s", rows[i].text, err.message);
		assert_string_equal(job.label, "7");
		sg_job_free(&job);
	}
	/* What else is wrong is said under its own label. */
	assert_int_equal(parse(&job, "{\"label\":\"mine\",\"argv\":1}", &err), -EINVAL);
	assert_string_equal(job.label, "mine");
	sg_job_free(&job);
}

/* What n lines out of text, which arrives in pieces of step bytes, are: "1:a;" a line, "1!;" one too long. */
static char *cut(const char *text, size_t size, size_t step)
{
	struct sg_err err = {0};
	struct sg_lines l = {.fd = -1};
	size_t at = 0, len, room = 4096;
	char *out = calloc(1, room);
	const char *line;
	int pair[2], rc;

	assert_int_equal(pipe(pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	l.fd = pair[0];
	while (!l.ended) {
		size_t n = size - at < step ? size - at : step;

		if (n) {
			n = n < 32768 ? n : 32768;
			assert_int_equal(write(pair[1], text + at, n), n);
			at += n;
		} else if (pair[1] >= 0) {
			close(pair[1]);
			pair[1] = -1;
		}
		assert_int_equal(sg_lines_read(&l, &err), 0);
		while ((rc = sg_lines_next(&l, &line, &len)) != 0) {
			size_t used = strlen(out);

			if (rc > 0)
				snprintf(out + used, room - used, "%u:%.*s;", l.number, len < 20 ? (int)len : 20, line);
			else
				snprintf(out + used, room - used, "%u!;", l.number);
		}
	}
	sg_lines_close(&l);
	return out;
}

static void test_lines(void **state)
{
	static const char text[] = "one\n\n three\nlast";
	char *long_one = malloc(SG_JOB_LINE_MAX + 100), *got;

	(void)state;
	for (size_t step = 1; step < sizeof(text) + 1; step++) {
		got = cut(text, sizeof(text) - 1, step);
		assert_string_equal(got, "1:one;2:;3: three;4:last;");
		free(got);
	}
	got = cut("", 0, 1);
	assert_string_equal(got, "");
	free(got);
	/* Longer than a line may be, at the end and before another. */
	memset(long_one, 'x', SG_JOB_LINE_MAX + 100);
	got = cut(long_one, SG_JOB_LINE_MAX + 100, 32768);
	assert_string_equal(got, "1!;");
	free(got);
	memcpy(long_one + SG_JOB_LINE_MAX + 50, "\nnext\n", 6);
	got = cut(long_one, SG_JOB_LINE_MAX + 56, 32768);
	assert_string_equal(got, "1!;2:next;");
	free(got);
	memcpy(long_one + SG_JOB_LINE_MAX, "\nnext\n", 6);
	got = cut(long_one, SG_JOB_LINE_MAX + 6, 32768);
	assert_string_equal(got, "1:xxxxxxxxxxxxxxxxxxxx;2:next;");
	free(got);
	free(long_one);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/sandgate-job.XXXXXX", here[4096];
	struct sg_job job = {0};
	struct sg_err err = {0};
	unsigned owned;
	int std[3];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(sg_job_open(&job, std, &owned, &err), 0);
	assert_true(owned == 1 && std[1] == 1 && std[2] == 2);
	close(std[0]);
	/* One file for both, of which nothing is written over. */
	job.files[1] = job.files[2] = "both";
	assert_int_equal(sg_job_open(&job, std, &owned, &err), 0);
	assert_true(owned == 3 && std[1] == std[2]);
	assert_int_equal(fcntl(std[1], F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_WRONLY);
	close(std[0]);
	close(std[1]);
	/* A link is not followed, whoever put it there; a FIFO is not waited for. */
	assert_int_equal(symlink("both", "link"), 0);
	job.files[1] = "link";
	assert_int_equal(sg_job_open(&job, std, &owned, &err), -ELOOP);
	assert_non_null(strstr(err.message, "symbolic link"));
	assert_int_equal(mkfifo("fifo", 0600), 0);
	job.files[1] = "fifo";
	sg_err_reset(&err);
	assert_int_equal(sg_job_open(&job, std, &owned, &err), -ENXIO);
	assert_non_null(strstr(err.message, "nobody reads"));
	job.files[0] = "fifo";
	job.files[1] = "both";
	assert_int_equal(sg_job_open(&job, std, &owned, &err), 0);
	assert_int_equal(fcntl(std[0], F_GETFL) & O_NONBLOCK, 0);
	close(std[0]);
	close(std[1]);
	unlink("both");
	unlink("link");
	unlink("fifo");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
