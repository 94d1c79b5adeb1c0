// SPDX-License-Identifier: Apache-2.0
#include "supervisor/bpf.h"

#include "policy/in_place.h"

#define HOOK_NAME(name) #name,
const char sg_hook_names[SG_HOOK_N][32] = {SG_HOOKS(HOOK_NAME)};
