/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/closer.h"
#include "daemon/sgd.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define CONNS_MAX 8192
#define CONNS_OF_ROOT 64           /* of these, so that there is a way in when users have taken all others */
#define QUEUE_MAX (512U << 10)     /* bytes that wait for a client that does not read */
#define QUEUE_RESERVE (192U << 10) /* on top, for what must not be lost */
#define SILENCE_NS 10000000000ULL  /* until the first request */
#define FINISH_NS 2000000000ULL    /* for a client to take what is left */
#define REST_NS 100000000ULL       /* of the listener, when there is no descriptor for who connects */
#define REST_SAY_NS 60000000000ULL /* how often that is said */
#define UNCLOSED_MAX 1024          /* descriptors that came from a user and make the one who closes them wait */

/* ---- sending ---- */

static void drop_queue(struct sgd_conn *c)
{
	while (c->first) {
		struct sgd_packet *p = c->first;

		c->first = p->next;
		free(p);
	}
	c->last = NULL;
	c->user->queued -= c->queued;
	c->queued = 0;
}

static void listen_to(struct sgd_conn *c)
{
	uint32_t events = (c->closing || c->opener || c->held ? 0 : (uint32_t)EPOLLIN) |
			  (c->first ? (uint32_t)EPOLLOUT : 0) | (uint32_t)EPOLLRDHUP;

	(void)sgd_loop_set(&c->d->loop, &c->src, c->src.fd, events);
}

static void hang_up(struct sgd_conn *c)
{
	drop_queue(c);
	c->closing = true;
	c->since = 1; /* long ago: freed at the end of this turn */
	sgd_deadline(c->d, c->since);
}

static void flush(struct sgd_conn *c)
{
	while (c->first) {
		struct sgd_packet *p = c->first;

		if (send(c->src.fd, p->data, p->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
				return;
			hang_up(c);
			return;
		}
		c->first = p->next;
		c->queued -= p->size;
		c->user->queued -= p->size;
		if (!c->first)
			c->last = NULL;
		free(p);
	}
	if (c->closing)
		hang_up(c);
}

bool sgd_send(struct sgd_conn *c, const void *head, size_t head_size, const void *text, size_t text_size,
	      bool essential)
{
	struct iovec iov[2] = {{.iov_base = (void *)head, .iov_len = head_size},
			       {.iov_base = (void *)text, .iov_len = text_size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	size_t size = head_size + text_size;
	struct sgd_packet *p;

	if (c->since == 1 && c->closing)
		return false;
	if (!c->first) {
		if (sendmsg(c->src.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			hang_up(c);
			return false;
		}
	}
	if (c->queued + size > QUEUE_MAX + (essential ? QUEUE_RESERVE : 0) ||
	    !sgd_user_may_queue(c->user, size, essential))
		return false;
	p = malloc(sizeof(*p) + size);
	if (!p)
		return false;
	*p = (struct sgd_packet){.size = size};
	memcpy(p->data, head, head_size);
	memcpy(p->data + head_size, text, text_size);
	if (c->last)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	c->queued += size;
	c->user->queued += size;
	listen_to(c);
	return true;
}

void sgd_conn_resume(struct sgd_conn *c)
{
	listen_to(c);
}

bool sgd_send_text(struct sgd_conn *c, uint16_t type, uint32_t number, const char *text, size_t size, bool essential)
{
	struct sg_wire_text m = {.hdr = {.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = type},
				 .number = number};

	if (size > SG_PROTO_PACKET_MAX - sizeof(m))
		size = SG_PROTO_PACKET_MAX - sizeof(m);
	m.hdr.size = (uint32_t)(sizeof(m) + size);
	return sgd_send(c, &m, sizeof(m), text, size, essential);
}

static bool send_json(struct sgd_conn *c, json_t *o, bool essential)
{
	SG_FREE char *line = NULL;

	json_object_set_new(o, "v", json_integer(SG_PROTO_VERSION));
	line = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(o);
	return line && strlen(line) <= SG_PROTO_PACKET_MAX && sgd_send(c, line, strlen(line), "", 0, essential);
}

bool sgd_send_json(struct sgd_conn *c, json_t *o)
{
	bool sent = send_json(c, o, true);

	/* An answer with a hole in it is none. */
	if (!sent)
		hang_up(c);
	return sent;
}

bool sgd_send_part(struct sgd_conn *c, json_t *o)
{
	return send_json(c, o, false);
}

void sgd_conn_finish(struct sgd_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	if (!c->first) {
		hang_up(c);
		return;
	}
	c->since = sg_clock_ns(CLOCK_MONOTONIC);
	listen_to(c);
	sgd_deadline(c->d, c->since + FINISH_NS);
}

void sgd_conn_free(struct sgd_conn *c)
{
	struct sgd *d = c->d;
	int fd = c->src.fd;

	if (c->box) {
		struct sgd_box *b = c->box;

		c->box = NULL;
		b->conn = NULL;
		/* Who does not wait for the result any more does not want it. */
		if (!b->detached && b->phase != SGD_GONE) {
			b->session.cancelled = true;
			sg_watch_stop(&b->watch);
		}
	}
	sgd_opener_forget(c);
	sgd_again_forget(c);
	(void)sgd_loop_set(&d->loop, &c->src, -1, 0);
	sgd_let_go_conn(fd);
	sgd_peer_close(&c->peer);
	drop_queue(c);
	c->user->tails -= c->tail;
	sgd_user_put(&d->users, c->user);
	if (c->prev)
		c->prev->next = c->next;
	else
		d->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	d->n_conns--;
	free(c);
}

/* A listener with somebody waiting is readable all the time: without a descriptor for who waits we would only turn. */
static void rest(struct sgd *d, int code)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	(void)sgd_loop_set(&d->loop, &d->listener, -1, 0);
	d->rest_until = now + REST_NS;
	sgd_deadline(d, d->rest_until);
	if (d->rest_said && now < d->rest_said + REST_SAY_NS)
		return;
	d->rest_said = now;
	fprintf(stderr, "sgd: no room for another connection: %s; who connects waits\n", strerror(code));
}

static void rested(struct sgd *d, uint64_t now)
{
	if (!d->rest_until)
		return;
	if (now >= d->rest_until)
		d->rest_until = sgd_loop_set(&d->loop, &d->listener, d->listen_fd, EPOLLIN) == 0 ? 0 : now + REST_NS;
	sgd_deadline(d, d->rest_until);
}

/* A message may carry more of them, and with it they would be ours to close. */
static bool may_read(const struct sgd_conn *c)
{
	return c->peer.uid == 0 || sgd_let_go_waiting(c->peer.uid) < UNCLOSED_MAX;
}

static void hold(struct sgd_conn *c, uint64_t now)
{
	bool held = !may_read(c);

	if (held != c->held) {
		c->held = held;
		listen_to(c);
	}
	if (held)
		sgd_deadline(c->d, now + REST_NS);
}

void sgd_conns_time(struct sgd *d, uint64_t now)
{
	struct sgd_conn *next;

	rested(d, now);

	for (struct sgd_conn *c = d->conns; c; c = next) {
		uint64_t end = c->since + (c->closing ? FINISH_NS : SILENCE_NS);

		next = c->next;
		if (c->held)
			hold(c, now);
		if (!c->since)
			continue;
		if (c->since == 1 || now >= end)
			sgd_conn_free(c);
		else
			sgd_deadline(d, end);
	}
}

/* ---- receiving ---- */

void sgd_refuse(struct sgd_conn *c, int code, const char *text)
{
	c->d->count.refused++;
	(void)sgd_send_json(c, json_pack("{s:b, s:s, s:i}", "ok", 0, "error", text, "errno", code));
	sgd_conn_finish(c);
}

/* A sandboxed program must not reach the supervisor, whatever user it runs as. */
static int outside(struct sgd_conn *c, struct sg_err *err)
{
	char path[4096];
	size_t n = strlen(c->d->parent.rel);
	int rc = sgd_peer_cgroup(&c->peer, path, sizeof(path), err);

	if (rc)
		return rc;
	if ((!strncmp(path, c->d->parent.rel, n) && (path[n] == '/' || !path[n])) || strstr(path, "/sandgate-"))
		return sg_err_set(err, EPERM, "a program in a sandbox may not talk to sgd");
	for (const struct sgd_box *b = c->d->boxes; b; b = b->next) {
		n = strlen(b->launch.cg.rel);
		if (b->attached && n && !strncmp(path, b->launch.cg.rel, n) && (path[n] == '/' || !path[n]))
			return sg_err_set(err, EPERM, "a program in a sandbox may not talk to sgd");
	}
	return 0;
}

static void take_signal(struct sgd_conn *c, const struct sg_wire_number *m, size_t size)
{
	if (size != sizeof(*m) || m->number < 1 || m->number > 31 || !c->box) {
		sgd_refuse(c, EINVAL, "a signal message of the wrong size, or for no program");
		return;
	}
	sgd_box_signal(c->box, (int)m->number);
}

static void take_launch(struct sgd_conn *c, const char *data, size_t size, int *fds, int n_fds)
{
	sgd_launch(c, data, size, fds, n_fds, false);
	/* It is kept by now, if at all. */
	sgd_again_forget(c);
}

static void tell_tier(struct sgd_conn *c)
{
	const struct sgd *d = c->d;

	(void)sgd_send_text(c, SG_WIRE_TIER, d->lsm ? SG_TIER_LSM : SG_TIER_BPF, d->no_lsm, strlen(d->no_lsm), true);
}

static void take_packet(struct sgd_conn *c, const char *data, size_t size, int *fds, int n_fds)
{
	const struct sg_wire_hdr *h = (const struct sg_wire_hdr *)data;
	struct sg_err err = {0};

	if (c->since && outside(c, &err) < 0) {
		sgd_refuse(c, err.code, err.message);
		return;
	}
	if (size && data[0] == '{') {
		c->since = 0;
		sgd_command(c, data, size, fds, n_fds);
		return;
	}
	if (size < sizeof(*h) || h->magic != SG_PROTO_MAGIC) {
		sgd_refuse(c, EPROTO, "neither a JSON object nor a message of this protocol");
		return;
	}
	if (h->version != SG_PROTO_VERSION || h->size != size) {
		sgd_refuse(c, EPROTO, "a message of another version of the protocol, or cut short");
		return;
	}
	c->since = 0;
	if (h->type == SG_WIRE_LAUNCH)
		take_launch(c, data, size, fds, n_fds);
	else if (h->type == SG_WIRE_SIGNAL)
		take_signal(c, (const struct sg_wire_number *)data, size);
	else if (h->type == SG_WIRE_ASK && size == sizeof(struct sg_wire_number))
		tell_tier(c);
	else if (h->type == SG_WIRE_AGAIN)
		sgd_again_ask(c, data, size);
	else if (h->type == SG_WIRE_REMEMBER)
		sgd_again_remember(c, data, size, fds, n_fds);
	else if (h->type == SG_WIRE_GO)
		sgd_again_go(c, data, size, fds, n_fds);
	else if (h->type == SG_WIRE_CANCEL && c->box)
		sg_watch_cancel(&c->box->watch);
	else
		sgd_refuse(c, EPROTO, "an unknown type of message");
}

static int collect_fds(struct msghdr *msg, int fds[SG_SCM_FDS_MAX])
{
	int n = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || count > (size_t)(SG_SCM_FDS_MAX - n))
			continue;
		memcpy(fds + n, CMSG_DATA(h), count * sizeof(int));
		n += (int)count;
	}
	return n;
}

static void on_conn(struct sgd_source *s, uint32_t events)
{
	static char buf[SG_PROTO_PACKET_MAX + 1] __attribute__((aligned(8))); /* one thread */
	struct sgd_conn *c = s->owner;
	union {
		char buf[CMSG_SPACE(sizeof(int) * SG_SCM_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf) - 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	int fds[SG_SCM_FDS_MAX], n_fds;
	uid_t of = c->peer.uid;
	ssize_t n;

	if (events & EPOLLOUT) {
		flush(c);
		if (s->fd >= 0)
			listen_to(c);
	}
	if (c->closing || c->opener) {
		if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
			hang_up(c);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
		return;
	if (!may_read(c)) {
		if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
			hang_up(c);
		else
			hold(c, sg_clock_ns(CLOCK_MONOTONIC));
		return;
	}
	n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	n_fds = n < 0 ? 0 : collect_fds(&msg, fds);
	if (n <= 0) {
		hang_up(c);
	} else if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || n_fds > SG_PROTO_FDS_MAX) {
		sgd_refuse(c, EMSGSIZE,
			   "a message that is longer, or carries more descriptors, than the protocol allows");
	} else {
		buf[n] = '\0';
		take_packet(c, buf, (size_t)n, fds, n_fds);
	}
	for (int i = 0; i < n_fds; i++)
		sgd_let_go(of, fds[i]);
}

static int admit(struct sgd *d, struct sgd_conn *c, struct sg_err *err)
{
	uid_t uid = c->peer.uid;

	if (d->n_conns >= CONNS_MAX - (uid ? CONNS_OF_ROOT : 0))
		return sg_err_set(err, EAGAIN, "too many connections: %u", d->n_conns);
	if (uid && sgd_let_go_waiting(uid) >= UNCLOSED_MAX)
		return sg_err_set(err, EAGAIN,
				  "%d descriptors that came from user %u are not closed yet: a socket that lingers, a "
				  "file system that does not answer",
				  UNCLOSED_MAX, uid);
	c->user = sgd_user_get(&d->users, uid, err);
	return c->user ? 0 : -err->code;
}

/* NULL with *err: whoever it is, this one is not served. */
static struct sgd_conn *open_conn(struct sgd *d, int fd, struct sg_err *err)
{
	struct sgd_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)sg_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (sgd_peer_open(&c->peer, fd, err) == 0) {
		if (admit(d, c, err) == 0)
			return c;
		sgd_peer_close(&c->peer);
	}
	free(c);
	return NULL;
}

/* There is no connection yet that could wait for a client: the socket's own room has to do. */
static void turn_away(struct sgd *d, int fd, const struct sg_err *err)
{
	json_t *o = json_pack("{s:i, s:b, s:s, s:i}", "v", SG_PROTO_VERSION, "ok", 0, "error", err->message, "errno",
			      err->code);
	SG_FREE char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;

	d->count.refused++;
	json_decref(o);
	if (line)
		(void)send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_listener(struct sgd_source *s, uint32_t events)
{
	struct sgd *d = s->owner;
	struct sg_err err = {0};

	for (int i = 0; i < 16; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct sgd_conn *c;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
				rest(d, errno);
			return;
		}
		sg_err_reset(&err);
		c = open_conn(d, fd, &err);
		if (!c) {
			turn_away(d, fd, &err);
			sgd_let_go_conn(fd);
			continue;
		}
		sgd_aside(&fd);
		sgd_aside(&c->peer.pidfd);
		c->d = d;
		c->src = (struct sgd_source){.fd = -1, .fn = on_conn, .owner = c};
		c->since = sg_clock_ns(CLOCK_MONOTONIC);
		sgd_deadline(d, c->since + SILENCE_NS);
		c->next = d->conns;
		if (d->conns)
			d->conns->prev = c;
		d->conns = c;
		d->n_conns++;
		if (sgd_loop_set(&d->loop, &c->src, fd, EPOLLIN | EPOLLRDHUP) < 0) {
			close(fd);
			sgd_conn_free(c);
		}
	}
	(void)events;
}

static int group_id(const char *name, gid_t *gid, struct sg_err *err)
{
	uint64_t n;
	struct group *g = NULL;
	FILE *f;

	if (sg_parse_u64(name, UINT32_MAX - 1, &n) == 0) {
		*gid = (gid_t)n;
		return 0;
	}
	f = fopen("/etc/group", "re");
	while (f && (g = fgetgrent(f)) && strcmp(g->gr_name, name) != 0)
		;
	if (g)
		*gid = g->gr_gid;
	if (f)
		fclose(f);
	return g ? 0 : sg_err_set(err, ENOENT, "--group %s: no such group in /etc/group", name);
}

static int address(const struct sgd *d, struct sockaddr_un *at, struct sg_err *err)
{
	const char *path = d->o->socket;

	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at->sun_path))
		return sg_err_set(err, ENAMETOOLONG, "--socket %s: too long for the name of a socket", path);
	memcpy(at->sun_path, path, strlen(path));
	return 0;
}

int sgd_alone(const struct sgd *d, struct sg_err *err)
{
	SG_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	int rc = fd < 0 ? sg_err_set(err, errno, "cannot create a socket: %s", strerror(errno)) : address(d, &at, err);

	/* EAGAIN: it is there, and has much to do. */
	if (!rc && (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EAGAIN))
		rc = sg_err_set(err, EADDRINUSE, "another sgd listens at %s", d->o->socket);
	return rc;
}

int sgd_listen(struct sgd *d, struct sg_err *err)
{
	struct sockaddr_un at;
	const char *path = d->o->socket;
	gid_t gid = 0;
	mode_t old;
	int fd, rc = address(d, &at, err);

	if (rc || (d->o->group && (rc = group_id(d->o->group, &gid, err))))
		return rc;
	d->listener.fd = -1;
	rc = sgd_alone(d, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sg_err_set(err, errno, "cannot create a socket: %s", strerror(errno));
	(void)unlink(path);
	old = umask(0177);
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
	(void)umask(old);
	if (rc < 0 || (d->o->group && (lchown(path, 0, gid) < 0 || chmod(path, 0660) < 0)) || listen(fd, 1024) < 0) {
		rc = sg_err_set(err, errno, "cannot listen at %s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	d->listener.fn = on_listener;
	d->listener.owner = d;
	d->listen_fd = fd;
	rc = sgd_loop_set(&d->loop, &d->listener, fd, EPOLLIN);
	return rc ? sg_err_set(err, -rc, "cannot watch the socket: %s", strerror(-rc)) : 0;
}
