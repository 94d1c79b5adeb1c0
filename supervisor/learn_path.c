/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/learn_path.h"

#include "policy/objects.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define FOREIGN (-1) /* no directory argument */

enum what { OPENING, OPENING2, MAKING, REMOVING, CHANGING, RUNNING, MAPPING, BINDING };

static const struct {
	int nr, path, dir;
	enum what what;
} calls[] = {
#ifdef SYS_open
	{SYS_open, 0, FOREIGN, OPENING},    {SYS_creat, 0, FOREIGN, OPENING},   {SYS_mkdir, 0, FOREIGN, MAKING},
	{SYS_mknod, 0, FOREIGN, MAKING},    {SYS_symlink, 1, FOREIGN, MAKING},  {SYS_link, 1, FOREIGN, MAKING},
	{SYS_unlink, 0, FOREIGN, REMOVING}, {SYS_rmdir, 0, FOREIGN, REMOVING},  {SYS_rename, 0, FOREIGN, REMOVING},
	{SYS_rename, 1, FOREIGN, MAKING},   {SYS_chmod, 0, FOREIGN, CHANGING},  {SYS_chown, 0, FOREIGN, CHANGING},
	{SYS_utime, 0, FOREIGN, CHANGING},  {SYS_utimes, 0, FOREIGN, CHANGING},
#endif
	{SYS_openat, 1, 0, OPENING},        {SYS_openat2, 1, 0, OPENING2},      {SYS_mkdirat, 1, 0, MAKING},
	{SYS_mknodat, 1, 0, MAKING},        {SYS_symlinkat, 2, 1, MAKING},      {SYS_linkat, 3, 2, MAKING},
	{SYS_unlinkat, 1, 0, REMOVING},     {SYS_renameat2, 1, 0, REMOVING},    {SYS_renameat2, 3, 2, MAKING},
	{SYS_renameat, 1, 0, REMOVING},     {SYS_renameat, 3, 2, MAKING},       {SYS_truncate, 0, FOREIGN, CHANGING},
	{SYS_fchmodat, 1, 0, CHANGING},     {SYS_fchownat, 1, 0, CHANGING},     {SYS_utimensat, 1, 0, CHANGING},
	{SYS_execve, 0, FOREIGN, RUNNING},  {SYS_execveat, 1, 0, RUNNING},      {SYS_mmap, 4, FOREIGN, MAPPING},
	{SYS_bind, 1, FOREIGN, BINDING},
};

static bool read_memory(pid_t pid, uint64_t at, void *out, size_t size, size_t *got)
{
	char file[32];
	SG_CLOSE int fd = -1;
	ssize_t n;

	snprintf(file, sizeof(file), "/proc/%d/mem", (int)pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, out, size, (off_t)at);
	*got = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool link_of(pid_t pid, const char *what, char out[PATH_MAX])
{
	char file[64];
	ssize_t n;

	snprintf(file, sizeof(file), "/proc/%d/%s", (int)pid, what);
	n = readlink(file, out, PATH_MAX - 1);
	if (n <= 0 || out[0] != '/')
		return false;
	out[n] = '\0';
	return true;
}

/* What "/proc/self" is for the caller is another process for us. */
static void say_self(pid_t pid, char *path)
{
	char own[32], rest[PATH_MAX];
	size_t n = (size_t)snprintf(own, sizeof(own), "/proc/%d", (int)pid);

	if (strncmp(path, own, n) != 0 || (path[n] && path[n] != '/'))
		return;
	snprintf(rest, sizeof(rest), "%s", path + n);
	snprintf(path, PATH_MAX, "/proc/self%.4000s", rest);
}

/* The file that a path leads to, or will lead to when it is made. */
static bool resolve_text(pid_t pid, const char *text, int dirfd, bool has_dir, char out[PATH_MAX])
{
	char base[PATH_MAX], whole[2 * PATH_MAX + 2], what[32];
	char *slash;

	if (!strncmp(text, "/proc/self", 10) && (!text[10] || text[10] == '/'))
		snprintf(whole, sizeof(whole), "/proc/%d%s", (int)pid, text + 10);
	else if (text[0] == '/')
		snprintf(whole, sizeof(whole), "%s", text);
	else {
		if (has_dir && dirfd != AT_FDCWD)
			snprintf(what, sizeof(what), "fd/%d", dirfd);
		else
			snprintf(what, sizeof(what), "cwd");
		if (!link_of(pid, what, base))
			return false;
		snprintf(whole, sizeof(whole), "%s/%s", base, text);
	}
	if (!realpath(whole, out)) {
		char name[PATH_MAX];

		if (errno != ENOENT || !(slash = strrchr(whole, '/')) || strlen(slash + 1) >= 256)
			return false;
		snprintf(name, sizeof(name), "%s", slash + 1);
		*slash = '\0';
		if (!realpath(slash == whole ? "/" : whole, out) || strlen(out) + strlen(name) + 2 >= PATH_MAX)
			return false;
		snprintf(out + strlen(out), PATH_MAX - strlen(out), "/%s", name);
	}
	say_self(pid, out);
	return true;
}

static bool resolve(pid_t pid, uint64_t at, int dirfd, bool has_dir, char out[PATH_MAX])
{
	char text[PATH_MAX] = "";
	size_t got;

	return at && read_memory(pid, at, text, sizeof(text) - 1, &got) && memchr(text, '\0', got) &&
	       resolve_text(pid, text, dirfd, has_dir, out);
}

/* The file that a unix socket becomes when it is bound. */
static bool resolve_bound(pid_t pid, uint64_t at, uint64_t len, char out[PATH_MAX])
{
	struct sockaddr_un un = {0};
	char text[sizeof(un.sun_path) + 1] = "";
	size_t got;

	if (len > sizeof(un) || !read_memory(pid, at, &un, (size_t)len, &got) || un.sun_family != AF_UNIX)
		return false;
	memcpy(text, un.sun_path, sizeof(un.sun_path)); /* which may fill its room without an end */
	return *text && resolve_text(pid, text, 0, false, out);
}

static void note(struct sg_learn *l, const char *path, uint32_t rights)
{
	struct sg_err err = {0};

	(void)sg_learn_file(l, path, rights, &err);
}

/* Of a file that is made or removed: in the directory around it. */
static void note_around(struct sg_learn *l, const char *path, uint32_t rights)
{
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	slash[slash == dir] = '\0';
	note(l, dir, rights);
}

static void note_opening(struct sg_learn *l, const char *path, uint64_t flags)
{
	const unsigned mode = flags & O_ACCMODE;
	uint32_t rights = 0;
	struct stat st;
	bool there = stat(path, &st) == 0 || !strncmp(path, "/proc/self", 10);

	if (flags & O_PATH)
		return;
	if (mode != O_WRONLY)
		rights |= SG_RIGHT_READ;
	if (mode != O_RDONLY || (flags & O_TRUNC))
		rights |= SG_RIGHT_WRITE;
	if (there && (flags & O_TMPFILE) != O_TMPFILE)
		note(l, path, rights);
	else if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		note_around(l, path, rights | SG_RIGHT_CREATE);
}

/* The program, and what its first line says that it is run by: that is executed as well. */
static void note_running(struct sg_learn *l, pid_t pid, const char *program)
{
	char path[PATH_MAX], line[256];

	snprintf(path, sizeof(path), "%s", program);
	for (int i = 0; i < 5; i++) { /* no more does the kernel follow */
		SG_CLOSE int fd = -1;
		struct stat st;
		ssize_t n;
		char *name;

		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			return;
		note(l, path, SG_RIGHT_READ | SG_RIGHT_MAP | SG_RIGHT_EXEC);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		n = fd < 0 ? -1 : pread(fd, line, sizeof(line) - 1, 0);
		if (n < 2 || memcmp(line, "#!", 2) != 0)
			return;
		line[n] = '\0';
		name = line + 2 + strspn(line + 2, " \t");
		name[strcspn(name, " \t\n")] = '\0';
		if (!*name || !resolve_text(pid, name, 0, false, path))
			return;
	}
}

static void note_one(struct sg_learn *l, pid_t pid, enum what what, const char *path, uint32_t nr, const uint64_t *args)
{
	uint64_t flags = nr == SYS_openat ? args[2] : args[1];
	struct stat st;
	size_t got;

#ifdef SYS_creat
	if (nr == SYS_creat)
		flags = O_CREAT | O_WRONLY | O_TRUNC;
#endif
	switch (what) {
	case OPENING2:
		if (!read_memory(pid, args[2], &flags, sizeof(flags), &got) || got != sizeof(flags))
			return;
		note_opening(l, path, flags);
		break;
	case OPENING:
		note_opening(l, path, flags);
		break;
	case MAKING:
		note_around(l, path, SG_RIGHT_CREATE | (lstat(path, &st) == 0 ? SG_RIGHT_DELETE : 0));
		break;
	case REMOVING:
		if (lstat(path, &st) == 0)
			note_around(l, path, SG_RIGHT_DELETE);
		break;
	case CHANGING:
		if (stat(path, &st) == 0)
			note(l, path, SG_RIGHT_WRITE);
		break;
	case RUNNING:
		note_running(l, pid, path);
		break;
	case BINDING:
		note_around(l, path, SG_RIGHT_CREATE);
		break;
	case MAPPING:
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			note(l, path, SG_RIGHT_READ | SG_RIGHT_MAP);
		break;
	}
}

void sg_learner_paths(struct sg_learn *l, pid_t pid, uint32_t nr, const uint64_t args[SG_ARGS])
{
	char path[PATH_MAX], what[32];

	for (size_t i = 0; i < SG_ARRAY_SIZE(calls); i++) {
		if ((uint32_t)calls[i].nr != nr)
			continue;
		if (calls[i].what == MAPPING) {
			if (!(args[2] & PROT_EXEC) || (args[3] & MAP_ANONYMOUS))
				continue;
			snprintf(what, sizeof(what), "fd/%d", (int)args[4]);
			if (!link_of(pid, what, path))
				continue;
		} else if (calls[i].what == BINDING) {
			if (!resolve_bound(pid, args[1], args[2], path))
				continue;
		} else if (!resolve(pid, args[calls[i].path], calls[i].dir < 0 ? 0 : (int)args[calls[i].dir],
				    calls[i].dir >= 0, path)) {
			continue;
		}
		note_one(l, pid, calls[i].what, path, nr, args);
	}
}
