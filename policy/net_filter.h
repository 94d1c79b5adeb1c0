/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_NET_FILTER_H
#define SG_NET_FILTER_H

#include "policy/objects.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What Landlock does not see of the rules under `net`, and the registers tell: a second seccomp filter beside the
 * policy's own, where no BPF LSM judges addresses. Only the stricter answer of the two counts (seccomp(2)).
 */
#define SG_NET_REFUSE_FASTOPEN (1U << 0) /* sendto & co. that connect without connect(2): EOPNOTSUPP */
#define SG_NET_REFUSE_UDP (1U << 1)      /* sockets for datagrams over IPv4 and IPv6: EACCES */
#define SG_NET_REFUSE_TCP (1U << 2)      /* stream sockets over them: EACCES */
#define SG_NET_REFUSE_LISTEN (1U << 3)   /* listen(2), which takes a port of its own without bind(2): EACCES */
#define SG_NET_REFUSE_ALL 0xfU
#define SG_NET_FILTER_MAX 64

/* What IPv4 addresses stand behind in 16 bytes: ::ffff:0:0/96. */
#define SG_NET_V4_BITS 96
extern const uint8_t sg_net_v4[SG_NET_V4_BITS / 8];
/* Whether every IPv4 address lies in a rule's prefix. */
bool sg_net_holds_v4(const struct sg_net_rule *r);

/*
 * SG_NET_REFUSE_* for the rules (and whenever not 0, IPv4 and IPv6 sockets that are neither TCP nor UDP), 0 where they
 * confine nothing. UDP that is allowed only to some addresses is refused, as Landlock refuses such TCP: nobody here can
 * tell them apart. unix_too: unix sockets can be made, so that listen(2) may be about one of them.
 */
uint32_t sg_net_refused(const struct sg_objects *o, bool unix_too);

/* The filter, into out[SG_NET_FILTER_MAX]. Returns its length, 0 for refused == 0. */
unsigned short sg_net_filter(uint32_t refused, struct sock_filter *out);

/* Whether an address range is all there is of the families whose sockets can be had. */
bool sg_net_any_address(const struct sg_objects *o, const struct sg_net_rule *r);

#endif
