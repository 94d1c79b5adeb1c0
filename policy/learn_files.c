// SPDX-License-Identifier: Apache-2.0
/* Which files were used beyond what every program may, folded into trees. */
#include "policy/access.h"
#include "policy/hint.h"
#include "policy/learn_priv.h"
#include "policy/model.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/in_place.h"

#define NET_LEARNT "otherwise: allow"
#define FOLD_ABOVE 3 /* more than this many of one directory, and it is the directory */

/* Directories that mean too much to stand for a few of their files. */
static const char never_folded[][12] = {"/",    "/etc", "/dev", "/proc", "/proc/self", "/sys", "/home", "/root",
					"/var", "/tmp", "/run", "/mnt",  "/opt",       "/srv", "$HOME"};

/* Kernel facilities whose use the objects' part forbids, by the calls that use them. */
static const struct {
	char syscall[24], cls[12];
} facilities[] = {{"add_key", "keys"},
		  {"bpf", "bpf"},
		  {"keyctl", "keys"},
		  {"mount", "mount"},
		  {"perf_event_open", "perf"},
		  {"process_vm_readv", "trace"},
		  {"process_vm_writev", "trace"},
		  {"ptrace", "trace"},
		  {"request_key", "keys"},
		  {"setgid", "setid"},
		  {"setgroups", "setid"},
		  {"setresgid", "setid"},
		  {"setresuid", "setid"},
		  {"setuid", "setid"},
		  {"umount2", "mount"},
		  {"unshare", "namespace"}};

int sg_learn_confine(struct sg_learn *l, struct sg_err *err)
{
	static const char text[] = "x: {inherit: \"builtin:confine\"}\n";
	struct sg_doc *doc = NULL;
	int rc;

	if (l->confine)
		return 0;
	rc = sg_doc_parse("confine", text, sizeof(text) - 1, &doc, err);
	if (!rc)
		rc = sg_policy_resolve(doc, "x", &l->confine, err);
	sg_doc_free(doc);
	return rc;
}

int sg_learn_places(struct sg_learn *l, const char *const values[SG_LEARN_VARS], struct sg_err *err)
{
	for (int i = 0; i < SG_LEARN_VARS; i++)
		if (values[i] && !(l->vars[i] = strdup(values[i])))
			return sg_learn_no_memory(err);
	return sg_learn_confine(l, err);
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/' || (n && dir[n - 1] == '/'));
}

/* The path as a policy would write it: with the variable that says most. */
static void with_variable(const struct sg_learn *l, const char *path, char *out, size_t size)
{
	static const char names[SG_LEARN_VARS][12] = {"$CWD", "$TMP", "$HOME", "$PROGRAM", "$RUNTIME"};
	size_t best = 0;

	snprintf(out, size, "%s", path);
	for (int i = 0; i < SG_LEARN_VARS; i++) {
		const char *v = l->vars[i];
		size_t n = v ? strlen(v) : 0;

		if (n > 1 && n > best && below(path, v)) {
			best = n;
			snprintf(out, size, "%s%s", names[i], path + n);
		}
	}
}

/* By any of its names: absolute, or from any place it lies below. */
static bool granted(const struct sg_learn *l, const char *path, uint32_t right)
{
	static const char names[SG_LEARN_VARS][12] = {"$CWD", "$TMP", "$HOME", "$PROGRAM", "$RUNTIME"};
	const struct sg_policy *p = l->base ? l->base : l->confine;
	size_t n;
	const struct sg_tree *trees = sg_policy_trees(p, &n);
	char other[SG_LEARN_PATH_MAX];

	if (sg_objects_decide_file(sg_policy_objects(p), trees, n, path, right).action == SG_ACTION_ALLOW)
		return true;
	for (int i = 0; i < SG_LEARN_VARS; i++) {
		if (!l->vars[i] || strlen(l->vars[i]) < 2 || !below(path, l->vars[i]))
			continue;
		snprintf(other, sizeof(other), "%s%s", names[i], path + strlen(l->vars[i]));
		if (sg_objects_decide_file(sg_policy_objects(p), trees, n, other, right).action == SG_ACTION_ALLOW)
			return true;
	}
	return false;
}

static void parent_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');

	snprintf(out, SG_LEARN_PATH_MAX, "%.*s", slash ? slash == path ? 1 : (int)(slash - path) : 0, path);
}

static bool may_fold(const char *dir)
{
	if (!*dir)
		return false;
	for (size_t i = 0; i < sizeof(never_folded) / sizeof(never_folded[0]); i++)
		if (!strcmp(dir, never_folded[i]))
			return false;
	return true;
}

/* What a policy can name of it: the path, else the nearest directory around it that it can. False: none that will do.
 */
static bool nameable(const struct sg_learn *l, const char *path, char *text)
{
	char place[SG_LEARN_PATH_MAX], up[SG_LEARN_PATH_MAX], checked[SG_LEARN_PATH_MAX], why[SG_WHY_SIZE];

	snprintf(place, sizeof(place), "%s", path);
	while (*place && !sg_hint_can_name(place)) {
		parent_of(place, up);
		memcpy(place, up, sizeof(place));
	}
	with_variable(l, place, text, SG_LEARN_PATH_MAX);
	if (sg_tree_path(text, checked, why) != 0 || (strcmp(place, path) != 0 && !may_fold(text)))
		return false;
	memcpy(text, checked, strlen(checked) + 1);
	return true;
}

int sg_learn_file(struct sg_learn *l, const char *path, uint32_t rights, struct sg_err *err)
{
	char text[SG_LEARN_PATH_MAX];
	bool new = false, can;
	int rc = 0;

	if (!l->confine || strlen(path) >= SG_LEARN_PATH_MAX - 16)
		return 0;
	can = nameable(l, path, text);
	for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++) {
		if (!(rights >> i & 1) || granted(l, path, 1U << i))
			continue;
		new = true;
		if (can)
			rc = sg_words_add(&l->trees[i], text, err);
	}
	l->unnamed += new && !can;
	return rc;
}

uint64_t sg_learn_unnamed(const struct sg_learn *l)
{
	return l->unnamed;
}

/* ---- folding ---- */

static bool has(const struct sg_words *w, const char *path)
{
	size_t lo = 0, hi = w->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int c = strcmp(w->word[mid], path);

		if (!c)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool covered(const struct sg_words *w, const char *path)
{
	char dir[SG_LEARN_PATH_MAX], next[SG_LEARN_PATH_MAX];

	for (parent_of(path, dir); *dir && strcmp(path, dir) != 0; memcpy(dir, next, sizeof(dir))) {
		if (has(w, dir))
			return true;
		parent_of(dir, next);
		if (!strcmp(dir, next))
			break;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Directories that stand for more than `above` entries go in. *more: there were some, and they may be entries too. */
static int fold_once(struct sg_words *w, size_t above, bool *more, struct sg_err *err)
{
	char **dirs = (char **)calloc(w->n + 1, sizeof(*dirs)), dir[SG_LEARN_PATH_MAX];
	size_t n = 0, same;
	int rc = dirs ? 0 : sg_learn_no_memory(err);

	*more = false;
	for (size_t i = 0; i < w->n && !rc; i++) {
		parent_of(w->word[i], dir);
		if (!may_fold(dir) || covered(w, w->word[i]))
			continue;
		dirs[n] = strdup(dir);
		if (!dirs[n++])
			rc = sg_learn_no_memory(err);
	}
	if (!rc)
		qsort(dirs, n, sizeof(*dirs), by_text);
	for (size_t i = 0; i < n && !rc; i += same) {
		for (same = 1; i + same < n && !strcmp(dirs[i], dirs[i + same]); same++)
			;
		if (same <= above)
			continue;
		*more = true;
		rc = sg_words_add(w, dirs[i], err);
	}
	for (size_t i = 0; i < n; i++)
		free(dirs[i]);
	free(dirs);
	return rc;
}

static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* What was made by the program itself is not there at its start: its directory is what a rule can name. */
static int fold(const struct sg_learn *l, int right, size_t above, unsigned depth, struct sg_words *out,
		struct sg_err *err)
{
	const struct sg_words *from = &l->trees[right], *made = &l->trees[2];
	char cut[SG_LEARN_PATH_MAX], dir[SG_LEARN_PATH_MAX];
	bool more = true;
	int rc = 0;

	*out = (struct sg_words){.max = SIZE_MAX};
	for (size_t i = 0; i < from->n && !rc; i++) {
		const char *path = from->word[i];

		for (size_t j = 0; j < made->n; j++)
			if (below(path, made->word[j])) {
				path = made->word[j];
				break;
			}
		snprintf(cut, sizeof(cut), "%s", path);
		for (unsigned d = depth_of(cut); d > depth; d--) {
			parent_of(cut, dir);
			if (!may_fold(dir))
				break;
			memcpy(cut, dir, sizeof(cut));
		}
		rc = sg_words_add(out, cut, err);
	}
	while (!rc && more)
		rc = fold_once(out, above, &more, err);
	return rc;
}

static void free_all(struct sg_words w[SG_LEARN_RIGHTS])
{
	for (int i = 0; i < SG_LEARN_RIGHTS; i++) {
		sg_words_free(&w[i]);
		w[i] = (struct sg_words){0};
	}
}

/* All rights' trees. *n: how many there are with the inherited ones, which a policy counts by their paths. */
static int fold_all(const struct sg_learn *l, size_t above, unsigned depth, struct sg_words w[SG_LEARN_RIGHTS],
		    size_t *n, struct sg_err *err)
{
	struct sg_words all = {.max = SIZE_MAX};
	int rc = 0;

	(void)sg_policy_trees(l->base ? l->base : l->confine, n);
	for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++) {
		rc = fold(l, i, above, depth, &w[i], err);
		for (size_t j = 0; j < w[i].n && !rc; j++)
			if (!covered(&w[i], w[i].word[j]))
				rc = sg_words_add(&all, w[i].word[j], err);
	}
	*n += all.n;
	sg_words_free(&all);
	return rc;
}

/* Folded until a policy has room for them: two of one directory are the directory, then what lies deepest goes up. */
static int fold_to_fit(const struct sg_learn *l, struct sg_words w[SG_LEARN_RIGHTS], bool *tight, struct sg_err *err)
{
	unsigned depth = 0;
	size_t n;
	int rc = fold_all(l, FOLD_ABOVE, UINT_MAX, w, &n, err);

	for (int i = 0; i < SG_LEARN_RIGHTS; i++)
		for (size_t j = 0; j < w[i].n; j++)
			depth = depth_of(w[i].word[j]) > depth ? depth_of(w[i].word[j]) : depth;
	*tight = !rc && n > SG_TREES_MAX;
	for (; !rc && n > SG_TREES_MAX && depth; depth--) {
		free_all(w);
		rc = fold_all(l, 1, depth, w, &n, err);
	}
	return rc;
}

/* One word of a policy, in quotes. */
static void put_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	fputc('"', out);
}

static void put_path(const char *path, FILE *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+@=-$";

	if (path[strspn(path, plain)])
		put_quoted(path, out);
	else
		fputs(path, out);
}

static bool has_call(const struct sg_learn *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->shapes[i].name, name))
			return true;
	return false;
}

static void put_net(const struct sg_learn *l, FILE *out)
{
	const bool used = has_call(l, "socket") || has_call(l, "connect") || has_call(l, "bind");
	const char *net = l->net ? l->net : used ? NET_LEARNT : NULL;

	if (net && !strcmp(net, NET_LEARNT))
		fprintf(out, "  # sockets were used; addresses are not learnt: name them here to confine it further\n");
	if (net)
		fprintf(out, "  net: {%s}\n", net);
}

static void put_kernel(const struct sg_learn *l, FILE *out)
{
	const char *key = "  kernel:\n";

	for (unsigned c = 0; c < SG_CLASS_N; c++) {
		bool used = l->kernel >> c & 1;

		for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
			used |= !strcmp(facilities[i].cls, sg_class_name(c)) && has_call(l, facilities[i].syscall);
		if (used) {
			fprintf(out, "%s    %s: allow\n", key, sg_class_name(c));
			key = "";
		}
	}
}

int sg_learn_put_objects(const struct sg_learn *l, FILE *out, struct sg_err *err)
{
	static const char keys[SG_LEARN_RIGHTS][8] = {"read", "write", "create", "delete", "exec", "map"};
	struct sg_words w[SG_LEARN_RIGHTS] = {{0}};
	bool any = false, tight;
	int rc = fold_to_fit(l, w, &tight, err);

	for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++) {
		if (w[i].n && !any)
			fprintf(out, "%s  files:\n",
				tight ? "  # more than a policy has room for: directories stand for few files too\n"
				      : "");
		if (w[i].n)
			fprintf(out, "    %s:\n", keys[i]);
		for (size_t j = 0; j < w[i].n; j++)
			if (!covered(&w[i], w[i].word[j])) {
				fputs("      - ", out);
				put_path(w[i].word[j], out);
				fputc('\n', out);
			}
		any |= w[i].n != 0;
	}
	free_all(w);
	if (!rc) {
		put_net(l, out);
		put_kernel(l, out);
	}
	return rc;
}

static int merge_net(struct sg_learn *l, const struct sg_doc *doc, const struct sg_lang_objects *o, struct sg_err *err)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return sg_learn_no_memory(err);
	for (const struct sg_net_item *n = o->nets; n; n = n->next) {
		fprintf(f, n == o->nets ? "allow: [" : ", ");
		put_quoted(n->text, f);
	}
	fprintf(f, "%s%s%s", o->nets ? "]" : "", o->nets && o->net_otherwise.text ? ", " : "",
		o->net_otherwise.text ? o->net_otherwise.text : "");
	if (fclose(f) != 0) {
		free(text);
		return sg_learn_no_memory(err);
	}
	if (l->net && strcmp(l->net, text) != 0) {
		free(text);
		return sg_err_at(
			err, EINVAL, doc->name, o->net_pos.line, o->net_pos.column,
			"\"net\" is not the same here as in the files before: make it the same in all of them");
	}
	free(l->net);
	l->net = text;
	return 0;
}

int sg_learn_merge_objects(struct sg_learn *l, const struct sg_doc *doc, const struct sg_lang *lang, struct sg_err *err)
{
	int rc = lang->objects.net ? merge_net(l, doc, &lang->objects, err) : 0;

	for (unsigned c = 0; c < SG_CLASS_N; c++)
		l->kernel |= lang->objects.cls[c].text ? 1U << c : 0;
	for (const struct sg_tree_item *t = lang->objects.trees; t && !rc; t = t->next)
		for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++)
			if (t->allow >> i & 1)
				rc = sg_words_add(&l->trees[i], t->path, err);
	return rc;
}

void sg_learn_free_objects(struct sg_learn *l)
{
	for (int i = 0; i < SG_LEARN_RIGHTS; i++)
		sg_words_free(&l->trees[i]);
	for (int i = 0; i < SG_LEARN_VARS; i++)
		free(l->vars[i]);
	free(l->net);
	sg_policy_free(l->confine);
}
