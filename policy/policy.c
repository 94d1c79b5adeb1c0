// SPDX-License-Identifier: Apache-2.0
/* Calls that only the oracle's caller can judge go through its own function. */
#define SG_IN_SANDBOX(ctx, pid) sg_oracle_in_sandbox((ctx), (pid))
static int sg_oracle_in_sandbox(void *ctx, int pid);

#include "policy/model.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sg_oracle_in_sandbox(void *ctx, int pid)
{
	const struct sg_oracle *o = ctx;

	return o && o->in_sandbox && o->in_sandbox(o->ctx, pid);
}

struct sg_decision sg_policy_decide(const struct sg_policy *p, uint32_t audit_arch, uint32_t nr,
				    const uint64_t args[SG_ARGS], const struct sg_oracle *oracle)
{
	const struct sg_decision foreign = {.action = SG_ACTION_KILL, .origin = SG_ORIGIN_UNLISTED};
	__u64 a[SG_ARGS];
	unsigned i;

	if (audit_arch != sg_native_arch())
		return foreign;
#ifdef __x86_64__
	if (nr >= 0x40000000U) /* x32, and what no table of this architecture reaches */
		return foreign;
#endif
	for (i = 0; i < SG_ARGS; i++)
		a[i] = args[i];
	return sg_ruleset_decide(&p->rs, nr, a, oracle ? oracle->self : 0, (void *)oracle);
}

const char *sg_policy_name(const struct sg_policy *p)
{
	return p->name;
}

const char *sg_policy_source(const struct sg_policy *p)
{
	return p->source;
}

const char *sg_policy_digest(const struct sg_policy *p)
{
	return p->digest;
}

const struct sg_limits *sg_policy_limits(const struct sg_policy *p)
{
	return &p->limits;
}

const struct sg_ruleset *sg_policy_ruleset(const struct sg_policy *p)
{
	return &p->rs;
}

const struct sg_objects *sg_policy_objects(const struct sg_policy *p)
{
	return &p->objects;
}

const struct sg_tree *sg_policy_trees(const struct sg_policy *p, size_t *n)
{
	*n = p->n_trees;
	return p->trees;
}

bool sg_policy_has_audit(const struct sg_policy *p)
{
	return p->has_audit;
}

const struct sg_origin *sg_policy_origin(const struct sg_policy *p, uint32_t index)
{
	if (index == SG_ORIGIN_UNLISTED)
		index = p->unlisted_origin;
	return index < p->n_origins ? &p->origins[index] : NULL;
}

const char *sg_doc_language(const struct sg_doc *doc, size_t index)
{
	const struct sg_lang *l = doc->langs;

	while (l && index--)
		l = l->next;
	return l ? l->name : NULL;
}

const char *sg_action_text(unsigned action, unsigned err, char *buf, size_t size)
{
	switch (action) {
	case SG_ACTION_ALLOW:
		snprintf(buf, size, "allow");
		break;
	case SG_ACTION_AUDIT:
		snprintf(buf, size, "audit");
		break;
	case SG_ACTION_ERRNO:
		snprintf(buf, size, "errno %s", sg_errno_name(err));
		break;
	default:
		snprintf(buf, size, "kill");
		break;
	}
	return buf;
}

static int read_all(int fd, const char *name, char **text, size_t *len, struct sg_err *err)
{
	/* One byte more than allowed, to tell a file of the largest size from a larger one. */
	size_t size = SG_POLICY_MAX_BYTES + 1, n = 0;
	char *buf = malloc(size);
	ssize_t r = 1;

	if (!buf)
		return sg_err_set(err, ENOMEM, "out of memory while reading %s", name);
	while (n < size && r > 0) {
		do
			r = read(fd, buf + n, size - n);
		while (r < 0 && errno == EINTR);
		if (r < 0) {
			int e = errno;

			free(buf);
			return sg_err_at(err, e, name, 0, 0, "cannot read the policy: %s", strerror(e));
		}
		n += (size_t)r;
	}
	*text = buf;
	*len = n;
	return 0;
}

int sg_doc_load(const char *path, struct sg_doc **out, struct sg_err *err)
{
	return sg_doc_load_all(path, NULL, NULL, out, err);
}

int sg_doc_load_all(const char *path, sg_policy_fault *fault, void *ctx, struct sg_doc **out, struct sg_err *err)
{
	bool use_stdin = !strcmp(path, "-");
	const char *name = use_stdin ? "standard input" : path;
	int fd = use_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (fd < 0) {
		int e = errno;

		rc = sg_err_at(err, e, name, 0, 0, "cannot open the policy: %s", strerror(e));
	} else {
		rc = read_all(fd, name, &text, &len, err);
	}
	if (fd >= 0 && !use_stdin)
		close(fd);
	if (!rc)
		rc = sg_doc_parse_all(name, text, len, fault, ctx, out, err);
	else if (fault)
		fault(ctx, err);
	free(text);
	return rc;
}
