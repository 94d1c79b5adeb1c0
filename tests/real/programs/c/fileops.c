/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static int files, dirs;

static int visit(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)f;
	if (type == FTW_DP)
		dirs++;
	else
		files++;
	return remove(path);
}

int main(void)
{
	struct dirent **list;
	struct statvfs vfs;
	struct stat st;
	char name[64], link[64] = "";
	glob_t g;
	FILE *f;
	int fd, dfd, n, ends[2];

	mkdir("d", 0755);
	mkdirat(AT_FDCWD, "d/sub", 0700);
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "d/f%02d", i);
		f = fopen(name, "w");
		fprintf(f, "%d\n", i * i);
		fclose(f);
	}
	n = scandir("d", &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (i % 4 == 0)
			printf("%s\n", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	glob("d/f*1", 0, NULL, &g);
	printf("%zu %s %d\n", g.gl_pathc, g.gl_pathv[0], fnmatch("*.c", "x.c", 0));
	globfree(&g);
	rename("d/f00", "d/sub/moved");
	symlink("moved", "d/sub/link");
	n = (int)readlink("d/sub/link", link, sizeof(link));
	stat("d/sub/link", &st);
	printf("%d %s %o %ld\n", n, link, st.st_mode & 0777, (long)st.st_size);
	chmod("d/sub/moved", 0640);
	stat("d/sub/moved", &st);
	printf("%o %d\n", st.st_mode & 0777, access("d/f00", F_OK));
	fd = open("v", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	writev(fd, (struct iovec[]){{"gather ", 7}, {"write", 5}}, 2);
	lseek(fd, 7, SEEK_SET);
	n = (int)read(fd, name, sizeof(name));
	printf("%.*s %d %d\n", n, name, flock(fd, LOCK_EX | LOCK_NB), fcntl(fd, F_GETFL) & O_ACCMODE);
	printf("%d %d %d\n", fsync(fd), fdatasync(fd), posix_fallocate(fd, 0, 10000));
	/* what has no name is the program's own */
	n = pipe(ends);
	printf("%d %d %d\n", n, fchmod(ends[0], 0600), futimens(ends[1], NULL));
	futimens(fd, (struct timespec[]){{.tv_sec = 1000}, {.tv_sec = 2000}});
	fstat(fd, &st);
	printf("%ld %ld\n", (long)st.st_mtime, (long)st.st_size);
	dfd = open("d", O_RDONLY | O_DIRECTORY);
	printf("%d %d\n", openat(dfd, "nothing", O_RDONLY), errno == ENOENT);
	printf("%d %d\n", fchdir(dfd), access("f01", R_OK));
	if (chdir(".."))
		return 1;
	printf("%d %d\n", statvfs(".", &vfs), dup2(fd, 40) == 40 && fcntl(40, F_DUPFD_CLOEXEC, 41) == 41);
	printf("%d ", nftw("d", visit, 8, FTW_DEPTH | FTW_PHYS));
	printf("%d %d\n", files, dirs);
	f = tmpfile();
	fputs("temporary", f);
	rewind(f);
	printf("%c %ld\n", fgetc(f), ftell(f));
	return truncate("v", 1);
}
