/* SPDX-License-Identifier: Apache-2.0 */
/* `sgrun policy explain --denial`: records of a verdict stream in, sentences and policy lines out. */
#include "runner/verbs_more.h"

#include "policy/denial.h"
#include "policy/json.h"
#include "policy/phases.h"
#include "policy/seccomp.h"
#include "supervisor/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES (1U << 20)

struct denial {
	bool json;
	const char *policy_file; /* judged by it as well; NULL: not */
	const char *language;    /* NULL: each record's own */
	struct sg_doc *doc;
	json_t *seen; /* keys: the sandboxes whose violation was told already and that have not ended */
	unsigned told;
};

static int complain(const struct sg_err *err)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	return 2;
}

static const char *field(const json_t *r, const char *key)
{
	return json_string_value(json_object_get(r, key));
}

/* Only system calls can be judged again: what a rule about objects looks at is not in the record. */
static bool has_call(const json_t *r)
{
	return field(r, "syscall") && json_array_size(json_object_get(r, "args")) == SG_ARGS;
}

/* An answer and its rule, as "KEY" and "KEY_by". other: what it is where the pid is none of the sandbox's. */
static void add_answer(json_t *o, const char *key, const struct sg_decision *got, const struct sg_decision *other,
		       const struct sg_policy *p)
{
	const struct sg_origin *at = sg_policy_origin(p, other->origin);
	char action[32], instead[32], by[8192], by_key[16];

	sg_action_text(got->action, got->err, action, sizeof(action));
	sg_action_text(other->action, other->err, instead, sizeof(instead));
	if (strcmp(action, instead) != 0)
		json_object_set_new(
			o, key,
			json_sprintf("depends on the pid (%s where it is of the sandbox, else %s)", instead, action));
	else
		json_object_set_new(o, key, json_string(action));
	if (at) {
		snprintf(by, sizeof(by), "\"%s\" (%s:%u)", at->text, at->file, at->line);
		snprintf(by_key, sizeof(by_key), "%s_by", key);
		json_object_set_new(o, by_key, sg_json_text(by));
	}
}

/* What becomes of the call once the program's start is over, where `then` makes that another answer. */
static int judge_then(const json_t *r, json_t *o, const struct sg_policy *first, const struct sg_policy *then,
		      const struct sg_decision *got, const struct sg_decision *other, struct sg_err *err)
{
	struct sg_decision later, later_other;
	bool stricter, other_stricter;
	int rc = sg_phases_check(first, then, err);

	if (!rc)
		rc = sg_denial_decide(r, then, &later, &later_other, err);
	if (rc)
		return rc;
	stricter = sg_phases_stricter(got, &later);
	other_stricter = sg_phases_stricter(other, &later_other);
	if (stricter || other_stricter)
		add_answer(o, "then", stricter ? &later : got, other_stricter ? &later_other : other,
			   other_stricter ? then : first);
	return 0;
}

/* What the policy given with --policy says of the call: "allow", "kill" …, and its rule. */
static int judge_again(struct denial *d, const json_t *r, json_t *o, struct sg_err *err)
{
	const char *language = d->language ? d->language : field(r, "language"), *next = NULL;
	struct sg_policy *p = NULL, *then = NULL;
	struct sg_decision got, other;
	int rc;

	rc = sg_policy_resolve(d->doc, language ? language : "default", &p, err);
	if (!rc)
		rc = sg_denial_decide(r, p, &got, &other, err);
	if (!rc) {
		add_answer(o, "now", &got, &other, p);
		next = sg_doc_then(d->doc, sg_policy_name(p));
	}
	if (next)
		rc = sg_policy_resolve(d->doc, next, &then, err);
	if (!rc && next)
		rc = judge_then(r, o, p, then, &got, &other, err);
	sg_policy_free(then);
	sg_policy_free(p);
	return rc;
}

static void print_answer(const json_t *o, const char *key, const char *by_key)
{
	const char *answer = field(o, key), *by = field(o, by_key);

	if (answer)
		printf("  %s: %s%s%s\n", key, answer, by ? " by " : "", by ? by : "");
}

static void print_text(const json_t *o)
{
	SG_FREE char *line = field(o, "policy") ? strdup(field(o, "policy")) : NULL;

	printf("%s\n", field(o, "sentence"));
	if (line) {
		sg_text_plain(line); /* who can write to the file of records is not known */
		printf("  policy: %s\n", line);
	}
	print_answer(o, "now", "now_by");
	print_answer(o, "then", "then_by");
}

static int tell(struct denial *d, const json_t *r)
{
	SG_FREE char *sentence = NULL;
	struct sg_err err = {0};
	json_t *o;
	int rc = sg_denial_sentence(r, &sentence, &err);

	if (rc || !sentence)
		return rc ? complain(&err) : 0;
	o = json_pack("{s:o}", "sentence", sg_json_text(sentence));
	if (!o)
		return complain(&(struct sg_err){.code = ENOMEM, .message = "out of memory"});
	if (field(r, "syscall"))
		json_object_set(o, "syscall", json_object_get(r, "syscall"));
	json_object_set(o, "type", json_object_get(r, "type"));
	if (json_is_string(json_object_get(r, "hint")))
		json_object_set(o, "policy", json_object_get(r, "hint"));
	if (d->doc && has_call(r))
		rc = judge_again(d, r, o, &err);
	if (rc) {
		json_decref(o);
		return complain(&err);
	}
	if (d->json) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_text(o);
	}
	json_decref(o);
	d->told++;
	return 0;
}

static int one_record(struct denial *d, const json_t *r)
{
	const char *type = field(r, "type"), *sandbox = field(r, "sandbox");
	const json_t *violation = json_object_get(r, "violation");

	/* `exit` repeats the violation that killed: told once, unless the exit record is all there is. */
	if (type && !strcmp(type, "exit") && json_is_object(violation)) {
		return sandbox && json_object_del(d->seen, sandbox) == 0 ? 0 : tell(d, violation);
	}
	if (type && strstr(type, "_violation") && sandbox)
		json_object_set_new(d->seen, sandbox, json_true());
	return tell(d, r);
}

static int each_line(struct denial *d, FILE *in, const char *name)
{
	SG_FREE char *line = NULL;
	size_t room = 0, number = 0;
	int status = 0;
	ssize_t n;

	while (status == 0 && (n = getline(&line, &room, in)) > 0) {
		json_error_t why;
		json_t *r;

		number++;
		if (n > (ssize_t)LINE_MAX_BYTES || strspn(line, " \t\r\n") == (size_t)n)
			continue;
		r = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, &why);
		if (!json_is_object(r)) {
			fprintf(stderr, "%s:%zu: a record of a verdict stream is expected: %s\n", name, number,
				r ? "this is JSON, but no object" : why.text);
			status = 2;
		} else {
			status = one_record(d, r);
		}
		json_decref(r);
	}
	return status;
}

int sg_verb_denial(bool json, const char *policy_file, const char *language, const char *file)
{
	struct denial d = {.json = json, .policy_file = policy_file, .language = language, .seen = json_object()};
	bool standard = !file || !strcmp(file, "-");
	struct sg_err err = {0};
	FILE *in = standard ? stdin : fopen(file, "re");
	int status;

	if (!in) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		return 2;
	}
	if (policy_file && sg_doc_load(policy_file, &d.doc, &err) < 0)
		status = complain(&err);
	else
		status = each_line(&d, in, standard ? "standard input" : file);
	if (!standard)
		fclose(in);
	sg_doc_free(d.doc);
	json_decref(d.seen);
	if (status == 0 && !d.told) {
		fprintf(stderr, "nothing was denied there\n");
		return 1;
	}
	return status;
}
