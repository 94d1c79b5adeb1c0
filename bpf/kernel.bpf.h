/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_KERNEL_BPF_H
#define SG_KERNEL_BPF_H

/*
 * The few kernel structures that the programs read, declared by hand with only the members in use. CO-RE finds each
 * member's place in the running kernel by its name. supervisor/bpf_btf.c copies just these structures out of the
 * kernel's type information, so whatever is added here is picked up there by itself.
 */
#define SG_CORE __attribute__((preserve_access_index))

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
} SG_CORE;

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* by level */
} SG_CORE;

struct sigaction {
	unsigned long sa_flags;
} SG_CORE;

struct k_sigaction {
	struct sigaction sa;
} SG_CORE;

struct sighand_struct {
	struct k_sigaction action[64];
} SG_CORE;

struct thread_info {
	__u32 status; /* x86: TS_COMPAT */
} SG_CORE;

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	const void *real_cred;
	struct pid *thread_pid;
	struct sighand_struct *sighand;
} SG_CORE;

struct kernfs_node {
	__u64 id;
} SG_CORE;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup *ancestors[1]; /* by depth; 6.1, before: ancestor_ids */
} SG_CORE;

struct cgroup___ids {
	int level;
	__u64 ancestor_ids[1]; /* by depth; 4.18 to 6.0 */
} SG_CORE;

struct css_set {
	struct cgroup___ids *dfl_cgrp;
} SG_CORE;

struct task_struct___cgroups {
	struct css_set *cgroups;
} SG_CORE;

struct linux_binprm {
	const char *filename;
	struct file *file;
} SG_CORE;

/* The way from a file to its name. */
struct qstr___name {
	const unsigned char *name;
} SG_CORE;

struct dentry___name {
	struct qstr___name d_name;
} SG_CORE;

struct path___name {
	struct dentry___name *dentry;
} SG_CORE;

struct file___name {
	struct path___name f_path;
} SG_CORE;

/* The head of struct kernel_siginfo for SIGSYS: the same bytes as in user space, so no relocation is needed. */
struct sg_siginfo_sys {
	__s32 signo;
	__s32 err;
	__s32 code;
	__s32 pad;
	__u64 call_addr;
	__s32 nr;
	__u32 arch;
};

#define SG_SIGKILL 9
#define SG_SIGSYS 31
#define SG_SYS_SECCOMP 1             /* si_code of a seccomp SIGSYS */
#define SG_SA_IMMUTABLE 0x00800000UL /* kernel-internal: the signal may be neither caught nor blocked (5.16) */
#define SG_ENOSYS 38

#endif
