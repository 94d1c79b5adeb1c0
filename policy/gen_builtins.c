// SPDX-License-Identifier: Apache-2.0
/*
 * Build-time program: policy files in, one C file with struct sg_builtin[] out. A file in a folder called "parts" is
 * not listed as a language. Every file defines one language, called like the file.
 */
#include "policy/model.h"
#include "policy/seccomp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUILTINS_MAX 64

/* An array that all policies share: what is in it already is not put in again. */
struct pool {
	size_t item; /* bytes of one */
	char *data;
	size_t n;
};
static struct pool yaml_texts = {.item = 1}, paths = {.item = 1}, trees = {.item = sizeof(struct sg_packed_tree)},
		   insns = {.item = sizeof(struct sock_filter)}, patches = {.item = sizeof(struct sg_patch)};

static struct sg_builtin table[BUILTINS_MAX];
static size_t n_table;
static struct sg_variant variants[BUILTINS_MAX * SG_N_VARIANTS];
static uint32_t n_variants;

const struct sg_builtin *sg_builtin_table(size_t *n)
{
	*n = n_table;
	return table;
}

const char *sg_builtin_yaml(const struct sg_builtin *b)
{
	return yaml_texts.data + b->yaml;
}

/* The place of the first of them. */
static uint32_t put(struct pool *p, const void *items, size_t n)
{
	const size_t item = p->item;
	size_t at;

	if (!n)
		return 0;
	for (at = 0; at + n <= p->n; at++)
		if (!memcmp(p->data + at * item, items, n * item))
			return (uint32_t)at;
	p->data = realloc(p->data, (p->n + n) * item);
	if (!p->data) {
		fprintf(stderr, "sg_gen_builtins: out of memory\n");
		exit(1);
	}
	memcpy(p->data + p->n * item, items, n * item);
	at = p->n;
	p->n += n;
	return (uint32_t)at;
}

/* Into an array of fixed size. */
static void fit(char *to, size_t size, const char *text)
{
	if (strlen(text) >= size) {
		fprintf(stderr, "sg_gen_builtins: \"%s\" needs more room than %zu bytes\n", text, size);
		exit(1);
	}
	memcpy(to, text, strlen(text) + 1);
}

static int fail(const char *file, const struct sg_err *err)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	fprintf(stderr, "sg_gen_builtins: %s: %s\n", file, text);
	return 1;
}

static int read_file(const char *path, struct sg_builtin *b)
{
	const char *base = strrchr(path, '/');
	char *text = malloc(SG_POLICY_MAX_BYTES), *name;
	FILE *f = fopen(path, "re");

	base = base ? base + 1 : path;
	name = strndup(base, strcspn(base, "."));
	if (!f || !text || !name) {
		perror(path);
		return 1;
	}
	fit(b->name, sizeof(b->name), name);
	b->listed = !strstr(path, "/parts/");
	b->yaml_len = (uint32_t)fread(text, 1, SG_POLICY_MAX_BYTES, f);
	b->yaml = put(&yaml_texts, text, b->yaml_len);
	free(name);
	free(text);
	fclose(f);
	return 0;
}

static int read_aliases(struct sg_builtin *b)
{
	const struct sg_lang *lang;
	const struct sg_word *w;
	struct sg_err err = {0};
	struct sg_doc *doc;
	char source[64];
	size_t n = 0;

	snprintf(source, sizeof(source), "builtin:%s", b->name);
	if (sg_doc_parse(source, sg_builtin_yaml(b), b->yaml_len, &doc, &err))
		return fail(b->name, &err);
	lang = sg_doc_find(doc, b->name);
	if (!lang || doc->n_langs != 1) {
		fprintf(stderr, "sg_gen_builtins: %s must define the one language \"%s\"\n", source, b->name);
		return 1;
	}
	/* Room for the empty one stays. */
	for (w = lang->aliases; w; w = w->next, n += strlen(b->aliases + n) + 1)
		fit(b->aliases + n, sizeof(b->aliases) - 1 - n, w->text);
	sg_doc_free(doc);
	return 0;
}

/* ---- packing ---- */

static int pack_access(const struct sg_policy *p, struct sg_packed_access *out)
{
	const struct sg_objects *o = sg_policy_objects(p);
	struct sg_packed_tree packed[SG_TREES_MAX] = {0};
	const struct sg_tree *from;
	size_t n;

	if (o->n_net) {
		fprintf(stderr, "sg_gen_builtins: %s: a built-in policy names no addresses\n", sg_policy_name(p));
		return 1;
	}
	from = sg_policy_trees(p, &n);
	for (size_t i = 0; i < n; i++)
		packed[i] = (struct sg_packed_tree){put(&paths, from[i].path, strlen(from[i].path) + 1),
						    from[i].rights.allow, from[i].rights.deny, from[i].rights.origin};
	*out = (struct sg_packed_access){.families = o->families,
					 .caps = o->caps,
					 .exec_max = o->exec_max,
					 .trees = put(&trees, packed, n),
					 .n_trees = (uint32_t)n};
	memcpy(out->cls, o->cls, sizeof(out->cls));
	return 0;
}

/* Everything a launch needs, for every set of options that it may be widened by. */
static int pack_variants(struct sg_builtin *b)
{
	struct sg_err err = {0};

	b->variants = n_variants;
	for (unsigned widen = 0; widen < SG_N_VARIANTS; widen++) {
		struct sg_variant *v = &variants[n_variants++];
		struct sg_policy *p;
		struct sg_filter f;

		if (sg_policy_resolve_widened(NULL, b->name, widen, &p, &err) || sg_filter_compile(p, &f, &err))
			return fail(b->name, &err);
		fit(v->digest, sizeof(v->digest), sg_policy_digest(p));
		v->filter = (struct sg_packed_filter){put(&insns, f.insns, f.n_insns),
						      put(&patches, f.patches, f.n_patches),
						      f.n_insns,
						      f.n_patches,
						      f.has_supervised,
						      f.has_audit,
						      f.tied,
						      f.one_process,
						      f.keyless};
		if (!widen)
			b->limits = *sg_policy_limits(p);
		if (pack_access(p, &v->access))
			return 1;
		sg_filter_release(&f);
		sg_policy_free(p);
	}
	return 0;
}

/* ---- writing ---- */

static void write_yaml(FILE *out)
{
	const char *s = yaml_texts.data;
	size_t i;

	fputs("const char sg_builtin_yaml_texts[] =\n\t\"", out);
	for (i = 0; i < yaml_texts.n; i++) {
		if (s[i] == '\n')
			fputs("\\n\"\n\t\"", out);
		else if (s[i] == '"' || s[i] == '\\')
			fprintf(out, "\\%c", s[i]);
		else if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f)
			fprintf(out, "\\%03o", (unsigned char)s[i]);
		else
			fputc(s[i], out);
	}
	fputs("\";\n\n", out);
}

static void write_words(FILE *out, const char *words, const char *end)
{
	for (; words < end && *words; words += strlen(words) + 1)
		fprintf(out, "\n\t\"%s\\0\"", words);
}

/* None is empty: the last of each is not counted. Compilers lay them out from the last to the first, so that what every
 * launch looks at is near each other. */
static void write_pools(FILE *out)
{
	const struct sg_packed_tree *t = (const struct sg_packed_tree *)(void *)trees.data;
	const struct sock_filter *f = (const struct sock_filter *)(void *)insns.data;
	const struct sg_patch *patch = (const struct sg_patch *)(void *)patches.data;
	size_t i;

	fputs("const struct sock_filter sg_builtin_insns[] = {\n", out);
	for (i = 0; i < insns.n; i++)
		fprintf(out, "\t{0x%02x, %u, %u, 0x%08x},\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
	fputs("\t{0},\n};\n\nconst struct sg_packed_tree sg_builtin_trees[] = {\n", out);
	for (i = 0; i < trees.n; i++)
		fprintf(out, "\t{%u, 0x%x, 0x%x, %u}, /* %s */\n", t[i].path, t[i].allow, t[i].deny, t[i].origin,
			paths.data + t[i].path);
	fputs("\t{0},\n};\n\nconst char sg_builtin_paths[] =\n\t\"\"", out);
	write_words(out, paths.data, paths.data + paths.n);
	fputs(";\n\nconst struct sg_patch sg_builtin_patches[] = {\n", out);
	for (i = 0; i < patches.n; i++)
		fprintf(out, "\t{%u, %u},\n", patch[i].pc, patch[i].kind);
	fputs("\t{0},\n};\n\n", out);
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void write_variant(FILE *out, const struct sg_variant *v)
{
	const struct sg_packed_access *a = &v->access;
	const struct sg_packed_filter *f = &v->filter;

	fprintf(out, "\t{\n\t\t.digest = \"%s\",\n", v->digest);
	fprintf(out,
		"\t\t.access = {.families = 0x%llxU, .caps = 0x%llxU, .exec_max = %uU, .trees = %u, .n_trees = %u,\n",
		(unsigned long long)a->families, (unsigned long long)a->caps, a->exec_max, a->trees, a->n_trees);
	fputs("\t\t\t.cls = {", out);
	for (size_t i = 0; i < SG_CLASS_N; i++)
		fprintf(out, "{%u, %u, %uU}, ", a->cls[i].mode, a->cls[i].err, a->cls[i].origin);
	fprintf(out, "}},\n\t\t.filter = {%u, %u, %u, %u, %s, %s, %s, %s, %s},\n\t},\n", f->insns, f->patches,
		f->n_insns, f->n_patches, truth(f->has_supervised), truth(f->has_audit), truth(f->tied),
		truth(f->one_process), truth(f->keyless));
}

static void write_entry(FILE *out, const struct sg_builtin *b)
{
	const struct sg_limits *l = &b->limits;

	fprintf(out, "\t{\n\t\t.name = \"%s\",\n\t\t.aliases = \"\"", b->name);
	write_words(out, b->aliases, b->aliases + sizeof(b->aliases));
	fprintf(out, ",\n\t\t.listed = %s, .yaml = %u, .yaml_len = %u, .variants = %u,\n", truth(b->listed), b->yaml,
		b->yaml_len, b->variants);
	fprintf(out, "\t\t.limits = {%lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU},\n\t},\n",
		(unsigned long long)l->pids, (unsigned long long)l->open_files, (unsigned long long)l->file_size,
		(unsigned long long)l->stack, (unsigned long long)l->cpu_time, (unsigned long long)l->wall_time,
		(unsigned long long)l->memory, (unsigned long long)l->output, (unsigned long long)l->cpus);
}

int main(int argc, char **argv)
{
	FILE *out;
	size_t i;

	if (argc < 2 || argc - 2 > BUILTINS_MAX) {
		fprintf(stderr, "usage: sg_gen_builtins OUTPUT.c POLICY.yaml …\n");
		return 2;
	}
	for (i = 2; i < (size_t)argc; i++)
		if (read_file(argv[i], &table[n_table++]))
			return 1;
	for (i = 0; i < n_table; i++)
		if (read_aliases(&table[i]))
			return 1;
	for (i = 0; i < n_table; i++)
		if (table[i].listed && pack_variants(&table[i]))
			return 1;
	out = fopen(argv[1], "we");
	if (!out) {
		perror(argv[1]);
		return 1;
	}
	fputs("// SPDX-License-Identifier: Apache-2.0\n/* Generated by sg_gen_builtins. */\n#include "
	      "\"policy/seccomp.h\"\n\n",
	      out);
	write_yaml(out);
	write_pools(out);
	fputs("const struct sg_variant sg_builtin_variants[] = {\n", out);
	for (i = 0; i < n_variants; i++)
		write_variant(out, &variants[i]);
	fputs("};\n\nconst struct sg_builtin sg_builtins[] = {\n", out);
	for (i = 0; i < n_table; i++)
		write_entry(out, &table[i]);
	fprintf(out, "};\nconst size_t sg_n_builtins = %zu;\n", n_table);
	free(yaml_texts.data);
	free(paths.data);
	free(trees.data);
	free(insns.data);
	free(patches.data);
	if (fclose(out)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
