/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_DOCTOR_H
#define SG_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Says what this host offers, layer by layer. A layer counts as there only when a canary was seen to be stopped by it:
 * a child process that tries something harmless which the layer must refuse. Returns 0 when a sandbox can be run here
 * (seccomp works), 1 when not.
 */
int sg_doctor(bool json, FILE *out);

#endif
