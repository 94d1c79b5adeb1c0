/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/remote.h"

#include "runner/child.h"
#include "runner/confine.h"
#include "runner/launch.h"
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

#define PLACES_TRIES 1000 /* in milliseconds: for others of this user to be received */
#define FLUSH_MS 2000     /* as without a daemon */

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
	rc = sg_client_connect(any ? NULL : o->daemon, fd, any ? &missing : err);
	if (!rc || !any)
		return rc;
	if (rc != -ENOENT)
		snprintf(why, 200, "%s", missing.message);
	return 1;
}

/* ---- the request ---- */

#define MAX_IOV 8

struct request {
	struct sg_wire_launch head;
	int32_t numbers[SG_HEIR_FDS];
	int fds[SG_PROTO_FDS_MAX];
	size_t n_fds;
	char *strings;
	size_t strings_size, strings_cap;
	int owned[6]; /* descriptors to close */
	int n_owned;
};

static int add_string(struct request *r, const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > r->strings_cap - r->strings_size) {
		size_t cap = r->strings_cap ? r->strings_cap : 8192;
		char *more;

		while (cap - r->strings_size < n)
			cap *= 2;
		more = realloc(r->strings, cap);
		if (!more)
			return -ENOMEM;
		r->strings = more;
		r->strings_cap = cap;
	}
	memcpy(r->strings + r->strings_size, text, n);
	r->strings_size += n;
	return 0;
}

static int add_sentences(struct request *r, const json_t *list, uint32_t *n)
{
	size_t i;
	json_t *text;
	int rc = 0;

	json_array_foreach(list, i, text)
	{
		if (rc || *n == SG_PROTO_SENTENCES)
			break;
		rc = add_string(r, json_string_value(text));
		++*n;
	}
	return rc;
}

static int add_strings(struct request *r, const struct sg_plan *plan, const struct sg_launch *l, struct sg_err *err)
{
	int rc = add_string(r, plan->path);

	if (!rc)
		rc = add_string(r, plan->options->policy_file ? plan->options->policy_file : "");
	for (char **p = plan->argv; !rc && *p; p++, r->head.n_argv++)
		rc = add_string(r, *p);
	for (char **p = plan->env; !rc && *p; p++, r->head.n_env++)
		rc = add_string(r, *p);
	if (!rc)
		rc = add_sentences(r, l->not_enforced, &r->head.n_missing);
	if (!rc)
		rc = add_sentences(r, l->degraded, &r->head.n_degraded);
	for (; !rc && plan->widened[r->head.n_widened]; r->head.n_widened++)
		rc = add_string(r, plan->widened[r->head.n_widened]);
	if (rc)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (r->strings_size > SG_PROTO_STRINGS_MAX)
		return sg_err_set(err, E2BIG, "arguments and environment are longer than %u bytes",
				  SG_PROTO_STRINGS_MAX);
	r->head.strings_size = (uint32_t)r->strings_size;
	return 0;
}

static void add_fd(struct request *r, int number)
{
	int flags = fcntl(number, F_GETFL);

	/* O_PATH: what stands in for a descriptor that the caller left closed. */
	if (flags < 0 || (flags & O_PATH))
		return;
	r->numbers[r->head.n_fds++] = number;
	r->fds[r->n_fds++] = number;
}

static int add_owned(struct request *r, int fd)
{
	if (fd < 0)
		return fd;
	r->owned[r->n_owned++] = fd;
	r->fds[r->n_fds++] = fd;
	return 0;
}

/* The daemon gets a policy as text: it opens no file that a client names. */
static int add_policy(struct request *r, const char *file, struct sg_err *err)
{
	bool standard = !strcmp(file, "-");
	SG_FREE char *text = malloc(SG_POLICY_MAX_BYTES + 1);
	SG_CLOSE int own = standard ? -1 : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int fd = standard ? STDIN_FILENO : own;
	size_t n = 0;
	ssize_t got;

	if (!text)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (fd < 0)
		return sg_err_set(err, errno, "cannot open %s: %s", file, strerror(errno));
	while (n <= SG_POLICY_MAX_BYTES && (got = read(fd, text + n, SG_POLICY_MAX_BYTES + 1 - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return sg_err_set(err, errno, "cannot read %s: %s", file, strerror(errno));
		n += (size_t)got;
	}
	if (n > SG_POLICY_MAX_BYTES)
		return sg_err_set(err, E2BIG, "%s: longer than the %u bytes a policy file may have", file,
				  SG_POLICY_MAX_BYTES);
	r->head.flags |= SG_WIRE_POLICY_FD;
	r->head.policy_size = (uint32_t)n;
	if (add_owned(r, sg_client_memory("sandgate-policy", &(struct iovec){.iov_base = text, .iov_len = n}, 1)) < 0)
		return sg_err_set(err, ENOMEM, "cannot create a memory file: %s", strerror(errno));
	return 0;
}

/* The object rules, and their places, which nobody but us should open. */
static int add_objects(struct request *r, const struct sg_launch *l, struct sg_err *err)
{
	int fds[2], rc = sg_client_objects(&l->plan->objects, &l->places, PLACES_TRIES, fds, err);

	if (rc)
		return rc;
	r->head.flags |= SG_WIRE_OBJECTS_FD;
	(void)add_owned(r, fds[0]);
	(void)add_owned(r, fds[1]);
	return 0;
}

static uint64_t ignored_signals(const struct sg_signals *sig)
{
	static const int usual[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2,
				    SIGALRM, SIGTERM, SIGTSTP, SIGTTIN, SIGXFSZ};
	uint64_t set = 0;

	for (size_t i = 0; i < SG_ARRAY_SIZE(usual); i++) {
		struct sigaction now;

		if (sigaction(usual[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			set |= 1ULL << (usual[i] - 1);
	}
	for (size_t i = 0; i < SG_KEPT_SIGNALS; i++)
		if (sig->kept[i].sa_handler == SIG_IGN)
			set |= 1ULL << (sg_kept_signals[i] - 1);
	return set;
}

static int send_request(int fd, const struct sg_launch *l, uint32_t flags, const struct sg_signals *sig,
			struct sg_err *err)
{
	const struct sg_plan *plan = l->plan;
	const struct sg_options *o = plan->options;
	struct request r = {.head = {.limits_size = sizeof(r.head.limits), .limits = o->limits}};
	struct sg_wire_launch *h = &r.head;
	struct iovec iov[3];
	size_t n_iov = 2;
	int rc, cwd;

	cwd = open(plan->chdir ? plan->chdir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0)
		return sg_err_set(err, errno, "cannot open the working directory: %s", strerror(errno));
	(void)add_owned(&r, cwd);
	for (int n = 0; n <= 2; n++)
		add_fd(&r, n);
	for (int i = 0; i < plan->n_fds; i++)
		add_fd(&r, plan->fds[i]);
	rc = add_strings(&r, plan, l, err);
	h->flags = flags | (plan->set_ids ? SG_WIRE_IDS : 0) | l->net_refused << SG_WIRE_NET_SHIFT;
	if (!rc && r.strings_size > SG_PROTO_STRINGS_INLINE) {
		struct iovec strings = {.iov_base = r.strings, .iov_len = r.strings_size};

		h->flags |= SG_WIRE_STRINGS_FD;
		rc = add_owned(&r, sg_client_memory("sandgate-strings", &strings, 1));
		if (rc)
			rc = sg_err_set(err, -rc, "cannot create a memory file: %s", strerror(-rc));
	}
	if (!rc && o->policy_file)
		rc = add_policy(&r, o->policy_file, err);
	if (!rc && l->landlock.fd >= 0) {
		h->flags |= SG_WIRE_LANDLOCK_FD;
		h->own_proc = l->landlock.own_proc;
		r.fds[r.n_fds++] = l->landlock.fd;
	}
	if (!rc && l->tier == SG_TIER_LSM)
		rc = add_objects(&r, l, err);
	if (!rc && strlen(plan->language) >= sizeof(h->language))
		rc = sg_err_set(err, EINVAL, "--lang %s: too long for the name of a language", plan->language);
	if (rc)
		goto out;
	memcpy(h->language, plan->language, strlen(plan->language) + 1);
	h->tier = (uint32_t)o->tier;
	h->require = (uint32_t)o->require;
	h->umask = umask(0);
	(void)umask(h->umask);
	h->widen = plan->widen;
	h->uid = plan->uid;
	h->gid = plan->gid;
	memcpy(&h->mask, &sig->mask, sizeof(h->mask));
	h->ignored = ignored_signals(sig);
	iov[0] = (struct iovec){.iov_base = h, .iov_len = sizeof(*h)};
	iov[1] = (struct iovec){.iov_base = r.numbers, .iov_len = h->n_fds * sizeof(int32_t)};
	if (!(h->flags & SG_WIRE_STRINGS_FD))
		iov[n_iov++] = (struct iovec){.iov_base = r.strings, .iov_len = r.strings_size};
	h->hdr = (struct sg_wire_hdr){.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = SG_WIRE_LAUNCH};
	for (size_t i = 0; i < n_iov; i++)
		h->hdr.size += (uint32_t)iov[i].iov_len;
	rc = sg_client_send(fd, iov, n_iov, r.fds, r.n_fds);
	if (rc)
		rc = sg_err_set(err, -rc, "cannot send to sgd: %s", strerror(-rc));
out:
	for (int i = 0; i < r.n_owned; i++)
		close(r.owned[i]);
	free(r.strings);
	return rc;
}

/* ---- the answers ---- */

struct remote {
	int fd;
	const struct sg_plan *plan;
	struct sg_stream *stream;
	struct sg_signals signals;
	bool done, alone; /* over; nothing ran and the caller may do it by itself */
	int status;
	char *buf; /* of SG_PROTO_PACKET_MAX */
	char *why; /* of 200 bytes */
};

static int take_packet(struct remote *r, size_t n, struct sg_err *err)
{
	const struct sg_wire_text *m = (const struct sg_wire_text *)r->buf;
	const char *text = r->buf + sizeof(*m);
	int len;

	/* Who is refused before the first launch message is told so in JSON. */
	if (n && r->buf[0] == '{') {
		json_t *o = json_loadb(r->buf, n, 0, NULL);
		const char *said = json_string_value(json_object_get(o, "error"));

		(void)sg_err_set(err, EACCES, "sgd refuses: %s", said ? said : "no reason given");
		json_decref(o);
		return -err->code;
	}
	if (n < sizeof(*m) || m->hdr.magic != SG_PROTO_MAGIC || m->hdr.size != n)
		return sg_err_set(err, EPROTO, "sgd's answer is none; is it of another version?");
	len = (int)(n - sizeof(*m));
	switch (m->hdr.type) {
	case SG_WIRE_RECORD:
		(void)sg_stream_line(r->stream, text, (size_t)len, true);
		return 0;
	case SG_WIRE_STARTED:
		printf("%.*s\n", len, text);
		r->done = true;
		r->status = 0;
		return 0;
	case SG_WIRE_RESULT:
		r->done = true;
		r->status = (int)m->number;
		if (len)
			fprintf(stderr, "sgrun: cannot run %s: %.*s\n", r->plan->path, len, text);
		return 0;
	case SG_WIRE_FAILED:
		r->status = (int)m->number;
		if (!m->number) {
			r->done = r->alone = true;
			snprintf(r->why, 200, "%.*s", len, text);
			return 0;
		}
		return sg_err_set(err, ECANCELED, "%.*s", len, text);
	default:
		return 0; /* of a later version */
	}
}

static void send_number(struct remote *r, uint16_t type, uint32_t number)
{
	struct sg_wire_number m = {
		.hdr = {.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = type, .size = sizeof(m)},
		.number = number};

	(void)sg_client_send(r->fd, &(struct iovec){.iov_base = &m, .iov_len = sizeof(m)}, 1, NULL, 0);
}

static void pass_signals(struct remote *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals.fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		send_number(r, SG_WIRE_SIGNAL, si.ssi_signo);
}

/* All that is there. */
static int take_packets(struct remote *r, struct sg_err *err)
{
	ssize_t n;
	int rc = 0;

	while (!rc && !r->done && (n = sg_client_receive(r->fd, r->buf, SG_PROTO_PACKET_MAX, MSG_DONTWAIT)) != -EAGAIN)
		rc = n > 0 ? take_packet(r, (size_t)n, err)
			   : sg_err_set(err, n ? (int)-n : EPIPE, "the connection to sgd broke%s",
					r->plan->options->keep ? "; the sandbox goes on"
							       : ", and with it the sandbox ended");
	return rc;
}

static int loop(struct remote *r, struct sg_err *err)
{
	int cancel = r->plan->options->cancel ? r->plan->options->cancel_fd : -1;

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
			send_number(r, SG_WIRE_CANCEL, 0);
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
static int ask_tier(struct remote *r, enum sg_tier *tier, struct sg_err *err)
{
	const struct sg_wire_text *m = (const struct sg_wire_text *)r->buf;
	ssize_t n;
	int rc;

	send_number(r, SG_WIRE_ASK, 0);
	n = sg_client_receive(r->fd, r->buf, SG_PROTO_PACKET_MAX, 0);
	if (n <= 0)
		return sg_err_set(err, n ? (int)-n : EPIPE, "the connection to sgd broke");
	if ((size_t)n >= sizeof(*m) && m->hdr.magic == SG_PROTO_MAGIC && m->hdr.type == SG_WIRE_TIER) {
		*tier = m->number;
		return 0;
	}
	rc = take_packet(r, (size_t)n, err);
	return rc ? rc : sg_err_set(err, EPROTO, "sgd's answer is none; is it of another version?");
}

int sg_remote_run(int fd, struct sg_plan *plan, struct sg_stream *stream, int *status, char why[200],
		  struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	struct remote r = {
		.fd = fd, .plan = plan, .stream = stream, .why = why, .status = SG_EXIT_FAILED, .signals.fd = -1};
	uint32_t flags = (o->audit ? SG_WIRE_AUDIT : 0) | (o->stats ? SG_WIRE_STATS : 0) |
			 (o->seccomp ? 0 : SG_WIRE_NO_SECCOMP) | (o->detach ? SG_WIRE_DETACH | SG_WIRE_KEEP : 0) |
			 (o->keep ? SG_WIRE_KEEP : 0) | (o->require_limits ? SG_WIRE_REQUIRE_LIMITS : 0);
	struct sg_session none = {.stream.fd = -1};
	struct sg_launch l;
	int rc;

	/*
	 * The ruleset is made here: its rules name files, and who else should open what the caller names. It serves the
	 * caller alone; what protects others from the program does not rest on it.
	 */
	sg_launch_init(&l, plan, &none);
	l.tier = SG_TIER_BPF;
	l.filter = o->seccomp && !o->audit;
	r.buf = malloc(SG_PROTO_PACKET_MAX);
	rc = r.buf ? 0 : sg_err_set(err, ENOMEM, "out of memory");
	if (!rc && o->tier != SG_TIER_BPF)
		rc = ask_tier(&r, &l.tier, err);
	if (!rc && l.tier < SG_TIER_LSM && (o->tier == SG_TIER_LSM || o->require == SG_TIER_LSM) &&
	    (!o->daemon || !strcmp(o->daemon, "auto"))) {
		snprintf(why, 200, "it has no lsm tier");
		rc = 1;
	}
	/* In the lsm tier it is the places that are opened here, for the same reason. */
	if (!rc && l.tier == SG_TIER_LSM)
		rc = sg_places_open(&l.places, plan->trees, plan->n_trees, &plan->vars, err);
	else if (!rc)
		rc = sg_launch_confine(&l, err);
	if (rc) {
		sg_launch_release(&l);
		free(r.buf);
		return rc;
	}
	if (stream->terminal)
		flags |= SG_WIRE_HUMAN;
	if (stream->fd < 0)
		flags |= SG_WIRE_QUIET;
	if (!rc)
		rc = sg_signals_take(&r.signals, err);
	if (!rc)
		rc = send_request(fd, &l, flags, &r.signals, err);
	if (!rc)
		rc = loop(&r, err);
	if (!sg_stream_flush(stream, FLUSH_MS))
		sg_stream_make_room(stream);
	if (!rc && r.alone)
		rc = 1;
	if (rc)
		sg_signals_give_back(&r.signals);
	sg_launch_release(&l);
	*status = r.status;
	free(r.buf);
	return rc;
}
