// SPDX-License-Identifier: Apache-2.0
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/in_place.h"

#define X32_BIT 0x40000000U

/*
 * Calls newer than the libseccomp of some distributions. From 424 on every architecture gives a call the same number.
 */
static const struct {
	char name[28];
	int nr;
} newer[] = {
	{"futex_waitv", 449},       {"set_mempolicy_home_node", 450},
	{"cachestat", 451},         {"fchmodat2", 452},
	{"map_shadow_stack", 453},  {"futex_wake", 454},
	{"futex_wait", 455},        {"futex_requeue", 456},
	{"statmount", 457},         {"listmount", 458},
	{"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},  {"mseal", 462},
	{"setxattrat", 463},        {"getxattrat", 464},
	{"listxattrat", 465},       {"removexattrat", 466},
	{"open_tree_attr", 467},    {"file_getattr", 468},
	{"file_setattr", 469},
};
#define N_NEWER (sizeof(newer) / sizeof(newer[0]))

int sg_syscall_resolve(const char *name, int *nr)
{
	int n = seccomp_syscall_resolve_name_arch(SCMP_ARCH_NATIVE, name);
	size_t i;

	if (n == __NR_SCMP_ERROR) {
		for (i = 0; i < N_NEWER; i++) {
			if (!strcmp(newer[i].name, name)) {
				*nr = newer[i].nr;
				return 0;
			}
		}
		return -ENOENT;
	}
	*nr = n < 0 || n >= SG_NR_MAX ? SG_NR_FOREIGN : n;
	return 0;
}

bool sg_is_fork(uint32_t nr)
{
	switch (nr) {
	case __NR_clone:
#ifdef __NR_clone3
	case __NR_clone3:
#endif
#ifdef __NR_fork
	case __NR_fork:
#endif
#ifdef __NR_vfork
	case __NR_vfork:
#endif
		return true;
	default:
		return false;
	}
}

uint32_t sg_native_arch(void)
{
#if defined(__x86_64__)
	return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	return AUDIT_ARCH_AARCH64;
#else
#error "sandgate is written for x86_64 and aarch64"
#endif
}

const char *sg_abi_name(uint32_t audit_arch, uint32_t nr)
{
	switch (audit_arch) {
	case AUDIT_ARCH_X86_64:
		return nr & X32_BIT ? "x32" : "x86_64";
	case AUDIT_ARCH_I386:
		return "i386";
	case AUDIT_ARCH_AARCH64:
		return "aarch64";
	case AUDIT_ARCH_ARM:
		return "arm";
	default:
		return "unknown";
	}
}

void sg_syscall_name(uint32_t audit_arch, uint32_t nr, char *buf, size_t size)
{
	uint32_t arch = 0;
	char *name = NULL;
	size_t i;

	switch (audit_arch) {
	case AUDIT_ARCH_X86_64:
		arch = nr & X32_BIT ? SCMP_ARCH_X32 : SCMP_ARCH_X86_64;
		break;
	case AUDIT_ARCH_I386:
		arch = SCMP_ARCH_X86;
		break;
	case AUDIT_ARCH_AARCH64:
		arch = SCMP_ARCH_AARCH64;
		break;
	case AUDIT_ARCH_ARM:
		arch = SCMP_ARCH_ARM;
		break;
	}
	if (arch && nr <= INT32_MAX)
		name = seccomp_syscall_resolve_num_arch(arch, (int)nr);
	if (name) {
		snprintf(buf, size, "%s", name);
		free(name);
		return;
	}
	for (i = 0; arch && i < N_NEWER; i++) {
		if ((uint32_t)newer[i].nr == (nr & ~(arch == SCMP_ARCH_X32 ? X32_BIT : 0U))) {
			snprintf(buf, size, "%s", newer[i].name);
			return;
		}
	}
	snprintf(buf, size, "syscall_%u", nr);
}

static const struct {
	char name[12];
	int err;
} errno_aliases[] = {
	{"EWOULDBLOCK", EWOULDBLOCK}, {"ENOTSUP", ENOTSUP}, {"EDEADLOCK", EDEADLOCK}, {"EOPNOTSUPP", EOPNOTSUPP}};
#define ERRNO_END 134

int sg_errno_resolve(const char *name)
{
	size_t i;
	int e;

	for (e = 1; e < ERRNO_END; e++) {
		const char *n = strerrorname_np(e);

		if (n && !strcmp(n, name))
			return e;
	}
	for (i = 0; i < sizeof(errno_aliases) / sizeof(errno_aliases[0]); i++)
		if (!strcmp(errno_aliases[i].name, name))
			return errno_aliases[i].err;
	return 0;
}

const char *sg_errno_name(unsigned err)
{
	const char *n = err && err < ERRNO_END ? strerrorname_np((int)err) : NULL;

	return n ? n : "E?";
}

#define WORD_MAX 40

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours, ignoring case. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		unsigned *cur = row[i % 3], *prev = row[(i - 1) % 3], *before = row[(i + 1) % 3];

		cur[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			int ca = a[i - 1] | 0x20, cb = b[j - 1] | 0x20;
			unsigned best = prev[j - 1] + (ca != cb);

			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && ca == (b[j - 2] | 0x20) && (a[i - 2] | 0x20) == cb &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[la % 3][lb];
}

void sg_suggest_init(struct sg_suggest *s, const char *word)
{
	size_t len = strlen(word);

	s->word = word;
	s->best = NULL;
	/* One past the farthest that still counts as a slip of the fingers. */
	s->distance = len < 3 ? 2 : len < 6 ? 3 : 4;
}

void sg_suggest_offer(struct sg_suggest *s, const char *candidate)
{
	unsigned d = distance(s->word, candidate);

	if (d < s->distance && d < strlen(candidate)) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *sg_suggest_text(const struct sg_suggest *s, char *buf, unsigned long size)
{
	if (s->best)
		snprintf(buf, size, "; did you mean \"%s\"?", s->best);
	else if (size)
		buf[0] = '\0';
	return buf;
}

const char *sg_suggest_syscall(const char *word, char *buf, unsigned long size)
{
	char name[64], best[64] = "";
	struct sg_suggest s;
	uint32_t nr;

	sg_suggest_init(&s, word);
	for (nr = 0; nr < SG_NR_MAX; nr++) {
		const char *before = s.best;

		sg_syscall_name(sg_native_arch(), nr, name, sizeof(name));
		if (!strncmp(name, "syscall_", 8))
			continue;
		sg_suggest_offer(&s, name);
		if (s.best == name) {
			memcpy(best, name, sizeof(best));
			s.best = best;
		} else {
			s.best = before;
		}
	}
	return sg_suggest_text(&s, buf, size);
}

const char *sg_suggest_errno(const char *word, char *buf, unsigned long size)
{
	struct sg_suggest s;
	unsigned e;

	sg_suggest_init(&s, word);
	for (e = 1; e < ERRNO_END; e++)
		sg_suggest_offer(&s, sg_errno_name(e));
	return sg_suggest_text(&s, buf, size);
}
