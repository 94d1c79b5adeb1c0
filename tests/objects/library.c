/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose code runs as soon as it is loaded. */
#include <unistd.h>

static __attribute__((constructor)) void loaded(void)
{
	if (write(1, "RAN library\n", 12) != 12)
		_exit(31);
}
