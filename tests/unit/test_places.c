// SPDX-License-Identifier: Apache-2.0
/* Trees become objects: variables, links, what is missing, what is mounted below. */
#include "supervisor/mountinfo.h"
#include "supervisor/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define R SG_RIGHT_READ
#define W SG_RIGHT_WRITE

static char root[PATH_MAX];

static const char *at(const char *name)
{
	static char path[4][PATH_MAX + 64];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", root, name);
	return p;
}

static int set_up(void **state)
{
	snprintf(root, sizeof(root), "%s/sandgate-places.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(root) || mkdir(at("dir"), 0755) || mkdir(at("dir/in"), 0755) || symlink("dir", at("link")))
		return -1;
	return close(open(at("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

static int tear_down(void **state)
{
	(void)unlink(at("file"));
	(void)unlink(at("link"));
	(void)rmdir(at("dir/in"));
	(void)rmdir(at("dir"));
	return rmdir(root);
}

static bool same_object(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static const struct sg_place *find(const struct sg_places *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (same_object(p->list[i].fd, path))
			return &p->list[i];
	return NULL;
}

static void opens_with_variables(void **state)
{
	struct sg_place_vars vars = {.cwd = root, .program = strdup(at("file")), .no_mounts = true};
	struct sg_tree trees[] = {{"$CWD", {.allow = R, .origin = 1}},
				  {"$CWD/dir", {.allow = R | W, .origin = 2}},
				  {"$PROGRAM", {.allow = SG_RIGHT_EXEC, .origin = 3}},
				  {"$RUNTIME/lib", {.allow = R}},
				  {"/no/such/thing", {.deny = R}},
				  {"$CWD/dir/in", {0}}};
	struct sg_err err = {0};
	struct sg_places p;
	struct stat st;

	assert_int_equal(sg_places_open(&p, trees, 6, &vars, &err), 0);
	assert_int_equal(p.n, 3);
	assert_true(same_object(p.list[0].fd, root));
	assert_string_equal(p.list[0].path, root);
	assert_true(p.list[0].is_dir);
	assert_true(same_object(p.list[1].fd, at("dir")));
	assert_string_equal(p.list[1].path, at("dir"));
	assert_int_equal(p.list[1].rights.allow, R | W);
	assert_true(same_object(p.list[2].fd, at("file")));
	assert_false(p.list[2].is_dir);
	assert_int_equal(p.list[2].rights.origin, 3);
	assert_int_equal(fcntl(p.list[2].fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(p.list[2].fd, F_GETFL) & O_PATH, O_PATH);

	int first = p.list[0].fd;

	sg_places_close(&p);
	assert_int_equal(fstat(first, &st), -1);
	sg_places_close(&p);
	free((char *)vars.program);
}

static void one_object_one_place(void **state)
{
	struct sg_place_vars vars = {.cwd = root, .tmp = root, .no_mounts = true};
	struct sg_tree trees[] = {{"$CWD/dir", {.allow = R | W, .origin = 4}},
				  {"$TMP/link", {.allow = SG_RIGHT_CREATE, .origin = 5}},
				  {"$TMP/link/../dir/", {.deny = W, .origin = 6}}};
	struct sg_err err = {0};
	struct sg_places p;

	assert_int_equal(sg_places_open(&p, trees, 3, &vars, &err), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.list[0].rights.allow, R | SG_RIGHT_CREATE);
	assert_int_equal(p.list[0].rights.deny, W);
	assert_int_equal(p.list[0].rights.origin, 6);
	sg_places_close(&p);
}

/* Where a directory above could be renamed, what is denied would be made anew under its name. */
static void what_is_above_a_denial_stays(void **state)
{
	struct sg_place_vars vars = {.cwd = root};
	struct sg_tree trees[] = {{"$CWD", {.allow = R | W, .origin = 1}},
				  {"$CWD/dir", {.allow = SG_RIGHT_DELETE, .origin = 2}},
				  {"$CWD/dir/in/far/file", {.deny = R, .origin = 3}}};
	const struct sg_place *dir, *in;
	struct sg_err err = {0};
	struct sg_places p;

	assert_int_equal(mkdir(at("dir/in/far"), 0755), 0);
	assert_int_equal(close(open(at("dir/in/far/file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), 0);
	assert_int_equal(sg_places_open(&p, trees, 3, &vars, &err), 0);
	dir = find(&p, at("dir"));
	in = find(&p, at("dir/in"));
	assert_non_null(dir);
	assert_int_equal(dir->rights.allow, SG_RIGHT_DELETE);
	assert_int_equal(dir->rights.deny, SG_TREE_HOLDS);
	assert_non_null(in);
	assert_int_equal(in->rights.allow, 0);
	assert_int_equal(in->rights.deny, SG_TREE_HOLDS);
	assert_int_equal(in->rights.origin, 3);
	assert_non_null(find(&p, at("dir/in/far")));
	assert_int_equal(find(&p, root)->rights.deny, 0);
	sg_places_close(&p);
	vars.no_mounts = true;
	assert_int_equal(sg_places_open(&p, trees, 3, &vars, &err), 0);
	assert_int_equal(p.n, 3);
	sg_places_close(&p);
	assert_int_equal(unlink(at("dir/in/far/file")), 0);
	assert_int_equal(rmdir(at("dir/in/far")), 0);
}

static void own_processes_are_apart(void **state)
{
	struct sg_place_vars vars = {.no_mounts = true};
	struct sg_tree trees[] = {
		{"/proc/self", {.allow = R, .origin = 1}},    {"/proc/thread-self/comm", {.allow = W, .origin = 2}},
		{"/proc/selfish", {.allow = W, .origin = 3}}, {"/dev/fd", {.allow = SG_RIGHT_MAP}},
		{"/proc/mounts", {.allow = SG_RIGHT_EXEC}},   {"/proc/cpuinfo", {.allow = SG_RIGHT_DELETE}}};
	struct sg_err err = {0};
	struct sg_places p;

	assert_int_equal(sg_places_open(&p, trees, 6, &vars, &err), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.list[0].rights.allow, SG_RIGHT_DELETE);
	assert_int_equal(p.self.allow, R | W | SG_RIGHT_MAP | SG_RIGHT_EXEC);
	assert_int_equal(p.self.origin, 1);
	sg_places_close(&p);
}

/* A part of it cannot be denied alone, by no way that leads there; all of it can. */
static void own_processes_are_denied_whole(void **state)
{
	static const struct {
		const char *path;
		int rc;
	} rows[] = {{"/proc/self", 0},
		    {"/proc/thread-self", 0},
		    {"/proc/self/environ", -EINVAL},
		    {"/proc/mounts", -EINVAL},
		    {"/dev/fd", -EINVAL}};
	struct sg_place_vars vars = {.no_mounts = true};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sg_tree tree = {rows[i].path, {.deny = SG_RIGHTS}};
		struct sg_err err = {0};
		struct sg_places p;

		assert_int_equal(sg_places_open(&p, &tree, 1, &vars, &err), rows[i].rc);
		assert_int_equal(p.self.deny, rows[i].rc ? 0 : SG_RIGHTS);
		if (rows[i].rc)
			assert_non_null(strstr(err.message, "deny /proc/self"));
		sg_places_close(&p);
	}
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *path;
		int rc;
		const char *message;
	} rows[] = {{"usr/lib", -EINVAL,
		     "the tree \"usr/lib\" is neither an absolute path nor begins with $CWD, $TMP, $HOME, $PROGRAM or "
		     "$RUNTIME"},
		    {"$CWDX/a", -EINVAL,
		     "the tree \"$CWDX/a\" is neither an absolute path nor begins with $CWD, $TMP, $HOME, $PROGRAM or "
		     "$RUNTIME"},
		    {"", -EINVAL,
		     "the tree \"\" is neither an absolute path nor begins with $CWD, $TMP, $HOME, $PROGRAM or "
		     "$RUNTIME"},
		    {"$TMP/a", -EINVAL, "$TMP is \"tmp\", which is not an absolute path"}};
	struct sg_place_vars vars = {.cwd = "/", .tmp = "tmp"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sg_tree tree = {rows[i].path, {.allow = R}};
		struct sg_err err = {0};
		struct sg_places p;

		assert_int_equal(sg_places_open(&p, &tree, 1, &vars, &err), rows[i].rc);
		assert_string_equal(err.message, rows[i].message);
		assert_int_equal(p.n, 0);
		assert_null(p.list);
	}
}

static void a_denial_is_never_dropped(void **state)
{
	struct sg_place_vars vars = {.no_mounts = true};
	struct sg_tree allowed = {at("loop"), {.allow = R}}, denied = {at("loop"), {.deny = R}};
	struct sg_err err = {0};
	struct sg_places p;

	assert_int_equal(symlink("loop", at("loop")), 0);
	assert_int_equal(sg_places_open(&p, &allowed, 1, &vars, &err), 0);
	assert_int_equal(p.n, 0);
	sg_places_close(&p);
	assert_int_equal(sg_places_open(&p, &denied, 1, &vars, &err), -ELOOP);
	assert_non_null(strstr(err.message, "cannot open the tree /"));
	assert_int_equal(unlink(at("loop")), 0);
}

static int report(int fd, const char *text)
{
	return write(fd, text, strlen(text)) < 0;
}

/* In a mount namespace of its own: dir is a tmpfs with another one in it; in/bind is a part of the first one. */
static int mounted(int fd)
{
	struct sg_place_vars vars = {.cwd = root};
	struct sg_tree trees[] = {{"$CWD", {.allow = R | W, .origin = 1}},
				  {"$CWD/dir", {.deny = W, .origin = 2}},
				  {"$CWD/dir/closed", {.allow = SG_RIGHT_EXEC, .origin = 3}}};
	const struct sg_place *dir, *in, *closed;
	struct sg_err err = {0};
	struct sg_places p;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("sg", at("dir"), "tmpfs", 0, "size=64k") ||
	    mkdir(at("dir/a b"), 0755) || mkdir(at("dir/part"), 0755) || mkdir(at("dir/closed"), 0755) ||
	    mount("sg", at("dir/a b"), "tmpfs", 0, "size=64k") ||
	    mount("sg", at("dir/closed"), "tmpfs", 0, "size=64k") || mkdir(at("dir/a b/bind"), 0755) ||
	    mount(at("dir/part"), at("dir/a b/bind"), NULL, MS_BIND, NULL))
		return report(fd, "cannot mount");
	if (sg_places_open(&p, trees, 3, &vars, &err))
		return report(fd, err.message);
	dir = find(&p, at("dir"));
	in = find(&p, at("dir/a b"));
	closed = find(&p, at("dir/closed"));
	if (!dir || dir->rights.allow != R || dir->rights.deny != W || dir->rights.origin != 2)
		return report(fd, "a tree that is a mount point has the rights of what is around it, too");
	if (!in || in->rights.allow != R || in->rights.deny != W || !in->is_dir || strcmp(in->path, at("dir/a b")) != 0)
		return report(fd, "a file system below a tree has the rights that hold there");
	if (!closed || closed->rights.allow != (R | SG_RIGHT_EXEC) || closed->rights.deny != W)
		return report(fd, "the nearest tree decides, the others fill in");
	if (find(&p, at("dir/part")))
		return report(fd, "a bind mount of a part gives nothing");
	if (p.n != 4)
		return report(fd, "nothing else is added");
	sg_places_close(&p);

	/* A part that covers a whole file system hides it. */
	if (mount(at("dir/part"), at("dir/a b"), NULL, MS_BIND, NULL))
		return report(fd, "cannot mount a part over it");
	if (sg_places_open(&p, trees, 3, &vars, &err))
		return report(fd, err.message);
	if (find(&p, at("dir/a b")) || p.n != 3)
		return report(fd, "a part that covers a file system gives nothing");
	sg_places_close(&p);
	vars.no_mounts = true;
	if (sg_places_open(&p, trees, 3, &vars, &err))
		return report(fd, err.message);
	if (p.n != 3)
		return report(fd, "without mounts only the trees");
	sg_places_close(&p);
	return 0;
}

/* The same with a file system below a tree whose server never answers. */
static int hanging(int fd)
{
	struct sg_place_vars vars = {.cwd = root};
	struct sg_tree tree = {"$CWD", {.allow = R, .origin = 1}};
	struct sg_err err = {0};
	struct sg_places p;
	char options[96];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (fuse < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sg", at("dir"), "fuse.sg", 0, options))
		return 77;
	(void)alarm(20);
	if (sg_places_open(&p, &tree, 1, &vars, &err))
		return report(fd, err.message);
	if (p.n != 2)
		return report(fd, "a file system that hangs is a place, too");
	sg_places_close(&p);
	return 0;
}

static void in_own_mounts(int (*fn)(int fd))
{
	char text[1024] = {0};
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(77);
		_exit(fn(fds[1]));
	}
	close(fds[1]);
	(void)!read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_string_equal(text, "");
	assert_int_equal(status, 0);
}

static void covers_what_is_mounted_below(void **state)
{
	in_own_mounts(mounted);
}

static void waits_for_no_server(void **state)
{
	in_own_mounts(hanging);
}

/* A container's process: its root is an image with links that want out of it. It says when it is so far, twice. */
__attribute__((noreturn)) static void container(int ready, int go)
{
	const char *image = strdup(at("dir"));
	char byte = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (unshare(CLONE_NEWNS))
		_exit(77);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("sg", image, "tmpfs", 0, "size=64k") ||
	    chdir(image) || mkdir("etc", 0755) || mkdir("data", 0755) || mkdir("old", 0755) || mkdir("proc", 0755) ||
	    mkdir("data/below", 0755) || mount("sg", "data/below", "tmpfs", 0, "size=64k") ||
	    symlink("/etc", "absolute") || symlink("../../../../../../etc", "relative") || symlink("/", "all") ||
	    symlink("/proc/self/fd", "fd") || symlink("/no/such/thing", "none") || write(ready, &byte, 1) != 1 ||
	    read(go, &byte, 1) != 1 || syscall(SYS_pivot_root, ".", "old") || chdir("/") ||
	    umount2("/old", MNT_DETACH) || write(ready, &byte, 1) != 1)
		_exit(1);
	(void)!read(go, &byte, 1);
	_exit(0);
}

/* What is below that of the process's root. */
static struct sg_place_root root_of(pid_t pid, const char *below)
{
	struct sg_place_root r;
	char path[PATH_MAX + 128];

	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, below);
	r.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	r.own = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	r.mounts = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(r.fd >= 0 && r.own >= 0 && r.mounts >= 0);
	return r;
}

static void let_go(const struct sg_place_root *r)
{
	close(r->fd);
	close(r->own);
	close(r->mounts);
}

static void look_into(const struct sg_place_root *other)
{
	struct sg_place_vars vars = {.cwd = "/data", .root = other};
	struct sg_tree trees[] = {{"/absolute", {.allow = R, .origin = 1}}, {"/relative", {.allow = W, .origin = 2}},
				  {"/all", {.allow = W, .origin = 3}},      {"/fd", {.allow = R | W, .origin = 4}},
				  {"/none", {.allow = R, .origin = 5}},     {"$CWD", {.allow = R, .origin = 6}},
				  {"/data/../../data", {.allow = W}}};
	struct sg_tree denied = {"/all", {.deny = W}};
	struct sg_err err = {0};
	struct sg_places p;
	struct stat image, st;

	assert_int_equal(fstat(other->fd, &image), 0);
	if (sg_places_open(&p, trees, 7, &vars, &err))
		fail_msg("%s", err.message);
	/* /etc once, /data once, and what is mounted below that */
	assert_int_equal(p.n, 3);
	for (size_t i = 0; i < p.n; i++) {
		assert_int_equal(p.list[i].rights.allow, R | W);
		assert_int_equal(fstat(p.list[i].fd, &st), 0);
		assert_int_equal(st.st_dev == image.st_dev, i < 2);
		assert_int_not_equal(st.st_dev == image.st_dev && st.st_ino == image.st_ino, 1);
	}
	assert_string_equal(p.list[2].path, "/data/below");
	assert_int_equal(p.self.allow, R);
	sg_places_close(&p);
	assert_int_equal(sg_places_open(&p, &denied, 1, &vars, &err), 0);
	assert_true(p.n >= 1);
	sg_places_close(&p);
}

static void another_root_is_not_left(void **state)
{
	struct sg_place_root other = {.fd = -1, .own = -1, .mounts = -1};
	int ready[2], go[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ready[0]);
		close(go[1]);
		container(ready[1], go[0]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		/* As a runtime's hook finds it: the image lies somewhere in the container's mount namespace. */
		other = root_of(pid, at("dir"));
		look_into(&other);
		let_go(&other);
		assert_int_equal(write(go[1], "", 1), 1);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		other = root_of(pid, "");
		look_into(&other);
	}
	close(go[1]);
	close(go[0]);
	close(ready[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	/* The process is gone, as one of many that come and go in a cgroup. */
	look_into(&other);
	let_go(&other);
}

static void lines_of_the_mount_table(void **state)
{
	char plain[] = "36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw,errors=continue\n";
	char fields[] = "907 36 0:49 /a\\040b /c\\134d rw shared:1 master:2 - fuse.x y\\040z rw\n";
	const char *const none[] = {"",
				    "\n",
				    "36",
				    "36 35 98:0 / /mnt rw",
				    "36 35 98:0 / /mnt rw -",
				    "1 2 x / / rw - t s",
				    "- - - - -",
				    "36 35 98:0 / - ext3"};
	struct sg_mount m;

	(void)state;
	assert_true(sg_mount_parse(plain, &m));
	assert_int_equal(m.id, 36);
	assert_int_equal(m.major, 98);
	assert_int_equal(m.minor, 0);
	assert_string_equal(m.root, "/");
	assert_string_equal(m.where, "/mnt");
	assert_string_equal(m.type, "ext3");
	assert_true(sg_mount_parse(fields, &m));
	assert_int_equal(m.minor, 49);
	assert_string_equal(m.root, "/a b");
	assert_string_equal(m.where, "/c\\d");
	assert_string_equal(m.type, "fuse.x");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s", none[i]);
		assert_false(sg_mount_parse(line, &m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_with_variables),           cmocka_unit_test(one_object_one_place),
		cmocka_unit_test(what_is_above_a_denial_stays),   cmocka_unit_test(own_processes_are_apart),
		cmocka_unit_test(own_processes_are_denied_whole), cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(a_denial_is_never_dropped),      cmocka_unit_test(covers_what_is_mounted_below),
		cmocka_unit_test(another_root_is_not_left),       cmocka_unit_test(waits_for_no_server),
		cmocka_unit_test(lines_of_the_mount_table),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
