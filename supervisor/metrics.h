/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_METRICS_H
#define SG_METRICS_H

#include "policy/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a supervisor counts, and its text form (the Prometheus exposition format 0.0.4). The set of time series is
 * bounded whatever a sandbox does: languages past the bound, and system calls without a name, are counted under
 * "other". Counters only grow; the caller adds what is new. Not for several threads.
 */
struct sg_metrics;

#define SG_METRICS_LANGUAGES 64 /* different ones, "other" included */
#define SG_METRICS_SYSCALLS 512 /* different names for one language, "other" included */
#define SG_METRICS_CLASSES 32   /* different object classes for one language, "other" included */

/* Values without labels of their own, or with a fixed set of them. */
enum sg_metric {
	/* counters */
	SG_METRIC_LOST_RING,   /* records the ring buffer had no room for */
	SG_METRIC_LOST_LOG,    /* records the verdict log could not take */
	SG_METRIC_LOST_STREAM, /* records a client's verdict stream could not take */
	SG_METRIC_MALFORMED,   /* ring buffer records that were none */
	SG_METRIC_SKIPPED,     /* runs of a BPF program that the kernel skipped */
	SG_METRIC_SIGNAL_FAILED,
	SG_METRIC_HELPER_FAILED,
	SG_METRIC_DEGRADED, /* sandboxes that ended with integrity "degraded" */
	SG_METRIC_LAUNCHES,
	SG_METRIC_LAUNCHES_FAILED,
	SG_METRIC_LAUNCHES_REPEATED,
	SG_METRIC_ATTACHES,
	SG_METRIC_ADOPTED, /* sandboxes taken over from a supervisor that went away */
	SG_METRIC_RELOADS,
	SG_METRIC_RELOADS_FAILED,
	SG_METRIC_REFUSED, /* control requests refused */
	/* gauges */
	SG_METRIC_LAUNCHED, /* launched sandboxes that live */
	SG_METRIC_ATTACHED, /* attached sandboxes that live */
	SG_METRIC_LSM_ACTIVE,
	SG_METRIC_SYS_ENTER_ATTACHED,
	SG_METRIC_N,
};

enum sg_metric_action { SG_METRIC_ALLOWED, SG_METRIC_DENIED, SG_METRIC_VIOLATION, SG_METRIC_ACTIONS };

/* Errors: -ENOMEM. version: of the program, for build info; copied. */
int sg_metrics_new(const char *version, struct sg_metrics **out, struct sg_err *err);
void sg_metrics_free(struct sg_metrics *m); /* NULL is fine */

void sg_metrics_add(struct sg_metrics *m, enum sg_metric which, uint64_t n);
void sg_metrics_set(struct sg_metrics *m, enum sg_metric which, uint64_t value);

/* System calls judged in sandboxes of a language. Any text will do for language and syscall; NULL: "other". */
void sg_metrics_syscalls(struct sg_metrics *m, const char *language, enum sg_metric_action action, uint64_t n);
/* A violation. syscall: its name; names that the system call table does not know are counted under "other". */
void sg_metrics_violation(struct sg_metrics *m, const char *language, const char *syscall);
/* The same for an object rule. cls: name of its class (policy/objects.h); past SG_METRICS_CLASSES names: "other". */
void sg_metrics_object_violation(struct sg_metrics *m, const char *language, const char *cls);
/* Processes that are alive in sandboxes of the language; a gauge. sg_metrics_processes_reset() sets all to 0. */
void sg_metrics_processes(struct sg_metrics *m, const char *language, uint64_t n);
void sg_metrics_processes_reset(struct sg_metrics *m);
/* From a violation until no process of its sandbox was left. */
void sg_metrics_kill_latency(struct sg_metrics *m, uint64_t ns);

/* All of it as text. Caller frees; NULL: no memory. */
char *sg_metrics_text(const struct sg_metrics *m, size_t *len);

#endif
