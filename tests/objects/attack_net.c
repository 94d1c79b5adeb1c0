/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and addresses outside. The driver listens, and sees what arrives. */
#include "objects.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in v4(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static struct sockaddr_in6 v6(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	a.sin6_addr = in6addr_loopback;
	return a;
}

static struct sockaddr_un by_path(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static struct sockaddr_un by_name(socklen_t *len, char kind)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s-%c", target.name, kind));
	return a;
}

static int connect_to(int family, int type, const void *addr, socklen_t len)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : outcome(connect(fd, addr, len));
}

static int send_to(int family, const void *addr, socklen_t len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : outcome(sendto(fd, "attack", 6, 0, addr, len));
}

static int tcp4(void)
{
	struct sockaddr_in a = v4(target.tcp4);

	return connect_to(AF_INET, SOCK_STREAM, &a, sizeof(a));
}

static int tcp6(void)
{
	struct sockaddr_in6 a = v6(target.tcp6);

	return connect_to(AF_INET6, SOCK_STREAM, &a, sizeof(a));
}

static int tcp_mapped(void)
{
	struct sockaddr_in6 a = v6(target.tcp4);

	a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
	a.sin6_addr.s6_addr[12] = 127;
	return connect_to(AF_INET6, SOCK_STREAM, &a, sizeof(a));
}

static int tcp_fast_open(void)
{
	struct sockaddr_in a = v4(target.tcp4);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : outcome(sendto(fd, "attack", 6, MSG_FASTOPEN, (void *)&a, sizeof(a)));
}

static int mptcp(void)
{
	struct sockaddr_in a = v4(target.tcp4);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262 /* IPPROTO_MPTCP */);

	return fd < 0 ? -errno : outcome(connect(fd, (void *)&a, sizeof(a)));
}

static int given(void)
{
	struct sockaddr_in a = v4(target.tcp4);

	return outcome(connect(target.fd, (void *)&a, sizeof(a)));
}

static int listening(int family, const void *addr, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, addr, len) || listen(fd, 1))
		return -errno;
	hold(); /* the driver connects */
	return 0;
}

static int listen4(void)
{
	struct sockaddr_in a = v4(target.id);

	return listening(AF_INET, &a, sizeof(a));
}

static int listen6(void)
{
	struct sockaddr_in6 a = v6(target.id);

	return listening(AF_INET6, &a, sizeof(a));
}

/* listen(2) takes a port by itself where none was bound. */
static int listen_unbound(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || listen(fd, 1))
		return -errno;
	hold();
	return 0;
}

static int udp4(void)
{
	struct sockaddr_in a = v4(target.udp4);

	return send_to(AF_INET, &a, sizeof(a));
}

static int udp6(void)
{
	struct sockaddr_in6 a = v6(target.udp6);

	return send_to(AF_INET6, &a, sizeof(a));
}

static int udp_connected(void)
{
	struct sockaddr_in a = v4(target.udp4);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)))
		return -errno;
	return outcome(send(fd, "attack", 6, 0));
}

static int udp_message(void)
{
	struct sockaddr_in a = v4(target.udp4);
	struct iovec iov = {(void *)(uintptr_t) "attack", 6};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &iov, .msg_iovlen = 1};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : outcome(sendmsg(fd, &m, 0));
}

static int udp_messages(void)
{
	struct sockaddr_in6 a = v6(target.udp6);
	struct iovec iov = {(void *)(uintptr_t) "attack", 6};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &iov, .msg_iovlen = 1}};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : outcome(sendmmsg(fd, &m, 1, 0));
}

/* Sends without end by the sockets of udp_no_family(); 0: there is none. What becomes of each only the driver sees. */
static void *send_on(void *at)
{
	volatile int *fd = at;

	for (;;) {
		/* to IPv6 loopback, where the family counts for nothing, and to an IPv4 address where it is all there
		 * is */
		struct sockaddr_in6 a = v6(target.udp4);

		a.sin6_family = AF_UNSPEC;
		a.sin6_flowinfo = htonl(INADDR_LOOPBACK);
		if (*fd)
			(void)!sendto(*fd, "attack", 6, MSG_DONTWAIT, (struct sockaddr *)&a, sizeof(a));
	}
	return NULL;
}

/*
 * An address of no family: an IPv6 socket takes it for none and sends to its peer, an IPv4 one for one of its own. The
 * socket becomes an IPv4 one while it is judged.
 */
static int udp_no_family(void)
{
	static volatile int sending;
	const int v4_now = AF_INET;
	struct sockaddr_in6 peer = v6(1), none = v6(0);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		give_up("connect");
	memset(&none.sin6_addr, 7, sizeof(none.sin6_addr));
	none.sin6_family = AF_UNSPEC;
	if (sendto(fd, "peer", 4, 0, (struct sockaddr *)&none, sizeof(none)) < 0 && errno != ECONNREFUSED)
		give_up("sendto the peer");
	if (pthread_create(&thread, NULL, send_on, (void *)(uintptr_t)&sending))
		give_up("thread");
	(void)inet_pton(AF_INET6, "::ffff:127.0.0.1", &peer.sin6_addr);
	for (int i = 0; i < 6000; i++) {
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
			give_up("connect");
		sending = fd;
		for (volatile int wait = i % 50 * 40; wait; wait--)
			;
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &v4_now, sizeof(v4_now)))
			give_up("IPV6_ADDRFORM");
		for (volatile int wait = 2000; wait; wait--)
			;
		sending = 0;
		close(fd);
	}
	return 0;
}

/* No address at all: that of the socket, which it may listen at, and not send to. */
static int udp_to_itself(void)
{
	struct sockaddr_in own = v4(0), none = v4(target.id);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	none.sin_addr.s_addr = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)))
		give_up("bind");
	return outcome(sendto(fd, "attack", 6, 0, (struct sockaddr *)&none, sizeof(none)));
}

static int udp_bound(void)
{
	struct sockaddr_in a = v4(target.id);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)))
		return -errno;
	hold(); /* the driver sends */
	return leak(fd);
}

static int unix_path(void)
{
	struct sockaddr_un a = by_path(at("outside/sock"));

	return connect_to(AF_UNIX, SOCK_STREAM, &a, sizeof(a));
}

static int unix_dgram(void)
{
	struct sockaddr_un a = by_path(at("outside/dgram"));

	return send_to(AF_UNIX, &a, sizeof(a));
}

static int unix_symlink(void)
{
	struct sockaddr_un a = by_path("link");

	return symlink(at("outside/sock"), "link") ? -errno : connect_to(AF_UNIX, SOCK_STREAM, &a, sizeof(a));
}

static int unix_proc(void)
{
	char name[64];
	int fd = open(at("outside/sock"), O_PATH | O_CLOEXEC);
	struct sockaddr_un a;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	a = by_path(name);
	return connect_to(AF_UNIX, SOCK_STREAM, &a, sizeof(a));
}

static int abstract(void)
{
	socklen_t len;
	struct sockaddr_un a = by_name(&len, 's');

	return connect_to(AF_UNIX, SOCK_STREAM, &a, len);
}

static int abstract_dgram(void)
{
	socklen_t len;
	struct sockaddr_un a = by_name(&len, 'd');

	return send_to(AF_UNIX, &a, len);
}

/* The kernel answers with the names of the host's interfaces. */
static int netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = {{.nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		 {.rtgen_family = AF_UNSPEC}};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char buf[16384];
	ssize_t n;

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n <= 0)
		return -errno;
	return dprintf(1, "RAN netlink %zd\n", n) < 0 ? -errno : 0;
}

/* A socket of a family that the policy does not name: the driver sees that the program has one. */
static int have(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	hold();
	return 0;
}

static int uevents(void)
{
	return have(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
}

static int raw4(void)
{
	return have(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int raw6(void)
{
	return have(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}

static int packet(void)
{
	return have(AF_PACKET, SOCK_RAW, 0);
}

static int vsock(void)
{
	return have(AF_VSOCK, SOCK_STREAM, 0);
}

static int alg(void)
{
	return have(AF_ALG, SOCK_SEQPACKET, 0);
}

static int ipv4_only_made(void)
{
	return have(AF_INET, SOCK_STREAM, 0);
}

static int ipv6_pair(void)
{
	return have(AF_INET6, SOCK_DGRAM, 0);
}

static int uring_connect(void)
{
	struct sockaddr_in a = v4(target.tcp4);
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_CONNECT, .fd = target.fd, .addr = (uintptr_t)&a, .off = sizeof(a)};

	return uring_one(&sqe, 0);
}

static int uring_socket(void)
{
	struct io_uring_sqe sqe = {.opcode = 45 /* IORING_OP_SOCKET */, .fd = AF_INET, .off = SOCK_STREAM};
	int fd = uring_one(&sqe, 0);

	if (fd < 0)
		return fd;
	hold();
	return 0;
}

/* ---- descriptors ---- */

/* A descriptor that the driver sent, or negative errno. */
static int received(void)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *h;
	int fd = -1;

	if (recvmsg(target.fd, &m, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_type != SCM_RIGHTS || (m.msg_flags & MSG_CTRUNC))
		return -EACCES;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

static int receive(void)
{
	return leak(received());
}

static int receive_mode_3(void)
{
	int fd = received();

	return fd < 0 ? fd : seen(0, "RECEIVED");
}

/* more: it is the second message of two that one call sends to the same address. */
static int pass_over(int sock, struct sockaddr_un *to, bool more)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf),
			   .msg_name = to,
			   .msg_namelen = to ? sizeof(*to) : 0};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int fd = open("f", O_RDWR | O_CLOEXEC), n;
	struct mmsghdr both[2] = {{.msg_hdr = m}, {.msg_hdr = m}};

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (!more)
		return outcome(sendmsg(sock, &m, 0));
	both[0].msg_hdr.msg_control = NULL;
	both[0].msg_hdr.msg_controllen = 0;
	n = sendmmsg(sock, both, 2, 0);
	return n == 2 ? 0 : n < 0 ? -errno : -EIO;
}

static int send_fd(void)
{
	return pass_over(target.fd, NULL, false);
}

/* The far end of the connection is made by us as well: who listens only takes it. */
static int send_connected(void)
{
	struct sockaddr_un a = by_path(at("outside/sock"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		give_up("connect");
	return pass_over(fd, NULL, false);
}

static int send_datagram(void)
{
	struct sockaddr_un a = by_path(at("outside/dgram"));

	return pass_over(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), &a, false);
}

static int send_datagrams(void)
{
	struct sockaddr_un a = by_path(at("outside/dgram"));

	return pass_over(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), &a, true);
}

const struct attack sg_objects_net[] = {
	{"net-tcp4", tcp4},
	{"net-tcp6", tcp6},
	{"net-tcp-mapped", tcp_mapped},
	{"net-tcp-fastopen", tcp_fast_open},
	{"net-mptcp", mptcp},
	{"net-given-socket", given},
	{"net-listen4", listen4},
	{"net-listen6", listen6},
	{"net-listen-unbound", listen_unbound},
	{"net-udp4", udp4},
	{"net-udp6", udp6},
	{"net-udp-connect", udp_connected},
	{"net-udp-sendmsg", udp_message},
	{"net-udp-sendmmsg", udp_messages},
	{"net-udp-no-family", udp_no_family},
	{"net-udp-itself", udp_to_itself},
	{"net-udp-bind", udp_bound},
	{"unix-path", unix_path},
	{"unix-dgram", unix_dgram},
	{"unix-symlink", unix_symlink},
	{"unix-proc-fd", unix_proc},
	{"unix-abstract", abstract},
	{"unix-abstract-dgram", abstract_dgram},
	{"net-netlink", netlink},
	{"net-uevents", uevents},
	{"net-raw4", raw4},
	{"net-raw6", raw6},
	{"net-packet", packet},
	{"net-vsock", vsock},
	{"net-alg", alg},
	{"net-socket4", ipv4_only_made},
	{"net-socket6", ipv6_pair},
	{"net-uring-connect", uring_connect},
	{"net-uring-socket", uring_socket},
	{"fd-receive", receive},
	{"fd-receive-mode-3", receive_mode_3},
	{"fd-send", send_fd},
	{"fd-send-connected", send_connected},
	{"fd-send-datagram", send_datagram},
	{"fd-send-datagrams", send_datagrams},
	{0},
};
