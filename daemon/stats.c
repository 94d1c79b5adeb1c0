/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sgd.h"

#include "supervisor/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define REST 20

static __u64 since(__u64 now, __u64 *before)
{
	__u64 n = now > *before ? now - *before : 0;

	*before = now;
	return n;
}

void sgd_stats_collect(struct sgd_box *b)
{
	struct sg_metrics *m = b->d->stats.metrics;
	const char *language = b->session.language;
	struct sg_err err = {0};
	struct sg_stats now;

	sg_metrics_add(m, SG_METRIC_LOST_STREAM, since(b->session.stream.dropped, &b->dropped_counted));
	if (!b->launch.registered || sg_bpf_stats(b->d->bpf, b->launch.sandbox, &now, &err) < 0)
		return;
	sg_metrics_syscalls(m, language, SG_METRIC_ALLOWED, since(now.allowed, &b->counted.allowed));
	sg_metrics_syscalls(m, language, SG_METRIC_DENIED, since(now.denied, &b->counted.denied));
	sg_metrics_syscalls(m, language, SG_METRIC_VIOLATION, since(now.violations, &b->counted.violations));
	sg_metrics_add(m, SG_METRIC_LOST_RING, since(now.events_dropped, &b->counted.events_dropped));
	sg_metrics_add(m, SG_METRIC_SIGNAL_FAILED, since(now.signal_failed, &b->counted.signal_failed));
	sg_metrics_add(m, SG_METRIC_HELPER_FAILED, since(now.helper_failed, &b->counted.helper_failed));
}

void sgd_stats_record(void *box, const json_t *record)
{
	struct sgd_box *b = box;
	struct sg_metrics *m = b->d->stats.metrics;
	const char *type = json_string_value(json_object_get(record, "type"));
	const char *action = json_string_value(json_object_get(record, "action"));
	const char *language = b->session.language;

	if (!type)
		return;
	if (!strcmp(type, "syscall_violation"))
		sg_metrics_violation(m, language, json_string_value(json_object_get(record, "syscall")));
	else if (!strcmp(type, "lsm_violation"))
		sg_metrics_object_violation(m, language, json_string_value(json_object_get(record, "class")));
	else if (!strcmp(type, "exit") &&
		 !strcmp(json_string_value(json_object_get(record, "integrity")) ?: "", "degraded"))
		sg_metrics_add(m, SG_METRIC_DEGRADED, 1);
	if (action && !strcmp(action, "kill") && !b->violation_ns)
		b->violation_ns = (uint64_t)json_integer_value(json_object_get(record, "timestamp"));
}

void sgd_stats_call(void *box, const struct sg_call *call, const char *name)
{
	struct sgd_box *b = box;

	if (call->forbidden)
		sg_metrics_violation(b->d->stats.metrics, b->session.language, name);
}

void sgd_stats_empty(struct sgd_box *b, uint64_t empty)
{
	if (b->violation_ns && empty > b->violation_ns)
		sg_metrics_kill_latency(b->d->stats.metrics, empty - b->violation_ns);
}

static char *collect(struct sgd *d, size_t *len)
{
	struct sg_metrics *m = d->stats.metrics;
	uint64_t misses = 0, malformed = 0, launched = 0, attached = 0;
	struct sg_err err = {0};

	sgd_drain(d);
	sg_metrics_processes_reset(m);
	for (struct sgd_box *b = d->boxes; b; b = b->next) {
		int n;

		if (b->phase == SGD_GONE || b->removals)
			continue;
		sgd_stats_collect(b);
		launched += !b->attached;
		attached += b->attached;
		n = sg_cgroup_processes(&b->launch.cg);
		sg_metrics_processes(m, b->session.language, n > 0 ? (uint64_t)n : 0);
	}
	(void)sg_bpf_misses(d->bpf, &misses, &malformed, &err);
	sg_metrics_set(m, SG_METRIC_SKIPPED, misses);
	sg_metrics_set(m, SG_METRIC_MALFORMED, malformed);
	sg_metrics_set(m, SG_METRIC_LOST_LOG, d->log.lost);
	sg_metrics_set(m, SG_METRIC_LAUNCHES, d->count.launches);
	sg_metrics_set(m, SG_METRIC_LAUNCHES_REPEATED, d->count.repeated);
	sg_metrics_set(m, SG_METRIC_LAUNCHES_FAILED, d->count.failed);
	sg_metrics_set(m, SG_METRIC_ATTACHES, d->count.attaches);
	sg_metrics_set(m, SG_METRIC_ADOPTED, d->count.adopted);
	sg_metrics_set(m, SG_METRIC_RELOADS, d->count.reloads);
	sg_metrics_set(m, SG_METRIC_RELOADS_FAILED, d->count.reloads_failed);
	sg_metrics_set(m, SG_METRIC_REFUSED, d->count.refused);
	sg_metrics_set(m, SG_METRIC_LAUNCHED, launched);
	sg_metrics_set(m, SG_METRIC_ATTACHED, attached);
	sg_metrics_set(m, SG_METRIC_SYS_ENTER_ATTACHED, d->sys_enter_users > 0);
	sg_metrics_set(m, SG_METRIC_LSM_ACTIVE, d->lsm);
	return sg_metrics_text(m, len);
}

/*
 * Whoever reaches the port may ask, as often as they like, and with many sandboxes an answer is work: it is given again
 * for REST times as long as it took, so that no more than a small part of the daemon's time goes into it.
 */
static char *text(void *ctx, size_t *len)
{
	struct sgd *d = ctx;
	struct sgd_stats *s = &d->stats;
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC), end;
	char *copy;

	if (!s->text || now >= s->fresh_until) {
		free(s->text);
		s->text = collect(d, &s->text_len);
		end = sg_clock_ns(CLOCK_MONOTONIC);
		s->fresh_until = end + REST * (end - now);
	}
	copy = s->text ? malloc(s->text_len + 1) : NULL;
	if (copy)
		memcpy(copy, s->text, s->text_len + 1);
	*len = s->text_len;
	return copy;
}

static bool ready(void *ctx, char *why, size_t size)
{
	const struct sgd *d = ctx;

	if (!d->stopping)
		return true;
	snprintf(why, size, "the daemon is ending");
	return false;
}

static void on_http(struct sgd_source *s, uint32_t events)
{
	struct sgd *d = s->owner;

	(void)events;
	sg_http_run(d->stats.http);
}

int sgd_stats_start(struct sgd *d, struct sg_err *err)
{
	const struct sg_http_handlers handlers = {.metrics = text, .ready = ready, .ctx = d};
	struct sgd_stats *s = &d->stats;
	int rc = sg_metrics_new(SG_VERSION, &s->metrics, err);

	s->src = (struct sgd_source){.fd = -1, .fn = on_http, .owner = d};
	if (rc || !d->o->metrics_port)
		return rc;
	rc = sg_http_start(&s->http, d->o->metrics_address, d->o->metrics_port, &handlers, err);
	/* An address that is none is a slip, and no port that happens to be taken. */
	if (rc && rc != -EINVAL && !d->o->metrics_asked) {
		fprintf(stderr, "sgd: no metrics: %s\n", err->message);
		sg_err_reset(err);
		return 0;
	}
	return rc ? rc : sgd_loop_set(&d->loop, &s->src, sg_http_fd(s->http), EPOLLIN);
}

void sgd_stats_stop(struct sgd *d)
{
	if (d->stats.http) {
		(void)sgd_loop_set(&d->loop, &d->stats.src, -1, 0);
		sg_http_stop(d->stats.http);
	}
	sg_metrics_free(d->stats.metrics);
	free(d->stats.text);
	d->stats = (struct sgd_stats){0};
}

int sgd_stats_time(struct sgd *d)
{
	int ms;

	if (!d->stats.http)
		return -1;
	ms = sg_http_timeout(d->stats.http);
	if (ms == 0) {
		sg_http_run(d->stats.http);
		ms = sg_http_timeout(d->stats.http);
	}
	return ms == 0 ? 1 : ms;
}
