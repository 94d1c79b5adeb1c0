/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_MONITOR_H
#define SG_MONITOR_H

#include "runner/launch.h"

/* Exit statuses of sgrun that are not the program's own. */
#define SG_EXIT_TIME_LIMIT 124
#define SG_EXIT_FAILED 125
#define SG_EXIT_NOT_EXECUTABLE 126
#define SG_EXIT_NOT_FOUND 127
#define SG_EXIT_MEMORY_LIMIT 137
#define SG_EXIT_VIOLATION 159

/*
 * Watches a launched sandbox to its end: answers and records calls, passes signals on, keeps the limits. Then ends what
 * is left of it and writes the `exit` record. Returns the exit status for sgrun.
 */
int sg_monitor(struct sg_launch *l);

#endif
