/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/learn.h"

#include "policy/learn.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NO_LANGUAGE "program" /* of a program whose name tells none */

int sg_learn_refresh(struct sg_launch *l, struct sg_err *err)
{
	struct sg_policy *p = NULL;
	int rc = sg_learn_policy(l->plan->learn, &p, err);

	if (!rc)
		rc = sg_bpf_set_policy(l->bpf, 0, sg_policy_ruleset(p), err);
	sg_policy_free(p);
	return rc;
}

static int read_whole(int fd, const char *name, char **text, size_t *len, struct sg_err *err)
{
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return sg_err_set(err, EINVAL, "%s: not a regular file", name);
	if (st.st_size > (off_t)SG_POLICY_MAX_BYTES)
		return sg_err_set(err, E2BIG, "%s: larger than any policy", name);
	*text = calloc(1, (size_t)st.st_size + 1);
	if (!*text)
		return sg_err_set(err, ENOMEM, "out of memory");
	for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)n) {
		n = pread(fd, *text + *len, (size_t)st.st_size - *len, (off_t)*len);
		if (n <= 0)
			return sg_err_set(err, n < 0 ? errno : EIO, "cannot read %s: %s", name,
					  n < 0 ? strerror(errno) : "it became shorter");
	}
	return 0;
}

/* The file in whose place the next one is written, beside it. NULL: no memory. */
static char *temporary_name(const char *file, struct sg_err *err)
{
	char *name;

	if (asprintf(&name, "%s.%d.new", file, (int)getpid()) >= 0)
		return name;
	(void)sg_err_set(err, ENOMEM, "out of memory");
	return NULL;
}

/* A file that is there can be learnt into: it is what was learnt of the same before. */
static int check_old(const char *file, const char *language, const char *from, struct sg_err *err)
{
	SG_CLOSE int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct sg_learn *scratch = NULL;
	SG_FREE char *text = NULL;
	size_t len = 0;
	int rc;

	if (fd < 0)
		return sg_err_set(err, errno, "--learn %s: %s", file, strerror(errno));
	rc = read_whole(fd, file, &text, &len, err);
	if (rc || !len)
		return rc;
	rc = sg_learn_new(language, from, &scratch, err);
	if (!rc)
		rc = sg_learn_merge(scratch, file, text, len, err);
	sg_learn_free(scratch);
	return rc;
}

/* Before the program runs: afterwards, what it did would have been done for nothing. */
static int check_file(const char *file, const char *language, const char *from, struct sg_err *err)
{
	SG_FREE char *temporary = temporary_name(file, err);
	struct stat st;
	int fd, rc = 0;

	if (!temporary)
		return -err->code;
	if (!*file)
		return sg_err_set(err, EINVAL, "--learn: the name of the file is empty");
	if (lstat(file, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return sg_err_set(err, EINVAL, "--learn %s: this is %s: name a file", file,
					  S_ISDIR(st.st_mode)   ? "a directory"
					  : S_ISLNK(st.st_mode) ? "a symbolic link"
								: "not a regular file");
		rc = check_old(file, language, from, err);
	}
	if (rc)
		return rc;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return sg_err_set(err, errno, "--learn %s: cannot write %s: %s", file, temporary, strerror(errno));
	close(fd);
	(void)unlink(temporary);
	return 0;
}

int sg_learn_prepare(const struct sg_plan *plan, const char *language, struct sg_learn **learn,
		     struct sg_policy **policy, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	const struct sg_place_vars *v = &plan->vars;
	const char *const places[SG_LEARN_VARS] = {v->cwd, v->tmp, v->home, v->program, v->runtime};
	const char *canonical = language ? sg_builtin_canonical(language) : NULL, *from = NULL;
	int rc;

	if (canonical)
		language = canonical;
	if (o->learn_from && !strcmp(o->learn_from, "builtin"))
		from = language;
	else if (o->learn_from)
		from = o->learn_from + 8;
	if (o->learn_from && !from)
		return sg_err_set(err, EINVAL, "--from builtin: which one? Say --lang NAME, or --from builtin:NAME");
	rc = sg_learn_new(language ? language : NO_LANGUAGE, from, learn, err);
	if (!rc)
		rc = check_file(o->learn_file, sg_learn_language(*learn), from, err);
	if (!rc)
		rc = sg_learn_places(*learn, places, err);
	return rc ? rc : sg_learn_policy(*learn, policy, err);
}

/* Locks the file that the name stands for now: another run may replace it while we wait. */
static int open_locked(const char *file, struct sg_err *err)
{
	struct stat ours, now;

	for (int i = 0; i < 1000; i++) {
		int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);

		if (fd < 0)
			return sg_err_set(err, errno, "--learn %s: %s", file, strerror(errno));
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, &ours) == 0 && stat(file, &now) == 0 &&
		    ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
			return fd;
		close(fd);
	}
	return sg_err_set(err, EBUSY, "--learn %s: others write to it without end", file);
}

/* What takes its place is open to whom the old file is open. Somebody else's stays theirs where we may say so. */
static FILE *open_like(int old, const char *name)
{
	struct stat st;
	FILE *f;
	int fd;

	if (fstat(old, &st) < 0)
		return NULL;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	if (fchown(fd, st.st_uid, st.st_gid) < 0)
		(void)!fchown(fd, (uid_t)-1, st.st_gid);
	f = fchmod(fd, st.st_mode & 0777) == 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		int e = errno;

		close(fd);
		(void)unlink(name);
		errno = e;
	}
	return f;
}

/* Whole or not at all: a policy that was half written would be a different one. */
static int replace(struct sg_learn *learn, int old, const char *file, struct sg_err *err)
{
	SG_FREE char *temporary = temporary_name(file, err);
	FILE *f;
	int rc;

	if (!temporary)
		return -err->code;
	f = open_like(old, temporary);
	if (!f)
		return sg_err_set(err, errno, "cannot write %s: %s", temporary, strerror(errno));
	rc = sg_learn_write(learn, f, err);
	if (fclose(f) != 0 && !rc)
		rc = sg_err_set(err, errno, "cannot write %s: %s", temporary, strerror(errno));
	if (!rc && rename(temporary, file) < 0)
		rc = sg_err_set(err, errno, "cannot write %s: %s", file, strerror(errno));
	if (rc)
		(void)unlink(temporary);
	return rc;
}

int sg_learn_finish(struct sg_learn *learn, const char *file, char *const *argv, uint64_t lost, struct sg_err *err)
{
	SG_FREE char *text = NULL;
	size_t len = 0, mine = sg_learn_count(learn);
	SG_CLOSE int fd = open_locked(file, err);
	int rc = fd < 0 ? fd : read_whole(fd, file, &text, &len, err);

	if (!rc)
		rc = sg_learn_ran(learn, argv, lost, err);
	if (!rc && len)
		rc = sg_learn_merge(learn, file, text, len, err);
	if (!rc)
		rc = replace(learn, fd, file, err);
	if (rc)
		return rc;
	fprintf(stderr, "sgrun: %zu rules learnt, %zu in %s\n", mine, sg_learn_count(learn), file);
	if (sg_learn_unnamed(learn))
		fprintf(stderr, "sgrun: files were used that no policy can name (\"*\", a control character or other "
				"than UTF-8 in "
				"their path): they are not in it\n");
	if (lost)
		fprintf(stderr, "sgrun: %llu records were lost: calls may be missing, learn once more\n",
			(unsigned long long)lost);
	return 0;
}

static int merge_one(struct sg_learn **learn, const char *file, struct sg_err *err)
{
	SG_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	SG_FREE char *text = NULL;
	char language[64], from[64];
	size_t len = 0;
	int rc;

	if (fd < 0)
		return sg_err_set(err, errno, "%s: %s", file, strerror(errno));
	rc = read_whole(fd, file, &text, &len, err);
	if (!rc && !*learn) {
		rc = sg_learn_peek(file, text, len, language, from, err);
		if (!rc)
			rc = sg_learn_new(language, from[0] ? from : NULL, learn, err);
	}
	return rc ? rc : sg_learn_merge(*learn, file, text, len, err);
}

int sg_verb_merge(int n, char **files)
{
	struct sg_learn *learn = NULL;
	struct sg_err err = {0};
	char text[1200];
	int rc = 0;

	for (int i = 0; i < n && !rc; i++)
		rc = merge_one(&learn, files[i], &err);
	if (!rc)
		rc = sg_learn_write(learn, stdout, &err);
	sg_learn_free(learn);
	if (!rc)
		return 0;
	sg_err_format(&err, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	return 2;
}
