// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/seccomp.h"

const struct sg_builtin *sg_builtin_table(size_t *n)
{
	*n = sg_n_builtins;
	return sg_builtins;
}
