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

#endif
