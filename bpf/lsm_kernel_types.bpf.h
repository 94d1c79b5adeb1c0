/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_KERNEL_TYPES_BPF_H
#define SG_LSM_KERNEL_TYPES_BPF_H

/*
 * Kernel structures that only the LSM programs read; see kernel.bpf.h for the rules. LSM hooks get typed pointers, so
 * members are read by plain loads; what is reached through a cast is read with bpf_core_read().
 */

typedef unsigned short umode_t;

struct super_block {
	__u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
} SG_CORE;

struct inode {
	unsigned long i_ino;
	umode_t i_mode;
	unsigned int i_nlink;
	struct super_block *i_sb;
} SG_CORE;

struct qstr {
	const unsigned char *name;
} SG_CORE;

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
} SG_CORE;

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
} SG_CORE;

struct mnt_namespace;

struct vfsmount {
	int mnt_flags;
} SG_CORE;

struct mount {
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
} SG_CORE;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} SG_CORE;

struct fs_struct { /* for tests */
	struct path pwd;
} SG_CORE;

struct task_struct___fs {
	struct fs_struct *fs;
} SG_CORE;

struct file {
	struct path f_path;
	unsigned int f_flags;
	unsigned int f_mode;
} SG_CORE;

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
} SG_CORE;

struct hlist_node {
	struct hlist_node *next;
} SG_CORE;

struct hlist_head {
	struct hlist_node *first;
} SG_CORE;

struct pid___tasks {
	struct hlist_head tasks[4];
} SG_CORE;

struct cred;

struct task_struct___lsm {
	const struct cred *cred;
	const struct cred *real_cred;
	int tgid;
	int pid;
	unsigned int flags;
	struct hlist_node pid_links[4];
} SG_CORE;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	int sg_unused; /* 64 bits in the kernel, one for each capability */
} kernel_cap_t;

struct cred {
	kuid_t uid, euid, suid, fsuid;
	kuid_t gid, egid, sgid, fsgid;             /* kgid_t in the kernel: the same form */
	kernel_cap_t cap_permitted, cap_effective; /* only their places are used */
	void *user_ns;
} SG_CORE;

struct linux_binprm___lsm {
	struct file *file;
	struct cred *cred;
} SG_CORE;

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
	void *anon_vma;
} SG_CORE;

struct iattr {
	unsigned int ia_valid;
} SG_CORE;

struct sockaddr {
	unsigned short sa_family;
} SG_CORE;

struct in6_addr {
	int sg_unused; /* 16 bytes in the kernel */
} SG_CORE;

struct sock_common {
	unsigned short skc_family;
	unsigned short skc_num;
	__u32 skc_rcv_saddr;
	struct in6_addr skc_v6_rcv_saddr; /* only its place is used */
} SG_CORE;

struct sock_cgroup_data {
	struct cgroup *cgroup;
} SG_CORE;

struct sock_cgroup_data___old { /* before 5.15: a pointer with flags in its lowest bits */
	__u64 val;
} SG_CORE;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	__u16 sk_type;
	struct sock_cgroup_data sk_cgrp_data;
	struct pid *sk_peer_pid;
} SG_CORE;

struct socket {
	struct sock *sk;
	short type;
} SG_CORE;

struct sockaddr_un {
	unsigned short sun_family;
} SG_CORE;

struct unix_address {
	int len;
	struct sockaddr_un name[0]; /* only its place is used */
} SG_CORE;

struct unix_sock {
	struct path path;
	struct sock *peer;
	struct unix_address *addr;
} SG_CORE;

struct msghdr {
	void *msg_name;
	int msg_namelen;
	unsigned int msg_flags;
	void *msg_control;
	unsigned long msg_controllen;
} SG_CORE;

struct bpf_map {
	__u32 id;
} SG_CORE;

struct bpf_prog_aux {
	__u32 id;
} SG_CORE;

struct bpf_prog {
	struct bpf_prog_aux *aux;
} SG_CORE;

#define SG_EPERM 1
#define SG_EACCES 13

#define SG_PROC_MAGIC 0x9fa0
#define SG_CGROUP_MAGIC 0x27e0eb
#define SG_CGROUP2_MAGIC 0x63677270
#define SG_BPF_MAGIC 0xcafe4a11
#define SG_MQUEUE_MAGIC 0x19800202
#define SG_NAME_OF_RINGS 0x6e6972755f6f695bULL  /* "[io_urin" */
#define SG_NAME_OF_FAULTS 0x756166726573755bULL /* "[userfau" */

#define SG_PF_IO_WORKER 0x10

#define SG_FMODE_READ 0x1
#define SG_FMODE_WRITE 0x2
#define SG_FMODE_EXEC 0x20 /* in f_flags and f_mode: opened for execve */
#define SG_O_ACCMODE 3
#define SG_O_TRUNC 01000
#define SG_O_ASYNC 020000
#define SG_S_IFMT 0170000
#define SG_S_IFCHR 0020000
#define SG_S_IROTH 0000004
#define SG_PROT_WRITE 0x2
#define SG_PROT_EXEC 0x4
#define SG_VM_WRITE 0x2
#define SG_VM_SHARED 0x8
#define SG_SB_NOUSER (1UL << 31)            /* pipes, sockets, memfd and the like */
#define SG_MNT_INTERNAL ((__u64)-SG_EINVAL) /* ERR_PTR: the mounts that no mount namespace holds */

#define SG_UNIX_NAME_AT 3    /* bytes before an abstract name: the family, and zero */
#define SG_UNIX_NAME_MAX 107 /* bytes of it */
#define SG_AF_UNIX 1
#define SG_AF_INET 2
#define SG_AF_INET6 10
#define SG_SOCK_STREAM 1
#define SG_SOCK_DGRAM 2
#define SG_SOCK_TYPE_MASK 0xf

#endif
