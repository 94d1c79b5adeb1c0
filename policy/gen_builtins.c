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

static struct sg_builtin table[BUILTINS_MAX];
static size_t n_table;

const struct sg_builtin *sg_builtin_table(size_t *n)
{
	*n = n_table;
	return table;
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
	b->name = name;
	b->listed = !strstr(path, "/parts/");
	b->yaml_len = fread(text, 1, SG_POLICY_MAX_BYTES, f);
	b->yaml = text;
	fclose(f);
	return 0;
}

static int read_aliases(struct sg_builtin *b)
{
	const struct sg_lang *lang;
	const struct sg_word *w;
	struct sg_err err = {0};
	const char **list;
	struct sg_doc *doc;
	char source[64];
	size_t n = 0;

	snprintf(source, sizeof(source), "builtin:%s", b->name);
	if (sg_doc_parse(source, b->yaml, b->yaml_len, &doc, &err))
		return fail(b->name, &err);
	lang = sg_doc_find(doc, b->name);
	if (!lang || doc->n_langs != 1) {
		fprintf(stderr, "sg_gen_builtins: %s must define the one language \"%s\"\n", source, b->name);
		return 1;
	}
	for (w = lang->aliases; w; w = w->next)
		n++;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return 1;
	for (n = 0, w = lang->aliases; w; w = w->next)
		list[n++] = strdup(w->text);
	b->aliases = list;
	sg_doc_free(doc);
	return 0;
}

static void write_string(FILE *out, const char *s, size_t len)
{
	size_t i;

	fputs("\t\t\"", out);
	for (i = 0; i < len; i++) {
		if (s[i] == '\n')
			fprintf(out, "\\n%s", i + 1 < len ? "\"\n\t\t\"" : "");
		else if (s[i] == '"' || s[i] == '\\')
			fprintf(out, "\\%c", s[i]);
		else if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f)
			fprintf(out, "\\%03o", (unsigned char)s[i]);
		else
			fputc(s[i], out);
	}
	fputs("\"", out);
}

static void write_aliases(FILE *out, size_t index, const struct sg_builtin *b)
{
	size_t i;

	fprintf(out, "/* %s */\nstatic const char *const aliases_%zu[] = {", b->name, index);
	for (i = 0; b->aliases[i]; i++)
		fprintf(out, "\"%s\", ", b->aliases[i]);
	fputs("NULL};\n", out);
}

static void write_filter(FILE *out, size_t index, const struct sg_filter *f)
{
	size_t i;

	fprintf(out, "static const struct sock_filter insns_%zu[] = {\n", index);
	for (i = 0; i < f->n_insns; i++)
		fprintf(out, "\t{0x%02x, %u, %u, 0x%08x},\n", f->insns[i].code, f->insns[i].jt, f->insns[i].jf,
			f->insns[i].k);
	fprintf(out, "};\nstatic const struct sg_patch patches_%zu[] = {\n", index);
	for (i = 0; i < f->n_patches; i++)
		fprintf(out, "\t{%u, %u},\n", f->patches[i].pc, f->patches[i].kind);
	fputs("\t{0, 0},\n};\n\n", out); /* never empty; n_patches does not count it */
}

/* Every path once, one after the other. */
static char paths[1 << 16];
static size_t n_paths;

static size_t path_offset(const char *path)
{
	const size_t n = strlen(path) + 1;
	size_t at;

	for (at = 0; at < n_paths; at += strlen(paths + at) + 1)
		if (!strcmp(paths + at, path))
			return at;
	if (n > sizeof(paths) - n_paths) {
		fprintf(stderr, "sg_gen_builtins: the paths need more room than %zu bytes\n", sizeof(paths));
		exit(1);
	}
	memcpy(paths + at, path, n);
	n_paths += n;
	return at;
}

static void write_paths(FILE *out)
{
	size_t at;

	fputs("const char sg_builtin_paths[] =\n\t\"\"", out);
	for (at = 0; at < n_paths; at += strlen(paths + at) + 1)
		fprintf(out, "\n\t\"%s\\0\"", paths + at);
	fputs(";\n\n", out);
}

static void write_trees(FILE *out, size_t index, const struct sg_policy *p)
{
	const struct sg_tree *trees;
	size_t i, n;

	trees = sg_policy_trees(p, &n);
	fprintf(out, "static const struct sg_packed_tree trees_%zu[] = {\n", index);
	for (i = 0; i < n; i++)
		fprintf(out, "\t{%zu, 0x%x, 0x%x, %u}, /* %s */\n", path_offset(trees[i].path), trees[i].rights.allow,
			trees[i].rights.deny, trees[i].rights.origin, trees[i].path);
	fputs("\t{0},\n};\n\n", out); /* never empty; n_trees does not count it */
}

/* The policy as it is: a macro, because the table comes later. */
static void write_base(FILE *out, size_t index, const struct sg_policy *p, const struct sg_filter *f)
{
	const struct sg_limits *l = sg_policy_limits(p);

	fprintf(out, "\t.digest = \"%s\", .variants = variants_%zu, \\\n", sg_policy_digest(p), index);
	fprintf(out, "\t.limits = {%lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU, %lluU}, \\\n",
		(unsigned long long)l->pids, (unsigned long long)l->open_files, (unsigned long long)l->file_size,
		(unsigned long long)l->stack, (unsigned long long)l->cpu_time, (unsigned long long)l->wall_time,
		(unsigned long long)l->memory, (unsigned long long)l->output, (unsigned long long)l->cpus);
	index *= SG_N_VARIANTS;
	fprintf(out, "\t.filter = {insns_%zu, patches_%zu, %u, %u, %s, %s, %s, NULL}\n\n", index, index, f->n_insns,
		f->n_patches, f->has_supervised ? "true" : "false", f->has_audit ? "true" : "false",
		f->one_process ? "true" : "false");
}

static int write_variant(FILE *out, size_t index, const struct sg_policy *p, const struct sg_filter *f)
{
	const struct sg_objects *o = sg_policy_objects(p);
	size_t i, n;

	if (o->n_net) {
		fprintf(stderr, "sg_gen_builtins: %s: a built-in policy names no addresses\n", sg_policy_name(p));
		return 1;
	}
	sg_policy_trees(p, &n);
	fprintf(out, "\t{\n\t\t.digest = \"%s\",\n", sg_policy_digest(p));
	fprintf(out, "\t\t.access = {.families = 0x%llxU, .caps = 0x%llxU, .exec_max = %uU, .n_trees = %zu,\n",
		(unsigned long long)o->families, (unsigned long long)o->caps, o->exec_max, n);
	fprintf(out, "\t\t\t.trees = trees_%zu, .cls = {", index);
	for (i = 0; i < SG_CLASS_N; i++)
		fprintf(out, "{%u, %u, %uU}, ", o->cls[i].mode, o->cls[i].err, o->cls[i].origin);
	fprintf(out, "}},\n\t\t.filter = {insns_%zu, patches_%zu, %u, %u, %s, %s, %s, NULL},\n\t},\n", index, index,
		f->n_insns, f->n_patches, f->has_supervised ? "true" : "false", f->has_audit ? "true" : "false",
		f->one_process ? "true" : "false");
	return 0;
}

/* Everything a launch needs, for every set of options that it may be widened by. */
static int write_variants(FILE *out, size_t index, const struct sg_builtin *b)
{
	struct sg_policy *p[SG_N_VARIANTS];
	struct sg_filter f[SG_N_VARIANTS];
	struct sg_err err = {0};
	unsigned widen;
	int rc = 0;

	for (widen = 0; widen < SG_N_VARIANTS; widen++) {
		const size_t at = index * SG_N_VARIANTS + widen;

		if (sg_policy_resolve_widened(NULL, b->name, widen, &p[widen], &err) ||
		    sg_filter_compile(p[widen], &f[widen], &err))
			return fail(b->name, &err);
		write_filter(out, at, &f[widen]);
		write_trees(out, at, p[widen]);
	}
	fprintf(out, "static const struct sg_variant variants_%zu[] = {\n", index);
	for (widen = 0; widen < SG_N_VARIANTS; widen++)
		rc |= write_variant(out, index * SG_N_VARIANTS + widen, p[widen], &f[widen]);
	fputs("};\n\n", out);
	fprintf(out, "#define BASE_%zu \\\n", index);
	write_base(out, index, p[0], &f[0]);
	for (widen = 0; widen < SG_N_VARIANTS; widen++) {
		sg_filter_release(&f[widen]);
		sg_policy_free(p[widen]);
	}
	return rc;
}

static void write_entry(FILE *out, size_t index, const struct sg_builtin *b)
{
	fprintf(out, "\t{\n\t\t.name = \"%s\",\n\t\t.aliases = aliases_%zu,\n\t\t.listed = %s,\n\t\t.yaml =\n", b->name,
		index, b->listed ? "true" : "false");
	write_string(out, b->yaml, b->yaml_len);
	fprintf(out, ",\n\t\t.yaml_len = %zu,\n", b->yaml_len);
	/* A part is only ever inherited from. */
	if (b->listed)
		fprintf(out, "\t\tBASE_%zu\n", index);
	else
		fputs("\t\t.digest = \"\",\n", out);
	fputs("\t},\n", out);
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
	out = fopen(argv[1], "we");
	if (!out) {
		perror(argv[1]);
		return 1;
	}
	fputs("// SPDX-License-Identifier: Apache-2.0\n/* Generated by sg_gen_builtins. */\n#include "
	      "\"policy/seccomp.h\"\n\n",
	      out);
	for (i = 0; i < n_table; i++) {
		write_aliases(out, i, &table[i]);
		if (table[i].listed && write_variants(out, i, &table[i]))
			return 1;
	}
	write_paths(out);
	fputs("const struct sg_builtin sg_builtins[] = {\n", out);
	for (i = 0; i < n_table; i++)
		write_entry(out, i, &table[i]);
	fprintf(out, "};\nconst size_t sg_n_builtins = %zu;\n", n_table);
	for (i = 0; i < n_table; i++) {
		const char *const *a;

		for (a = table[i].aliases; *a; a++)
			free((char *)*a);
		free((void *)table[i].aliases);
		free((char *)table[i].name);
		free((char *)table[i].yaml);
	}
	if (fclose(out)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
