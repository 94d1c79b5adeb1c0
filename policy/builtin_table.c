// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/seccomp.h"

#include <string.h>

const struct sg_builtin *sg_builtin_table(size_t *n)
{
	*n = sg_n_builtins;
	return sg_builtins;
}

void sg_builtin_access(const struct sg_packed_access *a, struct sg_objects *objects, struct sg_tree *trees)
{
	*objects = (struct sg_objects){.size = sizeof(*objects),
				       .version = SG_OBJECTS_VERSION,
				       .families = a->families,
				       .caps = a->caps,
				       .exec_max = a->exec_max};
	memcpy(objects->cls, a->cls, sizeof(objects->cls));
	for (uint32_t i = 0; i < a->n_trees; i++)
		trees[i] = (struct sg_tree){
			sg_builtin_paths + a->trees[i].path,
			{.allow = a->trees[i].allow, .deny = a->trees[i].deny, .origin = a->trees[i].origin}};
}
