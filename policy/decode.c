// SPDX-License-Identifier: Apache-2.0
#include "policy/decode.h"
#include "policy/consts.h"
#include "policy/seccomp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* The mode of an open that creates nothing is whatever was left in the register. */
static bool is_meaningful(const struct sg_arg *a, const char *syscall, const uint64_t *args)
{
	uint32_t flags;

	if (strcmp(a->name, "mode") || strncmp(syscall, "open", 4))
		return true;
	flags = (uint32_t)args[a->index - 1];
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static enum sg_family family_of(const struct sg_arg *a, const uint64_t *args)
{
	/* Protocol numbers are the internet's only for internet sockets. */
	if (a->family == SG_FAMILY_IPPROTO && (uint32_t)args[0] != AF_INET && (uint32_t)args[0] != AF_INET6)
		return SG_FAMILY_NONE;
	/* "mode" of chmod: what people read is 04755, not a list of names. */
	if (a->family == SG_FAMILY_MODE)
		return SG_FAMILY_OCTAL;
	return (enum sg_family)a->family;
}

/* What is known of a call's arguments. The same call mostly comes many times. */
struct known {
	bool filled;
	uint32_t nr;
	char syscall[64];
	const struct sg_arg *args[SG_ARGS + 1]; /* NULL at the end */
};

static const struct known *look_up(uint32_t nr)
{
	static __thread struct known last;
	size_t n = 0;

	if (last.filled && last.nr == nr)
		return &last;
	last = (struct known){.filled = true, .nr = nr};
	sg_syscall_name(sg_native_arch(), nr, last.syscall, sizeof(last.syscall));
	for (size_t i = 0; n < SG_ARGS; i++) {
		const struct sg_arg *a = sg_arg_at(last.syscall, i);

		if (!a)
			break;
		if (a->decode)
			last.args[n++] = a;
	}
	return &last;
}

int sg_decode_args(uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS], sg_decode_fn fn, void *ctx)
{
	const struct known *call;
	const struct sg_arg *a;
	char value[512];
	int n = 0;
	size_t i;

	if (audit_arch != sg_native_arch() || nr >= SG_NR_MAX)
		return 0;
	call = look_up(nr);
	for (i = 0; (a = call->args[i]); i++) {
		if (!is_meaningful(a, call->syscall, args))
			continue;
		sg_const_format(family_of(a, args), args[a->index], a->width, value, sizeof(value));
		fn(ctx, a->name, value);
		n++;
	}
	return n;
}
