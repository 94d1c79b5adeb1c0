/* SPDX-License-Identifier: Apache-2.0 */
/* What isatty(3) asks, of old and from glibc 2.42 on. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <stdio.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...);

int main(void)
{
	struct termios2 t;

	printf("%d %d\n", isatty(1), ioctl(1, TCGETS2, &t) == 0);
	return 0;
}
