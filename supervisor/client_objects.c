/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from client.c: who only talks to the daemon needs nothing of the BPF side. */
#include "supervisor/bpf.h"
#include "supervisor/client.h"
#include "supervisor/places.h"
#include "supervisor/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int sg_client_objects(const struct sg_objects *o, const struct sg_places *p, unsigned tries, int fds[2],
		      struct sg_err *err)
{
	struct sg_wire_objects head = {.objects = *o, .self = p->self, .n = (uint32_t)p->n};
	SG_FREE struct sg_tree_rights *says = calloc(p->n + 1, sizeof(*says));
	struct iovec iov[] = {{.iov_base = &head, .iov_len = sizeof(head)},
			      {.iov_base = says, .iov_len = p->n * sizeof(*says)}};
	SG_CLOSE int memory = -1, far = -1, near = -1;
	int pair[2], rc = -ETOOMANYREFS;

	if (!says)
		return sg_err_set(err, ENOMEM, "out of memory");
	if (p->n > SG_BPF_PLACES_MAX)
		return sg_err_set(err, E2BIG, "the policy's rules name %zu places: sgd takes %d", p->n,
				  SG_BPF_PLACES_MAX);
	for (size_t i = 0; i < p->n; i++)
		says[i] = p->list[i].rights;
	memory = sg_client_memory("sandgate-objects", iov, p->n ? 2 : 1);
	if (memory < 0)
		return sg_err_set(err, errno, "cannot create a memory file: %s", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sg_err_set(err, errno, "cannot create a socket pair: %s", strerror(errno));
	near = pair[0];
	far = pair[1];
	while (rc == -ETOOMANYREFS && tries--) {
		rc = sg_bpf_places_send(near, p);
		if (rc == -ETOOMANYREFS)
			(void)usleep(1000);
	}
	if (rc)
		return sg_err_set(err, -rc, "cannot send the places of the rules: %s", strerror(-rc));
	fds[0] = SG_TAKE_FD(memory);
	fds[1] = SG_TAKE_FD(far);
	return 0;
}
