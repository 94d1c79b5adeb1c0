// SPDX-License-Identifier: Apache-2.0
/* Compiled to an object whose type information is user space's view of the shared structures. Never linked. */
#include "bpf/sg_abi.h"
