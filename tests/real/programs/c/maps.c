/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = open("m", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p, *q, tmp[] = "tmp-XXXXXX";

	if (fd < 0 || ftruncate(fd, 4 * page))
		return 1;
	p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, page);
	strcpy(p + page, "shared page");
	msync(p, 4 * page, MS_SYNC);
	printf("%s, %ld\n", q, (long)lseek(fd, 0, SEEK_END) / page);
	munmap(q, page);
	p = mremap(p, 4 * page, 8 * page, MREMAP_MAYMOVE);
	printf("%s\n", p + page);
	munmap(p, 8 * page);
	p = mmap(NULL, 1 << 24, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mprotect(p + page, page, PROT_READ | PROT_WRITE);
	p[page] = 7;
	printf("%d\n", p[page]);
	mprotect(p + page, page, PROT_READ);
	madvise(p, 1 << 24, MADV_DONTNEED);
	printf("%d\n", p[page]);
	p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	memset(p, 3, 4 << 20);
	printf("%d %d\n", p[(4 << 20) - 1], mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	fd = mkstemp(tmp);
	unlink(tmp);
	printf("%zd %zd\n", pwrite(fd, "abc", 3, 1000), pread(fd, tmp, 4, 999));
	printf("%s\n", sbrk(0) != (void *)-1 && sbrk(page) != (void *)-1 ? "brk" : "no brk");
	return 0;
}
