// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"

#include <string.h>

static struct sg_decision by_mode(const struct sg_objects *o, unsigned cls, uint32_t origin)
{
	const struct sg_class_mode *m = &o->cls[cls];

	/* Anything that is no mode is treated as the strictest. */
	return (struct sg_decision){
		.action = m->mode >= SG_MODE_ALLOW && m->mode <= SG_MODE_KILL ? m->mode : (__u16)SG_ACTION_KILL,
		.err = m->err,
		.origin = origin};
}

static struct sg_decision allowed(uint32_t origin)
{
	return (struct sg_decision){.action = SG_ACTION_ALLOW, .origin = origin};
}

/* Length of the tree's path when the path is it or lies below, 0 when not. len: as much of path as counts. */
static size_t covers(const char *tree, const char *path, size_t len)
{
	size_t n = strlen(tree);

	if (n == 1 && *tree == '/')
		return *path == '/';
	return n && n <= len && !strncmp(tree, path, n) && (n == len || path[n] == '/') ? n : 0;
}

struct sg_decision sg_objects_decide_file(const struct sg_objects *o, const struct sg_tree *trees, size_t n,
					  const char *path, uint32_t right)
{
	const unsigned cls = right & SG_RIGHTS ? (unsigned)__builtin_ctz(right) : SG_CLASS_READ;
	const struct sg_tree *nearest = NULL;
	size_t best = 0, len = strlen(path);

	if (o->cls[cls].mode == SG_MODE_ALLOW)
		return allowed(o->cls[cls].origin);
	if (right == SG_RIGHT_CREATE && strrchr(path, '/')) {
		len = (size_t)(strrchr(path, '/') - path);
		len = len ? len : 1;
	}
	for (size_t i = 0; i < n; i++) {
		size_t c =
			(trees[i].rights.allow | trees[i].rights.deny) & right ? covers(trees[i].path, path, len) : 0;

		if (c > best) {
			best = c;
			nearest = &trees[i];
		}
	}
	if (nearest && !(nearest->rights.deny & right))
		return allowed(nearest->rights.origin);
	return by_mode(o, cls, nearest ? nearest->rights.origin : o->cls[cls].origin);
}

static struct sg_decision decide_net(const struct sg_objects *o, const struct sg_access *a)
{
	if (a->anywhere) {
		for (uint32_t i = 0; i < SG_NET_MAX && i < o->n_net; i++)
			if (sg_net_rule_allows_all(&o->net[i], a->proto))
				return allowed(SG_ORIGIN_UNLISTED);
	} else if (a->family) {
		if (a->family < 64 && (o->families & (1ULL << a->family)))
			return allowed(SG_ORIGIN_UNLISTED);
	} else if (sg_net_allowed(o, a->addr, a->proto, a->op, a->port)) {
		return allowed(SG_ORIGIN_UNLISTED);
	}
	return by_mode(o, SG_CLASS_NET, o->cls[SG_CLASS_NET].origin);
}

struct sg_decision sg_objects_decide(const struct sg_objects *o, const struct sg_tree *trees, size_t n,
				     const struct sg_access *a)
{
	const unsigned cls = a->cls < SG_CLASS_N ? a->cls : SG_CLASS_SUPERVISOR;
	struct sg_decision d;

	if (o->cls[cls].mode == SG_MODE_ALLOW)
		return allowed(o->cls[cls].origin);
	switch (cls) {
	case SG_CLASS_EXEC:
		d = a->path ? sg_objects_decide_file(o, trees, n, a->path, SG_RIGHT_EXEC)
			    : by_mode(o, cls, o->cls[cls].origin);
		return d.action == SG_ACTION_ALLOW && a->executed >= o->exec_max ? by_mode(o, cls, o->cls[cls].origin)
										 : d;
	case SG_CLASS_UNIX:
		/* An abstract socket lies in no tree. */
		return a->path ? sg_objects_decide_file(o, trees, n, a->path, SG_RIGHT_CONNECT)
			       : by_mode(o, cls, o->cls[cls].origin);
	case SG_CLASS_NET:
		return decide_net(o, a);
	case SG_CLASS_CAPABILITY:
		if (a->capability < 64 && (o->caps & (1ULL << a->capability)))
			return allowed(SG_ORIGIN_UNLISTED);
		return by_mode(o, cls, o->cls[cls].origin);
	default:
		if (cls < SG_N_RIGHTS && a->path)
			return sg_objects_decide_file(o, trees, n, a->path, 1U << cls);
		return by_mode(o, cls, o->cls[cls].origin);
	}
}
