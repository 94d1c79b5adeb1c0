/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/program.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_WORDS 16 /* of a #! line for env -S */

static void *keep(struct sg_plan *plan, void *p)
{
	if (p && plan->n_owned < (int)SG_ARRAY_SIZE(plan->owned)) {
		plan->owned[plan->n_owned++] = p;
		return p;
	}
	free(p);
	return NULL;
}

char *sg_env_find(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return *env;
	return NULL;
}

static int try_program(const struct sg_plan *plan, const char *path)
{
	struct stat st;

	if (fstatat(plan->base, path, &st, 0) < 0)
		return errno == ENOTDIR ? ENOENT : errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(plan->base, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* As execvp(3): a name with a slash as it stands, else along PATH of the sandbox's environment. */
static int find_program(struct sg_plan *plan, const char *name, char **out)
{
	const char *path = sg_env_find(plan->env, "PATH"), *p;
	int denied = ENOENT;

	*out = NULL;
	if (strchr(name, '/')) {
		denied = try_program(plan, name);
		*out = denied ? NULL : keep(plan, strdup(name));
		return *out ? 0 : denied ? denied : ENOMEM;
	}
	for (p = path ? path + 5 : SG_DEFAULT_PATH; *name && p;) {
		char candidate[PATH_MAX];
		int rc;

		if (!sg_program_candidate(&p, name, candidate))
			continue;
		rc = try_program(plan, candidate);
		if (!rc) {
			*out = keep(plan, strdup(candidate));
			return *out ? 0 : ENOMEM;
		}
		if (rc == EACCES || (rc == EISDIR && denied == ENOENT))
			denied = rc;
	}
	return denied;
}

/* Why find_program() found nothing: in words where a few more say what to do. */
static const char *why_not(const struct sg_plan *plan, const char *name, int code)
{
	struct stat st;

	if (!*name)
		return "the name is empty";
	if (code == ENOENT)
		return "no such program";
	if (code == EACCES && strchr(name, '/') && fstatat(plan->base, name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
	    !(st.st_mode & 0111))
		return "it is not executable (chmod +x makes it so; a script can be given to its interpreter instead)";
	return strerror(code);
}

/* What a #! line holds first, and what is behind it. false: the line is not whole, or empty. */
static bool first_word(char *line, char **word, char **rest)
{
	char *end;

	*word = line + strspn(line, " \t");
	end = *word + strcspn(*word, " \t\n");
	*rest = end + strspn(end, " \t");
	if (!strchr(line, '\n') || end == *word)
		return false;
	if (**rest == '\n')
		*rest = NULL;
	*end = '\0';
	return true;
}

static int no_interpreter(const struct sg_plan *plan, char *word, int code, int *exit_status, struct sg_err *err)
{
	size_t n = strlen(word);

	*exit_status = code == ENOENT ? 127 : 126;
	for (char *c = word; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\r') || *c == 0x7f)
			*c = '?';
	if (n && word[n - 1] == '\r') {
		word[n - 1] = '\0';
		return sg_err_set(
			err, code,
			"cannot run %s: its first line ends in a carriage return, as files from Windows do, and the "
			"interpreter's name would be \"%s\\r\"; sed -i 's/\\r$//' FILE takes them out",
			plan->path, word);
	}
	return sg_err_set(err, code, "cannot run %s: its first line asks for the interpreter %s: %s", plan->path, word,
			  code == ENOENT ? "no such program" : strerror(code));
}

/*
 * The words that env(1) would run with the script behind them: one, or with -S those that white space parts. 0: what is
 * rare, and env's own business (options, assignments, quotes, variables, other words than one without -S).
 */
static size_t env_words(struct sg_plan *plan, char *line, char *words[ENV_WORDS])
{
	bool split = !strncmp(line, "-S", 2) && (line[2] == ' ' || line[2] == '\t');
	char *text, *save = NULL;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	text = keep(plan, strdup(split ? line + 3 : line));
	if (!text || (split && strpbrk(text, "\"'\\$#")))
		return 0;
	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == ENV_WORDS)
			return 0;
		words[n++] = w;
	}
	return n && (n == 1 || split) && *words[0] != '-' && !strchr(words[0], '=') ? n : 0;
}

/*
 * `#!/usr/bin/env INTERPRETER` costs a second execve that no run policy allows. What env would do is done here instead:
 * the script runs under the interpreter that PATH names. Other #! lines are the kernel's business, inside one execve;
 * of those only what cannot work is said beforehand, because the kernel says no more than ENOENT.
 */
static int unwrap_script(struct sg_plan *plan, int *exit_status, struct sg_err *err)
{
	char head[256], *word, *rest, *interpreter, *words[ENV_WORDS];
	SG_CLOSE int fd = openat(plan->base, plan->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	size_t n_words, argc = 0;
	int rc;

	if (n < 2 || memcmp(head, "#!", 2) != 0)
		return 0;
	head[n] = '\0';
	if (!first_word(head + 2, &word, &rest))
		return 0;
	if (strcmp(word, "/usr/bin/env") != 0 || !rest) {
		/* A file that cannot be looked at may still be there for the kernel. */
		if (faccessat(plan->base, word, F_OK, 0) == 0 || errno != ENOENT)
			return 0;
		return no_interpreter(plan, word, ENOENT, exit_status, err);
	}
	n_words = env_words(plan, rest, words);
	if (!n_words)
		return 0;
	rc = find_program(plan, words[0], &interpreter);
	if (rc)
		return no_interpreter(plan, words[0], rc, exit_status, err);
	while (plan->argv[argc])
		argc++;
	/* The script's name as it was found stands in the place of the one that was asked for. */
	memmove(plan->argv + n_words + 1, plan->argv + 1, sizeof(char *) * argc);
	memcpy(plan->argv, words, sizeof(char *) * n_words);
	plan->argv[n_words] = plan->path;
	plan->path = interpreter;
	return 0;
}

int sg_program_find(struct sg_plan *plan, int *exit_status, struct sg_err *err)
{
	char **from = plan->options->argv;
	size_t argc = 0;
	int rc;

	while (from[argc])
		argc++;
	plan->argv = calloc(argc + 1 + ENV_WORDS, sizeof(char *));
	if (!plan->argv)
		return sg_err_set(err, ENOMEM, "out of memory");
	memcpy(plan->argv, from, argc * sizeof(char *));
	rc = find_program(plan, from[0], &plan->path);
	if (!rc)
		return unwrap_script(plan, exit_status, err);
	*exit_status = rc == ENOENT ? 127 : 126;
	return sg_err_set(err, rc, "cannot run %s: %s", *from[0] ? from[0] : "\"\"", why_not(plan, from[0], rc));
}

const char *sg_plan_exec_error(const struct sg_plan *plan, int code)
{
	/* For a file that is there: the interpreter it names is not. */
	if (code == ENOENT)
		return "it, or the interpreter it names, does not exist";
	if (code == EACCES && plan->objects.cls[SG_CLASS_EXEC].mode != SG_MODE_ALLOW)
		return "Permission denied; the policy must let its loader or interpreter be executed as well (exec: "
		       "allow, "
		       "or --exec)";
	if (code == ENOEXEC)
		return "it is in no format that this kernel executes; a script begins with #! and its interpreter";
	return strerror(code);
}
