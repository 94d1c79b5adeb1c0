/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_EXEC_BPF_H
#define SG_LSM_EXEC_BPF_H

/*
 * bprm_creds_for_exec     once for each execve: counts, and holds exec_max
 * bprm_check_security     once for the program and for each interpreter of a script: SG_RIGHT_EXEC; memfd and unlinked
 * bprm_creds_from_file    a set-user-id program
 * bprm_committing_creds   past the point of no return: the launcher's own exec arms the sandbox here, before the first
 *                         instruction of the program
 * mmap_file file_mprotect executable memory: SG_RIGHT_MAP, and nothing that was ever writable
 */

SG_LSM(bprm_creds_for_exec)
{
	struct sg_what w = {.cls = SG_CLASS_EXEC, .hook = SG_HOOK_bprm_creds_for_exec, .kind = SG_OBJECT_NUMBER};
	struct sg_at a;
	__u64 most;

	SG_ENTER(&a, 1);
	most = a.lsm->objects.exec_max;
	if (most == SG_EXEC_UNBOUNDED)
		return 0;
	/* what is refused does not count, and the number never begins anew */
	w.number = (__u64)SG_READ_ONCE(a.lsm->execs) + 1;
	if (w.number <= (sg_enforced(&a, SG_CLASS_EXEC) ? most : SG_EXEC_UNBOUNDED)) {
		/* whoever reads after adding reads at least its own number: under a race more is refused, never less */
		__sync_fetch_and_add(&a.lsm->execs, 1);
		barrier();
		w.number = SG_READ_ONCE(a.lsm->execs);
	}
	if (w.number <= most)
		return 0;
	w.origin = SG_UNLISTED;
	return sg_refuse(&a, &w);
}

/* No name leads to it any more, or none ever did. */
static __always_inline int sg_file_nameless(struct file *file)
{
	struct inode *inode = file->f_path.dentry->d_inode;

	return !inode || inode->i_nlink == 0 || sg_mount_internal(file->f_path.mnt);
}

SG_LSM(bprm_check_security)
{
	struct linux_binprm___lsm *bprm = (struct linux_binprm___lsm *)ctx[0];
	struct sg_what w = {.hook = SG_HOOK_bprm_check_security, .origin = SG_UNLISTED};
	struct sg_at a;
	struct file *file;
	struct dentry *d;
	struct sg_walk r;

	SG_ENTER(&a, 1);
	file = bprm->file;
	if (!file)
		return sg_no();
	d = file->f_path.dentry;
	if (sg_mode(&a, SG_CLASS_WX) != SG_MODE_ALLOW && sg_file_nameless(file)) {
		int rc;

		w.cls = SG_CLASS_WX;
		rc = sg_refuse_file(&a, &w, d);
		if (rc)
			return rc;
	}
	r = sg_walk_up(&a, d, SG_RIGHT_EXEC);
	if (!sg_missing(&a, &r, SG_RIGHT_EXEC))
		return 0;
	w.right = SG_RIGHT_EXEC;
	w.origin = r.origin;
	w.cls = SG_CLASS_EXEC;
	return sg_refuse_file(&a, &w, d);
}

SG_LSM(bprm_creds_from_file)
{
	struct linux_binprm___lsm *bprm = (struct linux_binprm___lsm *)ctx[0];
	struct file *file = (struct file *)ctx[1];
	struct sg_what w = {.cls = SG_CLASS_SETID, .hook = SG_HOOK_bprm_creds_from_file, .origin = SG_UNLISTED};
	__u64 ids = bpf_get_current_uid_gid();
	struct sg_at a;
	struct cred *cred;

	SG_ENTER(&a, 2);
	if (sg_mode(&a, SG_CLASS_SETID) == SG_MODE_ALLOW)
		return 0;
	cred = bprm->cred;
	if (!cred)
		return sg_no();
	if (cred->euid.val == cred->uid.val && cred->egid.val == cred->gid.val && cred->uid.val == (__u32)ids)
		return 0;
	return sg_refuse_file(&a, &w, file->f_path.dentry);
}

SG_LSM(bprm_committing_creds)
{
	struct sg_sandbox *sb;
	struct sg_lsm *lsm;
	__u32 index = 0;

	(void)ctx;
	sb = sg_sandbox_current(&index);
	if (!sb || !(sb->flags & SG_SANDBOX_LSM) || !(sb->flags & SG_SANDBOX_ARM_ON_EXEC) || sb->armed)
		return 0;
	lsm = bpf_map_lookup_elem(&sg_lsm, &index);
	if (lsm)
		lsm->starting = 1;
	barrier();
	sb->armed = 1;
	return 0;
}

/* Executable memory without a file behind it. */
static __always_inline int sg_judge_memory(struct sg_at *a, __u8 hook, __u64 prot, int written)
{
	struct sg_what w = {
		.hook = hook, .kind = SG_OBJECT_NUMBER, .number = prot, .origin = SG_UNLISTED, .cls = SG_CLASS_WX};

	if (!written || sg_mode(a, SG_CLASS_WX) == SG_MODE_ALLOW)
		return 0;
	return sg_refuse(a, &w);
}

/*
 * Executable memory. written: it is, was or could be changed by the program. Files: SG_RIGHT_MAP, but for what the
 * kernel maps of the first program, which it opened for execve; what else the program has at its start was handed down.
 */
static __always_inline int sg_judge_map(struct sg_at *a, __u8 hook, struct file *file, __u64 prot, int written)
{
	struct sg_what w = {.hook = hook, .number = prot, .origin = SG_UNLISTED, .cls = SG_CLASS_WX};
	__u32 wx = sg_mode(a, SG_CLASS_WX);
	struct dentry *d;
	struct sg_walk r;
	int nameless;

	if (!file)
		return sg_judge_memory(a, hook, prot, written);
	d = file->f_path.dentry;
	nameless = sg_file_nameless(file);
	if (wx != SG_MODE_ALLOW && (written || nameless)) {
		int rc = sg_refuse_file(a, &w, d);

		if (rc)
			return rc;
	}
	if (nameless)
		return 0; /* its own memory, and a language that makes code as it runs */
	r = sg_walk_up(a, d, SG_RIGHT_MAP);
	if (!sg_missing(a, &r, SG_RIGHT_MAP) || (a->lsm->starting && (file->f_flags & SG_FMODE_EXEC)))
		return 0;
	w.right = SG_RIGHT_MAP;
	w.origin = r.origin;
	w.cls = SG_CLASS_MAP;
	return sg_refuse_file(a, &w, d);
}

/* Memory that is not to be executed goes on, too. */
#define SG_ENTER_MAP(at, nargs, prot)                                                                                  \
	do {                                                                                                           \
		if (!(int)ctx[nargs] && !((prot)&SG_PROT_EXEC))                                                        \
			return 0;                                                                                      \
		SG_ENTER(at, nargs);                                                                                   \
	} while (0)

/*
 * There is no file behind anonymous memory. Kernels from 6.3 on that do not mark the argument as one that may be NULL
 * (6.12 does not) take a test of it for superfluous and out of the program: so it is looked at as a number.
 */
SG_LSM(mmap_file)
{
	struct file *file = (struct file *)ctx[0];
	__u64 prot = ctx[2];
	struct sg_at a;

	SG_ENTER_MAP(&a, 4, prot);
	if (!sg_address(file))
		return sg_judge_memory(&a, SG_HOOK_mmap_file, prot, !!(prot & SG_PROT_WRITE));
	return sg_judge_map(&a, SG_HOOK_mmap_file, file, prot, !!(prot & SG_PROT_WRITE));
}

SG_LSM(file_mprotect)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)ctx[0];
	__u64 prot = ctx[2];
	struct file *file;
	struct sg_at a;

	SG_ENTER_MAP(&a, 3, prot);
	file = vma->vm_file;
	/* writable now or then, or without a file: its contents were written; anon_vma: changed pages of a file */
	return sg_judge_map(&a, SG_HOOK_file_mprotect, file, prot,
			    (prot & SG_PROT_WRITE) || (vma->vm_flags & SG_VM_WRITE) || !file || vma->anon_vma);
}

#endif
