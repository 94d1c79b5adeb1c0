/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/objects.h"

#include "policy/access.h"
#include "policy/net_filter.h"
#include "policy/seccomp.h"
#include "supervisor/bpf.h"
#include "supervisor/mountinfo.h"
#include "supervisor/util.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define AUDIT_ARCH_COMPAT 0x40000003U /* i386 */

bool sg_object_is_whole(const struct sg_event_object *e)
{
	return e->hook < SG_HOOK_N && e->cls < SG_CLASS_N && e->names_len <= sizeof(e->names) &&
	       (!e->names_len || !e->names[e->names_len - 1]);
}

/* "/a/b" from "b\0a\0". Returns its length. */
static size_t names_join(const struct sg_event_object *e, char *out, size_t size)
{
	size_t n = e->names_len < sizeof(e->names) ? e->names_len : sizeof(e->names), len = 0, end = n;

	out[0] = '\0';
	if (e->cut & SG_CUT_DEPTH)
		len += (size_t)snprintf(out, size, "/…");
	while (end > 0) {
		size_t start = end - 1;

		while (start > 0 && e->names[start - 1])
			start--;
		len += (size_t)snprintf(out + len, size - len, "/%s", e->names + start);
		if (len >= size)
			return size - 1;
		end = start;
	}
	if (len == 0)
		len = (size_t)snprintf(out, size, "/");
	return len < size ? len : size - 1;
}

/* Where a path of the file system dev can be seen: the mount that shows the longest part of it. false: nowhere. */
static bool mounted_at(uint64_t dev, const char *inside, char *out, size_t size)
{
	unsigned major = (unsigned)(dev >> 20), minor = (unsigned)(dev & 0xfffff);
	FILE *f = fopen("/proc/self/mountinfo", "re");
	SG_FREE char *line = NULL;
	size_t best = 0, cap = 0;
	bool found = false;

	while (f && getline(&line, &cap, f) > 0) {
		struct sg_mount m;
		size_t n;

		if (!sg_mount_parse(line, &m) || m.major != major || m.minor != minor)
			continue;
		n = strcmp(m.root, "/") ? strlen(m.root) : 0;
		if (strncmp(inside, m.root, n) != 0 || (n && inside[n] && inside[n] != '/') || (found && n >= best))
			continue;
		/* the whole file system's mount, where there is one, is the name people know */
		best = n;
		found = true;
		if (!strcmp(m.where, "/") && inside[n])
			m.where[0] = '\0';
		snprintf(out, size, "%s%s", m.where, strcmp(inside, "/") ? inside + n : *m.where ? "" : "/");
	}
	if (f)
		fclose(f);
	return found;
}

const char *sg_object_path(const struct sg_event_object *e, char *out, size_t size)
{
	char inside[PATH_MAX];

	names_join(e, inside, sizeof(inside));
	if ((e->cut & SG_CUT_DEPTH) || !mounted_at(e->dev, inside, out, size))
		snprintf(out, size, "%s", inside);
	return out;
}

static void add_file(json_t *o, const struct sg_event_object *e)
{
	char path[PATH_MAX];

	json_object_set_new(o, "path", sg_json_text(sg_object_path(e, path, sizeof(path))));
	if (e->cut)
		json_object_set_new(o, "path_cut", json_true());
	json_object_set_new(o, "dev", json_sprintf("%u:%u", (unsigned)(e->dev >> 20), (unsigned)(e->dev & 0xfffff)));
	json_object_set_new(o, "ino", json_integer((json_int_t)e->ino));
}

static void add_family(json_t *o, unsigned family)
{
	const char *name = sg_family_name(family);

	json_object_set_new(o, "family", name ? json_string(name) : json_sprintf("%u", family));
}

static const char *protocol_name(unsigned proto)
{
	return proto == SG_NET_TCP ? "tcp" : proto == SG_NET_UDP ? "udp" : "other";
}

/* The program chose the way of its packets by an option of the socket, or of a message. */
static bool is_route(const struct sg_event_object *e)
{
	return e->kind == SG_OBJECT_NUMBER && e->cls == SG_CLASS_NET &&
	       (e->hook == SG_HOOK_socket_setsockopt || e->hook == SG_HOOK_socket_sendmsg);
}

static void add_route(json_t *o, const struct sg_event_object *e)
{
	static const struct {
		uint32_t number;
		const char *name;
	} known[] = {
		{SG_ROUTE(SG_IPPROTO_IP, SG_IP_OPTIONS), "IP_OPTIONS"},
		{SG_ROUTE(SG_IPPROTO_IP, SG_IP_RETOPTS), "IP_RETOPTS"},
		{SG_ROUTE(SG_IPPROTO_IPV6, SG_IPV6_2292RTHDR), "IPV6_2292RTHDR"},
		{SG_ROUTE(SG_IPPROTO_IPV6, SG_IPV6_2292PKTOPTIONS), "IPV6_2292PKTOPTIONS"},
		{SG_ROUTE(SG_IPPROTO_IPV6, SG_IPV6_FLOWLABEL_MGR), "IPV6_FLOWLABEL_MGR"},
		{SG_ROUTE(SG_IPPROTO_IPV6, SG_IPV6_RTHDR), "IPV6_RTHDR"},
		{SG_ROUTE_UNKNOWN, "too many to look through"},
	};

	add_family(o, e->family);
	json_object_set_new(o, "protocol", json_string(protocol_name(e->proto)));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == e->number)
			json_object_set_new(o, "option", json_string(known[i].name));
}

static void add_address(json_t *o, const struct sg_event_object *e)
{
	char text[INET6_ADDRSTRLEN] = "";

	add_family(o, e->family);
	if (!memcmp(e->addr, sg_net_v4, sizeof(sg_net_v4)))
		(void)inet_ntop(AF_INET, e->addr + 12, text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, e->addr, text, sizeof(text));
	json_object_set_new(o, "protocol", json_string(protocol_name(e->proto)));
	json_object_set_new(o, "operation", json_string(e->op == SG_NET_BIND ? "bind" : "connect"));
	json_object_set_new(o, "address", json_string(text));
	json_object_set_new(o, "port", json_integer(e->port));
}

static json_t *object_json(const struct sg_event_object *e)
{
	json_t *o = json_object();

	switch (e->kind) {
	case SG_OBJECT_FILE:
		add_file(o, e);
		if (e->cls == SG_CLASS_UNIX)
			add_family(o, AF_UNIX);
		break;
	case SG_OBJECT_UNIX:
		add_family(o, AF_UNIX);
		if (e->names_len)
			json_object_set_new(o, "name", sg_json_text(e->names));
		break;
	case SG_OBJECT_ADDRESS:
		add_address(o, e);
		break;
	case SG_OBJECT_NUMBER:
		if (e->cls == SG_CLASS_CAPABILITY && sg_capability_name((unsigned)e->number))
			json_object_set_new(o, "capability", json_string(sg_capability_name((unsigned)e->number)));
		else if (e->hook == SG_HOOK_socket_create)
			add_family(o, e->family);
		else if (is_route(e))
			add_route(o, e);
		else
			json_object_set_new(o, "number", json_integer((json_int_t)e->number));
		break;
	case SG_OBJECT_PROCESS:
		if (e->hook == SG_HOOK_task_kill)
			json_object_set_new(o, "signal", json_integer((json_int_t)e->number));
		break;
	default:
		break;
	}
	if (e->target)
		json_object_set_new(o, "target_pid", json_integer(e->target));
	return o;
}

static void add_hint(json_t *r, const struct sg_policy *p, const struct sg_event_object *e)
{
	struct sg_access a = {.cls = e->cls, .proto = e->proto, .op = e->op, .port = e->port, .anywhere = is_route(e)};
	SG_FREE char *hint = NULL;
	struct sg_err err = {0};
	char path[PATH_MAX];

	if (e->kind == SG_OBJECT_FILE)
		a.path = sg_object_path(e, path, sizeof(path));
	if (e->hook == SG_HOOK_socket_create)
		a.family = e->family;
	memcpy(a.addr, e->addr, sizeof(a.addr));
	if (e->cls == SG_CLASS_CAPABILITY)
		a.capability = (unsigned)e->number;
	if (e->hook == SG_HOOK_bprm_creds_for_exec)
		a.executed = (uint32_t)e->number - 1;
	if (e->hook == SG_HOOK_path_rename && e->cls == SG_CLASS_DELETE && !e->right)
		a.holds = e->origin + 1;
	if (p && e->cls != SG_CLASS_SUPERVISOR)
		(void)sg_policy_object_hint(p, &a, &hint, &err);
	json_object_set_new(r, "hint", hint && *hint ? sg_json_text(hint) : json_null());
}

void sg_session_object(struct sg_session *s, const struct sg_event_object *e)
{
	bool forbidden = e->action != SG_ACTION_AUDIT || e->violation;
	json_t *r = sg_session_record(s, forbidden ? "lsm_violation" : "audit", forbidden ? "warning" : "info",
				      e->hdr.time_ns + (uint64_t)s->realtime_offset);
	uint32_t arch = e->abi == SG_ABI_COMPAT ? AUDIT_ARCH_COMPAT : sg_native_arch();
	struct sg_err err = {0};
	const struct sg_policy *p = sg_session_policy(s, &err);
	char comm[SG_COMM_LEN + 1] = "", name[64];

	memcpy(comm, e->hdr.comm, SG_COMM_LEN);
	json_object_set_new(r, "pid", json_integer((json_int_t)e->hdr.pid));
	json_object_set_new(r, "tgid", json_integer((json_int_t)e->hdr.tgid));
	json_object_set_new(r, "uid", json_integer((json_int_t)e->hdr.uid));
	json_object_set_new(r, "comm", sg_json_text(comm));
	if (e->nr >= 0) {
		sg_syscall_name(arch, (uint32_t)e->nr, name, sizeof(name));
		json_object_set_new(r, "syscall", json_string(name));
		json_object_set_new(r, "syscall_nr", json_integer(e->nr));
		json_object_set_new(r, "abi", json_string(sg_abi_name(arch, (uint32_t)e->nr)));
	}
	json_object_set_new(r, "layer", json_string("lsm"));
	json_object_set_new(r, "hook", json_string(sg_hook_names[e->hook]));
	json_object_set_new(r, "class", json_string(sg_class_name(e->cls)));
	if (e->right) {
		char rights[128];

		json_object_set_new(r, "right", json_string(sg_rights_text(e->right, rights, sizeof(rights))));
	}
	json_object_set_new(r, "object", object_json(e));
	json_object_set_new(r, "rule", sg_session_rule(p, e->origin));
	json_object_set_new(r, "action", json_string(sg_session_action(e->action)));
	if (e->action == SG_ACTION_ERRNO)
		json_object_set_new(r, "errno", json_integer(e->err));
	json_object_set_new(r, "prevented", json_boolean(e->action != SG_ACTION_AUDIT));
	if (forbidden)
		add_hint(r, p, e);
	sg_session_take(s, r, e->action);
	if (e->signal_rc)
		sg_session_degrade(s, "bpf_send_signal failed (%d); the supervisor killed instead", e->signal_rc);
}
