/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_SECCOMP_BPF_H
#define SG_SECCOMP_BPF_H

/*
 * raw_tp/signal_generate  sees seccomp kill (5.16 on): a forced SIGSYS, in the offender's own context.
 *
 * A program may send itself any siginfo with rt_sigqueueinfo(), and a filter of its own may answer SECCOMP_RET_TRAP.
 * Neither must look like a kill by the sandbox's filter. Two marks cannot be made from user mode:
 *   - the registers are rolled back (arch.bpf.h): no system call's body is running, so nothing sent this signal;
 *   - the kernel has just made the signal immutable, which it does for a kill and not for a trap.
 * The second one would do. The first is kept because it costs nothing and guards the arguments read from the registers.
 */
SEC("raw_tp/signal_generate")
int sg_signal(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sg_siginfo_sys info = {};
	struct sighand_struct *sighand = NULL;
	unsigned long sa_flags = 0;
	struct sg_sandbox *sb;
	struct sg_scratch *s;
	__u32 index = 0;

	if ((__s32)ctx->args[0] != SG_SIGSYS)
		return 0;
	if (ctx->args[1] <= 1 || ctx->args[2] != (__u64)task)
		return 0; /* no siginfo at all, or for another task */
	sb = sg_sandbox_current(&index);
	if (!sb || !(sb->flags & SG_SANDBOX_SECCOMP))
		return 0;
	if (bpf_probe_read_kernel(&info, sizeof(info), (const void *)ctx->args[1])) {
		SG_COUNT(index, helper_failed);
		return 0;
	}
	if (info.signo != SG_SIGSYS || info.code != SG_SYS_SECCOMP)
		return 0;
	if (bpf_core_read(&sighand, sizeof(sighand), &task->sighand) ||
	    bpf_core_read(&sa_flags, sizeof(sa_flags), &sighand->action[SG_SIGSYS - 1].sa.sa_flags)) {
		SG_COUNT(index, helper_failed);
		return 0;
	}
	if (!(sa_flags & SG_SA_IMMUTABLE))
		return 0;
	s = sg_scratch_get(SG_SCRATCH_SIGNAL);
	if (!s)
		return 0;
	if (sg_regs_current(&s->regs) == 0) {
		if (!sg_arch_rolled_back(&s->regs) || (__s32)sg_arch_nr(&s->regs) != info.nr)
			return 0;
	} else {
		SG_COUNT(index, helper_failed); /* a kill it is all the same: recorded without arguments */
	}
	sg_seccomp_record(sb, index, s, (__u32)info.nr, info.arch, info.call_addr);
	return 0;
}

#endif
