// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"
#include "policy/seccomp.h"

#include <string.h>

const struct sg_builtin *sg_builtin_table(size_t *n)
{
	*n = sg_n_builtins;
	return sg_builtins;
}

const char *sg_builtin_yaml(const struct sg_builtin *b)
{
	return sg_builtin_yaml_texts + b->yaml;
}

const struct sg_variant *sg_builtin_variant(const struct sg_builtin *b, unsigned widen)
{
	return &sg_builtin_variants[b->variants + widen];
}

void sg_builtin_access(const struct sg_packed_access *a, struct sg_objects *objects, struct sg_tree *trees)
{
	*objects = (struct sg_objects){.size = sizeof(*objects),
				       .version = SG_OBJECTS_VERSION,
				       .families = a->families,
				       .caps = a->caps,
				       .exec_max = a->exec_max};
	memcpy(objects->cls, a->cls, sizeof(objects->cls));
	for (uint32_t i = 0; i < a->n_trees; i++) {
		const struct sg_packed_tree *t = &sg_builtin_trees[a->trees + i];

		trees[i] = (struct sg_tree){sg_builtin_paths + t->path,
					    {.allow = t->allow, .deny = t->deny, .origin = t->origin}};
	}
}

void sg_builtin_filter(const struct sg_packed_filter *f, struct sg_filter *out)
{
	*out = (struct sg_filter){.insns = sg_builtin_insns + f->insns,
				  .patches = sg_builtin_patches + f->patches,
				  .n_insns = f->n_insns,
				  .n_patches = f->n_patches,
				  .has_supervised = f->has_supervised,
				  .has_audit = f->has_audit,
				  .tied = f->tied,
				  .one_process = f->one_process,
				  .keyless = f->keyless};
}
