/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SESSION_H
#define SG_SESSION_H

#include "policy/json.h"
#include "policy/policy.h"
#include "supervisor/stream.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One sandbox as its reader sees it: the verdict stream from `start` to `exit`, the counters in between, and the policy
 * that explains them. Knows nothing of how calls are stopped. Record format: docs/verdict.schema.json.
 */
#define SG_STREAM_VERSION 1

enum sg_tier { SG_TIER_UNPRIVILEGED = 1, SG_TIER_BPF, SG_TIER_LSM };
const char *sg_tier_name(enum sg_tier tier);

#define SG_LABEL_MAX 127 /* bytes */
/* Whether a text may be a sandbox's label: not empty, not too long, UTF-8, nothing that drives a terminal. */
bool sg_label_usable(const char *text);

struct sg_call;
struct sg_call_line;

struct sg_session {
	char id[64];
	char label[SG_LABEL_MAX + 1]; /* what its user calls it; "": nothing */
	uint64_t cgroup_id;           /* 0: no cgroup */
	const char *language;         /* canonical; not owned */
	const char *policy_source;
	const char *policy_digest;
	const char *const *widened; /* what options added to it, as they were given; NULL-terminated; NULL: nothing */
	struct sg_stream stream;
	bool human; /* one readable line per record instead of JSON */

	/* Where records go in place of the stream, NULL: to the stream. human: the line for people where that was asked
	 * for, else NULL. Must not block; what it cannot deliver it adds to stream.dropped. */
	void (*sink)(void *ctx, const char *json, const char *human, bool essential);
	void (*seen)(void *ctx, const json_t *record); /* is shown every record before; NULL: nobody */
	/* In its place for calls that were not killed for, whose record is never a tree; NULL: it is made one. */
	void (*seen_call)(void *ctx, const struct sg_call *call, const char *name);
	void *sink_ctx; /* of all three */

	uint64_t seq;             /* of the record at hand among all of the ring buffer; 0: none */
	size_t argv_bytes;        /* of the start record's argv; 0: 128 KiB */
	bool policy_shared;       /* policy belongs to somebody else */
	unsigned widen;           /* SG_WIDEN_*: with which a built-in policy is resolved */
	struct sg_policy *then;   /* owned; the policy of the second phase, NULL: there is only one */
	struct sg_policy *policy; /* owned; loaded by sg_session_policy() when first needed for a built-in one */
	int64_t realtime_offset;  /* CLOCK_REALTIME - CLOCK_BOOTTIME, ns */

	struct sg_call_line *line; /* owned */
	uint64_t n_kill, n_errno, n_audit, n_limit;
	uint64_t lost_kernel; /* records the ring buffer had no room for */
	json_t *killing;      /* the record of the violation that killed; owned */
	json_t *reasons;      /* why integrity is degraded; owned array of strings */
	const char *limit;    /* the limit that ended it, NULL */
	bool cancelled;       /* the caller ended it */
};

/* One system call that a layer judged. */
struct sg_call {
	uint64_t time_ns; /* realtime */
	pid_t pid, tgid;
	uid_t uid;
	char comm[17]; /* terminated; any bytes */
	uint32_t audit_arch, nr;
	uint64_t args[SG_ARGS];
	const char *layer; /* "seccomp", "sys_enter" */
	uint16_t action;   /* what was done: SG_ACTION_KILL, _ERRNO, _AUDIT */
	uint16_t err;
	uint32_t origin;
	bool forbidden; /* the policy forbids it (audit mode records it all the same); false: an `audit` rule */
	bool prevented;
	const struct sg_policy *policy; /* whose rule it is; NULL: the session's */
};

struct sg_start {
	uint64_t time_ns; /* realtime */
	enum sg_tier tier;
	const char *const *layers; /* NULL-terminated */
	const struct sg_limits *limits;
	json_t *limit_mechanisms; /* object: limit -> mechanism; borrowed, may be NULL */
	char *const *argv;
	pid_t pid;
	json_t *degraded;     /* array of strings; borrowed */
	json_t *not_enforced; /* array of strings; borrowed, may be NULL */
	const char *mode;     /* "enforce", "audit" */
};

/* How it ended. */
struct sg_result {
	const char *verdict; /* "ok", "violation", "time_limit", … */
	int exit_code;       /* -1: by signal */
	int signal;
	uint64_t wall_ns, cpu_ns;
	uint64_t user_ns, system_ns; /* the two parts of cpu_ns */
	int64_t output_bytes;        /* to standard output and error; -1: not counted */
	uint64_t peak_memory;        /* bytes; 0: unknown */
	uint64_t peak_pids;          /* 0: unknown */
	json_t *stats;               /* object of counters with --stats; borrowed, NULL */
	const char *error;           /* for verdict "error" */
};

/* Without a stream: for a caller that sets a sink. */
int sg_session_init(struct sg_session *s, const char *id, struct sg_err *err);
int sg_session_open(struct sg_session *s, const char *id, const char *verdicts, struct sg_err *err);
void sg_session_close(struct sg_session *s);

/* The policy, for explaining; parses the built-in one on first use. NULL with *err set when that fails. */
const struct sg_policy *sg_session_policy(struct sg_session *s, struct sg_err *err);

void sg_session_start(struct sg_session *s, const struct sg_start *start);
/* Writes the record of a call. The first one that killed is kept for the exit record, whatever the stream does. */
void sg_session_call(struct sg_session *s, const struct sg_call *call);
/* That record as a tree; p: whose rule it is, NULL: not known. */
json_t *sg_session_call_record(struct sg_session *s, const struct sg_call *call, const struct sg_policy *p);
/* The program has said that its start is over: from now on `then` holds as well. */
void sg_session_phase(struct sg_session *s, pid_t pid);
void sg_session_limit(struct sg_session *s, const char *limit, uint64_t value);
/* The same, for a limit that was met `times` times and that is told of once. */
void sg_session_limits(struct sg_session *s, const char *limit, uint64_t value, uint64_t times);
void sg_session_lost(struct sg_session *s, const char *what, uint64_t count);
/* Notes a reason for degraded integrity; once each. */
void sg_session_degrade(struct sg_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sg_session_exit(struct sg_session *s, const struct sg_result *r);

/* For those who make a record of their own (supervisor/objects.c): its head; a rule; the name of an action; and the
 * end, which counts and writes it, and keeps the first that killed. Takes r over. */
json_t *sg_session_record(struct sg_session *s, const char *type, const char *level, uint64_t time_ns);
json_t *sg_session_rule(const struct sg_policy *p, uint32_t origin);
const char *sg_session_action(uint16_t action);
void sg_session_take(struct sg_session *s, json_t *r, uint16_t action);

#endif
