// SPDX-License-Identifier: Apache-2.0
/*
 * The part of the kernel's BTF that the object needs. The kernel's own is megabytes, and libbpf takes milliseconds to
 * read it at every start; the handful of structures that bpf/kernel.bpf.h names is under a kilobyte. Built once for
 * each kernel and object, and kept in a file that only root can have written.
 */
#include "supervisor/bpf_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define DEFAULT_CACHE "/run/sandgate"
#define CACHE_MAX (1024 * 1024)
#define OWN_PREFIX "sg_" /* our own structures: the kernel has none of that name */

struct cache_head {
	char magic[8];
	uint64_t key;  /* of kernel and object */
	uint64_t size; /* of what follows */
	uint64_t sum;  /* of what follows */
};

static const char cache_magic[8] = "SGBTF01";

struct buffer {
	void *data;
	size_t size;
};

static void buffer_free(struct buffer *b)
{
	free(b->data);
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void btf_release(struct btf **btf)
{
	btf__free(*btf);
}

#define CLEAN(fn) __attribute__((cleanup(fn)))

/* FNV-1a over words: finds accidents, not attackers, who could not write the file anyway. */
static uint64_t mix(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (; size; p += 8) {
		size_t n = size < 8 ? size : 8;
		uint64_t word = 0;

		memcpy(&word, p, n);
		h = (h ^ word ^ (uint64_t)n << 56) * 0x100000001b3ULL;
		h ^= h >> 29;
		size -= n;
	}
	return h;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Reads exactly size bytes. */
static int read_exact(int fd, void *data, size_t size)
{
	char *p = data;

	while (size) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* What the cached file is valid for: this kernel build and this object. */
static uint64_t cache_key(const struct btf *need)
{
	char notes[4096];
	struct utsname u = {};
	uint64_t h = 0xcbf29ce484222325ULL;
	const void *raw;
	__u32 size = 0;
	ssize_t n;
	int fd CLEAN(fd_close) = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);

	raw = need ? btf__raw_data(need, &size) : NULL;
	if (raw)
		h = mix(h, raw, size);
	uname(&u);
	h = mix(h, u.release, strlen(u.release));
	h = mix(h, u.version, strlen(u.version));
	h = mix(h, u.machine, strlen(u.machine));
	n = fd >= 0 ? read(fd, notes, sizeof(notes)) : 0; /* the build id is among them */
	if (n > 0)
		h = mix(h, notes, (size_t)n);
	return h;
}

/* Nobody but root can have put anything there. */
static bool trusted(int fd, mode_t kind)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind && st.st_uid == 0 && !(st.st_mode & 022);
}

static int cache_dir_open(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && mkdir(dir, 0755) == 0)
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !trusted(fd, S_IFDIR)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void cache_name(char *name, size_t size, uint64_t key)
{
	struct utsname u = {};
	char *p;

	uname(&u);
	for (p = u.release; *p; p++)
		if (*p == '/')
			*p = '_';
	snprintf(name, size, "btf-%.64s-%016llx", u.release, (unsigned long long)key);
}

/* The cached bytes, checked. Anything odd about them means that there are none. */
static int cache_read(int dir, const char *name, uint64_t key, struct buffer *out)
{
	struct cache_head head;
	struct stat st;
	void *data;
	int fd CLEAN(fd_close) = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!trusted(fd, S_IFREG) || fstat(fd, &st) || read_exact(fd, &head, sizeof(head)))
		return -EBADMSG;
	if (memcmp(head.magic, cache_magic, sizeof(head.magic)) != 0 || head.key != key || head.size == 0 ||
	    head.size > CACHE_MAX || (uint64_t)st.st_size != sizeof(head) + head.size)
		return -EBADMSG;
	data = malloc(head.size);
	if (!data)
		return -ENOMEM;
	if (read_exact(fd, data, head.size) || mix(key, data, head.size) != head.sum) {
		free(data);
		return -EBADMSG;
	}
	out->data = data;
	out->size = head.size;
	return 0;
}

/* Written beside and renamed: a reader sees the whole file or none. Failure costs only time, so nobody is told. */
static void cache_write(int dir, const char *name, uint64_t key, const void *data, size_t size)
{
	struct cache_head head = {.key = key, .size = size, .sum = mix(key, data, size)};
	char temporary[160];
	int fd;

	memcpy(head.magic, cache_magic, sizeof(head.magic));
	snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long)getpid());
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST && unlinkat(dir, temporary, 0) == 0) /* of a process that died with our number */
		fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (fchmod(fd, 0644) || write_all(fd, &head, sizeof(head)) || write_all(fd, data, size) ||
	    renameat(dir, temporary, dir, name))
		unlinkat(dir, temporary, 0);
	close(fd);
}

/*
 * Reduction. For every structure of the object that the kernel has under the same name (a suffix ___x does not count,
 * as in CO-RE) a structure with the kernel's size and the kernel's place of each member that the object names. A
 * pointer becomes void *: CO-RE follows one member at a time and never looks through it.
 */
struct reducer {
	const struct btf *kernel;
	const struct btf *need;
	struct btf *out;
	int void_ptr;
	struct {
		int from, to;
	} done[256]; /* kernel type -> reduced type */
	size_t n_done;
};

struct member_at {
	uint32_t bit;
	int type;
};

static int reduce_type(struct reducer *r, int type);

static const struct btf_type *resolve(const struct btf *btf, int *type)
{
	const struct btf_type *t = btf__type_by_id(btf, (uint32_t)*type);

	while (t && (btf_is_mod(t) || btf_is_typedef(t))) {
		*type = (int)t->type;
		t = btf__type_by_id(btf, t->type);
	}
	return t;
}

/* A member by name, also inside members that have none. Bit fields are not looked for. */
static bool member_find(const struct btf *btf, const struct btf_type *t, const char *name, uint32_t base, int depth,
			struct member_at *out)
{
	const struct btf_member *m = btf_members(t);
	uint32_t i;

	for (i = 0; i < btf_vlen(t); i++, m++) {
		const char *have = btf__name_by_offset(btf, m->name_off);
		uint32_t bit = base + btf_member_bit_offset(t, i);
		int type = (int)m->type;
		const struct btf_type *inner;

		if (btf_member_bitfield_size(t, i))
			continue;
		if (*have) {
			if (strcmp(have, name) != 0)
				continue;
			out->bit = bit;
			out->type = type;
			return true;
		}
		inner = resolve(btf, &type);
		if (inner && btf_is_composite(inner) && depth < 8 && member_find(btf, inner, name, bit, depth + 1, out))
			return true;
	}
	return false;
}

/* Does the object declare a structure of this name? Length without a flavour suffix. */
static bool name_matches(const char *local, const char *kernel)
{
	const char *flavour = strstr(local, "___");
	size_t n = flavour ? (size_t)(flavour - local) : strlen(local);

	return n && strncmp(local, OWN_PREFIX, strlen(OWN_PREFIX)) != 0 && strlen(kernel) == n &&
	       memcmp(local, kernel, n) == 0;
}

static bool is_needed(const struct reducer *r, const char *name)
{
	uint32_t n = btf__type_cnt(r->need), id;

	for (id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(r->need, id);

		if (btf_is_composite(t) && name_matches(btf__name_by_offset(r->need, t->name_off), name))
			return true;
	}
	return false;
}

/* Members of one kernel structure that the object names, with their reduced types; at most max. */
static int members_collect(struct reducer *r, const struct btf_type *t, const char *name, const char **names,
			   struct member_at *at, size_t max)
{
	uint32_t n = btf__type_cnt(r->need), id;
	size_t count = 0, k;

	for (id = 1; id < n; id++) {
		const struct btf_type *local = btf__type_by_id(r->need, id);
		const struct btf_member *m = btf_members(local);
		uint32_t i;

		if (!btf_is_composite(local) || !name_matches(btf__name_by_offset(r->need, local->name_off), name))
			continue;
		for (i = 0; i < btf_vlen(local); i++, m++) {
			const char *member = btf__name_by_offset(r->need, m->name_off);

			for (k = 0; k < count && strcmp(names[k], member) != 0; k++)
				;
			if (k < count || !*member || !member_find(r->kernel, t, member, 0, 0, &at[count]))
				continue;
			if (count + 1 == max)
				return -E2BIG;
			at[count].type = reduce_type(r, at[count].type);
			if (at[count].type < 0)
				return at[count].type;
			names[count++] = member;
		}
	}
	return (int)count;
}

/* All members of a structure without a name, such as kuid_t's: nobody can ask for it by name. */
static int members_all(struct reducer *r, const struct btf_type *t, const char **names, struct member_at *at,
		       size_t max)
{
	const struct btf_member *m = btf_members(t);
	size_t count = 0;
	uint32_t i;

	for (i = 0; i < btf_vlen(t) && count < max; i++, m++) {
		const char *name = btf__name_by_offset(r->kernel, m->name_off);

		if (!*name || btf_member_bitfield_size(t, i))
			continue;
		at[count].bit = btf_member_bit_offset(t, i);
		at[count].type = reduce_type(r, (int)m->type);
		if (at[count].type < 0)
			continue; /* of a kind that no program reads */
		names[count++] = name;
	}
	return (int)count;
}

static int reduce_struct(struct reducer *r, int id, const struct btf_type *t)
{
	const char *name = btf__name_by_offset(r->kernel, t->name_off), *names[64];
	struct member_at at[64];
	int out, i, n, rc;
	size_t k;

	for (k = 0; k < r->n_done; k++)
		if (r->done[k].from == id)
			return r->done[k].to;
	if (r->n_done == sizeof(r->done) / sizeof(r->done[0]))
		return -E2BIG;
	/* member types first: libbpf appends members to the type that was added last */
	n = *name ? members_collect(r, t, name, names, at, 64) : members_all(r, t, names, at, 64);
	if (n < 0)
		return n;
	out = btf_is_union(t) ? btf__add_union(r->out, name, t->size) : btf__add_struct(r->out, name, t->size);
	if (out < 0)
		return out;
	for (i = 0; i < n; i++) {
		rc = btf__add_field(r->out, names[i], at[i].type, at[i].bit, 0);
		if (rc)
			return rc;
	}
	r->done[r->n_done].from = id;
	r->done[r->n_done++].to = out;
	return out;
}

static int reduce_type(struct reducer *r, int type)
{
	const struct btf_type *t = resolve(r->kernel, &type);
	const struct btf_array *array;
	int element, index;

	if (!t)
		return -EINVAL;
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		return btf__add_int(r->out, btf__name_by_offset(r->kernel, t->name_off), t->size, btf_int_encoding(t));
	case BTF_KIND_PTR:
		return r->void_ptr;
	case BTF_KIND_ENUM:
		return btf__add_enum(r->out, btf__name_by_offset(r->kernel, t->name_off), t->size);
	case BTF_KIND_ARRAY:
		array = btf_array(t);
		element = reduce_type(r, (int)array->type);
		if (element < 0)
			return element;
		index = reduce_type(r, (int)array->index_type);
		if (index < 0)
			return index;
		return btf__add_array(r->out, index, element, array->nelems);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return reduce_struct(r, type, t);
	default:
		return -EINVAL;
	}
}

static int reduce(const struct btf *kernel, const struct btf *need, struct btf *out)
{
	struct reducer r = {.kernel = kernel, .need = need, .out = out};
	uint32_t n = btf__type_cnt(kernel), id;

	r.void_ptr = btf__add_ptr(out, 0);
	if (r.void_ptr < 0)
		return r.void_ptr;
	for (id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(kernel, id);
		int rc;

		if (!btf_is_struct(t) || !t->name_off || !is_needed(&r, btf__name_by_offset(kernel, t->name_off)))
			continue;
		rc = reduce_struct(&r, (int)id, t);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* libbpf's own reader takes the file in pages; one read saves half of the time. */
static struct btf *kernel_btf(const char *path, struct sg_err *err)
{
	struct buffer raw CLEAN(buffer_free) = {};
	struct btf *btf;
	struct stat st;
	int fd CLEAN(fd_close) = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		sg_err_set(err, errno == ENOENT ? EOPNOTSUPP : errno,
			   "the kernel's type information cannot be read from %s: %s. It needs CONFIG_DEBUG_INFO_BTF",
			   path, strerror(errno));
		return NULL;
	}
	raw.size = (size_t)st.st_size;
	raw.data = malloc(raw.size ? raw.size : 1);
	if (!raw.data || raw.size > UINT32_MAX) {
		sg_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (read_exact(fd, raw.data, raw.size)) {
		sg_err_set(err, EIO, "cannot read %s", path);
		return NULL;
	}
	btf = btf__new(raw.data, (uint32_t)raw.size);
	if (!btf)
		sg_err_set(err, EOPNOTSUPP, "%s is not type information that can be used: %s", path, strerror(errno));
	return btf;
}

static int build(const struct btf *need, const char *path, struct buffer *out, struct sg_err *err)
{
	struct btf *kernel CLEAN(btf_release) = NULL, *reduced CLEAN(btf_release) = NULL;
	const void *raw;
	__u32 size = 0;
	int rc;

	kernel = kernel_btf(path, err);
	if (!kernel)
		return -err->code;
	reduced = btf__new_empty();
	if (!reduced)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = reduce(kernel, need, reduced);
	if (rc < 0)
		return sg_err_set(err, -rc, "cannot reduce the kernel's type information: %s", strerror(-rc));
	raw = btf__raw_data(reduced, &size);
	out->data = raw ? malloc(size) : NULL;
	if (!out->data)
		return sg_err_set(err, ENOMEM, "out of memory");
	memcpy(out->data, raw, size);
	out->size = size;
	return 0;
}

static void hooks_build(const struct btf *kernel, struct sg_hook_at *hooks)
{
	static const char prefix[] = "bpf_lsm_";
	uint32_t n = btf__type_cnt(kernel), id, i;

	for (id = 1; id < n; id++) {
		const struct btf_type *t = btf__type_by_id(kernel, id), *proto;
		const char *name = btf__name_by_offset(kernel, t->name_off);

		if (!btf_is_func(t) || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		proto = btf__type_by_id(kernel, t->type);
		for (i = 0; i < SG_HOOK_N; i++) {
			if (strcmp(name + sizeof(prefix) - 1, sg_hook_names[i]) != 0)
				continue;
			hooks[i].btf_id = id;
			hooks[i].nargs = proto ? btf_vlen(proto) : 0;
		}
	}
}

int sg_bpf_hooks_find(struct sg_hook_at hooks[SG_HOOK_N], const char *cache_dir, const char *vmlinux,
		      struct sg_err *err)
{
	struct btf *kernel CLEAN(btf_release) = NULL;
	struct buffer data CLEAN(buffer_free) = {};
	size_t size = SG_HOOK_N * sizeof(*hooks);
	int dir CLEAN(fd_close) = -1;
	uint64_t key = cache_key(NULL);
	char name[128];
	uint32_t i;

	for (i = 0; i < SG_HOOK_N; i++)
		key = mix(key, sg_hook_names[i], strlen(sg_hook_names[i]));
	cache_name(name, sizeof(name), key);
	if (!cache_dir)
		cache_dir = DEFAULT_CACHE;
	if (*cache_dir)
		dir = cache_dir_open(cache_dir);
	/* only while the kernel still shows its own: what is cached must not hide that it does not any more */
	if (dir >= 0 && access(vmlinux ? vmlinux : KERNEL_BTF, R_OK) == 0 && cache_read(dir, name, key, &data) == 0 &&
	    data.size == size) {
		memcpy(hooks, data.data, size);
		return 0;
	}
	kernel = kernel_btf(vmlinux ? vmlinux : KERNEL_BTF, err);
	if (!kernel)
		return -err->code;
	memset(hooks, 0, size);
	hooks_build(kernel, hooks);
	if (dir >= 0)
		cache_write(dir, name, key, hooks, size);
	return 0;
}

int sg_bpf_btf_write(int fd, const struct btf *need, const char *cache_dir, const char *vmlinux, struct sg_err *err)
{
	struct buffer data CLEAN(buffer_free) = {};
	int dir CLEAN(fd_close) = -1;
	uint64_t key = cache_key(need);
	char name[128];
	int rc = -ENOENT;

	cache_name(name, sizeof(name), key);
	if (!cache_dir)
		cache_dir = DEFAULT_CACHE;
	if (*cache_dir)
		dir = cache_dir_open(cache_dir);
	if (dir >= 0)
		rc = cache_read(dir, name, key, &data);
	if (rc) {
		rc = build(need, vmlinux ? vmlinux : KERNEL_BTF, &data, err);
		if (rc)
			return rc;
		if (dir >= 0)
			cache_write(dir, name, key, data.data, data.size);
	}
	rc = write_all(fd, data.data, data.size);
	if (rc)
		return sg_err_set(err, -rc, "cannot write type information to memory: %s", strerror(-rc));
	return 0;
}
