/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime that was updated: preloaded, it makes a call at start-up that the runtime did not make before (mseal of
 * nothing, or with -DREFUSED memfd_create, without which it does not go on).
 */
#include <sys/syscall.h>
#include <unistd.h>

#define NR_MSEAL 462

__attribute__((constructor)) static void start(void)
{
#ifdef REFUSED
	if (syscall(SYS_memfd_create, "x", 0) < 0)
		_exit(9);
#else
	(void)syscall(NR_MSEAL, 0, 0, 0);
#endif
}
