/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_DECODE_H
#define SG_DECODE_H

#include "policy/ruleset.h"

#include <stdint.h>

/* One understood argument: name "domain", value "AF_INET". Both are only valid during the call. */
typedef void (*sg_decode_fn)(void *ctx, const char *name, const char *value);

/*
 * Tells what the register arguments of a call mean, for the calls that people ask about. Only the native ABI is
 * understood; of other calls nothing is said. Returns the number of arguments that fn was called for.
 */
int sg_decode_args(uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS], sg_decode_fn fn, void *ctx);

#endif
