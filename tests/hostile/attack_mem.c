/* SPDX-License-Identifier: Apache-2.0 */
/* Code of one's own making, and memory tricks. The code is one return instruction. */
#include "hostile.h"

#include <asm/ldt.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL

static int run_code(void *page)
{
#ifdef __x86_64__
	void (*fn)(void);

	memcpy(&fn, &page, sizeof(fn));
	fn();
#else
	(void)page;
#endif
	return 0;
}

static void put_code(void *page)
{
	memset(page, 0xc3, 1);
}

static int mmap_wx(const struct target *t)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return -errno;
	put_code(p);
	return run_code(p);
}

static int mprotect_to_x(const struct target *t)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return SG_SETUP;
	put_code(p);
	if (mprotect(p, PAGE, PROT_READ | PROT_EXEC))
		return -errno;
	return run_code(p);
}

static int pkey_mprotect_to_x(const struct target *t)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return SG_SETUP;
	put_code(p);
	if (syscall(SYS_pkey_mprotect, p, PAGE, (unsigned long)(PROT_READ | PROT_EXEC), -1))
		return -errno;
	return run_code(p);
}

/* Makes this program's own code writable. */
static int mprotect_text(const struct target *t)
{
	unsigned long at = (unsigned long)mprotect_text & ~(PAGE - 1);

	(void)t;
	return outcome(mprotect((void *)at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static int memfd_secret_make(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_memfd_secret, 0U));
}

static int uffd(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_userfaultfd, 1U /* user mode only */));
}

static int ldt_write(const struct target *t)
{
	struct user_desc d = {.entry_number = 1, .base_addr = 0, .limit = 0xfffff, .seg_32bit = 1, .useable = 1};

	(void)t;
	return outcome(syscall(SYS_modify_ldt, 1, &d, sizeof(d)));
}

static int remap_pages(const struct target *t)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return SG_SETUP;
	return outcome(syscall(SYS_remap_file_pages, p, PAGE, 0UL, 0UL, 0UL));
}

static int arch_get_gs(const struct target *t)
{
	unsigned long old = 0;

	(void)t;
	return outcome(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &old));
}

static int vmsplice_pages(const struct target *t)
{
	static char page[PAGE];
	struct {
		void *base;
		size_t len;
	} iov = {page, sizeof(page)};
	int p[2];

	(void)t;
	if (pipe(p))
		return SG_SETUP;
	return outcome(syscall(SYS_vmsplice, p[1], &iov, 1UL, 0U));
}

/* Of the host's huge pages, which no limit on memory counts. Not reserved: mapped also where the host has none. */
static int mmap_huge(const struct target *t)
{
	void *p = mmap(NULL, 2UL << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);

	(void)t;
	return p == MAP_FAILED ? -errno : 0;
}

const struct attack sg_attacks_mem[] = {
	{"mmap-wx", mmap_wx},
	{"mmap-huge", mmap_huge},
	{"mprotect-to-x", mprotect_to_x},
	{"pkey-mprotect-to-x", pkey_mprotect_to_x},
	{"mprotect-text", mprotect_text},
	{"memfd-secret", memfd_secret_make},
	{"userfaultfd", uffd},
	{"modify-ldt", ldt_write},
	{"remap-file-pages", remap_pages},
	{"arch-get-gs", arch_get_gs},
	{"vmsplice", vmsplice_pages},
	{NULL, NULL},
};
