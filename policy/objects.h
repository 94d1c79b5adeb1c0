/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#ifndef SG_OBJECTS_H
#define SG_OBJECTS_H

/*
 * The compiled form of a policy's object rules, and the one place that decides by them. Where struct sg_ruleset speaks
 * of system call numbers and registers, this speaks of kernel objects: files, addresses, other processes. The host-side
 * oracle, the BPF LSM programs and (as far as it can express them) the Landlock ruleset are made from the same bytes.
 *
 * Fixed-width, no pointers, named padding that is zero: it is shared with BPF programs. See policy/ruleset.h.
 */
#ifndef __bpf__
#include <linux/types.h>
#endif

#define SG_OBJECTS_VERSION 1

/*
 * What may be done to a file. Rights are granted by tree: a file or a directory with all below it. The nearest tree on
 * the way up that says anything of a right decides it (so a tree may be denied inside an allowed one, and the other way
 * round); a right of which no tree says anything is denied, unless its class is not confined (SG_MODE_ALLOW).
 */
#define SG_RIGHT_READ (1U << 0)    /* open for reading, list a directory */
#define SG_RIGHT_WRITE (1U << 1)   /* open for writing, truncate; change mode, owner, times, extended attributes */
#define SG_RIGHT_CREATE (1U << 2)  /* make a file, directory, link, socket, fifo, or rename to here */
#define SG_RIGHT_DELETE (1U << 3)  /* remove, or rename away */
#define SG_RIGHT_EXEC (1U << 4)    /* execve of it */
#define SG_RIGHT_MAP (1U << 5)     /* map it executable (shared libraries) */
#define SG_RIGHT_CONNECT (1U << 6) /* connect or send to a unix socket made outside the sandbox */
#define SG_RIGHTS 0x7fU
#define SG_N_RIGHTS 7

/*
 * Classes of object operations. The first seven are the rights above, in their order. Each has a mode: what an
 * operation gets that no rule allows.
 */
enum sg_class {
	SG_CLASS_READ,
	SG_CLASS_WRITE,
	SG_CLASS_CREATE,
	SG_CLASS_DELETE,
	SG_CLASS_EXEC, /* also: more than exec_max programs */
	SG_CLASS_MAP,
	SG_CLASS_UNIX,       /* unix sockets that lead out of the sandbox: by path (SG_RIGHT_CONNECT) or abstract */
	SG_CLASS_NET,        /* sockets of other families, and addresses */
	SG_CLASS_TRACE,      /* ptrace, memory, descriptors and /proc/PID of processes outside */
	SG_CLASS_SIGNAL,     /* signals to processes outside */
	SG_CLASS_LIMITS,     /* limits, priority, affinity of processes outside */
	SG_CLASS_MOUNT,      /* mounts by either API, pivot_root, chroot */
	SG_CLASS_NAMESPACE,  /* new user namespaces */
	SG_CLASS_CAPABILITY, /* use of a capability that is not in caps */
	SG_CLASS_SETID,      /* changes of user or group id */
	SG_CLASS_BPF,
	SG_CLASS_PERF,
	SG_CLASS_KEYS,
	SG_CLASS_KERNEL, /* modules, firmware, kexec, the kernel's log, setting the time, quota, typing */
	SG_CLASS_IPC,    /* System V and POSIX IPC objects made outside */
	SG_CLASS_URING,  /* io_uring: rings, polling thread, personalities, commands */
	SG_CLASS_WX, /* memory both writable and executable, executable after writable; memfd and unlinked programs */
	SG_CLASS_FDPASS,     /* descriptors received from, or sent to, a process outside */
	SG_CLASS_SUPERVISOR, /* Sandgate's own processes, maps, links, pins, sockets, cgroup files. Never allowed */
	SG_CLASS_N,
};

enum sg_mode {
	SG_MODE_ALLOW = 1, /* not confined: nothing is looked up */
	SG_MODE_AUDIT = 2, /* let through and recorded */
	SG_MODE_ERRNO = 3, /* refused with the errno and recorded */
	SG_MODE_KILL = 4,  /* refused with EPERM, recorded, and the sandbox is killed */
};

struct sg_class_mode {
	__u16 mode;   /* enum sg_mode */
	__u16 err;    /* for SG_MODE_ERRNO, else 0 */
	__u32 origin; /* where it stands: index for sg_policy_origin(), or SG_ORIGIN_UNLISTED: the default */
};

/* Network rules: any that matches allows. IPv4 addresses stand in addr[12…15] behind the ::ffff:0:0/96 prefix. */
#define SG_NET_MAX 64
#define SG_NET_TCP (1U << 0)
#define SG_NET_UDP (1U << 1)
#define SG_NET_CONNECT (1U << 0) /* connect, sendto, sendmsg to the address */
#define SG_NET_BIND (1U << 1)    /* bind to the address, listen */

struct sg_net_rule {
	__u8 addr[16];
	__u8 prefix; /* bits of addr that count, 0 … 128 */
	__u8 protos; /* SG_NET_TCP | SG_NET_UDP */
	__u8 ops;    /* SG_NET_CONNECT | SG_NET_BIND */
	__u8 pad;
	__u16 port_lo, port_hi; /* host order, inclusive; 0 … 65535: any */
	__u32 origin;
	__u32 pad2;
};

#define SG_EXEC_UNBOUNDED 0xffffffffU

struct sg_objects {
	__u32 size;    /* sizeof(struct sg_objects), checked by every reader first */
	__u32 version; /* SG_OBJECTS_VERSION */
	struct sg_class_mode cls[SG_CLASS_N];
	__u64 families; /* bit AF_*: sockets of this family may be made (AF_UNIX and what `net:` names) */
	__u64 caps;     /* bit CAP_*: may be used */
	__u32 exec_max; /* how many programs may be executed, the launcher's own exec not counted */
	__u32 n_net;
	struct sg_net_rule net[SG_NET_MAX];
};

/*
 * Of a directory, and not of what is below: something that is denied lies there, so it is not to be renamed. Else
 * another one could be put in its place, and what is denied would be made anew under its name.
 */
#define SG_TREE_HOLDS 0x100U

/* What one tree says. A right is in at most one of the two. */
struct sg_tree_rights {
	__u32 allow;  /* SG_RIGHT_* */
	__u32 deny;   /* SG_RIGHT_*, and SG_TREE_HOLDS */
	__u32 origin; /* of the rule that denies, else of the first that allows */
	__u32 pad;
};

/*
 * One step of the walk from a file up to its root: *want are the rights not decided so far. Returns 1 when a tree
 * denies one of them; *want becomes 0 when all are granted.
 */
static inline __attribute__((always_inline)) int sg_tree_step(const struct sg_tree_rights *t, __u32 *want)
{
	if (t->deny & *want)
		return 1;
	*want &= ~t->allow;
	return 0;
}

/* Eight bytes of an address as a number. */
static inline __attribute__((always_inline)) __u64 sg_net_half(const __u8 *addr)
{
	__u64 v;

	__builtin_memcpy(&v, addr, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* The first `bits` bits of 64; more than 64 are 64. Without a branch: the verifier would follow each, rule by rule. */
static inline __attribute__((always_inline)) __u64 sg_net_mask(__s64 bits)
{
	__u64 n = (__u64)(64 + ((bits - 64) & ((bits - 64) >> 63)));

	n &= ~(__u64)(bits >> 63); /* fewer than none are none */
	return ~((~0ULL >> (n / 2)) >> (n - n / 2));
}

/* Whether this rule allows the address: its halves by sg_net_half(); proto, op: one bit each; port: host order. */
static inline __attribute__((always_inline)) int sg_net_rule_allows(const struct sg_net_rule *r, __u64 high, __u64 low,
								    __u32 proto, __u32 op, __u32 port)
{
	/* not 0: the rule speaks of something else. Differences of ports are negative where they are outside. */
	__u64 other = ((sg_net_half(r->addr) ^ high) & sg_net_mask(r->prefix)) |
		      ((sg_net_half(r->addr + 8) ^ low) & sg_net_mask((__s64)r->prefix - 64));

	other |= (proto & ~(__u32)r->protos) | (op & ~(__u32)r->ops);
	other |= (__u64)((__s64)port - (__s64)r->port_lo) >> 63;
	other |= (__u64)((__s64)r->port_hi - (__s64)port) >> 63;
	return !other && proto && op;
}

/* Whether this rule allows every address and port there is. */
static inline __attribute__((always_inline)) int sg_net_rule_allows_all(const struct sg_net_rule *r, __u32 proto)
{
	return r->prefix == 0 && r->port_lo == 0 && r->port_hi == 0xffff && (r->ops & SG_NET_CONNECT) &&
	       (r->protos & proto);
}

#ifndef __bpf__
/* Whether the rules allow this address. addr: 16 bytes as in struct sg_net_rule. The programs go from rule to rule
 * themselves. */
static inline int sg_net_allowed(const struct sg_objects *o, const __u8 *addr, __u32 proto, __u32 op, __u32 port)
{
	for (__u32 i = 0; i < SG_NET_MAX && i < o->n_net; i++)
		if (sg_net_rule_allows(&o->net[i], sg_net_half(addr), sg_net_half(addr + 8), proto, op, port))
			return 1;
	return 0;
}
#endif

#endif
