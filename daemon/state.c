/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sgd.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define MAGIC 0x53444753U /* "SGDS" */

struct head {
	uint32_t magic, version, entry_size, n;
	uint64_t born;
	struct sgd_keepers keepers;
	struct sgd_frozen frozen;
	uint8_t pad[4072 - sizeof(struct sgd_keepers) - sizeof(struct sgd_frozen)];
};

static int make_directory(const char *path, struct sg_err *err)
{
	char parent[4096];
	char *slash;

	if (snprintf(parent, sizeof(parent), "%s", path) >= (int)sizeof(parent))
		return sg_err_set(err, ENAMETOOLONG, "--state %s: too long", path);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		(void)mkdir(parent, 0755);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sg_err_set(err, errno, "cannot create %s: %s", path, strerror(errno));
	return 0;
}

/* Whether the entries there are what is read here. They may be fewer: earlier ones had only --max-sandboxes of them. */
static bool usable(int fd, const char *dir)
{
	struct head h = {0};

	if (pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) && h.magic == MAGIC && h.version == SGD_STATE_VERSION &&
	    h.entry_size == sizeof(struct sgd_entry) && h.n <= SG_MAX_SANDBOXES)
		return true;
	if (h.magic == MAGIC)
		fprintf(stderr,
			"sgd: the table in %s is another version's (%u, %u entries of %u bytes; here %d, %d of %zu)",
			dir, h.version, h.n, h.entry_size, SGD_STATE_VERSION, SG_MAX_SANDBOXES,
			sizeof(struct sgd_entry));
	else
		fprintf(stderr, "sgd: the table in %s is damaged", dir);
	fprintf(stderr, ": what was launched before is ended, what was attached is to be attached again\n");
	return false;
}

int sgd_state_open(struct sgd *d, struct sg_err *err)
{
	struct sgd_state *s = &d->state;
	size_t size = sizeof(struct head) + SG_MAX_SANDBOXES * sizeof(*s->entries);
	struct head *h;
	struct stat st;
	SG_CLOSE int fd = -1;
	int rc = make_directory(d->o->state, err);

	if (rc)
		return rc;
	/* Whatever --max-sandboxes is: the daemon before may have had another. */
	s->n = SG_MAX_SANDBOXES;
	s->dir = open(d->o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir >= 0)
		fd = openat(s->dir, "table", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sg_err_set(err, errno, "cannot open the table in %s: %s", d->o->state, strerror(errno));
	if ((st.st_size && !usable(fd, d->o->state) && ftruncate(fd, 0) < 0) || ftruncate(fd, (off_t)size) < 0)
		return sg_err_set(err, errno, "cannot make the table in %s: %s", d->o->state, strerror(errno));
	/* Where a file system is full later, to write into a hole of a mapping would be our death (SIGBUS). */
	if (fallocate(fd, 0, 0, (off_t)size) < 0 && errno != EOPNOTSUPP)
		return sg_err_set(err, errno, "cannot make the table in %s (%zu KiB): %s", d->o->state, size >> 10,
				  strerror(errno));
	h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		return sg_err_set(err, errno, "cannot map the table in %s: %s", d->o->state, strerror(errno));
	h->magic = MAGIC;
	h->version = SGD_STATE_VERSION;
	h->entry_size = sizeof(*s->entries);
	h->n = s->n;
	s->entries = (struct sgd_entry *)(h + 1);
	s->born = &h->born;
	s->keepers = &h->keepers;
	s->frozen = &h->frozen;
	s->column = !(h->keepers.column & 1);
	return 0;
}

void sgd_state_remove(struct sgd *d)
{
	const struct sgd_state *s = &d->state;

	for (unsigned i = 0; s->entries && i < s->n; i++)
		if (s->entries[i].used)
			return;
	if (!s->entries || unlinkat(s->dir, "table", 0) < 0)
		return;
	(void)rmdir(d->o->state);
}

void sgd_state_close(struct sgd *d)
{
	struct sgd_state *s = &d->state;

	if (s->entries)
		munmap((struct head *)s->entries - 1, sizeof(struct head) + s->n * sizeof(*s->entries));
	if (s->dir > 0)
		close(s->dir);
	*s = (struct sgd_state){0};
}

static struct sgd_entry *entry_of(struct sgd_box *b)
{
	struct sgd_state *s = &b->d->state;

	return s->entries && b->launch.registered && b->launch.sandbox < s->n ? &s->entries[b->launch.sandbox] : NULL;
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", (from) ? (from) : "")

void sgd_state_put(struct sgd_box *b)
{
	struct sgd_entry *e = entry_of(b);
	const struct sg_session *s = &b->session;

	if (!e)
		return;
	__atomic_store_n(&e->used, 0, __ATOMIC_RELEASE);
	e->flags = (b->attached ? SGD_ENTRY_ATTACHED : 0) | (b->keep ? SGD_ENTRY_KEEP : 0) |
		   (b->detached ? SGD_ENTRY_DETACHED : 0) | (b->options.audit ? SGD_ENTRY_AUDIT : 0) |
		   (b->options.stats ? SGD_ENTRY_STATS : 0) | (b->launch.filter ? SGD_ENTRY_FILTER : 0) |
		   (b->launch.sys_enter ? SGD_ENTRY_SYS_ENTER : 0) | (b->discovered ? SGD_ENTRY_DISCOVERED : 0) |
		   (b->launch.listener >= 0 ? SGD_ENTRY_LISTENER : 0) |
		   (b->launch.tier == SG_TIER_LSM ? SGD_ENTRY_LSM : 0) | (b->own_policy ? 0 : SGD_ENTRY_RELOADS);
	e->places[b->d->state.column] = b->places;
	e->cgroup_id = b->launch.cg.id;
	e->level = b->launch.cg.level;
	e->uid = b->uid;
	e->widen = s->widen;
	e->limits = b->plan.limits;
	e->policy = b->slot >= 0 ? (uint32_t)b->slot : b->slot_raw >= 0 ? (uint32_t)b->slot_raw : 0;
	e->pid = b->launch.pid;
	e->pid_start = b->pid_start;
	e->started_at = b->launch.started_at;
	COPY(e->id, s->id);
	COPY(e->language, s->language);
	COPY(e->digest, s->policy_digest);
	COPY(e->name, b->attached ? b->container : s->label);
	COPY(e->rel, b->launch.cg.rel);
	__atomic_store_n(&e->used, 1, __ATOMIC_RELEASE);
}

void sgd_state_drop(struct sgd_box *b)
{
	struct sgd_entry *e = entry_of(b);

	if (e)
		__atomic_store_n(&e->used, 0, __ATOMIC_RELEASE);
}
