/* SPDX-License-Identifier: Apache-2.0 */
/* The lsm tier: the programs once for all, object rules for each. */
#include "daemon/closer.h"
#include "daemon/sgd.h"

#include "runner/confine.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void without(struct sgd *d, const struct sg_err *why)
{
	d->lsm = false;
	snprintf(d->no_lsm, sizeof(d->no_lsm), "%s", why->message);
	fprintf(stderr, "sgd: no lsm tier: %s\n", d->no_lsm);
}

void sgd_lsm_open(struct sgd *d, const struct sg_bpf_opts *opts)
{
	struct sg_err why = {0};

	/* The smallest program first: where LSM programs are refused, that is known within microseconds. */
	d->lsm = sg_bpf_lsm_probe(opts->btf_cache, &why) == 0 && sg_bpf_add_lsm(d->bpf, opts, &why) == 0;
	if (!d->lsm)
		without(d, &why);
}

void sgd_lsm_attach(struct sgd *d)
{
	struct sg_err why = {0};

	/* Attaching is the proof that they are called and that their answer counts. */
	if (!d->lsm || sg_bpf_attach_set(d->bpf, SG_BPF_LSM, &why) == 0)
		return;
	without(d, &why);
	sg_bpf_drop_lsm(d->bpf);
}

static int check(const struct sg_wire_objects *o, size_t size, struct sg_err *err)
{
	const struct sg_tree_rights *says = (const struct sg_tree_rights *)(o + 1);

	if (size < sizeof(*o) || o->n > SG_BPF_PLACES_MAX || size != sizeof(*o) + o->n * sizeof(*says))
		return sg_err_set(err, EPROTO,
				  "the object rules are not as long as they say, or name more than %d places",
				  SG_BPF_PLACES_MAX);
	for (uint32_t i = 0; i < SG_CLASS_N; i++)
		if (o->objects.cls[i].mode < SG_MODE_ALLOW || o->objects.cls[i].mode > SG_MODE_KILL)
			return sg_err_set(err, EPROTO, "an object rule does what no rule does");
	for (uint32_t i = 0; i < o->n; i++)
		if ((says[i].allow | (says[i].deny & ~SG_TREE_HOLDS)) & ~SG_RIGHTS)
			return sg_err_set(err, EPROTO, "an object rule is about a right that there is not");
	return 0;
}

int sgd_objects_take(struct sgd_box *b, int rules, int places, struct sg_err *err)
{
	int seals = fcntl(rules, F_GET_SEALS), kept = -1, rc;
	SG_FREE struct sg_learned *at = NULL;
	const struct sg_wire_objects *o;
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(rules, &st) < 0 || st.st_size < (off_t)sizeof(*o) ||
	    st.st_size > (1 << 20))
		return sg_err_set(err, EPROTO, "the object rules did not come in a sealed memory file");
	if (sgd_has_holes(&st))
		return sg_err_set(err, EPROTO, "the object rules came in a memory file with holes");
	o = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, rules, 0);
	if (o == MAP_FAILED)
		return sg_err_set(err, ENOMEM, "cannot map the object rules: %s", strerror(errno));
	rc = check(o, (size_t)st.st_size, err);
	if (!rc) {
		at = calloc(o->n + 1, sizeof(*at));
		rc = at ? sg_bpf_places_receive(b->d->bpf, places, o->n, at, &kept, b->uid, sgd_let_go, err)
			: sg_err_set(err, ENOMEM, "out of memory");
	}
	if (!rc)
		rc = sg_bpf_set_trees(b->d->bpf, b->launch.sandbox, &o->objects, &o->self,
				      (const struct sg_tree_rights *)(o + 1), at, o->n, err);
	/* What the rules before these named is let go only now that nothing of them is in force. */
	if (!rc) {
		int before = b->places;

		b->places = kept;
		kept = before;
	}
	sgd_let_go(b->uid, kept);
	b->plan.objects = o->objects;
	munmap((void *)o, (size_t)st.st_size);
	if (!rc && json_array_size(b->launch.not_enforced) == 0)
		sg_launch_missing_hooks(&b->launch);
	return rc;
}
