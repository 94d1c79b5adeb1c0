/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_BPF_PRIV_H
#define SG_BPF_PRIV_H

/* What the files of the BPF side share. Nobody else includes this, tests of it excepted. */
#include "supervisor/bpf.h"
#include "bpf/sg_abi_check.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

struct sg_bpf_skel; /* generated: bpf/sg.skel.h */

#define SG_BPF_PROGRAMS_MAX 8

struct sg_bpf {
	struct sg_bpf_skel *skel;
	uint32_t programs;
	uint32_t max_sandboxes;
	uint32_t max_policies;
	bool kill_by_exit;
	bool count_only;
	struct ring_buffer *ring;
	const unsigned long *ring_page; /* the ring buffer's page with how far it was read */
	struct sg_sandbox *sandboxes;   /* the map itself, mapped */
	size_t sandboxes_size;
	struct sg_slot *slots; /* likewise; NULL: the programs know their one sandbox */
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
	void *fn_ctx;
	int handed;
	int fn_rc;
};

/* bpf_events.c */
int sg_bpf_events_open(struct sg_bpf *b, struct sg_err *err);
/* 0 when rec is a whole record of a known kind; takes no part of the kernel's word for it. */
int sg_bpf_event_check(const void *rec, size_t size, uint32_t max_sandboxes);

/* bpf_pin.c */
/* Before load: maps that are pinned and fit are used, others are made and pinned. */
int sg_bpf_pin_maps(struct sg_bpf *b, struct bpf_object *obj, struct sg_err *err);
/* After attach: the link outlives us, in the place of an older one. name: of its program. */
int sg_bpf_pin_link(struct sg_bpf *b, struct bpf_link *link, const char *name, struct sg_err *err);
void sg_bpf_unpin_link(struct sg_bpf *b, const char *name);

/* bpf_maps.c */
int sg_bpf_maps_open(struct sg_bpf *b, struct sg_err *err);

/*
 * bpf_btf.c: fills the file behind fd with the part of the kernel's BTF that object's BTF (need) names, from the cache
 * directory (NULL: default, "": none) or from the kernel's own, which takes milliseconds; then the cache is brought up
 * to date where that is possible. vmlinux: path of the kernel's BTF, NULL for the usual one.
 */
int sg_bpf_btf_write(int fd, const struct btf *need, const char *cache_dir, const char *vmlinux, struct sg_err *err);

#endif
