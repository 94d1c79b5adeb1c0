/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/plan.h"

#include "runner/access.h"
#include "runner/learn.h"
#include "runner/program.h"
#include "policy/phases.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

/* ---- environment ---- */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(b, "=");

	return strcspn(a, "=") == n && !strncmp(a, b, n);
}

static void env_put(char **env, int *n, char *entry)
{
	for (int i = 0; i < *n; i++) {
		if (same_name(env[i], entry)) {
			env[i] = entry;
			return;
		}
	}
	env[(*n)++] = entry;
	env[*n] = NULL;
}

static int build_env(struct sg_plan *plan, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	static char path[] = "PATH=" SG_DEFAULT_PATH, lang[] = "LANG=C.UTF-8", home[] = "HOME=/";
	int n = 0, total = 8;
	char *found;

	for (char **e = environ; e && *e; e++)
		total++;
	plan->env = calloc((size_t)total + (size_t)o->n_env + 1, sizeof(char *));
	if (!plan->env)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (o->env_all) {
		/* As they are, doubles and all: looking each one up takes seconds where there are many. */
		for (char **e = environ; e && *e; e++)
			plan->env[n++] = *e;
	} else {
		env_put(plan->env, &n, path);
		env_put(plan->env, &n, lang);
		found = sg_env_find(environ, "HOME");
		env_put(plan->env, &n, found && !plan->set_ids ? found : home);
		found = sg_env_find(environ, "TERM");
		if (found && !(o->not_std & 1U << STDIN_FILENO) && isatty(STDIN_FILENO))
			env_put(plan->env, &n, found);
	}
	for (int i = 0; i < o->n_env; i++) {
		/* A name alone passes the caller's value on; a name the caller does not have is left out, as env(1)
		 * would. */
		char *entry = strchr(o->env[i], '=') ? (char *)o->env[i] : sg_env_find(environ, o->env[i]);

		if (entry)
			env_put(plan->env, &n, entry);
	}
	return 0;
}

/* ---- user ---- */

/*
 * The program is linked statically for a fast start, and a static libc cannot load NSS modules: names are looked up in
 * the files themselves. A user from a directory service is given by number.
 */
static bool find_user(const char *name, uid_t *uid, gid_t *gid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && strcmp(pw->pw_name, name) != 0)
		;
	if (pw) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
	}
	if (f)
		fclose(f);
	return pw;
}

static bool find_group(const char *name, uint64_t *gid)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr = NULL;

	while (f && (gr = fgetgrent(f)) && strcmp(gr->gr_name, name) != 0)
		;
	if (gr)
		*gid = gr->gr_gid;
	if (f)
		fclose(f);
	return gr;
}

static int parse_user(struct sg_plan *plan, const char *text, struct sg_err *err)
{
	uint64_t uid, gid;
	char *colon = strchr(text, ':');
	char name[64];
	size_t n = colon ? (size_t)(colon - text) : strlen(text);

	if (n == 0 || n >= sizeof(name))
		return sg_err_set(err, EINVAL, "--user %s: expected USER or UID[:GID]", text);
	memcpy(name, text, n);
	name[n] = '\0';
	if (sg_parse_u64(name, UINT32_MAX - 1, &uid) == 0) {
		plan->uid = (uid_t)uid;
		plan->gid = (gid_t)uid;
	} else {
		if (!find_user(name, &plan->uid, &plan->gid))
			return sg_err_set(err, ENOENT,
					  "--user %s: no such user in /etc/passwd; a number works for any user", name);
	}
	if (colon) {
		if (sg_parse_u64(colon + 1, UINT32_MAX - 1, &gid) < 0 && !find_group(colon + 1, &gid))
			return sg_err_set(err, ENOENT,
					  "--user %s: no such group in /etc/group; a number works for any group", text);
		plan->gid = (gid_t)gid;
	}
	if (plan->uid == geteuid() && plan->gid == getegid())
		return 0;
	if (geteuid() != 0)
		return sg_err_set(err, EPERM, "--user %s: only root can run a program as another user", text);
	plan->set_ids = true;
	return 0;
}

static int resolve_user(struct sg_plan *plan, struct sg_err *err)
{
	const char *sudo_uid = getenv("SUDO_UID"), *sudo_gid = getenv("SUDO_GID");
	uint64_t uid, gid;

	plan->uid = geteuid();
	plan->gid = getegid();
	if (plan->options->user)
		return parse_user(plan, plan->options->user, err);
	/* Root by sudo was meant for the supervisor, not for the program. */
	if (geteuid() == 0 && sudo_uid && sudo_gid && sg_parse_u64(sudo_uid, UINT32_MAX - 1, &uid) == 0 &&
	    sg_parse_u64(sudo_gid, UINT32_MAX - 1, &gid) == 0 && uid != 0) {
		plan->uid = (uid_t)uid;
		plan->gid = (gid_t)gid;
		plan->set_ids = true;
	}
	return 0;
}

/* ---- policy ---- */

static int resolve_language(struct sg_plan *plan, struct sg_err *err)
{
	plan->language = plan->options->language;
	if (!plan->language)
		plan->language = sg_language_of_program(plan->argv[0]);
	if (plan->language || plan->options->learn_file)
		return 0;
	return sg_err_set(err, EINVAL,
			  "cannot tell the language of %s from its name; say --lang NAME (python, javascript, java, "
			  "compiled, compile, ruby, perl, php, lua …)",
			  plan->argv[0]);
}

static int take_builtin(struct sg_plan *plan, const struct sg_builtin *b, struct sg_err *err)
{
	const struct sg_variant *v = sg_builtin_variant(b, plan->widen);
	struct sg_tree *trees = sg_arena_alloc(&plan->arena, (v->access.n_trees + 1) * sizeof(*trees));

	plan->language = b->name;
	plan->policy_digest = v->digest;
	plan->limits = b->limits;
	sg_builtin_filter(&v->filter, &plan->filter);
	plan->policy_source = sg_arena_printf(&plan->arena, "builtin:%s", b->name);
	if (!trees || !plan->policy_source)
		return sg_err_set(err, ENOMEM, "out of memory");
	sg_builtin_access(&v->access, &plan->objects, trees);
	plan->trees = trees;
	plan->n_trees = v->access.n_trees;
	return 0;
}

static int resolve_policy(struct sg_plan *plan, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	const char *language = plan->language;
	const struct sg_builtin *b;
	struct sg_doc *doc = NULL;
	const char *then;
	int rc;

	if (o->learn_file) {
		rc = sg_learn_prepare(plan, language, &plan->learn, &plan->policy, err);
		if (rc)
			return rc;
		plan->language = sg_learn_language(plan->learn);
		plan->policy_digest = sg_policy_digest(plan->policy);
		plan->policy_source = sg_policy_source(plan->policy);
		plan->objects = *sg_policy_objects(plan->policy);
		return sg_filter_compile(plan->policy, &plan->filter, err);
	}
	rc = sg_plan_widening(plan, err);
	if (rc)
		return rc;
	if (!o->policy_file) {
		b = sg_builtin_find(language);
		if (b && b->listed && plan->widen < SG_N_VARIANTS)
			return take_builtin(plan, b, err);
		/* Not a built-in name: the resolver knows how to say so, with a suggestion. */
	} else {
		rc = sg_doc_load(o->policy_file, &doc, err);
		if (rc)
			return rc;
	}
	rc = sg_policy_resolve_widened(doc, language, plan->widen, &plan->policy, err);
	then = rc ? NULL : sg_doc_then(doc, sg_policy_name(plan->policy));
	if (then)
		rc = sg_policy_resolve_widened(doc, then, plan->widen, &plan->then, err);
	if (!rc && then)
		rc = sg_phases_check(plan->policy, plan->then, err);
	sg_doc_free(doc);
	if (rc)
		return rc;
	plan->language = sg_policy_name(plan->policy);
	plan->policy_digest = sg_policy_digest(plan->policy);
	plan->policy_source = sg_policy_source(plan->policy);
	plan->limits = *sg_policy_limits(plan->policy);
	plan->objects = *sg_policy_objects(plan->policy);
	plan->trees = sg_policy_trees(plan->policy, &plan->n_trees);
	if (plan->then)
		return sg_phases_compile(plan->policy, plan->then, &plan->filter, err);
	return sg_filter_compile(plan->policy, &plan->filter, err);
}

void sg_limits_merge(struct sg_limits *into, const struct sg_limits *from)
{
	uint64_t *to = (uint64_t *)into;
	const uint64_t *f = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*into) / sizeof(uint64_t); i++)
		if (f[i])
			to[i] = f[i];
}

static void add_rlimit(struct sg_plan *plan, const struct rlimit *ceiling, int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit have;

	/* A limit can be lowered, never raised: what the caller has is the ceiling. */
	if (ceiling)
		have = ceiling[resource];
	if (ceiling || getrlimit((__rlimit_resource_t)resource, &have) == 0) {
		if (soft > have.rlim_max)
			soft = have.rlim_max;
		if (hard > have.rlim_max)
			hard = have.rlim_max;
	}
	plan->rlimits[plan->n_rlimits++] =
		(struct sg_rlimit_step){.resource = resource, .value = {.rlim_cur = soft, .rlim_max = hard}};
}

void sg_plan_rlimits(struct sg_plan *plan, const struct rlimit *ceiling)
{
	const struct sg_limits *l = &plan->limits;
	/* Whole seconds, a quarter and one late: this clock counts ticks, which may be more than were used. */
	uint64_t cpu = (l->cpu_time + l->cpu_time / 4 + 999) / 1000 + 1;

	/* 1, not 0: a core_pattern that is a pipe ignores 0, and takes 1 as "no dump" (core(5)). */
	add_rlimit(plan, ceiling, RLIMIT_CORE, 1, 1);
	if (l->open_files)
		add_rlimit(plan, ceiling, RLIMIT_NOFILE, l->open_files, l->open_files);
	if (l->file_size)
		add_rlimit(plan, ceiling, RLIMIT_FSIZE, l->file_size, l->file_size);
	if (l->stack)
		add_rlimit(plan, ceiling, RLIMIT_STACK, l->stack, l->stack);
	/* A backstop for the supervisor, which keeps the limit. The hard one is SIGKILL for who catches SIGXCPU. */
	if (l->cpu_time)
		add_rlimit(plan, ceiling, RLIMIT_CPU, cpu, cpu + 1);
}

static int check_cancel_fd(int fd, struct sg_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sg_err_set(err, EBADF, "--cancel-fd %d: that descriptor is not open", fd);
	/* Anything else is always readable: the sandbox would end as it starts. */
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return sg_err_set(err, EINVAL, "--cancel-fd %d: expected a pipe or a socket", fd);
	return 0;
}

int sg_plan_check_fds(const struct sg_options *o, struct sg_err *err)
{
	for (int i = 0; i < o->n_fds; i++)
		if (fcntl(o->fds[i], F_GETFD) < 0)
			return sg_err_set(err, EBADF, "--fd %d: that descriptor is not open", o->fds[i]);
	return o->cancel ? check_cancel_fd(o->cancel_fd, err) : 0;
}

static void plan_fds(struct sg_plan *plan)
{
	for (int i = 0; i < plan->options->n_fds; i++) {
		int fd = plan->options->fds[i], at = plan->n_fds;
		bool twice = false;

		for (int j = 0; j < plan->n_fds; j++)
			twice |= plan->fds[j] == fd;
		if (fd <= 2 || twice)
			continue;
		while (at > 0 && plan->fds[at - 1] > fd) {
			plan->fds[at] = plan->fds[at - 1];
			at--;
		}
		plan->fds[at] = fd;
		plan->n_fds++;
	}
}

int sg_plan_program(struct sg_plan *plan, const struct sg_options *o, int *exit_status, struct sg_err *err)
{
	int rc;

	memset(plan, 0, sizeof(*plan));
	plan->options = o;
	plan->base = AT_FDCWD;
	*exit_status = 125;
	rc = resolve_user(plan, err);
	if (!rc)
		rc = build_env(plan, err);
	if (!rc && o->chdir) {
		plan->base = open(o->chdir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (plan->base < 0) {
			rc = sg_err_set(err, errno, "--chdir %s: %s", o->chdir, strerror(errno));
			plan->base = AT_FDCWD;
		}
	}
	if (!rc)
		plan_fds(plan);
	if (!rc)
		rc = sg_program_find(plan, exit_status, err);
	if (!rc)
		plan->chdir = o->chdir;
	if (!rc)
		rc = sg_plan_places(plan, err);
	return rc ? rc : resolve_language(plan, err);
}

int sg_plan_policy(struct sg_plan *plan, struct sg_err *err)
{
	int rc = resolve_policy(plan, err);

	if (!rc) {
		sg_limits_merge(&plan->limits, &plan->options->limits);
		rc = sg_plan_access(plan, err);
	}
	if (!rc)
		sg_plan_rlimits(plan, NULL);
	return rc;
}

void sg_plan_free(struct sg_plan *plan)
{
	if (plan->base >= 0)
		close(plan->base);
	for (int i = 0; i < plan->n_owned; i++)
		free(plan->owned[i]);
	sg_arena_free(&plan->arena);
	free(plan->argv);
	free(plan->env);
	if (plan->filter.owned)
		sg_filter_release(&plan->filter);
	sg_policy_free(plan->policy);
	sg_policy_free(plan->then);
	sg_learn_free(plan->learn);
	memset(plan, 0, sizeof(*plan));
}
