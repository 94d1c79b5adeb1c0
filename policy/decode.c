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

int sg_decode_args(uint32_t audit_arch, uint32_t nr, const uint64_t args[SG_ARGS], sg_decode_fn fn, void *ctx)
{
	char syscall[64], value[512];
	const struct sg_arg *a;
	int n = 0;
	size_t i;

	if (audit_arch != sg_native_arch() || nr >= SG_NR_MAX)
		return 0;
	sg_syscall_name(audit_arch, nr, syscall, sizeof(syscall));
	for (i = 0; (a = sg_arg_at(syscall, i)); i++) {
		if (!a->decode || !is_meaningful(a, syscall, args))
			continue;
		sg_const_format(family_of(a, args), args[a->index], a->width, value, sizeof(value));
		fn(ctx, a->name, value);
		n++;
	}
	return n;
}
