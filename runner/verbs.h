/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_VERBS_H
#define SG_VERBS_H

#include <stdbool.h>

/* Verbs that answer questions in place of running a program: policy, doctor. argv[0] is the verb. */
bool sg_verb_known(const char *word);
/* Returns the exit status: 0, 1 (the answer is no: a difference, a layer missing), 2 (the question is wrong). */
int sg_verb_run(int argc, char **argv);

#endif
