/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/rules.h"

#include "bpf/sg_abi.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>

static const char *component(const char **at, char *out, size_t size)
{
	size_t n;

	*at += strspn(*at, "/");
	n = strcspn(*at, "/");
	if (!n || n >= size)
		return NULL;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return out;
}

int sgd_rule_parse(const char *text, struct sgd_rule *out, struct sg_err *err)
{
	size_t n = strcspn(text, " \t");
	const char *mode = text + n + strspn(text + n, " \t"), *at;
	char name[NAME_MAX + 1];
	unsigned depth = 0;

	*out = (struct sgd_rule){.audit = !strcmp(mode, "audit")};
	if (*mode && !out->audit && strcmp(mode, "enforce"))
		return sg_err_set(err, EINVAL, "--discover %s: after the pattern only audit or enforce can follow",
				  text);
	if (*text != '/' || n >= sizeof(out->pattern))
		return sg_err_set(err, EINVAL,
				  "--discover %s: expected the path of cgroups below the cgroup2 mount, like "
				  "/kubepods.slice/*/*",
				  text);
	memcpy(out->pattern, text, n);
	for (at = out->pattern; component(&at, name, sizeof(name)); depth++)
		if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "**"))
			return sg_err_set(err, EINVAL, "--discover %s: \"%s\": each component stands for one depth",
					  text, name);
	if (!depth || *at || depth >= SG_MAX_LEVELS)
		return sg_err_set(err, EINVAL, "--discover %s: expected 1 to %d components", text, SG_MAX_LEVELS - 1);
	return 0;
}

bool sgd_rule_matches(const struct sgd_rule *r, const char *rel, bool *deeper)
{
	const char *p = r->pattern;
	char want[NAME_MAX + 1], name[NAME_MAX + 1];

	*deeper = false;
	/* systemd writes what may not stand in a name as \x2d: a backslash is one. */
	while (component(&rel, name, sizeof(name)))
		if (!component(&p, want, sizeof(want)) || fnmatch(want, name, FNM_PERIOD | FNM_NOESCAPE) != 0)
			return false;
	if (*rel)
		return false;
	*deeper = component(&p, want, sizeof(want)) != NULL;
	return !*deeper;
}
