/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CANARY_H
#define SG_CANARY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Live canaries: each makes a child try something harmless that one layer must refuse, and looks whether it was.
 * Nothing here trusts what a kernel says of itself.
 */
enum sg_canary_result {
	SG_CANARY_STOPPED,     /* tried, and seen to be stopped by the layer */
	SG_CANARY_MISSING,     /* the layer could not be set up: why says what it answered */
	SG_CANARY_NOT_STOPPED, /* it was set up without error and did not stop the canary: never to be relied on */
	SG_CANARY_UNTRIED,     /* there was no process to try it: nothing is known of the layer */
};

enum sg_canary_result sg_canary_seccomp(char *why, size_t size);
enum sg_canary_result sg_canary_landlock(int *abi, char *why, size_t size);
/* Loads a program for one LSM hook that refuses one child one thing. */
enum sg_canary_result sg_canary_bpf_lsm(char *why, size_t size);
/* Runs this very program as `sgrun --tier TIER …` over a child that makes a forbidden call, and reads its verdicts.
 * layer: which layer's record must come out of it. */
enum sg_canary_result sg_canary_tier(const char *tier, bool seccomp, const char *layer, char *why, size_t size);

/* The child of sg_canary_tier(): makes the forbidden call. Returns 0 when it went through. */
int sg_canary_main(void);

#endif
