/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/human.h"

#include "policy/json.h"
#include "supervisor/util.h"

#include <stdio.h>
#include <string.h>

static const char *str(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));

	return v ? v : "";
}

static long long num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void start_line(FILE *f, const json_t *r)
{
	const json_t *p = json_object_get(r, "policy"), *degraded = json_object_get(r, "degraded"), *why;
	size_t i;

	fprintf(f, "started pid %lld: policy %s (%s), tier %s", num(r, "pid"), str(p, "name"), str(p, "source"),
		str(r, "tier"));
	json_array_foreach(degraded, i, why) fprintf(f, "%s%s", i ? "; " : "; not in force: ", json_string_value(why));
}

static const char *done(const char *action)
{
	return !strcmp(action, "kill") ? "killed" : !strcmp(action, "errno") ? "refused" : "recorded";
}

static void call_line(FILE *f, const json_t *r)
{
	const json_t *rule = json_object_get(r, "rule"), *decoded = json_object_get(r, "decoded"), *v;
	const char *action = str(r, "action"), *key, *sep = "";

	fprintf(f, "%s: %s (pid %lld) called %s(", done(action), str(r, "comm"), num(r, "tgid"), str(r, "syscall"));
	/* jansson's iteration macro takes no const object */
	json_object_foreach((json_t *)decoded, key, v)
	{
		fprintf(f, "%s%s=%s", sep, key, json_string_value(v));
		sep = ", ";
	}
	fprintf(f, ")");
	if (strcmp(str(r, "abi"), "x86_64") && strcmp(str(r, "abi"), "aarch64"))
		fprintf(f, " through the %s entry", str(r, "abi"));
	if (json_is_object(rule))
		fprintf(f, "; rule `%s` in %s at %s:%lld", str(rule, "text"), str(rule, "list"), str(rule, "file"),
			num(rule, "line"));
	else
		fprintf(f, "; it is on no list of policy %s", str(r, "language"));
	fprintf(f, "; %s: %s", str(r, "layer"),
		json_is_true(json_object_get(r, "prevented")) ? "it did not take effect" : "it may have taken effect");
	if (json_is_string(json_object_get(r, "hint")))
		fprintf(f, "; to allow it: %s", str(r, "hint"));
}

static void object_line(FILE *f, const json_t *r)
{
	const json_t *rule = json_object_get(r, "rule"), *object = json_object_get(r, "object"), *v;
	const char *action = str(r, "action"), *key, *sep = "";

	fprintf(f, "%s: %s (pid %lld), %s", done(action), str(r, "comm"), num(r, "tgid"), str(r, "class"));
	if (*str(r, "syscall"))
		fprintf(f, " by %s", str(r, "syscall"));
	fprintf(f, ": ");
	json_object_foreach((json_t *)object, key, v)
	{
		if (!strcmp(key, "dev") || !strcmp(key, "ino"))
			continue;
		if (json_is_integer(v))
			fprintf(f, "%s%s %lld", sep, key, (long long)json_integer_value(v));
		else if (json_is_string(v))
			fprintf(f, "%s%s %s", sep, key, json_string_value(v));
		sep = ", ";
	}
	if (json_is_object(rule))
		fprintf(f, "; rule `%s` in %s at %s:%lld", str(rule, "text"), str(rule, "list"), str(rule, "file"),
			num(rule, "line"));
	else
		fprintf(f, "; no rule of policy %s allows it", str(r, "language"));
	fprintf(f, "; lsm: %s",
		json_is_true(json_object_get(r, "prevented")) ? "it did not take effect" : "it took effect");
	if (json_is_string(json_object_get(r, "hint")))
		fprintf(f, "; to allow it: %s", str(r, "hint"));
}

static void exit_line(FILE *f, const json_t *r)
{
	const json_t *reasons = json_object_get(r, "reasons"), *why;
	size_t i;

	fprintf(f, "%s", str(r, "verdict"));
	if (*str(r, "limit"))
		fprintf(f, " (%s)", str(r, "limit"));
	if (json_object_get(r, "exit_code"))
		fprintf(f, ", exit code %lld", num(r, "exit_code"));
	if (json_object_get(r, "signal"))
		fprintf(f, ", signal %lld", num(r, "signal"));
	if (*str(r, "error"))
		fprintf(f, ": %s", str(r, "error"));
	fprintf(f, ", %.0f ms wall, %.0f ms CPU", json_real_value(json_object_get(r, "wall_ms")),
		json_real_value(json_object_get(r, "cpu_ms")));
	json_array_foreach(reasons, i, why)
		fprintf(f, "%s%s", i ? "; " : "; record incomplete: ", json_string_value(why));
}

char *sg_human_line(const json_t *record)
{
	const char *type = str(record, "type");
	char *line = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&line, &size);

	if (!f)
		return NULL;
	fprintf(f, "sgrun: ");
	if (*str(record, "label"))
		fprintf(f, "%s: ", str(record, "label"));
	if (!strcmp(type, "start"))
		start_line(f, record);
	else if (json_object_get(record, "hook"))
		object_line(f, record);
	else if (!strcmp(type, "syscall_violation") || !strcmp(type, "audit"))
		call_line(f, record);
	else if (!strcmp(type, "limit"))
		fprintf(f, "limit reached: %s = %lld", str(record, "limit"), num(record, "value"));
	else if (!strcmp(type, "phase"))
		fprintf(f, "start is over: policy %s holds as well", str(record, "policy"));
	else if (!strcmp(type, "lost"))
		fprintf(f, "%lld records lost: %s", num(record, "count"), str(record, "what"));
	else if (!strcmp(type, "exit"))
		exit_line(f, record);
	else
		fprintf(f, "%s", type);
	if (fclose(f) != 0) {
		free(line);
		return NULL;
	}
	sg_text_plain(line); /* comm and argv are the program's */
	return line;
}
