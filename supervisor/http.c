// SPDX-License-Identifier: Apache-2.0
#include "supervisor/http.h"

#include "supervisor/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64U
#define CROWDED 48U /* from here on the oldest connection gives way to one that comes */
#define MEMORY_PER_CONNECTION (16U << 10)
#define IDLE_SECONDS 10U

struct peer {
	struct peer *next, *prev;
	struct sg_http *h; /* NULL: it has been told to go */
	int fd;
};

struct sg_http {
	struct MHD_Daemon *daemon;
	struct sg_http_handlers handlers;
	struct peer *oldest, *newest;
	unsigned n_peers;
	uint16_t port;
};

static void unlist(struct peer *p)
{
	struct sg_http *h = p->h;

	if (!h)
		return;
	*(p->prev ? &p->prev->next : &h->oldest) = p->next;
	*(p->next ? &p->next->prev : &h->newest) = p->prev;
	h->n_peers--;
	p->h = NULL;
}

/*
 * Each byte begins the idle time anew, so whoever sends one every few seconds would keep a place for good, and a few
 * such all of them. An honest request is over in milliseconds: it is not among the oldest.
 */
static void on_connection(void *cls, struct MHD_Connection *c, void **of_socket,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sg_http *h = cls;
	struct peer *p = *of_socket;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (p)
			unlist(p);
		free(p);
		*of_socket = NULL;
		return;
	}
	p = info ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return; /* it has a place like others, and keeps it */
	*p = (struct peer){.h = h, .fd = info->connect_fd, .prev = h->newest};
	*(h->newest ? &h->newest->next : &h->oldest) = p;
	h->newest = *of_socket = p;
	if (++h->n_peers <= CROWDED)
		return;
	/* The library sees that it ended, and closes it. */
	(void)shutdown(h->oldest->fd, SHUT_RDWR);
	unlist(h->oldest);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, char *text, size_t len,
			      enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result rc;

	if (!r) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), "%s\n", text);
	return answer(c, status, "text/plain; charset=utf-8", line, strlen(line), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	static char seen;
	struct sg_http *h = cls;
	char why[256] = "";
	char *text;
	size_t len;

	(void)version;
	(void)upload;
	/* First the headers come, then the body, if any: what is uploaded is thrown away. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
	if (!strcmp(url, "/metrics")) {
		text = h->handlers.metrics(h->handlers.ctx, &len);
		if (!text)
			return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return answer(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, len,
			      MHD_RESPMEM_MUST_FREE);
	}
	if (!strcmp(url, "/healthz"))
		return say(c, MHD_HTTP_OK, "ok");
	if (!strcmp(url, "/readyz"))
		return h->handlers.ready(h->handlers.ctx, why, sizeof(why)) ? say(c, MHD_HTTP_OK, "ok")
									    : say(c, MHD_HTTP_SERVICE_UNAVAILABLE, why);
	return say(c, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz");
}

/* Made here and not by the library, for an error that says what is wrong. */
static int listen_on(const char *address, uint16_t port, uint16_t *bound, int *out, struct sg_err *err)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	SG_CLOSE int fd = -1;
	socklen_t len = sizeof(ss);
	int on = 1;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		len = sizeof(*v6);
	} else {
		return sg_err_set(err, EINVAL,
				  "the metrics address %.64s is no IPv4 or IPv6 address; use 127.0.0.1, ::1, 0.0.0.0 …",
				  address);
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sg_err_set(err, errno, "cannot make a socket for the metrics: %s", strerror(errno));
	/* A restart need not wait for connections of the one before; a port in use stays refused. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 16) < 0)
		return sg_err_set(
			err, errno, "cannot serve metrics on %s port %u: %s%s", address, port, strerror(errno),
			errno == EADDRINUSE ? "; another program has it (node-exporter's default is 9100 too): "
					      "choose another with --metrics-port, or 0 for none"
			: errno == EACCES   ? "; ports below 1024 need CAP_NET_BIND_SERVICE"
					    : "");
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return sg_err_set(err, errno, "cannot read the port of the metrics: %s", strerror(errno));
	*bound = ntohs(ss.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
	*out = SG_TAKE_FD(fd);
	return 0;
}

int sg_http_start(struct sg_http **out, const char *address, uint16_t port, const struct sg_http_handlers *handlers,
		  struct sg_err *err)
{
	struct sg_http *h = calloc(1, sizeof(*h));
	int fd = -1, rc;

	if (!h)
		return sg_err_set(err, ENOMEM, "out of memory");
	h->handlers = *handlers;
	rc = listen_on(address, port, &h->port, &fd, err);
	if (rc) {
		free(h);
		return rc;
	}
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_PEDANTIC_CHECKS, 0, NULL, NULL, on_request, h,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
				     MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION,
				     on_connection, h, MHD_OPTION_END);
	if (!h->daemon) {
		close(fd);
		free(h);
		return sg_err_set(err, EIO, "cannot start the metrics server on %s port %u", address, port);
	}
	*out = h;
	return 0;
}

void sg_http_stop(struct sg_http *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon); /* closes the listening socket */
	free(h);
}

uint16_t sg_http_port(const struct sg_http *h)
{
	return h->port;
}

int sg_http_fd(const struct sg_http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? info->epoll_fd : -1;
}

static unsigned connections(const struct sg_http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

void sg_http_run(struct sg_http *h)
{
	unsigned before = connections(h);

	(void)MHD_run(h->daemon);
	/* At its limit it does not listen, and begins to again with the next run only, for which nothing would call. */
	if (connections(h) < before)
		(void)MHD_run(h->daemon);
}

int sg_http_timeout(const struct sg_http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
		return -1;
	return ms > 60000 ? 60000 : (int)ms;
}
