/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_AGAIN_H
#define SG_AGAIN_H

#include "runner/request.h"
#include "supervisor/stream.h"

/*
 * For a launch that sgd would keep (runner/front.h): sends it what the next sgrun with the same words has to look at,
 * and what has to stay open so that the ruleset means the same as long. To be called before the launch is sent. Where
 * it cannot be said what all the launch depends on nothing is sent, and it is not kept.
 */
void sg_again_remember(int fd, const struct sg_request *r);

#endif
