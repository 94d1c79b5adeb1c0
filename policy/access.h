/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_ACCESS_H
#define SG_ACCESS_H

#include "policy/policy.h"

/* Object rules on the host side: reading what names an object, and the oracle that says what the rules decide of it. */

#define SG_WHY_SIZE 512 /* room for a reason: one sentence without a newline */

/*
 * A tree's path as rules write it: absolute, or with a variable in front; no "." or "..", no patterns. Writes it
 * without superfluous slashes to out (at least strlen(text) + 1 bytes). Returns 0, or -EINVAL with the reason in why.
 */
int sg_tree_path(const char *text, char *out, char *why);

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

#endif
