// SPDX-License-Identifier: Apache-2.0
/* Takes records out of the ring buffer and checks each before anybody looks inside. */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"
#include "supervisor/objects.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH 256 /* records that are said to be read at once */

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

/* Of this call at sg_bpf_consume(): a negative answer of fn ends it; the record is consumed. */
static void hand_over(struct sg_bpf *b, const void *rec, size_t size)
{
	if (sg_bpf_event_check(rec, size, b->max_sandboxes)) {
		b->malformed++;
		return;
	}
	b->handed++;
	b->fn_rc = b->fn(b->fn_ctx, rec, size);
	if (b->fn_rc > 0)
		b->fn_rc = -ECANCELED;
}

int sg_bpf_events_open(struct sg_bpf *b, struct sg_err *err)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int fd = bpf_map__fd(b->skel->maps.sg_events);

	b->ring_size = bpf_map__max_entries(b->skel->maps.sg_events);
	/* The kernel's documentation, bpf/ringbuf: the consumer's page, the producer's, and the data, twice in a row.
	 * Not by libbpf, which says of each record by itself that it was read. */
	b->ring_read = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b->ring_read == MAP_FAILED)
		b->ring_read = NULL;
	else
		b->ring_written = mmap(NULL, page + 2 * b->ring_size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (!b->ring_read || b->ring_written == MAP_FAILED) {
		b->ring_written = NULL;
		return sg_err_set(err, errno, "cannot map the ring buffer: %s", strerror(errno));
	}
	b->position = __atomic_load_n(b->ring_read, __ATOMIC_ACQUIRE);
	return 0;
}

void sg_bpf_events_close(struct sg_bpf *b)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (b->ring_read)
		munmap(b->ring_read, page);
	if (b->ring_written)
		munmap((void *)b->ring_written, page + 2 * b->ring_size);
}

uint64_t sg_bpf_ring_position(const struct sg_bpf *b)
{
	return b->position;
}

uint64_t sg_bpf_ring_end(const struct sg_bpf *b)
{
	return __atomic_load_n(b->ring_written, __ATOMIC_ACQUIRE);
}

int sg_bpf_event_fd(const struct sg_bpf *b)
{
	return bpf_map__fd(b->skel->maps.sg_events);
}

/* Hands over what waits, up to BATCH records. false: there was nothing. */
static bool take_batch(struct sg_bpf *b)
{
	const char *data = (const char *)b->ring_written + sysconf(_SC_PAGESIZE);
	unsigned long at = __atomic_load_n(b->ring_read, __ATOMIC_ACQUIRE), from = at;
	int taken = 0;

	while (taken < BATCH && b->fn_rc >= 0 && b->handed < SG_BPF_CONSUME_MAX &&
	       at < __atomic_load_n(b->ring_written, __ATOMIC_ACQUIRE)) {
		const char *head = data + (at & (b->ring_size - 1));
		uint32_t word = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
		uint32_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		/* Not finished yet. A size that no record can have is not believed. */
		if ((word & BPF_RINGBUF_BUSY_BIT) || size > b->ring_size)
			break;
		b->position = at;
		if (!(word & BPF_RINGBUF_DISCARD_BIT))
			hand_over(b, head + BPF_RINGBUF_HDR_SZ, size);
		at += (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		taken++;
	}
	if (at == from)
		return false;
	/* What is said to be read must not be needed again, should we die. */
	if (b->batch)
		b->batch(b->fn_ctx);
	b->position = at;
	__atomic_store_n(b->ring_read, at, __ATOMIC_RELEASE);
	/* Who writes now and finds that we had not read all wakes nobody: look again after that was said. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

int sg_bpf_consume(struct sg_bpf *b, sg_bpf_event_fn fn, void (*batch)(void *ctx), void *ctx, struct sg_err *err)
{
	b->fn = fn;
	b->batch = batch;
	b->fn_ctx = ctx;
	b->handed = 0;
	b->fn_rc = 0;
	while (take_batch(b) && b->fn_rc >= 0 && b->handed < SG_BPF_CONSUME_MAX)
		;
	b->fn = NULL;
	b->batch = NULL;
	b->fn_ctx = NULL;
	if (b->fn_rc < 0)
		return sg_err_set(err, -b->fn_rc, "reading of records was stopped");
	return b->handed;
}
