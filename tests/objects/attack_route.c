/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source routes: the rules allow the address that a packet is sent to, and an option of the socket or of the message
 * puts another one into it, which no rule allows: the loopback address, where the driver sees what comes by.
 */
#include "objects.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER IPV6_RTHDR
#define OLD_HEADER 5  /* IPV6_2292RTHDR */
#define OLD_OPTIONS 6 /* IPV6_2292PKTOPTIONS */
/* of linux/in6.h, which does not go with netinet/in.h */
#define FLOWLABEL_MGR 32
#define FLOWINFO_SEND 33
#define LABEL 0x12345

/* Loose source and record route: one hop on the way. Newer kernels want CAP_NET_RAW for it, after the hooks. */
static const unsigned char by_loopback[8] = {131, 7, 4, 127, 0, 0, 1, 0};
/* Types 2 (Mobile IPv6) and 4 (segment routing). */
static const unsigned char mobile[24] = {0, 2, 2, 1, [23] = 1}, segments[40] = {0, 4, 4, 1, 1, [39] = 1};

static struct sockaddr_in allowed4(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};

	inet_pton(AF_INET, "192.0.2.7", &a.sin_addr);
	return a;
}

static struct sockaddr_in6 allowed6(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(9)};

	inet_pton(AF_INET6, "2001:db8::7", &a.sin6_addr);
	return a;
}

static int send_on(int fd, bool v6)
{
	struct sockaddr_in a = allowed4();
	struct sockaddr_in6 b = allowed6();

	return outcome(sendto(fd, target.token, strlen(target.token), 0, v6 ? (void *)&b : (void *)&a,
			      v6 ? sizeof(b) : sizeof(a)));
}

/* A kernel may lack a kind of header: then there is no attack to make. */
static int option(int family, int level, int name, const void *value, socklen_t len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, level, name, value, len))
		return -errno;
	return send_on(fd, family == AF_INET6);
}

static int options4(void)
{
	return option(AF_INET, IPPROTO_IP, IP_OPTIONS, by_loopback, sizeof(by_loopback));
}

static int header(void)
{
	return option(AF_INET6, IPPROTO_IPV6, HEADER, segments, sizeof(segments));
}

/* A struct cmsghdr and its data. */
struct control {
	size_t len;
	int level, type;
	unsigned char data[24];
};

#define HEADER_OF_24 .len = CMSG_LEN(24), .level = IPPROTO_IPV6, .type = HEADER

static int old_options(void)
{
	struct control c = {HEADER_OF_24};

	memcpy(c.data, mobile, sizeof(mobile));
	return option(AF_INET6, IPPROTO_IPV6, OLD_OPTIONS, &c, sizeof(c));
}

/* A label that carries the header, and a message that carries the label. */
static int label(void)
{
	struct {
		struct in6_addr dst;
		uint32_t label;
		uint8_t action, share;
		uint16_t flags, expires, linger;
		uint32_t pad;
		struct control c;
	} ask = {.label = htonl(LABEL), .share = 255, .flags = 1, .c = {HEADER_OF_24}};
	struct sockaddr_in6 a = allowed6();
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	ask.dst = a.sin6_addr;
	memcpy(ask.c.data, mobile, sizeof(mobile));
	a.sin6_flowinfo = htonl(LABEL);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, FLOWLABEL_MGR, &ask, sizeof(ask)) ||
	    setsockopt(fd, IPPROTO_IPV6, FLOWINFO_SEND, &one, sizeof(one)))
		return -errno;
	return outcome(sendto(fd, target.token, strlen(target.token), 0, (void *)&a, sizeof(a)));
}

/* Control data with the route behind so many harmless entries. */
static size_t control_fill(unsigned char *to, unsigned before, int level, int type, const void *data, size_t size)
{
	struct cmsghdr h = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
	const int ttl = 9;
	size_t n = 0;

	for (; before; before--, n += CMSG_SPACE(sizeof(ttl))) {
		memcpy(to + n, &h, sizeof(h));
		memcpy(to + n + CMSG_LEN(0), &ttl, sizeof(ttl));
	}
	h = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
	memcpy(to + n, &h, sizeof(h));
	memcpy(to + n + CMSG_LEN(0), data, size);
	return n + CMSG_SPACE(size);
}

static int message(int family, unsigned before, int level, int type, const void *data, size_t size)
{
	_Alignas(struct cmsghdr) unsigned char control[4096] = {0};
	struct sockaddr_in a = allowed4();
	struct sockaddr_in6 b = allowed6();
	struct iovec iov = {(void *)(uintptr_t)target.token, strlen(target.token)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	m.msg_name = family == AF_INET ? (void *)&a : (void *)&b;
	m.msg_namelen = family == AF_INET ? sizeof(a) : sizeof(b);
	m.msg_controllen = control_fill(control, before, level, type, data, size);
	return fd < 0 ? -errno : outcome(sendmsg(fd, &m, 0));
}

static int message4(void)
{
	return message(AF_INET, 0, IPPROTO_IP, IP_RETOPTS, by_loopback, sizeof(by_loopback));
}

static int message6(void)
{
	return message(AF_INET6, 0, IPPROTO_IPV6, HEADER, mobile, sizeof(mobile));
}

static int message_old(void)
{
	return message(AF_INET6, 0, IPPROTO_IPV6, OLD_HEADER, mobile, sizeof(mobile));
}

static int message_behind(void)
{
	return message(AF_INET, 3, IPPROTO_IP, IP_RETOPTS, by_loopback, sizeof(by_loopback));
}

static int message_far_behind(void)
{
	return message(AF_INET, 100, IPPROTO_IP, IP_RETOPTS, by_loopback, sizeof(by_loopback));
}

const struct attack sg_objects_route[] = {
	{"net-route-options", options4},
	{"net-route-header", header},
	{"net-route-old-options", old_options},
	{"net-route-label", label},
	{"net-route-message", message4},
	{"net-route-message6", message6},
	{"net-route-message-old", message_old},
	{"net-route-message-behind", message_behind},
	{"net-route-message-far-behind", message_far_behind},
	{0},
};
