// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
int sg_policy_diff(const struct sg_policy *a, const struct sg_policy *b, bool json, FILE *out, struct sg_err *err) { return 0; }
