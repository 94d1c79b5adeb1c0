/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hook for OCI runtimes (runtime-spec, "POSIX-platform Hooks"): as createRuntime it puts the container's cgroup under
 * the policy that an annotation names, before the container's program starts; as poststop it takes it out again. A
 * container without the annotation is none of ours. When the daemon cannot do it the hook fails, and so does the
 * container's start.
 */
#include "daemon/sgctl.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define SECONDS 30 /* for all of it */
#define DIGITS_OF(n) #n
#define DIGITS(n) DIGITS_OF(n) /* of a macro's value */
#define STATE_MAX (1U << 20)
#define ARGS_MAX 33 /* as many are looked at */
#define ARGS_BYTES 16384
#define ANNOTATION "org.sandgate."
#define ANNOTATION_LANGUAGE ANNOTATION "language"
#define ANNOTATION_MODE ANNOTATION "mode"

static int read_state(json_t **out, struct sg_err *err)
{
	SG_FREE char *text = malloc(STATE_MAX + 1);
	size_t n = text ? fread(text, 1, STATE_MAX + 1, stdin) : 0;
	json_error_t where;

	if (!text)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (n > STATE_MAX)
		return sg_err_set(err, E2BIG, "the container's state is longer than %u bytes", STATE_MAX);
	*out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(*out)) {
		if (*out)
			snprintf(where.text, sizeof(where.text), "that is no object");
		json_decref(*out);
		return sg_err_set(err, EINVAL,
				  "no container state on standard input (line %d: %s); a runtime's hook gives one, see "
				  "docs/containers.md",
				  where.line > 0 ? where.line : 1, where.text);
	}
	return 0;
}

static json_t *read_config(const char *bundle, struct sg_err *err)
{
	char path[PATH_MAX];
	json_error_t where;
	json_t *config;

	/* Of one that is relative nobody says to what, and its root directory would be looked for elsewhere. */
	if (bundle && *bundle != '/') {
		sg_err_set(err, EINVAL, "the container's \"bundle\" is no absolute path: %s", bundle);
		return NULL;
	}
	if (!bundle || snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path)) {
		sg_err_set(err, EINVAL, "the container's state names no \"bundle\"");
		return NULL;
	}
	config = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (!config && where.line > 0)
		sg_err_set(err, EINVAL, "%s: line %d: %s", path, where.line, where.text);
	else if (!config)
		sg_err_set(err, EINVAL, "the container's configuration: %s", where.text);
	return config;
}

static const char *env_of(const json_t *process, const char *name)
{
	size_t i, n = strlen(name);
	json_t *e;

	json_array_foreach(json_object_get(process, "env"), i, e)
	{
		const char *text = json_string_value(e);

		if (text && !strncmp(text, name, n) && text[n] == '=')
			return text + n + 1;
	}
	return NULL;
}

static void set_path(json_t *view, const char *key, const char *path)
{
	if (path && *path == '/' && strlen(path) < PATH_MAX)
		json_object_set_new(view, key, json_string(path));
}

/* What the configuration says of the program, for rules that speak of it: $CWD, $PROGRAM … */
static json_t *view_of(const json_t *config)
{
	const json_t *process = json_object_get(config, "process");
	const char *path = env_of(process, "PATH");
	json_t *view = json_object(), *args = json_array(), *arg;
	size_t i, bytes = 0;

	set_path(view, "cwd", json_string_value(json_object_get(process, "cwd")));
	set_path(view, "home", env_of(process, "HOME"));
	set_path(view, "tmp", env_of(process, "TMPDIR"));
	if (path && strlen(path) < PATH_MAX)
		json_object_set_new(view, "path", json_string(path));
	json_array_foreach(json_object_get(process, "args"), i, arg)
	{
		bytes += json_string_length(arg);
		if (i == ARGS_MAX || bytes > ARGS_BYTES)
			break;
		json_array_append(args, arg);
	}
	json_object_set_new(view, "args", args);
	return view;
}

/*
 * The directory that is going to be the container's root: the runtime has mounted everything below it, in the
 * container's mount namespace, and not made it the root yet. *out -1: it has.
 */
static int open_root(const json_t *config, const char *bundle, pid_t pid, int *out, struct sg_err *err)
{
	const char *rootfs = json_string_value(json_object_get(json_object_get(config, "root"), "path"));
	SG_CLOSE int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sg_err_set(err, errno, "cannot open the root directory of process %d: %s", pid, strerror(errno));
	if (!rootfs)
		return 0;
	if (snprintf(path, sizeof(path), "%s%s%s", *rootfs == '/' ? "" : bundle, *rootfs == '/' ? "" : "/", rootfs) >=
	    (int)sizeof(path))
		return sg_err_set(err, ENAMETOOLONG, "\"root\": \"path\" of the container is too long");
	*out = sg_open_in_root(fd, path, O_DIRECTORY);
	/* For any other reason its rules would be about the files of somebody else. */
	if (*out < 0 && errno != ENOENT && errno != ENOTDIR)
		return sg_err_set(err, errno, "cannot open the container's root directory %s: %s", path,
				  strerror(errno));
	return 0;
}

static int attach(const struct sgctl *s, const char *id, const char *language, const char *mode, const char *bundle,
		  long long pid, bool runs, struct sg_err *err)
{
	json_t *request, *answer = NULL, *config;
	SG_CLOSE int fd = -1;
	SG_CLOSE int root = -1;
	int rc;

	if (pid <= 0 || pid > 0x7fffffff)
		return sg_err_set(err, EINVAL,
				  "the container %s has no process yet: the hook belongs under createRuntime", id);
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return sg_err_set(err, errno, "process %lld of the container %s: %s", pid, id, strerror(errno));
	config = read_config(bundle, err);
	if (!config)
		return -err->code;
	rc = open_root(config, bundle, (pid_t)pid, &root, err);
	if (rc) {
		json_decref(config);
		return rc;
	}
	/*
	 * What the runtime does in the container's name until the program is executed is not the program's. Where that
	 * runs already it may never execute another.
	 */
	request = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s*, s:o}", "op", "attach", "by", "pidfd", "language", language,
			    "container_id", id, "from_exec", !runs, "mode", mode, "view", view_of(config));
	rc = sgctl_ask(s, request, (int[]){fd, root}, root < 0 ? 1 : 2, NULL, NULL, &answer, err);
	json_decref(config);
	json_decref(answer);
	return rc;
}

static int ask_about(const struct sgctl *s, const char *op, const char *key, const char *value, json_t **answer,
		     struct sg_err *err)
{
	return sgctl_ask(s, json_pack("{s:s, s:s}", "op", op, key, value), NULL, 0, NULL, NULL, answer, err);
}

/*
 * Not one that still has processes: another engine's container may have the same id. What is not taken out here the
 * daemon takes out by itself, when its cgroup is gone.
 */
static int detach(const struct sgctl *s, const char *id, struct sg_err *err)
{
	json_t *shown = NULL, *answer = NULL;
	const json_t *sandbox;
	int rc = ask_about(s, "show", "container_id", id, &shown, err);

	sandbox = json_object_get(shown, "sandbox");
	if (!rc && sgctl_number(sandbox, "tasks") == 0)
		rc = ask_about(s, "detach", "id", sgctl_text(sandbox, "id"), &answer, err);
	json_decref(shown);
	json_decref(answer);
	/* The daemon has noticed by itself that the cgroup is gone, or it was restarted since; or several have the id.
	 */
	if (rc == -ENOENT || rc == -ECONNREFUSED || rc == -ENOTUNIQ) {
		sg_err_reset(err);
		rc = 0;
	}
	return rc;
}

/* One that is misspelt is not to leave a container alone that was to be put under a policy. */
static int check_annotations(json_t *annotations, struct sg_err *err)
{
	const char *key;
	json_t *value;

	if (annotations && !json_is_object(annotations) && !json_is_null(annotations))
		return sg_err_set(
			err, EINVAL,
			"the container's \"annotations\" are no object: whether it is to have a policy cannot "
			"be told");
	json_object_foreach(annotations, key, value)
	{
		if (strncmp(key, ANNOTATION, strlen(ANNOTATION)) != 0)
			continue;
		if (strcmp(key, ANNOTATION_LANGUAGE) != 0 && strcmp(key, ANNOTATION_MODE) != 0)
			return sg_err_set(
				err, EINVAL,
				"unknown annotation %s; there are " ANNOTATION_LANGUAGE " and " ANNOTATION_MODE, key);
		if (!json_is_string(value))
			return sg_err_set(err, EINVAL, "the annotation %s is no text", key);
	}
	if (json_object_get(annotations, ANNOTATION_MODE) && !json_object_get(annotations, ANNOTATION_LANGUAGE))
		return sg_err_set(err, EINVAL,
				  "the container has the annotation " ANNOTATION_MODE ", and no " ANNOTATION_LANGUAGE);
	return 0;
}

static void too_late(int signal)
{
	static const char text[] = "sgctl: no answer of sgd within " DIGITS(SECONDS) " s\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* A daemon that hangs is one that is not there, and runtimes wait for a hook for ever that has no "timeout". */
static void limit_time(void)
{
	const struct sigaction end = {.sa_handler = too_late};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	(void)sigaction(SIGALRM, &end, NULL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)alarm(SECONDS);
}

int sgctl_oci_hook(const struct sgctl *s, struct sg_err *err)
{
	const char *language, *mode, *id, *status;
	json_t *state = NULL, *annotations;
	bool runs;
	int rc;

	limit_time();
	rc = read_state(&state, err);
	if (rc)
		return rc;
	annotations = json_object_get(state, "annotations");
	language = json_string_value(json_object_get(annotations, ANNOTATION_LANGUAGE));
	mode = json_string_value(json_object_get(annotations, ANNOTATION_MODE));
	id = json_string_value(json_object_get(state, "id"));
	status = json_string_value(json_object_get(state, "status"));
	runs = status && (!strcmp(status, "running") || !strcmp(status, "paused"));
	if (!status || strcmp(status, "stopped") != 0)
		rc = check_annotations(annotations, err);
	if (rc || !language)
		;
	else if (!id || !status)
		rc = sg_err_set(err, EINVAL, "the container's state has no \"id\" or no \"status\"");
	else if (!strcmp(status, "stopped"))
		rc = detach(s, id, err);
	else
		rc = attach(s, id, language, mode, json_string_value(json_object_get(state, "bundle")),
			    (long long)json_integer_value(json_object_get(state, "pid")), runs, err);
	json_decref(state);
	return rc;
}
