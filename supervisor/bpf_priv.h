/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_BPF_PRIV_H
#define SG_BPF_PRIV_H

/* What the files of the BPF side share. Nobody else includes this, tests of it excepted. */
#include "supervisor/bpf.h"
#include "bpf/sg_abi_check.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

struct sg_bpf_skel;     /* generated: bpf/sg.skel.h */
struct sg_lsm_bpf_skel; /* generated: bpf/sg_lsm.skel.h */

#define SG_BPF_PROGRAMS_MAX 8

#define SG_BPF_ALL (SG_BPF_KILLS | SG_BPF_SYS_ENTER | SG_BPF_SYS_EXIT | SG_BPF_LSM)

/* The trees of one sandbox as the kernel has them. */
struct sg_lsm_set {
	uint32_t set;
	uint64_t *inodes; /* owned */
	size_t n;
};

/* The LSM programs and what belongs to them. */
struct sg_bpf_lsm {
	struct sg_lsm_bpf_skel *skel;
	int links[SG_HOOK_N]; /* by hook; -1: not attached */
	struct sg_missing_hook missing[SG_HOOK_N + 1];
	struct sg_lsm *rules; /* the map itself, mapped */
	size_t rules_size;
	struct sg_lsm_set *sets; /* by sandbox number */
	uint32_t next_set;
	uint32_t generation; /* of our programs, where others may be attached beside them */
	uint32_t session;    /* ours alone: what we put out of reach, others take back */
	bool adopted;        /* the rules were there */
	bool reused;         /* the programs were, too */
};

/* A hook of the running kernel: the function that a program is attached to. */
struct sg_hook_at {
	uint32_t btf_id; /* 0: the kernel has no such hook */
	uint32_t nargs;
};

struct sg_bpf {
	struct sg_bpf_skel *skel;
	uint32_t programs;
	uint32_t max_sandboxes;
	uint32_t max_policies;
	bool kill_by_exit;
	bool count_only;
	bool discover;
	struct sg_bpf_lsm *lsm;            /* NULL: not loaded */
	unsigned long *ring_read;          /* the ring buffer's page with how far it was read */
	const unsigned long *ring_written; /* that with how far it is written; the data follow */
	size_t ring_size;
	uint64_t position;            /* of the record at hand */
	struct sg_sandbox *sandboxes; /* the map itself, mapped */
	size_t sandboxes_size;
	struct sg_table *table; /* likewise; NULL: the programs know their one sandbox */
	uint64_t only_cgroup;
	uint32_t only_level;
	bool *used;                                  /* by sandbox number */
	uint32_t *level;                             /* by sandbox number */
	uint32_t level_users[SG_MAX_LEVELS];         /* sandboxes at each depth */
	struct bpf_link *links[SG_BPF_PROGRAMS_MAX]; /* NULL: not attached */
	char *pin;                                   /* directory in bpffs for what outlives us; NULL: nothing does */
	bool adopted;                                /* the maps were there */
	int cpus;
	uint64_t malformed;
	/* of the sg_bpf_consume() under way */
	sg_bpf_event_fn fn;
	void (*batch)(void *ctx);
	void *fn_ctx;
	int handed;
	int fn_rc;
};

/* bpf_events.c */
int sg_bpf_events_open(struct sg_bpf *b, struct sg_err *err);
void sg_bpf_events_close(struct sg_bpf *b);
/* 0 when rec is a whole record of a known kind; takes no part of the kernel's word for it. */
int sg_bpf_event_check(const void *rec, size_t size, uint32_t max_sandboxes);

/* bpf_pin.c */
/* Before load: maps that are pinned and fit are used, others are made and pinned. */
int sg_bpf_pin_maps(struct sg_bpf *b, struct bpf_object *obj, bool *adopted, struct sg_err *err);
/* Where a map of obj is pinned; -ENOENT: it does not outlive us, or belongs to the object that was loaded first. */
int sg_bpf_map_pin_path(const struct sg_bpf *b, const struct bpf_object *obj, const struct bpf_map *map, char *path,
			size_t size);
/* After attach: the link outlives us, in the place of an older one. name: of its program. */
int sg_bpf_pin_link(struct sg_bpf *b, struct bpf_link *link, const char *name, struct sg_err *err);
void sg_bpf_unpin_link(struct sg_bpf *b, const char *name);
/* The same for LSM links, which keep no other's place: all of a generation's are pinned, then the others removed. */
int sg_bpf_pin_lsm_link(struct sg_bpf *b, int link, const char *hook, struct sg_err *err);
void sg_bpf_unpin_lsm_links(struct sg_bpf *b, bool own);

/* bpf_load.c: libbpf's words are kept from here on, for an error that says them; returns the print function before. */
libbpf_print_fn_t sg_bpf_listen(void);
int sg_bpf_load_error(int rc, const char *what, struct sg_err *err);
/* The running kernel's version, major << 16 | minor << 8; an older one when told to assume that. */
uint32_t sg_bpf_kernel(uint32_t assume);
/* An empty file that libbpf can read by path; -1 where there can be none. */
int sg_bpf_btf_file(char *path, size_t size);

/* bpf_lsm.c */
int sg_bpf_lsm_open(struct sg_bpf *b, const struct sg_bpf_opts *opts, struct sg_err *err);
int sg_bpf_lsm_attach(struct sg_bpf *b, struct sg_err *err); /* what is attached already stays so */
void sg_bpf_lsm_detach(struct sg_bpf *b);
void sg_bpf_lsm_close(struct sg_bpf *b);
int sg_bpf_hook_of(const struct bpf_program *prog); /* enum sg_hook, -1: it is not an LSM program */

/* bpf_lsm_reuse.c */
/* Before load, configured and with the maps' places known: l->reused, and nothing but the rest is loaded. */
void sg_bpf_lsm_reuse(struct sg_bpf *b);
/* After load, where they were reused. */
int sg_bpf_lsm_reused(struct sg_bpf *b, struct sg_err *err);
/* All links are pinned: the next supervisor may take them over as they are. */
int sg_bpf_lsm_leave(struct sg_bpf *b, struct sg_err *err);

/* bpf_objects.c: forgets the rules of a sandbox. */
void sg_bpf_objects_drop(struct sg_bpf *b, uint32_t index);
/* Finds out which trees belong to the sandboxes that were taken over, and removes all others. */
int sg_bpf_objects_adopt(struct sg_bpf *b, struct sg_err *err);
/* Drops what another supervisor protected. */
void sg_bpf_protect_prune(struct sg_bpf *b);
/* Proves that the programs are asked and their answer counts, by refusing a descriptor to ourselves. */
int sg_bpf_objects_prove(struct sg_bpf *b, struct sg_err *err);

/* bpf_maps.c */
int sg_bpf_maps_open(struct sg_bpf *b, struct sg_err *err);

/*
 * bpf_btf.c: fills the file behind fd with the part of the kernel's BTF that object's BTF (need) names, from the cache
 * directory (NULL: default, "": none) or from the kernel's own, which takes milliseconds; then the cache is brought up
 * to date where that is possible. vmlinux: path of the kernel's BTF, NULL for the usual one.
 */
/* The hooks of SG_HOOKS as the running kernel has them, by the same ways. */
int sg_bpf_hooks_find(struct sg_hook_at hooks[SG_HOOK_N], const char *cache_dir, const char *vmlinux,
		      struct sg_err *err);
int sg_bpf_btf_write(int fd, const struct btf *need, const char *cache_dir, const char *vmlinux, struct sg_err *err);

/* sg_cgroup_level() knows it not, and without it the programs would take no process for one of the sandbox. */
static inline int sg_bpf_no_depth(struct sg_err *err)
{
	return sg_err_set(err, EINVAL,
			  "how deep the cgroup lies cannot be told in this cgroup namespace: share the host's "
			  "(--cgroupns=host), or mount its cgroup2");
}

#endif
