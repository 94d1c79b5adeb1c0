/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int open_socket(int domain, int type, int protocol)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close(fd);
	return outcome(fd);
}

#define FAMILY(id, domain, type, protocol)                                                                             \
	static int sock_##id(const struct target *t)                                                                   \
	{                                                                                                              \
		(void)t;                                                                                               \
		return open_socket(domain, type, protocol);                                                            \
	}

FAMILY(tcp, AF_INET, SOCK_STREAM, 0)
FAMILY(udp, AF_INET, SOCK_DGRAM, 0)
FAMILY(mptcp, AF_INET, SOCK_STREAM, 262)
FAMILY(icmp, AF_INET, SOCK_RAW, 1)
FAMILY(inet6, AF_INET6, SOCK_STREAM, 0)
FAMILY(inet6_udp, AF_INET6, SOCK_DGRAM, 0)
FAMILY(unix_stream, AF_UNIX, SOCK_STREAM, 0)
FAMILY(unix_dgram, AF_UNIX, SOCK_DGRAM, 0)
FAMILY(netlink, AF_NETLINK, SOCK_RAW, 0)
FAMILY(uevent, AF_NETLINK, SOCK_RAW, 15)
FAMILY(packet, AF_PACKET, SOCK_RAW, 0)
FAMILY(packet_dgram, AF_PACKET, SOCK_DGRAM, 0)
FAMILY(vsock, AF_VSOCK, SOCK_STREAM, 0)
FAMILY(xdp, AF_XDP, SOCK_RAW, 0)
FAMILY(alg, AF_ALG, SOCK_SEQPACKET, 0)
FAMILY(bluetooth, AF_BLUETOOTH, SOCK_RAW, 1)
FAMILY(can, AF_CAN, SOCK_RAW, 1)
FAMILY(tipc, AF_TIPC, SOCK_RDM, 0)
FAMILY(rds, AF_RDS, SOCK_SEQPACKET, 0)
FAMILY(key, AF_KEY, SOCK_RAW, 2)
FAMILY(smc, AF_SMC, SOCK_STREAM, 0)
FAMILY(qipcrtr, AF_QIPCRTR, SOCK_DGRAM, 0)
FAMILY(kcm, AF_KCM, SOCK_DGRAM, 0)
FAMILY(unknown, 63, SOCK_STREAM, 0)

/* The kernel reads the family as 32 bits: rubbish above them must not hide it from the policy. */
static int sock_high_bits(const struct target *t)
{
	long fd = syscall(SYS_socket, 0xdeadbeef00000000UL | AF_PACKET, (unsigned long)SOCK_RAW, 0UL);

	(void)t;
	if (fd >= 0)
		close((int)fd);
	return outcome(fd);
}

static int pair_of(int type)
{
	int sv[2];
	int r = outcome(socketpair(AF_UNIX, type, 0, sv));

	if (!r) {
		close(sv[0]);
		close(sv[1]);
	}
	return r;
}

/* A datagram pair can be pointed at any socket on the host with sendto. */
static int socketpair_dgram(const struct target *t)
{
	(void)t;
	return pair_of(SOCK_DGRAM);
}

static int socketpair_inet(const struct target *t)
{
	int sv[2];

	(void)t;
	/* The kernel has no such pair; what counts is who says so. */
	return outcome(socketpair(AF_INET, SOCK_STREAM, 0, sv));
}

/* Hands a descriptor of this process to the driver over a socket that the driver passed in. */
static int send_rights(const struct target *t)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte = 'r';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return SG_SETUP;
	memset(&control, 0, sizeof(control));
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	return outcome(sendmsg(t->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int send_mmsg(const struct target *t)
{
	char byte = 'm';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	return outcome(sendmmsg(t->fd, &msg, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

const struct attack sg_attacks_net[] = {
	{"socket-tcp", sock_tcp},
	{"socket-udp", sock_udp},
	{"socket-mptcp", sock_mptcp},
	{"socket-raw-icmp", sock_icmp},
	{"socket-inet6-tcp", sock_inet6},
	{"socket-inet6-udp", sock_inet6_udp},
	{"socket-unix-stream", sock_unix_stream},
	{"socket-unix-dgram", sock_unix_dgram},
	{"socket-netlink", sock_netlink},
	{"socket-uevent", sock_uevent},
	{"socket-packet", sock_packet},
	{"socket-packet-dgram", sock_packet_dgram},
	{"socket-vsock", sock_vsock},
	{"socket-xdp", sock_xdp},
	{"socket-alg", sock_alg},
	{"socket-bluetooth", sock_bluetooth},
	{"socket-can", sock_can},
	{"socket-tipc", sock_tipc},
	{"socket-rds", sock_rds},
	{"socket-key", sock_key},
	{"socket-smc", sock_smc},
	{"socket-qipcrtr", sock_qipcrtr},
	{"socket-kcm", sock_kcm},
	{"socket-unknown-family", sock_unknown},
	{"socket-high-bits", sock_high_bits},
	{"socketpair-dgram", socketpair_dgram},
	{"socketpair-inet", socketpair_inet},
	{"sendmsg-rights", send_rights},
	{"sendmmsg", send_mmsg},
	{NULL, NULL},
};
