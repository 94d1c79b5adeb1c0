// SPDX-License-Identifier: Apache-2.0
/*
 * Loads the LSM programs beside the others. libbpf would look every hook up in the kernel's whole type information,
 * which it takes 10 ms to read; the numbers are known here from the cache, so the programs are given theirs directly.
 */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"
#include "bpf/sg_lsm.skel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define SECTION "lsm/"
#define TREES_EACH 1024      /* places of one sandbox; the map takes memory only for what is in it */
#define TREES_ALL (1U << 19) /* but 16 bytes for each that there may be */

static int hook_by_name(const char *name)
{
	for (int i = 0; i < SG_HOOK_N; i++)
		if (strcmp(sg_hook_names[i], name) == 0)
			return i;
	return -1;
}

int sg_bpf_hook_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	return strncmp(section, SECTION, strlen(SECTION)) == 0 ? hook_by_name(section + strlen(SECTION)) : -1;
}

/* Of the running kernel, so one for the process. */
static struct sg_hook_at hooks[SG_HOOK_N];

/*
 * libbpf asks before it loads each program of the section. It must not take the program for an LSM one earlier than
 * that: it would read the kernel's type information for it.
 */
static int prepare_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	int hook = sg_bpf_hook_of(prog);

	if (hook < 0 || !hooks[hook].btf_id)
		return -ENOENT;
	opts->expected_attach_type = BPF_LSM_MAC;
	opts->attach_btf_id = hooks[hook].btf_id;
	return bpf_program__set_type(prog, BPF_PROG_TYPE_LSM);
}

/* Once for the process: libbpf before 1.3 does not survive taking back the last handler. */
static int handler_register(struct sg_err *err)
{
	static int handler = -1;
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare_load);

	if (handler < 0)
		handler = libbpf_register_prog_handler(SECTION, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &opts);
	return handler < 0 ? sg_err_set(err, -handler, "cannot prepare libbpf for LSM programs: %s", strerror(-handler))
			   : 0;
}

/* Arguments that a hook had in the first kernel that we know, and at most has now; else it is not the hook we know. */
static bool signature_known(int hook, uint32_t nargs)
{
	static const struct {
		uint8_t hook, least, most;
	} known[] = {
		{SG_HOOK_file_open, 1, 1},
		{SG_HOOK_file_receive, 1, 1},
		{SG_HOOK_file_ioctl, 3, 3},
		{SG_HOOK_file_ioctl_compat, 3, 3},
		{SG_HOOK_file_fcntl, 3, 3},
		{SG_HOOK_mmap_file, 4, 4},
		{SG_HOOK_file_mprotect, 3, 3},
		{SG_HOOK_path_mknod, 4, 4},
		{SG_HOOK_path_mkdir, 3, 3},
		{SG_HOOK_path_symlink, 3, 3},
		{SG_HOOK_path_link, 3, 3},
		{SG_HOOK_path_rename, 4, 5},
		{SG_HOOK_path_unlink, 2, 2},
		{SG_HOOK_path_rmdir, 2, 2},
		{SG_HOOK_path_truncate, 1, 1},
		{SG_HOOK_path_chmod, 2, 2},
		{SG_HOOK_path_chown, 3, 3},
		{SG_HOOK_path_chroot, 1, 1},
		{SG_HOOK_inode_setattr, 2, 3},
		{SG_HOOK_inode_setxattr, 5, 6},
		{SG_HOOK_inode_removexattr, 2, 3},
		{SG_HOOK_inode_set_acl, 4, 4},
		{SG_HOOK_inode_remove_acl, 3, 3},
		{SG_HOOK_bprm_creds_for_exec, 1, 1},
		{SG_HOOK_bprm_check_security, 1, 1},
		{SG_HOOK_bprm_creds_from_file, 2, 2},
		{SG_HOOK_bprm_committing_creds, 1, 1},
		{SG_HOOK_socket_create, 4, 4},
		{SG_HOOK_socket_bind, 3, 3},
		{SG_HOOK_socket_connect, 3, 3},
		{SG_HOOK_socket_listen, 2, 2},
		{SG_HOOK_socket_sendmsg, 3, 3},
		{SG_HOOK_socket_setsockopt, 3, 3},
		{SG_HOOK_unix_stream_connect, 3, 3},
		{SG_HOOK_unix_may_send, 2, 2},
		{SG_HOOK_ptrace_access_check, 2, 2},
		{SG_HOOK_ptrace_traceme, 1, 1},
		{SG_HOOK_task_kill, 4, 4},
		{SG_HOOK_task_setnice, 2, 2},
		{SG_HOOK_task_setioprio, 2, 2},
		{SG_HOOK_task_setscheduler, 1, 1},
		{SG_HOOK_task_setrlimit, 3, 3},
		{SG_HOOK_task_movememory, 1, 1},
		{SG_HOOK_task_prlimit, 3, 3},
		{SG_HOOK_task_fix_setuid, 3, 3},
		{SG_HOOK_task_fix_setgid, 3, 3},
		{SG_HOOK_task_fix_setgroups, 2, 2},
		{SG_HOOK_capable, 4, 4},
		{SG_HOOK_userns_create, 1, 1},
		{SG_HOOK_sb_mount, 5, 5},
		{SG_HOOK_sb_umount, 2, 2},
		{SG_HOOK_sb_remount, 2, 2},
		{SG_HOOK_sb_pivotroot, 2, 2},
		{SG_HOOK_move_mount, 2, 2},
		{SG_HOOK_bpf, 3, 4},
		{SG_HOOK_bpf_map, 2, 2},
		{SG_HOOK_bpf_prog, 1, 1},
		{SG_HOOK_perf_event_open, 1, 2},
		{SG_HOOK_key_alloc, 3, 3},
		{SG_HOOK_key_permission, 3, 3},
		{SG_HOOK_kernel_read_file, 3, 3},
		{SG_HOOK_kernel_load_data, 2, 2},
		{SG_HOOK_kernel_module_request, 1, 1},
		{SG_HOOK_syslog, 1, 1},
		{SG_HOOK_settime, 2, 2},
		{SG_HOOK_quotactl, 4, 4},
		{SG_HOOK_quota_on, 1, 1},
		{SG_HOOK_ipc_permission, 2, 2},
		{SG_HOOK_msg_queue_alloc_security, 1, 1},
		{SG_HOOK_msg_queue_free_security, 1, 1},
		{SG_HOOK_shm_alloc_security, 1, 1},
		{SG_HOOK_shm_free_security, 1, 1},
		{SG_HOOK_sem_alloc_security, 1, 1},
		{SG_HOOK_sem_free_security, 1, 1},
		{SG_HOOK_msg_queue_msgctl, 2, 2},
		{SG_HOOK_shm_shmctl, 2, 2},
		{SG_HOOK_sem_semctl, 2, 2},
		{SG_HOOK_uring_override_creds, 1, 1},
		{SG_HOOK_uring_sqpoll, 0, 0},
		{SG_HOOK_uring_cmd, 1, 1},
		{SG_HOOK_inode_init_security_anon, 3, 3},
		{SG_HOOK_uring_allowed, 0, 0},
		{SG_HOOK_task_alloc, 2, 2},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].hook == hook)
			return nargs >= known[i].least && nargs <= known[i].most;
	return false;
}

static bool has_hook(int hook)
{
	return hooks[hook].btf_id && signature_known(hook, hooks[hook].nargs);
}

/* What a kernel may lack, and what that leaves open; no text: nothing, another hook does the work there. */
static const struct sg_missing_hook optional[] = {
	{"file_ioctl_compat", SG_CLASS_KERNEL, NULL}, /* 6.8; before, file_ioctl sees both */
	{"inode_set_acl", SG_CLASS_WRITE, NULL},      /* 6.2; before, inode_setxattr sees them */
	{"inode_remove_acl", SG_CLASS_WRITE, NULL},   /* the same */
	{"task_fix_setgroups", SG_CLASS_SETID,
	 "setid: supplementary groups can be changed, with the capability for it"},
	{"userns_create", SG_CLASS_NAMESPACE, "namespace: user namespaces can be made"},
	{"uring_override_creds", SG_CLASS_URING, "uring: rings can be used"},
	{"uring_sqpoll", SG_CLASS_URING, NULL}, /* 5.16, with uring_override_creds */
	{"uring_cmd", SG_CLASS_URING, "uring: commands can be passed to devices"},
	{"inode_init_security_anon", SG_CLASS_WX, /* 5.12; for rings it is asked since 5.16 */
	 "wx: executable memory can be filled through userfaultfd(2)"},
	{"uring_allowed", SG_CLASS_URING, "uring: rings can be set up; what they do to objects is judged"},
	{"quotactl", SG_CLASS_KERNEL, NULL}, /* a kernel without quotas */
	{"quota_on", SG_CLASS_KERNEL, NULL},
	{"key_alloc", SG_CLASS_KEYS, NULL}, /* a kernel without keys */
	{"key_permission", SG_CLASS_KEYS, NULL},
	{"perf_event_open", SG_CLASS_PERF, NULL}, /* without perf events */
};

/* Chooses programs and sizes, before load. */
static int configure(struct sg_bpf *b, const struct sg_bpf_opts *o, struct sg_err *err)
{
	struct sg_bpf_lsm *l = b->lsm;
	struct sg_lsm_bpf_skel *s = l->skel;
	const struct {
		struct bpf_map *to;
		const struct bpf_map *from;
	} shared[] = {
		{s->maps.sg_events, b->skel->maps.sg_events}, {s->maps.sg_sandboxes, b->skel->maps.sg_sandboxes},
		{s->maps.sg_stats, b->skel->maps.sg_stats},   {s->maps.sg_claims, b->skel->maps.sg_claims},
		{s->maps.sg_slots, b->skel->maps.sg_slots},
	};
	struct bpf_program *prog;
	size_t n_missing = 0, i;

	s->rodata->sg_chown_by_setattr = sg_bpf_kernel(0) < (6U << 16 | 1U << 8);
	bpf_object__for_each_program(prog, s->obj)
	{
		int hook = sg_bpf_hook_of(prog);

		if (hook == SG_HOOK_path_chown && s->rodata->sg_chown_by_setattr) {
			bpf_program__set_autoload(prog, false);
			continue;
		}
		if (hook < 0 || has_hook(hook))
			continue;
		bpf_program__set_autoload(prog, false);
		/* since 5.16, as uring_sqpoll, a ring is a secure anonymous inode */
		if (hook == SG_HOOK_uring_allowed && has_hook(SG_HOOK_uring_sqpoll) &&
		    has_hook(SG_HOOK_inode_init_security_anon))
			continue;
		for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
			if (!strcmp(optional[i].hook, sg_hook_names[hook]))
				break;
		if (i == sizeof(optional) / sizeof(optional[0]))
			return sg_err_set(err, EOPNOTSUPP,
					  "the kernel has no LSM hook %s as it is known here (CONFIG_SECURITY_PATH, "
					  "CONFIG_SECURITY_NETWORK), so object rules would not hold",
					  sg_hook_names[hook]);
		if (optional[i].text)
			l->missing[n_missing++] = optional[i];
	}
	s->rodata->sg_has_task_pt_regs = sg_bpf_kernel(o->assume_kernel) >= (5U << 16 | 15U << 8);
	s->rodata->sg_has_ancestor_id = sg_bpf_kernel(o->assume_kernel) >= (5U << 16 | 14U << 8);
	s->rodata->sg_args_path_rename = hooks[SG_HOOK_path_rename].nargs;
	s->rodata->sg_args_inode_setattr = hooks[SG_HOOK_inode_setattr].nargs;
	s->rodata->sg_args_inode_setxattr = hooks[SG_HOOK_inode_setxattr].nargs;
	s->rodata->sg_args_inode_removexattr = hooks[SG_HOOK_inode_removexattr].nargs;
	s->rodata->sg_rings_by_name = !has_hook(SG_HOOK_uring_allowed);
	s->rodata->sg_args_bpf = hooks[SG_HOOK_bpf].nargs;
	s->rodata->sg_args_perf_event_open = hooks[SG_HOOK_perf_event_open].nargs;
	s->rodata->sg_only_cgroup = b->only_cgroup;
	s->rodata->sg_only_level = b->only_level;
	bpf_map__set_max_entries(s->maps.sg_lsm, b->max_sandboxes);
	bpf_map__set_max_entries(s->maps.sg_trees,
				 b->max_sandboxes < TREES_ALL / TREES_EACH ? b->max_sandboxes * TREES_EACH : TREES_ALL);
	s->rodata->sg_generation = l->generation;
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (shared[i].to == s->maps.sg_slots && b->only_cgroup) {
			bpf_map__set_autocreate(s->maps.sg_slots, false);
			continue;
		}
		if (bpf_map__reuse_fd(shared[i].to, bpf_map__fd(shared[i].from)))
			return sg_err_set(err, errno, "cannot share the map %s: %s", bpf_map__name(shared[i].to),
					  strerror(errno));
	}
	return 0;
}

static int load(struct sg_bpf *b, const struct sg_bpf_opts *o, struct sg_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct sg_bpf_lsm *l = b->lsm;
	char path[64];
	int btf_fd = sg_bpf_btf_file(path, sizeof(path)), rc;

	if (btf_fd >= 0)
		opts.btf_custom_path = path;
	l->skel = sg_lsm_bpf_skel__open_opts(&opts);
	if (!l->skel) {
		rc = sg_bpf_load_error(-errno, "cannot open the LSM programs", err);
		goto out;
	}
	rc = configure(b, o, err);
	if (!rc && btf_fd >= 0)
		rc = sg_bpf_btf_write(btf_fd, bpf_object__btf(l->skel->obj), o->btf_cache, NULL, err);
	if (!rc && b->pin)
		rc = sg_bpf_pin_maps(b, l->skel->obj, &l->adopted, err);
	if (!rc && b->pin)
		sg_bpf_lsm_reuse(b);
	if (!rc) {
		rc = sg_lsm_bpf_skel__load(l->skel);
		if (rc)
			rc = sg_bpf_load_error(rc, "cannot load the LSM programs", err);
	}
out:
	if (btf_fd >= 0)
		close(btf_fd);
	return rc;
}

static int protect_own(struct sg_bpf *b, struct bpf_object *obj, struct sg_err *err)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_program(prog, obj)
	{
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (rc || !bpf_program__autoload(prog))
			continue;
		rc = bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size)
			     ? sg_err_set(err, errno, "cannot read a program's number: %s", strerror(errno))
			     : sg_bpf_protect(b, SG_PROTECTED_PROG, info.id, err);
	}
	bpf_object__for_each_map(map, obj)
	{
		struct bpf_map_info info = {};
		__u32 size = sizeof(info);

		if (rc || bpf_map__fd(map) < 0)
			continue;
		rc = bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size)
			     ? sg_err_set(err, errno, "cannot read a map's number: %s", strerror(errno))
			     : sg_bpf_protect(b, SG_PROTECTED_MAP, info.id, err);
	}
	return rc;
}

/* How the programs number this very thread and process. */
static int who_am_i(struct sg_bpf *b, struct sg_err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct sg_lsm_bpf_skel *s = b->lsm->skel;

	if (bpf_prog_test_run_opts(bpf_program__fd(s->progs.sg_who_calls), &opts) || !s->bss->sg_caller)
		return sg_err_set(err, errno ? errno : EIO, "cannot run a BPF program on purpose: %s", strerror(errno));
	return sg_bpf_protect(b, SG_PROTECTED_PROCESS, s->bss->sg_caller_tgid, err);
}

int sg_bpf_lsm_open(struct sg_bpf *b, const struct sg_bpf_opts *o, struct sg_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct sg_bpf_lsm *l;
	void *at;
	int rc;

	rc = sg_bpf_hooks_find(hooks, o->btf_cache, NULL, err);
	if (rc)
		return rc;
	if (!hooks[SG_HOOK_file_open].btf_id || !hooks[SG_HOOK_file_receive].btf_id)
		return sg_err_set(err, EOPNOTSUPP, "the kernel has no BPF LSM hooks: it needs CONFIG_BPF_LSM");
	l = calloc(1, sizeof(*l));
	if (!l)
		return sg_err_set(err, ENOMEM, "out of memory");
	b->lsm = l;
	memset(l->links, -1, sizeof(l->links));
	l->sets = calloc(b->max_sandboxes, sizeof(*l->sets));
	if (!l->sets)
		return sg_err_set(err, ENOMEM, "out of memory");
	/* Never that of programs which a supervisor before us left, whether it came to an end of its start or not. */
	while (b->pin && !l->generation)
		if (getrandom(&l->generation, sizeof(l->generation), 0) < 0)
			return sg_err_set(err, errno, "no random number: %s", strerror(errno));
	l->session = l->generation;
	rc = handler_register(err);
	if (!rc)
		rc = load(b, o, err);
	if (rc)
		return rc;
	l->rules_size = (b->max_sandboxes * sizeof(*l->rules) + page - 1) / page * page;
	at = mmap(NULL, l->rules_size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(l->skel->maps.sg_lsm), 0);
	if (at == MAP_FAILED)
		return sg_err_set(err, errno, "cannot map the object rules: %s", strerror(errno));
	l->rules = at;
	rc = who_am_i(b, err);
	if (!rc)
		rc = protect_own(b, b->skel->obj, err);
	if (!rc)
		rc = protect_own(b, l->skel->obj, err);
	if (!rc)
		rc = sg_bpf_lsm_reused(b, err);
	if (!rc && l->adopted)
		sg_bpf_protect_prune(b);
	return rc;
}

/*
 * From theirs to ours without a moment in which no program judges, or two do: ours are attached and pinned, then one
 * store for each sandbox says whose it is, then theirs go. Whatever point a crash leaves, the one that judges is
 * pinned.
 */
static int take_over(struct sg_bpf *b, struct sg_err *err)
{
	struct sg_bpf_lsm *l = b->lsm;
	int rc = 0;

	for (int i = 0; !rc && !l->reused && i < SG_HOOK_N; i++)
		if (l->links[i] >= 0)
			rc = sg_bpf_pin_lsm_link(b, l->links[i], sg_hook_names[i], err);
	if (!rc && !l->reused)
		rc = sg_bpf_lsm_leave(b, err);
	if (rc) {
		sg_bpf_unpin_lsm_links(b, true);
		return rc;
	}
	for (uint32_t i = 0; i < b->max_sandboxes; i++)
		if (b->used[i])
			__atomic_store_n(&l->rules[i].generation, l->generation, __ATOMIC_RELEASE);
	sg_bpf_unpin_lsm_links(b, false);
	return 0;
}

int sg_bpf_lsm_attach(struct sg_bpf *b, struct sg_err *err)
{
	struct sg_bpf_lsm *l = b->lsm;
	struct bpf_program *prog;
	int rc = 0;

	bpf_object__for_each_program(prog, l->skel->obj)
	{
		int hook = sg_bpf_hook_of(prog);

		if (hook < 0 || !bpf_program__autoload(prog) || l->links[hook] >= 0)
			continue;
		l->links[hook] = bpf_raw_tracepoint_open(NULL, bpf_program__fd(prog));
		if (l->links[hook] < 0) {
			rc = sg_err_set(err, errno, "cannot attach to the LSM hook %s: %s", sg_hook_names[hook],
					strerror(errno));
			break;
		}
	}
	if (!rc)
		rc = sg_bpf_objects_prove(b, err);
	if (!rc && b->pin)
		rc = take_over(b, err);
	if (rc)
		sg_bpf_lsm_detach(b);
	return rc;
}

void sg_bpf_lsm_detach(struct sg_bpf *b)
{
	for (int i = 0; i < SG_HOOK_N; i++) {
		if (b->lsm->links[i] >= 0)
			close(b->lsm->links[i]);
		b->lsm->links[i] = -1;
	}
}

void sg_bpf_lsm_close(struct sg_bpf *b)
{
	struct sg_bpf_lsm *l = b->lsm;

	if (!l)
		return;
	sg_bpf_lsm_detach(b);
	if (l->rules)
		munmap(l->rules, l->rules_size);
	sg_lsm_bpf_skel__destroy(l->skel);
	for (uint32_t i = 0; l->sets && i < b->max_sandboxes; i++)
		free(l->sets[i].inodes);
	free(l->sets);
	free(l);
	b->lsm = NULL;
}

const struct sg_missing_hook *sg_bpf_missing_hooks(const struct sg_bpf *b)
{
	static const struct sg_missing_hook none;

	return b->lsm ? b->lsm->missing : &none;
}

int sg_bpf_lsm_probe(const char *cache, struct sg_err *err)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC);
	int rc = sg_bpf_hooks_find(hooks, cache, NULL, err), fd;

	if (rc)
		return rc;
	opts.attach_btf_id = hooks[SG_HOOK_file_receive].btf_id;
	if (!opts.attach_btf_id)
		return sg_err_set(err, EOPNOTSUPP, "the kernel has no BPF LSM hooks: it needs CONFIG_BPF_LSM");
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "sg_probe", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &opts);
	if (fd < 0)
		return sg_err_set(err, errno, "the kernel refuses to load an LSM program: %s", strerror(errno));
	close(fd);
	return 0;
}
