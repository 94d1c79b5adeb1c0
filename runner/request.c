/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/request.h"

#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES_TRIES 1000 /* in milliseconds: for others of this user to be received */

static int add_string(struct sg_request *r, const char *text)
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

static int add_sentences(struct sg_request *r, const json_t *list, uint32_t *n)
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

static int add_strings(struct sg_request *r, const struct sg_launch *l, struct sg_err *err)
{
	const struct sg_plan *plan = l->plan;
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
	if (r->strings_size <= SG_PROTO_STRINGS_INLINE)
		return 0;
	r->head.flags |= SG_WIRE_STRINGS_FD;
	r->strings_fd = sg_client_memory("sandgate-strings",
					 &(struct iovec){.iov_base = r->strings, .iov_len = r->strings_size}, 1);
	if (r->strings_fd < 0)
		return sg_err_set(err, -r->strings_fd, "cannot create a memory file: %s", strerror(-r->strings_fd));
	return 0;
}

/* The daemon gets a policy as text: it opens no file that a client names. */
static int add_policy(struct sg_request *r, const char *file, struct sg_err *err)
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
	r->policy_fd = sg_client_memory("sandgate-policy", &(struct iovec){.iov_base = text, .iov_len = n}, 1);
	if (r->policy_fd < 0)
		return sg_err_set(err, -r->policy_fd, "cannot create a memory file: %s", strerror(-r->policy_fd));
	return 0;
}

static uint64_t ignored_signals(const struct sg_signals *sig)
{
	uint64_t set = 0;

	for (int i = 1; i < 32; i++) {
		struct sigaction now;

		if ((SG_IGNORED_SIGNALS & SG_BIT_OF(i)) && sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			set |= SG_BIT_OF(i);
	}
	for (size_t i = 0; i < SG_KEPT_SIGNALS; i++)
		if (sig->kept[i].sa_handler == SIG_IGN)
			set |= SG_BIT_OF(sg_kept_signals[i]);
	return set;
}

int sg_request_make(struct sg_request *r, const struct sg_launch *l, uint32_t flags, const struct sg_signals *sig,
		    struct sg_err *err)
{
	const struct sg_plan *plan = l->plan;
	const struct sg_options *o = plan->options;
	struct sg_wire_launch *h = &r->head;
	int rc;

	*r = (struct sg_request){.launch = l, .strings_fd = -1, .policy_fd = -1};
	r->cwd = open(plan->chdir ? plan->chdir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->cwd < 0)
		return sg_err_set(err, errno, "cannot open the working directory: %s", strerror(errno));
	if (strlen(plan->language) >= sizeof(h->language))
		return sg_err_set(err, EINVAL, "--lang %s: too long for the name of a language", plan->language);
	memcpy(h->language, plan->language, strlen(plan->language) + 1);
	h->flags = flags | (plan->set_ids ? SG_WIRE_IDS : 0) | l->net_refused << SG_WIRE_NET_SHIFT;
	h->tier = (uint32_t)o->tier;
	h->require = (uint32_t)o->require;
	h->umask = umask(0);
	(void)umask(h->umask);
	h->widen = plan->widen;
	h->uid = plan->uid;
	h->gid = plan->gid;
	h->limits_size = sizeof(h->limits);
	h->limits = o->limits;
	memcpy(&h->mask, &sig->mask, sizeof(h->mask));
	h->ignored = ignored_signals(sig);
	if (l->landlock.fd >= 0) {
		h->flags |= SG_WIRE_LANDLOCK_FD;
		h->own_proc = l->landlock.own_proc;
	}
	if (l->tier == SG_TIER_LSM)
		h->flags |= SG_WIRE_OBJECTS_FD;
	rc = add_strings(r, l, err);
	if (!rc && o->policy_file)
		rc = add_policy(r, o->policy_file, err);
	return rc;
}

/* What is told of descriptors, in the order in which they are sent. */
struct given {
	int32_t numbers[SG_HEIR_FDS];
	int fds[SG_PROTO_FDS_MAX];
	uint32_t n_numbers;
	size_t n;
};

static void give(struct given *g, int number, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	/* O_PATH: what stands in for a descriptor that the caller left closed. */
	if (flags < 0 || (flags & O_PATH))
		return;
	g->numbers[g->n_numbers++] = number;
	g->fds[g->n++] = fd;
}

int sg_request_send(const struct sg_request *r, int fd, const int std[3], const char *label, struct sg_err *err)
{
	const struct sg_plan *plan = r->launch->plan;
	struct sg_wire_launch h = r->head;
	struct given g = {.fds = {r->cwd}, .n = 1};
	struct iovec iov[4];
	size_t n_iov = 0;
	int objects[2] = {-1, -1}, rc = 0;

	for (int n = 0; n <= 2; n++)
		give(&g, n, std[n]);
	for (int i = 0; i < plan->n_fds; i++)
		give(&g, plan->fds[i], plan->fds[i]);
	if (h.flags & SG_WIRE_STRINGS_FD)
		g.fds[g.n++] = r->strings_fd;
	if (h.flags & SG_WIRE_POLICY_FD)
		g.fds[g.n++] = r->policy_fd;
	if (h.flags & SG_WIRE_LANDLOCK_FD)
		g.fds[g.n++] = r->launch->landlock.fd;
	if (h.flags & SG_WIRE_OBJECTS_FD) {
		/* The object rules, and their places, which nobody but us should open. */
		rc = sg_client_objects(&plan->objects, &r->launch->places, PLACES_TRIES, objects, err);
		if (rc)
			return rc;
		g.fds[g.n++] = objects[0];
		g.fds[g.n++] = objects[1];
	}
	h.n_fds = g.n_numbers;
	iov[n_iov++] = (struct iovec){.iov_base = &h, .iov_len = sizeof(h)};
	iov[n_iov++] = (struct iovec){.iov_base = g.numbers, .iov_len = g.n_numbers * sizeof(int32_t)};
	if (!(h.flags & SG_WIRE_STRINGS_FD))
		iov[n_iov++] = (struct iovec){.iov_base = r->strings, .iov_len = r->strings_size};
	if (label) {
		h.flags |= SG_WIRE_LABEL;
		iov[n_iov++] = (struct iovec){.iov_base = (char *)label, .iov_len = strlen(label)};
	}
	h.hdr = (struct sg_wire_hdr){.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = SG_WIRE_LAUNCH};
	for (size_t i = 0; i < n_iov; i++)
		h.hdr.size += (uint32_t)iov[i].iov_len;
	rc = sg_client_send(fd, iov, n_iov, g.fds, g.n);
	/* Who is refused is told why before sgd closes, and reads that next. */
	if (rc == -EPIPE || rc == -ECONNRESET)
		rc = 0;
	if (rc)
		rc = sg_err_set(err, -rc, "cannot send to sgd: %s", strerror(-rc));
	for (int i = 0; i < 2; i++)
		if (objects[i] >= 0)
			close(objects[i]);
	return rc;
}

void sg_request_free(struct sg_request *r)
{
	const int fds[] = {r->cwd, r->strings_fd, r->policy_fd};

	for (size_t i = 0; i < SG_ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(r->strings);
}
