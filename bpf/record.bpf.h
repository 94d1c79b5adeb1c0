/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_RECORD_BPF_H
#define SG_RECORD_BPF_H

/* The head of every record, and the way out. */

static __always_inline void sg_hdr_fill(struct sg_event_hdr *h, __u16 size, __u8 type, __u32 index, __u64 cgroup_id)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u64 uid_gid = bpf_get_current_uid_gid();

	h->size = size;
	h->version = SG_ABI_VERSION;
	h->type = type;
	h->sandbox = index;
	h->cgroup_id = cgroup_id;
	h->time_ns = bpf_ktime_get_boot_ns();
	h->pid = (__u32)pid_tgid;
	h->tgid = pid_tgid >> 32;
	h->uid = (__u32)uid_gid;
	h->gid = uid_gid >> 32;
	bpf_get_current_comm(h->comm, sizeof(h->comm));
}

static __always_inline void sg_send(__u32 index, void *rec, __u32 size)
{
	if (bpf_ringbuf_output(&sg_events, rec, size, 0))
		SG_COUNT(index, events_dropped);
	else
		SG_COUNT(index, events_sent);
}

#endif
