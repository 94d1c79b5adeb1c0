/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_HUMAN_H
#define SG_HUMAN_H

#include <jansson.h>

/* One line for people from a stream record, without newline and without control characters. Caller frees; NULL: no
 * memory. */
char *sg_human_line(const json_t *record);

#endif
