/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_POLICY_H
#define SG_POLICY_H

#include "policy/err.h"
#include "policy/objects.h"
#include "policy/ruleset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Policies: text -> document (every language of a file, with source positions) -> policy (one language, inheritance
 * flattened, `denied` applied) -> ruleset and seccomp filter. No contact with the kernel: everything here works on
 * any machine, on hostile input, without privilege. The text form is described in docs/policy.md.
 */

struct sg_doc;    /* one parsed file */
struct sg_policy; /* one language of it, resolved */

/* Bounds on a policy file; past any of them the file is refused with an error that names the bound. */
#define SG_POLICY_MAX_BYTES (1U << 20)
#define SG_POLICY_MAX_DEPTH 16
#define SG_POLICY_MAX_NODES 65536
#define SG_POLICY_MAX_LANGUAGES 256

/*
 * Parses text (len bytes, need not be terminated) as a policy file called name in messages.
 * `inherit: builtin:NAME` refers to the policies embedded in the program. On success *out is owned by the caller
 * (sg_doc_free). Errors: -EINVAL with source, line and column; -E2BIG for a bound; -ENOMEM.
 */
int sg_doc_parse(const char *name, const char *text, size_t len, struct sg_doc **out, struct sg_err *err);

/*
 * The same for whoever wants to know more than the first error: fault gets each in turn, where what follows can still
 * be read, at most SG_POLICY_MAX_FAULTS. What is left in err then only says that there were some. fault: NULL for
 * sg_doc_parse().
 */
#define SG_POLICY_MAX_FAULTS 20
typedef void sg_policy_fault(void *ctx, const struct sg_err *err);
int sg_doc_parse_all(const char *name, const char *text, size_t len, sg_policy_fault *fault, void *ctx,
		     struct sg_doc **out, struct sg_err *err);

/* Reads and parses a file ("-": standard input). Errors: as above, or what open(2)/read(2) said. */
int sg_doc_load(const char *path, struct sg_doc **out, struct sg_err *err);
int sg_doc_load_all(const char *path, sg_policy_fault *fault, void *ctx, struct sg_doc **out, struct sg_err *err);
void sg_doc_free(struct sg_doc *doc); /* NULL is fine */

/* Languages that the document itself defines, in file order; NULL past the end. The string belongs to the document. */
const char *sg_doc_language(const struct sg_doc *doc, size_t index);

/*
 * Resolves a language or alias to one policy. doc may be NULL: built-in policies only. A language that the document
 * does not define is looked up among the built-in ones (the document's `denied` still applies to it); where it is a
 * built-in alias ("node") of a language that the document does define ("javascript"), the document's is meant.
 * Errors: -ENOENT with a suggestion, -EINVAL for a cycle or a missing parent. *out: owned by the caller.
 */
int sg_policy_resolve(const struct sg_doc *doc, const char *language, struct sg_policy **out, struct sg_err *err);
void sg_policy_free(struct sg_policy *p);

/*
 * What the options of a launch add to a policy's system calls: built-in parts in front of the language's own rules.
 * `denied` still wins over them.
 */
#define SG_WIDEN_INET (1U << 0) /* TCP and UDP sockets */
#define SG_WIDEN_UNIX (1U << 1)
#define SG_WIDEN_RUN (1U << 2) /* executing programs */
#define SG_WIDEN_NETLINK (1U << 3)
int sg_policy_resolve_widened(const struct sg_doc *doc, const char *language, unsigned widen, struct sg_policy **out,
			      struct sg_err *err);

/* Canonical language name of a name or alias among the built-in policies, NULL when there is none. Static storage. */
const char *sg_builtin_canonical(const char *name_or_alias);
/* Names of the built-in policies a user may name, NULL past the end. Static storage. */
const char *sg_builtin_name(size_t index);
/* The language a program's file name suggests ("python3.11" -> "python"), NULL when none. Static storage. */
const char *sg_language_of_program(const char *path);

/* The most that limits on tasks (PID_MAX_LIMIT of the kernel) and on descriptors (default of fs.nr_open, proc(5)) may
 * be. */
#define SG_LIMIT_PIDS_MAX 4194304
#define SG_LIMIT_FILES_MAX 1048576

/* Limits that a policy may set; 0: not set. Sizes in bytes, times in milliseconds, processors in thousandths. */
struct sg_limits {
	uint64_t pids;
	uint64_t open_files;
	uint64_t file_size;
	uint64_t stack;
	uint64_t cpu_time;
	uint64_t wall_time;
	uint64_t memory;
	uint64_t output;
	uint64_t cpus;
};

/* "10", "500ms", "2s", "1m", "1h" -> milliseconds (a bare number is seconds); "64", "64K", "10M", "1G" -> bytes.
 * Return 0, -EINVAL or -ERANGE; *out untouched on failure. */
int sg_parse_time(const char *text, uint64_t *ms);
int sg_parse_size(const char *text, uint64_t *bytes);
/* "2", "0.5" processors -> thousandths; at least 0.01, at most three decimals. As above. */
int sg_parse_cpus(const char *text, uint64_t *milli);

const char *sg_policy_name(const struct sg_policy *p);   /* canonical language */
const char *sg_policy_source(const struct sg_policy *p); /* file, or "builtin:NAME" */
const char *sg_policy_digest(const struct sg_policy *p); /* "sha256:" and 64 hex digits over the rules and limits */
const struct sg_limits *sg_policy_limits(const struct sg_policy *p);
const struct sg_ruleset *sg_policy_ruleset(const struct sg_policy *p);
bool sg_policy_has_audit(const struct sg_policy *p);

/*
 * Object rules: what the program may do to files, addresses and other processes. A tree is a path as the policy names
 * it: absolute, or beginning with a variable that the launcher fills in ($CWD, $TMP, $HOME, $PROGRAM, $RUNTIME).
 */
struct sg_tree {
	const char *path; /* belongs to the policy */
	struct sg_tree_rights rights;
};
#define SG_TREES_MAX 512 /* in one policy, the inherited ones included */

const struct sg_objects *sg_policy_objects(const struct sg_policy *p);
/* *n trees, sorted by path, no path twice; NULL when there are none. They belong to the policy. */
const struct sg_tree *sg_policy_trees(const struct sg_policy *p, size_t *n);

/* Where a rule stands and what it says. All strings belong to the policy. */
struct sg_origin {
	const char *file; /* as given, or "builtin:NAME" */
	unsigned line, column;
	const char *language; /* the language whose text this is: a parent's when inherited */
	const char
		*list; /* "allow", "errno", "audit", "kill", "denied", "unlisted"; "files", "exec", "net", "kernel" */
	const char *text; /* one line: `ioctl: request == TCGETS`, `read: /usr`, `trace: kill` */
};
/*
 * index from a decision; NULL for SG_ORIGIN_UNLISTED without an `unlisted:` line of its own, or out of range. From an
 * object rule SG_ORIGIN_UNLISTED means that no line says so, but the default: do not ask.
 */
const struct sg_origin *sg_policy_origin(const struct sg_policy *p, uint32_t index);

/* Writes what a decision does: "allow", "errno EPERM", "audit", "kill". Returns buf. */
const char *sg_action_text(unsigned action, unsigned err, char *buf, size_t size);

/*
 * The host-side oracle: what the policy says of one call. audit_arch: AUDIT_ARCH_* (linux/audit.h); anything but the
 * native one, and x32 numbers, are killed. in_sandbox may be NULL.
 */
struct sg_oracle {
	uint32_t self;
	bool (*in_sandbox)(void *ctx, int32_t pid);
	void *ctx;
};
struct sg_decision sg_policy_decide(const struct sg_policy *p, uint32_t audit_arch, uint32_t nr,
				    const uint64_t args[SG_ARGS], const struct sg_oracle *oracle);

/*
 * The smallest change that lets this call through, as one line in *out (caller frees):
 *   python: {inherit: "builtin:python", allow: [ptrace]}      a whole policy file, where the policy is a built-in one
 *   mine: {allow: [{ioctl: "request == TCGETS"}]} # add to F  the same form, to be merged into the language in file F
 *   remove "socket" from denied (F:LINE)                      where no added line could help
 *   no policy can allow …                                     i386, x32, numbers without a name
 * and "" for a call that is allowed already. Calls are narrowed to the arguments that say what they do.
 */
int sg_policy_hint(const struct sg_policy *p, uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS],
		   char **out, struct sg_err *err);

/*
 * Prints what the policy means, rule by rule, with file:line of each. json: one JSON object instead of text. filter:
 * the seccomp program as well.
 */
int sg_policy_explain(const struct sg_policy *p, bool json, bool filter, FILE *out, struct sg_err *err);
/* Prints the difference between two policies. Returns 1 when they differ, 0 when not, negative errno. */
int sg_policy_diff(const struct sg_policy *a, const struct sg_policy *b, bool json, FILE *out, struct sg_err *err);

#endif
