/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_HTTP_H
#define SG_HTTP_H

#include "policy/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The supervisor's HTTP endpoint: GET /metrics, /healthz, /readyz, and nothing else. libmicrohttpd does the protocol;
 * it runs inside the caller's event loop, so the handlers need no locks. Connections, memory for each and the time a
 * peer may say nothing are bounded, and where there are many the oldest gives way to who comes: a peer that is slow or
 * hostile costs a connection and no more.
 */
struct sg_http;

struct sg_http_handlers {
	/* The metrics as text, owned by the caller of it (free()). NULL: no memory. */
	char *(*metrics)(void *ctx, size_t *len);
	/* Whether the supervisor can take work; if not, why (one line). */
	bool (*ready)(void *ctx, char *why, size_t size);
	void *ctx;
};

/*
 * address: numeric IPv4 or IPv6; port 0: any that is free. Errors: -EINVAL for an address that is none; -EADDRINUSE
 * with a message that says what to do; what socket(2) and bind(2) said. *out is the caller's (sg_http_stop()).
 */
int sg_http_start(struct sg_http **out, const char *address, uint16_t port, const struct sg_http_handlers *handlers,
		  struct sg_err *err);
void sg_http_stop(struct sg_http *h); /* NULL is fine */

uint16_t sg_http_port(const struct sg_http *h);
/* A descriptor that becomes readable when there is work (for epoll or poll). Owned by h. */
int sg_http_fd(const struct sg_http *h);
/* Does the work that waits; never blocks. */
void sg_http_run(struct sg_http *h);
/* Milliseconds until sg_http_run() must be called at the latest; -1: not before the descriptor is readable. */
int sg_http_timeout(const struct sg_http *h);

#endif
