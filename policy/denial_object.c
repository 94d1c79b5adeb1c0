// SPDX-License-Identifier: Apache-2.0
/* What an object rule's record (`lsm_violation`) is about, in words. */
#include "policy/denial_priv.h"

#include <string.h>

#include "policy/in_place.h"

static const struct {
	char cls[16], phrase[68];
} phrases[] = {
	{"trace", "look into or steer another process"},
	{"signal", "send a signal to another process"},
	{"limits", "change the limits or the scheduling of another process"},
	{"mount", "change what is mounted where"},
	{"namespace", "make or enter a namespace"},
	{"setid", "change its user or group"},
	{"bpf", "use BPF"},
	{"perf", "use performance events"},
	{"keys", "use the kernel's key rings"},
	{"kernel", "change or read the kernel"},
	{"ipc", "use a System V or POSIX object of others"},
	{"uring", "use io_uring in a way that evades its own identity or calls"},
	{"wx", "run memory that it can write"},
	{"fdpass", "pass a descriptor to a process outside of its sandbox"},
	{"supervisor", "touch the supervisor that watches it"},
};

static const struct {
	char right[8], verb[12];
} verbs[] = {
	{"read", "read"}, {"write", "write"},     {"create", "create"},      {"delete", "delete"},
	{"exec", "run"},  {"map", "map as code"}, {"connect", "connect to"},
};

/* "read,write" as "read and write"; what a class of files without rights is about, where the record has none. */
static void say_rights(struct sg_text *t, const char *rights, const char *cls)
{
	const char *word = *rights ? rights : cls, *sep = "";

	while (*word) {
		size_t n = strcspn(word, ",");
		const char *verb = NULL;

		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strlen(verbs[i].right) == n && !strncmp(verbs[i].right, word, n))
				verb = verbs[i].verb;
		if (verb)
			sg_text_add(t, "%s%s", sep, verb);
		else
			sg_text_add(t, "%s%.*s", sep, (int)n, word);
		sep = " and ";
		word += n + (word[n] == ',');
	}
}

static void say_net(struct sg_text *t, const json_t *o)
{
	const char *address = sg_record_str(o, "address");

	if (*sg_record_str(o, "option")) {
		sg_text_add(t, "choose itself which way its packets go (%s)", sg_record_str(o, "option"));
		return;
	}
	if (!*address) {
		sg_text_add(t, "make a socket of the family %s", sg_record_str(o, "family"));
		return;
	}
	sg_text_add(t, !strcmp(sg_record_str(o, "operation"), "bind") ? "take the address " : "reach the address ");
	sg_text_add(t, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address, sg_record_num(o, "port"));
	sg_text_add(t, " by %s", sg_record_str(o, "protocol"));
}

static void say_what(struct sg_text *t, const json_t *r, const json_t *o)
{
	const char *cls = sg_record_str(r, "class"), *phrase = NULL;

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (!strcmp(phrases[i].cls, cls))
			phrase = phrases[i].phrase;
	if (*sg_record_str(o, "path") && !phrase) {
		say_rights(t, sg_record_str(r, "right"), cls);
		sg_text_add(t, " %s", sg_record_str(o, "path"));
	} else if (!strcmp(cls, "net")) {
		say_net(t, o);
	} else if (!strcmp(cls, "unix")) {
		sg_text_add(t, "reach a unix socket of a process outside of its sandbox");
		if (*sg_record_str(o, "name"))
			sg_text_add(t, " (%s)", sg_record_str(o, "name"));
	} else if (!strcmp(cls, "exec")) {
		sg_text_add(t, "run programs more often than it may");
	} else if (!strcmp(cls, "capability")) {
		sg_text_add(t, "use the capability %s",
			    *sg_record_str(o, "capability") ? sg_record_str(o, "capability") : "of a privileged user");
	} else {
		sg_text_add(t, "%s", phrase ? phrase : "do what an object rule forbids");
		if (*sg_record_str(o, "path"))
			sg_text_add(t, " (%s)", sg_record_str(o, "path"));
	}
	if (json_object_get(o, "signal"))
		sg_text_add(t, ", number %lld", sg_record_num(o, "signal"));
	if (json_object_get(o, "target_pid"))
		sg_text_add(t, ", pid %lld", sg_record_num(o, "target_pid"));
}

void sg_denial_object(struct sg_text *t, const json_t *r)
{
	say_what(t, r, json_object_get(r, "object"));
	sg_text_add(t, " (%s%s, seen by the kernel's hook %s)", *sg_record_str(r, "syscall") ? "by " : "without a call",
		    sg_record_str(r, "syscall"), *sg_record_str(r, "hook") ? sg_record_str(r, "hook") : "of its kind");
}
