// SPDX-License-Identifier: Apache-2.0
#include "policy/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

/* A finished filter: bound to a launch, run as the kernel would run it, printed. */

static int patch(const struct sg_patch *p, const struct sg_binding *b, struct sock_filter *f, size_t n,
		 struct sg_err *err)
{
	bool known = true;
	uint32_t k = 0;

	if (p->pc >= n || f[p->pc].code != (BPF_JMP | BPF_JEQ | BPF_K))
		return sg_err_set(err, EINVAL, "the seccomp filter has a blank that is not a comparison");
	switch (p->kind) {
	case SG_PATCH_EXEC_LO:
	case SG_PATCH_EXEC_HI:
		k = (uint32_t)(p->kind == SG_PATCH_EXEC_LO ? b->exec_path : b->exec_path >> 32);
		known = b->exec_path != 0;
		break;
	case SG_PATCH_MSG_LO:
	case SG_PATCH_MSG_HI:
		k = (uint32_t)(p->kind == SG_PATCH_MSG_LO ? b->msghdr : b->msghdr >> 32);
		known = b->msghdr != 0;
		break;
	case SG_PATCH_SELF:
		k = b->self;
		known = b->self != 0;
		break;
	default:
		return sg_err_set(err, EINVAL, "the seccomp filter has a blank of unknown kind %u", p->kind);
	}
	f[p->pc].k = k;
	/* What the launcher does not say never matches, not even a caller's own zero. */
	if (!known)
		f[p->pc].jt = f[p->pc].jf;
	return 0;
}

int sg_filter_bind(const struct sg_filter *f, const struct sg_binding *b, struct sock_filter *insns, struct sg_err *err)
{
	unsigned i;
	int rc;

	memcpy(insns, f->insns, f->n_insns * sizeof(*insns));
	for (i = 0; i < f->n_insns; i++) {
		uint32_t *k = &insns[i].k;

		if (BPF_CLASS(insns[i].code) != BPF_RET)
			continue;
		switch (*k) {
		case SG_RET_KILL:
			*k = b->ret_kill;
			break;
		case SG_RET_AUDIT:
			*k = b->ret_audit;
			break;
		case SG_RET_SUPERVISED:
			*k = b->ret_supervised;
			break;
		case SG_RET_FORK:
			*k = b->ret_fork;
			break;
		case SG_RET_FORK_AUDIT:
			*k = b->ret_audit == SECCOMP_RET_ALLOW ? b->ret_fork : b->ret_audit;
			break;
		case SECCOMP_RET_ALLOW:
			break;
		default:
			if ((*k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || !(*k & SECCOMP_RET_DATA))
				return sg_err_set(err, EINVAL, "the seccomp filter returns something unknown: 0x%08x",
						  *k);
		}
	}
	for (i = 0; i < f->n_patches; i++) {
		rc = patch(&f->patches[i], b, insns, f->n_insns, err);
		if (rc)
			return rc;
	}
	return 0;
}

uint32_t sg_filter_simulate(const struct sock_filter *insns, size_t n, uint32_t audit_arch, uint32_t nr,
			    const uint64_t args[SG_ARGS])
{
	struct seccomp_data data = {.nr = (int)nr, .arch = audit_arch};
	uint32_t a = 0;
	size_t pc, i;

	for (i = 0; i < SG_ARGS; i++)
		data.args[i] = args[i];
	/* Jumps only go forward, so the walk ends. */
	for (pc = 0; pc < n; pc++) {
		const struct sock_filter *f = &insns[pc];
		size_t jump = 0;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k > sizeof(data) - sizeof(a) || f->k % sizeof(a))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&a, (const char *)&data + f->k, sizeof(a));
			break;
		case BPF_LD | BPF_IMM:
			a = f->k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			jump = f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			jump = a > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = a >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = a & f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
		if (jump >= n - pc)
			return SECCOMP_RET_KILL_PROCESS;
		pc += jump;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static const char *return_name(uint32_t k)
{
	switch (k) {
	case SG_RET_KILL:
		return "KILL";
	case SG_RET_AUDIT:
		return "AUDIT";
	case SG_RET_SUPERVISED:
		return "SUPERVISED";
	case SG_RET_FORK:
		return "FORK";
	case SG_RET_FORK_AUDIT:
		return "FORK_AUDIT";
	case SECCOMP_RET_ALLOW:
		return "ALLOW";
	default:
		return (k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? "ERRNO" : "?";
	}
}

static const char *field_name(uint32_t offset, char *buf, size_t size)
{
	if (offset == offsetof(struct seccomp_data, nr))
		snprintf(buf, size, "nr");
	else if (offset == offsetof(struct seccomp_data, arch))
		snprintf(buf, size, "arch");
	else if (offset >= offsetof(struct seccomp_data, args))
		snprintf(buf, size, "arg%u.%s", (unsigned)((offset - offsetof(struct seccomp_data, args)) / 8),
			 (offset % 8 != 0) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) ? "high" : "low");
	else
		snprintf(buf, size, "[%u]", offset);
	return buf;
}

void sg_filter_dump(const struct sg_filter *f, FILE *out)
{
	static const char *const blanks[] = {"?", "exec.low", "exec.high", "msghdr.low", "msghdr.high", "self"};
	char field[32];
	unsigned i, j;

	for (i = 0; i < f->n_insns; i++) {
		const struct sock_filter *s = &f->insns[i];
		const char *op = NULL;

		fprintf(out, "%4u: ", i);
		switch (s->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			fprintf(out, "load %s\n", field_name(s->k, field, sizeof(field)));
			continue;
		case BPF_LD | BPF_IMM:
			fprintf(out, "load #0x%x\n", s->k);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			fprintf(out, "and  0x%x\n", s->k);
			continue;
		case BPF_JMP | BPF_JA:
			fprintf(out, "jump %u\n", i + 1 + s->k);
			continue;
		case BPF_RET | BPF_K:
			fprintf(out, "ret  %s", return_name(s->k));
			if ((s->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
				fprintf(out, " %u", s->k & SECCOMP_RET_DATA);
			fputc('\n', out);
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			op = "==";
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			op = ">";
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			op = ">=";
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			op = "&";
			break;
		default:
			fprintf(out, "?    0x%04x\n", s->code);
			continue;
		}
		for (j = 0; j < f->n_patches && f->patches[j].pc != i; j++)
			;
		if (j < f->n_patches)
			fprintf(out, "if   %s %s", op,
				blanks[f->patches[j].kind <= SG_PATCH_SELF ? f->patches[j].kind : 0]);
		else
			fprintf(out, "if   %s 0x%x", op, s->k);
		fprintf(out, " then %u else %u\n", i + 1 + s->jt, i + 1 + s->jf);
	}
}
