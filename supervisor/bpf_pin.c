// SPDX-License-Identifier: Apache-2.0
/*
 * What outlives the supervisor: maps and links, pinned in a directory of bpffs. The next supervisor loads its own
 * programs over the same maps, and puts each link in the place of the old one: an old program goes when its successor
 * is attached, so there is no moment without one.
 */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Makes DIR, its parents within bpffs, and mounts bpffs where that is missing in its usual place. */
static int make_directory(const char *dir, struct sg_err *err)
{
	static const char usual[] = "/sys/fs/bpf";
	struct statfs fs;

	if (!strncmp(dir, usual, sizeof(usual) - 1) && statfs(usual, &fs) == 0 && fs.f_type != BPF_FS_MAGIC &&
	    mount("bpf", usual, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return sg_err_set(err, errno, "cannot mount bpffs at %s: %s", usual, strerror(errno));
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return sg_err_set(err, errno, "cannot create %s: %s", dir, strerror(errno));
	if (statfs(dir, &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return sg_err_set(err, EINVAL, "%s is not in a bpffs: mount -t bpf bpf /sys/fs/bpf", dir);
	if (chmod(dir, 0700) < 0)
		return sg_err_set(err, errno, "cannot close %s to others: %s", dir, strerror(errno));
	return 0;
}

static bool map_outlives(const struct bpf_map *map)
{
	/* Constants belong to the programs that were verified with them. */
	return !bpf_map__is_internal(map) && strcmp(bpf_map__name(map), "sg_scratch") != 0;
}

static int map_path(const struct sg_bpf *b, const struct bpf_map *map, char *path, size_t size)
{
	return snprintf(path, size, "%s/map_%s", b->pin, bpf_map__name(map)) < (int)size ? 0 : -ENAMETOOLONG;
}

/* Whether the pinned map at path is what the object wants: else it is another version's. */
static bool fits(const char *path, const struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(path);
	bool same;

	if (fd < 0)
		return errno == ENOENT;
	same = bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map);
	close(fd);
	return same;
}

/* Maps that several objects share are pinned with the first of them. */
static bool is_ours(const struct sg_bpf *b, const struct bpf_object *obj, const struct bpf_map *map)
{
	return map_outlives(map) && bpf_map__autocreate(map) &&
	       (obj == b->skel->obj || !bpf_object__find_map_by_name(b->skel->obj, bpf_map__name(map)));
}

int sg_bpf_map_pin_path(const struct sg_bpf *b, const struct bpf_object *obj, const struct bpf_map *map, char *path,
			size_t size)
{
	return is_ours(b, obj, map) ? map_path(b, map, path, size) : -ENOENT;
}

int sg_bpf_pin_maps(struct sg_bpf *b, struct bpf_object *obj, bool *adopted, struct sg_err *err)
{
	struct bpf_map *map;
	char path[4096];
	bool stale = false, found = false;
	int rc;

	if (!b->pin)
		return 0;
	rc = make_directory(b->pin, err);
	if (rc)
		return rc;
	bpf_object__for_each_map(map, obj)
	{
		if (!is_ours(b, obj, map))
			continue;
		rc = map_path(b, map, path, sizeof(path));
		if (rc)
			return sg_err_set(err, -rc, "%s: too long for the directory of the BPF maps", b->pin);
		stale |= !fits(path, map);
		found |= access(path, F_OK) == 0;
		rc = bpf_map__set_pin_path(map, path);
		if (rc)
			return sg_err_set(err, -rc, "cannot pin a map: %s", strerror(-rc));
	}
	*adopted = found && !stale;
	if (!stale)
		return 0;
	/* The old programs hold their maps as long as they are attached; only the names are needed. */
	bpf_object__for_each_map(map, obj)
	{
		if (is_ours(b, obj, map) && map_path(b, map, path, sizeof(path)) == 0)
			(void)unlink(path);
	}
	return 0;
}

int sg_bpf_pin_link(struct sg_bpf *b, struct bpf_link *link, const char *name, struct sg_err *err)
{
	char path[4096], fresh[4096 + 8];

	if (!b->pin)
		return 0;
	if (snprintf(path, sizeof(path), "%s/link_%s", b->pin, name) >= (int)sizeof(path))
		return sg_err_set(err, ENAMETOOLONG, "%s: too long for the directory of the BPF links", b->pin);
	snprintf(fresh, sizeof(fresh), "%s_new", path);
	(void)unlink(fresh);
	if (bpf_obj_pin(bpf_link__fd(link), fresh) < 0)
		return sg_err_set(err, errno, "cannot pin the link of %s: %s", name, strerror(errno));
	/* Takes the old one's place, and detaches it. */
	if (rename(fresh, path) < 0)
		return sg_err_set(err, errno, "cannot replace the link of %s: %s", name, strerror(errno));
	return 0;
}

void sg_bpf_unpin_link(struct sg_bpf *b, const char *name)
{
	char path[4096];

	if (b->pin && snprintf(path, sizeof(path), "%s/link_%s", b->pin, name) < (int)sizeof(path))
		(void)unlink(path);
}

int sg_bpf_pin_lsm_link(struct sg_bpf *b, int link, const char *hook, struct sg_err *err)
{
	char path[4096];

	if (!b->pin)
		return 0;
	if (snprintf(path, sizeof(path), "%s/link_lsm_%08x_%s", b->pin, b->lsm->generation, hook) >= (int)sizeof(path))
		return sg_err_set(err, ENAMETOOLONG, "%s: too long for the directory of the BPF links", b->pin);
	if (bpf_obj_pin(link, path) < 0)
		return sg_err_set(err, errno, "cannot pin the link of the LSM hook %s: %s", hook, strerror(errno));
	return 0;
}

void sg_bpf_unpin_lsm_links(struct sg_bpf *b, bool own)
{
	DIR *d = b->pin ? opendir(b->pin) : NULL;
	struct dirent *e;
	char mine[16];

	snprintf(mine, sizeof(mine), "lsm_%08x_", b->lsm->generation);
	while (d && (e = readdir(d))) {
		const char *of = strchr(e->d_name, '_');

		/* Links, and the memory that belongs to them. */
		if (of && !strncmp(of, "_lsm_", 5) && !strncmp(of + 1, mine, strlen(mine)) == own)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

bool sg_bpf_adopted(const struct sg_bpf *b)
{
	return b->adopted;
}

void sg_bpf_unpin(struct sg_bpf *b)
{
	struct dirent *e;
	DIR *d = b->pin ? opendir(b->pin) : NULL;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, "map_", 4) || !strncmp(e->d_name, "link_", 5))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	if (b->pin)
		(void)rmdir(b->pin);
}
