/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, futexes, System V and POSIX IPC: the other side is the driver. */
#include "effects.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	return a;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int made_socket(int domain, int type)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		give_up("socket");
	return fd;
}

static int connected_datagram(void)
{
	struct sockaddr_un a = unix_address("dgram");
	int fd = made_socket(AF_UNIX, SOCK_DGRAM);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		give_up("connect");
	return fd;
}

static long connect_unix(void)
{
	struct sockaddr_un a = unix_address("stream");
	int fd = made_socket(AF_UNIX, SOCK_STREAM);

	go();
	return syscall(SYS_connect, fd, &a, sizeof(a));
}

static long connect_tcp(void)
{
	struct sockaddr_in a = loopback(params.port);
	int fd = made_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

	go();
	return syscall(SYS_connect, fd, &a, sizeof(a));
}

static long sendto_unix(void)
{
	struct sockaddr_un a = unix_address("dgram");
	int fd = made_socket(AF_UNIX, SOCK_DGRAM);

	go();
	return syscall(SYS_sendto, fd, "datagram", 8UL, 0, &a, sizeof(a));
}

static long sendto_udp(void)
{
	struct sockaddr_in a = loopback(params.udp_port);
	int fd = made_socket(AF_INET, SOCK_DGRAM);

	go();
	return syscall(SYS_sendto, fd, "datagram", 8UL, 0, &a, sizeof(a));
}

static long write_socket(void)
{
	int fd = connected_datagram();

	go();
	return syscall(SYS_write, fd, "datagram", 8UL);
}

static long send_rights(void)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[] = "datagram";
	struct iovec iov = {text, 8};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = connected_datagram(), gift = (int)syscall(SYS_open, "src", O_RDONLY | O_CLOEXEC);

	memset(&control, 0, sizeof(control));
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), &gift, sizeof(gift));
	go();
	return syscall(SYS_sendmsg, fd, &msg, 0);
}

static long send_mmsg(void)
{
	char text[] = "datagram";
	struct iovec iov = {text, 8};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int fd = connected_datagram();

	go();
	return syscall(SYS_sendmmsg, fd, &msg, 1U, 0);
}

static long bind_unix(void)
{
	struct sockaddr_un a = unix_address("new");
	int fd = made_socket(AF_UNIX, SOCK_STREAM);

	go();
	return syscall(SYS_bind, fd, &a, sizeof(a));
}

static long futex_wake(void)
{
	int fd = (int)syscall(SYS_open, "f", O_RDWR | O_CLOEXEC);
	void *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (word == MAP_FAILED)
		give_up("mmap");
	go();
	return syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#define SIMPLE(id, ...)                                                                                                \
	static long do_##id(void)                                                                                      \
	{                                                                                                              \
		go();                                                                                                  \
		return syscall(SYS_##id, __VA_ARGS__);                                                                 \
	}

static const struct {
	long type;
	char text[8];
} message = {1, "message"};
static struct {
	long type;
	char text[8];
} received;
static struct sembuf up = {0, 1, 0};

SIMPLE(shmget, params.key, 4096UL, IPC_CREAT | 0600)
SIMPLE(semget, params.key, 1, IPC_CREAT | 0600)
SIMPLE(msgget, params.key, IPC_CREAT | 0600)
SIMPLE(shmctl, params.id, IPC_RMID, NULL)
SIMPLE(semctl, params.id, 0, IPC_RMID)
SIMPLE(msgctl, params.id, IPC_RMID, NULL)
SIMPLE(semop, params.id, &up, 1UL)
SIMPLE(semtimedop, params.id, &up, 1UL, NULL)
SIMPLE(msgsnd, params.id, &message, 8UL, IPC_NOWAIT)
SIMPLE(msgrcv, params.id, &received, 8UL, 0L, IPC_NOWAIT)
SIMPLE(mq_open, params.name, O_RDWR | O_CREAT, 0600, NULL)
SIMPLE(mq_unlink, params.name)

static long mq_send_one(void)
{
	go();
	return syscall(SYS_mq_timedsend, params.fd, "x", 1UL, 0U, NULL);
}

#define ROW(id)                                                                                                        \
	{                                                                                                              \
#id, #id, do_##id                                                                                      \
	}
const struct effect sg_effects_ipc[] = {
	{"connect-unix", "connect", connect_unix},
	{"connect-tcp", "connect", connect_tcp},
	{"sendto-unix", "sendto", sendto_unix},
	{"sendto-udp", "sendto", sendto_udp},
	{"write-socket", "write", write_socket},
	{"sendmsg-rights", "sendmsg", send_rights},
	{"sendmmsg", "sendmmsg", send_mmsg},
	{"bind-unix", "bind", bind_unix},
	{"futex-wake", "futex", futex_wake},
	ROW(shmget),
	ROW(semget),
	ROW(msgget),
	ROW(shmctl),
	ROW(semctl),
	ROW(msgctl),
	ROW(semop),
	ROW(semtimedop),
	ROW(msgsnd),
	ROW(msgrcv),
	ROW(mq_open),
	ROW(mq_unlink),
	{"mq_timedsend", "mq_timedsend", mq_send_one},
	{NULL, NULL, NULL},
};
