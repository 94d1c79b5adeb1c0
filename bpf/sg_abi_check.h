/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#ifndef SG_ABI_CHECK_H
#define SG_ABI_CHECK_H

/* What both compilers must agree on. Included by the programs and by the loader; tests/bpf compares every member by
 * BTF. */
#include "bpf/sg_abi.h"

#define SG_SIZE_IS(type, size) _Static_assert(sizeof(struct type) == (size), "size of struct " #type)
#define SG_AT(type, member, at) _Static_assert(__builtin_offsetof(struct type, member) == (at), #type "." #member)

SG_SIZE_IS(sg_cond, 24);
SG_SIZE_IS(sg_rule, SG_CONDS_MAX * 24 + 16);
SG_SIZE_IS(sg_entry, 12);
SG_SIZE_IS(sg_ruleset, 16 + 2 * SG_NR_MAX / 8 + SG_NR_MAX * 12 + SG_RULES_MAX * 112);
SG_AT(sg_rule, n_conds, 96);
SG_AT(sg_rule, origin, 104);
SG_AT(sg_ruleset, allow, 16);
SG_AT(sg_ruleset, audit, 80);
SG_AT(sg_ruleset, entry, 144);
SG_AT(sg_ruleset, rules, 144 + SG_NR_MAX * 12);

SG_SIZE_IS(sg_event_hdr, 56);
SG_AT(sg_event_hdr, cgroup_id, 8);
SG_AT(sg_event_hdr, comm, 40);
SG_SIZE_IS(sg_event_syscall, 144);
SG_AT(sg_event_syscall, nr, 56);
SG_AT(sg_event_syscall, abi, 64);
SG_AT(sg_event_syscall, ret, 80);
SG_AT(sg_event_syscall, args, 88);
SG_AT(sg_event_syscall, ip, 136);
SG_SIZE_IS(sg_event_proc, 192);
SG_AT(sg_event_proc, path, 64);
SG_SIZE_IS(sg_event_object, 520);
SG_AT(sg_event_object, cls, 64);
SG_AT(sg_event_object, dev, 80);
SG_AT(sg_event_object, target, 104);
SG_AT(sg_event_object, addr, 112);
SG_AT(sg_event_object, names, SG_OBJECT_HEAD);
SG_SIZE_IS(sg_sandbox, 552);
SG_AT(sg_sandbox, first_kill, 32);
SG_AT(sg_sandbox, first_kill_object, 32);
SG_SIZE_IS(sg_class_mode, 8);
SG_SIZE_IS(sg_net_rule, 32);
SG_SIZE_IS(sg_objects, 32 + SG_CLASS_N * 8 + SG_NET_MAX * 32);
SG_SIZE_IS(sg_tree_rights, 16);
SG_SIZE_IS(sg_lsm, sizeof(struct sg_objects) + 32 + 16 + SG_FILTER_WORDS * 8);
SG_SIZE_IS(sg_tree_key, 16);
SG_SIZE_IS(sg_protected_key, 16);
SG_SIZE_IS(sg_learned, 32);
SG_SIZE_IS(sg_table, 8 + SG_SLOTS * 16);
SG_SIZE_IS(sg_slot, 16);
SG_SIZE_IS(sg_stats, 72);
SG_SIZE_IS(sg_proc, 192);
SG_AT(sg_proc, event, 48);
_Static_assert(1 << 13 == SG_SLOTS, "sg_slot_hash() yields 13 bits");
_Static_assert(1 << 12 == SG_FILTER_WORDS * 64, "sg_filter_bit() yields 12 bits");
_Static_assert(SG_HOOK_N <= 256, "a hook is written as one byte");
_Static_assert((SG_NR_MAX & (SG_NR_MAX - 1)) == 0 && SG_NR_MAX >= 512, "bit sets are indexed with a mask");

#undef SG_SIZE_IS
#undef SG_AT

#endif
