/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ACCESS_H
#define SG_ACCESS_H

#include "policy/policy.h"

#include <string.h>

/* Object rules on the host side: reading what names an object, and the oracle that says what the rules decide of it. */

#define SG_WHY_SIZE 512 /* room for a reason: one sentence without a newline */
/* Writes the reason. Returns -EINVAL. Internal to policy/. */
int sg_why_not(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A tree's path as rules write it: absolute, or with a variable in front; no "." or "..", no patterns. Writes it
 * without superfluous slashes to out (at least strlen(text) + 1 bytes). Returns 0, or -EINVAL with the reason in why.
 */
int sg_tree_path(const char *text, char *out, char *why);
/* Whether a tree is the directory that each process has of its own in /proc, or lies in it. */
enum sg_self { SG_SELF_NOT, SG_SELF, SG_SELF_PART };
static inline enum sg_self sg_tree_in_self(const char *path)
{
	/* In the header, so that a launch finds it and its words beside what asks. */
	static const char own[][sizeof("/proc/thread-self")] = {"/proc/self", "/proc/thread-self"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		const size_t n = strlen(own[i]);

		if (!strncmp(path, own[i], n) && (!path[n] || path[n] == '/'))
			return path[n] ? SG_SELF_PART : SG_SELF;
	}
	return SG_SELF_NOT;
}

/* One line of `net`. */
struct sg_net_spec {
	uint64_t families;           /* bit AF_* */
	struct sg_net_rule rules[2]; /* origin 0 */
	unsigned n_rules;
	const char *unix_path; /* of a socket made outside; points into the text; NULL: none */
};
/*
 * `unix`, `unix:PATH`, `loopback`, `[listen] tcp|udp ADDRESS[/PREFIX][:PORT[-PORT]]` (ADDRESS: IPv4, [IPv6] or *), or
 * another family by name. Returns 0, or -EINVAL with the reason in why. No name is ever looked up.
 */
int sg_net_parse(const char *text, struct sg_net_spec *spec, char *why);

/* "tcp 192.0.2.0/24:443". Returns buf. */
const char *sg_net_rule_text(const struct sg_net_rule *r, char *buf, size_t size);

/* "read", "trace", "supervisor"; NULL past SG_CLASS_N. Static storage. */
const char *sg_class_name(unsigned cls);
/* Number of a capability by its name with or without CAP_ in front, -1 when there is none. */
int sg_capability_resolve(const char *name);
/* "NET_ADMIN"; NULL for a number without a name. Static storage. */
const char *sg_capability_name(unsigned number);
/* "netlink"; NULL for a number without a name. Static storage. */
const char *sg_family_name(unsigned family);
/* All families one after the other; NULL past the end. */
const char *sg_family_at(size_t index, unsigned *number);
/* The same for a right (one bit): "read" … "map", "connect". */
const char *sg_right_name(uint32_t right);
/* "read,write" for a set of rights. Returns buf. */
const char *sg_rights_text(uint32_t rights, char *buf, size_t size);

/* One operation on an object, as far as its class asks for it. */
struct sg_access {
	unsigned cls;        /* enum sg_class */
	const char *path;    /* READ … MAP: the file; UNIX: the socket, NULL for an abstract one */
	unsigned family;     /* NET: a socket of this family is made; 0: an address is used */
	uint8_t addr[16];    /* as in struct sg_net_rule */
	unsigned proto, op;  /* SG_NET_TCP or _UDP; SG_NET_CONNECT or _BIND */
	unsigned port;       /* host order */
	bool anywhere;       /* NET: not this address, but any that the program chooses unseen */
	unsigned capability; /* CAPABILITY */
	uint32_t executed;   /* EXEC: how many programs were executed before, the launcher's own exec not counted */
	/* DELETE: a directory with something denied in it was to be renamed: origin and one of that rule. For hints. */
	uint32_t holds;
};

/*
 * The host-side oracle. Trees may stand in any order. Paths are compared as text: links, mounts and variables are for
 * the caller to resolve (a path may begin with a variable as the trees do). A file that is to be made is judged by the
 * directory around it. action is SG_ACTION_ALLOW, _AUDIT, _ERRNO or _KILL; origin as in struct sg_class_mode.
 */
struct sg_decision sg_objects_decide(const struct sg_objects *o, const struct sg_tree *trees, size_t n,
				     const struct sg_access *a);
/* The same for one right of a file (SG_RIGHT_*), without counting programs. */
struct sg_decision sg_objects_decide_file(const struct sg_objects *o, const struct sg_tree *trees, size_t n,
					  const char *path, uint32_t right);

/*
 * The smallest change to the policy that allows this, as sg_policy_hint() says it: one line in *out (caller frees), ""
 * for what is allowed already.
 *   python: {inherit: "builtin:python", files: {read: [/etc/foo]}}
 */
int sg_policy_object_hint(const struct sg_policy *p, const struct sg_access *a, char **out, struct sg_err *err);

#endif
