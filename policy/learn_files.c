// SPDX-License-Identifier: Apache-2.0
/* Which files were used beyond what every program may, folded into trees. */
#include "policy/access.h"
#include "policy/learn_priv.h"
#include "policy/model.h"

#include <errno.h>
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

int sg_learn_places(struct sg_learn *l, const char *const values[SG_LEARN_VARS], struct sg_err *err)
{
	static const char text[] = "x: {inherit: \"builtin:confine\"}\n";
	struct sg_doc *doc = NULL;
	int rc = 0;

	for (int i = 0; i < SG_LEARN_VARS && !rc; i++)
		if (values[i] && !(l->vars[i] = strdup(values[i])))
			rc = sg_learn_no_memory(err);
	if (!rc)
		rc = sg_doc_parse("confine", text, sizeof(text) - 1, &doc, err);
	if (!rc)
		rc = sg_policy_resolve(doc, "x", &l->confine, err);
	sg_doc_free(doc);
	return rc;
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

int sg_learn_file(struct sg_learn *l, const char *path, uint32_t rights, struct sg_err *err)
{
	char text[SG_LEARN_PATH_MAX], checked[SG_LEARN_PATH_MAX], why[SG_WHY_SIZE];
	int rc = 0;

	if (!l->confine || strlen(path) >= SG_LEARN_PATH_MAX - 16)
		return 0;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || strchr("#,[]{}\"'\\", *c))
			return 0; /* cannot be said in one word of a policy */
	for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++) {
		if (!(rights >> i & 1) || granted(l, path, 1U << i))
			continue;
		with_variable(l, path, text, sizeof(text));
		if (sg_tree_path(text, checked, why) == 0)
			rc = sg_words_add(&l->trees[i], checked, err);
	}
	return rc;
}

/* ---- folding ---- */

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

static bool covered(const struct sg_words *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->word[i], path) != 0 && below(path, w->word[i]))
			return true;
	return false;
}

/* One directory that stands for more than FOLD_ABOVE entries goes in; true when there was one. */
static bool fold_once(struct sg_words *w, struct sg_err *err)
{
	char dir[SG_LEARN_PATH_MAX], other[SG_LEARN_PATH_MAX];

	for (size_t i = 0; i < w->n; i++) {
		size_t same = 0;

		if (covered(w, w->word[i]))
			continue;
		parent_of(w->word[i], dir);
		if (!may_fold(dir))
			continue;
		for (size_t j = 0; j < w->n; j++) {
			parent_of(w->word[j], other);
			same += !strcmp(other, dir) && !covered(w, w->word[j]);
		}
		if (same > FOLD_ABOVE)
			return sg_words_add(w, dir, err) == 0;
	}
	return false;
}

/* What was made by the program itself is not there at its start: its directory is what a rule can name. */
static int fold(const struct sg_learn *l, int right, struct sg_words *out, struct sg_err *err)
{
	const struct sg_words *from = &l->trees[right], *made = &l->trees[2];
	int rc = 0;

	*out = (struct sg_words){.max = SIZE_MAX};
	for (size_t i = 0; i < from->n && !rc; i++) {
		const char *path = from->word[i];

		for (size_t j = 0; j < made->n; j++)
			if (below(path, made->word[j])) {
				path = made->word[j];
				break;
			}
		rc = sg_words_add(out, path, err);
	}
	while (!rc && fold_once(out, err))
		;
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
	bool any = false;
	int rc = 0;

	for (int i = 0; i < SG_LEARN_RIGHTS && !rc; i++) {
		struct sg_words w;

		rc = fold(l, i, &w, err);
		if (w.n && !any)
			fprintf(out, "  files:\n");
		if (w.n)
			fprintf(out, "    %s:\n", keys[i]);
		for (size_t j = 0; j < w.n; j++)
			if (!covered(&w, w.word[j])) {
				fputs("      - ", out);
				put_path(w.word[j], out);
				fputc('\n', out);
			}
		any |= w.n != 0;
		sg_words_free(&w);
	}
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
