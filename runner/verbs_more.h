/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_VERBS_MORE_H
#define SG_VERBS_MORE_H

#include <stdbool.h>

/* Policy verbs that read or run something besides policies. All return an exit status as sg_verb_run() does. */

/*
 * Explains the records of a verdict stream (file, NULL or "-": standard input). policy_file: says as well what that
 * policy makes of each call, for language or the record's own. 1: nothing was denied there.
 */
int sg_verb_denial(bool json, const char *policy_file, const char *language, const char *file);

/* Runs the programs of a directory and compares each outcome with what it says of itself. */
struct sg_policy_test {
	const char *policy, *language, *tier; /* NULL: none */
	bool json;
};
int sg_verb_policy_test(const struct sg_policy_test *t, const char *dir);

/*
 * Runs small programs on the runtimes that are installed here, and names the calls by which a built-in policy breaks
 * one. runtimes: "LANGUAGE=PATH" each, NULL-terminated: those in place of what is found. env: "NAME=VALUE", for the
 * programs.
 */
struct sg_drift {
	const char *language, *tier; /* NULL: all; the best */
	const char *const *runtimes;
	const char *const *env;
	bool json;
};
int sg_verb_drift(const struct sg_drift *d);

#endif
