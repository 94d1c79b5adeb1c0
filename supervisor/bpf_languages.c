// SPDX-License-Identifier: Apache-2.0
/* Which interpreter means which language, and which policy that has. See SG_SANDBOX_DISCOVER. */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"

#include <errno.h>
#include <string.h>

static int ready(const struct sg_bpf *b, uint32_t language, struct sg_err *err)
{
	if (!b->discover)
		return sg_err_set(err, EINVAL, "the BPF programs were loaded without the discovery of languages");
	if (language >= SG_MAX_LANGUAGES)
		return sg_err_set(err, EINVAL, "language number %u: there is room for %d", language, SG_MAX_LANGUAGES);
	return 0;
}

int sg_bpf_set_language(struct sg_bpf *b, uint32_t language, uint32_t policy, struct sg_err *err)
{
	int rc = ready(b, language, err);

	if (rc)
		return rc;
	if (policy >= b->max_policies)
		return sg_err_set(err, EINVAL, "policy number %u: there is room for %u", policy, b->max_policies);
	policy++; /* 0 is what a fresh map has */
	rc = bpf_map__update_elem(b->skel->maps.sg_languages, &language, sizeof(language), &policy, sizeof(policy),
				  BPF_ANY);
	return rc ? sg_err_set(err, -rc, "cannot give language %u its policy: %s", language, strerror(-rc)) : 0;
}

int sg_bpf_language_policy(const struct sg_bpf *b, uint32_t language)
{
	uint32_t policy = 0;

	if (ready(b, language, NULL) ||
	    bpf_map__lookup_elem(b->skel->maps.sg_languages, &language, sizeof(language), &policy, sizeof(policy), 0))
		return -1;
	return (int)policy - 1;
}

bool sg_bpf_interpreter_name(const char *file, char name[SG_INTERPRETER_NAME])
{
	const char *slash = strrchr(file, '/');
	size_t n;

	file = slash ? slash + 1 : file;
	n = strlen(file);
	memset(name, 0, SG_INTERPRETER_NAME);
	if (!n || n > SG_INTERPRETER_NAME - 2)
		return false;
	memcpy(name, file, n);
	while (--n > 0 && (name[n] == '.' || (name[n] >= '0' && name[n] <= '9')))
		name[n] = '\0';
	return true;
}

int sg_bpf_set_interpreter(struct sg_bpf *b, const char *name, uint32_t language, struct sg_err *err)
{
	char key[SG_INTERPRETER_NAME];
	uint32_t value = language + 1;
	int rc = ready(b, language, err);

	if (rc)
		return rc;
	if (!sg_bpf_interpreter_name(name, key))
		return sg_err_set(err, EINVAL, "%s: no name of an interpreter of at most %d bytes", name,
				  SG_INTERPRETER_NAME - 2);
	rc = bpf_map__update_elem(b->skel->maps.sg_interpreters, key, sizeof(key), &value, sizeof(value), BPF_ANY);
	return rc ? sg_err_set(err, -rc, "cannot make the interpreter %s known: %s", name, strerror(-rc)) : 0;
}

int sg_bpf_clear_interpreters(struct sg_bpf *b, struct sg_err *err)
{
	char key[SG_INTERPRETER_NAME];
	int rc = ready(b, 0, err);

	while (!rc && bpf_map__get_next_key(b->skel->maps.sg_interpreters, NULL, key, sizeof(key)) == 0) {
		rc = bpf_map__delete_elem(b->skel->maps.sg_interpreters, key, sizeof(key), 0);
		if (rc)
			(void)sg_err_set(err, -rc, "cannot forget an interpreter: %s", strerror(-rc));
	}
	return rc;
}

int sg_bpf_set_process_language(struct sg_bpf *b, uint32_t index, const struct sg_bpf_task *t, struct sg_err *err)
{
	const struct bpf_map *map = b->skel->maps.sg_processes;
	uint32_t key = (uint32_t)t->tid;
	struct sg_proc proc = {
		.tgid = (uint32_t)t->tgid, .uid = t->uid, .sandbox = index, .language = (uint32_t)(t->language + 1)};
	int rc = ready(b, 0, err);

	if (!rc && (index >= b->max_sandboxes || !b->used[index]))
		rc = sg_err_set(err, ENOENT, "no sandbox has the number %u", index);
	if (rc)
		return rc;
	memcpy(proc.comm, t->comm, sizeof(proc.comm));
	rc = bpf_map__update_elem(map, &key, sizeof(key), &proc, sizeof(proc), BPF_NOEXIST);
	if (rc == -EEXIST) {
		/* A task that the programs saw fork: its parent was not known yet, so nothing was inherited. */
		rc = bpf_map__lookup_elem(map, &key, sizeof(key), &proc, sizeof(proc), 0);
		if (rc || proc.sandbox != index || proc.language)
			return 0;
		proc.language = (uint32_t)(t->language + 1);
		rc = bpf_map__update_elem(map, &key, sizeof(key), &proc, sizeof(proc), BPF_EXIST);
		return rc && rc != -ENOENT
			       ? sg_err_set(err, -rc, "cannot give task %u its language: %s", key, strerror(-rc))
			       : 0;
	}
	if (rc)
		return sg_err_set(err, -rc, "cannot make task %u known: %s", key, strerror(-rc));
	__atomic_fetch_add(&b->sandboxes[index].tasks, 1, __ATOMIC_RELAXED);
	return 0;
}
