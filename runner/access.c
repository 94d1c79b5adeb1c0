/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/access.h"

#include "policy/access.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define READ_MAP_EXEC (SG_RIGHT_READ | SG_RIGHT_MAP | SG_RIGHT_EXEC)
#define FULL (SG_RIGHT_READ | SG_RIGHT_WRITE | SG_RIGHT_CREATE | SG_RIGHT_DELETE)

static int no_memory(struct sg_err *err)
{
	return sg_err_set(err, ENOMEM, "out of memory");
}

static const char *copy(struct sg_plan *plan, const char *s, size_t n)
{
	return sg_arena_strndup(&plan->arena, s, n);
}

/* ---- paths as the kernel sees them ---- */

/* Where an open descriptor leads, NULL for what has no path. In the plan's storage. */
static const char *path_of_fd(struct sg_plan *plan, int fd)
{
	static const char gone[] = " (deleted)";
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return NULL;
	path[n] = '\0';
	if ((size_t)n >= sizeof(gone) && !strcmp(path + n - (sizeof(gone) - 1), gone))
		return NULL;
	return copy(plan, path, (size_t)n);
}

/* A path with its links followed, NULL when it leads nowhere. Without procfs where that will do: its entries for a
 * process are made when they are first looked at, and taken down at its end. */
static const char *real_path(struct sg_plan *plan, int base, const char *path)
{
	SG_CLOSE int fd = -1;
	char real[PATH_MAX];

	if (*path == '/')
		return realpath(path, real) ? copy(plan, real, strlen(real)) : NULL;
	fd = openat(base, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? NULL : path_of_fd(plan, fd);
}

/* All of the file system is more than anybody means by a working directory, a home or a place for temporary files. */
static const char *unless_root(const char *path)
{
	return path && path[0] == '/' && path[strspn(path, "/")] ? path : NULL;
}

static const char *working_directory(struct sg_plan *plan)
{
	char path[PATH_MAX];

	if (plan->base >= 0)
		return unless_root(path_of_fd(plan, plan->base));
	/* Where the directory cannot be reached by a path the kernel says "(unreachable)…". */
	return getcwd(path, sizeof(path)) && unless_root(path) ? copy(plan, path, strlen(path)) : NULL;
}

static const char *env_value(char *const *env, const char *name)
{
	const size_t n = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* ---- the tree that an interpreter was installed in ---- */

/* Of PREFIX/bin/NAME that of PREFIX, 0 when the file lies elsewhere. */
static size_t prefix_length(const char *file)
{
	static const char *const dirs[] = {"/bin", "/sbin"};
	const char *slash = strrchr(file, '/');
	size_t n = slash ? (size_t)(slash - file) : 0;

	for (size_t i = 0; i < SG_ARRAY_SIZE(dirs); i++) {
		const size_t d = strlen(dirs[i]);

		if (n > d && !strncmp(file + n - d, dirs[i], d))
			return n - d;
	}
	return 0;
}

static const char *prefix_of(struct sg_plan *plan, const char *file)
{
	size_t n = prefix_length(file);

	return n ? copy(plan, file, n) : NULL;
}

static bool in_system(const char *path)
{
	static const char *const known[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"};

	for (size_t i = 0; i < SG_ARRAY_SIZE(known); i++)
		if (sg_path_within(path, known[i]))
			return true;
	return false;
}

size_t sg_runtime_prefix(const char *program)
{
	/* Here every library has a prefix of its own. */
	static const char *const stores[] = {"/nix/store", "/gnu/store"};

	if (in_system(program))
		return 0;
	for (size_t i = 0; i < SG_ARRAY_SIZE(stores); i++)
		if (sg_path_within(program, stores[i]))
			return strlen(stores[i]);
	return prefix_length(program);
}

static const char *runtime_of(struct sg_plan *plan, const char *program)
{
	size_t n = sg_runtime_prefix(program);
	const char *prefix = n ? copy(plan, program, n) : NULL, *home;

	home = prefix && plan->vars.home ? real_path(plan, AT_FDCWD, plan->vars.home) : NULL;
	/* ~/bin/python does not make all of the home a runtime. */
	return home && sg_path_within(home, prefix) ? NULL : prefix;
}

/*
 * Where the kernel finds the interpreter of a script that says #!, NULL for what is no such script. In the system's own
 * trees nobody needs to look.
 */
static const char *script_interpreter(struct sg_plan *plan)
{
	char head[256], *word;
	ssize_t n;

	if (in_system(plan->vars.program))
		return NULL;
	{
		SG_CLOSE int fd = open(plan->vars.program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	}
	if (n < 3 || head[0] != '#' || head[1] != '!')
		return NULL;
	head[n] = '\0';
	word = head + 2 + strspn(head + 2, " \t");
	word[strcspn(word, " \t\n")] = '\0';
	return *word == '/' ? real_path(plan, AT_FDCWD, word) : NULL;
}

/* ---- trees of this launch ---- */

static int add_extra(struct sg_plan *plan, const char *path, uint32_t allow, bool asked, struct sg_err *err)
{
	if (plan->n_extra == SG_ARRAY_SIZE(plan->extra))
		return sg_err_set(err, E2BIG, "more than %zu trees on the command line", SG_ARRAY_SIZE(plan->extra));
	plan->extra[plan->n_extra++] = (struct sg_plan_tree){.path = path, .allow = allow, .asked = asked};
	return 0;
}

/* A virtual environment: its programs are links to the interpreter it was made with, its packages are its own. */
static int add_venv(struct sg_plan *plan, struct sg_err *err)
{
	SG_CLOSE int dir = -1;
	const char *slash = strrchr(plan->path, '/'), *prefix, *bin, *real;

	if (!slash || slash == plan->path || in_system(plan->path))
		return 0;
	bin = copy(plan, plan->path, (size_t)(slash - plan->path));
	real = bin ? real_path(plan, plan->base, bin) : NULL;
	bin = real ? sg_arena_printf(&plan->arena, "%s/x", real) : NULL;
	prefix = bin ? prefix_of(plan, bin) : NULL;
	if (!prefix || sg_path_within(prefix, "/usr"))
		return 0;
	dir = open(prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || faccessat(dir, "pyvenv.cfg", F_OK, 0) < 0)
		return 0;
	return add_extra(plan, prefix, SG_RIGHT_READ | SG_RIGHT_MAP, false, err);
}

/* `python3 /srv/job/main.py`: the first argument that names a file may be read, wherever it is. */
static int add_operand(struct sg_plan *plan, struct sg_err *err)
{
	for (int i = 1; plan->argv[0] && plan->argv[i] && i <= SG_OPERANDS; i++) {
		const char *arg = plan->argv[i], *path = arg;
		struct stat st;

		if (*arg == '-' || !*arg || fstatat(plan->base, arg, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (*arg != '/')
			path = plan->vars.cwd ? sg_arena_printf(&plan->arena, "%s/%s", plan->vars.cwd, arg)
					      : real_path(plan, plan->base, arg);
		return path ? add_extra(plan, path, SG_RIGHT_READ, false, err) : 0;
	}
	return 0;
}

/* What the standard descriptors are may be opened again as what they are: /dev/stdout, ttyname(3). */
static int add_standard_fds(struct sg_plan *plan, struct sg_err *err)
{
	int rc = 0;

	for (int fd = 0; fd <= 2 && !rc; fd++) {
		const char *path;
		struct stat st;
		int flags;

		if (plan->options->not_std & 1U << fd || fstat(fd, &st) < 0 ||
		    (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
			continue;
		/* Everybody may open that one. */
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		flags = fcntl(fd, F_GETFL);
		/* Where output is counted it goes through a pipe, and by its name it would not. */
		if (flags >= 0 && plan->limits.output)
			flags = (flags & ~O_ACCMODE) | ((flags & O_ACCMODE) == O_WRONLY ? O_PATH : O_RDONLY);
		path = flags >= 0 && !(flags & O_PATH) ? path_of_fd(plan, fd) : NULL;
		if (path)
			rc = add_extra(plan, path,
				       ((flags & O_ACCMODE) == O_WRONLY ? 0 : SG_RIGHT_READ) |
					       ((flags & O_ACCMODE) == O_RDONLY ? 0 : SG_RIGHT_WRITE),
				       false, err);
	}
	return rc;
}

static int add_option(struct sg_plan *plan, const char *option, const char *text, uint32_t allow, struct sg_err *err)
{
	const char *path = real_path(plan, AT_FDCWD, text);

	if (!path)
		return sg_err_set(err, errno ? errno : EINVAL, "--%s %s: %s%s", option, text,
				  strerror(errno ? errno : EINVAL),
				  errno == ENOENT ? "; a tree must be there before the program starts" : "");
	return add_extra(plan, path, allow, true, err);
}

int sg_plan_places(struct sg_plan *plan, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	const char *tmp = env_value(plan->env, "TMPDIR"), *home = env_value(plan->env, "HOME");
	struct sg_place_vars *v = &plan->vars;
	int rc = 0;

	v->cwd = working_directory(plan);
	v->tmp = unless_root(tmp && *tmp == '/' ? tmp : "/tmp");
	v->home = unless_root(home);
	v->program = real_path(plan, plan->base, plan->path);
	if (v->program) {
		const char *interpreter = script_interpreter(plan);

		v->runtime = runtime_of(plan, interpreter ? interpreter : v->program);
		rc = add_extra(plan, v->program, READ_MAP_EXEC, false, err);
		if (!rc && interpreter)
			rc = add_extra(plan, interpreter, READ_MAP_EXEC, false, err);
	}
	if (!rc)
		rc = add_venv(plan, err);
	if (!rc)
		rc = add_operand(plan, err);
	for (int i = 0; i < o->n_access && !rc; i++) {
		const struct sg_option_access *a = &o->access[i];

		plan->widened[i] = sg_arena_printf(&plan->arena, "--%s %s",
						   a->kind == 'r'   ? "read"
						   : a->kind == 'w' ? "write"
						   : a->kind == 'x' ? "exec"
								    : "net",
						   a->text);
		if (!plan->widened[i])
			return no_memory(err);
		if (a->kind == 'r')
			rc = add_option(plan, "read", a->text, SG_RIGHT_READ, err);
		else if (a->kind == 'w')
			rc = add_option(plan, "write", a->text, FULL, err);
		else if (a->kind == 'x')
			rc = add_option(plan, "exec", a->text, READ_MAP_EXEC, err);
	}
	return rc;
}

/* ---- addresses ---- */

static int parse_net(const struct sg_option_access *a, struct sg_net_spec *spec, struct sg_err *err)
{
	char why[SG_WHY_SIZE];

	return sg_net_parse(a->text, spec, why) ? sg_err_set(err, EINVAL, "--net %s: %s", a->text, why) : 0;
}

int sg_plan_widening(struct sg_plan *plan, struct sg_err *err)
{
	static const uint64_t inet = 1ULL << AF_INET | 1ULL << AF_INET6;
	const struct sg_options *o = plan->options;
	uint64_t families = 0;

	plan->widen = 0;
	for (int i = 0; i < o->n_access; i++) {
		struct sg_net_spec spec;
		int rc;

		if (o->access[i].kind == 'x')
			plan->widen |= SG_WIDEN_RUN;
		if (o->access[i].kind != 'n')
			continue;
		rc = parse_net(&o->access[i], &spec, err);
		if (rc)
			return rc;
		if (spec.families & ~(inet | 1ULL << AF_UNIX | 1ULL << AF_NETLINK))
			return sg_err_set(
				err, EINVAL,
				"--net %s: only tcp, udp, loopback, unix and netlink can be allowed by an option; a "
				"policy file can allow the system calls that other families need",
				o->access[i].text);
		families |= spec.families;
	}
	if (families & inet)
		plan->widen |= SG_WIDEN_INET;
	if (families & 1ULL << AF_UNIX)
		plan->widen |= SG_WIDEN_UNIX;
	if (families & 1ULL << AF_NETLINK)
		plan->widen |= SG_WIDEN_NETLINK;
	return 0;
}

static int add_net(struct sg_plan *plan, const struct sg_option_access *a, struct sg_err *err)
{
	struct sg_objects *o = &plan->objects;
	struct sg_net_spec spec;
	int rc = parse_net(a, &spec, err);

	if (rc)
		return rc;
	if (spec.unix_path) {
		rc = add_option(plan, "net", spec.unix_path, SG_RIGHT_CONNECT, err);
		if (rc)
			return rc;
	}
	if (o->cls[SG_CLASS_NET].mode == SG_MODE_ALLOW)
		return 0;
	o->families |= spec.families;
	for (unsigned i = 0; i < spec.n_rules; i++) {
		if (o->n_net == SG_NET_MAX)
			return sg_err_set(err, E2BIG, "--net %s: more than %d addresses, the policy's included",
					  a->text, SG_NET_MAX);
		o->net[o->n_net] = spec.rules[i];
		o->net[o->n_net++].origin = SG_ORIGIN_UNLISTED;
	}
	return 0;
}

/* ---- all of it ---- */

/* Whether /usr gives all that a tree gives, and the tree lies in it: each tree costs a launch several calls. */
static bool in_usr(const struct sg_plan *plan, const struct sg_tree_rights *usr, const struct sg_tree *t)
{
	char to[16];

	if (t->rights.deny || (t->rights.allow & ~usr->allow) || usr->deny)
		return false;
	if (!strcmp(t->path, "$PROGRAM"))
		return plan->vars.program && sg_path_within(plan->vars.program, "/usr");
	/* /bin and /lib are links on most systems. */
	return t->path[0] == '/' && !strchr(t->path + 1, '/') && readlink(t->path, to, sizeof(to)) > 4 &&
	       (!memcmp(to, "usr/", 4) || (!memcmp(to, "/usr", 4) && to[4] == '/'));
}

static struct sg_tree_rights rights_of(const struct sg_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_trees; i++)
		if (!strcmp(plan->trees[i].path, path))
			return plan->trees[i].rights;
	return (struct sg_tree_rights){0};
}

/* Where a tree of the policy is, its variable filled in and its links followed. NULL: nowhere. */
static const char *real_tree(struct sg_plan *plan, const char *tree)
{
	const char *value, *path;
	size_t n;

	if (sg_place_value(&plan->vars, tree, &value, &n) <= 0)
		return NULL;
	path = sg_arena_printf(&plan->arena, "%s%s", value, tree + n);
	return path && *path == '/' ? real_path(plan, AT_FDCWD, path) : NULL;
}

/*
 * An option wins over what the policy denies of the same tree, by whatever name; what merely comes with the launch does
 * not. Only trees that deny are looked up: a launch without them costs no more.
 */
static void win_over_denials(struct sg_plan *plan, struct sg_tree *trees, size_t n)
{
	for (size_t i = 0; plan->options->n_access && i < n; i++) {
		const char *real = trees[i].rights.deny ? real_tree(plan, trees[i].path) : NULL;

		for (size_t k = 0; real && k < plan->n_extra; k++)
			if (plan->extra[k].asked && !strcmp(plan->extra[k].path, real))
				trees[i].rights.deny &= ~plan->extra[k].allow;
	}
}

static void merge_extra(struct sg_tree *trees, size_t *n, const struct sg_plan_tree *x)
{
	for (size_t i = 0; i < *n; i++) {
		struct sg_tree_rights *r = &trees[i].rights;

		if (strcmp(trees[i].path, x->path) != 0)
			continue;
		r->allow |= x->allow & ~r->deny;
		return;
	}
	trees[(*n)++] = (struct sg_tree){x->path, {.allow = x->allow, .origin = SG_ORIGIN_UNLISTED}};
}

int sg_plan_access(struct sg_plan *plan, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	struct sg_tree_rights usr;
	struct sg_tree *trees;
	size_t n = 0;
	int rc = add_standard_fds(plan, err);

	for (int i = 0; i < o->n_access && !rc; i++) {
		if (o->access[i].kind == 'n')
			rc = add_net(plan, &o->access[i], err);
		/* Whoever names programs wants them run. */
		if (o->access[i].kind == 'x' && plan->objects.exec_max == 0)
			plan->objects.exec_max = SG_EXEC_UNBOUNDED;
	}
	if (rc)
		return rc;
	trees = sg_arena_alloc(&plan->arena, (plan->n_trees + plan->n_extra + 1) * sizeof(*trees));
	if (!trees)
		return no_memory(err);
	usr = rights_of(plan, "/usr");
	for (size_t i = 0; i < plan->n_trees; i++)
		if (!strcmp(plan->trees[i].path, "/usr") || !in_usr(plan, &usr, &plan->trees[i]))
			trees[n++] = plan->trees[i];
	win_over_denials(plan, trees, n);
	for (size_t i = 0; i < plan->n_extra; i++) {
		const struct sg_tree t = {plan->extra[i].path, {.allow = plan->extra[i].allow}};

		/* The program itself, under the name that it was found by. */
		if (t.path != plan->vars.program || !sg_path_within(t.path, "/usr") || (t.rights.allow & ~usr.allow) ||
		    usr.deny)
			merge_extra(trees, &n, &plan->extra[i]);
	}
	plan->n_trees = n;
	plan->trees = trees;
	return 0;
}
