/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/session.h"

#include "policy/decode.h"
#include "policy/seccomp.h"
#include "supervisor/call_line.h"
#include "supervisor/human.h"
#include "supervisor/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

const char *sg_tier_name(enum sg_tier tier)
{
	switch (tier) {
	case SG_TIER_LSM:
		return "lsm";
	case SG_TIER_BPF:
		return "bpf";
	case SG_TIER_UNPRIVILEGED:
		return "unprivileged";
	}
	return "none";
}

bool sg_label_usable(const char *text)
{
	char plain[SG_LABEL_MAX + 1];
	size_t n = strlen(text);
	json_t *t;

	if (!n || n > SG_LABEL_MAX)
		return false;
	memcpy(plain, text, n + 1);
	sg_text_plain(plain);
	if (strcmp(plain, text) != 0)
		return false;
	t = json_string(text); /* NULL for what is not UTF-8 */
	json_decref(t);
	return t;
}

int sg_session_init(struct sg_session *s, const char *id, struct sg_err *err)
{
	unsigned seed = 0;

	/* jansson would open and read /dev/urandom for it */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed) && seed)
		json_object_seed(seed);
	memset(s, 0, sizeof(*s));
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->realtime_offset = (int64_t)sg_clock_ns(CLOCK_REALTIME) - (int64_t)sg_clock_ns(CLOCK_BOOTTIME);
	s->reasons = json_array();
	s->stream.fd = -1;
	return s->reasons ? 0 : sg_err_set(err, ENOMEM, "out of memory");
}

int sg_session_open(struct sg_session *s, const char *id, const char *verdicts, struct sg_err *err)
{
	int rc = sg_session_init(s, id, err);

	if (rc)
		return rc;
	if (sg_stream_open(&s->stream, verdicts, err) < 0) {
		json_decref(s->reasons);
		s->reasons = NULL;
		return -err->code;
	}
	s->human = s->stream.terminal;
	return 0;
}

void sg_session_close(struct sg_session *s)
{
	sg_stream_close(&s->stream);
	json_decref(s->killing);
	json_decref(s->reasons);
	s->killing = s->reasons = NULL;
	sg_call_line_free(s->line);
	s->line = NULL;
	if (!s->policy_shared)
		sg_policy_free(s->policy);
	sg_policy_free(s->then);
	s->policy = s->then = NULL;
}

const struct sg_policy *sg_session_policy(struct sg_session *s, struct sg_err *err)
{
	if (!s->policy && sg_policy_resolve_widened(NULL, s->language, s->widen, &s->policy, err) < 0)
		s->policy = NULL;
	return s->policy;
}

json_t *sg_session_record(struct sg_session *s, const char *type, const char *level, uint64_t time_ns)
{
	json_t *r = json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "timestamp", (json_int_t)time_ns, "level", level,
			      "type", type, "sandbox", s->id, "cgroup_id", (json_int_t)s->cgroup_id, "language",
			      s->language ? s->language : "unknown");

	if (r && s->label[0])
		json_object_set_new(r, "label", sg_json_text(s->label));
	if (r && s->seq)
		json_object_set_new(r, "seq", json_integer((json_int_t)s->seq));
	return r;
}

static void emit(struct sg_session *s, json_t *record, bool essential)
{
	SG_FREE char *line = NULL;

	if (!record) {
		s->stream.dropped++;
		return;
	}
	if (s->seen)
		s->seen(s->sink_ctx, record);
	if (s->sink) {
		SG_FREE char *human = s->human ? sg_human_line(record) : NULL;

		line = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
		if (line)
			s->sink(s->sink_ctx, line, human, essential);
		return;
	}
	line = s->human ? sg_human_line(record) : json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
	if (line)
		(void)sg_stream_line(&s->stream, line, strlen(line), essential);
	else
		s->stream.dropped++;
}

void sg_session_degrade(struct sg_session *s, const char *fmt, ...)
{
	char text[512];
	size_t i;
	json_t *have;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_foreach(s->reasons, i, have) if (!strcmp(json_string_value(have), text)) return;
	json_array_append_new(s->reasons, sg_json_text(text));
}

/* The record stays small enough for any queue, whatever the arguments are: what comes after this many bytes is counted.
 */
#define ARGV_BYTES (128U << 10)

static void add_argv(json_t *record, char *const *argv, size_t max)
{
	json_t *list = json_array();
	size_t used = 0, omitted = 0;

	for (size_t i = 0; argv[i]; i++) {
		size_t n = strlen(argv[i]) + 1;

		if (omitted || n > max - used) {
			omitted++;
			continue;
		}
		used += n;
		json_array_append_new(list, sg_json_text(argv[i]));
	}
	json_object_set_new(record, "argv", list);
	if (omitted)
		json_object_set_new(record, "argv_omitted", json_integer((json_int_t)omitted));
}

static json_t *limits_json(const struct sg_limits *l)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"pids", l->pids},     {"open_files", l->open_files}, {"file_size", l->file_size},
		    {"stack", l->stack},   {"cpu_time_ms", l->cpu_time},  {"wall_time_ms", l->wall_time},
		    {"memory", l->memory}, {"output", l->output},         {"millicpus", l->cpus}};
	json_t *o = json_object();

	for (size_t i = 0; i < SG_ARRAY_SIZE(rows); i++)
		if (rows[i].value)
			json_object_set_new(o, rows[i].name, json_integer((json_int_t)rows[i].value));
	return o;
}

static json_t *policy_json(const struct sg_session *s)
{
	json_t *o = json_pack("{s:s, s:o, s:s}", "name", s->language, "source", sg_json_text(s->policy_source),
			      "digest", s->policy_digest);
	json_t *list;

	if (!s->widened || !s->widened[0])
		return o;
	list = json_array();
	for (size_t i = 0; s->widened[i]; i++)
		json_array_append_new(list, sg_json_text(s->widened[i]));
	json_object_set_new(o, "widened", list);
	return o;
}

void sg_session_start(struct sg_session *s, const struct sg_start *start)
{
	json_t *r = sg_session_record(s, "start", "info", start->time_ns);
	json_t *layers = json_array();

	for (size_t i = 0; start->layers[i]; i++)
		json_array_append_new(layers, json_string(start->layers[i]));
	json_object_set_new(r, "version", json_integer(SG_STREAM_VERSION));
	json_object_set_new(r, "tier", json_string(sg_tier_name(start->tier)));
	json_object_set_new(r, "mode", json_string(start->mode));
	json_object_set_new(r, "layers", layers);
	json_object_set_new(r, "policy", policy_json(s));
	json_object_set_new(r, "limits", limits_json(start->limits));
	if (start->limit_mechanisms)
		json_object_set(r, "limit_mechanisms", start->limit_mechanisms);
	add_argv(r, start->argv, s->argv_bytes ? s->argv_bytes : ARGV_BYTES);
	json_object_set_new(r, "pid", json_integer(start->pid));
	json_object_set(r, "degraded", start->degraded);
	if (json_array_size(start->not_enforced))
		json_object_set(r, "not_enforced", start->not_enforced);
	emit(s, r, true);
	json_decref(r);
}

static void decode_one(void *ctx, const char *name, const char *value)
{
	json_object_set_new(ctx, name, sg_json_text(value));
}

const char *sg_session_action(uint16_t action)
{
	return action == SG_ACTION_KILL ? "kill" : action == SG_ACTION_ERRNO ? "errno" : "audit";
}

json_t *sg_session_rule(const struct sg_policy *p, uint32_t origin)
{
	const struct sg_origin *o = p ? sg_policy_origin(p, origin) : NULL;

	if (!o)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:i, s:i}", "list", o->list, "text", sg_json_text(o->text), "file",
			 sg_json_text(o->file), "line", (int)o->line, "column", (int)o->column);
}

static void count(struct sg_session *s, uint16_t action)
{
	if (action == SG_ACTION_KILL)
		s->n_kill++;
	else if (action == SG_ACTION_ERRNO)
		s->n_errno++;
	else
		s->n_audit++;
}

void sg_session_take(struct sg_session *s, json_t *r, uint16_t action)
{
	count(s, action);
	if (action == SG_ACTION_KILL && !s->killing)
		s->killing = json_incref(r);
	emit(s, r, action == SG_ACTION_KILL && s->n_kill < 8);
	json_decref(r);
}

json_t *sg_session_call_record(struct sg_session *s, const struct sg_call *c, const struct sg_policy *p)
{
	json_t *r = sg_session_record(s, c->forbidden ? "syscall_violation" : "audit",
				      c->forbidden ? "warning" : "info", c->time_ns);
	json_t *args = json_array(), *decoded = json_object();
	struct sg_err err = {0};
	SG_FREE char *hint = NULL;
	char name[64];

	sg_syscall_name(c->audit_arch, c->nr, name, sizeof(name));
	for (size_t i = 0; i < SG_ARGS; i++)
		json_array_append_new(args, json_integer((json_int_t)c->args[i]));
	(void)sg_decode_args(c->audit_arch, c->nr, c->args, decode_one, decoded);
	json_object_set_new(r, "pid", json_integer(c->pid));
	json_object_set_new(r, "tgid", json_integer(c->tgid));
	json_object_set_new(r, "uid", json_integer(c->uid));
	json_object_set_new(r, "comm", sg_json_text(c->comm));
	json_object_set_new(r, "syscall", json_string(name));
	json_object_set_new(r, "syscall_nr", json_integer((json_int_t)c->nr));
	json_object_set_new(r, "args", args);
	json_object_set_new(r, "abi", json_string(sg_abi_name(c->audit_arch, c->nr)));
	json_object_set_new(r, "layer", json_string(c->layer));
	json_object_set_new(r, "rule", sg_session_rule(p, c->origin));
	json_object_set_new(r, "action", json_string(sg_session_action(c->action)));
	if (c->action == SG_ACTION_ERRNO)
		json_object_set_new(r, "errno", json_integer(c->err));
	json_object_set_new(r, "prevented", json_boolean(c->prevented));
	json_object_set_new(r, "decoded", decoded);
	if (c->forbidden) {
		if (p)
			(void)sg_policy_hint(p, c->audit_arch, c->nr, c->args, &hint, &err);
		json_object_set_new(r, "hint", hint ? sg_json_text(hint) : json_null());
	}
	return r;
}

/* Of a record that comes by the hundred thousand no tree is built. */
static void call_line(struct sg_session *s, const struct sg_call *c, const struct sg_policy *p)
{
	const char *name = NULL, *line;
	size_t len = 0;

	line = sg_call_line(&s->line, s, c, p, &name, &len);
	count(s, c->action);
	if (!line) {
		s->stream.dropped++;
		return;
	}
	if (s->seen_call)
		s->seen_call(s->sink_ctx, c, name);
	if (s->sink)
		s->sink(s->sink_ctx, line, NULL, false);
	else
		(void)sg_stream_line(&s->stream, line, len, false);
}

void sg_session_call(struct sg_session *s, const struct sg_call *c)
{
	struct sg_err err = {0};
	const struct sg_policy *p = c->policy ? c->policy : sg_session_policy(s, &err);

	if (c->action != SG_ACTION_KILL && !s->human && (!s->seen || s->seen_call))
		call_line(s, c, p);
	else
		sg_session_take(s, sg_session_call_record(s, c, p), c->action);
}

void sg_session_phase(struct sg_session *s, pid_t pid)
{
	json_t *r = sg_session_record(s, "phase", "info", sg_clock_ns(CLOCK_REALTIME));

	json_object_set_new(r, "pid", json_integer(pid));
	json_object_set_new(r, "policy", json_string(sg_policy_name(s->then)));
	json_object_set_new(r, "digest", json_string(sg_policy_digest(s->then)));
	emit(s, r, true);
	json_decref(r);
}

void sg_session_limit(struct sg_session *s, const char *limit, uint64_t value)
{
	json_t *r;

	/* A program that runs into a limit again and again must not fill the stream; the one that ends it comes once.
	 */
	if (s->n_limit++ >= 16 && s->limit != limit)
		return;
	r = sg_session_record(s, "limit", "warning", sg_clock_ns(CLOCK_REALTIME));
	json_object_set_new(r, "limit", json_string(limit));
	json_object_set_new(r, "value", json_integer((json_int_t)value));
	emit(s, r, true);
	json_decref(r);
}

void sg_session_limits(struct sg_session *s, const char *limit, uint64_t value, uint64_t times)
{
	sg_session_limit(s, limit, value);
	s->n_limit += times - 1;
}

void sg_session_lost(struct sg_session *s, const char *what, uint64_t count)
{
	json_t *r = sg_session_record(s, "lost", "error", sg_clock_ns(CLOCK_REALTIME));

	json_object_set_new(r, "what", json_string(what));
	json_object_set_new(r, "count", json_integer((json_int_t)count));
	emit(s, r, true);
	json_decref(r);
	sg_session_degrade(s, "%llu records lost: %s", (unsigned long long)count, what);
}

void sg_session_exit(struct sg_session *s, const struct sg_result *res)
{
	json_t *r;

	sg_stream_pump(&s->stream);
	if (s->stream.dropped && !s->stream.broken)
		sg_session_lost(s, "stream", s->stream.dropped);
	r = sg_session_record(s, "exit", strcmp(res->verdict, "ok") ? "warning" : "info", sg_clock_ns(CLOCK_REALTIME));
	json_object_set_new(r, "verdict", json_string(res->verdict));
	if (res->exit_code >= 0)
		json_object_set_new(r, "exit_code", json_integer(res->exit_code));
	if (res->signal)
		json_object_set_new(r, "signal", json_integer(res->signal));
	if (s->limit)
		json_object_set_new(r, "limit", json_string(s->limit));
	/* Of a normal end or a violation the caller's wish was not the cause. */
	if (s->cancelled && res->signal && !strcmp(res->verdict, "signal"))
		json_object_set_new(r, "cancelled", json_true());
	if (res->error)
		json_object_set_new(r, "error", sg_json_text(res->error));
	json_object_set_new(r, "wall_ms", json_real((double)res->wall_ns / 1e6));
	json_object_set_new(r, "cpu_ms", json_real((double)res->cpu_ns / 1e6));
	json_object_set_new(r, "user_ms", json_real((double)res->user_ns / 1e6));
	json_object_set_new(r, "system_ms", json_real((double)res->system_ns / 1e6));
	json_object_set_new(r, "peak_memory",
			    res->peak_memory ? json_integer((json_int_t)res->peak_memory) : json_null());
	json_object_set_new(r, "peak_pids", res->peak_pids ? json_integer((json_int_t)res->peak_pids) : json_null());
	json_object_set_new(r, "output_bytes", res->output_bytes >= 0 ? json_integer(res->output_bytes) : json_null());
	json_object_set_new(r, "counts",
			    json_pack("{s:I, s:I, s:I, s:I}", "kill", (json_int_t)s->n_kill, "errno",
				      (json_int_t)s->n_errno, "audit", (json_int_t)s->n_audit, "limit",
				      (json_int_t)s->n_limit));
	if (res->stats)
		json_object_set(r, "stats", res->stats);
	json_object_set(r, "violation", s->killing ? s->killing : json_null());
	json_object_set_new(r, "integrity", json_string(json_array_size(s->reasons) ? "degraded" : "complete"));
	json_object_set(r, "reasons", s->reasons);
	emit(s, r, true);
	json_decref(r);
}
