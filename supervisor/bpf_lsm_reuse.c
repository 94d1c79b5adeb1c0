// SPDX-License-Identifier: Apache-2.0
/*
 * LSM programs of a supervisor before us that are the very ones we would load: they go on judging, and their links,
 * their memory and their generation are taken over. Verifying them anew is nearly all of a restart. Whatever differs,
 * the programs are loaded, and put in the place of the old ones.
 */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"
#include "bpf/sg_lsm.skel.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FNV-1a. Against mistakes, not against an enemy: only root reaches the directory. */
static void mix(uint64_t *h, const void *data, size_t size)
{
	for (const uint8_t *p = data; size--; p++)
		*h = (*h ^ *p) * 0x100000001b3ULL;
}

static void mix_maps(struct sg_bpf *b, const struct bpf_object *obj, uint64_t *h)
{
	const struct bpf_map *map;
	char path[4096];

	bpf_object__for_each_map(map, obj)
	{
		struct bpf_map_info info = {};
		__u32 size = sizeof(info);
		int fd;

		if (sg_bpf_map_pin_path(b, obj, map, path, sizeof(path)) < 0)
			continue;
		fd = bpf_obj_get(path);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
			info.id = 0;
		mix(h, &info.id, sizeof(info.id));
		if (fd >= 0)
			close(fd);
	}
}

/* Of everything that makes the programs what they are: their code, its constants, and the maps that they work on. */
static uint64_t digest(struct sg_bpf *b)
{
	struct sg_lsm_bpf_skel *s = b->lsm->skel;
	/* A copy: once loaded it cannot be written. */
	typeof(*s->rodata) constants = *s->rodata;
	struct bpf_program *prog;
	uint64_t h = 0xcbf29ce484222325ULL;
	size_t size;
	const void *elf = sg_lsm_bpf_skel__elf_bytes(&size);

	mix(&h, elf, size);
	constants.sg_generation = 0;
	mix(&h, &constants, sizeof(constants));
	bpf_object__for_each_program(prog, s->obj)
	{
		uint8_t load = bpf_program__autoload(prog);

		mix(&h, &load, sizeof(load));
	}
	mix_maps(b, b->skel->obj, &h);
	mix_maps(b, s->obj, &h);
	return h;
}

static int memory_path(const struct sg_bpf *b, uint64_t of, char *path, size_t size)
{
	return snprintf(path, size, "%s/map_lsm_%08x_%016llx", b->pin, b->lsm->generation, (unsigned long long)of) <
			       (int)size
		       ? 0
		       : -ENAMETOOLONG;
}

int sg_bpf_lsm_leave(struct sg_bpf *b, struct sg_err *err)
{
	char path[4096];

	if (memory_path(b, digest(b), path, sizeof(path)) < 0)
		return sg_err_set(err, ENAMETOOLONG, "%s: too long for the directory of the BPF maps", b->pin);
	if (bpf_obj_pin(bpf_map__fd(b->lsm->skel->maps.bss), path) < 0)
		return sg_err_set(err, errno, "cannot pin the memory of the LSM programs: %s", strerror(errno));
	return 0;
}

/* All of them, or none. */
static bool take_links(struct sg_bpf *b)
{
	struct sg_bpf_lsm *l = b->lsm;
	struct bpf_program *prog;
	char path[4096];
	bool all = true;

	bpf_object__for_each_program(prog, l->skel->obj)
	{
		int hook = sg_bpf_hook_of(prog);

		if (hook < 0 || !bpf_program__autoload(prog) || !all)
			continue;
		all = snprintf(path, sizeof(path), "%s/link_lsm_%08x_%s", b->pin, l->generation, sg_hook_names[hook]) <
			      (int)sizeof(path) &&
		      (l->links[hook] = bpf_obj_get(path)) >= 0;
	}
	if (!all)
		sg_bpf_lsm_detach(b);
	return all;
}

void sg_bpf_lsm_reuse(struct sg_bpf *b)
{
	struct sg_bpf_lsm *l = b->lsm;
	uint32_t own = l->generation;
	struct bpf_program *prog;
	char want[32], path[4096];
	struct dirent *e;
	uint64_t of;
	DIR *d;

	if (!b->adopted || !l->adopted)
		return;
	of = digest(b);
	snprintf(want, sizeof(want), "_%016llx", (unsigned long long)of);
	d = opendir(b->pin);
	while (d && !l->reused && (e = readdir(d))) {
		unsigned generation;

		if (sscanf(e->d_name, "map_lsm_%8x", &generation) != 1 || !generation ||
		    strlen(e->d_name) != strlen("map_lsm_") + 8 + strlen(want) ||
		    strcmp(e->d_name + strlen("map_lsm_") + 8, want) != 0)
			continue;
		l->generation = generation;
		l->reused = take_links(b);
	}
	if (d)
		closedir(d);
	if (l->reused &&
	    (memory_path(b, of, path, sizeof(path)) < 0 || bpf_map__set_pin_path(l->skel->maps.bss, path))) {
		sg_bpf_lsm_detach(b);
		l->reused = false;
	}
	if (!l->reused) {
		l->generation = own;
		return;
	}
	l->skel->rodata->sg_generation = l->generation;
	bpf_object__for_each_program(prog, l->skel->obj)
	{
		if (sg_bpf_hook_of(prog) >= 0)
			bpf_program__set_autoload(prog, false);
	}
}

int sg_bpf_lsm_reused(struct sg_bpf *b, struct sg_err *err)
{
	struct sg_bpf_lsm *l = b->lsm;
	int rc = 0;

	if (!l->reused)
		return 0;
	/* Whoever was before us may have ended while it was being told about descriptors. */
	__atomic_store_n(&l->skel->bss->sg_learner, 0, __ATOMIC_RELEASE);
	l->skel->bss->sg_learner_refuse = 0;
	for (int i = 0; !rc && i < SG_HOOK_N; i++) {
		struct bpf_link_info info = {};
		__u32 size = sizeof(info);

		if (l->links[i] < 0)
			continue;
		rc = bpf_obj_get_info_by_fd(l->links[i], &info, &size)
			     ? sg_err_set(err, errno, "cannot read the number of the program on the LSM hook %s: %s",
					  sg_hook_names[i], strerror(errno))
			     : sg_bpf_protect(b, SG_PROTECTED_PROG, info.prog_id, err);
	}
	return rc;
}
