/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_EVENTS_BPF_H
#define SG_EVENTS_BPF_H

/*
 * Records: filling them, sending them, and keeping the one that killed. Nothing here has a say in what happens to a
 * task: a record that finds no room is counted and forgotten, except for first_kill, which has a place of its own.
 */

/* Keeps the record that killed in the sandbox itself. The first one wins. */
static __always_inline void sg_first_kill(struct sg_sandbox *sb, __u32 index, const struct sg_event_syscall *ev)
{
	__u32 one = 1;

	if (sb->killed || bpf_map_update_elem(&sg_claims, &index, &one, BPF_NOEXIST))
		return;
	sb->killed = 1;
	barrier();
	sb->first_kill = *ev;
	barrier();
	sb->killed = 2;
}

/* A pending record learned its outcome: into first_kill if it is the same one, and out. */
static __always_inline void sg_pending_finish(struct sg_proc *proc, __u8 outcome, __s64 ret)
{
	struct sg_event_syscall *ev = &proc->event;
	__u32 index = proc->sandbox;
	struct sg_sandbox *sb;

	ev->outcome = outcome;
	ev->ret = outcome == SG_OUTCOME_RETURNED ? ret : 0;
	proc->pending = 0;
	if (sg_with_sys_exit)
		__sync_fetch_and_add(&sg_pending, -1);
	sb = bpf_map_lookup_elem(&sg_sandboxes, &index);
	if (sb && sb->killed == 2 && sb->first_kill.hdr.pid == ev->hdr.pid &&
	    sb->first_kill.hdr.time_ns == ev->hdr.time_ns) {
		sb->first_kill.ret = ev->ret;
		barrier();
		sb->first_kill.outcome = ev->outcome;
	}
	sg_send(index, ev, sizeof(*ev));
}

/* Process state. */

static __always_inline struct sg_proc *sg_proc_add(struct sg_sandbox *sb, __u32 index, __u32 pid, __u32 tgid,
						   struct sg_scratch *s)
{
	struct sg_proc *p = &s->proc;
	int rc;

	__builtin_memset(p, 0, sizeof(*p));
	p->tgid = tgid;
	p->uid = (__u32)bpf_get_current_uid_gid();
	p->sandbox = index;
	p->start_ns = bpf_ktime_get_boot_ns();
	bpf_get_current_comm(p->comm, sizeof(p->comm));
	rc = bpf_map_update_elem(&sg_processes, &pid, p, BPF_NOEXIST);
	if (rc == 0)
		__sync_fetch_and_add(&sb->tasks, 1);
	else if (rc != -SG_EEXIST)
		SG_COUNT(index, procs_full);
	return bpf_map_lookup_elem(&sg_processes, &pid);
}

/* The entry of the running task, made now if the task is older than the programs. NULL when the map is full. */
static __always_inline struct sg_proc *sg_proc_current(struct sg_sandbox *sb, __u32 index, struct sg_scratch *s)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 pid = (__u32)pid_tgid;
	struct sg_proc *p;

	p = bpf_map_lookup_elem(&sg_processes, &pid);
	if (!p)
		p = sg_proc_add(sb, index, pid, pid_tgid >> 32, s);
	/* an entry of a sandbox that is gone, with the same number: never mix the two */
	return p && p->sandbox == index ? p : NULL;
}

static __always_inline void sg_proc_remove(struct sg_proc *proc, __u32 pid)
{
	__u32 index = proc->sandbox;
	struct sg_sandbox *sb = bpf_map_lookup_elem(&sg_sandboxes, &index);

	if (bpf_map_delete_elem(&sg_processes, &pid) == 0 && sb)
		__sync_fetch_and_add(&sb->tasks, -1);
}

#endif
