// SPDX-License-Identifier: Apache-2.0
#include "policy/learn_shape.h"

#include "policy/consts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "policy/in_place.h"

/* How an argument is generalised. */
enum kind {
	EXACT,    /* one of several operations: its value */
	SOCKTYPE, /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
	PID,      /* 0, itself, in the sandbox, or whoever */
	NUL,      /* a pointer that is not given */
	ZERO,     /* a number that is 0 */
	OPENING,  /* for reading, or for more */
	NOT_SUID, /* a mode without set-user-id and set-group-id */
	FORMAT,   /* what mknod makes */
	MEMORY,   /* protections: executable or not, and where it is, of what */
	CLONE,    /* what the new task shares, and which namespaces it gets */
	NICE,     /* only lower priority than the ordinary */
};

static const struct {
	char syscall[24], arg[12];
	enum kind kind;
} specs[] = {
	{"socket", "domain", EXACT},
	{"socket", "type", SOCKTYPE},
	{"socketpair", "domain", EXACT},
	{"socketpair", "type", SOCKTYPE},
	{"sendto", "addr", NUL},
	{"setsockopt", "level", EXACT},
	{"setsockopt", "optname", EXACT},
	{"getsockopt", "level", EXACT},
	{"getsockopt", "optname", EXACT},
	{"clone", "flags", CLONE},
	{"unshare", "flags", EXACT},
	{"setns", "nstype", EXACT},
	{"open", "flags", OPENING},
	{"openat", "flags", OPENING},
	{"chmod", "mode", NOT_SUID},
	{"fchmod", "mode", NOT_SUID},
	{"fchmodat", "mode", NOT_SUID},
	{"fchmodat2", "mode", NOT_SUID},
	{"mknod", "mode", FORMAT},
	{"mknodat", "mode", FORMAT},
	{"fcntl", "cmd", EXACT},
	{"ioctl", "request", EXACT},
	{"kill", "pid", PID},
	{"kill", "sig", EXACT},
	{"tkill", "tid", PID},
	{"tkill", "sig", EXACT},
	{"tgkill", "tgid", PID},
	{"tgkill", "sig", EXACT},
	{"rt_sigqueueinfo", "pid", PID},
	{"rt_sigqueueinfo", "sig", EXACT},
	{"rt_tgsigqueueinfo", "tgid", PID},
	{"rt_tgsigqueueinfo", "sig", EXACT},
	{"pidfd_send_signal", "sig", EXACT},
	{"pidfd_open", "pid", PID},
	{"process_vm_readv", "pid", PID},
	{"process_vm_writev", "pid", PID},
	{"waitid", "which", EXACT},
	{"setpgid", "pid", PID},
	{"getpgid", "pid", PID},
	{"getsid", "pid", PID},
	{"get_robust_list", "pid", PID},
	{"sched_getaffinity", "pid", PID},
	{"sched_setaffinity", "pid", PID},
	{"sched_setscheduler", "pid", PID},
	{"sched_setscheduler", "policy", EXACT},
	{"sched_setparam", "pid", PID},
	{"sched_setattr", "pid", PID},
	{"sched_getscheduler", "pid", PID},
	{"sched_getparam", "pid", PID},
	{"sched_getattr", "pid", PID},
	{"setpriority", "which", EXACT},
	{"setpriority", "who", ZERO},
	{"setpriority", "prio", NICE},
	{"mmap", "prot", MEMORY},
	{"mprotect", "prot", MEMORY},
	{"pkey_mprotect", "prot", MEMORY},
	{"madvise", "advice", EXACT},
	{"process_madvise", "advice", EXACT},
	{"ptrace", "request", EXACT},
	{"personality", "persona", EXACT},
	{"keyctl", "op", EXACT},
	{"bpf", "cmd", EXACT},
	{"prctl", "op", EXACT},
	{"arch_prctl", "op", EXACT},
	{"prlimit64", "pid", PID},
	{"prlimit64", "new_limit", NUL},
	{"setrlimit", "resource", EXACT},
	{"seccomp", "op", EXACT},
};

static void describe_memory(const char *syscall, const uint64_t *args, char *out, size_t size)
{
	const bool exec = args[2] & PROT_EXEC, write = args[2] & PROT_WRITE;

	if (!exec)
		snprintf(out, size, "prot & PROT_EXEC == 0");
	else if (write)
		snprintf(out, size, "prot & (PROT_WRITE | PROT_EXEC) == PROT_WRITE | PROT_EXEC");
	else
		snprintf(out, size, "prot & (PROT_WRITE | PROT_EXEC) == PROT_EXEC%s",
			 strcmp(syscall, "mmap")     ? ""
			 : (args[3] & MAP_ANONYMOUS) ? " and flags & MAP_ANONYMOUS == MAP_ANONYMOUS"
						     : " and flags & MAP_ANONYMOUS == 0");
}

static void describe_pid(const struct sg_arg *a, uint64_t v, const struct sg_oracle *o, char *out, size_t size)
{
	const int32_t pid = (int32_t)v;

	if (pid == 0)
		snprintf(out, size, "%s == 0", a->name);
	else if (o && o->self && (uint32_t)v == o->self)
		snprintf(out, size, "%s == self", a->name);
	else if (o && o->in_sandbox && o->in_sandbox(o->ctx, pid))
		snprintf(out, size, "%s in sandbox", a->name);
	else
		out[0] = '\0';
}

static void describe_value(const struct sg_arg *a, uint64_t v, const char *mask, char *out, size_t size)
{
	char value[384];

	sg_const_format((enum sg_family)a->family, v, a->width, value, sizeof(value));
	snprintf(out, size, "%s%s == %s", a->name, mask, value);
}

static void describe(const struct sg_arg *a, enum kind kind, const char *syscall, const uint64_t *args,
		     const struct sg_oracle *o, char *out, size_t size)
{
	const uint64_t v = args[a->index], narrow = v & sg_arg_mask(a);

	out[0] = '\0';
	switch (kind) {
	case EXACT:
		describe_value(a, v, "", out, size);
		break;
	case SOCKTYPE:
		describe_value(a, v & 0xf, " & SOCK_TYPE_MASK", out, size);
		break;
	case FORMAT:
		describe_value(a, v & S_IFMT, " & S_IFMT", out, size);
		break;
	case CLONE:
		describe_value(a, v & SG_CLONE_EFFECTS, " & CLONE_EFFECTS", out, size);
		break;
	case PID:
		describe_pid(a, v, o, out, size);
		break;
	case NUL:
	case ZERO:
		if (!narrow)
			snprintf(out, size, "%s == 0", a->name);
		break;
	case OPENING:
		if (!(v & (O_ACCMODE | O_CREAT | O_TRUNC)))
			snprintf(out, size, "%s & (O_ACCMODE | O_CREAT | O_TRUNC) == O_RDONLY", a->name);
		break;
	case NOT_SUID:
		if (!(v & (S_ISUID | S_ISGID)))
			snprintf(out, size, "%s & S_ISUGID == 0", a->name);
		break;
	case MEMORY:
		describe_memory(syscall, args, out, size);
		break;
	case NICE:
		if (narrow <= 19)
			snprintf(out, size, "%s <= 19", a->name);
		break;
	}
}

void sg_learn_shape(const char *syscall, const uint64_t args[SG_ARGS], const struct sg_oracle *oracle, char *out,
		    size_t size)
{
	char part[480];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		const struct sg_arg *a;

		if (strcmp(specs[i].syscall, syscall) != 0)
			continue;
		a = sg_arg_find(syscall, specs[i].arg);
		if (!a)
			continue;
		describe(a, specs[i].kind, syscall, args, oracle, part, sizeof(part));
		if (part[0] && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " and " : "", part);
	}
}
