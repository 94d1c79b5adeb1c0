// SPDX-License-Identifier: Apache-2.0
#ifndef BOMBS_H
#define BOMBS_H

#include <stddef.h>

/*
 * Programs that use more than they were given, one function each. All are bounded by themselves as well, so that a
 * limit that does not hold makes a failed test and not a lost machine: no more than MOST_TASKS tasks, MOST_BYTES of
 * memory or of files, and LIFE seconds (an alarm that no handler here takes away).
 */
#define MOST_TASKS 400
#define MOST_BYTES (512UL << 20)
#define LIFE 20

struct bomb {
	const char *name;
	void (*run)(char **argv);
};
extern const struct bomb task_bombs[], memory_bombs[], output_bombs[];

/* Starts a life of its own for a child: the alarm is not inherited. */
void live(void);
/* printf with one write(2). */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long number(char **argv, int i, long otherwise);
void spin(void) __attribute__((noreturn));
void spin_ms(long ms);
void sleep_on(void) __attribute__((noreturn));
/* Shared count of tasks that were started; exits with 9 past MOST_TASKS. */
void one_more_task(void);

#endif
