// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"
#include "policy/names.h"
#include "policy/net_filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int set_v4(struct sg_net_rule *r, const char *text)
{
	memcpy(r->addr, sg_net_v4, sizeof(sg_net_v4));
	return inet_pton(AF_INET, text, r->addr + sizeof(sg_net_v4)) == 1 ? 0 : -EINVAL;
}

/* A decimal number of n characters, at most max. */
static int number(const char *s, size_t n, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (!n || n > 5)
		return -EINVAL;
	for (; n; n--, s++) {
		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		v = v * 10 + (unsigned)(*s - '0');
	}
	*out = v;
	return v <= max ? 0 : -EINVAL;
}

static int parse_ports(struct sg_net_rule *r, const char *s, char *why)
{
	size_t n = strcspn(s, "-");
	unsigned lo, hi;

	if (number(s, n, 65535, &lo) || (s[n] && number(s + n + 1, strlen(s + n + 1), 65535, &hi)))
		return sg_why_not(why, "the port \"%.64s\" must be a number from 0 to 65535, or a range like 8000-8010",
				  s);
	if (!s[n])
		hi = lo;
	if (lo > hi)
		return sg_why_not(why, "the range of ports \"%.64s\" ends before it begins", s);
	r->port_lo = (__u16)lo;
	r->port_hi = (__u16)hi;
	return 0;
}

/* The bits beyond the prefix must be zero: whoever writes them means something else than what they would get. */
static int check_host_bits(const struct sg_net_rule *r, bool v4, unsigned bits, const char *text, char *why)
{
	char base[INET6_ADDRSTRLEN];
	__u8 net[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = r->prefix > i * 8 ? r->prefix - i * 8 : 0;

		net[i] = r->addr[i] & (keep >= 8 ? 0xff : (__u8)(0xff00U >> keep));
	}
	if (!memcmp(net, r->addr, sizeof(net)))
		return 0;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net + 12 : net, base, sizeof(base));
	return sg_why_not(why, "\"%.64s\" has bits beyond its prefix; did you mean \"%s%s%s/%u\"?", text, v4 ? "" : "[",
			  base, v4 ? "" : "]", bits);
}

/* ADDRESS[/PREFIX][:PORTS] */
static int parse_address(struct sg_net_rule *r, const char *s, uint64_t *families, char *why)
{
	const uint64_t v6 = 1ULL << AF_INET6, v4_and_v6 = 1ULL << AF_INET | v6;
	char host[64];
	const char *end;
	size_t n;
	unsigned bits, max;
	bool v4 = false;

	r->port_hi = 65535;
	if (*s == '*') {
		*families = v4_and_v6;
		end = s + 1;
		if (*end && *end != ':')
			return sg_why_not(why, "\"%.64s\": after * only a port can follow", s);
		return *end ? parse_ports(r, end + 1, why) : 0;
	}
	if (*s == '[') {
		n = strcspn(s, "]");
		if (!s[n] || n - 1 >= sizeof(host))
			return sg_why_not(why, "\"%.64s\": the IPv6 address has no end; it is written [ADDRESS]", s);
		memcpy(host, s + 1, n - 1);
		host[n - 1] = '\0';
		end = s + n + 1;
		if (inet_pton(AF_INET6, host, r->addr) != 1)
			return sg_why_not(why, "\"%s\" is not an IPv6 address", host);
		max = 128;
	} else {
		n = strcspn(s, "/:");
		if (n >= sizeof(host))
			return sg_why_not(why, "\"%.64s\" is not an address", s);
		memcpy(host, s, n);
		host[n] = '\0';
		end = s + n;
		if (strchr(s, ':') && strchr(strchr(s, ':') + 1, ':'))
			return sg_why_not(why, "\"%.64s\": an IPv6 address is written [ADDRESS]", s);
		if (set_v4(r, host))
			return sg_why_not(
				why, "\"%s\" is not an address; host names are not looked up, * is any address", host);
		v4 = true;
		max = 32;
	}
	/* A program with an IPv6 socket reaches IPv4 through it (Java always does). */
	*families = v4 ? v4_and_v6 : v6;
	bits = max;
	if (*end == '/') {
		n = strcspn(end + 1, ":");
		if (number(end + 1, n, max, &bits))
			return sg_why_not(why, "the prefix of \"%.64s\" must be a number from 0 to %u", s, max);
		end += n + 1;
	}
	r->prefix = (__u8)(v4 ? SG_NET_V4_BITS + bits : bits);
	n = (size_t)(end - s);
	if (n < sizeof(host)) {
		char text[sizeof(host)];

		memcpy(text, s, n);
		text[n] = '\0';
		if (check_host_bits(r, v4, bits, text, why))
			return -EINVAL;
	}
	/* Of IPv6 by its looks: who writes it rarely means the others. */
	if (!v4 && bits < SG_NET_V4_BITS && sg_net_holds_v4(r))
		return sg_why_not(
			why,
			"\"%.64s\" holds every IPv4 address, too (::ffff:0:0/96); * is any address, [2000::]/3 the "
			"IPv6 internet",
			s);
	if (*end && *end != ':')
		return sg_why_not(why, "\"%.64s\": after the address only /PREFIX and :PORT can follow", s);
	return *end ? parse_ports(r, end + 1, why) : 0;
}

static void loopback(struct sg_net_spec *spec)
{
	struct sg_net_rule r = {
		.protos = SG_NET_TCP | SG_NET_UDP, .ops = SG_NET_CONNECT | SG_NET_BIND, .port_hi = 65535};

	r.prefix = SG_NET_V4_BITS + 8;
	set_v4(&r, "127.0.0.0");
	spec->rules[spec->n_rules++] = r;
	r.prefix = 128;
	inet_pton(AF_INET6, "::1", r.addr);
	spec->rules[spec->n_rules++] = r;
	spec->families = 1ULL << AF_INET | 1ULL << AF_INET6;
}

static int unix_path(struct sg_net_spec *spec, const char *path, char *why)
{
	char out[4096];

	spec->families = 1ULL << AF_UNIX;
	if (*path == '@')
		return sg_why_not(
			why, "abstract sockets made outside cannot be allowed one by one; \"kernel: {unix: allow}\" "
			     "allows all of them");
	if (strlen(path) >= sizeof(out))
		return sg_why_not(why, "the path of a socket is longer than %zu bytes", sizeof(out) - 1);
	spec->unix_path = path;
	return sg_tree_path(path, out, why);
}

static int family(struct sg_net_spec *spec, const char *text, char *why)
{
	struct sg_suggest s;
	char hint[80];
	const char *name;
	unsigned number;

	sg_suggest_init(&s, text);
	sg_suggest_offer(&s, "loopback");
	for (size_t i = 0; (name = sg_family_at(i, &number)); i++) {
		if (!strncmp(name, "inet", 4)) {
			if (!strcmp(name, text))
				return sg_why_not(
					why, "\"%s\" does not say which addresses; write \"tcp *\" or \"udp *\"", text);
			continue;
		}
		if (!strcmp(name, text)) {
			spec->families = 1ULL << number;
			return 0;
		}
		sg_suggest_offer(&s, name);
	}
	/* No family has these in its name: an address was meant. */
	if (strpbrk(text, ".:*[/"))
		return sg_why_not(why,
				  "unknown family \"%.64s\"; an address is written as \"tcp 192.0.2.1:443\" or "
				  "\"tcp *:443\"",
				  text);
	return sg_why_not(why, "unknown family \"%.64s\"%s", text, sg_suggest_text(&s, hint, sizeof(hint)));
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " ");
}

int sg_net_parse(const char *text, struct sg_net_spec *spec, char *why)
{
	struct sg_net_rule *r = &spec->rules[0];
	const char *s = text, *proto;
	size_t n;

	memset(spec, 0, sizeof(*spec));
	if (!strcmp(text, "loopback")) {
		loopback(spec);
		return 0;
	}
	if (!strncmp(text, "unix:", 5))
		return unix_path(spec, text + 5, why);
	r->ops = SG_NET_CONNECT;
	n = strcspn(s, " ");
	if (n == 6 && !strncmp(s, "listen", n)) {
		r->ops = SG_NET_BIND;
		s = skip_blanks(s + n);
		n = strcspn(s, " ");
	}
	proto = s;
	if (n == 3 && !strncmp(proto, "tcp", n))
		r->protos = SG_NET_TCP;
	else if (n == 3 && !strncmp(proto, "udp", n))
		r->protos = SG_NET_UDP;
	else if (proto[n] || r->ops == SG_NET_BIND)
		return sg_why_not(
			why,
			"\"%.64s\" is no rule; expected [listen] tcp|udp ADDRESS[/PREFIX][:PORT[-PORT]], loopback, "
			"unix, unix:PATH or a family",
			text);
	else
		return family(spec, text, why);
	s = skip_blanks(s + n);
	if (!*s)
		return sg_why_not(why, "\"%.64s\" has no address; * is any address", text);
	spec->n_rules = 1;
	return parse_address(r, s, &spec->families, why);
}
