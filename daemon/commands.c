/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in JSON (docs/control-protocol.md). */
#include "daemon/sgd.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static const char *text_of(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

/* A user sees and handles what is their own; root everything. */
static bool may(const struct sgd_conn *c, const struct sgd_box *b)
{
	return c->peer.uid == 0 || (!b->attached && b->uid == c->peer.uid);
}

static json_t *describe(struct sgd_box *b, bool all)
{
	struct sg_session *s = &b->session;
	struct sg_err err = {0};
	struct sg_stats stats;
	int tasks;
	json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:s}", "id", s->id, "state",
			      b->phase == SGD_STARTING  ? "starting"
			      : b->phase == SGD_RUNNING ? "running"
							: "ending",
			      "attached", b->attached, "language", s->language, "mode",
			      b->launch.judge.audit ? "audit" : "enforce", "uid", (json_int_t)b->uid, "cgroup_id",
			      (json_int_t)s->cgroup_id, "pid", (json_int_t)b->launch.pid, "tier",
			      sg_tier_name(b->launch.tier));

	json_object_set_new(o, "cgroup", sg_json_text(b->launch.cg.rel));
	json_object_set_new(
		o, "age_ms",
		json_integer((json_int_t)((sg_clock_ns(CLOCK_MONOTONIC) - b->launch.started_ns) / 1000000)));
	tasks = sg_cgroup_processes(&b->launch.cg);
	json_object_set_new(o, "tasks", tasks < 0 ? json_null() : json_integer(tasks));
	json_object_set_new(o, "counts",
			    json_pack("{s:I, s:I, s:I, s:I}", "kill", (json_int_t)s->n_kill, "errno",
				      (json_int_t)s->n_errno, "audit", (json_int_t)s->n_audit, "limit",
				      (json_int_t)s->n_limit));
	if (*b->container)
		json_object_set_new(o, "container_id", sg_json_text(b->container));
	if (*s->label)
		json_object_set_new(o, "label", sg_json_text(s->label));
	if (!all)
		return o;
	json_object_set_new(o, "counting", json_boolean(b->options.stats));
	json_object_set_new(o, "policy",
			    json_pack("{s:s, s:o, s:s}", "name", s->language, "source", sg_json_text(s->policy_source),
				      "digest", s->policy_digest));
	json_object_set_new(o, "on_supervisor_death", json_string(b->keep || b->attached ? "keep" : "kill"));
	json_object_set_new(o, "detached", json_boolean(b->detached));
	json_object_set(o, "violation", s->killing ? s->killing : json_null());
	json_object_set(o, "reasons", s->reasons);
	json_object_set(o, "degraded", b->launch.degraded ? b->launch.degraded : s->reasons);
	if (b->launch.registered && sg_bpf_stats(b->d->bpf, b->launch.sandbox, &stats, &err) == 0)
		json_object_set_new(o, "stats",
				    json_pack("{s:I, s:I, s:I, s:I}", "total", (json_int_t)stats.total, "allowed",
					      (json_int_t)stats.allowed, "denied", (json_int_t)stats.denied,
					      "violations", (json_int_t)stats.violations));
	return o;
}

/* Small enough for a packet: what is too long in it is left out by name. Every number stays. */
static json_t *within_packet(json_t *sandbox)
{
	static const char *const long_ones[] = {"violation", "degraded", "reasons", "policy", "cgroup"};

	for (size_t i = 0; i < SG_ARRAY_SIZE(long_ones); i++) {
		const char *key = long_ones[i];

		if (json_dumpb(sandbox, NULL, 0, JSON_COMPACT) < SG_PROTO_PACKET_MAX - 256)
			break;
		if (!json_object_get(sandbox, "left_out"))
			json_object_set_new(sandbox, "left_out", json_array());
		json_array_append_new(json_object_get(sandbox, "left_out"), json_string(key));
		json_object_del(sandbox, key);
	}
	return sandbox;
}

/* By the caller's name for it, which another one may have, too: two engines each have a container "web". */
static bool is_container(const struct sgd_box *b, const char *container)
{
	return *container && !strcmp(b->container, container) && sg_cgroup_populated(&b->launch.cg) >= 0;
}

static int find(struct sgd_conn *c, const json_t *request, struct sgd_box **out, struct sg_err *err)
{
	const char *id = text_of(request, "id"), *container = text_of(request, "container_id");
	struct sgd_box *found = NULL;

	if (!id == !container)
		return sg_err_set(err, EINVAL, "say which sandbox: \"id\" or \"container_id\"");
	for (struct sgd_box *b = c->d->boxes; b; b = b->next) {
		if (b->phase == SGD_GONE || b->removals || !may(c, b) || (b->attached && b->phase == SGD_STARTING) ||
		    (id ? strcmp(b->session.id, id) != 0 : !is_container(b, container)))
			continue;
		if (found)
			return sg_err_set(err, ENOTUNIQ,
					  "sandboxes %s and %s have the container id %s both: say which one by its own "
					  "id",
					  b->session.id, found->session.id, container);
		found = b;
	}
	if (found) {
		*out = found;
		return 0;
	}
	/* The same answer for what is not there and for what is somebody else's. */
	return sg_err_set(err, ENOENT, "no sandbox %s", id ? id : container);
}

static json_t *ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

static int root_only(const struct sgd_conn *c, struct sg_err *err)
{
	return c->peer.uid == 0 ? 0 : sg_err_set(err, EPERM, "only root may do that");
}

struct call {
	struct sgd_conn *c;
	const json_t *request;
	int *fds;
	int n_fds;
};

static int op_list(struct call *k, json_t **answer, struct sg_err *err)
{
	bool all = json_is_true(json_object_get(k->request, "all"));
	json_int_t n = 0, left_out = 0;

	(void)err;
	for (struct sgd_box *b = k->c->d->boxes; b; b = b->next) {
		if (b->phase == SGD_GONE || b->removals || !may(k->c, b))
			continue;
		/* When one found no room the others are not even described. */
		if (!left_out && sgd_send_part(k->c, json_pack("{s:o}", "sandbox", within_packet(describe(b, all)))))
			n++;
		else
			left_out++;
	}
	*answer = json_pack("{s:b, s:I}", "ok", 1, "count", n);
	if (left_out)
		json_object_set_new(*answer, "left_out", json_integer(left_out));
	return 0;
}

/* Records come on the connection from now on, until the client closes it. */
static int op_tail(struct call *k, json_t **answer, struct sg_err *err)
{
	int rc = k->c->tail ? 0 : sgd_user_tails(k->c->user, err);

	if (rc)
		return rc;
	k->c->tail = true;
	k->c->since = 0;
	*answer = ok();
	return 0;
}

void sgd_publish(struct sgd_box *b, const char *json)
{
	for (struct sgd_conn *c = b->d->conns; c; c = c->next) {
		static const char head[] = "{\"v\":1,\"record\":";
		SG_FREE char *line = NULL;

		if (!c->tail || c->closing || !may(c, b))
			continue;
		if (c->lost) {
			char lost[64];
			int n = snprintf(lost, sizeof(lost), "{\"v\":1,\"lost\":%llu}", (unsigned long long)c->lost);

			if (!sgd_send(c, lost, (size_t)n, "", 0, false)) {
				c->lost++;
				continue;
			}
			c->lost = 0;
		}
		if (strlen(json) + sizeof(head) + 1 > SG_PROTO_PACKET_MAX || asprintf(&line, "%s}", json) < 0 ||
		    !sgd_send(c, head, sizeof(head) - 1, line, strlen(line), false))
			c->lost++;
	}
}

static int op_show(struct call *k, json_t **answer, struct sg_err *err)
{
	struct sgd_box *b;
	int rc = find(k->c, k->request, &b, err);

	if (!rc)
		*answer = json_pack("{s:b, s:o}", "ok", 1, "sandbox", within_packet(describe(b, true)));
	return rc;
}

static int op_kill(struct call *k, json_t **answer, struct sg_err *err)
{
	json_t *sig = json_object_get(k->request, "signal");
	struct sgd_box *b;
	int rc = find(k->c, k->request, &b, err);

	if (rc)
		return rc;
	if (sig && (!json_is_integer(sig) || json_integer_value(sig) < 1 || json_integer_value(sig) > 31))
		return sg_err_set(err, EINVAL, "\"signal\": a number from 1 to 31");
	if (sig && b->attached)
		return sg_err_set(err, EINVAL, "an attached sandbox has no first process: kill it, or detach it");
	if (sig && json_integer_value(sig) != 9)
		sgd_box_signal(b, (int)json_integer_value(sig));
	else
		sgd_box_kill(b);
	*answer = ok();
	return 0;
}

/* Without an answer for now where what the rules name is opened first. */
static int op_attach(struct call *k, json_t **answer, struct sg_err *err)
{
	struct sgd_box *b = NULL;
	bool later = false;
	int rc = root_only(k->c, err);

	if (!rc)
		rc = sgd_attach(k->c, k->request, k->fds, k->n_fds, &b, &later, err);
	if (!rc && !later)
		*answer = json_pack("{s:b, s:o}", "ok", 1, "sandbox", within_packet(describe(b, true)));
	return rc;
}

static int op_detach(struct call *k, json_t **answer, struct sg_err *err)
{
	struct sgd_box *b;
	int rc = root_only(k->c, err);

	if (!rc)
		rc = find(k->c, k->request, &b, err);
	if (!rc && !b->attached)
		rc = sg_err_set(err, EINVAL, "%s was launched: its filter cannot be taken off; kill it", b->session.id);
	if (rc)
		return rc;
	sgd_box_detach(b, "detached");
	*answer = ok();
	return 0;
}

/* A policy's text comes by a sealed memory file, as everything that is longer than a line. */
static int op_reload(struct call *k, json_t **answer, struct sg_err *err)
{
	const char *name = text_of(k->request, "name");
	json_t *changed = NULL;
	struct stat st;
	void *text;
	int seals, rc = root_only(k->c, err);

	if (rc)
		return rc;
	if (k->n_fds != 1 || !name)
		return sg_err_set(err, EINVAL, "\"reload\" takes a \"name\" and one descriptor");
	seals = fcntl(k->fds[0], F_GET_SEALS);
	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_WRITE)) != (F_SEAL_SHRINK | F_SEAL_WRITE) ||
	    fstat(k->fds[0], &st) < 0 || st.st_size < 1 || st.st_size > SG_POLICY_MAX_BYTES)
		return sg_err_set(err, EPROTO, "the policy did not come in a sealed memory file of at most %u bytes",
				  SG_POLICY_MAX_BYTES);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, k->fds[0], 0);
	if (text == MAP_FAILED)
		return sg_err_set(err, ENOMEM, "cannot map the policy: %s", strerror(errno));
	rc = sgd_reload(k->c->d, text, (size_t)st.st_size, name, &changed, err);
	munmap(text, (size_t)st.st_size);
	if (!rc)
		*answer = json_pack("{s:b, s:o}", "ok", 1, "changed", changed);
	return rc;
}

static int op_status(struct call *k, json_t **answer, struct sg_err *err)
{
	const struct sgd *d = k->c->d;
	json_int_t launched = 0, attached = 0, stuck = 0;
	uint64_t misses = 0, malformed = 0;

	for (const struct sgd_box *b = d->boxes; b; b = b->next) {
		launched += !b->attached && b->phase != SGD_GONE && !b->removals;
		attached += b->attached && b->phase != SGD_GONE;
		stuck += b->stuck && b->phase != SGD_GONE;
	}
	(void)sg_bpf_misses(d->bpf, &misses, &malformed, err);
	*answer = json_pack(
		"{s:b, s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"ok", 1, "version", SG_VERSION, "pid", (int)getpid(), "tier",
		sg_tier_name(d->lsm ? SG_TIER_LSM : SG_TIER_BPF), "no_lsm", d->no_lsm, "launched", launched, "attached",
		attached, "stuck", stuck, "sys_enter", d->sys_enter_users > 0, "launches",
		(json_int_t)d->count.launches, "repeated", (json_int_t)d->count.repeated, "failed",
		(json_int_t)d->count.failed, "attaches", (json_int_t)d->count.attaches, "adopted",
		(json_int_t)d->count.adopted, "reloads", (json_int_t)d->count.reloads, "refused",
		(json_int_t)d->count.refused, "log_lines", (json_int_t)d->log.lines, "log_lost",
		(json_int_t)d->log.lost, "orphan_records", (json_int_t)d->count.orphans, "skipped", (json_int_t)misses);
	return 0;
}

static json_t *refusal(struct sgd *d, int rc, const struct sg_err *err)
{
	char text[1200];

	d->count.refused++;
	sg_err_format(err, text, sizeof(text));
	return json_pack("{s:b, s:o, s:i}", "ok", 0, "error", sg_json_text(text), "errno", -rc);
}

void sgd_answer_attach(struct sgd_conn *c, struct sgd_box *b, int rc, const struct sg_err *err)
{
	(void)sgd_send_json(c, rc ? refusal(c->d, rc, err)
				  : json_pack("{s:b, s:o}", "ok", 1, "sandbox", within_packet(describe(b, true))));
	sgd_conn_resume(c);
}

void sgd_command(struct sgd_conn *c, const char *line, size_t size, int *fds, int n_fds)
{
	static const struct {
		const char *name;
		int (*fn)(struct call *k, json_t **answer, struct sg_err *err);
	} ops[] = {{"list", op_list},     {"show", op_show},     {"kill", op_kill},     {"attach", op_attach},
		   {"detach", op_detach}, {"reload", op_reload}, {"status", op_status}, {"tail", op_tail}};
	json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	struct call k = {.c = c, .request = request, .fds = fds, .n_fds = n_fds};
	const char *op = text_of(request, "op");
	struct sg_err err = {0};
	int rc = 0;
	size_t i;

	if (!json_is_object(request))
		rc = sg_err_set(&err, EPROTO, "not one JSON object");
	else if (json_integer_value(json_object_get(request, "v")) != SG_PROTO_VERSION)
		rc = sg_err_set(&err, EPROTO, "\"v\": this sgd speaks version %d of the protocol", SG_PROTO_VERSION);
	else if (!op)
		rc = sg_err_set(&err, EPROTO, "\"op\" is missing");
	for (i = 0; !rc && i < SG_ARRAY_SIZE(ops); i++) {
		if (!strcmp(op, ops[i].name)) {
			rc = ops[i].fn(&k, &answer, &err);
			break;
		}
	}
	if (!rc && i == SG_ARRAY_SIZE(ops))
		rc = sg_err_set(&err, EOPNOTSUPP, "this sgd does not know that \"op\"");
	if (rc)
		answer = refusal(c->d, rc, &err);
	json_decref(request);
	if (answer)
		(void)sgd_send_json(c, answer);
	else
		sgd_conn_resume(c); /* nothing is read from it until the answer is there */
}
