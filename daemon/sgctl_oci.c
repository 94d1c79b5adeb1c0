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
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define STATE_MAX (1U << 20)
#define ANNOTATION_LANGUAGE "org.sandgate.language"
#define ANNOTATION_MODE "org.sandgate.mode"

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
		json_decref(*out);
		return sg_err_set(err, EINVAL,
				  "no container state on standard input (line %d: %s); a runtime's hook gives one, see "
				  "docs/containers.md",
				  where.line, where.text);
	}
	return 0;
}

static int attach(const struct sgctl *s, const char *id, const char *language, const char *mode, long long pid,
		  struct sg_err *err)
{
	json_t *request, *answer = NULL;
	SG_CLOSE int fd = -1;
	int rc;

	if (pid <= 0 || pid > 0x7fffffff)
		return sg_err_set(err, EINVAL,
				  "the container %s has no process yet: the hook belongs under createRuntime", id);
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return sg_err_set(err, errno, "process %lld of the container %s: %s", pid, id, strerror(errno));
	/* What the runtime does in the container's name until the program is executed is not the program's. */
	request = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s*}", "op", "attach", "by", "pidfd", "language", language,
			    "container_id", id, "from_exec", 1, "mode", mode);
	rc = sgctl_ask(s, request, &fd, 1, NULL, NULL, &answer, err);
	json_decref(answer);
	return rc;
}

static int detach(const struct sgctl *s, const char *id, struct sg_err *err)
{
	json_t *answer = NULL;
	int rc = sgctl_ask(s, json_pack("{s:s, s:s}", "op", "detach", "container_id", id), NULL, 0, NULL, NULL, &answer,
			   err);

	json_decref(answer);
	/* The daemon has noticed by itself that the cgroup is gone, or it was restarted since. */
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		sg_err_reset(err);
		rc = 0;
	}
	return rc;
}

int sgctl_oci_hook(const struct sgctl *s, struct sg_err *err)
{
	const char *language, *mode, *id, *status;
	json_t *state = NULL, *annotations;
	int rc = read_state(&state, err);

	if (rc)
		return rc;
	annotations = json_object_get(state, "annotations");
	language = json_string_value(json_object_get(annotations, ANNOTATION_LANGUAGE));
	mode = json_string_value(json_object_get(annotations, ANNOTATION_MODE));
	id = json_string_value(json_object_get(state, "id"));
	status = json_string_value(json_object_get(state, "status"));
	if (!language)
		rc = 0;
	else if (!id || !status)
		rc = sg_err_set(err, EINVAL, "the container's state has no \"id\" or no \"status\"");
	else if (!strcmp(status, "stopped"))
		rc = detach(s, id, err);
	else
		rc = attach(s, id, language, mode, (long long)json_integer_value(json_object_get(state, "pid")), err);
	json_decref(state);
	return rc;
}
