/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SG_LSM_NET_BPF_H
#define SG_LSM_NET_BPF_H

/*
 * socket_create                     families; of IPv4 and IPv6 only TCP and UDP have addresses to judge
 * socket_connect _bind _listen      the address, as the kernel copied it
 * socket_setsockopt                 options by which packets go to another address than the one that was judged
 * socket_sendmsg                    the address of a datagram, the same options for it alone; control data to a peer
 *                                   outside (descriptors)
 * unix_stream_connect unix_may_send who made the socket at the other end: by its cgroup
 */

#define SG_IPPROTO_TCP 6
#define SG_IPPROTO_UDP 17
#define SG_IPPROTO_UDPLITE 136
#define SG_IPPROTO_MPTCP 262
#define SG_MSG_FASTOPEN 0x20000000U
#define SG_SOL_SOCKET 1
#define SG_SCM_CREDENTIALS 2

static __always_inline __u8 sg_proto(__u32 type, __u32 protocol)
{
	type &= SG_SOCK_TYPE_MASK;
	if (type == SG_SOCK_STREAM && (protocol == 0 || protocol == SG_IPPROTO_TCP || protocol == SG_IPPROTO_MPTCP))
		return SG_NET_TCP;
	if (type == SG_SOCK_DGRAM && (protocol == 0 || protocol == SG_IPPROTO_UDP || protocol == SG_IPPROTO_UDPLITE))
		return SG_NET_UDP;
	return 0;
}

SG_LSM(socket_create)
{
	__u32 family = (__u32)ctx[0], type = (__u32)ctx[1], protocol = (__u32)ctx[2];
	struct sg_what w = {.cls = SG_CLASS_NET, .hook = SG_HOOK_socket_create, .kind = SG_OBJECT_NUMBER};
	struct sg_at a;

	if ((int)ctx[3] && !(int)ctx[4])
		return 0; /* the kernel's own */
	SG_ENTER(&a, 4);
	if (sg_mode(&a, SG_CLASS_NET) == SG_MODE_ALLOW)
		return 0;
	if (family < 64 && (a.lsm->objects.families >> family & 1) &&
	    ((family != SG_AF_INET && family != SG_AF_INET6) || sg_proto(type, protocol)))
		return 0;
	w.family = (__u16)family;
	w.number = family;
	w.origin = SG_UNLISTED;
	return sg_refuse(&a, &w);
}

/* As struct sockaddr_in and sockaddr_in6 begin. */
struct sg_sockaddr {
	__u16 family;
	__u16 port; /* network order */
	__u32 v4;   /* of an IPv4 address; an IPv6 one has its flow label here */
	__u8 v6[16];
};

static __always_inline void sg_v4_mapped(__u8 *addr, __u32 v4)
{
	__builtin_memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	__builtin_memcpy(addr + 12, &v4, 4);
}

#define SG_V4_ANY 0xffff0000ULL /* second halves of addresses */
#define SG_V4_LOOPBACK (0x0100007fULL << 32 | SG_V4_ANY)
#define SG_V6_LOOPBACK (1ULL << 56)

/*
 * The unspecified address means this host when it is connected to: of IPv4 the address that the socket is bound to,
 * else loopback; a socket of IPv6 that is bound to an IPv4 address stays with IPv4. Second halves of addresses, any: as
 * the program says. A function of its own because up to 6.1 the programs that call it have no room on their stack.
 */
__noinline __u64 sg_net_own(__u64 sock, __u32 family, __u64 any)
{
	const struct sock *sk = (const struct sock *)sock;
	__u64 own[2] = {};
	__u32 v4 = 0;

	if (family == SG_AF_INET) {
		bpf_core_read(&v4, sizeof(v4), &sk->__sk_common.skc_rcv_saddr);
	} else {
		bpf_core_read(own, sizeof(own), &sk->__sk_common.skc_v6_rcv_saddr);
		if (own[0] || (__u32)own[1] != SG_V4_ANY)
			own[1] = 0;
		v4 = (__u32)(own[1] >> 32);
	}
	if (any == 0)
		return own[1] ? SG_V4_LOOPBACK : SG_V6_LOOPBACK;
	return v4 ? (__u64)v4 << 32 | SG_V4_ANY : SG_V4_LOOPBACK;
}

/* Whether the sandbox's rule number `at` allows an address: a function of its own for the verifier, see
 * sg_record_plain(). port: in bits 16 to 31. */
__noinline int sg_net_rule_at(__u32 index, __u32 at, __u64 high, __u64 low, __u32 port_proto_op)
{
	const struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);

	if (!lsm || at >= SG_NET_MAX)
		return 0;
	return sg_net_rule_allows(&lsm->objects.net[at], high, low, port_proto_op & 0xff, port_proto_op >> 8 & 0xff,
				  port_proto_op >> 16);
}

static __always_inline int sg_net_allows(const struct sg_at *a, const struct sg_what *w)
{
	__u64 high = sg_net_half(w->addr), low = sg_net_half(w->addr + 8);
	__u32 what = (__u32)w->port << 16 | (__u32)w->op << 8 | w->proto, n = a->lsm->objects.n_net, i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_NET_MAX && i < n; i++)
		if (sg_net_rule_at(a->index, i, high, low, what))
			return 1;
	return 0;
}

static __always_inline int sg_judge_address(struct sg_at *a, struct sg_what *w)
{
	__u64 *halves = (__u64 *)w->addr;

	/* known to us by many ways, and to the verifier by one: see SG_UNKNOWN */
	halves[0] = SG_FORGET(halves[0]);
	halves[1] = SG_FORGET(halves[1]);
	w->proto = SG_FORGET(w->proto);
	if (sg_net_allows(a, w))
		return 0;
	w->cls = SG_CLASS_NET;
	w->kind = SG_OBJECT_ADDRESS;
	w->origin = SG_UNLISTED;
	return sg_refuse(a, w);
}

/* Judges an address that the kernel has copied from the program. len: of it. */
static __always_inline int sg_judge_sockaddr(struct sg_at *a, __u8 hook, struct socket *sock, const void *address,
					     __u32 len, __u8 op)
{
	struct sg_what w __attribute__((aligned(8))) = {.hook = hook, .op = op};
	__u64 *halves = (__u64 *)w.addr;
	struct sg_sockaddr sa = {};
	struct sock *sk = sock->sk;
	__u32 family;

	if (sg_mode(a, SG_CLASS_NET) == SG_MODE_ALLOW || !sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family != SG_AF_INET && family != SG_AF_INET6)
		return 0; /* unix: judged by who is at the other end; others: by family, when made */
	w.family = (__u16)family;
	w.proto = sg_proto((__u32)sk->sk_type, sk->sk_protocol);
	/* too short an address is refused by the kernel; what is missing reads as zero */
	if (bpf_probe_read_kernel(&sa, 8, address)) {
		SG_COUNT(a->index, helper_failed);
		return sg_judge_address(a, &w);
	}
	if (family == SG_AF_INET6 && sa.family != SG_AF_INET && len >= 24 &&
	    bpf_probe_read_kernel(&sa, sizeof(sa), address)) {
		SG_COUNT(a->index, helper_failed);
		return sg_judge_address(a, &w);
	}
	if (sa.family == 0 && op == SG_NET_CONNECT && hook == SG_HOOK_socket_connect)
		return 0; /* AF_UNSPEC: undoes a connect */
	w.port = __builtin_bswap16(sa.port);
	/*
	 * An IPv6 socket that is told of no family sends to its peer. But it may be made an IPv4 one (IPV6_ADDRFORM)
	 * before the kernel looks, which takes this for an IPv4 address: so it is judged as one, where it has a port.
	 */
	if (sa.family == 0 && hook == SG_HOOK_socket_sendmsg && family == SG_AF_INET6 && !w.port)
		return 0;
	if (family == SG_AF_INET || sa.family == SG_AF_INET || sa.family == 0)
		sg_v4_mapped(w.addr, sa.v4);
	else
		__builtin_memcpy(w.addr, sa.v6, sizeof(w.addr));
	if (op == SG_NET_CONNECT && !halves[0] && (!halves[1] || halves[1] == SG_V4_ANY))
		halves[1] = sg_net_own(sg_address(sk), family, halves[1]);
	return sg_judge_address(a, &w);
}

SG_LSM(socket_connect)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_sockaddr(&a, SG_HOOK_socket_connect, (struct socket *)ctx[0], (const void *)ctx[1],
				 (__u32)ctx[2], SG_NET_CONNECT);
}

SG_LSM(socket_bind)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_sockaddr(&a, SG_HOOK_socket_bind, (struct socket *)ctx[0], (const void *)ctx[1], (__u32)ctx[2],
				 SG_NET_BIND);
}

/* A socket that listens without having been bound takes any address and a free port. */
SG_LSM(socket_listen)
{
	struct socket *sock = (struct socket *)ctx[0];
	struct sg_what w __attribute__((aligned(8))) = {.hook = SG_HOOK_socket_listen, .op = SG_NET_BIND};
	struct sg_at a;
	struct sock *sk;
	__u32 family;

	SG_ENTER(&a, 2);
	sk = sock->sk;
	if (sg_mode(&a, SG_CLASS_NET) == SG_MODE_ALLOW || !sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family != SG_AF_INET && family != SG_AF_INET6)
		return 0;
	w.family = (__u16)family;
	w.proto = sg_proto((__u32)sk->sk_type, sk->sk_protocol);
	w.port = sk->__sk_common.skc_num;
	if (family == SG_AF_INET)
		sg_v4_mapped(w.addr, sk->__sk_common.skc_rcv_saddr);
	else if (bpf_core_read(w.addr, sizeof(w.addr), &sk->__sk_common.skc_v6_rcv_saddr))
		SG_COUNT(a.index, helper_failed);
	return sg_judge_address(&a, &w);
}

/* ---- source routes ---- */

#define SG_CMSG_MAX 32 /* honest programs send a handful */

/*
 * Options that put the address of a first hop of the program's own choice into each packet, in the place of the one
 * that the rules were asked about; of the capabilities that newer kernels want for some of them none is asked here. A
 * flow label may carry such a header. The protocol and the option as one number, 0: not such an option. In control data
 * the numbers mean the same, or nothing.
 */
static __always_inline __u32 sg_route_option(__u32 level, __u32 option)
{
	if (level == SG_IPPROTO_IP && (option == SG_IP_OPTIONS || option == SG_IP_RETOPTS))
		return SG_ROUTE(level, option);
	if (level == SG_IPPROTO_IPV6 && (option == SG_IPV6_RTHDR || option == SG_IPV6_2292RTHDR ||
					 option == SG_IPV6_2292PKTOPTIONS || option == SG_IPV6_FLOWLABEL_MGR))
		return SG_ROUTE(level, option);
	return 0;
}

/*
 * The first such option in a message's control data, which the kernel has its own copy of by now. What is malformed is
 * none: for that the kernel refuses the whole message. Numbers only, see sg_record_plain().
 */
__noinline int sg_route_in(__u64 control, __u64 size)
{
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_CMSG_MAX; i++) {
		struct {
			__u64 len;
			__u32 level, type;
		} h = {};
		__u32 route;

		if (size < sizeof(h))
			return 0;
		if (bpf_probe_read_kernel(&h, sizeof(h), (const void *)control))
			return SG_ROUTE_UNKNOWN;
		if (h.len < sizeof(h) || h.len > size)
			return 0;
		route = sg_route_option(h.level, h.type);
		if (route)
			return (int)route;
		h.len = (h.len + 7) & ~7ULL;
		if (h.len > size)
			return 0;
		control += h.len;
		size -= h.len;
	}
	return SG_ROUTE_UNKNOWN;
}

/* Whether the sandbox's rule number `at` allows every address and port. As sg_net_rule_at(). */
__noinline int sg_net_rule_all(__u32 index, __u32 at, __u32 proto)
{
	const struct sg_lsm *lsm = bpf_map_lookup_elem(&sg_lsm, &index);

	return lsm && at < SG_NET_MAX && sg_net_rule_allows_all(&lsm->objects.net[at], proto);
}

/* Where a packet goes by such an option nobody can say here: only where all may be reached it makes no difference. */
static __always_inline int sg_judge_route(struct sg_at *a, __u8 hook, struct sock *sk, __u32 route)
{
	struct sg_what w = {.hook = hook, .cls = SG_CLASS_NET, .kind = SG_OBJECT_NUMBER, .number = route};
	__u32 proto = sg_proto((__u32)sk->sk_type, sk->sk_protocol), n = a->lsm->objects.n_net, i;

	if (sg_mode(a, SG_CLASS_NET) == SG_MODE_ALLOW)
		return 0;
	proto = SG_FORGET(proto);
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_NET_MAX && i < n; i++)
		if (sg_net_rule_all(a->index, i, proto))
			return 0;
	w.family = sk->__sk_common.skc_family;
	w.proto = (__u8)proto;
	w.op = SG_NET_CONNECT;
	/* labels for flows are asked for in good faith, too */
	w.mild = route == SG_ROUTE(SG_IPPROTO_IPV6, SG_IPV6_FLOWLABEL_MGR);
	w.origin = SG_UNLISTED;
	return sg_refuse(a, &w);
}

SG_LSM(socket_setsockopt)
{
	struct socket *sock = (struct socket *)ctx[0];
	__u32 route;
	struct sg_at a;
	struct sock *sk;

	SG_ENTER(&a, 3);
	route = sg_route_option((__u32)ctx[1], (__u32)ctx[2]);
	sk = sock->sk;
	if (!route || !sk)
		return 0;
	return sg_judge_route(&a, SG_HOOK_socket_setsockopt, sk, route);
}

/* ---- unix ---- */

/* Who made a socket: 1 someone inside the sandbox. */
static __always_inline int sg_sock_inside(struct sg_at *a, struct sock *sk)
{
	struct cgroup *cgrp = NULL;
	__u64 val = 0;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		if (bpf_core_read(&cgrp, sizeof(cgrp), &sk->sk_cgrp_data.cgroup))
			return 0;
	} else {
		struct sock_cgroup_data___old *old = (void *)&sk->sk_cgrp_data;

		if (bpf_core_read(&val, sizeof(val), &old->val) || (val & 3))
			return 0;
		cgrp = (struct cgroup *)val;
	}
	return sg_cgroup_inside(a, cgrp);
}

/* What the record shows of a unix socket: its path, or its abstract name. */
static __always_inline int sg_judge_unix(struct sg_at *a, __u8 hook, struct sock *other)
{
	struct unix_sock *u = (struct unix_sock *)other;
	struct sg_what w = {.hook = hook, .cls = SG_CLASS_UNIX, .family = SG_AF_UNIX, .kind = SG_OBJECT_UNIX};
	struct unix_address *addr = NULL;
	struct inode *inode = NULL;
	struct dentry *d = NULL;
	struct sg_walk r;

	if (sg_sock_inside(a, other))
		return 0;
	if (bpf_core_read(&d, sizeof(d), &u->path.dentry))
		SG_COUNT(a->index, helper_failed);
	w.origin = SG_UNLISTED;
	if (!d) {
		if (sg_mode(a, SG_CLASS_UNIX) == SG_MODE_ALLOW)
			return 0;
		if (bpf_core_read(&addr, sizeof(addr), &u->addr))
			SG_COUNT(a->index, helper_failed);
		return sg_refuse_unix(a, &w, addr);
	}
	if (bpf_core_read(&inode, sizeof(inode), &d->d_inode) == 0 &&
	    sg_is_protected(SG_PROTECTED_INODE, (__u64)inode)) {
		w.cls = (__u16)SG_UNKNOWN(SG_CLASS_SUPERVISOR);
	} else {
		if (sg_mode(a, SG_CLASS_UNIX) == SG_MODE_ALLOW)
			return 0;
		r = sg_walk_read(a, d, SG_RIGHT_CONNECT);
		if (!sg_missing(a, &r, SG_RIGHT_CONNECT))
			return 0;
		w.origin = r.origin;
		w.right = SG_RIGHT_CONNECT;
		w.cls = (__u16)SG_UNKNOWN(SG_CLASS_UNIX);
	}
	return sg_refuse_file(a, &w, d);
}

SG_LSM(unix_stream_connect)
{
	struct sg_at a;

	SG_ENTER(&a, 3);
	return sg_judge_unix(&a, SG_HOOK_unix_stream_connect, (struct sock *)ctx[1]);
}

/*
 * Whether the call in progress sends more than one message. Its registers are what the kernel works with. A function
 * of its own for its stack.
 */
__noinline int sg_sends_several(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct sg_regs *regs = sg_call_regs(task);
	__u64 nr = 0, bx = 0, dx = 0;
	__u32 status = 0;

	if (bpf_core_read(&status, sizeof(status), &task->thread_info.status) ||
	    bpf_probe_read_kernel(&nr, sizeof(nr), &regs->orig_ax) ||
	    bpf_probe_read_kernel(&bx, sizeof(bx), &regs->bx) || bpf_probe_read_kernel(&dx, sizeof(dx), &regs->dx))
		return 1;
	return sg_arch_sends_several(sg_arch_abi(status, nr), (__u32)nr, (__u32)bx, (__u32)dx);
}

SG_LSM(unix_may_send)
{
	struct sg_what w = {.hook = SG_HOOK_unix_may_send, .cls = SG_CLASS_FDPASS, .family = SG_AF_UNIX};
	struct socket *other = (struct socket *)ctx[1];
	struct sock *sk;
	struct sg_at a;
	int rc;

	SG_ENTER(&a, 2);
	sk = other->sk;
	if (!sk)
		return 0;
	rc = sg_judge_unix(&a, SG_HOOK_unix_may_send, sk);
	if (rc)
		return rc;
	/* Of sendmmsg's further messages to one address socket_sendmsg is not asked: what they pass nobody sees. */
	if (sg_mode(&a, SG_CLASS_FDPASS) == SG_MODE_ALLOW || sg_sock_inside(&a, sk) || !sg_sends_several())
		return 0;
	w.origin = SG_UNLISTED;
	return sg_refuse(&a, &w);
}

/* Whether a message carries descriptors: whatever else but credentials alone. The kernel has its own copy by now. */
static __always_inline int sg_passes_fds(struct msghdr *msg)
{
	struct {
		__u64 len;
		__s32 level, type;
	} first = {};
	__u64 size = msg->msg_controllen;
	void *control = NULL;

	if (!size)
		return 0;
	if (bpf_core_read(&control, sizeof(control), &msg->msg_control) ||
	    bpf_probe_read_kernel(&first, sizeof(first), control))
		return 1;
	return first.level != SG_SOL_SOCKET || first.type != SG_SCM_CREDENTIALS || first.len + sizeof(long) <= size;
}

/* Whether who listened for the connection of a stream socket is inside. Nobody knows of a listener that has ended. */
static __always_inline int sg_listener_inside(struct sg_at *a, struct sock *sk)
{
	struct pid___tasks *pid = NULL;
	struct hlist_node *first = NULL;

	if (bpf_core_read(&pid, sizeof(pid), &sk->sk_peer_pid) || !pid ||
	    bpf_core_read(&first, sizeof(first), &pid->tasks[0].first) || !first)
		return 0;
	return sg_task_inside(a, (void *)first - bpf_core_field_offset(struct task_struct___lsm, pid_links));
}

/*
 * Where a message on a unix socket goes: 1 inside. The far end of a connection that somebody accepts is made by who
 * connects, so its cgroup does not tell who has it; such an end carries the listener's address.
 */
static __always_inline int sg_unix_leads_inside(struct sg_at *a, struct sock *sk)
{
	struct sock *peer = NULL;
	struct unix_address *addr = NULL;

	/* the socket itself may have been handed in */
	if (!sg_sock_inside(a, sk) || bpf_core_read(&peer, sizeof(peer), &((struct unix_sock *)sk)->peer))
		return 0;
	if (!peer)
		return !a->lsm->unix_outside; /* a datagram to whoever it names: that it may, unix_may_send judges */
	if (!sg_sock_inside(a, peer) || bpf_core_read(&addr, sizeof(addr), &((struct unix_sock *)peer)->addr))
		return 0;
	return !addr || sk->sk_type == SG_SOCK_DGRAM || sg_listener_inside(a, sk);
}

SG_LSM(socket_sendmsg)
{
	struct socket *sock = (struct socket *)ctx[0];
	struct msghdr *msg = (struct msghdr *)ctx[1];
	struct sg_what w = {.hook = SG_HOOK_socket_sendmsg, .cls = SG_CLASS_FDPASS, .family = SG_AF_UNIX};
	struct sock *sk;
	struct sg_at a;
	__u32 family, route;
	void *name;

	SG_ENTER(&a, 3);
	sk = sock->sk;
	if (!sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family == SG_AF_UNIX) {
		if (sg_mode(&a, SG_CLASS_FDPASS) == SG_MODE_ALLOW || !sg_passes_fds(msg) ||
		    sg_unix_leads_inside(&a, sk))
			return 0;
		w.origin = SG_UNLISTED;
		return sg_refuse(&a, &w);
	}
	/* streams take no options from control data */
	if (msg->msg_controllen && sk->sk_type != SG_SOCK_STREAM && (family == SG_AF_INET || family == SG_AF_INET6)) {
		void *control = NULL;

		route = SG_ROUTE_UNKNOWN;
		if (bpf_core_read(&control, sizeof(control), &msg->msg_control) == 0)
			route = (__u32)sg_route_in(sg_address(control), msg->msg_controllen);
		asm volatile("" : "+r"(route));
		if (route) {
			int rc = sg_judge_route(&a, SG_HOOK_socket_sendmsg, sk, route);

			if (rc)
				return rc;
		}
	}
	name = msg->msg_name;
	if (!name)
		return 0;
	/* a stream that is connected ignores the address, unless it is opened by it */
	if (sk->sk_type == SG_SOCK_STREAM && !(msg->msg_flags & SG_MSG_FASTOPEN))
		return 0;
	return sg_judge_sockaddr(&a, SG_HOOK_socket_sendmsg, sock, name, (__u32)msg->msg_namelen, SG_NET_CONNECT);
}

#endif
