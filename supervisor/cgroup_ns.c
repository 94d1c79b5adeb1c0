/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/cgroup_ns.h"

#include "supervisor/cgroup.h"
#include "supervisor/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define INITIAL_NAMESPACE 0xEFFFFFFBU /* PROC_CGROUP_INIT_INO in the kernel's proc_ns.h */
#define DEPTH_MAX 64                  /* of what is looked at */

static bool initial_namespace(void)
{
	struct stat st;

	/* A kernel without these namespaces has none but the first. */
	return stat("/proc/self/ns/cgroup", &st) < 0 ? errno == ENOENT : st.st_ino == INITIAL_NAMESPACE;
}

/* Its line in /proc/PID/cgroup: from the '/' on, to the end of the line. */
static const char *line_of(const char *text)
{
	const char *line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");

	return line ? strchr(line, '/') : NULL;
}

/* Components of a path, each ".." one less. */
static int steps(const char *path)
{
	int n = 0;

	while (*path) {
		size_t len = strcspn(path, "/\n");

		n += len == 2 && !strncmp(path, "..", 2) ? -1 : len > 0;
		path += len;
		if (*path == '\n')
			break;
		path += *path == '/';
	}
	return n;
}

/*
 * How deep our own cgroup lies, which no file tells in a namespace: asked of the kernel by a program that runs at once,
 * in our name, and answers whether we have an ancestor at a depth.
 */
static int own_depth(void)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_ancestor_cgroup_id},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 1, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
			       .insn_cnt = SG_ARRAY_SIZE(program),
			       .insns = (uintptr_t)program,
			       .license = (uintptr_t) "GPL"};
	SG_CLOSE int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	int depth = -1;

	for (uint64_t at = 0; fd >= 0 && at < DEPTH_MAX; at++) {
		union bpf_attr ask = {0};

		ask.test.prog_fd = (uint32_t)fd;
		ask.test.ctx_in = (uintptr_t)&at;
		ask.test.ctx_size_in = sizeof(at);
		if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &ask, sizeof(ask)) < 0 || !ask.test.retval)
			break;
		depth = (int)at;
	}
	return depth;
}

/* -1: cannot be told. A cgroup never moves, and our namespace does not change. */
static int namespace_depth(void)
{
	static int known = -1;
	const char *own;
	char buf[4096];
	int depth;

	if (known >= 0)
		return known;
	if (initial_namespace())
		return known = 0;
	if (sg_read_file(AT_FDCWD, "/proc/self/cgroup", buf, sizeof(buf)) < 0)
		return -1;
	own = line_of(buf);
	depth = own ? own_depth() : -1;
	if (depth < 0 || depth < steps(own))
		return -1;
	return known = depth - steps(own);
}

unsigned sg_cgroup_level(const char *mount, const char *root, const char *rel)
{
	struct stat st;
	int depth;

	/* The root of the hierarchy has the id 1, whatever a namespace shows it as. */
	if (stat(mount, &st) == 0 && st.st_ino == 1)
		return (unsigned)steps(rel);
	depth = namespace_depth();
	if (depth < 0)
		return 0;
	depth += steps(root) + steps(rel);
	return depth > 0 ? (unsigned)depth : 0;
}

static void is_self(void *ctx, pid_t pid)
{
	*(bool *)ctx |= pid == getpid();
}

/* The cgroup below dir, which is taken over, that has this process: its path is added to path. */
static bool find_self(int dir, char *path, size_t size, unsigned depth)
{
	const struct sg_cgroup cg = {.dirfd = dir};
	size_t n = strlen(path);
	bool found = false;
	struct dirent *e;
	DIR *d;

	(void)sg_cgroup_each(&cg, is_self, &found);
	d = found || !depth ? NULL : fdopendir(dir);
	if (!d)
		close(dir);
	while (d && !found && (e = readdir(d))) {
		int fd;

		if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
		    snprintf(path + n, size - n, "/%s", e->d_name) >= (int)(size - n))
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		found = fd >= 0 && find_self(fd, path, size, depth - 1);
	}
	if (d)
		closedir(d);
	if (!found)
		path[n] = '\0';
	return found;
}

/*
 * Where the paths that /proc shows us begin, below the mount, "" for the mount itself: where we are found there, less
 * what /proc says of us. NULL: cannot be told.
 */
static const char *namespace_root(void)
{
	char mount[256], root[256], buf[4096], path[PATH_MAX] = "";
	struct sg_err err = {0};
	static char known[512];
	static bool is_known;
	const char *own;
	size_t n, m;
	int fd;

	if (is_known)
		return known;
	if (initial_namespace()) {
		is_known = true;
		return known;
	}
	if (sg_cgroup_find_mount(mount, sizeof(mount), root, sizeof(root), &err) < 0 ||
	    sg_read_file(AT_FDCWD, "/proc/self/cgroup", buf, sizeof(buf)) < 0 || !(own = line_of(buf)))
		return NULL;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !find_self(fd, path, sizeof(path), DEPTH_MAX))
		return NULL;
	n = strlen(path);
	m = strcspn(own, "\n");
	m = m == 1 ? 0 : m;
	if (m > n || strncmp(path + n - m, own, m) != 0 || n - m >= sizeof(known))
		return NULL;
	memcpy(known, path, n - m);
	is_known = true;
	return known;
}

static bool is_up(const char *line)
{
	return !strncmp(line, "/..", 3) && strchr("/\n", line[3]);
}

int sg_cgroup_place(const char *text, char *rel, size_t size)
{
	const char *line = line_of(text), *shown = line, *root = line ? namespace_root() : NULL;
	size_t n = root ? strlen(root) : 0;

	if (!line)
		return -ENOENT;
	for (; is_up(line); line += 3) {
		/* Not known: what lies side by side at the top is told right all the same. */
		if (root && !n)
			return snprintf(rel, size, "%.*s", (int)strcspn(shown, "\n"), shown) < (int)size
				       ? -EXDEV
				       : -ENAMETOOLONG;
		while (n && root[--n] != '/')
			;
	}
	if (n && line[0] == '/' && strchr("\n", line[1]))
		line++;
	if (snprintf(rel, size, "%.*s%.*s", (int)n, root ? root : "", (int)strcspn(line, "\n"), line) >= (int)size)
		return -ENAMETOOLONG;
	if (!*rel)
		snprintf(rel, size, "/");
	return 0;
}
