/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/net_filter.h"

#include "policy/builder.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define TYPE_MASK 0xf /* a socket's type without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define REFUSE(e) (SECCOMP_RET_ERRNO | ((e)&SECCOMP_RET_DATA))

const uint8_t sg_net_v4[SG_NET_V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};

bool sg_net_holds_v4(const struct sg_net_rule *r)
{
	const unsigned whole = r->prefix / 8, rest = r->prefix % 8;

	return r->prefix <= SG_NET_V4_BITS && !memcmp(r->addr, sg_net_v4, whole) &&
	       (!rest || !((r->addr[whole] ^ sg_net_v4[whole]) & (0xff00U >> rest) & 0xff));
}

bool sg_net_any_address(const struct sg_objects *o, const struct sg_net_rule *r)
{
	bool has_v6 = o->families >> AF_INET6 & 1;

	return r->prefix == 0 || (!has_v6 && sg_net_holds_v4(r));
}

static bool has_rule(const struct sg_objects *o, uint8_t proto, uint8_t ops, bool any)
{
	for (uint32_t i = 0; i < o->n_net && i < SG_NET_MAX; i++)
		if ((o->net[i].protos & proto) && (o->net[i].ops & ops) && (!any || sg_net_any_address(o, &o->net[i])))
			return true;
	return false;
}

uint32_t sg_net_refused(const struct sg_objects *o, bool unix_too)
{
	uint32_t refused = SG_NET_REFUSE_FASTOPEN;

	if (o->cls[SG_CLASS_NET].mode != SG_MODE_ERRNO && o->cls[SG_CLASS_NET].mode != SG_MODE_KILL)
		return 0;
	if (!has_rule(o, SG_NET_UDP, SG_NET_CONNECT | SG_NET_BIND, true))
		refused |= SG_NET_REFUSE_UDP;
	if (!has_rule(o, SG_NET_TCP, SG_NET_CONNECT | SG_NET_BIND, false))
		refused |= SG_NET_REFUSE_TCP;
	if (!unix_too && !has_rule(o, SG_NET_TCP, SG_NET_BIND, true))
		refused |= SG_NET_REFUSE_LISTEN;
	return refused;
}

struct code {
	struct sock_filter *out;
	unsigned short n;
};

static void put(struct code *c, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	c->out[c->n++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void load_arg(struct code *c, unsigned arg)
{
	put(c, BPF_LD | BPF_W | BPF_ABS, ARG_LO(arg), 0, 0); /* the half that the kernel reads of an int */
}

static void ret(struct code *c, uint32_t action)
{
	put(c, BPF_RET | BPF_K, action, 0, 0);
}

static void refuse_if(struct code *c, uint16_t jump, uint32_t value, int e)
{
	put(c, BPF_JMP | jump | BPF_K, value, 0, 1);
	ret(c, REFUSE(e));
}

/* What follows, up to end_call(), is about this call. The number stays loaded for the next one. */
static unsigned short begin_call(struct code *c, long nr)
{
	put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 0);
	return c->n;
}

static void end_call(struct code *c, unsigned short begin)
{
	ret(c, SECCOMP_RET_ALLOW);
	c->out[begin - 1].jf = (uint8_t)(c->n - begin);
}

/* Sockets of one type: of its own protocol, or none of them. The type is loaded, and stays it for the next one. */
static void allow_type(struct code *c, uint32_t type, uint32_t protocol, bool none)
{
	put(c, BPF_JMP | BPF_JEQ | BPF_K, type, 0, none ? 1 : 5);
	if (!none) {
		load_arg(c, 2);
		put(c, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_IP, 2, 0);
		put(c, BPF_JMP | BPF_JEQ | BPF_K, protocol, 1, 0);
	}
	ret(c, REFUSE(EACCES));
	if (!none)
		ret(c, SECCOMP_RET_ALLOW);
}

static void refuse_sockets(struct code *c, uint32_t refused)
{
	unsigned short begin = begin_call(c, SYS_socket);

	load_arg(c, 0);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	ret(c, SECCOMP_RET_ALLOW);
	/* MPTCP, SCTP and the like are other sockets than the rules speak of, and nobody looks at their addresses. */
	load_arg(c, 1);
	put(c, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK, 0, 0);
	allow_type(c, SOCK_STREAM, IPPROTO_TCP, refused & SG_NET_REFUSE_TCP);
	allow_type(c, SOCK_DGRAM, IPPROTO_UDP, refused & SG_NET_REFUSE_UDP);
	ret(c, REFUSE(EACCES));
	end_call(c, begin);
}

static void refuse_fastopen(struct code *c, long nr, unsigned flags)
{
	unsigned short begin = begin_call(c, nr);

	load_arg(c, flags);
	refuse_if(c, BPF_JSET, MSG_FASTOPEN, EOPNOTSUPP);
	end_call(c, begin);
}

unsigned short sg_net_filter(uint32_t refused, struct sock_filter *out)
{
	struct code c = {.out = out};

	if (!refused)
		return 0;
	/* Calls of another architecture are for the policy's own filter, which kills for them. */
	put(&c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	put(&c, BPF_JMP | BPF_JEQ | BPF_K, sg_native_arch(), 1, 0);
	ret(&c, SECCOMP_RET_ALLOW);
	put(&c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	refuse_sockets(&c, refused);
	if (refused & SG_NET_REFUSE_FASTOPEN) {
		refuse_fastopen(&c, SYS_sendto, 3);
		refuse_fastopen(&c, SYS_sendmsg, 2);
		refuse_fastopen(&c, SYS_sendmmsg, 3);
	}
	if (refused & SG_NET_REFUSE_LISTEN) {
		unsigned short begin = begin_call(&c, SYS_listen);

		ret(&c, REFUSE(EACCES));
		end_call(&c, begin);
	}
	ret(&c, SECCOMP_RET_ALLOW);
	return c.n;
}
