// SPDX-License-Identifier: Apache-2.0
/* Takes records out of the ring buffer and checks each before anybody looks inside. */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"
#include "supervisor/objects.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int sg_bpf_event_check(const void *rec, size_t size, uint32_t max_sandboxes)
{
	const struct sg_event_hdr *h = rec;
	size_t want;

	if (size < sizeof(*h) || h->size != size || h->version != SG_ABI_VERSION || h->sandbox >= max_sandboxes)
		return -EPROTO;
	if (h->comm[SG_COMM_LEN - 1])
		return -EPROTO;
	switch (h->type) {
	case SG_EVENT_SYSCALL:
		want = sizeof(struct sg_event_syscall);
		break;
	case SG_EVENT_EXEC:
	case SG_EVENT_EXIT:
		want = sizeof(struct sg_event_proc);
		break;
	case SG_EVENT_OBJECT:
		want = sizeof(struct sg_event_object);
		break;
	default:
		return -EPROTO;
	}
	if (size != want)
		return -EPROTO;
	if (h->type == SG_EVENT_OBJECT && !sg_object_is_whole(rec))
		return -EPROTO;
	if ((h->type == SG_EVENT_EXEC || h->type == SG_EVENT_EXIT) && ((const struct sg_event_proc *)rec)->path[127])
		return -EPROTO;
	return 0;
}

static int on_record(void *ctx, void *rec, size_t size)
{
	struct sg_bpf *b = ctx;

	if (sg_bpf_event_check(rec, size, b->max_sandboxes)) {
		b->malformed++;
		return 0;
	}
	b->handed++;
	b->fn_rc = b->fn(b->fn_ctx, rec, size);
	if (b->fn_rc > 0)
		b->fn_rc = -ECANCELED;
	if (b->fn_rc == 0 && b->handed == SG_BPF_CONSUME_MAX)
		return -EAGAIN;
	return b->fn_rc; /* negative stops libbpf; this record is consumed */
}

int sg_bpf_events_open(struct sg_bpf *b, struct sg_err *err)
{
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.sg_events), on_record, b, NULL);
	if (!b->ring)
		return sg_err_set(err, errno, "cannot map the ring buffer: %s", strerror(errno));
	/* The consumer's page of the map: kernel documentation, bpf/ringbuf. */
	b->ring_page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED,
			    bpf_map__fd(b->skel->maps.sg_events), 0);
	if (b->ring_page == MAP_FAILED) {
		b->ring_page = NULL;
		return sg_err_set(err, errno, "cannot map the ring buffer: %s", strerror(errno));
	}
	return 0;
}

uint64_t sg_bpf_ring_position(const struct sg_bpf *b)
{
	return __atomic_load_n(b->ring_page, __ATOMIC_ACQUIRE);
}

int sg_bpf_event_fd(const struct sg_bpf *b)
{
	return ring_buffer__epoll_fd(b->ring);
}

int sg_bpf_consume(struct sg_bpf *b, sg_bpf_event_fn fn, void *ctx, struct sg_err *err)
{
	int rc;

	b->fn = fn;
	b->fn_ctx = ctx;
	b->handed = 0;
	b->fn_rc = 0;
	rc = ring_buffer__consume(b->ring);
	b->fn = NULL;
	b->fn_ctx = NULL;
	if (b->fn_rc < 0)
		return sg_err_set(err, -b->fn_rc, "reading of records was stopped");
	if (rc < 0 && b->handed < SG_BPF_CONSUME_MAX)
		return sg_err_set(err, -rc, "cannot read the ring buffer: %s", strerror(-rc));
	return b->handed;
}
