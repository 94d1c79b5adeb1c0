// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
int sg_policy_hint(const struct sg_policy *p, uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS], char **out,
		   struct sg_err *err) { *out = 0; return sg_err_set(err, 95, "none"); }
