/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PROTO_H
#define SG_PROTO_H

#include "policy/policy.h"

#include <stdint.h>

/*
 * What goes over the control socket (docs/control-protocol.md): a unix socket of type SOCK_SEQPACKET, so a message is a
 * packet and arrives whole or not at all. A packet that starts with '{' is one line of JSON. The few messages of a
 * launch, which is to cost next to nothing, are the structures below: same machine, same byte order.
 */
#define SG_PROTO_VERSION 1
#define SG_PROTO_SOCKET "/run/sandgate/sgd.sock"
#define SG_PROTO_PACKET_MAX (64U << 10) /* bytes of any packet */
#define SG_PROTO_FDS_MAX 72             /* descriptors in one packet */
#define SG_PROTO_STRINGS_INLINE (48U << 10)
#define SG_PROTO_STRINGS_MAX (6U << 20) /* path, arguments and environment: what an exec takes at most */
#define SG_PROTO_SENTENCES 64           /* of each kind, for the start record */
#define SG_PROTO_KEY_MAX (16U << 10)    /* bytes of what a launch is known by */
#define SG_PROTO_NOTE_MAX (24U << 10)   /* and of what is said of it */
#define SG_PROTO_HELD_MAX 32            /* descriptors */
#define SG_PROTO_MAGIC 0x31444753U      /* "SGD1" */

enum sg_wire_type {
	/* from the client */
	SG_WIRE_LAUNCH = 1, /* struct sg_wire_launch, with descriptors */
	SG_WIRE_SIGNAL = 2, /* struct sg_wire_number: a signal for the program */
	SG_WIRE_CANCEL = 3, /* struct sg_wire_number: end it, who waits for it is gone */
	SG_WIRE_ASK = 8,    /* struct sg_wire_number, number 0: what the best tier is. Answered by SG_WIRE_TIER */
	SG_WIRE_AGAIN =
		10, /* struct sg_wire_text, text: what a launch is known by. Answered by SG_WIRE_KNOWN, _UNKNOWN */
	SG_WIRE_REMEMBER = 11, /* struct sg_wire_text, before a launch that is to be known by that. text: what is said
				* where it is known. With descriptors that are held as long */
	SG_WIRE_GO = 12,       /* struct sg_wire_go: the launch that was said to be known */
	/* from the daemon: struct sg_wire_text */
	SG_WIRE_STARTED = 4,  /* the sandbox's id; only where SG_WIRE_DETACH was asked for, and last */
	SG_WIRE_RECORD = 5,   /* one line of the verdict stream */
	SG_WIRE_RESULT = 6,   /* last. number: exit status; text: why the program could not be executed */
	SG_WIRE_FAILED = 7,   /* last, nothing ran. number: exit status, 0: the client may do it alone; text: why */
	SG_WIRE_TIER = 9,     /* number: enum sg_tier; text: why it is not the lsm tier */
	SG_WIRE_KNOWN = 13,   /* text: as it was said to remember it */
	SG_WIRE_UNKNOWN = 14, /* number 1: it would be remembered */
};

struct sg_wire_hdr {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t size; /* of the whole packet */
	uint32_t pad;
};

#define SG_WIRE_AUDIT (1U << 0)           /* --mode audit */
#define SG_WIRE_STATS (1U << 1)           /* --stats */
#define SG_WIRE_NO_SECCOMP (1U << 2)      /* --seccomp off */
#define SG_WIRE_HUMAN (1U << 3)           /* records as text for people */
#define SG_WIRE_QUIET (1U << 4)           /* no records to this client; the daemon's log has them */
#define SG_WIRE_DETACH (1U << 5)          /* the sandbox outlives the connection */
#define SG_WIRE_KEEP (1U << 6)            /* it outlives the daemon */
#define SG_WIRE_IDS (1U << 7)             /* uid and gid are meant: for root only */
#define SG_WIRE_STRINGS_FD (1U << 8)      /* the strings are in a sealed memfd, not behind the structure */
#define SG_WIRE_POLICY_FD (1U << 9)       /* a policy file's text is in a sealed memfd */
#define SG_WIRE_REQUIRE_LIMITS (1U << 10) /* --require-limits */
#define SG_WIRE_LANDLOCK_FD (1U << 11)    /* a Landlock ruleset for the program */
#define SG_WIRE_OBJECTS_FD (1U << 12)     /* object rules for the lsm tier, and a socket with their places */
#define SG_WIRE_NET_SHIFT 13              /* from here on: SG_NET_REFUSE_*, the client's for its own program */
#define SG_WIRE_LABEL (1U << 17)          /* at the end of the packet: what the client calls it, not terminated */
#define SG_WIRE_FLAGS ((1U << 18) - 1)

/*
 * Followed by n_fds numbers (int32_t) and, unless SG_WIRE_STRINGS_FD, strings_size bytes of strings, each terminated:
 * path of the program, name of the policy file ("" without one), n_argv arguments, n_env variables, n_missing and
 * n_degraded sentences for the start record, n_widened options that added to the policy. Then, with SG_WIRE_LABEL, 1 to
 * SG_LABEL_MAX bytes to the end of the packet.
 * Descriptors: working directory; one for each number; then the strings, the policy, the ruleset, the object rules
 * (struct sg_wire_objects in a sealed memfd) and the socket with their places, where flags say so.
 */
struct sg_wire_launch {
	struct sg_wire_hdr hdr;
	uint32_t flags;
	uint32_t tier;    /* enum sg_tier, 0: the best there is */
	uint32_t require; /* enum sg_tier, 0: none */
	uint32_t umask;
	uint32_t uid, gid;
	uint32_t n_argv, n_env, n_fds, n_missing, n_degraded;
	uint32_t widen; /* SG_WIDEN_*: what the command line adds to the policy's system calls */
	uint32_t strings_size;
	uint32_t policy_size;
	uint32_t limits_size; /* sizeof(limits), checked first: another size is another version */
	uint32_t n_widened;
	uint64_t mask;     /* signal mask of the program */
	uint64_t own_proc; /* rights that the ruleset lacks for the program's own directory in /proc */
	uint64_t ignored;  /* signals it ignores from the start; bit N - 1 */
	struct sg_limits limits;
	char language[64];
};

/*
 * The object rules, and what each place's tree says; followed by n times struct sg_tree_rights. The places themselves
 * come as descriptors through a socket (sg_bpf_places_send()), in the same order.
 */
struct sg_wire_objects {
	struct sg_objects objects;
	struct sg_tree_rights self;
	uint32_t n;
	uint32_t pad;
};

/*
 * The launch that SG_WIRE_KNOWN was about, once more, with what is this one's own. Followed by its label, if any, to
 * the end of the packet. Descriptors: working directory; one for each number of the launch.
 */
struct sg_wire_go {
	struct sg_wire_hdr hdr;
	uint64_t mask; /* as in struct sg_wire_launch; ignored signals and umask are what the kernel says */
};

struct sg_wire_number {
	struct sg_wire_hdr hdr;
	uint32_t number;
	uint32_t pad;
};

/* Followed by text, hdr.size says how much; not terminated. */
struct sg_wire_text {
	struct sg_wire_hdr hdr;
	uint32_t number;
	uint32_t pad;
};

#endif
