// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LSM programs: object rules, enforced before the operation. An object of their own, loaded only where BPF LSM is
 * to be had and wanted; it shares the maps of shared.bpf.h with sg.bpf.c.
 *
 *   lsm_files.bpf.h    files and directories, terminals, descriptors that arrive
 *   lsm_exec.bpf.h     programs, executable memory
 *   lsm_net.bpf.h      sockets and addresses
 *   lsm_process.bpf.h  other processes, identity, System V objects
 *   lsm_kernel.bpf.h   mounts, bpf, perf, keys, modules, io_uring
 *
 * What they guarantee: an earlier LSM's denial is passed on; outside every sandbox nothing is looked up but the cgroup;
 * a decision depends on kernel objects and the policy, never on user memory or on room in a ring buffer; an exhausted
 * bound or a failed read denies and is counted. A hook that the running kernel lacks is left out by the loader, which
 * says so.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif
#define SG_EINVAL 22

#include "bpf/sg_abi.h"
#include "bpf/sg_abi_check.h"

const volatile __u32 sg_has_task_pt_regs = 0; /* bpf_task_pt_regs(), 5.15 */

#include "kernel.bpf.h"
#include "lsm_kernel_types.bpf.h"
#include "arch.bpf.h"
#include "shared.bpf.h"
#define SG_SANDBOX_APART
#include "sandbox.bpf.h"
#include "record.bpf.h"
#include "lsm_core.bpf.h"
#include "lsm_walk.bpf.h"
#include "lsm_files.bpf.h"
#include "lsm_exec.bpf.h"
#include "lsm_net.bpf.h"
#include "lsm_process.bpf.h"
#include "lsm_kernel.bpf.h"

/* BPF_PROG_TEST_RUN: how the programs number the supervisor's own thread, which may live in another pid namespace. */
__u32 sg_caller = 0, sg_caller_tgid = 0;

SEC("raw_tp/sys_enter")
int sg_who_calls(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	(void)ctx;
	sg_caller = (__u32)pid_tgid;
	sg_caller_tgid = pid_tgid >> 32;
	return 0;
}

/* For tests/bpf, never loaded otherwise: the walk up from the working directory of the thread that runs it. */
__u64 sg_test_inode = 0, sg_test_sb = 0; /* addresses: of that directory */
__u32 sg_test_by_address = 0, sg_test_want = 0, sg_test_granted = 0, sg_test_origin = 0;

SEC("?raw_tp/sys_enter")
int sg_test_walk(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct___fs *task = (struct task_struct___fs *)bpf_get_current_task_btf();
	struct dentry *d = task->fs->pwd.dentry;
	struct sg_at a = {.index = 0};
	struct sg_walk r;

	(void)ctx;
	a.lsm = bpf_map_lookup_elem(&sg_lsm, &a.index);
	if (!a.lsm)
		return 0;
	sg_test_inode = sg_address(d->d_inode);
	sg_test_sb = sg_address(d->d_sb);
	if (sg_test_by_address)
		r = sg_walk_read(&a, (struct dentry *)sg_address(d), sg_test_want);
	else
		r = sg_walk_up(&a, d, sg_test_want);
	sg_test_granted = r.granted;
	sg_test_origin = r.origin;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
