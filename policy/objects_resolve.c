// SPDX-License-Identifier: Apache-2.0
#include "policy/resolve.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * The object rules of one language and all it inherits from. Trees, addresses and capabilities add up; of one right of
 * one tree, and of everything that is a single value, the nearest level decides.
 */

_Static_assert((int)SG_MODE_ALLOW == SG_ACTION_ALLOW && (int)SG_MODE_AUDIT == SG_ACTION_AUDIT &&
		       (int)SG_MODE_ERRNO == SG_ACTION_ERRNO && (int)SG_MODE_KILL == SG_ACTION_KILL,
	       "modes of classes are numbered like the actions of system calls");

static int no_memory(struct sg_flat_objects *b)
{
	return sg_err_set(b->err, ENOMEM, "out of memory");
}

/* Room for one more element. Returns the array, NULL when there is no memory. */
static void *grow(struct sg_flat_objects *b, void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *bigger;

	if (n < *room)
		return array;
	bigger = sg_arena_alloc(&b->policy->arena, more * size);
	if (!bigger)
		return NULL;
	if (n)
		memcpy(bigger, array, n * size);
	*room = more;
	return bigger;
}

static int add_row(struct sg_flat_objects *b, struct sg_object_row row)
{
	struct sg_policy *p = b->policy;
	struct sg_object_row *rows = grow(b, p->rows, p->n_rows, &b->row_room, sizeof(*rows));

	if (!rows)
		return no_memory(b);
	p->rows = rows;
	rows[p->n_rows++] = row;
	return 0;
}

static int add_tree(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang,
		    const struct sg_tree_item *item)
{
	const enum sg_list list = *item->section == 'f'   ? SG_LIST_FILES
				  : *item->section == 'e' ? SG_LIST_EXEC
							  : SG_LIST_NET;
	struct sg_policy *p = b->policy;
	struct sg_tree *t, *trees;
	uint32_t allow, deny, origin;
	size_t i;
	int rc;

	for (i = 0; i < p->n_trees && strcmp(p->trees[i].path, item->path); i++)
		;
	if (i == SG_TREES_MAX)
		return sg_err_at(b->err, E2BIG, doc->name, item->pos.line, item->pos.column,
				 "more than %d trees in one policy, the inherited ones included", SG_TREES_MAX);
	if (i == p->n_trees) {
		trees = grow(b, p->trees, p->n_trees, &b->tree_room, sizeof(*trees));
		if (!trees)
			return no_memory(b);
		p->trees = trees;
		trees[i] = (struct sg_tree){.path = sg_arena_strndup(&p->arena, item->path, strlen(item->path))};
		if (!trees[i].path)
			return no_memory(b);
		p->n_trees++;
	}
	t = &p->trees[i];
	/* What a nearer level said of a right stands. */
	allow = item->allow & ~(t->rights.allow | t->rights.deny);
	deny = item->deny & ~(t->rights.allow | t->rights.deny);
	if (!(allow | deny))
		return 0;
	rc = sg_flat_origin(b->flat, doc, lang, item->pos, list, item->text, &origin);
	if (rc)
		return rc;
	if ((deny && !t->rights.deny) || !(t->rights.allow | t->rights.deny))
		t->rights.origin = origin;
	t->rights.allow |= allow;
	t->rights.deny |= deny;
	return add_row(b, (struct sg_object_row){.origin = origin, .allow = allow, .deny = deny, .path = t->path});
}

static bool has_rule(const struct sg_objects *o, const struct sg_net_rule *r)
{
	for (unsigned i = 0; i < o->n_net; i++) {
		struct sg_net_rule other = o->net[i];

		other.origin = 0;
		if (!memcmp(&other, r, sizeof(other)))
			return true;
	}
	return false;
}

static int add_net(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang,
		   const struct sg_net_item *item)
{
	struct sg_objects *o = &b->policy->objects;
	bool news = item->spec.families & ~o->families;
	uint32_t origin;
	int rc;

	for (unsigned i = 0; i < item->spec.n_rules; i++)
		news |= !has_rule(o, &item->spec.rules[i]);
	o->families |= item->spec.families;
	if (!news)
		return 0;
	rc = sg_flat_origin(b->flat, doc, lang, item->pos, SG_LIST_NET, item->text, &origin);
	for (unsigned i = 0; i < item->spec.n_rules && !rc; i++) {
		if (has_rule(o, &item->spec.rules[i]))
			continue;
		if (o->n_net == SG_NET_MAX)
			return sg_err_at(b->err, E2BIG, doc->name, item->pos.line, item->pos.column,
					 "more than %d addresses in one policy, the inherited ones included",
					 SG_NET_MAX);
		o->net[o->n_net] = item->spec.rules[i];
		o->net[o->n_net++].origin = origin;
	}
	return rc ? rc : add_row(b, (struct sg_object_row){.origin = origin});
}

static int set_mode(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang, enum sg_list list,
		    const struct sg_mode_item *item, struct sg_flat_mode *to)
{
	uint32_t origin;
	int rc;

	if (!item->text || to->set)
		return 0;
	rc = sg_flat_origin(b->flat, doc, lang, item->pos, list, item->text, &origin);
	if (rc)
		return rc;
	to->set = true;
	to->mode = (struct sg_class_mode){.mode = (__u16)item->action, .err = (__u16)item->err, .origin = origin};
	return 0;
}

/* What a key means that does not say `otherwise`. */
static int set_default(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang, bool present,
		       struct sg_pos pos, enum sg_list list, unsigned err, struct sg_flat_mode *to)
{
	const struct sg_mode_item item = {.action = err ? SG_ACTION_ERRNO : SG_ACTION_KILL,
					  .err = err,
					  .pos = pos,
					  .text = err == EPERM ? "capability: errno EPERM"
						  : err        ? "otherwise: errno EACCES"
							       : "otherwise: kill"};

	return present && !b->widening ? set_mode(b, doc, lang, list, &item, to) : 0;
}

static int add_modes(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang)
{
	const struct sg_lang_objects *o = &lang->objects;
	int rc;

	rc = set_mode(b, doc, lang, SG_LIST_FILES, &o->files_otherwise, &b->files);
	if (!rc)
		rc = set_mode(b, doc, lang, SG_LIST_EXEC, &o->exec_otherwise, &b->exec);
	if (!rc)
		rc = set_mode(b, doc, lang, SG_LIST_NET, &o->net_otherwise, &b->net);
	if (!rc)
		rc = set_default(b, doc, lang, o->files, o->files_pos, SG_LIST_FILES, EACCES, &b->files_key);
	if (!rc)
		rc = set_default(b, doc, lang, o->exec, o->exec_pos, SG_LIST_EXEC, 0, &b->exec_key);
	if (!rc)
		rc = set_default(b, doc, lang, o->net, o->net_pos, SG_LIST_NET, EACCES, &b->net_key);
	if (!rc)
		rc = set_default(b, doc, lang, o->capabilities, o->caps_pos, SG_LIST_KERNEL, EPERM, &b->caps_key);
	for (unsigned c = 0; c < SG_CLASS_N && !rc; c++)
		rc = set_mode(b, doc, lang, SG_LIST_KERNEL, &o->cls[c], &b->cls[c]);
	return rc;
}

int sg_flat_objects_add(struct sg_flat_objects *b, const struct sg_doc *doc, const struct sg_lang *lang)
{
	const struct sg_lang_objects *o = &lang->objects;
	struct sg_objects *to = &b->policy->objects;
	const struct sg_tree_item *t;
	const struct sg_net_item *n;
	const struct sg_cap_item *c;
	uint32_t origin;
	int rc;

	rc = add_modes(b, doc, lang);
	for (t = o->trees; t && !rc; t = t->next)
		rc = add_tree(b, doc, lang, t);
	for (n = o->nets; n && !rc; n = n->next)
		rc = add_net(b, doc, lang, n);
	for (c = o->caps; c && !rc; c = c->next) {
		if (to->caps & c->bit)
			continue;
		to->caps |= c->bit;
		rc = sg_flat_origin(b->flat, doc, lang, c->pos, SG_LIST_KERNEL, c->text, &origin);
		if (!rc)
			rc = add_row(b, (struct sg_object_row){.origin = origin});
	}
	if (!rc && o->max_text && !b->max_set) {
		b->max_set = true;
		to->exec_max = o->max;
		rc = sg_flat_origin(b->flat, doc, lang, o->max_pos, SG_LIST_EXEC, o->max_text, &origin);
		if (!rc)
			rc = add_row(b, (struct sg_object_row){.origin = origin});
	}
	return rc;
}

/* ---- when all levels are there ---- */

static const struct sg_class_mode *first_set(const struct sg_flat_mode *const *list)
{
	for (; *list; list++)
		if ((*list)->set)
			return &(*list)->mode;
	return NULL;
}

static void fill_modes(struct sg_flat_objects *b)
{
	static const struct sg_class_mode allowed = {.mode = SG_MODE_ALLOW, .origin = SG_ORIGIN_UNLISTED},
					  killed = {.mode = SG_MODE_KILL, .origin = SG_ORIGIN_UNLISTED};
	const struct sg_flat_mode *const files[] = {&b->files, &b->files_key, NULL},
					 *const net[] = {&b->net, &b->net_key, NULL},
					 /* `files` alone speaks for programs too, `exec` alone leaves reading free */
						 *const exec[] = {&b->exec, &b->exec_key, &b->files, &b->files_key,
								  NULL};
	struct sg_objects *o = &b->policy->objects;
	unsigned c;

	for (c = 0; c < SG_CLASS_N; c++) {
		const struct sg_class_mode *m;

		switch (c) {
		case SG_CLASS_EXEC:
			m = first_set(exec);
			break;
		case SG_CLASS_NET:
			m = first_set(net);
			break;
		case SG_CLASS_UNIX:
			m = b->cls[c].set ? &b->cls[c].mode : first_set(net);
			break;
		case SG_CLASS_CAPABILITY:
			m = b->cls[c].set ? &b->cls[c].mode : b->caps_key.set ? &b->caps_key.mode : NULL;
			break;
		case SG_CLASS_SETID:
		case SG_CLASS_IPC:
		case SG_CLASS_WX:
		case SG_CLASS_FDPASS:
			m = b->cls[c].set ? &b->cls[c].mode : NULL;
			break;
		case SG_CLASS_SUPERVISOR:
			m = &killed;
			break;
		default:
			m = c < SG_CLASS_EXEC || c == SG_CLASS_MAP ? first_set(files)
			    : b->cls[c].set                        ? &b->cls[c].mode
								   : &killed;
		}
		o->cls[c] = m ? *m : allowed;
	}
	if (o->cls[SG_CLASS_NET].mode == SG_MODE_ALLOW)
		o->families = ~0ULL;
}

/* A class that lets through what no rule allows looks nothing up, so it would let through what is denied too. */
static int check_denials(const struct sg_flat_objects *b)
{
	const struct sg_policy *p = b->policy;

	for (size_t i = 0; i < p->n_rows; i++) {
		const struct sg_origin *o = sg_policy_origin(p, p->rows[i].origin);

		for (unsigned c = 0; c < SG_N_RIGHTS; c++) {
			unsigned mode = p->objects.cls[c].mode;

			/* Not by `files`: then sockets stay as `net` has them. */
			if (!(p->rows[i].deny & (1U << c)) || c == SG_CLASS_UNIX || mode >= SG_MODE_ERRNO)
				continue;
			return sg_err_at(b->err, EINVAL, o->file, o->line, o->column,
					 "\"%.128s\" cannot be denied while \"otherwise\" is %s, which lets everything "
					 "through; to "
					 "deny only some trees allow the tree / and deny them",
					 p->rows[i].path, mode == SG_MODE_AUDIT ? "audit" : "allow");
		}
	}
	return 0;
}

static int check_exec(const struct sg_flat_objects *b)
{
	const struct sg_policy *p = b->policy;
	size_t i;

	if (!b->max_set || !p->objects.exec_max)
		return 0;
	for (i = 0; i < p->n_trees && !(p->trees[i].rights.allow & SG_RIGHT_EXEC); i++)
		;
	if (i < p->n_trees && p->objects.cls[SG_CLASS_EXEC].mode != SG_MODE_ALLOW)
		return 0;
	for (i = 0; i < p->n_rows; i++) {
		const struct sg_origin *o = sg_policy_origin(p, p->rows[i].origin);

		if (o && !strncmp(o->text, "max: ", 5) && !strcmp(o->list, "exec"))
			return sg_err_at(b->err, EINVAL, o->file, o->line, o->column,
					 "\"max\" counts programs that may be executed, but none may: say which with "
					 "\"exec: {allow: […]}\", or \"max: 0\"");
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sg_tree *)a)->path, ((const struct sg_tree *)b)->path);
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct sg_net_rule, origin));
}

static int by_path_and_origin(const void *a, const void *b)
{
	const struct sg_object_row *x = a, *y = b;
	int c = x->path && y->path ? strcmp(x->path, y->path) : !x->path - !y->path;

	return c ? c : x->origin < y->origin ? -1 : x->origin > y->origin;
}

int sg_flat_objects_finish(struct sg_flat_objects *b)
{
	struct sg_policy *p = b->policy;
	int rc;

	p->objects.size = sizeof(p->objects);
	p->objects.version = SG_OBJECTS_VERSION;
	if (!b->max_set)
		p->objects.exec_max = SG_EXEC_UNBOUNDED;
	fill_modes(b);
	/* In whatever order they are written and inherited, they mean the same. */
	if (p->objects.n_net)
		qsort(p->objects.net, p->objects.n_net, sizeof(p->objects.net[0]), by_address);
	if (p->n_trees)
		qsort(p->trees, p->n_trees, sizeof(*p->trees), by_path);
	if (p->n_rows)
		qsort(p->rows, p->n_rows, sizeof(*p->rows), by_path_and_origin);
	rc = check_denials(b);
	return rc ? rc : check_exec(b);
}
