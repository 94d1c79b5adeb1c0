/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGCTL_H
#define SG_SGCTL_H

#include "policy/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The command line of sgctl. Strings point into argv. */
struct sgctl {
	const char *socket;
	bool json;
	const char *id, *container, *cgroup, *language, *mode, *pid, *signal, *type, *cwd, *home;
	bool stats, once;
};

/* One request on a connection of its own; n_fds descriptors go along and stay the caller's. Takes request over. fn: for
 * each part of the answer but the last, may be NULL. *answer: the caller's. */
int sgctl_ask(const struct sgctl *s, json_t *request, const int *fds, size_t n_fds, int (*fn)(void *ctx, json_t *part),
	      void *ctx, json_t **answer, struct sg_err *err);
void sgctl_print_json(const json_t *o);
const char *sgctl_text(const json_t *o, const char *key); /* "-" where there is none */
long long sgctl_number(const json_t *o, const char *key);

/* sgctl_watch.c */
int sgctl_tail(const struct sgctl *s, struct sg_err *err);
int sgctl_top(const struct sgctl *s, struct sg_err *err);
/* sgctl_oci.c: an OCI runtime's hook, the container's state on standard input. */
int sgctl_oci_hook(const struct sgctl *s, struct sg_err *err);

#endif
