/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_DENIAL_PRIV_H
#define SG_DENIAL_PRIV_H

#include "policy/denial.h"
#include "policy/hint.h"

/* Between policy/denial.c and policy/denial_object.c. */

/* A record's field; "" and 0 where it is missing or of another type. */
const char *sg_record_str(const json_t *o, const char *key);
long long sg_record_num(const json_t *o, const char *key);

void sg_denial_object(struct sg_text *t, const json_t *r);

#endif
