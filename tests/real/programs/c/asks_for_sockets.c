/* SPDX-License-Identifier: Apache-2.0 */
/* What Tcl, libfcgi and servers for inetd do when they start: are the descriptors they were given connections? */
#include <stdio.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd;

	for (fd = 0; fd < 3; fd++) {
		len = sizeof(addr);
		if (getsockname(fd, (struct sockaddr *)&addr, &len))
			printf("%d has no name: %m\n", fd);
		len = sizeof(addr);
		if (getpeername(fd, (struct sockaddr *)&addr, &len))
			printf("%d has no peer: %m\n", fd);
	}
	return 0;
}
