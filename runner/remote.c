/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/remote.h"

#include "runner/again.h"
#include "runner/confine.h"
#include "runner/front.h"
#include "runner/monitor.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int sg_remote_connect(const struct sg_options *o, int *fd, char why[200], struct sg_err *err)
{
	bool any = !o->daemon || !strcmp(o->daemon, "auto");
	struct sg_err missing = {0};
	int rc;

	*fd = -1;
	why[0] = '\0';
	/* The tier that is asked for needs nothing that a daemon has. */
	if (any && (o->tier == SG_TIER_UNPRIVILEGED || o->solo))
		return 1;
	if (o->daemon && !strcmp(o->daemon, "off"))
		return 1;
	/* It was asked already, on a connection made by the same rule. */
	if (sg_front.asked) {
		*fd = SG_TAKE_FD(sg_front.fd);
		sg_front.asked = false;
		return 0;
	}
	rc = sg_client_connect(any ? NULL : o->daemon, fd, any ? &missing : err);
	if (!rc || !any)
		return rc;
	if (rc != -ENOENT)
		snprintf(why, 200, "%s", missing.message);
	return 1;
}

/* ---- the answers ---- */

struct remote {
	int fd;
	const struct sg_options *options;
	const char *path; /* of the program, for messages */
	struct sg_stream *stream;
	struct sg_signals signals;
	bool done, alone; /* over; nothing ran and the caller may do it by itself */
	int status;
	char *buf; /* of SG_PROTO_PACKET_MAX */
	char *why; /* of 200 bytes */
};

int sg_remote_answer(int fd, char *buf, int flags, struct sg_answer *a, struct sg_err *err)
{
	const struct sg_wire_text *m = (const struct sg_wire_text *)buf;
	ssize_t n = sg_client_receive(fd, buf, SG_PROTO_PACKET_MAX, flags);

	if (n == -EAGAIN)
		return 1;
	if (n <= 0)
		return sg_err_set(err, n && n != -ECONNRESET ? (int)-n : EPIPE, "the connection to sgd broke");
	/* Who is refused before the first launch message is told so in JSON. */
	if (buf[0] == '{') {
		json_t *o = json_loadb(buf, (size_t)n, 0, NULL);
		const char *said = json_string_value(json_object_get(o, "error"));

		(void)sg_err_set(err, EACCES, "sgd refuses: %s", said ? said : "no reason given");
		json_decref(o);
		return -err->code;
	}
	if ((size_t)n < sizeof(*m) || m->hdr.magic != SG_PROTO_MAGIC || m->hdr.size != (size_t)n)
		return sg_err_set(err, EPROTO, "sgd's answer is none; is it of another version?");
	*a = (struct sg_answer){.type = m->hdr.type,
				.number = m->number,
				.text = buf + sizeof(*m),
				.len = (int)((size_t)n - sizeof(*m))};
	return 0;
}

/* In a text of JSON no other place looks like these: quotes within strings are escaped. */
static bool has(const struct sg_answer *a, const char *what)
{
	return memmem(a->text, (size_t)a->len, what, strlen(what));
}

void sg_remote_record(struct sg_stream *stream, const struct sg_answer *a)
{
	/* An exit has the action of the violation that killed. */
	bool ordinary = has(a, "\"action\":\"audit\"") || has(a, "\"action\":\"errno\"");

	(void)sg_stream_line(stream, a->text, (size_t)a->len, !ordinary);
}

static int take(struct remote *r, const struct sg_answer *a, struct sg_err *err)
{
	switch (a->type) {
	case SG_WIRE_RECORD:
		sg_remote_record(r->stream, a);
		return 0;
	case SG_WIRE_STARTED:
		printf("%.*s\n", a->len, a->text);
		r->done = true;
		r->status = 0;
		return 0;
	case SG_WIRE_RESULT:
		r->done = true;
		r->status = (int)a->number;
		if (a->len)
			fprintf(stderr, "sgrun: cannot run %s: %.*s\n", r->path, a->len, a->text);
		return 0;
	case SG_WIRE_FAILED:
		r->status = (int)a->number;
		if (!a->number) {
			r->done = r->alone = true;
			snprintf(r->why, 200, "%.*s", a->len, a->text);
			return 0;
		}
		return sg_err_set(err, ECANCELED, "%.*s", a->len, a->text);
	default:
		return 0; /* of a later version */
	}
}

void sg_remote_say(int fd, uint16_t type, uint32_t number)
{
	struct sg_wire_number m = {
		.hdr = {.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = type, .size = sizeof(m)},
		.number = number};

	(void)sg_client_send(fd, &(struct iovec){.iov_base = &m, .iov_len = sizeof(m)}, 1, NULL, 0);
}

static void pass_signals(struct remote *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals.fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		sg_remote_say(r->fd, SG_WIRE_SIGNAL, si.ssi_signo);
}

/* All that is there. */
static int take_packets(struct remote *r, struct sg_err *err)
{
	struct sg_answer a;
	int rc = 0;

	while (!rc && !r->done) {
		rc = sg_remote_answer(r->fd, r->buf, MSG_DONTWAIT, &a, err);
		if (rc == 1)
			return 0;
		if (rc == -EPIPE) {
			sg_err_reset(err);
			rc = sg_err_set(err, EPIPE, "the connection to sgd broke%s",
					r->options->keep ? "; the sandbox goes on" : ", and with it the sandbox ended");
		}
		if (!rc)
			rc = take(r, &a, err);
	}
	return rc;
}

static int loop(struct remote *r, struct sg_err *err)
{
	int cancel = r->options->cancel ? r->options->cancel_fd : -1;

	while (!r->done) {
		struct pollfd p[] = {{.fd = r->fd, .events = POLLIN},
				     {.fd = r->signals.fd, .events = POLLIN},
				     {.fd = sg_stream_wait_fd(r->stream), .events = POLLOUT},
				     {.fd = cancel, .events = POLLIN | POLLRDHUP}};
		int rc;

		if (poll(p, SG_ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return sg_err_set(err, errno, "poll: %s", strerror(errno));
		if (p[1].revents)
			pass_signals(r);
		if (p[2].revents)
			sg_stream_pump(r->stream);
		if (p[3].revents) {
			cancel = -1;
			sg_remote_say(r->fd, SG_WIRE_CANCEL, 0);
		}
		if (!p[0].revents)
			continue;
		sg_stream_hold(r->stream, true);
		rc = take_packets(r, err);
		sg_stream_hold(r->stream, false);
		if (rc)
			return rc;
	}
	return 0;
}

/* The best tier that the daemon has. */
static int ask_tier(int fd, char *buf, enum sg_tier *tier, struct sg_err *err)
{
	struct sg_answer a;
	int rc;

	sg_remote_say(fd, SG_WIRE_ASK, 0);
	rc = sg_remote_answer(fd, buf, 0, &a, err);
	if (rc)
		return rc;
	if (a.type == SG_WIRE_FAILED)
		return sg_err_set(err, ECANCELED, "%.*s", a.len, a.text);
	if (a.type != SG_WIRE_TIER)
		return sg_err_set(err, EPROTO, "sgd's answer is none; is it of another version?");
	*tier = a.number;
	return 0;
}

uint32_t sg_remote_flags(const struct sg_options *o, const struct sg_stream *stream)
{
	return (o->audit ? SG_WIRE_AUDIT : 0) | (o->stats ? SG_WIRE_STATS : 0) | (o->seccomp ? 0 : SG_WIRE_NO_SECCOMP) |
	       (o->detach ? SG_WIRE_DETACH : 0) | (o->keep ? SG_WIRE_KEEP : 0) |
	       (o->require_limits ? SG_WIRE_REQUIRE_LIMITS : 0) | (stream->terminal ? SG_WIRE_HUMAN : 0) |
	       (stream->fd < 0 ? SG_WIRE_QUIET : 0);
}

int sg_remote_tier(const struct sg_options *o, int fd, char *buf, enum sg_tier *tier, char why[200], struct sg_err *err)
{
	int rc = 0;

	*tier = SG_TIER_BPF;
	if (o->tier != SG_TIER_BPF)
		rc = ask_tier(fd, buf, tier, err);
	if (rc || *tier == SG_TIER_LSM || (o->tier != SG_TIER_LSM && o->require != SG_TIER_LSM) ||
	    (o->daemon && strcmp(o->daemon, "auto")))
		return rc;
	snprintf(why, 200, "it has no lsm tier");
	return 1;
}

int sg_remote_prepare(struct sg_launch *l, struct sg_plan *plan, enum sg_tier tier, struct sg_err *err)
{
	static struct sg_session none = {.stream.fd = -1};
	const struct sg_options *o = plan->options;

	/*
	 * The ruleset is made here: its rules name files, and who else should open what the caller names. It serves the
	 * caller alone; what protects others from the program does not rest on it.
	 */
	sg_launch_init(l, plan, &none);
	l->tier = tier;
	l->filter = o->seccomp && !o->audit;
	/* In the lsm tier it is the places that are opened here, for the same reason. */
	if (tier == SG_TIER_LSM)
		return sg_places_open(&l->places, plan->trees, plan->n_trees, &plan->vars, err);
	return sg_launch_confine(l, err);
}

static int run(struct remote *r, struct sg_launch *l, struct sg_err *err)
{
	const struct sg_options *o = r->options;
	struct sg_request q;
	int rc = sg_signals_take(&r->signals, err);

	if (rc)
		return rc;
	rc = sg_request_make(&q, l, sg_remote_flags(o, r->stream), &r->signals, err);
	if (!rc && sg_front.wanted)
		sg_again_remember(r->fd, &q);
	if (!rc)
		rc = sg_request_send(&q, r->fd, (const int[3]){0, 1, 2}, o->label, err);
	sg_request_free(&q);
	return rc ? rc : loop(r, err);
}

int sg_remote_run(int fd, struct sg_plan *plan, struct sg_stream *stream, int *status, char why[200],
		  struct sg_err *err)
{
	struct remote r = {.fd = fd,
			   .options = plan->options,
			   .path = plan->path,
			   .stream = stream,
			   .why = why,
			   .status = SG_EXIT_FAILED,
			   .signals.fd = -1};
	struct sg_launch l;
	enum sg_tier tier;
	int rc;

	r.buf = malloc(SG_PROTO_PACKET_MAX);
	rc = r.buf ? sg_remote_tier(plan->options, fd, r.buf, &tier, why, err)
		   : sg_err_set(err, ENOMEM, "out of memory");
	if (!rc) {
		rc = sg_remote_prepare(&l, plan, tier, err);
		if (!rc)
			rc = run(&r, &l, err);
		sg_finish_stream(stream);
		sg_launch_release(&l);
	}
	if (!rc && r.alone)
		rc = 1;
	if (rc)
		sg_signals_give_back(&r.signals);
	*status = r.status;
	free(r.buf);
	return rc;
}

/* The message that was not dealt with, but for what of it was written. */
static int take_front(struct remote *r, struct sg_err *err)
{
	const struct sg_wire_text *m = (const struct sg_wire_text *)(void *)sg_front.packet;
	struct sg_answer a = {.type = m->hdr.type, .number = m->number, .text = sg_front.packet + sizeof(*m)};

	if (sg_front.size < sizeof(*m))
		return 0;
	a.len = (int)(sg_front.size - sizeof(*m));
	if (!sg_front.done)
		return take(r, &a, err);
	/* Its line feed comes with the rest. */
	(void)sg_stream_line(r->stream, a.text + sg_front.done, (size_t)a.len - sg_front.done, true);
	return 0;
}

int sg_remote_resume(const struct sg_options *o, struct sg_stream *stream, int *status, struct sg_err *err)
{
	char why[200] = "";
	struct remote r = {.fd = sg_front.fd,
			   .options = o,
			   .path = o->argv[0],
			   .stream = stream,
			   .why = why,
			   .status = SG_EXIT_FAILED,
			   .signals.fd = sg_front.signals};
	int rc;

	r.buf = malloc(SG_PROTO_PACKET_MAX);
	rc = r.buf ? take_front(&r, err) : sg_err_set(err, ENOMEM, "out of memory");
	if (!rc)
		rc = loop(&r, err);
	sg_finish_stream(stream);
	*status = r.status;
	free(r.buf);
	return rc;
}
